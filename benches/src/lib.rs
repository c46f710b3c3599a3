//! A load generator that costs little, what the broker's process costs under it, and brokers side by side.

pub mod asker;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod calls;
pub mod cold;
pub mod consumer_beat;
pub mod contender;
pub mod cost;
pub mod crowd;
pub mod echo;
pub mod floor;
pub mod frames;
pub mod goals;
pub mod guard;
pub mod latency;
pub mod load;
pub mod machine;
pub mod node;
pub mod paced;
pub mod picture;
pub mod report;
pub mod resting;
pub mod side;
pub mod sides;
pub mod synced;
pub mod turns;
pub mod workload;
