//! The most frequent heartbeat: a member of a group at rest is there, and says nothing else.
//!
//! What [`GroupShard::consumer_heartbeat`] makes of it is known beforehand, so that no change of the group has to be worked out for
//! it, nor what it says be kept. Whatever may come to more, a refusal too, is left to that.

use super::{Epoch, HeartbeatAnswer};
use crate::group::modern::{ModernMember, WaitChange};
use crate::group::{Group, GroupDecision, GroupGround, GroupShard, Millis, Transition};

/// Who is there, in the request's own words.
#[derive(Clone, Copy, Debug)]
pub struct Presence<'r> {
    /// The group.
    pub group: &'r str,
    /// The member.
    pub member: &'r str,
    /// Where it is.
    pub epoch: Epoch,
    /// How long it may take to give something up, if it says so again.
    pub rebalance_timeout: Option<Millis>,
    /// What the client calls itself.
    pub client_id: &'r str,
    /// Where it connects from.
    pub client_host: &'r str,
}

impl GroupShard {
    /// What somebody is told who says that they are there, and nothing else, of a group in which nothing is to be looked up,
    /// assigned, given up or recorded. None where anything may be.
    pub fn presence(
        &self,
        ground: &GroupGround<'_>,
        said: Presence<'_>,
    ) -> Option<GroupDecision<HeartbeatAnswer>> {
        let (group_id, group) = match self.groups.get_key_value(said.group)? {
            (id, Group::Consumer(group)) => (id, group),
            (_, Group::Classic(_) | Group::Streams(_)) => return None,
        };
        let (id, member) = group.members.by_id().get_key_value(said.member)?;
        let is_settled = !member.is_classic()
            && member.epoch == said.epoch
            && said.epoch > Epoch::JOINING
            && member.is_at(group.target.epoch());
        let is_as_known = *member.client_id == *said.client_id
            && *member.client_host == *said.client_host
            && said.rebalance_timeout.is_none_or(|said| said == member.rebalance_timeout);
        let looks_for_topics = group.subscriptions.regexes().next().is_some();
        if !is_settled || !is_as_known || looks_for_topics || !group.is_quiet(ground) {
            return None;
        }
        let settings = ground.config.consumer.of_group(ground.image, group_id);
        let answer = HeartbeatAnswer {
            member: id.clone(),
            epoch: said.epoch,
            interval: settings.heartbeat_interval,
            assignment: None,
        };
        let until = settings.session_timeout.after(ground.now);
        let heard = WaitChange::Session(id.clone(), until).into();
        Some(GroupDecision::reply(answer).transition(Transition::Consumer(group_id.clone(), heard)))
    }
}
