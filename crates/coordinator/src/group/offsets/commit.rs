//! OffsetCommit and TxnOffsetCommit: who may commit, and what is written.

use std::sync::Arc;

use protocol::id::{LeaderEpoch, PartitionIndex, ProducerEpoch, ProducerId, Timestamp, TopicId};
use protocol::messages::record::{OffsetCommitKey, OffsetCommitValue};
use protocol::offset::Offset;

use crate::group::consumer::MayCommit;
use crate::group::streams::MayCommitTasks;
use crate::group::{Generation, Group, GroupGround, GroupRefusal, GroupShard, Millis, Transition};
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
        let mut decision = Decision::wait();
        let mut may = May::Consumer(MayCommit::All);
        match self.group(&committer.group) {
            Some(Group::Classic(group)) => {
                group.live.may_commit(committer, commit.transaction.is_some())?;
                if commit.transaction.is_none() {
                    let heard = group.live.heard_by_commit(committer, ground.now);
                    let group = committer.group.clone();
                    decision.transitions.extend(
                        heard.map(|(member, deadline)| Transition::ClassicHeard(group, member, deadline)),
                    );
                }
            }
            Some(Group::Consumer(group)) => {
                let transactional = commit.transaction.is_some();
                let knows = commit.knows_missing_groups;
                let of = group.may_commit(committer, transactional, knows);
                may = May::Consumer(of.map_err(|no| no.of_old(knows))?);
            }
            Some(Group::Streams(group)) => {
                let transactional = commit.transaction.is_some();
                let knows = commit.knows_missing_groups;
                let of = group.may_commit(committer, transactional, knows);
                may = May::Streams(of.map_err(|no| no.of_old(knows))?);
            }
            // A group that nobody has joined takes the offsets of whoever claims no membership.
            None if committer.generation < Generation(0) => {}
            None if commit.knows_missing_groups => return Err(GroupRefusal::GroupIdNotFound),
            None => return Err(GroupRefusal::IllegalGeneration),
        }
        let expires_at = commit.retention.map_or(Timestamp::NONE, |retention| retention.after(ground.now));
        let mut outcomes = Vec::with_capacity(commit.offsets.len());
        decision.records.reserve(commit.offsets.len());
        for offset in &commit.offsets {
            if offset.metadata.encode_utf16().count() > ground.config.offset_metadata_max {
                outcomes.push(Err(GroupRefusal::OffsetMetadataTooLarge));
                continue;
            }
            may.check(offset).map_err(|no| no.of_old(commit.knows_missing_groups))?;
            decision.records.push(record(&commit.committer.group, offset, ground.now, expires_at));
            outcomes.push(Ok(()));
        }
        decision.transaction = commit.transaction;
        decision.reply = Some(outcomes);
        Ok(decision)
    }
}

/// Of which partitions offsets may be committed, by the kind of the group; of a classic one of all.
enum May {
    Consumer(MayCommit),
    Streams(MayCommitTasks),
}

impl May {
    fn check(&self, offset: &NewOffset) -> Result<(), GroupRefusal> {
        match self {
            Self::Consumer(may) => may.check(offset.topic_id, offset.partition),
            Self::Streams(may) => may.check(&offset.topic, offset.partition),
        }
    }
}

/// The record of an offset, made of what the request says: there may be very many, and they are written at once.
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
    let value = OffsetCommitValue {
        offset: offset.offset.0,
        leader_epoch: offset.leader_epoch.0,
        metadata: (&*offset.metadata).into(),
        commit_timestamp: offset.committed_at.unwrap_or(now).0,
        expire_timestamp: expires_at.0,
        topic_id: offset.topic_id,
    };
    GroupRecord::OffsetCommit(key, Some(value))
}
