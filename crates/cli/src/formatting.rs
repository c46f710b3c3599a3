//! What a node's configuration says about formatting its log directories.
//!
//! Shared by `storage format` and by a node without a file, which formats itself. The work is in the storage crate.

use std::time::{SystemTime, UNIX_EPOCH};

use broker::config::NodeConfig;
use broker::config::listeners::machine_name;
use protocol::id::Timestamp;
use raft::Endpoint;
use storage::format::{FormatRequest, FormatVoters};

/// A request for the log directories of this node.
pub fn request(config: &NodeConfig, cluster_id: String, voters: FormatVoters) -> FormatRequest {
    let metadata_directory = config.log_dirs.metadata_directory.clone();
    FormatRequest {
        log_directories: config.log_dirs.directories.clone(),
        ..FormatRequest::new(cluster_id, config.node_id, metadata_directory, voters)
    }
}

/// This node alone votes, and is reached where its controller listeners are advertised.
pub fn standalone(config: &NodeConfig) -> FormatVoters {
    let endpoint = |endpoint: &broker::config::Endpoint| Endpoint {
        listener: endpoint.listener.clone(),
        host: if endpoint.host.is_empty() { machine_name() } else { endpoint.host.clone() },
        port: endpoint.port,
    };
    FormatVoters::Standalone(config.listeners.advertised_controller.iter().map(endpoint).collect())
}

/// The time that `meta.properties` bears.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
