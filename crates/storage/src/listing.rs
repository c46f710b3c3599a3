//! What lies in a partition's directory, put in order: leftovers of deletions and compactions that a crash interrupted
//! are finished or removed, as Kafka does on loading a log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use protocol::id::Timestamp;
use protocol::offset::Offset;

use crate::checkpoint;
use crate::disk::{Access, Disk};
use crate::fault::Fault;
use crate::names::{FileName, SegmentFile, Stage};
use crate::older_segments::OlderSegments;
use crate::resume_point::RESUME_POINT;
use crate::scan::Scan;
use crate::segment::SegmentFacts;

/// The files of a log.
#[derive(Default, Debug)]
pub struct Listing {
    /// The segments by base offset.
    pub segments: BTreeMap<Offset, SegmentFacts>,
    /// Segments before all of those, which a clean end has told of.
    pub older: Option<OlderSegments>,
    /// The offsets of the producer snapshots.
    pub snapshots: BTreeSet<Offset>,
    /// Whether there is a checkpoint of leader epochs.
    pub epochs: bool,
    /// Whether there is a place where recovery may begin.
    pub resume_point: bool,
}

#[derive(Default)]
struct Found {
    files: BTreeMap<Offset, Vec<SegmentFile>>,
    swaps: Vec<(SegmentFile, Offset)>,
    cleaned: BTreeSet<Offset>,
    garbage: Vec<PathBuf>,
    epochs: bool,
    resume_point: bool,
}

impl Listing {
    /// Reads and tidies the directory.
    pub fn read<D: Disk>(disk: &D, directory: &Path) -> Result<Self, Fault> {
        let mut found = find(disk, directory)?;
        if !found.swaps.is_empty() || !found.garbage.is_empty() {
            finish_swaps(disk, directory, &mut found)?;
            for path in &found.garbage {
                remove(disk, path)?;
            }
            found = find(disk, directory)?;
        }
        let Found { epochs, resume_point, .. } = found;
        let mut listing = Self { epochs, resume_point, ..Self::default() };
        for (offset, kinds) in found.files {
            let has = |kind| kinds.contains(&kind);
            if has(SegmentFile::ProducerSnapshot) {
                listing.snapshots.insert(offset);
            }
            if has(SegmentFile::Log) {
                let path = SegmentFile::Log.path(directory, offset);
                let facts = disk.facts(&path).map_err(|error| Fault::io("read", &path, error))?;
                let facts = SegmentFacts {
                    size: segment_size(&path, facts.length)?,
                    modified: facts.modified,
                    offset_index: has(SegmentFile::OffsetIndex),
                    time_index: has(SegmentFile::TimeIndex),
                    transaction_index: has(SegmentFile::TransactionIndex),
                    largest: None,
                };
                listing.segments.insert(offset, facts);
                continue;
            }
            // An index without its log file says nothing.
            for kind in kinds.iter().filter(|kind| **kind != SegmentFile::ProducerSnapshot) {
                remove(disk, &kind.path(directory, offset))?;
            }
        }
        Ok(listing)
    }

    /// The base of the first segment.
    pub fn first_base(&self) -> Option<Offset> {
        let older = self.older.as_ref().map(OlderSegments::first_base);
        older.or_else(|| self.segments.keys().next().copied())
    }

    /// Lists the segments that a clean end has told of like the others.
    pub fn list_older(&mut self) {
        if let Some(older) = self.older.take() {
            self.segments.extend(older.iter());
        }
    }

    /// When the log last changed.
    pub fn modified(&self) -> Timestamp {
        self.segments.values().map(|facts| facts.modified).max().unwrap_or_default()
    }
}

fn find<D: Disk>(disk: &D, directory: &Path) -> Result<Found, Fault> {
    let mut found = Found::default();
    let entries = disk.list(directory).map_err(|error| Fault::io("list", directory, error))?;
    for entry in entries.iter().filter(|entry| !entry.directory) {
        let Some(name) = entry.name.to_str() else { continue };
        match FileName::parse(name) {
            FileName::Segment(kind, offset) => found.files.entry(offset).or_default().push(kind),
            FileName::Deleted => found.garbage.push(directory.join(name)),
            FileName::Cleaned => {
                found.garbage.push(directory.join(name));
                // A segment being split may have swaps after its first part: they are not complete either.
                let digits = name.get(..20).and_then(|digits| digits.parse().ok());
                found.cleaned.extend(digits.map(Offset));
            }
            FileName::Swap(kind, offset) => found.swaps.push((kind, offset)),
            FileName::Other => {
                found.epochs |= name == checkpoint::LEADER_EPOCH;
                found.resume_point |= name == RESUME_POINT;
            }
        }
    }
    Ok(found)
}

/// A swap file is the complete outcome of a compaction: it takes the place of the segments it was made from.
fn finish_swaps<D: Disk>(disk: &D, directory: &Path, found: &mut Found) -> Result<(), Fault> {
    let first_cleaned = found.cleaned.first().copied().unwrap_or(Offset(i64::MAX));
    let swap_path = |kind: SegmentFile, offset| kind.path_at(directory, offset, Stage::Swap);
    let (valid, invalid): (Vec<_>, Vec<_>) =
        found.swaps.iter().copied().partition(|(_, offset)| *offset < first_cleaned);
    // These before the files that say what they are: alone they would be taken for a complete outcome at the next start.
    for (kind, offset) in invalid {
        remove(disk, &swap_path(kind, offset))?;
    }
    let mut replaced: Option<(Offset, Offset)> = None;
    for (_, offset) in valid.iter().filter(|(kind, _)| *kind == SegmentFile::Log) {
        let end = next_offset(disk, &swap_path(SegmentFile::Log, *offset), *offset)?;
        let (first, last) = replaced.unwrap_or((*offset, end));
        replaced = Some((first.min(*offset), last.max(end)));
    }
    if let Some((first, end)) = replaced {
        for (offset, kinds) in found.files.range(first..end) {
            for kind in kinds {
                remove(disk, &kind.path(directory, *offset))?;
            }
        }
    }
    // What is replaced must be gone for good before the name that says so is: the log file's, which comes last.
    let sync = || disk.fsync_dir(directory).map_err(|error| Fault::io("fsync", directory, error));
    sync()?;
    let (logs, others): (Vec<_>, Vec<_>) = valid.into_iter().partition(|(kind, _)| *kind == SegmentFile::Log);
    for (kind, offset) in others.into_iter().chain(logs) {
        let from = swap_path(kind, offset);
        disk.rename(&from, &kind.path(directory, offset)).map_err(|e| Fault::io("rename", &from, e))?;
    }
    sync()
}

fn next_offset<D: Disk>(disk: &D, path: &Path, base: Offset) -> Result<Offset, Fault> {
    let file = disk.open(path, Access::Read).map_err(|error| Fault::io("open", path, error))?;
    let length = disk.length(&file).map_err(|error| Fault::io("read", path, error))?;
    let mut scan = Scan::new(disk, &file, path, 0, segment_size(path, length)?);
    let mut next = base;
    while let Some(span) = scan.next_span()? {
        next = span.last_offset.next();
    }
    Ok(next)
}

fn segment_size(path: &Path, length: u64) -> Result<u32, Fault> {
    match u32::try_from(length).ok().filter(|size| *size <= i32::MAX as u32) {
        Some(size) => Ok(size),
        None => {
            let reason = format!("a segment of {length} bytes, and positions end at 2 GiB");
            Err(Fault::corrupt(path, i32::MAX as u64, reason))
        }
    }
}

fn remove<D: Disk>(disk: &D, path: &Path) -> Result<(), Fault> {
    match disk.unlink(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Fault::io("remove", path, error)),
        _ => Ok(()),
    }
}
