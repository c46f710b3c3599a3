//! An idempotent producer that survives its broker: what is not acknowledged it sends once more, with the same sequences.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use conformance::connection::Connection;
use conformance::patience::{self, PATIENCE, asks_again};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::id::{ProducerEpoch, ProducerId, Sequence};
use protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use protocol::messages::{Message, ProduceRequest, ProduceResponse};
use protocol::records::build::BatchOptions;
use serde_json::json;
use sim::history::{Outcome, Process};

use super::story::{Partition, Story, batch, sends};
use crate::players::Progress;

const VERSION: i16 = 9;
const IN_FLIGHT: usize = 5;
const RECORDS_A_BATCH: u64 = 5;

/// One batch under way.
#[derive(Clone, Copy, Debug)]
struct Batch {
    /// Its place among the partitions.
    partition: usize,
    sequence: i32,
    first_value: u64,
    began: u64,
    correlation: i32,
}

struct Writer<'s> {
    address: SocketAddr,
    story: &'s Story,
    process: Process,
    partitions: Vec<Partition>,
    next_sequences: Vec<i32>,
    connection: Connection,
    producer: (ProducerId, ProducerEpoch),
    under_way: VecDeque<Batch>,
}

/// Writes to the partitions until it is over and everything sent is acknowledged.
pub fn run(
    address: SocketAddr,
    story: &Story,
    progress: &Progress,
    (number, partitions): (usize, Vec<Partition>),
) -> Result<()> {
    let producer = producer_id(address)?;
    let connection = Connection::open(address)?;
    let next_sequences = vec![0; partitions.len()];
    let (process, under_way) = (story.process(), VecDeque::new());
    let mut writer =
        Writer { address, story, process, partitions, next_sequences, connection, producer, under_way };
    let mut partition = 0;
    loop {
        let over = progress.is_over();
        if over && writer.under_way.is_empty() {
            return Ok(());
        }
        let goes_on = if !over && writer.under_way.len() < IN_FLIGHT {
            partition = (partition + 1) % writer.partitions.len();
            writer.send_next(partition)?;
            true
        } else {
            let acknowledged = writer.receive()?;
            progress.add(number, usize::from(acknowledged));
            acknowledged
        };
        if !goes_on {
            writer.reconnect()?;
        }
    }
}

fn producer_id(address: SocketAddr) -> Result<(ProducerId, ProducerEpoch)> {
    let request = json!({"TransactionalId": null, "TransactionTimeoutMs": 60_000});
    let answer = patience::insist(address, ApiKey::InitProducerId, 4, &request)?;
    let id = answer["ProducerId"].as_i64().context("a producer id")?;
    let epoch = answer["ProducerEpoch"].as_i64().context("a producer epoch")?;
    Ok((ProducerId(id), ProducerEpoch(i16::try_from(epoch)?)))
}

impl Writer<'_> {
    fn send_next(&mut self, partition: usize) -> Result<()> {
        let sequence = self.next_sequences[partition];
        self.next_sequences[partition] += i32::try_from(RECORDS_A_BATCH)?;
        let first_value = self.story.values(RECORDS_A_BATCH);
        let began = self.story.now();
        self.under_way.push_back(Batch { partition, sequence, first_value, began, correlation: 0 });
        self.send(self.under_way.len() - 1)
    }

    fn send(&mut self, index: usize) -> Result<()> {
        let Batch { partition, sequence, first_value, .. } = self.under_way[index];
        let (id, epoch) = self.producer;
        let options = BatchOptions { producer: (id, epoch, Sequence(sequence)), ..BatchOptions::default() };
        let records = batch((first_value, RECORDS_A_BATCH), options)?;
        let Partition { topic, index: number, .. } = &self.partitions[partition];
        let data = PartitionProduceData { index: *number, records: Some(records.into()) };
        let topic = TopicProduceData {
            name: topic.as_str().into(),
            partition_data: vec![data].into(),
            ..Default::default()
        };
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 10_000,
            topic_data: vec![topic].into(),
            ..ProduceRequest::default()
        };
        let mut body = Vec::new();
        request.encode(VERSION, &mut body)?;
        self.under_way[index].correlation = self.connection.send(ApiKey::Produce, VERSION, &body)?;
        Ok(())
    }

    /// Takes one answer; `false` if the broker has gone or asks to try again.
    fn receive(&mut self) -> Result<bool> {
        let Some(frame) = self.connection.receive()? else { return Ok(false) };
        let batch = *self.under_way.front().context("an answer to nothing")?;
        ensure!(frame[..4] == batch.correlation.to_be_bytes(), "an answer out of order");
        let response = ProduceResponse::decode(&frame[5..], VERSION)?;
        let topic = response.responses.iter().next().context("no topic in the answer")?;
        let answer = topic.partition_responses.iter().next().context("no partition in the answer")?;
        let partition = &self.partitions[batch.partition];
        let offset = match ErrorCode::from_i16(answer.error_code).unwrap_or(ErrorCode::UnknownServerError) {
            ErrorCode::None => Some(answer.base_offset),
            // Stored by an earlier try, so long ago that the broker has forgotten where.
            ErrorCode::DuplicateSequenceNumber => None,
            code if asks_again(i16::from(code)) => return Ok(false),
            code => bail!("{}-{} was refused with {}", partition.topic, partition.index, code.name()),
        };
        self.under_way.pop_front();
        let actions = sends(partition.key, (batch.first_value, RECORDS_A_BATCH), offset);
        self.story.tell(self.process, batch.began, Outcome::Ok, actions);
        Ok(true)
    }

    /// Connects again and sends everything that is under way once more.
    fn reconnect(&mut self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            std::thread::sleep(Duration::from_millis(20));
            match Connection::open(self.address) {
                Ok(connection) => break self.connection = connection,
                Err(error) if Instant::now() > end => return Err(error.context("the broker stays away")),
                Err(_) => {}
            }
        }
        (0..self.under_way.len()).try_for_each(|index| self.send(index))
    }
}
