//! A copy of a log in another log directory that catches up with it while it is written, to take its place (KIP-113).
//!
//! The copy is a log like any other, in a directory whose name ends in `-future`. Its last step is done with both logs
//! held: what is left is copied, the copy is brought to stable storage, and the log goes on where the copy lies.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use partition::Partition;
use partition::segments::Incoming;
use protocol::id::{LeaderEpoch, Timestamp};
use protocol::offset::Offset;
use protocol::records::batch::MAGIC_V2;

use super::machine::Machine;
use super::{AppendError, Checkpoints, Gone, Log};
use crate::disk::Disk;
use crate::fault::Fault;
use crate::group_commit::Ticket;
use crate::names::deletion_name;
use crate::recovery;
use crate::scan::BatchSpan;
use crate::whole_file::read_up_to;

/// How far a copy has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Copied {
    /// Bytes copied now.
    pub bytes: u64,
    /// How many offsets are still missing.
    pub lag: i64,
}

/// A piece of a log on its way to the copy.
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    leader_epoch: LeaderEpoch,
    log_start: Offset,
    pub(crate) log_end: Offset,
}

impl<D: Disk> Log<D> {
    /// The batches from `from` on, at most so many bytes but one at least; empty at the end.
    fn batches_from(&mut self, from: Offset, bytes_max: u32) -> Result<Vec<u8>, Fault> {
        self.check()?;
        let marks = self.partition.watermarks();
        let from = from.max(marks.log_start);
        if from >= marks.log_end {
            return Ok(Vec::new());
        }
        let slice = self.read(from, marks.log_end, bytes_max, true)?;
        let mut bytes = vec![0; slice.length as usize];
        let read = read_up_to(self.home.disk(), &slice.file, &mut bytes, slice.position)
            .map_err(|error| Fault::io("read", self.path(), error));
        let read = self.home.noted(read)?;
        if read < bytes.len() {
            return Err(Fault::corrupt(
                self.path(),
                slice.position + read as u64,
                "the file ends within its batches",
            ));
        }
        Ok(bytes)
    }

    /// What the checkpoints of another directory must say of this log before it arrives there.
    pub(crate) fn arriving(&self) -> Checkpoints {
        let marks = self.partition.watermarks();
        Checkpoints {
            clean: false,
            recovery_point: Offset::ZERO,
            log_start: marks.log_start,
            high_watermark: Offset::ZERO,
            cleaned_to: self.cleaned_to(),
        }
    }

    /// Whether this copy ends with the very batch that `log` has there.
    pub(crate) fn ends_as(&mut self, log: &mut Self) -> Result<bool, Fault> {
        if self.size() == 0 {
            return Ok(true);
        }
        let last = Offset(self.partition.watermarks().log_end.0 - 1);
        Ok(self.batches_from(last, 1)? == log.batches_from(last, 1)?)
    }

    /// What is to be copied next of this log.
    pub(crate) fn piece_from(&mut self, from: Offset, bytes_max: u32) -> Result<Piece, Fault> {
        let bytes = self.batches_from(from, bytes_max)?;
        let marks = self.partition.watermarks();
        // After a start nobody may lead yet, and what is in the log was taken from somebody all the same.
        let latest = self.partition.leader_epochs().latest().unwrap_or(LeaderEpoch::NONE);
        let leader_epoch = self.partition.current_leader_epoch().max(latest);
        Ok(Piece { bytes, leader_epoch, log_start: marks.log_start, log_end: marks.log_end })
    }

    /// Takes a piece of the log this is a copy of; says how many bytes of it were whole batches.
    pub(crate) fn take_copied(&mut self, piece: &Piece, now: Timestamp) -> Result<u64, Fault> {
        if piece.bytes.is_empty() {
            return Ok(0);
        }
        let wrong = |reason| Fault::corrupt(self.path(), 0, reason);
        let first = BatchSpan::parse(&piece.bytes, 0).map_err(wrong)?;
        // The copy begins where the log does: its first record may come later, and its first batch may begin before.
        let start = first.base_offset.min(piece.log_start);
        let end = self.partition.watermarks().log_end;
        if end < piece.log_start || (self.size() == 0 && start != end) {
            self.truncate_fully(start, now)?;
        }
        let mut taken = 0;
        while taken < piece.bytes.len() {
            let rest = &piece.bytes[taken..];
            let copied = match of_one_format(rest) {
                (true, length) => self.append_old(&rest[..length], now)?,
                (false, length) => self.append_new(piece.leader_epoch, &rest[..length], now)?,
            };
            if copied == 0 {
                break;
            }
            taken += copied;
        }
        if taken == 0 {
            return Err(Fault::corrupt(self.path(), 0, "no whole batch where one was read to be copied"));
        }
        Ok(taken as u64)
    }

    fn append_new(
        &mut self,
        leader_epoch: LeaderEpoch,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<usize, Fault> {
        self.append_replicated(leader_epoch, bytes, now).map_err(|error| match error {
            AppendError::Fault(fault) => fault,
            AppendError::Refused(refusal) => {
                Fault::corrupt(self.path(), 0, format!("a batch cannot be copied: {refusal}"))
            }
        })
    }

    /// Appends whole messages of formats v0 and v1 as they are, which mean nothing to producers and epochs.
    fn append_old(&mut self, bytes: &[u8], now: Timestamp) -> Result<usize, Fault> {
        self.check()?;
        self.home.state().check_room()?;
        let mut at = 0;
        while let Ok(span) = BatchSpan::parse(&bytes[at..], 0)
            && span.size as usize <= bytes.len() - at
        {
            let message = &bytes[at..at + span.size as usize];
            recovery::verify(&span, message).map_err(|reason| Fault::corrupt(self.path(), 0, reason))?;
            let incoming = Incoming {
                bytes: message.len() as u64,
                last_offset: span.last_offset,
                max_timestamp: span.max_timestamp,
            };
            let marks = self.partition.watermarks();
            let rolled = self.roll_for(&incoming, marks.log_end, now);
            let written = rolled.and_then(|()| self.segments.append(message));
            self.home.noted(written)?;
            self.partition.change(&self.home, |machine| {
                let before = std::mem::replace(machine, Partition::empty(marks.log_start));
                *machine = before.loaded(marks.log_start, marks.high_watermark, span.last_offset.next());
            });
            at += message.len();
            if at == bytes.len() {
                break;
            }
        }
        Ok(at)
    }

    /// Copies all that `source` still has, takes its machine over, and brings everything to stable storage.
    pub(crate) fn complete_copy(&mut self, source: &mut Self, now: Timestamp) -> Result<(), Fault> {
        let end = source.partition.watermarks().log_end;
        while self.partition.watermarks().log_end < end {
            let piece = source.piece_from(self.partition.watermarks().log_end, 1 << 20)?;
            if piece.bytes.is_empty() {
                break;
            }
            self.take_copied(&piece, now)?;
        }
        let home = Arc::clone(&self.home);
        home.noted(self.seal_copy(source, end, now))
    }

    fn seal_copy(&mut self, source: &Self, end: Offset, now: Timestamp) -> Result<(), Fault> {
        if self.partition.watermarks().log_end != end {
            // Compaction may have left nothing at the very end, or nothing at all.
            if self.size() == 0 {
                self.truncate_fully(source.partition.watermarks().log_start, now)?;
            }
            if self.segments.active().base() < end {
                self.reserved(|log| log.roll_at(end, now))?;
            }
        }
        self.partition = Machine::new(source.partition().clone(), &self.home);
        // All of it is copied: for want of little more it must not stay where it is.
        self.reserved(|log| {
            log.segments.finish()?;
            log.take_snapshot(end)
        })?;
        self.write_leader_epochs()?;
        let Ticket { mut files, done, .. } = self.reserved(|log| log.ticket(end, Box::new(|_| ())))?;
        // The checkpoint of where it goes will vouch for its very end, and so for the last indexes too.
        files.extend(self.segments.active().dirty_files(true)?);
        let disk = self.home.disk();
        for (path, file) in &files {
            self.home.state().sync(disk, path, file)?;
        }
        for directory in [self.path(), self.home.path()] {
            disk.fsync_dir(directory).map_err(|error| Fault::io("fsync", directory, error))?;
        }
        done(Ok(()));
        Ok(())
    }

    /// Gives a complete copy the name of this log, which is renamed out of the way; says where it lies then. Between the two
    /// renames a start finds the copy alone, and takes it.
    pub(crate) fn give_way_to(&mut self, copy: &Self) -> Result<PathBuf, Fault> {
        self.abort_cleaning()?;
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let away = self.home.path().join(deletion_name(&self.name, &unique));
        let (source, target) = (Arc::clone(&self.home), Arc::clone(&copy.home));
        source.reserved(|| rename(source.disk(), self.path(), &away))?;
        let place = target.path().join(self.name.to_string());
        if let Err(fault) = target.reserved(|| rename(target.disk(), copy.path(), &place)) {
            // It may have its new name all the same, under which a start may take it for the replica, and the log goes on.
            if let Err(error) = target.disk().rename(&place, copy.path())
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(path = %place.display(), %error, "a copy that is not the replica has its name");
            }
            if let Err(worse) = source.reserved(|| rename(source.disk(), &away, self.path())) {
                // The copy is all there is under a name that a start would take: it must stay where it is.
                target.state().take_offline(&format!("a replica cannot be moved here: {fault}"));
                source.state().take_offline(&format!("a replica cannot be moved away: {worse}"));
            }
            return Err(fault);
        }
        Ok(away)
    }

    /// Goes on where the copy lies that this log has given way to.
    pub(crate) fn go_on_as(&mut self, copy: &Self, now: Timestamp) -> Result<(), Fault> {
        let target = Arc::clone(&copy.home);
        let marks = self.partition.watermarks();
        let checkpoints = Checkpoints {
            clean: true,
            recovery_point: marks.log_end,
            log_start: marks.log_start,
            high_watermark: marks.high_watermark,
            cleaned_to: self.cleaned_to(),
        };
        let (name, config) = ((self.name.clone(), self.topic_id), Arc::clone(&self.config));
        let opened = Self::open(Arc::clone(&target), name, config, checkpoints, now);
        let opened = target.noted(opened).inspect_err(|_| {
            // What would be appended here would be removed with the directory.
            self.gone = Some(Gone::MovedHalfWay);
        });
        let mut opened = opened?.log;
        opened.partition = Machine::new(self.partition().clone(), &target);
        if let Some(reason) = self.uncleanable() {
            // What cannot be cleaned in one place cannot in another.
            opened.mark_uncleanable(reason.to_owned());
        }
        opened.take_synced();
        let mut old = std::mem::replace(self, opened);
        old.mark_deleted();
        Ok(())
    }
}

/// Renames a partition's directory for good.
fn rename<D: Disk>(disk: &D, from: &Path, to: &Path) -> Result<(), Fault> {
    disk.rename(from, to).map_err(|error| Fault::io("rename", from, error))?;
    let Some(directory) = to.parent() else { return Ok(()) };
    disk.fsync_dir(directory).map_err(|error| Fault::io("fsync", directory, error))
}

/// Whether what comes first is of format v0 or v1, and how many bytes are like it. Half a batch at the end counts; of what
/// is too short for a header nothing can be said.
fn of_one_format(bytes: &[u8]) -> (bool, usize) {
    let (mut old, mut at) = (None, 0);
    while let Ok(span) = BatchSpan::parse(&bytes[at..], 0)
        && *old.get_or_insert(span.magic != MAGIC_V2) == (span.magic != MAGIC_V2)
    {
        at = bytes.len().min(at + span.size as usize);
    }
    (old.unwrap_or(false), at)
}
