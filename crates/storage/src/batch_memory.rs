//! A bounded memory that all logs share, of where batches lie: runs of batches ([`crate::known_batches`]) and the entries
//! of small indexes ([`crate::entry_file`]).
//!
//! The memory holds the blocks; segments hold weak handles, which die when a block goes. Which one goes is decided by second
//! chance, as with open files. Bound: `headwater.batch.positions.bytes`. Nothing here reads or knows what a block says.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The bound where nothing is said: at 64 KiB a batch, the places of 40 GB.
pub const BYTES_DEFAULT: usize = 8 << 20;

/// What the memory can hold.
pub trait Remembered: Send + Sync + 'static {
    /// What it takes in memory.
    fn bytes_held(&self) -> usize;
    /// Set by who uses it.
    fn used(&self) -> &AtomicBool;
}

/// The memory. Cloning shares.
#[derive(Clone)]
pub struct BatchMemory {
    shared: Arc<Mutex<Held>>,
}

struct Held {
    ring: VecDeque<Arc<dyn Remembered>>,
    bytes: usize,
    bytes_max: usize,
}

impl BatchMemory {
    /// A memory of at most so many bytes; 0 remembers nothing.
    pub fn new(bytes_max: usize) -> Self {
        Self { shared: Arc::new(Mutex::new(Held { ring: VecDeque::new(), bytes: 0, bytes_max })) }
    }

    /// Holds a block for as long as there is room; hands out a handle that dies when there is none.
    pub fn hold<T: Remembered>(&self, block: &Arc<T>) -> Weak<T> {
        let mut held = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever is looked at loses its mark, so the second round finds somebody.
        let mut looks = 2 * held.ring.len();
        while held.bytes + block.bytes_held() > held.bytes_max {
            let Some(oldest) = held.ring.pop_front() else { return Weak::new() };
            if looks > 0 && oldest.used().swap(false, Ordering::Relaxed) {
                looks -= 1;
                held.ring.push_back(oldest);
            } else {
                held.bytes -= oldest.bytes_held();
            }
        }
        held.bytes += block.bytes_held();
        held.ring.push_back(Arc::<T>::clone(block));
        Arc::downgrade(block)
    }

    /// How many blocks are held, and their bytes.
    #[cfg(test)]
    pub fn holds(&self) -> (usize, usize) {
        let held = self.shared.lock().unwrap();
        (held.ring.len(), held.bytes)
    }
}

/// All entries of a small index file, as they lie there.
pub struct EntryBlock {
    entries: Box<[u8]>,
    used: AtomicBool,
}

impl EntryBlock {
    /// These bytes.
    pub fn new(entries: Vec<u8>) -> Self {
        Self { entries: entries.into(), used: AtomicBool::new(false) }
    }

    /// The bytes, for somebody who uses them.
    pub fn bytes(&self) -> &[u8] {
        self.used.store(true, Ordering::Relaxed);
        &self.entries
    }
}

impl Remembered for EntryBlock {
    fn bytes_held(&self) -> usize {
        size_of::<Self>() + self.entries.len()
    }

    fn used(&self) -> &AtomicBool {
        &self.used
    }
}
