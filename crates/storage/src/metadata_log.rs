//! The metadata log, `__cluster_metadata-0` in the metadata log directory: batches with their leader's epoch, control
//! records of the quorum among them, snapshots beside (KIP-595, KIP-630).
//!
//! Driven by the quorum's runtime, which says what to append and when; nothing counts before [`MetadataLog::flush`]
//! has returned. Never decides anything: elections are raft's, records the controller's.

mod clean_end;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use metadata::{Image, MetadataRecord};
use protocol::id::{LeaderEpoch, NodeId, Timestamp, Uuid};
use protocol::messages::record::leader_change_message::{LeaderChangeMessage, Voter};
use protocol::offset::Offset;
use protocol::records::batches::Batch;
use protocol::records::build::BatchBuilder;
use protocol::records::control::ControlType;
use raft::{LogModel, OffsetAndEpoch, QuorumState, VoterSet};

use crate::checkpoint;
use crate::descriptors::Descriptors;
use crate::disk::{Disk, RealDisk};
use crate::fault::Fault;
use crate::listing::Listing;
use crate::recovery::Replay;
use crate::segments::{IndexLimits, Loading, ReadSlice, Segments};
use crate::snapshots::{self, BOOTSTRAP, QuorumControl, each_control, each_record, options, push_control};
use crate::{partition_metadata, quorum_state};
use partition::transactions::AbortedTransaction;

pub use clean_end::check_clean_end;

/// The directory of the metadata log within its log directory.
pub const METADATA_DIRECTORY: &str = "__cluster_metadata-0";

/// The id of the metadata topic, the same in every cluster.
pub const METADATA_TOPIC_ID: Uuid = Uuid(1u128.to_be_bytes());

/// When segments are rolled and old snapshots dropped.
#[derive(Clone, Copy, Debug)]
pub struct MetadataLimits {
    /// `metadata.log.segment.bytes`.
    pub segment_bytes: u64,
    /// `metadata.log.segment.ms`.
    pub segment_ms: i64,
    /// `metadata.max.retention.bytes`; `None` for no bound.
    pub retention_bytes: Option<u64>,
    /// `metadata.max.retention.ms`; `None` for no bound.
    pub retention_ms: Option<i64>,
}

/// The metadata log of this node.
pub struct MetadataLog<D: Disk = RealDisk> {
    disk: D,
    directory: Arc<Path>,
    segments: Segments<D>,
    limits: MetadataLimits,
    epochs: Vec<(LeaderEpoch, Offset)>,
    /// Bytes appended since the newest snapshot.
    bytes_since_snapshot: u64,
    /// Whether a segment was made whose name may not be on stable storage yet.
    unsynced_name: bool,
}

/// What a directory held.
#[derive(Debug)]
pub struct LoadedMetadata {
    /// The newest snapshot and the log after it.
    pub image: Image,
    /// The log as raft models it.
    pub model: LogModel,
    /// What this node must not have forgotten.
    pub quorum_state: QuorumState,
    /// The voters and `kraft.version`, from the log or a snapshot.
    pub control: QuorumControl,
    /// Whether the voters come from the bootstrap snapshot only.
    pub voters_unlogged: bool,
    /// The records to begin a cluster with, where the log has none yet.
    pub bootstrap: Vec<MetadataRecord<'static>>,
    /// Where and why the tail of the log was cut, for the log of the process.
    pub cut: Option<(PathBuf, String)>,
}

/// Whether a log directory holds a metadata log that a node has begun: formatting leaves none.
pub fn is_begun<D: Disk>(disk: &D, log_directory: &Path) -> Result<bool, Fault> {
    let directory = log_directory.join(METADATA_DIRECTORY);
    match disk.list(&directory) {
        Ok(entries) => {
            Ok(entries.iter().any(|entry| Path::new(&entry.name).extension() == Some("log".as_ref())))
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(Fault::io("list", &directory, error)),
    }
}

impl<D: Disk> MetadataLog<D> {
    /// Opens the metadata log of a formatted log directory: the newest snapshot, then the log after it. A tail that
    /// a crash left torn is cut: it was never answered for.
    pub fn open(
        descriptors: &Descriptors<D>,
        log_directory: &Path,
        limits: MetadataLimits,
        now: Timestamp,
    ) -> Result<(Self, LoadedMetadata), Fault> {
        let disk = descriptors.disk().clone();
        let directory: Arc<Path> = log_directory.join(METADATA_DIRECTORY).into();
        match disk.create_dir(&directory) {
            Ok(()) => {
                disk.fsync_dir(log_directory).map_err(|error| Fault::io("fsync", log_directory, error))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Fault::io("create", &directory, error)),
        }
        let newest = snapshots::list(&disk, &directory)?.pop();
        let mut replay = MetadataReplay::begin(&disk, &directory, newest)?;
        let start = newest.filter(|id| *id != BOOTSTRAP).unwrap_or_default();
        let listing = Listing::read(&disk, &directory)?;
        let limits_of_indexes = IndexLimits::default();
        let (segments, end, cut) = if listing.segments.is_empty() {
            let segments =
                Segments::create(descriptors, Arc::clone(&directory), start.offset, limits_of_indexes, now)?;
            (segments, start.offset, None)
        } else {
            let loading = Loading {
                clean: false,
                recovery_point: start.offset,
                log_start: start.offset,
                compacted: false,
                end: None,
                resume: None,
                now,
            };
            let what = (&listing, limits_of_indexes, loading);
            let loaded =
                Segments::load(descriptors, Arc::clone(&directory), what, start.offset, &mut replay)?;
            (loaded.segments, loaded.end, loaded.cut)
        };
        if let Some(reason) = replay.unreadable {
            return Err(Fault::Mismatch { path: directory.to_path_buf(), reason });
        }
        match partition_metadata::read(&disk, &directory) {
            Ok(Some(_)) => {}
            // The id is the same everywhere: what a power cut left of the file is no loss.
            Ok(None) | Err(Fault::Corrupt { .. }) => {
                partition_metadata::write_synced(&disk, &directory, METADATA_TOPIC_ID)?;
            }
            Err(fault) => return Err(fault),
        }
        let quorum_state = quorum_state::read(&disk, &directory)?;
        let log = Self {
            disk,
            directory,
            bytes_since_snapshot: if start == BOOTSTRAP { segments.size() } else { replay.bytes },
            segments,
            limits,
            epochs: replay.epochs.clone(),
            // Loading may have made the first segment, or begun anew after a snapshot.
            unsynced_name: true,
        };
        if replay.bootstrap.is_empty() {
            replay.bootstrap = snapshots::read_older_bootstrap(descriptors.disk(), log_directory)?;
        }
        let empty = end == Offset::ZERO && start == OffsetAndEpoch::default();
        let voters_unlogged = !replay.voters_logged && start == BOOTSTRAP && replay.control.voters.is_some();
        let loaded = LoadedMetadata {
            image: replay.image,
            model: LogModel::new(start, replay.epochs, end),
            quorum_state,
            control: replay.control,
            voters_unlogged: voters_unlogged && empty,
            bootstrap: replay.bootstrap,
            cut,
        };
        Ok((log, loaded))
    }

    /// The directory of the log.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Bytes appended since the newest snapshot.
    pub fn bytes_since_snapshot(&self) -> u64 {
        self.bytes_since_snapshot
    }

    /// Replaces `quorum-state`. `fixed_voters` are the voters of the configuration, `None` where the log has them.
    pub fn persist(&self, state: QuorumState, fixed_voters: Option<&VoterSet>) -> Result<(), Fault> {
        quorum_state::write(&self.disk, &self.directory, state, fixed_voters)
    }

    /// Appends records as one batch: together or, after a crash, not at all. Nothing is on stable storage yet.
    pub fn append(
        &mut self,
        (base, epoch): (Offset, LeaderEpoch),
        records: &[MetadataRecord<'_>],
        metadata_version: i16,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let mut builder = BatchBuilder::new(options(epoch, base, false));
        let mut value = Vec::new();
        for record in records {
            value.clear();
            let encoded = record.encode(metadata_version, &mut value);
            // Decisions hold what requests brought, and those were bounded when they were decoded.
            encoded.map_err(|error| Fault::Mismatch {
                path: self.directory.to_path_buf(),
                reason: format!("a record cannot be written: {error}"),
            })?;
            builder.push(now, None, Some(&value), &[]);
        }
        self.append_batch(builder.finish_uncompressed(), (base, epoch), now)
    }

    /// Appends the control records that open a leader's epoch; with `control` the protocol's version and the voters
    /// follow.
    pub fn append_leader_change(
        &mut self,
        (base, epoch): (Offset, LeaderEpoch),
        (leader, voters, granting): (NodeId, &VoterSet, &[NodeId]),
        control: Option<&QuorumControl>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let voter = |id: NodeId| Voter { voter_id: id.0, voter_directory_id: Uuid::ZERO };
        let message = LeaderChangeMessage {
            version: 0,
            leader_id: leader.0,
            voters: voters.ids().map(voter).collect(),
            granting_voters: granting.iter().copied().map(voter).collect(),
        };
        let mut builder = BatchBuilder::new(options(epoch, base, true));
        push_control(&mut builder, now, ControlType::LeaderChange, &message);
        if let Some(control) = control {
            control.push(now, &mut builder);
        }
        self.append_batch(builder.finish_uncompressed(), (base, epoch), now)
    }

    fn append_batch(
        &mut self,
        batch: Vec<u8>,
        (base, epoch): (Offset, LeaderEpoch),
        now: Timestamp,
    ) -> Result<(), Fault> {
        let active = self.segments.active();
        let (size, created) = (u64::from(active.size()), active.created());
        let full = size + batch.len() as u64 > self.limits.segment_bytes;
        let old = now.0.saturating_sub(created.0) >= self.limits.segment_ms;
        if size > 0 && (full || old) {
            self.roll(base, now)?;
        }
        // Before the batch: an epoch without a record does no harm, and after an error all is as it was.
        if self.epochs.last().is_none_or(|&(last, _)| last < epoch) {
            self.epochs.push((epoch, base));
            if let Err(fault) = self.write_epochs() {
                self.epochs.pop();
                return Err(fault);
            }
        }
        self.segments.append(&batch)?;
        self.bytes_since_snapshot += batch.len() as u64;
        Ok(())
    }

    fn roll(&mut self, base: Offset, now: Timestamp) -> Result<(), Fault> {
        // A start from the snapshot at `base` takes the indexes of what lies before it on trust.
        self.segments.active().finish()?;
        self.unsynced_name = true;
        self.sync(true)?;
        self.unsynced_name |= self.segments.roll(base, now)?;
        Ok(())
    }

    /// Brings everything appended to stable storage. After an error the log must not be used again: the pages that
    /// could not be written may be gone.
    pub fn flush(&mut self) -> Result<(), Fault> {
        self.sync(false)
    }

    fn sync(&mut self, indexes: bool) -> Result<(), Fault> {
        for (path, file) in self.segments.active().dirty_files(indexes)? {
            self.disk.fdatasync(&file).map_err(|error| Fault::io("fsync", &path, error))?;
        }
        if self.unsynced_name {
            let directory = &self.directory;
            self.disk.fsync_dir(directory).map_err(|error| Fault::io("fsync", directory, error))?;
            self.unsynced_name = false;
        }
        Ok(())
    }

    /// Cuts the tail of the log.
    pub fn truncate(&mut self, to: Offset) -> Result<(), Fault> {
        self.unsynced_name = true;
        self.segments.truncate(to, None)?;
        self.epochs.retain(|&(_, first)| first < to);
        self.write_epochs()?;
        self.flush()
    }

    /// A part of the log from `from` on, for a follower or an observer: up to `end`, at most `bytes_max` bytes but at
    /// least one batch.
    pub fn read(
        &mut self,
        from: Offset,
        (end, log_end): (Offset, Offset),
        bytes_max: u32,
    ) -> Result<ReadSlice<D>, Fault> {
        self.segments.read(from, (end, log_end), bytes_max, true)
    }

    /// Notes that a snapshot was written beside the log, begins a new segment behind it so that the old ones can go,
    /// and drops what the bounds on bytes and age allow. Answers with the snapshot the log begins after now.
    pub fn snapshot_written(&mut self, end: Offset, now: Timestamp) -> Result<OffsetAndEpoch, Fault> {
        self.bytes_since_snapshot = 0;
        self.roll(end, now)?;
        let mut kept = snapshots::list(&self.disk, &self.directory)?;
        kept.retain(|id| *id != BOOTSTRAP);
        while kept.len() > 1 && self.is_over_bounds(&kept, now)? {
            let dropped = kept.remove(0);
            let path = snapshots::path(&self.directory, dropped);
            self.disk.unlink(&path).map_err(|error| Fault::io("remove", &path, error))?;
        }
        let start = kept.first().copied().unwrap_or_default();
        // A segment may go once the next one begins at or before the oldest snapshot.
        let bases: Vec<_> = self.segments.iter().map(|segment| segment.base()).collect();
        let whole = bases.iter().skip(1).filter(|base| **base <= start.offset).count();
        if kept.len() > 1 || whole > 0 && self.is_over_bounds(&kept, now)? {
            let mut renamed = Vec::new();
            let dropped = self.segments.drop_front(whole, &mut renamed);
            for path in renamed {
                self.disk.unlink(&path).map_err(|error| Fault::io("remove", &path, error))?;
            }
            dropped?;
        }
        Ok(start)
    }

    fn is_over_bounds(&self, kept: &[OffsetAndEpoch], now: Timestamp) -> Result<bool, Fault> {
        let mut bytes = self.segments.size();
        let mut oldest = None;
        for &id in kept {
            let path = snapshots::path(&self.directory, id);
            let facts = self.disk.facts(&path).map_err(|error| Fault::io("read", &path, error))?;
            bytes += facts.length;
            oldest = oldest.or(Some(facts.modified));
        }
        let too_large = self.limits.retention_bytes.is_some_and(|max| bytes > max);
        let age = oldest.map_or(0, |oldest| now.0.saturating_sub(oldest.0));
        Ok(too_large || self.limits.retention_ms.is_some_and(|max| age > max))
    }

    fn write_epochs(&self) -> Result<(), Fault> {
        checkpoint::write_leader_epochs(
            &self.disk,
            &self.directory.join(checkpoint::LEADER_EPOCH),
            &self.epochs,
        )
    }

    /// Ends the indexes as a clean stop does.
    pub fn close(&mut self) -> Result<(), Fault> {
        self.flush()?;
        self.segments.finish()
    }
}

/// Takes in the log while its segments are recovered.
struct MetadataReplay {
    image: Image,
    control: QuorumControl,
    voters_logged: bool,
    bootstrap: Vec<MetadataRecord<'static>>,
    start: Offset,
    epochs: Vec<(LeaderEpoch, Offset)>,
    bytes: u64,
    /// Why a sound batch could not be understood. It must not be cut away like a torn one.
    unreadable: Option<String>,
}

impl MetadataReplay {
    fn begin<D: Disk>(disk: &D, directory: &Path, newest: Option<OffsetAndEpoch>) -> Result<Self, Fault> {
        let mut replay = Self {
            image: Image::default(),
            control: QuorumControl::default(),
            voters_logged: false,
            bootstrap: Vec::new(),
            start: Offset::ZERO,
            epochs: Vec::new(),
            bytes: 0,
            unreadable: None,
        };
        if let Some(id) = newest {
            let snapshot = snapshots::read(disk, directory, id)?;
            replay.control = snapshot.control;
            replay.bootstrap = snapshot.records;
            if id != BOOTSTRAP {
                replay.image = snapshot.image;
                replay.start = id.offset;
            }
        }
        Ok(replay)
    }

    fn take(&mut self, batch: &Batch<'_>) -> Result<(), String> {
        let header = &batch.header;
        if header.next_offset() <= self.start {
            return Ok(());
        }
        self.bytes += batch.bytes.len() as u64;
        if self.epochs.last().is_none_or(|&(last, _)| last < header.leader_epoch) {
            self.epochs.push((header.leader_epoch, header.base_offset.max(self.start)));
        }
        if header.attributes.is_control() {
            let (control, logged) = (&mut self.control, &mut self.voters_logged);
            each_control(batch, |record| {
                control.take(record)?;
                *logged |= control.voters.is_some();
                Ok(())
            })?;
        } else {
            let (image, start) = (&mut self.image, self.start);
            each_record(batch, |offset, record| {
                if offset >= start {
                    image.replay(offset, &record);
                }
            })?;
        }
        self.image.advance(header.next_offset(), header.leader_epoch, header.max_timestamp);
        Ok(())
    }
}

impl Replay for MetadataReplay {
    fn replay(&mut self, batch: &Batch<'_>) -> Result<Option<AbortedTransaction>, String> {
        if self.unreadable.is_none()
            && let Err(reason) = self.take(batch)
        {
            let base = batch.header.base_offset;
            self.unreadable = Some(format!(
                "the batch at offset {base} of the metadata log is sound but cannot be understood: {reason}"
            ));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
