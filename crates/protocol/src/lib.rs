//! Bytes to words and back: every message of every version, record batches, error codes.
//!
//! This crate knows what Kafka's bytes mean and nothing else. It never opens a socket or a file, never reads a
//! clock, never logs, and never allocates from a length it has only read.

// The derives name this crate from inside it, too.
extern crate self as protocol;

pub mod api_key;
pub mod error_code;
pub mod id;
pub mod messages;
pub mod offset;
pub mod records;
pub mod wire;

pub use api_key::ApiKey;
pub use error_code::ErrorCode;
