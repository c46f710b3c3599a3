//! The C library's allocator, told what a server needs of it: that it gives back what is free, and keeps no more than it needs apart.
//!
//! [`few_arenas`] is called by who starts a process, before it has threads, [`give_back`] by a node that has read what it needs to
//! start. It replaces no allocator, and what `MALLOC_ARENA_MAX` says holds.

#![expect(unsafe_code, reason = "the allocator is told by functions of the C library")]

/// Lets threads share arenas, one for each processor and no fewer than two, before there are any. By itself the C library makes
/// eight for each processor, and every one keeps what was once free between what is in use.
pub fn few_arenas() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        if std::env::var_os("MALLOC_ARENA_MAX").is_some() {
            return;
        }
        let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let most = libc::c_int::try_from(processors).unwrap_or(libc::c_int::MAX).max(2);
        // SAFETY: it takes no pointer, and sets one number that is read when an arena would be made.
        let _refused = unsafe { libc::mallopt(libc::M_ARENA_MAX, most) };
    }
}

/// Gives back what is free, down to single pages: a start reads far more than it keeps. It takes a while where much is in use,
/// so nobody calls it between requests.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes no pointer, touches nothing that is in use, and may be called by any thread at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
