//! [`NodeConfig`]: the typed settings that a node runs with, and the checks that go across settings.
//!
//! Made once at start from a properties file (or from nothing: a single node on loopback), and made anew
//! by [`NodeConfig::with_dynamic`] whenever the recorded broker settings change. Reading it costs nothing:
//! every field is parsed already. It performs no input or output.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use protocol::id::NodeId;

use super::cleaner_config::CleanerConfig;
use super::group_coordinator_config::GroupCoordinatorConfig;
use super::listeners::{Listeners, SecurityProtocol};
use super::quorum_config::QuorumConfig;
use super::settings::{ConfigError, Settings, Texts};
use super::topic_config::TopicConfig;
use super::transaction_coordinator_config::TransactionCoordinatorConfig;

/// What a node is in its cluster (`process.roles`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// It keeps partitions and serves clients.
    pub broker: bool,
    /// It votes in the metadata quorum.
    pub controller: bool,
}

/// Bounds and habits of connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkConfig {
    /// `socket.send.buffer.bytes`; `None` leaves the system's choice.
    pub send_buffer_bytes: Option<usize>,
    /// `socket.receive.buffer.bytes`; `None` leaves the system's choice.
    pub receive_buffer_bytes: Option<usize>,
    /// `socket.listen.backlog.size`.
    pub backlog: i32,
    /// `socket.request.max.bytes`.
    pub request_bytes_max: usize,
    /// `max.connections`, all listeners together.
    pub connections_max: usize,
    /// `listener.name.<listener>.max.connections`, by listener.
    pub connections_max_by_listener: BTreeMap<String, usize>,
    /// `max.connections.per.ip`.
    pub connections_per_ip_max: usize,
    /// `max.connections.per.ip.overrides`: by host name or address as written.
    pub connections_per_ip_overrides: BTreeMap<String, usize>,
    /// `max.connection.creation.rate`, connections a second.
    pub connection_rate_max: u32,
    /// `connections.max.idle.ms`; `None` for no bound.
    pub idle_max: Option<Duration>,
    /// `headwater.network.pool.bytes`: bytes of unused read buffers that are kept.
    pub pool_bytes: usize,
    /// `headwater.connection.response.bytes.max`: bytes of answers that may wait for one slow reader.
    pub response_bytes_max: usize,
}

/// Bounds of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestConfig {
    /// `request.timeout.ms`.
    pub timeout: Duration,
    /// `fetch.max.bytes`.
    pub fetch_bytes_max: usize,
    /// `headwater.fetch.check`.
    pub read_check: ReadCheck,
    /// `headwater.fetch.hot.bytes`.
    pub fetch_hot_bytes: u64,
    /// `headwater.fetch.partitions.max`.
    pub fetch_partitions_max: usize,
    /// `max.incremental.fetch.session.cache.slots`.
    pub fetch_sessions_max: usize,
    /// `headwater.fetch.sessions.partitions.max`.
    pub fetch_sessions_partitions_max: usize,
    /// `headwater.request.memory.bytes`.
    pub memory_bytes: usize,
    /// `max.request.partition.size.limit`: partitions in one DescribeTopicPartitions answer.
    pub describe_partitions_max: i32,
    /// `headwater.compressed.validation`.
    pub compressed_validation: CompressedValidation,
    /// `headwater.decompressed.batch.bytes.max`.
    pub decompressed_batch_bytes_max: u64,
}

/// How deep a compressed batch is looked into before it is appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressedValidation {
    /// Every record, as Kafka does.
    Full,
    /// The batch header and its checksum.
    Header,
}

/// What a new topic gets, and how topics come and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicCreation {
    /// `auto.create.topics.enable`.
    pub automatic: bool,
    /// `delete.topic.enable`.
    pub deletable: bool,
    /// `num.partitions`.
    pub partitions: i32,
    /// `default.replication.factor`.
    pub replication_factor: i16,
}

/// Where data lies and how the log directories are worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirsConfig {
    /// `log.dirs` (or `log.dir`).
    pub directories: Vec<PathBuf>,
    /// `metadata.log.dir`, by default the first of `directories`.
    pub metadata_directory: PathBuf,
    /// `headwater.durability`.
    pub durability: Durability,
    /// `log.flush.scheduler.interval.ms`; `None` for never.
    pub flush_check_interval: Option<Duration>,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub recovery_checkpoint_interval: Duration,
    /// `log.flush.start.offset.checkpoint.interval.ms`.
    pub start_checkpoint_interval: Duration,
    /// `replica.high.watermark.checkpoint.interval.ms`.
    pub high_watermark_checkpoint_interval: Duration,
    /// `log.retention.check.interval.ms`.
    pub retention_check_interval: Duration,
    /// `log.initial.task.delay.ms`.
    pub first_task_delay: Duration,
    /// `num.recovery.threads.per.data.dir`.
    pub recovery_threads: usize,
    /// `headwater.recovery.bytes`; `None` where recovery begins at the front of a segment.
    pub recovery_bytes: Option<u32>,
    /// `headwater.open.files.max`.
    pub open_files_max: usize,
    /// `headwater.directory.slow.ms`; `None` for never.
    pub slow_after: Option<Duration>,
    /// `headwater.disk.reserve.bytes`.
    pub reserve_bytes: u64,
    /// `headwater.batch.positions.bytes`.
    pub batch_positions_bytes: usize,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration: Duration,
    /// `headwater.producer.ids.max`.
    pub producer_ids_max: u32,
    /// `producer.id.expiration.check.interval.ms`.
    pub producer_id_check_interval: Duration,
    /// `cordoned.log.dirs`; `*` for all.
    pub cordoned: Vec<String>,
    /// `num.replica.alter.log.dirs.threads`; `None` for one for each directory.
    pub move_threads: Option<u64>,
    /// `replica.alter.log.dirs.io.max.bytes.per.second`; `None` for no bound.
    pub move_bytes_per_second_max: Option<u64>,
}

/// When records are held against their checksums before they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadCheck {
    /// Never, as in Kafka.
    Off,
    /// When they come from the disk, and when they are first read after a start.
    Cold,
    /// Every time.
    Always,
}

/// What an acknowledged record is safe from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The death of the process, and of the machine as far as other replicas hold it: Kafka's promise.
    Replica,
    /// The loss of power: on stable storage before the answer.
    Fsync,
}

/// How a broker keeps its place in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationConfig {
    /// `broker.rack`.
    pub rack: Option<String>,
    /// `broker.heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// `broker.session.timeout.ms`.
    pub session_timeout: Duration,
    /// `initial.broker.registration.timeout.ms`.
    pub first_registration_timeout: Duration,
    /// `controlled.shutdown.enable`.
    pub controlled_shutdown: bool,
    /// `unstable.api.versions.enable`.
    pub unstable_apis: bool,
    /// `unstable.feature.versions.enable`.
    pub unstable_features: bool,
}

/// Settings of replication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicationConfig {
    /// `replica.lag.time.max.ms`.
    pub lag_max: Duration,
    /// `replica.fetch.wait.max.ms`.
    pub fetch_wait_max: Duration,
    /// `replica.fetch.min.bytes`.
    pub fetch_bytes_min: i32,
    /// `replica.fetch.max.bytes`.
    pub fetch_bytes_max: i32,
    /// `replica.fetch.response.max.bytes`.
    pub fetch_response_bytes_max: i32,
}

/// Everything a node runs with.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeConfig {
    /// The settings as text, in their layers.
    pub settings: Settings,
    /// `node.id`.
    pub node_id: NodeId,
    /// `process.roles`.
    pub roles: Roles,
    /// Endpoints, bound and advertised.
    pub listeners: Listeners,
    /// The metadata quorum.
    pub quorum: QuorumConfig,
    /// Connections.
    pub network: NetworkConfig,
    /// Requests.
    pub requests: RequestConfig,
    /// Creation and deletion of topics.
    pub topics: TopicCreation,
    /// Data directories.
    pub log_dirs: LogDirsConfig,
    /// Compaction.
    pub cleaner: CleanerConfig,
    /// Registration and heartbeats.
    pub registration: RegistrationConfig,
    /// Replication.
    pub replication: ReplicationConfig,
    /// What a topic has that sets nothing itself.
    pub topic_defaults: TopicConfig,
    /// `headwater.http.listen`, as `host:port`; `None` for no HTTP port.
    pub http_listen: Option<String>,
    /// The group coordinator.
    pub groups: GroupCoordinatorConfig,
    /// The transaction coordinator.
    pub transactions: TransactionCoordinatorConfig,
    /// `telemetry.max.bytes`.
    pub telemetry_bytes_max: i32,
    /// What a person should hear at start.
    pub warnings: Vec<String>,
}

impl NodeConfig {
    /// Reads the text of a properties file, with `overrides` (flags) on top.
    ///
    /// # Errors
    /// [`ConfigError`] naming key, value and way out.
    pub fn from_properties(text: &str, overrides: &Texts) -> Result<NodeConfig, ConfigError> {
        let parsed = super::properties::parse(text).map_err(|bad| ConfigError::conflict(bad.to_string()))?;
        let mut texts: Texts = parsed.into_iter().map(|property| (property.key, property.value)).collect();
        texts.extend(overrides.iter().map(|(name, text)| (name.clone(), text.clone())));
        NodeConfig::from_texts(texts)
    }

    /// A node without a file: one node on loopback, data in `./headwater-data`, with `overrides` on top.
    ///
    /// # Errors
    /// [`ConfigError`] when an override does not fit.
    pub fn without_file(overrides: &Texts) -> Result<NodeConfig, ConfigError> {
        let mut texts = texts_without_file();
        texts.extend(overrides.iter().map(|(name, text)| (name.clone(), text.clone())));
        NodeConfig::from_texts(texts)
    }

    /// Reads settings by name.
    ///
    /// # Errors
    /// [`ConfigError`] naming key, value and way out.
    pub fn from_texts(texts: Texts) -> Result<NodeConfig, ConfigError> {
        let (settings, warnings) = Settings::load(texts)?;
        let mut config = NodeConfig::read(settings)?;
        config.warnings = warnings;
        let open = config.listeners.open_to_the_network().map(|endpoint| {
            format!("{endpoint} takes connections from other machines without encryption or authentication")
        });
        config.warnings.extend(open);
        Ok(config)
    }

    /// The same node with other recorded broker settings: those of all brokers and those of this one. What
    /// cannot be applied is left out and said in the second part; what does not go together changes nothing.
    ///
    /// # Errors
    /// [`ConfigError`] when the settings contradict each other.
    pub fn with_dynamic(
        &self,
        cluster: &Texts,
        broker: &Texts,
    ) -> Result<(NodeConfig, Vec<String>), ConfigError> {
        let (settings, left_out) = self.settings.with_dynamic(cluster, broker);
        let config = NodeConfig { warnings: self.warnings.clone(), ..NodeConfig::read(settings)? };
        Ok((config, left_out))
    }

    /// The settings of a topic that sets `own` itself. Most topics set nothing, and there may be many.
    pub fn topic_config(&self, own: &Texts) -> TopicConfig {
        if own.is_empty() { self.topic_defaults.clone() } else { TopicConfig::effective(&self.settings, own) }
    }

    fn read(settings: Settings) -> Result<NodeConfig, ConfigError> {
        let roles = roles(&settings)?;
        let topic_defaults = TopicConfig::broker_defaults(&settings)?;
        let config = NodeConfig {
            node_id: node_id(&settings)?,
            roles,
            listeners: Listeners::read(&settings)?,
            quorum: QuorumConfig::read(&settings)?,
            network: network(&settings)?,
            requests: requests(&settings)?,
            topics: topics(&settings)?,
            log_dirs: log_dirs(&settings)?,
            cleaner: CleanerConfig::read(&settings)?,
            registration: registration(&settings)?,
            replication: replication(&settings)?,
            topic_defaults,
            http_listen: settings.text("headwater.http.listen")?.filter(|address| !address.is_empty()),
            groups: GroupCoordinatorConfig::read(&settings)?,
            transactions: TransactionCoordinatorConfig::read(&settings)?,
            telemetry_bytes_max: int(&settings, "telemetry.max.bytes")?,
            warnings: Vec::new(),
            settings,
        };
        super::cross_checks::check(&config)?;
        Ok(config)
    }
}

/// The settings that a node without a file starts from: one node on loopback, data in `./headwater-data`.
pub fn texts_without_file() -> Texts {
    NO_FILE.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// What a node without a file runs with. Everything else has Kafka's default.
const NO_FILE: &[(&str, &str)] = &[
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    ("listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"),
    ("controller.listener.names", "CONTROLLER"),
    ("controller.quorum.bootstrap.servers", "localhost:9093"),
    ("log.dirs", "headwater-data"),
];

fn node_id(settings: &Settings) -> Result<NodeId, ConfigError> {
    let id = settings.integer("node.id")?;
    if settings.integer("broker.id")? != id {
        return Err(ConfigError::conflict(
            "node.id and broker.id are both set and differ: keep node.id, drop broker.id",
        ));
    }
    Ok(NodeId(i32::try_from(id).expect("node.id was checked to be an int")))
}

fn roles(settings: &Settings) -> Result<Roles, ConfigError> {
    let words = settings.list("process.roles")?;
    let roles = Roles {
        broker: words.iter().any(|word| word == "broker"),
        controller: words.iter().any(|word| word == "controller"),
    };
    if roles.broker || roles.controller {
        return Ok(roles);
    }
    let hint =
        if settings.is_set("zookeeper.connect") { " (ZooKeeper has no place since Kafka 4.0)" } else { "" };
    Err(ConfigError::conflict(format!(
        "process.roles is required{hint}: add process.roles=broker,controller for a node that is both"
    )))
}

fn network(settings: &Settings) -> Result<NetworkConfig, ConfigError> {
    // deviation: a buffer that nobody sets is left to the system, which sizes it by the connection; Kafka fixes
    // it at 100 KiB. Who reads and writes much over a long way gains.
    let buffer = |name| -> Result<Option<usize>, ConfigError> {
        let wanted = settings.integer(name)?;
        Ok(usize::try_from(wanted).ok().filter(|_| settings.is_set(name)))
    };
    let mut by_listener = BTreeMap::new();
    for (name, text) in settings.merged() {
        let listener =
            name.strip_prefix("listener.name.").and_then(|rest| rest.strip_suffix(".max.connections"));
        if let (Some(listener), Ok(most)) = (listener, text.trim().parse()) {
            by_listener.insert(listener.to_ascii_uppercase(), most);
        }
    }
    Ok(NetworkConfig {
        send_buffer_bytes: buffer("socket.send.buffer.bytes")?,
        receive_buffer_bytes: buffer("socket.receive.buffer.bytes")?,
        backlog: int(settings, "socket.listen.backlog.size")?,
        request_bytes_max: size(settings, "socket.request.max.bytes")?,
        connections_max: size(settings, "max.connections")?,
        connections_max_by_listener: by_listener,
        connections_per_ip_max: size(settings, "max.connections.per.ip")?,
        connections_per_ip_overrides: per_ip_overrides(settings)?,
        connection_rate_max: u32::try_from(settings.integer("max.connection.creation.rate")?)
            .unwrap_or(u32::MAX),
        idle_max: u64::try_from(settings.integer("connections.max.idle.ms")?).ok().map(Duration::from_millis),
        pool_bytes: size(settings, "headwater.network.pool.bytes")?,
        response_bytes_max: size(settings, "headwater.connection.response.bytes.max")?,
    })
}

fn per_ip_overrides(settings: &Settings) -> Result<BTreeMap<String, usize>, ConfigError> {
    const KEY: &str = "max.connections.per.ip.overrides";
    let text = settings.text(KEY)?.unwrap_or_default();
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let parsed = |entry: &str| {
        let (host, most) = entry.rsplit_once(':')?;
        Some((host.trim_matches(['[', ']']).to_owned(), most.trim().parse::<usize>().ok()?))
    };
    entries
        .map(|entry| {
            parsed(entry).ok_or_else(|| {
                ConfigError::conflict(format!(
                    "{KEY} has the entry \"{entry}\": it must have the form host:number"
                ))
            })
        })
        .collect()
}

fn requests(settings: &Settings) -> Result<RequestConfig, ConfigError> {
    let header_only = settings.text("headwater.compressed.validation")?.as_deref() == Some("header");
    Ok(RequestConfig {
        timeout: millis(settings, "request.timeout.ms")?,
        fetch_bytes_max: size(settings, "fetch.max.bytes")?,
        read_check: match settings.text("headwater.fetch.check")?.as_deref() {
            Some("off") => ReadCheck::Off,
            Some("always") => ReadCheck::Always,
            _ => ReadCheck::Cold,
        },
        fetch_hot_bytes: bytes(settings, "headwater.fetch.hot.bytes")?,
        fetch_partitions_max: size(settings, "headwater.fetch.partitions.max")?,
        fetch_sessions_max: size(settings, "max.incremental.fetch.session.cache.slots")?,
        fetch_sessions_partitions_max: size(settings, "headwater.fetch.sessions.partitions.max")?,
        memory_bytes: size(settings, "headwater.request.memory.bytes")?,
        describe_partitions_max: int(settings, "max.request.partition.size.limit")?,
        decompressed_batch_bytes_max: bytes(settings, "headwater.decompressed.batch.bytes.max")?,
        compressed_validation: if header_only {
            CompressedValidation::Header
        } else {
            CompressedValidation::Full
        },
    })
}

fn topics(settings: &Settings) -> Result<TopicCreation, ConfigError> {
    let factor = settings.integer("default.replication.factor")?;
    Ok(TopicCreation {
        automatic: settings.flag("auto.create.topics.enable")?,
        deletable: settings.flag("delete.topic.enable")?,
        partitions: int(settings, "num.partitions")?,
        replication_factor: i16::try_from(factor).map_err(|_| {
            ConfigError::conflict(format!("default.replication.factor is {factor}: it must be below 32768"))
        })?,
    })
}

fn log_dirs(settings: &Settings) -> Result<LogDirsConfig, ConfigError> {
    let mut directories = settings.list("log.dirs")?;
    if directories.is_empty() {
        directories = settings.list("log.dir")?;
    }
    let metadata_directory = settings.text("metadata.log.dir")?.or_else(|| directories.first().cloned());
    let fsync = settings.text("headwater.durability")?.as_deref() == Some("fsync");
    let flush = settings.integer("log.flush.scheduler.interval.ms")?;
    let count = |name| {
        let set = settings.integer_if_set(name)?;
        Ok::<_, ConfigError>(set.and_then(|number| u64::try_from(number).ok()))
    };
    Ok(LogDirsConfig {
        metadata_directory: PathBuf::from(metadata_directory.unwrap_or_default()),
        directories: directories.into_iter().map(PathBuf::from).collect(),
        durability: if fsync { Durability::Fsync } else { Durability::Replica },
        flush_check_interval: u64::try_from(flush)
            .ok()
            .filter(|_| flush != i64::MAX)
            .map(Duration::from_millis),
        recovery_checkpoint_interval: millis(settings, "log.flush.offset.checkpoint.interval.ms")?,
        start_checkpoint_interval: millis(settings, "log.flush.start.offset.checkpoint.interval.ms")?,
        high_watermark_checkpoint_interval: millis(
            settings,
            "replica.high.watermark.checkpoint.interval.ms",
        )?,
        retention_check_interval: millis(settings, "log.retention.check.interval.ms")?,
        first_task_delay: millis(settings, "log.initial.task.delay.ms")?,
        recovery_threads: size(settings, "num.recovery.threads.per.data.dir")?,
        recovery_bytes: u32::try_from(settings.integer("headwater.recovery.bytes")?)
            .ok()
            .filter(|bytes| *bytes > 0),
        open_files_max: size(settings, "headwater.open.files.max")?,
        slow_after: Some(millis(settings, "headwater.directory.slow.ms")?).filter(|after| !after.is_zero()),
        reserve_bytes: u64::try_from(settings.integer("headwater.disk.reserve.bytes")?).unwrap_or(0),
        batch_positions_bytes: size(settings, "headwater.batch.positions.bytes")?,
        producer_id_expiration: millis(settings, "producer.id.expiration.ms")?,
        producer_ids_max: u32::try_from(settings.integer("headwater.producer.ids.max")?).unwrap_or(u32::MAX),
        producer_id_check_interval: millis(settings, "producer.id.expiration.check.interval.ms")?,
        cordoned: settings.list("cordoned.log.dirs")?,
        move_threads: count("num.replica.alter.log.dirs.threads")?,
        move_bytes_per_second_max: count("replica.alter.log.dirs.io.max.bytes.per.second")?,
    })
}

fn registration(settings: &Settings) -> Result<RegistrationConfig, ConfigError> {
    Ok(RegistrationConfig {
        rack: settings.text("broker.rack")?,
        heartbeat_interval: millis(settings, "broker.heartbeat.interval.ms")?,
        session_timeout: millis(settings, "broker.session.timeout.ms")?,
        first_registration_timeout: millis(settings, "initial.broker.registration.timeout.ms")?,
        controlled_shutdown: settings.flag("controlled.shutdown.enable")?,
        unstable_apis: settings.flag("unstable.api.versions.enable")?,
        unstable_features: settings.flag("unstable.feature.versions.enable")?,
    })
}

fn replication(settings: &Settings) -> Result<ReplicationConfig, ConfigError> {
    Ok(ReplicationConfig {
        lag_max: millis(settings, "replica.lag.time.max.ms")?,
        fetch_wait_max: millis(settings, "replica.fetch.wait.max.ms")?,
        fetch_bytes_min: int(settings, "replica.fetch.min.bytes")?,
        fetch_bytes_max: int(settings, "replica.fetch.max.bytes")?,
        fetch_response_bytes_max: int(settings, "replica.fetch.response.max.bytes")?,
    })
}

/// A duration setting in milliseconds; a negative one counts as zero.
pub(super) fn millis(settings: &Settings, name: &str) -> Result<Duration, ConfigError> {
    Ok(Duration::from_millis(u64::try_from(settings.integer(name)?).unwrap_or(0)))
}

/// A number of bytes; a negative one counts as zero.
pub(super) fn bytes(settings: &Settings, name: &str) -> Result<u64, ConfigError> {
    Ok(u64::try_from(settings.integer(name)?).unwrap_or(0))
}

fn size(settings: &Settings, name: &str) -> Result<usize, ConfigError> {
    Ok(usize::try_from(settings.integer(name)?).unwrap_or(0))
}

fn int(settings: &Settings, name: &str) -> Result<i32, ConfigError> {
    Ok(i32::try_from(settings.integer(name)?).unwrap_or(i32::MAX))
}

/// Whether a listener of this protocol can be served.
pub fn is_served(protocol: SecurityProtocol) -> bool {
    protocol == SecurityProtocol::Plaintext
}

#[cfg(test)]
mod tests;
