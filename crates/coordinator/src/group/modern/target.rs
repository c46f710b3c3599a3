//! The target assignment: what each member of a modern group is to have at an epoch of the group.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::Timestamp;

use super::Epoch;
use crate::group::{MemberId, Millis};

/// The target assignment, by what one member is to have.
#[derive(Clone, PartialEq, Debug)]
pub struct TargetAssignment<P> {
    epoch: Epoch,
    /// When it was made; zero where the next may be made at once.
    made: Timestamp,
    parts: BTreeMap<MemberId, Arc<P>>,
}

impl<P> Default for TargetAssignment<P> {
    /// That of a group of which nothing is known.
    fn default() -> Self {
        Self::at(Epoch::FIRST)
    }
}

impl<P> TargetAssignment<P> {
    /// That of an epoch, in which nobody is to have anything yet.
    pub fn at(epoch: Epoch) -> Self {
        Self { epoch, made: Timestamp(0), parts: BTreeMap::new() }
    }

    /// The epoch that it was made for.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// When it was made; zero where the next may be made at once.
    pub fn made(&self) -> Timestamp {
        self.made
    }

    /// What a member is to have.
    pub fn of(&self, member: &str) -> Option<&Arc<P>> {
        self.parts.get(member)
    }

    /// It is that of this epoch, made at this time; or there is none any more.
    pub fn replay_epoch(&mut self, recorded: Option<(i32, i64)>) {
        let (epoch, made) = recorded.unwrap_or((Epoch::NONE.0, 0));
        (self.epoch, self.made) = (Epoch(epoch), Timestamp(made));
    }

    /// A member is to have this, or is none any more.
    pub fn set(&mut self, member: &str, part: Option<Arc<P>>) {
        match part {
            Some(part) => drop(self.parts.insert(member.into(), part)),
            None => drop(self.parts.remove(member)),
        }
    }

    /// Whether enough time has passed since it was made for the next one.
    pub fn may_be_made_anew(&self, now: Timestamp, interval: Millis) -> bool {
        self.made == Timestamp(0) || interval.0 == 0 || now >= interval.after(self.made)
    }
}
