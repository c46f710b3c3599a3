//! Loading the logs of all directories: in parallel, and after a clean end by reading no more than what is needed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use partition::Millis;
use protocol::id::{DirectoryId, Timestamp, TopicId};
use protocol::offset::Offset;

use super::home::Home;
use super::moves::FoundCopy;
use super::{LogDirs, SharedLog, locked};
use crate::checkpoint::{self, PartitionOffsets};
use crate::clean_logs::CleanLogs;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::first_records::FoundRow;
use crate::log::{Checkpoints, Log, Opened};
use crate::log_config::LogConfig;
use crate::metadata_log::METADATA_DIRECTORY;
use crate::names::{DirectoryName, TopicPartition, stray_name};
use crate::partition_metadata;
use crate::resume_point::ResumePoint;

/// What the metadata says about a partition found on disk.
#[derive(Clone, Debug)]
pub enum Placement {
    /// It belongs here, under this configuration.
    Here(Arc<LogConfig>),
    /// It does, and is the copy of this one: the name of its directory had no room for the topic's.
    HereAs(TopicPartition, Arc<LogConfig>),
    /// It does not: the topic is gone, is another one of the same name, or lives elsewhere.
    Stray,
}

/// What loading came to.
#[derive(Default, Debug)]
pub struct LoadReport {
    /// How many logs were loaded.
    pub loaded: usize,
    /// How many of them were recovered from a place within a segment.
    pub resumed: usize,
    /// Logs whose tail was cut: the file and why.
    pub cut: Vec<(TopicPartition, PathBuf, String)>,
    /// Partitions that were set aside.
    pub strays: Vec<TopicPartition>,
    /// Logs that could not be loaded.
    pub failed: Vec<(TopicPartition, Fault)>,
    /// Logs that belong here, were here at a clean end, and are gone.
    pub lost: Vec<TopicPartition>,
}

/// The most logs that a thread takes in a row.
const STRETCH_MAX: usize = 1024;

struct Offsets {
    recovery_points: PartitionOffsets,
    log_starts: PartitionOffsets,
    high_watermarks: PartitionOffsets,
    cleaned: PartitionOffsets,
}

impl Offsets {
    /// What the checkpoints say about one log.
    fn of<D: Disk>(&self, name: &TopicPartition, home: &Home<D>) -> Checkpoints {
        let of = |checkpoint: &PartitionOffsets| checkpoint.get(name).copied().unwrap_or(Offset::ZERO);
        Checkpoints {
            clean: home.clean.is_some(),
            recovery_point: of(&self.recovery_points),
            log_start: of(&self.log_starts),
            high_watermark: of(&self.high_watermarks),
            cleaned_to: self.cleaned.get(name).copied(),
        }
    }
}

impl Offsets {
    /// The logs that each checkpoint names and that are not in the directory.
    fn not_among(&self, names: &[TopicPartition]) -> [BTreeSet<TopicPartition>; 4] {
        let here: BTreeSet<&TopicPartition> = names.iter().collect();
        let missing = |checkpoint: &PartitionOffsets| {
            checkpoint.keys().filter(|name| !here.contains(name)).cloned().collect()
        };
        [&self.recovery_points, &self.high_watermarks, &self.log_starts, &self.cleaned].map(missing)
    }
}

/// Logs that were loaded, and the directories of replicas on their way.
struct Loaded<D: Disk> {
    report: LoadReport,
    logs: Vec<(TopicPartition, SharedLog<D>)>,
    moving: Vec<FoundCopy<D>>,
    /// Logs that had records at a clean end, and have no directory.
    taken_away: Vec<TopicPartition>,
}

impl<D: Disk> Default for Loaded<D> {
    fn default() -> Self {
        Self { report: LoadReport::default(), logs: Vec::new(), moving: Vec::new(), taken_away: Vec::new() }
    }
}

/// What the files of a directory say about its logs.
struct Said {
    offsets: Offsets,
    known: CleanLogs,
}

impl Said {
    /// The logs that had records when the directory was closed cleanly and are not among these any more.
    fn taken_away(&self, clean: bool, names: &[TopicPartition]) -> Vec<TopicPartition> {
        let had_records = |(name, end): (&TopicPartition, &Offset)| {
            (clean && *end > Offset::ZERO && names.binary_search(name).is_err()).then(|| name.clone())
        };
        self.offsets.recovery_points.iter().filter_map(had_records).collect()
    }
}

impl<D: Disk> LogDirs<D> {
    /// Loads every log that `placement` says belongs here; it is asked with the topic id that the directory knows.
    /// Partition directories that were on their way out are removed.
    pub fn load(
        &self,
        placement: impl Fn(&TopicPartition, Option<TopicId>) -> Placement + Sync,
        now: Timestamp,
    ) -> LoadReport {
        self.load_assigned(placement, |_| None, now)
    }

    /// The same where the metadata knows in which directory a replica lies, or was about to arrive.
    pub fn load_assigned(
        &self,
        placement: impl Fn(&TopicPartition, Option<TopicId>) -> Placement + Sync,
        assigned: impl Fn(&TopicPartition) -> Option<DirectoryId>,
        now: Timestamp,
    ) -> LoadReport {
        let mut report = LoadReport::default();
        let placement = &placement;
        let outcomes = std::thread::scope(|scope| {
            let load = |home| scope.spawn(move || self.load_home(home, placement, now));
            let threads: Vec<_> = self.homes.iter().map(load).collect();
            let joined = threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            joined.collect::<Vec<_>>()
        });
        let mut logs = self.logs.write().unwrap_or_else(PoisonError::into_inner);
        let (mut moving, mut taken_away) = (Vec::new(), Vec::new());
        for Loaded { report: part, logs: mut loaded, moving: more, taken_away: gone } in outcomes {
            moving.extend(more);
            taken_away.extend(gone);
            report.loaded += loaded.len();
            report.resumed += part.resumed;
            report.cut.extend(part.cut);
            report.strays.extend(part.strays);
            report.failed.extend(part.failed);
            // In order each comes behind the one before it.
            loaded.sort_unstable_by(|one, other| one.0.cmp(&other.0));
            for (name, log) in loaded {
                if let Some(other) = logs.get(&name).cloned() {
                    let (kept, set_aside) = kept_of_two(&other, log, assigned(&name));
                    report.strays.push(name.clone());
                    if let Err(fault) = self.set_twin_aside(&name, &set_aside) {
                        report.failed.push((name.clone(), fault));
                    }
                    logs.insert(name, kept);
                } else {
                    logs.insert(name, log);
                }
            }
        }
        drop(logs);
        self.take_back_recovery_points();
        self.take_up_moves(moving, assigned, &mut report, now);
        self.take_up_first_records(placement, &mut report, now);
        report.lost = self.lost(taken_away, placement);
        // A start looks at every log once; most of them nobody will ask for soon.
        if let Some(home) = self.homes.first() {
            home.directory.descriptors().close_all();
        }
        report
    }

    /// Of logs whose directories were taken away after a clean end, those that belong here and are nowhere else.
    fn lost(
        &self,
        taken_away: Vec<TopicPartition>,
        placement: &impl Fn(&TopicPartition, Option<TopicId>) -> Placement,
    ) -> Vec<TopicPartition> {
        let belongs = |name: &TopicPartition| matches!(placement(name, None), Placement::Here(_));
        let lost =
            |name: &TopicPartition| self.get(name).is_none() && !self.is_unloaded(name) && belongs(name);
        taken_away.into_iter().filter(lost).collect()
    }

    /// Where a checkpoint vouches for more than recovery has left on stable storage it is written anew, before the first
    /// append: once the next segment is begun, nobody would look at the indexes of the one before it again.
    fn take_back_recovery_points(&self) {
        for home in &self.homes {
            let directory = &home.directory;
            let kept = || self.keep_recovery_points(directory.id(), false);
            if directory.state().check().is_ok()
                && let Err(fault) = directory.reserved(kept)
            {
                tracing::warn!(%fault, "cannot write a checkpoint");
            }
        }
    }

    fn load_home(
        &self,
        home: &Home<D>,
        placement: &(impl Fn(&TopicPartition, Option<TopicId>) -> Placement + Sync),
        now: Timestamp,
    ) -> Loaded<D> {
        let collected: Mutex<Loaded<D>> = Mutex::default();
        let prepared = home.directory.noted(self.prepare(home, now));
        let (names, futures, offsets) = match prepared {
            Ok(prepared) => prepared,
            Err(fault) => {
                home.directory.state().take_offline(&fault.to_string());
                return Loaded::default();
            }
        };
        let known = std::mem::take(&mut *home.known.lock().unwrap_or_else(PoisonError::into_inner));
        let said = Said { offsets, known };
        let threads = self.recovery_threads.min(names.len()).max(1);
        // Neighbours share much that two threads would only take out of each other's hands.
        let stretches: Vec<_> = names.chunks((names.len() / (threads * 16)).clamp(1, STRETCH_MAX)).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let of_next = || stretches.get(next.fetch_add(1, Ordering::Relaxed));
            for name in std::iter::from_fn(of_next).flat_map(|names| names.iter()) {
                let outcome = home.directory.noted(load_one(home, name, &said, placement, now));
                let mut collected = collected.lock().unwrap_or_else(PoisonError::into_inner);
                match outcome {
                    Ok(Some(opened)) => {
                        collected.report.resumed += usize::from(opened.resumed);
                        note_if_lowered(home, &opened.log, said.offsets.recovery_points.get(name));
                        if let Some((path, reason)) = opened.cut {
                            collected.report.cut.push((name.clone(), path, reason));
                        }
                        collected.logs.push((name.clone(), Arc::new(Mutex::new(opened.log))));
                    }
                    Ok(None) => {
                        home.note_gone(name);
                        if said.offsets.cleaned.contains_key(name) {
                            home.directory.note_cleaned();
                        }
                        collected.report.strays.push(name.clone());
                    }
                    Err(fault) => {
                        let unloaded = (name.to_string(), said.offsets.of(name, home));
                        self.note_unloaded(name, home.directory.id(), unloaded);
                        collected.report.failed.push((name.clone(), fault));
                    }
                }
            }
        };
        let gone = said.offsets.not_among(&names);
        let [.., cleaned] = &gone;
        if !cleaned.is_empty() {
            // The last end came before `cleaner-offset-checkpoint` was told that they were deleted.
            home.directory.note_cleaned();
        }
        *home.gone() = gone;
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        let mut loaded = collected.into_inner().unwrap_or_else(PoisonError::into_inner);
        loaded.taken_away = said.taken_away(home.clean.is_some(), &names);
        let offsets = |name: &TopicPartition| said.offsets.of(name, home);
        for (name, directory) in futures {
            let found = self.identify(home, (&name, &directory), &offsets, placement, now);
            match home.directory.noted(found) {
                Ok(found) => loaded.moving.extend(found),
                Err(fault) => {
                    self.note_unloaded(&name, home.directory.id(), (directory, offsets(&name)));
                    loaded.report.failed.push((name, fault));
                }
            }
        }
        loaded
    }

    /// Finds the first batches of logs that had no files yet when the process ended, and gives them back to them.
    fn take_up_first_records(
        &self,
        placement: &impl Fn(&TopicPartition, Option<TopicId>) -> Placement,
        report: &mut LoadReport,
        now: Timestamp,
    ) {
        for home in &self.homes {
            let directory = &home.directory;
            if directory.state().check().is_err() {
                continue;
            }
            let found = match directory.reserved(|| directory.first_records().take_up()) {
                Ok(found) => found,
                Err(fault) => {
                    directory.state().take_offline(&fault.to_string());
                    continue;
                }
            };
            for row in found {
                match directory.noted(self.take_up_first(home, &row, placement, now)) {
                    Ok(true) => report.loaded += 1,
                    Ok(false) => {}
                    Err(fault) => report.failed.push((row.name, fault)),
                }
            }
        }
    }

    /// Gives one first batch back to its log; says whether that was made for it. A row that is nobody's any more ends to
    /// count.
    fn take_up_first(
        &self,
        home: &Home<D>,
        row: &FoundRow,
        placement: &impl Fn(&TopicPartition, Option<TopicId>) -> Placement,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let directory = &home.directory;
        let forget = || directory.reserved(|| directory.first_records().forget(row.place));
        if let Some(log) = self.get(&row.name) {
            if locked(&log).directory_id() == directory.id() {
                let placed = || matches!(placement(&row.name, Some(row.topic_id)), Placement::Here(_));
                if let Err(fault) = directory.reserved(|| give_first_back(&log, row, placed)) {
                    self.unload(home, row);
                    return Err(fault);
                }
            }
            return forget().map(|()| false);
        }
        if self.wait_for_unloaded(&row.name, directory.id(), row.place) {
            // Whether the log has the batch shows when it can be read.
            return Ok(false);
        }
        let Placement::Here(config) = placement(&row.name, Some(row.topic_id)) else {
            return forget().map(|()| false);
        };
        let planned = Log::plan(Arc::clone(directory), row.name.clone(), row.topic_id, config, now)
            .and_then(|mut log| log.take_first(row).map(|_| log));
        let log = planned.inspect_err(|_| {
            self.note_unloaded(&row.name, directory.id(), (row.name.to_string(), Checkpoints::nothing()));
            self.wait_for_unloaded(&row.name, directory.id(), row.place);
        })?;
        for gone in home.gone().iter_mut() {
            gone.remove(&row.name);
        }
        let log = Arc::new(Mutex::new(log));
        self.planned().push(Arc::downgrade(&log));
        let mut logs = self.logs.write().unwrap_or_else(PoisonError::into_inner);
        logs.insert(row.name.clone(), log);
        Ok(true)
    }

    /// Has a log not served that lacks a record, which comes back to it at another start.
    fn unload(&self, home: &Home<D>, row: &FoundRow) {
        let removed = self.logs.write().unwrap_or_else(PoisonError::into_inner).remove(&row.name);
        let Some(log) = removed else { return };
        let mut log = locked(&log);
        log.mark_deleted();
        let marks = log.partition().watermarks();
        let said = Checkpoints {
            clean: false,
            recovery_point: log.recovery_point(),
            log_start: marks.log_start,
            high_watermark: marks.high_watermark,
            cleaned_to: log.cleaned_to(),
        };
        self.note_unloaded(&row.name, home.directory.id(), (row.name.to_string(), said));
        self.wait_for_unloaded(&row.name, home.directory.id(), row.place);
    }

    /// Sets a log aside that is here twice, as after a crash in the middle of a move.
    fn set_twin_aside(&self, name: &TopicPartition, log: &SharedLog<D>) -> Result<(), Fault> {
        let mut log = locked(log);
        log.mark_deleted();
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let to = log.home().path().join(stray_name(name, &unique));
        let (home, from) = (log.home(), log.path());
        home.reserved(|| home.disk().rename(from, &to).map_err(|error| Fault::io("rename", from, error)))
    }

    /// Lists the partitions of a directory and reads its checkpoints.
    fn prepare(&self, home: &Home<D>, now: Timestamp) -> Result<Prepared, Fault> {
        let (disk, path) = (home.directory.disk(), home.directory.path());
        let (mut names, mut futures) = (Vec::new(), Vec::new());
        // The partitions of a topic share its name.
        let mut topics: BTreeSet<Arc<str>> = BTreeSet::new();
        for entry in disk.list(path).map_err(|error| Fault::io("list", path, error))? {
            let Some(name) =
                entry.name.to_str().filter(|name| entry.directory && *name != METADATA_DIRECTORY)
            else {
                continue;
            };
            match DirectoryName::parse(name) {
                DirectoryName::Partition(mut partition) => {
                    match topics.get(&partition.topic) {
                        Some(topic) => partition.topic = Arc::clone(topic),
                        None => {
                            topics.insert(Arc::clone(&partition.topic));
                        }
                    }
                    names.push(partition);
                }
                DirectoryName::Deleted(_) => {
                    home.directory.removals().schedule(now, Millis(0), [path.join(name)])
                }
                DirectoryName::Future(partition) => futures.push((partition, name.to_owned())),
                DirectoryName::Stray(_) | DirectoryName::Other => {}
            }
        }
        // A directory is listed in no order. In this one what is known of each log is found beside that of the one before.
        names.sort_unstable();
        let offsets = Offsets {
            recovery_points: read(home, checkpoint::RECOVERY_POINT)?,
            log_starts: read(home, checkpoint::LOG_START)?,
            high_watermarks: read(home, checkpoint::REPLICATION)?,
            cleaned: read(home, checkpoint::CLEANER)?,
        };
        Ok((names, futures, offsets))
    }
}

/// The partitions of a directory, the replicas on their way to it by their directories' names, and its checkpoints.
type Prepared = (Vec<TopicPartition>, Vec<(TopicPartition, String)>, Offsets);

/// Gives a first batch back to its log, which has files.
fn give_first_back<D: Disk>(
    log: &SharedLog<D>,
    row: &FoundRow,
    placed: impl Fn() -> bool,
) -> Result<(), Fault> {
    let mut log = locked(log);
    // A kill may have come between the directory and the file in it that says whose it is.
    if log.topic_id().is_none() && placed() {
        log.set_topic_id(row.topic_id)?;
    }
    // Where the log has gone its own way the row has done its duty.
    log.take_first(row).map(drop)
}

/// Of a log that is here twice, the one where the metadata has it, or else the one that holds more; and the other.
fn kept_of_two<D: Disk>(
    one: &SharedLog<D>,
    other: SharedLog<D>,
    assigned: Option<DirectoryId>,
) -> (SharedLog<D>, SharedLog<D>) {
    let rank = |log: &SharedLog<D>| {
        let log = locked(log);
        (assigned == Some(log.directory_id()), log.partition().watermarks().log_end)
    };
    let (first, second) = (rank(one), rank(&other));
    if first >= second { (Arc::clone(one), other) } else { (other, Arc::clone(one)) }
}

/// Reads a checkpoint. One that a crash left unreadable says nothing: recovery then begins at the front.
fn read<D: Disk>(home: &Home<D>, file: &str) -> Result<PartitionOffsets, Fault> {
    match checkpoint::read_offsets(home.directory.disk(), &home.directory.path().join(file)) {
        Err(fault @ Fault::Corrupt { .. }) => {
            tracing::warn!(%fault, "a checkpoint is unreadable and is passed over");
            Ok(PartitionOffsets::new())
        }
        other => other,
    }
}

/// Notes that the checkpoint on disk vouches for more of a log than is on stable storage.
fn note_if_lowered<D: Disk>(home: &Home<D>, log: &Log<D>, told: Option<&Offset>) {
    if told.is_some_and(|told| log.recovery_point_to_keep() < *told) {
        home.lowered.store(true, Ordering::Release);
    }
}

fn load_one<D: Disk>(
    home: &Home<D>,
    name: &TopicPartition,
    said: &Said,
    placement: &impl Fn(&TopicPartition, Option<TopicId>) -> Placement,
    now: Timestamp,
) -> Result<Option<Opened<D>>, Fault> {
    let directory = home.directory.path().join(name.to_string());
    let checkpoints = said.offsets.of(name, home);
    if let Some(known) = said.known.of(home.directory.disk(), &directory)
        && checkpoints.clean
        && let Placement::Here(config) = placement(name, known.topic_id)
    {
        let opened =
            Log::open_known(Arc::clone(&home.directory), name.clone(), config, checkpoints, known, now);
        match opened {
            Err(fault @ Fault::Corrupt { .. }) => {
                tracing::warn!(partition = %name, %fault, "a log is not as its clean end said");
            }
            other => return other.map(Some),
        }
    }
    let topic_id = match partition_metadata::read(home.directory.disk(), &directory) {
        // The id is synced with the first record: where a power cut has torn it, nothing was ever promised to last.
        // Whose records these are nobody can say, and a topic made anew must not begin with those of its namesake.
        Err(fault @ Fault::Corrupt { .. })
            if !checkpoints.clean
                && checkpoints.recovery_point == Offset::ZERO
                && partition_metadata::is_torn(home.directory.disk(), &directory)? =>
        {
            tracing::warn!(partition = %name, %fault, "the topic's id is torn: the partition is set aside");
            set_aside(home, name, &directory)?;
            return Ok(None);
        }
        other => other?,
    };
    let config = match placement(name, topic_id) {
        Placement::Here(config) => config,
        Placement::HereAs(..) | Placement::Stray => {
            set_aside(home, name, &directory)?;
            return Ok(None);
        }
    };
    let open = |checkpoints| {
        home.directory.reserved(|| {
            let name = (name.clone(), topic_id);
            Log::open(Arc::clone(&home.directory), name, Arc::clone(&config), checkpoints, now)
        })
    };
    match open(checkpoints) {
        // The mark of a clean end vouched for files that turn out wrong: recovery takes nothing on trust.
        Err(fault @ Fault::Corrupt { .. }) if checkpoints.clean => {
            tracing::warn!(partition = %name, %fault, "recovering a log that should have been whole");
            // One that Apache Kafka has left there, which passes over it.
            ResumePoint::remove(home.directory.disk(), &directory)?;
            open(Checkpoints { clean: false, recovery_point: Offset::ZERO, ..checkpoints }).map(Some)
        }
        other => other.map(Some),
    }
}

fn set_aside<D: Disk>(home: &Home<D>, name: &TopicPartition, directory: &Path) -> Result<(), Fault> {
    let unique = uuid::Uuid::new_v4().simple().to_string();
    let to = home.directory.path().join(stray_name(name, &unique));
    let disk = home.directory.disk();
    let rename = || disk.rename(directory, &to).map_err(|error| Fault::io("rename", directory, error));
    home.directory.reserved(rename)
}
