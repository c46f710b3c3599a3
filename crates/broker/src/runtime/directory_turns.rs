//! How many requests may be at a log directory at a time with a thread each that may have to wait for its disk.
//!
//! Threads that wait are few, and each stalled request would take one. Beyond twice as many as serve connections, requests wait
//! for their turn without a thread, up to a time. As no more run at once than there are threads, nobody waits here unless a
//! disk stalls. Fetches that hold memory which all share have turns of their own, fewer, at the thread of a directory that does not
//! keep up. Driven by the coordinators and by Fetch; nothing here knows what a turn is used for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use protocol::id::DirectoryId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// However many threads serve connections, no more than this may wait for one directory: they come out of a pool of a few
/// hundred.
const TURNS_MAX: usize = 64;

/// How many fetches that hold memory of all may be in line for the thread of a directory that does not keep up.
const SLOW_READS_AT_ONCE: usize = 4;

/// The turns at all directories.
#[derive(Debug)]
pub struct DirectoryTurns {
    turns: BTreeMap<DirectoryId, Arc<Semaphore>>,
}

/// A turn; over when dropped.
pub type DirectoryTurn = OwnedSemaphorePermit;

/// There was no turn in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("log directory {directory} did not keep up for {} ms: too many requests wait for it", waited.as_millis())]
pub struct NoTurn {
    directory: DirectoryId,
    waited: Duration,
}

impl DirectoryTurns {
    /// So many at each of these directories.
    pub fn new(directories: impl Iterator<Item = DirectoryId>, turns: usize) -> Self {
        let turns = turns.clamp(1, TURNS_MAX);
        Self { turns: directories.map(|id| (id, Arc::new(Semaphore::new(turns)))).collect() }
    }

    /// Those of fetches that hold memory of all.
    pub fn of_slow_reads(directories: impl Iterator<Item = DirectoryId>) -> Self {
        Self::new(directories, SLOW_READS_AT_ONCE)
    }

    /// A turn, if there is one to have without waiting; `Some(None)` at a directory that none are counted of.
    pub fn at_once(&self, directory: DirectoryId) -> Option<Option<DirectoryTurn>> {
        match self.turns.get(&directory) {
            Some(turns) => turns.clone().try_acquire_owned().ok().map(Some),
            None => Some(None),
        }
    }

    /// A turn; waits for it in line, however long that takes. `None` at a directory that none are counted of.
    pub async fn turn(&self, directory: DirectoryId) -> Option<DirectoryTurn> {
        // It is never closed.
        self.turns.get(&directory)?.clone().acquire_owned().await.ok()
    }

    /// The same up to a time.
    ///
    /// # Errors
    /// There is none for so long.
    pub async fn wait(
        &self,
        directory: DirectoryId,
        most: Duration,
    ) -> Result<Option<DirectoryTurn>, NoTurn> {
        let turn = tokio::time::timeout(most, self.turn(directory)).await;
        turn.map_err(|_| NoTurn { directory, waited: most })
    }
}

#[cfg(test)]
mod tests {
    use protocol::id::Uuid;

    use super::*;

    #[tokio::test]
    async fn who_comes_too_late_waits_and_is_refused_in_the_end() {
        let (one, other) = (Uuid([1; 16]), Uuid([2; 16]));
        let turns = DirectoryTurns::new([one, other].into_iter(), 2);
        let first = turns.at_once(one).unwrap();
        let second = turns.at_once(one).unwrap();
        assert!(turns.at_once(one).is_none());
        assert!(turns.at_once(other).is_some(), "other directories are not concerned");
        assert!(turns.at_once(Uuid([3; 16])).is_some_and(|turn| turn.is_none()));
        let refused = turns.wait(one, Duration::from_millis(1)).await.unwrap_err();
        assert!(refused.to_string().contains("did not keep up for 1 ms"), "{refused}");
        let waits = turns.wait(one, Duration::from_secs(60));
        drop(first);
        assert!(waits.await.unwrap().is_some());
        drop(second);
    }
}
