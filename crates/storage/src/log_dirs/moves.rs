//! Replicas on their way from one log directory to another (KIP-113): begun, driven step by step, finished or given up, and
//! found again at a start.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use partition::Millis;
use protocol::id::{DirectoryId, Timestamp};
use protocol::offset::Offset;

use super::load::{LoadReport, Placement};
use super::{LogDirs, SharedLog, locked};
use crate::disk::{Disk, RealDisk};
use crate::fault::Fault;
use crate::log::{Checkpoints, Copied, Log};
use crate::log_directory::LogDirectory;
use crate::names::{TopicPartition, deletion_name, future_name};
use crate::partition_metadata;

/// A replica on its way.
pub struct Move<D: Disk = RealDisk> {
    /// The partition.
    pub name: TopicPartition,
    /// Where it goes.
    pub to: Arc<LogDirectory<D>>,
    current: SharedLog<D>,
    future: SharedLog<D>,
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
        let reached = locked(&self.future).partition().watermarks().log_end;
        let (bytes, source) = {
            let mut current = locked(&self.current);
            let end = current.partition().watermarks().log_end;
            if reached > end {
                // What was copied is gone from the log: a new leader had another opinion.
                drop(current);
                locked(&self.future).truncate(end, now)?;
                return Ok(Copied { bytes: 0, lag: 0 });
            }
            (current.batches_from(reached, bytes_max)?, current.partition().clone())
        };
        let mut future = locked(&self.future);
        let copied = self.to.noted(future.take_copied(&source, &bytes, now))?;
        let lag = source.watermarks().log_end.0 - future.partition().watermarks().log_end.0;
        Ok(Copied { bytes: copied, lag })
    }

    /// Has what is copied so far brought to stable storage, so that little is left for the last step; `done` is told.
    pub fn flush(&self, now: Timestamp, done: crate::group_commit::Done) -> Result<(), Fault> {
        locked(&self.future).flush(now, done)
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
            let mut log = locked(&current);
            log.ensure_made()?;
            (log.directory_id(), log.topic_id(), Arc::clone(log.config()))
        };
        let (Some(topic_id), false) = (topic_id, from == to) else { return Ok(false) };
        let home = self.place(Some(to))?;
        let place = home.path().join(name.to_string());
        if home.disk().list(&place).is_ok() {
            return Err(Fault::Mismatch {
                path: place,
                reason: "it is there already: look what it holds, and remove it".into(),
            });
        }
        let directory = future_name(name, &uuid::Uuid::new_v4().simple().to_string());
        let made = home.reserved(|| {
            let what = (name.clone(), topic_id);
            let mut log = Log::plan_in(Arc::clone(&home), &directory, what, Arc::clone(&config), now)?;
            log.ensure_made().map(|()| log)
        });
        let future = Arc::new(Mutex::new(made?));
        self.note_move(Move { name: name.clone(), to: home, current, future });
        Ok(true)
    }

    /// The replicas on their way.
    pub fn moves(&self) -> Vec<Arc<Move<D>>> {
        self.moves.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The move of a replica.
    pub fn moving(&self, name: &TopicPartition) -> Option<Arc<Move<D>>> {
        self.moves.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn note_move(&self, began: Move<D>) {
        let mut moves = self.moves.write().unwrap_or_else(PoisonError::into_inner);
        moves.insert(began.name.clone(), Arc::new(began));
    }

    /// Gives a move up: its copy is removed. Says whether there was one.
    pub fn give_up_move(&self, name: &TopicPartition, now: Timestamp) -> Result<bool, Fault> {
        let removed = self.moves.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        let Some(removed) = removed else { return Ok(false) };
        self.clear_away(&removed, now).map(|()| true)
    }

    /// Gives this one move up, unless it was given up already and perhaps another begun in its place.
    pub fn abandon_move(&self, failed: &Move<D>, now: Timestamp) -> Result<bool, Fault> {
        let removed = {
            let mut moves = self.moves.write().unwrap_or_else(PoisonError::into_inner);
            let same =
                moves.get(&failed.name).is_some_and(|known| Arc::ptr_eq(&known.future, &failed.future));
            if same { moves.remove(&failed.name) } else { None }
        };
        let Some(removed) = removed else { return Ok(false) };
        self.clear_away(&removed, now).map(|()| true)
    }

    fn clear_away(&self, removed: &Move<D>, now: Timestamp) -> Result<(), Fault> {
        let path = {
            let mut future = locked(&removed.future);
            future.mark_deleted();
            future.path().to_owned()
        };
        self.put_away(&removed.to, &removed.name, &path, now)
    }

    /// Has a replica whose copy has all but caught up go on where the copy lies. The lock of its log is held for the rest
    /// of the copy, its fsync and the renames.
    pub fn finish_move(&self, ending: &Move<D>, now: Timestamp) -> Result<(), Fault> {
        self.forget_checkpointed(&ending.to, &ending.name)?;
        let mut current = locked(&ending.current);
        let (source, delay) = (Arc::clone(current.home()), current.config().file_delete_delay);
        let mut future = locked(&ending.future);
        // Given up, or the partition deleted, while this waited for the lock.
        if !self.moving(&ending.name).is_some_and(|known| Arc::ptr_eq(&known.future, &ending.future)) {
            return Ok(());
        }
        future.complete_copy(&mut current, now)?;
        let away = current.replace_with_copy(&future, now)?;
        future.mark_deleted();
        drop((current, future));
        self.moves.write().unwrap_or_else(PoisonError::into_inner).remove(&ending.name);
        self.note_gone(source.id(), &ending.name);
        source.removals().schedule(now, delay, [away]);
        self.checkpoint_all_of(ending.to.id())
    }

    /// Takes up the copies found at a start: those whose log is here go on being copied; one that is alone is the replica,
    /// if no directory is out of use that could hold it.
    pub(super) fn take_up_moves(
        &self,
        found: Vec<(TopicPartition, Arc<LogDirectory<D>>, String)>,
        placement: &impl Fn(&TopicPartition, Option<protocol::id::TopicId>) -> Placement,
        report: &mut LoadReport,
        now: Timestamp,
    ) {
        for (name, home, directory) in found {
            let taken = self.take_up(&name, &home, &directory, placement, now);
            if let Err(fault) = home.noted(taken) {
                report.failed.push((name, fault));
            }
        }
    }

    fn take_up(
        &self,
        name: &TopicPartition,
        home: &Arc<LogDirectory<D>>,
        directory: &str,
        placement: &impl Fn(&TopicPartition, Option<protocol::id::TopicId>) -> Placement,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let path = home.path().join(directory);
        let topic_id = partition_metadata::read(home.disk(), &path)?;
        let Placement::Here(config) = placement(name, topic_id) else {
            return self.put_away(home, name, &path, now);
        };
        let nothing = Checkpoints {
            clean: false,
            recovery_point: Offset::ZERO,
            log_start: Offset::ZERO,
            high_watermark: Offset::ZERO,
            // The log may have been compacted where it comes from: its holes are no news.
            cleaned_to: Some(Offset::ZERO),
        };
        let what = (name.clone(), topic_id);
        match self.get(name) {
            Some(current) if locked(&current).directory_id() == home.id() => {
                self.put_away(home, name, &path, now)
            }
            Some(current) => {
                let opened = Log::open_in(Arc::clone(home), directory, what, config, (nothing, now))?;
                let future = Arc::new(Mutex::new(opened.log));
                self.note_move(Move { name: name.clone(), to: Arc::clone(home), current, future });
                tracing::info!(partition = %name, to = %home.path().display(), "a replica goes on moving");
                Ok(())
            }
            None => {
                self.check_all()?;
                let place = home.path().join(name.to_string());
                home.disk().rename(&path, &place).map_err(|error| Fault::io("rename", &path, error))?;
                let opened = Log::open(Arc::clone(home), what, config, nothing, now)?;
                let mut logs = self.logs.write().unwrap_or_else(PoisonError::into_inner);
                logs.insert(name.clone(), Arc::new(Mutex::new(opened.log)));
                tracing::info!(partition = %name, to = %home.path().display(), "a replica has moved");
                Ok(())
            }
        }
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
