//! Producers with transactions, spoken as clients speak: what the files that test transactions have in common.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::Path;
use std::time::{Duration, Instant};

use protocol::ErrorCode;
use protocol::id::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::messages::add_partitions_to_txn::AddPartitionsToTxnTopic;
use protocol::messages::offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::txn_offset_commit::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
use protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, DescribeTransactionsRequest,
    DescribeTransactionsResponse, EndTxnRequest, EndTxnResponse, FetchResponse, FindCoordinatorRequest,
    InitProducerIdRequest, InitProducerIdResponse, Message, OffsetFetchRequest, OffsetFetchResponse,
    TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use protocol::records::batches::Batches;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::record::Records;

use crate::raw::Client;
use crate::raw::ask::{Produced, fetch_request, produce_request, produced};
use crate::raw::node::{TestNode, start};

/// The one transactional id.
pub const ID: &str = "payments";
/// Old clients' versions.
pub const OLD: Versions = Versions { init: 4, produce: 9, end: 3, offsets: 3 };
/// The versions of KIP-890.
pub const NEW: Versions = Versions { init: 5, produce: 12, end: 5, offsets: 5 };

/// The versions of a client's requests.
#[derive(Clone, Copy, Debug)]
pub struct Versions {
    /// Of InitProducerId.
    pub init: i16,
    /// Of Produce.
    pub produce: i16,
    /// Of EndTxn.
    pub end: i16,
    /// Of TxnOffsetCommit.
    pub offsets: i16,
}

/// A producer as it knows itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Producer {
    /// Its id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
}

/// A node with one shard of each kind, the topic `t`, and coordinators that were asked for.
pub fn node(directory: &Path, settings: &[(&str, &str)]) -> (TestNode, Client) {
    let few = [("transaction.state.log.num.partitions", "1"), ("offsets.topic.num.partitions", "1")];
    let node = start(directory, &[&few, settings].concat());
    let mut client = node.connect();
    client.create(&["t"]);
    for (key, key_type) in [("g", 0), (ID, 1)] {
        let request =
            FindCoordinatorRequest { key: key.into(), key_type, ..FindCoordinatorRequest::default() };
        client.ask(&request, 3);
    }
    (node, client)
}

/// Begins as a producer, which may be refused.
pub fn init(client: &mut Client, timeout: i32, version: i16) -> (i16, Producer) {
    let request = InitProducerIdRequest {
        transactional_id: Some(ID.into()),
        transaction_timeout_ms: timeout,
        ..InitProducerIdRequest::default()
    };
    let body = client.ask(&request, version);
    let said = InitProducerIdResponse::decode(&body, version).unwrap();
    (said.error_code, Producer { id: said.producer_id, epoch: said.producer_epoch })
}

/// Begins as a producer.
pub fn begin(client: &mut Client, version: i16) -> Producer {
    let (error, producer) = init(client, 60_000, version);
    assert_eq!(error, 0);
    producer
}

/// Adds the first partition of a topic to the transaction; the error.
pub fn add(client: &mut Client, producer: Producer, topic: &str, version: i16) -> i16 {
    let topics = vec![AddPartitionsToTxnTopic { name: topic.to_owned().into(), partitions: vec![0].into() }];
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: ID.into(),
        v3_and_below_producer_id: producer.id,
        v3_and_below_producer_epoch: producer.epoch,
        v3_and_below_topics: topics.into(),
        ..AddPartitionsToTxnRequest::default()
    };
    let body = client.ask(&request, version);
    let said = AddPartitionsToTxnResponse::decode(&body, version).unwrap();
    let topic = said.results_by_topic_v3_and_below.iter().next().unwrap();
    topic.results_by_partition.iter().next().unwrap().partition_error_code
}

/// A batch of one record in a transaction.
pub fn transactional(producer: Producer, sequence: i32, value: &str) -> Vec<u8> {
    let options = BatchOptions {
        producer: (ProducerId(producer.id), ProducerEpoch(producer.epoch), Sequence(sequence)),
        transactional: true,
        ..BatchOptions::default()
    };
    let mut builder = BatchBuilder::new(options);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    builder.push(Timestamp(now.as_millis() as i64), None, Some(value.as_bytes()), &[]);
    builder.finish_uncompressed()
}

/// Sends [`transactional`] to the first partition of `t`.
pub fn send(client: &mut Client, producer: Producer, sequence: i32, value: &str, version: i16) -> Produced {
    let mut request = produce_request("t", 0, -1, transactional(producer, sequence, value));
    request.transactional_id = Some(ID.into());
    produced(&client.ask(&request, version), version)
}

/// Ends the transaction; the producer as it is from then on.
pub fn end(client: &mut Client, producer: Producer, committed: bool, version: i16) -> (i16, Producer) {
    let request = EndTxnRequest {
        transactional_id: ID.into(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        committed,
    };
    let body = client.ask(&request, version);
    let said = EndTxnResponse::decode(&body, version).unwrap();
    (said.error_code, Producer { id: said.producer_id, epoch: said.producer_epoch })
}

/// What a reader of committed data sees.
pub fn committed(client: &mut Client) -> Vec<String> {
    seen(client, 1)
}

/// What a reader of this isolation sees: values whose transaction is not among the aborted ones that it is told of.
pub fn seen(client: &mut Client, isolation_level: i8) -> Vec<String> {
    let mut request = fetch_request("t", 0, 0, 0);
    request.isolation_level = isolation_level;
    let body = client.ask(&request, 11);
    let response = FetchResponse::decode(&body, 11).unwrap();
    let topic = response.responses.iter().next().unwrap();
    let partition = topic.partitions.iter().next().unwrap();
    assert_eq!(partition.error_code, 0);
    let mut aborted: Vec<_> = partition
        .aborted_transactions
        .iter()
        .flatten()
        .map(|aborted| (aborted.first_offset, aborted.producer_id))
        .collect();
    let (mut skipped, mut values) = (std::collections::BTreeSet::new(), Vec::new());
    for batch in Batches::new(partition.records.as_deref().unwrap_or_default()) {
        let header = batch.header;
        assert!(isolation_level == 0 || header.base_offset.0 < partition.last_stable_offset);
        let id = header.producer_id.0;
        aborted.retain(|(first, producer)| {
            let begins = *first <= header.last_offset().0;
            begins.then(|| skipped.insert(*producer));
            !begins
        });
        if header.attributes.is_control() {
            skipped.remove(&id);
        } else if !(header.attributes.is_transactional() && skipped.contains(&id)) {
            for record in Records::new(batch.payload(), header.count) {
                values.push(String::from_utf8(record.unwrap().value.unwrap().to_vec()).unwrap());
            }
        }
    }
    values
}

/// What is answered about the transaction: the error, and its state.
fn described(client: &mut Client) -> (i16, String) {
    let request = DescribeTransactionsRequest { transactional_ids: vec![ID.into()].into() };
    let body = client.ask(&request, 0);
    let said = DescribeTransactionsResponse::decode(&body, 0).unwrap();
    let state = said.transaction_states.iter().next().unwrap();
    (state.error_code, state.transaction_state.into_owned())
}

/// The state of the transaction, once what was decided of it is done: markers that have to wait are written later.
pub fn state(client: &mut Client) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (error, state) = described(client);
        assert_eq!(error, 0);
        if !state.starts_with("Prepare") {
            return state;
        }
        assert!(Instant::now() < deadline, "it is still {state}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Commits an offset of the group `g` within the transaction; the error.
pub fn commit_offset(client: &mut Client, producer: Producer, offset: i64, version: i16) -> i16 {
    let partition = TxnOffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: offset,
        ..Default::default()
    };
    let topic = TxnOffsetCommitRequestTopic {
        name: "t".into(),
        partitions: vec![partition].into(),
        ..Default::default()
    };
    let request = TxnOffsetCommitRequest {
        transactional_id: ID.into(),
        group_id: "g".into(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        topics: vec![topic].into(),
        ..TxnOffsetCommitRequest::default()
    };
    let body = client.ask(&request, version);
    let said = TxnOffsetCommitResponse::decode(&body, version).unwrap();
    let topic = said.topics.iter().next().unwrap();
    topic.partitions.iter().next().unwrap().error_code
}

/// The group's offset, or the error where it must be stable and is not.
pub fn offset(client: &mut Client, stable: bool) -> Result<i64, i16> {
    let topic = OffsetFetchRequestTopics {
        name: "t".into(),
        partition_indexes: vec![0].into(),
        ..Default::default()
    };
    let group = OffsetFetchRequestGroup {
        group_id: "g".into(),
        topics: Some(vec![topic].into()),
        ..Default::default()
    };
    let request =
        OffsetFetchRequest { groups: vec![group].into(), require_stable: stable, ..Default::default() };
    let body = client.ask(&request, 8);
    let said = OffsetFetchResponse::decode(&body, 8).unwrap();
    let group = said.groups.iter().next().unwrap();
    let topic = group.topics.iter().next().unwrap();
    let partition = topic.partitions.iter().next().unwrap();
    if partition.error_code == 0 { Ok(partition.committed_offset) } else { Err(partition.error_code) }
}

/// The number of an error.
pub fn code(error: ErrorCode) -> i16 {
    error.into()
}

/// The state of the transaction as it is, once the shard answers.
pub fn state_once_loaded(client: &mut Client) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (error, state) = described(client);
        if error == 0 {
            return state;
        }
        assert_eq!(error, code(ErrorCode::CoordinatorLoadInProgress));
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
}
