//! Deletes the front of partitions by DeleteRecords. What was deleted stays deleted, whatever happens to the broker.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use conformance::connection::{Answer, Connection, Gone};
use conformance::partition_client::log_end;
use protocol::api_key::ApiKey;
use serde_json::json;
use sim::history::{Action, Outcome, Process};

use super::story::{Partition, Story};
use crate::players::Progress;

/// Between two deletions.
const PACE: Duration = Duration::from_millis(100);

/// Deletes what lies before three quarters of a partition, of one after the other, until it is over.
pub fn run(address: SocketAddr, story: &Story, progress: &Progress, partitions: &[Partition]) -> Result<()> {
    let process = story.process();
    for partition in partitions.iter().cycle() {
        if progress.is_over() {
            break;
        }
        std::thread::sleep(PACE);
        // Without a broker there is nothing to delete.
        let Ok(mut connection) = Connection::open(address) else { continue };
        let end = match log_end(&mut connection, (&partition.topic, partition.index)) {
            Err(error) if Gone::is(&error) => continue,
            end => end?,
        };
        // One that has just started may not lead yet.
        if let Ok(end) = end
            && end > 0
        {
            delete(&mut connection, story, process, (partition, end * 3 / 4));
        }
    }
    Ok(())
}

fn delete(
    connection: &mut Connection,
    story: &Story,
    process: Process,
    (partition, before): (&Partition, i64),
) {
    let wanted = json!({"PartitionIndex": partition.index, "Offset": before});
    let request = json!({"Topics": [{"Name": partition.topic, "Partitions": [wanted]}], "TimeoutMs": 10_000});
    let began = story.now();
    let outcome = match connection.ask(ApiKey::DeleteRecords, 1, &request) {
        Ok(Answer::Response(answer)) if answer["Topics"][0]["Partitions"][0]["ErrorCode"] == 0 => Outcome::Ok,
        _ => Outcome::Info,
    };
    story.tell(process, began, outcome, vec![Action::Delete { key: partition.key, before }]);
}
