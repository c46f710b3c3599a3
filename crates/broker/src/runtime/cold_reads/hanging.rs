//! For tests only: a disk that hangs. Nothing in the broker calls this.
//!
//! No file of a test can be made to hang as a disk does, so the thread that reads from a directory is given something else to
//! do. It lies here and not among the tests as those are crates of their own, which do not come to the threads.

use protocol::id::DirectoryId;

use super::ColdReads;
use crate::net::Close;

impl ColdReads {
    /// Has the thread that reads from a directory do this first.
    ///
    /// # Errors
    /// The end of the connection, if it panicked.
    #[doc(hidden)]
    pub async fn hold_up(
        &self,
        directory: DirectoryId,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), Close> {
        let work = move |_: &mut [u8]| {
            work();
            Vec::new()
        };
        let is_done = self.lanes.submit(directory, Box::new(work)).await;
        is_done.await.map(drop).map_err(|_| Close::Unfinished)
    }
}
