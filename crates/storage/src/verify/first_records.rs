//! The file of first records: acknowledged batches of logs that have no files of their own until Headwater starts again.

use std::path::Path;

use protocol::offset::Offset;
use protocol::records::batch::BatchError;
use protocol::records::batches::Batches;

use super::{Extents, Report};
use crate::disk::Disk;
use crate::fault::Fault;
use crate::first_records::{self, FIRST_RECORDS, FoundBatch};
use crate::whole_file;

/// What helps against a row that cannot be read.
const BROKEN_ROW: &str = "nothing to do: the next start leaves out this row and those behind it; if a power cut tore the last one, it was not \
     promised to outlive that";
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
    let mut at = 0;
    while let Some((length, row)) = first_records::parse(&bytes, at) {
        // A log that has records of its own is not given this one.
        let waits = |row: &FoundBatch| logs.get(&row.name).is_none_or(|log| log.end == Offset::ZERO);
        if let Some(row) = row.filter(waits) {
            report.first_records += 1;
            report.batches += 1;
            report.bytes += row.batch.len() as u64;
            if let Some(what) = wrong(&row) {
                let what = format!("the first record of {}: {what}", row.name);
                report.note(&path, (Some(at as u64), Some(Offset::ZERO)), what, BROKEN_BATCH);
            }
        }
        at += length;
    }
    if at < bytes.len() {
        let what = format!("no whole row: {} bytes are passed over", bytes.len() - at);
        report.note(&path, (Some(at as u64), None), what, BROKEN_ROW);
    }
    Ok(())
}

/// What is wrong with the batch of a row.
fn wrong(row: &FoundBatch) -> Option<String> {
    match Batches::new(&row.batch).next_batch() {
        Ok(Some(batch)) => batch.verify_crc().err().map(|error| error.to_string()),
        Ok(None) => Some("it is empty".to_owned()),
        // Of an old format; the row has a checksum over all of it.
        Err(BatchError::Magic { magic: 0 | 1 }) => None,
        Err(error) => Some(error.to_string()),
    }
}
