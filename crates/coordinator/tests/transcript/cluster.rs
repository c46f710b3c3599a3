//! Steps of the cluster: topics come, grow and go, groups are configured.
//!
//! A topic's id is its name behind the number of times that a topic of this name was made, so that records can be
//! told in words.

use metadata::MetadataRecord;
use protocol::id::{TopicId, Uuid};
use protocol::messages::record::config_record::ConfigRecord;
use protocol::messages::record::partition_record::PartitionRecord;
use protocol::messages::record::remove_topic_record::RemoveTopicRecord;
use protocol::messages::record::topic_record::TopicRecord;

use super::Stage;
use super::words::Words;

/// The kind of resource that a group is.
const GROUP: i8 = 32;

/// Plays a step, if it is one of these.
pub fn ask(stage: &mut Stage, words: &Words) -> bool {
    match words.verb() {
        "topic" => {
            let count = i32::try_from(words.number(2)).unwrap();
            topic(stage, words.get(1), count);
        }
        "no-topic" => {
            let id = stage.image.topics.id_of(words.get(1)).unwrap();
            replay(stage, &MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id: id }));
        }
        "group-config" => {
            for (key, value) in words.named() {
                let record = ConfigRecord {
                    resource_type: GROUP,
                    resource_name: words.get(1).to_owned().into(),
                    name: key.to_owned().into(),
                    value: Some(value.to_owned().into()),
                };
                replay(stage, &MetadataRecord::Config(record));
            }
        }
        _ => return false,
    }
    true
}

/// Has a topic have this many partitions.
pub fn topic(stage: &mut Stage, name: &str, count: i32) {
    let known = stage.image.topics.by_name(name).map(|topic| (topic.id, topic.partitions.len()));
    let (id, first) = match known {
        Some((id, count)) => (id, i32::try_from(count).unwrap()),
        None => {
            stage.topics_made += 1;
            let made = stage.topics_made;
            let id = topic_id(made, name);
            replay(stage, &MetadataRecord::Topic(TopicRecord { name: name.to_owned().into(), topic_id: id }));
            (id, 0)
        }
    };
    for partition_id in first..count {
        let record = PartitionRecord {
            partition_id,
            topic_id: id,
            replicas: vec![1].into(),
            isr: vec![1].into(),
            leader: 1,
            leader_epoch: 0,
            partition_epoch: 0,
            ..PartitionRecord::default()
        };
        replay(stage, &MetadataRecord::Partition(record));
    }
}

fn replay(stage: &mut Stage, record: &MetadataRecord<'_>) {
    let end = stage.image.end();
    stage.image.replay(end, record);
}

fn topic_id(made: u8, name: &str) -> TopicId {
    let mut id = [0; 16];
    id[0] = made;
    id[1..=name.len()].copy_from_slice(name.as_bytes());
    Uuid(id)
}

/// The name in a topic's id.
pub fn name_of(id: TopicId) -> String {
    String::from_utf8(id.0[1..].iter().copied().take_while(|byte| *byte != 0).collect()).unwrap()
}
