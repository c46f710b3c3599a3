//! Log directories, segments, indexes, checkpoints, recovery: Kafka's files, to the byte.
//!
//! This crate carries out what the pure machine of a partition decides: it writes the batches the machine accepted,
//! finds them again, and brings both back after a crash. It never decides whether a batch is good, who leads, or
//! what a reader may see; it never reads a clock (time is an argument) and never waits for another thread while it
//! holds a log.
//!
//! The rooms, from below:
//! - [`disk`]: the calls storage makes, as a port; [`fault`]: what can go wrong there.
//! - [`whole_file`], [`checkpoint`], [`meta_properties`], [`partition_metadata`], [`clean_shutdown`], [`clean_logs`] with [`older_segments`],
//!   [`directory_lock`]: the small files, replaced as a whole.
//! - [`descriptors`]: the open files, bounded; [`entry_file`] with [`offset_index`], [`time_index`],
//!   [`transaction_index`]: the indexes of a segment.
//! - [`recent_batches`] and [`known_batches`], within [`batch_memory`]: where batches lie, remembered.
//! - [`segment`] and [`segments`]: the batches of a log, appended, found, truncated; [`recovery`] brings them back after
//!   a crash and tells a [`recovery::Replay`] what it meets; [`listing`] tidies a directory before that.
//! - [`first_records`]: the first batches of logs whose directories are still to be made.
//! - [`read_check`]: whether what is read is still what was written.
//! - [`group_commit`]: durable acknowledgements that share fsyncs; [`directory_state`]: online, full, offline;
//!   [`reserve`]: room for what must be written on a full disk; [`removals`]: what is deleted a while after it was renamed. [`log_directory`] holds these together for one directory.
//! - [`cleaner`]: compaction, beside the appends and reads of the log it works on.
//! - [`log`]: the log of a partition, machine and segments; [`log_dirs`]: all directories of a node and their logs.
//!
//! # For those who drive it
//!
//! | when | call | then |
//! |---|---|---|
//! | a new directory | [`log_dirs::format`] | |
//! | start | [`LogDirs::open`] | register with [`LogDirs::clean_shutdown_epoch`] and the directories' ids |
//! | the metadata is known | [`LogDirs::load`] | tell of what the report says was cut, set aside or failed |
//! | a partition is placed here | [`LogDirs::create`] or [`LogDirs::get`] | keep the [`SharedLog`]; [`Log::become_leader`] |
//! | produce | lock; [`Log::append`]; if [`Log::commit_due`], of a duplicate too, [`Log::commit`] | answer after unlocking, or from the commit's `done`, which takes the lock for [`Log::take_synced`] first |
//! | fetch | lock; [`Log::fetch`]; unlock | headers, then `sendfile` of the slice; the file stays open while it is held |
//! | a fetch of what was not checked since the start, or lies on the disk | [`read_check::check_range`]; lock; [`Log::note_checked`] | cut the slice before what is wrong |
//! | ListOffsets | lock; [`Log::offset_for_timestamp`] | |
//! | DeleteRecords | lock; [`Log::delete_records`]; unlock; [`LogDirs::keep_log_starts`] once for the request | answer |
//! | a follower's log parts from its leader's | [`LogDirs::truncate`] | |
//! | a topic is deleted | [`LogDirs::delete`] | [`LogDirs::remove_due`] later |
//! | a config changes | lock; [`Log::set_config`] | |
//! | timers | [`LogDirs::retain`], [`LogDirs::flush_due`], [`LogDirs::remove_due`], [`LogDirs::expire_producers`], the three checkpoints | |
//! | every half second | [`LogDirs::look_for_room`]; where a directory has room again, make the logs that found none | |
//! | the cleaner's threads | [`LogDirs::dirtiest`], [`cleaner::Cleaner::clean`], [`LogDirs::checkpoint_cleaned`] | [`LogDirs::retain_compacted`]; rest when nothing was dirty |
//! | DescribeLogDirs | [`LogDirs::describe`], [`Log::size`], [`Log::directory_id`] | |
//! | DescribeProducers | [`Log::partition`], `.producers()` | |
//! | AlterReplicaLogDirs | [`LogDirs::begin_move`]; a thread: [`log_dirs::Move::step`], and at the end [`LogDirs::finish_move`] | tell the controller, wake the readers |
//! | a heartbeat | [`LogDirs::offline`] | |
//! | a clean end | [`LogDirs::close`] | |
//!
//! A [`Fault`] out of any of these is KAFKA_STORAGE_ERROR to a client. With `headwater.durability=fsync` the broker gives
//! every log a [`LogConfig`] with `flush_messages` of 1.
//!
//! Everything that touches files is generic over [`Disk`] and means [`RealDisk`] where nothing is said.

pub mod batch_memory;
pub mod checked_parts;
pub mod checkpoint;
pub mod clean_logs;
pub mod clean_shutdown;
pub mod cleaner;
pub mod descriptors;
pub mod directory_lock;
pub mod directory_state;
pub mod disk;
pub mod entry_file;
pub mod fault;
pub mod first_records;
pub mod flush_progress;
pub mod format;
pub mod group_commit;
pub mod known_batches;
pub mod listing;
pub mod log;
pub mod log_config;
pub mod log_directory;
pub mod log_dirs;
pub mod meta_properties;
pub mod metadata_log;
pub mod names;
pub mod offset_index;
pub mod older_segments;
pub mod pace;
pub mod partition_metadata;
mod patience;
pub mod processor_wait;
pub mod producer_snapshot;
pub mod quorum_state;
pub mod read_check;
pub mod recent_batches;
pub mod recovery;
pub mod removals;
pub mod reserve;
pub mod resume_point;
pub mod scan;
#[cfg(test)]
mod scripted_disk;
pub mod segment;
pub mod segments;
mod snapshot_offsets;
pub mod snapshots;
pub mod time_index;
pub mod transaction_index;
pub mod verify;
pub mod whole_file;
mod write_out;
mod written_lately;

pub use disk::{Disk, RealDisk};
pub use fault::Fault;
pub use log::Log;
pub use log_config::LogConfig;
pub use log_dirs::{LogDirs, LogDirsConfig, SharedLog};
pub use names::TopicPartition;
