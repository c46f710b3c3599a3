//! A node's storage as the broker opens it: log directory, metadata log, logs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use partition::compaction::CompactionRules;
use partition::retention::RetentionRules;
use partition::segments::RollRules;
use partition::{AppendRules, Millis};
use protocol::id::{NodeId, Timestamp};
use raft::Endpoint;
use storage::descriptors::Descriptors;
use storage::format::{FormatRequest, FormatVoters, format};
use storage::log_dirs::Placement;
use storage::metadata_log::{LoadedMetadata, MetadataLimits, MetadataLog};
use storage::{LogConfig, LogDirs, LogDirsConfig};

use crate::disk::SimulatedDisk;

/// Where the log directories lie; the metadata log is in the first.
pub(super) const DIRECTORIES: [&str; 2] = ["/data", "/data-b"];
pub(super) const NODE: NodeId = NodeId(1);
/// How long tombstones stay at least.
pub(super) const DELETE_RETENTION: Millis = Millis(200);
const CLUSTER: &str = "KKKKKKKKKKKKKKKKKKKKKK";

/// The storage of a running node.
pub(super) struct Node {
    pub(super) dirs: LogDirs<SimulatedDisk>,
    pub(super) quorum: MetadataLog<SimulatedDisk>,
}

/// What a start found.
pub(super) struct Opened {
    pub(super) node: Node,
    pub(super) metadata: LoadedMetadata,
    pub(super) clean: bool,
    /// How many logs were recovered from a place within a segment.
    pub(super) resumed: usize,
}

/// The configuration of a topic: everything is small, so that much happens.
pub(super) fn log_config(topic: &str) -> Arc<LogConfig> {
    let (durable, compacted) = (is_durable(topic), is_compacted(topic));
    let defaults = LogConfig::default();
    let roll = RollRules { segment_bytes: 1500, ..defaults.roll };
    Arc::new(LogConfig {
        roll,
        index_interval_bytes: 150,
        append: AppendRules { compacted, ..defaults.append },
        compaction: CompactionRules {
            compact: compacted,
            dirty_ratio_min: 0.01,
            delete_retention: DELETE_RETENTION,
            ..defaults.compaction
        },
        retention: RetentionRules { delete: !compacted, bytes: Some(6000), ..defaults.retention },
        flush_messages: durable.then_some(1),
        flush_after: Some(Millis(1000)),
        recovery_bytes: Some(300),
        ..defaults
    })
}

/// Formats the directory if that has not happened, then opens it and loads all logs.
pub(super) fn open(disk: &SimulatedDisk, now: Timestamp) -> Result<Opened, String> {
    let endpoint = Endpoint { listener: "CONTROLLER".into(), host: "localhost".into(), port: 9093 };
    let directories: Vec<PathBuf> = DIRECTORIES.iter().map(PathBuf::from).collect();
    let voters = FormatVoters::Standalone(vec![endpoint]);
    let mut request = FormatRequest::new(CLUSTER.to_owned(), NODE, directories[0].clone(), voters);
    request.log_directories.clone_from(&directories);
    request.ignore_formatted = true;
    format(disk, &request, now).map_err(|fault| format!("cannot format: {fault}"))?;
    let config = LogDirsConfig {
        directories,
        node_id: NODE,
        cluster_id: Some(CLUSTER.to_owned()),
        open_files_max: 5,
        batch_positions_bytes: 4096,
        reserve_bytes: 0,
        recovery_threads: 1,
    };
    let dirs = LogDirs::open(disk.clone(), &config, now).map_err(|fault| format!("cannot open: {fault}"))?;
    let limits = MetadataLimits {
        segment_bytes: 900,
        segment_ms: i64::MAX,
        retention_bytes: Some(2500),
        retention_ms: None,
    };
    let descriptors = Descriptors::new(disk.clone(), 5);
    let (quorum, metadata) = MetadataLog::open(&descriptors, Path::new(DIRECTORIES[0]), limits, now)
        .map_err(|fault| format!("cannot open the metadata log: {fault}"))?;
    let topics = &metadata.image.topics;
    if !dirs.unusable().is_empty() {
        return Err("a log directory cannot be opened".to_owned());
    }
    let report = dirs.load(
        |name, id| {
            let topic = topics.by_name(&name.topic).filter(|topic| id.is_none_or(|id| topic.id == id));
            match topic {
                Some(topic) => Placement::Here(log_config(&topic.name)),
                None => Placement::Stray,
            }
        },
        now,
    );
    if let Some((name, fault)) = report.failed.first() {
        return Err(format!("{name} does not load: {fault}"));
    }
    if !dirs.offline().is_empty() {
        return Err("a log directory is offline".to_owned());
    }
    let clean = dirs.clean_shutdown_epoch().is_some();
    Ok(Opened { node: Node { dirs, quorum }, metadata, clean, resumed: report.resumed })
}

/// The name of a topic of this number.
pub(super) fn topic_name(number: u8) -> String {
    format!("t{number}")
}

/// Whether the topic of this name is compacted: the last two are.
pub(super) fn is_compacted(name: &str) -> bool {
    name.trim_start_matches('t').parse::<u8>().is_ok_and(|number| number >= 4)
}

/// Whether the topic of this name asks for durable acknowledgements: odd ones do, and those that are compacted.
pub(super) fn is_durable(name: &str) -> bool {
    let number = name.trim_start_matches('t').parse::<u8>();
    number.is_ok_and(|number| number % 2 == 1) || is_compacted(name)
}
