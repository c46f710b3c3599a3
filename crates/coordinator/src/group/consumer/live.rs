//! What is known of a consumer group in memory only: until when each member is waited for, and what was last seen of
//! the cluster's metadata.

use std::sync::Arc;

use protocol::id::Timestamp;
use protocol::offset::Offset;

use super::gathering::{Gathering, GatheringChange};
use crate::group::modern::{WaitChange, Waits};
use crate::group::subscription::Resolving;

/// What is in memory only.
#[derive(Clone, Debug, Default)]
pub struct Live {
    pub(super) waits: Waits,
    /// The first members, while they wait for each other.
    pub(super) gathering: Gathering,
    /// Up to where in the metadata log the group has looked at its topics.
    pub(super) metadata_seen: Option<Offset>,
    /// When the regular expressions are resolved.
    pub(super) regexes_due: Option<Timestamp>,
    /// How far that has come.
    pub(super) resolving: Option<Arc<Resolving>>,
    /// When they were last, and with what metadata.
    pub(super) regexes_resolved: Option<(Timestamp, Offset)>,
    /// Whether it was found that the group is more than a classic one may be.
    pub(super) cannot_downgrade: bool,
}

/// A change of it.
#[derive(Clone, Debug)]
pub enum SoftChange {
    /// Of until when members are waited for.
    Waits(WaitChange),
    /// Of who waits for the others that come first.
    Gathering(GatheringChange),
    /// The group has looked at its topics.
    MetadataSeen(Offset),
    /// The regular expressions are to be resolved at this time.
    RegexesDue(Timestamp),
    /// That has come so far.
    RegexesResolving(Arc<Resolving>),
    /// They were resolved.
    RegexesResolved(Timestamp, Offset),
    /// The group is more than a classic one may be, as long as nobody more is gone.
    CannotDowngrade,
    /// What was due is done: the group sleeps until the next thing is.
    Woken,
}

impl Live {
    /// What is known of a group that was just loaded.
    pub(super) fn loaded(now: Timestamp) -> Self {
        Self { waits: Waits::loaded(now), ..Self::default() }
    }

    /// When something is due.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        self.waits.wake_at().into_iter().chain(self.regexes_due).chain(self.gathering.due_at()).min()
    }

    /// Takes a change; when it has something done.
    pub(super) fn change(&mut self, change: SoftChange) -> Option<Timestamp> {
        match change {
            SoftChange::Waits(change) => {
                if let WaitChange::Gone(id) = &change {
                    self.cannot_downgrade = false;
                    self.gathering.without(id);
                }
                self.waits.change(change)
            }
            SoftChange::Gathering(change) => self.gathering.change(change),
            SoftChange::MetadataSeen(end) => {
                self.metadata_seen = Some(end);
                None
            }
            SoftChange::RegexesDue(at) => {
                self.regexes_due = Some(at);
                Some(at)
            }
            SoftChange::RegexesResolving(resolving) => {
                self.resolving = Some(resolving);
                None
            }
            SoftChange::RegexesResolved(at, end) => {
                self.regexes_due = None;
                self.resolving = None;
                self.regexes_resolved = Some((at, end));
                None
            }
            SoftChange::CannotDowngrade => {
                self.cannot_downgrade = true;
                None
            }
            SoftChange::Woken => None,
        }
    }
}

impl From<WaitChange> for SoftChange {
    fn from(change: WaitChange) -> Self {
        Self::Waits(change)
    }
}
