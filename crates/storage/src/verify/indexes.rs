//! The indexes of one segment, held against its batches.

use std::path::Path;

use protocol::id::ProducerId;
use protocol::offset::Offset;

use super::entries::Entries;
use super::history::{Aborted, History};
use super::segment::{Place, Read, Reading};
use super::{MADE_AGAIN, Report};
use crate::checkpoint;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::names::SegmentFile;
use crate::transaction_index;

/// An index: its file, the width of an entry, whether one may follow another, what else is checked of one.
type Index = (SegmentFile, usize, Follows, Check);

const INDEXES: [Index; 3] = [
    (SegmentFile::OffsetIndex, 8, offset_follows, offsets),
    (SegmentFile::TimeIndex, 12, time_follows, times),
    (SegmentFile::TransactionIndex, transaction_index::ENTRY, transaction_follows, transactions),
];

/// The places that the indexes of a segment name: of all its batches only these are kept in mind. An index that is not
/// in order is no index from there on: it may be two gigabytes of anything.
#[derive(Default)]
pub(super) struct Named {
    /// In order.
    positions: Vec<i64>,
    offsets: Vec<i64>,
}

impl Named {
    /// Reads the indexes there are.
    pub(super) fn read<D: Disk>(
        disk: &D,
        (directory, base): (&Path, Offset),
        kinds: &[SegmentFile],
    ) -> Result<Self, Fault> {
        let mut named = Self::default();
        for (kind, width, follows, _) in INDEXES.into_iter().filter(|(kind, ..)| kinds.contains(kind)) {
            let Some(mut entries) = Entries::open(disk, kind.path(directory, base), width)? else { continue };
            let mut before = Vec::new();
            while let Some((_, entry)) = entries.next_entry()?.filter(|(_, entry)| entry.len() == width) {
                if !before.is_empty() && !follows(&before, entry) {
                    break;
                }
                match kind {
                    SegmentFile::OffsetIndex => named.positions.push(number(&entry[4..])),
                    SegmentFile::TimeIndex => named.offsets.push(offset_at(base, &entry[8..])),
                    _ => named.offsets.push(aborted(entry).last.0),
                }
                before.clear();
                before.extend_from_slice(entry);
            }
        }
        for places in [&mut named.positions, &mut named.offsets] {
            places.sort_unstable();
            places.dedup();
        }
        Ok(named)
    }

    /// Whether an index says something of this batch.
    pub(super) fn holds(&self, place: &Place) -> bool {
        let next = self.offsets.partition_point(|offset| *offset < place.base.0);
        self.positions.binary_search(&i64::from(place.position)).is_ok()
            || self.offsets.get(next).is_some_and(|offset| *offset <= place.last.0)
    }
}

/// Checks the indexes there are.
pub(super) fn verify<D: Disk>(
    disk: &D,
    (reading, history): (&Reading<'_>, &History),
    read: &Read,
    report: &mut Report,
) -> Result<(), Fault> {
    let mut told = Vec::new();
    for (kind, width, _, check) in INDEXES.into_iter().filter(|(kind, ..)| reading.kinds.contains(kind)) {
        let path = kind.path(reading.directory, reading.base);
        let Some(mut entries) = Entries::open(disk, path.clone(), width)? else { continue };
        let mut before = Vec::new();
        while let Some((position, entry)) = entries.next_entry()? {
            let wrong = match entry.len() == width {
                true => check(reading.base, (&before[..], entry), read).or_else(|| {
                    if kind != SegmentFile::TransactionIndex {
                        return None;
                    }
                    let aborted = aborted(entry);
                    told.push(aborted);
                    history.is_whole().then(|| without_marker(&aborted, (read, history))).flatten()
                }),
                false => Some(format!("{} bytes where an entry has {width}", entry.len())),
            };
            if let Some(what) = wrong {
                report.note(&path, (Some(position), None), what, MADE_AGAIN);
                break;
            }
            before.clear();
            before.extend_from_slice(entry);
        }
    }
    let told_of = |known: &Aborted| {
        told.iter().find(|told| told.producer_id == known.producer_id && told.last == known.last)
    };
    // After a crash the next start makes the entries of what lies behind the recovery point.
    let mut made_at_start = None;
    if !reading.clean && history.aborted().iter().any(|known| told_of(known).is_none()) {
        made_at_start = Some(super::checkpointed(disk, reading.directory, checkpoint::RECOVERY_POINT)?);
    }
    let lacking = history.aborted().iter().find(|known| match told_of(known) {
        Some(told) => told.first > known.first,
        None => made_at_start.is_none_or(|from| known.last < from),
    });
    if let Some(Aborted { producer_id, first, last }) = lacking.filter(|_| history.is_whole()) {
        let path = SegmentFile::TransactionIndex.path(reading.directory, reading.base);
        let what = format!(
            "producer {producer_id} aborted at offset {last} what it had written since {first}, and there is no entry for it: \
             readers of committed records see it"
        );
        report.note(&path, (None, Some(*last)), what, MADE_AGAIN);
    }
    Ok(())
}

/// The transaction an entry tells of.
fn aborted(entry: &[u8]) -> Aborted {
    Aborted {
        producer_id: ProducerId(number(&entry[2..10])),
        first: Offset(number(&entry[10..18])),
        last: Offset(number(&entry[18..26])),
    }
}

/// Compaction may have taken the marker away; something else must not be in its place.
fn without_marker(told: &Aborted, (read, history): (&Read, &History)) -> Option<String> {
    let Aborted { producer_id, last, .. } = told;
    let wrong = read.place_of(*last).is_some() && !history.has_marker(*producer_id, *last);
    wrong.then(|| {
        format!("producer {producer_id} is said to have aborted at offset {last}, where no marker says so")
    })
}

/// Whether an entry may follow another.
type Follows = fn(&[u8], &[u8]) -> bool;

fn offset_follows(before: &[u8], entry: &[u8]) -> bool {
    number(&before[..4]) < number(&entry[..4]) && number(&before[4..]) < number(&entry[4..])
}

fn time_follows(before: &[u8], entry: &[u8]) -> bool {
    number(&before[..8]) <= number(&entry[..8]) && number(&before[8..]) <= number(&entry[8..])
}

fn transaction_follows(before: &[u8], entry: &[u8]) -> bool {
    number(&before[18..26]) <= number(&entry[18..26])
}

/// The offset that lies so far behind a base; of a broken index it may lie beyond all there are.
fn offset_at(base: Offset, relative: &[u8]) -> i64 {
    base.0.saturating_add(number(relative))
}

/// What is wrong with an entry that follows another.
type Check = fn(Offset, (&[u8], &[u8]), &Read) -> Option<String>;

fn number(bytes: &[u8]) -> i64 {
    let mut whole = [0; 8];
    whole[8 - bytes.len()..].copy_from_slice(bytes);
    i64::from_be_bytes(whole)
}

fn offsets(base: Offset, (before, entry): (&[u8], &[u8]), read: &Read) -> Option<String> {
    let (offset, position) = (offset_at(base, &entry[..4]), number(&entry[4..]));
    if !before.is_empty() && !offset_follows(before, entry) {
        return Some(format!("offset {offset} at position {position} follows a later entry"));
    }
    let found = read.places.binary_search_by_key(&position, |place| i64::from(place.position));
    match found {
        Ok(index) if read.places[index].base.0 <= offset => None,
        Ok(index) => {
            let begins = read.places[index].base;
            Some(format!("offset {offset} is said to lie at position {position}, where {begins} begins"))
        }
        Err(_) if !read.whole => None,
        Err(_) => {
            Some(format!("offset {offset} is said to lie at position {position}, where no batch begins"))
        }
    }
}

fn times(base: Offset, (before, entry): (&[u8], &[u8]), read: &Read) -> Option<String> {
    let (timestamp, offset) = (number(&entry[..8]), offset_at(base, &entry[8..]));
    if !before.is_empty() && !time_follows(before, entry) {
        return Some(format!("timestamp {timestamp} of offset {offset} follows a later entry"));
    }
    let last = read.last?;
    if read.whole && (offset > last.0 || timestamp > read.largest.0) {
        return Some(format!("timestamp {timestamp} of offset {offset}, and the log has none so late"));
    }
    let place =
        read.place_of(Offset(offset)).filter(|place| place.exact && place.timestamp.0 != timestamp)?;
    Some(format!("timestamp {timestamp} of offset {offset}, whose batch has {}", place.timestamp))
}

fn transactions(_: Offset, (before, entry): (&[u8], &[u8]), _: &Read) -> Option<String> {
    let (version, first, last) = (number(&entry[..2]), number(&entry[10..18]), number(&entry[18..26]));
    if version != 0 {
        return Some(format!("an entry of version {version}, and 0 is known"));
    }
    if first > last || (!before.is_empty() && !transaction_follows(before, entry)) {
        return Some(format!("a transaction from offset {first} to {last} out of order"));
    }
    let stable = number(&entry[26..]);
    if stable > last.saturating_add(1) {
        return Some(format!("a transaction that ends at offset {last} and made all stable up to {stable}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn of_an_index_that_is_no_index_little_is_kept_in_mind() {
        let temp = tempfile::tempdir().unwrap();
        let base = Offset(i64::MAX - 5);
        let garbage: Vec<u8> =
            (0..1 << 20).map(|at: u32| (at.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
        let kinds = [SegmentFile::OffsetIndex, SegmentFile::TimeIndex, SegmentFile::TransactionIndex];
        for kind in kinds {
            std::fs::write(kind.path(temp.path(), base), &garbage).unwrap();
        }
        let named = Named::read(&RealDisk, (temp.path(), base), &kinds).unwrap();
        let count = named.positions.len() + named.offsets.len();
        assert!(count < 100, "{count} of {} bytes", 3 * garbage.len());
    }

    #[test]
    fn an_index_that_is_gone_names_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let named = Named::read(&RealDisk, (temp.path(), Offset(0)), &[SegmentFile::OffsetIndex]).unwrap();
        assert!(named.positions.is_empty());
    }
}
