//! What a cluster without metadata begins with.

use protocol::messages::record::begin_transaction_record::BeginTransactionRecord;
use protocol::messages::record::config_record::ConfigRecord;
use protocol::messages::record::end_transaction_record::EndTransactionRecord;

use super::features;
use crate::image::{ConfigResource, METADATA_VERSION};
use crate::record::MetadataRecord;

/// Transactions of metadata are known since 3.6-IV2 (KIP-868).
const TRANSACTIONS_SINCE: i16 = 14;
const ELIGIBLE_LEADER_REPLICAS: &str = "eligible.leader.replicas.version";

/// The first records of a cluster whose directory was formatted with these, or before there was formatting: in a transaction,
/// as Kafka's controller begins a cluster, with the value that eligible replicas are judged by.
pub fn first_records(
    formatted: Vec<MetadataRecord<'static>>,
    min_insync_replicas: i32,
) -> Vec<MetadataRecord<'static>> {
    let mut records = if formatted.is_empty() { features::bootstrap_records() } else { formatted };
    let level = |name: &str| {
        let levels = records.iter().filter_map(|record| match record {
            MetadataRecord::FeatureLevel(level) if level.name == name => Some(level.feature_level),
            _ => None,
        });
        levels.max().unwrap_or(0)
    };
    let transactional = level(METADATA_VERSION) >= TRANSACTIONS_SINCE;
    if level(ELIGIBLE_LEADER_REPLICAS) > 0 {
        let resource = ConfigResource::broker("");
        let record = ConfigRecord {
            resource_type: resource.kind.0,
            resource_name: resource.name.into(),
            name: "min.insync.replicas".into(),
            value: Some(min_insync_replicas.to_string().into()),
        };
        records.push(record.into());
    }
    if transactional {
        let begin = BeginTransactionRecord { name: Some("Bootstrap records".into()) };
        records.insert(0, begin.into());
        records.push(EndTransactionRecord.into());
    }
    records
}

#[cfg(test)]
mod tests {
    use protocol::messages::record::feature_level_record::FeatureLevelRecord;

    use super::*;

    fn level(name: &str, feature_level: i16) -> MetadataRecord<'static> {
        FeatureLevelRecord { name: name.to_owned().into(), feature_level }.into()
    }

    #[test]
    fn a_cluster_of_this_release_begins_in_one_transaction_with_what_eligible_replicas_need() {
        let records = first_records(Vec::new(), 2);
        let [MetadataRecord::BeginTransaction(_), levels @ .., config, MetadataRecord::EndTransaction(_)] =
            &records[..]
        else {
            panic!("{records:?}")
        };
        assert_eq!(levels, features::bootstrap_records());
        let MetadataRecord::Config(config) = config else { panic!("{records:?}") };
        assert_eq!((&*config.name, config.value.as_deref()), ("min.insync.replicas", Some("2")));
        assert_eq!((config.resource_type, &*config.resource_name), (4, ""));
    }

    #[test]
    fn what_an_older_release_does_not_know_is_left_out() {
        for (metadata_version, count) in [(TRANSACTIONS_SINCE - 1, 1), (TRANSACTIONS_SINCE, 3)] {
            let formatted = vec![level(METADATA_VERSION, metadata_version)];
            assert_eq!(first_records(formatted, 1).len(), count, "{metadata_version}");
        }
    }
}
