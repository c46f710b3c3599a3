//! Who may commit and read offsets of a streams group.
//!
//! A member that lags behind its group may still commit for tasks that it was given no later than the epoch that it
//! believes to be at: nobody else has had them since.

use std::sync::Arc;

use protocol::id::PartitionIndex;

use super::{Epoch, Held, Member, StreamsGroup, Topology};
use crate::group::offsets::commit::Committer;
use crate::group::{Generation, GroupRefusal};

/// Of which partitions a committer may commit offsets.
#[derive(Clone, Debug)]
pub(in crate::group) enum MayCommitTasks {
    /// Of all.
    All,
    /// Of those whose tasks the member was given at this epoch or before.
    GivenBy(Arc<Topology>, Arc<Member>, Epoch),
}

impl MayCommitTasks {
    /// Whether it may commit an offset of this partition.
    pub(in crate::group) fn check(&self, topic: &str, partition: PartitionIndex) -> Result<(), GroupRefusal> {
        let Self::GivenBy(topology, member, epoch) = self else { return Ok(()) };
        let subtopology = topology.reader_of(topic).ok_or(GroupRefusal::StaleMemberEpoch)?;
        let of =
            |held: &Held| held.active.get(&subtopology.id).and_then(|held| held.get(&partition)).copied();
        let given = of(&member.assigned).or_else(|| of(&member.revoking));
        if given.is_some_and(|given| given <= *epoch) { Ok(()) } else { Err(GroupRefusal::StaleMemberEpoch) }
    }
}

impl StreamsGroup {
    /// Of which partitions this committer may commit offsets now. `knows` says whether it can be told of epochs.
    pub(in crate::group) fn may_commit(
        &self,
        committer: &Committer,
        transactional: bool,
        knows: bool,
    ) -> Result<MayCommitTasks, GroupRefusal> {
        let Committer { member, instance, generation, .. } = committer;
        if *generation < Generation(0) && self.is_empty() {
            return Ok(MayCommitTasks::All);
        }
        let claims_nothing = *generation == Generation::NONE && member.is_empty() && instance.is_none();
        if transactional && claims_nothing {
            return Ok(MayCommitTasks::All);
        }
        let member = self.members.get(member).ok_or(GroupRefusal::UnknownMember)?;
        if !transactional && !knows {
            return Err(GroupRefusal::UnsupportedVersion);
        }
        let said = Epoch(generation.0);
        if said == member.epoch {
            return Ok(MayCommitTasks::All);
        }
        match &self.topology {
            Some(topology) if said < member.epoch => {
                Ok(MayCommitTasks::GivenBy(topology.clone(), member.clone(), said))
            }
            _ => Err(GroupRefusal::StaleMemberEpoch),
        }
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
        if member.epoch.0 == epoch.0 { Ok(()) } else { Err(GroupRefusal::StaleMemberEpoch) }
    }
}
