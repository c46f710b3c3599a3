//! Decisions against small clusters. The ledger asserts after each that replaying the log gives the live image.

use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::id::{BrokerEpoch, LeaderEpoch, NodeId, PartitionIndex, ProducerId, Timestamp, TopicId, Uuid};
use protocol::messages::record::broker_registration_change_record::BrokerRegistrationChangeRecord;
use protocol::messages::record::partition_change_record::PartitionChangeRecord;

use super::brokers::{Heartbeat, Sessions, decide_fence, decide_heartbeat, decide_register_broker};
use super::configs::{ConfigChanges, ConfigOp, decide_alter_configs, decide_incremental_alter_configs};
use super::directories::{decide_assign_replicas, decide_cordon, decide_directories_offline};
use super::elections::{ElectionType, decide_elect_leaders};
use super::features::{FeatureUpdate, UpgradeType, decide_update_features};
use super::partitions::{
    MorePartitions, ReplicaDirectory, decide_assign_directories, decide_create_partitions, decide_recovered,
};
use super::placement::Seed;
use super::producer_ids::decide_allocate_producer_ids;
use super::topics::{
    CreateTopics, CreatedTopics, NewTopic, TopicDefaults, TopicRef, decide_create_topics,
    decide_delete_topics,
};
use super::*;
use crate::image::{ConfigResource, LeaderRecovery, Partition};
use crate::ledger::{Ledger, TwoKeys, registration};

fn new_topic(name: &str, partitions: i32, replication_factor: i16) -> NewTopic {
    NewTopic {
        name: name.to_owned(),
        id: id_of(name),
        partitions,
        replication_factor,
        assignments: Vec::new(),
        configs: Vec::new(),
    }
}

fn id_of(name: &str) -> TopicId {
    let mut id = [0xee; 16];
    let head = name.len().min(16);
    id[..head].copy_from_slice(&name.as_bytes()[..head]);
    Uuid(id)
}

fn by_hand(name: &str, assignments: &[(i32, &[i32])]) -> NewTopic {
    let nodes = |ids: &[i32]| ids.iter().copied().map(NodeId).collect();
    let assignments = assignments.iter().map(|&(index, ids)| (PartitionIndex(index), nodes(ids))).collect();
    NewTopic { assignments, ..new_topic(name, -1, -1) }
}

fn request(topics: Vec<NewTopic>) -> CreateTopics {
    let defaults = TopicDefaults { partitions: 3, replication_factor: 1 };
    CreateTopics { topics, validate_only: false, defaults, seed: Seed(1) }
}

fn create(ledger: &mut Ledger, topics: Vec<NewTopic>) -> Vec<Option<ErrorCode>> {
    let decided = decide_create_topics(&ledger.image, request(topics), &TwoKeys);
    let results = ledger.take(decided).unwrap();
    results.iter().map(|(_, result)| result.as_ref().err().map(ErrorCode::from)).collect()
}

fn partition<'a>(ledger: &'a Ledger, topic: &str, index: i32) -> &'a Partition {
    ledger.image.topics.by_name(topic).unwrap().partition(PartitionIndex(index)).unwrap()
}

fn beat(ledger: &Ledger, id: i32, want_fence: bool, want_shutdown: bool) -> Heartbeat {
    let epoch = ledger.image.cluster.broker(NodeId(id)).unwrap().epoch;
    Heartbeat { id: NodeId(id), epoch, metadata_offset: ledger.image.end(), want_fence, want_shutdown }
}

#[test]
fn topics_get_defaults_or_what_was_asked() {
    let mut ledger = Ledger::with_brokers(&[(1, ""), (2, "")]);
    assert_eq!(create(&mut ledger, vec![new_topic("a", -1, -1), new_topic("b", 2, 2)]), [None, None]);
    assert_eq!(ledger.image.topics.by_name("a").unwrap().partitions.len(), 3);
    let b = partition(&ledger, "b", 1);
    assert_eq!((b.replicas.len(), b.isr.len(), b.leader), (2, 2, b.replicas.first().copied()));
    assert_eq!(b.directory_of(NodeId(2)), Uuid([102; 16]));
    assert_eq!(ledger.delta.topics_created.len(), 2);
}

#[test]
fn topics_are_refused_with_kafkas_codes() {
    use ErrorCode as E;
    let long = "x".repeat(250);
    let mut with_null = new_topic("null", 1, 1);
    with_null.configs.push(("retention.ms".to_owned(), None));
    let mut wrong_value = new_topic("wrong", 1, 1);
    wrong_value.configs.push(("retention.ms".to_owned(), Some("soon".to_owned())));
    let cases = [
        (new_topic("", 1, 1), E::InvalidTopicException),
        (new_topic("..", 1, 1), E::InvalidTopicException),
        (new_topic("a/b", 1, 1), E::InvalidTopicException),
        (new_topic(&long, 1, 1), E::InvalidTopicException),
        (new_topic("there.is", 1, 1), E::TopicAlreadyExists),
        (new_topic("there_is", 1, 1), E::InvalidTopicException),
        (new_topic("p", 0, 1), E::InvalidPartitions),
        (new_topic("p", -2, 1), E::InvalidPartitions),
        (new_topic("r", 1, 0), E::InvalidReplicationFactor),
        (new_topic("r", 1, 3), E::InvalidReplicationFactor),
        (NewTopic { partitions: 1, ..by_hand("m", &[(0, &[1])]) }, E::InvalidRequest),
        (NewTopic { replication_factor: 1, ..by_hand("m", &[(0, &[1])]) }, E::InvalidRequest),
        (by_hand("m", &[(0, &[])]), E::InvalidReplicaAssignment),
        (by_hand("m", &[(0, &[1, 1])]), E::InvalidReplicaAssignment),
        (by_hand("m", &[(0, &[9])]), E::InvalidReplicaAssignment),
        (by_hand("m", &[(0, &[1]), (0, &[2])]), E::InvalidReplicaAssignment),
        (by_hand("m", &[(0, &[1]), (1, &[1, 2])]), E::InvalidReplicaAssignment),
        (by_hand("m", &[(1, &[1])]), E::InvalidReplicaAssignment),
        (with_null, E::InvalidConfig),
        (wrong_value, E::InvalidConfig),
    ];
    let mut ledger = Ledger::with_brokers(&[(1, ""), (2, "")]);
    assert_eq!(create(&mut ledger, vec![new_topic("there.is", 1, 1)]), [None]);
    let log = ledger.log.len();
    for (topic, code) in cases {
        let name = format!("{topic:?}");
        assert_eq!(create(&mut ledger, vec![topic]), [Some(code)], "{name}");
    }
    assert_eq!(ledger.log.len(), log, "a refusal writes nothing");
}

#[test]
fn one_bad_topic_does_not_stop_the_others_and_only_topics_that_are_there_collide() {
    let mut ledger = Ledger::with_brokers(&[(1, "")]);
    let topics = vec![
        new_topic("a.b", 1, 1),
        new_topic("a_b", 1, 1),
        new_topic("twice", 1, 1),
        new_topic("twice", 1, 1),
        new_topic("c", 1, 1),
    ];
    let codes = create(&mut ledger, topics);
    let expected = [None, None, Some(ErrorCode::InvalidRequest), None];
    assert_eq!(codes, expected);
}

#[test]
fn too_many_partitions_refuse_the_whole_request() {
    let ledger = Ledger::with_brokers(&[(1, "")]);
    let topics = vec![new_topic("a", 10_000, 1), new_topic("b", 1, 1)];
    let refusal = decide_create_topics(&ledger.image, request(topics), &TwoKeys).unwrap_err();
    assert_eq!(ErrorCode::from(&refusal), ErrorCode::PolicyViolation);
}

#[test]
fn validating_only_writes_nothing() {
    let ledger = Ledger::with_brokers(&[(1, "")]);
    let only = CreateTopics { validate_only: true, ..request(vec![new_topic("a", 1, 1)]) };
    let decision = decide_create_topics(&ledger.image, only, &TwoKeys).unwrap();
    assert!(decision.records.is_empty() && decision.response[0].1.is_ok());
}

#[test]
fn topics_are_deleted_by_name_and_id_once() {
    let mut ledger = Ledger::with_brokers(&[(1, "")]);
    create(&mut ledger, vec![new_topic("a", 1, 1), new_topic("b", 1, 1)]);
    let b = id_of("b");
    let topics = vec![
        TopicRef::Name("a".into()),
        TopicRef::Id(b),
        TopicRef::Name("b".into()),
        TopicRef::Name("c".into()),
        TopicRef::Id(Uuid([5; 16])),
    ];
    let decided = decide_delete_topics(&ledger.image, topics);
    let results = ledger.take(decided).unwrap();
    let codes: Vec<_> =
        results.iter().map(|(_, result)| result.as_ref().err().map(ErrorCode::from)).collect();
    use ErrorCode as E;
    let expected =
        [None, None, Some(E::InvalidRequest), Some(E::UnknownTopicOrPartition), Some(E::UnknownTopicId)];
    assert_eq!(codes, expected);
    assert!(ledger.image.topics.is_empty());
}

#[test]
fn topics_only_grow() {
    let mut ledger = Ledger::with_brokers(&[(1, ""), (2, "")]);
    create(&mut ledger, vec![new_topic("a", 2, 1)]);
    let more = |count, assignments: Option<Vec<Vec<i32>>>| MorePartitions {
        topic: "a".to_owned(),
        count,
        assignments: assignments
            .map(|all| all.into_iter().map(|ids| ids.into_iter().map(NodeId).collect()).collect()),
    };
    use ErrorCode as E;
    let cases = [
        (more(2, None), Some(E::InvalidPartitions)),
        (more(1, None), Some(E::InvalidPartitions)),
        (more(4, Some(vec![vec![1]])), Some(E::InvalidReplicaAssignment)),
        (more(3, Some(vec![vec![1, 2]])), Some(E::InvalidReplicaAssignment)),
        (more(3, Some(vec![vec![7]])), Some(E::InvalidReplicaAssignment)),
        (more(3, Some(vec![vec![2]])), None),
        (more(5, None), None),
    ];
    for (more, code) in cases {
        let decided = decide_create_partitions(&ledger.image, vec![more], false, Seed(3));
        let results = ledger.take(decided).unwrap();
        assert_eq!(results[0].1.as_ref().err().map(ErrorCode::from), code, "{:?}", results[0]);
    }
    assert_eq!(ledger.image.topics.by_name("a").unwrap().partitions.len(), 5);
    assert_eq!(partition(&ledger, "a", 2).replicas, [NodeId(2)]);
}

#[test]
fn configs_change_key_by_key() {
    let mut ledger = Ledger::with_brokers(&[(1, "")]);
    create(&mut ledger, vec![new_topic("a", 1, 1)]);
    let resource = ConfigResource::topic("a");
    let mut alter = |key: &str, op: ConfigOp| {
        let ops = vec![(key.to_owned(), op)];
        let changes = vec![ConfigChanges { resource: ConfigResource::topic("a"), ops }];
        let decided = decide_incremental_alter_configs(&ledger.image, changes, false, &TwoKeys);
        let results = ledger.take(decided).unwrap();
        let value = ledger.image.configs.get(&resource, key).map(str::to_owned);
        (results[0].1.as_ref().err().map(ErrorCode::from), value)
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(alter("cleanup.policy", ConfigOp::Append("compact".into())), (None, text("delete,compact")));
    assert_eq!(alter("cleanup.policy", ConfigOp::Append("compact".into())), (None, text("delete,compact")));
    assert_eq!(alter("cleanup.policy", ConfigOp::Subtract("delete".into())), (None, text("compact")));
    assert_eq!(alter("cleanup.policy", ConfigOp::Delete), (None, None));
    assert_eq!(alter("cleanup.policy", ConfigOp::Delete), (None, None));
    let invalid = Some(ErrorCode::InvalidConfig);
    assert_eq!(alter("retention.ms", ConfigOp::Append("5".into())), (invalid, None));
    assert_eq!(alter("retention.ms", ConfigOp::Set("5".into())), (None, text("5")));
    assert_eq!(alter("retention.ms", ConfigOp::Set("soon".into())), (invalid, text("5")));
}

#[test]
fn altering_the_old_way_removes_what_is_not_named() {
    let mut ledger = Ledger::with_brokers(&[(1, "")]);
    create(&mut ledger, vec![new_topic("a", 1, 1)]);
    for values in
        [[("retention.ms", "5"), ("cleanup.policy", "compact")].as_slice(), &[("retention.ms", "6")]]
    {
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let resources = vec![(ConfigResource::topic("a"), values)];
        let decided = decide_alter_configs(&ledger.image, resources, false, &TwoKeys);
        ledger.take(decided).unwrap();
    }
    let values = ledger.image.configs.of(&ConfigResource::topic("a")).unwrap();
    assert_eq!(**values, BTreeMap::from([("retention.ms".to_owned(), "6".to_owned())]));
    let resources = vec![(ConfigResource::topic("none"), BTreeMap::new())];
    let decided = decide_alter_configs(&ledger.image, resources, false, &TwoKeys);
    assert!(matches!(ledger.take(decided).unwrap()[0].1, Err(Refusal::UnknownTopic(_))));
}

#[test]
fn lone_broker_comes_back_after_a_clean_stop() {
    let mut ledger = Ledger::with_brokers(&[(1, "")]);
    create(&mut ledger, vec![new_topic("a", 1, 1)]);
    let before = partition(&ledger, "a", 0).clone();
    let epoch = ledger.image.cluster.broker(NodeId(1)).unwrap().epoch;
    ledger.register(1, "", epoch);
    let stopped = partition(&ledger, "a", 0);
    assert_eq!((stopped.leader, stopped.elr()), (None, [NodeId(1)].as_slice()));
    let epoch = ledger.image.cluster.broker(NodeId(1)).unwrap().epoch;
    ledger.join(1, "", epoch);
    let after = partition(&ledger, "a", 0);
    assert_eq!((after.leader, &after.isr, after.elr()), (before.leader, &before.isr, before.elr()));
    assert_eq!(after.leader_recovery, LeaderRecovery::Recovered);
    assert!(after.leader_epoch > before.leader_epoch);
}

#[test]
fn lone_broker_recovers_after_a_crash() {
    let mut ledger = Ledger::with_brokers(&[(1, "")]);
    create(&mut ledger, vec![new_topic("a", 1, 1)]);
    ledger.register(1, "", BrokerEpoch(-1));
    let crashed = partition(&ledger, "a", 0).clone();
    assert_eq!((crashed.leader, crashed.isr.len(), crashed.elr().len()), (None, 0, 0));
    assert_eq!(crashed.last_known_elr(), [NodeId(1)]);
    ledger.join(1, "", BrokerEpoch(-1));
    let after = partition(&ledger, "a", 0);
    assert_eq!((after.leader, after.isr.as_slice()), (Some(NodeId(1)), [NodeId(1)].as_slice()));
    assert_eq!(after.leader_recovery, LeaderRecovery::Recovering);
    let decided = decide_recovered(&ledger.image, NodeId(1));
    ledger.take(decided).unwrap();
    assert_eq!(partition(&ledger, "a", 0).leader_recovery, LeaderRecovery::Recovered);
}

#[test]
fn fenced_leader_is_replaced_by_one_in_sync() {
    let mut ledger = Ledger::with_brokers(&[(1, ""), (2, "")]);
    create(&mut ledger, vec![by_hand("a", &[(0, &[1, 2])])]);
    let decided = decide_fence(&ledger.image, &[NodeId(1)]);
    ledger.take(decided).unwrap();
    let after = partition(&ledger, "a", 0).clone();
    assert_eq!((after.leader, after.isr.as_slice()), (Some(NodeId(2)), [NodeId(2)].as_slice()));
    assert_eq!((after.leader_epoch, after.partition_epoch), (LeaderEpoch(1), 1));
    let decided = decide_fence(&ledger.image, &[NodeId(1)]);
    assert!(decided.unwrap().records.is_empty(), "fencing twice changes nothing");
}

#[test]
fn stopping_broker_hands_its_partitions_over_first() {
    let mut ledger = Ledger::with_brokers(&[(1, ""), (2, "")]);
    create(&mut ledger, vec![by_hand("a", &[(0, &[1, 2])])]);
    let decided = decide_heartbeat(&ledger.image, beat(&ledger, 1, false, true));
    assert!(!ledger.take(decided).unwrap().should_shut_down);
    assert_eq!(partition(&ledger, "a", 0).leader, Some(NodeId(2)));
    let decided = decide_heartbeat(&ledger.image, beat(&ledger, 1, false, true));
    let answer = ledger.take(decided).unwrap();
    assert!(answer.should_shut_down && answer.fenced);
}

#[test]
fn heartbeat_of_an_earlier_incarnation_is_stale() {
    let mut ledger = Ledger::with_brokers(&[(1, "")]);
    let old = beat(&ledger, 1, false, false);
    ledger.join(1, "", BrokerEpoch(-1));
    let refusal = decide_heartbeat(&ledger.image, old).unwrap_err();
    assert_eq!(ErrorCode::from(&refusal), ErrorCode::StaleBrokerEpoch);
    let unknown = Heartbeat { id: NodeId(5), ..old };
    let refusal = decide_heartbeat(&ledger.image, unknown).unwrap_err();
    assert_eq!(ErrorCode::from(&refusal), ErrorCode::BrokerIdNotRegistered);
}

#[test]
fn broker_stays_fenced_until_it_has_seen_its_registration() {
    let mut ledger = Ledger::with_brokers(&[]);
    let epoch = ledger.register(1, "", BrokerEpoch(-1));
    let behind = protocol::offset::Offset(epoch.0 - 1);
    let beat = Heartbeat { metadata_offset: behind, ..beat(&ledger, 1, false, false) };
    let decision = decide_heartbeat(&ledger.image, beat).unwrap();
    assert!(decision.records.is_empty() && decision.response.fenced && !decision.response.caught_up);
}

#[test]
fn registrations_that_cannot_be_are_refused() {
    let ledger = Ledger::with_brokers(&[(1, ""), (2, "")]);
    let code = |registration, alive| {
        decide_register_broker(&ledger.image, &registration, alive).err().map(|refusal| (&refusal).into())
    };
    let fresh = || registration(1, "", BrokerEpoch(-1), 200);
    assert_eq!(code(fresh(), true), Some(ErrorCode::DuplicateBrokerRegistration));
    assert_eq!(code(fresh(), false), None);
    let mut nowhere = fresh();
    nowhere.log_dirs.clear();
    assert_eq!(code(nowhere, false), Some(ErrorCode::InvalidRegistration));
    let mut copied = fresh();
    copied.log_dirs = vec![Uuid([102; 16])];
    assert_eq!(code(copied, false), Some(ErrorCode::InvalidRegistration));
    let mut old = fresh();
    old.features.remove("group.version");
    assert_eq!(code(old, false), Some(ErrorCode::UnsupportedVersion));
}

#[test]
fn sessions_run_out() {
    let mut sessions = Sessions::new(9000);
    sessions.touch(NodeId(1), Timestamp(0));
    sessions.touch(NodeId(2), Timestamp(5000));
    assert_eq!(sessions.next_expiry(), Some(Timestamp(9000)));
    assert_eq!(sessions.expired(Timestamp(8999)), []);
    assert_eq!(sessions.expired(Timestamp(9000)), [NodeId(1)]);
    sessions.forget(NodeId(1));
    assert_eq!(sessions.next_expiry(), Some(Timestamp(14000)));
}

#[test]
fn elections_are_held_where_needed() {
    let mut ledger = Ledger::with_brokers(&[(1, ""), (2, "")]);
    create(&mut ledger, vec![by_hand("a", &[(0, &[1, 2]), (1, &[2, 1])])]);
    let elect = |ledger: &mut Ledger, kind, index| {
        let decided =
            decide_elect_leaders(&ledger.image, kind, Some(vec![("a".into(), vec![PartitionIndex(index)])]));
        let results = ledger.take(decided).unwrap();
        results[0].1[0].1.as_ref().err().map(ErrorCode::from)
    };
    use ErrorCode as E;
    assert_eq!(elect(&mut ledger, ElectionType::Preferred, 0), Some(E::ElectionNotNeeded));
    assert_eq!(elect(&mut ledger, ElectionType::Preferred, 9), Some(E::UnknownTopicOrPartition));
    let decided = decide_fence(&ledger.image, &[NodeId(1)]);
    ledger.take(decided).unwrap();
    assert_eq!(elect(&mut ledger, ElectionType::Preferred, 0), Some(E::PreferredLeaderNotAvailable));
    assert_eq!(elect(&mut ledger, ElectionType::Unclean, 0), Some(E::ElectionNotNeeded));
    let decided = decide_fence(&ledger.image, &[NodeId(2)]);
    ledger.take(decided).unwrap();
    assert_eq!(elect(&mut ledger, ElectionType::Unclean, 0), Some(E::EligibleLeadersNotAvailable));
    let all = decide_elect_leaders(&ledger.image, ElectionType::Preferred, None).unwrap();
    assert_eq!(all.response.iter().map(|(_, outcomes)| outcomes.len()).sum::<usize>(), 2);
}

#[test]
fn a_partition_named_twice_has_one_election() {
    let mut ledger = Ledger::with_brokers(&[(1, ""), (2, "")]);
    create(&mut ledger, vec![by_hand("a", &[(0, &[1, 2])])]);
    let led_by_2 = PartitionChangeRecord {
        partition_id: 0,
        topic_id: id_of("a"),
        leader: 2,
        ..PartitionChangeRecord::default()
    };
    ledger.append(vec![led_by_2.into()]);
    let twice = vec![("a".into(), vec![PartitionIndex(0), PartitionIndex(0)])];
    let decided = decide_elect_leaders(&ledger.image, ElectionType::Preferred, Some(twice)).unwrap();
    assert_eq!(decided.records.len(), 1);
    let outcomes = &decided.response[0].1;
    assert_eq!(outcomes[0].1, Ok(()));
    assert!(matches!(outcomes[1].1, Err(Refusal::ElectionNotNeeded { .. })));
}

#[test]
fn a_request_brings_ten_thousand_records_at_most() {
    let mut ledger = Ledger::with_brokers(&[(1, "")]);
    let too_many = |decided: Result<Decision<CreatedTopics>, Refusal>| {
        matches!(decided, Err(Refusal::TooManyPartitions { .. }))
    };
    let decide = |topics| decide_create_topics(&ledger.image, request(topics), &TwoKeys);
    assert!(!too_many(decide(vec![new_topic("a", 9_999, 1)])));
    assert!(too_many(decide(vec![new_topic("a", 10_000, 1)])), "the topic has a record too");
    assert!(too_many(decide(vec![new_topic("a", 6_000, 1), new_topic("b", 6_000, 1)])));
    // What is refused anyway does not count.
    assert!(!too_many(decide(vec![new_topic("a", 6_000, 1), new_topic("a", 6_000, 1)])));

    create(&mut ledger, vec![new_topic("p", 1, 1), new_topic("q", 1, 1)]);
    let grow = |counts: &[(&str, i32)]| {
        let more = |&(topic, count): &(&str, i32)| MorePartitions {
            topic: topic.to_owned(),
            count,
            assignments: None,
        };
        let topics = counts.iter().map(more).collect();
        decide_create_partitions(&ledger.image, topics, true, Seed(1))
    };
    assert!(grow(&[("p", 10_001)]).is_ok());
    for counts in [&[("p", 10_002)][..], &[("p", 6_000), ("q", 6_000)], &[("nope", 10_001), ("p", 2)]] {
        assert!(matches!(grow(counts), Err(Refusal::TooManyPartitions { .. })), "{counts:?}");
    }
}

#[test]
fn producer_ids_are_given_once() {
    let mut ledger = Ledger::with_brokers(&[(1, "")]);
    let epoch = ledger.image.cluster.broker(NodeId(1)).unwrap().epoch;
    let mut next = || {
        let decided = decide_allocate_producer_ids(&ledger.image, NodeId(1), epoch);
        ledger.take(decided).unwrap().first
    };
    assert_eq!([next(), next()], [ProducerId(0), ProducerId(1000)]);
    let stale = decide_allocate_producer_ids(&ledger.image, NodeId(1), BrokerEpoch(0)).unwrap_err();
    assert_eq!(ErrorCode::from(&stale), ErrorCode::StaleBrokerEpoch);
}

#[test]
fn feature_levels_move_together_or_not_at_all() {
    let mut ledger = Ledger::with_brokers(&[(1, "")]);
    let update =
        |feature: &str, level, upgrade| FeatureUpdate { feature: feature.to_owned(), level, upgrade };
    use UpgradeType::{SafeDowngrade, Upgrade};
    let cases = [
        (update("group.version", 0, Upgrade), false),
        (update("group.version", 2, Upgrade), false),
        (update("unknown", 1, Upgrade), false),
        (update("metadata.version", 30, SafeDowngrade), false),
        (update("group.version", 0, SafeDowngrade), true),
        (update("group.version", 1, SafeDowngrade), false),
        (update("group.version", 1, Upgrade), true),
    ];
    for (update, accepted) in cases {
        let what = format!("{update:?}");
        let decided = decide_update_features(&ledger.image, &[update], false, 1);
        assert_eq!(ledger.take(decided).unwrap()[0].1.is_ok(), accepted, "{what}");
    }
    let both = [update("group.version", 0, SafeDowngrade), update("group.version", 9, Upgrade)];
    assert!(decide_update_features(&ledger.image, &both, false, 1).unwrap().records.is_empty());
}

#[test]
fn directories_are_noted_once() {
    let mut ledger = Ledger::with_brokers(&[(1, "")]);
    create(&mut ledger, vec![new_topic("a", 1, 1)]);
    let broker = (NodeId(1), ledger.image.cluster.broker(NodeId(1)).unwrap().epoch);
    let replica =
        ReplicaDirectory { topic: id_of("a"), partition: PartitionIndex(0), directory: Uuid([77; 16]) };
    let decided = decide_assign_directories(&ledger.image, broker, &[replica]);
    ledger.take(decided).unwrap();
    assert_eq!(partition(&ledger, "a", 0).directory_of(NodeId(1)), Uuid([77; 16]));
    assert!(decide_assign_directories(&ledger.image, broker, &[replica]).unwrap().records.is_empty());
}

#[test]
fn every_replica_that_is_assigned_a_directory_is_answered_by_itself() {
    let mut ledger = Ledger::with_brokers(&[(1, ""), (2, "")]);
    assert_eq!(create(&mut ledger, vec![by_hand("a", &[(0, &[1]), (1, &[1]), (2, &[2])])]), [None]);
    let known = ledger.image.cluster.broker(NodeId(1)).unwrap();
    let (broker, good, lost) = ((NodeId(1), known.epoch), known.log_dirs[0], Uuid([77; 16]));
    let lies_in = |topic, partition: i32, directory| ReplicaDirectory {
        topic,
        partition: PartitionIndex(partition),
        directory,
    };
    let asked = [
        lies_in(id_of("a"), 0, good),
        lies_in(id_of("a"), 1, lost),
        lies_in(id_of("a"), 2, good),
        lies_in(id_of("a"), 9, good),
        lies_in(Uuid([9; 16]), 0, good),
    ];
    let decided = decide_assign_replicas(&ledger.image, broker, &asked);
    let outcomes = ledger.take(decided).unwrap();
    let codes: Vec<ErrorCode> =
        outcomes.iter().map(|it| it.as_ref().map_or_else(ErrorCode::from, |()| ErrorCode::None)).collect();
    let expected = [
        ErrorCode::None,
        ErrorCode::None,
        ErrorCode::NotLeaderOrFollower,
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::UnknownTopicId,
    ];
    assert_eq!(codes, expected);
    let (kept, gone) = (partition(&ledger, "a", 0), partition(&ledger, "a", 1));
    assert_eq!((kept.directory_of(NodeId(1)), kept.leader), (good, Some(NodeId(1))));
    assert_eq!((gone.directory_of(NodeId(1)), gone.leader), (lost, None), "that directory is not in use");
    let stale = (NodeId(1), BrokerEpoch(broker.1.0 + 7));
    assert!(matches!(
        decide_assign_replicas(&ledger.image, stale, &asked),
        Err(Refusal::StaleBrokerEpoch { .. })
    ));
}

#[test]
fn older_levels_get_only_records_they_have_room_for() {
    // The ledger writes every record at the cluster's own level, which refuses fields that are not there yet.
    for level in [7, 8, 16, 17, 22, 23, 29, 30, 33] {
        let mut ledger = Ledger::at_level(level, &[1, 2]);
        assert_eq!(create(&mut ledger, vec![by_hand("a", &[(0, &[1, 2])])]), [None]);
        let decided = decide_heartbeat(&ledger.image, beat(&ledger, 1, false, true));
        ledger.take(decided).unwrap();
        assert_eq!(partition(&ledger, "a", 0).leader, Some(NodeId(2)), "level {level}");
        let decided = decide_fence(&ledger.image, &[NodeId(2)]);
        ledger.take(decided).unwrap();
        ledger.join(2, "", BrokerEpoch(-1));
        let after = partition(&ledger, "a", 0);
        assert_eq!((after.leader, after.isr.as_slice()), (Some(NodeId(2)), [NodeId(2)].as_slice()));
    }
}

#[test]
fn a_directory_that_failed_takes_its_leaders_along_until_it_or_another_holds_them() {
    let mut ledger = Ledger::with_brokers(&[(1, "")]);
    let broker = (NodeId(1), ledger.image.cluster.broker(NodeId(1)).unwrap().epoch);
    let (good, bad) = (Uuid([101; 16]), Uuid([77; 16]));
    let both = BrokerRegistrationChangeRecord {
        broker_id: 1,
        broker_epoch: broker.1.0,
        log_dirs: vec![good, bad].into(),
        ..BrokerRegistrationChangeRecord::default()
    };
    ledger.append(vec![both.into()]);
    assert_eq!(create(&mut ledger, vec![new_topic("a", 2, 1)]), [None]);
    let lies_in = |partition: i32, directory| ReplicaDirectory {
        topic: id_of("a"),
        partition: PartitionIndex(partition),
        directory,
    };
    let decided = decide_assign_directories(&ledger.image, broker, &[lies_in(0, good), lies_in(1, bad)]);
    ledger.take(decided).unwrap();
    let decided = decide_directories_offline(&ledger.image, broker, &[bad]);
    ledger.take(decided).unwrap();
    assert_eq!(partition(&ledger, "a", 0).leader, Some(NodeId(1)));
    assert_eq!(partition(&ledger, "a", 1).leader, None);
    assert_eq!(ledger.image.cluster.broker(NodeId(1)).unwrap().log_dirs, [good]);
    assert!(decide_directories_offline(&ledger.image, broker, &[bad]).unwrap().records.is_empty());
    let decided = decide_assign_directories(&ledger.image, broker, &[lies_in(1, good)]);
    ledger.take(decided).unwrap();
    assert_eq!(partition(&ledger, "a", 1).leader, Some(NodeId(1)));
}

#[test]
fn cordoned_directories_are_noted_and_a_broker_with_nothing_else_takes_no_replicas() {
    let mut ledger = Ledger::with_brokers(&[(1, "")]);
    let epoch = ledger.image.cluster.broker(NodeId(1)).unwrap().epoch;
    let own = ledger.image.cluster.broker(NodeId(1)).unwrap().log_dirs.clone();
    let decided = decide_cordon(&ledger.image, (NodeId(1), epoch), &own);
    ledger.take(decided).unwrap();
    assert!(decide_cordon(&ledger.image, (NodeId(1), epoch), &own).unwrap().records.is_empty());
    let refused = create(&mut ledger, vec![new_topic("a", 1, 1)]);
    assert_eq!(refused, [Some(ErrorCode::InvalidReplicationFactor)]);
    let decided = decide_cordon(&ledger.image, (NodeId(1), epoch), &[]);
    ledger.take(decided).unwrap();
    assert_eq!(create(&mut ledger, vec![new_topic("a", 1, 1)]), [None]);
}
