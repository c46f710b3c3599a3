//! A classic group becomes a consumer group while it lives: a member joins by the consumer protocol, and those that
//! are there go on with what they have until they, too, come back with it (KIP-848, "online migration").

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metadata::Image;
use protocol::messages::record::GroupMetadataKey;

use super::embedded::{self, Subscription};
use super::member::held_at;
use super::turn::Turn;
use super::{ClassicSide, ConsumerGroup, Epoch, Member};
use crate::group::assignor::Partitions;
use crate::group::classic::{self, CONSUMER, ClassicGroup};
use crate::group::modern::{TargetAssignment, WaitChange};
use crate::group::subscription::hash_of_topics;
use crate::group::{GroupGround, GroupId, GroupRefusal, MemberId};
use crate::record::GroupRecord;

impl<'a> Turn<'a> {
    /// The change of a classic group with members that becomes a consumer group.
    ///
    /// # Errors
    /// It may not or cannot: to who joins by the consumer protocol there is no such group.
    pub(super) fn upgrading(
        id: &GroupId,
        ground: &'a GroupGround<'a>,
        classic: &ClassicGroup,
    ) -> Result<Self, GroupRefusal> {
        let (config, live) = (&ground.config.consumer, &classic.live);
        let is_of_consumers = live.protocol_type().is_some_and(|kind| **kind == *CONSUMER);
        if !config.migration.upgrades() || !is_of_consumers || live.members().len() > config.members_max {
            return Err(GroupRefusal::GroupIdNotFound);
        }
        let group = upgraded(classic, ground.image).ok_or(GroupRefusal::GroupIdNotFound)?;
        let mut records =
            vec![GroupRecord::GroupMetadata(GroupMetadataKey { group: id.to_string().into() }, None)];
        records.extend(group.records(id));
        let mut turn = Self::new(id.clone(), ground, Cow::Owned(group));
        turn.records = records;
        turn.answers = classic::turned_away(live, GroupRefusal::RebalanceInProgress);
        for (member, known) in live.members() {
            let until = known.session_timeout.after(ground.now);
            turn.changes.push(WaitChange::Session(member.clone(), until).into());
        }
        Ok(turn)
    }
}

/// The consumer group that a classic group becomes; `None` where its members tell what nobody here understands, or have
/// one partition twice.
fn upgraded(classic: &ClassicGroup, image: &Image) -> Option<ConsumerGroup> {
    let live = &classic.live;
    let epoch = Epoch(live.generation().0);
    let mut members: BTreeMap<MemberId, (Member, Partitions)> = BTreeMap::new();
    let mut given = BTreeSet::new();
    for (member_id, known) in live.members() {
        let (member, target) = upgraded_member(known, live.protocol().map(|name| &**name), epoch, image)?;
        // What two members have (KAFKA-12984) would be given to a third as soon as one of them gives it up.
        let mut parts =
            target.iter().flat_map(|(topic, indexes)| indexes.iter().map(move |index| (*topic, *index)));
        if !parts.all(|part| given.insert(part)) {
            return None;
        }
        members.insert(member_id.clone(), (member, target));
    }
    let target = TargetAssignment::at(epoch);
    let mut group = ConsumerGroup { epoch, target, ..ConsumerGroup::default() };
    for (member_id, (member, target)) in members {
        group.put_member(&member_id, member);
        group.target.set(&member_id, Some(Arc::new(target)));
    }
    group.metadata_hash = hash_of_topics(group.subscriptions.topics(), image);
    Some(group)
}

fn upgraded_member(
    known: &classic::Member,
    protocol: Option<&str>,
    epoch: Epoch,
    image: &Image,
) -> Option<(Member, Partitions)> {
    let told = match protocol {
        Some(protocol) => known.metadata(protocol),
        None => known.protocols.first()?.1.clone(),
    };
    let subscription = Subscription::of(&told, image)?;
    let target = embedded::assignment(&known.assignment, image)?;
    let member = Member {
        instance: known.instance.clone(),
        rack: subscription.rack,
        client_id: known.client_id.clone(),
        client_host: known.client_host.clone(),
        rebalance_timeout: known.rebalance_timeout,
        topics: Arc::new(subscription.topics),
        classic: Some(Arc::new(ClassicSide {
            session_timeout: known.session_timeout,
            protocols: known.protocols.clone(),
        })),
        epoch,
        previous_epoch: epoch,
        assigned: Arc::new(held_at(&target, epoch)),
        ..Member::default()
    };
    Some((member, target))
}
