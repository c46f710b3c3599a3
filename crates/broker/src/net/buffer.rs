//! Read buffers: pooled, so that bytes land in pages that are already there, and bounded, so that a frame's
//! length alone costs nothing.
//!
//! A fresh page costs more than copying what goes into it, hence the pool. A connection without bytes to read
//! holds no buffer; one whose frame is incomplete holds a buffer that grows with what has arrived and never
//! with what was announced.

use std::cell::Cell;
use std::sync::Mutex;

/// The sizes that are pooled. The smallest is what a connection begins with; a frame over the largest gets a
/// buffer of its own that is dropped after it. Each is twice the one before: a frame that grows holds at most
/// three times what has arrived, also while it moves from one to the next, and one that is larger hardly more than has arrived.
const CLASSES: [usize; 8] = [16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20];

/// How much a connection that fills its reads may ask for at once, without having a larger frame: what is read
/// together should still be in the cache when it is walked and written.
pub const READ_BYTES_MAX: usize = 256 << 10;

thread_local! {
    /// The buffer of the smallest size that was given back last on this thread, for whoever reads next on it: it is in the cache
    /// still, and most requests need no other, so that the pool's lock is not asked for. Bound: one a thread.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Buffers that no connection needs right now.
#[derive(Debug)]
pub struct BufferPool {
    free: Mutex<Free>,
    /// How many bytes of buffers are kept at most.
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Free {
    classes: [Vec<Vec<u8>>; CLASSES.len()],
    bytes: usize,
}

impl BufferPool {
    /// A pool that keeps at most `bytes_max` bytes of unused buffers.
    pub fn new(bytes_max: usize) -> Self {
        Self { free: Mutex::new(Free::default()), bytes_max }
    }

    /// A buffer of at least `bytes`, zeroed or with old content.
    fn take(&self, bytes: usize) -> Vec<u8> {
        let Some(class) = CLASSES.iter().position(|&size| size >= bytes) else {
            return vec![0; bytes];
        };
        let mut free = self.free.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match free.classes[class].pop() {
            Some(buffer) => {
                free.bytes -= CLASSES[class];
                buffer
            }
            None => {
                drop(free);
                vec![0; CLASSES[class]]
            }
        }
    }

    /// A buffer of at least `bytes`, if one is kept: it costs no memory that is not held already.
    fn kept(&self, bytes: usize) -> Option<Vec<u8>> {
        let class = CLASSES.iter().position(|&size| size >= bytes)?;
        let mut free = self.free.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let buffer = free.classes[class].pop()?;
        free.bytes -= CLASSES[class];
        Some(buffer)
    }

    fn give(&self, buffer: Vec<u8>) {
        let Some(class) = CLASSES.iter().position(|&size| size == buffer.len()) else {
            return;
        };
        let mut free = self.free.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if free.bytes + buffer.len() <= self.bytes_max {
            free.bytes += buffer.len();
            free.classes[class].push(buffer);
        }
    }

    /// How many bytes of unused buffers are kept.
    pub fn bytes_kept(&self) -> usize {
        self.free.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).bytes
    }
}

/// The bytes of one connection that have been read and not yet served.
#[derive(Debug)]
pub struct ReadBuffer {
    /// Empty while nothing is held; initialised over its whole length otherwise.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// How much to take for the next read: follows what the connection sends.
    wanted: usize,
    /// What the last frame took.
    last_frame: usize,
}

impl Default for ReadBuffer {
    fn default() -> Self {
        Self { bytes: Vec::new(), start: 0, end: 0, wanted: CLASSES[0], last_frame: 0 }
    }
}

impl ReadBuffer {
    /// What has been read and not yet consumed.
    pub fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The first `length` unconsumed bytes, to be worked on in place.
    ///
    /// # Panics
    /// If fewer have been read.
    pub fn front(&mut self, length: usize) -> &mut [u8] {
        assert!(length <= self.end - self.start, "a frame is cut from what has been read");
        &mut self.bytes[self.start..self.start + length]
    }

    /// Drops the first `length` unconsumed bytes.
    pub fn consume(&mut self, length: usize) {
        assert!(length <= self.end - self.start, "only what has been read is consumed");
        self.start += length;
        self.last_frame = length;
    }

    /// Room to read into. `needed` is how many bytes the frame at the front takes in all, as far as known; the
    /// room follows what has arrived, doubling, and reaches `needed` only with the bytes.
    pub fn room(&mut self, pool: &BufferPool, needed: usize) -> &mut [u8] {
        let held = self.end - self.start;
        if self.bytes.is_empty() {
            // The next frame is probably as large as the last; but only memory that is held already is bet on it.
            let likely = Some(self.last_frame).filter(|likely| *likely > self.wanted);
            let is_smallest = self.wanted == CLASSES[0];
            let spare = || is_smallest.then(|| SPARE.take()).filter(|spare| !spare.is_empty());
            let found = likely.and_then(|likely| pool.kept(likely)).or_else(spare);
            self.bytes = found.unwrap_or_else(|| pool.take(self.wanted));
        } else if self.start > 0 && (self.start + needed > self.bytes.len() || self.end == self.bytes.len()) {
            self.bytes.copy_within(self.start..self.end, 0);
            self.start = 0;
            self.end = held;
        }
        if self.end == self.bytes.len() {
            let grown = needed.max(self.wanted).min(self.bytes.len() * 2);
            let grown = grown.max(self.bytes.len() + 1);
            if grown > CLASSES[CLASSES.len() - 1] {
                self.extend_to(grown);
                return &mut self.bytes[self.end..];
            }
            let mut larger = pool.kept(needed.max(grown)).unwrap_or_else(|| pool.take(grown));
            larger[..held].copy_from_slice(&self.bytes[self.start..self.end]);
            pool.give(std::mem::replace(&mut self.bytes, larger));
            self.start = 0;
            self.end = held;
        }
        &mut self.bytes[self.end..]
    }

    /// Extends a buffer that is larger than those of the pool towards so many bytes. It is moved by its pages and not byte by
    /// byte, and no page of it is touched long before it is read into.
    fn extend_to(&mut self, bytes: usize) {
        if self.bytes.len() == self.bytes.capacity() {
            self.bytes.reserve_exact(bytes - self.bytes.len());
        }
        self.bytes.resize(self.bytes.capacity().min(self.bytes.len() + READ_BYTES_MAX), 0);
    }

    /// Notes that the last room was filled with `count` bytes.
    pub fn read(&mut self, count: usize) {
        let room = self.bytes.len() - self.end;
        assert!(count <= room, "a read stays within its room");
        self.end += count;
        if count == room {
            self.wanted = (self.wanted * 2).min(READ_BYTES_MAX);
        } else if self.end - self.start < self.wanted / 8 {
            self.wanted = (self.wanted / 2).max(CLASSES[0]);
        }
    }

    /// Gives the buffer back when nothing is left in it.
    pub fn release(&mut self, pool: &BufferPool) {
        if self.start == self.end && !self.bytes.is_empty() {
            let mut unneeded = std::mem::take(&mut self.bytes);
            if unneeded.len() == CLASSES[0] {
                unneeded = SPARE.replace(unneeded);
            }
            pool.give(unneeded);
            self.start = 0;
            self.end = 0;
        }
    }

    /// Gives the buffer back with what is in it.
    pub fn discard(&mut self, pool: &BufferPool) {
        self.start = self.end;
        self.release(pool);
    }

    /// How many bytes are held, used or not.
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(buffer: &mut ReadBuffer, pool: &BufferPool, needed: usize, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = buffer.room(pool, needed);
            let count = rest.len().min(room.len());
            room[..count].copy_from_slice(&rest[..count]);
            buffer.read(count);
            rest = &rest[count..];
        }
    }

    #[test]
    fn an_announced_length_alone_costs_the_smallest_buffer() {
        let pool = BufferPool::new(1 << 20);
        let mut buffer = ReadBuffer::default();
        fill(&mut buffer, &pool, 100 << 20, &[0; 12]);
        buffer.room(&pool, 100 << 20);
        assert_eq!(buffer.capacity(), CLASSES[0]);
    }

    #[test]
    fn room_grows_with_what_has_arrived() {
        let pool = BufferPool::new(1 << 20);
        let mut buffer = ReadBuffer::default();
        let bytes: Vec<u8> = (0..300_000u32).map(|index| (index % 251) as u8).collect();
        for piece in bytes.chunks(1000) {
            fill(&mut buffer, &pool, 100 << 20, piece);
            let arrived = buffer.filled().len();
            assert!(buffer.capacity() <= 4 * arrived + (64 << 10), "{} for {arrived}", buffer.capacity());
        }
        assert_eq!(buffer.filled(), &bytes[..]);
    }

    #[test]
    fn a_frame_beyond_the_pool_holds_hardly_more_than_has_arrived_of_it() {
        let pool = BufferPool::new(8 << 20);
        let mut buffer = ReadBuffer::default();
        let bytes: Vec<u8> = (0..12_000_000u32).map(|index| (index % 251) as u8).collect();
        for piece in bytes.chunks(100_000) {
            fill(&mut buffer, &pool, bytes.len(), piece);
            let arrived = buffer.filled().len();
            let hardly_more =
                if arrived > 2 << 20 { arrived + READ_BYTES_MAX } else { 4 * arrived + (64 << 10) };
            assert!(buffer.capacity() <= hardly_more, "{} for {arrived}", buffer.capacity());
        }
        assert!(buffer.filled() == bytes && buffer.capacity() == bytes.len());
        buffer.consume(bytes.len());
        let kept = pool.bytes_kept();
        buffer.release(&pool);
        assert_eq!((buffer.capacity(), pool.bytes_kept()), (0, kept), "nobody keeps it");
    }

    #[test]
    fn a_partial_frame_moves_to_the_front_when_its_rest_would_not_fit() {
        let pool = BufferPool::new(1 << 20);
        let mut buffer = ReadBuffer::default();
        fill(&mut buffer, &pool, 4, &[7; 16 << 10]);
        buffer.consume((16 << 10) - 3);
        let room = buffer.room(&pool, 100);
        assert!(room.len() >= 97);
        assert_eq!(buffer.filled(), &[7; 3]);
    }

    #[test]
    fn an_empty_buffer_goes_back_and_is_taken_again() {
        let pool = BufferPool::new(1 << 20);
        let mut buffer = ReadBuffer::default();
        fill(&mut buffer, &pool, 4, &[1; 100]);
        let place = buffer.filled().as_ptr();
        buffer.consume(50);
        buffer.release(&pool);
        assert_eq!(buffer.capacity(), CLASSES[0], "half of it is still unread");
        buffer.consume(50);
        buffer.release(&pool);
        assert_eq!((buffer.capacity(), pool.bytes_kept()), (0, 0), "the thread keeps one");
        let mut other = ReadBuffer::default();
        fill(&mut other, &pool, 4, &[1; 100]);
        assert_eq!(other.filled().as_ptr(), place);
        fill(&mut buffer, &pool, 4, &[1; 100]);
        for mut buffer in [buffer, other] {
            buffer.discard(&pool);
        }
        assert_eq!(pool.bytes_kept(), CLASSES[0], "the pool has what came before");
        let mut first = ReadBuffer::default();
        fill(&mut first, &pool, 4, &[1; 100]);
        ReadBuffer::default().room(&pool, 4);
        assert_eq!(pool.bytes_kept(), 0);
    }

    #[test]
    fn a_large_frame_is_read_into_the_buffer_of_the_one_before() {
        let pool = BufferPool::new(8 << 20);
        let mut buffer = ReadBuffer::default();
        let large = vec![3; 1_100_000];
        fill(&mut buffer, &pool, large.len(), &large);
        buffer.consume(large.len());
        buffer.release(&pool);
        let kept = pool.bytes_kept();
        buffer.room(&pool, 4);
        assert_eq!(buffer.capacity(), 2 << 20);
        assert_eq!(pool.bytes_kept(), kept - (2 << 20));
        let mut other = ReadBuffer { last_frame: 2 << 20, ..ReadBuffer::default() };
        other.room(&pool, 4);
        assert_eq!(other.capacity(), CLASSES[0], "no second buffer of that size is held");
    }

    #[test]
    fn a_pool_keeps_no_more_than_its_bound() {
        let pool = BufferPool::new(CLASSES[0] * 2);
        for buffer in [pool.take(1), pool.take(1), pool.take(1)] {
            pool.give(buffer);
        }
        assert_eq!(pool.bytes_kept(), CLASSES[0] * 2);
    }
}
