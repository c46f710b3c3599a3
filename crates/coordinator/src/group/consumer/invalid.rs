//! Why a heartbeat cannot be one, whatever the group looks like.

use protocol::ErrorCode;

use super::{ConsumerHeartbeat, Epoch};
use crate::group::config::ConsumerConfig;
use crate::group::modern::{InvalidBeat, check_epoch, check_names};

/// The first version in which members name themselves (KIP-1082).
const OWN_IDS_SINCE: i16 = 1;

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeartbeat {
    /// It is none in either protocol of modern groups.
    #[error(transparent)]
    Beat(#[from] InvalidBeat),
    /// Who joins holds nothing.
    #[error("a member that joins, with epoch 0, has to say that it holds no partitions")]
    HoldsPartitions,
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
        let has_id = version >= OWN_IDS_SINCE || self.epoch > Epoch::JOINING || self.epoch == Epoch::NONE;
        check_names([
            ("the member id", has_id.then_some(&*self.member)),
            ("the group id", Some(&*self.group)),
            ("the instance id", self.instance.as_deref()),
            ("the rack id", self.rack.as_deref()),
        ])?;
        check_epoch(self.epoch, self.instance.as_deref())?;
        if self.epoch == Epoch::JOINING {
            self.check_joining()?;
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
            return Err(InvalidBeat::Missing("rebalance time-out").into());
        }
        if self.owned.as_ref().is_none_or(|owned| !owned.is_empty()) {
            return Err(InvalidHeartbeat::HoldsPartitions);
        }
        if self.topics.is_none() && self.regex.is_none() {
            return Err(InvalidBeat::Missing("topics, or a regular expression for them,").into());
        }
        Ok(())
    }
}
