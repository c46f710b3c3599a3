//! A disk in memory behind [`storage::Disk`] that forgets: at a power cut everything goes that was not synced, bytes,
//! lengths, names, and of it comes back what chance decides ([`Fate`]). The same calls and the same seed give the same
//! disk.
//!
//! Calls that change something are numbered, so that the power can be cut before any of them. A script makes calls
//! fail (a failed fsync loses what it should have written), shortens reads and writes, bounds the room, or makes a call
//! pretend. There is one thread: storage's own threads are stepped by whoever drives it ([`Disk::stepped`]).

mod power;
mod script;
mod tree;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::id::Timestamp;
use rustix::io::Errno;
use storage::Disk;
use storage::disk::{Access, Entry, FileFacts, Space};

use crate::dice::Dice;
pub use power::Fate;
use script::Script;
pub use script::Verb;
use tree::{Inode, Tree};

/// The disk. Clones share it.
#[derive(Clone)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    tree: Tree,
    now: Timestamp,
    script: Script,
    locked: BTreeSet<Inode>,
}

/// An open file.
pub struct SimulatedFile {
    disk: SimulatedDisk,
    inode: Inode,
    path: PathBuf,
    holds_lock: AtomicBool,
}

impl Drop for SimulatedFile {
    fn drop(&mut self) {
        if self.holds_lock.load(Ordering::Relaxed) {
            self.disk.state().locked.remove(&self.inode);
        }
    }
}

impl Default for SimulatedDisk {
    fn default() -> Self {
        Self::of(Tree::new(), Timestamp(0))
    }
}

impl SimulatedDisk {
    fn of(tree: Tree, now: Timestamp) -> Self {
        let state = State { tree, now, script: Script::default(), locked: BTreeSet::new() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the clock that files are stamped by.
    pub fn set_now(&self, now: Timestamp) {
        self.state().now = now;
    }

    /// How many calls have changed something.
    pub fn changes(&self) -> u64 {
        self.state().script.changes
    }

    /// Cuts the power before the change of this number, the first being 0.
    pub fn cut_at(&self, change: u64) {
        self.state().script.cut_at = Some(change);
    }

    /// Cuts the power now.
    pub fn cut(&self) {
        self.state().script.off = true;
    }

    /// Whether the power is off.
    pub fn is_off(&self) -> bool {
        self.state().script.off
    }

    /// The disk as it is found when the power is back. This one stays off: whoever still holds it does no harm.
    pub fn power_on(&self, fate: Fate, seed: u64) -> Self {
        let mut state = self.state();
        state.script.off = true;
        let tree = power::survivor(&state.tree, fate, &mut Dice::new(seed));
        Self::of(tree, state.now)
    }

    /// The disk after its process was killed: nothing is lost, and nothing more is synced than was; what is to be done to
    /// calls still is. This one is off from now on.
    pub fn process_killed(&self) -> Self {
        let mut state = self.state();
        let next = Self::of(state.tree.clone(), state.now);
        next.state().script = std::mem::take(&mut state.script);
        next.state().script.off = false;
        state.script.off = true;
        next
    }

    /// Another disk with all that is on this one.
    pub fn fork(&self) -> Self {
        let state = self.state();
        let copy = Self::of(state.tree.clone(), state.now);
        copy.state().script.copy_from(&state.script);
        copy
    }

    /// Makes the next call of this kind on a path that ends so fail.
    pub fn fail_once(&self, verb: Verb, suffix: &str, errno: Errno) {
        self.state().script.fail_once(verb, suffix, errno);
    }

    /// Makes the change of this number fail, the first being 0.
    pub fn fail_at(&self, change: u64, errno: Errno) {
        self.state().script.fail_at = Some((change, errno));
    }

    /// Whether anything was made to fail.
    pub fn has_failed(&self) -> bool {
        self.state().script.failed
    }

    /// Has every call of this kind on a path that holds `part` say that it was done, and do nothing.
    pub fn pretend(&self, verb: Verb, part: &str) {
        self.state().script.pretend(verb, part);
    }

    /// Has reads and writes end early, now and then.
    pub fn shorten(&self, seed: u64) {
        self.state().script.shorten = Some(Dice::new(seed));
    }

    /// Bounds the bytes of all files together.
    pub fn bound(&self, bytes: Option<u64>) {
        self.state().script.room = bytes;
    }

    /// The last changes, for a message.
    pub fn last_changes(&self) -> String {
        self.state().script.last_changes()
    }

    /// The bytes of a file as the process sees them.
    pub fn bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.state();
        Ok(state.tree.body(state.tree.find(path)?)?.seen.clone())
    }

    fn do_change<T>(
        &self,
        (verb, path): (Verb, &Path),
        change: impl FnOnce(&mut Tree, Timestamp) -> io::Result<T>,
        pretended: impl FnOnce() -> T,
    ) -> io::Result<T> {
        let mut state = self.state();
        state.script.change(verb, path)?;
        if state.script.pretends(verb, path) {
            return Ok(pretended());
        }
        let now = state.now;
        change(&mut state.tree, now)
    }
}

impl Disk for SimulatedDisk {
    type File = SimulatedFile;

    fn stepped(&self) -> bool {
        true
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<SimulatedFile> {
        let mut state = self.state();
        state.script.look(Verb::Open, path)?;
        let inode = match (state.tree.find(path), access) {
            (Err(error), Access::Create) if error.kind() == io::ErrorKind::NotFound => {
                state.script.change(Verb::Create, path)?;
                let now = state.now;
                state.tree.create_file(path, now)?
            }
            (found, _) => found?,
        };
        state.tree.body(inode)?;
        let (disk, path) = (self.clone(), path.to_owned());
        Ok(SimulatedFile { disk, inode, path, holds_lock: AtomicBool::new(false) })
    }

    fn length(&self, file: &SimulatedFile) -> io::Result<u64> {
        let mut state = self.state();
        state.script.look(Verb::Read, &file.path)?;
        Ok(state.tree.body(file.inode)?.seen.len() as u64)
    }

    fn pread(&self, file: &SimulatedFile, into: &mut [u8], position: u64) -> io::Result<usize> {
        let mut state = self.state();
        state.script.look(Verb::Read, &file.path)?;
        let wanted = state.script.shortened(into.len());
        let bytes = &state.tree.body(file.inode)?.seen;
        let start = usize::try_from(position).map_or(bytes.len(), |position| position.min(bytes.len()));
        let length = wanted.min(bytes.len() - start);
        into[..length].copy_from_slice(&bytes[start..start + length]);
        Ok(length)
    }

    fn pwrite(&self, file: &SimulatedFile, bytes: &[u8], position: u64) -> io::Result<usize> {
        let mut state = self.state();
        state.script.change(Verb::Write, &file.path)?;
        let wanted = state.script.shortened(bytes.len());
        let held = state.tree.body(file.inode)?.seen.len() as u64;
        let mut length = wanted as u64;
        if let Some(room) = state.script.room {
            let free = room.saturating_sub(state.tree.used());
            length = length.min((held + free).saturating_sub(position));
            if length == 0 && wanted > 0 {
                return Err(Errno::NOSPC.into());
            }
        }
        let now = state.now;
        state.tree.write(file.inode, position, &bytes[..length as usize], now)?;
        Ok(length as usize)
    }

    fn truncate(&self, file: &SimulatedFile, length: u64) -> io::Result<()> {
        let cut = |tree: &mut Tree, now| tree.set_length(file.inode, length, now);
        self.do_change((Verb::Truncate, &file.path), cut, || ())
    }

    fn fdatasync(&self, file: &SimulatedFile) -> io::Result<()> {
        let outcome = self.do_change((Verb::Sync, &file.path), |tree, _| tree.sync_file(file.inode), || ());
        if outcome.is_err() {
            let mut state = self.state();
            if !state.script.off {
                state.tree.lose_pending(file.inode)?;
            }
        }
        outcome
    }

    fn lock(&self, file: &SimulatedFile) -> io::Result<bool> {
        let mut state = self.state();
        state.script.look(Verb::Open, &file.path)?;
        let taken = state.locked.insert(file.inode);
        if taken {
            file.holds_lock.store(true, Ordering::Relaxed);
        }
        Ok(taken)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.do_change((Verb::Rename, from), |tree, _| tree.rename(from, to), || ())
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.do_change((Verb::Unlink, path), |tree, _| tree.unlink(path), || ())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.do_change((Verb::CreateDirectory, path), |tree, _| tree.create_directory(path), || ())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.do_change((Verb::RemoveDirectory, path), |tree, _| tree.remove_directory(path), || ())
    }

    fn fsync_dir(&self, path: &Path) -> io::Result<()> {
        let sync = |tree: &mut Tree, _| {
            let directory = tree.find(path)?;
            tree.directory(directory)?;
            tree.sync_directory(directory);
            Ok(())
        };
        self.do_change((Verb::SyncDirectory, path), sync, || ())
    }

    fn sync_all(&self, opened: &SimulatedFile) -> io::Result<()> {
        let sync = |tree: &mut Tree, _| {
            tree.sync_all();
            Ok(())
        };
        self.do_change((Verb::SyncAll, &opened.path), sync, || ())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut state = self.state();
        state.script.look(Verb::Read, path)?;
        state.tree.list(path)
    }

    fn facts(&self, path: &Path) -> io::Result<FileFacts> {
        let mut state = self.state();
        state.script.look(Verb::Read, path)?;
        state.tree.facts(path)
    }

    fn set_modified(&self, path: &Path, modified: Timestamp) -> io::Result<()> {
        self.do_change((Verb::Write, path), |tree, _| tree.set_modified(path, modified), || ())
    }

    fn file_system(&self, path: &Path) -> io::Result<u64> {
        self.state().script.look(Verb::Read, path)?;
        Ok(0)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let mut state = self.state();
        state.script.look(Verb::Read, path)?;
        let total = state.script.room.unwrap_or(1 << 40);
        Ok(Space { total, usable: total.saturating_sub(state.tree.used()) })
    }
}

#[cfg(test)]
mod tests;
