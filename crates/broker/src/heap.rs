//! The C library's allocator, told what a server needs of it: that it gives back what is free, and keeps no more than it needs apart.
//!
//! [`begin`] is called by who starts a process, before it has threads, [`give_back`] by a node that has read what it needs to
//! start. It replaces no allocator, and what these variables of the environment say holds: `MALLOC_ARENA_MAX`,
//! `MALLOC_MMAP_THRESHOLD_`, `MALLOC_TRIM_THRESHOLD_`.

#![expect(unsafe_code, reason = "the allocator is told by functions of the C library")]

/// What is as large comes from the system and goes back to it: the buffer of a frame that no other uses.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const APART_BYTES: libc::c_int = 2 << 20;
/// So much may be free at the end of the heap before it goes back.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const FREE_BYTES: libc::c_int = 4 << 20;

/// Says how memory is to be kept, before there are threads.
///
/// Threads share arenas, one for each processor and no fewer than two, from the first of them on. By itself the C library makes
/// eight for each processor, and every one keeps what was once free between what is in use.
///
/// And says from which size on memory is the system's as soon as it is free. By itself the C library takes that to be the largest
/// there ever was, up to 32 MiB, and keeps twice as much.
pub fn begin() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let arenas = libc::c_int::try_from(processors).unwrap_or(libc::c_int::MAX).max(2);
        let wanted = [
            ("MALLOC_ARENA_MAX", libc::M_ARENA_MAX, arenas),
            ("MALLOC_MMAP_THRESHOLD_", libc::M_MMAP_THRESHOLD, APART_BYTES),
            ("MALLOC_TRIM_THRESHOLD_", libc::M_TRIM_THRESHOLD, FREE_BYTES),
        ];
        for (name, what, number) in wanted {
            if std::env::var_os(name).is_none() {
                // SAFETY: it takes no pointer, and sets one number that is read when memory is asked for or given back.
                let _refused = unsafe { libc::mallopt(what, number) };
            }
        }
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
