//! The most frequent heartbeat: a member of a group at rest is there, and says nothing else.
//!
//! What [`GroupShard::consumer_heartbeat`] makes of it is known beforehand, so that no change of the group has to be worked out for
//! it, nor what it says be kept, and the group is looked for once. Whatever may come to more, a refusal too, is left to that.

use super::Epoch;
use crate::group::modern::ModernMember;
use crate::group::{Group, GroupGround, GroupShard, Millis};

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
    /// Somebody says that they are there, and nothing else, of a group in which nothing is to be looked up, assigned, given up or
    /// recorded: it is known until when they are to be heard of again, and they are told how soon to say so. None, and nothing
    /// has changed, where more may come of it.
    pub fn presence(&mut self, ground: &GroupGround<'_>, said: Presence<'_>) -> Option<Millis> {
        let Some(Group::Consumer(group)) = self.groups.get_mut(said.group) else { return None };
        let member = group.members.get(said.member)?;
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
        let settings = ground.config.consumer.of_group(ground.image, said.group);
        let until = settings.session_timeout.after(ground.now);
        group.live.waits.put_off(said.member, until).then_some(settings.heartbeat_interval)
    }
}
