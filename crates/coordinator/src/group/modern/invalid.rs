//! Why a heartbeat to a modern group cannot be one, whatever the group looks like: what both protocols say of that.

use super::Epoch;

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBeat {
    /// A name is there and says nothing.
    #[error("{0} must not be empty")]
    Empty(&'static str),
    /// Who joins has to say it.
    #[error("a member that joins, with epoch 0, has to say its {0}")]
    Missing(&'static str),
    /// Who goes for a while has a name of its own.
    #[error("only a static member, with an instance id, can leave for a while with epoch -2")]
    NoInstance,
    /// There is no such epoch.
    #[error("the member epoch is {0}: it can be no less than -2")]
    Epoch(i32),
}

/// Whether names that are there say something.
pub fn check_names<const N: usize>(names: [(&'static str, Option<&str>); N]) -> Result<(), InvalidBeat> {
    let empty = names.into_iter().find(|(_, value)| value.is_some_and(|value| value.trim().is_empty()));
    empty.map_or(Ok(()), |(name, _)| Err(InvalidBeat::Empty(name)))
}

/// Whether a member may say that it is at this epoch.
pub fn check_epoch(epoch: Epoch, instance: Option<&str>) -> Result<(), InvalidBeat> {
    if epoch == Epoch::AWAY && instance.is_none() {
        return Err(InvalidBeat::NoInstance);
    }
    if epoch < Epoch::AWAY { Err(InvalidBeat::Epoch(epoch.0)) } else { Ok(()) }
}
