//! Topics and their partitions.

use std::sync::Arc;

use super::few::Few;
use crate::controller::topics::collision_key;
use imbl::ordmap::DiffItem;
use imbl::{OrdMap, OrdSet};
use protocol::id::{DirectoryId, LeaderEpoch, NodeId, PartitionIndex, TopicId, Uuid};

/// A replica whose broker has yet to say in which directory it lies.
pub const DIRECTORY_UNASSIGNED: DirectoryId = Uuid([0; 16]);
/// A replica whose directory is offline.
pub const DIRECTORY_LOST: DirectoryId = Uuid(1u128.to_be_bytes());
/// A replica of a broker that was migrating from ZooKeeper.
pub const DIRECTORY_MIGRATING: DirectoryId = Uuid(2u128.to_be_bytes());

/// Whether a leader still recovers from an unclean election.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LeaderRecovery {
    /// It does not.
    #[default]
    Recovered,
    /// It was elected outside the in-sync replicas and has not finished.
    Recovering,
}

impl LeaderRecovery {
    pub(crate) fn from_number(number: i8) -> Self {
        if number == 1 { Self::Recovering } else { Self::Recovered }
    }

    pub(crate) fn number(self) -> i8 {
        i8::from(self == Self::Recovering)
    }
}

/// Brokers of a partition: as many lie in place as it mostly has replicas.
pub type Nodes = Few<NodeId, 3>;

/// What a partition has beside its replicas while it is reassigned, or while too few of them are in sync.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Unsettled {
    pub(crate) removing: Nodes,
    pub(crate) adding: Nodes,
    pub(crate) elr: Nodes,
    pub(crate) last_known_elr: Nodes,
}

/// One partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partition {
    /// Its index within the topic.
    pub index: PartitionIndex,
    /// Its replicas, the preferred leader first.
    pub replicas: Nodes,
    /// The directory of each replica, in their order; empty before directories were assigned.
    pub directories: Few<DirectoryId, 1>,
    /// The replicas in sync.
    pub isr: Nodes,
    /// There while it is not settled: most of very many partitions are.
    pub(crate) unsettled: Option<Box<Unsettled>>,
    /// The leader, if there is one.
    pub leader: Option<NodeId>,
    /// Whether the leader still recovers.
    pub leader_recovery: LeaderRecovery,
    /// Grows with each leader.
    pub leader_epoch: LeaderEpoch,
    /// Grows with each change.
    pub partition_epoch: i32,
}

impl Partition {
    /// The directory of a replica, unassigned where none was named.
    pub fn directory_of(&self, replica: NodeId) -> DirectoryId {
        let place = self.replicas.iter().position(|&id| id == replica);
        place.and_then(|place| self.directories.get(place)).copied().unwrap_or(DIRECTORY_UNASSIGNED)
    }

    /// Replicas that a reassignment takes away.
    pub fn removing(&self) -> &[NodeId] {
        self.unsettled(|unsettled| &unsettled.removing)
    }

    /// Replicas that a reassignment adds.
    pub fn adding(&self) -> &[NodeId] {
        self.unsettled(|unsettled| &unsettled.adding)
    }

    /// Replicas out of sync that still have everything committed (KIP-966).
    pub fn elr(&self) -> &[NodeId] {
        self.unsettled(|unsettled| &unsettled.elr)
    }

    /// Replicas that were eligible before and lost that by an unclean shutdown.
    pub fn last_known_elr(&self) -> &[NodeId] {
        self.unsettled(|unsettled| &unsettled.last_known_elr)
    }

    fn unsettled(&self, list: impl FnOnce(&Unsettled) -> &Nodes) -> &[NodeId] {
        self.unsettled.as_deref().map_or(&[], |unsettled| list(unsettled).as_slice())
    }

    /// Changes what it has while it is not settled.
    pub(crate) fn unsettle(&mut self, change: impl FnOnce(&mut Unsettled)) {
        let mut unsettled = self.unsettled.take().map_or_else(Unsettled::default, |unsettled| *unsettled);
        change(&mut unsettled);
        self.unsettled = (unsettled != Unsettled::default()).then(|| Box::new(unsettled));
    }

    /// Whether the first replica leads.
    pub fn has_preferred_leader(&self) -> bool {
        self.leader.is_some() && self.leader == self.replicas.first().copied()
    }
}

/// One topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id.
    pub id: TopicId,
    /// Its partitions in the order of their indexes.
    pub partitions: Vec<Arc<Partition>>,
}

impl Topic {
    /// A partition by its index.
    pub fn partition(&self, index: PartitionIndex) -> Option<&Arc<Partition>> {
        self.place(index).ok().map(|place| &self.partitions[place])
    }

    /// Where the partition with this index stands, or would.
    pub(crate) fn place(&self, index: PartitionIndex) -> Result<usize, usize> {
        // Indexes have no gaps in practice, so the index is nearly always the place.
        match usize::try_from(index.0) {
            Ok(place) if self.partitions.get(place).is_some_and(|found| found.index == index) => Ok(place),
            _ => self.partitions.binary_search_by_key(&index, |partition| partition.index),
        }
    }
}

/// The topics.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Topics {
    pub(crate) by_id: OrdMap<TopicId, Arc<Topic>>,
    pub(crate) by_name: OrdMap<Arc<str>, TopicId>,
    /// Names with '.' or '_', each after what it collides on.
    collisions: OrdSet<(String, Arc<str>)>,
    partitions: usize,
}

impl Topics {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// How many partitions all of them have.
    pub fn partition_count(&self) -> usize {
        self.partitions
    }

    /// A topic by its id.
    pub fn get(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// A topic by its name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_name.get(name).and_then(|id| self.by_id.get(id))
    }

    /// The id behind a name.
    pub fn id_of(&self, name: &str) -> Option<TopicId> {
        self.by_name.get(name).copied()
    }

    /// All topics in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.values().filter_map(|id| self.by_id.get(id))
    }

    /// The topics with names from `first` on, in order.
    pub fn iter_from<'s>(&'s self, first: &str) -> impl Iterator<Item = &'s Arc<Topic>> {
        let first: Arc<str> = first.into();
        self.by_name.range(first..).filter_map(|(_, id)| self.by_id.get(id))
    }

    /// A topic whose name differs from this one only in '.' and '_'.
    pub fn colliding(&self, name: &str) -> Option<&str> {
        let key = collision_key(name);
        let first = self.collisions.range((key.clone(), Arc::from(""))..).next()?;
        (first.0 == key).then_some(&*first.1)
    }

    /// The topics that were there `before` and are not any more. Takes time for what differs, not for what there is.
    pub fn deleted_since(&self, before: &Self) -> Vec<(Arc<str>, TopicId)> {
        let gone = before.by_id.diff(&self.by_id).filter_map(|change| match change {
            DiffItem::Remove(id, topic) => Some((Arc::clone(&topic.name), *id)),
            _ => None,
        });
        gone.collect()
    }

    pub(crate) fn insert(&mut self, topic: Topic) {
        self.partitions += topic.partitions.len();
        if topic.name.contains(['.', '_']) {
            self.collisions.insert((collision_key(&topic.name), Arc::clone(&topic.name)));
        }
        self.by_name.insert(Arc::clone(&topic.name), topic.id);
        if let Some(replaced) = self.by_id.insert(topic.id, Arc::new(topic)) {
            self.partitions -= replaced.partitions.len();
        }
    }

    pub(crate) fn remove(&mut self, id: TopicId) -> Option<Arc<Topic>> {
        let topic = self.by_id.remove(&id)?;
        self.by_name.remove(&topic.name);
        self.collisions.remove(&(collision_key(&topic.name), Arc::clone(&topic.name)));
        self.partitions -= topic.partitions.len();
        Some(topic)
    }

    /// Puts a partition into a topic; says nothing of topics that are not there.
    pub(crate) fn put(&mut self, id: TopicId, partition: Partition) -> bool {
        let Some(topic) = self.by_id.get_mut(&id) else { return false };
        let topic = Arc::make_mut(topic);
        match topic.place(partition.index) {
            Ok(place) => topic.partitions[place] = Arc::new(partition),
            Err(place) => {
                topic.partitions.insert(place, Arc::new(partition));
                self.partitions += 1;
            }
        }
        true
    }

    pub(crate) fn partition_mut(&mut self, id: TopicId, index: PartitionIndex) -> Option<&mut Partition> {
        let topic = Arc::make_mut(self.by_id.get_mut(&id)?);
        let place = topic.place(index).ok()?;
        Some(Arc::make_mut(&mut topic.partitions[place]))
    }
}
/// The log of the metadata itself, which is no topic.
pub const METADATA_TOPIC: &str = "__cluster_metadata";

/// Whether only brokers write to a topic of this name.
pub fn is_internal(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}
