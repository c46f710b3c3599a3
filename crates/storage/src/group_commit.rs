//! Acknowledging only what is on stable storage, without an fsync for each request.
//!
//! Each log directory has one thread that makes files durable. An append whose log asks for it hands in a ticket with
//! the files it made dirty; while one fsync runs the tickets of all other partitions gather, and the next cycle brings
//! every file of theirs to stable storage once and then completes them together. So k concurrent appends cost the
//! fsyncs of the files they touched, not k; and where somebody waits for several, all of them are begun to be written out, and the fsyncs
//! run beside one another ([`beside`]). One call for the file system as a whole would not tell of every loss (ADR 0028).
//!
//! Another thread like it takes what nobody waits for, at leisure: all that was handed in, each file once, and each ticket is
//! told when its last file is there. After a file that took long it leaves the disk to others for a while, for whoever appends
//! beside a sync of tens of megabytes waits for the journal of the file system now and then. It does not while more waits for it.
//!
//! An error of fsync fails every ticket of its cycle and all that come later: the pages may be gone, and a second
//! fsync would succeed over the hole. The directory is offline from then on.

mod beside;
mod telling;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::beside::Beside;
pub use self::telling::{after_the_group, as_a_group};
use crate::directory_state::DirectoryState;
use crate::disk::{Disk, RealDisk};
use crate::fault::Fault;
use crate::segment::DirtyFile;

/// Who syncs at leisure rests after a sync that took longer than this,
const REST_AFTER: Duration = Duration::from_millis(10);
/// for so many times as long as it took,
const REST_TIMES: u32 = 3;
/// and between all that it was handed at a time no longer than this.
const REST_MAX: Duration = Duration::from_millis(500);

/// What is told when a ticket's files are on stable storage, or never will be. It runs on the directory's thread and
/// must not block it.
pub type Done = Box<dyn FnOnce(Result<(), Fault>) + Send>;

/// A wish to have files on stable storage.
pub struct Ticket<D: Disk = RealDisk> {
    /// The files, with all their bytes written.
    pub files: Vec<DirtyFile<D>>,
    /// Directories whose names have changed.
    pub directories: Vec<PathBuf>,
    /// Told once it is done.
    pub done: Done,
}

impl<D: Disk> Ticket<D> {
    /// The same wish, with somebody more to be told, after who was to be told so far.
    pub fn telling(self, last: Done) -> Self {
        let first = self.done;
        let done: Done = Box::new(move |outcome| {
            first(outcome.clone());
            last(outcome);
        });
        Self { done, ..self }
    }
}

/// The thread of one log directory that makes files durable.
pub struct GroupCommit<D: Disk = RealDisk> {
    shared: Arc<Shared<D>>,
    /// None on a disk that is stepped.
    thread: Option<JoinHandle<()>>,
}

struct Shared<D: Disk> {
    disk: D,
    state: Arc<DirectoryState>,
    queue: Mutex<Queue<D>>,
    wake: Condvar,
    /// None where nobody waits and files are synced one after the other, and on a disk that is stepped.
    beside: Option<Beside>,
}

struct Queue<D: Disk> {
    /// Bound: one for each append in flight, which the connections bound; where nobody waits, of each log one for its age, one
    /// for the place where recovery begins, and one for each segment that was begun since.
    tickets: Vec<Ticket<D>>,
    /// Whether the thread waits for the first of them: one that is at work looks by itself before it does.
    asleep: bool,
    closing: bool,
}

impl<D: Disk> GroupCommit<D> {
    /// Starts the thread of a log directory, which syncs one file after the other: for whoever does not wait.
    pub fn start(disk: D, directory: &Path, state: Arc<DirectoryState>) -> Result<Self, Fault> {
        Self::start_with(disk, directory, state, None)
    }

    /// Starts one for those who wait, which syncs the files of a group beside one another with threads that come as they are
    /// needed.
    pub fn start_beside(disk: D, directory: &Path, state: Arc<DirectoryState>) -> Result<Self, Fault> {
        Self::start_with(disk, directory, state, Some(Beside::default()))
    }

    fn start_with(
        disk: D,
        directory: &Path,
        state: Arc<DirectoryState>,
        beside: Option<Beside>,
    ) -> Result<Self, Fault> {
        let queue = Mutex::new(Queue { tickets: Vec::new(), asleep: false, closing: false });
        let stepped = disk.stepped();
        let beside = beside.filter(|_| !stepped);
        let shared = Arc::new(Shared { disk, state, queue, wake: Condvar::new(), beside });
        if stepped {
            return Ok(Self { shared, thread: None });
        }
        let worker = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("group-commit".into())
            .spawn(move || worker.run_to_the_end())
            .map_err(|error| Fault::io("start the fsync thread of", directory, error))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Hands in a ticket. Never waits.
    pub fn submit(&self, ticket: Ticket<D>) {
        let mut queue = self.shared.lock();
        if queue.closing {
            drop(queue);
            (ticket.done)(Err(self.shared.closed()));
            return;
        }
        queue.tickets.push(ticket);
        let asleep = std::mem::take(&mut queue.asleep);
        drop(queue);
        if asleep {
            self.shared.wake.notify_one();
        }
    }

    /// Does what the thread would do with all that was handed in, on a disk that is stepped. Says whether there was
    /// anything.
    pub fn step(&self) -> bool {
        if self.thread.is_some() {
            return false;
        }
        let tickets = std::mem::take(&mut self.shared.lock().tickets);
        let any = !tickets.is_empty();
        if any {
            self.shared.cycle(tickets);
        }
        any
    }
}

impl<D: Disk> Drop for GroupCommit<D> {
    /// Completes what was handed in, then ends the thread.
    fn drop(&mut self) {
        while self.step() {}
        self.shared.lock().closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // A ticket may own the last handle of its directory; its thread cannot wait for itself.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl<D: Disk> Shared<D> {
    /// Runs until closed. If it ends by a panic nobody may wait for it any more: the directory goes offline, and who
    /// waits or comes later is told.
    fn run_to_the_end(&self) {
        if catch_unwind(AssertUnwindSafe(|| self.run())).is_ok() {
            return;
        }
        self.state.take_offline("the thread that makes files durable has panicked");
        let left = {
            let mut queue = self.lock();
            queue.closing = true;
            std::mem::take(&mut queue.tickets)
        };
        for ticket in left {
            (ticket.done)(Err(self.closed()));
        }
    }

    fn run(&self) {
        loop {
            let tickets = {
                let mut queue = self.lock();
                while queue.tickets.is_empty() && !queue.closing {
                    queue.asleep = true;
                    queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
                queue.asleep = false;
                std::mem::take(&mut queue.tickets)
            };
            if tickets.is_empty() {
                return;
            }
            match self.beside {
                Some(_) => self.cycle(tickets),
                None => self.cycle_at_leisure(tickets),
            }
        }
    }

    /// Leaves the disk to others for a while after a file that `took` so long, unless more is waiting or all is to be
    /// completed; takes that off what is `left`.
    fn rest(&self, took: Duration, left: &mut Duration) {
        if took <= REST_AFTER || left.is_zero() {
            return;
        }
        let begun = Instant::now();
        let mut queue = self.lock();
        queue.asleep = true;
        let waits = |queue: &mut Queue<D>| queue.tickets.is_empty() && !queue.closing;
        let _rested = self.wake.wait_timeout_while(queue, took.saturating_mul(REST_TIMES).min(*left), waits);
        *left = left.saturating_sub(begun.elapsed());
    }

    fn cycle(&self, tickets: Vec<Ticket<D>>) {
        let outcome = self.judged(|| self.sync(&tickets));
        as_a_group(|| tickets.into_iter().for_each(|ticket| (ticket.done)(outcome.clone())));
    }

    /// All tickets were handed in before the first file is synced, so that whatever was synced for one of them is for all.
    fn cycle_at_leisure(&self, tickets: Vec<Ticket<D>>) {
        let (mut files, mut directories) = (BTreeSet::new(), BTreeSet::new());
        let (mut took, mut rest_left) = (Duration::ZERO, REST_MAX);
        // Open until the end, so that none is taken for another that was opened meanwhile.
        let opened: Vec<_> = tickets.iter().flat_map(|ticket| ticket.files.clone()).collect();
        for Ticket { files: dirty, directories: changed, done } in tickets {
            let outcome = self.judged(|| {
                for (path, file) in &dirty {
                    if files.insert(Arc::as_ptr(file).addr()) {
                        self.rest(took, &mut rest_left);
                        let begun = Instant::now();
                        self.state.sync(&self.disk, path, file)?;
                        took = begun.elapsed();
                    }
                }
                let changed = changed.into_iter().filter(|changed| directories.insert(changed.clone()));
                changed.collect::<Vec<_>>().iter().try_for_each(|changed| self.sync_names(changed))
            });
            done(outcome);
        }
        drop(opened);
        self.rest(took, &mut rest_left);
    }

    /// What came of a sync, of which note is taken.
    fn judged(&self, sync: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
        let outcome = self.state.check().and_then(|()| {
            sync().inspect_err(|fault| match fault {
                // A thread beside this one has panicked, or another has noted a fault of the disk already.
                Fault::Offline { reason, .. } => self.state.take_offline(reason),
                fault => self.state.note(fault),
            })
        });
        // The other thread may have been told of another file of theirs.
        outcome.and_then(|()| self.state.check())
    }

    fn sync(&self, tickets: &[Ticket<D>]) -> Result<(), Fault> {
        // The same open file is the same pointer; a file that was closed and reopened in between costs a second
        // fsync, which has nothing left to do.
        let mut known = BTreeSet::new();
        let files = tickets.iter().flat_map(|ticket| &ticket.files);
        let files = files.filter(|(_, file)| known.insert(Arc::as_ptr(file).addr()));
        let files: Vec<DirtyFile<D>> = files.cloned().collect();
        self.sync_files(files)?;
        let mut directories: Vec<&PathBuf> = tickets.iter().flat_map(|ticket| &ticket.directories).collect();
        directories.sort();
        directories.dedup();
        directories.into_iter().try_for_each(|directory| self.sync_names(directory))
    }

    /// Each file is there once. Of several all are begun to be written out before one is waited for.
    fn sync_files(&self, files: Vec<DirtyFile<D>>) -> Result<(), Fault> {
        if files.len() > 1 {
            files.iter().try_for_each(|(path, file)| self.state.begin_sync(&self.disk, path, file))?;
        }
        let (disk, state, count) = (self.disk.clone(), self.state.clone(), files.len());
        let sync = move |number: usize| {
            let Some((path, file)) = files.get(number) else { return Ok(()) };
            state.sync(&disk, path, file)
        };
        match &self.beside {
            Some(beside) if count > 1 => beside.each(self.state.directory(), count, sync),
            _ => (0..count).try_for_each(sync),
        }
    }

    fn sync_names(&self, directory: &Path) -> Result<(), Fault> {
        match self.disk.fsync_dir(directory) {
            // Its partition was deleted in the meantime, and with it whatever had to last.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            outcome => outcome.map_err(|error| Fault::io("fsync", directory, error)),
        }
    }

    fn closed(&self) -> Fault {
        if let Err(fault) = self.state.check() {
            return fault;
        }
        Fault::Offline { path: self.state.directory().to_owned(), reason: "it is being closed".into() }
    }

    fn lock(&self) -> MutexGuard<'_, Queue<D>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
