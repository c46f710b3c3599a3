//! What the two protocols have in common in which the coordinator assigns: that of consumers (KIP-848) and that of Kafka
//! Streams (KIP-1071). Kafka calls the groups of both modern.
//!
//! Nothing here knows what is assigned, and nothing writes a record: the rooms `consumer/` and `streams/` do, which alone
//! drive what is here.

mod epoch;

pub use epoch::Epoch;
