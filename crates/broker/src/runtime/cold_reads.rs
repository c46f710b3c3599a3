//! Old records come from the disk: a thread of their own reads them into the page cache before they are sent, so
//! that a reader far behind holds up no connection that shares its thread.
//!
//! What was appended lately (`headwater.fetch.hot.bytes`) is taken to be in memory and never asked about. Older
//! ranges are asked about with reads that must not wait; only what is really missing goes to the thread.

use std::io::IoSliceMut;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::fs::Advice;
use rustix::io::{Errno, ReadWriteFlags};
use tokio::sync::oneshot;

use crate::net::FileRange;

/// How far apart the bytes lie that are asked about, and how much is read at a time.
const STRIDE: u64 = 256 << 10;

/// The thread that reads; started when it is first needed.
#[derive(Debug, Default)]
pub struct ColdReads {
    /// Bound: one job for each connection. `None` where the system gave no thread: then nothing is brought in, and
    /// sending waits for the disk.
    jobs: OnceLock<Option<Sender<Job>>>,
}

struct Job {
    ranges: Vec<FileRange>,
    done: oneshot::Sender<()>,
}

impl ColdReads {
    /// Waits until the ranges are in memory. A range that cannot be read is left to the sending, which fails on it.
    pub async fn bring_in(&self, ranges: Vec<FileRange>) {
        if ranges.is_empty() {
            return;
        }
        let Some(jobs) = self.jobs.get_or_init(start) else {
            return;
        };
        let (done, is_done) = oneshot::channel();
        if jobs.send(Job { ranges, done }).is_ok() {
            // A thread that ended has brought in what it could.
            let _ended = is_done.await;
        }
    }
}

fn start() -> Option<Sender<Job>> {
    let (jobs, inbox) = channel();
    let thread = std::thread::Builder::new().name("cold-reads".into()).spawn(move || run(&inbox));
    match thread {
        Ok(_detached) => Some(jobs),
        Err(error) => {
            tracing::error!(%error, "no thread for cold reads: readers of old records may hold up others");
            None
        }
    }
}

/// Ends when the broker is gone, with the last sender of jobs.
fn run(inbox: &Receiver<Job>) {
    let mut scratch = vec![0; STRIDE as usize];
    for Job { ranges, done } in inbox {
        for range in &ranges {
            // Advice may be refused; the reads below do the work.
            let length = std::num::NonZeroU64::new(range.length);
            let _advised = rustix::fs::fadvise(&*range.file, range.position, length, Advice::WillNeed);
        }
        for range in &ranges {
            read(range, &mut scratch);
        }
        // The connection may be gone.
        let _gone = done.send(());
    }
}

fn read(range: &FileRange, scratch: &mut [u8]) {
    let mut at = range.position;
    let end = range.position + range.length;
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(usize::MAX).min(scratch.len());
        match rustix::io::pread(&*range.file, &mut scratch[..wanted], at) {
            Ok(0) => return,
            Ok(count) => at += count as u64,
            Err(Errno::INTR) => {}
            Err(error) => {
                tracing::debug!(%error, "old records cannot be read");
                return;
            }
        }
    }
}

/// Whether a range can be sent without waiting for the disk, as far as a look at a byte in every so many tells. A
/// file system that cannot say counts as memory.
pub fn is_resident(range: &FileRange) -> bool {
    let end = range.position + range.length;
    let places = (range.position..end).step_by(STRIDE as usize).chain(end.checked_sub(1));
    for place in places {
        let mut byte = [0];
        let answer = rustix::io::preadv2(
            &*range.file,
            &mut [IoSliceMut::new(&mut byte)],
            place,
            ReadWriteFlags::NOWAIT,
        );
        if answer == Err(Errno::AGAIN) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn what_is_brought_in_is_resident() {
        let mut file = tempfile::tempfile_in(".").unwrap();
        file.write_all(&vec![7; 3 << 20]).unwrap();
        file.sync_all().unwrap();
        // The system may keep the pages all the same; then there is nothing to bring in.
        let _advised = rustix::fs::fadvise(&file, 0, None, Advice::DontNeed);
        let range = FileRange { file: Arc::new(file), position: 1000, length: 2 << 20 };
        ColdReads::default().bring_in(vec![range.clone()]).await;
        assert!(is_resident(&range));
    }

    #[tokio::test]
    async fn a_range_that_is_not_there_ends_the_wait() {
        let file = tempfile::tempfile_in(".").unwrap();
        let range = FileRange { file: Arc::new(file), position: 0, length: 1 << 20 };
        ColdReads::default().bring_in(vec![range]).await;
    }
}
