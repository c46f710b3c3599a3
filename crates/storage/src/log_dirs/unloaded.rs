//! Partitions whose logs lie here and cannot be served: they could not be loaded, or not be opened where they moved to.
//!
//! Nothing is made in their place, the checkpoints go on saying what they said, and their log directories do not end
//! cleanly: the next start looks again. Only the deletion of their topics ends that.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use partition::Millis;
use protocol::id::{DirectoryId, Timestamp};

use super::LogDirs;
use super::home::Home;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::first_records::FirstPlace;
use crate::log::Checkpoints;
use crate::names::{DirectoryName, TopicPartition, deletion_name, future_name};

/// Such a log in one log directory.
pub(super) struct Unloaded {
    /// The names of its directories: a copy of it may lie beside it.
    directories: Vec<String>,
    /// What the checkpoints say of it.
    pub(super) said: Checkpoints,
    /// Where its first record lies, if that waits for it.
    row: Option<FirstPlace>,
}

/// By partition and log directory: one may be there twice. Bound: what the metadata places here.
pub(super) type UnloadedLogs = BTreeMap<TopicPartition, BTreeMap<DirectoryId, Unloaded>>;

impl<D: Disk> LogDirs<D> {
    /// Taken last of all locks.
    pub(super) fn unloaded(&self) -> MutexGuard<'_, UnloadedLogs> {
        self.unloaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a log is in this log directory, in a directory of this name, and cannot be served.
    pub(super) fn note_unloaded(
        &self,
        name: &TopicPartition,
        home: DirectoryId,
        (directory, said): (String, Checkpoints),
    ) {
        let nothing = || Unloaded { directories: Vec::new(), said, row: None };
        let mut unloaded = self.unloaded();
        let noted = unloaded.entry(name.clone()).or_default().entry(home).or_insert_with(nothing);
        noted.said = said;
        if !noted.directories.contains(&directory) {
            noted.directories.push(directory);
        }
        drop(unloaded);
        if let Some(home) = self.directory(home) {
            home.note_high_watermark_moved();
        }
    }

    /// Whether a log of this name is here and cannot be served, or a copy that cannot even be asked whose it is and may be
    /// of it: the name of its directory has no room for a very long one.
    pub(super) fn is_unloaded(&self, name: &TopicPartition) -> bool {
        let unloaded = self.unloaded();
        if unloaded.is_empty() {
            return false;
        }
        if unloaded.contains_key(name) {
            return true;
        }
        let unique = uuid::Uuid::nil().simple().to_string();
        let DirectoryName::Future(cut) = DirectoryName::parse(&future_name(name, &unique)) else {
            return false;
        };
        let directories = unloaded.get(&cut).into_iter().flatten().flat_map(|(_, noted)| &noted.directories);
        directories
            .map(|name| DirectoryName::parse(name))
            .any(|name| matches!(name, DirectoryName::Future(_)))
    }

    /// Notes that a first record waits for such a log; `false` if there is none in this log directory.
    pub(super) fn wait_for_unloaded(
        &self,
        name: &TopicPartition,
        home: DirectoryId,
        row: FirstPlace,
    ) -> bool {
        let mut unloaded = self.unloaded();
        let waiting = unloaded.get_mut(name).and_then(|homes| homes.get_mut(&home));
        waiting.map(|waiting| waiting.row = Some(row)).is_some()
    }

    /// Takes a partition away whose log cannot be served; says whether there was one. What is left of it where nobody can
    /// look is set aside when it is found again.
    pub(super) fn delete_unloaded(&self, name: &TopicPartition, now: Timestamp) -> Result<bool, Fault> {
        let homes = self.unloaded().get(name).map(|homes| homes.keys().copied().collect::<Vec<_>>());
        let Some(homes) = homes else { return Ok(false) };
        for home in self.homes.iter().filter(|home| homes.contains(&home.directory.id())) {
            if home.directory.state().check().is_ok() {
                self.put_unloaded_away(home, name, now)?;
            }
            home.note_gone(name);
            let mut unloaded = self.unloaded();
            if let Some(left) = unloaded.get_mut(name) {
                left.remove(&home.directory.id());
            }
            unloaded.retain(|_, homes| !homes.is_empty());
        }
        Ok(true)
    }

    fn put_unloaded_away(&self, home: &Home<D>, name: &TopicPartition, now: Timestamp) -> Result<(), Fault> {
        let directory = &home.directory;
        let (names, row) = match self.unloaded().get(name).and_then(|homes| homes.get(&directory.id())) {
            Some(unloaded) => (unloaded.directories.clone(), unloaded.row),
            None => return Ok(()),
        };
        for from in names.iter().map(|name| directory.path().join(name)) {
            let to = directory.path().join(deletion_name(name, &uuid::Uuid::new_v4().simple().to_string()));
            let rename =
                || directory.disk().rename(&from, &to).map_err(|error| Fault::io("rename", &from, error));
            match directory.reserved(rename) {
                // It had a record and no directory yet.
                Err(fault) if fault.not_found() => {}
                renamed => {
                    renamed?;
                    directory.removals().schedule(now, Millis(0), [to]);
                }
            }
        }
        row.map_or(Ok(()), |row| directory.reserved(|| directory.first_records().forget(row)))
    }
}
