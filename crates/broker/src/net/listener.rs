//! The listeners of a node: binding, accepting, and ending them all.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::net::SocketFlags;
use socket2::{Domain, Protocol, SockRef, Type};
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::buffer::BufferPool;
use super::close::CloseLog;
use super::connection::{Connection, Shared};
use super::limits::{ConnectionBounds, ConnectionCounts, ListenerBound, Slot};
use super::socket::Socket;
use super::watch::watch;
use super::{Peer, Service};
use crate::seldom::Seldom;

/// One listener as configured (`listeners`).
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The listener's name.
    pub name: Arc<str>,
    /// The host to bind; empty for all interfaces.
    pub host: String,
    /// The port to bind; 0 for one that is free.
    pub port: u16,
    /// `listener.name.<name>.max.connections`.
    pub connections_max: usize,
    /// Whether `max.connections` is not for it.
    pub exempt: bool,
}

/// Settings that all listeners share.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The listeners.
    pub endpoints: Vec<Endpoint>,
    /// `socket.listen.backlog.size`.
    pub backlog: i32,
    /// `socket.request.max.bytes`.
    pub frame_bytes_max: usize,
    /// `headwater.connection.response.bytes.max`.
    pub response_bytes_max: usize,
    /// `connections.max.idle.ms`; `None` for never.
    pub idle_max: Option<Duration>,
    /// `socket.send.buffer.bytes`, where it was set; otherwise the system sizes it by itself.
    pub send_buffer_bytes: Option<usize>,
    /// `socket.receive.buffer.bytes`, where it was set.
    pub receive_buffer_bytes: Option<usize>,
    /// `headwater.network.pool.bytes`: how many bytes of unused read buffers are kept.
    pub pool_bytes: usize,
    /// The bounds of connections.
    pub bounds: ConnectionBounds,
}

/// A listener that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The host has no address.
    #[error(
        "listener {listener} cannot listen on {host}:{port}: the host name cannot be resolved ({source})"
    )]
    Resolve {
        /// The listener's name.
        listener: Arc<str>,
        /// The host as configured.
        host: String,
        /// The port as configured.
        port: u16,
        /// What the resolver said.
        source: io::Error,
    },
    /// Another socket has the port.
    #[error(
        "listener {listener} cannot listen on {address}: the port is taken; stop what holds it (`ss -ltnp` \
         names it) or set another port in listeners"
    )]
    PortTaken {
        /// The listener's name.
        listener: Arc<str>,
        /// The address asked for.
        address: SocketAddr,
    },
    /// The system refused for another reason.
    #[error("listener {listener} cannot listen on {address}: {source}")]
    Refused {
        /// The listener's name.
        listener: Arc<str>,
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Listeners that hold their ports and do not accept yet.
#[derive(Debug)]
pub struct Bound {
    sockets: Vec<(Endpoint, SocketAddr, OwnedFd)>,
}

impl Bound {
    /// Binds all endpoints; a name with several addresses is bound on each.
    pub fn bind(endpoints: &[Endpoint], backlog: i32) -> Result<Self, BindError> {
        let mut sockets = Vec::new();
        for endpoint in endpoints {
            let mut port = endpoint.port;
            for (index, address) in addresses(endpoint)?.into_iter().enumerate() {
                let address = SocketAddr::new(address.ip(), port);
                match listen(address, backlog) {
                    Ok(socket) => {
                        let local = local_address(&socket).unwrap_or(address);
                        port = local.port();
                        sockets.push((endpoint.clone(), local, socket));
                    }
                    Err(error) if index > 0 && error.kind() == io::ErrorKind::AddrNotAvailable => {}
                    Err(error) => return Err(bind_error(endpoint, address, error)),
                }
            }
        }
        Ok(Self { sockets })
    }

    /// The name and address of each listener, with the port that was really taken.
    pub fn addresses(&self) -> Vec<(Arc<str>, SocketAddr)> {
        self.sockets.iter().map(|(endpoint, address, _)| (endpoint.name.clone(), *address)).collect()
    }
}

fn addresses(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, BindError> {
    if endpoint.host.is_empty() {
        let any = if ipv6_available() { "[::]" } else { "0.0.0.0" };
        let address = format!("{any}:{}", endpoint.port).parse().expect("a literal address parses");
        return Ok(vec![address]);
    }
    let resolved = (endpoint.host.as_str(), endpoint.port).to_socket_addrs().and_then(|found| {
        let mut found: Vec<SocketAddr> = found.collect();
        // IPv4 first: it is what most configurations mean, and the one that must succeed.
        found.sort_by_key(SocketAddr::is_ipv6);
        found.dedup();
        if found.is_empty() { Err(io::Error::other("it has no address")) } else { Ok(found) }
    });
    resolved.map_err(|source| BindError::Resolve {
        listener: endpoint.name.clone(),
        host: endpoint.host.clone(),
        port: endpoint.port,
        source,
    })
}

fn ipv6_available() -> bool {
    socket2::Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)).is_ok()
}

/// How often another free port is asked for before the system is believed to have none.
const FREE_PORT_ATTEMPTS: u32 = 16;

/// Binds and listens. Between the two another process may bind the same port and listen first; where any free port
/// will do, the next one is taken.
fn listen(address: SocketAddr, backlog: i32) -> io::Result<OwnedFd> {
    let mut attempts = if address.port() == 0 { FREE_PORT_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        match try_listen(address, backlog) {
            Err(error) if attempts > 0 && error.kind() == io::ErrorKind::AddrInUse => {}
            outcome => return outcome,
        }
    }
}

fn try_listen(address: SocketAddr, backlog: i32) -> io::Result<OwnedFd> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the connections of the process before it to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

fn local_address(socket: &OwnedFd) -> Option<SocketAddr> {
    SockRef::from(socket).local_addr().ok()?.as_socket()
}

fn bind_error(endpoint: &Endpoint, address: SocketAddr, source: io::Error) -> BindError {
    let listener = endpoint.name.clone();
    match source.kind() {
        io::ErrorKind::AddrInUse => BindError::PortTaken { listener, address },
        _ => BindError::Refused { listener, address, source },
    }
}

/// Listeners that accept, and the connections they have accepted.
pub struct Server {
    shared: Arc<Shared>,
    counts: Arc<ConnectionCounts>,
    open: Arc<Open>,
    acceptors: Vec<JoinHandle<()>>,
    /// Closed once every connection has ended.
    ended: mpsc::Receiver<()>,
}

/// The sockets of the connections there are, to end them from outside.
#[derive(Debug, Default)]
struct Open {
    sockets: Mutex<HashMap<u64, Arc<Socket>>>,
    next: AtomicU64,
}

impl Server {
    /// Starts accepting on `connections`, the runtime the connections' tasks run on.
    pub fn start<S: Service>(
        connections: &Handle,
        bound: Bound,
        settings: &Settings,
        service: &Arc<S>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            pool: BufferPool::new(settings.pool_bytes),
            frame_bytes_max: settings.frame_bytes_max,
            response_bytes_max: settings.response_bytes_max,
            idle_max: settings.idle_max,
            stopping: AtomicBool::new(false),
        });
        let counts = Arc::new(ConnectionCounts::new(settings.bounds.clone()));
        let open = Arc::new(Open::default());
        let (alive, ended) = mpsc::channel(1);
        let mut acceptors = Vec::new();
        let _in_runtime = connections.enter();
        for (endpoint, _, socket) in bound.sockets {
            let acceptor = Acceptor {
                socket: watch(socket)?,
                bound: ListenerBound {
                    listener: endpoint.name,
                    connections_max: endpoint.connections_max,
                    exempt: endpoint.exempt,
                },
                send_buffer_bytes: settings.send_buffer_bytes,
                receive_buffer_bytes: settings.receive_buffer_bytes,
                service: service.clone(),
                shared: shared.clone(),
                counts: counts.clone(),
                open: open.clone(),
                closes: Arc::new(CloseLog::default()),
                refusals: Seldom::default(),
                failures: Seldom::default(),
                alive: alive.clone(),
            };
            acceptors.push(connections.spawn(acceptor.run()));
        }
        Ok(Self { shared, counts, open, acceptors, ended })
    }

    /// The connections there are.
    pub fn counts(&self) -> &Arc<ConnectionCounts> {
        &self.counts
    }

    /// Stops accepting and reading, answers what was read, and waits for that as long as `patience`.
    /// Returns whether every connection ended by itself.
    pub async fn stop(mut self, patience: Duration) -> bool {
        self.shared.stopping.store(true, Ordering::Relaxed);
        for acceptor in std::mem::take(&mut self.acceptors) {
            acceptor.abort();
            // An aborted task ends with an error that says only that.
            let _aborted = acceptor.await;
        }
        let open = std::mem::take(&mut *self.open.lock());
        for socket in open.values() {
            socket.stop_reading();
        }
        drop(open);
        tokio::time::timeout(patience, self.ended.recv()).await.is_ok()
    }
}

impl Open {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Socket>>> {
        self.sockets.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Gives up the place of a connection when its task ends, by whatever way.
struct Ended<S: Service> {
    peer: Arc<Peer>,
    service: Arc<S>,
    open: Arc<Open>,
    _slot: Slot,
    _alive: mpsc::Sender<()>,
}

impl<S: Service> Drop for Ended<S> {
    fn drop(&mut self) {
        self.open.lock().remove(&self.peer.connection);
        self.service.disconnected(&self.peer);
    }
}

struct Acceptor<S> {
    socket: AsyncFd<OwnedFd>,
    bound: ListenerBound,
    send_buffer_bytes: Option<usize>,
    receive_buffer_bytes: Option<usize>,
    service: Arc<S>,
    shared: Arc<Shared>,
    counts: Arc<ConnectionCounts>,
    open: Arc<Open>,
    closes: Arc<CloseLog>,
    refusals: Seldom,
    failures: Seldom,
    alive: mpsc::Sender<()>,
}

impl<S: Service> Acceptor<S> {
    async fn run(self) {
        loop {
            match self.accept().await {
                Ok((socket, address)) => match self.counts.place(&self.bound, address.ip()).await {
                    Ok(slot) => self.admit(socket, address, slot),
                    Err(full) => {
                        if let Some(unsaid) = self.refusals.due(Instant::now()) {
                            let listener = &self.bound.listener;
                            tracing::info!(%listener, peer = %address, unsaid, "connection refused: {full}");
                        }
                    }
                },
                Err(error) => {
                    if let Some(unsaid) = self.failures.due(Instant::now()) {
                        let listener = &self.bound.listener;
                        tracing::error!(%listener, %error, unsaid, "cannot accept a connection; trying again when one ends");
                    }
                    // Out of descriptors or memory: either a connection ends, or a second has passed.
                    let pause = tokio::time::sleep(Duration::from_secs(1));
                    tokio::select! { () = self.counts.freed() => {}, () = pause => {} }
                }
            }
        }
    }

    async fn accept(&self) -> io::Result<(OwnedFd, SocketAddr)> {
        loop {
            let mut guard = self.socket.readable().await?;
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            match rustix::net::acceptfrom_with(self.socket.as_fd(), flags) {
                Ok((socket, address)) => {
                    let address = address.and_then(|address| SocketAddr::try_from(address).ok());
                    // A connection that was reset before it was accepted may have no address any more.
                    if let Some(address) = address {
                        return Ok((socket, SocketAddr::new(address.ip().to_canonical(), address.port())));
                    }
                }
                Err(rustix::io::Errno::AGAIN) => guard.clear_ready(),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNABORTED) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn admit(&self, socket: OwnedFd, address: SocketAddr, slot: Slot) {
        let listener = self.bound.listener.clone();
        if let Err(error) = self.configure(&socket) {
            tracing::debug!(%listener, peer = %address, %error, "connection lost while it was accepted");
            return;
        }
        let socket = match Socket::new(socket) {
            Ok(socket) => Arc::new(socket),
            Err(error) => {
                if let Some(unsaid) = self.failures.due(Instant::now()) {
                    tracing::error!(%listener, peer = %address, %error, unsaid, "connection cannot be watched");
                }
                return;
            }
        };
        let number = self.open.next.fetch_add(1, Ordering::Relaxed);
        let peer = Arc::new(Peer::new(number, address, listener));
        self.open.lock().insert(number, socket.clone());
        let (service, open) = (self.service.clone(), self.open.clone());
        let (closes, alive) = (self.closes.clone(), self.alive.clone());
        service.connected(&peer);
        let connection = Connection::new(service.clone(), self.shared.clone(), peer.clone(), socket);
        tokio::spawn(async move {
            let ended = Ended { peer, service, open, _slot: slot, _alive: alive };
            if let Err(close) = connection.run().await {
                ended.service.closed(&ended.peer, &close);
                closes.note(&ended.peer, &close, Instant::now());
            }
        });
    }

    fn configure(&self, socket: &OwnedFd) -> io::Result<()> {
        let socket = SockRef::from(socket);
        socket.set_tcp_nodelay(true)?;
        socket.set_keepalive(true)?;
        if let Some(bytes) = self.send_buffer_bytes {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        Ok(())
    }
}
