//! Moving replicas between log directories (AlterReplicaLogDirs, KIP-113), while they are written and read.
//!
//! One thread copies, in turn a piece of each replica on its way, no faster than
//! `replica.alter.log.dirs.io.max.bytes.per.second`. When a copy has all but caught up the controller is told where the
//! replica will lie (KIP-858); then the copy takes the place of the log. Moves that a crash cut off go on at the start.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

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

/// The thread.
#[derive(Debug)]
pub struct ReplicaMoves {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

/// Wakes the thread for a new move, or to end.
#[derive(Debug, Default)]
pub struct Bell {
    state: Mutex<(bool, bool)>,
    rung: Condvar,
}

impl Bell {
    /// There is something to move.
    pub fn ring(&self) {
        self.set(|state| state.0 = true);
    }

    fn end(&self) {
        self.set(|state| state.1 = true);
    }

    fn set(&self, change: impl FnOnce(&mut (bool, bool))) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.rung.notify_all();
    }

    /// Waits until it rings; `false` at the end.
    fn wait(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.rung.wait_while(state, |(rung, ended)| !*rung && !*ended);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.0 = false;
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
    /// Starts the thread; `quorum` is where the controller is asked.
    pub fn start(broker: Arc<Broker>, quorum: Handle) -> std::io::Result<Self> {
        let bell = broker.moves_bell.clone();
        bell.ring();
        let heard = bell.clone();
        let thread = std::thread::Builder::new()
            .name("replica-moves".into())
            .spawn(move || while heard.wait() && run(&broker, &heard, &quorum) {})?;
        Ok(Self { bell, thread: Some(thread) })
    }
}

impl Drop for ReplicaMoves {
    /// Ends the thread after the piece it is at.
    fn drop(&mut self) {
        self.bell.end();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ended = thread.join();
        }
    }
}

/// Moves until there is nothing left to move; `false` at the end.
fn run(broker: &Broker, bell: &Bell, quorum: &Handle) -> bool {
    loop {
        let moves = broker.log_dirs.moves();
        if moves.is_empty() {
            return true;
        }
        let mut rest = Duration::ZERO;
        for moving in &moves {
            match advance(broker, moving, quorum) {
                Ok(bytes) => rest += throttled(broker, bytes),
                Err(fault) if fault.no_space() => {
                    tracing::warn!(partition = %moving.name, %fault, "a replica on its way waits for room");
                    rest += REST;
                }
                Err(fault) => give_up(broker, moving, &fault),
            }
        }
        if !bell.rest(rest) {
            return false;
        }
    }
}

/// How long so many bytes must take.
fn throttled(broker: &Broker, bytes: u64) -> Duration {
    let config = broker.config();
    let rate = config.settings.integer("replica.alter.log.dirs.io.max.bytes.per.second").unwrap_or(i64::MAX);
    match u32::try_from(rate.max(1)) {
        Ok(rate) => Duration::from_secs_f64(bytes as f64 / f64::from(rate)),
        // Four gigabytes a second are no bound.
        Err(_) => Duration::ZERO,
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

/// Copies a piece, or, with nothing much left, ends the move. Says how many bytes were copied.
fn advance(broker: &Broker, moving: &Arc<Move>, quorum: &Handle) -> Result<u64, Fault> {
    let copied = moving.step(PIECE, broker.now())?;
    if copied.lag > LAG_MAX {
        return Ok(copied.bytes);
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
    if let Err(error) = assign(broker, moving, quorum) {
        tracing::warn!(partition = %moving.name, %error, "the controller was not told where a replica goes");
        return Ok(copied.bytes);
    }
    broker.log_dirs.finish_move(moving, broker.now())?;
    tracing::info!(partition = %moving.name, to = %moving.to.path().display(), "a replica has moved");
    report_place(broker, &moving.name);
    Ok(copied.bytes)
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
        broker.directory_reports.assign(replica.topic_id, replica.index, directory);
    }
    replica.waiters.changed();
}
