//! A classic group that was a consumer group a moment ago, and what is said to those who wait in one that is no
//! classic group any more (KIP-848, "online migration").

use std::sync::Arc;

use protocol::id::Timestamp;

use super::super::{Answer, Generation, GroupConfig, GroupId, GroupRefusal, MemberId};
use super::turn::Turn;
use super::{CONSUMER, Live, Members, State};
use crate::record::GroupRecord;
use crate::shard::Token;

impl Live {
    /// A stable group of consumers, each with the part that `part` makes of what it told under the protocol in use;
    /// `None` where it can make none.
    pub(in crate::group) fn of_consumers(
        members: Members,
        generation: Generation,
        now: Timestamp,
        part: impl Fn(&MemberId, &[u8]) -> Option<Arc<[u8]>>,
    ) -> Option<Self> {
        let instances =
            members.iter().filter_map(|(id, member)| Some((member.instance.clone()?, id.clone())));
        let mut live = Self {
            state: State::Stable,
            since: now,
            protocol_type: Some(Arc::from(CONSUMER)),
            generation,
            leader: members.first().cloned(),
            instances: instances.collect(),
            members,
            ..Self::default()
        };
        live.protocol = live.select_protocol();
        live.subscribed = live.subscriptions();
        let protocol = live.protocol.clone()?;
        let mut understood = true;
        live.members.change_all(|id, member| match part(id, &member.metadata(&protocol)) {
            Some(part) => member.assignment = part,
            None => understood = false,
        });
        understood.then_some(live)
    }

    /// The record of the group as it is.
    pub(in crate::group) fn as_recorded(&self, id: &str) -> GroupRecord<'static> {
        self.record(id, |_, member| member.assignment.clone())
    }
}

/// The same group, whose members are to join again.
pub(in crate::group) fn rebalancing(id: &GroupId, live: Live, now: Timestamp, config: &GroupConfig) -> Live {
    let mut turn = Turn::new(id.clone(), live, now, config);
    turn.prepare_rebalance();
    turn.live
}

/// What is said to all who wait in a group.
pub(in crate::group) fn turned_away(live: &Live, refusal: GroupRefusal) -> Vec<(Token, Answer)> {
    let ids: Vec<MemberId> = live.members.keys().cloned().collect();
    let config = GroupConfig::default();
    let mut turn = Turn::new(Arc::from(""), live.clone(), live.since, &config);
    for id in &ids {
        turn.turn_away(id, refusal);
    }
    turn.answers
}
