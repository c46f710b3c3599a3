//! A log from the side of its cleaner: what waits for compaction, the segments to read, and the moment when rewritten
//! ones take the place of others.
//!
//! The cleaner reads and writes without the log's lock, which it takes for a few calls at a time. Whatever pulls
//! the ground from under it (truncation, deletion, the end, a move, a policy that no longer compacts) says so through
//! [`Cleaning`], and nothing of a cleaning that was told so takes effect. While somebody copies the log nothing is cleaned
//! at all ([`CleaningPause`]).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use partition::compaction::dirty::{Cleanable, LogDirt, SegmentDirt, cleanable};
use partition::compaction::{CompactionRules, LastOfProducer};
use partition::transactions::AbortedTransaction;
use protocol::id::{ProducerId, Timestamp};
use protocol::offset::Offset;

use super::{Cleaning, Log};
use crate::disk::Disk;
use crate::fault::Fault;
use crate::names::Stage;
use crate::segment::{DirtyFile, Segment};

/// Nothing of the log is cleaned for as long as this is held.
#[derive(Debug)]
pub(crate) struct CleaningPause {
    _held: Arc<()>,
}

/// How compaction stands with one log.
#[derive(Default, Debug)]
pub(crate) struct Compaction {
    /// `cleaner-offset-checkpoint`: up to here the log is clean.
    cleaned_to: Option<Offset>,
    under_way: Option<Arc<Cleaning>>,
    /// Why the log is passed over until the next start.
    uncleanable: Option<Box<str>>,
    /// Held by who wants the log to stay as it is.
    pause: Weak<()>,
}

impl Compaction {
    /// As the checkpoint says.
    pub(super) fn cleaned_to(cleaned_to: Offset) -> Box<Self> {
        Box::new(Self { cleaned_to: Some(cleaned_to), ..Self::default() })
    }

    /// Whether nobody is at it, and nobody wants it to be left alone.
    fn is_free(&self) -> bool {
        self.under_way.is_none() && self.pause.strong_count() == 0
    }
}

/// One segment as the cleaner reads it. The open file outlives the segment.
pub struct Source<D: Disk> {
    /// Its base offset.
    pub base: Offset,
    /// Bytes of its batches.
    pub size: u32,
    /// Where the first wanted batch lies, or one not far before it.
    pub start: u32,
    /// Where it lies, for errors.
    pub path: PathBuf,
    /// Its file.
    pub file: Arc<D::File>,
    /// The high watermark of its log.
    pub high_watermark: Offset,
    /// The transactions aborted with records in it.
    pub aborted: Vec<AbortedTransaction>,
}

impl<D: Disk> Log<D> {
    /// What can be cleaned now; `None` where nothing is to be compacted, or where compaction is at it, is held off or has
    /// given up.
    pub fn cleanable(&mut self, now: Timestamp) -> Result<Option<Cleanable>, Fault> {
        self.check()?;
        let wanted = self.config.compaction.compact && self.uncleanable().is_none();
        if !wanted || !self.is_free() {
            return Ok(None);
        }
        let outcome = self.measured(now);
        self.home.noted(outcome).map(Some)
    }

    fn measured(&mut self, now: Timestamp) -> Result<Cleanable, Fault> {
        let rules = self.config.compaction;
        let last_stable = self.partition.last_stable_offset();
        let marks = self.partition.watermarks();
        let segments = self.dirt(&rules)?;
        let log = LogDirt {
            segments: &segments,
            log_start: marks.log_start,
            log_end: marks.log_end,
            last_stable,
            cleaned_to: self.cleaned_to(),
        };
        let cleanable = cleanable(&rules, &log, now);
        if cleanable.checkpoint_wrong {
            self.set_cleaned_to(Some(cleanable.first_dirty));
        }
        Ok(cleanable)
    }

    /// The timestamps cost reads at first; they are asked for only where a rule needs them. None needs those of the active
    /// segment, which may have no file yet.
    fn dirt(&mut self, rules: &CompactionRules) -> Result<Vec<SegmentDirt>, Fault> {
        let clean = self.segments.index_of(self.cleaned_to().unwrap_or(Offset::ZERO));
        let active = self.segments.count() - 1;
        let (young, old) = (rules.lag_min.0 > 0, rules.lag_max.0 < i64::MAX);
        let dirt = |(index, segment): (usize, &mut Segment<D>)| {
            let asked = (clean..active).contains(&index);
            let largest_timestamp = if young && asked { segment.youngest()? } else { Timestamp::NONE };
            let first = if old && asked { segment.first_timestamp()? } else { None };
            Ok(SegmentDirt {
                base_offset: segment.base(),
                bytes: u64::from(segment.size()),
                largest_timestamp,
                first_timestamp: first.unwrap_or(Timestamp::NONE),
            })
        };
        self.segments.iter_mut().enumerate().map(dirt).collect()
    }

    /// The files with batches before `end` that may not be on stable storage.
    pub fn unsynced_before(&mut self, end: Offset) -> Result<Vec<DirtyFile<D>>, Fault> {
        self.check()?;
        let from = self.segments.index_of(self.flush.recovery_point());
        let mut files = Vec::new();
        for segment in self.segments.iter_mut().skip(from).take_while(|segment| segment.base() < end) {
            files.extend(segment.dirty_files(false)?);
        }
        Ok(files)
    }

    /// Whether names in the log's directory may not be on stable storage.
    pub fn names_due(&self) -> bool {
        self.flush.names_due()
    }

    /// Begins a cleaning; `None` if one is under way, the log is to be left alone, or nothing is to be compacted any more.
    pub fn begin_cleaning(&mut self) -> Result<Option<Arc<Cleaning>>, Fault> {
        self.check()?;
        if !self.is_free() || !self.config.compaction.compact {
            return Ok(None);
        }
        // What an earlier cleaning could not rename must be out of the way of the names this one uses.
        let moved = self.settle_segments();
        self.home.noted(moved)?;
        let cleaning = Arc::new(Cleaning::new(Arc::clone(self.segments.directory())));
        self.compaction().under_way = Some(Arc::clone(&cleaning));
        Ok(Some(cleaning))
    }

    /// Ends a cleaning: the log is clean up to `cleaned_to`, unless it was aborted. Says whether it counts.
    pub fn end_cleaning(&mut self, cleaning: &Cleaning, cleaned_to: Option<Offset>) -> bool {
        // The log may have been replaced by its copy in another directory, and that be cleaned by somebody else.
        if !self.is_at(cleaning) {
            return false;
        }
        self.compaction().under_way = None;
        // Nothing is left to be done but of one that failed.
        let finished = self.finish_names(cleaning);
        let finished = self.home.noted(finished).is_ok();
        let counts = finished && !cleaning.is_aborted() && cleaned_to.is_some();
        if counts {
            self.set_cleaned_to(cleaned_to);
        }
        counts
    }

    /// Calls off a cleaning that is under way, and has none begin until nobody holds the pause any more. Who copies the
    /// log needs that: its parts must have been cleaned equally far.
    pub(crate) fn pause_cleaning(&mut self) -> Result<CleaningPause, Fault> {
        self.check()?;
        let aborted = self.abort_cleaning();
        self.home.noted(aborted)?;
        let compaction = self.compaction();
        let held = compaction.pause.upgrade().unwrap_or_default();
        compaction.pause = Arc::downgrade(&held);
        Ok(CleaningPause { _held: held })
    }

    /// Passes the log over until the next start, for this reason.
    pub fn mark_uncleanable(&mut self, reason: String) {
        self.compaction().uncleanable = Some(reason.into());
    }

    /// Why compaction passes the log over.
    pub fn uncleanable(&self) -> Option<&str> {
        self.compaction.as_ref()?.uncleanable.as_deref()
    }

    /// Bytes that a cleaning would be due to look at.
    pub fn cleanable_bytes(&mut self, now: Timestamp) -> Result<u64, Fault> {
        self.check()?;
        Ok(self.measured(now)?.cleanable_bytes)
    }

    /// Up to where the log is clean, as `cleaner-offset-checkpoint` keeps it.
    pub fn cleaned_to(&self) -> Option<Offset> {
        self.compaction.as_ref()?.cleaned_to
    }

    /// Sets up to where the log is clean: what the checkpoint says at a start, or of a replica that moves here.
    pub fn set_cleaned_to(&mut self, offset: Option<Offset>) {
        if self.cleaned_to() != offset {
            self.compaction().cleaned_to = offset;
            self.home.note_cleaned();
        }
    }

    /// Has a cleaning that is under way end without effect. What it has made ready goes, so that no start finds it.
    pub(super) fn abort_cleaning(&mut self) -> Result<(), Fault> {
        let Some(cleaning) = self.under_way() else { return Ok(()) };
        cleaning.abort();
        self.finish_names(&cleaning)
    }

    /// The cleaning that is under way.
    pub(super) fn under_way(&self) -> Option<Arc<Cleaning>> {
        self.compaction.as_ref()?.under_way.clone()
    }

    /// Nothing behind the base of the active segment is clean any more.
    pub(super) fn forget_cleaned(&mut self) {
        let base = self.segments.active().base();
        if self.cleaned_to().is_some_and(|cleaned| cleaned > base) {
            self.set_cleaned_to(Some(base));
        }
    }

    /// The bases of the segments from the one that holds `from` to before `end`, active one left out.
    pub fn bases(&self, from: Offset, end: Offset) -> Vec<Offset> {
        let first = self.segments.index_of(from);
        let count = self.segments.iter().len() - 1;
        let bases = self.segments.iter().take(count).skip(first).map(Segment::base);
        bases.take_while(|base| *base < end).collect()
    }

    /// The segments in front of `end`, active one left out: where each begins, the bytes of its batches, and by which names
    /// its files go. No file is looked at.
    pub fn lengths(&mut self, end: Offset) -> Result<Vec<(Offset, u64, Stage)>, Fault> {
        self.check()?;
        let count = self.segments.iter().len() - 1;
        let before = self.segments.iter().take(count).take_while(|segment| segment.base() < end);
        Ok(before.map(|segment| (segment.base(), u64::from(segment.size()), segment.stage())).collect())
    }

    /// A segment to read from the batch that holds `from` on; `None` if it is gone or is active.
    pub fn source(&mut self, base: Offset, from: Offset) -> Result<Option<Source<D>>, Fault> {
        self.check()?;
        let next = self.segments.iter().find(|segment| segment.base() > base).map(Segment::base);
        let (Some(next_base), Some(segment)) = (next, self.segments.with_base(base)) else { return Ok(None) };
        let start = if from > base { segment.position_for_offset(from)? } else { 0 };
        let (size, path, file) = (segment.size(), segment.path(), segment.file()?);
        let aborted = self.segments.aborted(base.max(from), next_base)?;
        let high_watermark = self.partition.watermarks().high_watermark;
        Ok(Some(Source { base, size, start, path, file, high_watermark, aborted }))
    }

    /// The transactions aborted with records in `from..end`.
    pub fn aborted_between(&mut self, from: Offset, end: Offset) -> Result<Vec<AbortedTransaction>, Fault> {
        self.check()?;
        let aborted = self.segments.aborted(from, end);
        self.home.noted(aborted)
    }

    /// The last of every active producer.
    pub fn last_of_producers(&self) -> BTreeMap<ProducerId, LastOfProducer> {
        LastOfProducer::all(self.partition.producers())
    }

    /// Gives every segment its own names, where that could not be done before.
    pub(super) fn settle_segments(&mut self) -> Result<(), Fault> {
        for segment in self.segments.iter_mut().filter(|segment| segment.stage() != Stage::Live) {
            self.home.reserved(|| segment.move_to(Stage::Live))?;
            self.flush.note_names_changed();
        }
        Ok(())
    }

    fn is_at(&self, cleaning: &Cleaning) -> bool {
        let under_way = self.compaction.as_ref().and_then(|compaction| compaction.under_way.as_ref());
        under_way.is_some_and(|known| std::ptr::eq(&**known, cleaning))
    }

    /// Whether no compaction is at it, and nobody wants it to be left alone.
    fn is_free(&self) -> bool {
        self.compaction.as_ref().is_none_or(|compaction| compaction.is_free())
    }

    /// How compaction stands with it, to be changed.
    fn compaction(&mut self) -> &mut Compaction {
        self.compaction.get_or_insert_default()
    }

    /// Takes away what a cleaning leaves that was called off. A log that is gone, or lies elsewhere now, has taken it along.
    pub fn drop_cleaned(&mut self, cleaning: &Cleaning, bases: &[Offset]) -> Result<(), Fault> {
        if self.gone.is_some() || !self.is_at(cleaning) {
            return Ok(());
        }
        let mut names = cleaning.meet(&mut self.segments);
        names.discard(self.home.disk(), cleaning.directory(), bases)
    }
}
