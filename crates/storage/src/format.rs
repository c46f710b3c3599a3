//! Formatting: what `kafka-storage format` of Kafka 4.4 leaves in log directories, and what a node that starts with
//! an empty directory of its own gives itself (KIP-631, KIP-853).
//!
//! Every log directory gets `meta.properties`; the metadata log directory also a snapshot at 0-0 with the voters, if
//! they are kept in the log, and the feature levels to begin with.

use std::path::{Path, PathBuf};

use metadata::MetadataRecord;
use metadata::controller::features;
use protocol::id::{DirectoryId, NodeId, Timestamp};
use raft::{Endpoint, ReplicaKey, Voter, VoterSet};

use crate::disk::Disk;
use crate::fault::Fault;
use crate::meta_properties::{META_PROPERTIES, MetaProperties};
use crate::metadata_log::METADATA_DIRECTORY;
use crate::snapshots::{self, QuorumControl};

/// Who votes in the cluster that a directory is formatted for.
#[derive(Clone, Debug)]
pub enum FormatVoters {
    /// The configuration says (`controller.quorum.voters`), so the log does not.
    Fixed,
    /// This node alone (`--standalone`), reached there.
    Standalone(Vec<Endpoint>),
    /// These (`--initial-controllers`); this node's entry names its metadata directory's id.
    Initial(Vec<Voter>),
    /// Nobody yet: the node joins a quorum that is there (`--no-initial-controllers`).
    Join,
}

/// What to format, and how.
#[derive(Clone, Debug)]
pub struct FormatRequest {
    /// The id of the cluster, 22 characters.
    pub cluster_id: String,
    /// `node.id`.
    pub node_id: NodeId,
    /// `log.dirs`, with the metadata log directory among them or not.
    pub log_directories: Vec<PathBuf>,
    /// `metadata.log.dir`, the first of `log.dirs` if that is not set.
    pub metadata_directory: PathBuf,
    /// Who votes.
    pub voters: FormatVoters,
    /// The feature levels and other records a new cluster begins with; [`features::bootstrap_records`] by default.
    pub records: Vec<MetadataRecord<'static>>,
    /// The `metadata.version` among them.
    pub metadata_version: i16,
    /// Whether directories that are formatted already are passed over instead of refused.
    pub ignore_formatted: bool,
}

impl FormatRequest {
    /// Formats for this node alone, or as the configuration says, with all features of this release.
    pub fn new(cluster_id: String, node_id: NodeId, directory: PathBuf, voters: FormatVoters) -> Self {
        let metadata_version = features::FEATURES[0].finalised;
        Self {
            cluster_id,
            node_id,
            log_directories: vec![directory.clone()],
            metadata_directory: directory,
            voters,
            records: features::bootstrap_records(),
            metadata_version,
            ignore_formatted: false,
        }
    }
}

/// What was done with one directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Formatted {
    /// It was formatted and has this id.
    Now(PathBuf, DirectoryId),
    /// It was formatted before and was passed over.
    Before(PathBuf),
}

/// Formats the directories of a request, making them where they are missing. Nothing is written if one of them
/// belongs to another cluster or node, or is formatted already and that was not to be ignored. The metadata log
/// directory comes last of its own files: until its `meta.properties` is there it does not count as formatted.
pub fn format<D: Disk>(disk: &D, request: &FormatRequest, now: Timestamp) -> Result<Vec<Formatted>, Fault> {
    let mut directories = request.log_directories.clone();
    if !directories.contains(&request.metadata_directory) {
        directories.push(request.metadata_directory.clone());
    }
    let mut present = Vec::new();
    for directory in &directories {
        present.push(examine(disk, request, directory)?);
    }
    let mut formatted = Vec::new();
    for (directory, present) in directories.into_iter().zip(present) {
        if present {
            formatted.push(Formatted::Before(directory));
            continue;
        }
        create(disk, &directory)?;
        let is_metadata = directory == request.metadata_directory;
        let id = directory_id(request, is_metadata);
        if is_metadata {
            write_bootstrap(disk, request, id, now)?;
        }
        let properties = MetaProperties {
            cluster_id: request.cluster_id.clone(),
            node_id: request.node_id,
            directory_id: Some(id),
        };
        properties.write(disk, &directory, now)?;
        formatted.push(Formatted::Now(directory, id));
    }
    Ok(formatted)
}

/// Whether a directory is formatted already, and for the same node of the same cluster.
fn examine<D: Disk>(disk: &D, request: &FormatRequest, directory: &Path) -> Result<bool, Fault> {
    let found = match MetaProperties::read(disk, directory) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(false),
        Err(fault) => return Err(fault),
    };
    let mismatch = |reason: String| Fault::Mismatch { path: directory.join(META_PROPERTIES), reason };
    if found.cluster_id != request.cluster_id {
        let reason = format!(
            "the directory belongs to cluster {}, not {}: choose another directory, or remove its data to give it up",
            found.cluster_id, request.cluster_id
        );
        return Err(mismatch(reason));
    }
    if found.node_id != request.node_id {
        let reason = format!(
            "the directory belongs to node.id={}, not {}: choose another directory or correct node.id",
            found.node_id, request.node_id
        );
        return Err(mismatch(reason));
    }
    if !request.ignore_formatted {
        let reason = "the directory is already formatted: use --ignore-formatted to pass over it and format the others";
        return Err(mismatch(reason.to_owned()));
    }
    Ok(true)
}

/// Makes a directory and those above it.
fn create<D: Disk>(disk: &D, directory: &Path) -> Result<(), Fault> {
    match disk.create_dir(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match directory.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => {
                create(disk, parent)?;
                disk.create_dir(directory).map_err(|error| Fault::io("create", directory, error))?;
            }
            _ => return Err(Fault::io("create", directory, error)),
        },
        Err(error) => return Err(Fault::io("create", directory, error)),
    }
    match directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => disk.fsync_dir(parent).map_err(|error| Fault::io("fsync", parent, error)),
        None => Ok(()),
    }
}

/// A random id, or for the metadata directory the one that the list of voters names.
fn directory_id(request: &FormatRequest, is_metadata: bool) -> DirectoryId {
    if is_metadata
        && let FormatVoters::Initial(voters) = &request.voters
        && let Some(own) = voters.iter().find(|voter| voter.key.id == request.node_id)
    {
        return own.key.directory;
    }
    random_id()
}

/// A random id that is none of Kafka's reserved ones and, as there, does not begin with a dash, which a shell would
/// take for a flag.
pub fn random_id() -> DirectoryId {
    loop {
        let id = protocol::id::Uuid(uuid::Uuid::new_v4().into_bytes());
        let reserved = u128::from_be_bytes(id.0) < 100;
        if !reserved && !id.to_string().starts_with('-') {
            return id;
        }
    }
}

fn write_bootstrap<D: Disk>(
    disk: &D,
    request: &FormatRequest,
    id: DirectoryId,
    now: Timestamp,
) -> Result<(), Fault> {
    let kraft_versions = (features::KRAFT_VERSION.min, features::KRAFT_VERSION.max);
    let voters = match &request.voters {
        FormatVoters::Fixed => None,
        FormatVoters::Join => return Ok(()),
        FormatVoters::Standalone(endpoints) => {
            let key = ReplicaKey { id: request.node_id, directory: id };
            Some(VoterSet::new([Voter { key, endpoints: endpoints.clone(), kraft_versions }]))
        }
        FormatVoters::Initial(voters) => Some(VoterSet::new(voters.iter().cloned())),
    };
    let kraft_version = if voters.is_some() { kraft_versions.1 } else { 0 };
    let control = QuorumControl { kraft_version, voters };
    let directory = request.metadata_directory.join(METADATA_DIRECTORY);
    create(disk, &directory)?;
    let what = (&control, request.records.as_slice());
    snapshots::write_bootstrap(disk, &directory, what, request.metadata_version, now)
}

#[cfg(test)]
mod tests;
