//! Whether the batches a reader is to get are still what was written: each is read whole and held against its checksum.
//!
//! Driven by the broker where bytes come from the disk, or are read for the first time since the process started; what
//! this process wrote itself and what is still in memory is taken at its word (ADR 0008).

use std::path::Path;

use protocol::offset::Offset;

use crate::disk::Disk;
use crate::fault::Fault;
use crate::recovery::{self, Next, WholeBatches};

/// What came of a check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RangeCheck {
    /// Up to this position all is good.
    pub good_to: u32,
    /// What is wrong with the batch there.
    pub wrong: Option<String>,
}

/// Checks the batches of a log file from `start`, where one begins, to `end`. One that reaches beyond `end` is left to
/// the reader who gets all of it.
pub fn check_range<D: Disk>(
    disk: &D,
    (file, path): (&D::File, &Path),
    (start, end, segment_end): (u32, u32, u32),
) -> Result<RangeCheck, Fault> {
    let mut batches = WholeBatches::new(disk, file, path, start, segment_end);
    let (mut good_to, mut next) = (start, Offset::ZERO);
    while good_to < end {
        let wrong = match batches.next_whole()? {
            Next::End => break,
            Next::Torn(reason) => Err(reason),
            Next::Batch(span, _) if span.end() > end => break,
            Next::Batch(span, bytes) => recovery::check(&span, bytes, (next, None)).map(|()| span),
        };
        match wrong {
            Ok(span) => (good_to, next) = (span.end(), span.last_offset.next()),
            Err(reason) => return Ok(RangeCheck { good_to, wrong: Some(reason) }),
        }
    }
    Ok(RangeCheck { good_to, wrong: None })
}

#[cfg(test)]
mod tests {
    use protocol::id::Timestamp;
    use protocol::records::build::{BatchBuilder, BatchOptions};

    use super::*;
    use crate::disk::{Access, RealDisk};

    fn batch(base: i64) -> Vec<u8> {
        let options = BatchOptions { base_offset: Offset(base), ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options);
        builder.push(Timestamp(1), None, Some(b"a value of some length"), &[]);
        builder.finish_uncompressed()
    }

    fn checked(bytes: &[u8], end: usize) -> RangeCheck {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0.log");
        std::fs::write(&path, bytes).unwrap();
        let file = RealDisk.open(&path, Access::Read).unwrap();
        check_range(&RealDisk, (&file, &path), (0, end as u32, bytes.len() as u32)).unwrap()
    }

    #[test]
    fn every_flipped_byte_is_found_where_its_batch_begins() {
        let (one, two) = (batch(0), batch(1));
        let whole = [one.clone(), two].concat();
        assert_eq!(checked(&whole, whole.len()), RangeCheck { good_to: whole.len() as u32, wrong: None });
        // The base offset and the leader epoch of the second batch are not covered by its checksum.
        for at in one.len() + 16..whole.len() {
            let mut rotten = whole.clone();
            rotten[at] ^= 0x10;
            let found = checked(&rotten, rotten.len());
            assert_eq!((found.good_to as usize, found.wrong.is_some()), (one.len(), true), "byte {at}");
        }
    }

    #[test]
    fn a_batch_that_goes_on_behind_the_range_is_left_alone_and_one_behind_the_segment_is_not() {
        let whole = [batch(0), batch(1)].concat();
        let one = whole.len() / 2;
        assert_eq!(checked(&whole, one + 30), RangeCheck { good_to: one as u32, wrong: None });
        assert!(checked(&whole[..whole.len() - 1], whole.len() - 1).wrong.is_some());
    }

    #[test]
    fn offsets_that_go_back_are_wrong() {
        let found = checked(&[batch(1), batch(0)].concat(), batch(0).len() * 2);
        assert!(found.wrong.unwrap().contains("begins with offset 0 where 2 is next"));
    }
}
