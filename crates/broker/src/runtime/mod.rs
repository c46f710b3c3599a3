//! What runs between the handlers and the pure machines.

pub mod apply;
pub mod cold_reads;
pub mod connection_bounds;
pub mod conversions;
pub mod coordinators;
pub mod delayed;
pub mod directory_reports;
pub mod directory_turns;
pub mod fetch_sessions;
pub mod housekeeping;
pub mod log_cleaners;
pub mod missing_replicas;
pub mod partitions;
pub mod producer_ids;
pub mod quorum;
pub mod replica_moves;
pub mod request_memory;
pub mod resting;
pub mod short_slices;
pub mod slow_lanes;
pub mod stall_watch;
pub mod streams_topics;
pub mod synced_answers;
pub mod topic_creation;
pub mod unreadable_files;
pub mod watched_work;
