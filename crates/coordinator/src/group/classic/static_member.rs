//! A static member that comes back under its own name takes its old place (KIP-345), without a rebalance where
//! nothing changes for the others.

use std::sync::Arc;

use super::super::{GroupRefusal, MemberId};
use super::turn::Turn;
use super::{Join, JoinAnswer, State};
use crate::shard::Ground;

impl Turn<'_> {
    /// The static member `old` has come back and is `id` from here on; who still speaks as `old` is fenced.
    pub(super) fn replace_static<C>(
        &mut self,
        ground: &Ground<'_, C>,
        join: &Join,
        old: &MemberId,
        id: MemberId,
    ) -> Option<JoinAnswer> {
        let leader_before = self.live.leader.clone().unwrap_or_else(|| Arc::from(""));
        self.turn_away(old, GroupRefusal::FencedInstance);
        let member = self.live.members.remove(old)?;
        self.live.members.insert(id.clone(), member);
        self.live.instances.extend(join.instance.clone().map(|instance| (instance, id.clone())));
        if self.live.leader.as_ref() == Some(old) {
            self.live.leader = Some(id.clone());
        }
        if self.live.unsynced.remove(old).is_some() {
            self.live.unsynced.insert(id.clone(), ());
        }
        self.update(ground, join, &id);
        let (now, client) = (self.now, (join.client_id.clone(), join.client_host.clone()));
        self.live.members.change(&id, |member| {
            (member.client_id, member.client_host) = client;
            member.heard(now);
        });
        match self.live.state {
            State::Stable if self.live.select_protocol() == self.live.protocol => {
                self.records.push(self.live.record(&self.id, |_, member| member.assignment.clone()));
                self.live.members.change(&id, |member| member.joins = None);
                Some(self.back(&id, leader_before, join.may_skip_assignment))
            }
            // The old id may have been told to the leader already, which would assign to nobody.
            State::Stable | State::CompletingRebalance => {
                self.prepare_rebalance();
                None
            }
            State::Empty | State::PreparingRebalance => {
                self.complete_if_all_joined();
                None
            }
        }
    }

    /// What a static member is told whose group goes on as it was.
    fn back(&self, id: &MemberId, leader_before: MemberId, may_skip: bool) -> JoinAnswer {
        let answer = self.joined(id);
        if may_skip {
            let leads = answer.leader == *id;
            return JoinAnswer { skip_assignment: leads, ..answer };
        }
        // A leader that does not know it need not assign is told that somebody else leads.
        JoinAnswer { leader: leader_before, members: Vec::new(), ..answer }
    }
}
