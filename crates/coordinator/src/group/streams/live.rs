//! What is known of a streams group in memory only: until when each member is waited for, what the topology comes to
//! with the topics there are, how far copies of state are, and who has heard of endpoints and of the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::Timestamp;
use protocol::offset::Offset;

use super::Epoch;
use super::configured::Configured;
use super::tasks::TaskOffsets;
use crate::group::MemberId;

/// Until when a member is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Deadlines {
    /// It is heard of.
    pub(super) session: Option<Timestamp>,
    /// It gives up what it is to give up, while it is at this epoch.
    pub(super) rebalance: Option<(Timestamp, Epoch)>,
}

impl Deadlines {
    fn first(&self) -> Option<Timestamp> {
        let rebalance = self.rebalance.map(|(at, _)| at);
        [self.session, rebalance].into_iter().flatten().min()
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
    /// What the topology comes to.
    pub(super) configured: Option<Arc<Configured>>,
    /// Until when a group that was empty waits for more members before it assigns.
    pub(super) initial_delay: Option<Timestamp>,
    /// What members told of their state.
    pub(super) task_offsets: BTreeMap<MemberId, Arc<TaskOffsets>>,
    /// Who asked all others to end.
    pub(super) shutdown: Option<MemberId>,
    /// Grows with every change of where state can be asked for.
    pub(super) endpoint_epoch: i32,
}

/// A change of it.
#[derive(Clone, Debug)]
pub enum StreamsChange {
    /// A member was heard of: until when it has to be again.
    Session(MemberId, Timestamp),
    /// Until when a member has to give something up; none where it has nothing to.
    Rebalance(MemberId, Option<(Timestamp, Epoch)>),
    /// Nobody waits for this member any more.
    Gone(MemberId),
    /// The members of a group that was loaded have their deadlines.
    Counted,
    /// The group has looked at its topics.
    MetadataSeen(Offset),
    /// What the topology comes to.
    Configured(Arc<Configured>),
    /// Until when the first assignment waits; none where it need not any more.
    InitialDelay(Option<Timestamp>),
    /// What a member told of its state.
    TaskOffsets(MemberId, Arc<TaskOffsets>),
    /// Who asked all others to end; nobody once all have.
    Shutdown(Option<MemberId>),
    /// Where state can be asked for has changed.
    EndpointEpoch(i32),
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
        members.chain(self.loaded_at).chain(self.initial_delay).min()
    }

    /// Takes a change; when it has something done.
    pub(super) fn change(&mut self, change: StreamsChange) -> Option<Timestamp> {
        match change {
            StreamsChange::Session(member, at) => {
                self.deadlines.entry(member).or_default().session = Some(at);
                return Some(at);
            }
            StreamsChange::Rebalance(member, until) => {
                self.deadlines.entry(member).or_default().rebalance = until;
                return until.map(|(at, _)| at);
            }
            StreamsChange::Gone(member) => {
                self.deadlines.remove(&member);
                self.task_offsets.remove(&member);
            }
            StreamsChange::Counted => self.loaded_at = None,
            StreamsChange::MetadataSeen(end) => self.metadata_seen = Some(end),
            StreamsChange::Configured(configured) => self.configured = Some(configured),
            StreamsChange::InitialDelay(until) => {
                self.initial_delay = until;
                return until;
            }
            StreamsChange::TaskOffsets(member, told) => {
                self.task_offsets.insert(member, told);
            }
            StreamsChange::Shutdown(by) => self.shutdown = by,
            StreamsChange::EndpointEpoch(epoch) => self.endpoint_epoch = epoch,
            StreamsChange::Woken => {}
        }
        None
    }
}
