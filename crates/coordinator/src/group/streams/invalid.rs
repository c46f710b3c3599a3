//! Why a heartbeat cannot be one, whatever the group looks like.

use protocol::ErrorCode;

use super::{Epoch, StreamsHeartbeat, Topology};

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStreamsHeartbeat {
    /// An expression for source topics.
    #[error(
        "subtopology {0} has regular expressions for source topics: name the topics, expressions are not supported yet"
    )]
    SourceRegex(String),
    /// A name is there and says nothing.
    #[error("{0} must not be empty")]
    Empty(&'static str),
    /// Who joins has to say it.
    #[error("a member that joins, with epoch 0, has to say its {0}")]
    Missing(&'static str),
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
    /// Who goes for a while has a name of its own.
    #[error("only a static member, with an instance id, can leave for a while with epoch -2")]
    NoInstance,
    /// There is no such epoch.
    #[error("the member epoch is {0}: it can be no less than -2")]
    Epoch(i32),
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
        self.check_names()?;
        if self.epoch == Epoch::JOINING {
            self.check_joining()?;
        } else if self.epoch == Epoch::AWAY && self.instance.is_none() {
            return Err(InvalidStreamsHeartbeat::NoInstance);
        } else if self.epoch < Epoch::AWAY {
            return Err(InvalidStreamsHeartbeat::Epoch(self.epoch.0));
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

    fn check_names(&self) -> Result<(), InvalidStreamsHeartbeat> {
        let names = [
            ("the member id", Some(&self.member)),
            ("the group id", Some(&self.group)),
            ("the instance id", self.instance.as_ref()),
            ("the rack id", self.rack.as_ref()),
        ];
        let empty = names.into_iter().find(|(_, value)| value.is_some_and(|value| value.trim().is_empty()));
        empty.map_or(Ok(()), |(name, _)| Err(InvalidStreamsHeartbeat::Empty(name)))
    }

    fn check_joining(&self) -> Result<(), InvalidStreamsHeartbeat> {
        if self.rebalance_timeout.is_none() {
            return Err(InvalidStreamsHeartbeat::Missing("rebalance time-out"));
        }
        let said = [("active", &self.active), ("standby", &self.standby), ("warm-up", &self.warmup)];
        for (role, tasks) in said {
            if tasks.as_ref().is_none_or(|tasks| !tasks.is_empty()) {
                return Err(InvalidStreamsHeartbeat::HasTasks(role));
            }
        }
        let topology = self.topology.as_ref().ok_or(InvalidStreamsHeartbeat::Missing("topology"))?;
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
