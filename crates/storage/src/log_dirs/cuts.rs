//! Cutting the end off a log, or all of it: what checkpoints and copies say of it is lowered first.

use protocol::id::Timestamp;
use protocol::offset::Offset;

use super::{LogDirs, SharedLog, whole};
use crate::disk::Disk;
use crate::fault::Fault;
use crate::log::Log;
use crate::names::TopicPartition;

impl<D: Disk> LogDirs<D> {
    /// Drops every batch of a log that holds `end` or later offsets. Before anything is cut the recovery point on disk is
    /// brought down: after a power cut it must not vouch for what was written in the place of the tail.
    pub fn truncate(&self, name: &TopicPartition, end: Offset, now: Timestamp) -> Result<(), Fault> {
        self.cut(name, end, |log| log.truncate(end, now), now)
    }

    /// Drops everything of a log, which begins again at `start`, by the rules of [`Self::truncate`].
    pub fn truncate_fully(&self, name: &TopicPartition, start: Offset, now: Timestamp) -> Result<(), Fault> {
        // What lies at later offsets than any there were is not on stable storage either.
        self.cut(name, Offset::ZERO, |log| log.truncate_fully(start, now), now)
    }

    fn cut(
        &self,
        name: &TopicPartition,
        flushed: Offset,
        cut: impl Fn(&mut Log<D>) -> Result<(), Fault>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let Some(log) = self.get(name) else { return Ok(()) };
        // Two beats: to gather the checkpoint is to look at every log.
        loop {
            self.lower(&log, flushed)?;
            if self.cut_lowered((name, &log), flushed, &cut, now)? {
                return Ok(());
            }
        }
    }

    /// Has the checkpoint say that no more than this of a log is on stable storage.
    pub(super) fn lower(&self, log: &SharedLog<D>, flushed: Offset) -> Result<(), Fault> {
        let (lowered, id) = {
            let log = whole(log)?;
            (log.lower_recovery_point(flushed), log.directory_id())
        };
        self.keep_recovery_points(id, lowered)
    }

    /// `false`: more of it was flushed since it was lowered, and the checkpoint may say so.
    pub(super) fn cut_lowered(
        &self,
        (name, log): (&TopicPartition, &SharedLog<D>),
        flushed: Offset,
        cut: impl Fn(&mut Log<D>) -> Result<(), Fault>,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let mut log = whole(log)?;
        if log.recovery_point() > flushed {
            return Ok(false);
        }
        let stale = self.moving(name).map(|moving| moving.cut(&cut));
        if let Some(Err(fault)) = stale {
            // A copy that holds what is gone must never take the place of the log.
            tracing::warn!(partition = %name, %fault, "a replica on its way cannot be cut and stays where it is");
            self.give_up_move(name, now)?;
        }
        cut(&mut log)?;
        let id = log.directory_id();
        drop(log);
        self.keep_cleaned(id).map(|()| true)
    }
}
