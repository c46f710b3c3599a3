//! Whether the batches a reader is to get are still what was written: each is read whole and held against its checksum.
//!
//! Driven by the broker where bytes come from the disk, or are read for the first time since the process started; what
//! this process wrote itself and what is still in memory is taken at its word (ADR 0008).

use std::path::Path;

use protocol::offset::Offset;
use protocol::records::batch::BATCH_OVERHEAD;

use crate::disk::Disk;
use crate::fault::Fault;
use crate::recovery::{self, Next, WholeBatches};
use crate::scan::BatchSpan;

/// The most that is read at once, but for a larger batch.
const BLOCK_MAX: usize = 1 << 20;

/// What came of a check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RangeCheck {
    /// Up to this position all is good.
    pub good_to: u32,
    /// Up to this one there is nothing more to look at for a reader whose part ends there: a batch that goes on behind it
    /// is of no use to that one.
    pub seen_to: u32,
    /// What is wrong with the batch behind the good ones.
    pub wrong: Option<String>,
}

impl RangeCheck {
    /// What came of the walk over batches of the segment that begins with `base`, which `next` hands out, up to `end`.
    fn walk(
        (start, end): (u32, u32),
        base: Offset,
        mut check: impl FnMut(Offset) -> Result<Option<Result<BatchSpan, String>>, Fault>,
    ) -> Result<Self, Fault> {
        let (mut good_to, mut next) = (start, base);
        while good_to < end {
            let found = check(next)?;
            match found.map(|found| found.and_then(|span| span.belongs(base, next).map(|()| span))) {
                None => break,
                Some(Ok(span)) => (good_to, next) = (span.end(), span.last_offset.next()),
                Some(Err(reason)) => return Ok(Self { good_to, seen_to: good_to, wrong: Some(reason) }),
            }
        }
        Ok(Self { good_to, seen_to: end.max(good_to), wrong: None })
    }
}

/// Checks the batches of a log file from `start`, where one begins, to `end`. One that reaches beyond `end` is not even
/// read: it is left to the reader who gets all of it. Of their segment it is said with which offset it begins and where it
/// ends.
pub fn check_range<D: Disk>(
    disk: &D,
    (file, path): (&D::File, &Path),
    (start, end): (u32, u32),
    (base, segment_end): (Offset, u32),
) -> Result<RangeCheck, Fault> {
    let block = (end.saturating_sub(start) as usize).clamp(1, BLOCK_MAX);
    let mut batches = WholeBatches::new(disk, file, path, start, segment_end).in_blocks_of(block);
    RangeCheck::walk((start, end), base, |next| {
        Ok(match batches.next_up_to(end)? {
            Next::End => None,
            Next::Torn(reason) => Some(Err(reason)),
            Next::Batch(span, bytes) => Some(recovery::check(&span, bytes, (next, None)).map(|()| span)),
        })
    })
}

/// The same of bytes in memory, which lie at `start` in their log file.
pub fn check_bytes(bytes: &[u8], start: u32, (base, segment_end): (Offset, u32)) -> RangeCheck {
    let end = start.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    let mut rest = bytes;
    let walked = RangeCheck::walk((start, end), base, |next| {
        let position = end - rest.len() as u32;
        let span = match BatchSpan::parse(rest, position) {
            Ok(span) if span.end() > segment_end => {
                return Ok(Some(Err(format!("a batch of {} bytes that ends behind the segment", span.size))));
            }
            Ok(span) => span,
            // A header that goes on behind these bytes is that of a batch which does.
            Err(_) if rest.len() < BATCH_OVERHEAD && end < segment_end => return Ok(None),
            Err(reason) => return Ok(Some(Err(reason))),
        };
        let Some((batch, behind)) = rest.split_at_checked(span.size as usize) else { return Ok(None) };
        rest = behind;
        Ok(Some(recovery::check(&span, batch, (next, None)).map(|()| span)))
    });
    walked.expect("nothing is read from a disk")
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
        let segment = (Offset::ZERO, bytes.len() as u32);
        let found = check_range(&RealDisk, (&file, &path), (0, end as u32), segment).unwrap();
        assert_eq!(check_bytes(&bytes[..end], 0, segment).good_to, found.good_to);
        found
    }

    fn found(good_to: usize, seen_to: usize) -> RangeCheck {
        RangeCheck { good_to: good_to as u32, seen_to: seen_to as u32, wrong: None }
    }

    #[test]
    fn a_large_batch_behind_the_range_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0.log");
        let mut builder =
            BatchBuilder::new(BatchOptions { base_offset: Offset(1), ..BatchOptions::default() });
        builder.push(Timestamp(1), None, Some(&vec![0; 4 << 20]), &[]);
        let (one, large) = (batch(0), builder.finish_uncompressed());
        let (end, length) = (one.len() + 5000, one.len() + large.len());
        // What would be missed is not there.
        std::fs::write(&path, &[one.clone(), large].concat()[..end]).unwrap();
        let file = RealDisk.open(&path, Access::Read).unwrap();
        let segment = (Offset::ZERO, length as u32);
        let seen = check_range(&RealDisk, (&file, &path), (0, end as u32), segment).unwrap();
        assert_eq!(seen, found(one.len(), end));
    }

    #[test]
    fn every_flipped_byte_is_found_where_its_batch_begins() {
        let (one, two) = (batch(0), batch(1));
        let whole = [one.clone(), two].concat();
        assert_eq!(checked(&whole, whole.len()), found(whole.len(), whole.len()));
        // The leader epoch is not covered by the checksum, nor is the base offset, of which only so much is known.
        for at in 0..4 {
            let mut rotten = whole.clone();
            rotten[one.len() + at] ^= 0x10;
            assert_eq!(checked(&rotten, rotten.len()).good_to as usize, one.len(), "byte {at}");
        }
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
        assert_eq!(checked(&whole, one + 30), found(one, one + 30));
        // Of its header too a part only.
        assert_eq!(checked(&whole, one + 80), found(one, one + 80));
        assert!(checked(&whole[..whole.len() - 1], whole.len() - 1).wrong.is_some());
    }

    #[test]
    fn offsets_that_go_back_are_wrong() {
        let found = checked(&[batch(1), batch(0)].concat(), batch(0).len() * 2);
        assert!(found.wrong.unwrap().contains("begins with offset 0 where 2 is next"));
    }
}
