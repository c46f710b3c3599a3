//! The end of a node's log directories: logs closed, all brought to stable storage, the marks of a clean end written.
//!
//! A directory where any of it fails stays without the mark, alone, and is recovered at the next start.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use protocol::id::{BrokerEpoch, DirectoryId};

use super::home::Home;
use super::{LogDirs, locked, whole};
use crate::clean_logs::{CLEAN_LOGS, CleanLogsWriter};
use crate::clean_shutdown;
use crate::directory_state::DirectoryHealth;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::log::Log;
use crate::whole_file;

impl<D: Disk> LogDirs<D> {
    /// Ends cleanly: logs closed, all on stable storage, checkpoints written, and last the mark that says so. A
    /// directory where any of it fails, or where a log could not be loaded, stays without the mark and is recovered at the
    /// next start. What many logs have to bring to stable storage is brought there together (ADR 0025).
    pub fn close(&self, epoch: BrokerEpoch) {
        let mut unclean: BTreeSet<DirectoryId> = self.offline().into_iter().collect();
        // A mark would vouch for logs that nobody could look into (KAFKA-15375).
        unclean.extend(self.unloaded().values().flat_map(|homes| homes.keys().copied()));
        let failed = self.close_each(&BTreeSet::new(), Log::begin_close);
        unclean.extend(failed);
        self.close_moves();
        self.end_homes(&mut unclean, |home| {
            home.directory.state().check()?;
            home.directory.first_records().end()?;
            self.sync_home(home)
        });
        let changed = Mutex::new(BTreeSet::new());
        let failed = self.close_each(&unclean, |log| {
            if log.end_close()? {
                changed.lock().unwrap_or_else(PoisonError::into_inner).insert(log.directory_id());
            }
            Ok(())
        });
        unclean.extend(failed);
        let changed = changed.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.end_homes(&mut unclean, |home| {
            if changed.contains(&home.directory.id()) {
                self.sync_home(home)?;
            }
            self.close_home(home, epoch)
        });
    }

    /// Does a step of the end in each directory where all has gone well.
    fn end_homes(&self, unclean: &mut BTreeSet<DirectoryId>, step: impl Fn(&Home<D>) -> Result<(), Fault>) {
        for home in &self.homes {
            let directory = &home.directory;
            if unclean.contains(&directory.id()) {
                continue;
            }
            if let Err(fault) = directory.noted(step(home)) {
                tracing::error!(%fault, "cannot end the log directory cleanly");
                unclean.insert(directory.id());
            }
        }
    }

    /// Writes down what the next start would find in the directories of the logs.
    fn write_known(&self, home: &Home<D>, epoch: BrokerEpoch) -> Result<(), Fault> {
        let (directory, mut writer) = (&home.directory, CleanLogsWriter::default());
        for (_, log) in self.logs() {
            let mut log = locked(&log);
            if log.directory_id() == directory.id()
                && let Some(known) = log.known()
            {
                writer.add(directory.disk(), log.path(), &known);
            }
        }
        let bytes = writer.finish(epoch);
        let path = directory.path().join(CLEAN_LOGS);
        directory.reserved(|| whole_file::replace(directory.disk(), &path, &bytes))
    }

    /// Does a step of closing the logs outside of some directories, by as many threads as read them; says in which others one
    /// could not be.
    fn close_each(
        &self,
        outside: &BTreeSet<DirectoryId>,
        step: impl Fn(&mut Log<D>) -> Result<(), Fault> + Sync,
    ) -> Vec<DirectoryId> {
        let (logs, next, failed) = (self.logs(), AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || {
            while let Some((name, log)) = logs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let directory = locked(log).directory_id();
                let home = self.directory(directory);
                if outside.contains(&directory)
                    || home.is_some_and(|home| home.state().health() == DirectoryHealth::Offline)
                {
                    continue;
                }
                if let Err(fault) = whole(log).and_then(|mut log| step(&mut log)) {
                    tracing::error!(partition = %name, %fault, "cannot close the log");
                    failed.lock().unwrap_or_else(PoisonError::into_inner).push(directory);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.recovery_threads.saturating_mul(self.homes.len()).min(logs.len()) {
                scope.spawn(work);
            }
            work();
        });
        failed.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the copies of replicas on their way, so that who reads their directories finds them in order. They are looked
    /// through at the next start all the same.
    fn close_moves(&self) {
        for moving in self.moves() {
            if let Err(fault) = moving.close() {
                tracing::warn!(partition = %moving.name, %fault, "the copy of a replica cannot be closed");
            }
        }
    }

    fn close_home(&self, home: &Home<D>, epoch: BrokerEpoch) -> Result<(), Fault> {
        let directory = &home.directory;
        directory.state().check()?;
        self.write_checkpoints_at_end(home)?;
        self.write_known(home, epoch)?;
        directory.reserved(|| clean_shutdown::write(directory.disk(), directory.path(), epoch))
    }

    /// Brings all that lies in a directory to stable storage, with the partitions that lie elsewhere behind a link.
    fn sync_home(&self, home: &Home<D>) -> Result<(), Fault> {
        let directory = &home.directory;
        directory.state().check()?;
        let sync = |path: &Path, file: &D::File| {
            directory.disk().sync_all(file).map_err(|error| Fault::io("fsync", path, error))
        };
        let system_of =
            |path: &Path| directory.disk().file_system(path).map_err(|error| Fault::io("read", path, error));
        sync(directory.path(), home.lock.file())?;
        let mut synced = BTreeSet::from([system_of(directory.path())?]);
        for (_, log) in self.walk() {
            let path = {
                let log = locked(&log);
                let here = log.directory_id() == directory.id() && log.is_made();
                here.then(|| log.path().to_owned())
            };
            let Some(path) = path else { continue };
            if synced.insert(system_of(&path)?) {
                // Nobody waits for the log while it is synced.
                let file = locked(&log).active_file()?;
                sync(&path, &file)?;
            }
        }
        Ok(())
    }
}
