//! The typed settings of the metadata quorum: who votes, how long to wait, how the metadata log is kept.

use std::time::Duration;

use protocol::id::NodeId;

use super::numbers::{bytes, millis};
use super::settings::{ConfigError, Settings};
use super::value::split_host_port;

/// One entry of `controller.quorum.voters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voter {
    /// The controller's node id.
    pub id: NodeId,
    /// Its host, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Settings of the quorum and its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumConfig {
    /// `controller.quorum.voters`: a fixed set of voters; empty when voters are kept in the log (KIP-853).
    pub voters: Vec<Voter>,
    /// `controller.quorum.bootstrap.servers`: where to ask for the leader.
    pub bootstrap_servers: Vec<(String, u16)>,
    /// `controller.quorum.election.timeout.ms`: how long a candidate waits for votes.
    pub election_timeout: Duration,
    /// `controller.quorum.election.backoff.max.ms`: the longest pause after a lost election.
    pub election_backoff_max: Duration,
    /// `controller.quorum.fetch.timeout.ms`: how long a follower waits for the leader before it stands.
    pub fetch_timeout: Duration,
    /// `controller.quorum.request.timeout.ms`.
    pub request_timeout: Duration,
    /// `controller.quorum.retry.backoff.ms`.
    pub retry_backoff: Duration,
    /// `controller.quorum.append.linger.ms`: how long the leader gathers records before it writes.
    pub append_linger: Duration,
    /// `controller.quorum.fetch.max.bytes`.
    pub fetch_bytes_max: u64,
    /// `controller.quorum.fetch.snapshot.max.bytes`.
    pub fetch_snapshot_bytes_max: u64,
    /// `metadata.log.segment.bytes`.
    pub segment_bytes: u64,
    /// `metadata.log.segment.ms`.
    pub segment_age: Duration,
    /// `metadata.max.retention.bytes`; `None` for no bound.
    pub retention_bytes: Option<u64>,
    /// `metadata.max.retention.ms`; `None` for no bound.
    pub retention_age: Option<Duration>,
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub bytes_between_snapshots: u64,
    /// `metadata.log.max.snapshot.interval.ms`; `None` for no bound.
    pub snapshot_interval: Option<Duration>,
    /// `headwater.controller.requests.max`: requests that may wait to be decided.
    pub requests_max: usize,
    /// `metadata.max.idle.interval.ms`: how often an idle leader writes a record; `None` for never.
    pub idle_interval: Option<Duration>,
}

impl QuorumConfig {
    /// Reads the settings of the quorum.
    ///
    /// # Errors
    /// [`ConfigError`] when a value cannot be read.
    pub fn read(settings: &Settings) -> Result<QuorumConfig, ConfigError> {
        let voters =
            settings.list("controller.quorum.voters")?.iter().filter_map(|entry| voter(entry)).collect();
        let bootstrap_servers = settings.list("controller.quorum.bootstrap.servers")?;
        let address = |entry: &String| split_host_port(entry).map(|(host, port)| (host.to_owned(), port));
        let positive = |age: Duration| Some(age).filter(|age| !age.is_zero());
        Ok(QuorumConfig {
            voters,
            bootstrap_servers: bootstrap_servers.iter().filter_map(address).collect(),
            election_timeout: millis(settings, "controller.quorum.election.timeout.ms")?,
            election_backoff_max: millis(settings, "controller.quorum.election.backoff.max.ms")?,
            fetch_timeout: millis(settings, "controller.quorum.fetch.timeout.ms")?,
            request_timeout: millis(settings, "controller.quorum.request.timeout.ms")?,
            retry_backoff: millis(settings, "controller.quorum.retry.backoff.ms")?,
            append_linger: millis(settings, "controller.quorum.append.linger.ms")?,
            fetch_bytes_max: bytes(settings, "controller.quorum.fetch.max.bytes")?,
            fetch_snapshot_bytes_max: bytes(settings, "controller.quorum.fetch.snapshot.max.bytes")?,
            segment_bytes: bytes(settings, "metadata.log.segment.bytes")?,
            segment_age: millis(settings, "metadata.log.segment.ms")?,
            retention_bytes: u64::try_from(settings.integer("metadata.max.retention.bytes")?).ok(),
            retention_age: u64::try_from(settings.integer("metadata.max.retention.ms")?)
                .ok()
                .map(Duration::from_millis),
            bytes_between_snapshots: bytes(settings, "metadata.log.max.record.bytes.between.snapshots")?,
            snapshot_interval: positive(millis(settings, "metadata.log.max.snapshot.interval.ms")?),
            requests_max: usize::try_from(settings.integer("headwater.controller.requests.max")?)
                .unwrap_or(usize::MAX),
            idle_interval: positive(millis(settings, "metadata.max.idle.interval.ms")?),
        })
    }

    /// Whether the voters are fixed in the file and this node is among them.
    pub fn is_static_voter(&self, id: NodeId) -> bool {
        self.voters.iter().any(|voter| voter.id == id)
    }
}

fn voter(entry: &str) -> Option<Voter> {
    let (id, address) = entry.split_once('@')?;
    let (host, port) = split_host_port(address)?;
    Some(Voter { id: NodeId(id.parse().ok()?), host: host.to_owned(), port })
}
