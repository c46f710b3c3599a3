//! A connected socket on tokio's epoll, with the three calls a connection makes: receive, send, sendfile. What is small is
//! sent together ([`super::gather`]).
//!
//! tokio's own stream is not used: a read that comes back short has emptied the socket and needs no second call
//! to learn so, file ranges go out without passing through memory, and a shutdown of the reading side from
//! outside ends a connection that waits.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use storage::fault::is_of_a_disk;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

use super::Close;
use super::gather::gathered;
use super::outbound::{Outbound, Piece, Sent};
use super::watch::watch;

/// So much of a file is sent before the other connections that share the thread get their turn: as much as a fetch brings of a
/// partition unless its client says otherwise (`max.partition.fetch.bytes`), which takes a few tenths of a millisecond. Each turn
/// costs a call or two of the kernel, and often has another thread woken that finds nothing to do.
const RANGE_AT_ONCE: usize = 1 << 20;

/// A connected, non-blocking socket.
#[derive(Debug)]
pub struct Socket {
    fd: AsyncFd<OwnedFd>,
}

impl Socket {
    /// Takes a connected socket; it must be non-blocking. Called within a runtime.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self { fd: watch(fd)? })
    }

    /// Whether there is something to read, or the other end has closed; otherwise the task is woken once that is so.
    pub fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<Readable<'_>>> {
        self.fd.poll_read_ready(context).map_ok(|guard| Readable { guard })
    }

    /// Sends what lies in memory, where that is all of `out` and there is room for it, and leaves it empty: nearly all answers
    /// leave so. Says whether it has; what is left in `out` is still to be sent otherwise.
    pub fn send_at_once(&self, out: &mut Outbound) -> Result<bool, Close> {
        let Some(bytes) = out.only_bytes() else { return Ok(false) };
        match rustix::net::send(self.fd.as_fd(), bytes, SendFlags::NOSIGNAL) {
            Ok(count) if count == bytes.len() => {
                out.clear();
                Ok(true)
            }
            Ok(count) => {
                out.forget_front(count);
                Ok(false)
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(error) => Err(Close::Socket(error.into())),
        }
    }

    /// Sends all of `out` and leaves it empty. The other end may take its time as long as it takes something within
    /// `patience`. Says whether it was waited for, or others were let go on.
    pub async fn send(&self, out: &mut Outbound, patience: Option<Duration>) -> Result<bool, Close> {
        let (mut sent, mut at_once) = (Sent::default(), 0);
        let mut waited = false;
        // There is room nearly always, and the first call tells where there is none: it is not asked for before.
        let mut asks = false;
        while let Some(piece) = out.piece(sent) {
            let mut room = if asks { Some(self.writable(patience, &mut waited).await?) } else { None };
            asks = true;
            match self.send_some(out, sent, piece)? {
                Ok(count) => {
                    out.advance(&mut sent, count);
                    at_once += count;
                    if at_once >= RANGE_AT_ONCE && out.piece(sent).is_some() {
                        at_once = 0;
                        tokio::task::yield_now().await;
                        waited = true;
                    }
                }
                // Only who asked knows that nothing has come since.
                Err(Errno::AGAIN) => room.iter_mut().for_each(AsyncFdReadyGuard::clear_ready),
                Err(Errno::INTR) => {}
                Err(error) => return Err(Close::Socket(error.into())),
            }
        }
        out.clear();
        Ok(waited)
    }

    /// Sends of what comes after `sent` as much as one call takes.
    fn send_some(&self, out: &Outbound, sent: Sent, piece: Piece<'_>) -> Result<Result<usize, Errno>, Close> {
        let bytes = |bytes: &[u8], more| {
            let flags = if more { SendFlags::NOSIGNAL | SendFlags::MORE } else { SendFlags::NOSIGNAL };
            rustix::net::send(self.fd.as_fd(), bytes, flags)
        };
        Ok(match (gathered(out, sent, bytes), piece) {
            (Some(result), _) => result,
            (None, Piece::Bytes(piece, more)) => bytes(piece, more),
            (None, Piece::Range(range)) => {
                let mut position = range.position;
                let length = usize::try_from(range.length).unwrap_or(usize::MAX);
                let length = length.min(RANGE_AT_ONCE);
                match rustix::fs::sendfile(self.fd.as_fd(), &*range.file, Some(&mut position), length) {
                    Ok(0) => return Err(Close::FileEnded { missing: range.length }),
                    Err(errno) if is_of_a_disk(errno) => {
                        return Err(Close::FileUnreadable { file: range.file.clone(), errno });
                    }
                    other => other,
                }
            }
        })
    }

    /// Waits until there is room to send. The timer is set only when there is none at once.
    async fn writable(
        &self,
        patience: Option<Duration>,
        waited: &mut bool,
    ) -> Result<AsyncFdReadyGuard<'_, OwnedFd>, Close> {
        let mut writable = pin!(poll_fn(|context| self.fd.poll_write_ready(context)));
        if let Poll::Ready(room) = poll_fn(|context| Poll::Ready(writable.as_mut().poll(context))).await {
            return Ok(room?);
        }
        *waited = true;
        match patience {
            None => Ok(writable.await?),
            Some(patience) => {
                Ok(tokio::time::timeout(patience, writable).await.map_err(|_| Close::Idle)??)
            }
        }
    }

    /// Ends the reading side: a waiting connection sees the end of its stream.
    pub fn stop_reading(&self) {
        // A socket that is no longer connected has nothing to stop.
        let _not_connected = rustix::net::shutdown(self.fd.as_fd(), rustix::net::Shutdown::Read);
    }
}

/// A socket that has something to read, or whose other end has closed.
pub struct Readable<'s> {
    guard: AsyncFdReadyGuard<'s, OwnedFd>,
}

impl Readable<'_> {
    /// Receives into `room` what is there; `None` when nothing is, 0 at the end of the stream.
    pub fn receive(mut self, room: &mut [u8]) -> io::Result<Option<usize>> {
        let wanted = room.len();
        match rustix::net::recv(self.guard.get_inner().as_fd(), &mut *room, RecvFlags::empty()) {
            Ok((_, count)) => {
                // A short read has emptied the socket: what comes later raises a new event.
                if count < wanted && count > 0 {
                    self.guard.clear_ready();
                }
                Ok(Some(count))
            }
            Err(Errno::AGAIN) => {
                self.guard.clear_ready();
                Ok(None)
            }
            Err(Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn what_finds_no_room_at_once_is_left_to_be_sent_from_where_it_stopped() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let _within = runtime.enter();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let socket = Socket::new(ours.into()).unwrap();
        let mut out = Outbound::default();
        let all: Vec<u8> = (0..1 << 21).map(|place: u32| (place % 251) as u8).collect();
        out.bytes().extend(&all);
        assert!(!socket.send_at_once(&mut out).unwrap(), "no socket has so much room");
        let left = out.bytes_in_memory();
        assert!((1..all.len()).contains(&left), "{left}");
        assert!(!socket.send_at_once(&mut out).unwrap());
        assert_eq!(out.bytes_in_memory(), left, "it is full");
        let mut come = vec![0; all.len() - left];
        theirs.read_exact(&mut come).unwrap();
        come.extend(out.only_bytes().unwrap());
        assert!(come == all);
        out.clear();
        out.bytes().extend(b"next");
        assert!(socket.send_at_once(&mut out).unwrap() && out.is_empty());
        // What is held, or lies in files, is not for this.
        out.bytes().extend(b"held");
        out.hold(());
        assert!(!socket.send_at_once(&mut out).unwrap());
        assert_eq!(out.bytes_in_memory(), 4);
        drop(theirs);
    }
}
