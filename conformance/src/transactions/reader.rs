//! Readers of committed data: one that reads along while the broker dies and comes back, and those that read everything at
//! the end.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use conformance::connection::{Answer, Connection};
use protocol::api_key::ApiKey;
use protocol::messages::fetch::{FetchPartition, FetchTopic, PartitionData};
use protocol::messages::{FetchRequest, FetchResponse, Message};
use protocol::records::batches::Batches;
use protocol::records::record::Records;
use serde_json::json;
use sim::history::{Action, Outcome, Process};

use super::Progress;
use crate::kill::story::{Partition, Story, value};

const VERSION: i16 = 11;
const COMMITTED: i8 = 1;
const PAUSE: Duration = Duration::from_millis(5);
const WITHIN: Duration = Duration::from_secs(30);

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
            if poll(&mut open, (story, process), partition, next).is_ok() {
                connection = Some(open);
            }
        }
    }
    Ok(())
}

/// Reads a partition whole, once nothing of it is held back any longer, and tells of it.
pub fn read_to_the_end(address: SocketAddr, story: &Story, partition: &Partition) -> Result<()> {
    let end = Instant::now() + WITHIN;
    let name = || format!("{}-{}", partition.topic, partition.index);
    let process = story.process();
    let (mut next, mut connection) = (0, Connection::open(address)?);
    loop {
        let read = poll(&mut connection, (story, process), partition, &mut next);
        let log_end = log_end(&mut connection, partition);
        if let (Ok(()), Ok(log_end)) = (&read, &log_end)
            && next >= *log_end
        {
            return Ok(());
        }
        ensure!(Instant::now() < end, "{} is held back at {next} of {log_end:?}: {read:?}", name());
        std::thread::sleep(PAUSE);
    }
}

/// Where a partition ends for those who read everything.
fn log_end(connection: &mut Connection, partition: &Partition) -> Result<i64> {
    let wanted = json!({"PartitionIndex": partition.index, "Timestamp": -1});
    let request = json!({"ReplicaId": -1, "IsolationLevel": 0,
        "Topics": [{"Name": partition.topic, "Partitions": [wanted]}]});
    let answer = connection.ask(ApiKey::ListOffsets, 5, &request)?;
    let Answer::Response(answer) = answer else { anyhow::bail!("ListOffsets was answered with {answer:?}") };
    let answer = &answer["Topics"][0]["Partitions"][0];
    ensure!(answer["ErrorCode"] == 0, "ListOffsets gives {answer}");
    answer["Offset"].as_i64().context("an offset")
}

/// Reads once from `next` on and tells of it.
fn poll(
    connection: &mut Connection,
    (story, process): (&Story, Process),
    partition: &Partition,
    next: &mut i64,
) -> Result<()> {
    let began = story.now();
    let wanted = FetchPartition {
        partition: partition.index,
        fetch_offset: *next,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: partition.topic.as_str().into(),
        partitions: vec![wanted].into(),
        ..FetchTopic::default()
    };
    let request = FetchRequest {
        max_bytes: 1 << 24,
        isolation_level: COMMITTED,
        topics: vec![topic].into(),
        ..FetchRequest::default()
    };
    let mut body = Vec::new();
    request.encode(VERSION, &mut body)?;
    connection.send(ApiKey::Fetch, VERSION, &body)?;
    let frame = connection.receive()?.context("the broker closed the connection")?;
    let response = FetchResponse::decode(&frame[4..], VERSION)?;
    let topic = response.responses.iter().next().context("no topic in the answer")?;
    let answer = topic.partitions.iter().next().context("no partition in the answer")?;
    ensure!(answer.error_code == 0, "a fetch gives {}", answer.error_code);
    let reads = committed(partition, &answer, next)?;
    if !reads.is_empty() {
        story.tell(process, began, Outcome::Ok, reads);
    }
    Ok(())
}

/// The records that count, as a consumer tells them from those that were aborted.
fn committed(partition: &Partition, answer: &PartitionData<'_>, next: &mut i64) -> Result<Vec<Action>> {
    let aborted = answer.aborted_transactions.iter().flatten();
    let mut aborted: Vec<_> = aborted.map(|one| (one.first_offset, one.producer_id)).collect();
    let (mut skipped, mut reads) = (BTreeSet::new(), Vec::new());
    let mut batches = Batches::new(answer.records.as_deref().unwrap_or_default());
    while let Ok(Some(batch)) = batches.next_batch() {
        batch.verify_crc()?;
        let header = &batch.header;
        let begins = |(first, _): &(i64, i64)| *first <= header.last_offset().0;
        skipped.extend(aborted.iter().filter(|one| begins(one)).map(|(_, producer)| *producer));
        aborted.retain(|one| !begins(one));
        let transactional = header.attributes.is_transactional();
        if header.attributes.is_control() {
            skipped.remove(&header.producer_id.0);
        } else if !(transactional && skipped.contains(&header.producer_id.0)) {
            ensure!(transactional, "a record at {} that is part of no transaction", header.base_offset);
            for record in Records::new(batch.payload(), header.count) {
                let record = record?;
                let offset = header.base_offset.0 + i64::from(record.offset_delta);
                if offset >= *next {
                    reads.push(Action::Read { key: partition.key, value: value(record.value)?, offset });
                }
            }
        }
        *next = header.next_offset().0;
    }
    Ok(reads)
}
