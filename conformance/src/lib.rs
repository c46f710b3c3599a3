//! What the conformance runs and the benches share: brokers as processes, and a client that speaks by schema.

pub mod broker_process;
pub mod by_schema;
pub mod connection;
pub mod partition_client;
pub mod patience;
pub mod transactional_producer;
