//! Old records come from the disk: threads of their own, one for each log directory, read them into the page cache
//! before they are sent, so that a reader far behind holds up no connection that shares its thread, and a disk that hangs
//! no reader of another.
//!
//! What was appended within the last seconds, and has not much behind it (`headwater.fetch.hot.bytes`), is taken to be in memory
//! and never asked about. Older ranges are asked about with reads that must not wait, some way ahead of a reader who goes on, so that the next
//! fetches need not ask; only what is really missing goes to the thread. What comes from the disk there, and what nobody
//! has looked at since the start, is held against its checksums on the way: the thread says how much of it is good
//! (ADR 0008).

pub mod hanging;
mod lanes;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::IoSliceMut;
use std::path::Path;
use std::sync::{Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use protocol::id::DirectoryId;
use protocol::offset::Offset;
use rustix::fs::Advice;
use rustix::io::{Errno, ReadWriteFlags};
use storage::read_check::{RangeCheck, check_bytes, check_range};
use storage::{Fault, RealDisk};

use self::lanes::Lanes;
use crate::net::{Close, FileRange};

/// How far apart the bytes lie that are asked about, and how much is read at a time.
const STRIDE: u64 = 256 << 10;
/// How far ahead of a range is asked, and how far apart the bytes lie there.
const AHEAD: u64 = 8 << 20;
const AHEAD_STRIDE: u64 = 1 << 20;
/// How much is checked at least for a reader who goes on in order, where the segment has it.
const CHECKED_AHEAD: u64 = 4 << 20;
/// So much may be checked on the spot: the way to the thread and back costs as much.
const AT_HAND_MAX: u64 = 64 << 10;
/// Bytes of a page of the system's cache, at least.
const PAGE: u64 = 4096;
/// How long an answer is believed: the system may take pages away at any time, and a wrong belief costs a wait.
const BELIEVED: Duration = Duration::from_secs(1);
/// For how many readers answers are remembered.
const WINDOWS_MAX: usize = 64;

/// A part of a file that was in memory when it was last asked about.
#[derive(Debug)]
struct Window {
    file: Weak<File>,
    from: u64,
    end: u64,
    asked: Instant,
}

/// What is known to be in memory, and the threads that bring in the rest.
#[derive(Debug, Default)]
pub struct ColdReads {
    /// Bound: `WINDOWS_MAX`, the newest last.
    windows: Mutex<VecDeque<Window>>,
    lanes: Lanes,
}

/// A range to bring into memory.
#[derive(Debug, Clone)]
pub struct ColdRead {
    /// Where it lies.
    pub directory: DirectoryId,
    /// The range; it begins with a batch.
    pub range: FileRange,
    /// With which offset its segment begins and where it ends, to have its batches checked.
    pub check_within: Option<(Offset, u32)>,
    /// Whether what follows is checked along, for a reader that goes on in order.
    pub check_ahead: bool,
}

/// What is known of a range once it was brought in; `None` where it was not checked, and can be read.
pub type Brought = Option<Result<RangeCheck, Fault>>;

impl ColdReads {
    /// Waits until the ranges are in memory, and says what was found of each that was to be checked, and of each that cannot
    /// be read; and which have not come, where there is a longest time to wait for each directory.
    ///
    /// # Errors
    /// The end of the connection, if the reading panicked: what is unchecked is not sent.
    pub async fn bring_in(
        &self,
        reads: Vec<ColdRead>,
        patience: Option<Duration>,
    ) -> Result<(Vec<Brought>, Vec<usize>), Close> {
        let mut brought = vec![None; reads.len()];
        let mut directories: BTreeMap<DirectoryId, (Vec<usize>, Vec<ColdRead>)> = BTreeMap::new();
        for (place, read) in reads.into_iter().enumerate() {
            let (places, reads) = directories.entry(read.directory).or_default();
            places.push(place);
            reads.push(read);
        }
        let (mut under_way, mut late) = (Vec::new(), Vec::new());
        for (directory, (places, reads)) in directories {
            let work = move |scratch: &mut [u8]| bring_all(&reads, scratch);
            match within(patience, self.lanes.submit(directory, Box::new(work))).await {
                Some(is_done) => under_way.push((places, is_done)),
                None => late.extend(places),
            }
        }
        for (places, is_done) in under_way {
            let Some(found) = within(patience, is_done).await else {
                late.extend(places);
                continue;
            };
            let found = found.map_err(|_| Close::Unfinished)?;
            for (place, found) in places.into_iter().zip(found) {
                brought[place] = found;
            }
        }
        Ok((brought, late))
    }
}

/// What comes of some work, if that is there in time.
pub async fn within<T>(patience: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match patience {
        Some(patience) => tokio::time::timeout(patience, work).await.ok(),
        None => Some(work.await),
    }
}

fn bring_all(reads: &[ColdRead], scratch: &mut [u8]) -> Vec<Brought> {
    for ColdRead { range, .. } in reads {
        // Advice may be refused; the reads below do the work.
        let length = std::num::NonZeroU64::new(range.length);
        let _advised = rustix::fs::fadvise(&*range.file, range.position, length, Advice::WillNeed);
    }
    let brought = reads.iter().map(|read| match read.check_within {
        Some(segment) => Some(check(&read.range, segment, read.check_ahead)),
        None => bring(&read.range, scratch).err().map(Err),
    });
    brought.collect()
}

/// Reads a range whole and holds its batches against their checksums, and for who reads on in order those behind it some
/// way, so that they need not come here each time.
fn check(range: &FileRange, segment: (Offset, u32), check_ahead: bool) -> Result<RangeCheck, Fault> {
    let place = |at: u64| u32::try_from(at).unwrap_or(u32::MAX);
    let end = range.position + if check_ahead { range.length.max(CHECKED_AHEAD) } else { range.length };
    let (start, end) = (place(range.position), place(end).min(segment.1));
    // The caller knows the path, and names it where something is wrong.
    check_range(&RealDisk, (&range.file, Path::new("the log")), (start, end), segment)
}

fn bring(range: &FileRange, scratch: &mut [u8]) -> Result<(), Fault> {
    let mut at = range.position;
    let end = range.position + range.length;
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(usize::MAX).min(scratch.len());
        match rustix::io::pread(&*range.file, &mut scratch[..wanted], at) {
            Ok(0) => return Ok(()),
            Ok(count) => at += count as u64,
            Err(Errno::INTR) => {}
            Err(error) => return Err(Fault::io("read", Path::new("the log"), error.into())),
        }
    }
    Ok(())
}

thread_local! {
    /// What is checked on the spot is read into this. Bound: `AT_HAND_MAX`.
    static AT_HAND: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Reads a small range if all of it can be read without waiting.
pub fn read_at_hand(range: &FileRange) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(range.length).ok()?];
    read_now(range, &mut bytes).then_some(bytes)
}

/// Fills `into` with the bytes of a range that can be read without waiting; says whether that was all.
fn read_now(range: &FileRange, into: &mut [u8]) -> bool {
    let wanted = into.len();
    let into = &mut [IoSliceMut::new(into)];
    rustix::io::preadv2(&*range.file, into, range.position, ReadWriteFlags::NOWAIT) == Ok(wanted)
}

/// Holds the batches of a small range against their checksums if all of it can be read without waiting.
pub fn check_at_hand(range: &FileRange, segment: (Offset, u32)) -> Option<RangeCheck> {
    if range.length > AT_HAND_MAX {
        return None;
    }
    let start = u32::try_from(range.position).ok()?;
    AT_HAND.with_borrow_mut(|buffer| {
        buffer.resize(AT_HAND_MAX as usize, 0);
        let wanted = &mut buffer[..usize::try_from(range.length).ok()?];
        read_now(range, wanted).then(|| check_bytes(wanted, start, segment))
    })
}

impl ColdReads {
    /// Whether a range can be sent without waiting for the disk, as far as a look at a byte in every so many tells.
    pub fn is_resident(&self, range: &FileRange, now: Instant) -> bool {
        let end = range.position + range.length;
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|window| now.saturating_duration_since(window.asked) < BELIEVED);
        let same = |window: &Window| std::ptr::eq(window.file.as_ptr(), &raw const *range.file);
        if windows.iter().any(|known| {
            same(known) && (known.from..=known.end).contains(&range.position) && end <= known.end
        }) {
            return true;
        }
        // Of who reads here and there it is not asked what follows.
        let in_order = windows
            .iter()
            .any(|known| same(known) && known.from < range.position && range.position <= known.end);
        drop(windows);
        if !resident(range) {
            return false;
        }
        // A byte beyond the end of the file is none that is missing.
        let ahead = (end..if in_order { end + AHEAD } else { end }).step_by(AHEAD_STRIDE as usize);
        let known = ahead.take_while(|&place| at_hand(&range.file, place)).last().unwrap_or(end);
        let window = Window {
            file: std::sync::Arc::downgrade(&range.file),
            from: range.position,
            end: known,
            asked: now,
        };
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|window| !same(window) || window.from > known || window.end < range.position);
        if windows.len() == WINDOWS_MAX {
            windows.pop_front();
        }
        windows.push_back(window);
        true
    }
}

fn resident(range: &FileRange) -> bool {
    let end = range.position + range.length;
    // Within a page the last byte tells nothing new.
    let last = end.checked_sub(1).filter(|last| last / PAGE != range.position / PAGE);
    let mut places = (range.position..end).step_by(STRIDE as usize).chain(last);
    places.all(|place| at_hand(&range.file, place))
}

/// Whether a byte can be read without waiting. A file system that cannot say counts as memory.
fn at_hand(file: &File, place: u64) -> bool {
    let mut byte = [0];
    let answer = rustix::io::preadv2(file, &mut [IoSliceMut::new(&mut byte)], place, ReadWriteFlags::NOWAIT);
    answer != Err(Errno::AGAIN)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::*;

    fn read(range: &FileRange, check_within: Option<(Offset, u32)>) -> ColdRead {
        let directory = DirectoryId::ZERO;
        ColdRead { directory, range: range.clone(), check_within, check_ahead: false }
    }

    #[tokio::test]
    async fn what_is_brought_in_is_resident() {
        let mut file = tempfile::tempfile_in(".").unwrap();
        file.write_all(&vec![7; 3 << 20]).unwrap();
        file.sync_all().unwrap();
        // The system may keep the pages all the same; then there is nothing to bring in.
        let _advised = rustix::fs::fadvise(&file, 0, None, Advice::DontNeed);
        let range = FileRange { file: Arc::new(file), position: 1000, length: 2 << 20 };
        ColdReads::default().bring_in(vec![read(&range, None)], None).await.unwrap();
        assert!(ColdReads::default().is_resident(&range, Instant::now()));
    }

    #[tokio::test]
    async fn who_reads_on_need_not_ask_again_for_a_while() {
        let mut file = tempfile::tempfile_in(".").unwrap();
        file.write_all(&vec![7; 12 << 20]).unwrap();
        let file = Arc::new(file);
        let range = |position| FileRange { file: file.clone(), position, length: 64 << 10 };
        let (reads, now) = (ColdReads::default(), Instant::now());
        assert!(reads.is_resident(&range(0), now));
        let known =
            |reads: &ColdReads| reads.windows.lock().unwrap().iter().map(|it| it.end).collect::<Vec<_>>();
        assert_eq!(known(&reads), [64 << 10], "who begins may not go on");
        assert!(reads.is_resident(&range(64 << 10), now));
        let first = known(&reads);
        assert!(first[0] >= 7 << 20, "{first:?}");
        assert!(reads.is_resident(&range(3 << 20), now));
        assert_eq!(known(&reads), first, "that was known");
        assert!(reads.is_resident(&range(first[0]), now));
        assert_eq!(known(&reads).len(), 1, "and is replaced by what comes after it");
        assert!(reads.is_resident(&range(0), now + BELIEVED));
        assert_eq!(known(&reads), [64 << 10], "an old answer is not believed");
    }

    #[tokio::test]
    async fn a_range_that_is_not_there_ends_the_wait() {
        let file = tempfile::tempfile_in(".").unwrap();
        let range = FileRange { file: Arc::new(file), position: 0, length: 1 << 20 };
        let reads = vec![read(&range, Some((Offset::ZERO, 1 << 20))), read(&range, None)];
        let (brought, _) = ColdReads::default().bring_in(reads, None).await.unwrap();
        assert!(matches!(&brought[..], [Some(Ok(RangeCheck { good_to: 0, wrong: Some(_), .. })), None]));
        assert!(check_at_hand(&range, (Offset::ZERO, 1 << 20)).is_none());
    }

    #[tokio::test]
    async fn a_range_that_cannot_be_read_is_told_and_not_left_to_the_sending() {
        let path = tempfile::NamedTempFile::new_in(".").unwrap();
        let file = File::options().write(true).open(path.path()).unwrap();
        let range = FileRange { file: Arc::new(file), position: 0, length: 1 << 20 };
        let reads = [Some((Offset::ZERO, 1 << 20)), None].map(|check_within| read(&range, check_within));
        let (brought, _) = ColdReads::default().bring_in(reads.into(), None).await.unwrap();
        assert!(matches!(&brought[..], [Some(Err(Fault::Io { .. })), Some(Err(Fault::Io { .. }))]));
    }
}
