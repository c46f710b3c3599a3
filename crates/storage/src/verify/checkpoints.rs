//! The checkpoints of a log directory, held against the logs in it.

use std::collections::BTreeMap;
use std::path::Path;

use protocol::offset::Offset;

use super::{Extent, FROM_ELSEWHERE, Report};
use crate::checkpoint;
use crate::clean_shutdown::CLEAN_SHUTDOWN;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::meta_properties::MetaProperties;
use crate::names::TopicPartition;

/// What helps where a log is shorter than a checkpoint says.
const RECORDS_GONE: &str = "records that were there are gone: if another replica has them, remove this partition's directory while the node \
     is stopped; else remove the checkpoint, so that the whole log is looked through at the next start";
/// What helps where a checkpoint cannot be right.
const CHECKPOINT_WRONG: &str = "remove the file while the node is stopped: recovery then reads more";
/// What helps where no log is.
const LOG_GONE: &str =
    "if the topic was not deleted, its records here are gone: the other replicas have them, or a copy";

/// Looks at the files at the root of a log directory.
pub(super) fn verify<D: Disk>(
    disk: &D,
    directory: &Path,
    logs: &BTreeMap<TopicPartition, Extent>,
    report: &mut Report,
) -> Result<(), Fault> {
    report.checked(MetaProperties::read(disk, directory), FROM_ELSEWHERE)?;
    let clean = disk.facts(&directory.join(CLEAN_SHUTDOWN)).is_ok();
    let checks: [(&str, Check); 4] = [
        (checkpoint::RECOVERY_POINT, recovery_point),
        (checkpoint::REPLICATION, high_watermark),
        (checkpoint::LOG_START, log_start),
        (checkpoint::CLEANER, cleaned_to),
    ];
    for (name, check) in checks {
        let path = directory.join(name);
        let read = checkpoint::read_offsets(disk, &path);
        let Some(offsets) = report.checked(read, CHECKPOINT_WRONG)? else { continue };
        report.files += usize::from(disk.facts(&path).is_ok());
        for (partition, offset) in &offsets {
            let wrong = match logs.get(partition) {
                Some(extent) if extent.whole => check(extent, *offset),
                Some(_) => None,
                // After a crash it may be older than the deletion of a topic, and of compaction's no one asks for what is gone.
                None if clean && *offset > Offset::ZERO && name != checkpoint::CLEANER => {
                    Some(("there is no such log here".to_owned(), LOG_GONE))
                }
                None => None,
            };
            if let Some((what, way_out)) = wrong {
                let what = format!("{partition} is at {offset} by this file: {what}");
                report.note(&path, (None, Some(*offset)), what, way_out);
            }
        }
    }
    Ok(())
}

/// What is wrong with the offset of a log, and what helps.
type Check = fn(&Extent, Offset) -> Option<(String, &'static str)>;

fn recovery_point(log: &Extent, offset: Offset) -> Option<(String, &'static str)> {
    (offset > log.end).then(|| {
        (format!("it is on stable storage up to there, and the log ends at {}", log.end), RECORDS_GONE)
    })
}

fn high_watermark(log: &Extent, offset: Offset) -> Option<(String, &'static str)> {
    (offset > log.end)
        .then(|| (format!("readers have seen it up to there, and the log ends at {}", log.end), RECORDS_GONE))
}

fn log_start(log: &Extent, offset: Offset) -> Option<(String, &'static str)> {
    (offset > log.end).then(|| (format!("it begins there, and the log ends at {}", log.end), RECORDS_GONE))
}

/// A replica that was moved here may be clean up into the segment that is written to, and of an empty log nobody asks:
/// compaction puts that right when it looks at it.
fn cleaned_to(log: &Extent, offset: Offset) -> Option<(String, &'static str)> {
    (offset > log.end && log.end > Offset::ZERO)
        .then(|| (format!("it is compacted up to there, and ends at {}", log.end), CHECKPOINT_WRONG))
}
