//! How far a log is on stable storage, shared between the log and the fsyncs that run without holding it.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::offset::Offset;

use crate::checkpoint::LEADER_EPOCH;
use crate::names::SegmentFile;
use crate::partition_metadata::PARTITION_METADATA;

/// The recovery point of one log.
#[derive(Debug)]
pub struct FlushProgress {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    recovery_point: Offset,
    /// The segments that end here or before are on stable storage with their indexes.
    indexed: Offset,
    /// Counts truncations: an fsync that began before one says nothing about what was appended after it.
    generation: u32,
    /// Counts changes of the names in the log's directory, and those of them that are on stable storage.
    names_changed: u32,
    names_reached: u32,
    small: SmallFiles,
    /// Whether a flush for the age of what is in the log is under way.
    by_age: bool,
}

/// A flush for the age of what is in a log, until this is dropped.
#[derive(Debug)]
pub struct ByAge(Arc<FlushProgress>);

impl Drop for ByAge {
    fn drop(&mut self) {
        self.0.lock().by_age = false;
    }
}

/// The place of a small file among the changes of the names in the directory, each write of one being another, from 1 on.
type Place = NonZeroU32;

/// The small files beside the segments that no flush has brought to stable storage yet. One under way does not count
/// before it is done: another may end earlier.
#[derive(Debug, Default)]
struct SmallFiles {
    partition_metadata: Option<Place>,
    leader_epochs: Option<Place>,
    #[expect(clippy::box_collection, reason = "most of very many logs have none")]
    snapshots: Option<Box<Vec<(Place, Offset)>>>,
}

impl SmallFiles {
    fn note(&mut self, file: SmallFile, place: Place) {
        match file {
            SmallFile::PartitionMetadata => self.partition_metadata = Some(place),
            SmallFile::LeaderEpochs => self.leader_epochs = Some(place),
            SmallFile::ProducerSnapshot(offset) => {
                let snapshots = self.snapshots.get_or_insert_default();
                snapshots.retain(|(_, known)| *known != offset);
                snapshots.push((place, offset));
            }
        }
    }

    /// Keeps those of which this holds.
    fn retain(&mut self, keep: impl Fn(Place, SmallFile) -> bool) {
        self.partition_metadata.take_if(|place| !keep(*place, SmallFile::PartitionMetadata));
        self.leader_epochs.take_if(|place| !keep(*place, SmallFile::LeaderEpochs));
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.retain(|(place, offset)| keep(*place, SmallFile::ProducerSnapshot(*offset)));
            if snapshots.is_empty() {
                self.snapshots = None;
            }
        }
    }

    fn list(&self) -> Vec<SmallFile> {
        let metadata = self.partition_metadata.map(|_| SmallFile::PartitionMetadata);
        let epochs = self.leader_epochs.map(|_| SmallFile::LeaderEpochs);
        let snapshots = self.snapshots.iter().flat_map(|snapshots| snapshots.iter());
        let snapshots = snapshots.map(|(_, offset)| SmallFile::ProducerSnapshot(*offset));
        metadata.into_iter().chain(epochs).chain(snapshots).collect()
    }
}

/// A small file beside the segments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SmallFile {
    /// `partition.metadata`.
    PartitionMetadata,
    /// `leader-epoch-checkpoint`.
    LeaderEpochs,
    /// The snapshot of the producers at an offset.
    ProducerSnapshot(Offset),
}

impl SmallFile {
    /// Where it lies in the directory of its log.
    pub fn path(self, directory: &Path) -> PathBuf {
        match self {
            Self::PartitionMetadata => directory.join(PARTITION_METADATA),
            Self::LeaderEpochs => directory.join(LEADER_EPOCH),
            Self::ProducerSnapshot(offset) => SegmentFile::ProducerSnapshot.path(directory, offset),
        }
    }
}

/// What an fsync will have made durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlushTarget {
    upto: Offset,
    indexed: Offset,
    generation: u32,
    names_changed: u32,
}

impl FlushProgress {
    /// Everything before `recovery_point` is on stable storage.
    pub fn new(recovery_point: Offset) -> Self {
        let state = State {
            recovery_point,
            indexed: recovery_point,
            generation: 0,
            names_changed: 0,
            names_reached: 0,
            small: SmallFiles::default(),
            by_age: false,
        };
        Self { state: Mutex::new(state) }
    }

    /// The offset before which everything is on stable storage.
    pub fn recovery_point(&self) -> Offset {
        self.lock().recovery_point
    }

    /// The recovery point as a checkpoint may tell it. What is flushed of a segment that is appended to says nothing of
    /// its indexes, and a checkpoint that names the very end of it would vouch for them once the next segment is begun.
    pub fn recovery_point_to_keep(&self) -> Offset {
        let state = self.lock();
        match state.recovery_point > state.indexed {
            true => Offset(state.recovery_point.0 - 1),
            false => state.recovery_point,
        }
    }

    /// From where on a flush must cover the segments.
    pub fn flush_from(&self) -> Offset {
        let state = self.lock();
        state.recovery_point.min(state.indexed)
    }

    /// Begins a flush for the age of what is in the log, unless one is under way: the disk may not keep up.
    pub fn begin_by_age(self: &Arc<Self>) -> Option<ByAge> {
        let under_way = std::mem::replace(&mut self.lock().by_age, true);
        (!under_way).then(|| ByAge(self.clone()))
    }

    /// Names what a flush that begins now will cover, with the indexes of all segments that end at `indexed` or before.
    pub fn target(&self, upto: Offset, indexed: Offset) -> FlushTarget {
        let State { generation, names_changed, .. } = *self.lock();
        FlushTarget { upto, indexed, generation, names_changed }
    }

    /// A small file was written: the next flush is to bring it to stable storage, with its name.
    pub fn note_small(&self, file: SmallFile) {
        let mut state = self.lock();
        let place = Place::MIN.saturating_add(state.names_changed);
        state.names_changed = place.get();
        state.small.note(file, place);
    }

    /// A small file was removed.
    pub fn forget_small(&self, file: SmallFile) {
        self.lock().small.retain(|_, known| known != file);
    }

    /// The small files that a flush must cover.
    pub fn small(&self) -> Vec<SmallFile> {
        self.lock().small.list()
    }

    /// A file was made in the log's directory.
    pub fn note_names_changed(&self) {
        self.lock().names_changed += 1;
    }

    /// Whether a flush must cover the directory too. That one is under way does not count before it is done.
    pub fn names_due(&self) -> bool {
        let state = self.lock();
        state.names_reached < state.names_changed
    }

    /// A flush has succeeded, of the directory too where that was due.
    pub fn reached(&self, target: FlushTarget) {
        let mut state = self.lock();
        state.names_reached = state.names_reached.max(target.names_changed);
        state.small.retain(|place, _| place.get() > target.names_changed);
        if state.generation == target.generation {
            state.recovery_point = state.recovery_point.max(target.upto);
            state.indexed = state.indexed.max(target.indexed);
        }
    }

    /// The log ends at `end` now, in the segment that begins with `base`. Its indexes are cut too, but not on stable storage:
    /// what they held of the tail may come back.
    pub fn truncated(&self, base: Offset, end: Offset) {
        let mut state = self.lock();
        state.recovery_point = state.recovery_point.min(end);
        state.indexed = state.indexed.min(base);
        state.generation += 1;
    }

    /// The indexes of the segment that begins with `base`, and of those behind it, were made anew, but not on stable storage.
    pub fn indexes_made_from(&self, base: Offset) {
        let mut state = self.lock();
        state.indexed = state.indexed.min(base);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recovery_point_only_goes_up_but_for_truncation() {
        let progress = FlushProgress::new(Offset(5));
        let (early, late) =
            (progress.target(Offset(10), Offset(10)), progress.target(Offset(20), Offset(20)));
        progress.reached(late);
        progress.reached(early);
        assert_eq!(progress.recovery_point(), Offset(20));
        progress.truncated(Offset(12), Offset(12));
        assert_eq!(progress.recovery_point(), Offset(12));
    }

    #[test]
    fn the_end_of_a_segment_is_not_told_before_its_indexes_are_durable() {
        let progress = FlushProgress::new(Offset(0));
        progress.reached(progress.target(Offset(10), Offset(0)));
        assert_eq!((progress.recovery_point(), progress.flush_from()), (Offset(10), Offset(0)));
        assert_eq!(progress.recovery_point_to_keep(), Offset(9));
        progress.reached(progress.target(Offset(10), Offset(10)));
        assert_eq!((progress.recovery_point_to_keep(), progress.flush_from()), (Offset(10), Offset(10)));
    }

    #[test]
    fn a_cut_segment_is_not_vouched_for_to_its_end_before_its_indexes_are_durable_again() {
        let progress = FlushProgress::new(Offset(10));
        progress.truncated(Offset(4), Offset(8));
        assert_eq!((progress.recovery_point_to_keep(), progress.flush_from()), (Offset(7), Offset(4)));
        progress.reached(progress.target(Offset(8), Offset(8)));
        assert_eq!(progress.recovery_point_to_keep(), Offset(8));
    }

    #[test]
    fn nothing_vouches_for_indexes_that_were_made_anew_before_they_are_durable() {
        let progress = FlushProgress::new(Offset(10));
        progress.indexes_made_from(Offset(4));
        assert_eq!((progress.recovery_point(), progress.flush_from()), (Offset(10), Offset(4)));
        assert_eq!(progress.recovery_point_to_keep(), Offset(9));
        progress.indexes_made_from(Offset(10));
        assert_eq!(progress.flush_from(), Offset(4));
        progress.reached(progress.target(Offset(10), Offset(10)));
        assert_eq!(progress.recovery_point_to_keep(), Offset(10));
    }

    #[test]
    fn names_are_due_until_a_flush_that_saw_them_is_done() {
        let progress = FlushProgress::new(Offset(0));
        assert!(!progress.names_due());
        progress.note_names_changed();
        let first = progress.target(Offset(1), Offset(1));
        assert!(progress.names_due());
        progress.note_names_changed();
        progress.reached(first);
        assert!(progress.names_due());
        progress.reached(progress.target(Offset(1), Offset(1)));
        assert!(!progress.names_due());
    }

    #[test]
    fn a_small_file_is_due_until_a_flush_that_saw_it_is_done() {
        let progress = FlushProgress::new(Offset(0));
        let (one, two) = (SmallFile::PartitionMetadata, SmallFile::LeaderEpochs);
        let [three, four] = [3, 4].map(|offset| SmallFile::ProducerSnapshot(Offset(offset)));
        progress.note_small(one);
        progress.note_small(three);
        let first = progress.target(Offset(1), Offset(1));
        assert_eq!(progress.small(), [one, three], "while a flush is under way");
        progress.note_small(two);
        progress.note_small(one);
        progress.note_small(four);
        progress.reached(first);
        assert_eq!(progress.small(), [one, two, four], "written anew since");
        progress.forget_small(two);
        progress.forget_small(four);
        progress.reached(progress.target(Offset(1), Offset(1)));
        assert!(progress.small().is_empty() && !progress.names_due());
    }

    #[test]
    fn a_flush_from_before_a_truncation_does_not_count() {
        let progress = FlushProgress::new(Offset(0));
        let stale = progress.target(Offset(100), Offset(100));
        progress.truncated(Offset(0), Offset(50));
        progress.reached(stale);
        assert_eq!(progress.recovery_point(), Offset(0));
    }
}
