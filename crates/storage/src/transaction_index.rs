//! The transaction index of a segment: the transactions that were aborted by a marker in this segment, so that a reader
//! of committed records can skip theirs (KIP-98).
//!
//! An entry is 34 bytes: version 0, producer id, first offset, last offset (the marker's), and the last stable offset as
//! it stood once the transaction had ended.

use partition::transactions::AbortedTransaction;
use protocol::id::ProducerId;
use protocol::offset::{LastOffset, Offset};

use crate::descriptors::LazyFile;
use crate::disk::{Disk, RealDisk};
use crate::entry_file::EntryFile;
use crate::fault::Fault;

/// Bytes of an entry.
pub const ENTRY: usize = 34;
const VERSION: i16 = 0;

/// The transaction index of one segment.
pub struct TransactionIndex<D: Disk = RealDisk> {
    entries: EntryFile<ENTRY, D>,
}

impl<D: Disk> TransactionIndex<D> {
    /// The index of a segment without an aborted transaction: there is no file.
    pub fn absent(file: LazyFile<D>) -> Self {
        Self { entries: EntryFile::absent(file) }
    }

    /// The index that lies on disk.
    pub fn present(file: LazyFile<D>) -> Self {
        Self { entries: EntryFile::present(file) }
    }

    /// The entries, for writing and trimming them.
    pub fn entries(&mut self) -> &mut EntryFile<ENTRY, D> {
        &mut self.entries
    }

    /// Adds a transaction, in memory.
    pub fn push(&mut self, aborted: &AbortedTransaction) {
        let mut entry = [0; ENTRY];
        entry[..2].copy_from_slice(&VERSION.to_be_bytes());
        entry[2..10].copy_from_slice(&aborted.producer_id.0.to_be_bytes());
        entry[10..18].copy_from_slice(&aborted.first_offset.0.to_be_bytes());
        entry[18..26].copy_from_slice(&aborted.last_offset.0.to_be_bytes());
        entry[26..].copy_from_slice(&aborted.last_stable_offset.0.to_be_bytes());
        self.entries.push(entry);
    }

    /// Collects the transactions with records in `from..end`. `true` if later segments hold none of them.
    pub fn collect(
        &mut self,
        from: Offset,
        end: Offset,
        into: &mut Vec<AbortedTransaction>,
    ) -> Result<bool, Fault> {
        let mut complete = false;
        let mut wrong = None;
        // Markers come in order: who reads near the end is not shown all that was ever aborted.
        let ended = self.entries.partition_point(last_offset, from.0.saturating_sub(1))?;
        let mut index = u64::from(ended);
        self.entries.walk(ended, |entry| {
            match read(entry) {
                Ok(aborted) => {
                    if aborted.first_offset < end {
                        into.push(aborted);
                    }
                    complete = aborted.last_stable_offset >= end;
                }
                Err(version) => wrong = Some((index * ENTRY as u64, version)),
            }
            index += 1;
            !complete && wrong.is_none()
        })?;
        match wrong {
            None => Ok(complete),
            Some((position, version)) => {
                let reason = format!("an entry of version {version}; only version {VERSION} is known");
                Err(Fault::corrupt(&self.entries.file().path(), position, reason))
            }
        }
    }

    /// Drops the transactions whose marker is at `end` or later.
    pub fn truncate(&mut self, end: Offset) -> Result<(), Fault> {
        let kept = self.entries.partition_point(last_offset, end.0.saturating_sub(1))?;
        self.entries.keep(kept)
    }
}

fn read(entry: &[u8; ENTRY]) -> Result<AbortedTransaction, i16> {
    let version = i16::from_be_bytes([entry[0], entry[1]]);
    if version != VERSION {
        return Err(version);
    }
    Ok(AbortedTransaction {
        producer_id: ProducerId(i64::from_be_bytes(field(entry, 2))),
        first_offset: Offset(i64::from_be_bytes(field(entry, 10))),
        last_offset: LastOffset(last_offset(entry)),
        last_stable_offset: Offset(i64::from_be_bytes(field(entry, 26))),
    })
}

/// Where the marker lies.
fn last_offset(entry: &[u8; ENTRY]) -> i64 {
    i64::from_be_bytes(field(entry, 18))
}

fn field(entry: &[u8; ENTRY], start: usize) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&entry[start..start + 8]);
    bytes
}
