//! The thread that owns the metadata quorum: it drives raft, decides, appends, replays, syncs, publishes.

mod snapshots;

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use metadata::controller::bootstrap;
use metadata::controller::brokers::{Sessions, decide_fence, register_controller};
use metadata::{Delta, Image, MetadataRecord};
use protocol::id::{LeaderEpoch, Timestamp};
use protocol::messages::record::abort_transaction_record::AbortTransactionRecord;
use protocol::offset::Offset;
use raft::{AppendId, Effect, Input, Raft, Ticket};
use storage::directory_lock::DirectoryLock;
use storage::metadata_log::MetadataLog;
use storage::reserve::Reserve;
use storage::snapshots::QuorumControl;
use storage::{Fault, RealDisk};

use self::snapshots::SnapshotThread;
use super::boot::{QuorumOptions, end};
use super::clock::{Clock, wall};
use super::{Answer, Apply, Command, Decide, Decided, Ground, QuorumError, Shown};

/// The most requests that share one fsync.
const BATCH: usize = 256;

/// Records on their way into the log, between raft's leave and the append.
struct Proposal {
    records: Vec<MetadataRecord<'static>>,
    now: Timestamp,
}

/// Something that waits until the log is committed up to `end`.
struct Waiting {
    end: Offset,
    answer: Answer,
}

/// How far things have come: decided, appended, committed, shown.
pub(super) struct Progress {
    /// The newest image: everything appended is in it, committed or not. Decisions are made on it.
    image: Image,
    /// What changed since the image that is shown.
    delta: Delta,
    /// Whether no image was shown yet.
    unshown: bool,
    waiting: VecDeque<Waiting>,
    committed: Offset,
    proposal: Option<Proposal>,
    /// The newest append without an fsync.
    unflushed: Option<AppendId>,
    /// The epoch this node was elected for and has not begun to lead in.
    elected: Option<LeaderEpoch>,
    next_ticket: u64,
    wake_at: Option<Timestamp>,
    last_snapshot: Timestamp,
    /// The snapshot that is being written.
    snapshot: Option<SnapshotThread>,
    /// No snapshot is tried before: the last one found no room.
    snapshot_not_before: Timestamp,
}

impl Progress {
    pub(super) fn new(image: Image, now: Timestamp) -> Self {
        Self {
            image,
            delta: Delta::whole(),
            unshown: true,
            waiting: VecDeque::new(),
            committed: Offset::ZERO,
            proposal: None,
            unflushed: None,
            elected: None,
            next_ticket: 0,
            wake_at: None,
            last_snapshot: now,
            snapshot: None,
            snapshot_not_before: Timestamp(0),
        }
    }
}

/// Everything the thread owns.
pub(super) struct Owner {
    pub(super) raft: Raft,
    pub(super) log: MetadataLog,
    pub(super) control: QuorumControl,
    /// What a cluster without metadata begins with.
    pub(super) bootstrap: Vec<MetadataRecord<'static>>,
    pub(super) progress: Progress,
    pub(super) sessions: Sessions,
    pub(super) apply: Box<dyn Apply>,
    pub(super) clock: Clock,
    pub(super) shown: Arc<Shown>,
    pub(super) options: QuorumOptions,
    /// Room for the log on a full disk.
    pub(super) reserve: Arc<Reserve>,
    /// Held as long as the log is written to.
    pub(super) _lock: Option<DirectoryLock<RealDisk>>,
}

/// Does what the metadata log must not fail at for want of room: tried again with what the reserve gives up.
pub(super) fn reserved<L, T>(
    log: &mut L,
    reserve: &Reserve,
    mut attempt: impl FnMut(&mut L) -> Result<T, Fault>,
) -> Result<T, Fault> {
    loop {
        match attempt(log) {
            Err(fault) if fault.no_space() && reserve.draw() => {
                tracing::debug!(%fault, "metadata is written with room from the reserve");
            }
            outcome => return outcome,
        }
    }
}

/// Whether a record makes something that takes room on disks. What is left of the reserve is for the rest.
fn takes_room(record: &MetadataRecord<'_>) -> bool {
    matches!(record, MetadataRecord::Topic(_) | MetadataRecord::Partition(_))
}

impl Owner {
    /// Runs until told to stop or until the log fails. `boot` is decided before anything else. Hands back who is to
    /// be told of the end, once everything here is dropped.
    pub(super) fn run(
        &mut self,
        boot: Vec<Decide>,
        inbox: &Receiver<Command>,
    ) -> Option<tokio::sync::oneshot::Sender<()>> {
        // Who is answered by being dropped is to find why the owner ended.
        let mut boot = boot.into_iter();
        let stopped = self.start(&mut boot).and_then(|()| self.serve(inbox));
        let reason = match &stopped {
            Ok(_) => Arc::from("the node is stopping"),
            Err(fault) => {
                end(&self.shown, fault);
                super::sentence(fault)
            }
        };
        for waiting in self.progress.waiting.drain(..) {
            (waiting.answer)(Err(QuorumError::Closed(Arc::clone(&reason))));
        }
        stopped.ok()
    }

    fn start(&mut self, boot: &mut impl Iterator<Item = Decide>) -> Result<(), Fault> {
        self.step(Input::Tick)?;
        self.flush()?;
        self.lead_if_elected()?;
        for decide in boot {
            self.decide(decide)?;
        }
        self.settle()
    }

    fn serve(&mut self, inbox: &Receiver<Command>) -> Result<tokio::sync::oneshot::Sender<()>, Fault> {
        loop {
            match self.next(inbox) {
                Ok(Command::Stop(done)) => {
                    self.close()?;
                    return Ok(done);
                }
                Ok(Command::Fail(fault)) => return Err(fault),
                Ok(Command::Submit(decide)) => {
                    self.decide(decide)?;
                    let mut stop = None;
                    // What came while the last fsync ran shares the next one.
                    for _ in 1..BATCH {
                        match inbox.try_recv() {
                            Ok(Command::Submit(decide)) => self.decide(decide)?,
                            Ok(Command::Fail(fault)) => return Err(fault),
                            Ok(Command::Stop(done)) => {
                                stop = Some(done);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                    self.settle()?;
                    if let Some(done) = stop {
                        self.close()?;
                        return Ok(done);
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.on_time()?,
                Err(RecvTimeoutError::Disconnected) => {
                    // Every handle is gone: nobody can ask for anything any more.
                    self.close()?;
                    return Ok(tokio::sync::oneshot::channel().0);
                }
            }
        }
    }

    /// Closes the log, once nobody writes beside it any more.
    fn close(&mut self) -> Result<(), Fault> {
        self.wait_for_snapshot()?;
        reserved(&mut self.log, &self.reserve, MetadataLog::close)
    }

    fn next(&self, inbox: &Receiver<Command>) -> Result<Command, RecvTimeoutError> {
        let due = [self.progress.wake_at, self.sessions.next_expiry(), self.look_at_snapshot_at()];
        match due.into_iter().flatten().min() {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => {
                let ms = u64::try_from(at.0.saturating_sub(self.clock.now().0)).unwrap_or(0);
                inbox.recv_timeout(Duration::from_millis(ms))
            }
        }
    }

    fn on_time(&mut self) -> Result<(), Fault> {
        let time = self.clock.now();
        if self.progress.wake_at.is_some_and(|at| at <= time) {
            self.step(Input::Tick)?;
        }
        let expired = self.sessions.expired(time);
        if !expired.is_empty() {
            for broker in &expired {
                tracing::info!(broker = broker.0, "broker is fenced: it was not heard of within its session");
                self.sessions.forget(*broker);
            }
            if let Ok(decision) = decide_fence(&self.progress.image, &expired) {
                self.propose(decision.records)?;
            }
        }
        self.settle()
    }

    /// Decides one request and appends its records. Its answer waits for all that was appended so far: even a
    /// refusal may rest on records that are not committed yet.
    fn decide(&mut self, decide: Decide) -> Result<(), Fault> {
        let leads = self.raft.leads().is_some();
        let now = self.clock.now();
        let ground =
            leads.then_some(Ground { image: &self.progress.image, sessions: &mut self.sessions, now });
        let Some(Decided { records, answer }) = decide(ground) else { return Ok(()) };
        if self.reserve.is_low() && records.iter().any(takes_room) {
            answer(Err(QuorumError::NoRoom(self.options.metadata_directory.clone())));
            return Ok(());
        }
        let proposed = self.propose(records);
        // Where that failed it is answered with the reason.
        self.progress.waiting.push_back(Waiting { end: self.progress.image.end(), answer });
        proposed
    }

    /// Appends records in one batch and replays them. Raft was asked before, and gave the offsets.
    fn propose(&mut self, records: Vec<MetadataRecord<'static>>) -> Result<(), Fault> {
        if records.is_empty() {
            return Ok(());
        }
        let ticket = Ticket(self.progress.next_ticket);
        self.progress.next_ticket += 1;
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        self.progress.proposal = Some(Proposal { records, now: wall() });
        self.step(Input::Propose { ticket, records: count })
    }

    /// Syncs what was appended, and with that commits, shows and answers it.
    fn settle(&mut self) -> Result<(), Fault> {
        self.flush()?;
        self.lead_if_elected()?;
        self.answer_committed();
        self.look_at_snapshot()
    }

    fn flush(&mut self) -> Result<(), Fault> {
        match self.progress.unflushed.take() {
            Some(append) => {
                self.log.flush()?;
                self.step(Input::Flushed { append })
            }
            None => Ok(()),
        }
    }

    /// Shows the image once everything in it is committed, then answers who waited for that.
    fn answer_committed(&mut self) {
        let committed = self.progress.committed;
        let complete = committed >= self.progress.image.end() && !self.progress.image.in_transaction();
        if complete && (self.progress.unshown || !self.progress.delta.is_empty()) {
            let delta = std::mem::take(&mut self.progress.delta);
            let image = Arc::new(self.progress.image.clone());
            self.apply.apply(&image, &delta);
            self.shown.image.send_replace(image);
            self.progress.unshown = false;
        }
        *self.shown.status.lock().unwrap_or_else(PoisonError::into_inner) = self.raft.status();
        while self.progress.waiting.front().is_some_and(|waiting| waiting.end <= committed) {
            if let Some(waiting) = self.progress.waiting.pop_front() {
                (waiting.answer)(Ok(()));
            }
        }
    }

    fn step(&mut self, input: Input) -> Result<(), Fault> {
        let mut effects = Vec::new();
        self.raft.step(self.clock.now(), input, &mut effects);
        let mut effects = effects.into_iter().peekable();
        while let Some(effect) = effects.next() {
            // Of two states in a row nothing was answered in between: the last one is enough.
            let superseded = matches!(effect, Effect::PersistQuorumState(_))
                && matches!(effects.peek(), Some(Effect::PersistQuorumState(_)));
            if !superseded {
                self.carry_out(effect)?;
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect) -> Result<(), Fault> {
        match effect {
            Effect::PersistQuorumState(state) => {
                let fixed = self.control.voters.is_none().then(|| self.raft.voters());
                reserved(&mut self.log, &self.reserve, |log| log.persist(state, fixed))
            }
            Effect::AppendLeaderChange { append, base, epoch, granting, with_voters } => {
                let time = wall();
                let control = with_voters.then_some(&self.control);
                let who = (self.options.node_id, self.raft.voters(), granting.as_slice());
                reserved(&mut self.log, &self.reserve, |log| {
                    log.append_leader_change((base, epoch), who, control, time)
                })?;
                self.progress.image.advance(self.raft.log().end(), epoch, time);
                self.progress.unflushed = Some(append);
                Ok(())
            }
            Effect::Append { append, base, epoch, .. } => self.append(append, base, epoch),
            Effect::RefuseProposal { .. } => {
                self.progress.proposal = None;
                Ok(())
            }
            Effect::CommittedUpTo(upto) => {
                self.progress.committed = upto;
                Ok(())
            }
            Effect::BecameLeader { epoch } => {
                self.progress.elected = Some(epoch);
                Ok(())
            }
            Effect::ResignedLeadership { epoch } => {
                tracing::info!(epoch = epoch.0, "this node does not lead the metadata quorum any more");
                Ok(())
            }
            Effect::WakeAt(at) => {
                self.progress.wake_at = at;
                Ok(())
            }
            // A lone voter has nobody to talk to, and loading refused any other quorum.
            Effect::SendRequest { .. }
            | Effect::Respond { .. }
            | Effect::AppendFetched { .. }
            | Effect::Truncate { .. }
            | Effect::WriteSnapshotPiece { .. }
            | Effect::InstallSnapshot { .. }
            | Effect::Halt(_) => {
                let reason = format!("a quorum of this node alone was asked for {effect:?}");
                Err(Fault::Mismatch { path: self.log.directory().to_owned(), reason })
            }
        }
    }

    fn append(&mut self, append: AppendId, base: Offset, epoch: LeaderEpoch) -> Result<(), Fault> {
        let Some(Proposal { records, now }) = self.progress.proposal.take() else { return Ok(()) };
        // A level that these records raise themselves counts already: bootstrap begins from none.
        let raised = records.iter().rev().find_map(|record| match record {
            MetadataRecord::FeatureLevel(level) if level.name == metadata::image::METADATA_VERSION => {
                Some(level.feature_level)
            }
            _ => None,
        });
        let metadata_version = raised.unwrap_or(self.progress.image.metadata_version());
        reserved(&mut self.log, &self.reserve, |log| {
            log.append((base, epoch), &records, metadata_version, now)
        })?;
        let mut next = base;
        for record in &records {
            let change = self.progress.image.replay(next, record);
            self.progress.delta.note(change);
            next = next.plus(1);
        }
        self.progress.image.advance(next, epoch, now);
        self.progress.unflushed = Some(append);
        Ok(())
    }

    fn lead_if_elected(&mut self) -> Result<(), Fault> {
        self.progress.elected.take().map_or(Ok(()), |epoch| self.begin_leading(epoch))
    }

    /// Makes the cluster ready for decisions: undoes a transaction that was left open, begins a new cluster with its
    /// bootstrap records, and registers this controller.
    fn begin_leading(&mut self, epoch: LeaderEpoch) -> Result<(), Fault> {
        tracing::info!(epoch = epoch.0, "this node leads the metadata quorum");
        if self.progress.image.in_transaction() {
            let reason = Some("the controller that began it has gone".into());
            self.propose(vec![AbortTransactionRecord { reason }.into()])?;
        }
        if self.progress.image.metadata_version() == 0 {
            let formatted = std::mem::take(&mut self.bootstrap);
            self.propose(bootstrap::first_records(formatted, self.options.min_insync_replicas))?;
        }
        let registered = self.progress.image.cluster.controllers.get(&self.options.node_id);
        let unknown = registered.is_none_or(|known| known.incarnation != self.options.controller.incarnation);
        // Controllers register since metadata.version 3.7-IV0 (KIP-919).
        if unknown && self.progress.image.metadata_version() >= 15 {
            self.propose(vec![register_controller(&self.options.controller)])?;
        }
        let time = self.clock.now();
        let others: Vec<_> =
            self.progress.image.cluster.brokers.values().filter(|broker| !broker.fenced).collect();
        for broker in others {
            // Whoever was active before has a whole session to be heard of.
            if broker.id != self.options.node_id {
                self.sessions.touch(broker.id, time);
            }
        }
        Ok(())
    }
}
