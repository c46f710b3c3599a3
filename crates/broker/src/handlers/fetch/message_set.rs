//! The records of versions 0 to 3: batches become message sets of format v0 or v1, in memory (KIP-31, KIP-32, KIP-283).
//!
//! Runs on a thread where work may take its time, a few answers at once of each log directory. A set ends where its reader's bound or the
//! answer's is reached, and the next fetch goes on from there. Readers of versions 0 to 2 ask for so many bytes of each
//! partition and no more, and are shown the beginning of a message that is larger; version 3 sends a first one whole.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::id::DirectoryId;
use protocol::records::batch::LOG_OVERHEAD;
use protocol::records::legacy::{DownConversion, DownConversionError, DownRoom, DownScratch};
use rustix::io::Errno;

use super::answer::PartitionAnswer;
use super::read::{PartitionRead, Reading, find};
use super::request::Limits;
use crate::Broker;
use crate::net::FileRange;
use crate::runtime::cold_reads::within;
use crate::runtime::request_memory::{Claim, Drawn, RequestMemory};
use crate::runtime::unreadable_files;

/// The first version that carries batches as they lie in the log.
pub const BATCHES_SINCE: i16 = 4;
/// The first version that knows timestamps, which format v1 has.
const TIMESTAMPS_SINCE: i16 = 2;
/// The first version that bounds the whole answer, and where a message over the bound is sent all the same.
const ANSWER_BOUND_SINCE: i16 = 3;

/// The bytes of messages that an answer of several partitions comes to, large messages apart.
const ANSWER_BYTES: usize = 8 << 20;
/// Each partition may have so many of them.
const PARTITION_BYTES_MIN: usize = 4 << 10;
/// A record of nothing takes so many times as much in the old formats.
const GROWTH_MAX: usize = 6;
/// Batches are read in steps of this size, or one at a time if they are larger.
const STEP_BYTES: u64 = 1 << 20;
/// The most that comes out of one compressed batch, as where it was appended.
const DECOMPRESSED_BYTES_MAX: u64 = 1 << 30;

/// Replaces the records that were read by message sets. Their memory is drawn from what requests share, and handed back to
/// be held until the answer has left. A request that holds some already waits with `patience` for its turn, and not for
/// more, as others might wait for what it holds: its answer is short then.
pub async fn convert(
    (broker, patience): (&Arc<Broker>, Option<Duration>),
    mut reading: Reading,
    limits: Limits,
    version: i16,
) -> (Reading, Drawn) {
    let parts = parts(broker, &reading);
    let Some(first) = parts.first() else { return (reading, None) };
    let memory = &broker.request_memory;
    let (claim, bytes) = claim(memory, answer_bytes(&reading));
    // Who waits for a disk that hangs is not to hold the memory that others wait for, or not for long.
    let mut begun = within(patience, broker.conversions.begin(first.directory)).await.flatten();
    let (mut drawn, bytes) = loop {
        if let Some(drawn) = memory.try_draw(claim) {
            break (drawn, bytes);
        }
        if patience.is_some() {
            break (None, PARTITION_BYTES_MIN);
        }
        // Nor who waits for memory a place that who holds some may wait for.
        drop(begun.take());
        let drawn = memory.draw(claim).await;
        begun = broker.conversions.try_begin(first.directory);
        if begun.is_some() {
            break (drawn, bytes);
        }
        drop(drawn);
        begun = broker.conversions.begin(first.directory).await;
    };
    let mut making = Making::new(&reading, &limits, (bytes, version));
    for part in parts {
        let Some(place) = begun.take().or_else(|| broker.conversions.try_begin(part.directory)) else {
            // It holds memory, and does not wait with it: the reader comes again.
            part.places.iter().for_each(|place| reading.partitions[*place].leave_out());
            continue;
        };
        let broker = broker.clone();
        // What it takes goes along: if the connection ends meanwhile, a disk that hangs keeps both for as long as it hangs.
        let converted = tokio::task::spawn_blocking(move || {
            let unreadable = |file: &File, errno| unreadable_files::note(&broker.log_dirs, file, errno);
            for place in part.places {
                making.partition(&mut reading.partitions[place], &unreadable);
            }
            drop(place);
            (reading, making, drawn)
        });
        (reading, making, drawn) = match converted.await {
            Ok(converted) => converted,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends, and this with it.
                Err(_cancelled) => std::future::pending().await,
            },
        };
    }
    (reading, drawn)
}

/// Partitions with records that follow one another and lie in one directory.
struct Part {
    directory: DirectoryId,
    places: Vec<usize>,
}

fn parts(broker: &Broker, reading: &Reading) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (place, read) in reading.partitions.iter().enumerate() {
        if read.answer.records.is_none() {
            continue;
        }
        let topic = find(broker, &read.wanted.key.topic);
        let replica = topic.as_ref().and_then(|topic| topic.get(read.wanted.key.partition));
        // One that has gone meanwhile leaves its files to who reads them.
        let directory = replica.map_or(DirectoryId::ZERO, |replica| replica.directory().id());
        match parts.last_mut().filter(|part| part.directory == directory) {
            Some(part) => part.places.push(place),
            None => parts.push(Part { directory, places: vec![place] }),
        }
    }
    parts
}

/// The bytes of messages that the answer may come to.
fn answer_bytes(reading: &Reading) -> usize {
    let ranges = reading.partitions.iter().filter_map(|read| read.answer.records.as_ref());
    let read: u64 = ranges.map(|range| range.length).sum();
    usize::try_from(read)
        .unwrap_or(usize::MAX)
        .saturating_mul(GROWTH_MAX)
        .clamp(PARTITION_BYTES_MIN, ANSWER_BYTES)
}

/// The claim to as many of these bytes as there can be: an answer may always be shorter.
fn claim(memory: &RequestMemory, mut bytes: usize) -> (Claim, usize) {
    loop {
        match memory.claim(0, bytes, 1) {
            Ok(claim) => return (claim, bytes),
            Err(_) => bytes /= 2,
        }
    }
}

/// Is told of a file that cannot be read.
type Unreadable<'u> = &'u dyn Fn(&File, Errno);

/// An answer in the making.
struct Making {
    magic: i8,
    /// Whether a message over the bound is shown up to there.
    cut: bool,
    /// What the reader still takes.
    left: usize,
    /// What there is memory for: of each partition, or of all that are left.
    share: usize,
    first_whole: bool,
    scratch: DownScratch,
}

impl Making {
    fn new(reading: &Reading, limits: &Limits, (bytes, version): (usize, i16)) -> Self {
        let cut = version < ANSWER_BOUND_SINCE;
        let count = reading.partitions.iter().filter(|read| read.answer.records.is_some()).count().max(1);
        Self {
            magic: if version < TIMESTAMPS_SINCE { 0 } else { 1 },
            cut,
            left: usize::try_from(limits.bytes_max).unwrap_or(0),
            share: if cut { (bytes / count).max(PARTITION_BYTES_MIN) } else { bytes },
            first_whole: !cut,
            scratch: DownScratch::default(),
        }
    }

    fn partition(&mut self, read: &mut PartitionRead, unreadable: Unreadable<'_>) {
        let Some(range) = read.answer.records.take() else { return };
        let most = usize::try_from(read.wanted.bytes_max).unwrap_or(0).min(self.left);
        let first = if self.first_whole { usize::MAX } else { most };
        let room = DownRoom { bytes: most.min(self.share), first, cut: self.cut };
        let from = read.wanted.fetch_offset;
        let mut conversion =
            DownConversion::new(self.magic, from, room, DECOMPRESSED_BYTES_MAX, &mut self.scratch);
        match take_range(&range, &mut conversion, unreadable) {
            Ok(()) => {
                let set = conversion.finish();
                self.left = self.left.saturating_sub(set.len());
                if !self.cut {
                    self.share = self.share.saturating_sub(set.len());
                }
                self.first_whole &= set.is_empty();
                read.answer.in_memory = Some(set);
            }
            Err(code) => read.answer = PartitionAnswer::error(read.answer.index, code),
        }
    }
}

/// Reads the batches of a range until the set is full.
fn take_range(
    range: &FileRange,
    conversion: &mut DownConversion<'_>,
    unreadable: Unreadable<'_>,
) -> Result<(), ErrorCode> {
    let (mut position, mut left, mut wanted) = (range.position, range.length, STEP_BYTES);
    let mut buffer = Vec::new();
    while left > 0 && !conversion.is_full() {
        buffer.resize(left.min(wanted) as usize, 0);
        range.file.read_exact_at(&mut buffer, position).map_err(|error| {
            tracing::warn!(%error, position, "records cannot be read for a fetch of an old version");
            if let Some(errno) = Errno::from_io_error(&error) {
                unreadable(&range.file, errno);
            }
            ErrorCode::KafkaStorageError
        })?;
        let taken = conversion.take(&buffer).map_err(|error| refused(&error))? as u64;
        (position, left, wanted) = (position + taken, left - taken, STEP_BYTES);
        if taken == 0 && !conversion.is_full() {
            let length = buffer.get(8..LOG_OVERHEAD).and_then(<[u8]>::first_chunk);
            let size =
                length.map_or(0, |length| u64::from(u32::from_be_bytes(*length))) + LOG_OVERHEAD as u64;
            // The range ends within a batch, or this one is larger than a step.
            if size > left || size <= buffer.len() as u64 {
                return Ok(());
            }
            wanted = size;
        }
    }
    Ok(())
}

/// Kafka's code, and for records that are broken a line.
fn refused(error: &DownConversionError) -> ErrorCode {
    if let DownConversionError::Zstd(_) = error {
        return ErrorCode::UnsupportedCompressionType;
    }
    tracing::warn!(%error, "records cannot be converted for a fetch of an old version");
    ErrorCode::CorruptMessage
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use protocol::offset::Offset;

    use super::*;

    #[test]
    fn an_answer_takes_no_more_memory_than_there_is() {
        let large = RequestMemory::new(128 << 20);
        assert_eq!(claim(&large, ANSWER_BYTES).1, ANSWER_BYTES);
        let small = RequestMemory::new(1 << 20);
        let (claimed, bytes) = claim(&small, ANSWER_BYTES);
        assert_eq!(bytes, 1 << 20);
        let drawn = small.try_draw(claimed).unwrap();
        assert!(drawn.is_some() && small.bytes_left() <= 64 << 10);
    }

    #[test]
    fn a_file_that_the_disk_does_not_give_is_told() {
        // The system has nothing there, and says so as of an ill disk.
        let nothing = Arc::new(File::open("/proc/self/mem").unwrap());
        let range = FileRange { file: nothing, position: 0, length: 1000 };
        let mut scratch = DownScratch::default();
        let room = DownRoom { bytes: 1000, first: 1000, cut: false };
        let mut conversion = DownConversion::new(1, Offset(0), room, DECOMPRESSED_BYTES_MAX, &mut scratch);
        let told = Cell::new(None);
        let taken = take_range(&range, &mut conversion, &|_, errno| told.set(Some(errno)));
        assert_eq!((taken, told.get()), (Err(ErrorCode::KafkaStorageError), Some(Errno::IO)));
    }
}
