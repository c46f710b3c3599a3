//! The machine itself: its state, the dispatch of inputs, and the ways from one role to another.

use std::collections::BTreeMap;

use protocol::id::{DirectoryId, LeaderEpoch, NodeId, Timestamp};
use protocol::offset::Offset;

use crate::effect::{Effect, ProposalRefusal};
use crate::input::Input;
use crate::log::{LogModel, OffsetAndEpoch};
use crate::message::{Request, RequestError, RequestId, Response, ResponseBody, Ticket};
use crate::quorum_state::QuorumState;
use crate::role::{Ballot, Following, Role};
use crate::voters::{ReplicaKey, VoterSet};

/// Who this node is and how patient. Times in milliseconds.
#[derive(Clone, Debug)]
pub struct Config {
    /// `node.id`.
    pub id: NodeId,
    /// The id of the metadata directory.
    pub directory: DirectoryId,
    /// `controller.quorum.election.timeout.ms`.
    pub election_timeout_ms: i64,
    /// `controller.quorum.election.backoff.max.ms`.
    pub election_backoff_ms_max: i64,
    /// `controller.quorum.fetch.timeout.ms`.
    pub fetch_timeout_ms: i64,
    /// `controller.quorum.request.timeout.ms`.
    pub request_timeout_ms: i64,
    /// `controller.quorum.retry.backoff.ms`.
    pub retry_backoff_ms: i64,
    /// How long a leader holds a fetch that finds nothing new.
    pub fetch_wait_ms_max: i64,
    /// Whether the voters come from a bootstrap snapshot and are not in the log yet: the first leader writes them
    /// there (KIP-853).
    pub voters_unlogged: bool,
    /// Where the jitter of this node's timeouts starts.
    pub seed: u64,
}

/// One node of the metadata quorum.
#[derive(Clone, Debug)]
pub struct Raft {
    pub(crate) config: Config,
    pub(crate) me: ReplicaKey,
    pub(crate) voters: VoterSet,
    pub(crate) log: LogModel,
    pub(crate) hard: QuorumState,
    pub(crate) role: Role,
    pub(crate) high_watermark: Option<Offset>,
    random: u64,
    next_request: u64,
    /// Requests of this role without an answer, at most one for each node.
    in_flight: BTreeMap<RequestId, InFlight>,
    /// Nodes that failed to answer well, with the time before which nothing is sent to them.
    backoff: BTreeMap<NodeId, Timestamp>,
}

#[derive(Clone, Debug)]
struct InFlight {
    to: NodeId,
    request: Request,
    until: Timestamp,
}

impl Raft {
    /// A node as found on disk. Its first input should be `Tick`.
    pub fn new(now: Timestamp, config: Config, voters: VoterSet, log: LogModel, hard: QuorumState) -> Self {
        // Whoever lost its quorum state has heard at least of the epoch that its log ends in, as in Kafka.
        let hard = if hard.epoch < log.last_epoch() {
            QuorumState { epoch: log.last_epoch(), leader: None, voted: None }
        } else {
            hard
        };
        let me = ReplicaKey { id: config.id, directory: config.directory };
        let high_watermark = (log.start().offset > Offset::ZERO).then(|| log.start().offset);
        let mut raft = Self {
            random: config.seed,
            config,
            me,
            voters,
            log,
            hard,
            role: Role::Unattached { election_at: now },
            high_watermark,
            next_request: 0,
            in_flight: BTreeMap::new(),
            backoff: BTreeMap::new(),
        };
        // Whoever votes alone has nobody to wait for, whatever time it is by the next input.
        let at_once = Timestamp(i64::MIN);
        let election_at = if raft.voters.is_only(me) { at_once } else { raft.election_deadline(now) };
        raft.role = match raft.hard.leader {
            // A leader that restarts must not lead the same epoch again: what it had not flushed is gone (KAFKA-10527).
            Some(leader) if leader == me.id => Role::Resigned { election_at },
            Some(leader) => Role::Follower(raft.following(now, leader)),
            None => Role::Unattached { election_at },
        };
        raft
    }

    /// Takes one input and adds what is to be done, `WakeAt` last.
    pub fn step(&mut self, now: Timestamp, input: Input, out: &mut Vec<Effect>) {
        match input {
            Input::Tick => {}
            Input::Request { ticket, request } => self.on_request(now, ticket, request, out),
            Input::Response { id, response } => self.on_response(now, id, response, out),
            Input::RequestFailed { id } => {
                if let Some(sent) = self.in_flight.remove(&id) {
                    self.on_failure(now, &sent);
                }
            }
            Input::Propose { ticket, records } => self.on_propose(ticket, records, out),
            Input::Flushed { append } => {
                self.log.flush(append);
                self.advance_high_watermark(out);
                self.answer_parked(now, out);
            }
            Input::SnapshotInstalled { snapshot } => {
                self.log.reset(snapshot);
                self.commit(snapshot.offset, out);
                if let Role::Follower(following) = &mut self.role {
                    following.snapshot = None;
                }
            }
            Input::LogStartMoved { start } => self.log.move_start(start),
            Input::VotersChanged { voters } => {
                self.voters = voters;
                if matches!(self.role, Role::Leader(_)) && !self.voters.contains(self.me) {
                    self.resign(now, out);
                }
                self.advance_high_watermark(out);
            }
            Input::Resign => self.resign(now, out),
        }
        self.poll(now, out);
        out.push(Effect::WakeAt(self.wake_at()));
    }

    /// Who this node is.
    pub fn key(&self) -> ReplicaKey {
        self.me
    }

    /// The voters it counts by.
    pub fn voters(&self) -> &VoterSet {
        &self.voters
    }

    /// Its log.
    pub fn log(&self) -> &LogModel {
        &self.log
    }

    /// What is committed, as far as this node knows.
    pub fn high_watermark(&self) -> Option<Offset> {
        self.high_watermark
    }

    /// The epoch in which this node leads and has announced it.
    pub fn leads(&self) -> Option<LeaderEpoch> {
        match &self.role {
            Role::Leader(leadership) if leadership.announced => Some(leadership.epoch),
            _ => None,
        }
    }

    fn on_request(&mut self, now: Timestamp, ticket: Ticket, request: Request, out: &mut Vec<Effect>) {
        let answered = match request {
            Request::Vote { epoch, candidate, voter, last, pre_vote } => {
                let body = self.on_vote(now, (epoch, candidate, voter), (last, pre_vote), out);
                Some(body)
            }
            Request::BeginQuorumEpoch { epoch, leader } => Some(self.on_begin_epoch(now, epoch, leader, out)),
            Request::EndQuorumEpoch { epoch, leader, preferred } => {
                Some(self.on_end_epoch(now, (epoch, leader), &preferred, out))
            }
            Request::Fetch { epoch, replica, from } => {
                self.on_fetch(now, ticket, (epoch, replica), from, out)
            }
            Request::FetchSnapshot { epoch, snapshot, position, .. } => {
                Some(self.on_fetch_snapshot(epoch, snapshot, position))
            }
        };
        if let Some(body) = answered {
            self.respond(ticket, body, out);
        }
    }

    fn on_response(&mut self, now: Timestamp, id: RequestId, response: Response, out: &mut Vec<Effect>) {
        // An answer to a request of an earlier role says nothing any more.
        let Some(sent) = self.in_flight.remove(&id) else { return };
        let role_before = (self.role_name(), self.hard.epoch);
        self.observe(now, response.epoch, response.leader, out);
        if role_before != (self.role_name(), self.hard.epoch) {
            return;
        }
        let current = response.epoch == self.hard.epoch;
        match (&sent.request, response.body) {
            (&Request::Vote { pre_vote, .. }, ResponseBody::Vote { granted }) if current => {
                self.on_vote_answer(sent.to, pre_vote, granted);
            }
            (Request::Fetch { .. }, ResponseBody::Fetch { high_watermark, outcome }) if current => {
                self.on_fetched(now, id, (high_watermark, outcome), out);
            }
            (
                Request::FetchSnapshot { .. },
                ResponseBody::SnapshotPiece { snapshot, position, length, size },
            ) if current => self.on_snapshot_piece(now, id, (snapshot, position, length, size), out),
            (
                Request::BeginQuorumEpoch { .. } | Request::EndQuorumEpoch { .. },
                ResponseBody::Acknowledged,
            ) => {}
            _ => self.on_failure(now, &sent),
        }
    }

    fn on_failure(&mut self, now: Timestamp, sent: &InFlight) {
        self.back_off(now, sent.to);
        if let (Role::Follower(following), Request::FetchSnapshot { .. }) = (&mut self.role, &sent.request) {
            following.snapshot = None;
        }
    }

    pub(crate) fn back_off(&mut self, now: Timestamp, from: NodeId) {
        self.backoff.insert(from, later(now, self.config.retry_backoff_ms));
    }

    fn on_propose(&mut self, ticket: Ticket, records: u32, out: &mut Vec<Effect>) {
        let Some(epoch) = self.leads() else {
            out.push(Effect::RefuseProposal { ticket, refusal: ProposalRefusal::NotLeader });
            return;
        };
        let base = self.log.end();
        let append = self.log.append(epoch, records);
        out.push(Effect::Append { ticket, append, base, epoch });
    }

    /// Lets time and majorities take their course until nothing more changes.
    fn poll(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let late: Vec<_> =
            self.in_flight.iter().filter(|(_, sent)| sent.until <= now).map(|(&id, _)| id).collect();
        for id in late {
            if let Some(sent) = self.in_flight.remove(&id) {
                self.on_failure(now, &sent);
            }
        }
        self.backoff.retain(|_, until| *until > now);
        loop {
            let before = (self.role_name(), self.hard.epoch);
            match self.role {
                Role::Unattached { .. } => self.poll_unattached(now, out),
                Role::Prospective { .. } => self.poll_prospective(now, out),
                Role::Candidate { .. } => self.poll_candidate(now, out),
                Role::Leader(_) => self.poll_leader(now, out),
                Role::Follower(_) => self.poll_follower(now, out),
                Role::Resigned { .. } => self.poll_resigned(now, out),
            }
            if before == (self.role_name(), self.hard.epoch) {
                break;
            }
        }
    }

    fn wake_at(&self) -> Option<Timestamp> {
        let requests = self.in_flight.values().map(|sent| sent.until).min();
        let role = match &self.role {
            Role::Prospective { election_at, .. } | Role::Candidate { election_at, .. } => Some(*election_at),
            Role::Unattached { election_at } | Role::Resigned { election_at } => {
                self.votes().then_some(*election_at)
            }
            Role::Leader(leadership) => self.leader_wake_at(leadership),
            Role::Follower(following) => Some(following.fetch_by),
        };
        let retry = self.backoff.values().copied().min();
        [requests, retry, role].into_iter().flatten().min()
    }

    /// Takes in what a message says of epoch and leader.
    pub(crate) fn observe(
        &mut self,
        now: Timestamp,
        epoch: LeaderEpoch,
        leader: Option<NodeId>,
        out: &mut Vec<Effect>,
    ) {
        let other = leader.filter(|&leader| leader != self.me.id);
        if epoch > self.hard.epoch {
            match other {
                Some(leader) => self.become_follower(now, epoch, leader, out),
                None => self.become_unattached(now, epoch, out),
            }
        } else if epoch == self.hard.epoch
            && let Some(leader) = other
        {
            let attached = matches!(self.role, Role::Follower(_) | Role::Prospective { .. });
            let learned = self.hard.leader.is_none();
            let returned = self.hard.leader == Some(leader) && !attached;
            if learned || returned {
                self.become_follower(now, epoch, leader, out);
            }
        }
    }

    pub(crate) fn become_unattached(&mut self, now: Timestamp, epoch: LeaderEpoch, out: &mut Vec<Effect>) {
        if epoch > self.hard.epoch {
            self.hard = QuorumState { epoch, leader: None, voted: None };
            self.persist(out);
        }
        let election_at = self.election_deadline(now);
        self.enter(Role::Unattached { election_at }, out);
    }

    pub(crate) fn become_follower(
        &mut self,
        now: Timestamp,
        epoch: LeaderEpoch,
        leader: NodeId,
        out: &mut Vec<Effect>,
    ) {
        let voted = self.hard.voted.filter(|_| epoch == self.hard.epoch);
        let hard = QuorumState { epoch, leader: Some(leader), voted };
        if hard != self.hard {
            self.hard = hard;
            self.persist(out);
        }
        let following = self.following(now, leader);
        self.enter(Role::Follower(following), out);
    }

    pub(crate) fn become_prospective(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let election_at = self.election_deadline(now);
        let mut ballot = Ballot::default();
        ballot.granted.insert(self.me.id);
        self.enter(Role::Prospective { ballot, election_at }, out);
    }

    /// Steps into a role. Requests of the role before are forgotten, a leadership is laid down.
    pub(crate) fn enter(&mut self, role: Role, out: &mut Vec<Effect>) {
        self.in_flight.clear();
        if let Role::Leader(leadership) = std::mem::replace(&mut self.role, role) {
            for parked in leadership.parked {
                self.respond(parked.ticket, ResponseBody::Error(RequestError::NotLeader), out);
            }
            if leadership.announced {
                out.push(Effect::ResignedLeadership { epoch: leadership.epoch });
            }
        }
    }

    pub(crate) fn persist(&self, out: &mut Vec<Effect>) {
        out.push(Effect::PersistQuorumState(self.hard));
    }

    pub(crate) fn respond(&self, ticket: Ticket, body: ResponseBody, out: &mut Vec<Effect>) {
        let response = Response { epoch: self.hard.epoch, leader: self.hard.leader, body };
        out.push(Effect::Respond { ticket, response });
    }

    pub(crate) fn send(&mut self, now: Timestamp, to: NodeId, request: Request, out: &mut Vec<Effect>) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        let until = later(now, self.config.request_timeout_ms);
        self.in_flight.insert(id, InFlight { to, request: request.clone(), until });
        out.push(Effect::SendRequest { id, to, request });
    }

    /// Whether a node still owes an answer or is left alone for a while.
    pub(crate) fn is_busy(&self, to: NodeId) -> bool {
        self.backoff.contains_key(&to) || self.in_flight.values().any(|sent| sent.to == to)
    }

    pub(crate) fn has_requests(&self) -> bool {
        !self.in_flight.is_empty()
    }

    pub(crate) fn requests_sent(&self) -> u64 {
        self.next_request
    }

    pub(crate) fn votes(&self) -> bool {
        self.voters.contains(self.me)
    }

    pub(crate) fn others(&self) -> Vec<ReplicaKey> {
        self.voters.iter().map(|voter| voter.key).filter(|key| key.id != self.me.id).collect()
    }

    /// Moves the high watermark on; it never moves back.
    pub(crate) fn commit(&mut self, upto: Offset, out: &mut Vec<Effect>) {
        assert!(upto <= self.log.end(), "the high watermark passed the end of the log");
        if self.high_watermark.is_none_or(|known| known < upto) {
            self.high_watermark = Some(upto);
            out.push(Effect::CommittedUpTo(upto));
        }
    }

    pub(crate) fn fetch_request(&self) -> Request {
        let from = OffsetAndEpoch { epoch: self.log.last_epoch(), offset: self.log.end() };
        Request::Fetch { epoch: self.hard.epoch, replica: self.me, from }
    }

    pub(crate) fn following(&self, now: Timestamp, leader: NodeId) -> Following {
        let fetch_by = later(now, self.config.fetch_timeout_ms);
        Following { leader, fetch_by, fetched: false, snapshot: None }
    }

    /// When to stand for election: between one and two timeouts from now, so that voters rarely do so together.
    pub(crate) fn election_deadline(&mut self, now: Timestamp) -> Timestamp {
        let timeout = self.config.election_timeout_ms.max(1);
        let jitter = i64::try_from(self.draw() % timeout.unsigned_abs()).unwrap_or(0);
        later(now, timeout + jitter)
    }

    /// The next pseudo-random number (splitmix64).
    pub(crate) fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

pub(crate) fn later(now: Timestamp, ms: i64) -> Timestamp {
    Timestamp(now.0.saturating_add(ms))
}
