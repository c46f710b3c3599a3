//! The partitions this broker has a replica of: found by topic and index, each with its log and its waiting readers.
//!
//! The table changes only when an image is applied; requests share it. A log is taken for the length of one
//! decision and one write, never across an await, and never two at once.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::{Arc, MutexGuard, OnceLock, PoisonError, RwLock, TryLockError};
use std::time::{Duration, Instant};

use partition::fetch::FetchFrom;
use partition::validate::{takes_long, validate};
use partition::verifications::{FirstBatch, VerificationGuard};
use partition::{Append, AppendRules, Origin, Scratch};
use protocol::id::{PartitionIndex, Timestamp, TopicId};
use protocol::offset::Offset;
use storage::log::{AppendError, Appended, Fetched, Log, ReadError};
use storage::log_directory::LogDirectory;
use storage::pace::{Pace, Touching};
use storage::{Fault, SharedLog};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::delayed::{Readable, Stable, Waiters};
use super::long_work::{self, Thread};
use crate::metrics::TopicMetrics;

/// What the replicas of a topic have in common.
pub struct ReplicaTopic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id.
    pub id: TopicId,
    /// What is counted of it.
    pub metrics: Arc<TopicMetrics>,
}

/// One replica on this broker.
pub struct Replica {
    of: Arc<ReplicaTopic>,
    /// Its index.
    pub index: PartitionIndex,
    /// The fetches that wait for it.
    pub waiters: Waiters,
    log: SharedLog,
    /// The directory its log was last seen in: a log may be moved.
    directory: RwLock<Arc<LogDirectory>>,
}

/// What an append came to, with what the answer tells besides.
#[derive(Debug, Clone, Copy)]
pub struct ReplicaAppend {
    /// What became of the batch.
    pub appended: Appended,
    /// Where the log begins.
    pub log_start: Offset,
    /// Whether the answer must wait for stable storage: of a duplicate too, whose first copy may be on its way there.
    pub commit_due: bool,
}

impl Replica {
    /// A replica over its log.
    pub fn new(of: Arc<ReplicaTopic>, index: PartitionIndex, log: SharedLog) -> Self {
        let directory = log.lock().unwrap_or_else(PoisonError::into_inner).home().clone();
        Self { of, index, waiters: Waiters::default(), log, directory: RwLock::new(directory) }
    }

    /// Its topic's name.
    pub fn topic(&self) -> &Arc<str> {
        &self.of.name
    }

    /// Its topic's id.
    pub fn topic_id(&self) -> TopicId {
        self.of.id
    }

    /// What is counted of its topic.
    pub fn metrics(&self) -> &Arc<TopicMetrics> {
        &self.of.metrics
    }

    /// The directory its log lies in.
    pub fn directory(&self) -> Arc<LogDirectory> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes note of where the log lies by now.
    fn seen(&self, log: &Log) {
        if !Arc::ptr_eq(log.home(), &self.directory.read().unwrap_or_else(PoisonError::into_inner)) {
            *self.directory.write().unwrap_or_else(PoisonError::into_inner) = log.home().clone();
        }
    }

    /// Whether what touches the log may have to wait for its disk.
    pub fn may_stall(&self) -> bool {
        may_stall(self.directory().pace())
    }

    /// The log, for one decision. One that a thread panicked with is refused; who waits for records hears of it from who is
    /// refused first.
    pub fn log(&self) -> Result<MutexGuard<'_, Log>, Fault> {
        storage::log_dirs::whole(&self.log).inspect_err(|_| self.waiters.changed())
    }

    /// The log, unless somebody has it at this moment, who may be waiting for the disk.
    pub fn log_if_free(&self) -> Option<Result<MutexGuard<'_, Log>, Fault>> {
        match self.log.try_lock() {
            Ok(log) => Some(Ok(log)),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Poisoned(_)) => Some(self.log()),
        }
    }

    /// Does what touches the log's directory. The thread is counted first, and then looks whether it may have to wait:
    /// requests that begin in the same instant would all look before any of them is counted. One that may is given up to
    /// waiting, and another takes what else it had to do; but as whoever is there mostly waits for nothing but a processor,
    /// it first lets them have that.
    pub fn at_directory<R>(&self, work: impl FnOnce(&Touching<'_>) -> R) -> R {
        let directory = self.directory();
        let touching = directory.pace().touch();
        // Whoever asks is one of those there.
        let most = threads_at_once() + 1;
        if stays_crowded(touching.pace(), most, YIELDING_MAX, std::thread::yield_now)
            && on_a_thread_of_connections()
        {
            return tokio::task::block_in_place(|| work(&touching));
        }
        work(&touching)
    }

    /// Appends one batch as the leader, counts it and wakes who waited for it. A batch that takes long to validate is
    /// validated before its turn at the log, which is left to others meanwhile.
    pub fn append(
        &self,
        origin: Origin,
        now: Timestamp,
        bytes: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<ReplicaAppend, AppendError> {
        let rules = match self.append_unless_long(origin, now, bytes, scratch)? {
            ControlFlow::Break(done) => return Ok(done),
            ControlFlow::Continue(rules) => rules,
        };
        let (begun, directory) = (Instant::now(), self.directory());
        long_work::run(|thread| {
            // One that connections may wait for is counted, so that somebody else hears of the sockets.
            let counted = (thread == Thread::AsItWas).then(|| directory.pace().touch());
            let validated = validate(&rules, origin, now, bytes, scratch)?;
            drop(counted);
            let took = i64::try_from(begun.elapsed().as_millis()).unwrap_or(0);
            let now = Timestamp(now.0.saturating_add(took));
            let mut append = |touching: &Touching<'_>| {
                let _writing = touching.write(bytes.len());
                let mut log = self.log()?;
                self.seen(&log);
                let leader_epoch = log.partition().current_leader_epoch();
                let (append, before) = (Append { origin, leader_epoch, now }, marks(&log));
                let appended = log.append_validated(append, (&rules, &validated), bytes, scratch)?;
                Ok(self.appended(log, before, appended))
            };
            match thread {
                Thread::AsItWas => self.at_directory(append),
                Thread::GivenUp => append(&self.directory().pace().touch_apart()),
            }
        })
    }

    /// Appends one batch, unless it takes long to validate: then says by which rules.
    fn append_unless_long(
        &self,
        origin: Origin,
        now: Timestamp,
        bytes: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<ControlFlow<ReplicaAppend, AppendRules>, AppendError> {
        self.at_directory(|touching| {
            let _writing = touching.write(bytes.len());
            let mut log = self.log()?;
            self.seen(&log);
            let leader_epoch = log.partition().current_leader_epoch();
            if takes_long(&log.config().append, origin, bytes) {
                return Ok(ControlFlow::Continue(*log.append_rules(leader_epoch)?));
            }
            let before = marks(&log);
            let appended = log.append(Append { origin, leader_epoch, now }, bytes, scratch)?;
            Ok(ControlFlow::Break(self.appended(log, before, appended)))
        })
    }

    /// The first batch of a transaction is about to be appended: what to show then, once the coordinator was asked.
    /// `None` where the transaction is open here already.
    pub fn begin_verification(
        &self,
        now: Timestamp,
        batch: &FirstBatch,
    ) -> Result<Option<VerificationGuard>, AppendError> {
        self.at_directory(|_| self.log()?.begin_verification(now, batch))
    }

    /// The transaction's coordinator has refused, for good, the batch for which this guard was given.
    pub fn withdraw_verification(&self, guard: VerificationGuard, batch: &FirstBatch) {
        self.at_directory(|_| {
            // A log that cannot be had takes no batch either.
            if let Ok(mut log) = self.log() {
                log.withdraw_verification(guard, batch);
            }
        });
    }

    /// Appends one batch as the leader of the epoch that `append` names, counts it and wakes who waited for it. Who
    /// calls is at the directory already.
    pub fn append_as(
        &self,
        touching: &Touching<'_>,
        append: Append,
        bytes: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<ReplicaAppend, AppendError> {
        let _writing = touching.write(bytes.len());
        let mut log = self.log()?;
        self.seen(&log);
        let before = marks(&log);
        let appended = log.append(append, bytes, scratch)?;
        Ok(self.appended(log, before, appended))
    }

    /// Counts what an append has come to, and wakes who waited for it.
    fn appended(&self, log: MutexGuard<'_, Log>, before: Marks, appended: Appended) -> ReplicaAppend {
        let log_start = log.partition().watermarks().log_start;
        let (commit_due, stable) = (log.commit_due(), Stable::of(before, marks(&log)));
        drop(log);
        if let Appended::Written(written) = &appended {
            self.metrics().messages_in.add(u64::try_from(written.count).unwrap_or(0));
            self.metrics().bytes_in.add(u64::from(written.bytes));
            if written.high_watermark_moved {
                self.waiters.appended(Readable { bytes: u64::from(written.bytes), stable });
            }
        }
        ReplicaAppend { appended, log_start, commit_due }
    }

    /// Takes in that an append of so many bytes is on stable storage, and wakes who waited for it. Says where the high
    /// watermark stands; nothing where the log is refused, which then has nobody who could read it.
    pub fn synced(&self, bytes: u64) -> Option<Offset> {
        let moved = self.log().ok().map(|mut log| {
            let before = marks(&log);
            log.take_synced();
            (before, marks(&log))
        });
        let stable = moved.map_or(Stable::Otherwise, |(before, now)| Stable::of(before, now));
        self.waiters.appended(Readable { bytes, stable });
        moved.map(|(_, (high_watermark, _))| high_watermark)
    }

    /// Reads, as far as the reader may see.
    pub fn fetch(&self, from: FetchFrom, bytes_max: u32, min_one: bool) -> Result<Fetched, ReadError> {
        self.at_directory(|_| self.log()?.fetch(from, bytes_max, min_one))
    }
}

/// A high watermark, and the last stable offset.
type Marks = (Offset, Offset);

fn marks(log: &Log) -> Marks {
    let partition = log.partition();
    (partition.watermarks().high_watermark, partition.last_stable_offset())
}

fn on_a_thread_of_connections() -> bool {
    Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread)
}

/// Whether to touch a directory may be to wait: it is slow, or as many threads are at it as may be, so that one is left
/// for everybody else whatever becomes of them. As whoever is there mostly waits for nothing but a processor, they are
/// first let have that.
pub fn may_stall(pace: &Pace) -> bool {
    stays_crowded(pace, threads_at_once(), YIELDING_MAX, std::thread::yield_now)
}

fn stays_crowded(
    pace: &Pace,
    at_once: usize,
    patience: Duration,
    mut let_others_go_on: impl FnMut(),
) -> bool {
    let is_crowded = || pace.is_slow() || pace.threads() >= at_once;
    if pace.was_slow() {
        return true;
    }
    if !is_crowded() {
        return false;
    }
    let begun = Instant::now();
    for _ in 0..YIELDS {
        let_others_go_on();
        if pace.was_slow() || begun.elapsed() > patience {
            return true;
        }
        if !is_crowded() {
            return false;
        }
    }
    true
}

/// How often a thread lets others go on before it is given up to waiting, or its request to a thread that may wait. Either
/// costs more than these together.
const YIELDS: u32 = 8;

/// But for no longer than this: whoever is let go on may have much to do.
const YIELDING_MAX: Duration = Duration::from_micros(300);

/// How many threads of connections may be at a directory at a time.
fn threads_at_once() -> usize {
    static AT_ONCE: OnceLock<usize> = OnceLock::new();
    *AT_ONCE.get_or_init(|| connection_threads() - 1)
}

/// How many threads serve connections: one more than run at a time, so that one may wait for a disk.
pub fn connection_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from) + 1
}

/// A topic with those of its partitions that have a replica here.
pub struct TopicReplicas {
    /// Its name.
    pub name: Arc<str>,
    /// Its id.
    pub id: TopicId,
    /// By index; `None` where the partition lies on other brokers.
    pub replicas: Vec<Option<Arc<Replica>>>,
}

impl TopicReplicas {
    /// A partition's replica.
    pub fn get(&self, index: PartitionIndex) -> Option<&Arc<Replica>> {
        self.replicas.get(usize::try_from(index.0).ok()?)?.as_ref()
    }
}

/// All replicas of this broker.
#[derive(Default)]
pub struct Partitions {
    index: RwLock<Index>,
}

#[derive(Default)]
struct Index {
    by_id: HashMap<TopicId, Arc<TopicReplicas>>,
    by_name: HashMap<Arc<str>, Arc<TopicReplicas>>,
    /// Topics taken out by the last image that was applied.
    removed: HashSet<TopicId>,
}

impl Partitions {
    /// A topic by its name.
    pub fn by_name(&self, name: &str) -> Option<Arc<TopicReplicas>> {
        self.read().by_name.get(name).cloned()
    }

    /// A topic by its id.
    pub fn by_id(&self, id: TopicId) -> Option<Arc<TopicReplicas>> {
        self.read().by_id.get(&id).cloned()
    }

    /// All topics.
    pub fn topics(&self) -> Vec<Arc<TopicReplicas>> {
        self.read().by_id.values().cloned().collect()
    }

    /// Adds or replaces replicas of one topic.
    pub fn put(&self, added: Vec<Arc<Replica>>) {
        let Some((name, id)) = added.first().map(|replica| (replica.topic().clone(), replica.topic_id()))
        else {
            return;
        };
        let mut index = self.write();
        let known = index.by_id.get(&id);
        let mut replicas = known.map_or_else(Vec::new, |topic| topic.replicas.clone());
        for replica in added {
            let place = usize::try_from(replica.index.0).unwrap_or(0);
            if replicas.len() <= place {
                replicas.resize(place + 1, None);
            }
            replicas[place] = Some(replica);
        }
        let topic = Arc::new(TopicReplicas { name: name.clone(), id, replicas });
        index.by_id.insert(id, topic.clone());
        index.by_name.insert(name, topic);
    }

    /// Forgets which topics have been taken out: the image that is shown by now does not have them either.
    pub fn forget_removed(&self) {
        self.write().removed.clear();
    }

    /// Whether a topic has been taken out since the image that is shown, which may still have it.
    pub fn is_removed(&self, id: TopicId) -> bool {
        self.read().removed.contains(&id)
    }

    /// Takes a whole topic out; its waiting readers are told.
    pub fn remove(&self, id: TopicId) -> Option<Arc<TopicReplicas>> {
        let mut index = self.write();
        let topic = index.by_id.remove(&id)?;
        index.removed.insert(id);
        // The name may belong to a younger topic already.
        if index.by_name.get(&topic.name).is_some_and(|named| named.id == id) {
            index.by_name.remove(&topic.name);
        }
        drop(index);
        for replica in topic.replicas.iter().flatten() {
            replica.waiters.end();
        }
        Some(topic)
    }

    /// Takes one replica out; its waiting readers are told.
    pub fn take(&self, replica: &Arc<Replica>) {
        let mut index = self.write();
        if let Some(known) = index.by_id.get(&replica.topic_id()) {
            let keep =
                |other: &Option<Arc<Replica>>| other.clone().filter(|other| !Arc::ptr_eq(other, replica));
            let replicas = known.replicas.iter().map(keep).collect();
            let topic = Arc::new(TopicReplicas { name: known.name.clone(), id: known.id, replicas });
            index.by_id.insert(topic.id, topic.clone());
            index.by_name.insert(topic.name.clone(), topic);
        }
        drop(index);
        replica.waiters.end();
    }

    /// Wakes every waiting reader.
    pub fn wake_all(&self) {
        for topic in self.topics() {
            for replica in topic.replicas.iter().flatten() {
                replica.waiters.changed();
            }
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
pub(crate) mod tests;
