//! Readers that catch up on records which are in no memory any more: the page cache of their logs is dropped before each
//! of them begins at the start.

use std::fs::{File, read_dir};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use rustix::fs::{Advice, fadvise};

use crate::frames::{AnswerShape, Frame};
use crate::load::{Connection, wait_for_partitions};
use crate::machine::give_way;
use crate::workload::{WORKLOADS, Workload};

/// The most that one fetch brings.
const FETCH_BYTES: usize = 1 << 20;

/// A topic with as many partitions as readers, each full of old records.
#[derive(Debug)]
pub struct Cold {
    topic: String,
    logs: Vec<PathBuf>,
    batch_bytes: usize,
    records: i64,
    batches: u32,
}

impl Cold {
    /// Fills so many partitions with `megabytes` each; they lie somewhere under `directory`.
    pub fn fill(address: SocketAddr, directory: &Path, readers: i32, megabytes: usize) -> Result<Self> {
        let topic = format!("cold-{}", std::process::id());
        let workload = WORKLOADS.iter().find(|workload| workload.name == "produce-64k");
        let (batch, records) = Workload { partitions: readers, ..*workload.context("64 KiB")? }.batch()?;
        let mut connection = Connection::open(address)?;
        connection.create_topic(&topic, readers, &[("segment.bytes", "268435456")])?;
        wait_for_partitions(&mut connection, &topic, &batch, readers)?;
        let batches = u32::try_from(megabytes * 1_000_000 / batch.len())?;
        let mut frame = Frame::produce(&topic, &batch);
        for partition in 0..readers {
            frame.set_partition(partition);
            // One batch is there already.
            connection.pump(&mut frame, AnswerShape::produce(&topic), batches - 1, |_, _| ())?;
        }
        // What is not on the disk yet cannot be dropped from memory.
        rustix::fs::sync();
        let logs = directories(directory, &topic)?;
        ensure!(logs.len() == usize::try_from(readers)?, "{} logs of {topic} were found", logs.len());
        Ok(Self { topic, logs, batch_bytes: batch.len(), records: records.into(), batches })
    }

    /// Drops what is in memory of a partition.
    fn drop_cache(&self, partition: i32) -> Result<()> {
        let name = format!("{}-{partition}", self.topic);
        let log = self.logs.iter().find(|log| log.ends_with(&name)).context("the log of a partition")?;
        for entry in read_dir(log)? {
            fadvise(&File::open(entry?.path())?, 0, None, Advice::DontNeed)?;
        }
        Ok(())
    }

    /// Reads one partition from its start again and again until `stop`; adds to the bytes that came. It gives way to whoever
    /// takes the time of acknowledgements beside it: they share a core, and it is the broker that is measured.
    pub fn catch_up(
        &self,
        address: SocketAddr,
        partition: i32,
        stop: &AtomicBool,
        bytes: &AtomicU64,
    ) -> Result<()> {
        give_way()?;
        let mut connection = Connection::open(address)?;
        let mut frame = Frame::fetch(&self.topic, i32::try_from(FETCH_BYTES)?);
        frame.set_partition(partition);
        let a_fetch = (FETCH_BYTES / self.batch_bytes) as i64;
        while !stop.load(Ordering::Relaxed) {
            self.drop_cache(partition)?;
            let mut batch = 0;
            while batch + a_fetch <= i64::from(self.batches) && !stop.load(Ordering::Relaxed) {
                frame.set_offset(batch * self.records);
                connection.send(&mut frame)?;
                let received = connection.receive(AnswerShape::fetch(&self.topic))?;
                bytes.fetch_add(received, Ordering::Relaxed);
                let whole = received / self.batch_bytes as u64;
                ensure!(whole > 0, "a fetch of old records brought none");
                batch += i64::try_from(whole)?;
            }
        }
        Ok(())
    }

    /// Deletes the topic.
    pub fn finish(self, address: SocketAddr) -> Result<()> {
        Connection::open(address)?.delete_topic(&self.topic)
    }
}

/// The directories of the partitions of a topic, wherever they lie.
fn directories(under: &Path, topic: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in read_dir(under)? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let index = name.strip_prefix(topic).and_then(|rest| rest.strip_prefix('-'));
        match index.is_some_and(|index| index.parse::<u32>().is_ok()) {
            true => found.push(path),
            false => found.extend(directories(&path, topic)?),
        }
    }
    Ok(found)
}
