//! Which part of which segment a reader gets: whole batches, within its bounds, from one file.

use std::sync::Arc;

use protocol::id::Timestamp;
use protocol::offset::Offset;

use super::Segments;
use crate::disk::{Disk, RealDisk};
use crate::fault::Fault;
use crate::segment::Segment;

/// A part of a log file: what a fetch sends.
pub struct ReadSlice<D: Disk = RealDisk> {
    /// The open log file, for sendfile.
    pub file: Arc<D::File>,
    /// The base offset of its segment.
    pub base: Offset,
    /// Where the slice begins in it.
    pub position: u64,
    /// How long it is; 0 if there is nothing to read, or the first batch alone is more than asked for.
    pub length: u32,
    /// The bytes of the first batch, which holds the offset asked for; 0 if there is none.
    pub first_batch: u32,
    /// How many bytes of the log lie behind the beginning of the slice: what was appended since.
    pub behind: u64,
    /// When it was written, at the earliest, where that is not long ago.
    pub written: Option<Timestamp>,
    /// Where its segment ends.
    pub segment_end: u32,
    /// Whether all of it was written or checked by this process.
    pub checked: bool,
    /// Whether what lies right before it was read and found good: its reader goes on in order.
    pub in_order: bool,
    /// Whether the reader may read on in a later segment, however little of this one is left.
    pub goes_on: bool,
}

impl<D: Disk> Segments<D> {
    /// The part of one segment that begins with the batch that holds `from` (or the next one there is) and ends before
    /// the batch that holds `end`: at most `bytes_max`, but with `min_one` the first batch whole. `log_end` is the
    /// offset after the last batch.
    pub fn read(
        &mut self,
        from: Offset,
        (end, log_end): (Offset, Offset),
        bytes_max: u32,
        min_one: bool,
    ) -> Result<ReadSlice<D>, Fault> {
        let mut index = self.index_of(from);
        if from < end {
            while index < self.list.count() {
                let in_order = self.comes_in_order(index, from);
                if let Some(first) = self.list.at(index).find_for(from, in_order)? {
                    return self.slice(index, first, (end, log_end), (bytes_max, min_one));
                }
                index += 1;
            }
        }
        let active = self.active();
        let (file, base, segment_end) = (active.file()?, active.base(), active.size());
        Ok(ReadSlice {
            file,
            base,
            position: u64::from(segment_end),
            length: 0,
            first_batch: 0,
            behind: 0,
            written: None,
            segment_end,
            checked: true,
            in_order: false,
            goes_on: false,
        })
    }

    /// An offset not far behind the end of a slice; `None` if that is not known.
    pub fn offset_behind(&mut self, slice: &ReadSlice<D>) -> Result<Option<Offset>, Fault> {
        let index = self.index_of(slice.base);
        let next_base = self.list.base_at(index + 1);
        let end = slice.position.saturating_add(u64::from(slice.length));
        let Ok(end) = u32::try_from(end) else { return Ok(next_base) };
        let behind = self.list.at(index).offset_from_position(end)?;
        Ok(behind.map(|last| Offset(last.0)).or(next_base))
    }

    fn slice(
        &mut self,
        index: usize,
        (position, first_batch): (u32, u32),
        (end, log_end): (Offset, Offset),
        (bytes_max, min_one): (u32, bool),
    ) -> Result<ReadSlice<D>, Fault> {
        let active = self.list.active();
        let end_of_log = active.start() + u64::from(active.size());
        let next_base = self.list.base_at(index + 1);
        let segment = self.list.at(index);
        let behind = end_of_log - (segment.start() + u64::from(position));
        let goes_on = next_base.is_some_and(|next| next <= end);
        let whole = end >= log_end || goes_on;
        let limit = match whole {
            true => segment.size(),
            false => segment.find(end)?.map_or(segment.size(), |(position, _)| position),
        };
        let available = limit.saturating_sub(position);
        let mut length = available.min(bytes_max);
        if length < first_batch {
            length = if min_one { available.min(first_batch) } else { 0 };
        } else if length < available
            && let Some(cut) = segment.batch_end_before(position + length)
            && cut.saturating_sub(position) >= length / 2
            && cut > position
        {
            // Half a batch is of no use to a reader.
            length = cut - position;
        }
        let checked = segment.is_checked(position, position + length);
        let in_order = segment.is_read_to(position);
        let (file, base, segment_end) = (segment.file()?, segment.base(), segment.size());
        let position = u64::from(position);
        Ok(ReadSlice {
            file,
            base,
            position,
            length,
            first_batch,
            behind,
            written: None,
            segment_end,
            checked,
            in_order,
            goes_on,
        })
    }

    /// Whether who asks for the front of a segment seems to have read the one before it.
    fn comes_in_order(&self, index: usize, from: Offset) -> bool {
        let front = self.list.base_at(index).is_some_and(|base| from <= base);
        let known = |before: usize| self.list.all().get(before).is_some_and(Segment::is_known_to_end);
        front && index.checked_sub(1).is_none_or(known)
    }
}
