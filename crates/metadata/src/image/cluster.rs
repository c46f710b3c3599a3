//! Who belongs to the cluster: brokers with their registrations, and controllers.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;
use protocol::id::{BrokerEpoch, DirectoryId, NodeId, Uuid};

use super::topics::{DIRECTORY_LOST, DIRECTORY_MIGRATING, DIRECTORY_UNASSIGNED};

/// Where a node is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// The listener's name.
    pub name: String,
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Kafka's number of the security protocol: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// The levels of a feature that a node supports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeatureRange {
    /// The lowest.
    pub min: i16,
    /// The highest.
    pub max: i16,
}

/// A registered broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broker {
    /// Its node id.
    pub id: NodeId,
    /// Which incarnation this is.
    pub epoch: BrokerEpoch,
    /// The id the broker process gave itself.
    pub incarnation: Uuid,
    /// Where it is reached.
    pub endpoints: Vec<Endpoint>,
    /// What it supports.
    pub features: BTreeMap<String, FeatureRange>,
    /// Its rack, if it has one.
    pub rack: Option<String>,
    /// Whether it may not lead nor be in sync.
    pub fenced: bool,
    /// Whether it is about to stop.
    pub in_controlled_shutdown: bool,
    /// Its log directories, ascending.
    pub log_dirs: Vec<DirectoryId>,
    /// Those that take no new replicas; `None` where the broker does not say (KIP-1066).
    pub cordoned_log_dirs: Option<Vec<DirectoryId>>,
}

impl Broker {
    /// Whether it may lead and be in sync.
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }

    /// Whether a replica in this directory can be used: the broker has it, or has yet to say where the replica lies.
    pub fn has_directory(&self, directory: DirectoryId) -> bool {
        match directory {
            DIRECTORY_UNASSIGNED | DIRECTORY_MIGRATING => true,
            DIRECTORY_LOST => false,
            // Brokers of before KIP-858 name none.
            named => self.log_dirs.is_empty() || self.log_dirs.binary_search(&named).is_ok(),
        }
    }

    /// Whether it takes new replicas: not if every directory it has is cordoned.
    pub fn takes_replicas(&self) -> bool {
        let cordoned = self.cordoned_log_dirs.as_deref().unwrap_or_default();
        self.log_dirs.is_empty() || !self.log_dirs.iter().all(|directory| cordoned.contains(directory))
    }
}

/// A registered controller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Controller {
    /// Its node id.
    pub id: NodeId,
    /// The id the process gave itself.
    pub incarnation: Uuid,
    /// Where it is reached.
    pub endpoints: Vec<Endpoint>,
    /// What it supports.
    pub features: BTreeMap<String, FeatureRange>,
    /// Left of the migration from ZooKeeper.
    pub zk_migration_ready: bool,
}

/// The brokers and controllers.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Cluster {
    /// Brokers by node id.
    pub brokers: OrdMap<NodeId, Arc<Broker>>,
    /// Controllers by node id.
    pub controllers: OrdMap<NodeId, Arc<Controller>>,
}

impl Cluster {
    /// A broker by its id.
    pub fn broker(&self, id: NodeId) -> Option<&Broker> {
        self.brokers.get(&id).map(|broker| &**broker)
    }

    /// Whether a broker is registered and may lead.
    pub fn is_active(&self, id: NodeId) -> bool {
        self.broker(id).is_some_and(Broker::is_active)
    }
}
