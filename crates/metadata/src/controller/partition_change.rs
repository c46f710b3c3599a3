//! How one partition changes when brokers come, go, or an election is asked for: leader, in-sync replicas, and
//! the replicas that stay eligible outside of them (KIP-966).

use protocol::id::{NodeId, TopicId};
use protocol::messages::record::partition_change_record::PartitionChangeRecord;

use crate::image::{ConfigResource, Image, LeaderRecovery, Partition};

/// Which leader is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Election {
    /// The first replica, even where another leads.
    Preferred,
    /// The present one if it can, else any that is in sync or eligible.
    Online,
    /// As online, and as a last resort any that runs.
    Unclean,
}

/// A change in the making.
pub(crate) struct PartitionChange<'a> {
    pub image: &'a Image,
    pub topic: TopicId,
    pub topic_name: &'a str,
    pub partition: &'a Partition,
    pub election: Election,
    /// A broker that leaves the in-sync replicas.
    pub leaving: Option<NodeId>,
    /// A broker that lost its unflushed data, and so is no longer eligible either.
    pub unclean: Option<NodeId>,
    /// A broker that counts as active already, though its record is only being written.
    pub joining: Option<NodeId>,
}

struct Elected {
    leader: Option<NodeId>,
    unclean: bool,
}

impl PartitionChange<'_> {
    /// The record of the change, `None` if nothing changes.
    pub(crate) fn build(&self) -> Option<PartitionChangeRecord<'static>> {
        let partition = self.partition;
        let leaves = |id: NodeId| self.leaving == Some(id) || self.unclean == Some(id);
        let mut isr: Vec<_> = partition.isr.iter().copied().filter(|&id| !leaves(id)).collect();
        let (mut elr, mut last_known) = self.eligible(&isr);
        let elected = self.elect(&isr, &elr);
        let mut record = PartitionChangeRecord {
            partition_id: partition.index.0,
            topic_id: self.topic,
            ..PartitionChangeRecord::default()
        };
        if elected.leader != partition.leader {
            record.leader = elected.leader.map_or(-1, |leader| leader.0);
        }
        if let Some(leader) = elected.leader
            && (elected.unclean || !isr.contains(&leader))
        {
            // Whoever is elected from outside the in-sync replicas is the only one in sync.
            isr = vec![leader];
            elr.retain(|&id| id != leader);
            if elected.unclean {
                if partition.leader_recovery == LeaderRecovery::Recovered {
                    record.leader_recovery_state = LeaderRecovery::Recovering.number();
                }
                elr.clear();
            }
            if isr.len() >= self.min_isr() {
                elr.clear();
                last_known.clear();
            }
        }
        // Without eligible replicas to remember it, the last in-sync replica stays listed.
        if *isr != *partition.isr && (!isr.is_empty() || self.image.keeps_elr()) {
            record.isr = Some(numbers(&isr).into());
            if isr.is_empty() && self.image.keeps_elr() {
                last_known = partition.leader.map_or(last_known, |leader| vec![leader]);
            }
        }
        if *elr != *partition.elr() {
            record.eligible_leader_replicas = Some(numbers(&elr).into());
        }
        if *last_known != *partition.last_known_elr() {
            record.last_known_elr = Some(numbers(&last_known).into());
        }
        let nothing = PartitionChangeRecord {
            partition_id: partition.index.0,
            topic_id: self.topic,
            ..PartitionChangeRecord::default()
        };
        (record != nothing).then_some(record)
    }

    /// The replicas eligible outside these in-sync ones, and the last leader of a partition that lost all.
    fn eligible(&self, isr: &[NodeId]) -> (Vec<NodeId>, Vec<NodeId>) {
        if !self.image.keeps_elr() || isr.len() >= self.min_isr() {
            return (Vec::new(), Vec::new());
        }
        let partition = self.partition;
        let mut elr = partition.elr().to_vec();
        elr.extend(partition.isr.iter().filter(|id| !partition.elr().contains(id)));
        elr.retain(|id| !isr.contains(id) && self.unclean != Some(*id));
        (elr, partition.last_known_elr().to_vec())
    }

    fn elect(&self, isr: &[NodeId], elr: &[NodeId]) -> Elected {
        let partition = self.partition;
        let clean = |leader| Elected { leader: Some(leader), unclean: false };
        let valid = |id: NodeId| (isr.contains(&id) || elr.contains(&id)) && self.is_active(id);
        let present = partition.leader.filter(|&leader| valid(leader));
        if self.election == Election::Preferred
            && let Some(&preferred) = partition.replicas.first()
            && valid(preferred)
        {
            return clean(preferred);
        }
        if let Some(leader) = present {
            return clean(leader);
        }
        if let Some(leader) = partition.replicas.iter().copied().find(|&id| valid(id)) {
            return clean(leader);
        }
        // The last replica that led is the best there is once nobody is eligible: balanced recovery of KIP-966.
        if self.image.keeps_elr()
            && isr.is_empty()
            && elr.is_empty()
            && let &[last] = partition.last_known_elr()
            && self.is_active(last)
        {
            return Elected { leader: Some(last), unclean: true };
        }
        if self.election == Election::Unclean
            && let Some(leader) = partition.replicas.iter().copied().find(|&id| self.is_active(id))
        {
            return Elected { leader: Some(leader), unclean: true };
        }
        Elected { leader: None, unclean: false }
    }

    fn is_active(&self, id: NodeId) -> bool {
        let gone = self.leaving == Some(id) || self.unclean == Some(id);
        let reachable = self.image.cluster.broker(id).is_some_and(|broker| {
            (self.joining == Some(id) || broker.is_active())
                && broker.has_directory(self.partition.directory_of(id))
        });
        !gone && reachable
    }

    fn min_isr(&self) -> usize {
        min_isr(self.image, self.topic_name).min(self.partition.replicas.len())
    }
}

/// `min.insync.replicas` of a topic, from its own configuration or the default of all brokers.
pub(crate) fn min_isr(image: &Image, topic: &str) -> usize {
    value_of(image, topic, "min.insync.replicas").and_then(|value| value.trim().parse().ok()).unwrap_or(1)
}

/// The election to hold for a topic when its leader is lost.
pub(crate) fn election_of(image: &Image, topic: &str) -> Election {
    match value_of(image, topic, "unclean.leader.election.enable") {
        Some(value) if value.trim().eq_ignore_ascii_case("true") => Election::Unclean,
        _ => Election::Online,
    }
}

fn value_of<'a>(image: &'a Image, topic: &str, key: &str) -> Option<&'a str> {
    let of_topic = image.configs.get(&ConfigResource::topic(topic), key);
    of_topic.or_else(|| image.configs.get(&ConfigResource::broker(""), key))
}

fn numbers(ids: &[NodeId]) -> Vec<i32> {
    ids.iter().map(|id| id.0).collect()
}
