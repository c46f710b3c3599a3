//! The machine of a log, as the log changes it: whoever moves its high watermark has its directory hear of that, so that a
//! checkpoint of very many logs at rest looks at none of them.
//!
//! Reading it is reading the [`Partition`]; it is changed by [`Machine::change`] alone, or replaced by a new one. Nothing here decides: who leads, and who is
//! in sync, the log is told.

use std::ops::Deref;

use partition::Partition;
use protocol::id::{LeaderEpoch, NodeId};
use protocol::offset::Offset;

use super::Log;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::log_directory::LogDirectory;

/// What a log knows, and who is to hear of changes.
pub(super) struct Machine(Partition);

impl Machine {
    /// The machine of a log that comes into this directory.
    pub(super) fn new<D: Disk>(partition: Partition, home: &LogDirectory<D>) -> Self {
        home.note_high_watermark_moved();
        Self(partition)
    }

    /// Changes it, under the lock of its log, which lies in this directory: whoever takes the mark there and then looks at the
    /// log finds what was changed.
    pub(super) fn change<D: Disk, T>(
        &mut self,
        home: &LogDirectory<D>,
        change: impl FnOnce(&mut Partition) -> T,
    ) -> T {
        let before = self.0.watermarks().high_watermark;
        let outcome = change(&mut self.0);
        if self.0.watermarks().high_watermark != before {
            home.note_high_watermark_moved();
        }
        outcome
    }
}

impl Deref for Machine {
    type Target = Partition;

    fn deref(&self) -> &Partition {
        &self.0
    }
}

impl<D: Disk> Log<D> {
    /// Leads from now on, by [`Partition::become_leader`].
    pub fn become_leader(
        &mut self,
        leader_epoch: LeaderEpoch,
        local: NodeId,
        in_sync_min: usize,
        in_sync: impl IntoIterator<Item = NodeId>,
    ) -> Result<(), Fault> {
        self.check()?;
        // An epoch without a record is worth no write: one that is forgotten in a crash was nobody's.
        self.partition
            .change(&self.home, |machine| machine.become_leader(leader_epoch, local, in_sync_min, in_sync));
        Ok(())
    }

    /// Follows from now on, by [`Partition::become_follower`].
    pub fn become_follower(&mut self, leader_epoch: LeaderEpoch) {
        self.partition.change(&self.home, |machine| machine.become_follower(leader_epoch));
    }

    /// Replaces the in-sync set of the leader, by [`Partition::set_in_sync`]. Says whether the high watermark moved.
    pub fn set_in_sync(
        &mut self,
        confirmed: impl IntoIterator<Item = NodeId>,
        pending: impl IntoIterator<Item = NodeId>,
    ) -> bool {
        self.partition.change(&self.home, |machine| machine.set_in_sync(confirmed, pending))
    }

    /// Sets how many replicas acks=all asks for. Says whether the high watermark moved.
    pub fn set_in_sync_min(&mut self, in_sync_min: usize) -> bool {
        self.partition.change(&self.home, |machine| machine.set_in_sync_min(in_sync_min))
    }

    /// A follower has fetched from `log_end` on. Says whether the high watermark moved.
    pub fn follower_reached(&mut self, follower: NodeId, log_end: Offset) -> bool {
        self.partition.change(&self.home, |machine| machine.follower_reached(follower, log_end))
    }

    /// Takes the high watermark that the leader told. Says whether it moved.
    pub fn follow_high_watermark(&mut self, leader: Offset) -> bool {
        self.partition.change(&self.home, |machine| machine.follow_high_watermark(leader))
    }
}
