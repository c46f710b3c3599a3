//! What is done to the calls on a simulated disk: counted, cut off, failed, shortened, pretended.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use rustix::io::Errno;

use crate::dice::Dice;

/// How many changes a message names.
const REMEMBERED: usize = 12;

/// The kinds of calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// Opening a file, whether it is there or not.
    Open,
    /// Making a file.
    Create,
    /// Reading a file, its length, its facts, or a directory.
    Read,
    /// Writing to a file.
    Write,
    /// Setting a file's length.
    Truncate,
    /// Bringing a file to stable storage.
    Sync,
    /// Renaming.
    Rename,
    /// Removing a file.
    Unlink,
    /// Making a directory.
    CreateDirectory,
    /// Removing a directory.
    RemoveDirectory,
    /// Bringing the names of a directory to stable storage.
    SyncDirectory,
    /// Bringing everything to stable storage.
    SyncAll,
}

#[derive(Default)]
pub(super) struct Script {
    pub(super) changes: u64,
    pub(super) cut_at: Option<u64>,
    pub(super) off: bool,
    pub(super) shorten: Option<Dice>,
    pub(super) room: Option<u64>,
    failures: Vec<(Verb, String, Errno)>,
    /// The change that fails, and how.
    pub(super) fail_at: Option<(u64, Errno)>,
    /// Whether anything was made to fail.
    pub(super) failed: bool,
    pretences: Vec<(Verb, String)>,
    /// Bound: [`REMEMBERED`].
    last: VecDeque<String>,
}

impl Script {
    pub(super) fn fail_once(&mut self, verb: Verb, suffix: &str, errno: Errno) {
        self.failures.push((verb, suffix.to_owned(), errno));
    }

    pub(super) fn pretend(&mut self, verb: Verb, part: &str) {
        self.pretences.push((verb, part.to_owned()));
    }

    /// Takes over what calls are to be done to, but not when the power goes.
    pub(super) fn copy_from(&mut self, other: &Self) {
        self.shorten.clone_from(&other.shorten);
        self.pretences.clone_from(&other.pretences);
        (self.room, self.changes) = (other.room, other.changes);
    }

    /// A call that changes nothing.
    pub(super) fn look(&mut self, verb: Verb, path: &Path) -> io::Result<()> {
        if self.off {
            return Err(Errno::IO.into());
        }
        let path = path.to_string_lossy();
        let due =
            self.failures.iter().position(|(known, suffix, _)| *known == verb && path.ends_with(suffix));
        let Some(due) = due else { return Ok(()) };
        self.failed = true;
        Err(self.failures.remove(due).2.into())
    }

    /// A call that changes something.
    pub(super) fn change(&mut self, verb: Verb, path: &Path) -> io::Result<()> {
        if self.cut_at == Some(self.changes) {
            self.off = true;
        }
        if !self.off {
            if self.last.len() == REMEMBERED {
                self.last.pop_front();
            }
            self.last.push_back(format!("{} {verb:?} {}", self.changes, path.display()));
            self.changes += 1;
            if let Some((_, errno)) = self.fail_at.take_if(|(at, _)| *at < self.changes) {
                self.failed = true;
                return Err(errno.into());
            }
        }
        self.look(verb, path)
    }

    pub(super) fn pretends(&self, verb: Verb, path: &Path) -> bool {
        let path = path.to_string_lossy();
        self.pretences.iter().any(|(known, part)| *known == verb && path.contains(part.as_str()))
    }

    pub(super) fn shortened(&mut self, length: usize) -> usize {
        let Some(dice) = &mut self.shorten else { return length };
        if length > 1 && dice.percent(30) { 1 + dice.place(length - 1) } else { length }
    }

    pub(super) fn last_changes(&self) -> String {
        self.last.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}
