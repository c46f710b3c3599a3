//! Very many offsets of a topic that was deleted are forgotten a part at a time, and members do not wait for that.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use coordinator::group::{GroupConfig, GroupDecision, GroupGround, GroupShard, Transition};
use coordinator::record::GroupRecord;
use coordinator::{Ground, Shard as _, Token, Written};
use metadata::Image;
use protocol::id::{Timestamp, TopicId, Uuid};
use protocol::messages::record::{OffsetCommitKey, OffsetCommitValue};
use protocol::offset::Offset;

const GONE: TopicId = Uuid([7; 16]);
const PARTITIONS: i32 = 6_000;
/// The most records that are made while others wait.
const RECORDS_MAX: usize = 5_000;

fn commit(shard: &mut GroupShard, group: &str, topic: &str, partition: i32) {
    let key = OffsetCommitKey { group: group.into(), topic: topic.into(), partition };
    let value = OffsetCommitValue { offset: 5, topic_id: GONE, ..OffsetCommitValue::default() };
    take(shard, &GroupRecord::OffsetCommit(key, Some(value)));
}

fn take(shard: &mut GroupShard, record: &GroupRecord<'_>) {
    shard.replay(Written { offset: Offset(0), timestamp: Timestamp(0), transaction: None }, record);
}

fn carry_out(shard: &mut GroupShard, decision: GroupDecision<()>) {
    decision.records.iter().for_each(|record| take(shard, record));
    decision.transitions.into_iter().for_each(|transition| shard.transit(transition));
}

#[test]
fn offsets_of_a_deleted_topic_are_forgotten_a_part_at_a_time() {
    let mut shard = GroupShard::default();
    for group in ["g0", "g1", "g2"] {
        (0..PARTITIONS).for_each(|partition| commit(&mut shard, group, "gone", partition));
        commit(&mut shard, group, "stays", 0);
    }
    let (image, config) = (Image::default(), GroupConfig::default());
    let at = |now| -> GroupGround<'_> {
        Ground { now, image: &image, config: &config, token: Token(0), random: Uuid::ZERO }
    };
    let mut now = Timestamp(1);
    let deleted = shard.topics_were_deleted(&at(now), &[(Arc::from("gone"), GONE)]);
    assert!(deleted.records.is_empty(), "whoever tells of it does not wait");
    carry_out(&mut shard, deleted);
    shard.transit(Transition::PutOff("g1".into(), now));
    let of_a_group = shard.wake(&at(now)).unwrap();
    assert!(of_a_group.records.is_empty(), "a group's own time comes first");
    carry_out(&mut shard, of_a_group);
    let mut parts = Vec::new();
    while let Some(next) = shard.wake_at() {
        now = now.max(next);
        let part = shard.wake(&at(now)).unwrap();
        parts.push(part.records.len());
        carry_out(&mut shard, part);
        assert!(shard.wake(&at(now)).is_none(), "others have their turn between two parts");
    }
    assert!(parts.iter().all(|count| *count <= RECORDS_MAX), "{parts:?}");
    assert_eq!(
        (parts.iter().sum::<usize>(), shard.offsets().len()),
        (3 * PARTITIONS as usize, 3),
        "{parts:?}"
    );
}
