//! The locks, atomics, tasks and time of what threads share (`shared`), in one place: tests put shuttle's here and have it
//! schedule the very same code (`tests/schedules`).

pub use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
pub use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, TryLockError};
pub use std::time::Instant;

pub use tokio::runtime::Handle;
pub use tokio::sync::watch;
pub use tokio::time::timeout;

/// The time.
pub fn now() -> Instant {
    Instant::now()
}

/// Whether a thread panicked with what lies under a lock.
pub fn is_poisoned<T>(lock: &Mutex<T>) -> bool {
    lock.is_poisoned()
}
