//! Snapshots of the metadata, each written by a thread of its own while its owner goes on: when one is due, and what it lets go of.

use std::thread::JoinHandle;

use protocol::id::Timestamp;
use raft::{Input, OffsetAndEpoch};
use storage::{Fault, RealDisk, snapshots};

use super::{Owner, reserved};
use crate::runtime::quorum::clock::wall;

/// A thread that writes a snapshot.
pub(super) type SnapshotThread = JoinHandle<Result<OffsetAndEpoch, Fault>>;

/// How often a snapshot that is being written is looked after, where nothing else comes.
const LOOK_MS: i64 = 20;
/// A snapshot that found no room is tried again after so long.
const RETRY_MS: i64 = 60_000;

impl Owner {
    /// When to look at the snapshot that is being written, or to begin another.
    pub(super) fn look_at_snapshot_at(&self) -> Option<Timestamp> {
        match self.progress.snapshot {
            Some(_) => Some(Timestamp(self.clock.now().0.saturating_add(LOOK_MS))),
            None => self.snapshot_at(),
        }
    }

    /// Takes the snapshot that is being written if it is there, and begins another if it is time.
    pub(super) fn look_at_snapshot(&mut self) -> Result<(), Fault> {
        if let Some(writing) = self.progress.snapshot.take_if(|writing| writing.is_finished()) {
            self.end_snapshot(writing)?;
        }
        let is_old = self.snapshot_at().is_some_and(|at| at <= self.clock.now());
        if self.progress.snapshot.is_none() && (is_old || self.is_snapshot_large()) {
            self.begin_snapshot()?;
        }
        Ok(())
    }

    /// Takes the snapshot that is being written, once it is there.
    pub(super) fn wait_for_snapshot(&mut self) -> Result<(), Fault> {
        let writing = self.progress.snapshot.take();
        writing.map_or(Ok(()), |writing| self.end_snapshot(writing))
    }

    fn is_snapshot_large(&self) -> bool {
        self.log.bytes_since_snapshot() >= self.options.bytes_between_snapshots
            && self.progress.snapshot_not_before <= self.clock.now()
    }

    /// When the age of the newest snapshot asks for another; never while nothing was appended.
    fn snapshot_at(&self) -> Option<Timestamp> {
        let interval = self.options.snapshot_interval_ms?;
        let due = Timestamp(self.progress.last_snapshot.0.saturating_add(interval))
            .max(self.progress.snapshot_not_before);
        (self.log.bytes_since_snapshot() > 0).then_some(due)
    }

    /// Has a snapshot written by a thread of its own: a large one takes seconds, in which decisions go on.
    fn begin_snapshot(&mut self) -> Result<(), Fault> {
        let image = &self.progress.image;
        if image.in_transaction() || self.progress.committed < image.end() {
            return Ok(());
        }
        let directory = self.log.directory().to_owned();
        let (image, control, time) = (image.clone(), self.control.clone(), wall());
        let path = directory.clone();
        let writing = std::thread::Builder::new()
            .name("metadata-snapshot".into())
            .spawn(move || snapshots::write(&RealDisk, &directory, &image, &control, time));
        let writing = writing.map_err(|error| Fault::io("start the snapshot thread of", &path, error))?;
        self.progress.snapshot = Some(writing);
        Ok(())
    }

    /// Takes a snapshot that was written; what lies before it may go from the log.
    fn end_snapshot(&mut self, writing: SnapshotThread) -> Result<(), Fault> {
        let written = writing.join().unwrap_or_else(|_| {
            let reason = "the thread that writes metadata snapshots has panicked".into();
            Err(Fault::Mismatch { path: self.log.directory().to_owned(), reason })
        });
        let (time, waited_for) = (wall(), self.clock.now());
        let id = match written {
            // A snapshot is large, and the log says the same: it can wait for room.
            Err(fault) if fault.no_space() => {
                tracing::warn!(%fault, "no room for a metadata snapshot: it is tried again in a minute");
                let retry_at = waited_for.0.saturating_add(RETRY_MS);
                self.progress.snapshot_not_before = Timestamp(retry_at);
                return Ok(());
            }
            written => written?,
        };
        // What was appended meanwhile stays before the roll.
        let end = self.progress.image.end();
        let start = reserved(&mut self.log, &self.reserve, |log| log.snapshot_written(end, time))?;
        self.progress.last_snapshot = waited_for;
        tracing::info!(offset = id.offset.0, epoch = id.epoch.0, "metadata snapshot written");
        if start.offset > self.raft.log().start().offset {
            self.step(Input::LogStartMoved { start })?;
        }
        Ok(())
    }
}
