//! Record type 21 of `__cluster_metadata`.

use protocol_derive::Message;

/// How far a migration from ZooKeeper has come (KIP-866).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 21, versions = "0", flexible = "0+")]
pub struct ZkMigrationStateRecord {
    pub zk_migration_state: i8,
}
