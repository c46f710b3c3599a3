//! Blocks of producer ids, given out to brokers so that no id is ever given twice.

use protocol::id::{BrokerEpoch, NodeId, ProducerId};
use protocol::messages::record::producer_ids_record::ProducerIdsRecord;

use super::brokers::check_epoch;
use super::{Decision, Refusal};
use crate::image::Image;

/// How many ids a block has, as in Kafka.
pub const BLOCK_SIZE: i32 = 1000;

/// Ids that a broker may give out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerIdBlock {
    /// The first of them.
    pub first: ProducerId,
    /// How many follow, the first included.
    pub count: i32,
}

/// Gives a broker the next block. The record says where the next block begins: after a crash around it ids may be
/// skipped, never repeated (KAFKA-15552).
pub fn decide_allocate_producer_ids(
    image: &Image,
    broker: NodeId,
    epoch: BrokerEpoch,
) -> Result<Decision<ProducerIdBlock>, Refusal> {
    check_epoch(image, broker, epoch)?;
    let first = image.next_producer_id;
    let Some(next_producer_id) = first.0.checked_add(i64::from(BLOCK_SIZE)) else {
        return Err(Refusal::InvalidRequest(
            "all producer ids of the cluster have been given out".to_owned(),
        ));
    };
    let record = ProducerIdsRecord { broker_id: broker.0, broker_epoch: epoch.0, next_producer_id };
    Ok(Decision::new(vec![record.into()], ProducerIdBlock { first, count: BLOCK_SIZE }))
}
