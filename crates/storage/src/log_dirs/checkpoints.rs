//! Writing the checkpoints of the log directories: at intervals, when a log start has moved, and at the end.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use protocol::id::DirectoryId;
use protocol::offset::Offset;
use protocol::records::checksum::crc32c;

use super::home::{Home, Written};
use super::{LogDirs, locked};
use crate::checkpoint::{self, OffsetsText, PartitionOffsets};
use crate::directory_state::DirectoryHealth;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::log::{Checkpoints, Log};
use crate::log_directory::LogDirectory;
use crate::names::TopicPartition;
use crate::whole_file;

#[derive(Clone, Copy)]
enum Kind {
    RecoveryPoint,
    HighWatermark,
    LogStart,
    Cleaned,
}

impl Kind {
    const ALL: [Self; 4] = [Self::RecoveryPoint, Self::HighWatermark, Self::LogStart, Self::Cleaned];

    fn file(self) -> &'static str {
        match self {
            Self::RecoveryPoint => checkpoint::RECOVERY_POINT,
            Self::HighWatermark => checkpoint::REPLICATION,
            Self::LogStart => checkpoint::LOG_START,
            Self::Cleaned => checkpoint::CLEANER,
        }
    }

    fn of<D: Disk>(self, log: &Log<D>) -> Option<Offset> {
        match self {
            Self::RecoveryPoint => Some(log.recovery_point_to_keep()),
            Self::HighWatermark => Some(log.partition().watermarks().high_watermark),
            Self::LogStart => log.log_start_to_keep(),
            Self::Cleaned => log.cleaned_to(),
        }
    }

    /// Takes the mark that says that it is due. Where logs are flushed to there is none.
    fn take_mark<D: Disk>(self, directory: &LogDirectory<D>) -> bool {
        match self {
            Self::RecoveryPoint => true,
            Self::HighWatermark => directory.take_high_watermark_moved(),
            Self::LogStart => directory.take_log_start_moved(),
            Self::Cleaned => directory.take_cleaned(),
        }
    }

    fn mark<D: Disk>(self, directory: &LogDirectory<D>) {
        match self {
            Self::RecoveryPoint => {}
            Self::HighWatermark => directory.note_high_watermark_moved(),
            Self::LogStart => directory.note_log_start_moved(),
            Self::Cleaned => directory.note_cleaned(),
        }
    }

    fn said(self, of: &Checkpoints) -> Offset {
        match self {
            Self::RecoveryPoint => of.recovery_point,
            Self::HighWatermark => of.high_watermark,
            Self::LogStart => of.log_start,
            Self::Cleaned => of.cleaned_to.unwrap_or(Offset::ZERO),
        }
    }
}

impl<D: Disk> LogDirs<D> {
    /// Writes `recovery-point-offset-checkpoint` where it has changed (`log.flush.offset.checkpoint.interval.ms`).
    pub fn checkpoint_recovery_points(&self) {
        self.checkpoint(Kind::RecoveryPoint);
    }

    /// Writes `replication-offset-checkpoint` of the directories where a high watermark has moved since, or that a log has come
    /// to or gone from (`replica.high.watermark.checkpoint.interval.ms`): so often a node does not look at very many logs at rest.
    pub fn checkpoint_high_watermarks(&self) {
        self.each_home(|home| self.write_marked(home, Kind::HighWatermark));
    }

    /// Writes `log-start-offset-checkpoint` where it has changed (`log.flush.start.offset.checkpoint.interval.ms`).
    pub fn checkpoint_log_starts(&self) {
        self.checkpoint(Kind::LogStart);
    }

    /// Writes `cleaner-offset-checkpoint` of the directories where a cleaning has ended since, or was undone, or that a log has
    /// gone from.
    pub fn checkpoint_cleaned(&self) {
        self.each_home(|home| self.write_marked(home, Kind::Cleaned));
    }

    /// Writes `cleaner-offset-checkpoint` of a directory with a log that was cut, and only returns once it is on stable
    /// storage: what comes in the place of the tail is not clean because the tail was.
    pub(super) fn keep_cleaned(&self, directory: DirectoryId) -> Result<(), Fault> {
        self.home(directory).map_or(Ok(()), |home| self.write_marked(home, Kind::Cleaned))
    }

    /// Writes a checkpoint if it is marked as due in its directory, or may still name a log that is gone.
    fn write_marked(&self, home: &Home<D>, kind: Kind) -> Result<(), Fault> {
        // Under the lock: whoever finds the mark taken has waited for the one who took it.
        let mut written = home.written();
        let marked = kind.take_mark(&home.directory);
        if !marked && home.gone()[kind as usize].is_empty() {
            return Ok(());
        }
        let outcome = self.write_held(home, &mut written, kind, |log| kind.of(log));
        if marked && outcome.is_err() {
            kind.mark(&home.directory);
        }
        home.directory.noted(outcome)
    }

    /// Writes `log-start-offset-checkpoint` of the directories where DeleteRecords has moved a log start since, and only
    /// returns once it is on stable storage.
    pub fn keep_log_starts(&self) -> Result<(), Fault> {
        for home in &self.homes {
            // Under the lock: whoever finds the mark taken has waited for the one who took it.
            let mut written = home.written();
            if Kind::LogStart.take_mark(&home.directory) {
                let outcome =
                    self.write_held(home, &mut written, Kind::LogStart, |log| Kind::LogStart.of(log));
                if outcome.is_err() {
                    Kind::LogStart.mark(&home.directory);
                }
                home.directory.noted(outcome)?;
            }
        }
        Ok(())
    }

    /// Has the checkpoints forget a log that was deleted, before one of its name is made: after a crash the new one would
    /// begin where the old one did, or count as flushed where nothing was, and what it holds would be lost.
    pub(super) fn forget_checkpointed(
        &self,
        directory: &LogDirectory<D>,
        name: &TopicPartition,
    ) -> Result<(), Fault> {
        let Some(home) = self.home(directory.id()) else { return Ok(()) };
        if !home.gone().iter().any(|gone| gone.contains(name)) {
            return Ok(());
        }
        let mut written = home.written();
        for kind in Kind::ALL {
            if home.gone()[kind as usize].contains(name) {
                let outcome = self.write_held(home, &mut written, kind, |log| kind.of(log));
                home.directory.noted(outcome)?;
            }
        }
        Ok(())
    }

    /// Writes all checkpoints of a directory that a log has come to: after a kill they must say of it what those of the
    /// directory it comes from did.
    pub(super) fn checkpoint_all_of(&self, directory: DirectoryId) -> Result<(), Fault> {
        let Some(home) = self.home(directory) else { return Ok(()) };
        for kind in Kind::ALL {
            let outcome = self.write(home, kind, |log| kind.of(log));
            home.directory.noted(outcome)?;
        }
        Ok(())
    }

    /// Has the checkpoints of a directory say already what a log that is about to arrive there must not lose: where its
    /// records were deleted to, and that it has holes. After a power cut between its arrival and the next checkpoint
    /// nobody else would know.
    pub(super) fn announce(
        &self,
        directory: DirectoryId,
        name: &TopicPartition,
        arriving: Checkpoints,
    ) -> Result<(), Fault> {
        let Some(home) = self.home(directory) else { return Ok(()) };
        let mut written = home.written();
        written.arriving.insert(name.clone(), arriving);
        home.directory.note_high_watermark_moved();
        for kind in [Kind::LogStart, Kind::Cleaned] {
            let outcome = self.write_held(home, &mut written, kind, |log| kind.of(log));
            home.directory.noted(outcome)?;
        }
        Ok(())
    }

    /// The log has arrived, or never will.
    pub(super) fn forget_arriving(&self, directory: DirectoryId, name: &TopicPartition) {
        if let Some(home) = self.home(directory) {
            home.written().arriving.remove(name);
            home.directory.note_high_watermark_moved();
        }
    }

    /// The log has arrived and could not be opened: until the next start the checkpoints are all that knows where it begins.
    pub(super) fn note_arrived_unloaded(&self, directory: DirectoryId, name: &TopicPartition) {
        let Some(home) = self.home(directory) else { return };
        let mut written = home.written();
        if let Some(said) = written.arriving.remove(name) {
            self.note_unloaded(name, directory, (name.to_string(), said));
        }
    }

    /// Notes that a log is here no more, which the checkpoints may still speak of.
    pub(super) fn note_gone(&self, directory: DirectoryId, name: &TopicPartition) {
        if let Some(home) = self.home(directory) {
            home.note_gone(name);
        }
    }

    /// Writes `recovery-point-offset-checkpoint` of a directory if a recovery point has come down, now or before without
    /// the checkpoint having been written; only returns once it is on stable storage.
    pub(super) fn keep_recovery_points(&self, directory: DirectoryId, lowered: bool) -> Result<(), Fault> {
        let Some(home) = self.home(directory) else { return Ok(()) };
        if lowered {
            home.lowered.store(true, Ordering::Release);
        }
        if !home.lowered.load(Ordering::Acquire) {
            return Ok(());
        }
        home.directory.noted(self.write(home, Kind::RecoveryPoint, |log| Kind::RecoveryPoint.of(log)))?;
        home.lowered.store(false, Ordering::Release);
        Ok(())
    }

    fn home(&self, id: DirectoryId) -> Option<&Home<D>> {
        self.homes.iter().find(|home| home.directory.id() == id)
    }

    /// What a clean end leaves: everything is on stable storage up to its end.
    pub(super) fn write_checkpoints_at_end(&self, home: &Home<D>) -> Result<(), Fault> {
        self.write(home, Kind::RecoveryPoint, |log| Some(log.partition().watermarks().log_end))?;
        self.write(home, Kind::HighWatermark, |log| Kind::HighWatermark.of(log))?;
        self.write(home, Kind::LogStart, |log| Kind::LogStart.of(log))?;
        self.write_marked(home, Kind::Cleaned)
    }

    fn checkpoint(&self, kind: Kind) {
        self.each_home(|home| home.directory.noted(self.write(home, kind, |log| kind.of(log))));
    }

    fn each_home(&self, write: impl Fn(&Home<D>) -> Result<(), Fault>) {
        for home in &self.homes {
            if home.directory.state().health() == DirectoryHealth::Offline {
                continue;
            }
            if let Err(fault) = write(home) {
                tracing::warn!(%fault, "cannot write a checkpoint");
            }
        }
    }

    fn write(
        &self,
        home: &Home<D>,
        kind: Kind,
        offset: impl Fn(&Log<D>) -> Option<Offset>,
    ) -> Result<(), Fault> {
        self.write_held(home, &mut home.written(), kind, offset)
    }

    fn write_held(
        &self,
        home: &Home<D>,
        written: &mut Written,
        kind: Kind,
        offset: impl Fn(&Log<D>) -> Option<Offset>,
    ) -> Result<(), Fault> {
        // What goes while the logs are gathered may be among them, and stays noted.
        let gone = home.gone()[kind as usize].clone();
        let mut not_here: PartitionOffsets = {
            let (unloaded, id) = (self.unloaded(), home.directory.id());
            let in_home = unloaded.iter().filter_map(|(name, homes)| Some((name, &homes.get(&id)?.said)));
            let not_here = in_home.chain(&written.arriving);
            let not_here = not_here.map(|(name, said)| (name.clone(), kind.said(said)));
            not_here.filter(|(_, offset)| *offset > Offset::ZERO).collect()
        };
        let (mut text, mut still_there) = (OffsetsText::default(), BTreeSet::new());
        let mut say = |name: &TopicPartition, offset| {
            if gone.contains(name) {
                still_there.insert(name.clone());
            }
            text.push(name, offset);
        };
        for (name, log) in self.walk() {
            let log = locked(&log);
            if log.directory_id() != home.directory.id() {
                continue;
            }
            // Whatever was to be said of another one of its name.
            not_here.remove(&name);
            while let Some(before) = not_here.first_entry().filter(|entry| *entry.key() < name) {
                say(before.key(), *before.get());
                before.remove();
            }
            if let Some(offset) = offset(&log) {
                say(&name, offset);
            }
        }
        not_here.iter().for_each(|(name, offset)| say(name, *offset));
        let text = text.finish();
        let seal = Some((text.len(), crc32c(text.as_bytes())));
        if written.seals[kind as usize] != seal {
            let path = home.directory.path().join(kind.file());
            let directory = &home.directory;
            directory.reserved(|| whole_file::replace(directory.disk(), &path, text.as_bytes()))?;
            written.seals[kind as usize] = seal;
        }
        home.gone()[kind as usize].retain(|name| !gone.contains(name) || still_there.contains(name));
        Ok(())
    }
}
