//! A load generator that costs little, what the broker's process costs under it, and brokers side by side.

pub mod asker;
pub mod contender;
pub mod cost;
pub mod crowd;
pub mod floor;
pub mod frames;
pub mod goals;
pub mod latency;
pub mod load;
pub mod machine;
pub mod node;
pub mod picture;
pub mod report;
pub mod side;
pub mod workload;
