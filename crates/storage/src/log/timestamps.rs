//! From a timestamp to an offset (ListOffsets): to the record, within batches and compressed ones too.

use partition::fetch::Isolation;
use protocol::id::{LeaderEpoch, Timestamp};
use protocol::offset::Offset;
use protocol::records::batch::{self, MAGIC_V2, TimestampType};
use protocol::records::batches::{Batch, Batches};
use protocol::records::compression::{Codec, Decompressors, walk_compressed};
use protocol::records::legacy::{self, LegacyError, LegacyScratch};
use protocol::records::walk::{Announced, Seen, SliceCursor, walk_cursor};

use super::Log;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::patience::at_hand;
use crate::scan::BatchSpan;
use crate::segment::{FoundBatch, Segment};
use crate::whole_file::read_up_to;

/// An offset that was asked for by time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoundOffset {
    /// The record's timestamp; `Timestamp::NONE` where an end of the log was asked for.
    pub timestamp: Timestamp,
    /// Its offset.
    pub offset: Offset,
    /// The epoch of the leader that wrote it, if known.
    pub leader_epoch: Option<LeaderEpoch>,
}

/// The end that readers see.
pub const LATEST: Timestamp = Timestamp(-1);
/// The log start.
pub const EARLIEST: Timestamp = Timestamp(-2);
/// The record with the largest timestamp (KIP-734).
pub const MAX_TIMESTAMP: Timestamp = Timestamp(-3);
/// The first record on this broker's own disk (KIP-405).
pub const EARLIEST_LOCAL: Timestamp = Timestamp(-4);

/// To unpack more of a batch is not little work.
const AT_HAND_BYTES_MAX: u64 = 256 << 10;

impl<D: Disk> Log<D> {
    /// The first record as young as `timestamp`, or what one of the special timestamps stands for, as far as a reader of
    /// this isolation sees. `None` if there is no such record.
    pub fn offset_for_timestamp(
        &mut self,
        timestamp: Timestamp,
        isolation: Isolation,
        decompressors: &mut Decompressors,
    ) -> Result<Option<FoundOffset>, Fault> {
        let cap = self.config.append.decompressed_batch_bytes_max;
        let found = self.look_up(timestamp, isolation, (decompressors, cap));
        self.home.noted(found)
    }

    /// The same where it can be told from memory and with little work. `None` where it cannot, and where anything is wrong:
    /// nothing has come of it then, and [`Self::offset_for_timestamp`] is to be asked where waiting holds up nobody.
    pub fn offset_at_hand(
        &mut self,
        timestamp: Timestamp,
        isolation: Isolation,
        decompressors: &mut Decompressors,
    ) -> Option<Option<FoundOffset>> {
        // For the largest one all segments are asked; and the files of a log are made by who may wait.
        if timestamp == MAX_TIMESTAMP || (timestamp.0 >= 0 && self.first.is_some()) {
            return None;
        }
        at_hand(|| self.look_up(timestamp, isolation, (decompressors, AT_HAND_BYTES_MAX))).ok()
    }

    fn look_up(
        &mut self,
        timestamp: Timestamp,
        isolation: Isolation,
        (decompressors, cap): (&mut Decompressors, u64),
    ) -> Result<Option<FoundOffset>, Fault> {
        self.check()?;
        let marks = self.partition.watermarks();
        let upper = match isolation {
            Isolation::LogEnd => marks.log_end,
            Isolation::HighWatermark => marks.high_watermark,
            Isolation::LastStableOffset => self.partition.last_stable_offset(),
        };
        let end =
            |offset, leader_epoch| Some(FoundOffset { timestamp: Timestamp::NONE, offset, leader_epoch });
        let found = match timestamp {
            LATEST => return Ok(end(upper, Some(self.partition.current_leader_epoch()))),
            EARLIEST | EARLIEST_LOCAL => {
                return Ok(end(marks.log_start, self.partition.leader_epochs().epoch_for(marks.log_start)));
            }
            MAX_TIMESTAMP => {
                self.make_if_written()?;
                self.youngest(decompressors, cap)?
            }
            timestamp if timestamp.0 >= 0 => {
                self.make_if_written()?;
                self.first_as_young(timestamp, decompressors, cap)?
            }
            _ => return Ok(None),
        };
        Ok(found.filter(|found| found.offset < upper))
    }

    /// The first offsets of segments, the latest first, that began to be written no later than `timestamp`, and before them
    /// the end of the log if it is not empty behind the last segment's beginning: at most `most`. What clients asked for
    /// before records had timestamps: a segment's time is when its file last changed.
    pub fn segments_before(
        &mut self,
        timestamp: Timestamp,
        most: usize,
        now: Timestamp,
    ) -> Result<Vec<Offset>, Fault> {
        self.check()?;
        self.make_if_written()?;
        let marks = self.partition.watermarks();
        let mut times = Vec::with_capacity(self.segments.iter().len() + 1);
        for segment in self.segments.iter() {
            // A segment without a record may have no file yet.
            let modified = match (timestamp.0, segment.size()) {
                (..0, _) => Ok(now),
                (_, 0) => Ok(segment.created()),
                _ => segment.modified(),
            };
            times.push((segment.base().max(marks.log_start), self.home.noted(modified)?));
        }
        if self.segments.iter().last().is_some_and(|active| active.size() > 0) {
            times.push((marks.log_end, now));
        }
        let until = match timestamp {
            LATEST => times.len(),
            EARLIEST => times.len().min(1),
            // Later segments may have been touched earlier; as in Kafka the last one that is old enough counts.
            _ => times.iter().rposition(|(_, modified)| *modified <= timestamp).map_or(0, |place| place + 1),
        };
        let mut offsets: Vec<_> = times[..until].iter().rev().take(most).map(|(offset, _)| *offset).collect();
        offsets.sort_unstable_by_key(|offset| std::cmp::Reverse(*offset));
        Ok(offsets)
    }

    fn first_as_young(
        &mut self,
        timestamp: Timestamp,
        decompressors: &mut Decompressors,
        cap: u64,
    ) -> Result<Option<FoundOffset>, Fault> {
        let from = self.partition.watermarks().log_start;
        let Some(first) = self.segments.first_segment_as_young(timestamp)? else { return Ok(None) };
        for segment in self.segments.iter_mut().skip(first) {
            if segment.largest()?.is_none_or(|largest| largest.timestamp < timestamp) {
                continue;
            }
            let young = |span: &BatchSpan| span.max_timestamp >= timestamp && span.last_offset.next() > from;
            let mut next = segment.first_as_young(timestamp, from)?;
            while let Some(batch) = next {
                let wanted = |at: Timestamp, offset: Offset| at >= timestamp && offset >= from;
                if let Some(found) = first_record(segment, &batch, (decompressors, cap), wanted)? {
                    return Ok(Some(found));
                }
                next = segment.first_span(batch.end(), young)?;
            }
        }
        Ok(None)
    }

    fn youngest(
        &mut self,
        decompressors: &mut Decompressors,
        cap: u64,
    ) -> Result<Option<FoundOffset>, Fault> {
        let mut youngest = None;
        for (index, segment) in self.segments.iter_mut().enumerate() {
            if let Some(largest) = segment.largest()?
                && youngest.is_none_or(|(_, known): (usize, Timestamp)| largest.timestamp > known)
            {
                youngest = Some((index, largest.timestamp));
            }
        }
        let Some((index, timestamp)) = youngest else { return Ok(None) };
        let Some(segment) = self.segments.iter_mut().nth(index) else { return Ok(None) };
        let Some(largest) = segment.largest()? else { return Ok(None) };
        let start = segment.position_for_offset(Offset(largest.offset.0))?;
        let holds = |span: &BatchSpan| span.last_offset == largest.offset;
        let Some(batch) = segment.first_span(start, holds)? else { return Ok(None) };
        first_record(segment, &batch, (decompressors, cap), |at, _| at >= timestamp)
    }
}

/// The first record of a batch that is wanted.
fn first_record<D: Disk>(
    segment: &Segment<D>,
    FoundBatch { position, size, bytes }: &FoundBatch,
    (decompressors, cap): (&mut Decompressors, u64),
    wanted: impl Fn(Timestamp, Offset) -> bool,
) -> Result<Option<FoundOffset>, Fault> {
    let corrupt = |reason: String| Fault::corrupt(&segment.path(), u64::from(*position), reason);
    let mut read = Vec::new();
    let bytes = match bytes {
        Some(bytes) => bytes,
        None => {
            read.resize(*size as usize, 0);
            let count = read_up_to(segment.disk(), &*segment.file()?, &mut read, u64::from(*position))
                .map_err(|error| Fault::io("read", &segment.path(), error))?;
            &read[..count]
        }
    };
    if batch::magic(bytes).is_some_and(|magic| magic < MAGIC_V2) {
        return first_of_message(bytes, cap, wanted).map_err(|error| corrupt(error.to_string()));
    }
    let batch = Batches::new(bytes).next_batch().map_err(|error| corrupt(error.to_string()))?;
    let batch = batch.ok_or_else(|| corrupt("the file ends here".to_owned()))?;
    let leader_epoch = Some(batch.header.leader_epoch).filter(|epoch| epoch.0 >= 0);
    let mut found = None;
    let see = |_: i32, seen: Seen| {
        if found.is_none() {
            let (timestamp, offset) = place(&batch, seen);
            found = wanted(timestamp, offset).then_some(FoundOffset { timestamp, offset, leader_epoch });
        }
    };
    walk(&batch, decompressors, cap, see).map_err(corrupt)?;
    Ok(found)
}

/// The first record of a message of format v0 or v1, or of those inside of it, that is wanted.
fn first_of_message(
    bytes: &[u8],
    cap: u64,
    wanted: impl Fn(Timestamp, Offset) -> bool,
) -> Result<Option<FoundOffset>, LegacyError> {
    let mut found = None;
    legacy::each_record(bytes, &mut LegacyScratch::default(), cap, |record| {
        let (timestamp, offset) = (record.timestamp, record.offset);
        if found.is_none() && wanted(timestamp, offset) {
            found = Some(FoundOffset { timestamp, offset, leader_epoch: None });
        }
        Ok::<_, LegacyError>(())
    })?;
    Ok(found)
}

fn place(batch: &Batch<'_>, seen: Seen) -> (Timestamp, Offset) {
    let header = &batch.header;
    let timestamp = match header.attributes.timestamp_type() {
        TimestampType::LogAppendTime => header.max_timestamp,
        TimestampType::CreateTime => Timestamp(header.base_timestamp.0.wrapping_add(seen.timestamp_delta)),
    };
    (timestamp, header.base_offset.plus(i64::from(seen.offset_delta)))
}

fn walk(
    batch: &Batch<'_>,
    decompressors: &mut Decompressors,
    cap: u64,
    see: impl FnMut(i32, Seen),
) -> Result<(), String> {
    let header = &batch.header;
    let announced =
        Announced { count: header.count, base_timestamp: header.base_timestamp, record_bytes_max: u32::MAX };
    let walked = match header.attributes.codec() {
        None => return Err("a batch that names no codec there is".to_owned()),
        Some(Codec::None) => {
            walk_cursor(&mut SliceCursor::new(batch.payload()), announced, see).map_err(|e| e.to_string())
        }
        Some(codec) => {
            let mut stream =
                decompressors.start(codec, batch.payload(), cap).map_err(|error| error.to_string())?;
            walk_compressed(&mut stream, announced, see).map_err(|error| error.to_string())
        }
    };
    walked.map(drop)
}
