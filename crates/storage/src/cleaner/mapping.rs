//! The first way through: the dirty part of a log into the map of last offsets, as much of it as the map takes.

use partition::compaction::dirty::Cleanable;
use partition::compaction::{CleanedTransactions, DigestKey, OffsetMap};
use protocol::offset::{LastOffset, Offset};

use super::filter::Filter;
use super::source::SourceBatches;
use super::{CleanError, Run};
use crate::disk::Disk;
use crate::fault::Fault;
use crate::log::Source;
use crate::log_dirs::whole;

impl<D: Disk> Run<'_, D> {
    /// Reads from the first dirty offset on until all that may be cleaned is mapped, or the map is full.
    pub(super) fn build_map(
        &mut self,
        cleanable: &Cleanable,
        filter: &mut Filter,
    ) -> Result<OffsetMap, CleanError> {
        let (first, end) = (cleanable.first_dirty, cleanable.first_uncleanable);
        let records = u64::try_from(end.0.saturating_sub(first.0)).unwrap_or(0);
        // Nobody who chooses keys may know what they are hashed with.
        let key = DigestKey(uuid::Uuid::new_v4().as_u128());
        let mut map = OffsetMap::new(key, self.options.map_bytes, self.options.map_load, records);
        let mut transactions = CleanedTransactions::default();
        let bases = {
            let mut log = whole(self.log)?;
            transactions.add(log.aborted_between(first, end)?);
            log.bases(first, end)
        };
        for (index, base) in bases.iter().enumerate() {
            let source = whole(self.log)?.source(*base, first)?;
            // Retention may have been faster.
            let Some(source) = source else { continue };
            if !self.map_segment(&source, first, (&mut map, &mut transactions), filter)? {
                break;
            }
            // Behind the last record there may be a gap up to the next segment.
            let next = bases.get(index + 1).copied().unwrap_or(end);
            map.reached(LastOffset(next.0 - 1));
        }
        Ok(map)
    }

    /// Maps a segment; `false` once the map is full.
    fn map_segment(
        &mut self,
        source: &Source<D>,
        first: Offset,
        (map, transactions): (&mut OffsetMap, &mut CleanedTransactions),
        filter: &mut Filter,
    ) -> Result<bool, CleanError> {
        let disk = self.disk.clone();
        let cap = self.config.append.decompressed_batch_bytes_max;
        let mut batches = SourceBatches::new(&disk, source, self.options.buffer_bytes);
        while let Some((position, bytes)) = batches.next_batch()? {
            self.go_on(bytes.len())?;
            self.report.map_bytes_read += bytes.len() as u64;
            let mut full = false;
            let work = &mut self.work;
            work.note(bytes.len());
            let put = |offset: Offset, key: Option<&[u8]>| {
                work.note(key.map_or(0, <[u8]>::len));
                let Some(key) = key.filter(|_| offset >= first && !full) else { return };
                full = !map.put(key, offset);
            };
            let last = filter.keys(transactions, bytes, cap, put).map_err(|reason| {
                let reason = format!("compaction cannot read it: {reason}");
                Fault::corrupt(&source.path, u64::from(position), reason)
            })?;
            if full {
                return Ok(false);
            }
            if Offset(last.0) >= first {
                map.reached(last);
            }
        }
        Ok(true)
    }
}
