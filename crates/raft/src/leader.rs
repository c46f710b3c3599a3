//! Leading: counting what followers have, moving the high watermark, answering fetches, giving up in time.

use std::collections::BTreeMap;

use protocol::id::{LeaderEpoch, NodeId, Timestamp};
use protocol::offset::Offset;

use crate::effect::Effect;
use crate::log::OffsetAndEpoch;
use crate::machine::{Raft, later};
use crate::message::{FetchOutcome, Request, RequestError, ResponseBody, Ticket};
use crate::role::{Leadership, ParkedFetch, Progress, Role};
use crate::status::ReplicaStatus;
use crate::voters::ReplicaKey;

/// An observer that has not fetched for this long is forgotten, as in Kafka.
const OBSERVER_SESSION_MS: i64 = 300_000;

impl Progress {
    fn new(key: ReplicaKey, begin_at: Timestamp) -> Self {
        Self { key, end: None, last_fetch: None, last_caught_up: None, begin_at }
    }

    pub(crate) fn status(&self) -> ReplicaStatus {
        ReplicaStatus {
            key: self.key,
            end: self.end,
            last_fetch: self.last_fetch,
            last_caught_up: self.last_caught_up,
        }
    }
}

impl Raft {
    pub(crate) fn become_leader(&mut self, now: Timestamp, granting: Vec<NodeId>, out: &mut Vec<Effect>) {
        let epoch = self.hard.epoch;
        // As in Kafka's file: who leads has no vote to give any more, which the role sees to.
        self.hard.leader = Some(self.me.id);
        self.hard.voted = None;
        self.persist(out);
        let epoch_start = self.log.end();
        let with_voters = std::mem::take(&mut self.config.voters_unlogged);
        let append = self.log.append(epoch, if with_voters { 3 } else { 1 });
        let progress: BTreeMap<_, _> =
            self.others().into_iter().map(|key| (key.id, Progress::new(key, now))).collect();
        let leadership =
            Leadership { epoch, epoch_start, announced: false, since: now, progress, parked: Vec::new() };
        self.enter(Role::Leader(leadership), out);
        out.push(Effect::AppendLeaderChange { append, base: epoch_start, epoch, granting, with_voters });
    }

    /// The high watermark is the largest flushed end that a majority of voters has, once that lies in this
    /// leader's own epoch: records of earlier epochs are committed only along with one of it.
    pub(crate) fn advance_high_watermark(&mut self, out: &mut Vec<Effect>) {
        let Role::Leader(leadership) = &self.role else { return };
        let mut ends: Vec<Offset> = self
            .voters
            .ids()
            .map(|id| match leadership.progress.get(&id) {
                _ if id == self.me.id => self.log.flushed(),
                Some(progress) if self.voters.contains(progress.key) => progress.end.unwrap_or(Offset::ZERO),
                _ => Offset::ZERO,
            })
            .collect();
        ends.sort_unstable_by(|a, b| b.cmp(a));
        let Some(&majority_end) = ends.get(self.voters.majority() - 1) else { return };
        let (epoch, announced) = (leadership.epoch, leadership.announced);
        if majority_end <= leadership.epoch_start {
            return;
        }
        // A follower may have acknowledged what this leader has not flushed yet; its own end bounds the mark.
        self.commit(majority_end.min(self.log.end()), out);
        if !announced {
            if let Role::Leader(leadership) = &mut self.role {
                leadership.announced = true;
            }
            out.push(Effect::BecameLeader { epoch });
        }
    }

    pub(crate) fn on_fetch(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        (epoch, replica): (LeaderEpoch, ReplicaKey),
        from: OffsetAndEpoch,
        out: &mut Vec<Effect>,
    ) -> Option<ResponseBody> {
        if let Some(error) = self.not_led_here(epoch) {
            return Some(ResponseBody::Error(error));
        }
        self.answer_parked_of(replica.id, out);
        let (flushed, high_watermark) = (self.log.flushed(), self.high_watermark);
        let outcome = self.look_up(from);
        let valid = matches!(outcome, FetchOutcome::Records { .. });
        let begin_at = later(now, self.config.fetch_timeout_ms / 2);
        let Role::Leader(leadership) = &mut self.role else { return None };
        leadership.forget_observers(now, &self.voters);
        let progress =
            leadership.progress.entry(replica.id).or_insert_with(|| Progress::new(replica, begin_at));
        progress.key = replica;
        progress.last_fetch = Some(now);
        progress.begin_at = begin_at;
        if valid {
            // A position that diverges says nothing about what the replica shares with us (KAFKA-13141).
            progress.end = Some(from.offset);
            if from.offset >= flushed {
                progress.last_caught_up = Some(now);
            }
            self.advance_high_watermark(out);
        }
        let news = from.offset < flushed || self.high_watermark != high_watermark;
        if valid && !news {
            let until = later(now, self.config.fetch_wait_ms_max);
            let Role::Leader(leadership) = &mut self.role else { return None };
            leadership.parked.push(ParkedFetch {
                ticket,
                replica: replica.id,
                from: from.offset,
                high_watermark,
                until,
            });
            return None;
        }
        self.answer_parked(now, out);
        Some(ResponseBody::Fetch { high_watermark: self.high_watermark, outcome })
    }

    pub(crate) fn on_fetch_snapshot(
        &self,
        epoch: LeaderEpoch,
        snapshot: OffsetAndEpoch,
        position: u64,
    ) -> ResponseBody {
        match self.not_led_here(epoch) {
            Some(error) => ResponseBody::Error(error),
            None if snapshot != self.log.start() => ResponseBody::Error(RequestError::SnapshotNotFound),
            None => ResponseBody::SnapshotPiece { snapshot, position, length: 0, size: 0 },
        }
    }

    fn not_led_here(&self, epoch: LeaderEpoch) -> Option<RequestError> {
        if epoch < self.hard.epoch {
            Some(RequestError::FencedLeaderEpoch)
        } else if epoch > self.hard.epoch {
            Some(RequestError::UnknownLeaderEpoch)
        } else {
            (!matches!(self.role, Role::Leader(_))).then_some(RequestError::NotLeader)
        }
    }

    /// What lies at a fetcher's position: records, a fork, or nothing any more.
    fn look_up(&self, from: OffsetAndEpoch) -> FetchOutcome {
        let start = self.log.start();
        let before_start = from.offset < start.offset
            || from.epoch < start.epoch
            || (from.offset == start.offset && from.epoch != start.epoch);
        if start.offset > Offset::ZERO && before_start {
            return FetchOutcome::Snapshot(start);
        }
        let shared = self.log.end_of_epoch(from.epoch);
        if shared.epoch != from.epoch || shared.offset < from.offset {
            return FetchOutcome::Diverging(shared);
        }
        FetchOutcome::Records { spans: Vec::new(), upto: self.log.flushed().max(from.offset) }
    }

    /// Answers the fetches that waited for news, and those that waited long enough.
    pub(crate) fn answer_parked(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let (flushed, high_watermark) = (self.log.flushed(), self.high_watermark);
        let Role::Leader(leadership) = &mut self.role else { return };
        let due = leadership.parked.extract_if(.., |parked| {
            parked.until <= now || parked.from < flushed || parked.high_watermark != high_watermark
        });
        let due: Vec<_> = due.collect();
        for parked in due {
            self.answer_records(&parked, out);
        }
    }

    fn answer_parked_of(&mut self, replica: NodeId, out: &mut Vec<Effect>) {
        let Role::Leader(leadership) = &mut self.role else { return };
        let old: Vec<_> = leadership.parked.extract_if(.., |parked| parked.replica == replica).collect();
        for parked in old {
            self.answer_records(&parked, out);
        }
    }

    fn answer_records(&self, parked: &ParkedFetch, out: &mut Vec<Effect>) {
        let outcome = FetchOutcome::Records { spans: Vec::new(), upto: self.log.flushed().max(parked.from) };
        let body = ResponseBody::Fetch { high_watermark: self.high_watermark, outcome };
        self.respond(parked.ticket, body, out);
    }

    pub(crate) fn poll_leader(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        self.advance_high_watermark(out);
        self.answer_parked(now, out);
        let Role::Leader(leadership) = &self.role else { return };
        if self.quorum_lost_at(leadership).is_some_and(|at| at <= now) {
            self.resign(now, out);
            return;
        }
        let silent: Vec<_> = self
            .others()
            .into_iter()
            .filter(|key| leadership.progress.get(&key.id).is_none_or(|progress| progress.begin_at <= now))
            .collect();
        let begin_at = later(now, self.config.fetch_timeout_ms / 2);
        for key in silent {
            let Role::Leader(leadership) = &mut self.role else { return };
            leadership.progress.entry(key.id).or_insert_with(|| Progress::new(key, begin_at)).begin_at =
                begin_at;
            let request = Request::BeginQuorumEpoch { epoch: self.hard.epoch, leader: self.me.id };
            self.send(now, key.id, request, out);
        }
    }

    /// Lays leadership down: the followers are told, those with most of the log first.
    pub(crate) fn resign(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let Role::Leader(leadership) = &self.role else { return };
        let mut preferred: Vec<_> = self.others().iter().map(|key| key.id).collect();
        preferred.sort_by_key(|id| {
            std::cmp::Reverse(leadership.progress.get(id).and_then(|progress| progress.end))
        });
        let election_at = self.election_deadline(now);
        self.enter(Role::Resigned { election_at }, out);
        for &to in &preferred {
            let request = Request::EndQuorumEpoch {
                epoch: self.hard.epoch,
                leader: self.me.id,
                preferred: preferred.clone(),
            };
            self.send(now, to, request, out);
        }
    }

    /// When too few voters will have fetched for this leader to know that it still is one: one and a half fetch
    /// timeouts after the fetch that completed the last majority.
    fn quorum_lost_at(&self, leadership: &Leadership) -> Option<Timestamp> {
        let mut fetches: Vec<_> = self
            .others()
            .iter()
            .map(|key| {
                let last = leadership.progress.get(&key.id).and_then(|progress| progress.last_fetch);
                last.unwrap_or(leadership.since)
            })
            .collect();
        fetches.sort_unstable_by(|a, b| b.cmp(a));
        let decisive = self.voters.majority().checked_sub(2).and_then(|index| fetches.get(index))?;
        Some(later(*decisive, self.config.fetch_timeout_ms * 3 / 2))
    }

    pub(crate) fn leader_wake_at(&self, leadership: &Leadership) -> Option<Timestamp> {
        let begins =
            self.others().iter().filter_map(|key| leadership.progress.get(&key.id)).map(|p| p.begin_at).min();
        let parked = leadership.parked.iter().map(|parked| parked.until).min();
        [self.quorum_lost_at(leadership), begins, parked].into_iter().flatten().min()
    }
}

impl Leadership {
    fn forget_observers(&mut self, now: Timestamp, voters: &crate::voters::VoterSet) {
        self.progress.retain(|_, progress| {
            voters.contains(progress.key)
                || progress.last_fetch.is_some_and(|last| later(last, OBSERVER_SESSION_MS) > now)
        });
    }
}
