//! Why a heartbeat cannot be one, whatever the group looks like.

use protocol::ErrorCode;

use super::{Epoch, StreamsHeartbeat, Topology};
use crate::group::modern::{InvalidBeat, check_epoch, check_names};

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStreamsHeartbeat {
    /// An expression for source topics.
    #[error(
        "subtopology {0} has regular expressions for source topics: name the topics, expressions are not supported yet"
    )]
    SourceRegex(String),
    /// It is none in either protocol of modern groups.
    #[error(transparent)]
    Beat(#[from] InvalidBeat),
    /// Who joins has nothing.
    #[error("a member that joins, with epoch 0, has to say that it has no {0} tasks")]
    HasTasks(&'static str),
    /// A changelog has as many partitions as there are tasks, whatever the application says.
    #[error(
        "changelog topic {topic} is to have {partitions} partitions: their number is not for the topology to say"
    )]
    ChangelogPartitions {
        /// The topic.
        topic: String,
        /// What it is to have.
        partitions: i32,
    },
    /// Who says which tasks it has says so of all roles.
    #[error("a member says of active, standby and warm-up tasks alike which it has, or of none")]
    SomeRoles,
    /// Who is in the group has handed in its topology.
    #[error("a topology is handed in by who joins, with epoch 0, only")]
    TopologyTwice,
}

impl From<&InvalidStreamsHeartbeat> for ErrorCode {
    fn from(invalid: &InvalidStreamsHeartbeat) -> Self {
        match invalid {
            InvalidStreamsHeartbeat::ChangelogPartitions { .. } => Self::StreamsInvalidTopology,
            _ => Self::InvalidRequest,
        }
    }
}

impl StreamsHeartbeat {
    /// Whether it can be one at all.
    ///
    /// # Errors
    /// It says too little, or what cannot be.
    pub fn check(&self) -> Result<(), InvalidStreamsHeartbeat> {
        let parts = self.topology.iter().flat_map(|topology| &topology.subtopologies);
        for part in parts {
            if !part.source_regexes.is_empty() {
                return Err(InvalidStreamsHeartbeat::SourceRegex(part.id.to_string()));
            }
        }
        check_names([
            ("the member id", Some(&*self.member)),
            ("the group id", Some(&*self.group)),
            ("the instance id", self.instance.as_deref()),
            ("the rack id", self.rack.as_deref()),
        ])?;
        check_epoch(self.epoch, self.instance.as_deref())?;
        if self.epoch == Epoch::JOINING {
            self.check_joining()?;
        }
        let said = [&self.active, &self.standby, &self.warmup];
        if said.iter().any(|tasks| tasks.is_some()) && said.iter().any(|tasks| tasks.is_none()) {
            return Err(InvalidStreamsHeartbeat::SomeRoles);
        }
        if self.epoch != Epoch::JOINING && self.topology.is_some() {
            return Err(InvalidStreamsHeartbeat::TopologyTwice);
        }
        Ok(())
    }

    fn check_joining(&self) -> Result<(), InvalidStreamsHeartbeat> {
        if self.rebalance_timeout.is_none() {
            return Err(InvalidBeat::Missing("rebalance time-out").into());
        }
        let said = [("active", &self.active), ("standby", &self.standby), ("warm-up", &self.warmup)];
        for (role, tasks) in said {
            if tasks.as_ref().is_none_or(|tasks| !tasks.is_empty()) {
                return Err(InvalidStreamsHeartbeat::HasTasks(role));
            }
        }
        let topology = self.topology.as_ref().ok_or(InvalidBeat::Missing("topology"))?;
        check_changelogs(topology)
    }
}

fn check_changelogs(topology: &Topology) -> Result<(), InvalidStreamsHeartbeat> {
    let mut changelogs = topology.subtopologies.iter().flat_map(|part| &part.changelogs);
    match changelogs.find(|topic| topic.partitions != 0) {
        Some(topic) => Err(InvalidStreamsHeartbeat::ChangelogPartitions {
            topic: topic.name.to_string(),
            partitions: topic.partitions,
        }),
        None => Ok(()),
    }
}
