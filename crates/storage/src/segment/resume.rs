//! A place in a segment where recovery may begin: how it is taken down, held against the files after a crash, and taken
//! up again.

use protocol::offset::Offset;
use protocol::records::batch::BATCH_OVERHEAD;
use protocol::records::checksum::crc32c;

use super::{Largest, Segment};
use crate::disk::Disk;
use crate::fault::Fault;
use crate::resume_point::ResumePoint;
use crate::whole_file::read_up_to;

impl<D: Disk> Segment<D> {
    /// The place behind the last batch, which ends before `end`, with all index entries up to there written; it counts once
    /// log and indexes are on stable storage. `None` where there is no batch, or where it takes a long walk to find the last.
    pub fn resume_point(&mut self, end: Offset) -> Result<Option<ResumePoint>, Fault> {
        let recent = self.recent.last().filter(|last| last.position + last.size == self.size);
        let last = match recent {
            Some(last) => Some(last.position),
            None => self.with_indexes(Self::last_span_at_hand)?.map(|span| span.position),
        };
        let Some(last) = last else { return Ok(None) };
        let largest = self.largest()?;
        let indexes = self.indexes();
        indexes.offsets.entries().write_pending()?;
        indexes.times.entries().write_pending()?;
        indexes.transactions.entries().write_pending()?;
        let entries = [
            indexes.offsets.entries().count()?,
            indexes.times.entries().count()?,
            indexes.transactions.entries().count()?,
        ];
        let (base, position) = (self.base, self.size);
        let header = self.header_digest(last, position)?;
        let last_entries = self.last_entries(entries)?;
        let point = header.zip(last_entries).map(|(header, last_entries)| ResumePoint {
            base,
            offset: end,
            position,
            last,
            header,
            entries,
            last_entries,
            largest,
        });
        Ok(point)
    }

    /// Whether the files are such that recovery can begin at `point`: the last batch before it is the one that was there,
    /// and so are the last entries of the indexes.
    pub fn is_resumable(&mut self, point: &ResumePoint) -> Result<bool, Fault> {
        if self.size < point.position || point.last >= point.position {
            return Ok(false);
        }
        let header = self.header_digest(point.last, point.position)?;
        Ok(header == Some(point.header) && self.last_entries(point.entries)? == Some(point.last_entries))
    }

    /// Takes the segment up at a point that holds: it ends there, and what follows is to be noted.
    pub fn resume(&mut self, point: &ResumePoint) -> Result<(), Fault> {
        self.recent.clear();
        self.known.clear();
        let [offsets, times, transactions] = point.entries;
        let indexes = self.indexes();
        indexes.offsets.entries().resume(offsets);
        indexes.times.resume(times)?;
        indexes.transactions.entries().resume(transactions);
        (self.largest, self.first_timestamp) = (Largest::of(point.largest, self.base), None);
        (self.bytes_since_entry, self.size, self.unfinished) = (0, point.position, true);
        self.broken = false;
        // What was there before is as it was found; what follows is checked on the way.
        self.unchecked_to = point.position;
        Ok(())
    }

    fn header_digest(&self, start: u32, end: u32) -> Result<Option<u32>, Fault> {
        let mut bytes = [0; BATCH_OVERHEAD];
        let header = &mut bytes[..BATCH_OVERHEAD.min((end - start) as usize)];
        let (file, path) = (self.log.open()?, self.log.path());
        let read = read_up_to(self.log.disk(), &file, header, u64::from(start))
            .map_err(|error| Fault::io("read", &path, error))?;
        Ok((read == header.len()).then(|| crc32c(header)))
    }

    /// The checksum of the last of so many entries of each index; `None` if there are not so many.
    fn last_entries(&mut self, [offsets, times, transactions]: [u32; 3]) -> Result<Option<u32>, Fault> {
        let indexes = self.indexes();
        let mut bytes = Vec::new();
        let found = indexes.offsets.entries().last_of(offsets, &mut bytes)?
            && indexes.times.entries().last_of(times, &mut bytes)?
            && indexes.transactions.entries().last_of(transactions, &mut bytes)?;
        Ok(found.then(|| crc32c(&bytes)))
    }
}
