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
use protocol::records::batch::TimestampType;
use protocol::records::batches::{Batch, Batches};
use protocol::records::compression::{Codec, Decompressors};
use protocol::records::control::ControlRecord;
use protocol::records::record::{Header, Records};

use serde_json::json;

use crate::connection::{Answer, Connection};
use crate::patience::{PATIENCE, asks_again};

/// Isolation levels of a fetch.
const READ_UNCOMMITTED: i8 = 0;
const READ_COMMITTED: i8 = 1;
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
}

/// What a reader gets of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Where the log begins.
    pub log_start: i64,
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
    let frame = connection.receive()?.context("the broker closed the connection")?;
    let response = ProduceResponse::decode(&frame[5..], PRODUCE)?;
    let topic = response.responses.iter().next().context("no topic in the answer")?;
    let partition = topic.partition_responses.iter().next().context("no partition in the answer")?;
    Ok(Produced {
        error: code(partition.error_code),
        base_offset: partition.base_offset,
        message: partition.error_message.map(std::borrow::Cow::into_owned),
    })
}

/// Sends one batch, again while the broker asks for that, for at most a while.
pub fn produce_until_done(
    address: SocketAddr,
    (topic, partition): (&str, i32),
    batch: &[u8],
    at_most: Duration,
) -> Result<i64> {
    let end = Instant::now() + at_most;
    loop {
        let produced = produce(&mut Connection::open(address)?, (topic, partition), batch)?;
        if produced.error == ErrorCode::None {
            return Ok(produced.base_offset);
        }
        let again = produced.error.is_retriable() && Instant::now() < end;
        ensure!(again, "a batch for {topic}-{partition} is refused: {produced:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Reads a partition from its start to its end.
pub fn read_all(address: SocketAddr, place: (&str, i32)) -> Result<Contents> {
    read_to_the_end(address, place, READ_UNCOMMITTED)
}

/// The same as one who reads what is committed: up to the last stable offset, which is then told as the high watermark,
/// and without the records of aborted transactions.
pub fn read_committed(address: SocketAddr, place: (&str, i32)) -> Result<Contents> {
    read_to_the_end(address, place, READ_COMMITTED)
}

fn read_to_the_end(
    address: SocketAddr,
    (topic, partition): (&str, i32),
    isolation_level: i8,
) -> Result<Contents> {
    let mut connection = Connection::open(address)?;
    let mut contents = Contents { log_start: 0, high_watermark: 0, records: Vec::new() };
    let (mut next, end) = (0, Instant::now() + PATIENCE);
    let mut aborted = Aborted::default();
    loop {
        let frame = fetch(&mut connection, (topic, partition), next, isolation_level)?;
        let response = FetchResponse::decode(&frame[5..], FETCH)?;
        let answer = response.responses.iter().next().context("no topic in the answer")?;
        let answer = answer.partitions.iter().next().context("no partition in the answer")?;
        match code(answer.error_code) {
            ErrorCode::None => {}
            ErrorCode::OffsetOutOfRange if next == 0 => {
                match log_start(&mut connection, (topic, partition))? {
                    Ok(start) => {
                        ensure!(start > 0, "{topic}-{partition} begins at {start} and does not");
                        next = start;
                    }
                    Err(code) => again(code, end, &format!("where {topic}-{partition} begins"))?,
                }
                continue;
            }
            code => {
                again(code, end, &format!("reading {topic}-{partition} from offset {next}"))?;
                continue;
            }
        }
        (contents.log_start, contents.high_watermark) = (answer.log_start_offset, answer.high_watermark);
        if isolation_level == READ_COMMITTED {
            contents.high_watermark = answer.last_stable_offset;
            let told = answer.aborted_transactions.iter().flat_map(|told| told.iter());
            aborted.told(told.map(|told| (told.first_offset, told.producer_id)));
        }
        let before = next;
        take(&answer.records.unwrap_or_default(), &mut next, &mut contents.records, &mut aborted)?;
        if next == before {
            let at_end = next >= contents.high_watermark;
            ensure!(at_end, "nothing at {next} of {topic}-{partition}, below {}", contents.high_watermark);
            return Ok(contents);
        }
    }
}

/// Reads once, what a broker gives from `next` on, and moves that on; what it says.
pub fn read_some(
    connection: &mut Connection,
    (topic, partition): (&str, i32),
    next: &mut i64,
    records: &mut Vec<Read>,
) -> Result<ErrorCode> {
    let frame = fetch(connection, (topic, partition), *next, READ_UNCOMMITTED)?;
    let response = FetchResponse::decode(&frame[5..], FETCH)?;
    let answer = response.responses.iter().next().context("no topic in the answer")?;
    let answer = answer.partitions.iter().next().context("no partition in the answer")?;
    let said = code(answer.error_code);
    if said == ErrorCode::None {
        take(&answer.records.unwrap_or_default(), next, records, &mut Aborted::default())?;
    }
    Ok(said)
}

/// Waits a moment before what gave an error is asked again: a broker that has just started may not lead yet.
fn again(code: ErrorCode, end: Instant, what: &str) -> Result<()> {
    ensure!(asks_again(i16::from(code)) && Instant::now() < end, "{what} gives {}", code.name());
    std::thread::sleep(Duration::from_millis(50));
    Ok(())
}

/// Where a log begins, or why the broker does not say.
fn log_start(connection: &mut Connection, (topic, partition): (&str, i32)) -> Result<Result<i64, ErrorCode>> {
    let wanted = json!({"PartitionIndex": partition, "Timestamp": -2});
    let request = json!({"ReplicaId": -1, "Topics": [{"Name": topic, "Partitions": [wanted]}]});
    match connection.ask(ApiKey::ListOffsets, 5, &request)? {
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
    isolation_level: i8,
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
        isolation_level,
        topics: vec![topic].into(),
        ..FetchRequest::default()
    };
    let mut body = Vec::new();
    request.encode(FETCH, &mut body)?;
    connection.send(ApiKey::Fetch, FETCH, &body)?;
    connection.receive()?.context("the broker closed the connection")
}

/// The aborted transactions that a fetch told of, as a consumer keeps them.
#[derive(Default)]
struct Aborted {
    /// Those to come: their first offsets and producers.
    ahead: BTreeSet<(i64, i64)>,
    /// The producers whose records are not to be seen until their marker.
    producers: BTreeSet<i64>,
}

impl Aborted {
    /// Of every fetch, all transactions aborted in the offsets it covers are told.
    fn told(&mut self, transactions: impl Iterator<Item = (i64, i64)>) {
        self.ahead = transactions.collect();
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
fn take(bytes: &[u8], next: &mut i64, records: &mut Vec<Read>, aborted: &mut Aborted) -> Result<()> {
    let mut batches = Batches::new(bytes);
    // A fetch may end within a batch.
    while let Ok(Some(batch)) = batches.next_batch() {
        batch.verify_crc()?;
        let header = &batch.header;
        let codec = header.attributes.codec().context("an unknown codec")?;
        if aborted.hides(&batch)? {
            *next = header.next_offset().0;
            continue;
        }
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
            });
        }
        *next = header.next_offset().0;
    }
    Ok(())
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
