//! How many answers are converted to message sets at once: a few for each log directory, so that their memory is bounded and
//! a disk that hangs holds up the old readers of what lies on it and of nothing else.
//!
//! Driven by Fetch 0 to 3. What is converted is nothing to it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::id::DirectoryId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many there may be of each directory.
const AT_ONCE: usize = 4;

/// The conversions that may be under way.
#[derive(Debug, Default)]
pub struct Conversions {
    /// Bound: the log directories there are.
    directories: Mutex<HashMap<DirectoryId, Arc<Semaphore>>>,
}

impl Conversions {
    /// Waits until another conversion may begin of what lies in a directory; it ends when what is handed back is dropped.
    pub async fn begin(&self, directory: DirectoryId) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        self.places(directory).acquire_owned().await.ok()
    }

    /// The same without waiting: `None` where as many are under way as may be.
    pub fn try_begin(&self, directory: DirectoryId) -> Option<OwnedSemaphorePermit> {
        self.places(directory).try_acquire_owned().ok()
    }

    fn places(&self, directory: DirectoryId) -> Arc<Semaphore> {
        let mut directories = self.directories.lock().unwrap_or_else(PoisonError::into_inner);
        directories.entry(directory).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone()
    }
}
