//! Who votes: node ids with the directory ids that tell a replaced disk from the one that voted (KIP-853).

use std::collections::BTreeMap;

use protocol::id::{DirectoryId, NodeId};

/// One replica of the metadata log. A zero directory is an unknown one, and then the id alone identifies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ReplicaKey {
    /// The node's id.
    pub id: NodeId,
    /// The id of its metadata directory, zero where unknown.
    pub directory: DirectoryId,
}

impl ReplicaKey {
    /// Whether both may be the same replica: the ids are equal, and the directories wherever both are known.
    pub fn matches(self, other: Self) -> bool {
        self.id == other.id
            && (self.directory == other.directory || self.directory.is_zero() || other.directory.is_zero())
    }
}

/// Where one listener of a voter is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// The listener's name.
    pub listener: String,
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// One member of the voter set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Voter {
    /// Its id and directory.
    pub key: ReplicaKey,
    /// Where its controller listeners are.
    pub endpoints: Vec<Endpoint>,
    /// The oldest and the newest `kraft.version` it supports.
    pub kraft_versions: (i16, i16),
}

/// The voters of one moment, by node id.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VoterSet {
    voters: BTreeMap<NodeId, Voter>,
}

impl VoterSet {
    /// The set of these voters; of two with one id the later stays.
    pub fn new(voters: impl IntoIterator<Item = Voter>) -> Self {
        Self { voters: voters.into_iter().map(|voter| (voter.key.id, voter)).collect() }
    }

    /// The voters in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Voter> {
        self.voters.values()
    }

    /// Their ids, ascending.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.voters.keys().copied()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.voters.len()
    }

    /// Whether there is none: a node that still has to learn who votes.
    pub fn is_empty(&self) -> bool {
        self.voters.is_empty()
    }

    /// Whether this replica votes.
    pub fn contains(&self, key: ReplicaKey) -> bool {
        self.voters.get(&key.id).is_some_and(|voter| voter.key.matches(key))
    }

    /// Whether this replica is the only voter.
    pub fn is_only(&self, key: ReplicaKey) -> bool {
        self.len() == 1 && self.contains(key)
    }

    /// How many voters a decision needs.
    pub fn majority(&self) -> usize {
        self.len() / 2 + 1
    }
}
