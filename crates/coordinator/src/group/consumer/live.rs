//! What is known of a consumer group in memory only: until when each member is waited for, and what was last seen of
//! the cluster's metadata.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::Timestamp;
use protocol::offset::Offset;

use super::Epoch;
use crate::group::MemberId;
use crate::group::subscription::Resolving;

/// Until when a member is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Deadlines {
    /// It is heard of.
    pub session: Option<Timestamp>,
    /// It gives up what it is to give up, while it is at this epoch.
    pub rebalance: Option<(Timestamp, Epoch)>,
    /// A classic member joins again.
    pub join: Option<Timestamp>,
    /// A classic member fetches its part.
    pub sync: Option<Timestamp>,
}

impl Deadlines {
    fn first(&self) -> Option<Timestamp> {
        let rebalance = self.rebalance.map(|(at, _)| at);
        [self.session, rebalance, self.join, self.sync].into_iter().flatten().min()
    }
}

/// What is in memory only.
#[derive(Clone, Debug, Default)]
pub struct Live {
    pub(super) deadlines: BTreeMap<MemberId, Deadlines>,
    /// When the group was loaded, until every member has its deadlines.
    pub(super) loaded_at: Option<Timestamp>,
    /// Up to where in the metadata log the group has looked at its topics.
    pub(super) metadata_seen: Option<Offset>,
    /// When the regular expressions are resolved.
    pub(super) regexes_due: Option<Timestamp>,
    /// How far that has come.
    pub(super) resolving: Option<Arc<Resolving>>,
    /// When they were last, and with what metadata.
    pub(super) regexes_resolved: Option<(Timestamp, Offset)>,
    /// Whether it was found that the group is more than a classic one may be.
    pub(super) stays_as_it_is: bool,
}

/// A change of it.
#[derive(Clone, Debug)]
pub enum SoftChange {
    /// A member was heard of: until when it has to be again.
    Session(MemberId, Timestamp),
    /// Until when a member has to give something up; none where it has nothing to.
    Rebalance(MemberId, Option<(Timestamp, Epoch)>),
    /// Until when a classic member has to join again.
    Join(MemberId, Option<Timestamp>),
    /// Until when a classic member has to fetch its part.
    Sync(MemberId, Option<Timestamp>),
    /// Nobody waits for this member any more.
    Gone(MemberId),
    /// The members of a group that was loaded have their deadlines.
    Counted,
    /// The group has looked at its topics.
    MetadataSeen(Offset),
    /// The regular expressions are to be resolved at this time.
    RegexesDue(Timestamp),
    /// That has come so far.
    RegexesResolving(Arc<Resolving>),
    /// They were resolved.
    RegexesResolved(Timestamp, Offset),
    /// The group is more than a classic one may be, as long as nobody more is gone.
    StaysAsItIs,
    /// What was due is done: the group sleeps until the next thing is.
    Woken,
}

impl Live {
    /// What is known of a group that was just loaded.
    pub(super) fn loaded(now: Timestamp) -> Self {
        Self { loaded_at: Some(now), ..Self::default() }
    }

    /// Until when a member is waited for.
    pub(super) fn of(&self, member: &str) -> Deadlines {
        self.deadlines.get(member).copied().unwrap_or_default()
    }

    /// When something is due.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        let members = self.deadlines.values().filter_map(Deadlines::first);
        members.chain(self.loaded_at).chain(self.regexes_due).min()
    }

    /// Takes a change; when it has something done.
    pub(super) fn change(&mut self, change: SoftChange) -> Option<Timestamp> {
        match change {
            SoftChange::Session(member, at) => {
                self.member(member).session = Some(at);
                Some(at)
            }
            SoftChange::Rebalance(member, until) => {
                self.member(member).rebalance = until;
                until.map(|(at, _)| at)
            }
            SoftChange::Join(member, until) => {
                self.member(member).join = until;
                until
            }
            SoftChange::Sync(member, until) => {
                self.member(member).sync = until;
                until
            }
            SoftChange::Gone(member) => {
                self.deadlines.remove(&member);
                self.stays_as_it_is = false;
                None
            }
            SoftChange::Counted => {
                self.loaded_at = None;
                None
            }
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
            SoftChange::StaysAsItIs => {
                self.stays_as_it_is = true;
                None
            }
            SoftChange::Woken => None,
        }
    }

    fn member(&mut self, id: MemberId) -> &mut Deadlines {
        self.deadlines.entry(id).or_default()
    }
}
