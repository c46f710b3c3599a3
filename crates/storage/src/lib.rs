//! Log directories, segments, indexes, checkpoints, recovery: Kafka's files, to the byte.
//!
//! This crate carries out what the pure machine of a partition decides: it writes the batches the machine accepted,
//! finds them again, and brings both back after a crash. It never decides whether a batch is good, who leads, or
//! what a reader may see; it never reads a clock (time is an argument) and never waits for another thread while it
//! holds a log.
//!
//! The rooms, from below:
//! - [`disk`]: the calls storage makes, as a port; [`fault`]: what can go wrong there.
//! - [`whole_file`], [`checkpoint`], [`meta_properties`], [`partition_metadata`], [`clean_shutdown`],
//!   [`directory_lock`]: the small files, replaced as a whole.
//! - [`descriptors`]: the open files, bounded; [`entry_file`] with [`offset_index`], [`time_index`],
//!   [`transaction_index`]: the indexes of a segment.
//!
//! Everything that touches files is generic over [`Disk`] and means [`RealDisk`] where nothing is said.

pub mod checkpoint;
pub mod clean_shutdown;
pub mod descriptors;
pub mod directory_lock;
pub mod disk;
pub mod entry_file;
pub mod fault;
pub mod meta_properties;
pub mod names;
pub mod offset_index;
pub mod partition_metadata;
pub mod time_index;
pub mod transaction_index;
pub mod whole_file;

pub use disk::{Disk, RealDisk};
pub use fault::Fault;
pub use names::TopicPartition;
