//! Putting a socket under tokio's watch: the one place of this crate with unsafe code, and its reason.

#![expect(unsafe_code, reason = "tokio cannot prove that a watched descriptor stays open; OwnedFd does")]

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// Has tokio's epoll watch a descriptor for reading and writing. Called within a runtime.
pub fn watch(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is one open descriptor from its creation to its drop, and the `AsyncFd` owns it: it
    // is neither closed nor exchanged while it is watched.
    let watched = unsafe { AsyncFd::register(descriptor) };
    Ok(watched?)
}
