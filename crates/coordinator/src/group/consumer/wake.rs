//! What happens to a consumer group because time passes: members that fall silent, or that do not give up, join or
//! fetch in time, are taken out; regular expressions are resolved.

use std::borrow::Cow;

use super::SoftChange;
use super::turn::Turn;
use crate::group::modern::ModernMember as _;
use crate::group::{GroupDecision, GroupGround, GroupId, GroupShard, Transition};

impl GroupShard {
    /// What is due for a group: one thing at a time.
    pub(in crate::group) fn wake_consumer(
        &self,
        ground: &GroupGround<'_>,
        id: &GroupId,
    ) -> Option<GroupDecision<()>> {
        let group = self.consumer_group(id)?;
        let mut turn = Turn::new(id.clone(), ground, Cow::Borrowed(group));
        let waits = &group.live.waits;
        if waits.are_uncounted() {
            let members = group.members.by_id().iter().map(|(id, member)| (id, member.waited()));
            turn.wait(waits.counted(ground.now, turn.settings.session_timeout, members));
        } else if group.live.gathering.due_at().is_some_and(|at| at <= ground.now) {
            return Some(turn.end_gathering());
        } else if let Some(member) = waits.overdue(ground.now, |id| Some(group.members.get(id)?.waited())) {
            let member = std::slice::from_ref(&member);
            // Whoever is left may be waiting for what it had: a group that cannot become a classic one goes on as it is.
            if turn.fence(member).is_err() {
                turn.take_out(member);
            }
        } else if group.live.regexes_due.is_some_and(|at| at <= ground.now) {
            return Some(group.resolve_regexes(ground, id));
        } else {
            turn.wait(waits.stale(ground.now, |id| group.members.by_id().contains_key(id)));
            turn.changes.push(SoftChange::Woken);
        }
        let becomes_classic = turn.becomes.is_some();
        let decision = turn.decision(());
        // A classic group is one record, which may be more than the log takes: the group goes on as what it is.
        let stays = Transition::Consumer(id.clone(), SoftChange::CannotDowngrade);
        Some(if becomes_classic { decision.or_unwritten(stays) } else { decision })
    }
}
