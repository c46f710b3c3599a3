//! Reads log directories whole and says what is wrong with them: batches by their checksums and offsets, indexes against the
//! batches, leader epochs, producer snapshots, checkpoints, the file of first records, the metadata log with its records and
//! snapshots.
//!
//! It never writes and takes no lock, so it may look at a directory that is in use, or that Apache Kafka wrote; what is
//! being appended meanwhile may then look like a torn tail. Driven by `headwater log verify`.

mod checkpoints;
mod entries;
mod first_records;
mod history;
mod indexes;
mod segment;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use protocol::offset::Offset;

use crate::checkpoint;
use crate::clean_shutdown::CLEAN_SHUTDOWN;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::meta_properties::META_PROPERTIES;
use crate::metadata_log::METADATA_DIRECTORY;
use crate::names::{DirectoryName, FileName, SegmentFile, TopicPartition};
use crate::{partition_metadata, producer_snapshot, quorum_state, snapshots};

use history::{History, Snapshot};

/// What helps against a corrupt batch.
const LOST_BATCH: &str = "if another replica has it, remove this partition's directory while the node is stopped; else readers get past it \
     with DeleteRecords up to the offset behind it, or by seeking";
/// What helps against a tail that is no batch.
const TORN_TAIL: &str = "nothing to do after a crash: the next start cuts it off";
/// What helps against one where the next start would not look.
const TORN_TAIL_AT_A_CLEAN_END: &str = "remove .kafka_cleanshutdown beside the partitions while the node is stopped: the next start then cuts it off";
/// What helps against anything that is made again from the batches.
const MADE_AGAIN: &str = "remove the file, and .kafka_cleanshutdown beside the partitions, while the node is stopped: it is made anew at the start";
/// What helps against a file of the cluster or the quorum.
const FROM_ELSEWHERE: &str = "restore it from a copy, or from another node of the cluster";

/// Something that is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The file or directory.
    pub path: PathBuf,
    /// Where in it.
    pub position: Option<u64>,
    /// The offset of the records there, or the next one that was expected.
    pub offset: Option<Offset>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub way_out: &'static str,
}

/// What was read, and what was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Partition directories.
    pub logs: usize,
    /// Files of them.
    pub files: usize,
    /// Batches.
    pub batches: u64,
    /// Bytes of batches.
    pub bytes: u64,
    /// Records of logs that have no files of their own before the next start.
    pub first_records: usize,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
}

impl Report {
    fn note(
        &mut self,
        path: &Path,
        place: (Option<u64>, Option<Offset>),
        what: String,
        way_out: &'static str,
    ) {
        let (position, offset) = place;
        self.problems.push(Problem { path: path.to_owned(), position, offset, what, way_out });
    }

    /// Takes note of a file that cannot be read as what it is. A disk that fails is an error of its own.
    fn checked<T>(&mut self, read: Result<T, Fault>, way_out: &'static str) -> Result<Option<T>, Fault> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(Fault::Corrupt { path, position, reason }) => {
                self.note(&path, (Some(position), None), reason, way_out);
                Ok(None)
            }
            Err(Fault::Mismatch { path, reason }) => {
                self.note(&path, (None, None), reason, way_out);
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }
}

/// The partition directories in `directory`, which may be one itself, and the bytes of their batches.
pub fn logs_in<D: Disk>(disk: &D, directory: &Path) -> Result<(Vec<PathBuf>, u64), Fault> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    let entries = disk.list(directory).map_err(|error| Fault::io("list", directory, error))?;
    let mut is_log = false;
    for entry in entries {
        let Some(name) = entry.name.to_str() else { continue };
        let path = directory.join(name);
        let of_partition =
            matches!(DirectoryName::parse(name), DirectoryName::Partition(_) | DirectoryName::Future(_));
        if entry.directory && of_partition {
            let (_, more) = logs_in(disk, &path)?;
            bytes += more;
            found.push(path);
        } else if let FileName::Segment(SegmentFile::Log, _) = FileName::parse(name) {
            is_log = true;
            bytes += disk.facts(&path).map_err(|error| Fault::io("read", &path, error))?.length;
        }
    }
    if is_log {
        found.push(directory.to_owned());
    }
    found.sort();
    Ok((found, bytes))
}

/// How far a log goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// Behind its last record.
    pub end: Offset,
    /// Whether all of it could be read.
    pub whole: bool,
}

/// Where the logs of a log directory end, by partition.
pub type Extents = BTreeMap<TopicPartition, Extent>;

/// Takes note of where the log in this directory ends.
pub fn add_extent(extents: &mut Extents, directory: &Path, extent: Extent) {
    let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match DirectoryName::parse(name) {
        DirectoryName::Partition(partition) => {
            extents.insert(partition, extent);
        }
        DirectoryName::Future(partition) => {
            extents.entry(partition).or_insert(extent);
        }
        _ => {}
    }
}

/// Looks at the files at the root of a log directory whose logs were read; nothing where there are none.
pub fn verify_root<D: Disk>(
    disk: &D,
    directory: &Path,
    logs: &Extents,
    report: &mut Report,
) -> Result<(), Fault> {
    if disk.facts(&directory.join(META_PROPERTIES)).is_err() {
        return Ok(());
    }
    first_records::verify(disk, directory, logs, report)?;
    checkpoints::verify(disk, directory, logs, report)
}

/// Whether a directory without logs may be the directory of some whose first records are all there is of them.
pub fn holds_first_records<D: Disk>(disk: &D, directory: &Path) -> bool {
    first_records::is_there(disk, directory)
}

/// Reads a partition's directory, or the metadata log's, whole. `progress` is told of bytes as they are read.
pub fn verify_log<D: Disk>(
    disk: &D,
    directory: &Path,
    report: &mut Report,
    progress: &mut dyn FnMut(u64),
) -> Result<Extent, Fault> {
    report.logs += 1;
    let of_metadata = directory.ends_with(METADATA_DIRECTORY);
    let clean = directory.parent().is_some_and(|parent| disk.facts(&parent.join(CLEAN_SHUTDOWN)).is_ok());
    let mut files: BTreeMap<Offset, Vec<SegmentFile>> = BTreeMap::new();
    for entry in disk.list(directory).map_err(|error| Fault::io("list", directory, error))? {
        if let Some(FileName::Segment(kind, base)) = entry.name.to_str().map(FileName::parse) {
            files.entry(base).or_default().push(kind);
            report.files += 1;
        }
    }
    report.checked(partition_metadata::read(disk, directory), FROM_ELSEWHERE)?;
    let epochs_path = directory.join(checkpoint::LEADER_EPOCH);
    let epochs = report.checked(checkpoint::read_leader_epochs(disk, &epochs_path), MADE_AGAIN)?;
    let epochs = epochs.unwrap_or_default();
    let snapshots = snapshots_in(disk, (directory, &files), report)?;
    let mut history = History::new(snapshots, log_start_of(disk, directory)?);
    let is_log = |kinds: &Vec<SegmentFile>| kinds.contains(&SegmentFile::Log);
    let bases: Vec<Offset> = files.iter().filter(|(_, kinds)| is_log(kinds)).map(|(base, _)| *base).collect();
    let mut extent = Extent { end: Offset::ZERO, whole: true };
    for (base, kinds) in &files {
        let next = bases.iter().copied().find(|other| other > base);
        if !is_log(kinds) {
            orphan(directory, (*base, kinds), report);
            continue;
        }
        let reading =
            segment::Reading { directory, base: *base, kinds, next, epochs: &epochs, of_metadata, clean };
        let read = segment::verify(disk, (&reading, &mut history), report, progress)?;
        indexes::verify(disk, (&reading, &history), &read, report)?;
        history.next_segment();
        extent = Extent { end: read.end, whole: extent.whole && read.whole };
    }
    if let Some((epoch, start)) = epochs.last().filter(|(_, start)| extent.whole && *start > extent.end) {
        let what = format!(
            "leader epoch {epoch} is said to begin at offset {start}, and the log ends at {}",
            extent.end
        );
        report.note(&epochs_path, (None, Some(*start)), what, MADE_AGAIN);
    }
    history.end(extent.end, report);
    if of_metadata {
        verify_quorum_files(disk, directory, report)?;
    }
    Ok(extent)
}

/// Where the checkpoint of its log directory has a log begin.
fn log_start_of<D: Disk>(disk: &D, directory: &Path) -> Result<Offset, Fault> {
    checkpointed(disk, directory, checkpoint::LOG_START)
}

/// What a checkpoint of its log directory says of a log; 0 where it says nothing.
fn checkpointed<D: Disk>(disk: &D, directory: &Path, file: &str) -> Result<Offset, Fault> {
    let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (DirectoryName::Partition(partition), Some(parent)) =
        (DirectoryName::parse(name), directory.parent())
    else {
        return Ok(Offset::ZERO);
    };
    match checkpoint::read_offsets(disk, &parent.join(file)) {
        // It is named with the other files beside the logs.
        Err(Fault::Corrupt { .. }) => Ok(Offset::ZERO),
        read => Ok(read?.get(&partition).copied().unwrap_or(Offset::ZERO)),
    }
}

/// The producer snapshots that can be read, in order.
fn snapshots_in<D: Disk>(
    disk: &D,
    (directory, files): (&Path, &BTreeMap<Offset, Vec<SegmentFile>>),
    report: &mut Report,
) -> Result<VecDeque<Snapshot>, Fault> {
    let mut found = VecDeque::new();
    for (offset, _) in files.iter().filter(|(_, kinds)| kinds.contains(&SegmentFile::ProducerSnapshot)) {
        let path = SegmentFile::ProducerSnapshot.path(directory, *offset);
        if let Some(Some(entries)) = report.checked(producer_snapshot::read(disk, &path), MADE_AGAIN)? {
            found.push_back(Snapshot { offset: *offset, path, entries });
        }
    }
    Ok(found)
}

/// Names an index that belongs to no log.
fn orphan(directory: &Path, (base, kinds): (Offset, &[SegmentFile]), report: &mut Report) {
    if let Some(kind) = kinds.iter().find(|kind| **kind != SegmentFile::ProducerSnapshot) {
        let what = "an index without the log it belongs to".to_owned();
        let path = kind.path(directory, base);
        report.note(&path, (None, Some(base)), what, "remove the file while the node is stopped");
    }
}

fn verify_quorum_files<D: Disk>(disk: &D, directory: &Path, report: &mut Report) -> Result<(), Fault> {
    report.checked(quorum_state::read(disk, directory), FROM_ELSEWHERE)?;
    for id in snapshots::list(disk, directory)? {
        report.files += 1;
        report.checked(snapshots::read(disk, directory, id), FROM_ELSEWHERE)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
