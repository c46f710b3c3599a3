//! The records of versions 0 to 3: batches become message sets of format v0 or v1, in memory (KIP-31, KIP-32, KIP-283).
//!
//! Runs on a thread where work may take its time, a few answers at once of each log directory. A set ends where its reader's bound or the
//! answer's is reached, and the next fetch goes on from there. Readers of versions 0 to 2 ask for so many bytes of each
//! partition and no more, and are shown the beginning of a message that is larger; version 3 sends a first one whole.
//!
//! deviation: of a batch that is larger than a reader of versions 0 to 2 asks for, the messages that fit are sent.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::id::DirectoryId;
use protocol::offset::Offset;
use protocol::records::batch::LOG_OVERHEAD;
use protocol::records::legacy::{DownConversion, DownConversionError, DownRoom, DownScratch};
use rustix::io::Errno;

use super::WAIT_DISK_MAX;
use super::answer::PartitionAnswer;
use super::read::{PartitionRead, Reading, find};
use super::request::Limits;
use crate::Broker;
use crate::net::FileRange;
use crate::runtime::cold_reads::within;
use crate::runtime::request_memory::{Claim, Drawn, RequestMemory};
use crate::runtime::unreadable_files;
use crate::runtime::watched_work::{WatchedReads, watch};

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
/// more, as others might wait for what it holds: its answer is short then. A conversion under way is waited for however long it
/// takes, unless one of its reads hangs: what it has in its hands then is bounded by how many there may be of a directory.
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
    let mut room = Room::new(&reading, &limits, (bytes, version));
    let mut scratch = DownScratch::default();
    for part in parts {
        let Some(place) = begun.take().or_else(|| broker.conversions.try_begin(part.directory)) else {
            // It holds memory, and does not wait with it: the reader comes again.
            part.sources.iter().for_each(|source| reading.partitions[source.place].leave_out());
            continue;
        };
        let places: Vec<_> = part.sources.iter().map(|source| source.place).collect();
        let (broker, before) = (broker.clone(), room);
        let converted = watch(WAIT_DISK_MAX, move |reads| {
            let unreadable = |file: &File, errno| unreadable_files::note(&broker.log_dirs, file, errno);
            let files = Files { reads, unreadable: &unreadable };
            let mut making = Making { room: before, scratch };
            let sets: Vec<_> =
                part.sources.iter().map(|source| (source.place, making.set(source, &files))).collect();
            // Only now may another one begin: as long as a disk hangs, so many threads wait for it and no more.
            drop(place);
            (sets, making)
        });
        match converted.await {
            Some((sets, making)) => {
                for (place, set) in sets {
                    reading.partitions[place].take_set(set);
                }
                Making { room, scratch } = making;
            }
            None => {
                places.into_iter().for_each(|place| reading.partitions[place].leave_out());
                drawn = still_held(drawn, &reading);
                // What is left of the answer makes do without.
                (room, scratch) = (Room { share: PARTITION_BYTES_MIN, ..before }, DownScratch::default());
            }
        }
    }
    (reading, drawn)
}

/// What an answer goes on holding that a disk has held up: nothing, as others may wait for it, unless some of the answer has
/// been made. That is in memory until a reader has taken it, who may be slow.
fn still_held(drawn: Drawn, reading: &Reading) -> Drawn {
    let mut sets = reading.partitions.iter().filter_map(|read| read.answer.in_memory.as_ref());
    drawn.filter(|_| sets.any(|set| !set.is_empty()))
}

/// Partitions with records that follow one another and lie in one directory.
struct Part {
    directory: DirectoryId,
    sources: Vec<Source>,
}

fn parts(broker: &Broker, reading: &Reading) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (place, read) in reading.partitions.iter().enumerate() {
        let Some(source) = Source::of(place, read) else { continue };
        let topic = find(broker, &read.wanted.key.topic);
        let replica = topic.as_ref().and_then(|topic| topic.get(read.wanted.key.partition));
        // One that has gone meanwhile leaves its files to who reads them.
        let directory = replica.map_or(DirectoryId::ZERO, |replica| replica.directory().id());
        match parts.last_mut().filter(|part| part.directory == directory) {
            Some(part) => part.sources.push(source),
            None => parts.push(Part { directory, sources: vec![source] }),
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

/// How a conversion comes by the bytes of files.
struct Files<'f> {
    /// What it reads by.
    reads: &'f WatchedReads,
    /// Hears of a file that cannot be read.
    unreadable: &'f dyn Fn(&File, Errno),
}

/// What a set is made of.
struct Source {
    /// Which of the partitions it is of.
    place: usize,
    range: FileRange,
    /// The first offset that is wanted.
    from: Offset,
    /// The most bytes that the reader takes of it.
    bytes_max: usize,
}

impl Source {
    fn of(place: usize, read: &PartitionRead) -> Option<Self> {
        let bytes_max = usize::try_from(read.wanted.bytes_max).unwrap_or(0);
        Some(Self { place, range: read.answer.records.clone()?, from: read.wanted.fetch_offset, bytes_max })
    }
}

/// What there is room for in an answer.
#[derive(Clone, Copy)]
struct Room {
    magic: i8,
    /// Whether a message over the bound is shown up to there.
    cut: bool,
    /// What the reader still takes.
    left: usize,
    /// What there is memory for: of each partition, or of all that are left.
    share: usize,
    first_whole: bool,
}

impl Room {
    fn new(reading: &Reading, limits: &Limits, (bytes, version): (usize, i16)) -> Self {
        let cut = version < ANSWER_BOUND_SINCE;
        let count = reading.partitions.iter().filter(|read| read.answer.records.is_some()).count().max(1);
        Self {
            magic: if version < TIMESTAMPS_SINCE { 0 } else { 1 },
            cut,
            left: usize::try_from(limits.bytes_max).unwrap_or(0),
            share: if cut { (bytes / count).max(PARTITION_BYTES_MIN) } else { bytes },
            first_whole: !cut,
        }
    }

    /// Once so many bytes have been made.
    fn less(self, bytes: usize) -> Self {
        Self {
            left: self.left.saturating_sub(bytes),
            share: if self.cut { self.share } else { self.share.saturating_sub(bytes) },
            first_whole: self.first_whole && bytes == 0,
            ..self
        }
    }
}

/// An answer in the making.
struct Making {
    room: Room,
    scratch: DownScratch,
}

impl Making {
    fn set(&mut self, source: &Source, files: &Files<'_>) -> Result<Vec<u8>, ErrorCode> {
        let Room { magic, cut, left, share, first_whole } = self.room;
        let most = source.bytes_max.min(left);
        let first = if first_whole { usize::MAX } else { most };
        let room = DownRoom { bytes: most.min(share), first, cut };
        let mut conversion =
            DownConversion::new(magic, source.from, room, DECOMPRESSED_BYTES_MAX, &mut self.scratch);
        take_range(&source.range, &mut conversion, files)?;
        let set = conversion.finish();
        self.room = self.room.less(set.len());
        Ok(set)
    }
}

impl PartitionRead {
    /// Answers with a message set in place of the records.
    fn take_set(&mut self, set: Result<Vec<u8>, ErrorCode>) {
        match set {
            Ok(set) => (self.answer.records, self.answer.in_memory) = (None, Some(set)),
            Err(code) => self.answer = PartitionAnswer::error(self.answer.index, code),
        }
    }
}

/// Reads the batches of a range until the set is full, a step at a time.
fn take_range(
    range: &FileRange,
    conversion: &mut DownConversion<'_>,
    files: &Files<'_>,
) -> Result<(), ErrorCode> {
    let (mut position, mut left, mut wanted) = (range.position, range.length, STEP_BYTES);
    let mut buffer = Vec::new();
    while left > 0 && !conversion.is_full() {
        buffer.resize(left.min(wanted) as usize, 0);
        // Who waits for nothing any more is brought nothing.
        let Some(read) = files.reads.read(|| range.file.read_exact_at(&mut buffer, position)) else { break };
        read.map_err(|error| {
            tracing::warn!(%error, position, "records cannot be read for a fetch of an old version");
            if let Some(errno) = Errno::from_io_error(&error) {
                (files.unreadable)(&range.file, errno);
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

    use protocol::id::{LeaderEpoch, PartitionIndex};

    use super::*;
    use crate::runtime::fetch_sessions::{PartitionKey, TopicKey, Wanted};
    use crate::runtime::watched_work::ReadSince;

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

    /// What is made of a file that the system has nothing of, which it says as of an ill disk; and what is told of that.
    fn made_of_nothing(reads: &WatchedReads) -> (Result<Vec<u8>, ErrorCode>, Option<Errno>) {
        let file = Arc::new(File::open("/proc/self/mem").unwrap());
        let range = FileRange { file, position: 0, length: 1000 };
        let source = Source { place: 0, range, from: Offset(0), bytes_max: 1000 };
        let room = Room { magic: 1, cut: false, left: 1000, share: 1000, first_whole: false };
        let told = Cell::new(None);
        let unreadable = |_: &File, errno| told.set(Some(errno));
        let files = Files { reads, unreadable: &unreadable };
        let set = Making { room, scratch: DownScratch::default() }.set(&source, &files);
        (set, told.get())
    }

    #[test]
    fn a_file_that_the_disk_does_not_give_is_told() {
        let since = Arc::new(ReadSince::default());
        let made = made_of_nothing(&WatchedReads::noted_by(&since));
        assert_eq!(made, (Err(ErrorCode::KafkaStorageError), Some(Errno::IO)));
    }

    #[test]
    fn what_an_answer_has_made_already_is_accounted_for_when_a_disk_holds_up_the_rest() {
        let memory = RequestMemory::new(1 << 20);
        let mut reading = Reading::new(0);
        for partition in [0, 1] {
            let wanted = Wanted {
                key: PartitionKey { topic: TopicKey::Name("t".into()), partition: PartitionIndex(partition) },
                current_leader_epoch: LeaderEpoch::NONE,
                fetch_offset: Offset(0),
                last_fetched_epoch: LeaderEpoch::NONE,
                bytes_max: 1,
            };
            reading.partitions.push(PartitionRead::unknown(wanted, ErrorCode::None));
        }
        reading.partitions[1].leave_out();
        let (claim, bytes) = claim(&memory, 1 << 19);
        let free = memory.bytes_left();
        let held = still_held(memory.try_draw(claim).unwrap(), &reading);
        assert!(held.is_none() && memory.bytes_left() == free, "nothing has been made");
        reading.partitions[0].take_set(Ok(vec![7; 100]));
        let held = still_held(memory.try_draw(claim).unwrap(), &reading);
        assert!(held.is_some() && memory.bytes_left() <= free + (64 << 10) - bytes, "a set is to be sent");
    }

    #[test]
    fn what_nobody_waits_for_is_not_read() {
        let nobody = WatchedReads::noted_by(&Arc::default());
        assert_eq!(made_of_nothing(&nobody), (Ok(Vec::new()), None));
    }
}
