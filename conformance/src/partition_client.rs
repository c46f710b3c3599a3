//! Writes to one partition and reads it whole, over one connection at a time: the little that examinations of data need.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::id::Timestamp;
use protocol::messages::fetch::{FetchPartition, FetchTopic};
use protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use protocol::messages::{FetchRequest, FetchResponse, Message, ProduceRequest, ProduceResponse};
use protocol::records::batch::{BatchError, TimestampType};
use protocol::records::batches::{Batch, Batches};
use protocol::records::compression::{Codec, Decompressors};
use protocol::records::control::ControlRecord;
use protocol::records::record::{Header, Records};

use serde_json::json;

use crate::connection::{Answer, Connection, Gone};
use crate::patience::{PATIENCE, asks_again};

/// What of a partition a reader is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub enum Isolation {
    /// Everything below the high watermark.
    Uncommitted = 0,
    /// What lies below the last stable offset, without the records of aborted transactions.
    Committed = 1,
}

const PRODUCE: i16 = 9;
const FETCH: i16 = 12;

/// What a broker says to a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Produced {
    /// Its code.
    pub error: ErrorCode,
    /// Where the batch begins.
    pub base_offset: i64,
    /// What it says to people.
    pub message: Option<String>,
}

/// A record as a reader gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The codec of its batch.
    pub codec: &'static str,
    /// Whether it is part of a transaction.
    pub transactional: bool,
}

/// What a reader gets of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Where the log begins.
    pub log_start: i64,
    /// Where what this reader is shown ends: the high watermark, or the last stable offset.
    pub end: i64,
    /// The high watermark.
    pub high_watermark: i64,
    /// The records.
    pub records: Vec<Read>,
}

/// Sends one batch with acks=all.
pub fn produce(
    connection: &mut Connection,
    (topic, partition): (&str, i32),
    batch: &[u8],
) -> Result<Produced> {
    let data = PartitionProduceData { index: partition, records: Some(batch.into()) };
    let topic =
        TopicProduceData { name: topic.into(), partition_data: vec![data].into(), ..Default::default() };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 10_000,
        topic_data: vec![topic].into(),
        ..ProduceRequest::default()
    };
    let mut body = Vec::new();
    request.encode(PRODUCE, &mut body)?;
    connection.send(ApiKey::Produce, PRODUCE, &body)?;
    let frame = connection.receive()?.context(Gone)?;
    let response = ProduceResponse::decode(&frame[5..], PRODUCE)?;
    let topic = response.responses.iter().next().context("no topic in the answer")?;
    let partition = topic.partition_responses.iter().next().context("no partition in the answer")?;
    Ok(Produced {
        error: code(partition.error_code),
        base_offset: partition.base_offset,
        message: partition.error_message.map(std::borrow::Cow::into_owned),
    })
}

/// Sends one batch, again while the broker is only beginning, for at most a while; where it lies.
pub fn produce_until_done(
    address: SocketAddr,
    place: (&str, i32),
    batch: &[u8],
    at_most: Duration,
) -> Result<i64> {
    produce_while(address, place, batch, (at_most, |code| asks_again(i16::from(code))))
}

/// Sends one batch, again while it is refused with what is waited out, for at most a while; where it lies.
pub fn produce_while(
    address: SocketAddr,
    place: (&str, i32),
    batch: &[u8],
    (at_most, waited_out): (Duration, fn(ErrorCode) -> bool),
) -> Result<i64> {
    let begun = Instant::now();
    loop {
        let produced = produce(&mut Connection::open(address)?, place, batch)?;
        if produced.error == ErrorCode::None {
            return Ok(produced.base_offset);
        }
        let again = waited_out(produced.error) && begun.elapsed() < at_most;
        ensure!(
            again,
            "a batch for {}-{} is refused after {} ms: {produced:?}",
            place.0,
            place.1,
            begun.elapsed().as_millis()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Reads a partition from its start to its end, as one who sees everything.
pub fn read_all(address: SocketAddr, place: (&str, i32)) -> Result<Contents> {
    read(address, place, Isolation::Uncommitted)
}

/// Reads a partition from its start to where what this reader is shown ends.
pub fn read(address: SocketAddr, place: (&str, i32), isolation: Isolation) -> Result<Contents> {
    let mut connection = Connection::open(address)?;
    let (name, end) = (format!("{}-{}", place.0, place.1), Instant::now() + PATIENCE);
    let (mut next, mut records) = (0, Vec::new());
    loop {
        let before = next;
        let fetched = fetch_some(&mut connection, place, (&mut next, isolation), &mut records)?;
        match fetched.said {
            ErrorCode::None if next == before => {
                let Fetched { log_start, end, high_watermark, .. } = fetched;
                ensure!(next >= end, "nothing at {next} of {name}, below {end}");
                return Ok(Contents { log_start, end, high_watermark, records });
            }
            ErrorCode::None => {}
            ErrorCode::OffsetOutOfRange if next == 0 => match log_start(&mut connection, place)? {
                Ok(start) => {
                    ensure!(start > 0, "{name} begins at {start} and does not");
                    next = start;
                }
                Err(code) => again(code, end, &format!("where {name} begins"))?,
            },
            code => again(code, end, &format!("reading {name} from offset {next}"))?,
        }
    }
}

/// What a broker says to one fetch, next to the records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fetched {
    /// Its code. Without an error:
    pub said: ErrorCode,
    /// where the log begins,
    pub log_start: i64,
    /// where what this reader is shown ends,
    pub end: i64,
    /// and the high watermark.
    pub high_watermark: i64,
}

/// Reads once, what a broker gives from `next` on, and moves that on.
pub fn fetch_some(
    connection: &mut Connection,
    place: (&str, i32),
    (next, isolation): (&mut i64, Isolation),
    records: &mut Vec<Read>,
) -> Result<Fetched> {
    let frame = fetch(connection, place, *next, isolation)?;
    let response = FetchResponse::decode(&frame[5..], FETCH)?;
    let answer = response.responses.iter().next().context("no topic in the answer")?;
    let answer = answer.partitions.iter().next().context("no partition in the answer")?;
    let end = match isolation {
        Isolation::Uncommitted => answer.high_watermark,
        Isolation::Committed => answer.last_stable_offset,
    };
    let fetched = Fetched {
        said: code(answer.error_code),
        log_start: answer.log_start_offset,
        end,
        high_watermark: answer.high_watermark,
    };
    if fetched.said == ErrorCode::None {
        let told = answer.aborted_transactions.iter().flat_map(|told| told.iter());
        let aborted = Aborted::told(told.map(|told| (told.first_offset, told.producer_id)));
        take(&answer.records.unwrap_or_default(), next, records, aborted)?;
    }
    Ok(fetched)
}

/// The same as one who sees everything; what the broker says.
pub fn read_some(
    connection: &mut Connection,
    place: (&str, i32),
    next: &mut i64,
    records: &mut Vec<Read>,
) -> Result<ErrorCode> {
    Ok(fetch_some(connection, place, (next, Isolation::Uncommitted), records)?.said)
}

/// Waits a moment before what gave an error is asked again: a broker that has just started may not lead yet.
fn again(code: ErrorCode, end: Instant, what: &str) -> Result<()> {
    ensure!(asks_again(i16::from(code)) && Instant::now() < end, "{what} gives {}", code.name());
    std::thread::sleep(Duration::from_millis(50));
    Ok(())
}

/// Where a log begins, or why the broker does not say.
pub fn log_start(connection: &mut Connection, place: (&str, i32)) -> Result<Result<i64, ErrorCode>> {
    offset_of(connection, place, -2)
}

/// The high watermark, or why the broker does not say.
pub fn log_end(connection: &mut Connection, place: (&str, i32)) -> Result<Result<i64, ErrorCode>> {
    offset_of(connection, place, -1)
}

fn offset_of(
    connection: &mut Connection,
    (topic, partition): (&str, i32),
    timestamp: i64,
) -> Result<Result<i64, ErrorCode>> {
    let wanted = json!({"PartitionIndex": partition, "Timestamp": timestamp});
    let request = json!({"ReplicaId": -1, "Topics": [{"Name": topic, "Partitions": [wanted]}]});
    match connection.ask(ApiKey::ListOffsets, 5, &request)? {
        Answer::Closed => Err(Gone.into()),
        Answer::Response(answer) => {
            let answer = &answer["Topics"][0]["Partitions"][0];
            let error = i16::try_from(answer["ErrorCode"].as_i64().context("an error code")?)?;
            let offset = answer["Offset"].as_i64().context("an offset")?;
            Ok(if error == 0 { Ok(offset) } else { Err(code(error)) })
        }
        other => anyhow::bail!("ListOffsets was answered with {other:?}"),
    }
}

fn code(number: i16) -> ErrorCode {
    ErrorCode::from_i16(number).unwrap_or(ErrorCode::UnknownServerError)
}

fn fetch(
    connection: &mut Connection,
    (topic, partition): (&str, i32),
    offset: i64,
    isolation: Isolation,
) -> Result<Vec<u8>> {
    let partition = FetchPartition {
        partition,
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic =
        FetchTopic { topic: topic.into(), partitions: vec![partition].into(), ..FetchTopic::default() };
    let request = FetchRequest {
        max_bytes: 1 << 24,
        isolation_level: isolation as i8,
        topics: vec![topic].into(),
        ..FetchRequest::default()
    };
    let mut body = Vec::new();
    request.encode(FETCH, &mut body)?;
    connection.send(ApiKey::Fetch, FETCH, &body)?;
    connection.receive()?.context(Gone)
}

/// The aborted transactions that a fetch told of, as a consumer keeps them.
struct Aborted {
    /// Those to come: their first offsets and producers.
    ahead: BTreeSet<(i64, i64)>,
    /// The producers whose records are not to be seen until their marker.
    producers: BTreeSet<i64>,
}

impl Aborted {
    /// Of every fetch, all transactions aborted in the offsets it covers are told: nothing is kept from one to the next.
    fn told(transactions: impl Iterator<Item = (i64, i64)>) -> Self {
        Self { ahead: transactions.collect(), producers: BTreeSet::new() }
    }

    /// Whether the records of a batch are not to be seen.
    fn hides(&mut self, batch: &Batch<'_>) -> Result<bool> {
        let header = &batch.header;
        while let Some(&(first, producer)) = self.ahead.first()
            && first <= header.last_offset().0
        {
            self.ahead.pop_first();
            self.producers.insert(producer);
        }
        if header.attributes.is_control() {
            if let Some(ControlRecord::EndTransaction(marker)) = ControlRecord::first_of(batch)?
                && !marker.committed
            {
                self.producers.remove(&header.producer_id.0);
            }
            return Ok(true);
        }
        Ok(header.attributes.is_transactional() && self.producers.contains(&header.producer_id.0))
    }
}

/// Takes the records of whole batches from `next` on; control batches and what is aborted only move on.
fn take(bytes: &[u8], next: &mut i64, records: &mut Vec<Read>, mut aborted: Aborted) -> Result<()> {
    let mut batches = Batches::new(bytes);
    loop {
        let batch = match batches.next_batch() {
            Ok(Some(batch)) => batch,
            // A fetch may end within a batch, but not within its first.
            Err(BatchError::Truncated { .. }) if batches.position() > 0 => return Ok(()),
            Ok(None) => return Ok(()),
            Err(error) => return Err(error).with_context(|| format!("what a fetch from {next} on holds")),
        };
        batch.verify_crc()?;
        let header = &batch.header;
        let codec = header.attributes.codec().context("an unknown codec")?;
        if aborted.hides(&batch)? {
            *next = header.next_offset().0;
            continue;
        }
        let transactional = header.attributes.is_transactional();
        let payload = payload(codec, batch.payload())?;
        for record in Records::new(&payload, header.count) {
            let record = record?;
            let offset = header.base_offset.0 + i64::from(record.offset_delta);
            if offset < *next {
                continue;
            }
            let timestamp = match header.attributes.timestamp_type() {
                TimestampType::LogAppendTime => header.max_timestamp,
                TimestampType::CreateTime => Timestamp(header.base_timestamp.0 + record.timestamp_delta),
            };
            let header = |header: Header<'_>| {
                (String::from_utf8_lossy(header.key).into_owned(), header.value.map(<[u8]>::to_vec))
            };
            records.push(Read {
                offset,
                timestamp,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: record.headers.iter().map(header).collect(),
                codec: codec.name(),
                transactional,
            });
        }
        *next = header.next_offset().0;
    }
}

fn payload(codec: Codec, stored: &[u8]) -> Result<Vec<u8>> {
    let mut decompressors = Decompressors::default();
    let mut decompressing = decompressors.start(codec, stored, 1 << 28)?;
    let mut payload = Vec::new();
    loop {
        let step = decompressing.next_step()?;
        if step.is_empty() {
            return Ok(payload);
        }
        payload.extend_from_slice(step);
    }
}
