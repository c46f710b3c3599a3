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
//! - [`segment`] and [`segments`]: the batches of a log, appended, found, truncated; [`recovery`] brings them back after
//!   a crash and tells a [`recovery::Replay`] what it meets; [`listing`] tidies a directory before that.
//! - [`group_commit`]: durable acknowledgements that share fsyncs; [`directory_state`]: online, full, offline.
//!
//! Everything that touches files is generic over [`Disk`] and means [`RealDisk`] where nothing is said.

pub mod checkpoint;
pub mod clean_shutdown;
pub mod descriptors;
pub mod directory_lock;
pub mod directory_state;
pub mod disk;
pub mod entry_file;
pub mod fault;
pub mod group_commit;
pub mod listing;
pub mod meta_properties;
pub mod names;
pub mod offset_index;
pub mod partition_metadata;
pub mod producer_snapshot;
pub mod recent_batches;
pub mod recovery;
pub mod scan;
#[cfg(test)]
mod scripted_disk;
pub mod segment;
pub mod segments;
pub mod time_index;
pub mod transaction_index;
pub mod whole_file;

pub use disk::{Disk, RealDisk};
pub use fault::Fault;
pub use names::TopicPartition;
