//! Requests that tests make again and again.

use std::borrow::Cow;

use protocol::messages::fetch::{FetchPartition, FetchTopic};
use protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use protocol::messages::{FetchRequest, FetchResponse, Message, MetadataRequest, MetadataResponse};
use protocol::messages::{ProduceRequest, ProduceResponse};
use protocol::records::batches::Batches;
use protocol::records::record::Records;

use super::Client;

/// What a produce of one batch came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Produced {
    /// Kafka's code.
    pub error: i16,
    /// Where the batch begins.
    pub base_offset: i64,
    /// Where the log begins.
    pub log_start: i64,
}

/// A produce request of one batch.
pub fn produce_request(topic: &str, partition: i32, acks: i16, records: Vec<u8>) -> ProduceRequest<'static> {
    let partition = PartitionProduceData { index: partition, records: Some(Cow::Owned(records)) };
    let topic = TopicProduceData {
        name: topic.to_owned().into(),
        partition_data: vec![partition].into(),
        ..TopicProduceData::default()
    };
    ProduceRequest { acks, timeout_ms: 1000, topic_data: vec![topic].into(), ..ProduceRequest::default() }
}

/// Reads the answer to [`produce_request`].
pub fn produced(body: &[u8], version: i16) -> Produced {
    let response = ProduceResponse::decode(body, version).unwrap();
    let topic = response.responses.iter().next().unwrap();
    let partition = topic.partition_responses.iter().next().unwrap();
    Produced {
        error: partition.error_code,
        base_offset: partition.base_offset,
        log_start: partition.log_start_offset,
    }
}

/// A fetch request of one partition, without a session.
pub fn fetch_request(topic: &str, partition: i32, offset: i64, wait_ms: i32) -> FetchRequest<'static> {
    let partition = FetchPartition {
        partition,
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: topic.to_owned().into(),
        partitions: vec![partition].into(),
        ..FetchTopic::default()
    };
    FetchRequest {
        max_wait_ms: wait_ms,
        min_bytes: 1,
        max_bytes: 10 << 20,
        topics: vec![topic].into(),
        ..FetchRequest::default()
    }
}

/// The values of the records of the first partition of an answer, with its error and high watermark.
pub fn fetched(body: &[u8], version: i16) -> (i16, i64, Vec<String>) {
    let response = FetchResponse::decode(body, version).unwrap();
    let Some(topic) = response.responses.iter().next() else {
        return (response.error_code, -1, Vec::new());
    };
    let partition = topic.partitions.iter().next().unwrap();
    let mut values = Vec::new();
    for batch in Batches::new(partition.records.as_deref().unwrap_or_default()) {
        batch.verify_crc().unwrap();
        for record in Records::new(batch.payload(), batch.header.count) {
            let value = record.unwrap().value.unwrap_or_default();
            values.push(String::from_utf8(value.to_vec()).unwrap());
        }
    }
    (partition.error_code, partition.high_watermark, values)
}

impl Client {
    /// Has topics created by asking for them.
    pub fn create(&mut self, topics: &[&str]) {
        let named = |name: &&str| protocol::messages::metadata::MetadataRequestTopic {
            name: Some((*name).to_owned().into()),
            ..Default::default()
        };
        let topics: Vec<_> = topics.iter().map(named).collect();
        let request = MetadataRequest { topics: Some(topics.into()), ..MetadataRequest::default() };
        let body = self.ask(&request, 9);
        let response = MetadataResponse::decode(&body, 9).unwrap();
        for topic in &response.topics {
            assert_eq!(topic.error_code, 0, "{:?}", topic.name);
        }
    }

    /// Produces one batch.
    pub fn produce(&mut self, topic: &str, partition: i32, records: Vec<u8>) -> Produced {
        let body = self.ask(&produce_request(topic, partition, 1, records), 9);
        produced(&body, 9)
    }

    /// Fetches what is there now.
    pub fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> (i16, i64, Vec<String>) {
        let body = self.ask(&fetch_request(topic, partition, offset, 0), 11);
        fetched(&body, 11)
    }
}
