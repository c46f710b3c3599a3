//! Bringing forward the places where recovery would begin: in the logs that have said that one is due, and from time to time in
//! those that grow slowly or not at all.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::TryLockError;

use protocol::id::{DirectoryId, Timestamp};

use super::LogDirs;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::log::{Settled, Way};
use crate::names::TopicPartition;

/// How often all logs are looked at.
const EVERY_MS: i64 = 15_000;
/// So many logs of a directory are on their way to stable storage at a time: nobody waits for them, and others for the disk.
pub(super) const AT_ONCE: usize = 16;

/// The logs that are to get a place though they do not grow much.
#[derive(Default)]
pub(super) struct Settling {
    /// When all logs were looked at last.
    looked: Option<Timestamp>,
    /// Whether one of them was not settled then, or could not be looked at.
    unsettled: bool,
    directories: BTreeMap<DirectoryId, Directory>,
}

/// Those of one directory: if it hangs, those of the others go on.
#[derive(Default)]
struct Directory {
    /// Those that wait, each with what would be read of it; the one of which most would be is the last. Bound: the logs.
    waiting: Vec<(u32, TopicPartition)>,
    /// The places that have not come to stable storage yet. Bound: `AT_ONCE`.
    under_way: Vec<Way>,
}

fn no_place(name: &TopicPartition, fault: &Fault) {
    tracing::warn!(partition = %name, %fault, "recovery gets no new place to begin at");
}

impl<D: Disk> LogDirs<D> {
    /// Takes down where recovery may begin in each log that has grown by `headwater.recovery.bytes` since the last time, and
    /// has it brought to stable storage in the background. Idle logs cost nothing.
    pub fn advance_resume_points(&self) {
        for directory in self.directories() {
            for name in directory.take_resume_due() {
                let Some(log) = self.get(&name) else { continue };
                let mut log = match log.try_lock() {
                    Ok(log) => log,
                    Err(TryLockError::WouldBlock) => {
                        // Whoever has it may be waiting for a disk that hangs.
                        directory.note_resume_due(&name);
                        continue;
                    }
                    Err(TryLockError::Poisoned(_)) => continue,
                };
                match log.advance_resume_point() {
                    Ok(true) => directory.note_resume_due(&name),
                    Ok(false) => {}
                    Err(fault) => no_place(&name, &fault),
                }
            }
        }
    }

    /// Sees to it that little is read after a kill also of logs that grow slowly or not at all: every quarter of a minute those
    /// are looked for of which much would be, unless none has grown and all were settled before, and their ends are brought to
    /// stable storage, a few at a time. To be called several times a second.
    pub fn settle(&self, now: Timestamp) {
        let mut settling = self.settling();
        // A clock that was set back says nothing about how long that is ago.
        let due = |looked: Timestamp| now < looked || now.0 - looked.0 >= EVERY_MS;
        if settling.looked.is_none_or(due) {
            settling.looked = Some(now);
            // All marks are taken before the first log is looked at: what grows meanwhile is looked at the next time.
            let grown = self.directories().filter(|directory| directory.take_grown()).count() > 0;
            if grown || settling.unsettled {
                settling.unsettled = self.look_for_unsettled(&mut settling.directories, now);
            }
        }
        // In the order they are configured in, which is the same in each simulated life; their ids are not.
        for home in self.directories() {
            if let Some(directory) = settling.directories.get_mut(&home.id()) {
                self.settle_some(directory, now);
            }
        }
    }

    /// Looks for the logs of which much would be read; says whether they are to be looked at again though none of them grows.
    /// One that somebody has in hand is not left alone, and may be waiting for a disk that hangs.
    fn look_for_unsettled(&self, directories: &mut BTreeMap<DirectoryId, Directory>, now: Timestamp) -> bool {
        let mut unsettled = false;
        for directory in directories.values_mut() {
            directory.waiting.clear();
        }
        for (name, log) in self.walk() {
            #[cfg(test)]
            crate::scripted_disk::note_hold();
            let mut log = match log.try_lock() {
                Ok(log) => log,
                Err(TryLockError::WouldBlock) => {
                    unsettled = true;
                    continue;
                }
                Err(TryLockError::Poisoned(_)) => continue,
            };
            let settled = log.settle(now).unwrap_or_else(|fault| {
                no_place(&name, &fault);
                Settled::NotYet
            });
            unsettled |= settled != Settled::UntilItGrows;
            if let Settled::Behind(behind) = settled {
                let directory = directories.entry(log.directory_id()).or_default();
                directory.waiting.push((behind, name));
            }
        }
        for directory in directories.values_mut() {
            directory.waiting.sort_unstable();
        }
        unsettled
    }

    fn settle_some(&self, directory: &mut Directory, now: Timestamp) {
        directory.under_way.retain(|way| !way.is_over());
        while directory.under_way.len() < AT_ONCE {
            let Some((_, name)) = directory.waiting.pop() else {
                // Of very many no room is kept.
                drop(take(&mut directory.waiting));
                return;
            };
            let Some(log) = self.get(&name) else { continue };
            let Ok(mut log) = log.try_lock() else { continue };
            match log.begin_settling(now) {
                Ok(way) => directory.under_way.extend(way),
                Err(fault) => no_place(&name, &fault),
            }
        }
    }
}
