//! Deletes the front of partitions by DeleteRecords. What was deleted stays deleted, whatever happens to the broker.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use conformance::connection::{Answer, Connection};
use protocol::api_key::ApiKey;
use serde_json::json;
use sim::history::{Action, Outcome, Process};

use super::Progress;
use super::story::{Partition, Story};

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
        let Ok(end) = end_of(&mut connection, partition) else { continue };
        if end > 0 {
            delete(&mut connection, story, process, (partition, end * 3 / 4));
        }
    }
    Ok(())
}

fn end_of(connection: &mut Connection, partition: &Partition) -> Result<i64> {
    let wanted = json!({"PartitionIndex": partition.index, "Timestamp": -1});
    let request = json!({"ReplicaId": -1, "Topics": [{"Name": partition.topic, "Partitions": [wanted]}]});
    let Answer::Response(answer) = connection.ask(ApiKey::ListOffsets, 5, &request)? else {
        anyhow::bail!("the broker closed the connection")
    };
    answer["Topics"][0]["Partitions"][0]["Offset"].as_i64().context("an offset")
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
