//! A node: its directories, its quorum, its broker and its ports, started in order and ended in the other.
//!
//! ```text
//!   ports bound -> directories locked -> metadata log read -> logs loaded -> quorum elected, broker registered
//!   -> image applied -> connections accepted
//! ```
//! Connections and what they ask for run on a runtime of their own, with a thread for each core; HTTP and what
//! waits for the quorum run on the runtime that starts the node.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metadata::image;
use protocol::id::{DirectoryId, Timestamp};
use storage::meta_properties::MetaProperties;
use storage::metadata_log::check_clean_end;
use storage::reserve::Reserve;
use storage::{Fault, LogDirs, RealDisk};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::config::listeners::machine_name;
use crate::config::{Endpoint, NodeConfig};
use crate::handlers::Dispatch;
use crate::heap;
use crate::http::{HttpError, HttpServer, Listen};
use crate::net::listener::{self, BindError, Bound, Server};
use crate::runtime::apply::{apply, assigned, placement};
use crate::runtime::connection_bounds;
use crate::runtime::directory_reports::{self, cordoned};
use crate::runtime::housekeeping::Housekeeping;
use crate::runtime::log_cleaners::LogCleaners;
use crate::runtime::partitions::connection_threads;
use crate::runtime::quorum::{LoadedQuorum, QuorumOptions};
use crate::runtime::replica_moves::ReplicaMoves;
use crate::runtime::short_slices;
use crate::runtime::stall_watch::StallWatch;
use crate::{Broker, Holdings};

/// How long connections may take to be answered when the node ends.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a task that was cut, or a request over HTTP, may take to end.
const CUT: Duration = Duration::from_secs(1);

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The HTTP port cannot be listened on.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A disk failed, or what lies on it is not this node's.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The configuration names something that cannot be found.
    #[error("{0}")]
    Config(String),
    /// The system gave no thread.
    #[error("the node cannot start its threads: {0}")]
    Threads(std::io::Error),
}

/// A running node.
pub struct Node {
    broker: Arc<Broker>,
    server: Server,
    http: Option<HttpServer>,
    housekeeping: Housekeeping,
    cleaners: LogCleaners,
    connections: Runtime,
    stall_watch: Option<StallWatch>,
    reports: JoinHandle<()>,
    moves: ReplicaMoves,
    addresses: Vec<(Arc<str>, SocketAddr)>,
}

impl Node {
    /// Starts a node on formatted directories. Comes back once it serves.
    pub async fn start(config: NodeConfig) -> Result<Self, StartError> {
        let settings = settings(&config)?;
        let bound = Bound::bind(&settings.endpoints, settings.backlog)?;
        let addresses = bound.addresses();
        let (holdings, loaded) = open(config, &addresses)?;
        holdings.log_dirs.cordon(cordoned(&holdings, &holdings.config()));
        let holdings = Arc::new(holdings);
        load_logs(&holdings, &loaded);
        // The quorum must not keep the directories: their locks go with the node.
        let applied = Arc::downgrade(&holdings);
        let quorum = loaded
            .start(move |image: &Arc<metadata::Image>, delta: &metadata::Delta| {
                if let Some(holdings) = applied.upgrade() {
                    apply(&holdings, image, delta);
                }
            })
            .await?;
        let broker = Arc::new(Broker::new(holdings.clone(), quorum));
        broker.coordinators.start();
        let reports = tokio::spawn(directory_reports::run(broker.clone()));
        let moves =
            ReplicaMoves::start(&broker, &tokio::runtime::Handle::current()).map_err(StartError::Threads)?;
        // Before the runtime of connections: one that is dropped here, where waiting is not allowed, would panic.
        let set = holdings.config().settings.is_set("headwater.http.listen");
        let http = match holdings.config().http_listen.clone() {
            Some(listen) if set => Some(HttpServer::start(Listen::Exactly(&listen), broker.clone()).await?),
            Some(listen) => Some(HttpServer::start(Listen::Preferably(&listen), broker.clone()).await?),
            None => None,
        };
        let connections = tokio::runtime::Builder::new_multi_thread()
            .thread_name("connections")
            .on_thread_start(short_slices::ask)
            .worker_threads(connection_threads())
            .enable_all()
            .build()
            .map_err(StartError::Threads)?;
        let stall_watch = match holdings.config().log_dirs.slow_after {
            None => None,
            Some(_) => {
                let directories = holdings.log_dirs.directories().cloned().collect();
                let watch = StallWatch::start(directories, connections.handle().clone());
                Some(watch.map_err(StartError::Threads)?)
            }
        };
        // Much was read to get here. Nobody is served yet whom this could keep waiting.
        heap::give_back();
        let cleaners = LogCleaners::start(holdings.clone()).map_err(StartError::Threads)?;
        let housekeeping = Housekeeping::start(holdings).map_err(StartError::Threads)?;
        let dispatch = Arc::new(Dispatch::new(broker.clone()));
        let server =
            Server::start(connections.handle(), bound, &settings, &dispatch).map_err(StartError::Threads)?;
        broker.bound_connections(server.counts().clone());
        for (listener, address) in &addresses {
            tracing::info!(%listener, %address, "listening");
        }
        Ok(Self {
            broker,
            server,
            http,
            housekeeping,
            cleaners,
            connections,
            stall_watch,
            reports,
            moves,
            addresses,
        })
    }

    /// Where clients connect: the first listener, as it was bound.
    pub fn kafka_address(&self) -> String {
        self.addresses.first().map(|(_, address)| readable(*address)).unwrap_or_default()
    }

    /// Where each listener was bound.
    pub fn addresses(&self) -> &[(Arc<str>, SocketAddr)] {
        &self.addresses
    }

    /// Where the HTTP port is, if there is one.
    pub fn http_address(&self) -> Option<String> {
        self.http.as_ref().map(|http| readable(http.address()))
    }

    /// The broker, for those who look inside.
    pub fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// Waits until the node cannot go on, and says why.
    pub async fn failed(&self) -> String {
        self.broker.quorum.ended().await.to_string()
    }

    /// Ends: answers what was taken, closes the logs, and leaves the directories as a clean end leaves them.
    pub async fn shutdown(self) {
        let Self {
            broker,
            server,
            http,
            housekeeping,
            cleaners,
            connections,
            stall_watch,
            reports,
            moves,
            addresses: _,
        } = self;
        broker.stop_waiting();
        broker.coordinators.stop();
        reports.abort();
        // It holds the broker, and with it the directories, until it has really ended.
        let _aborted = reports.await;
        if !server.stop(PATIENCE).await {
            tracing::warn!("connections were cut: their clients did not read their answers in time");
        }
        if let Some(http) = http {
            http.stop(CUT).await;
        }
        let epoch = broker.quorum.broker_epoch();
        let holdings = broker.holdings.clone();
        let ended = tokio::task::spawn_blocking(move || {
            drop((cleaners, housekeeping, moves, stall_watch));
            connections.shutdown_timeout(CUT);
        });
        let ended = ended.await;
        // The mark that the logs get at their end says of the metadata log, too, that it is whole.
        broker.quorum.stop().await;
        let closed = match ended {
            Ok(()) => tokio::task::spawn_blocking(move || holdings.log_dirs.close(epoch)).await,
            panicked => panicked,
        };
        if let Err(panic) = closed {
            tracing::error!(%panic, "the logs could not be closed; they are recovered at the next start");
        }
    }
}

/// Opens the directories and reads the metadata log.
fn open(
    config: NodeConfig,
    addresses: &[(Arc<str>, SocketAddr)],
) -> Result<(Holdings, LoadedQuorum), StartError> {
    let now = wall_clock();
    check_clean_end(&RealDisk, &config.log_dirs.metadata_directory)?;
    let log_dirs = LogDirs::open(RealDisk, &config.storage_dirs(None), now)?;
    for directory in log_dirs.directories() {
        directory.pace().set_slow_after(config.log_dirs.slow_after.unwrap_or(Duration::MAX));
    }
    let directories: Vec<_> = log_dirs.directories().map(|directory| directory.id()).collect();
    let advertised = advertised(&config, addresses);
    let ids = (metadata_directory_id(&config, &log_dirs)?, directories);
    let options = QuorumOptions::new(&config, ids, log_dirs.clean_shutdown_epoch(), advertised);
    let descriptors = log_dirs.directories().next().map(|directory| directory.descriptors().clone());
    let descriptors = descriptors.ok_or_else(|| StartError::Config("no log directory can be used".into()))?;
    let reserve = metadata_reserve(&config, &log_dirs);
    let loaded = LoadedQuorum::load(options, &descriptors, Arc::clone(&reserve))?;
    Ok((Holdings::new(config, log_dirs, reserve), loaded))
}

/// The reserve of the directory with the metadata log, which may be none of the log directories.
fn metadata_reserve(config: &NodeConfig, log_dirs: &LogDirs) -> Arc<Reserve> {
    let path = &config.log_dirs.metadata_directory;
    if let Some(directory) = log_dirs.directories().find(|directory| directory.path() == path) {
        return Arc::clone(directory.reserve());
    }
    let reserve = Reserve::open(&RealDisk, path, config.log_dirs.reserve_bytes);
    if !reserve.is_whole()
        && let Err(error) = reserve.fill()
    {
        tracing::warn!(path = %reserve.path().display(), %error, "no room can be set aside for metadata");
    }
    Arc::new(reserve)
}

fn metadata_directory_id(config: &NodeConfig, log_dirs: &LogDirs) -> Result<DirectoryId, StartError> {
    let path = &config.log_dirs.metadata_directory;
    if let Some(directory) = log_dirs.directories().find(|directory| directory.path() == path) {
        return Ok(directory.id());
    }
    let properties = MetaProperties::read(&RealDisk, path)?;
    properties.and_then(|properties| properties.directory_id).ok_or_else(|| {
        StartError::Config(format!("metadata.log.dir={} is not formatted: format it first", path.display()))
    })
}

fn load_logs(holdings: &Holdings, loaded: &LoadedQuorum) {
    let config = holdings.config();
    let (placement, assigned) = (placement(&config, loaded.image()), assigned(&config, loaded.image()));
    let report = holdings.log_dirs.load_assigned(placement, assigned, holdings.now());
    for (partition, path, reason) in &report.cut {
        tracing::warn!(%partition, path = %path.display(), reason, "the torn tail of a log was cut");
    }
    for partition in &report.strays {
        tracing::warn!(%partition, "a partition that does not belong here was set aside");
    }
    if let [partition, others @ ..] = &report.lost[..] {
        let others = others.len();
        tracing::error!(
            %partition,
            others,
            "partitions that were here at the last end are gone, and begin anew, empty: if their directories were moved, \
             stop the node at once and put them back"
        );
    }
    for (partition, fault) in &report.failed {
        tracing::error!(%partition, %fault, "a log cannot be loaded");
    }
    tracing::info!(logs = report.loaded, resumed = report.resumed, "logs loaded");
}

/// What the listeners are told.
fn settings(config: &NodeConfig) -> Result<listener::Settings, StartError> {
    let (network, listeners) = (&config.network, &config.listeners);
    // Kafka exempts the listener for brokers where there is another one, and counts those for controllers apart.
    let exempt = |name: &str| {
        let clients_too = listeners.broker.len() == 1;
        let for_brokers = name == listeners.inter_broker && !clients_too;
        for_brokers || listeners.controller.iter().any(|endpoint| endpoint.listener == name)
    };
    let endpoint = |endpoint: &Endpoint| listener::Endpoint {
        exempt: exempt(&endpoint.listener),
        name: endpoint.listener.as_str().into(),
        host: endpoint.host.clone(),
        port: endpoint.port,
        connections_max: network
            .connections_max_by_listener
            .get(&endpoint.listener)
            .copied()
            .unwrap_or(usize::MAX),
    };
    Ok(listener::Settings {
        endpoints: listeners.broker.iter().chain(&listeners.controller).map(endpoint).collect(),
        backlog: network.backlog,
        frame_bytes_max: network.request_bytes_max,
        response_bytes_max: network.response_bytes_max,
        idle_max: network.idle_max,
        send_buffer_bytes: network.send_buffer_bytes,
        receive_buffer_bytes: network.receive_buffer_bytes,
        pool_bytes: network.pool_bytes,
        bounds: connection_bounds::bounds(config).map_err(StartError::Config)?,
    })
}

/// Where clients are told to find this broker: as configured, with the port that was really taken where any was
/// asked for.
fn advertised(config: &NodeConfig, addresses: &[(Arc<str>, SocketAddr)]) -> Vec<image::Endpoint> {
    let told = config.listeners.advertised_broker.iter().map(|endpoint| {
        let bound = addresses.iter().find(|(name, _)| **name == *endpoint.listener);
        let port =
            if endpoint.port == 0 { bound.map_or(0, |(_, address)| address.port()) } else { endpoint.port };
        image::Endpoint {
            name: endpoint.listener.clone(),
            host: if endpoint.host.is_empty() { machine_name() } else { endpoint.host.clone() },
            port,
            security_protocol: endpoint.protocol.id(),
        }
    });
    told.collect()
}

/// An address a person can connect to: all interfaces are reached by the name of this machine's own.
fn readable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() || address.ip().is_loopback() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}

fn wall_clock() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
