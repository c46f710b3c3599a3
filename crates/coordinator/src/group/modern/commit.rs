//! Who may commit and read offsets of a modern group.
//!
//! A member that lags behind its group may still commit what it was given no later than the epoch that it believes to be at:
//! nobody else has had it since (KIP-1251).

use std::sync::Arc;

use super::{Epoch, Members, ModernMember};
use crate::group::offsets::commit::Committer;
use crate::group::{Generation, GroupRefusal};

/// Of what a committer may commit offsets.
#[derive(Clone, Debug)]
pub enum MayCommit<M> {
    /// Of everything.
    All,
    /// Of what the member was given at this epoch or before.
    GivenBy(Arc<M>, Epoch),
}

impl<M: ModernMember> MayCommit<M> {
    /// Whether it may commit an offset of what `given` says when the member was given it, if it was.
    ///
    /// # Errors
    /// The member's own word for that it is not where it says.
    pub fn check(&self, given: impl FnOnce(&M) -> Option<Epoch>) -> Result<(), GroupRefusal> {
        match self {
            Self::All => Ok(()),
            Self::GivenBy(member, epoch) if given(member).is_some_and(|given| given <= *epoch) => Ok(()),
            Self::GivenBy(member, _) => Err(stale(&**member)),
        }
    }
}

/// A member is not where it says: each protocol has its own word for that.
fn stale<M: ModernMember>(member: &M) -> GroupRefusal {
    if member.is_classic() { GroupRefusal::IllegalGeneration } else { GroupRefusal::StaleMemberEpoch }
}

impl<M: ModernMember> Members<M> {
    /// Of what this committer may commit offsets now. `knows` says whether it can be told of epochs.
    ///
    /// # Errors
    /// It is no member, or not where it says.
    pub fn may_commit(
        &self,
        committer: &Committer,
        transactional: bool,
        knows: bool,
    ) -> Result<MayCommit<M>, GroupRefusal> {
        let Committer { member, instance, generation, .. } = committer;
        if *generation < Generation(0) && self.by_id().is_empty() {
            return Ok(MayCommit::All);
        }
        let claims_nothing = *generation == Generation::NONE && member.is_empty() && instance.is_none();
        if transactional && claims_nothing {
            return Ok(MayCommit::All);
        }
        let member = self.get(member).ok_or(GroupRefusal::UnknownMember)?;
        if !transactional && !member.is_classic() && !knows {
            return Err(GroupRefusal::UnsupportedVersion);
        }
        let said = Epoch(generation.0);
        if said == member.epoch() {
            return Ok(MayCommit::All);
        }
        if said > member.epoch() {
            return Err(stale(&**member));
        }
        Ok(MayCommit::GivenBy(member.clone(), said))
    }

    /// Whether this member may read the group's offsets: who names one has to be it, and where it is.
    ///
    /// # Errors
    /// It is not.
    pub fn may_fetch(&self, member: Option<&str>, epoch: Generation) -> Result<(), GroupRefusal> {
        let Some(member) = member else {
            return if epoch < Generation(0) { Ok(()) } else { Err(GroupRefusal::UnknownMember) };
        };
        let member = self.get(member).ok_or(GroupRefusal::UnknownMember)?;
        if member.epoch().0 == epoch.0 { Ok(()) } else { Err(stale(&**member)) }
    }
}
