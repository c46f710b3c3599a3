//! Where recovery of the active segment would begin: every so many bytes a place in it is brought to stable storage with
//! its indexes and a snapshot of the producers, at leisure, and written down once it is there (ADR 0022).
//!
//! What a segment has grown by counts on in the next one, so that logs of small segments get their places too.
//!
//! A place counts only when the log has grown as much again behind it: batches that a producer may send again, for want of
//! an answer, are then still told one by one, as after every recovery, and not by the snapshot, which knows the last of each
//! producer. Appends say that a place is due ([`Log::note_growth`]); the work is that of a thread that
//! nobody waits for ([`crate::LogDirs::advance_resume_points`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use protocol::offset::Offset;

use super::Log;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::resume_point::ResumePoint;

/// No place is due, however far the segment grows.
pub(super) const NEVER: u32 = u32::MAX;

const UNDER_WAY: u8 = 0;
const REACHED: u8 = 1;
const FAILED: u8 = 2;

/// The places of one log.
#[derive(Default, Debug)]
pub(super) struct Resume {
    /// The one that is written down.
    kept: Option<ResumePoint>,
    /// The next one, and how its way to stable storage has gone.
    next: Option<(ResumePoint, Arc<AtomicU8>)>,
}

impl Resume {
    /// As recovery has found it.
    pub(super) fn kept(point: ResumePoint) -> Self {
        Self { kept: Some(point), next: None }
    }

    /// The snapshot that the place written down needs.
    pub(super) fn snapshot(&self) -> Option<Offset> {
        self.kept.map(|point| point.offset)
    }
}

impl<D: Disk> Log<D> {
    /// Has a place taken down once the log has grown by `headwater.recovery.bytes` since the last one.
    pub(super) fn note_growth(&mut self) {
        if self.segments.active().size() >= self.resume_due {
            self.resume_due = NEVER;
            self.home.note_resume_due(&self.name);
        }
    }

    /// Says how large the active segment is when the next place is due, `grown` bytes of it needing none.
    pub(super) fn set_resume_due(&mut self, grown: u32) {
        let bytes = self.config.recovery_bytes;
        self.resume_due = bytes.map_or(NEVER, |bytes| grown.saturating_add(bytes).min(NEVER - 1));
    }

    /// The segment had grown to `size` when the next one was begun. A place that is due stays so: it is taken in that one.
    pub(super) fn carry_resume_due(&mut self, size: u32) {
        if self.resume_due != NEVER {
            self.resume_due = self.resume_due.saturating_sub(size);
        }
    }

    /// If a place is due, writes the one down that has reached stable storage meanwhile, and has the next one brought there.
    /// Says whether to come again soon.
    pub(crate) fn advance_resume_point(&mut self) -> Result<bool, Fault> {
        self.check()?;
        // Cut since: it will say so again.
        if self.resume_due != NEVER || !self.made {
            return Ok(false);
        }
        let outcome = self.advance_within();
        let again = self.home.noted(outcome)?;
        if again {
            self.resume_due = NEVER;
        }
        Ok(again)
    }

    fn advance_within(&mut self) -> Result<bool, Fault> {
        let Some(bytes) = self.config.recovery_bytes else { return Ok(false) };
        let size = self.segments.active().size();
        self.set_resume_due(size);
        let first = self.resume.as_ref().is_none_or(|resume| resume.kept.is_none());
        let next = self.resume.as_ref().and_then(|resume| resume.next.clone());
        match next.map(|(point, state)| (point, state.load(Ordering::Acquire))) {
            Some((_, UNDER_WAY)) => {
                // The disk does not keep up: the place behind it waits.
                self.set_resume_due(size.saturating_sub(bytes - bytes / 4));
                return Ok(first);
            }
            Some((point, REACHED)) => {
                self.keep(point)?;
                if first {
                    return Ok(false);
                }
            }
            Some(_) | None => {}
        }
        // Room is for records.
        if self.home.state().check_room().is_err() {
            return Ok(false);
        }
        self.begin_point().map(|begun| begun && first)
    }

    fn keep(&mut self, point: ResumePoint) -> Result<(), Fault> {
        point.write(self.home.disk(), self.path())?;
        let resume = self.resume.get_or_insert_default();
        resume.next = None;
        let Some(before) = resume.kept.replace(point) else { return Ok(()) };
        let needed = |offset| self.segments.iter().any(|segment| segment.base() == offset);
        if before.offset != point.offset && !needed(before.offset) {
            self.remove_snapshot(before.offset)?;
        }
        Ok(())
    }

    /// Hands all that the place behind the last batch needs to the thread that syncs; says whether there is any.
    fn begin_point(&mut self) -> Result<bool, Fault> {
        let end = self.partition.watermarks().log_end;
        let Some(point) = self.segments.active().resume_point(end)? else {
            // A segment in which nothing is yet: with its first batch it is due again.
            self.resume_due = 0;
            return Ok(false);
        };
        self.take_snapshot(end)?;
        let state = Arc::new(AtomicU8::new(UNDER_WAY));
        let told = Arc::clone(&state);
        let done = move |outcome: Result<(), Fault>| {
            told.store(if outcome.is_ok() { REACHED } else { FAILED }, Ordering::Release);
        };
        let mut ticket = self.ticket(end, Box::new(done))?;
        ticket.files.extend(self.segments.active().dirty_files(true)?);
        self.resume.get_or_insert_default().next = Some((point, state));
        self.home.background().submit(ticket);
        Ok(true)
    }

    /// The log is about to be cut, or ends in order: nothing written down may outlast that.
    pub(super) fn forget_resume_point(&mut self) -> Result<(), Fault> {
        if let Some(resume) = self.resume.take()
            && resume.kept.is_some()
        {
            ResumePoint::remove(self.home.disk(), self.path())?;
        }
        Ok(())
    }
}
