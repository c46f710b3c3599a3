//! One log directory as its logs see it: where it lies, how it is, who makes files durable there and who removes them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::id::DirectoryId;

use crate::descriptors::Descriptors;
use crate::directory_state::{DirectoryHealth, DirectoryState};
use crate::disk::{Disk, RealDisk};
use crate::fault::Fault;
use crate::first_records::FirstRecords;
use crate::group_commit::GroupCommit;
use crate::names::TopicPartition;
use crate::pace::Pace;
use crate::removals::Removals;
use crate::reserve::Reserve;

/// A log directory, shared by its logs.
pub struct LogDirectory<D: Disk = RealDisk> {
    id: DirectoryId,
    state: Arc<DirectoryState>,
    descriptors: Descriptors<D>,
    /// For appends that wait to be acknowledged.
    commit: GroupCommit<D>,
    /// For files nobody waits for, which may be large: they must not delay those somebody waits for.
    background: GroupCommit<D>,
    removals: Removals,
    reserve: Arc<Reserve<D>>,
    first_records: FirstRecords<D>,
    pace: Pace,
    log_starts_moved: AtomicBool,
    high_watermarks_moved: AtomicBool,
    cleaned: AtomicBool,
    grown: AtomicBool,
    /// Names of logs that compact, or did. Bound: one for each log, and those that went since the cleaner last looked.
    compacting: Mutex<BTreeSet<TopicPartition>>,
    committed_cuts: AtomicUsize,
    /// Bound: one for each log.
    resume_due: Mutex<Vec<TopicPartition>>,
}

impl<D: Disk> LogDirectory<D> {
    /// Starts the threads of a directory, with a reserve of at most `reserve_bytes_max`.
    pub fn start(
        path: &Path,
        id: DirectoryId,
        descriptors: Descriptors<D>,
        reserve_bytes_max: u64,
    ) -> Result<Self, Fault> {
        let state = Arc::new(DirectoryState::new(path));
        let disk = descriptors.disk();
        let commit = GroupCommit::start_beside(disk.clone(), path, Arc::clone(&state))?;
        let background = GroupCommit::start(disk.clone(), path, Arc::clone(&state))?;
        let (removals, log_starts_moved) = (Removals::default(), AtomicBool::new(false));
        let reserve = Arc::new(Reserve::open(disk, path, reserve_bytes_max));
        let first_records = FirstRecords::new(disk, path);
        let cleaned = AtomicBool::new(false);
        let directory = Self {
            id,
            state,
            descriptors,
            commit,
            background,
            removals,
            reserve,
            first_records,
            pace: Pace::default(),
            log_starts_moved,
            // Whatever the checkpoint says, nobody has looked at the logs yet.
            high_watermarks_moved: AtomicBool::new(true),
            cleaned,
            grown: AtomicBool::new(true),
            compacting: Mutex::default(),
            committed_cuts: AtomicUsize::new(0),
            resume_due: Mutex::default(),
        };
        if !directory.reserve.is_whole() {
            directory.look_for_room();
        }
        Ok(directory)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.state.directory()
    }

    /// The id in its `meta.properties`.
    pub fn id(&self) -> DirectoryId {
        self.id
    }

    /// How many logs it has, nearly: each holds it.
    pub fn logs(self: &Arc<Self>) -> usize {
        Arc::strong_count(self)
    }

    /// How often logs of it were cut below their high watermarks.
    pub fn committed_cuts(&self) -> usize {
        self.committed_cuts.load(Ordering::Relaxed)
    }

    /// Counts a cut that takes away what was committed.
    pub(crate) fn note_committed_cut(&self) {
        self.committed_cuts.fetch_add(1, Ordering::Relaxed);
    }

    /// How it is.
    pub fn state(&self) -> &DirectoryState {
        &self.state
    }

    /// The open files.
    pub fn descriptors(&self) -> &Descriptors<D> {
        &self.descriptors
    }

    /// The disk.
    pub fn disk(&self) -> &D {
        self.descriptors.disk()
    }

    /// Makes files durable for those who wait.
    pub fn commit(&self) -> &GroupCommit<D> {
        &self.commit
    }

    /// Makes files durable at leisure.
    pub fn background(&self) -> &GroupCommit<D> {
        &self.background
    }

    /// What waits to be removed.
    pub fn removals(&self) -> &Removals {
        &self.removals
    }

    /// Whether it keeps up.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// The room set aside for what must be written.
    pub fn reserve(&self) -> &Arc<Reserve<D>> {
        &self.reserve
    }

    /// The first batches of logs that are not made yet.
    pub fn first_records(&self) -> &FirstRecords<D> {
        &self.first_records
    }

    /// Fills the reserve up, or finds that there is no room for it. Says whether the directory has room after having
    /// been full.
    pub fn look_for_room(&self) -> bool {
        let was_full = self.state.health() == DirectoryHealth::Full;
        let path = self.reserve.path();
        match self.reserve.fill() {
            Ok(true) => self.state.has_room(),
            Ok(false) => self.state.note(&Fault::Full { path: self.path().to_owned() }),
            Err(error) => self.state.note(&Fault::io("write", path, error)),
        }
        was_full && self.state.health() == DirectoryHealth::Online
    }

    /// Does what must not fail for want of room: tried again with what the reserve gives up as long as it has anything.
    pub fn reserved<T>(&self, mut attempt: impl FnMut() -> Result<T, Fault>) -> Result<T, Fault> {
        loop {
            match self.noted(attempt()) {
                Err(fault) if fault.no_space() && self.reserve.draw() => {}
                outcome => return outcome,
            }
        }
    }

    /// The same for what very many logs may ask for at once: enough is left for what keeps the node going, and for what
    /// frees room.
    pub fn reserved_in_part<T>(&self, mut attempt: impl FnMut() -> Result<T, Fault>) -> Result<T, Fault> {
        loop {
            match self.noted(attempt()) {
                Err(fault) if fault.no_space() && self.reserve.draw_spare() => {}
                outcome => return outcome,
            }
        }
    }

    /// A log of the directory begins further on: `log-start-offset-checkpoint` is due.
    pub fn note_log_start_moved(&self) {
        self.log_starts_moved.store(true, Ordering::Release);
    }

    /// Whether `log-start-offset-checkpoint` is due; clears the mark.
    pub fn take_log_start_moved(&self) -> bool {
        self.log_starts_moved.swap(false, Ordering::AcqRel)
    }

    /// What `replication-offset-checkpoint` is to say of a log of the directory has changed: it is due. Appends come here, so
    /// that where it is due anyway nothing is written that other processors would have to hear of.
    pub fn note_high_watermark_moved(&self) {
        if !self.high_watermarks_moved.load(Ordering::Relaxed) {
            self.high_watermarks_moved.store(true, Ordering::Release);
        }
    }

    /// Whether `replication-offset-checkpoint` is due; clears the mark.
    pub fn take_high_watermark_moved(&self) -> bool {
        self.high_watermarks_moved.swap(false, Ordering::AcqRel)
    }

    /// A log of the directory has grown, or something else has come that may call for a place where its recovery begins.
    pub fn note_grown(&self) {
        if !self.grown.load(Ordering::Relaxed) {
            self.grown.store(true, Ordering::Release);
        }
    }

    /// Whether a log has grown; clears the mark.
    pub fn take_grown(&self) -> bool {
        self.grown.swap(false, Ordering::AcqRel)
    }

    /// A log of the directory is to be compacted from now on.
    pub fn note_compacting(&self, log: &TopicPartition) {
        self.lock_compacting().insert(log.clone());
    }

    /// A log is gone.
    pub fn forget_compacting(&self, log: &TopicPartition) {
        self.lock_compacting().remove(log);
    }

    /// The logs that are compacted, and perhaps some that are not any more.
    pub fn compacting(&self) -> BTreeSet<TopicPartition> {
        self.lock_compacting().clone()
    }

    fn lock_compacting(&self) -> MutexGuard<'_, BTreeSet<TopicPartition>> {
        self.compacting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far a log of the directory is clean has changed: `cleaner-offset-checkpoint` is due.
    pub fn note_cleaned(&self) {
        self.cleaned.store(true, Ordering::Release);
    }

    /// Whether `cleaner-offset-checkpoint` is due; clears the mark.
    pub fn take_cleaned(&self) -> bool {
        self.cleaned.swap(false, Ordering::AcqRel)
    }

    /// A log has grown so far that recovery is to get another place to begin at.
    pub fn note_resume_due(&self, log: &TopicPartition) {
        self.resume_due.lock().unwrap_or_else(PoisonError::into_inner).push(log.clone());
    }

    /// The logs in which a place where recovery may begin is due; forgets them.
    pub fn take_resume_due(&self) -> Vec<TopicPartition> {
        std::mem::take(&mut *self.resume_due.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes note of what a call came to: a fault of the disk changes the directory's health.
    pub fn noted<T>(&self, outcome: Result<T, Fault>) -> Result<T, Fault> {
        outcome.inspect_err(|fault| self.state.note(fault))
    }
}

#[cfg(test)]
mod tests {
    use protocol::id::Uuid;
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn what_must_not_fail_has_all_of_the_reserve_and_what_many_may_ask_for_a_part() {
        let temp = tempfile::tempdir().unwrap();
        let descriptors = Descriptors::new(RealDisk, 4);
        let home = LogDirectory::start(temp.path(), Uuid([7; 16]), descriptors, 512 << 10).unwrap();
        home.reserve().fill().unwrap();
        let left = || std::fs::metadata(home.reserve().path()).unwrap().len();
        let no_room = || Err::<(), _>(Fault::io("write", temp.path(), Errno::NOSPC.into()));
        assert!(home.reserved_in_part(no_room).unwrap_err().no_space());
        assert_eq!(left(), 128 << 10);
        assert!(home.reserved(no_room).unwrap_err().no_space());
        assert_eq!(left(), 0);
    }
}
