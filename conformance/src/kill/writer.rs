//! An idempotent producer that survives its broker.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use conformance::connection::{Answer, Connection};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::id::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use protocol::messages::{Message, ProduceRequest, ProduceResponse};
use protocol::records::build::{BatchBuilder, BatchOptions};
use serde_json::json;

use super::PARTITIONS;

const VERSION: i16 = 9;
const IN_FLIGHT: usize = 5;
const RECORDS_A_BATCH: u32 = 10;
const BACK_WITHIN: Duration = Duration::from_secs(60);

/// What a writer knows at its end.
#[derive(Debug, Default)]
pub struct Written {
    /// Of each partition, the base offset and the first number of every acknowledged batch. A batch acknowledged as a
    /// duplicate that the broker no longer remembers has no offset.
    pub acknowledged: Vec<(i32, Option<i64>, u32)>,
    /// Of each partition, how many numbers were sent, acknowledged or not.
    pub sent: Vec<u32>,
}

/// One batch under way: its records are numbered from `first`, its sequence is the same number.
#[derive(Clone, Copy, Debug)]
struct Batch {
    partition: i32,
    first: u32,
    correlation: i32,
}

/// The producer of one topic.
pub struct Writer {
    address: SocketAddr,
    topic: &'static str,
    connection: Connection,
    producer: (ProducerId, ProducerEpoch),
    under_way: VecDeque<Batch>,
    written: Written,
}

impl Writer {
    /// Connects and takes a producer id.
    pub fn new(address: SocketAddr, topic: &'static str) -> Result<Self> {
        let mut connection = Connection::open(address)?;
        let end = Instant::now() + BACK_WITHIN;
        let producer = loop {
            let request = json!({"TransactionalId": null, "TransactionTimeoutMs": 60_000});
            let answer = connection.ask(ApiKey::InitProducerId, 4, &request)?;
            if let Answer::Response(answer) = &answer
                && answer["ErrorCode"] == 0
            {
                let id = answer["ProducerId"].as_i64().context("a producer id")?;
                let epoch = answer["ProducerEpoch"].as_i64().context("a producer epoch")?;
                break (ProducerId(id), ProducerEpoch(i16::try_from(epoch)?));
            }
            ensure!(Instant::now() < end, "no producer id: {answer:?}");
            std::thread::sleep(Duration::from_millis(20));
        };
        let sent = vec![0; usize::try_from(PARTITIONS)?];
        let written = Written { acknowledged: Vec::new(), sent };
        Ok(Self { address, topic, connection, producer, under_way: VecDeque::new(), written })
    }

    /// Writes until it is told to stop and everything sent is acknowledged.
    pub fn run(mut self, stop: &AtomicBool, done: &dyn Fn(usize)) -> Result<Written> {
        let mut partition = 0;
        loop {
            let stopping = stop.load(Ordering::Relaxed);
            let before = self.written.acknowledged.len();
            if stopping && self.under_way.is_empty() {
                return Ok(self.written);
            }
            let step = if !stopping && self.under_way.len() < IN_FLIGHT {
                partition = (partition + 1) % PARTITIONS;
                self.send_next(partition)
            } else {
                self.receive()
            };
            if !step? {
                self.reconnect()?;
            }
            done(self.written.acknowledged.len() - before);
        }
    }

    fn send_next(&mut self, partition: i32) -> Result<bool> {
        let first = self.written.sent[usize::try_from(partition)?];
        self.written.sent[usize::try_from(partition)?] = first + RECORDS_A_BATCH;
        self.under_way.push_back(Batch { partition, first, correlation: 0 });
        self.send(self.under_way.len() - 1)?;
        Ok(true)
    }

    fn send(&mut self, index: usize) -> Result<()> {
        let batch = self.under_way[index];
        let (id, epoch) = self.producer;
        let sequence = Sequence(i32::try_from(batch.first)?);
        let mut builder =
            BatchBuilder::new(BatchOptions { producer: (id, epoch, sequence), ..BatchOptions::default() });
        // A producer whose last record is a day old is forgotten when its state is loaded.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
        let now = Timestamp(i64::try_from(now)?);
        for number in batch.first..batch.first + RECORDS_A_BATCH {
            let value = format!("{number:0>100}");
            builder.push(now, None, Some(value.as_bytes()), &[]);
        }
        let records = builder.finish_uncompressed();
        let data = PartitionProduceData { index: batch.partition, records: Some(records.into()) };
        let topic = TopicProduceData {
            name: self.topic.into(),
            partition_data: vec![data].into(),
            ..Default::default()
        };
        let request = ProduceRequest {
            acks: 1,
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
        let partition = topic.partition_responses.iter().next().context("no partition in the answer")?;
        let offset = match ErrorCode::from_i16(partition.error_code).unwrap_or(ErrorCode::UnknownServerError)
        {
            ErrorCode::None => Some(partition.base_offset),
            // Stored by an earlier try, so long ago that the broker has forgotten where.
            ErrorCode::DuplicateSequenceNumber => None,
            code if code.is_retriable() => return Ok(false),
            code => bail!("{}-{} was refused with {}", self.topic, batch.partition, code.name()),
        };
        self.under_way.pop_front();
        self.written.acknowledged.push((batch.partition, offset, batch.first));
        Ok(true)
    }

    /// Connects again and sends everything that is under way once more.
    fn reconnect(&mut self) -> Result<()> {
        let end = Instant::now() + BACK_WITHIN;
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
