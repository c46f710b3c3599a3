//! The file of first records: acknowledged batches of logs that have no files of their own until Headwater starts again.

use std::path::Path;

use protocol::offset::Offset;
use protocol::records::batch::BatchError;
use protocol::records::batches::Batches;

use super::{Extents, Report};
use crate::disk::Disk;
use crate::fault::Fault;
use crate::first_records::{FIRST_RECORDS, FoundRow, Row, Rows};
use crate::whole_file;

/// What helps against a row that cannot be read.
const BROKEN_ROW: &str = "the next start passes over this row and keeps the file as headwater-first-records.broken; if a power cut tore it, \
     it was not promised to outlive that";
/// What helps against a file that is another version's, or whose beginning is broken.
const OTHER_LAYOUT: &str = "the log directory is not used before this is mended";
/// What helps against a batch in a whole row.
const BROKEN_BATCH: &str =
    "start Headwater once, which gives the record to its log, then get past it with DeleteRecords";

/// Whether a directory has the file.
pub(super) fn is_there<D: Disk>(disk: &D, directory: &Path) -> bool {
    disk.facts(&directory.join(FIRST_RECORDS)).is_ok()
}

/// Reads every row that counts, and takes note of how many logs wait for theirs.
pub(super) fn verify<D: Disk>(
    disk: &D,
    directory: &Path,
    logs: &Extents,
    report: &mut Report,
) -> Result<(), Fault> {
    let path = directory.join(FIRST_RECORDS);
    let read = report.checked(whole_file::read(disk, &path), BROKEN_ROW)?;
    let Some(bytes) = read.flatten() else { return Ok(()) };
    report.files += 1;
    let Some(mut rows) = report.checked(Rows::of(&path, &bytes), OTHER_LAYOUT)? else { return Ok(()) };
    // A log that has records of its own is not given this one.
    let waits = |row: &FoundRow| logs.get(&row.name).is_none_or(|log| log.end == Offset::ZERO);
    for (at, row) in &mut rows {
        let (what, way_out) = match row {
            Row::Counts(row) if waits(&row) => {
                report.first_records += 1;
                report.batches += 1;
                report.bytes += row.batch.len() as u64;
                let Some(what) = wrong(&row) else { continue };
                (format!("the first record of {}: {what}", row.name), BROKEN_BATCH)
            }
            Row::Counts(_) | Row::Done => continue,
            Row::Broken(Some(name)) => {
                (format!("no whole row: the first record of {name} is broken"), BROKEN_ROW)
            }
            Row::Broken(None) => ("no whole row: its head is broken".to_owned(), BROKEN_ROW),
        };
        report.note(&path, (Some(at as u64), Some(Offset::ZERO)), what, way_out);
    }
    if rows.rest() > 0 {
        let what = format!("no whole row: {} bytes are passed over", rows.rest());
        report.note(&path, (Some(rows.at as u64), None), what, BROKEN_ROW);
    }
    Ok(())
}

/// What is wrong with the batch of a row.
fn wrong(row: &FoundRow) -> Option<String> {
    match Batches::new(&row.batch).next_batch() {
        Ok(Some(batch)) => batch.verify_crc().err().map(|error| error.to_string()),
        Ok(None) => Some("it is empty".to_owned()),
        // Of an old format; the row has a checksum over all of it.
        Err(BatchError::Magic { magic: 0 | 1 }) => None,
        Err(error) => Some(error.to_string()),
    }
}
