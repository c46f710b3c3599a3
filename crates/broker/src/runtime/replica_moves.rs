//! Moving replicas between log directories (AlterReplicaLogDirs, KIP-113), while they are written and read.
//!
//! As many threads copy as `num.replica.alter.log.dirs.threads` says, by default one for each log directory: each some of the
//! replicas on their way, in turn a piece of each, all together no faster than
//! `replica.alter.log.dirs.io.max.bytes.per.second`. When a copy has all but caught up the controller is told where the
//! replica will lie (KIP-858); then the copy takes the place of the log. Moves that a crash cut off go on at the start.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metadata::controller::partitions::{ReplicaDirectory, decide_assign_directories};
use storage::log_dirs::Move;
use storage::{Fault, TopicPartition};
use tokio::runtime::Handle;

use crate::Broker;

/// So much of a replica is copied at a time.
const PIECE: u32 = 1 << 20;
/// A copy that lacks fewer offsets than this is brought to its end with the log held.
const LAG_MAX: i64 = 1000;
/// How long a move rests that found no room or whose controller did not answer.
const REST: Duration = Duration::from_secs(1);

/// The threads.
#[derive(Debug)]
pub struct ReplicaMoves {
    bell: Arc<Bell>,
    threads: Vec<JoinHandle<()>>,
}

/// Wakes the threads for a new move, or to end.
#[derive(Debug, Default)]
pub struct Bell {
    /// How often it was rung, and whether that was for the end.
    state: Mutex<(u64, bool)>,
    rung: Condvar,
}

/// One of the threads.
struct Worker {
    broker: Arc<Broker>,
    bell: Arc<Bell>,
    quorum: Handle,
    /// When what all of them have copied may be over.
    busy_until: Arc<Mutex<Instant>>,
    /// Which one it is, of how many.
    place: (u64, u64),
    /// How often it has heard the bell.
    heard: u64,
}

impl Bell {
    /// There is something to move.
    pub fn ring(&self) {
        self.set(|state| state.0 += 1);
    }

    fn end(&self) {
        self.set(|state| state.1 = true);
    }

    fn set(&self, change: impl FnOnce(&mut (u64, bool))) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.rung.notify_all();
    }

    /// Waits until it has rung more often than was heard; `false` at the end.
    fn wait(&self, heard: &mut u64) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.rung.wait_while(state, |(rung, ended)| *rung == *heard && !*ended);
        let state = waited.unwrap_or_else(PoisonError::into_inner);
        *heard = state.0;
        !state.1
    }

    /// Waits for a while; `false` at the end.
    fn rest(&self, at_most: Duration) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.rung.wait_timeout_while(state, at_most, |(_, ended)| !*ended);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !state.1
    }
}

impl ReplicaMoves {
    /// Starts the threads; `quorum` is where the controller is asked.
    pub fn start(broker: &Arc<Broker>, quorum: &Handle) -> std::io::Result<Self> {
        let bell = broker.moves_bell.clone();
        bell.ring();
        let asked = broker.config().log_dirs.move_threads;
        let directories = broker.log_dirs.directories().count() as u64;
        let count = asked.unwrap_or(directories).max(1);
        let busy_until = Arc::new(Mutex::new(Instant::now()));
        let mut moves = Self { bell, threads: Vec::new() };
        for index in 0..count {
            let mut worker = Worker {
                broker: Arc::clone(broker),
                bell: moves.bell.clone(),
                quorum: quorum.clone(),
                busy_until: busy_until.clone(),
                place: (index, count),
                heard: 0,
            };
            let thread = std::thread::Builder::new().name(format!("replica-moves-{index}"));
            moves.threads.push(thread.spawn(move || while worker.run() {})?);
        }
        Ok(moves)
    }
}

impl Drop for ReplicaMoves {
    /// Ends the threads, each after the piece it is at.
    fn drop(&mut self) {
        self.bell.end();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            let _ended = thread.join();
        }
    }
}

impl Worker {
    /// Waits for moves, and moves until there is nothing left for it to move; `false` at the end.
    fn run(&mut self) -> bool {
        if !self.bell.wait(&mut self.heard) {
            return false;
        }
        loop {
            let mut moves = self.broker.log_dirs.moves();
            moves.retain(|moving| self.is_mine(&moving.name));
            if moves.is_empty() {
                return true;
            }
            let mut rest = Duration::ZERO;
            for moving in &moves {
                match advance(&self.broker, moving, &self.quorum) {
                    Ok(step) => rest = rest.max(step.rest(self.throttled(step.bytes))),
                    Err(fault) if fault.no_space() => {
                        tracing::warn!(partition = %moving.name, %fault, "a replica on its way waits for room");
                        rest += REST;
                    }
                    Err(fault) => give_up(&self.broker, moving, &fault),
                }
            }
            if !self.bell.rest(rest) {
                return false;
            }
        }
    }

    fn is_mine(&self, name: &TopicPartition) -> bool {
        let mut hasher = DefaultHasher::new();
        (&*name.topic, name.partition.0).hash(&mut hasher);
        let (index, count) = self.place;
        hasher.finish() % count == index
    }

    /// How long to rest after so many bytes, with what the others have copied.
    fn throttled(&self, bytes: u64) -> Duration {
        let rate = self.broker.config().log_dirs.move_bytes_per_second_max.unwrap_or(u64::MAX);
        // Four gigabytes a second are no bound.
        let Ok(rate) = u32::try_from(rate.max(1)) else { return Duration::ZERO };
        let now = Instant::now();
        let mut busy_until = self.busy_until.lock().unwrap_or_else(PoisonError::into_inner);
        *busy_until = now.max(*busy_until) + Duration::from_secs_f64(bytes as f64 / f64::from(rate));
        *busy_until - now
    }
}

fn give_up(broker: &Broker, moving: &Move, fault: &Fault) {
    let name = &moving.name;
    match broker.log_dirs.abandon_move(moving, broker.now()) {
        // An operator was faster: the copy was gone before it failed.
        Ok(false) => return,
        Ok(true) => {
            tracing::error!(partition = %name, %fault, "a replica cannot be moved and stays where it is")
        }
        Err(left) => {
            tracing::error!(partition = %name, %fault, %left, "a replica cannot be moved, nor its copy removed")
        }
    }
    report_place(broker, name);
}

/// How far a move has come.
struct Step {
    /// How many bytes were copied.
    bytes: u64,
    /// Whether the controller is to be told where the replica goes, and was not.
    is_untold: bool,
}

impl Step {
    /// How long to rest after it.
    fn rest(&self, throttled: Duration) -> Duration {
        if self.is_untold { throttled.max(REST) } else { throttled }
    }
}

/// Copies a piece, or, with nothing much left, ends the move.
fn advance(broker: &Broker, moving: &Arc<Move>, quorum: &Handle) -> Result<Step, Fault> {
    let copied = moving.step(PIECE, broker.now())?;
    if copied.lag > LAG_MAX {
        return Ok(Step { bytes: copied.bytes, is_untold: false });
    }
    let (told, is_told) = std::sync::mpsc::channel();
    moving.flush(
        broker.now(),
        Box::new(move |outcome| {
            // Nobody listens any more where the node ends.
            let _ended = told.send(outcome);
        }),
    )?;
    if let Ok(outcome) = is_told.recv() {
        outcome?;
    }
    // Others may have been before it at the thread that syncs. What has come since is copied under both locks: it must not be much.
    let since = moving.step(PIECE, broker.now())?;
    let bytes = copied.bytes + since.bytes;
    let step = |is_untold: bool| Ok(Step { bytes, is_untold });
    if since.lag > LAG_MAX {
        return step(false);
    }
    // A log that could not go there now would be where nobody has it, for as long as the disk is full.
    moving.to.state().check_room()?;
    if let Err(error) = assign(broker, moving, quorum) {
        tracing::warn!(partition = %moving.name, %error, "the controller was not told where a replica goes");
        return step(true);
    }
    let finished = broker.log_dirs.finish_move(moving, broker.now());
    if finished.as_ref().is_err_and(Fault::no_space) {
        // It waits for room where it lies, for hours perhaps: should that directory fail, nobody may take the copy for it.
        report_place(broker, &moving.name);
    }
    finished?;
    tracing::info!(partition = %moving.name, to = %moving.to.path().display(), "a replica has moved");
    report_place(broker, &moving.name);
    step(false)
}

/// Tells the controller where the replica will lie.
fn assign(
    broker: &Broker,
    moving: &Move,
    quorum: &Handle,
) -> Result<(), crate::runtime::quorum::QuorumError> {
    let image = broker.image();
    let Some(topic) = image.topics.by_name(&moving.name.topic) else { return Ok(()) };
    let who = (broker.node_id, broker.quorum.broker_epoch());
    let (topic, partition, directory) = (topic.id, moving.name.partition, moving.to.id());
    let replica = ReplicaDirectory { topic, partition, directory };
    quorum.block_on(broker.quorum.submit(move |image, _| decide_assign_directories(image, who, &[replica])))
}

/// Has the controller told where a replica lies now, and its readers look again.
fn report_place(broker: &Broker, name: &TopicPartition) {
    let replica = broker.partitions.by_name(&name.topic).and_then(|topic| topic.get(name.partition).cloned());
    let Some(replica) = replica else { return };
    if let Ok(log) = replica.log() {
        let directory = log.directory_id();
        drop(log);
        broker.directory_reports.assign(replica.topic_id(), replica.index, directory);
    }
    replica.waiters.changed();
}
