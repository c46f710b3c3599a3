//! The coordinators of groups and transactions: pure shards, one for each partition of an internal topic.
//!
//! Invariant: [`Shard::replay`] is the only way durable state changes, live as at load. Invariant: deciding changes
//! nothing. Invariant: no clock, no randomness, no file and no socket: time, ids and the metadata image come as
//! arguments. Driven by the broker's coordinator runtime: decide -> append -> replay -> transit -> answer once
//! committed.

pub mod group;
pub mod partitioning;
pub mod record;
pub mod shard;
pub mod transaction;

pub use shard::{Decision, Ground, RandomIds, Shard, Token, Written};
