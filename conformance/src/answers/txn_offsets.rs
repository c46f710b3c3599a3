//! TxnOffsetCommit, and what OffsetFetch tells of offsets that a transaction is about to replace. A case's transactional id and
//! group are called as its topic.

use protocol::api_key::ApiKey::{
    AddOffsetsToTxn, DescribeTransactions, OffsetCommit, OffsetFetch, TxnOffsetCommit,
};
use protocol::error_code::ErrorCode::{
    GroupIdNotFound, IllegalGeneration, InvalidGroupId, InvalidProducerEpoch, InvalidProducerIdMapping,
    InvalidTxnState, TransactionAbortable, UnknownMemberId, UnknownTopicId, UnknownTopicOrPartition,
    UnstableOffsetCommit,
};
use serde_json::{Value, json};

use super::case::{Case, case};
use super::scene::Scene;
use super::transactions::{describe, with};

/// The table.
pub fn cases() -> Vec<Case> {
    [commits(), replaced(), commits_refused()].into_iter().flatten().collect()
}

/// A commit of offsets of the scene's topic in its transaction.
fn commit(s: &Scene, partitions: &[i32]) -> Value {
    let partitions: Vec<_> = partitions
        .iter()
        .map(|index| json!({"PartitionIndex": index, "CommittedOffset": 5, "CommittedMetadata": "m"}))
        .collect();
    json!({"TransactionalId": s.topic, "GroupId": s.topic, "ProducerId": s.producer_id.0,
        "ProducerEpoch": s.producer_epoch.0, "Topics": [{"Name": s.topic, "TopicId": s.topic_id,
        "Partitions": partitions}]})
}

fn committed(s: &Scene) -> Value {
    json!({"Groups": [{"GroupId": s.topic, "Topics": [{"Name": s.topic, "PartitionIndexes": [0]}]}],
        "RequireStable": true})
}

/// With the scene's group in its transaction.
fn with_group(case: Case) -> Case {
    case.fresh().topic(1).transactional().asked(AddOffsetsToTxn, 3, |s| {
        json!({"TransactionalId": s.topic, "ProducerId": s.producer_id.0,
            "ProducerEpoch": s.producer_epoch.0, "GroupId": s.topic})
    })
}

fn commits() -> Vec<Case> {
    vec![
        with_group(case(TxnOffsetCommit, "an offset")).ask(|s| commit(s, &[0])).then(
            OffsetFetch,
            8,
            committed,
        ),
        with_group(case(OffsetFetch, "what a transaction is committing"))
            .versions(8, 9)
            .errors(&[UnstableOffsetCommit])
            .asked(TxnOffsetCommit, 3, |s| commit(s, &[0]))
            .ask(committed),
        with_group(case(OffsetFetch, "what a transaction has committed"))
            .versions(8, 9)
            .asked(TxnOffsetCommit, 3, |s| commit(s, &[0]))
            .ended(true)
            .ask(committed),
        with_group(case(OffsetFetch, "what a transaction has not committed"))
            .versions(8, 9)
            .asked(TxnOffsetCommit, 3, |s| commit(s, &[0]))
            .ended(false)
            .ask(committed),
        case(TxnOffsetCommit, "a group that comes into the transaction by this")
            .versions(5, 6)
            .fresh()
            .topic(1)
            .transactional()
            .ask(|s| commit(s, &[0]))
            .then(DescribeTransactions, 0, describe),
        case(TxnOffsetCommit, "a group that is not in the transaction")
            .versions(0, 4)
            .fresh()
            .topic(1)
            .transactional()
            .errors(&[InvalidTxnState, TransactionAbortable])
            .ask(|s| commit(s, &[0]))
            .then(OffsetFetch, 8, committed),
    ]
}

/// Offsets that an open transaction is about to replace, where they are to be stable.
fn replaced() -> Vec<Case> {
    let replaced = |what| {
        with_group(case(OffsetFetch, what))
            .asked(OffsetCommit, 8, |s| {
                json!({"GroupId": s.topic, "GenerationIdOrMemberEpoch": -1, "MemberId": "",
                    "Topics": [{"Name": s.topic, "Partitions":
                        [{"PartitionIndex": 0, "CommittedOffset": 3, "CommittedMetadata": "m"}]}]})
            })
            .asked(TxnOffsetCommit, 3, |s| commit(s, &[0]))
    };
    let of_group = |s: &Scene, topics: Value, stable: bool| json!({"GroupId": s.topic, "Topics": topics, "RequireStable": stable});
    let of_groups = |s: &Scene, topics: Value, stable: bool| json!({"Groups": [{"GroupId": s.topic, "Topics": topics}], "RequireStable": stable});
    let named = |s: &Scene| json!([{"Name": s.topic, "TopicId": s.topic_id, "PartitionIndexes": [0]}]);
    let by_name = |s: &Scene| json!([{"Name": s.topic, "PartitionIndexes": [0]}]);
    let unstable = &[UnstableOffsetCommit];
    vec![
        replaced("what a transaction is replacing, of one group")
            .versions(7, 7)
            .errors(unstable)
            .ask(move |s| of_group(s, by_name(s), true)),
        replaced("everything of one group, where a transaction is replacing it")
            .versions(7, 7)
            .errors(unstable)
            .ask(move |s| of_group(s, Value::Null, true)),
        replaced("what a transaction is replacing, of one group, stable or not")
            .versions(7, 7)
            .ask(move |s| of_group(s, by_name(s), false)),
        replaced("what a transaction is replacing")
            .versions(8, 10)
            .errors(unstable)
            .ask(move |s| of_groups(s, named(s), true)),
        replaced("everything, where a transaction is replacing it")
            .versions(8, 10)
            .errors(unstable)
            .ask(move |s| of_groups(s, Value::Null, true)),
        replaced("everything, stable or not").versions(8, 10).ask(move |s| of_groups(s, Value::Null, false)),
    ]
}

fn commits_refused() -> Vec<Case> {
    let refused = |what| with_group(case(TxnOffsetCommit, what));
    let changed = |more: Value| move |s: &Scene| with(commit(s, &[0]), &more);
    vec![
        refused("a partition that is not there, beside one that is")
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| commit(s, &[0, 7])),
        refused("a topic that is not there")
            .errors(&[UnknownTopicOrPartition, UnknownTopicId])
            .ask(changed(json!({"Topics": [{"Name": "nowhere", "TopicId": "AAAAAAAAAAAAAAAAAAAABQ",
                "Partitions": [{"PartitionIndex": 0, "CommittedOffset": 5, "CommittedMetadata": null}]}]}))),
        refused("a group without a name").errors(&[InvalidGroupId]).ask(changed(json!({"GroupId": ""}))),
        refused("a later epoch").errors(&[InvalidProducerEpoch]).ask(changed(json!({"ProducerEpoch": 1}))),
        refused("another's producer id")
            .errors(&[InvalidProducerIdMapping])
            .ask(changed(json!({"ProducerId": 987_654_321}))),
        refused("a member that nobody knows")
            .versions(3, 6)
            .member()
            .errors(&[UnknownMemberId])
            .ask(changed(json!({"GenerationIdOrMemberEpoch": 1, "MemberId": "somebody"}))),
        refused("a member of another generation").versions(3, 6).member().errors(&[IllegalGeneration]).ask(
            |s| {
                let more = json!({"GenerationIdOrMemberEpoch": 7, "MemberId": s.member_id,
                    "GroupInstanceId": "one"});
                with(commit(s, &[0]), &more)
            },
        ),
        refused("a member of a group that is not there")
            .versions(3, 6)
            .errors(&[IllegalGeneration, GroupIdNotFound])
            .ask(changed(json!({"GenerationIdOrMemberEpoch": 1, "MemberId": "somebody"}))),
        refused("a generation of nobody")
            .versions(3, 6)
            .errors(&[IllegalGeneration, GroupIdNotFound])
            .ask(changed(json!({"GenerationIdOrMemberEpoch": 1}))),
    ]
}
