//! Has connections served while one of their threads waits for a disk.
//!
//! Of the threads of connections one at a time waits for the sockets. When it finds a single request it serves it without
//! asking another to wait in its place. If that request then waits for a disk, nobody hears of any socket, however many
//! threads sleep. This thread wakes one of them while somebody has been at a log directory for longer than requests take.
//! It sleeps as long as nobody is at any; it never touches a directory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use storage::log_directory::LogDirectory;
use tokio::runtime::Handle;

/// How often it looks while there is something to look at.
const EVERY: Duration = Duration::from_millis(20);

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub struct StallWatch {
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl StallWatch {
    /// Watches over these directories on behalf of the runtime that serves connections.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(directories: Vec<Arc<LogDirectory>>, connections: Handle) -> std::io::Result<Self> {
        let stopped = Arc::new(AtomicBool::new(false));
        let stops = stopped.clone();
        let thread = std::thread::Builder::new().name("stall-watch".into());
        let thread = thread.spawn(move || run(&directories, &connections, &stops))?;
        Ok(Self { stopped, thread: Some(thread) })
    }
}

impl Drop for StallWatch {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _panicked = thread.join();
        }
    }
}

fn run(directories: &[Arc<LogDirectory>], connections: &Handle, stopped: &AtomicBool) {
    for directory in directories {
        directory.pace().watch(std::thread::current());
    }
    let mut visited = vec![false; directories.len()];
    while !stopped.load(Ordering::SeqCst) {
        let (mut quiet, mut may_be_stalled) = (true, false);
        for (directory, before) in directories.iter().zip(&mut visited) {
            let now = directory.pace().threads() > 0;
            may_be_stalled |= now && *before;
            *before = now;
            quiet &= directory.pace().is_quiet();
        }
        if may_be_stalled {
            // A task from outside wakes a thread that sleeps; when it is done with it, it waits for the sockets.
            drop(connections.spawn(async {}));
        }
        if quiet {
            std::thread::park();
        } else {
            std::thread::park_timeout(EVERY);
        }
    }
}
