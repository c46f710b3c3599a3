//! Replay of records that no decision of ours makes, and of everything a snapshot must keep.

use protocol::id::{PartitionIndex, Uuid};
use protocol::messages::record::{
    abort_transaction_record::AbortTransactionRecord, access_control_entry_record::AccessControlEntryRecord,
    begin_transaction_record::BeginTransactionRecord, client_quota_record::ClientQuotaRecord,
    client_quota_record::EntityData, config_record::ConfigRecord,
    delegation_token_record::DelegationTokenRecord, end_transaction_record::EndTransactionRecord,
    partition_change_record::PartitionChangeRecord, partition_record::PartitionRecord,
    producer_ids_record::ProducerIdsRecord, remove_topic_record::RemoveTopicRecord,
    topic_record::TopicRecord, user_scram_credential_record::UserScramCredentialRecord,
};

use super::*;
use crate::ledger::{Ledger, through_snapshot};
use crate::{Change, Delta, MetadataRecord};

fn topic(name: &'static str, id: u8) -> MetadataRecord<'static> {
    TopicRecord { name: name.into(), topic_id: Uuid([id; 16]) }.into()
}

fn partition(id: u8, index: i32) -> MetadataRecord<'static> {
    let record = PartitionRecord {
        partition_id: index,
        topic_id: Uuid([id; 16]),
        replicas: vec![1].into(),
        isr: vec![1].into(),
        leader: 1,
        leader_epoch: 0,
        partition_epoch: 0,
        directories: vec![Uuid([7; 16])].into(),
        ..PartitionRecord::default()
    };
    record.into()
}

#[test]
fn snapshot_keeps_what_this_release_does_not_use_yet() {
    let mut ledger = Ledger::with_brokers(&[(1, "a")]);
    let entity = vec![
        EntityData { entity_type: "user".into(), entity_name: None },
        EntityData { entity_type: "client-id".into(), entity_name: Some("c".into()) },
    ];
    ledger.append(vec![
        ClientQuotaRecord {
            entity: entity.into(),
            key: "producer_byte_rate".into(),
            value: 1.5,
            remove: false,
        }
        .into(),
        AccessControlEntryRecord { id: Uuid([3; 16]), principal: "User:a".into(), ..Default::default() }
            .into(),
        UserScramCredentialRecord {
            name: "a".into(),
            mechanism: 1,
            salt: vec![1].into(),
            ..Default::default()
        }
        .into(),
        DelegationTokenRecord { owner: "User:a".into(), token_id: "t".into(), ..Default::default() }.into(),
        ProducerIdsRecord { broker_id: 1, broker_epoch: 3, next_producer_id: 2000 }.into(),
    ]);
    let loaded = through_snapshot(&ledger.image);
    assert_eq!(loaded.quotas.iter().count(), 1);
    let security = &loaded.security;
    assert_eq!((security.acls.len(), security.scram.len(), security.tokens.len()), (1, 1, 1));
    assert_eq!(loaded.next_producer_id, protocol::id::ProducerId(2000));
}

#[test]
fn deleted_topic_takes_its_configs_along() {
    let mut ledger = Ledger::default();
    let config = ConfigRecord {
        resource_type: ResourceType::TOPIC.0,
        resource_name: "a.b".into(),
        name: "retention.ms".into(),
        value: Some("1".into()),
    };
    ledger.append(vec![topic("a.b", 1), config.into(), partition(1, 0), partition(1, 1)]);
    assert_eq!(ledger.image.topics.colliding("a_b"), Some("a.b"));
    assert_eq!(ledger.image.topics.partition_count(), 2);
    ledger.append(vec![RemoveTopicRecord { topic_id: Uuid([1; 16]) }.into()]);
    assert_eq!(ledger.image.configs.iter().count(), 0);
    assert_eq!(ledger.image.topics.colliding("a_b"), None);
    assert_eq!(ledger.image.topics.partition_count(), 0);
    assert_eq!(ledger.delta.topics_deleted.len(), 1);
}

#[test]
fn records_about_what_is_gone_say_nothing() {
    let mut image = Image::default();
    let before = image.clone();
    let gone = Uuid([9; 16]);
    assert_eq!(image.replay(Offset(0), &partition(9, 0)), Change::Nothing);
    assert_eq!(image.replay(Offset(0), &RemoveTopicRecord { topic_id: gone }.into()), Change::Nothing);
    image.begin_at(before.end(), before.provenance().epoch, before.provenance().timestamp);
    assert_eq!(image, before);
}

#[test]
fn open_transaction_is_not_visible_and_can_be_undone() {
    let mut image = Image::default();
    image.replay(Offset(0), &topic("kept", 1));
    image.replay(Offset(1), &BeginTransactionRecord::default().into());
    image.replay(Offset(2), &topic("doubtful", 2));
    assert!(image.visible().topics.by_name("doubtful").is_none());
    let mut ended = image.clone();
    ended.replay(Offset(3), &EndTransactionRecord.into());
    assert!(ended.visible().topics.by_name("doubtful").is_some());
    assert_eq!(image.replay(Offset(3), &AbortTransactionRecord::default().into()), Change::Undone);
    assert!(image.topics.by_name("doubtful").is_none() && image.topics.by_name("kept").is_some());
    assert_eq!(image.end(), Offset(4));
}

#[test]
fn delta_names_only_what_changed() {
    let mut image = Image::default();
    let mut delta = Delta::default();
    for (offset, record) in (0..).zip([topic("a", 1), partition(1, 0), topic("b", 2), partition(2, 0)]) {
        delta.note(image.replay(Offset(offset), &record));
    }
    assert_eq!(delta.topics_created.len(), 2);
    delta.note(image.replay(Offset(4), &RemoveTopicRecord { topic_id: Uuid([2; 16]) }.into()));
    assert!(delta.topics_deleted.is_empty(), "a topic that came and went within a delta never was");
    assert_eq!(delta.partitions.keys().collect::<Vec<_>>(), [&Uuid([1; 16])]);
    assert!(delta.partitions[&Uuid([1; 16])].contains(&PartitionIndex(0)));
    // Where a replica lies is told apart from who leads: nobody has to come for a log because of it.
    let mut delta = Delta::default();
    let moved = PartitionChangeRecord {
        topic_id: Uuid([1; 16]),
        partition_id: 0,
        directories: Some(vec![Uuid([9; 16])].into()),
        ..PartitionChangeRecord::default()
    };
    delta.note(image.replay(Offset(5), &moved.clone().into()));
    assert!(delta.partitions.is_empty() && delta.directories[&Uuid([1; 16])].contains(&PartitionIndex(0)));
    let moved_and_led = PartitionChangeRecord { leader: 1, ..moved };
    delta.note(image.replay(Offset(6), &moved_and_led.into()));
    assert!(delta.partitions[&Uuid([1; 16])].contains(&PartitionIndex(0)));
}

#[test]
fn record_bytes_are_kafkas() {
    // From the log of Apache Kafka 4.4: a feature level, and a broker that is unfenced.
    let feature = b"\x01\x0c\x00\x0egroup.version\x00\x01\x00";
    let unfence = b"\x01\x11\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x0b\x01\x00\x01\xff";
    for bytes in [feature.as_slice(), unfence.as_slice()] {
        let record = MetadataRecord::decode(bytes).unwrap();
        let mut again = Vec::new();
        record.encode(33, &mut again).unwrap();
        assert_eq!(again, bytes, "{record:?}");
    }
}

#[test]
fn broken_frames_are_errors() {
    for bytes in [
        b"".as_slice(),
        b"\x02\x0c\x00",
        b"\x01\x7f\x00",
        b"\x01\x14",
        b"\x01\x14\x00\x00\x00",
        b"\x01\x14\x09\x00",
    ] {
        assert!(MetadataRecord::decode(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn a_partition_takes_no_more_room_than_a_settled_one_needs() {
    assert_eq!(size_of::<Partition>(), 88);
}

#[test]
fn what_a_partition_has_while_it_is_not_settled_comes_and_goes() {
    let mut ledger = Ledger::with_brokers(&[(1, "a")]);
    ledger.append(vec![topic("t", 1), partition(1, 0)]);
    let settled = |ledger: &Ledger| {
        let topic = ledger.image.topics.get(Uuid([1; 16])).unwrap();
        topic.partition(PartitionIndex(0)).unwrap().unsettled.is_none()
    };
    assert!(settled(&ledger));
    let change = |removing: &[i32], adding: &[i32], elr: &[i32], last_known: &[i32]| PartitionChangeRecord {
        partition_id: 0,
        topic_id: Uuid([1; 16]),
        removing_replicas: Some(removing.to_vec().into()),
        adding_replicas: Some(adding.to_vec().into()),
        eligible_leader_replicas: Some(elr.to_vec().into()),
        last_known_elr: Some(last_known.to_vec().into()),
        ..PartitionChangeRecord::default()
    };
    ledger.append(vec![change(&[1], &[2, 3], &[4], &[5]).into()]);
    let topic = ledger.image.topics.get(Uuid([1; 16])).unwrap();
    let changed = topic.partition(PartitionIndex(0)).unwrap();
    let lists = [changed.removing(), changed.adding(), changed.elr(), changed.last_known_elr()];
    let numbers = lists.map(|list| list.iter().map(|node| node.0).collect::<Vec<_>>());
    assert_eq!(numbers, [vec![1], vec![2, 3], vec![4], vec![5]]);
    ledger.append(vec![change(&[], &[], &[], &[]).into()]);
    assert!(settled(&ledger));
}
