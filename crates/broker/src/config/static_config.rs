//! [`NodeConfig`]: the typed settings that a node runs with; each part is read where it is declared.
//!
//! Made once at start from a properties file (or from nothing: a single node on loopback), and made anew
//! by [`NodeConfig::with_dynamic`] whenever the recorded broker settings change. Reading it costs nothing:
//! every field is parsed already. It performs no input or output.

use protocol::id::NodeId;

use super::cleaner_config::CleanerConfig;
use super::group_coordinator_config::GroupCoordinatorConfig;
use super::listeners::{Listeners, SecurityProtocol};
use super::log_dirs_config::LogDirsConfig;
use super::network_config::NetworkConfig;
use super::numbers::int;
use super::quorum_config::QuorumConfig;
use super::registration_config::RegistrationConfig;
use super::replication_config::ReplicationConfig;
use super::request_config::RequestConfig;
use super::settings::{ConfigError, Settings, Texts};
use super::topic_config::TopicConfig;
use super::topic_creation::TopicCreation;
use super::transaction_coordinator_config::TransactionCoordinatorConfig;

/// What a node is in its cluster (`process.roles`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// It keeps partitions and serves clients.
    pub broker: bool,
    /// It votes in the metadata quorum.
    pub controller: bool,
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
            network: NetworkConfig::read(&settings)?,
            requests: RequestConfig::read(&settings)?,
            topics: TopicCreation::read(&settings)?,
            log_dirs: LogDirsConfig::read(&settings)?,
            cleaner: CleanerConfig::read(&settings)?,
            registration: RegistrationConfig::read(&settings)?,
            replication: ReplicationConfig::read(&settings)?,
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

/// Whether a listener of this protocol can be served.
pub fn is_served(protocol: SecurityProtocol) -> bool {
    protocol == SecurityProtocol::Plaintext
}

#[cfg(test)]
mod tests;
