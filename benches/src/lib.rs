//! A load generator that costs little, what the broker's process costs under it, and both brokers side by side.

pub mod cost;
pub mod frames;
pub mod load;
pub mod machine;
pub mod node;
pub mod side;
pub mod workload;
