//! Reads a partition whole and holds it against what its writer knows.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use conformance::connection::Connection;
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::messages::fetch::{FetchPartition, FetchTopic};
use protocol::messages::{FetchRequest, FetchResponse, Message};
use protocol::records::batches::Batches;
use protocol::records::record::Records;

use super::writer::Written;

const VERSION: i16 = 12;

/// Reads a partition and checks it; how many records it holds.
pub fn verify(address: SocketAddr, topic: &str, partition: i32, written: &Written) -> Result<usize> {
    let numbers = read(address, topic, partition)?;
    for (offset, number) in numbers.iter().enumerate() {
        ensure!(
            usize::try_from(*number)? == offset,
            "offset {offset} holds number {number}: one is lost, twice or out of order before it"
        );
    }
    let sent = written.sent[usize::try_from(partition)?];
    ensure!(numbers.len() <= usize::try_from(sent)?, "{} records where {sent} were sent", numbers.len());
    let acknowledged: BTreeMap<_, _> = written
        .acknowledged
        .iter()
        .filter(|(index, ..)| *index == partition)
        .map(|(_, offset, first)| (*first, *offset))
        .collect();
    for (first, offset) in &acknowledged {
        let there = numbers.get(usize::try_from(*first)?).is_some();
        ensure!(there, "number {first} was acknowledged and is not there");
        ensure!(
            offset.is_none_or(|offset| offset == i64::from(*first)),
            "number {first} was acknowledged at offset {offset:?} and is not there"
        );
    }
    ensure!(!acknowledged.is_empty(), "nothing was acknowledged");
    Ok(numbers.len())
}

/// The numbers in a partition, in the order of their offsets, which have no gap.
fn read(address: SocketAddr, topic: &str, partition: i32) -> Result<Vec<u32>> {
    let mut connection = Connection::open(address)?;
    let mut numbers = Vec::new();
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let frame = fetch(&mut connection, topic, partition, i64::try_from(numbers.len())?)?;
        let response = FetchResponse::decode(&frame[5..], VERSION)?;
        let answer = response.responses.iter().next().context("no topic in the answer")?;
        let answer = answer.partitions.iter().next().context("no partition in the answer")?;
        let code = ErrorCode::from_i16(answer.error_code).unwrap_or(ErrorCode::UnknownServerError);
        if code.is_retriable() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
            continue;
        }
        ensure!(code == ErrorCode::None, "fetching from offset {} gives {}", numbers.len(), code.name());
        let records = answer.records.unwrap_or_default();
        if records.is_empty() {
            let high_watermark = usize::try_from(answer.high_watermark)?;
            ensure!(numbers.len() == high_watermark, "{} records below {high_watermark}", numbers.len());
            return Ok(numbers);
        }
        take(&records, &mut numbers)?;
    }
}

fn fetch(connection: &mut Connection, topic: &str, partition: i32, offset: i64) -> Result<Vec<u8>> {
    let partition = FetchPartition {
        partition,
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic =
        FetchTopic { topic: topic.into(), partitions: vec![partition].into(), ..FetchTopic::default() };
    let request = FetchRequest { max_bytes: 1 << 24, topics: vec![topic].into(), ..FetchRequest::default() };
    let mut body = Vec::new();
    request.encode(VERSION, &mut body)?;
    connection.send(ApiKey::Fetch, VERSION, &body)?;
    connection.receive()?.context("the broker closed the connection")
}

/// Appends the numbers of whole batches from the next offset on.
fn take(bytes: &[u8], numbers: &mut Vec<u32>) -> Result<()> {
    let mut batches = Batches::new(bytes);
    // A fetch may end within a batch.
    while let Ok(Some(batch)) = batches.next_batch() {
        batch.verify_crc()?;
        let base = usize::try_from(batch.header.base_offset.0)?;
        ensure!(base <= numbers.len(), "a gap: offset {base} follows {}", numbers.len());
        for (index, record) in Records::new(batch.payload(), batch.header.count).enumerate() {
            let value = record?.value.context("a record without a value")?;
            if base + index == numbers.len() {
                numbers.push(std::str::from_utf8(value)?.parse()?);
            }
        }
    }
    Ok(())
}
