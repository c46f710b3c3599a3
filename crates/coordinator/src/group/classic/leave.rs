//! LeaveGroup: members go, of themselves or by an administrator's word (KIP-345).

use std::sync::Arc;

use super::super::{Group, GroupDecision, GroupGround, GroupId, GroupRefusal, GroupShard, MemberId};
use super::State;
use super::turn::Turn;

/// Who goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leave {
    /// The group.
    pub group: GroupId,
    /// The members.
    pub members: Vec<Leaver>,
}

/// A member that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaver {
    /// Its id; empty where only its own name is known.
    pub member: MemberId,
    /// Its own name.
    pub instance: Option<Arc<str>>,
}

/// What became of each, in the request's order.
pub type Left = Vec<Result<(), GroupRefusal>>;

impl GroupShard {
    /// Members go.
    ///
    /// # Errors
    /// The group's id cannot be one.
    pub fn leave(
        &self,
        ground: &GroupGround<'_>,
        leave: &Leave,
    ) -> Result<GroupDecision<Left>, GroupRefusal> {
        if leave.group.is_empty() {
            return Err(GroupRefusal::InvalidGroupId);
        }
        let group = match self.group(&leave.group) {
            Some(Group::Classic(group)) => group,
            Some(Group::Consumer(group)) => return self.leave_consumers(ground, group, leave),
            Some(Group::Streams(_)) | None => {
                return Ok(GroupDecision::reply(vec![Err(GroupRefusal::UnknownMember); leave.members.len()]));
            }
        };
        let mut turn = Turn::new(leave.group.clone(), group.live.clone(), ground.now, ground.config);
        let left: Left = leave.members.iter().map(|leaver| turn.leaves(leaver)).collect();
        if left.iter().any(Result::is_ok) {
            match turn.live.state {
                State::Stable | State::CompletingRebalance => turn.prepare_rebalance(),
                State::PreparingRebalance => turn.complete_if_all_joined(),
                State::Empty => {}
            }
        }
        Ok(turn.decision(Some(left)))
    }
}

impl Turn<'_> {
    fn leaves(&mut self, leaver: &Leaver) -> Result<(), GroupRefusal> {
        let id = if leaver.member.is_empty() {
            let named = leaver.instance.as_ref().and_then(|instance| self.live.instances.get(instance));
            named.cloned().ok_or(GroupRefusal::UnknownMember)?
        } else if leaver.instance.is_none() && self.live.promised.contains(&leaver.member) {
            leaver.member.clone()
        } else {
            self.live.validate(&leaver.member, leaver.instance.as_deref())?;
            leaver.member.clone()
        };
        self.remove(&id);
        Ok(())
    }
}
