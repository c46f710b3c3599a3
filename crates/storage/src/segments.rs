//! The segments of one log in order: loaded, recovered, appended to, read, truncated, dropped from the front.
//!
//! There is always at least one segment; the last one is active, the only one appended to. What batches mean, and when a
//! segment is rolled or dropped, is decided elsewhere: this is equally the floor of partitions and of the metadata log.

mod ascending;
mod list;
mod loading;
mod reading;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use partition::transactions::AbortedTransaction;
use protocol::id::Timestamp;
use protocol::offset::Offset;

use crate::descriptors::Descriptors;
use crate::directory_state::DirectoryState;
use crate::disk::{Disk, RealDisk};
use crate::fault::Fault;
use crate::scan::BatchSpan;
use crate::segment::replacement::StagedFiles;
use crate::segment::{Segment, rename_back, rename_deleted};

pub use list::SegmentList;
pub use loading::{Loaded, Loading, first_recovered};
pub use reading::ReadSlice;

use ascending::count_up_to;

/// The two numbers that shape the indexes (`segment.index.bytes`, `index.interval.bytes`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexLimits {
    /// The most bytes of one index.
    pub bytes_max: u32,
    /// An entry is due after so many bytes of batches.
    pub interval_bytes: u32,
}

impl Default for IndexLimits {
    fn default() -> Self {
        Self { bytes_max: 10 * 1024 * 1024, interval_bytes: 4096 }
    }
}

/// The segments of a log.
pub struct Segments<D: Disk = RealDisk> {
    descriptors: Descriptors<D>,
    directory: Arc<Path>,
    /// Never empty.
    list: SegmentList<D>,
    limits: IndexLimits,
}

/// A segment made of others.
pub struct Rewritten<D: Disk = RealDisk> {
    /// The new one.
    pub segment: Segment<D>,
    /// The bases of those whose place it takes.
    pub bases: Vec<Offset>,
}

/// What came of putting segments in place of others.
pub struct Taken<D: Disk = RealDisk> {
    /// The files of those that are in place.
    pub new: Vec<StagedFiles>,
    /// The files of those that are not any more.
    pub old: Vec<StagedFiles>,
    /// The segments they belong to.
    pub gone: Vec<Segment<D>>,
    /// The bases of those that were not taken: what they were made of is not all there any more.
    pub refused: Vec<Offset>,
}

impl<D: Disk> Segments<D> {
    /// Makes the first segment of a new log.
    pub fn create(
        descriptors: &Descriptors<D>,
        directory: Arc<Path>,
        base: Offset,
        limits: IndexLimits,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let first = Segment::create(descriptors, &directory, base, now)?;
        Ok(Self::of(descriptors, directory, SegmentList::new(vec![first]), limits))
    }

    /// The first segment of a new log, whose file is to be made before anything is appended.
    pub fn planned(
        descriptors: &Descriptors<D>,
        directory: Arc<Path>,
        base: Offset,
        limits: IndexLimits,
        now: Timestamp,
    ) -> Self {
        let first = Segment::planned(descriptors, &directory, base, now);
        Self::of(descriptors, directory, SegmentList::new(vec![first]), limits)
    }

    fn of(
        descriptors: &Descriptors<D>,
        directory: Arc<Path>,
        list: SegmentList<D>,
        limits: IndexLimits,
    ) -> Self {
        Self { descriptors: descriptors.clone(), directory, list, limits }
    }

    /// The directory.
    pub fn directory(&self) -> &Arc<Path> {
        &self.directory
    }

    /// The segments, oldest first.
    pub fn iter(&self) -> std::slice::Iter<'_, Segment<D>> {
        self.list.all().iter()
    }

    /// The segments, oldest first.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Segment<D>> {
        self.list.all_mut().iter_mut()
    }

    /// The segments from this place on.
    pub fn rest(&mut self, index: usize) -> &mut [Segment<D>] {
        self.list.rest(index)
    }

    /// Whether those before the active one have not been asked for yet.
    #[cfg(test)]
    pub(crate) fn older_are_unmade(&self) -> bool {
        self.list.first_unfinished() > 0
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.list.count()
    }

    /// The base of the one at this place, if there is one.
    pub fn base_at(&self, index: usize) -> Option<Offset> {
        self.list.base_at(index)
    }

    /// The base offset of the first segment.
    pub fn first_base(&self) -> Offset {
        self.list.first_base()
    }

    /// The segment that is appended to.
    pub fn active(&mut self) -> &mut Segment<D> {
        self.list.active()
    }

    /// Bytes of all batches.
    pub fn size(&self) -> u64 {
        self.list.all().iter().map(|segment| u64::from(segment.size())).sum()
    }

    /// Takes new limits from here on.
    pub fn set_limits(&mut self, limits: IndexLimits) {
        self.limits = limits;
    }

    /// The limits in force.
    pub fn limits(&self) -> IndexLimits {
        self.limits
    }

    /// Appends whole batches to the active segment.
    pub fn append(&mut self, batches: &[u8]) -> Result<(), Fault> {
        let interval = self.limits.interval_bytes;
        self.active().append(batches, interval)
    }

    /// Takes in a batch of the active segment that lies elsewhere yet.
    pub fn note(&mut self, span: &BatchSpan) {
        let interval = self.limits.interval_bytes;
        self.active().note(span, interval);
    }

    /// Ends the active segment and begins a new one with `base`, the log's end. An empty active segment that begins
    /// there already is kept.
    pub fn roll(&mut self, base: Offset, now: Timestamp) -> Result<bool, Fault> {
        if self.active().base() == base {
            return Ok(false);
        }
        self.active().finish()?;
        let mut next = Segment::create(&self.descriptors, &self.directory, base, now)?;
        let active = self.active();
        next.set_start(active.start() + u64::from(active.size()));
        self.list.push(next);
        Ok(true)
    }

    /// The transactions aborted with records in `from..end`.
    pub fn aborted(&mut self, from: Offset, end: Offset) -> Result<Vec<AbortedTransaction>, Fault> {
        let mut aborted = Vec::new();
        let first = self.index_of(from);
        for segment in self.list.rest(first) {
            if segment.collect_aborted(from, end, &mut aborted)? {
                break;
            }
        }
        Ok(aborted)
    }

    /// Notes that a part of the segment with this base was read and found good.
    pub fn note_checked(&mut self, base: Offset, (start, end): (u32, u32)) {
        let index = self.index_of(base);
        let segment = self.list.at(index);
        if segment.base() == base {
            segment.note_checked(start, end);
        }
    }

    /// The place of the first segment with a batch as young as `timestamp`; `None` if there is none. Logs of very many
    /// segments are not walked through: what the closed ones say is remembered in order.
    pub fn first_segment_as_young(&mut self, timestamp: Timestamp) -> Result<Option<usize>, Fault> {
        let mut known = self.list.take_youngest();
        let list = self.list.all_mut();
        let closed = list.len() - 1;
        let mut learnt = Ok(());
        for segment in &mut list[known.len()..closed] {
            let before = known.last().copied().unwrap_or(Timestamp::NONE);
            match segment.largest() {
                Ok(largest) => known.push(largest.map_or(before, |largest| largest.timestamp.max(before))),
                Err(fault) => {
                    learnt = Err(fault);
                    break;
                }
            }
        }
        let place = count_up_to(known.len(), |place| known[place].0, timestamp.0.saturating_sub(1));
        let found = place < known.len();
        // What was learnt stays so for who asks again: whoever must not wait is often told to come later.
        self.list.set_youngest(known);
        if found {
            return Ok(Some(place));
        }
        learnt?;
        let young = self.active().largest()?.is_some_and(|largest| largest.timestamp >= timestamp);
        Ok(young.then_some(place))
    }

    /// Drops the oldest `count` segments, of which one at least stays: their files are renamed, and their new names added
    /// to `renamed`, to be removed later. After an error too, of those before the one it came at, which stays whole.
    pub fn drop_front(&mut self, count: usize, renamed: &mut Vec<PathBuf>) -> Result<(), Fault> {
        let disk = self.descriptors.disk().clone();
        self.list.changed();
        let list = self.list.all_mut();
        let going = count.min(list.len() - 1);
        // Taken out only once its files are out of the way: an error leaves the rest in order.
        let failed = list[..going].iter_mut().enumerate().find_map(|(place, segment)| {
            let whole = renamed.len();
            let fault = rename_deleted(&disk, &segment.files(), renamed).err()?;
            // Some of them gone it could be neither read nor found to be old again.
            rename_back(&disk, renamed.drain(whole..));
            Some((place, fault))
        });
        // At once, for of very many each would move all that stay.
        list.drain(..failed.as_ref().map_or(going, |(place, _)| *place));
        failed.map_or(Ok(()), |(_, fault)| Err(fault))
    }

    /// The segment whose name says `base`.
    pub fn with_base(&mut self, base: Offset) -> Option<&mut Segment<D>> {
        let list = self.list.all_mut();
        let index = list.partition_point(|segment| segment.base() < base);
        list.get_mut(index).filter(|segment| segment.base() == base)
    }

    /// Puts segments in place of others, in one walk however many there are. Each comes behind the one before, and takes the
    /// place of neighbours that are not active. Looks at no file: theirs keep their names for now.
    pub fn replace(&mut self, rewritten: Vec<Rewritten<D>>) -> Taken<D> {
        let mut taken = Taken { new: Vec::new(), old: Vec::new(), gone: Vec::new(), refused: Vec::new() };
        let Some(first) = rewritten.first().and_then(|first| first.bases.first()) else { return taken };
        let list = self.list.all_mut();
        let start = list.partition_point(|known| known.base() < *first);
        let mut rest = list.split_off(start).into_iter();
        for Rewritten { mut segment, bases } in rewritten {
            while rest.as_slice().first().is_some_and(|known| Some(&known.base()) < bases.first()) {
                list.extend(rest.next());
            }
            let known = rest.as_slice().iter().map(Segment::base).take(bases.len());
            // The active one, which is the last, always stays.
            if rest.len() <= bases.len() || !known.eq(bases.iter().copied()) {
                taken.refused.push(segment.base());
                continue;
            }
            for mut old in rest.by_ref().take(bases.len()) {
                taken.old.push(old.staged());
                taken.gone.push(old);
            }
            taken.new.push(segment.staged());
            list.push(segment);
        }
        list.extend(rest);
        self.list.changed();
        self.place();
        taken
    }

    /// Drops every batch that holds `end` or later offsets. `end` must not lie before the first segment.
    /// What was cut is off stable storage too when this returns: bytes or segments that came back after a power cut would
    /// stand behind what has been written in their place meanwhile. `home` is the log directory whose threads may be
    /// syncing the same files.
    pub fn truncate(&mut self, end: Offset, home: Option<&DirectoryState>) -> Result<(), Fault> {
        let index = self.index_of(end);
        self.drop_after(index)?;
        self.list.at(index).truncate(end)?;
        self.sync_cut(index, home)
    }

    fn sync_cut(&mut self, index: usize, home: Option<&DirectoryState>) -> Result<(), Fault> {
        let segment = self.list.at(index);
        let (file, path) = (segment.file()?, segment.path());
        let (disk, directory) = (self.descriptors.disk(), &self.directory);
        match home {
            Some(home) => home.sync(disk, &path, &file)?,
            None => disk.fdatasync(&file).map_err(|error| Fault::io("fsync", &path, error))?,
        }
        disk.fsync_dir(directory).map_err(|error| Fault::io("fsync", directory, error))
    }

    /// Removes the active segment if it is empty and begins behind `end`, where nothing has come after all.
    pub fn drop_begun_behind(&mut self, end: Offset) -> Result<(), Fault> {
        self.list.changed();
        if self.list.count() > 1 && self.active().size() == 0 && self.active().base() > end {
            let disk = self.descriptors.disk().clone();
            remove_all(&disk, self.active().files())?;
            self.list.all_mut().pop();
        }
        Ok(())
    }

    /// Removes all segments and begins anew with `base`. After an error there is one at least, whose file may not be.
    pub fn restart(&mut self, base: Offset, now: Timestamp) -> Result<(), Fault> {
        self.list.changed();
        let disk = self.descriptors.disk().clone();
        let list = self.list.all_mut();
        while let Some(segment) = list.last_mut() {
            remove_all(&disk, segment.files())?;
            // Nothing is to be appended to a file that has no name.
            segment.close();
            if list.len() == 1 {
                break;
            }
            list.pop();
        }
        let first = Segment::create(&self.descriptors, &self.directory, base, now)?;
        list.clear();
        list.push(first);
        Ok(())
    }

    /// Ends the indexes of the segments that were written to.
    pub fn finish(&mut self) -> Result<(), Fault> {
        let from = self.list.first_unfinished();
        self.list.rest(from).iter_mut().try_for_each(Segment::finish)
    }

    /// The place of the segment that holds `offset`, or of the first one if that begins later.
    pub fn index_of(&self, offset: Offset) -> usize {
        // Most readers are at the tail, and the search through very many segments misses the processor's caches.
        if self.list.last_base().is_some_and(|active| active <= offset) {
            return self.list.count() - 1;
        }
        self.list.last_at_or_before(offset)
    }

    /// Notes of each segment how many bytes of the log lie before it.
    fn place(&mut self) {
        let mut start = 0;
        for segment in self.list.all_mut() {
            segment.set_start(start);
            start += u64::from(segment.size());
        }
    }

    fn drop_after(&mut self, index: usize) -> Result<(), Fault> {
        self.list.changed();
        let disk = self.descriptors.disk().clone();
        while self.list.count() > index + 1 {
            let files = self.active().files();
            remove_all(&disk, files)?;
            self.list.all_mut().pop();
        }
        Ok(())
    }
}

fn remove_all<D: Disk>(disk: &D, files: Vec<PathBuf>) -> Result<(), Fault> {
    for path in files {
        match disk.unlink(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Fault::io("remove", &path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
