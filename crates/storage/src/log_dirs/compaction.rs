//! Compaction across all logs: which one is dirtiest, how far each is clean (`cleaner-offset-checkpoint`), and which are
//! passed over because they cannot be read.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::PoisonError;

use partition::compaction::dirty::Cleanable;
use protocol::id::Timestamp;

use super::{LogDirs, SharedLog, each_of, locked, whole};
use crate::directory_state::DirectoryHealth;
use crate::disk::Disk;
use crate::log::Retained;
use crate::names::TopicPartition;

/// The log to clean next, and what was seen on the way to it.
pub struct Dirtiest<D: Disk> {
    /// The log and what can be cleaned of it; `None` if none is dirty enough.
    pub log: Option<(TopicPartition, SharedLog<D>, Cleanable)>,
    /// The largest dirty ratio of all logs.
    pub ratio_max: f64,
    /// The longest that records wait beyond `max.compaction.lag.ms`.
    pub overdue_max_ms: i64,
    /// Logs on full directories that are due, and cannot be cleaned for want of room.
    pub crowded: Vec<Crowded>,
}

/// A log that is due to be cleaned, and has no room for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Crowded {
    /// The partition.
    pub name: TopicPartition,
    /// The full log directory.
    pub directory: PathBuf,
    /// Bytes that a cleaning may write before it frees any.
    pub needed: u64,
    /// Bytes that are free.
    pub free: u64,
}

/// What indexes may take besides the batches of a new segment.
const INDEXES: u64 = 1 << 20;

/// A log that compaction has given up on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Uncleanable {
    /// The partition.
    pub name: TopicPartition,
    /// The log directory it lies in.
    pub directory: PathBuf,
    /// Bytes that would be due to be cleaned.
    pub bytes: u64,
    /// Why.
    pub reason: String,
}

impl<D: Disk> LogDirs<D> {
    /// Looks for the dirtiest log that is due to be cleaned. Logs that somebody is at, and those that cannot be cleaned,
    /// are passed over.
    pub fn dirtiest(&self, now: Timestamp) -> Dirtiest<D> {
        let mut found = Dirtiest { log: None, ratio_max: 0.0, overdue_max_ms: 0, crowded: Vec::new() };
        let mut best = f64::NEG_INFINITY;
        for (name, shared) in self.compacting() {
            // Retention says what is wrong with one that a thread panicked with.
            let Ok(mut log) = whole(&shared) else { continue };
            let health = log.home().state().health();
            // One that was compacted once stays known: another of its name may just have been made that is.
            if !log.config().compaction.compact || health == DirectoryHealth::Offline {
                continue;
            }
            let cleanable = match log.cleanable(now) {
                Ok(Some(cleanable)) => cleanable,
                Ok(None) => continue,
                Err(fault) => {
                    tracing::warn!(partition = %name, %fault, "cannot tell how dirty the log is");
                    if !fault.is_passing() && !fault.takes_directory_offline() {
                        log.mark_uncleanable(fault.to_string());
                    }
                    continue;
                }
            };
            if cleanable.clean_bytes + cleanable.cleanable_bytes == 0 {
                continue;
            }
            found.overdue_max_ms = found.overdue_max_ms.max(cleanable.overdue_ms);
            found.ratio_max = found.ratio_max.max(cleanable.ratio());
            let due = cleanable.is_due(&log.config().compaction);
            if due && health == DirectoryHealth::Full {
                // There must be room for a second copy of what is cleaned at a time, however much is gained after that.
                let bytes = cleanable.clean_bytes + cleanable.cleanable_bytes;
                let needed = bytes.min(u64::from(log.config().roll.segment_bytes)) + INDEXES;
                let directory = log.home().path().to_owned();
                let free = log.home().disk().space(&directory).map_or(0, |space| space.usable);
                if free < needed {
                    found.crowded.push(Crowded { name, directory, needed, free });
                    continue;
                }
            }
            if due && cleanable.ratio() > best {
                best = cleanable.ratio();
                drop(log);
                found.log = Some((name, shared, cleanable));
            }
        }
        found
    }

    /// Drops what retention no longer keeps of compacted logs; says how many segments and bytes went.
    pub fn retain_compacted(&self, now: Timestamp) -> (usize, u64) {
        let mut total = (0, 0);
        each_of(self.compacting(), "apply retention", |log| {
            if log.config().compaction.compact {
                let Retained { reasons, bytes } = log.retain(now)?;
                total.0 += reasons.len();
                total.1 += bytes;
            }
            Ok(())
        });
        total
    }

    /// The logs that are compacted, by name, and perhaps some that were: of very many others none is looked at.
    fn compacting(&self) -> impl Iterator<Item = (TopicPartition, SharedLog<D>)> {
        let names: BTreeSet<_> = self.directories().flat_map(|directory| directory.compacting()).collect();
        names.into_iter().filter_map(|name| {
            let log = self.get(&name).or_else(|| {
                // Whoever makes a log has it known here and puts it into the table under this lock.
                let logs = self.logs.write().unwrap_or_else(PoisonError::into_inner);
                let log = logs.get(&name).cloned();
                if log.is_none() {
                    self.directories().for_each(|directory| directory.forget_compacting(&name));
                }
                log
            });
            log.map(|log| (name, log))
        })
    }

    /// The logs that compaction has given up on.
    pub fn uncleanable(&self, now: Timestamp) -> Vec<Uncleanable> {
        let mut all = Vec::new();
        for (name, log) in self.walk() {
            let (reason, bytes) = match whole(&log) {
                Ok(mut log) => {
                    let Some(reason) = log.uncleanable().map(str::to_owned) else { continue };
                    // Of a log that cannot be measured either there is nothing to count.
                    (reason, log.cleanable_bytes(now).unwrap_or(0))
                }
                Err(fault) if locked(&log).config().compaction.compact => (fault.to_string(), 0),
                Err(_) => continue,
            };
            let directory = locked(&log).home().path().to_owned();
            all.push(Uncleanable { name, directory, bytes, reason });
        }
        all
    }
}
