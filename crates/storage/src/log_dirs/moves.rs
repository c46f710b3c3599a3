//! Replicas on their way from one log directory to another (KIP-113): begun, driven step by step, finished or given up, and
//! found again at a start.
//!
//! Compaction leaves a replica alone while it is on its way, as in Apache Kafka: a copy with a record from before a cleaning
//! and the tombstone after it from before another, or without it, would give back what was deleted.

use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use partition::Millis;
use protocol::id::{DirectoryId, Timestamp, TopicId};
use protocol::offset::Offset;

use super::home::Home;
use super::load::{LoadReport, Placement};
use super::{LogDirs, SharedLog, locked, whole};
use crate::disk::{Disk, RealDisk};
use crate::fault::Fault;
use crate::log::{Checkpoints, CleaningPause, Copied, Log, Piece, Room};
use crate::log_config::LogConfig;
use crate::log_directory::LogDirectory;
use crate::names::{TopicPartition, deletion_name, future_name};
use crate::partition_metadata;

/// A copy that a start has found.
pub(super) struct FoundCopy<D: Disk> {
    name: TopicPartition,
    topic_id: Option<TopicId>,
    config: Arc<LogConfig>,
    home: Arc<LogDirectory<D>>,
    /// The name of its directory.
    directory: String,
    /// What the checkpoints of the log directory say.
    said: Checkpoints,
}

/// Where the log is that a copy found at a start is of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Original {
    /// Here: in the copy's own log directory or in another one. What may have been compacted while the copy was out of
    /// reach must not go on being copied: after a crash the holes that leaves cannot be told from what was not on stable
    /// storage.
    Served { in_home: bool, compacted: bool },
    /// Here, and could not be loaded.
    Unloaded,
    /// Nowhere that anybody can look: whether the metadata has the replica where the copy is, and whether a log directory
    /// is out of use, in which the log may be.
    Nowhere { is_assigned: bool, is_away: bool },
}

/// What is to become of a copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It is needed no more.
    PutAway,
    /// It is no use; another one is begun.
    BeginAgain,
    /// It goes on being copied.
    GoOn,
    /// It is the replica.
    TakeOver,
    /// It stays as it is until its log can be loaded.
    WaitForLog,
    /// It stays as it is until all log directories can be looked into.
    WaitForDirectories,
}

impl Original {
    pub(super) fn fate_of_copy(self) -> Fate {
        match self {
            Self::Served { in_home: true, .. } => Fate::PutAway,
            Self::Served { compacted: true, .. } => Fate::BeginAgain,
            Self::Served { .. } => Fate::GoOn,
            Self::Unloaded => Fate::WaitForLog,
            Self::Nowhere { is_assigned: false, is_away: true } => Fate::WaitForDirectories,
            Self::Nowhere { .. } => Fate::TakeOver,
        }
    }
}

/// A piece of a log, and what was known when it was read.
pub(super) struct Seen {
    cuts: u64,
    /// Where the copy ended.
    reached: Offset,
    piece: Piece,
}

/// What the last step of a move came to.
pub(super) enum Ending<D: Disk> {
    /// The log goes on where the copy lay; where it lay is to be removed.
    Moved { source: Arc<LogDirectory<D>>, delay: Millis, away: PathBuf },
    /// The log lies where the copy did, and could not be opened there.
    Unloaded { source: Arc<LogDirectory<D>>, fault: Fault },
    /// Given up, or the partition deleted, while it waited for the lock.
    GivenUp,
    /// The log begins elsewhere by now than the checkpoints were told.
    Again,
}

/// A replica on its way.
pub struct Move<D: Disk = RealDisk> {
    /// The partition.
    pub name: TopicPartition,
    /// Where it goes.
    pub to: Arc<LogDirectory<D>>,
    current: SharedLog<D>,
    pub(super) future: SharedLog<D>,
    /// How often the log was cut since: what was read of it before says nothing of what it holds now.
    cuts: AtomicU64,
    _pause: CleaningPause,
}

impl<D: Disk> Move<D> {
    /// Bytes of the copy, and how many offsets it is behind.
    pub fn progress(&self) -> Copied {
        let end = locked(&self.current).partition().watermarks().log_end;
        let future = locked(&self.future);
        Copied { bytes: future.size(), lag: end.0 - future.partition().watermarks().log_end.0 }
    }

    /// Copies at most so many bytes, or one batch.
    pub fn step(&self, bytes_max: u32, now: Timestamp) -> Result<Copied, Fault> {
        let seen = self.read(bytes_max)?;
        self.take(&seen, now)
    }

    pub(super) fn read(&self, bytes_max: u32) -> Result<Seen, Fault> {
        let cuts = self.cuts.load(Ordering::Acquire);
        let reached = end_of(&*whole(&self.future)?);
        let piece = whole(&self.current)?.piece_from(reached, bytes_max)?;
        Ok(Seen { cuts, reached, piece })
    }

    /// Nothing is taken of what was read of a log that was cut since.
    pub(super) fn take(&self, seen: &Seen, now: Timestamp) -> Result<Copied, Fault> {
        let mut future = whole(&self.future)?;
        let uncut = end_of(&future) == seen.reached && self.cuts.load(Ordering::Acquire) == seen.cuts;
        let bytes = if uncut { self.to.noted(future.take_copied(&seen.piece, now))? } else { 0 };
        Ok(Copied { bytes, lag: seen.piece.log_end.0 - end_of(&future).0 })
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.future, &other.future)
    }

    pub(super) fn close(&self) -> Result<(), Fault> {
        whole(&self.future)?.close().map(drop)
    }

    /// Has the copy take part in a cut of the log, whose lock is held. It comes first: a power cut in between must not
    /// leave a copy that holds what the log has lost.
    pub(super) fn cut(&self, cut: impl Fn(&mut Log<D>) -> Result<(), Fault>) -> Result<(), Fault> {
        self.cuts.fetch_add(1, Ordering::AcqRel);
        self.to.noted(cut(&mut *whole(&self.future)?))
    }

    /// Has what is copied so far brought to stable storage, so that little is left for the last step; `done` is told.
    pub fn flush(&self, now: Timestamp, done: crate::group_commit::Done) -> Result<(), Fault> {
        whole(&self.future)?.flush(now, done)
    }
}

impl<D: Disk> LogDirs<D> {
    /// Begins to move a replica; a move to another place is given up for it. `false` if it lies there already, or its
    /// log is not here.
    pub fn begin_move(&self, name: &TopicPartition, to: DirectoryId, now: Timestamp) -> Result<bool, Fault> {
        let Some(current) = self.get(name) else { return Ok(false) };
        let under_way = self.moving(name);
        if under_way.as_ref().is_some_and(|under_way| under_way.to.id() == to) {
            return Ok(true);
        }
        if under_way.is_some() {
            self.give_up_move(name, now)?;
        }
        let (from, topic_id, config) = {
            let mut log = whole(&current)?;
            log.make(Room::Reserve)?;
            (Arc::clone(log.home()), log.topic_id(), Arc::clone(log.config()))
        };
        let (Some(topic_id), false) = (topic_id, from.id() == to) else { return Ok(false) };
        // Where the log has left nobody may take its first record for all there is of it.
        from.noted(from.first_records().sync())?;
        let home = self.place(Some(to))?;
        let place = home.path().join(name.to_string());
        if home.disk().list(&place).is_ok() {
            return Err(Fault::Mismatch {
                path: place,
                reason: "it is there already: look what it holds, and remove it".into(),
            });
        }
        let pause = whole(&current)?.pause_cleaning()?;
        let directory = future_name(name, &uuid::Uuid::new_v4().simple().to_string());
        let mut future = Log::plan_in(Arc::clone(&home), &directory, (name.clone(), topic_id), config, now)?;
        future.make(Room::Reserve)?;
        let (name, future) = (name.clone(), Arc::new(Mutex::new(future)));
        let began = Move { name, to: home, current, future, cuts: AtomicU64::new(0), _pause: pause };
        match self.note_move(began) {
            None => Ok(true),
            // Somebody else was faster, perhaps to another place.
            Some(late) => {
                self.clear_away(&late, now)?;
                self.begin_move(&late.name, to, now)
            }
        }
    }

    /// The replicas on their way.
    pub fn moves(&self) -> Vec<Arc<Move<D>>> {
        self.moves.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The move of a replica.
    pub fn moving(&self, name: &TopicPartition) -> Option<Arc<Move<D>>> {
        self.moves.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Puts a move on the list; hands it back if the replica is on its way already.
    fn note_move(&self, began: Move<D>) -> Option<Move<D>> {
        let mut moves = self.moves.write().unwrap_or_else(PoisonError::into_inner);
        match moves.entry(began.name.clone()) {
            Entry::Occupied(_) => Some(began),
            Entry::Vacant(vacant) => {
                vacant.insert(Arc::new(began));
                None
            }
        }
    }

    /// Gives a move up: its copy is removed. Says whether there was one.
    pub fn give_up_move(&self, name: &TopicPartition, now: Timestamp) -> Result<bool, Fault> {
        let removed = self.moves.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        let Some(removed) = removed else { return Ok(false) };
        self.clear_away(&removed, now).map(|()| true)
    }

    /// Gives this one move up, unless it was given up already and perhaps another begun in its place.
    pub fn abandon_move(&self, failed: &Move<D>, now: Timestamp) -> Result<bool, Fault> {
        let Some(removed) = self.forget_move(failed) else { return Ok(false) };
        self.clear_away(&removed, now).map(|()| true)
    }

    /// Takes a move off the list, but no other one of the same replica.
    fn forget_move(&self, ended: &Move<D>) -> Option<Arc<Move<D>>> {
        let mut moves = self.moves.write().unwrap_or_else(PoisonError::into_inner);
        let same = moves.get(&ended.name).is_some_and(|known| known.is(ended));
        if same { moves.remove(&ended.name) } else { None }
    }

    fn is_under_way(&self, one: &Move<D>) -> bool {
        self.moving(&one.name).is_some_and(|known| known.is(one))
    }

    fn clear_away(&self, removed: &Move<D>, now: Timestamp) -> Result<(), Fault> {
        let path = {
            let mut future = locked(&removed.future);
            future.mark_deleted();
            future.path().to_owned()
        };
        match self.put_away(&removed.to, &removed.name, &path, now) {
            // It has taken the place of its log in the last moment.
            Err(fault) if fault.not_found() => Ok(()),
            put_away => put_away,
        }
    }

    /// Has a replica whose copy has all but caught up go on where the copy lies. The lock of its log is held for the rest
    /// of the copy, its fsync and the renames.
    pub fn finish_move(&self, ending: &Move<D>, now: Timestamp) -> Result<(), Fault> {
        let (to, name) = (ending.to.id(), &ending.name);
        self.forget_checkpointed(&ending.to, name)?;
        let ended = loop {
            if !self.is_under_way(ending) {
                break Ok(Ending::GivenUp);
            }
            // Two beats: to gather the checkpoints is to look at every log.
            let arriving = whole(&ending.current)?.arriving();
            self.announce(to, name, arriving)?;
            match self.end_move(ending, arriving.log_start, now) {
                Ok(Ending::Again) => {}
                other => break other,
            }
        };
        match ended {
            Ok(Ending::Moved { source, delay, away }) => {
                // From here on the log speaks for itself: who deletes it knows of what was announced by the move.
                self.forget_arriving(to, name);
                self.forget_move(ending);
                self.note_gone(source.id(), name);
                source.removals().schedule(now, delay, [away]);
                self.checkpoint_all_of(to)
            }
            Ok(Ending::Unloaded { source, fault }) => {
                self.note_arrived_unloaded(to, name);
                // It is gone from there all the same, and another of its name may come.
                self.note_gone(source.id(), name);
                self.forget_log(name, &ending.current);
                Err(fault)
            }
            other => {
                self.forget_arriving(to, name);
                self.note_gone(to, name);
                other.map(drop)
            }
        }
    }

    /// Takes a log off the table that lies nowhere it could be served from, but no other one of its name.
    fn forget_log(&self, name: &TopicPartition, log: &SharedLog<D>) {
        let mut logs = self.logs.write().unwrap_or_else(PoisonError::into_inner);
        if logs.get(name).is_some_and(|known| Arc::ptr_eq(known, log)) {
            logs.remove(name);
        }
    }

    pub(super) fn end_move(
        &self,
        ending: &Move<D>,
        log_start: Offset,
        now: Timestamp,
    ) -> Result<Ending<D>, Fault> {
        let mut current = whole(&ending.current)?;
        let mut future = whole(&ending.future)?;
        if !self.is_under_way(ending) {
            return Ok(Ending::GivenUp);
        }
        if current.partition().watermarks().log_start != log_start {
            return Ok(Ending::Again);
        }
        let (source, delay) = (Arc::clone(current.home()), current.config().file_delete_delay);
        future.complete_copy(&mut current, now)?;
        let away = current.give_way_to(&future)?;
        let opened = current.go_on_as(&future, now);
        future.mark_deleted();
        Ok(match opened {
            Ok(()) => Ending::Moved { source, delay, away },
            Err(fault) => Ending::Unloaded { source, fault },
        })
    }

    /// Says what a copy found at a start is a copy of; one that is needed no more is put away.
    pub(super) fn identify(
        &self,
        home: &Home<D>,
        (cut, directory): (&TopicPartition, &str),
        said: &impl Fn(&TopicPartition) -> Checkpoints,
        placement: &impl Fn(&TopicPartition, Option<TopicId>) -> Placement,
        now: Timestamp,
    ) -> Result<Option<FoundCopy<D>>, Fault> {
        let (disk, path) = (home.directory.disk(), home.directory.path().join(directory));
        let topic_id = match partition_metadata::read(disk, &path) {
            // The id is on stable storage long before anybody may need the copy.
            Err(Fault::Corrupt { .. }) if partition_metadata::is_torn(disk, &path)? => None,
            other => other?,
        };
        if topic_id.is_none() {
            return self.put_away(&home.directory, cut, &path, now).map(|()| None);
        }
        let (name, config) = match placement(cut, topic_id) {
            Placement::Here(config) => (cut.clone(), config),
            Placement::HereAs(name, config) => (name, config),
            Placement::Stray => return self.put_away(&home.directory, cut, &path, now).map(|()| None),
        };
        let (home, directory, said) = (Arc::clone(&home.directory), directory.to_owned(), said(&name));
        Ok(Some(FoundCopy { name, topic_id, config, home, directory, said }))
    }

    /// Takes up the copies found at a start.
    pub(super) fn take_up_moves(
        &self,
        found: Vec<FoundCopy<D>>,
        assigned: impl Fn(&TopicPartition) -> Option<DirectoryId>,
        report: &mut LoadReport,
        now: Timestamp,
    ) {
        for mut copy in found {
            let home = Arc::clone(&copy.home);
            let is_assigned = assigned(&copy.name) == Some(home.id());
            if let Err(fault) = home.noted(self.take_up_move(&mut copy, is_assigned, now)) {
                let FoundCopy { name, directory, said, .. } = copy;
                if self.get(&name).is_none() {
                    self.note_unloaded(&name, home.id(), (directory, said));
                }
                report.failed.push((name, fault));
            }
        }
    }

    fn take_up_move(&self, copy: &mut FoundCopy<D>, is_assigned: bool, now: Timestamp) -> Result<(), Fault> {
        let away = self.check_all();
        let current = self.get(&copy.name);
        let original = match &current {
            Some(current) => {
                let log = whole(current)?;
                let compacted = copy.config.append.compacted || log.cleaned_to().is_some();
                Original::Served { in_home: log.directory_id() == copy.home.id(), compacted }
            }
            None if self.is_log_unloaded(copy) => Original::Unloaded,
            None => Original::Nowhere { is_assigned, is_away: away.is_err() },
        };
        let path = copy.home.path().join(&copy.directory);
        match (original.fate_of_copy(), current, away) {
            (Fate::PutAway, ..) => self.put_away(&copy.home, &copy.name, &path, now),
            (Fate::BeginAgain, ..) => self.begin_again(&copy.name, &copy.home, &path, now),
            (Fate::GoOn, Some(current), _) => self.go_on(copy, current, now),
            (Fate::GoOn | Fate::TakeOver, _, away) => self.take_over(copy, away, now),
            (Fate::WaitForDirectories, _, away) => away,
            (Fate::WaitForLog, ..) => {
                let reason = "the log that it is a copy of could not be loaded".to_owned();
                Err(Fault::Mismatch { path, reason })
            }
        }
    }

    /// Whether the log it is a copy of lies in a directory that is in use, and could not be loaded.
    fn is_log_unloaded(&self, copy: &FoundCopy<D>) -> bool {
        let unloaded = self.unloaded();
        let Some(homes) = unloaded.get(&copy.name) else { return false };
        let in_order = |home: &&Home<D>| home.directory.state().check().is_ok();
        self.homes.iter().filter(in_order).any(|home| homes.contains_key(&home.directory.id()))
    }

    /// Goes on with a move from where its copy ends. One that is no use any more is begun again.
    fn go_on(&self, copy: &FoundCopy<D>, current: SharedLog<D>, now: Timestamp) -> Result<(), Fault> {
        let FoundCopy { name, topic_id, config, home, directory, said } = copy;
        let path = home.path().join(directory);
        let pause = whole(&current)?.pause_cleaning()?;
        let nothing = Checkpoints { clean: said.clean, ..Checkpoints::nothing() };
        let opened = home.reserved(|| {
            let what = (name.clone(), *topic_id);
            Log::open_in(Arc::clone(home), directory, what, Arc::clone(config), (nothing, now))
        });
        let mut future = match opened {
            Err(fault @ Fault::Corrupt { .. }) => {
                tracing::warn!(partition = %name, %fault, "the copy of a replica is no use any more");
                return self.begin_again(name, home, &path, now);
            }
            opened => opened?.log,
        };
        let end = end_of(&*whole(&current)?);
        if end_of(&future) > end {
            // The log has lost what was not synced, and what comes in its place is to be copied.
            future.truncate(end, now)?;
        }
        if !future.ends_as(&mut *whole(&current)?)? {
            tracing::warn!(partition = %name, "the copy of a replica is of what is there no more");
            future.mark_deleted();
            return self.begin_again(name, home, &path, now);
        }
        tracing::info!(partition = %name, to = %home.path().display(), "a replica goes on moving");
        let (name, to, future) = (name.clone(), Arc::clone(home), Arc::new(Mutex::new(future)));
        let found = Move { name, to, current, future, cuts: AtomicU64::new(0), _pause: pause };
        // A second copy of the same replica is needed no more.
        self.note_move(found).map_or(Ok(()), |second| self.clear_away(&second, now))
    }

    fn begin_again(
        &self,
        name: &TopicPartition,
        home: &LogDirectory<D>,
        path: &Path,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.put_away(home, name, path, now)?;
        self.begin_move(name, home.id(), now).map(drop)
    }

    /// Makes a copy the replica. The metadata is told where that goes when next to nothing is left to be copied: should
    /// there be no way back to the log, the copy is what there is of it.
    fn take_over(
        &self,
        copy: &mut FoundCopy<D>,
        away: Result<(), Fault>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let (name, home, place) = (copy.name.clone(), Arc::clone(&copy.home), copy.name.to_string());
        let (path, named) = (home.path().join(&copy.directory), home.path().join(&place));
        home.reserved(|| {
            home.disk().rename(&path, &named).map_err(|error| Fault::io("rename", &path, error))
        })?;
        copy.directory = place;
        let said = Checkpoints { clean: false, recovery_point: Offset::ZERO, ..copy.said };
        let opened = home.reserved(|| {
            let what = (name.clone(), copy.topic_id);
            Log::open(Arc::clone(&home), what, Arc::clone(&copy.config), said, now)
        })?;
        let (to, end) = (home.path().display(), end_of(&opened.log));
        match away {
            Ok(()) => tracing::info!(partition = %name, %to, "a replica has moved"),
            Err(fault) => tracing::warn!(
                partition = %name, %to, %end, %fault,
                "a replica has moved, and goes on with what was copied: nobody can look whether there was more"
            ),
        }
        let mut logs = self.logs.write().unwrap_or_else(PoisonError::into_inner);
        logs.insert(name, Arc::new(Mutex::new(opened.log)));
        Ok(())
    }

    /// Renames a directory that is needed no more and has it removed.
    fn put_away(
        &self,
        home: &LogDirectory<D>,
        name: &TopicPartition,
        path: &Path,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let away = home.path().join(deletion_name(name, &uuid::Uuid::new_v4().simple().to_string()));
        home.reserved(|| home.disk().rename(path, &away).map_err(|error| Fault::io("rename", path, error)))?;
        home.removals().schedule(now, Millis(0), [away]);
        Ok(())
    }
}

fn end_of<D: Disk>(log: &Log<D>) -> Offset {
    log.partition().watermarks().log_end
}
