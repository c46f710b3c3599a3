//! The coordinators this broker runs: a shard of the pure machine for each partition it leads of an internal topic.
//!
//! A request is decided on its connection's own task, under the shard's lock, as produce is: decide -> append ->
//! replay -> transit, and the answer once the append is committed. The lock is never held across an await. A shard
//! is loaded when this broker begins to lead its partition and let go when it no longer does; meanwhile requests hear
//! COORDINATOR_LOAD_IN_PROGRESS or NOT_COORDINATOR. Time-outs and loads run on the second runtime.

mod append;
mod coordinator;
mod error;
mod groups;
mod internal_topic;
mod led;
mod load;
mod progress;
mod reign;
mod timers;

use std::sync::Arc;

use ::coordinator::group::GroupShard;

pub use self::coordinator::{Coordinated, Coordinator};
pub use error::CoordinatorError;
pub use internal_topic::{InternalTopic, ensure as ensure_internal_topic};

use super::directory_turns::DirectoryTurns;
use super::partitions::connection_threads;
use super::quorum::Quorum;
use crate::Holdings;

/// All coordinators of this broker.
pub struct Coordinators {
    /// Of groups and their offsets.
    pub groups: Arc<Coordinator<GroupShard>>,
}

impl Coordinators {
    /// Coordinators that lead nothing yet.
    pub fn new(holdings: &Arc<Holdings>, quorum: &Quorum) -> Self {
        let directories = holdings.log_dirs.directories().map(|directory| directory.id());
        let turns = Arc::new(DirectoryTurns::new(directories, connection_threads()));
        Self { groups: Arc::new(Coordinator::new(holdings.clone(), quorum.clone(), turns)) }
    }

    /// Begins to follow the metadata: to load what this broker leads and let go what it does not. Called once, on
    /// the runtime where loads and time-outs are to run.
    pub fn start(&self) {
        self.groups.start();
    }

    /// Lets everything go: who waits is told to look for another coordinator.
    pub fn stop(&self) {
        self.groups.stop();
    }
}
