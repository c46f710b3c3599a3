//! What a member of the consumer protocol (KIP-848) says most of the time: that it is there.

use anyhow::{Result, ensure};
use protocol::id::Uuid;
use protocol::messages::Message;
use protocol::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, RequestTopicPartitions,
};

use crate::asker::{Asker, Encoded};

/// The heartbeat, version 1, of the one member of a group that reads a topic of one partition and has it by now.
pub fn settled(asker: &mut Asker, group: &str, topic: &'static str) -> Result<Encoded> {
    let base = ConsumerGroupHeartbeatRequest {
        group_id: group.to_owned().into(),
        member_id: Uuid([7; 16]).to_string().into(),
        rebalance_timeout_ms: -1,
        ..ConsumerGroupHeartbeatRequest::default()
    };
    let joins = ConsumerGroupHeartbeatRequest {
        rebalance_timeout_ms: 300_000,
        subscribed_topic_names: Some(vec![topic.into()].into()),
        topic_partitions: Some(Vec::new().into()),
        ..base.clone()
    };
    let (epoch, topic_id) = asker.ask_until(&joins, 1, |body| {
        let told = ConsumerGroupHeartbeatResponse::decode(body, 1)?;
        let part = told.assignment.as_ref();
        let topic = part.and_then(|part| part.topic_partitions.iter().next().map(|topic| topic.topic_id));
        Ok(topic.map(|topic| (told.member_epoch, topic)))
    })?;
    let owned = RequestTopicPartitions { topic_id, partitions: vec![0].into() };
    let holds = ConsumerGroupHeartbeatRequest {
        member_epoch: epoch,
        topic_partitions: Some(vec![owned].into()),
        ..base.clone()
    };
    asker.ask(&holds, 1, |body| {
        let told = ConsumerGroupHeartbeatResponse::decode(body, 1)?;
        ensure!(told.error_code == 0 && told.member_epoch == epoch, "a member that settles: {told:?}");
        Ok(())
    })?;
    Encoded::new(&ConsumerGroupHeartbeatRequest { member_epoch: epoch, ..base }, 1)
}
