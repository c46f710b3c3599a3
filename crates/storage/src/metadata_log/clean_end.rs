//! What a clean end says of the metadata log: that it is whole. Then no crash can have torn it, and what is wrong has
//! rotted: to cut it there, as after a crash, would give up every topic that was made since.
//!
//! Looked at before the mark of the clean end is taken away, so that the next start refuses as well. Writes nothing. A metadata
//! directory that is no log directory has no such mark, and nothing is said of it.

use std::path::Path;

use protocol::offset::Offset;

use super::METADATA_DIRECTORY;
use crate::clean_shutdown::CLEAN_SHUTDOWN;
use crate::disk::{Access, Disk};
use crate::fault::Fault;
use crate::names::{FileName, SegmentFile};
use crate::recovery::{Next, WholeBatches, check};
use crate::{snapshots, whole_file};

/// Reads the metadata log of a log directory that was closed cleanly, from the segment of its newest snapshot on.
///
/// # Errors
/// Where a batch is not what was written, with the way out; and faults of the disk.
pub fn check_clean_end<D: Disk>(disk: &D, log_directory: &Path) -> Result<(), Fault> {
    let mark = log_directory.join(CLEAN_SHUTDOWN);
    if whole_file::read(disk, &mark)?.is_none() {
        return Ok(());
    }
    let directory = log_directory.join(METADATA_DIRECTORY);
    let bases = match bases(disk, &directory) {
        Err(fault) if fault.not_found() => return Ok(()),
        other => other?,
    };
    let snapshot = snapshots::list(disk, &directory)?.pop().map_or(Offset::ZERO, |id| id.offset);
    let first = bases.partition_point(|base| *base <= snapshot).saturating_sub(1);
    for (index, base) in bases.iter().enumerate().skip(first) {
        let path = SegmentFile::Log.path(&directory, *base);
        if let Some((position, reason)) = first_wrong(disk, &path, (*base, bases.get(index + 1).copied()))? {
            let reason = format!(
                "{reason}. The node ended cleanly, so this has rotted: put the file back from a backup, or, to give up \
                 what metadata follows and have its partitions set aside, remove {}",
                mark.display()
            );
            return Err(Fault::corrupt(&path, u64::from(position), reason));
        }
    }
    Ok(())
}

/// The segments, in order.
fn bases<D: Disk>(disk: &D, directory: &Path) -> Result<Vec<Offset>, Fault> {
    let entries = disk.list(directory).map_err(|error| Fault::io("list", directory, error))?;
    let base = |name: &str| match FileName::parse(name) {
        FileName::Segment(SegmentFile::Log, base) => Some(base),
        _ => None,
    };
    let mut bases: Vec<_> = entries.iter().filter_map(|entry| base(entry.name.to_str()?)).collect();
    bases.sort_unstable();
    Ok(bases)
}

/// Where a segment is not what was written, and why.
fn first_wrong<D: Disk>(
    disk: &D,
    path: &Path,
    (base, next): (Offset, Option<Offset>),
) -> Result<Option<(u32, String)>, Fault> {
    let file = disk.open(path, Access::Read).map_err(|error| Fault::io("open", path, error))?;
    let length = disk.length(&file).map_err(|error| Fault::io("read", path, error))?;
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let mut batches = WholeBatches::new(disk, &file, path, 0, length);
    let mut end = base;
    loop {
        let position = batches.position();
        let wrong = match batches.next_whole()? {
            Next::End => {
                return Ok(next.filter(|next| end < *next).map(|next| {
                    (position, format!("it ends at offset {end}, and {next} begins the next segment"))
                }));
            }
            Next::Torn(reason) => Some(reason),
            Next::Batch(span, bytes) => {
                let checked = check(&span, bytes, (end, next));
                end = span.last_offset.next();
                checked.err()
            }
        };
        if let Some(reason) = wrong {
            return Ok(Some((position, reason)));
        }
    }
}
