//! Where recovery of the active segment would begin: every so many bytes a place in it is brought to stable storage with
//! its indexes and a snapshot of the producers, at leisure, and written down once it is there (ADR 0022).
//!
//! What a segment has grown by counts on in the next one, so that logs of small segments get their places too.
//!
//! A place counts only when the log has grown as much again behind it: batches that a producer may send again, for want of
//! an answer, are then still told one by one, as after every recovery, and not by the snapshot, which knows the last of each
//! producer. Appends say that a place is due ([`Log::note_growth`]); the work is that of a thread that
//! nobody waits for ([`crate::LogDirs::advance_resume_points`]).
//!
//! A log that grows slowly, or not any more, gets its places by time ([`Log::settle`]). Such a place counts half a minute
//! after it was taken down: who had no answer to what lies before it has sent that again by then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use partition::Millis;
use protocol::id::Timestamp;
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

/// After so long a place counts however little the log has grown behind it.
const COUNTS_AFTER: Millis = Millis(30_000);
/// A log that grows slowly has this part of `headwater.recovery.bytes` read after a kill, in place of getting more places: to
/// look at a place costs as much as reading some hundred kilobytes.
const SETTLED_PART: u32 = 64;

/// The places of one log.
#[derive(Default, Debug)]
pub(super) struct Resume {
    /// The one that is written down.
    kept: Option<ResumePoint>,
    /// The next one.
    next: Option<Next>,
}

/// A place that is not written down yet.
#[derive(Clone, Debug)]
struct Next {
    point: ResumePoint,
    way: Way,
    /// Since when it is known to be on its way.
    since: Option<Timestamp>,
}

/// How a log stands that was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Settled {
    /// Nothing is to be done before it grows, or says otherwise that it is to be looked at.
    UntilItGrows,
    /// It is to be looked at again.
    NotYet,
    /// Recovery would read so many bytes of the active segment that another place is due.
    Behind(u32),
}

/// How the way of a place to stable storage has gone.
#[derive(Clone, Debug)]
pub(crate) struct Way(Arc<AtomicU8>);

impl Way {
    fn at(&self) -> u8 {
        self.0.load(Ordering::Acquire)
    }

    /// Whether the place has come to stable storage, or never will.
    pub(crate) fn is_over(&self) -> bool {
        self.at() != UNDER_WAY
    }
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
    /// Has a place taken down once the log has grown by `headwater.recovery.bytes` since the last one, and the log looked at.
    pub(super) fn note_growth(&mut self) {
        if self.segments.active().size() >= self.resume_due {
            self.resume_due = NEVER;
            self.home.note_resume_due(&self.name);
        }
        self.home.note_grown();
    }

    /// Says how large the active segment is when the next place is due, `grown` bytes of it needing none.
    pub(super) fn set_resume_due(&mut self, grown: u32) {
        let bytes = self.config.recovery_bytes;
        self.resume_due = bytes.map_or(NEVER, |bytes| grown.saturating_add(bytes).min(NEVER - 1));
        self.home.note_grown();
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
        let next = self.resume.as_ref().and_then(|resume| resume.next.as_ref());
        match next.map(|next| (next.point, next.way.at())) {
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
        Ok(self.begin_point()?.is_some() && first)
    }

    /// From time to time: writes down the place that has been on stable storage for long enough, and says whether another
    /// place is due by now.
    pub(crate) fn settle(&mut self, now: Timestamp) -> Result<Settled, Fault> {
        let Some(bytes) = self.config.recovery_bytes else { return Ok(Settled::UntilItGrows) };
        if self.check().is_err() {
            return Ok(Settled::UntilItGrows);
        }
        // By its growth a place is due already; and room is for records.
        let due = !self.made || self.resume_due == NEVER;
        if due || self.home.state().check_room().is_err() {
            return Ok(Settled::NotYet);
        }
        if let Some(next) = self.resume.as_mut().and_then(|resume| resume.next.as_mut()) {
            match next.way.at() {
                UNDER_WAY => return Ok(Settled::NotYet),
                REACHED => {
                    // A clock that was set back says nothing about how long that is ago.
                    let since = next.since.filter(|since| *since <= now).unwrap_or(now);
                    next.since = Some(since);
                    if now.0 - since.0 < COUNTS_AFTER.0 {
                        return Ok(Settled::NotYet);
                    }
                    let kept = next.point;
                    let outcome = self.keep(kept);
                    self.home.noted(outcome)?;
                }
                _ => {}
            }
        }
        let behind = self.behind_point();
        Ok(match behind > bytes / SETTLED_PART {
            true => Settled::Behind(behind),
            false => Settled::UntilItGrows,
        })
    }

    /// How many bytes of the active segment recovery would read.
    fn behind_point(&mut self) -> u32 {
        let active = self.segments.active();
        let (base, size) = (active.base(), active.size());
        let kept = self.resume.as_ref().and_then(|resume| resume.kept);
        size - kept.filter(|kept| kept.base == base).map_or(0, |kept| kept.position.min(size))
    }

    /// Has the end of the log brought to stable storage as a place that counts after a while, if there is reason to yet.
    pub(crate) fn begin_settling(&mut self, now: Timestamp) -> Result<Option<Way>, Fault> {
        if !matches!(self.settle(now)?, Settled::Behind(_)) {
            return Ok(None);
        }
        // What it grows by from here on makes the place after this one due.
        let size = self.segments.active().size();
        self.set_resume_due(size);
        let begun = self.begin_point();
        let begun = self.home.noted(begun)?;
        if let Some(next) = self.resume.as_mut().and_then(|resume| resume.next.as_mut()) {
            next.since = Some(now);
        }
        Ok(begun)
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

    /// Hands all that the place behind the last batch needs to the thread that syncs; `None` where there is no batch.
    fn begin_point(&mut self) -> Result<Option<Way>, Fault> {
        let end = self.partition.watermarks().log_end;
        let Some(point) = self.segments.active().resume_point(end)? else {
            // A segment in which nothing is yet: with its first batch it is due again.
            self.resume_due = 0;
            return Ok(None);
        };
        self.take_snapshot(end)?;
        let way = Way(Arc::new(AtomicU8::new(UNDER_WAY)));
        let Way(told) = way.clone();
        let done = move |outcome: Result<(), Fault>| {
            told.store(if outcome.is_ok() { REACHED } else { FAILED }, Ordering::Release);
        };
        let mut ticket = self.ticket(end, Box::new(done))?;
        ticket.files.extend(self.segments.active().dirty_files(true)?);
        let next = Next { point, way: way.clone(), since: None };
        self.resume.get_or_insert_default().next = Some(next);
        self.home.background().submit(ticket);
        Ok(Some(way))
    }

    /// The log has ended in order, and all of it is on stable storage or soon will be: until then a kill finds the point, which
    /// holds. Says whether there was one.
    pub(super) fn end_resume_point(&mut self) -> Result<bool, Fault> {
        let kept = self.resume.take().is_some_and(|resume| resume.kept.is_some());
        Ok(kept && ResumePoint::remove_unsynced(self.home.disk(), self.path())?)
    }

    /// The log is about to be cut: nothing written down may outlast that.
    pub(super) fn forget_resume_point(&mut self) -> Result<(), Fault> {
        if let Some(resume) = self.resume.take()
            && resume.kept.is_some()
        {
            ResumePoint::remove(self.home.disk(), self.path())?;
        }
        Ok(())
    }
}
