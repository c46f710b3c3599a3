//! Who may commit and read offsets of a consumer group.
//!
//! A member that lags behind its group may still commit what it was given no later than the epoch that it believes
//! to be at: nobody else has had those partitions since (KIP-1251).

use std::sync::Arc;

use protocol::id::{PartitionIndex, TopicId};

use super::{ConsumerGroup, Epoch, Member};
use crate::group::offsets::commit::Committer;
use crate::group::{Generation, GroupRefusal};

/// Of which partitions a committer may commit offsets.
#[derive(Clone, Debug)]
pub(in crate::group) enum MayCommit {
    /// Of all.
    All,
    /// Of those that the member was given at this epoch or before.
    GivenBy(Arc<Member>, Epoch),
}

impl MayCommit {
    /// Whether it may commit an offset of this partition.
    pub(in crate::group) fn check(
        &self,
        topic: TopicId,
        partition: PartitionIndex,
    ) -> Result<(), GroupRefusal> {
        match self {
            Self::All => Ok(()),
            Self::GivenBy(member, epoch) => {
                let given = member.held_since(topic, partition);
                if given.is_some_and(|given| given <= *epoch) { Ok(()) } else { Err(stale(member)) }
            }
        }
    }
}

/// A member is not where it says: each protocol has its own word for that.
fn stale(member: &Member) -> GroupRefusal {
    if member.is_classic() { GroupRefusal::IllegalGeneration } else { GroupRefusal::StaleMemberEpoch }
}

impl ConsumerGroup {
    /// Of which partitions this committer may commit offsets now. `knows` says whether it can be told of epochs.
    pub(in crate::group) fn may_commit(
        &self,
        committer: &Committer,
        transactional: bool,
        knows: bool,
    ) -> Result<MayCommit, GroupRefusal> {
        let Committer { member, instance, generation, .. } = committer;
        if *generation < Generation(0) && self.is_empty() {
            return Ok(MayCommit::All);
        }
        let claims_nothing = *generation == Generation::NONE && member.is_empty() && instance.is_none();
        if transactional && claims_nothing {
            return Ok(MayCommit::All);
        }
        let member = self.members.get(member).ok_or(GroupRefusal::UnknownMember)?;
        if !transactional && !member.is_classic() && !knows {
            return Err(GroupRefusal::UnsupportedVersion);
        }
        let said = Epoch(generation.0);
        if said == member.epoch {
            return Ok(MayCommit::All);
        }
        if said > member.epoch {
            return Err(stale(member));
        }
        Ok(MayCommit::GivenBy(member.clone(), said))
    }

    /// Whether this member may read the group's offsets: who names one has to be it, and where it is.
    pub(in crate::group) fn may_fetch(
        &self,
        member: Option<&str>,
        epoch: Generation,
    ) -> Result<(), GroupRefusal> {
        let Some(member) = member else {
            return if epoch < Generation(0) { Ok(()) } else { Err(GroupRefusal::UnknownMember) };
        };
        let member = self.members.get(member).ok_or(GroupRefusal::UnknownMember)?;
        if member.epoch.0 == epoch.0 { Ok(()) } else { Err(stale(member)) }
    }
}
