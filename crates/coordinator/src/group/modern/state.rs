//! How far a modern group and its members have come on the way to the target assignment.

use super::{Epoch, Members, ModernMember};

/// How far a member has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MemberState {
    /// It has what it is to have.
    #[default]
    Stable,
    /// It is to give something up first.
    Unrevoked,
    /// It waits for what others still have.
    Unreleased,
    /// A state of a later Kafka.
    Unknown,
}

/// How far a group has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupState {
    /// Nobody is in it.
    Empty,
    /// It has changed since the target assignment was made.
    Assigning,
    /// Not every member has come to its part.
    Reconciling,
    /// Every member has its part.
    Stable,
}

impl GroupState {
    /// Kafka's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

impl<M: ModernMember> Members<M> {
    /// How far a group at this epoch has come whose target assignment is that of another.
    pub fn group_state(&self, epoch: Epoch, target: Epoch) -> GroupState {
        if self.by_id().is_empty() {
            GroupState::Empty
        } else if epoch > target {
            GroupState::Assigning
        } else if self.by_id().values().all(|member| member.is_at(target)) {
            GroupState::Stable
        } else {
            GroupState::Reconciling
        }
    }
}
