//! Topics that come and go.

use metadata::MetadataRecord;
use protocol::id::PartitionIndex;
use protocol::messages::record::remove_topic_record::RemoveTopicRecord;
use protocol::messages::record::topic_record::TopicRecord;
use storage::TopicPartition;

use super::{Done, Life, lock};
use crate::life::ledger::Ledger;
use crate::life::node::{NODE, log_config, topic_name};

impl Life {
    pub(super) fn create(&mut self, topic: u8) -> Done {
        if self.ledgers.contains_key(&topic) {
            return Ok(());
        }
        let record = self.topic_record(topic_name(topic));
        let MetadataRecord::Topic(TopicRecord { topic_id, .. }) = record else { return Ok(()) };
        let name = TopicPartition::new(topic_name(topic), PartitionIndex(0));
        let ledger = Ledger::new(name.clone(), topic_id);
        let epoch = ledger.leader_epoch;
        self.ledgers.insert(topic, ledger);
        self.commit_metadata(&[record])?;
        let now = self.now;
        let made = self.node()?.dirs.plan(&name, topic_id, log_config(&name.topic), None, now);
        let log = self.sound(made)?;
        self.sound(lock(&log).become_leader(epoch, NODE, 1, [NODE]))
    }

    pub(super) fn delete(&mut self, topic: u8) -> Done {
        let Some(ledger) = self.ledgers.get(&topic) else { return Ok(()) };
        let (name, topic_id) = (ledger.name.clone(), ledger.topic_id);
        self.commit_metadata(&[RemoveTopicRecord { topic_id }.into()])?;
        self.ledgers.remove(&topic);
        let now = self.now;
        let deleted = self.node()?.dirs.delete(&name, now);
        self.sound(deleted).map(drop)
    }
}
