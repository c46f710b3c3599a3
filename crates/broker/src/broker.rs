//! What every handler works with.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::time::SystemTime;

use metadata::Image;
use protocol::ErrorCode;
use protocol::id::{NodeId, PartitionIndex, Timestamp, TopicId};
use protocol::messages::schema::Listener;

use storage::reserve::Reserve;
use storage::{Fault, LogDirs};

use crate::config::NodeConfig;
use crate::metrics::Metrics;
use crate::net::limits::ConnectionCounts;
use crate::runtime::cold_reads::ColdReads;
use crate::runtime::connection_bounds;
use crate::runtime::conversions::Conversions;
use crate::runtime::coordinators::Coordinators;
use crate::runtime::directory_reports::DirectoryReports;
use crate::runtime::directory_turns::DirectoryTurns;
use crate::runtime::fetch_sessions::FetchSessions;
use crate::runtime::missing_replicas::MissingReplicas;
use crate::runtime::partitions::{Partitions, may_stall};
use crate::runtime::producer_ids::ProducerIds;
use crate::runtime::quorum::Quorum;
use crate::runtime::replica_moves::Bell;
use crate::runtime::request_memory::RequestMemory;
use crate::runtime::slow_lanes::SlowLanes;
use crate::runtime::streams_topics::StreamsTopics;

/// What this broker holds by itself, without anybody to ask: all that applying the metadata works on.
pub struct Holdings {
    /// `node.id`.
    pub node_id: NodeId,
    /// The cluster this node was formatted for.
    pub cluster_id: Box<str>,
    /// The log directories.
    pub log_dirs: LogDirs,
    /// The room set aside for metadata.
    pub metadata_reserve: Arc<Reserve>,
    /// The partitions with a replica here.
    pub partitions: Partitions,
    /// Wakes who moves replicas between log directories.
    pub moves_bell: Arc<Bell>,
    /// What the controller is to be told of the log directories.
    pub directory_reports: DirectoryReports,
    /// The replicas that should be here and are not.
    pub missing: MissingReplicas,
    /// Held while the replicas are brought in line with the metadata.
    pub(crate) applying: Mutex<()>,
    /// What is counted.
    pub metrics: Metrics,
    /// The listeners that are for controllers and who asks them.
    controller_listeners: Vec<String>,
    config: RwLock<Arc<NodeConfig>>,
    /// The connections there are, once ports are listened on.
    connections: OnceLock<Arc<ConnectionCounts>>,
    stopping: AtomicBool,
}

/// One broker: what it holds, and whom it asks. What it holds reads as its own.
pub struct Broker {
    /// What it holds.
    pub holdings: Arc<Holdings>,
    /// The metadata of the cluster, and who decides about it.
    pub quorum: Quorum,
    /// Who brings in what readers want from the disk.
    pub cold_reads: ColdReads,
    /// How many answers become message sets at once.
    pub conversions: Conversions,
    /// Where requests wait for directories that do not keep up.
    pub slow_lanes: SlowLanes,
    /// Whose turn it is there of the fetches that hold memory of all.
    pub slow_reads: DirectoryTurns,
    /// What requests of very many elements draw from.
    pub request_memory: RequestMemory,
    /// What readers follow.
    pub fetch_sessions: FetchSessions,
    /// Ids for idempotent producers.
    pub producer_ids: Arc<ProducerIds>,
    /// What this broker coordinates.
    pub coordinators: Arc<Coordinators>,
    /// Topics that are being made for applications of Kafka Streams.
    pub streams_topics: StreamsTopics,
}

impl Deref for Broker {
    type Target = Holdings;

    fn deref(&self) -> &Holdings {
        &self.holdings
    }
}

impl Holdings {
    /// Directories that were opened, and no partitions yet.
    pub fn new(config: NodeConfig, log_dirs: LogDirs, metadata_reserve: Arc<Reserve>) -> Self {
        Self {
            node_id: config.node_id,
            cluster_id: log_dirs.cluster_id().into(),
            log_dirs,
            metadata_reserve,
            partitions: Partitions::default(),
            moves_bell: Arc::default(),
            directory_reports: DirectoryReports::default(),
            missing: MissingReplicas::default(),
            applying: Mutex::new(()),
            metrics: Metrics::default(),
            controller_listeners: config.listeners.controller_names.clone(),
            config: RwLock::new(Arc::new(config)),
            connections: OnceLock::new(),
            stopping: AtomicBool::new(false),
        }
    }

    /// Whether a listener is for brokers or for controllers.
    pub fn port_of(&self, listener: &str) -> Listener {
        let controller = self.controller_listeners.iter().any(|name| name == listener);
        if controller { Listener::Controller } else { Listener::Broker }
    }

    /// The configuration in force, dynamic changes included.
    pub fn config(&self) -> Arc<NodeConfig> {
        self.config.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Puts another configuration in force.
    pub fn set_config(&self, config: Arc<NodeConfig>) {
        if let Some(connections) = self.connections.get() {
            connection_bounds::change(connections, &config);
        }
        *self.config.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = config;
    }

    /// Keeps these connections within the bounds of the configuration from here on.
    pub fn bound_connections(&self, connections: Arc<ConnectionCounts>) {
        let config = self.config();
        connection_bounds::change(self.connections.get_or_init(|| connections), &config);
    }

    /// Whether versions of APIs that are still in development are served.
    pub fn unstable_apis(&self) -> bool {
        self.config().registration.unstable_apis
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// Whether requests are served.
    pub fn is_serving(&self) -> bool {
        !self.stopping.load(Ordering::Relaxed)
    }

    /// From here on nothing waits any more: delayed answers are given with what there is.
    pub fn stop_waiting(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.partitions.wake_all();
    }
}

impl Broker {
    /// A broker that holds something and asks a quorum.
    pub fn new(holdings: Arc<Holdings>, quorum: Quorum) -> Self {
        let config = holdings.config();
        let requests = &config.requests;
        let fetch_sessions =
            FetchSessions::new(requests.fetch_sessions_max, requests.fetch_sessions_partitions_max);
        let directories = holdings.log_dirs.directories().map(|directory| directory.id());
        let slow_reads = DirectoryTurns::of_slow_reads(directories);
        let producer_ids = Arc::new(ProducerIds::new(holdings.node_id, quorum.clone()));
        let coordinators = Arc::new(Coordinators::new(&holdings, &quorum, producer_ids.clone()));
        Self {
            holdings,
            quorum,
            cold_reads: ColdReads::default(),
            conversions: Conversions::default(),
            slow_lanes: SlowLanes::default(),
            slow_reads,
            request_memory: RequestMemory::new(requests.memory_bytes),
            fetch_sessions,
            producer_ids,
            streams_topics: StreamsTopics::default(),
            coordinators,
        }
    }

    /// The metadata as this broker has applied it.
    pub fn image(&self) -> Arc<Image> {
        self.quorum.image()
    }

    /// Whether members may speak the consumer protocol (KIP-848): the configuration and the cluster's `group.version`
    /// say so.
    pub fn serves_consumer_groups(&self) -> bool {
        let enabled = self.config().groups.decisions.consumer.enabled;
        enabled && self.image().feature("group.version") >= 1
    }

    /// Whether members may speak the protocol of Kafka Streams (KIP-1071): the configuration and the cluster's
    /// `streams.version` say so.
    pub fn serves_streams_groups(&self) -> bool {
        let enabled = self.config().groups.decisions.streams.enabled;
        enabled && self.image().feature("streams.version") >= 1
    }

    /// Has the starts of logs that DeleteRecords moved on stable storage.
    pub async fn keep_log_starts(&self) -> Result<(), Fault> {
        let holdings = self.holdings.clone();
        let kept = tokio::task::spawn_blocking(move || holdings.log_dirs.keep_log_starts()).await;
        kept.unwrap_or_else(|panic| {
            Err(Fault::Mismatch { path: "log-start-offset-checkpoint".into(), reason: panic.to_string() })
        })
    }

    /// Whether to touch any log directory may be to wait for its disk.
    pub fn may_stall(&self) -> bool {
        self.log_dirs.directories().any(|directory| may_stall(directory.pace()))
    }

    /// What to answer about a partition of a named topic that has no replica here.
    pub fn absent_by_name(&self, topic: &str, index: PartitionIndex) -> ErrorCode {
        let image = self.image();
        let known = image.topics.by_name(topic).and_then(|topic| topic.partition(index));
        match known {
            Some(_) => {
                let id = image.topics.id_of(topic);
                self.absent(id, index).unwrap_or(ErrorCode::UnknownTopicOrPartition)
            }
            None => ErrorCode::UnknownTopicOrPartition,
        }
    }

    /// What to answer about a partition there is: that it lies elsewhere, or here on a disk that failed. `None` if its
    /// topic is being deleted: it is gone from here, and from the image in a moment.
    fn absent(&self, topic: Option<TopicId>, index: PartitionIndex) -> Option<ErrorCode> {
        match topic {
            Some(topic) if self.partitions.is_removed(topic) => None,
            Some(topic) if self.missing.contains(topic, index) => Some(ErrorCode::KafkaStorageError),
            Some(_) | None => Some(ErrorCode::NotLeaderOrFollower),
        }
    }

    /// What to answer about a partition of a topic by id that has no replica here.
    pub fn absent_by_id(&self, topic: TopicId, index: PartitionIndex) -> ErrorCode {
        let image = self.image();
        match image.topics.get(topic).map(|topic| topic.partition(index)) {
            Some(Some(_)) => self.absent(Some(topic), index).unwrap_or(ErrorCode::UnknownTopicId),
            Some(None) => ErrorCode::UnknownTopicOrPartition,
            None => ErrorCode::UnknownTopicId,
        }
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").field("node_id", &self.node_id).finish_non_exhaustive()
    }
}
