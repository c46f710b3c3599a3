//! Why a heartbeat cannot be one, whatever the group looks like.

use protocol::ErrorCode;

use super::{ConsumerHeartbeat, Epoch};
use crate::group::config::ConsumerConfig;

/// The first version in which members name themselves (KIP-1082).
const OWN_IDS_SINCE: i16 = 1;

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeartbeat {
    /// A name is there and says nothing.
    #[error("{0} must not be empty")]
    Empty(&'static str),
    /// Who joins has to say it.
    #[error("a member that joins, with epoch 0, has to say its {0}")]
    Missing(&'static str),
    /// Who joins holds nothing.
    #[error("a member that joins, with epoch 0, has to say that it holds no partitions")]
    HoldsPartitions,
    /// Who goes for a while has a name of its own.
    #[error("only a static member, with an instance id, can leave for a while with epoch -2")]
    NoInstance,
    /// There is no such epoch.
    #[error("the member epoch is {0}: it can be no less than -2")]
    Epoch(i32),
    /// The assignor is not known.
    #[error("there is no assignor '{name}': group.consumer.assignors has {known}")]
    UnsupportedAssignor {
        /// What it is called.
        name: String,
        /// Those that there are.
        known: String,
    },
}

impl From<&InvalidHeartbeat> for ErrorCode {
    fn from(invalid: &InvalidHeartbeat) -> Self {
        match invalid {
            InvalidHeartbeat::UnsupportedAssignor { .. } => Self::UnsupportedAssignor,
            _ => Self::InvalidRequest,
        }
    }
}

impl ConsumerHeartbeat {
    /// Whether it can be one at all.
    ///
    /// # Errors
    /// It says too little, or what cannot be.
    pub fn check(&self, version: i16, config: &ConsumerConfig) -> Result<(), InvalidHeartbeat> {
        let named = |name: &'static str, value: Option<&str>| match value {
            Some(value) if value.trim().is_empty() => Err(InvalidHeartbeat::Empty(name)),
            _ => Ok(()),
        };
        if version >= OWN_IDS_SINCE || self.epoch > Epoch::JOINING || self.epoch == Epoch::NONE {
            named("the member id", Some(&self.member))?;
        }
        named("the group id", Some(&self.group))?;
        named("the instance id", self.instance.as_deref())?;
        named("the rack id", self.rack.as_deref())?;
        if self.epoch == Epoch::JOINING {
            self.check_joining()?;
        } else if self.epoch == Epoch::AWAY && self.instance.is_none() {
            return Err(InvalidHeartbeat::NoInstance);
        } else if self.epoch < Epoch::AWAY {
            return Err(InvalidHeartbeat::Epoch(self.epoch.0));
        }
        match &self.assignor {
            Some(name) if !config.assignors.iter().any(|known| known.name() == &**name) => {
                let known: Vec<&str> = config.assignors.iter().map(|known| known.name()).collect();
                Err(InvalidHeartbeat::UnsupportedAssignor { name: name.to_string(), known: known.join(", ") })
            }
            _ => Ok(()),
        }
    }

    fn check_joining(&self) -> Result<(), InvalidHeartbeat> {
        if self.rebalance_timeout.is_none() {
            return Err(InvalidHeartbeat::Missing("rebalance time-out"));
        }
        if self.owned.as_ref().is_none_or(|owned| !owned.is_empty()) {
            return Err(InvalidHeartbeat::HoldsPartitions);
        }
        if self.topics.is_none() && self.regex.is_none() {
            return Err(InvalidHeartbeat::Missing("topics, or a regular expression for them,"));
        }
        Ok(())
    }
}
