//! Making a log, and opening one from its files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use partition::leader_epochs::EpochEntry;
use partition::{Millis, Partition};
use protocol::id::{Timestamp, TopicId};
use protocol::offset::Offset;

use super::Log;
use super::cleaning::Compaction;
use super::machine::Machine;
use super::replay::{Replaying, find_start};
use super::resume::{NEVER, Resume};
use crate::checkpoint;
use crate::clean_logs::KnownLog;
use crate::descriptors::Descriptors;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::flush_progress::{FlushProgress, SmallFile};
use crate::listing::Listing;
use crate::log_config::LogConfig;
use crate::log_directory::LogDirectory;
use crate::names::{SegmentFile, TopicPartition};
use crate::partition_metadata;
use crate::producer_snapshot;
use crate::removals;
use crate::resume_point::ResumePoint;
use crate::segment::Segment;
use crate::segments::{IndexLimits, Loaded, Loading, Segments, first_recovered};
use crate::snapshot_offsets::SnapshotOffsets;
use crate::written_lately::WrittenLately;

/// What the checkpoints of a log directory say about one log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checkpoints {
    /// Whether the log directory was closed cleanly.
    pub clean: bool,
    /// `recovery-point-offset-checkpoint`.
    pub recovery_point: Offset,
    /// `log-start-offset-checkpoint`.
    pub log_start: Offset,
    /// `replication-offset-checkpoint`.
    pub high_watermark: Offset,
    /// `cleaner-offset-checkpoint`.
    pub cleaned_to: Option<Offset>,
}

impl Checkpoints {
    /// What they say of a log they do not name, after a crash.
    pub(crate) const fn nothing() -> Self {
        let zero = Offset::ZERO;
        Self { clean: false, recovery_point: zero, log_start: zero, high_watermark: zero, cleaned_to: None }
    }
}

/// Of what the directory and files of a log may be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Room {
    /// Of what is free: a record that is to be appended, and what nobody waits for, wait for room.
    Free,
    /// Of the reserve too, where nothing is free, down to what is kept for the node itself: very many logs may ask.
    Reserve,
}

/// What is known of a log before it is opened: its directory, the files in it, the leader epochs if they are whole, and where
/// it ends, if a clean end has told.
type Found = (Arc<Path>, Listing, Option<Vec<EpochEntry>>, Option<Offset>);

/// A log as it came from its files.
pub struct Opened<D: Disk> {
    /// The log.
    pub log: Log<D>,
    /// Where and why its tail was cut, if it was.
    pub cut: Option<(PathBuf, String)>,
    /// Whether recovery began at a place within a segment.
    pub resumed: bool,
}

impl<D: Disk> Log<D> {
    /// Makes the directory and files of a new, empty log. They are brought to stable storage in the background: nothing
    /// of it counts before its first record does.
    pub fn create(
        home: Arc<LogDirectory<D>>,
        name: TopicPartition,
        topic_id: TopicId,
        config: Arc<LogConfig>,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let mut log = Self::plan(home, name, topic_id, config, now)?;
        log.make(Room::Reserve)?;
        Ok(log)
    }

    /// A new, empty log whose directory and files come with its first record: most of very many partitions have none for
    /// long.
    pub fn plan(
        home: Arc<LogDirectory<D>>,
        name: TopicPartition,
        topic_id: TopicId,
        config: Arc<LogConfig>,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        Self::plan_in(home, &name.to_string(), (name, topic_id), config, now)
    }

    /// A new log in a directory of another name: a replica on its way here.
    pub(crate) fn plan_in(
        home: Arc<LogDirectory<D>>,
        directory: &str,
        (name, topic_id): (TopicPartition, TopicId),
        config: Arc<LogConfig>,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        home.state().check()?;
        let directory: Arc<Path> = home.path().join(directory).into();
        let segments =
            Segments::planned(home.descriptors(), directory, Offset::ZERO, config.index_limits(), now);
        let mut log = Self {
            name,
            topic_id: Some(topic_id),
            partition: Machine::new(empty(Offset::ZERO, &config), &home),
            segments,
            flush: Arc::new(FlushProgress::new(Offset::ZERO)),
            last_flush: now,
            snapshots: SnapshotOffsets::default(),
            jitter: Millis(0),
            compaction: None,
            resume: None,
            resume_due: NEVER,
            written: WrittenLately::default(),
            made: false,
            first: None,
            epochs_due: false,
            epochs_there: false,
            gone: None,
            config,
            home,
        };
        log.draw_jitter();
        log.note_config();
        log.set_resume_due(0);
        Ok(log)
    }

    /// Makes the directory and files of a log that has none yet, of this room.
    pub fn make(&mut self, room: Room) -> Result<(), Fault> {
        self.check()?;
        if self.made && self.first.is_none() {
            return Ok(());
        }
        let home = Arc::clone(&self.home);
        match room {
            Room::Free => home.noted(self.make_files()),
            Room::Reserve => home.reserved_in_part(|| self.make_files()),
        }
    }

    fn make_files(&mut self) -> Result<(), Fault> {
        if self.made {
            return self.forget_first();
        }
        let Some(topic_id) = self.topic_id else { return Ok(()) };
        let (disk, directory) = (self.home.disk(), self.path());
        disk.create_dir(directory).map_err(|error| Fault::io("create", directory, error))?;
        let filled = partition_metadata::write(disk, directory, topic_id)
            .and_then(|()| self.segments.iter().try_for_each(Segment::make))
            .and_then(|()| self.write_out_first());
        filled.inspect_err(|_| {
            self.segments.iter().for_each(Segment::close);
            // Half a directory would be in the way of the next attempt; a start would find an empty log in it.
            if let Err(fault) = removals::remove(disk, directory) {
                tracing::warn!(%fault, "what was made of a log cannot be removed");
            }
        })?;
        self.flush.note_small(SmallFile::PartitionMetadata);
        self.made = true;
        self.forget_first()
    }

    /// Whether its directory is there.
    pub fn is_made(&self) -> bool {
        self.made
    }

    /// Opens a log from its directory, which holds this topic id: after a clean end as the files are, after a crash with
    /// recovery.
    pub fn open(
        home: Arc<LogDirectory<D>>,
        (name, topic_id): (TopicPartition, Option<TopicId>),
        config: Arc<LogConfig>,
        checkpoints: Checkpoints,
        now: Timestamp,
    ) -> Result<Opened<D>, Fault> {
        Self::open_in(home, &name.to_string(), (name, topic_id), config, (checkpoints, now))
    }

    /// Opens a log from a directory of another name: a replica on its way here.
    pub(crate) fn open_in(
        home: Arc<LogDirectory<D>>,
        directory: &str,
        (name, topic_id): (TopicPartition, Option<TopicId>),
        config: Arc<LogConfig>,
        (checkpoints, now): (Checkpoints, Timestamp),
    ) -> Result<Opened<D>, Fault> {
        let directory: Arc<Path> = home.path().join(directory).into();
        let listing = Listing::read(home.disk(), &directory)?;
        let epochs = match listing.epochs {
            true => read_epochs(home.disk(), &directory, checkpoints.clean)?,
            false => Some(Vec::new()),
        };
        let found = (directory, listing, epochs, None);
        Self::open_listed(home, (name, topic_id), config, (checkpoints, now), found)
    }

    /// Opens a log of which a clean end has told all that its directory would.
    pub fn open_known(
        home: Arc<LogDirectory<D>>,
        name: TopicPartition,
        config: Arc<LogConfig>,
        checkpoints: Checkpoints,
        known: KnownLog,
        now: Timestamp,
    ) -> Result<Opened<D>, Fault> {
        let KnownLog { topic_id, listing, epochs, end } = known;
        let directory: Arc<Path> = home.path().join(name.to_string()).into();
        let found = (directory, listing, Some(epochs), Some(end));
        Self::open_listed(home, (name, topic_id), config, (checkpoints, now), found)
    }

    fn open_listed(
        home: Arc<LogDirectory<D>>,
        (name, topic_id): (TopicPartition, Option<TopicId>),
        config: Arc<LogConfig>,
        (checkpoints, now): (Checkpoints, Timestamp),
        (directory, mut listing, epochs, known_end): Found,
    ) -> Result<Opened<D>, Fault> {
        let torn = epochs.is_none();
        let epochs = epochs.unwrap_or_default();
        let Checkpoints { clean, recovery_point, log_start, high_watermark, cleaned_to } = checkpoints;
        let first_base = listing.first_base().unwrap_or(log_start);
        let log_start = log_start.max(first_base);
        // What was compacted once keeps its holes under another policy.
        let compacted = config.append.compacted || cleaned_to.is_some();
        let resume = None;
        let loading = Loading { clean, recovery_point, log_start, compacted, end: known_end, resume, now };
        let (loading, start) = find_start(&home, &directory, (&mut listing, torn), loading)?;
        let recovered = first_recovered(&listing, loading);
        let mut replaying = start.partition(epochs.clone(), now, &config);
        let input = (&mut listing, config.index_limits(), loading);
        let loaded = load(home.descriptors(), directory, input, start.offset, &mut replaying)?;
        let Loaded { segments, end, cut, restarted } = loaded;
        let partition = match restarted {
            true => empty(end, &config),
            false => replaying.finish(segments.directory(), (log_start, high_watermark, end))?,
        };
        let resume = loading.resume.filter(|_| !restarted);
        let resumed = resume.map_or(Offset::ZERO, |point| point.offset);
        let recovery_point = if clean { end } else { recovery_point.max(resumed).min(end) };
        let mut log = Self {
            name,
            topic_id,
            partition: Machine::new(partition, &home),
            segments,
            flush: Arc::new(FlushProgress::new(recovery_point)),
            last_flush: now,
            snapshots: listing.snapshots.into(),
            jitter: Millis(0),
            compaction: cleaned_to.map(Compaction::cleaned_to),
            resume: resume.map(|point| Box::new(Resume::kept(point))),
            resume_due: NEVER,
            written: WrittenLately::default(),
            made: true,
            first: None,
            epochs_due: false,
            epochs_there: true,
            gone: None,
            config,
            home,
        };
        log.draw_jitter();
        log.note_config();
        let active = log.segments.active().base();
        log.set_resume_due(resume.filter(|point| point.base == active).map_or(0, |point| point.position));
        if listing.resume_point && resume.is_none() {
            ResumePoint::remove(log.home.disk(), log.path())?;
        }
        if !clean {
            log.drop_torn_snapshots()?;
            log.doubt_small_files();
        }
        if let Some(base) = recovered.filter(|_| !restarted) {
            // Its indexes were made anew in the place of those that the recovery point may vouch for.
            log.flush.indexes_made_from(base);
        }
        if restarted {
            log.drop_snapshots_behind(Offset(-1))?;
            log.set_cleaned_to(None);
        }
        if cleaned_to.is_some_and(|cleaned| cleaned > end) {
            // The checkpoint speaks of a tail that is not there any more.
            log.forget_cleaned();
        }
        log.drop_stray_snapshots()?;
        // What only the batches knew must be written before the recovery point passes them.
        // Batches may have told of more epochs than the file, and of some in it a power cut may have left nothing.
        log.epochs_due = torn || cut.is_some() || *log.partition.leader_epochs().entries() != *epochs;
        Ok(Opened { log, cut, resumed: resume.is_some() })
    }

    /// Writes the topic's id into a directory that has none.
    pub fn set_topic_id(&mut self, topic_id: TopicId) -> Result<(), Fault> {
        match self.topic_id {
            Some(known) if known == topic_id => return Ok(()),
            Some(known) => {
                let reason = format!(
                    "holds topic id {known}, and {topic_id} is asked for: another topic of the same name"
                );
                return Err(Fault::Mismatch { path: self.path().to_owned(), reason });
            }
            None => {}
        }
        let home = &self.home;
        // Of a directory that an old Kafka has left every log may ask.
        home.reserved_in_part(|| partition_metadata::write(home.disk(), self.path(), topic_id))?;
        self.flush.note_small(SmallFile::PartitionMetadata);
        self.topic_id = Some(topic_id);
        Ok(())
    }

    /// Has the next flush take along all that the process before this one may have left without bringing it to stable
    /// storage: after a kill it looks as if it were there for good.
    fn doubt_small_files(&mut self) {
        self.flush.note_names_changed();
        let small = [SmallFile::PartitionMetadata, SmallFile::LeaderEpochs];
        let newer = self.snapshots.since(self.flush.recovery_point()).iter();
        let snapshots = newer.map(|offset| SmallFile::ProducerSnapshot(*offset));
        small.into_iter().chain(snapshots).for_each(|file| self.flush.note_small(file));
    }

    /// A snapshot that was not on stable storage yet may have come to nothing; the next one at its offset must not think it
    /// is there.
    fn drop_torn_snapshots(&mut self) -> Result<(), Fault> {
        for offset in self.snapshots.since(self.flush.recovery_point()).to_vec() {
            let path = SegmentFile::ProducerSnapshot.path(self.path(), offset);
            match producer_snapshot::read(self.home.disk(), &path) {
                Err(Fault::Corrupt { .. }) => self.remove_snapshot(offset)?,
                read => drop(read?),
            }
        }
        Ok(())
    }

    /// Kafka keeps a snapshot for each segment and the newest of all.
    fn drop_stray_snapshots(&mut self) -> Result<(), Fault> {
        if self.snapshots.is_empty() {
            return Ok(());
        }
        let end = self.partition.watermarks().log_end;
        let within = self.snapshots.up_to(end);
        let beyond = self.snapshots.behind(end).iter().copied();
        let newest = within.last().copied();
        // Both rise: one walk over the bases, which makes no segment of them.
        let mut place = 0;
        let mut is_base = |offset: Offset| {
            let base_at = |place| self.segments.base_at(place);
            while base_at(place).is_some_and(|base| base < offset) {
                place += 1;
            }
            base_at(place) == Some(offset)
        };
        let resumed = self.resume.as_ref().and_then(|resume| resume.snapshot());
        let kept = [newest, resumed];
        let strays = within.iter().copied();
        let strays = strays.filter(|offset| !is_base(*offset) && !kept.contains(&Some(*offset)));
        for offset in strays.chain(beyond).collect::<Vec<_>>() {
            self.remove_snapshot(offset)?;
        }
        Ok(())
    }

    pub(super) fn remove_snapshot(&mut self, offset: Offset) -> Result<(), Fault> {
        let path = SegmentFile::ProducerSnapshot.path(self.path(), offset);
        match self.home.disk().unlink(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Fault::io("remove", &path, error));
            }
            _ => {}
        }
        self.flush.forget_small(SmallFile::ProducerSnapshot(offset));
        self.snapshots.remove(offset);
        Ok(())
    }
}

fn load<D: Disk>(
    descriptors: &Descriptors<D>,
    directory: Arc<Path>,
    (listing, limits, loading): (&mut Listing, IndexLimits, Loading),
    replay_from: Offset,
    replaying: &mut Replaying,
) -> Result<Loaded<D>, Fault> {
    let active = listing.segments.last_key_value().map(|(base, facts)| (*base, *facts));
    match (listing.older.take(), active, loading.end) {
        (Some(older), Some(active), Some(end)) => {
            let told = (older, active, limits);
            let segments = Segments::load_told(descriptors, directory, told, (replay_from, end), replaying)?;
            Ok(Loaded { segments, end, cut: None, restarted: false })
        }
        _ => Segments::load(descriptors, directory, (listing, limits, loading), replay_from, replaying),
    }
}

/// Reads the leader epochs. `None`: a crash left them unreadable, and they are to be made again from the batches.
fn read_epochs<D: Disk>(disk: &D, directory: &Path, clean: bool) -> Result<Option<Vec<EpochEntry>>, Fault> {
    let path = directory.join(checkpoint::LEADER_EPOCH);
    let read = match checkpoint::read_leader_epochs(disk, &path) {
        Err(Fault::Corrupt { .. }) if !clean => return Ok(None),
        other => other?,
    };
    Ok(Some(read.into_iter().map(|(epoch, start_offset)| EpochEntry { epoch, start_offset }).collect()))
}

/// The machine of a log without a record, which begins at `start`.
pub(super) fn empty(start: Offset, config: &LogConfig) -> Partition {
    let mut partition = Partition::empty(start);
    partition.set_producer_ids_max(config.producer_ids_max);
    partition
}
