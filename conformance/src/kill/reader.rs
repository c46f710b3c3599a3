//! Readers: one that reads along while the broker dies and comes back, and those that read everything at the end.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use conformance::connection::{Answer, Connection};
use conformance::partition_client::{Read, read_some};
use conformance::patience::PATIENCE;
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use serde_json::json;
use sim::history::{Action, Outcome, Process};

use super::Progress;
use super::story::{Partition, Story, value};

/// Where there is nothing new.
const PAUSE: Duration = Duration::from_millis(10);

/// Reads partitions along, each from where it was, until it is over.
pub fn follow(
    address: SocketAddr,
    story: &Story,
    progress: &Progress,
    partitions: &[Partition],
) -> Result<()> {
    let process = story.process();
    let mut next = vec![0; partitions.len()];
    let mut connection = None;
    while !progress.is_over() {
        std::thread::sleep(PAUSE);
        for (partition, next) in partitions.iter().zip(&mut next) {
            let Some(mut open) = connection.take().or_else(|| Connection::open(address).ok()) else {
                continue;
            };
            // A broker that goes away in the middle is one that is asked again.
            if let Ok(code) = poll(&mut open, (story, process), partition, next) {
                seek(&mut open, (story, process), (partition, code), next);
                connection = Some(open);
            }
        }
    }
    Ok(())
}

/// Reads once from `next` on and tells of it; the broker's code.
fn poll(
    connection: &mut Connection,
    (story, process): (&Story, Process),
    partition: &Partition,
    next: &mut i64,
) -> Result<ErrorCode> {
    let (began, mut records) = (story.now(), Vec::new());
    let place = (partition.topic.as_str(), partition.index);
    let code = read_some(connection, place, next, &mut records)?;
    if !records.is_empty() {
        story.tell(process, began, Outcome::Ok, reads(partition, &records)?);
    }
    Ok(code)
}

/// Goes on at the log start where what was wanted is deleted.
fn seek(
    connection: &mut Connection,
    (story, process): (&Story, Process),
    (partition, code): (&Partition, ErrorCode),
    next: &mut i64,
) {
    if code != ErrorCode::OffsetOutOfRange {
        return;
    }
    if let Ok(start) = log_start(connection, partition) {
        // Only forward: a reader that finds itself behind the end must not quietly begin again.
        if start > *next {
            *next = start;
            let seek = vec![Action::Seek { key: partition.key }];
            story.tell(process, story.now(), Outcome::Ok, seek);
        }
    }
}

/// Reads a partition from its start to its end and tells of it.
pub fn read_to_the_end(address: SocketAddr, story: &Story, partition: &Partition) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        match read_whole(address, story, partition) {
            Ok(()) => return Ok(()),
            Err(error) => ensure!(Instant::now() < end, "{}-{}: {error:#}", partition.topic, partition.index),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn read_whole(address: SocketAddr, story: &Story, partition: &Partition) -> Result<()> {
    let mut connection = Connection::open(address)?;
    let (process, began) = (story.process(), story.now());
    let mut next = log_start(&mut connection, partition)?;
    let place = (partition.topic.as_str(), partition.index);
    let mut records = Vec::new();
    loop {
        let before = next;
        let code = read_some(&mut connection, place, &mut next, &mut records)?;
        ensure!(code == ErrorCode::None, "reading from offset {before} gives {}", code.name());
        if next == before {
            break;
        }
    }
    let high_watermark = ask_offset(&mut connection, partition, -1)?;
    ensure!(next >= high_watermark, "nothing at {next}, below the high watermark {high_watermark}");
    story.tell(process, began, Outcome::Ok, reads(partition, &records)?);
    Ok(())
}

fn reads(partition: &Partition, records: &[Read]) -> Result<Vec<Action>> {
    let read = |record: &Read| {
        let value = value(record.value.as_deref())?;
        Ok(Action::Read { key: partition.key, value, offset: record.offset })
    };
    records.iter().map(read).collect()
}

fn log_start(connection: &mut Connection, partition: &Partition) -> Result<i64> {
    ask_offset(connection, partition, -2)
}

fn ask_offset(connection: &mut Connection, partition: &Partition, timestamp: i64) -> Result<i64> {
    let wanted = json!({"PartitionIndex": partition.index, "Timestamp": timestamp});
    let request = json!({"ReplicaId": -1, "Topics": [{"Name": partition.topic, "Partitions": [wanted]}]});
    let Answer::Response(answer) = connection.ask(ApiKey::ListOffsets, 5, &request)? else {
        anyhow::bail!("the broker closed the connection")
    };
    let answer = &answer["Topics"][0]["Partitions"][0];
    ensure!(answer["ErrorCode"] == 0, "ListOffsets is answered with {answer}");
    answer["Offset"].as_i64().context("an offset")
}
