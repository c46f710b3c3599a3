//! Very many offsets of a topic that was deleted are forgotten a part at a time, and members do not wait for that.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use coordinator::group::{GroupConfig, GroupDecision, GroupGround, GroupShard, Transition};
use coordinator::record::GroupRecord;
use coordinator::{Ground, Shard as _, Token, Written};
use metadata::Image;
use protocol::id::{PartitionIndex, Timestamp, TopicId, Uuid};
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
        Ground { now, image: &image, config: &config, token: Token(0), random: &Uuid::ZERO }
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

#[test]
fn topics_that_are_deleted_meanwhile_have_their_turn_afterwards() {
    const GROUPS: usize = 2_000;
    const TOPICS: usize = 100;
    let mut shard = GroupShard::default();
    (0..GROUPS).for_each(|group| commit(&mut shard, &format!("g{group}"), "stays", 0));
    // Of those that are gone through.
    let last = shard.groups().last().unwrap().0.clone();
    commit(&mut shard, &last, "gone", 0);
    let (image, config) = (Image::default(), GroupConfig::default());
    let at = |now| -> GroupGround<'_> {
        Ground { now, image: &image, config: &config, token: Token(0), random: &Uuid::ZERO }
    };
    let mut now = Timestamp(1);
    let delete = |shard: &mut GroupShard, now, topics: &[&str]| {
        let topics: Vec<_> = topics.iter().map(|topic| (Arc::from(*topic), GONE)).collect();
        let deleted = shard.topics_were_deleted(&at(now), &topics);
        carry_out(shard, deleted);
    };
    let names: Vec<_> = (0..TOPICS).map(|topic| format!("topic {topic}")).collect();
    delete(&mut shard, now, &names.iter().map(String::as_str).collect::<Vec<_>>());
    delete(&mut shard, now, &["gone"]);
    // One part is not enough to look at all of that, and each time another topic goes.
    let mut parts = 0;
    while shard.offsets().get(&last, "gone", PartitionIndex(0)).is_some() {
        parts += 1;
        assert!(parts < 10, "the last group is never reached");
        now = now.max(shard.wake_at().unwrap());
        let part = shard.wake(&at(now)).unwrap();
        carry_out(&mut shard, part);
        let name = format!("later {parts}");
        commit(&mut shard, "g1", &name, 0);
        delete(&mut shard, now, &[&name]);
        assert!(shard.forgets_topic(&name));
        assert!(shard.wake(&at(now)).is_none(), "others have their turn between two parts");
    }
    assert!(parts > 1, "it was done at once");
    while let Some(next) = shard.wake_at() {
        now = now.max(next);
        let part = shard.wake(&at(now)).unwrap();
        carry_out(&mut shard, part);
        assert!(shard.wake(&at(now)).is_none(), "others have their turn between two passes, too");
    }
    assert_eq!(shard.offsets().len(), GROUPS, "what was deleted meanwhile is forgotten, too");
    assert!(!shard.forgets_topic("gone") && !shard.forgets_topic("later 1"));
}

#[test]
fn a_sweep_goes_on_where_its_last_part_ended() {
    // More than one part looks at, all of them to be kept.
    const KEPT: i32 = 100_001;
    let config = GroupConfig::default();
    let image = Image::default();
    let now = Timestamp(config.offsets_retention.0);
    let ground = Ground { now, image: &image, config: &config, token: Token(0), random: &Uuid::ZERO };
    let mut shard = GroupShard::default();
    ["a", "b"].into_iter().for_each(|group| commit(&mut shard, group, "old", 0));
    // What is kept is of the group that is looked at first.
    let order: Vec<_> = shard.groups().map(|(id, _)| id.clone()).collect();
    for partition in 0..KEPT {
        let key = OffsetCommitKey { group: (&*order[0]).into(), topic: "new".into(), partition };
        let value = OffsetCommitValue { commit_timestamp: now.0, ..OffsetCommitValue::default() };
        take(&mut shard, &GroupRecord::OffsetCommit(key, Some(value)));
    }
    shard.loaded(Timestamp(0), &config);
    let mut pauses = Vec::new();
    let mut at = ground.now;
    while pauses.len() < 2 {
        let Some(part) = shard.wake(&Ground { now: at, ..ground }) else { break };
        carry_out(&mut shard, part);
        let next = shard.wake_at().unwrap();
        pauses.push(next.0 - at.0);
        at = next;
    }
    let soon = |pause: &i64| *pause < config.offsets_check_interval.0;
    assert_eq!(pauses.iter().map(soon).collect::<Vec<_>>(), [true, false], "{pauses:?}");
    assert!(shard.group(&order[1]).is_none(), "the second part goes on behind the first");
    assert_eq!(shard.offsets().len(), KEPT as usize);
}
