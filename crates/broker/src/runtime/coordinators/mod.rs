//! The coordinators this broker runs: a shard of the pure machine for each partition it leads of an internal topic.
//!
//! A request is decided on its connection's own task, under the shard's lock, as produce is: decide -> append ->
//! replay -> transit, and the answer once the append is committed. The lock is never held across an await. A shard
//! is loaded when this broker begins to lead its partition and let go when it no longer does; meanwhile requests hear
//! COORDINATOR_LOAD_IN_PROGRESS or NOT_COORDINATOR. Loads run on the second runtime, and so does what comes back to
//! transactions whose end is not written everywhere (`endings`); what a shard does because time passes runs on a thread of its
//! log's directory (`timers`).

mod append;
mod coordinator;
mod endings;
mod error;
mod figures;
mod following;
mod groups;
mod internal_topic;
mod load;
mod markers;
mod random_ids;
mod reign;
mod shared;
mod sync;
mod timers;
mod transactions;

use std::sync::Arc;

use ::coordinator::group::GroupShard;
use ::coordinator::transaction::TransactionShard;

pub use self::coordinator::{Coordinated, Coordinator};
pub use error::CoordinatorError;
pub use figures::Figures;
pub use internal_topic::{InternalTopic, ensure as ensure_internal_topic};
pub use shared::Marker;
pub use transactions::{WritesAs, coded};

use super::directory_turns::DirectoryTurns;
use super::partitions::{Replica, connection_threads};
use super::producer_ids::ProducerIds;
use super::quorum::Quorum;
use crate::Holdings;

/// The shard of a partition, over its replica.
type Led<S> = shared::Led<S, Replica>;

/// All coordinators of this broker.
pub struct Coordinators {
    /// Of groups and their offsets.
    pub groups: Arc<Coordinator<GroupShard>>,
    /// Of transactions.
    pub transactions: Arc<Coordinator<TransactionShard>>,
    endings: shared::endings::Endings,
    holdings: Arc<Holdings>,
    producer_ids: Arc<ProducerIds>,
}

impl Coordinators {
    /// Coordinators that lead nothing yet.
    pub fn new(holdings: &Arc<Holdings>, quorum: &Quorum, producer_ids: Arc<ProducerIds>) -> Self {
        let directories = holdings.log_dirs.directories().map(|directory| directory.id());
        let turns = Arc::new(DirectoryTurns::new(directories, 2 * connection_threads()));
        Self {
            groups: Arc::new(Coordinator::new(holdings.clone(), quorum.clone(), turns.clone())),
            transactions: Arc::new(Coordinator::new(holdings.clone(), quorum.clone(), turns)),
            endings: shared::endings::Endings::default(),
            holdings: holdings.clone(),
            producer_ids,
        }
    }

    /// Begins to follow the metadata: to load what this broker leads and let go what it does not. Called once, on
    /// the runtime where loads and time-outs are to run.
    pub fn start(self: &Arc<Self>) {
        self.groups.start();
        self.transactions.start();
        tokio::spawn(Self::end_what_is_left(Arc::downgrade(self)));
    }

    /// Lets everything go: who waits is told to look for another coordinator.
    pub fn stop(&self) {
        self.groups.stop();
        self.transactions.stop();
    }
}
