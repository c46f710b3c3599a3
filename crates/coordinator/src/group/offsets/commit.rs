//! OffsetCommit and TxnOffsetCommit: who may commit, and what is written.

use std::sync::Arc;

use protocol::id::{LeaderEpoch, PartitionIndex, ProducerEpoch, ProducerId, Timestamp, TopicId};
use protocol::messages::record::{OffsetCommitKey, OffsetCommitValue};
use protocol::offset::Offset;

use crate::group::modern::MayCommit;
use crate::group::streams::Topology;
use crate::group::{
    Generation, Group, GroupGround, GroupRefusal, GroupShard, Millis, Transition, consumer, streams,
};
use crate::record::GroupRecord;
use crate::shard::Decision;

/// Who commits, as they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committer {
    /// The group.
    pub group: Arc<str>,
    /// The member; empty for who is none.
    pub member: Arc<str>,
    /// The static member's own name.
    pub instance: Option<Arc<str>>,
    /// The generation, or the member's epoch.
    pub generation: Generation,
}

/// An offset to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOffset {
    /// The topic.
    pub topic: Arc<str>,
    /// The topic's id.
    pub topic_id: TopicId,
    /// The partition.
    pub partition: PartitionIndex,
    /// The next record to read.
    pub offset: Offset,
    /// The leader epoch of the last record read; none where unknown.
    pub leader_epoch: LeaderEpoch,
    /// The consumer's own note.
    pub metadata: String,
    /// When it counts as committed, where the request says so itself.
    pub committed_at: Option<Timestamp>,
}

/// Offsets to commit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Who.
    pub committer: Committer,
    /// How long to keep them, where the request says so itself.
    pub retention: Option<Millis>,
    /// What.
    pub offsets: Vec<NewOffset>,
    /// The transaction that they are part of.
    pub transaction: Option<(ProducerId, ProducerEpoch)>,
    /// Whether a member can be told that its group is not there, or that its epoch is stale (KIP-848); of old it heard
    /// of its generation.
    pub knows_missing_groups: bool,
}

/// What became of each offset, in the request's order.
pub type Committed = Vec<Result<(), GroupRefusal>>;

impl GroupShard {
    /// Commits offsets.
    ///
    /// # Errors
    /// Who asks may not commit for this group now.
    pub fn commit_offsets<'r>(
        &self,
        ground: &GroupGround<'_>,
        commit: &'r Commit,
    ) -> Result<Decision<'r, Self, Committed>, GroupRefusal> {
        let committer = &commit.committer;
        let (transactional, knows) = (commit.transaction.is_some(), commit.knows_missing_groups);
        let mut decision = Decision::wait();
        let mut may = May::All;
        match self.group(&committer.group) {
            Some(Group::Classic(group)) => {
                group.live.may_commit(committer, transactional)?;
                if !transactional {
                    let heard = group.live.heard_by_commit(committer, ground.now);
                    let group = committer.group.clone();
                    decision.transitions.extend(
                        heard.map(|(member, deadline)| Transition::ClassicHeard(group, member, deadline)),
                    );
                }
            }
            Some(Group::Consumer(group)) => {
                let of = group.roll().may_commit(committer, transactional, knows);
                may = May::Consumer(of.map_err(|no| no.of_old(knows))?);
            }
            Some(Group::Streams(group)) => {
                let of = group.roll().may_commit(committer, transactional, knows);
                may = May::Streams(of.map_err(|no| no.of_old(knows))?, group.topology());
            }
            // A group that nobody has joined takes the offsets of whoever claims no membership.
            None if committer.generation < Generation(0) => {}
            None if knows => return Err(GroupRefusal::GroupIdNotFound),
            None => return Err(GroupRefusal::IllegalGeneration),
        }
        // deviation: Apache Kafka's sum overflows, so that what is to be kept as long as can be said is gone at once; who says so
        // has it kept.
        let expires_at = commit.retention.map_or(Timestamp::NONE, |retention| retention.after(ground.now));
        let mut outcomes = Vec::with_capacity(commit.offsets.len());
        decision.records.reserve(commit.offsets.len());
        for offset in &commit.offsets {
            if offset.metadata.encode_utf16().count() > ground.config.offset_metadata_max {
                outcomes.push(Err(GroupRefusal::OffsetMetadataTooLarge));
                continue;
            }
            may.check(offset).map_err(|no| no.of_old(knows))?;
            decision.records.push(record(&commit.committer.group, offset, ground.now, expires_at));
            outcomes.push(Ok(()));
        }
        decision.transaction = commit.transaction;
        decision.reply = Some(outcomes);
        Ok(decision)
    }
}

/// Of which partitions offsets may be committed, by the kind of the group.
enum May<'g> {
    /// Of all: it is a classic one, or none.
    All,
    /// By the partitions that a member holds.
    Consumer(MayCommit<consumer::Member>),
    /// By the tasks that a member has, whose parts of the topology read the partitions.
    Streams(MayCommit<streams::Member>, Option<&'g Topology>),
}

impl May<'_> {
    fn check(&self, offset: &NewOffset) -> Result<(), GroupRefusal> {
        match self {
            Self::All => Ok(()),
            Self::Consumer(may) => may.check(|member| member.held_since(offset.topic_id, offset.partition)),
            Self::Streams(may, topology) => may.check(|member| {
                let reader = topology.and_then(|topology| topology.reader_of(&offset.topic))?;
                member.held_since(&reader.id, offset.partition)
            }),
        }
    }
}

/// The record of an offset, made of what the request says: there may be very many, and they are written at once. With a time of
/// its own it is written as it was before there were leader epochs and topic ids, so that it says nothing of them.
fn record<'r>(
    group: &'r str,
    offset: &'r NewOffset,
    now: Timestamp,
    expires_at: Timestamp,
) -> GroupRecord<'r> {
    let key = OffsetCommitKey {
        group: group.into(),
        topic: (&*offset.topic).into(),
        partition: offset.partition.0,
    };
    let is_of_old = expires_at != Timestamp::NONE;
    let value = OffsetCommitValue {
        offset: offset.offset.0,
        leader_epoch: if is_of_old { LeaderEpoch::NONE } else { offset.leader_epoch }.0,
        metadata: (&*offset.metadata).into(),
        commit_timestamp: offset.committed_at.unwrap_or(now).0,
        expire_timestamp: expires_at.0,
        topic_id: if is_of_old { TopicId::ZERO } else { offset.topic_id },
    };
    GroupRecord::OffsetCommit(key, Some(value))
}
