//! How many system calls the most frequent requests of coordinators cost: to receive one, to append what is decided, to
//! answer. Nothing else: no wake of another thread, no random number, no clock that is a call.
//!
//! What is planted is one call more: requests that come in two pieces, as to a broker that receives lengths first.

#![expect(clippy::unwrap_used, reason = "a guard that cannot measure fails")]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[allow(dead_code, reason = "another guard uses the rest")]
mod member;
#[allow(dead_code, reason = "another guard uses the rest")]
mod served;

use std::net::SocketAddr;

use benches::asker::{Asker, Encoded};
use benches::calls::count_while;
use benches::consumer_beat;
use benches::guard::Guard;
use benches::load::wait_for_logs;
use protocol::id::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::messages::create_topics::CreatableTopic;
use protocol::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use protocol::messages::{
    ConsumerGroupHeartbeatResponse, CreateTopicsRequest, CreateTopicsResponse, EndTxnRequest, EndTxnResponse,
    HeartbeatResponse, InitProducerIdRequest, InitProducerIdResponse, Message, OffsetCommitRequest,
    OffsetCommitResponse, ProduceRequest, ProduceResponse,
};
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::Compressors;

use self::member::{GROUP, find_coordinator, joined};
use self::served::{Served, each_of};

const REQUESTS: u32 = 1_000;
const TOPIC: &str = "topic";
const PARTITIONS: u32 = 100;

const fn guard(what: &'static str, most: f64) -> Guard {
    Guard { what, most, planted: "with requests that come in two pieces" }
}

const HEARTBEAT: Guard = guard("system calls a heartbeat", 2.0);
const CONSUMER_HEARTBEAT: Guard = guard("system calls a heartbeat of the consumer protocol", 2.0);
const COMMIT: Guard = guard("system calls a commit of a hundred partitions", 3.05);
const TRANSACTION: Guard = guard("system calls a transaction", 9.05);

fn with_topic(address: SocketAddr) -> Asker {
    let topic = CreatableTopic {
        name: TOPIC.into(),
        num_partitions: i32::try_from(PARTITIONS).unwrap(),
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![topic].into(),
        timeout_ms: 60_000,
        ..CreateTopicsRequest::default()
    };
    let mut asker = Asker::open(address).unwrap();
    asker
        .ask(&request, 5, |body| {
            let response = CreateTopicsResponse::decode(body, 5)?;
            assert_eq!(response.topics.iter().next().unwrap().error_code, 0);
            Ok(())
        })
        .unwrap();
    asker
}

/// Has `ask` done over and over while it is counted, as things are and with what is planted.
fn judge<T: Send + 'static>(
    guard: Guard,
    served: &Served,
    asks: T,
    asker_of: fn(&mut T) -> &mut Asker,
    ask: impl Fn(&mut T) + Clone + Send + 'static,
) {
    let measure = |mut asks: T, torn: bool| {
        let ask = ask.clone();
        asker_of(&mut asks).tear(torn);
        let counted = count_while(served.id(), move || {
            (0..REQUESTS).for_each(|_| ask(&mut asks));
            asks
        });
        let (calls, asks) = counted.unwrap();
        println!("{calls:?}");
        (each_of(REQUESTS, &calls), asks)
    };
    let (is, asks) = measure(asks, false);
    let (planted, _) = measure(asks, true);
    guard.judge(is, planted);
}

/// Judges a request that is sent over and over.
fn judge_request(guard: Guard, served: &Served, asker: Asker, request: Encoded, check: fn(&[u8])) {
    judge(
        guard,
        served,
        asker,
        |asker| asker,
        move |asker| {
            asker.send(&request).unwrap();
            check(asker.receive(&request).unwrap());
        },
    );
}

#[test]
fn a_heartbeat_is_received_and_answered_and_that_is_all() {
    let directory = tempfile::tempdir().unwrap();
    let (served, address) = Served::start(directory.path());
    let mut asker = Asker::open(address).unwrap();
    let member = joined(&mut asker);
    wait_for_logs(directory.path(), &[("__consumer_offsets", 50)]).unwrap();
    judge_request(HEARTBEAT, &served, asker, member.heartbeat(), |body| {
        assert_eq!(HeartbeatResponse::decode(body, 4).unwrap().error_code, 0);
    });
}

#[test]
fn a_heartbeat_of_the_consumer_protocol_is_received_and_answered_and_that_is_all() {
    let directory = tempfile::tempdir().unwrap();
    let (served, address) = Served::start(directory.path());
    let mut asker = with_topic(address);
    find_coordinator(&mut asker, GROUP, 0);
    let beat = consumer_beat::settled(&mut asker, GROUP, TOPIC).unwrap();
    wait_for_logs(directory.path(), &[(TOPIC, PARTITIONS), ("__consumer_offsets", 50)]).unwrap();
    judge_request(CONSUMER_HEARTBEAT, &served, asker, beat, |body| {
        assert_eq!(ConsumerGroupHeartbeatResponse::decode(body, 1).unwrap().error_code, 0);
    });
}

#[test]
fn a_commit_is_received_written_at_once_and_answered() {
    let directory = tempfile::tempdir().unwrap();
    let (served, address) = Served::start(directory.path());
    let mut asker = with_topic(address);
    find_coordinator(&mut asker, GROUP, 0);
    let partition = |partition_index| OffsetCommitRequestPartition {
        partition_index,
        committed_offset: 5,
        ..OffsetCommitRequestPartition::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: TOPIC.into(),
        partitions: (0..i32::try_from(PARTITIONS).unwrap()).map(partition).collect::<Vec<_>>().into(),
        ..OffsetCommitRequestTopic::default()
    };
    let commit = OffsetCommitRequest {
        group_id: GROUP.into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic].into(),
        ..OffsetCommitRequest::default()
    };
    let error = |body: &[u8]| {
        let told = OffsetCommitResponse::decode(body, 8).unwrap();
        told.topics.iter().next().unwrap().partitions.iter().map(|partition| partition.error_code).max()
    };
    asker.ask_until(&commit, 8, |body| Ok((error(body) == Some(0)).then_some(()))).unwrap();
    wait_for_logs(directory.path(), &[(TOPIC, PARTITIONS), ("__consumer_offsets", 50)]).unwrap();
    judge_request(COMMIT, &served, asker, Encoded::new(&commit, 8).unwrap(), |body| {
        let told = OffsetCommitResponse::decode(body, 8).unwrap();
        assert!(told.topics.iter().all(|topic| topic.partitions.iter().all(|it| it.error_code == 0)));
    });
}

/// A producer of transactions: its id and epoch.
struct Producer {
    asker: Asker,
    id: i64,
    epoch: i16,
}

impl Producer {
    fn new(mut asker: Asker) -> Self {
        find_coordinator(&mut asker, "transactional", 1);
        let init = InitProducerIdRequest {
            transactional_id: Some("transactional".into()),
            transaction_timeout_ms: 60_000,
            producer_id: -1,
            producer_epoch: -1,
            ..InitProducerIdRequest::default()
        };
        let (id, epoch) = asker
            .ask_until(&init, 5, |body| {
                let told = InitProducerIdResponse::decode(body, 5)?;
                Ok((told.error_code == 0).then_some((told.producer_id, told.producer_epoch)))
            })
            .unwrap();
        Self { asker, id, epoch }
    }

    /// A transaction of one batch.
    fn transact(&mut self) {
        let mut builder = BatchBuilder::new(BatchOptions {
            producer: (ProducerId(self.id), ProducerEpoch(self.epoch), Sequence(0)),
            transactional: true,
            ..BatchOptions::default()
        });
        builder.push(Timestamp(1_700_000_000_000), None, Some(&[7; 100]), &[]);
        let batch = builder.finish(&mut Compressors::default()).unwrap();
        let partition = PartitionProduceData { index: 0, records: Some(batch.into()) };
        let topic = TopicProduceData {
            name: TOPIC.into(),
            partition_data: vec![partition].into(),
            ..TopicProduceData::default()
        };
        let produce = ProduceRequest {
            transactional_id: Some("transactional".into()),
            acks: -1,
            timeout_ms: 30_000,
            topic_data: vec![topic].into(),
        };
        self.asker
            .ask(&produce, 12, |body| {
                let told = ProduceResponse::decode(body, 12)?;
                let topic = told.responses.iter().next().unwrap();
                assert_eq!(topic.partition_responses.iter().next().unwrap().error_code, 0);
                Ok(())
            })
            .unwrap();
        let end = EndTxnRequest {
            transactional_id: "transactional".into(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            committed: true,
        };
        let (id, epoch) = self
            .asker
            .ask(&end, 5, |body| {
                let told = EndTxnResponse::decode(body, 5)?;
                assert_eq!(told.error_code, 0);
                Ok((told.producer_id, told.producer_epoch))
            })
            .unwrap();
        (self.id, self.epoch) = (id, epoch);
    }
}

/// The batch and its answer, and the end and its; between them are written: that the partition belongs to it, the batch, that
/// it is to be committed, the marker, and that it has been.
#[test]
fn a_transaction_takes_a_call_for_each_thing_that_is_written_and_four_for_its_two_requests() {
    let directory = tempfile::tempdir().unwrap();
    let (served, address) = Served::start(directory.path());
    let mut producer = Producer::new(with_topic(address));
    producer.transact();
    wait_for_logs(directory.path(), &[(TOPIC, PARTITIONS), ("__transaction_state", 50)]).unwrap();
    judge(TRANSACTION, &served, producer, |producer| &mut producer.asker, Producer::transact);
}
