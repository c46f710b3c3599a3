//! A partition read whole in any version of Fetch, whatever format its records come in.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use conformance::by_schema::unhex;
use conformance::connection::{Answer, Connection};
use conformance::patience::error_codes;
use protocol::api_key::ApiKey;
use protocol::records::batch::{LOG_OVERHEAD, MAGIC_V2, magic};
use protocol::records::batches::Batches;
use protocol::records::legacy::{LegacyError, LegacyScratch, each_record};
use protocol::records::rebuild::{RecordReader, timestamp_of};
use serde_json::json;

/// A record as a reader gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

/// Reads partition 0 from its start to its end.
pub fn read(address: SocketAddr, topic: &str, version: i16) -> Result<Vec<Read>> {
    let (mut next, mut all, mut connection) = (0, Vec::new(), Connection::open(address)?);
    loop {
        let partition = json!({"Partition": 0, "FetchOffset": next, "PartitionMaxBytes": 20_000});
        let mut request = json!({"ReplicaId": -1, "MaxWaitMs": 10, "MinBytes": 0,
            "Topics": [{"Topic": topic, "Partitions": [partition]}]});
        if version >= 3 {
            request["MaxBytes"] = json!(1 << 24);
        }
        if version >= 7 {
            request["SessionEpoch"] = json!(-1);
        }
        let answer = match connection.ask(ApiKey::Fetch, version, &request)? {
            Answer::Response(answer) if error_codes(&answer).is_empty() => answer,
            other => bail!("Fetch {version} of {topic} is answered with {other:?}"),
        };
        let partition = &answer["Responses"][0]["Partitions"][0];
        let bytes = unhex(partition["Records"].as_str().unwrap_or_default())?;
        let before = next;
        take(&bytes, &mut next, &mut all)
            .with_context(|| format!("in what Fetch {version} of {topic} answers"))?;
        let formats = formats(&bytes);
        ensure!(
            formats.iter().all(|format| *format <= newest(version)),
            "Fetch {version} of {topic} is answered in formats {formats:?}"
        );
        if next == before {
            let end = partition["HighWatermark"].as_i64().context("a high watermark")?;
            ensure!(next >= end, "nothing at {next} of {topic} by Fetch {version}, below {end}");
            return Ok(all);
        }
    }
}

/// The newest format that clients know which fetch in this version.
fn newest(version: i16) -> i8 {
    match version {
        0..=1 => 0,
        2..=3 => 1,
        _ => MAGIC_V2,
    }
}

fn formats(mut bytes: &[u8]) -> BTreeSet<i8> {
    let mut formats = BTreeSet::new();
    while let Some((whole, rest)) = split(bytes) {
        bytes = rest;
        formats.extend(magic(whole));
    }
    formats
}

fn take(mut bytes: &[u8], next: &mut i64, all: &mut Vec<Read>) -> Result<()> {
    while let Some((whole, rest)) = split(bytes) {
        bytes = rest;
        let mut push = |offset: i64, timestamp, key: Option<&[u8]>, value: Option<&[u8]>| {
            if offset >= *next {
                let (key, value) = (key.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec));
                all.push(Read { offset, timestamp, key, value });
            }
        };
        let behind = if magic(whole) == Some(MAGIC_V2) {
            let Some(batch) = Batches::new(whole).next_batch()? else { bail!("no batch") };
            batch.verify_crc()?;
            RecordReader::default().each(&batch, 1 << 28, |record| {
                let offset = batch.header.base_offset.0 + i64::from(record.offset_delta);
                push(offset, timestamp_of(&batch.header, record).0, record.key, record.value);
                Ok(())
            })?;
            batch.header.next_offset().0
        } else {
            let mut last = 0;
            each_record(whole, &mut LegacyScratch::default(), 1 << 28, |record| {
                last = record.offset.0;
                push(record.offset.0, record.timestamp.0, record.key, record.value);
                Ok::<_, LegacyError>(())
            })?;
            last + 1
        };
        *next = behind.max(*next);
    }
    Ok(())
}

/// The first batch or message, if all of it is there.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = i32::from_be_bytes(*bytes.get(8..)?.first_chunk()?);
    bytes.split_at_checked(usize::try_from(length).ok()? + LOG_OVERHEAD)
}
