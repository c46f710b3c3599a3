//! What is known of a streams group in memory only: until when each member is waited for, what the topology comes to
//! with the topics there are, how far copies of state are, and who has heard of endpoints and of the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::Timestamp;
use protocol::offset::Offset;

use super::configured::Configured;
use super::tasks::TaskOffsets;
use crate::group::MemberId;
use crate::group::modern::{WaitChange, Waits};

/// What is in memory only.
#[derive(Clone, Debug, Default)]
pub struct Live {
    pub(super) waits: Waits,
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
    /// Of until when members are waited for.
    Waits(WaitChange),
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
        Self { waits: Waits::loaded(now), ..Self::default() }
    }

    /// When something is due.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        self.waits.wake_at().into_iter().chain(self.initial_delay).min()
    }

    /// Takes a change; when it has something done.
    pub(super) fn change(&mut self, change: StreamsChange) -> Option<Timestamp> {
        match change {
            StreamsChange::Waits(change) => {
                if let WaitChange::Gone(member) = &change {
                    self.task_offsets.remove(member);
                }
                return self.waits.change(change);
            }
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

impl From<WaitChange> for StreamsChange {
    fn from(change: WaitChange) -> Self {
        Self::Waits(change)
    }
}
