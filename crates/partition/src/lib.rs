//! One replica of one partition, as a pure machine: what may be appended and read, where the watermarks stand, which
//! producers and transactions are known, and what the log may forget.
//!
//! It never touches a file, a clock or a lock. Storage drives it, under the partition's lock, in two beats: a
//! `decide_...` looks and refuses and changes nothing, then the files are written, then the matching verb applies. A
//! write that fails leaves nothing to undo (KIP-98, KIP-101, KIP-279, KIP-320, KIP-360, KIP-890).
//!
//! # For those who drive it
//!
//! | when | call | then |
//! |---|---|---|
//! | a log is opened | [`Partition::restore`] with checkpoints and the newest producer snapshot | [`Partition::reload`] each batch behind the snapshot; write the aborted transactions it returns to the transaction index |
//! | a produce, or a coordinator's records | [`Partition::decide_append`] on the batch's own bytes | roll if [`segments::should_roll`]; write [`AppendPlan::bytes`]; write `plan.aborted` to the transaction index; [`Partition::appended`]; if `plan.starts_epoch`, checkpoint [`Partition::leader_epochs`] |
//! | the first batch of a transaction | [`Partition::begin_verification`], then ask the coordinator | append with the guard |
//! | a follower's fetch answer | [`Partition::decide_replicated`] | write the prefix it names; [`Partition::replay`] each batch of it; [`Partition::follow_high_watermark`] |
//! | a fetch | [`Partition::fetch_bounds`] | read from the offset to the bound it returns |
//! | a leader or its ISR changes | [`Partition::become_leader`], [`Partition::become_follower`], [`Partition::set_in_sync`] | checkpoint the leader epochs if told so |
//! | DeleteRecords | [`Partition::decide_delete_records`] | checkpoint; [`Partition::set_log_start`] |
//! | the retention timer | [`retention::plan`] over the segments | delete the files; [`Partition::set_log_start`] to the first base offset left |
//! | the cleaner | [`compaction::dirty::cleanable`], [`compaction::OffsetMap`], [`compaction::Pass`] | write the segments anew |
//! | truncation | cut the files | [`Partition::restore`] from the newest snapshot at or below the new end, reload, as when opened |
//! | a segment is rolled | [`Partition::producer_snapshot`] | write the entries as `<offset>.snapshot` |

pub mod append;
pub mod compaction;
pub mod delete_records;
pub mod fetch;
pub mod leader_epochs;
pub mod producers;
pub mod refusal;
mod replica;
pub mod retention;
pub mod rules;
pub mod segments;
#[cfg(test)]
mod testing;
pub mod transactions;
pub mod validate;
pub mod verifications;
pub mod watermarks;

pub use append::{
    Append, AppendDecision, AppendPlan, Duplicate, Origin, Replicated, Scratch, Verification, WriteFrom,
};
pub use refusal::{AppendRefusal, RecordRefusal, RecordRefusalReason};
pub use replica::{Partition, Restored};
pub use rules::{AppendRules, CompressedValidation, CompressionTarget, Millis};
