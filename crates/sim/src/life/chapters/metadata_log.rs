//! The metadata log: records that are committed, records that never are, snapshots and elections.

use metadata::MetadataRecord;
use protocol::id::Uuid;
use protocol::messages::record::topic_record::TopicRecord;

use super::{Done, Life, Stop, UNCOMMITTED, stop};
use crate::life::step::Step;

impl Life {
    pub(super) fn tend_quorum(&mut self, step: Step) -> Done {
        let (now, disk) = (self.now, self.disk.clone());
        let unique = self.next_unique();
        let record = self.topic_record(format!("{UNCOMMITTED}{unique}"));
        let Some(node) = &mut self.node else { return Err(Stop::Off) };
        let outcome = match step {
            Step::Snapshot => self.quorum.snapshot((&mut node.quorum, &disk), now),
            Step::Election => self.quorum.elect(&mut node.quorum, now),
            _ => self.quorum.append_and_truncate(&mut node.quorum, &[record], now),
        };
        outcome.map_err(|fault| stop(&disk, fault))
    }

    pub(super) fn commit_metadata(&mut self, records: &[MetadataRecord<'_>]) -> Done {
        let (now, disk) = (self.now, self.disk.clone());
        let Some(node) = &mut self.node else { return Err(Stop::Off) };
        let outcome = self.quorum.commit(&mut node.quorum, records, now);
        outcome.map_err(|fault| stop(&disk, fault))
    }

    pub(super) fn topic_record(&mut self, name: String) -> MetadataRecord<'static> {
        let mut id = [7; 16];
        id[8..].copy_from_slice(&self.next_unique().to_be_bytes());
        TopicRecord { name: name.into(), topic_id: Uuid(id) }.into()
    }
}
