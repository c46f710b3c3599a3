//! One log directory from the side of its owner: its lock, its identity, its checkpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::id::{BrokerEpoch, DirectoryId, NodeId, Timestamp};

use crate::clean_logs::CleanLogs;
use crate::clean_shutdown;
use crate::descriptors::Descriptors;
use crate::directory_lock::DirectoryLock;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::format::random_id;
use crate::log::Checkpoints;
use crate::log_directory::LogDirectory;
use crate::meta_properties::{META_PROPERTIES, MetaProperties};
use crate::names::TopicPartition;

/// A log directory that is held.
pub(super) struct Home<D: Disk> {
    pub(super) directory: Arc<LogDirectory<D>>,
    /// The broker epoch of the last end, if that was clean.
    pub(super) clean: Option<BrokerEpoch>,
    /// What that end knew of the logs, until they are loaded.
    pub(super) known: Mutex<CleanLogs>,
    /// Held while a checkpoint is gathered and written: what is written last is what was gathered last.
    written: Mutex<Written>,
    /// For each checkpoint the logs that it may still name though they are not here any more.
    gone: Mutex<[BTreeSet<TopicPartition>; 4]>,
    /// Set while a recovery point has come down and the checkpoint does not say so yet.
    pub(super) lowered: AtomicBool,
    pub(super) lock: DirectoryLock<D>,
}

/// What the checkpoints of a directory hold.
#[derive(Default)]
pub(super) struct Written {
    /// Length and checksum of each as last written, so that an idle node writes none.
    pub(super) seals: [Option<(usize, u32)>; 4],
    /// What they must say of the logs that are about to arrive. Bound: the replicas on their way.
    pub(super) arriving: BTreeMap<TopicPartition, Checkpoints>,
}

/// Gives a new log directory its identity. A directory that has one is left alone if it is the same cluster's and node's;
/// says what the directory's id is.
pub fn format<D: Disk>(
    disk: &D,
    directory: &Path,
    (cluster_id, node_id): (&str, NodeId),
    now: Timestamp,
) -> Result<DirectoryId, Fault> {
    create_all(disk, directory)?;
    let known = match MetaProperties::read(disk, directory)? {
        Some(known) => {
            verify(directory, &known, (node_id, Some(cluster_id)))?;
            known.directory_id
        }
        None => None,
    };
    if let Some(id) = known {
        return Ok(id);
    }
    let id = random_id();
    let properties = MetaProperties { cluster_id: cluster_id.to_owned(), node_id, directory_id: Some(id) };
    properties.write(disk, directory, now)?;
    Ok(id)
}

impl<D: Disk> Home<D> {
    /// What was last written, for the one who writes next.
    pub(super) fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The logs that are here no more.
    pub(super) fn gone(&self) -> MutexGuard<'_, [BTreeSet<TopicPartition>; 4]> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a log is here no more, which the checkpoints may still speak of.
    pub(super) fn note_gone(&self, name: &TopicPartition) {
        for gone in self.gone().iter_mut() {
            gone.insert(name.clone());
        }
    }

    /// Refuses a directory with the identity of another one of the same node.
    pub(super) fn check_no_copy_of(&self, others: &[Self]) -> Result<(), Fault> {
        let (path, id) = (self.directory.path(), self.directory.id());
        let Some(other) = others.iter().find(|other| other.directory.id() == id) else { return Ok(()) };
        let reason = format!(
            "is a copy of {}: both have directory.id={id} in {META_PROPERTIES}; take one of them out of log.dirs",
            other.directory.path().display()
        );
        Err(Fault::Mismatch { path: path.to_owned(), reason })
    }

    /// Locks and identifies a directory; says which cluster's it is.
    pub(super) fn open(
        path: &Path,
        descriptors: &Descriptors<D>,
        expected: (NodeId, Option<&str>),
        (reserve_bytes, now): (u64, Timestamp),
    ) -> Result<(Self, String), Fault> {
        let disk = descriptors.disk();
        let lock = DirectoryLock::take(disk, path)?;
        let Some(mut properties) = MetaProperties::read(disk, path)? else {
            let reason = "is not formatted: run `headwater storage format` on it first".to_owned();
            return Err(Fault::Mismatch { path: path.to_owned(), reason });
        };
        verify(path, &properties, expected)?;
        let id = match properties.directory_id {
            Some(id) => id,
            None => {
                let id = random_id();
                properties.directory_id = Some(id);
                properties.write(disk, path, now)?;
                id
            }
        };
        let clean = clean_shutdown::take(disk, path)?;
        let known = Mutex::new(CleanLogs::take(disk, path, clean)?);
        let directory = Arc::new(LogDirectory::start(path, id, descriptors.clone(), reserve_bytes)?);
        let home = Self {
            directory,
            clean,
            known,
            written: Mutex::default(),
            gone: Mutex::default(),
            lowered: AtomicBool::new(false),
            lock,
        };
        Ok((home, properties.cluster_id))
    }
}

fn verify(
    directory: &Path,
    properties: &MetaProperties,
    (node_id, cluster_id): (NodeId, Option<&str>),
) -> Result<(), Fault> {
    let path = directory.join(META_PROPERTIES);
    if properties.node_id != node_id {
        let reason = format!(
            "belongs to node.id={}, and this node is configured with node.id={node_id}: set node.id to {} or choose \
             another directory in log.dirs",
            properties.node_id, properties.node_id
        );
        return Err(Fault::Mismatch { path, reason });
    }
    match cluster_id {
        Some(expected) if expected != properties.cluster_id => {
            let reason = format!(
                "belongs to cluster {}, and cluster {expected} is expected: choose another directory in log.dirs",
                properties.cluster_id
            );
            Err(Fault::Mismatch { path, reason })
        }
        _ => Ok(()),
    }
}

fn create_all<D: Disk>(disk: &D, directory: &Path) -> Result<(), Fault> {
    match disk.create_dir(directory) {
        Ok(()) => match directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => disk.fsync_dir(parent).map_err(|error| Fault::io("fsync", parent, error)),
            None => Ok(()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
            let Some(parent) = parent else { return Err(Fault::io("create", directory, error)) };
            create_all(disk, parent)?;
            disk.create_dir(directory).map_err(|error| Fault::io("create", directory, error))?;
            disk.fsync_dir(parent).map_err(|error| Fault::io("fsync", parent, error))
        }
        Err(error) => Err(Fault::io("create", directory, error)),
    }
}
