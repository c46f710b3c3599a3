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
use protocol::records::legacy::{LegacyError, LegacyScratch, Messages, each_record};
use protocol::records::record::Records;
use storage::Disk as _;
use storage::{Fault, RealDisk};

use crate::runtime::partitions::Replica;

/// The most that the records of one compressed batch may take: far more than any coordinator writes.
const PLAIN_BYTES_MAX: u64 = 1 << 30;
/// Where a batch and a message of old say which format they have.
const MAGIC_AT: usize = 16;
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
    /// A defect: what the log holds cannot be replayed.
    #[error("replaying the log ended in a panic")]
    Panicked,
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
        old: LegacyScratch::default(),
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
            tracing::info!(topic = %replica.topic(), partition = %replica.index, offset = %next,
                records = loading.records, "loading a coordinator");
        }
    }
    if loading.records > 0 {
        tracing::info!(topic = %replica.topic(), partition = %replica.index, records = loading.records,
            passed_over = loading.passed_over, millis = begun.elapsed().as_millis(), "coordinator loaded");
    }
    Ok(Loaded { shard: loading.shard, end: next })
}

struct Loading<'r, S> {
    replica: &'r Replica,
    shard: S,
    decompressors: Decompressors,
    plain: Vec<u8>,
    old: LegacyScratch,
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

    /// Replays the whole batches in `bytes`, or messages of the formats before; says where the log goes on.
    fn replay(&mut self, bytes: &[u8], from: Offset) -> Result<Offset, LoadError> {
        let (mut next, mut position) = (from, 0);
        while position < bytes.len() {
            let rest = &bytes[position..];
            let old = rest.get(MAGIC_AT).is_some_and(|magic| *magic < 2);
            let replayed = if old { self.replay_old(rest, from)? } else { self.replay_new(rest, from)? };
            match replayed {
                Ok((size, behind)) => (position, next) = (position + size, next.max(behind)),
                // What the chunk cuts off is read whole by the next.
                Err(_) if next > from => return Ok(next),
                Err(reason) => return Err(corrupt(self.replica, next, reason)),
            }
        }
        Ok(next)
    }

    /// Replays the first batch; its size and where the log goes on, or why it is none.
    fn replay_new(&mut self, bytes: &[u8], from: Offset) -> Result<Result<Replayed, String>, LoadError> {
        let batch = match Batches::new(bytes).next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) => return Ok(Err("it is empty".to_owned())),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let behind = batch.header.last_offset().next();
        if behind > from {
            self.replay_batch(&batch)?;
        }
        Ok(Ok((batch.bytes.len(), behind)))
    }

    /// Replays the first message of the formats before 0.11, which may wrap others; its size and where the log goes on, or
    /// why it is none.
    fn replay_old(&mut self, bytes: &[u8], from: Offset) -> Result<Result<Replayed, String>, LoadError> {
        let message = match Messages::new(bytes).next_message() {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(Err("it ends inside a message".to_owned())),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let (size, behind) = (message.size(), message.offset.plus(1));
        if behind > from {
            let mut scratch = std::mem::take(&mut self.old);
            let outcome = each_record(&bytes[..size], &mut scratch, PLAIN_BYTES_MAX, |record| {
                let written =
                    Written { offset: record.offset, timestamp: record.timestamp, transaction: None };
                self.replay_record(written, (record.key, record.value)).map_err(OldError::Load)
            });
            self.old = scratch;
            match outcome {
                Ok(()) => {}
                Err(OldError::Load(error)) => return Err(error),
                Err(OldError::Format(error)) => {
                    return Err(corrupt(self.replica, message.offset, error.to_string()));
                }
            }
        }
        Ok(Ok((size, behind)))
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
            self.replay_record(Written { offset, timestamp, transaction }, (record.key, record.value))?;
        }
        Ok(())
    }

    fn replay_record(
        &mut self,
        written: Written,
        (key, value): (Option<&[u8]>, Option<&[u8]>),
    ) -> Result<(), LoadError> {
        let decoded = S::decode(key.unwrap_or_default(), value)
            .map_err(|error| corrupt(self.replica, written.offset, error.to_string()))?;
        match decoded {
            Some(decoded) => self.shard.replay(written, &decoded),
            None => self.passed_over += 1,
        }
        self.records += 1;
        Ok(())
    }
}

/// How many bytes were replayed, and the offset behind them.
type Replayed = (usize, Offset);

/// Why messages of old cannot be replayed.
enum OldError {
    Load(LoadError),
    Format(LegacyError),
}

impl From<LegacyError> for OldError {
    fn from(error: LegacyError) -> Self {
        Self::Format(error)
    }
}

fn corrupt(replica: &Replica, offset: Offset, reason: String) -> LoadError {
    LoadError::Corrupt { topic: replica.topic().clone(), index: replica.index.0, offset, reason }
}
