//! Records as Kafka stores and sends them: batches of format v2, the message sets of formats v0 and v1 that came
//! before them, the codecs that compress them, and the control records among them.
//!
//! A batch is never turned into objects here: headers are read and patched in place, records are walked as
//! slices of the bytes they arrived in, and a compressed batch is walked step by step out of one reused buffer.
//! Nothing in this folder decides whether a record is welcome; `partition` does (KIP-32, KIP-98, KIP-101).

pub mod batch;
pub mod batches;
pub mod build;
pub mod checksum;
pub mod compression;
pub mod control;
pub mod legacy;
pub mod rebuild;
pub mod record;
mod varint;
pub mod walk;

#[cfg(test)]
mod tests;
