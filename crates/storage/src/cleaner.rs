//! Compaction carried out: reads the dirty part of a log into a map, then writes its segments anew without the records
//! that later ones have replaced (KIP-58, KIP-98, KIP-534).
//!
//! A cleaner belongs to one thread. It reads and writes the log's files without the log's lock, in blocks, and holds
//! the lock only to ask and to change the list of segments in memory, so that appends and reads go on beside it. How
//! what it has written takes the place of the old segments, and what is brought to stable storage when, is told in
//! [`swap`].
//!
//! It never waits for time to pass: whoever runs it says when to go on ([`Pace`]). What to clean, and when, is decided
//! elsewhere ([`crate::LogDirs::dirtiest`]), and which records stay by [`partition::compaction`].

mod filter;
mod mapping;
mod source;
mod swap;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use partition::Millis;
use partition::compaction::dirty::Cleanable;
use partition::compaction::groups::{SegmentSize, groups};
use partition::compaction::{CleanedTransactions, LastOfProducer, OffsetMap, Pass};
use protocol::id::{ProducerId, Timestamp};
use protocol::offset::Offset;

use crate::disk::Disk;
use crate::fault::Fault;
use crate::log::{Cleaning, Source};
use crate::log_config::LogConfig;
use crate::log_directory::LogDirectory;
use crate::log_dirs::{SharedLog, whole};
use crate::names::SegmentFile;
use crate::segment::Segment;
use crate::segments::Rewritten;

use filter::{Filter, Filtered};
use source::SourceBatches;
use swap::{Batch, Written};

/// The most that is written by one call.
const WRITE_BYTES: usize = 64 << 10;
/// After so much work others are let in.
const PIECE_BYTES: usize = 32 << 10;
/// What a record costs besides its bytes, as if it were bytes.
const RECORD_BYTES: usize = 64;

/// What a cleaner may use.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CleanerOptions {
    /// Bytes of the map of one thread.
    pub map_bytes: u64,
    /// `log.cleaner.io.buffer.load.factor`.
    pub map_load: f64,
    /// Bytes of a read or write buffer of one thread.
    pub buffer_bytes: usize,
}

/// Who says how fast a cleaner may go.
pub trait Pace {
    /// Takes note of bytes read or written, and waits if that was too fast. `false`: end without effect.
    fn go_on(&mut self, bytes: u64) -> bool;

    /// A small piece of work is done: whoever waits for the processor should have it.
    fn let_others_in(&mut self) {}

    /// Something was brought to stable storage. Who writes to the same file system may have had to wait for its journal, and
    /// should not have to wait again at once.
    fn rest_after_sync(&mut self) {}
}

/// Counts work done in small pieces, down to the single record.
pub(crate) struct Work<'p> {
    pace: &'p mut dyn Pace,
    /// Bytes until the end of the piece.
    left: usize,
}

impl Work<'_> {
    /// Takes note that bytes, of records or other work, were gone through.
    pub(crate) fn note(&mut self, bytes: usize) {
        match self.left.checked_sub(bytes + RECORD_BYTES) {
            Some(left) => self.left = left,
            None => {
                self.left = PIECE_BYTES;
                self.pace.let_others_in();
            }
        }
    }
}

/// Why a cleaning had no effect, or only in part.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// It was told to end: the log was truncated, deleted, closed, or the node stops.
    #[error("the cleaning was called off")]
    Aborted,
    /// The disk failed, or what is on it cannot be read.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What a cleaning came to.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Cleaned {
    /// Up to here the log is clean.
    pub end: Offset,
    /// Bytes of batches read to fill the map.
    pub map_bytes_read: u64,
    /// Bytes of batches read to be written anew.
    pub bytes_read: u64,
    /// Bytes of batches written.
    pub bytes_written: u64,
    /// How full the map was, from 0 to 1.
    pub map_utilization: f64,
}

impl Cleaned {
    /// The part of what was read that stayed, in percent.
    pub fn recopy_percent(&self) -> f64 {
        if self.bytes_read == 0 { 0.0 } else { 100.0 * self.bytes_written as f64 / self.bytes_read as f64 }
    }
}

/// One thread's cleaner.
pub struct Cleaner {
    options: CleanerOptions,
    filter: Filter,
    out: Vec<u8>,
}

/// A cleaning under way.
struct Run<'a, D: Disk> {
    log: &'a SharedLog<D>,
    home: Arc<LogDirectory<D>>,
    disk: D,
    config: Arc<LogConfig>,
    cleaning: &'a Cleaning,
    options: CleanerOptions,
    now: Timestamp,
    work: Work<'a>,
    /// Bytes that the pace was not told of yet.
    unpaced: u64,
    report: Cleaned,
}

/// What a whole cleaning goes by, on its way through the groups.
struct Plan {
    map: OffsetMap,
    /// Segments whose file last changed after this keep their tombstones of formats v0 and v1.
    legacy_horizon: Timestamp,
    transactions: CleanedTransactions,
}

impl Cleaner {
    /// A cleaner that uses no more than this.
    pub fn new(options: CleanerOptions) -> Self {
        Self { options, filter: Filter::default(), out: Vec::new() }
    }

    /// Cleans a log as far as `cleanable` says, and takes note in the log. `None` if it was not to be had: somebody else
    /// is at it, or it is not compacted any more. An unreadable log is passed over from then on.
    pub fn clean<D: Disk>(
        &mut self,
        log: &SharedLog<D>,
        cleanable: &Cleanable,
        now: Timestamp,
        pace: &mut dyn Pace,
    ) -> Result<Option<Cleaned>, CleanError> {
        let (cleaning, home, config) = {
            let mut log = whole(log)?;
            let Some(cleaning) = log.begin_cleaning()? else { return Ok(None) };
            (cleaning, Arc::clone(log.home()), Arc::clone(log.config()))
        };
        let run = Run {
            log,
            disk: home.disk().clone(),
            home,
            config,
            cleaning: &cleaning,
            options: self.options,
            now,
            work: Work { pace, left: PIECE_BYTES },
            unpaced: 0,
            report: Cleaned::default(),
        };
        let outcome = self.run(run, cleanable);
        let mut log = whole(log)?;
        if let Err(CleanError::Fault(fault)) = &outcome
            && fault.takes_directory_offline()
            && !cleaning.is_aborted()
        {
            // Before the log would go on with what is left to be done.
            log.home().state().note(fault);
        }
        let cleaned_to = outcome.as_ref().ok().map(|cleaned| cleaned.end);
        let counts = log.end_cleaning(&cleaning, cleaned_to);
        match outcome {
            Ok(cleaned) if counts => Ok(Some(cleaned)),
            Ok(_) | Err(CleanError::Aborted) => Err(CleanError::Aborted),
            // A log that is gone fails in many ways, and none of them is news.
            Err(CleanError::Fault(_)) if cleaning.is_aborted() => Err(CleanError::Aborted),
            Err(CleanError::Fault(fault)) => {
                if !fault.takes_directory_offline() && !fault.is_passing() {
                    log.mark_uncleanable(fault.to_string());
                }
                Err(CleanError::Fault(fault))
            }
        }
    }

    fn run<D: Disk>(&mut self, mut run: Run<'_, D>, cleanable: &Cleanable) -> Result<Cleaned, CleanError> {
        let map = run.build_map(cleanable, &mut self.filter)?;
        let Some(latest) = map.latest() else {
            return Ok(Cleaned { end: cleanable.first_dirty, ..run.report });
        };
        run.report.map_utilization = map.utilization();
        run.report.end = latest.next();
        run.clear_up()?;
        let legacy_horizon = run.legacy_horizon(cleanable.first_dirty)?;
        let transactions = CleanedTransactions::default();
        let mut plan = Plan { map, legacy_horizon, transactions };
        let sizes = run.sizes(latest.next())?;
        let (mut rest, mut batch) = (&sizes[..], Batch::new(run.batch_bytes(), latest.next()));
        let mut all = true;
        for count in groups(&run.config.roll, &sizes, cleanable.first_uncleanable) {
            let (group, behind) = rest.split_at(count);
            rest = behind;
            let bases: Vec<Offset> = group.iter().map(|segment| segment.base_offset).collect();
            match self.clean_group(&mut run, &mut plan, bases) {
                Ok(Some(rewritten)) => batch.push(rewritten),
                Ok(None) => {
                    // What takes its place together has no gaps.
                    all = false;
                    run.swap(&mut batch)?;
                }
                Err(error) => {
                    // The first error is the one to tell.
                    run.end_early(batch, group[0].base_offset, &error);
                    return Err(error);
                }
            }
            if batch.is_full() {
                all &= run.swap(&mut batch)?;
            }
        }
        all &= run.swap(&mut batch)?;
        if !all {
            // What retention took from was not rewritten: the keys of the dirty part must be held against it once more.
            run.report.end = cleanable.first_dirty;
        }
        Ok(run.report)
    }

    /// Writes a group of segments as one. If retention has taken some of them away meanwhile there is nothing to be put in
    /// place of, and the cleaning goes on behind them.
    fn clean_group<D: Disk>(
        &mut self,
        run: &mut Run<'_, D>,
        plan: &mut Plan,
        bases: Vec<Offset>,
    ) -> Result<Option<Rewritten<D>>, CleanError> {
        let producers = whole(run.log)?.last_of_producers();
        let mut cleaned = run.begin_segment(bases[0])?;
        let mut written = Written::default();
        let mut modified = Timestamp(0);
        for base in &bases {
            let source = whole(run.log)?.source(*base, *base)?;
            let found = source.map(|source| (run.modified(&source.path), source));
            let Some((found, source)) = found.filter(|(found, _)| !gone(found)) else {
                run.discard(&bases[..1])?;
                return Ok(None);
            };
            modified = found?;
            self.clean_into((&mut cleaned, &mut written), run, (plan, &producers), (&source, modified))?;
        }
        cleaned.finish()?;
        run.write_out_rest(&mut cleaned, &written)?;
        cleaned.set_modified(modified)?;
        Ok(Some(Rewritten { segment: cleaned, bases }))
    }

    fn clean_into<D: Disk>(
        &mut self,
        (cleaned, written): (&mut Segment<D>, &mut Written),
        run: &mut Run<'_, D>,
        (plan, producers): (&mut Plan, &BTreeMap<ProducerId, LastOfProducer>),
        (source, modified): (&Source<D>, Timestamp),
    ) -> Result<(), CleanError> {
        plan.transactions.add(source.aborted.iter().copied());
        let pass = Pass {
            map: &plan.map,
            producers,
            high_watermark: source.high_watermark,
            now: run.now,
            delete_retention: run.config.compaction.delete_retention,
            keep_legacy_tombstones: modified > plan.legacy_horizon,
        };
        let cap = run.config.append.decompressed_batch_bytes_max;
        let disk = run.disk.clone();
        let mut batches = SourceBatches::new(&disk, source, run.options.buffer_bytes);
        while let Some((position, bytes)) = batches.next_batch()? {
            run.go_on(bytes.len())?;
            run.report.bytes_read += bytes.len() as u64;
            let before = self.out.len();
            run.work.note(bytes.len());
            let judge = (&pass, &mut plan.transactions);
            let filtered = self.filter.apply(judge, (bytes, cap), &mut self.out, &mut run.work);
            let Filtered { aborted } = filtered.map_err(|reason| {
                Fault::corrupt(
                    &source.path,
                    u64::from(position),
                    format!("compaction cannot read it: {reason}"),
                )
            })?;
            if let Some(aborted) = aborted {
                cleaned.abort(&aborted);
            }
            run.go_on(self.out.len() - before)?;
            if self.out.len() >= run.options.buffer_bytes.min(WRITE_BYTES) {
                self.write(cleaned, run)?;
                run.write_out(cleaned, written)?;
            }
        }
        self.write(cleaned, run)
    }

    fn write<D: Disk>(&mut self, cleaned: &mut Segment<D>, run: &mut Run<'_, D>) -> Result<(), CleanError> {
        let outcome = if self.out.is_empty() {
            Ok(())
        } else {
            cleaned.append(&self.out, run.config.index_interval_bytes)
        };
        run.report.bytes_written += self.out.len() as u64;
        self.out.clear();
        if self.out.capacity() > 2 * run.options.buffer_bytes.max(1 << 20) {
            self.out = Vec::new();
        }
        Ok(outcome?)
    }
}

/// Whether retention has taken away what was looked for.
fn gone(found: &Result<Timestamp, Fault>) -> bool {
    found.as_ref().is_err_and(Fault::not_found)
}

impl<D: Disk> Run<'_, D> {
    /// The sizes of the segments in front of `end`. Files are looked at without the log's lock: whoever appends would have to
    /// wait for each of them again.
    fn sizes(&self, end: Offset) -> Result<Vec<SegmentSize>, CleanError> {
        let lengths = whole(self.log)?.lengths(end)?;
        let mut sizes = Vec::with_capacity(lengths.len());
        for (base, bytes, stage) in lengths {
            let length =
                |file: SegmentFile| self.length(&file.path_at(self.cleaning.directory(), base, stage));
            sizes.push(SegmentSize {
                base_offset: base,
                bytes,
                offset_index_bytes: length(SegmentFile::OffsetIndex)?,
                time_index_bytes: length(SegmentFile::TimeIndex)?,
            });
        }
        Ok(sizes)
    }

    /// The length of a file; none if it is not there.
    fn length(&self, path: &Path) -> Result<u64, Fault> {
        match self.disk.facts(path) {
            Ok(facts) => Ok(facts.length),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(Fault::io("read", path, error)),
        }
    }

    fn go_on(&mut self, bytes: usize) -> Result<(), CleanError> {
        self.unpaced += bytes as u64;
        if self.cleaning.is_aborted() {
            return Err(CleanError::Aborted);
        }
        if self.unpaced < self.options.buffer_bytes as u64 {
            return Ok(());
        }
        if self.work.pace.go_on(std::mem::take(&mut self.unpaced)) {
            Ok(())
        } else {
            Err(CleanError::Aborted)
        }
    }

    /// Tombstones of formats v0 and v1 may go from segments that had not changed for `delete.retention.ms` when the last
    /// clean one did.
    fn legacy_horizon(&self, first_dirty: Offset) -> Result<Timestamp, CleanError> {
        let last = {
            let mut log = whole(self.log)?;
            match log.bases(Offset::ZERO, first_dirty).last().copied() {
                Some(base) => log.source(base, base)?.map(|source| source.path),
                None => None,
            }
        };
        let Some(path) = last else { return Ok(Timestamp(0)) };
        let Millis(retention) = self.config.compaction.delete_retention;
        Ok(Timestamp(self.modified(&path)?.0.saturating_sub(retention)))
    }

    fn modified(&self, path: &Path) -> Result<Timestamp, Fault> {
        let facts = self.disk.facts(path).map_err(|error| Fault::io("read", path, error))?;
        Ok(facts.modified)
    }
}

#[cfg(test)]
mod tests;
