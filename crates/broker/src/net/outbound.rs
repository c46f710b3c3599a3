//! What a connection is about to send: bytes, and ranges of log files between them.
//!
//! The bytes of records never pass through here: a fetch's answer is its headers, with the ranges that
//! `sendfile` is to put between them.

use std::any::Any;
use std::cell::Cell;
use std::fs::File;
use std::sync::Arc;

/// Bytes of a log file that go out as they are.
#[derive(Debug, Clone)]
pub struct FileRange {
    /// The segment's file.
    pub file: Arc<File>,
    /// Where the range begins.
    pub position: u64,
    /// How many bytes it has.
    pub length: u64,
}

/// Something that is kept while an answer is in memory, and let go by being dropped.
type Held = Box<dyn Any + Send>;

/// Answers in the order they are to leave.
#[derive(Debug, Default)]
pub struct Outbound {
    bytes: Vec<u8>,
    /// Ranges, each with the number of `bytes` that go before it.
    ranges: Vec<(usize, FileRange)>,
    range_bytes: u64,
    held: Vec<Held>,
}

/// Where an answer began, so that its length can be filled in.
#[derive(Debug, Clone, Copy)]
pub struct Begun {
    at: usize,
    ranges: usize,
    range_bytes: u64,
}

/// The next thing to send.
#[derive(Debug)]
pub enum Piece<'a> {
    /// Bytes, and whether a file range follows them at once.
    Bytes(&'a [u8], bool),
    /// A file range: what is left of it.
    Range(&'a FileRange),
}

/// How far the sending of an [`Outbound`] has come.
#[derive(Debug, Default, Clone, Copy)]
pub struct Sent {
    bytes: usize,
    ranges: usize,
}

/// An answer longer than a frame can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it would take {bytes} bytes, and a frame has at most 2147483647: ask for less at a time")]
pub struct TooLong {
    /// What it would take.
    pub bytes: u64,
}

/// Buffers over this are dropped rather than kept for the next answers.
const KEPT_BYTES_MAX: usize = 64 << 10;

thread_local! {
    /// The buffer of the answers that have left last, for those that come next on this thread, whosever they are: it is in the
    /// cache still, and connections at rest hold none. Bound: `KEPT_BYTES_MAX` a thread.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Outbound {
    /// Begins an answer: leaves room for its length.
    pub fn begin(&mut self) -> Begun {
        if self.bytes.capacity() == 0 {
            self.bytes = SPARE.take();
        }
        let begun = Begun { at: self.bytes.len(), ranges: self.ranges.len(), range_bytes: self.range_bytes };
        self.bytes.extend_from_slice(&[0; super::frame::PREFIX]);
        begun
    }

    /// The bytes to append to.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Puts a file range after what has been appended so far.
    pub fn range(&mut self, range: FileRange) {
        if range.length > 0 {
            self.range_bytes += range.length;
            self.ranges.push((self.bytes.len(), range));
        }
    }

    /// Ends the answer: fills in its length. An answer over 2 GiB is taken back.
    pub fn end(&mut self, begun: Begun) -> Result<(), TooLong> {
        self.end_of(begun, 0)
    }

    /// Ends what is sent first of an answer that goes on for `more` bytes.
    pub fn end_of(&mut self, begun: Begun, more: u64) -> Result<(), TooLong> {
        let bytes = self.since(begun) + more;
        let Ok(length) = i32::try_from(bytes) else {
            self.abandon(begun);
            return Err(TooLong { bytes });
        };
        self.bytes[begun.at..begun.at + super::frame::PREFIX].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    /// How many bytes the answer has so far, without its length.
    fn since(&self, begun: Begun) -> u64 {
        let bytes = (self.bytes.len() - begun.at - super::frame::PREFIX) as u64;
        bytes + self.range_bytes - begun.range_bytes
    }

    /// Keeps something until all this has left.
    pub fn hold(&mut self, held: impl Any + Send) {
        self.held.push(Box::new(held));
    }

    /// Whether something is kept until this has left.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes back an answer that was begun.
    pub fn abandon(&mut self, begun: Begun) {
        self.bytes.truncate(begun.at);
        self.ranges.truncate(begun.ranges);
        self.range_bytes = begun.range_bytes;
    }

    /// Appends another outbound whole.
    pub fn append(&mut self, other: Self) {
        if self.is_empty() && self.held.is_empty() {
            *self = other;
            return;
        }
        let before = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.ranges.extend(other.ranges.into_iter().map(|(at, range)| (at + before, range)));
        self.range_bytes += other.range_bytes;
        self.held.extend(other.held);
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.ranges.is_empty()
    }

    /// How many bytes wait in memory.
    pub fn bytes_in_memory(&self) -> usize {
        self.bytes.len()
    }

    /// How many bytes are to be sent in all.
    pub fn bytes_in_all(&self) -> u64 {
        self.bytes.len() as u64 + self.range_bytes
    }

    /// The bytes, where there is nothing else to send and nothing is held for them.
    pub fn only_bytes(&self) -> Option<&[u8]> {
        (!self.bytes.is_empty() && self.ranges.is_empty() && self.held.is_empty()).then_some(&*self.bytes)
    }

    /// Forgets the first `count` of what are only bytes.
    pub fn forget_front(&mut self, count: usize) {
        debug_assert!(self.ranges.is_empty(), "ranges stand behind the bytes that go before them");
        self.bytes.drain(..count);
    }

    /// Forgets what has been sent; leaves a small buffer to what comes next on this thread.
    pub fn clear(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        if (1..=KEPT_BYTES_MAX).contains(&bytes.capacity()) {
            bytes.clear();
            SPARE.set(bytes);
        }
        self.ranges.clear();
        self.range_bytes = 0;
        self.held.clear();
    }

    /// Whether a range of at most `most` bytes comes next, or right after the bytes that do.
    pub fn is_small_range_near(&self, sent: Sent, most: u64) -> bool {
        self.ranges.get(sent.ranges).is_some_and(|(_, range)| range.length <= most)
    }

    /// What comes next after `sent`; `None` when all is sent.
    pub fn piece(&self, sent: Sent) -> Option<Piece<'_>> {
        let next = self.ranges.get(sent.ranges);
        let until = next.map_or(self.bytes.len(), |(at, _)| *at);
        if sent.bytes < until {
            return Some(Piece::Bytes(&self.bytes[sent.bytes..until], next.is_some()));
        }
        next.map(|(_, range)| Piece::Range(range))
    }

    /// Passes over the piece after `sent`, which is not noted to have left.
    pub fn pass(&self, sent: &mut Sent, count: usize) {
        let until = self.ranges.get(sent.ranges).map_or(self.bytes.len(), |(at, _)| *at);
        if sent.bytes < until {
            sent.bytes += count;
        } else {
            sent.ranges += 1;
        }
    }

    /// Notes that `count` bytes of the pieces after `sent` have left.
    pub fn advance(&mut self, sent: &mut Sent, mut count: usize) {
        while count > 0 {
            let next = self.ranges.get_mut(sent.ranges);
            let until = next.as_ref().map_or(self.bytes.len(), |(at, _)| *at);
            if sent.bytes < until {
                let step = count.min(until - sent.bytes);
                sent.bytes += step;
                count -= step;
            } else if let Some((_, range)) = next {
                let step = range.length.min(count as u64);
                range.position += step;
                range.length -= step;
                sent.ranges += usize::from(range.length == 0);
                count -= step as usize;
            } else {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(length: u64) -> FileRange {
        FileRange { file: Arc::new(File::open("/dev/null").unwrap()), position: 10, length }
    }

    #[test]
    fn lengths_count_bytes_and_ranges() {
        let mut out = Outbound::default();
        let begun = out.begin();
        out.bytes().extend_from_slice(b"head");
        out.range(range(100));
        out.bytes().push(0);
        out.end(begun).unwrap();
        assert_eq!(out.bytes, [0, 0, 0, 105, b'h', b'e', b'a', b'd', 0]);
        assert_eq!(out.bytes_in_all(), 109);
    }

    #[test]
    fn pieces_come_in_order_and_the_end_of_one_answer_leaves_with_the_head_of_the_next() {
        let mut out = Outbound::default();
        for _ in 0..2 {
            let begun = out.begin();
            out.range(range(3));
            out.bytes().push(9);
            out.end(begun).unwrap();
        }
        let mut sent = Sent::default();
        let mut seen = Vec::new();
        while let Some(piece) = out.piece(sent) {
            let (count, told) = match piece {
                Piece::Bytes(bytes, more) => (bytes.len(), format!("{} bytes, more {more}", bytes.len())),
                Piece::Range(range) => (2.min(range.length as usize), format!("range at {}", range.position)),
            };
            out.advance(&mut sent, count);
            seen.push(told);
        }
        let expected = [
            "4 bytes, more true",
            "range at 10",
            "range at 12",
            "5 bytes, more true",
            "range at 10",
            "range at 12",
            "1 bytes, more false",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn an_abandoned_answer_leaves_no_trace() {
        let mut out = Outbound::default();
        let first = out.begin();
        out.end(first).unwrap();
        let second = out.begin();
        out.range(range(3));
        out.abandon(second);
        assert_eq!(out.bytes, [0; 4]);
        assert_eq!(out.bytes_in_all(), 4);
    }

    #[test]
    fn an_answer_over_two_gibibytes_is_taken_back() {
        let mut out = Outbound::default();
        let first = out.begin();
        out.range(range(i32::MAX as u64));
        out.end(first).unwrap();
        let second = out.begin();
        out.range(range(i32::MAX as u64));
        out.bytes().push(0);
        assert_eq!(out.end(second), Err(TooLong { bytes: 1 << 31 }));
        assert_eq!(out.bytes_in_all(), 4 + i32::MAX as u64);
    }

    #[test]
    fn appending_shifts_the_ranges() {
        let mut out = Outbound::default();
        out.bytes().extend_from_slice(&[1, 2]);
        let mut other = Outbound::default();
        other.bytes().push(3);
        other.range(range(1));
        out.append(other);
        assert_eq!(out.ranges[0].0, 3);
        assert_eq!(out.bytes_in_all(), 4);
    }
}
