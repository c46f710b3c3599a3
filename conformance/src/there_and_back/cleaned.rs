//! A topic that each broker really compacts during its leg: every batch begins a segment, and what a leg adds replaces
//! what the one before has left.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use conformance::partition_client::{Read, produce_until_done, read_all};
use conformance::patience::PATIENCE;
use protocol::id::Timestamp;
use protocol::records::build::{BatchBuilder, BatchOptions};

use super::PARTITIONS;

/// Its name.
pub const TOPIC: &str = "cleaned";
/// Its configs.
pub const CONFIGS: &[(&str, &str)] =
    &[("cleanup.policy", "compact"), ("segment.ms", "1000"), ("min.cleanable.dirty.ratio", "0.0")];

/// Batches of a leg, each later than the one before by more than `segment.ms`.
const BATCHES: i64 = 7;
const KEYS: i64 = 2;
const BEGIN: i64 = 1_700_000_000_000;
const APART: i64 = 10_000;

/// Adds to the topic and waits until it is compacted.
pub fn go_on(address: SocketAddr, leg: u8) -> Result<()> {
    for partition in 0..PARTITIONS {
        for number in 0..BATCHES {
            let mut builder = BatchBuilder::new(BatchOptions::default());
            let time = Timestamp(BEGIN + (i64::from(leg) * BATCHES + number) * APART);
            let (key, value) = (format!("key-{}", number % KEYS), format!("{number} of leg {leg}"));
            builder.push(time, Some(key.as_bytes()), Some(value.as_bytes()), &[]);
            let batch = builder.finish_uncompressed();
            produce_until_done(address, (TOPIC, partition), &batch, PATIENCE)?;
        }
        wait_until_compacted(address, partition, leg)?;
    }
    Ok(())
}

fn wait_until_compacted(address: SocketAddr, partition: i32, leg: u8) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        let records = read_all(address, (TOPIC, partition))?.records;
        // The last one lies in the active segment, which nothing is cleaned of, nor by.
        let before = records.split_last().map_or(&records[..], |(_, before)| before);
        if before.len() == KEYS as usize {
            let left: Vec<_> = before.iter().map(text).collect();
            let last = |back: i64| format!("{} of leg {leg}", BATCHES - 1 - back);
            ensure!(left == [last(2), last(1)], "compaction left {left:?}");
            return Ok(());
        }
        ensure!(Instant::now() < end, "{TOPIC}-{partition} is not compacted after {PATIENCE:?}: {records:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn text(record: &Read) -> String {
    String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned()
}
