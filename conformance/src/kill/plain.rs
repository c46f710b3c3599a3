//! A producer without an id: what was under way when the broker died it gives up, and never knows.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use conformance::connection::Connection;
use conformance::partition_client::produce;
use protocol::error_code::ErrorCode;
use protocol::records::build::BatchOptions;
use sim::history::Outcome;

use super::story::{Partition, Story, batch, sends};
use crate::players::Progress;

const RECORDS_A_BATCH: u64 = 3;
/// It must not drown the others.
const PACE: Duration = Duration::from_millis(3);

/// Writes to one partition after the other until it is over.
pub fn run(address: SocketAddr, story: &Story, progress: &Progress, partitions: &[Partition]) -> Result<()> {
    let process = story.process();
    let mut connection = None;
    for partition in partitions.iter().cycle() {
        if progress.is_over() {
            break;
        }
        std::thread::sleep(PACE);
        let Some(open) = connection.take().or_else(|| Connection::open(address).ok()) else { continue };
        connection = send(open, story, process, partition)?;
    }
    Ok(())
}

/// Writes so many batches to one partition after the other, whatever becomes of them.
pub fn write(address: SocketAddr, story: &Story, partitions: &[Partition], batches: usize) -> Result<()> {
    let process = story.process();
    let mut connection = None;
    for partition in partitions.iter().cycle().take(batches) {
        std::thread::sleep(PACE);
        let Some(open) = connection.take().or_else(|| Connection::open(address).ok()) else { continue };
        connection = send(open, story, process, partition)?;
    }
    Ok(())
}

fn send(
    mut connection: Connection,
    story: &Story,
    process: sim::history::Process,
    partition: &Partition,
) -> Result<Option<Connection>> {
    let values = (story.values(RECORDS_A_BATCH), RECORDS_A_BATCH);
    let (bytes, began) = (batch(values, BatchOptions::default())?, story.now());
    let produced = produce(&mut connection, (&partition.topic, partition.index), &bytes);
    let (outcome, offset) = match &produced {
        Ok(produced) if produced.error == ErrorCode::None => (Outcome::Ok, Some(produced.base_offset)),
        // Whatever it was: it may have been written.
        _ => (Outcome::Info, None),
    };
    story.tell(process, began, outcome, sends(partition.key, values, offset));
    Ok(produced.is_ok().then_some(connection))
}
