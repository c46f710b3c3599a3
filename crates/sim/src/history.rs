//! Histories: what clients tell of their sends and reads, and what is wrong with it.
//!
//! Pure: operations go in, anomalies come out. The names of the anomalies are those of Jepsen's workload for Kafka; beside
//! them stand some that it lacks: values that nobody sent, acknowledgements with an offset that does not hold, records that
//! come back after they were deleted. Values must be unique within a key; a key is one incarnation of one partition.

mod anomaly;
mod cycles;
mod index;
mod lines;
mod operation;
mod reads;
mod sends;

pub use anomaly::{Anomaly, Expect, check};
pub use lines::{read_lines, write_lines};
pub use operation::{Action, Key, Operation, Outcome, Process, Value};

#[cfg(test)]
mod tests;
