//! The segments of a log as they come from the disk: listed, recovered from where they may be torn, or taken on the word of a
//! clean end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::id::Timestamp;
use protocol::offset::Offset;

use super::{IndexLimits, SegmentList, Segments};
use crate::descriptors::Descriptors;
use crate::disk::{Disk, RealDisk};
use crate::fault::Fault;
use crate::listing::Listing;
use crate::older_segments::OlderSegments;
use crate::recovery::{self, Replay};
use crate::resume_point::ResumePoint;
use crate::segment::{Segment, SegmentFacts};

/// What is known of a log before its files are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Loading {
    /// Whether the directory was closed cleanly: then the files are what they should be.
    pub clean: bool,
    /// Up to here the batches are on stable storage.
    pub recovery_point: Offset,
    /// The log begins here, or at its first segment if that begins later.
    pub log_start: Offset,
    /// Whether a segment may end before the next one begins, as compaction leaves it.
    pub compacted: bool,
    /// Where the log ends, if a clean end has told.
    pub end: Option<Offset>,
    /// Where in the first segment to be recovered recovery may begin: a point that holds.
    pub resume: Option<ResumePoint>,
    /// The time.
    pub now: Timestamp,
}

/// Segments as they came from the disk.
pub struct Loaded<D: Disk = RealDisk> {
    /// The segments.
    pub segments: Segments<D>,
    /// The offset after the last batch.
    pub end: Offset,
    /// Where and why the tail was cut, for the log of the process.
    pub cut: Option<(PathBuf, String)>,
    /// Whether all batches lay before the log start and the log was begun anew there.
    pub restarted: bool,
}

impl<D: Disk> Segments<D> {
    /// Loads the segments of a listing: those from [`first_recovered`] on are checked and their indexes made anew.
    /// `replay` is told every batch from `replay_from` on, once, in order; that must not lie behind the first segment
    /// recovered, or behind where in it recovery begins.
    pub fn load(
        descriptors: &Descriptors<D>,
        directory: Arc<Path>,
        (listing, limits, loading): (&Listing, IndexLimits, Loading),
        replay_from: Offset,
        replay: &mut impl Replay,
    ) -> Result<Loaded<D>, Fault> {
        // Most of very many logs have one segment: nothing is set aside for more.
        let mut list = Vec::with_capacity(listing.segments.len());
        let open = |(base, facts): (&Offset, &_)| Segment::open(descriptors, &directory, *base, *facts);
        list.extend(listing.segments.iter().map(open));
        let mut segments = Self::of(descriptors, directory, SegmentList::new(list), limits);
        let (mut end, mut cut) = (loading.log_start, None);
        let recover_from = first_recovered(listing, loading).unwrap_or(Offset(i64::MAX));
        let mut index = 0;
        while index < segments.list.count() {
            let next_base = segments.list.base_at(index + 1);
            let segment = segments.list.at(index);
            if segment.base() >= recover_from {
                let resume = loading.resume.as_ref().filter(|point| point.base == segment.base());
                let recovered =
                    recovery::recover(segment, (resume, next_base), limits.interval_bytes, replay)?;
                end = recovered.end;
                // A tail may be lost at the end of a batch: what follows would be a log with a hole.
                let hole =
                    next_base.filter(|next| !loading.compacted && end < *next && *next > loading.log_start);
                let hole =
                    hole.map(|next| format!("it ends at offset {end}, and {next} begins the next segment"));
                if let Some(reason) = recovered.cut.or(hole) {
                    cut = Some((segment.path(), reason));
                    segments.drop_after(index)?;
                    segments.sync_cut(index, None)?;
                }
            } else {
                let next = match next_base {
                    Some(next) => next,
                    None => match loading.end {
                        Some(end) => end,
                        None => segment.read_next_offset()?,
                    },
                };
                if next > replay_from {
                    recovery::replay(segment, (replay_from, next_base), replay)?;
                }
                end = next;
            }
            index += 1;
        }
        let restarted = end < loading.log_start || segments.list.count() == 0;
        if restarted {
            // The tail was lost, or files were taken away: nothing before the log start may come back as new.
            segments.restart(loading.log_start, loading.now)?;
            end = loading.log_start;
        }
        segments.place();
        Ok(Loaded { segments, end, cut, restarted })
    }

    /// The segments of a clean end that told of all: nothing is looked at, and those before the active one are made when they
    /// are asked for. The active one is told to `replay` as far as that has not been done.
    pub fn load_told(
        descriptors: &Descriptors<D>,
        directory: Arc<Path>,
        (older, active, limits): (OlderSegments, (Offset, SegmentFacts), IndexLimits),
        (replay_from, end): (Offset, Offset),
        replay: &mut impl Replay,
    ) -> Result<Self, Fault> {
        let mut active = Segment::open(descriptors, &directory, active.0, active.1);
        if end > replay_from {
            recovery::replay(&mut active, (replay_from, None), replay)?;
        }
        let made_with = (descriptors.clone(), Arc::clone(&directory));
        let list = SegmentList::behind(older, active, made_with);
        Ok(Self::of(descriptors, directory, list, limits))
    }
}

/// The base of the first segment that loading checks and indexes anew: after a crash the one that holds the recovery
/// point, or the point where recovery may begin, and in any case one whose index is missing beside its batches
/// (KAFKA-13603).
pub fn first_recovered(listing: &Listing, loading: Loading) -> Option<Offset> {
    let broken = listing
        .segments
        .iter()
        .find(|(_, facts)| facts.size > 0 && !(facts.offset_index && facts.time_index))
        .map(|(base, _)| *base);
    if loading.clean {
        return broken;
    }
    let held = listing.segments.range(..=loading.recovery_point).next_back();
    let unsafe_from = held.or(listing.segments.first_key_value()).map(|(base, _)| *base);
    let resumed = loading.resume.map(|point| point.base);
    broken.into_iter().chain(unsafe_from.max(resumed)).min()
}
