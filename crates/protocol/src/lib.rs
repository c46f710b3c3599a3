//! Bytes to words and back: every message of every version, record batches, error codes.
//!
//! This crate knows what Kafka's bytes mean and nothing else. It never opens a socket or a file, never reads a
//! clock, never logs, and never allocates from a length it has only read.

pub mod id;
pub mod offset;
pub mod records;
