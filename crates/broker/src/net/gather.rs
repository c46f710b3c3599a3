//! Small ranges of log files leave through memory: read next to the headers around them, all by one call.
//!
//! `sendfile` saves copying a range, and costs a call and a packet of its own for it and for the few bytes that follow it.
//! For little ranges that is more than the copy. What is gathered is bounded by [`ROOM`] a thread, however long an answer
//! is; a large range goes out by `sendfile` as ever.

use std::cell::RefCell;
use std::os::unix::fs::FileExt;

use super::outbound::{Outbound, Piece, Sent};

/// The largest range that is copied: a batch of the size that producers make by default, with what is around its records.
pub const SMALL: u64 = 20 << 10;
/// The most that is gathered for one call.
pub const ROOM: usize = 64 << 10;

thread_local! {
    /// Bound: `ROOM` a thread. Empty until it is first needed.
    static GATHERED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Hands to `send` what comes after `sent`, up to the next large range, and whether anything follows it. `None` where
/// there is nothing to gather: the next piece had better leave by itself.
pub fn gathered<R>(out: &Outbound, sent: Sent, send: impl FnOnce(&[u8], bool) -> R) -> Option<R> {
    if !out.is_small_range_near(sent, SMALL) {
        return None;
    }
    GATHERED.with_borrow_mut(|room| {
        room.resize(ROOM, 0);
        let (count, at) = gather(out, sent, room);
        (count > 0).then(|| send(&room[..count], out.piece(at).is_some()))
    })
}

/// Fills the room; says how far, and where what follows begins.
fn gather(out: &Outbound, sent: Sent, room: &mut [u8]) -> (usize, Sent) {
    let (mut at, mut filled) = (sent, 0);
    while let Some(piece) = out.piece(at) {
        let left = &mut room[filled..];
        let count = match piece {
            Piece::Bytes(bytes, _) => {
                let count = bytes.len().min(left.len());
                left[..count].copy_from_slice(&bytes[..count]);
                count
            }
            Piece::Range(range) => {
                let length = range.length as usize;
                let fits = range.length <= SMALL && length <= left.len();
                // What cannot be read is left to `sendfile`, which fails on it.
                if !fits || range.file.read_exact_at(&mut left[..length], range.position).is_err() {
                    break;
                }
                length
            }
        };
        if count == 0 {
            break;
        }
        filled += count;
        out.pass(&mut at, count);
    }
    (filled, at)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::sync::Arc;

    use super::*;
    use crate::net::FileRange;

    fn file(bytes: usize) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
        file.write_all(&content).unwrap();
        Arc::new(file)
    }

    /// What leaves when each call takes `at_most` bytes, and by how many calls.
    fn sent(mut out: Outbound, at_most: usize) -> (Vec<u8>, usize) {
        let (mut all, mut calls, mut sent) = (Vec::new(), 0, Sent::default());
        while let Some(piece) = out.piece(sent) {
            calls += 1;
            let alone = match piece {
                Piece::Bytes(bytes, _) => bytes[..bytes.len().min(at_most)].to_vec(),
                Piece::Range(range) => {
                    let mut bytes = vec![0; (range.length as usize).min(at_most)];
                    range.file.read_exact_at(&mut bytes, range.position).unwrap();
                    bytes
                }
            };
            let bytes = gathered(&out, sent, |bytes, _| bytes[..bytes.len().min(at_most)].to_vec());
            let bytes = bytes.unwrap_or(alone);
            out.advance(&mut sent, bytes.len());
            all.extend(bytes);
        }
        (all, calls)
    }

    fn answer(file: &Arc<File>, ranges: &[(u64, u64)]) -> (Outbound, Vec<u8>) {
        let (mut out, mut whole) = (Outbound::default(), Vec::new());
        for (position, length) in ranges {
            out.bytes().extend_from_slice(b"head");
            out.range(FileRange { file: file.clone(), position: *position, length: *length });
            out.bytes().extend_from_slice(b"end");
            whole.extend_from_slice(b"head");
            whole.extend((*position..position + length).map(|at| (at % 251) as u8));
            whole.extend_from_slice(b"end");
        }
        (out, whole)
    }

    #[test]
    fn small_ranges_leave_with_what_stands_around_them() {
        let file = file(100_000);
        let (out, whole) = answer(&file, &[(5, 100), (300, SMALL), (7, 1)]);
        assert_eq!(sent(out, usize::MAX), (whole, 1));
    }

    #[test]
    fn a_large_range_leaves_by_itself() {
        let file = file(100_000);
        let (out, whole) = answer(&file, &[(0, SMALL + 1), (9, 10)]);
        assert_eq!(sent(out, usize::MAX), (whole, 3), "its head, itself, and all that follows");
    }

    #[test]
    fn however_little_a_socket_takes_the_bytes_are_the_same() {
        let file = file(100_000);
        let ranges =
            [(0, 9_000), (50_000, 40_000), (1, 16_000), (2, 16_000), (3, 16_000), (4, 16_000), (5, 3)];
        for at_most in [1_000, 4_099, 16_384, 70_000] {
            let (out, whole) = answer(&file, &ranges);
            assert_eq!(sent(out, at_most).0, whole, "{at_most} bytes a call");
        }
    }

    fn told(bytes: &[u8], more: bool) -> (usize, bool) {
        (bytes.len(), more)
    }

    #[test]
    fn a_range_that_cannot_be_read_is_not_sent() {
        let file = file(10);
        let (mut out, _) = answer(&file, &[(0, 11)]);
        let mut sent = Sent::default();
        assert_eq!(gathered(&out, sent, told), Some((4, true)));
        out.advance(&mut sent, 4);
        assert_eq!(gathered(&out, sent, told), None);
    }
}
