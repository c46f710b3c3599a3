//! The batches of one segment, read whole.

use std::path::Path;

use metadata::MetadataRecord;
use protocol::id::{LeaderEpoch, Timestamp};
use protocol::offset::{LastOffset, Offset};
use protocol::records::batch::MAGIC_V2;
use protocol::records::batches::{Batch, Batches};
use protocol::records::record::Records;

use super::history::History;
use super::indexes::Named;
use super::{LOST_BATCH, MADE_AGAIN, Report, TORN_TAIL, TORN_TAIL_AT_A_CLEAN_END};
use crate::checkpoint;
use crate::disk::{Access, Disk};
use crate::fault::Fault;
use crate::names::SegmentFile;
use crate::recovery::{self, Next, WholeBatches};

/// Which segment, and what is known about it.
pub(super) struct Reading<'a> {
    pub(super) directory: &'a Path,
    pub(super) base: Offset,
    /// The files it has.
    pub(super) kinds: &'a [SegmentFile],
    /// Where the next segment begins; `None` for the last one.
    pub(super) next: Option<Offset>,
    pub(super) epochs: &'a [(LeaderEpoch, Offset)],
    pub(super) of_metadata: bool,
    /// Whether the next start takes the files as they are.
    pub(super) clean: bool,
}

/// Where a batch begins, and what indexes say of it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) position: u32,
    pub(super) base: Offset,
    pub(super) last: LastOffset,
    /// Its largest timestamp, and whether it is exactly that: of a compressed message of an old format it is not.
    pub(super) timestamp: Timestamp,
    pub(super) exact: bool,
}

/// What was read of a segment.
#[derive(Default)]
pub(super) struct Read {
    /// Those of its batches that an index names, in order.
    pub(super) places: Vec<Place>,
    /// Its last record.
    pub(super) last: Option<LastOffset>,
    /// The largest timestamp.
    pub(super) largest: Timestamp,
    /// Whether all of it could be read.
    pub(super) whole: bool,
    /// Where it ends.
    pub(super) end: Offset,
}

impl Read {
    /// The batch that holds an offset, if an index names that.
    pub(super) fn place_of(&self, offset: Offset) -> Option<&Place> {
        let behind = self.places.partition_point(|place| place.base <= offset);
        let place = self.places.get(behind.checked_sub(1)?)?;
        (place.last.next() > offset).then_some(place)
    }
}

/// Reads every batch; names those that are wrong and goes on behind them where that can be.
pub(super) fn verify<D: Disk>(
    disk: &D,
    (reading, history): (&Reading<'_>, &mut History),
    report: &mut Report,
    progress: &mut dyn FnMut(u64),
) -> Result<Read, Fault> {
    let path = SegmentFile::Log.path(reading.directory, reading.base);
    let file = disk.open(&path, Access::Read).map_err(|error| Fault::io("open", &path, error))?;
    let length = disk.length(&file).map_err(|error| Fault::io("read", &path, error))?;
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let named = Named::read(disk, (reading.directory, reading.base), reading.kinds)?;
    let mut batches = WholeBatches::new(disk, &file, &path, 0, length);
    let mut read = Read { whole: true, largest: Timestamp::NONE, ..Read::default() };
    let (mut next, mut position) = (reading.base, 0);
    loop {
        let place = (Some(u64::from(position)), Some(next));
        let (span, bytes) = match batches.next_whole()? {
            Next::End => break,
            Next::Torn(reason) => {
                if !zeros_from(disk, (&file, &path), position)? {
                    let way_out = match (reading.next, reading.clean) {
                        (Some(_), _) => LOST_BATCH,
                        (None, true) => TORN_TAIL_AT_A_CLEAN_END,
                        (None, false) => TORN_TAIL,
                    };
                    history.break_off();
                    report.note(&path, place, format!("no whole batch: {reason}"), way_out);
                    read.whole = false;
                }
                progress(u64::from(length - position));
                break;
            }
            Next::Batch(span, bytes) => (span, bytes),
        };
        report.batches += 1;
        report.bytes += u64::from(span.size);
        progress(u64::from(span.size));
        if let Err(reason) = recovery::check(&span, bytes, (next, reading.next)) {
            history.break_off();
            report.note(&path, place, reason, LOST_BATCH);
        } else if span.magic == MAGIC_V2 {
            history.reach(span.base_offset, report);
            let wrong = contents(reading, history, bytes);
            if let Some((what, way_out)) = wrong {
                report.note(&path, place, what, way_out);
            }
        }
        let place = Place {
            position: span.position,
            base: span.base_offset,
            last: span.last_offset,
            timestamp: span.max_timestamp,
            exact: span.magic == MAGIC_V2,
        };
        read.places.extend(named.holds(&place).then_some(place));
        read.last = Some(span.last_offset);
        read.largest = read.largest.max(span.max_timestamp);
        (next, position) = (next.max(span.last_offset.next()), span.end());
    }
    read.end = next;
    Ok(read)
}

/// What is wrong with a batch whose checksum is right.
fn contents(reading: &Reading<'_>, history: &mut History, bytes: &[u8]) -> Option<(String, &'static str)> {
    let batch = match Batches::new(bytes).next_batch() {
        Ok(Some(batch)) => batch,
        Ok(None) => return None,
        Err(error) => return Some((error.to_string(), LOST_BATCH)),
    };
    if let Some(what) = history.note(&batch) {
        return Some((what, LOST_BATCH));
    }
    let header = &batch.header;
    let known = reading.epochs.iter().rev().find(|(_, start)| *start <= header.base_offset);
    if let Some((epoch, _)) = known
        && *epoch != header.leader_epoch
        && header.leader_epoch >= LeaderEpoch(0)
    {
        let file = checkpoint::LEADER_EPOCH;
        let what = format!("a batch of leader epoch {}, where {file} says {epoch}", header.leader_epoch);
        return Some((what, MADE_AGAIN));
    }
    let metadata = reading.of_metadata && !header.attributes.is_control();
    metadata.then(|| records(&batch)).flatten().map(|what| (what, super::FROM_ELSEWHERE))
}

/// What is wrong with the records of a batch of the metadata log.
fn records(batch: &Batch<'_>) -> Option<String> {
    let mut records = Records::new(batch.payload(), batch.header.count);
    records.find_map(|record| match record {
        Err(error) => Some(error.to_string()),
        Ok(record) => MetadataRecord::decode(record.value.unwrap_or_default())
            .err()
            .map(|error| format!("a record at offset delta {}: {error}", record.offset_delta)),
    })
}

/// Whether a file holds nothing but zeros from here on, as where its blocks were allocated ahead.
fn zeros_from<D: Disk>(disk: &D, (file, path): (&D::File, &Path), from: u32) -> Result<bool, Fault> {
    let (mut at, mut block) = (u64::from(from), vec![0; 64 << 10]);
    loop {
        let read = disk.pread(file, &mut block, at).map_err(|error| Fault::io("read", path, error))?;
        if read == 0 {
            return Ok(true);
        }
        if block[..read].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += read as u64;
    }
}
