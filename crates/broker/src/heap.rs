//! Memory that is free is given back to the system: a start reads far more than it keeps, and the allocator keeps what
//! lies between what is in use.

#![expect(unsafe_code, reason = "the allocator is told by a function of the C library")]

/// Gives back what is free, down to single pages. It takes a while where much is in use, so nobody calls it between requests.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes no pointer, touches nothing that is in use, and may be called by any thread at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
