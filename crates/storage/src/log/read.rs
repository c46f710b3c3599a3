//! Reading from a log: bounds by the machine, bytes by the segments.

use partition::fetch::{FetchBounds, FetchFrom, FetchRefusal, Isolation};
use partition::transactions::AbortedTransaction;
use protocol::offset::Offset;

use super::{Log, Room};
use crate::disk::{Disk, RealDisk};
use crate::fault::Fault;
use crate::segments::ReadSlice;

/// What a reader gets.
pub struct Fetched<D: Disk = RealDisk> {
    /// What the machine says.
    pub bounds: FetchBounds,
    /// The batches; `None` where there is nothing to read (yet).
    pub slice: Option<ReadSlice<D>>,
    /// For a reader of committed records: the aborted transactions with records among the batches.
    pub aborted: Vec<AbortedTransaction>,
}

/// Why a reader gets nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// The machine refused.
    #[error(transparent)]
    Refused(#[from] FetchRefusal),
    /// The disk failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl<D: Disk> Log<D> {
    /// What a reader that knows `from` gets of the log: at most `bytes_max`, but with `min_one` the first batch whole.
    pub fn fetch(&mut self, from: FetchFrom, bytes_max: u32, min_one: bool) -> Result<Fetched<D>, ReadError> {
        self.check()?;
        let bounds = self.partition.fetch_bounds(from)?;
        let mut fetched = Fetched { bounds, slice: None, aborted: Vec::new() };
        if bounds.diverging.is_some() || from.offset >= bounds.upper {
            return Ok(fetched);
        }
        let slice = self.read(from.offset, bounds.upper, bytes_max, min_one)?;
        if from.isolation == Isolation::LastStableOffset && slice.length > 0 {
            fetched.aborted = self.aborted(from.offset, bounds.upper, &slice)?;
        }
        fetched.slice = Some(slice);
        Ok(fetched)
    }

    /// The batches from the one that holds `from` (or the next there is) up to before the one that holds `upper`.
    pub fn read(
        &mut self,
        from: Offset,
        upper: Offset,
        bytes_max: u32,
        min_one: bool,
    ) -> Result<ReadSlice<D>, Fault> {
        self.make(Room::Reserve)?;
        let log_end = self.partition.watermarks().log_end;
        let slice = self.segments.read(from, (upper, log_end), bytes_max, min_one);
        let slice = self.home.noted(slice)?;
        Ok(ReadSlice { written: self.written.since(from), ..slice })
    }

    /// Notes that a part of a segment, by its base, was read and found good.
    pub fn note_checked(&mut self, base: Offset, part: (u32, u32)) {
        self.segments.note_checked(base, part);
    }

    /// The aborted transactions for a slice, up to an offset that is not far behind its end, as in Kafka.
    fn aborted(
        &mut self,
        from: Offset,
        upper: Offset,
        slice: &ReadSlice<D>,
    ) -> Result<Vec<AbortedTransaction>, Fault> {
        let found = self.segments.offset_behind(slice);
        let end = self.home.noted(found)?.map_or(upper, |behind| behind.min(upper));
        let aborted = self.segments.aborted(from, end);
        self.home.noted(aborted)
    }
}
