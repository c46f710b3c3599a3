//! Producer ids: this broker gives out those of its block and has the controller allot the next (KIP-730).

use std::time::Instant;

use metadata::controller::producer_ids::decide_allocate_producer_ids;
use protocol::ErrorCode;
use protocol::id::{NodeId, ProducerId};
use tokio::sync::Mutex;

use super::quorum::Quorum;
use crate::seldom::Seldom;

static FAILED: Seldom = Seldom::new();

/// The ids that are left of the block.
#[derive(Debug)]
pub struct ProducerIds {
    node_id: NodeId,
    quorum: Quorum,
    /// Held while a block is asked for: who comes meanwhile waits for that block instead of asking for another.
    left: Mutex<std::ops::Range<i64>>,
}

impl ProducerIds {
    /// Ids of this broker; none has been allotted yet.
    pub fn new(node_id: NodeId, quorum: Quorum) -> Self {
        Self { node_id, quorum, left: Mutex::default() }
    }

    /// An id that nobody has had.
    pub async fn next(&self) -> Result<ProducerId, ErrorCode> {
        let mut left = self.left.lock().await;
        if left.is_empty() {
            let node_id = self.node_id;
            let allotted = self.quorum.submit(move |image, _| {
                let epoch =
                    image.cluster.broker(node_id).map_or(protocol::id::BrokerEpoch(-1), |known| known.epoch);
                decide_allocate_producer_ids(image, node_id, epoch)
            });
            match allotted.await {
                Ok(block) => *left = block.first.0..block.first.0.saturating_add(i64::from(block.count)),
                Err(error) => {
                    if let Some(unsaid) = FAILED.due(Instant::now()) {
                        tracing::warn!(%error, unsaid, "no producer ids were allotted");
                    }
                    return Err(ErrorCode::CoordinatorLoadInProgress);
                }
            }
        }
        left.next().map(ProducerId).ok_or(ErrorCode::CoordinatorLoadInProgress)
    }
}
