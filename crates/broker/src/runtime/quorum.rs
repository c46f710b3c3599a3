//! The metadata quorum of this node: the handle that handlers ask, and the image they read.
//!
//! One thread owns raft, the controller's image and the metadata log; nobody else holds a reference to them. A
//! request walks: decide on the newest image -> append -> replay -> fsync -> committed -> applied by this broker ->
//! answered. What waits meanwhile is decided next and shares the following fsync, so that a lone request waits for
//! nothing but the disk, and many share it (KIP-595).
//!
//! deviation: `controller.quorum.append.linger.ms` is never waited for; requests that come while an fsync runs are
//! gathered for the next one. Who creates a topic gains 25 ms.
//! deviation: a lone voter writes no `NoOp` records (`metadata.max.idle.interval.ms`, KIP-835): there is no follower
//! whose lag they would show, and an idle node costs nothing.

mod apply;
mod boot;
mod clock;
mod owner;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use metadata::controller::brokers::{
    Heartbeat, HeartbeatAnswer, Registration, Sessions, decide_heartbeat, decide_register_broker,
};
use metadata::{Decision, Image, MetadataRecord, Refusal};
use protocol::id::{BrokerEpoch, NodeId, Timestamp};
use storage::Fault;
use tokio::sync::{oneshot, watch};

pub use apply::Apply;
pub use boot::{LoadedQuorum, QuorumOptions};

/// Why a change was not made, or is not known to have been.
#[derive(Clone, Debug, thiserror::Error)]
pub enum QuorumError {
    /// The controller turned it down.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// This node does not lead the quorum: nothing was changed.
    #[error("this node is not the active controller")]
    NotController,
    /// The disk of the metadata log is full: nothing was changed.
    #[error(
        "the disk of {} is full, and what is left of its reserve is for deletions: delete topics or records, or enlarge the disk",
        .0.display()
    )]
    NoRoom(PathBuf),
    /// The metadata log failed or the node stops: whether it was changed shows after the next start.
    #[error("the metadata log of this node is closed: {0}")]
    Closed(Arc<str>),
}

/// What is to be answered for one request once its records are committed, or cannot be.
type Answer = Box<dyn FnOnce(Result<(), QuorumError>) + Send>;

/// What became of a request that was decided.
struct Decided {
    records: Vec<MetadataRecord<'static>>,
    answer: Answer,
}

/// What a decision rests on.
struct Ground<'a> {
    image: &'a Image,
    sessions: &'a mut Sessions,
    now: Timestamp,
}

/// A request that waits to be decided; without ground, because this node does not lead, it is only answered.
type Decide = Box<dyn FnOnce(Option<Ground<'_>>) -> Option<Decided> + Send>;

/// What the owner is told.
enum Command {
    /// Decide, and make it so.
    Submit(Decide),
    /// End, because of a fault met elsewhere.
    Fail(Fault),
    /// Close the log and end.
    Stop(oneshot::Sender<()>),
}

/// What the owner shows to everybody.
struct Shown {
    image: watch::Sender<Arc<Image>>,
    status: Mutex<raft::Status>,
    /// What the log says of the quorum itself, or the configuration where the log does not.
    voters: raft::VoterSet,
    kraft_version: i16,
    /// What the owner ended for, once it has.
    ended: watch::Sender<Option<Fault>>,
}

/// A handle of the quorum; clones are the same quorum.
#[derive(Clone)]
pub struct Quorum {
    commands: SyncSender<Command>,
    shown: Arc<Shown>,
    node_id: NodeId,
}

impl fmt::Debug for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quorum").field("node_id", &self.node_id).finish_non_exhaustive()
    }
}

impl Quorum {
    /// A quorum that shows this image and changes nothing: for handlers under test and for tools.
    pub fn fixed(image: Image) -> Self {
        let (commands, _) = std::sync::mpsc::sync_channel(1);
        let status = raft::Status {
            role: raft::RoleName::Unattached,
            epoch: image.provenance().epoch,
            leader: None,
            high_watermark: None,
            voters: Vec::new(),
            observers: Vec::new(),
        };
        let shown = Shown {
            image: watch::Sender::new(Arc::new(image)),
            status: Mutex::new(status),
            voters: raft::VoterSet::default(),
            kraft_version: 0,
            ended: watch::Sender::new(None),
        };
        Self { commands, shown: Arc::new(shown), node_id: NodeId(-1) }
    }

    /// The newest image this broker has applied.
    pub fn image(&self) -> Arc<Image> {
        Arc::clone(&self.shown.image.borrow())
    }

    /// Tells of every newer image.
    pub fn watch(&self) -> watch::Receiver<Arc<Image>> {
        self.shown.image.subscribe()
    }

    /// How the quorum is, for DescribeQuorum and metrics.
    pub fn status(&self) -> raft::Status {
        self.shown.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The voters, with their endpoints.
    pub fn voters(&self) -> &raft::VoterSet {
        &self.shown.voters
    }

    /// The finalised `kraft.version`, which is no feature of the image: 0 where the configuration names the voters.
    pub fn kraft_version(&self) -> i16 {
        self.shown.kraft_version
    }

    /// The epoch of this node's broker, -1 while it is not registered.
    pub fn broker_epoch(&self) -> BrokerEpoch {
        self.image().cluster.broker(self.node_id).map_or(BrokerEpoch(-1), |broker| broker.epoch)
    }

    /// Has the controller decide on the newest image, and answers once the records are on stable storage, replayed,
    /// and applied by this broker.
    ///
    /// # Errors
    /// The controller's refusal, or why the outcome is not known.
    pub async fn submit<R: Send + 'static>(
        &self,
        decide: impl FnOnce(&Image, Timestamp) -> Result<Decision<R>, Refusal> + Send + 'static,
    ) -> Result<R, QuorumError> {
        self.send(move |ground| decide(ground.image, ground.now)).await
    }

    /// Registers a broker. One that was heard of within its session is not replaced by another process.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn register(&self, registration: Registration) -> Result<BrokerEpoch, QuorumError> {
        self.send(move |ground| {
            let alive = ground.sessions.is_alive(registration.id, ground.now);
            let decision = decide_register_broker(ground.image, &registration, alive)?;
            ground.sessions.touch(registration.id, ground.now);
            Ok(decision)
        })
        .await
    }

    /// Takes a broker's heartbeat.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn heartbeat(&self, beat: Heartbeat) -> Result<HeartbeatAnswer, QuorumError> {
        self.send(move |ground| {
            let decision = decide_heartbeat(ground.image, beat)?;
            if decision.response.fenced {
                ground.sessions.forget(beat.id);
            } else {
                ground.sessions.touch(beat.id, ground.now);
            }
            Ok(decision)
        })
        .await
    }

    async fn send<R: Send + 'static>(
        &self,
        decide: impl FnOnce(Ground<'_>) -> Result<Decision<R>, Refusal> + Send + 'static,
    ) -> Result<R, QuorumError> {
        let (answer, answered) = oneshot::channel();
        let mut command = Command::Submit(deciding(decide, answer));
        // A full queue is waited for by asking again: the owner empties it with every fsync.
        loop {
            match self.commands.try_send(command) {
                Ok(()) => break,
                Err(std::sync::mpsc::TrySendError::Full(back)) => {
                    command = back;
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
                Err(std::sync::mpsc::TrySendError::Disconnected(_)) => return Err(self.closed()),
            }
        }
        answered.await.unwrap_or_else(|_| Err(self.closed()))
    }

    /// Waits until the owner has ended by itself, and says why: the node must stop.
    pub async fn ended(&self) -> Arc<str> {
        let mut ended = self.shown.ended.subscribe();
        match ended.wait_for(Option::is_some).await {
            Ok(fault) => fault.as_ref().map(sentence).unwrap_or_default(),
            Err(_) => Arc::from("the quorum is gone"),
        }
    }

    /// Has the owner end because of a fault met elsewhere: the node must stop.
    pub fn end(&self, fault: Fault) {
        // An owner that is gone has ended already; one whose queue is full hears of the fault from its own disk, or the
        // next time.
        let _gone = self.commands.try_send(Command::Fail(fault));
    }

    /// Ends the owner: what was taken is answered, the log is closed.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        let commands = self.commands.clone();
        let sent = tokio::task::spawn_blocking(move || commands.send(Command::Stop(done)).is_ok()).await;
        if matches!(sent, Ok(true)) {
            let _ = stopped.await;
        }
    }

    fn closed(&self) -> QuorumError {
        let ended = self.fault().as_ref().map(sentence);
        QuorumError::Closed(ended.unwrap_or_else(|| Arc::from("the node is stopping")))
    }

    /// What the owner ended for, if it has.
    fn fault(&self) -> Option<Fault> {
        self.shown.ended.borrow().clone()
    }
}

/// Ties a decision to whoever waits for its answer. Who gave up is not told; the change stands all the same.
fn deciding<R: Send + 'static>(
    decide: impl FnOnce(Ground<'_>) -> Result<Decision<R>, Refusal> + Send + 'static,
    answer: oneshot::Sender<Result<R, QuorumError>>,
) -> Decide {
    Box::new(move |ground| {
        let Some(ground) = ground else {
            let _ = answer.send(Err(QuorumError::NotController));
            return None;
        };
        let (records, outcome) = match decide(ground) {
            Ok(Decision { records, response, .. }) => (records, Ok(response)),
            Err(refusal) => (Vec::new(), Err(QuorumError::Refused(refusal))),
        };
        let answer: Answer = Box::new(move |committed| {
            let _ = answer.send(committed.and(outcome));
        });
        Some(Decided { records, answer })
    })
}

/// Why the owner ended.
fn sentence(fault: &Fault) -> Arc<str> {
    Arc::from(fault.to_string())
}
