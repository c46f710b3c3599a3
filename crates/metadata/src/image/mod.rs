//! The state of the cluster that the metadata log adds up to.
//!
//! Cloning is cheap: everything large is shared. Only [`Image::replay`] changes one; it cannot fail, because a
//! record in the log has happened, and it treats records about things that are gone as saying nothing.

mod cluster;
mod configs;
mod few;
mod quotas;
mod replay;
mod security;
mod snapshot;
#[cfg(test)]
mod tests;
mod topics;

use std::sync::Arc;

use imbl::OrdMap;
use protocol::id::{LeaderEpoch, ProducerId, Timestamp};
use protocol::offset::Offset;

pub use cluster::{Broker, Cluster, Controller, Endpoint, FeatureRange};
pub use configs::{ConfigResource, Configs, ResourceType};
pub use few::Few;
pub use quotas::{QuotaEntity, Quotas};
pub use security::Security;
pub(crate) use snapshot::controller_record;
pub use topics::{
    DIRECTORY_LOST, DIRECTORY_MIGRATING, DIRECTORY_UNASSIGNED, LeaderRecovery, METADATA_TOPIC, Nodes,
    Partition, Topic, Topics, is_internal,
};

/// The feature whose level decides how records are written.
pub const METADATA_VERSION: &str = "metadata.version";

/// Up to where in the log an image goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Provenance {
    /// The offset after the last record replayed.
    pub end: Offset,
    /// The epoch that record was appended in.
    pub epoch: LeaderEpoch,
    /// When it was appended.
    pub timestamp: Timestamp,
}

/// Everything the metadata log says.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Image {
    provenance: Provenance,
    /// Brokers and controllers.
    pub cluster: Cluster,
    /// Topics and their partitions.
    pub topics: Topics,
    /// Configurations that were set, by resource.
    pub configs: Configs,
    /// Finalised feature levels.
    pub features: OrdMap<Arc<str>, i16>,
    /// The first producer id that was not given out.
    pub next_producer_id: ProducerId,
    /// Client quotas.
    pub quotas: Quotas,
    /// ACLs, SCRAM credentials and delegation tokens.
    pub security: Security,
    /// The image before the transaction that is open.
    before_transaction: Option<Arc<Image>>,
}

impl Image {
    /// Up to where in the log this goes.
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// The offset the next record will have.
    pub fn end(&self) -> Offset {
        self.provenance.end
    }

    /// Notes that the log goes up to `end`, of which this image has seen everything: control records change no
    /// image, but offsets count them.
    pub fn advance(&mut self, end: Offset, epoch: LeaderEpoch, timestamp: Timestamp) {
        assert!(end >= self.provenance.end, "an image was moved back in the log");
        self.provenance = Provenance { end, epoch, timestamp };
    }

    /// Says where in the log a snapshot was taken, once its records, which have offsets of their own, are replayed.
    pub fn begin_at(&mut self, end: Offset, epoch: LeaderEpoch, timestamp: Timestamp) {
        self.provenance = Provenance { end, epoch, timestamp };
    }

    /// What readers may see: the image without the records of a transaction that has not ended.
    pub fn visible(&self) -> &Self {
        self.before_transaction.as_deref().unwrap_or(self)
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.before_transaction.is_some()
    }

    /// The finalised level of a feature, 0 for one that is not.
    pub fn feature(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or(0)
    }

    /// The finalised `metadata.version`.
    pub fn metadata_version(&self) -> i16 {
        self.feature(METADATA_VERSION)
    }

    /// Whether records say in which directories replicas lie (KIP-858).
    pub fn assigns_directories(&self) -> bool {
        self.metadata_version() >= 17
    }

    /// Whether records say which directories take no new replicas (KIP-1066).
    pub fn cordons_directories(&self) -> bool {
        self.metadata_version() >= 30
    }

    /// Whether partitions keep eligible leader replicas (KIP-966).
    pub fn keeps_elr(&self) -> bool {
        self.feature("eligible.leader.replicas.version") >= 1
    }
}
