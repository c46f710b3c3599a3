//! A metadata log for tests: it takes decisions in and holds, after each, that replaying everything from the start
//! and replaying a snapshot both give the live image.

use protocol::id::{NodeId, Uuid};
use protocol::messages::record::feature_level_record::FeatureLevelRecord;
use protocol::offset::Offset;

use crate::controller::brokers::{Heartbeat, Registration, decide_heartbeat, decide_register_broker};
use crate::controller::configs::ConfigCheck;
use crate::controller::features;
use crate::image::{ConfigResource, ResourceType};
use crate::{Decision, Delta, Image, MetadataRecord, Refusal};
use protocol::id::BrokerEpoch;
use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct Ledger {
    pub image: Image,
    pub log: Vec<MetadataRecord<'static>>,
    pub delta: Delta,
}

impl Ledger {
    /// A cluster as a fresh directory gives it, with these brokers unfenced: id and rack.
    pub fn with_brokers(brokers: &[(i32, &str)]) -> Self {
        let mut ledger = Self::default();
        ledger.append(features::bootstrap_records());
        for &(id, rack) in brokers {
            ledger.join(id, rack, BrokerEpoch(-1));
        }
        ledger
    }

    /// A cluster at an older `metadata.version`, with no other feature.
    pub fn at_level(level: i16, brokers: &[i32]) -> Self {
        let mut ledger = Self::default();
        let name = crate::image::METADATA_VERSION.into();
        ledger.append(vec![FeatureLevelRecord { name, feature_level: level }.into()]);
        for &id in brokers {
            ledger.join(id, "", BrokerEpoch(-1));
        }
        ledger
    }

    pub fn register(&mut self, id: i32, rack: &str, previous_epoch: BrokerEpoch) -> BrokerEpoch {
        let registration = registration(id, rack, previous_epoch, self.log.len() as u8);
        let decided = decide_register_broker(&self.image, &registration, false);
        self.take(decided).unwrap()
    }

    pub fn join(&mut self, id: i32, rack: &str, previous_epoch: BrokerEpoch) -> BrokerEpoch {
        let epoch = self.register(id, rack, previous_epoch);
        let beat = Heartbeat {
            id: NodeId(id),
            epoch,
            metadata_offset: self.image.end(),
            want_fence: false,
            want_shutdown: false,
        };
        let decided = decide_heartbeat(&self.image, beat);
        assert!(!self.take(decided).unwrap().fenced);
        epoch
    }

    pub fn take<R>(&mut self, decided: Result<Decision<R>, Refusal>) -> Result<R, Refusal> {
        let decision = decided?;
        self.append(decision.records);
        Ok(decision.response)
    }

    pub fn append(&mut self, records: Vec<MetadataRecord<'static>>) {
        self.delta = Delta::default();
        for record in records {
            let mut bytes = Vec::new();
            let level = self.image.metadata_version();
            record.encode(if level == 0 { 33 } else { level }, &mut bytes).unwrap();
            assert_eq!(MetadataRecord::decode(&bytes).unwrap(), record);
            let change = self.image.replay(self.image.end(), &record);
            self.delta.note(change);
            self.log.push(record);
        }
        let mut replayed = Image::default();
        for (offset, record) in (0..).zip(&self.log) {
            replayed.replay(Offset(offset), record);
        }
        assert_eq!(replayed, self.image, "replaying the log gives another image");
        assert_eq!(through_snapshot(&self.image), self.image, "a snapshot gives another image");
    }
}

/// The image that the snapshot of an image gives.
pub(crate) fn through_snapshot(image: &Image) -> Image {
    let mut loaded = Image::default();
    let written = image.snapshot(|record| {
        let mut bytes = Vec::new();
        let level = image.metadata_version();
        record.encode(if level == 0 { 33 } else { level }, &mut bytes)?;
        loaded.replay(loaded.end(), &MetadataRecord::decode(&bytes).unwrap());
        Ok::<_, protocol::wire::EncodeError>(())
    });
    written.unwrap();
    let provenance = image.provenance();
    loaded.begin_at(provenance.end, provenance.epoch, provenance.timestamp);
    loaded
}

pub(crate) fn registration(
    id: i32,
    rack: &str,
    previous_epoch: BrokerEpoch,
    incarnation: u8,
) -> Registration {
    Registration {
        id: NodeId(id),
        incarnation: Uuid([incarnation; 16]),
        endpoints: Vec::new(),
        features: features::supported(),
        rack: (!rack.is_empty()).then(|| rack.to_owned()),
        log_dirs: vec![Uuid([id as u8 + 100; 16])],
        cordoned_log_dirs: Some(Vec::new()),
        previous_epoch,
    }
}

/// Knows two keys: `cleanup.policy`, a list, and `retention.ms`, a number.
pub(crate) struct TwoKeys;

impl ConfigCheck for TwoKeys {
    fn is_list(&self, _: ResourceType, key: &str) -> bool {
        key == "cleanup.policy"
    }

    fn default_value(&self, _: ResourceType, key: &str) -> Option<String> {
        (key == "cleanup.policy").then(|| "delete".to_owned())
    }

    fn check(&self, _: &ConfigResource, values: &BTreeMap<String, String>) -> Result<(), Refusal> {
        match values.get("retention.ms") {
            Some(value) if value.parse::<i64>().is_err() => {
                Err(Refusal::InvalidConfig(format!("retention.ms={value} is no number")))
            }
            _ => Ok(()),
        }
    }
}
