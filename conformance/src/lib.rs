//! What the conformance runs and the benches share: brokers as processes.

pub mod broker_process;
