//! Loading a shard: replaying its log from start to end.
//!
//! Runs on a thread that may wait for the disk. The log is held only to find the next bytes; they are read and
//! replayed without it. A batch that cannot be understood ends the load: what a coordinator does not know of it
//! must not tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use coordinator::{Shard, Written};
use protocol::id::{LeaderEpoch, Timestamp};
use protocol::offset::Offset;
use protocol::records::batch::TimestampType;
use protocol::records::batches::{Batch, Batches};
use protocol::records::compression::{Codec, CompressionError, Decompressors};
use protocol::records::control::{ControlRecord, EndMarker};
use protocol::records::record::Records;
use storage::Disk as _;
use storage::{Fault, RealDisk};

use crate::runtime::partitions::Replica;

/// The most that the records of one compressed batch may take: far more than any coordinator writes.
const PLAIN_BYTES_MAX: u64 = 1 << 30;
/// How often the progress of a long load is told.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Why a shard cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// The disk failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// This broker does not lead the partition any more, or is about to stop.
    #[error("the partition is no longer led here")]
    Resigned,
    /// The log holds what no coordinator writes.
    #[error("the batch at offset {offset} of {topic}-{index} cannot be read: {reason}")]
    Corrupt { topic: Arc<str>, index: i32, offset: Offset, reason: String },
}

/// A shard with everything its log says, and where that ends.
pub(super) struct Loaded<S> {
    pub(super) shard: S,
    pub(super) end: Offset,
}

/// Replays the log of a replica that leads at this epoch.
pub(super) fn load<S: Shard>(
    replica: &Replica,
    leader_epoch: LeaderEpoch,
    chunk_bytes: u32,
    stopped: &AtomicBool,
) -> Result<Loaded<S>, LoadError> {
    let mut loading = Loading {
        replica,
        shard: S::default(),
        decompressors: Decompressors::default(),
        plain: Vec::new(),
        records: 0,
        passed_over: 0,
    };
    let begun = Instant::now();
    let mut told = begun;
    let mut next = loading.start(leader_epoch)?;
    let mut bytes = Vec::new();
    while let Some(read) = loading.read(leader_epoch, next, chunk_bytes, &mut bytes)? {
        let behind = loading.replay(&bytes[..read], next)?;
        if behind == next {
            return Err(corrupt(replica, next, "what is read here lies before it".to_owned()));
        }
        next = behind;
        if stopped.load(Ordering::SeqCst) {
            return Err(LoadError::Resigned);
        }
        if told.elapsed() > TELL_EVERY {
            told = Instant::now();
            tracing::info!(topic = %replica.topic, partition = %replica.index, offset = %next,
                records = loading.records, "loading a coordinator");
        }
    }
    if loading.records > 0 {
        tracing::info!(topic = %replica.topic, partition = %replica.index, records = loading.records,
            passed_over = loading.passed_over, millis = begun.elapsed().as_millis(), "coordinator loaded");
    }
    Ok(Loaded { shard: loading.shard, end: next })
}

struct Loading<'r, S> {
    replica: &'r Replica,
    shard: S,
    decompressors: Decompressors,
    plain: Vec<u8>,
    records: u64,
    passed_over: u64,
}

impl<S: Shard> Loading<'_, S> {
    fn start(&self, leader_epoch: LeaderEpoch) -> Result<Offset, LoadError> {
        let log = self.replica.log()?;
        log.partition().check_leader(leader_epoch).map_err(|_| LoadError::Resigned)?;
        Ok(log.partition().watermarks().log_start)
    }

    /// Reads the next bytes of the log; `None` at its end.
    fn read(
        &self,
        leader_epoch: LeaderEpoch,
        from: Offset,
        chunk_bytes: u32,
        into: &mut Vec<u8>,
    ) -> Result<Option<usize>, LoadError> {
        let mut log = self.replica.log()?;
        log.partition().check_leader(leader_epoch).map_err(|_| LoadError::Resigned)?;
        let end = log.partition().watermarks().log_end;
        if from >= end {
            return Ok(None);
        }
        let slice = log.read(from, end, chunk_bytes, true)?;
        let path = log.path().to_owned();
        drop(log);
        // The first batch comes whole, however large it is.
        let wanted = slice.length.max(slice.first_batch) as usize;
        into.resize(wanted, 0);
        let mut filled = 0;
        while filled < wanted {
            let read = RealDisk
                .pread(&slice.file, &mut into[filled..], slice.position + filled as u64)
                .map_err(|error| Fault::io("read", &path, error))?;
            if read == 0 {
                break;
            }
            filled += read;
        }
        Ok((filled > 0).then_some(filled))
    }

    /// Replays the whole batches in `bytes`; says where the log goes on.
    fn replay(&mut self, bytes: &[u8], from: Offset) -> Result<Offset, LoadError> {
        let mut next = from;
        let mut batches = Batches::new(bytes);
        loop {
            match batches.next_batch() {
                Ok(Some(batch)) => {
                    if batch.header.last_offset().next() > from {
                        self.replay_batch(&batch)?;
                        next = batch.header.last_offset().next();
                    }
                }
                Ok(None) => return Ok(next),
                // A batch that the chunk cuts off is read whole by the next.
                Err(_) if next > from => return Ok(next),
                Err(error) => return Err(corrupt(self.replica, next, error.to_string())),
            }
        }
    }

    fn replay_batch(&mut self, batch: &Batch<'_>) -> Result<(), LoadError> {
        let header = &batch.header;
        let replica = self.replica;
        let failed = |reason: String| corrupt(replica, header.base_offset, reason);
        batch.verify_crc().map_err(|error| failed(error.to_string()))?;
        if header.attributes.is_control() {
            let control = ControlRecord::first_of(batch).map_err(|error| failed(error.to_string()))?;
            if let Some(ControlRecord::EndTransaction(EndMarker { committed, .. })) = control {
                self.shard.replay_end(header.base_offset, header.producer_id, committed);
            }
            return Ok(());
        }
        let mut plain = std::mem::take(&mut self.plain);
        let payload = match header.attributes.codec() {
            Some(Codec::None) => batch.payload(),
            Some(codec) => {
                plain.clear();
                self.decompress(codec, batch, &mut plain)?;
                &plain[..]
            }
            None => return Err(failed("it names no codec there is".to_owned())),
        };
        let outcome = self.replay_records(batch, payload);
        self.plain = plain;
        outcome
    }

    fn decompress(&mut self, codec: Codec, batch: &Batch<'_>, into: &mut Vec<u8>) -> Result<(), LoadError> {
        let (replica, offset) = (self.replica, batch.header.base_offset);
        let failed = |error: CompressionError| corrupt(replica, offset, error.to_string());
        let mut stream = self.decompressors.start(codec, batch.payload(), PLAIN_BYTES_MAX).map_err(failed)?;
        loop {
            match stream.next_step().map_err(failed)? {
                [] => return Ok(()),
                step => into.extend_from_slice(step),
            }
        }
    }

    fn replay_records(&mut self, batch: &Batch<'_>, payload: &[u8]) -> Result<(), LoadError> {
        let header = &batch.header;
        let transactional = header.attributes.is_transactional();
        let transaction = transactional.then_some((header.producer_id, header.producer_epoch));
        for record in Records::new(payload, header.count) {
            let record =
                record.map_err(|error| corrupt(self.replica, header.base_offset, error.to_string()))?;
            let timestamp = match header.attributes.timestamp_type() {
                TimestampType::LogAppendTime => header.max_timestamp,
                TimestampType::CreateTime => {
                    Timestamp(header.base_timestamp.0.wrapping_add(record.timestamp_delta))
                }
            };
            let offset = header.base_offset.plus(i64::from(record.offset_delta));
            let decoded = S::decode(record.key.unwrap_or_default(), record.value)
                .map_err(|error| corrupt(self.replica, offset, error.to_string()))?;
            match decoded {
                Some(decoded) => self.shard.replay(Written { offset, timestamp, transaction }, &decoded),
                None => self.passed_over += 1,
            }
            self.records += 1;
        }
        Ok(())
    }
}

fn corrupt(replica: &Replica, offset: Offset, reason: String) -> LoadError {
    LoadError::Corrupt { topic: replica.topic.clone(), index: replica.index.0, offset, reason }
}
