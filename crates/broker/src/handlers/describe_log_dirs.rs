//! DescribeLogDirs, 1 to 5: the log directories of this broker, and the replicas in them (KIP-113).
//!
//! 3 has an error for the whole, 4 tells the size of the disk and the room left on it (KIP-827), 5 whether a
//! directory takes new replicas (KIP-1066). A replica that was asked for and is not here is left out. A replica on its
//! way from one directory to another is shown in both: where it goes as a future one, with how far it is behind.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use protocol::ErrorCode;
use protocol::id::{DirectoryId, PartitionIndex};
use protocol::messages::describe_log_dirs::{
    DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult,
    DescribeLogDirsTopic,
};
use storage::TopicPartition;
use storage::directory_state::DirectoryHealth;
use storage::log_dirs::{DirectoryDescription, SharedLog};

use super::Call;

/// What of which topics is asked for; `None` for everything.
type Wanted<'a> = Option<BTreeMap<Cow<'a, str>, BTreeSet<i32>>>;

/// Handles one request.
pub async fn handle(call: &Call, request: DescribeLogDirsRequest<'_>) -> DescribeLogDirsResponse<'static> {
    let wanted: Wanted<'_> = request.topics.as_ref().map(|topics| {
        let mut wanted: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for topic in topics {
            wanted.entry(topic.topic).or_default().extend(topic.partitions.iter());
        }
        wanted
    });
    let logs = call.broker.log_dirs.logs();
    let mut by_directory: BTreeMap<PathBuf, Replicas> = BTreeMap::new();
    for (name, log) in logs.iter().filter(|(name, _)| is_wanted(&wanted, name)) {
        if let Some((directory, partition)) = describe(name.partition, log) {
            by_directory
                .entry(directory)
                .or_default()
                .entry(name.topic.to_string())
                .or_default()
                .push(partition);
        }
    }
    for moving in call.broker.log_dirs.moves().iter().filter(|moving| is_wanted(&wanted, &moving.name)) {
        let progress = moving.progress();
        let partition = DescribeLogDirsPartition {
            partition_index: moving.name.partition.0,
            partition_size: i64::try_from(progress.bytes).unwrap_or(i64::MAX),
            offset_lag: progress.lag.max(0),
            is_future_key: true,
        };
        let directory = by_directory.entry(moving.to.path().to_owned()).or_default();
        directory.entry(moving.name.topic.to_string()).or_default().push(partition);
    }
    let cordoned = call.broker.log_dirs.cordoned();
    let results = call.broker.log_dirs.describe().into_iter().map(|directory| {
        let replicas = by_directory.remove(&directory.path).unwrap_or_default();
        result(&directory, replicas, &cordoned)
    });
    let unusable = call.broker.log_dirs.unusable().iter().map(|path| DescribeLogDirsResult {
        log_dir: absolute(path).display().to_string().into(),
        error_code: ErrorCode::KafkaStorageError.into(),
        ..DescribeLogDirsResult::default()
    });
    let results = results.chain(unusable).collect();
    DescribeLogDirsResponse { results, ..DescribeLogDirsResponse::default() }
}

/// The replicas of one directory, by topic.
type Replicas = BTreeMap<String, Vec<DescribeLogDirsPartition>>;

fn is_wanted(wanted: &Wanted<'_>, name: &TopicPartition) -> bool {
    let Some(wanted) = wanted else { return true };
    wanted.get(&*name.topic).is_some_and(|partitions| partitions.contains(&name.partition.0))
}

/// Where a replica lies and how large it is; nothing of one that is out of order.
fn describe(index: PartitionIndex, log: &SharedLog) -> Option<(PathBuf, DescribeLogDirsPartition)> {
    let log = log.lock().ok()?;
    let watermarks = log.partition().watermarks();
    let lag = watermarks.high_watermark.0.saturating_sub(watermarks.log_end.0).max(0);
    let partition = DescribeLogDirsPartition {
        partition_index: index.0,
        partition_size: i64::try_from(log.size()).unwrap_or(i64::MAX),
        offset_lag: lag,
        is_future_key: false,
    };
    Some((log.home().path().to_owned(), partition))
}

fn result(
    directory: &DirectoryDescription,
    replicas: Replicas,
    cordoned: &BTreeSet<DirectoryId>,
) -> DescribeLogDirsResult<'static> {
    let log_dir = absolute(&directory.path);
    let is_cordoned = cordoned.contains(&directory.id);
    let shown = DescribeLogDirsResult {
        log_dir: log_dir.display().to_string().into(),
        is_cordoned,
        ..DescribeLogDirsResult::default()
    };
    if directory.health == DirectoryHealth::Offline {
        return DescribeLogDirsResult { error_code: ErrorCode::KafkaStorageError.into(), ..shown };
    }
    let topics = replicas
        .into_iter()
        .map(|(name, partitions)| DescribeLogDirsTopic { name: name.into(), partitions: partitions.into() });
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    DescribeLogDirsResult {
        topics: topics.collect(),
        total_bytes: directory.space.map_or(-1, |space| bytes(space.total)),
        usable_bytes: directory.space.map_or(-1, |space| bytes(space.usable)),
        ..shown
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
