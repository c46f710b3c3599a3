//! Room 1 of every request: sockets, frames, their bounds and their order.
//!
//! A connection is one task on the connection runtime. It reads what has come into a pooled buffer, hands each
//! whole frame in place to a [`Service`], gathers the answers of one read and writes them out together, in the
//! order the requests came. As in Kafka, a connection has one request in work at a time: an answer that has to
//! wait (a long fetch) holds back what the same connection sent after it, and nothing else. Only appends that wait
//! for stable storage let further appends of the connection in, so that they share an fsync.
//!
//! This room knows frames and nothing of what is in them: it never decodes a message, never authorises, never
//! touches a log.

pub mod buffer;
pub mod close;
pub mod connection;
pub mod foreign;
pub mod frame;
pub mod gather;
pub mod limits;
pub mod listener;
pub mod outbound;
pub mod pieces;
pub mod socket;
mod watch;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

pub use close::Close;
pub use outbound::{FileRange, Outbound};
pub use pieces::{Outlet, Pending};

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The connection's number, unique while the process lives.
    pub connection: u64,
    /// The other end's address, IPv4 written as IPv4 even where it came through an IPv6 socket.
    pub address: SocketAddr,
    /// The name of the listener it came through (`listeners`).
    pub listener: Arc<str>,
    /// How its host is written where that is kept.
    host: OnceLock<Arc<str>>,
}

impl Peer {
    /// One at this address.
    pub fn new(connection: u64, address: SocketAddr, listener: Arc<str>) -> Self {
        Self { connection, address, listener, host: OnceLock::new() }
    }

    /// How its host is written, by `write`, which is asked once.
    pub fn host(&self, write: impl FnOnce(IpAddr) -> Arc<str>) -> &Arc<str> {
        self.host.get_or_init(|| write(self.address.ip()))
    }
}

/// An answer in the making. It owns what it needs: the frame's bytes are gone while it waits, so that a connection
/// in a long fetch holds no buffer.
pub type Answer = Pin<Box<dyn Future<Output = Result<Outbound, Close>> + Send>>;

/// What became of a frame.
pub enum Step {
    /// The answer, if there is one, stands at the end of the outbound bytes.
    Done,
    /// The answer comes later; until then the connection takes no other frame.
    Wait(Pending),
    /// The answer comes later; frames that [`Service::may_follow`] are taken meanwhile, and answered after it.
    Promise(Pending),
    /// The connection has to end; what stands in the outbound bytes is still written.
    Close(Close),
}

/// What serves the frames of a connection.
pub trait Service: Send + Sync + 'static {
    /// Serves one frame (without its length prefix) that was whole by this time. The service may change the frame's bytes in
    /// place.
    fn call(&self, peer: &Arc<Peer>, at: Instant, frame: &mut [u8], out: &mut Outbound) -> Step;

    /// Whether a frame may be served while the answers to those before it are only promised.
    fn may_follow(&self, _frame: &[u8]) -> bool {
        false
    }

    /// Told once when a connection has been admitted.
    fn connected(&self, _peer: &Peer) {}

    /// Told once when an admitted connection has ended.
    fn disconnected(&self, _peer: &Peer) {}

    /// Told when this side ends a connection, before the other end notices.
    fn closed(&self, _peer: &Peer, _close: &Close) {}
}
