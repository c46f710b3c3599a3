//! What this broker tells the controller about its log directories: where its replicas lie (KIP-858), which directories
//! have failed, and which take no new replicas (KIP-1066).
//!
//! One task asks, since nobody else may wait for the quorum: those who have something to report leave it here. A
//! directory that fails is seen within half a second; if the metadata log lies there, or if it was the last one, the
//! node ends.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metadata::controller::directories::{decide_cordon, decide_directories_offline};
use metadata::controller::partitions::{ReplicaDirectory, decide_assign_directories};
use protocol::id::{DirectoryId, PartitionIndex, TopicId};
use storage::Fault;
use storage::directory_state::DirectoryHealth;
use tokio::sync::Notify;

use crate::config::NodeConfig;
use crate::{Broker, Holdings};

/// How often the health of directories is looked at.
const INTERVAL: Duration = Duration::from_millis(500);
/// So many replicas are told of at a time.
const BATCH: usize = 2000;

/// What is to be reported.
#[derive(Debug, Default)]
pub struct DirectoryReports {
    /// Bound: the replicas here.
    assignments: Mutex<BTreeMap<(TopicId, PartitionIndex), DirectoryId>>,
    news: Notify,
}

impl DirectoryReports {
    /// A replica lies in this directory, whatever the metadata says.
    pub fn assign(&self, topic: TopicId, index: PartitionIndex, directory: DirectoryId) {
        self.lock().insert((topic, index), directory);
        self.news.notify_one();
    }

    /// Something else may have changed.
    pub fn look(&self) {
        self.news.notify_one();
    }

    fn take(&self) -> Vec<ReplicaDirectory> {
        let mut waiting = self.lock();
        let last = waiting.keys().nth(BATCH).copied();
        let rest = last.map_or_else(BTreeMap::new, |last| waiting.split_off(&last));
        let taken = std::mem::replace(&mut *waiting, rest);
        let replica = |((topic, partition), directory)| ReplicaDirectory { topic, partition, directory };
        taken.into_iter().map(replica).collect()
    }

    fn put_back(&self, replicas: Vec<ReplicaDirectory>) {
        let mut waiting = self.lock();
        for replica in replicas {
            waiting.entry((replica.topic, replica.partition)).or_insert(replica.directory);
        }
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(TopicId, PartitionIndex), DirectoryId>> {
        self.assignments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports as long as the broker is there.
pub async fn run(broker: Arc<Broker>) {
    let mut told_offline: BTreeSet<DirectoryId> = BTreeSet::new();
    let mut seen_offline = 0;
    while broker.is_serving() {
        let _news = tokio::time::timeout(INTERVAL, broker.directory_reports.news.notified()).await;
        if let Some(fault) = fatal(&broker) {
            broker.quorum.end(fault);
            return;
        }
        let who = (broker.node_id, broker.quorum.broker_epoch());
        let offline: Vec<_> = broker.log_dirs.offline();
        if offline.len() > seen_offline {
            // None comes back. Whoever waits for records hears of it whatever the controller makes of it: metadata of before
            // Kafka 3.7 know of no directories, and what they say of a replica on its way is of before.
            seen_offline = offline.len();
            broker.partitions.wake_all();
        }
        if offline.iter().any(|directory| !told_offline.contains(directory)) {
            let directories = offline.clone();
            let told =
                broker.quorum.submit(move |image, _| decide_directories_offline(image, who, &directories));
            if told.await.is_ok() {
                told_offline.extend(offline);
            }
        }
        let cordoned: Vec<_> = broker.log_dirs.cordoned().into_iter().collect();
        let known = broker.image().cluster.broker(who.0).and_then(|own| own.cordoned_log_dirs.clone());
        if known.is_some_and(|known| known != cordoned) {
            let told = broker.quorum.submit(move |image, _| decide_cordon(image, who, &cordoned)).await;
            if let Err(error) = told {
                tracing::warn!(%error, "the controller was not told which directories are cordoned");
            }
        }
        while !broker.directory_reports.is_empty() {
            let replicas = broker.directory_reports.take();
            let told = replicas.clone();
            let told = broker.quorum.submit(move |image, _| decide_assign_directories(image, who, &told));
            if let Err(error) = told.await {
                tracing::warn!(%error, "the controller was not told where replicas lie; it is told again");
                broker.directory_reports.put_back(replicas);
                break;
            }
        }
    }
}

/// Why the node cannot go on, if it cannot.
fn fatal(broker: &Holdings) -> Option<Fault> {
    let config = broker.config();
    let of_metadata = |path: &Path| path == config.log_dirs.metadata_directory;
    let mut directories = broker.log_dirs.directories();
    let metadata = directories.find(|directory| of_metadata(directory.path()));
    if let Some(fault) = metadata.and_then(|directory| directory.state().check().err()) {
        return Some(fault);
    }
    let mut faults = broker.log_dirs.directories().map(|directory| directory.state().check().err());
    faults.try_fold(None, |_, fault| fault.map(Some)).flatten()
}

/// The directories named by `cordoned.log.dirs`, by their ids.
pub fn cordoned(broker: &Holdings, config: &NodeConfig) -> BTreeSet<DirectoryId> {
    let named = &config.log_dirs.cordoned;
    let all = named.iter().any(|name| name == "*");
    let named: BTreeSet<PathBuf> = named.iter().map(|name| absolute(Path::new(name))).collect();
    let directories = broker.log_dirs.directories();
    let chosen = directories.filter(|directory| all || named.contains(&absolute(directory.path())));
    chosen
        .filter(|directory| directory.state().health() != DirectoryHealth::Offline)
        .map(|directory| directory.id())
        .collect()
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use protocol::id::Uuid;

    use super::*;

    #[test]
    fn reports_come_in_batches_and_the_newest_word_counts() {
        let reports = DirectoryReports::default();
        let (topic, first, second) = (Uuid([1; 16]), Uuid([7; 16]), Uuid([8; 16]));
        for index in 0..3000 {
            reports.assign(topic, PartitionIndex(index), first);
        }
        let taken = reports.take();
        assert_eq!((taken.len(), reports.lock().len()), (BATCH, 1000));
        reports.assign(topic, PartitionIndex(0), second);
        reports.put_back(taken);
        assert_eq!(reports.lock().len(), 3000);
        assert_eq!(reports.lock()[&(topic, PartitionIndex(0))], second);
    }
}
