//! Where recovery and replay of a log begin when it is opened, and the machine while it is told the batches.
//!
//! Batches in front of that are in the producer snapshot it begins with, and in the leader epochs; those behind it are told
//! once each, in order.

use std::path::Path;
use std::sync::Arc;

use partition::leader_epochs::EpochEntry;
use partition::producers::ProducerEntry;
use partition::transactions::AbortedTransaction;
use partition::{Partition, Restored};
use protocol::id::Timestamp;
use protocol::offset::Offset;
use protocol::records::batches::Batch;

use crate::disk::Disk;
use crate::fault::Fault;
use crate::listing::Listing;
use crate::log_config::LogConfig;
use crate::log_directory::LogDirectory;
use crate::names::SegmentFile;
use crate::producer_snapshot;
use crate::recovery::Replay;
use crate::resume_point::ResumePoint;
use crate::segment::Segment;
use crate::segments::{Loading, first_recovered};

/// Where recovery and replay begin. The segments that a clean end has told of are listed like the others, unless nothing
/// of them is replayed and nothing of the end is in doubt.
pub(super) fn find_start<D: Disk>(
    home: &LogDirectory<D>,
    directory: &Arc<Path>,
    (listing, torn): (&mut Listing, bool),
    loading: Loading,
) -> Result<(Loading, ReplayStart), Fault> {
    let found = find_start_among(home, directory, (listing, torn), loading)?;
    let active = listing.segments.first_key_value().map(|(base, _)| *base);
    let apart = active.is_some_and(|active| found.1.offset >= active)
        && loading.end.is_some_and(|end| end >= loading.log_start);
    if listing.older.is_none() || apart {
        return Ok(found);
    }
    listing.list_older();
    find_start_among(home, directory, (listing, torn), loading)
}

/// Where recovery and replay begin: at the point that was written down for that after a crash, if it holds, or else at the
/// front of a segment. Where the leader epochs are torn those of the whole segment are to be learned again.
fn find_start_among<D: Disk>(
    home: &LogDirectory<D>,
    directory: &Arc<Path>,
    (listing, torn): (&Listing, bool),
    loading: Loading,
) -> Result<(Loading, ReplayStart), Fault> {
    let disk = home.disk();
    let there = listing.resume_point && !loading.clean && !torn;
    let point = if there { ResumePoint::read(disk, directory)? } else { None };
    if let Some(point) = point {
        let resumed = Loading { resume: Some(point), ..loading };
        let facts = listing.segments.get(&point.base);
        let facts = facts.filter(|_| first_recovered(listing, resumed) == Some(point.base));
        if let Some(facts) = facts
            && Segment::open(home.descriptors(), directory, point.base, *facts).is_resumable(&point)?
        {
            let start = ReplayStart::find(disk, directory, listing, resumed)?;
            if start.offset == point.offset {
                return Ok((resumed, start));
            }
        }
        tracing::info!(directory = %directory.display(), "recovery begins at the front of a segment");
    }
    Ok((loading, ReplayStart::find(disk, directory, listing, loading)?))
}

/// Where replaying the batches begins, and with what producers.
pub(super) struct ReplayStart {
    pub(super) offset: Offset,
    producers: Vec<ProducerEntry>,
}

impl ReplayStart {
    /// The newest producer snapshot that is whole and not behind where recovery begins. Without one all
    /// there is must be read, unless the log was closed cleanly: Kafka leaves none only where there are no producers.
    fn find<D: Disk>(disk: &D, directory: &Path, listing: &Listing, loading: Loading) -> Result<Self, Fault> {
        let front = || first_recovered(listing, loading).unwrap_or(Offset(i64::MAX));
        let limit = loading.resume.map_or_else(front, |point| point.offset);
        let first = listing.segments.first_key_value().map_or(Offset(i64::MAX), |(base, _)| *base);
        let compacted = loading.compacted && !loading.clean;
        let snapshots = listing.snapshots.range(..=limit);
        if let Some(found) = Self::newest(disk, directory, snapshots, (first, compacted))? {
            return Ok(found);
        }
        let offset = match loading.clean && listing.snapshots.is_empty() {
            true => limit,
            false => {
                listing.segments.range(..=loading.log_start).next_back().map_or(loading.log_start, |it| *it.0)
            }
        };
        Ok(Self { offset: offset.min(limit), producers: Vec::new() })
    }

    /// The newest whole one of these snapshots. Of a log that may be compacted, whose first segment begins at `first`, it is
    /// one in which no transaction is open: the marker that ended it behind the snapshot may have been dropped since, with
    /// its batches in front of it. Further back either both are there or neither.
    pub(super) fn newest<'a, D: Disk>(
        disk: &D,
        directory: &Path,
        snapshots: impl DoubleEndedIterator<Item = &'a Offset>,
        (first, compacted): (Offset, bool),
    ) -> Result<Option<Self>, Fault> {
        for offset in snapshots.rev() {
            let path = SegmentFile::ProducerSnapshot.path(directory, *offset);
            match producer_snapshot::read(disk, &path) {
                Ok(Some(producers)) => {
                    let mut found = Self { offset: *offset, producers };
                    if compacted && *offset <= first {
                        found.end_transactions();
                    }
                    if !(compacted && found.has_open_transaction()) {
                        return Ok(Some(found));
                    }
                }
                Ok(None) => {}
                // One odd file must not cost the start hours (KAFKA-12520): an older one will do.
                Err(Fault::Corrupt { .. }) => {
                    tracing::warn!(path = %path.display(), "producer snapshot is corrupt")
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(None)
    }

    fn has_open_transaction(&self) -> bool {
        self.producers.iter().any(|producer| producer.current_transaction_first_offset.is_some())
    }

    /// Takes no transaction for open before the replay. Where no batch lies in front of it, one that goes on is opened
    /// again by its next batch.
    fn end_transactions(&mut self) {
        for producer in &mut self.producers {
            producer.current_transaction_first_offset = None;
        }
    }

    pub(super) fn nothing(offset: Offset) -> Self {
        Self { offset, producers: Vec::new() }
    }

    pub(super) fn partition(&self, epochs: Vec<EpochEntry>, now: Timestamp, config: &LogConfig) -> Replaying {
        // A clean log is not replayed at all where its newest snapshot is at its end, or where it has none.
        let start = if self.offset.0 == i64::MAX { Offset::ZERO } else { self.offset };
        let restored = Restored {
            log_start: start,
            high_watermark: start,
            snapshot_offset: start,
            producers: self.producers.iter().copied(),
            leader_epochs: epochs,
        };
        let mut partition = Partition::restore(restored, now, config.producer_expiration);
        partition.set_producer_ids_max(config.producer_ids_max);
        Replaying { partition }
    }
}

/// The machine while it is told the batches of its log.
pub(super) struct Replaying {
    partition: Partition,
}

impl Replay for Replaying {
    fn replay(&mut self, batch: &Batch<'_>) -> Result<Option<AbortedTransaction>, String> {
        if batch.header.next_offset() <= self.partition.watermarks().log_end {
            return Ok(None);
        }
        self.partition.reload(batch).map_err(|refusal| refusal.to_string())
    }
}

impl Replaying {
    pub(super) fn finish(
        self,
        directory: &Path,
        (log_start, high_watermark, end): (Offset, Offset, Offset),
    ) -> Result<Partition, Fault> {
        let replayed = self.partition.watermarks().log_end;
        if replayed > end.max(log_start) {
            let reason = format!("its batches reach offset {replayed}, and its last one ends at {end}");
            return Err(Fault::corrupt(directory, 0, reason));
        }
        Ok(self.partition.loaded(log_start, high_watermark, end))
    }
}
