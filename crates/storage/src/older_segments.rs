//! What a clean end told of the segments of one log, in rows of one width as they stand in `headwater-clean-logs`: of very
//! many segments most are not asked for soon, and until then a row is all there is of each.
//!
//! Nothing here looks at files. [`crate::clean_logs`] reads and writes the rows, [`crate::segments::SegmentList`] makes
//! segments of them.

use protocol::id::Timestamp;
use protocol::offset::{LastOffset, Offset};

use crate::segment::SegmentFacts;
use crate::time_index::TimestampOffset;

/// Bytes of a row: base, size, when it last changed, flags, the largest timestamp and its offset.
pub const ROW: usize = 8 + 4 + 8 + 1 + 8 + 8;

const OFFSET_INDEX: u8 = 1;
const TIME_INDEX: u8 = 2;
const TRANSACTION_INDEX: u8 = 4;
const LARGEST_KNOWN: u8 = 8;
const LARGEST: u8 = 16;

/// A row of a segment.
pub fn row(base: Offset, facts: &SegmentFacts) -> [u8; ROW] {
    let SegmentFacts { size, modified, offset_index, time_index, transaction_index, largest } = *facts;
    let flags = [
        (offset_index, OFFSET_INDEX),
        (time_index, TIME_INDEX),
        (transaction_index, TRANSACTION_INDEX),
        (largest.is_some(), LARGEST_KNOWN),
        (largest.flatten().is_some(), LARGEST),
    ];
    let (timestamp, offset) = largest.flatten().map_or((0, 0), |it| (it.timestamp.0, it.offset.0));
    let mut row = [0; ROW];
    row[..8].copy_from_slice(&base.0.to_be_bytes());
    row[8..12].copy_from_slice(&size.to_be_bytes());
    row[12..20].copy_from_slice(&modified.0.to_be_bytes());
    row[20] = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum();
    row[21..29].copy_from_slice(&timestamp.to_be_bytes());
    row[29..].copy_from_slice(&offset.to_be_bytes());
    row
}

/// What a row says.
pub fn read(row: &[u8; ROW]) -> (Offset, SegmentFacts) {
    let long = |at: usize| i64::from_be_bytes(*row[at..].first_chunk().expect("a row has room for it"));
    let is = |flag| row[20] & flag != 0;
    let largest = TimestampOffset { timestamp: Timestamp(long(21)), offset: LastOffset(long(29)) };
    let facts = SegmentFacts {
        size: u32::from_be_bytes([row[8], row[9], row[10], row[11]]),
        modified: Timestamp(long(12)),
        offset_index: is(OFFSET_INDEX),
        time_index: is(TIME_INDEX),
        transaction_index: is(TRANSACTION_INDEX),
        largest: is(LARGEST_KNOWN).then(|| is(LARGEST).then_some(largest)),
    };
    (Offset(long(0)), facts)
}

/// The segments of a log but for the active one, oldest first.
#[derive(PartialEq, Eq, Debug)]
pub struct OlderSegments {
    rows: Box<[[u8; ROW]]>,
    bytes: u64,
}

impl OlderSegments {
    /// The segments of these rows, of which there is at least one, with so many bytes of batches in all.
    pub fn new(rows: &[[u8; ROW]], bytes: u64) -> Self {
        Self { rows: rows.into(), bytes }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// Bytes of all their batches.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The base of the first one.
    pub fn first_base(&self) -> Offset {
        read(&self.rows[0]).0
    }

    /// The rows as they stand in the file.
    pub fn rows(&self) -> &[u8] {
        self.rows.as_flattened()
    }

    /// The base of the one at this place.
    pub fn base_at(&self, index: usize) -> Option<Offset> {
        self.rows.get(index).map(|row| read(row).0)
    }

    /// What is known of each.
    pub fn iter(&self) -> impl Iterator<Item = (Offset, SegmentFacts)> {
        self.rows.iter().map(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_was_put_into_it() {
        let at = TimestampOffset { timestamp: Timestamp(77), offset: LastOffset(88) };
        for (flags, largest) in [(0, None), (1, Some(None)), (2, Some(Some(at))), (4, None), (7, Some(None))]
        {
            let facts = SegmentFacts {
                size: 5,
                modified: Timestamp(1_700_000_000_000),
                offset_index: flags & 1 != 0,
                time_index: flags & 2 != 0,
                transaction_index: flags & 4 != 0,
                largest,
            };
            assert_eq!(read(&row(Offset(123), &facts)), (Offset(123), facts));
        }
    }
}
