//! WriteTxnMarkers, 0 to 2: a coordinator, or a person with kafka-transactions, ends transactions in partitions (KIP-98,
//! KIP-664).
//!
//! 2 adds the version of transactions whose rules the marker follows (KIP-1228).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use coordinator::transaction::TxnPartition;
use partition::producers::TransactionVersion;
use protocol::ErrorCode;
use protocol::id::{PartitionIndex, ProducerEpoch, ProducerId};
use protocol::messages::write_txn_markers::{
    WritableTxnMarker, WritableTxnMarkerPartitionResult, WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
};
use protocol::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use protocol::records::control::{CoordinatorEpoch, EndMarker};

use super::Call;
use crate::runtime::coordinators::Marker;

/// What became of the markers of one producer, by topic and partition.
type Outcomes<'a> = BTreeMap<Cow<'a, str>, BTreeMap<i32, ErrorCode>>;

/// Handles one request.
pub async fn handle<'a>(call: &Call, request: WriteTxnMarkersRequest<'a>) -> WriteTxnMarkersResponse<'a> {
    // As in Kafka a producer that is named twice is answered once.
    let mut producers: BTreeMap<i64, Outcomes<'a>> = BTreeMap::new();
    for asked in &request.markers {
        let (mut outcomes, mut here) = (Outcomes::new(), Vec::new());
        for topic in &asked.topics {
            let name: Arc<str> = Arc::from(&*topic.name);
            let known = call.broker.partitions.by_name(&name);
            let outcomes = outcomes.entry(topic.name).or_default();
            for index in &topic.partition_indexes {
                outcomes.insert(index, ErrorCode::UnknownTopicOrPartition);
                let index = PartitionIndex(index);
                if known.as_ref().is_some_and(|topic| topic.get(index).is_some()) {
                    here.push(TxnPartition { topic: name.clone(), index });
                }
            }
        }
        let written = call.broker.coordinators.write_markers(&here, marker(&asked)).await;
        for (partition, written) in here.iter().zip(written) {
            if let Some(outcomes) = outcomes.get_mut(&*partition.topic) {
                outcomes.insert(partition.index.0, written.err().unwrap_or(ErrorCode::None));
            }
        }
        let known = producers.entry(asked.producer_id).or_default();
        for (topic, partitions) in outcomes {
            known.entry(topic).or_default().extend(partitions);
        }
    }
    let markers = producers.into_iter().map(|(producer_id, topics)| WritableTxnMarkerResult {
        producer_id,
        topics: topics.into_iter().map(answered).collect(),
    });
    WriteTxnMarkersResponse { markers: markers.collect() }
}

fn answered<'a>(
    (name, partitions): (Cow<'a, str>, BTreeMap<i32, ErrorCode>),
) -> WritableTxnMarkerTopicResult<'a> {
    let partitions = partitions.into_iter().map(|(partition_index, error)| {
        WritableTxnMarkerPartitionResult { partition_index, error_code: error.into() }
    });
    WritableTxnMarkerTopicResult { partitions: partitions.collect(), name }
}

fn marker(asked: &WritableTxnMarker<'_>) -> Marker {
    Marker {
        producer: (ProducerId(asked.producer_id), ProducerEpoch(asked.producer_epoch)),
        end: EndMarker {
            committed: asked.transaction_result,
            coordinator_epoch: CoordinatorEpoch(asked.coordinator_epoch),
        },
        version: TransactionVersion(asked.transaction_version.into()),
    }
}
