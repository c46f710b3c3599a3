//! All log directories of a node and the logs in them: opened, loaded, checkpointed, looked after, closed.
//!
//! The order of a start is [`format()`] where a directory is new, [`LogDirs::open`] (locks, identities, and whether the
//! last end was clean), then, once the metadata is known, [`LogDirs::load`]. Time is an argument everywhere; who owns
//! the timers calls [`LogDirs::retain`], [`LogDirs::flush_due`], [`LogDirs::remove_due`] and the checkpoints.
//! A directory that fails goes offline and takes only its own logs with it.

mod checkpoints;
mod compaction;
mod cuts;
mod ending;
mod home;
mod load;
mod logs;
mod moves;
mod resume;
mod unloaded;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use protocol::id::{BrokerEpoch, DirectoryId, NodeId, Timestamp, TopicId};
use rustix::io::Errno;

use crate::batch_memory::BatchMemory;
use crate::descriptors::{Descriptors, affordable};
use crate::directory_state::DirectoryHealth;
use crate::disk::{Disk, RealDisk, Space};
use crate::fault::Fault;
use crate::log::{Log, Retained, Room};
use crate::log_config::LogConfig;
use crate::log_directory::LogDirectory;
use crate::names::{TopicPartition, deletion_name};

pub use compaction::{Crowded, Dirtiest, Uncleanable};
use home::Home;
pub use home::format;
pub use load::{LoadReport, Placement};
use logs::Logs;
pub use moves::Move;
use resume::Settling;
use unloaded::UnloadedLogs;

/// So many logs are taken from the table at a time where all are looked at.
const WALKED_AT_ONCE: usize = 256;

/// A log behind the lock of its partition. The lock is held for one operation and never across a wait.
pub type SharedLog<D = RealDisk> = Arc<Mutex<Log<D>>>;

/// What the node's configuration says about log directories.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogDirsConfig {
    /// `log.dirs`.
    pub directories: Vec<PathBuf>,
    /// `node.id`.
    pub node_id: NodeId,
    /// The cluster the data must belong to; `None` takes what the first directory says.
    pub cluster_id: Option<String>,
    /// `headwater.open.files.max`.
    pub open_files_max: usize,
    /// `headwater.batch.positions.bytes`.
    pub batch_positions_bytes: usize,
    /// `num.recovery.threads.per.data.dir`.
    pub recovery_threads: usize,
    /// `headwater.disk.reserve.bytes`.
    pub reserve_bytes: u64,
}

/// The log directories of a node.
pub struct LogDirs<D: Disk = RealDisk> {
    homes: Vec<Home<D>>,
    /// Directories that could not even be opened.
    unusable: Vec<PathBuf>,
    cluster_id: String,
    recovery_threads: usize,
    logs: RwLock<Logs<D>>,
    /// Replicas on their way from one directory to another.
    moves: RwLock<BTreeMap<TopicPartition, Arc<Move<D>>>>,
    unloaded: Mutex<UnloadedLogs>,
    /// Logs whose files are still to be made. Bound: the logs.
    planned: Mutex<Vec<Weak<Mutex<Log<D>>>>>,
    /// Directories that take no new partitions.
    cordoned: RwLock<BTreeSet<DirectoryId>>,
    settling: Mutex<Settling>,
}

/// One log directory as DescribeLogDirs shows it.
#[derive(Clone, Debug)]
pub struct DirectoryDescription {
    /// Where it lies.
    pub path: PathBuf,
    /// Its id.
    pub id: DirectoryId,
    /// How it is.
    pub health: DirectoryHealth,
    /// Room on its file system; `None` if that cannot be asked.
    pub space: Option<Space>,
}

impl<D: Disk> LogDirs<D> {
    /// Locks the directories and reads who they are. A directory whose disk fails is offline from the start; if all fail
    /// there is nothing to start with.
    pub fn open(disk: D, config: &LogDirsConfig, now: Timestamp) -> Result<Self, Fault> {
        let open_files_max = affordable(config.open_files_max);
        if open_files_max < config.open_files_max {
            let wanted = config.open_files_max;
            tracing::warn!(
                wanted,
                open_files_max,
                "headwater.open.files.max is more than half of the files that this process may open: raise that limit \
                 (ulimit -Hn), or set less"
            );
        }
        let batches = BatchMemory::new(config.batch_positions_bytes);
        let descriptors = Descriptors::with_batches(disk, open_files_max, batches);
        let mut homes: Vec<Home<D>> = Vec::new();
        let mut cluster_id = config.cluster_id.clone();
        let (mut last_fault, mut unusable) = (None, Vec::new());
        for (index, path) in config.directories.iter().enumerate() {
            if config.directories[..index].contains(path) {
                let reason = "is named twice in log.dirs: name it once".to_owned();
                return Err(Fault::Mismatch { path: path.clone(), reason });
            }
            let expected = (config.node_id, cluster_id.as_deref());
            match Home::open(path, &descriptors, expected, (config.reserve_bytes, now)) {
                Ok((home, cluster)) => {
                    home.check_no_copy_of(&homes)?;
                    cluster_id.get_or_insert(cluster);
                    homes.push(home);
                }
                Err(fault @ Fault::Io { .. }) => {
                    tracing::error!(directory = %path.display(), %fault, "log directory cannot be used");
                    unusable.push(path.clone());
                    last_fault = Some(fault);
                }
                Err(fault) => return Err(fault),
            }
        }
        match (cluster_id, homes.is_empty(), last_fault) {
            (Some(cluster_id), false, _) => Ok(Self {
                homes,
                unusable,
                cluster_id,
                recovery_threads: config.recovery_threads.max(1),
                logs: RwLock::default(),
                moves: RwLock::default(),
                unloaded: Mutex::default(),
                planned: Mutex::default(),
                cordoned: RwLock::default(),
                settling: Mutex::default(),
            }),
            (_, _, Some(fault)) => Err(fault),
            _ => Err(Fault::Mismatch {
                path: PathBuf::from("log.dirs"),
                reason: "no log directory is named: set log.dirs to at least one".to_owned(),
            }),
        }
    }

    /// The cluster the data belongs to.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The directories that could be opened.
    pub fn directories(&self) -> impl Iterator<Item = &Arc<LogDirectory<D>>> {
        self.homes.iter().map(|home| &home.directory)
    }

    /// The broker epoch of a clean end in every directory, for the registration; `None` after a crash of any.
    pub fn clean_shutdown_epoch(&self) -> Option<BrokerEpoch> {
        let epochs: Option<Vec<BrokerEpoch>> = self.homes.iter().map(|home| home.clean).collect();
        epochs?.into_iter().min()
    }

    /// The directories that are offline.
    pub fn offline(&self) -> Vec<DirectoryId> {
        let offline = |home: &&Home<D>| home.directory.state().health() == DirectoryHealth::Offline;
        self.homes.iter().filter(offline).map(|home| home.directory.id()).collect()
    }

    /// The directories that could not be opened at all.
    pub fn unusable(&self) -> &[PathBuf] {
        &self.unusable
    }

    /// Refuses if any directory of the configuration is out of use.
    pub fn check_all(&self) -> Result<(), Fault> {
        if let Some(path) = self.unusable.first() {
            let reason = Arc::from("it could not be opened at the start");
            return Err(Fault::Offline { path: path.clone(), reason });
        }
        self.directories().try_for_each(|directory| directory.state().check())
    }

    /// All directories with their room.
    pub fn describe(&self) -> Vec<DirectoryDescription> {
        let describe = |directory: &Arc<LogDirectory<D>>| DirectoryDescription {
            path: directory.path().to_owned(),
            id: directory.id(),
            health: directory.state().health(),
            space: directory.disk().space(directory.path()).ok(),
        };
        self.directories().map(describe).collect()
    }

    /// The log of a partition, if it is here.
    pub fn get(&self, name: &TopicPartition) -> Option<SharedLog<D>> {
        self.logs.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// All logs, by name.
    pub fn logs(&self) -> Vec<(TopicPartition, SharedLog<D>)> {
        let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
        logs.iter().collect()
    }

    /// All logs, by name, as [`Self::logs`] has them, but taken from the table some at a time: of very many no list is made.
    /// What comes and goes meanwhile may be met or not.
    pub fn walk(&self) -> impl Iterator<Item = (TopicPartition, SharedLog<D>)> {
        let mut last: Option<TopicPartition> = None;
        let next_some = move || {
            let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
            let some: Vec<_> = logs.behind(last.as_ref()).take(WALKED_AT_ONCE).collect();
            last = some.last().map(|(name, _)| name.clone());
            (!some.is_empty()).then_some(some)
        };
        std::iter::from_fn(next_some).flatten()
    }

    /// The directory with this id.
    pub fn directory(&self, id: DirectoryId) -> Option<&Arc<LogDirectory<D>>> {
        self.directories().find(|directory| directory.id() == id)
    }

    /// Has directories take no new partitions, and all others take some (`cordoned.log.dirs`).
    pub fn cordon(&self, directories: BTreeSet<DirectoryId>) {
        *self.cordoned.write().unwrap_or_else(PoisonError::into_inner) = directories;
    }

    /// The directories that take no new partitions.
    pub fn cordoned(&self) -> BTreeSet<DirectoryId> {
        self.cordoned.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the log of a partition, in the directory named or else in the one with the fewest partitions that is in
    /// order and not cordoned. A log that is here already is handed out if it belongs to the same topic.
    pub fn create(
        &self,
        name: &TopicPartition,
        topic_id: TopicId,
        config: Arc<LogConfig>,
        directory: Option<DirectoryId>,
        now: Timestamp,
    ) -> Result<SharedLog<D>, Fault> {
        let log = self.plan(name, topic_id, config, directory, now)?;
        locked(&log).make(Room::Reserve)?;
        Ok(log)
    }

    /// As [`Self::create`], but a log that is new gets its directory and files with its first record. None is made in the
    /// place of one that could not be loaded: its records would be gone for all who read, and new ones be written over them.
    pub fn plan(
        &self,
        name: &TopicPartition,
        topic_id: TopicId,
        config: Arc<LogConfig>,
        directory: Option<DirectoryId>,
        now: Timestamp,
    ) -> Result<SharedLog<D>, Fault> {
        if let Some(log) = self.get(name) {
            whole(&log)?.set_topic_id(topic_id)?;
            return Ok(log);
        }
        if self.is_unloaded(name) {
            let reason =
                "its log is here and could not be loaded: start again once what the start said is mended";
            return Err(Fault::Mismatch { path: name.to_string().into(), reason: reason.to_owned() });
        }
        let home = self.place(directory)?;
        self.forget_checkpointed(&home, name)?;
        let mut logs = self.logs.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = logs.get(name).cloned() {
            // Somebody else was faster.
            drop(logs);
            whole(&log)?.set_topic_id(topic_id)?;
            return Ok(log);
        }
        let planned = Log::plan(Arc::clone(&home), name.clone(), topic_id, config, now)?;
        let log = Arc::new(Mutex::new(planned));
        self.planned().push(Arc::downgrade(&log));
        logs.insert(name.clone(), Arc::clone(&log));
        Ok(log)
    }

    /// Makes the directories and files of logs that were planned and have none yet, so that whoever looks at the disk
    /// finds them soon. One that cannot be made now is tried again later.
    /// At most so many of them: it is work for the disk that nobody waits for.
    pub fn make_planned(&self, most: usize) {
        let planned: Vec<_> = {
            let mut planned = self.planned();
            let count = most.min(planned.len());
            let taken = planned.drain(..count).collect();
            if planned.is_empty() {
                planned.shrink_to_fit();
            }
            taken
        };
        for planned in planned {
            let Some(log) = planned.upgrade() else { continue };
            let Ok(mut log) = whole(&log) else { continue };
            let made = log.home().state().check_room().and_then(|()| log.make(Room::Free));
            if let Err(fault) = made {
                tracing::debug!(partition = %log.name(), %fault, "the files of a log cannot be made yet");
                drop(log);
                self.planned().push(planned);
            }
        }
    }

    fn planned(&self) -> MutexGuard<'_, Vec<Weak<Mutex<Log<D>>>>> {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settling(&self) -> MutexGuard<'_, Settling> {
        self.settling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a partition away: its directory is renamed at once and removed once `file.delete.delay.ms` has passed.
    /// Says whether there was one.
    pub fn delete(&self, name: &TopicPartition, now: Timestamp) -> Result<bool, Fault> {
        let bound_for = self.moving(name).map(|moving| moving.to.id());
        if let Err(fault) = self.give_up_move(name, now) {
            tracing::warn!(partition = %name, %fault, "the copy of a deleted replica cannot be removed");
        }
        let removed = self.logs.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        let Some(log) = removed else { return self.delete_unloaded(name, now) };
        self.put_log_away((name, &log), bound_for, now)?;
        // It may have been here twice.
        self.delete_unloaded(name, now).map(|_| true)
    }

    fn put_log_away(
        &self,
        (name, log): (&TopicPartition, &SharedLog<D>),
        bound_for: Option<DirectoryId>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.note_gone(locked(log).directory_id(), name);
        if let Some(to) = bound_for {
            self.forget_arriving(to, name);
            self.note_gone(to, name);
        }
        let (home, path, delay) = {
            let mut log = locked(log);
            log.mark_deleted();
            if !log.is_made() {
                let home = Arc::clone(log.home());
                return home.reserved(|| log.forget_first());
            }
            (Arc::clone(log.home()), log.path().to_owned(), log.config().file_delete_delay)
        };
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let renamed = home.path().join(deletion_name(name, &unique));
        home.reserved(|| home.disk().rename(&path, &renamed).map_err(|e| Fault::io("rename", &path, e)))?;
        home.removals().schedule(now, delay, [renamed]);
        Ok(())
    }

    /// Drops what retention no longer keeps, in every log; says how many segments and bytes went.
    pub fn retain(&self, now: Timestamp) -> (usize, u64) {
        let mut total = (0, 0);
        self.each_log("apply retention", |log| {
            let Retained { reasons, bytes } = log.retain(now)?;
            total.0 += reasons.len();
            total.1 += bytes;
            Ok(())
        });
        total
    }

    /// Begins the flushes that `flush.ms` asks for.
    pub fn flush_due(&self, now: Timestamp) {
        self.each_log("flush", |log| log.flush_if_due(now));
    }

    /// Forgets producers that have been silent for too long; says how many.
    pub fn expire_producers(&self, now: Timestamp) -> usize {
        let mut expired = 0;
        self.each_log("expire producers", |log| {
            expired += log.expire_producers(now);
            Ok(())
        });
        expired
    }

    /// Removes the files and directories whose time has come.
    pub fn remove_due(&self, now: Timestamp) {
        for directory in self.directories() {
            if let Err(fault) = directory.noted(directory.removals().run(directory.disk(), now)) {
                tracing::warn!(%fault, "cannot remove what was deleted");
            }
        }
    }

    /// Looks in the directories that are full, or lack some of their reserve, whether there is room: what waits to be
    /// removed is removed at once there. Says whether one takes records again.
    pub fn look_for_room(&self) -> bool {
        let mut found = false;
        for directory in self.directories() {
            let full = match directory.state().health() {
                DirectoryHealth::Offline => continue,
                health => health == DirectoryHealth::Full,
            };
            if full {
                let removed = directory.removals().run(directory.disk(), Timestamp(i64::MAX));
                if let Err(fault) = directory.noted(removed) {
                    tracing::warn!(%fault, "cannot remove what was deleted");
                }
            }
            if full || !directory.reserve().is_whole() {
                found |= directory.look_for_room();
            }
        }
        found
    }

    /// Whether a directory is full.
    pub fn is_any_full(&self) -> bool {
        self.directories().any(|directory| directory.state().health() == DirectoryHealth::Full)
    }

    fn place(&self, wanted: Option<DirectoryId>) -> Result<Arc<LogDirectory<D>>, Fault> {
        let health = |directory: &&Arc<LogDirectory<D>>| directory.state().health();
        let usable = self.directories().filter(|directory| match wanted {
            Some(id) => directory.id() == id && health(directory) != DirectoryHealth::Offline,
            None => health(directory) != DirectoryHealth::Offline,
        });
        // A cordoned directory, or a full one, is taken only where there is no other.
        let cordoned = self.cordoned();
        let rank = |directory: &&Arc<LogDirectory<D>>| {
            let full = health(directory) == DirectoryHealth::Full;
            (cordoned.contains(&directory.id()), full, directory.logs())
        };
        usable.min_by_key(rank).cloned().ok_or_else(|| {
            let path = PathBuf::from("log.dirs");
            Fault::io("find a usable directory in", &path, Errno::NOENT.into())
        })
    }

    fn each_log(&self, doing: &'static str, visit: impl FnMut(&mut Log<D>) -> Result<(), Fault>) {
        each_of(self.walk(), doing, visit);
    }
}

fn each_of<D: Disk>(
    logs: impl Iterator<Item = (TopicPartition, SharedLog<D>)>,
    doing: &'static str,
    mut visit: impl FnMut(&mut Log<D>) -> Result<(), Fault>,
) {
    for (name, log) in logs {
        let visited = whole(&log).and_then(|mut log| match log.home().state().health() {
            DirectoryHealth::Offline => Ok(()),
            DirectoryHealth::Online | DirectoryHealth::Full => visit(&mut log),
        });
        if let Err(fault) = visited {
            tracing::warn!(partition = %name, %fault, doing, "housekeeping of a log failed");
        }
    }
}

/// A log, for an operation on it. What a thread that panicked with it had in hand may be half done: such a log is
/// refused until it has been recovered by a restart, and its directory does not end cleanly (ADR 0011).
///
/// # Errors
/// If a thread panicked with it.
pub fn whole<D: Disk>(log: &SharedLog<D>) -> Result<MutexGuard<'_, Log<D>>, Fault> {
    #[cfg(test)]
    crate::scripted_disk::note_hold();
    log.lock().map_err(|poisoned| Fault::Mismatch {
        path: poisoned.into_inner().path().to_owned(),
        reason: "an operation on this log ended in the middle; restart the broker to recover it".into(),
    })
}

/// A log, to be asked where it lies or what the checkpoints say of it, which a panic leaves as it was, or to be deleted.
pub(crate) fn locked<D: Disk>(log: &SharedLog<D>) -> MutexGuard<'_, Log<D>> {
    #[cfg(test)]
    crate::scripted_disk::note_hold();
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
