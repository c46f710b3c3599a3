//! Whether this thread may wait for a disk. It may, but for the length of a piece of work that is to be done from memory or
//! not at all ([`at_hand`]): then [`crate::RealDisk`] reads what the system has in memory and refuses everything else with
//! `EAGAIN`, and after so many reads those too. So nothing a look-up calls can be forgotten.
//!
//! Whoever does such work takes an error for "not now", notes none of it, and has it done again where waiting holds up nobody.

use std::cell::Cell;
use std::io;

use rustix::io::Errno;

/// So many reads are little work. A look-up takes three or four.
const READS_MAX: u32 = 12;
/// One that is larger is not: a batch of 64 KiB is read whole.
const READ_BYTES_MAX: usize = 128 << 10;

thread_local! {
    /// How many reads are left to a thread that may not wait.
    static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Does some work without waiting for a disk.
pub fn at_hand<T>(work: impl FnOnce() -> T) -> T {
    /// Whatever panics, the thread may wait again.
    struct Before(Option<u32>);
    impl Drop for Before {
        fn drop(&mut self) {
            LEFT.set(self.0);
        }
    }
    let _before = Before(LEFT.replace(Some(READS_MAX)));
    work()
}

/// Whether this thread may wait.
pub(crate) fn may_wait() -> bool {
    LEFT.get().is_none()
}

/// Refuses what may have to wait.
pub(crate) fn wait() -> io::Result<()> {
    if may_wait() { Ok(()) } else { Err(Errno::AGAIN.into()) }
}

/// Counts a read of so many bytes, or refuses it.
pub(crate) fn spend(bytes: usize) -> io::Result<()> {
    let Some(left) = LEFT.get() else { return Ok(()) };
    match left.checked_sub(1).filter(|_| bytes <= READ_BYTES_MAX) {
        Some(left) => {
            LEFT.set(Some(left));
            Ok(())
        }
        None => Err(Errno::AGAIN.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn work_at_hand_is_bounded_and_ends_with_it() {
        assert!(may_wait() && spend(1 << 30).is_ok());
        at_hand(|| {
            assert!(!may_wait() && wait().is_err() && spend(READ_BYTES_MAX + 1).is_err());
            assert!((0..READS_MAX).all(|_| spend(READ_BYTES_MAX).is_ok()));
            assert!(spend(1).is_err());
        });
        assert!(may_wait() && wait().is_ok());
        assert!(catch_unwind(|| at_hand(|| panic!("on purpose"))).is_err());
        assert!(may_wait());
    }
}
