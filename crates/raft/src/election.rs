//! Elections: pre-vote, vote, the taking and leaving of leadership (KIP-595, KIP-996).

use protocol::id::{LeaderEpoch, NodeId, Timestamp};

use crate::effect::Effect;
use crate::log::OffsetAndEpoch;
use crate::machine::{Raft, later};
use crate::message::{Request, RequestError, ResponseBody};
use crate::quorum_state::QuorumState;
use crate::role::{Ballot, Role};
use crate::voters::ReplicaKey;

impl Raft {
    pub(crate) fn on_vote(
        &mut self,
        now: Timestamp,
        (epoch, candidate, voter): (LeaderEpoch, ReplicaKey, ReplicaKey),
        (last, pre_vote): (OffsetAndEpoch, bool),
        out: &mut Vec<Effect>,
    ) -> ResponseBody {
        if epoch < self.hard.epoch {
            return ResponseBody::Error(RequestError::FencedLeaderEpoch);
        }
        if !self.me.matches(voter) {
            return ResponseBody::Error(RequestError::InvalidVoterKey);
        }
        if epoch > self.hard.epoch {
            self.become_unattached(now, epoch, out);
        }
        let granted = self.would_grant(candidate, last, pre_vote);
        if granted && !pre_vote && self.hard.voted.is_none() {
            self.hard.voted = Some(candidate);
            self.persist(out);
            let election_at = self.election_deadline(now);
            self.enter(Role::Unattached { election_at }, out);
        }
        ResponseBody::Vote { granted }
    }

    fn would_grant(&self, candidate: ReplicaKey, last: OffsetAndEpoch, pre_vote: bool) -> bool {
        let up_to_date = last >= self.log.last();
        let voted_for = |candidate| self.hard.voted.is_some_and(|voted| voted.matches(candidate));
        match (&self.role, pre_vote) {
            (Role::Leader(_), _) | (Role::Resigned { .. }, false) => false,
            // Whoever still hears from the leader keeps it: an isolated voter that comes back unseats nobody.
            (Role::Follower(following), true) => up_to_date && !following.fetched,
            (_, true) => up_to_date,
            (Role::Follower(_) | Role::Candidate { .. }, false) => voted_for(candidate),
            (Role::Unattached { .. } | Role::Prospective { .. }, false) => match self.hard.voted {
                Some(_) => voted_for(candidate),
                None => self.hard.leader.is_none() && up_to_date,
            },
        }
    }

    pub(crate) fn on_vote_answer(&mut self, from: NodeId, pre_vote: bool, granted: bool) {
        let ballot = match (&mut self.role, pre_vote) {
            (Role::Prospective { ballot, .. }, true) | (Role::Candidate { ballot, .. }, false) => ballot,
            _ => return,
        };
        if granted {
            ballot.granted.insert(from);
        } else {
            ballot.rejected.insert(from);
        }
    }

    pub(crate) fn on_begin_epoch(
        &mut self,
        now: Timestamp,
        epoch: LeaderEpoch,
        leader: NodeId,
        out: &mut Vec<Effect>,
    ) -> ResponseBody {
        if let Some(error) = self.contradicts(epoch, leader) {
            return ResponseBody::Error(error);
        }
        self.observe(now, epoch, Some(leader), out);
        if let Role::Follower(following) = &mut self.role {
            following.fetch_by = later(now, self.config.fetch_timeout_ms);
        }
        ResponseBody::Acknowledged
    }

    pub(crate) fn on_end_epoch(
        &mut self,
        now: Timestamp,
        (epoch, leader): (LeaderEpoch, NodeId),
        preferred: &[NodeId],
        out: &mut Vec<Effect>,
    ) -> ResponseBody {
        if let Some(error) = self.contradicts(epoch, leader) {
            return ResponseBody::Error(error);
        }
        self.observe(now, epoch, Some(leader), out);
        if matches!(self.role, Role::Follower(_)) && self.votes() {
            // The first in the list stands at once, the others leave it a start of growing length.
            let place = preferred.iter().position(|&id| id == self.me.id).unwrap_or(preferred.len());
            let doubled = self.config.retry_backoff_ms << place.min(16);
            let backoff = if place == 0 { 0 } else { doubled.min(self.config.election_backoff_ms_max) };
            let election_at = later(now, backoff);
            self.enter(Role::Unattached { election_at }, out);
        }
        ResponseBody::Acknowledged
    }

    /// Whether a claim to lead an epoch is stale or against what is known of it.
    fn contradicts(&self, epoch: LeaderEpoch, leader: NodeId) -> Option<RequestError> {
        if epoch < self.hard.epoch {
            return Some(RequestError::FencedLeaderEpoch);
        }
        let other_leader = epoch == self.hard.epoch && self.hard.leader.is_some_and(|known| known != leader);
        (leader == self.me.id || other_leader).then_some(RequestError::InvalidRequest)
    }

    pub(crate) fn poll_unattached(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let Role::Unattached { election_at } = self.role else { return };
        if self.votes() && election_at <= now {
            self.become_prospective(now, out);
        } else if !self.has_requests()
            && let Some(to) = self.fetch_target()
        {
            // Any voter's answer names the leader; the next one is asked if this one knows none.
            let request = self.fetch_request();
            self.send(now, to, request, out);
        }
    }

    /// Some other voter to ask who leads, another one with each request.
    fn fetch_target(&self) -> Option<NodeId> {
        let mut free: Vec<_> = self.others().iter().map(|key| key.id).collect();
        free.retain(|&id| !self.is_busy(id));
        let turn = usize::try_from(self.requests_sent()).unwrap_or(0);
        free.get(turn.checked_rem(free.len())?).copied()
    }

    pub(crate) fn poll_prospective(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let Role::Prospective { ballot, election_at } = &self.role else { return };
        let (won, lost) = self.outcome(ballot);
        if won {
            self.become_candidate(now, out);
        } else if lost || *election_at <= now {
            match self.hard.leader.filter(|&leader| leader != self.me.id) {
                Some(leader) => self.become_follower(now, self.hard.epoch, leader, out),
                None => self.become_unattached(now, self.hard.epoch, out),
            }
        } else {
            self.ask_for_votes(now, true, out);
        }
    }

    pub(crate) fn poll_candidate(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let Role::Candidate { ballot, election_at } = &self.role else { return };
        let (won, lost) = self.outcome(ballot);
        if won {
            let granting = ballot.granted.iter().copied().collect();
            self.become_leader(now, granting, out);
        } else if *election_at <= now {
            self.become_prospective(now, out);
        } else if lost {
            self.become_unattached(now, self.hard.epoch, out);
        } else {
            self.ask_for_votes(now, false, out);
        }
    }

    pub(crate) fn poll_resigned(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let Role::Resigned { election_at } = self.role else { return };
        if !self.votes() {
            self.become_unattached(now, self.hard.epoch, out);
        } else if election_at <= now {
            if self.voters.is_only(self.me) {
                self.become_prospective(now, out);
            } else {
                self.become_unattached(now, LeaderEpoch(self.hard.epoch.0 + 1), out);
            }
        }
    }

    fn become_candidate(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        self.hard =
            QuorumState { epoch: LeaderEpoch(self.hard.epoch.0 + 1), leader: None, voted: Some(self.me) };
        self.persist(out);
        let election_at = self.election_deadline(now);
        let mut ballot = Ballot::default();
        ballot.granted.insert(self.me.id);
        self.enter(Role::Candidate { ballot, election_at }, out);
    }

    fn outcome(&self, ballot: &Ballot) -> (bool, bool) {
        let count = |ids: &std::collections::BTreeSet<NodeId>| {
            self.voters.ids().filter(|id| ids.contains(id)).count()
        };
        let lost = count(&ballot.rejected) > self.voters.len() - self.voters.majority();
        (count(&ballot.granted) >= self.voters.majority(), lost)
    }

    fn ask_for_votes(&mut self, now: Timestamp, pre_vote: bool, out: &mut Vec<Effect>) {
        let (Role::Prospective { ballot, .. } | Role::Candidate { ballot, .. }) = &self.role else { return };
        let answered = |id: &NodeId| ballot.granted.contains(id) || ballot.rejected.contains(id);
        let silent: Vec<_> = self.others().into_iter().filter(|key| !answered(&key.id)).collect();
        for voter in silent {
            if !self.is_busy(voter.id) {
                let request = Request::Vote {
                    epoch: self.hard.epoch,
                    candidate: self.me,
                    voter,
                    last: self.log.last(),
                    pre_vote,
                };
                self.send(now, voter.id, request, out);
            }
        }
    }
}
