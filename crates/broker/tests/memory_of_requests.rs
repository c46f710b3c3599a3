//! What requests of very many elements may allocate, over several connections at once: a small multiple of the bytes
//! received, and what all requests share. One test, so that nothing else in the process is counted.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(unsafe_code, reason = "a counting allocator must be one")]

mod raw;

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Read;
use std::sync::Barrier;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use protocol::messages::add_partitions_to_txn::AddPartitionsToTxnTopic;
use protocol::messages::alter_configs::AlterConfigsResource;
use protocol::messages::create_partitions::CreatePartitionsTopic;
use protocol::messages::create_topics::CreatableTopic;
use protocol::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::delete_topics::DeleteTopicState;
use protocol::messages::describe_configs::DescribeConfigsResource;
use protocol::messages::describe_producers::TopicRequest;
use protocol::messages::describe_topic_partitions;
use protocol::messages::elect_leaders::TopicPartitions;
use protocol::messages::fetch::{FetchPartition, FetchTopic};
use protocol::messages::incremental_alter_configs::AlterConfigsResource as IncrementalResource;
use protocol::messages::join_group::JoinGroupRequestProtocol;
use protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::metadata::MetadataRequestTopic;
use protocol::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::messages::offset_for_leader_epoch::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use protocol::messages::*;
use raw::Client;
use raw::node::{TestNode, start};

/// The system's allocator, with what is allocated now and what was at most.
struct Counting;

static NOW: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);

fn count(bytes: i64) {
    let now = NOW.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are there while the bytes move.
        count(size as i64);
        count(-(layout.size() as i64));
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const CONNECTIONS: usize = 12;
/// `headwater.request.memory.bytes`.
const SHARED: usize = 8 << 20;
const MANY: usize = 20_000;
/// Fewer, where each takes more.
const CHANGES: usize = 8000;

/// Sends the frame over all connections at once and reads the answers as they come, a little at a time. Says what
/// was allocated at most meanwhile.
fn peak(node: &TestNode, api: &str, frame: &[u8]) -> i64 {
    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| node.connect()).collect();
    // Requests that do not wait for one another can all be answered before anybody reads on.
    let together = (api == "DescribeConfigs").then(|| Barrier::new(CONNECTIONS));
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    std::thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| {
                client.stream().set_read_timeout(Some(Duration::from_secs(120))).unwrap();
                client.send(frame);
                let mut length = [0; 4];
                client.stream().read_exact(&mut length).unwrap();
                together.as_ref().map(Barrier::wait);
                let mut left = u32::from_be_bytes(length) as usize;
                let mut scratch = [0; 4096];
                while left > 0 {
                    let piece = left.min(scratch.len());
                    client.stream().read_exact(&mut scratch[..piece]).unwrap();
                    left -= piece;
                }
            });
        }
    });
    PEAK.load(Ordering::Relaxed) - before
}

fn name<'a>(number: usize) -> std::borrow::Cow<'a, str> {
    format!("{number:x}").into()
}

/// A request of many elements for every API whose answer grows with its request.
fn wide_requests(client: &mut Client) -> Vec<(&'static str, Vec<u8>)> {
    let mut frames = Vec::new();
    let topics = (0..MANY)
        .map(|number| MetadataRequestTopic { name: Some(name(number)), ..MetadataRequestTopic::default() });
    let request = MetadataRequest {
        topics: Some(topics.collect()),
        allow_auto_topic_creation: false,
        ..MetadataRequest::default()
    };
    frames.push(("Metadata", client.frame(&request, 12)));
    let resource = DescribeConfigsResource {
        resource_type: 2,
        resource_name: "t".into(),
        ..DescribeConfigsResource::default()
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource; 900].into(),
        include_synonyms: true,
        include_documentation: true,
    };
    frames.push(("DescribeConfigs", client.frame(&request, 4)));
    let topics = (0..3000).map(|number| CreatableTopic {
        name: name(number),
        num_partitions: 1,
        replication_factor: 1,
        ..CreatableTopic::default()
    });
    let request = CreateTopicsRequest { topics: topics.collect(), validate_only: true, timeout_ms: 60_000 };
    frames.push(("CreateTopics", client.frame(&request, 7)));
    let partition = PartitionProduceData { records: None, ..PartitionProduceData::default() };
    let topics = (0..MANY / 2).map(|number| TopicProduceData {
        name: name(number),
        partition_data: vec![partition.clone()].into(),
        ..TopicProduceData::default()
    });
    let request = ProduceRequest {
        acks: 1,
        topic_data: topics.collect(),
        timeout_ms: 1000,
        ..ProduceRequest::default()
    };
    frames.push(("Produce", client.frame(&request, 9)));
    let partition = |partition| FetchPartition { partition, ..FetchPartition::default() };
    let topic = FetchTopic {
        topic: "t".into(),
        partitions: (0..MANY as i32).map(partition).collect(),
        ..FetchTopic::default()
    };
    let request = FetchRequest { topics: vec![topic].into(), session_epoch: -1, ..FetchRequest::default() };
    frames.push(("Fetch", client.frame(&request, 12)));
    frames.extend(wide_reads(client));
    frames.extend(wide_changes(client));
    frames
}

fn wide_reads(client: &mut Client) -> Vec<(&'static str, Vec<u8>)> {
    let mut frames = Vec::new();
    let indexes = 0..MANY as i32;
    let partition =
        |partition_index| ListOffsetsPartition { partition_index, ..ListOffsetsPartition::default() };
    let partitions = indexes.clone().map(partition).collect();
    let request = ListOffsetsRequest {
        topics: vec![ListOffsetsTopic { name: "t".into(), partitions }].into(),
        ..ListOffsetsRequest::default()
    };
    frames.push(("ListOffsets", client.frame(&request, 7)));
    let partition = |partition| OffsetForLeaderPartition { partition, ..OffsetForLeaderPartition::default() };
    let partitions = indexes.clone().map(partition).collect();
    let request = OffsetForLeaderEpochRequest {
        topics: vec![OffsetForLeaderTopic { topic: "t".into(), partitions }].into(),
        ..OffsetForLeaderEpochRequest::default()
    };
    frames.push(("OffsetForLeaderEpoch", client.frame(&request, 4)));
    let request = DescribeProducersRequest {
        topics: vec![TopicRequest { name: "t".into(), partition_indexes: indexes.clone().collect() }].into(),
    };
    frames.push(("DescribeProducers", client.frame(&request, 0)));
    let topics = (0..MANY).map(|number| describe_topic_partitions::TopicRequest { name: name(number) });
    let request = DescribeTopicPartitionsRequest {
        topics: topics.collect(),
        response_partition_limit: 2000,
        ..DescribeTopicPartitionsRequest::default()
    };
    frames.push(("DescribeTopicPartitions", client.frame(&request, 0)));
    frames
}

fn wide_changes(client: &mut Client) -> Vec<(&'static str, Vec<u8>)> {
    let mut frames = Vec::new();
    let timeout_ms = 60_000;
    let topics = (0..CHANGES)
        .map(|number| DeleteTopicState { name: Some(name(number)), ..DeleteTopicState::default() });
    let request =
        DeleteTopicsRequest { topics: topics.collect(), timeout_ms, ..DeleteTopicsRequest::default() };
    frames.push(("DeleteTopics", client.frame(&request, 6)));
    let topics = (0..CHANGES).map(|number| CreatePartitionsTopic {
        name: name(number),
        count: 2,
        ..CreatePartitionsTopic::default()
    });
    let request = CreatePartitionsRequest {
        topics: topics.collect(),
        timeout_ms,
        ..CreatePartitionsRequest::default()
    };
    frames.push(("CreatePartitions", client.frame(&request, 3)));
    let resources = (0..CHANGES).map(|number| AlterConfigsResource {
        resource_type: 2,
        resource_name: name(number),
        ..AlterConfigsResource::default()
    });
    let request = AlterConfigsRequest { resources: resources.collect(), ..AlterConfigsRequest::default() };
    frames.push(("AlterConfigs", client.frame(&request, 2)));
    let resources = (0..CHANGES).map(|number| IncrementalResource {
        resource_type: 2,
        resource_name: name(number),
        ..IncrementalResource::default()
    });
    let request = IncrementalAlterConfigsRequest {
        resources: resources.collect(),
        ..IncrementalAlterConfigsRequest::default()
    };
    frames.push(("IncrementalAlterConfigs", client.frame(&request, 1)));
    let partition =
        |partition_index| DeleteRecordsPartition { partition_index, ..DeleteRecordsPartition::default() };
    let partitions = (0..CHANGES as i32).map(partition).collect();
    let request = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic { name: "u".into(), partitions }].into(),
        timeout_ms,
    };
    frames.push(("DeleteRecords", client.frame(&request, 2)));
    let topic = TopicPartitions { topic: "u".into(), partitions: (0..CHANGES as i32).collect() };
    let request = ElectLeadersRequest {
        topic_partitions: Some(vec![topic].into()),
        timeout_ms,
        ..ElectLeadersRequest::default()
    };
    frames.push(("ElectLeaders", client.frame(&request, 2)));
    frames
}

/// What one element of the requests below has the broker tell, about.
const TOLD: usize = 4096;
/// How often they say it.
const TIMES: usize = 1000;
/// How many producers there are of one partition.
const PRODUCERS: i64 = 20_000;

/// Groups and a transaction of which there is much to tell.
fn make_much_to_tell(client: &mut Client) {
    for (key, key_type) in [("g", 0), ("tx", 1)] {
        let request =
            FindCoordinatorRequest { key: key.into(), key_type, ..FindCoordinatorRequest::default() };
        client.ask(&request, 3);
    }
    let partition = OffsetCommitRequestPartition {
        committed_offset: 1,
        committed_metadata: Some("m".repeat(TOLD).into()),
        ..OffsetCommitRequestPartition::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: "t".into(),
        partitions: vec![partition].into(),
        ..OffsetCommitRequestTopic::default()
    };
    let request = OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic].into(),
        ..OffsetCommitRequest::default()
    };
    client.ask(&request, 6);
    let protocol = JoinGroupRequestProtocol { name: "p".into(), metadata: vec![1; TOLD].into() };
    let request = JoinGroupRequest {
        group_id: "classic".into(),
        session_timeout_ms: 1_000_000,
        rebalance_timeout_ms: 1_000_000,
        protocol_type: "p".into(),
        protocols: vec![protocol].into(),
        ..JoinGroupRequest::default()
    };
    let body = client.ask(&request, 3);
    let member = JoinGroupResponse::decode(&body, 3).unwrap().member_id.into_owned();
    let request = SyncGroupRequest {
        group_id: "classic".into(),
        generation_id: 1,
        member_id: member.into(),
        ..SyncGroupRequest::default()
    };
    let body = client.ask(&request, 2);
    assert_eq!(SyncGroupResponse::decode(&body, 2).unwrap().error_code, 0);
    let request = ConsumerGroupHeartbeatRequest {
        group_id: "consumers".into(),
        member_id: "a".into(),
        rebalance_timeout_ms: 1_000_000,
        subscribed_topic_names: Some((0..TOLD / 8).map(name).collect()),
        topic_partitions: Some(Vec::new().into()),
        ..ConsumerGroupHeartbeatRequest::default()
    };
    let body = client.ask(&request, 1);
    assert_eq!(ConsumerGroupHeartbeatResponse::decode(&body, 1).unwrap().error_code, 0);
    join_streams(client);
    begin_wide_transaction(client);
    write_as_many(client);
}

/// As many producers as one pleases write to one partition.
fn write_as_many(client: &mut Client) {
    for id in 0..PRODUCERS {
        let batch = raw::batch::of_producer((id, 0, 0), &["v"]);
        let request = raw::ask::produce_request("t", 0, 0, batch);
        let frame = client.frame(&request, 9);
        client.send(&frame);
    }
    assert_eq!(client.produce("t", 0, raw::batch::batch(&["last"])).base_offset, PRODUCERS);
}

fn join_streams(client: &mut Client) {
    let part = streams_group_heartbeat::Subtopology {
        subtopology_id: "0".into(),
        source_topics: (0..TOLD / 8).map(name).collect(),
        ..streams_group_heartbeat::Subtopology::default()
    };
    let topology =
        streams_group_heartbeat::Topology { subtopologies: vec![part].into(), ..Default::default() };
    let request = StreamsGroupHeartbeatRequest {
        group_id: "streams".into(),
        member_id: "a".into(),
        rebalance_timeout_ms: 1_000_000,
        process_id: Some("p".into()),
        topology: Some(topology),
        active_tasks: Some(Vec::new().into()),
        standby_tasks: Some(Vec::new().into()),
        warmup_tasks: Some(Vec::new().into()),
        ..StreamsGroupHeartbeatRequest::default()
    };
    let body = client.ask(&request, 0);
    assert_eq!(StreamsGroupHeartbeatResponse::decode(&body, 0).unwrap().error_code, 0);
}

fn begin_wide_transaction(client: &mut Client) {
    let topic = CreatableTopic {
        name: "wide".into(),
        num_partitions: 300,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![topic].into(),
        timeout_ms: 60_000,
        ..CreateTopicsRequest::default()
    };
    client.ask(&request, 5);
    let request = InitProducerIdRequest {
        transactional_id: Some("tx".into()),
        transaction_timeout_ms: 600_000,
        ..InitProducerIdRequest::default()
    };
    let body = client.ask(&request, 4);
    let producer = InitProducerIdResponse::decode(&body, 4).unwrap();
    let topic = AddPartitionsToTxnTopic { name: "wide".into(), partitions: (0..300).collect() };
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: "tx".into(),
        v3_and_below_producer_id: producer.producer_id,
        v3_and_below_producer_epoch: producer.producer_epoch,
        v3_and_below_topics: vec![topic].into(),
        ..AddPartitionsToTxnRequest::default()
    };
    let body = client.ask(&request, 3);
    let said = AddPartitionsToTxnResponse::decode(&body, 3).unwrap();
    let topic = said.results_by_topic_v3_and_below.iter().next().unwrap();
    assert_eq!(topic.results_by_partition.iter().next().unwrap().partition_error_code, 0);
}

/// Small requests that ask for much by naming one thing very often.
fn repeating_requests(client: &mut Client) -> Vec<(&'static str, Vec<u8>)> {
    let mut frames = Vec::new();
    let topic = TopicRequest { name: "t".into(), partition_indexes: vec![0].into() };
    let request = DescribeProducersRequest { topics: vec![topic].into() };
    frames.push(("DescribeProducers, one partition", client.frame(&request, 0)));
    let named = |id: &'static str| vec![std::borrow::Cow::from(id); TIMES];
    let topic = OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0; 10 * TIMES].into() };
    let request = OffsetFetchRequest {
        group_id: "g".into(),
        topics: Some(vec![topic].into()),
        ..OffsetFetchRequest::default()
    };
    frames.push(("OffsetFetch, one partition", client.frame(&request, 7)));
    let group = OffsetFetchRequestGroup { group_id: "g".into(), ..OffsetFetchRequestGroup::default() };
    let request =
        OffsetFetchRequest { groups: vec![group.clone(); TIMES].into(), ..OffsetFetchRequest::default() };
    frames.push(("OffsetFetch, one group", client.frame(&request, 8)));
    let topic = OffsetFetchRequestTopics {
        name: "t".into(),
        partition_indexes: vec![0].into(),
        ..OffsetFetchRequestTopics::default()
    };
    let group = OffsetFetchRequestGroup { topics: Some(vec![topic].into()), ..group };
    let request = OffsetFetchRequest { groups: vec![group; TIMES].into(), ..OffsetFetchRequest::default() };
    frames.push(("OffsetFetch, one partition of one group", client.frame(&request, 8)));
    let request =
        DescribeGroupsRequest { groups: named("classic").into(), ..DescribeGroupsRequest::default() };
    frames.push(("DescribeGroups", client.frame(&request, 4)));
    let request = ConsumerGroupDescribeRequest {
        group_ids: named("consumers").into(),
        ..ConsumerGroupDescribeRequest::default()
    };
    frames.push(("ConsumerGroupDescribe", client.frame(&request, 0)));
    let request = StreamsGroupDescribeRequest {
        group_ids: named("streams").into(),
        ..StreamsGroupDescribeRequest::default()
    };
    frames.push(("StreamsGroupDescribe", client.frame(&request, 0)));
    let request =
        DescribeTransactionsRequest { transactional_ids: [named("tx"), named("tx")].concat().into() };
    frames.push(("DescribeTransactions", client.frame(&request, 0)));
    frames
}

#[test]
fn requests_of_very_many_elements_share_what_they_take_beyond_a_multiple_of_their_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let shared = SHARED.to_string();
    let settings = [
        ("headwater.request.memory.bytes", &*shared),
        ("group.initial.rebalance.delay.ms", "0"),
        ("offsets.topic.num.partitions", "1"),
        ("transaction.state.log.num.partitions", "1"),
        ("group.max.session.timeout.ms", "1800000"),
    ];
    let node = start(directory.path(), &settings);
    let mut client = node.connect();
    client.create(&["t"]);
    make_much_to_tell(&mut client);
    let mut over = Vec::new();
    let mut frames = wide_requests(&mut client);
    frames.extend(repeating_requests(&mut client));
    for (api, frame) in frames {
        let peak = peak(&node, api, &frame);
        // What a connection holds anyway: its buffers, and a piece of an answer with room to grow.
        let each = 4 * frame.len() + (64 << 10) + (160 << 10);
        let bound = (CONNECTIONS * each + SHARED) as i64;
        println!("{api}: {} bytes over {CONNECTIONS} connections took {peak}, allowed {bound}", frame.len());
        if peak > bound {
            over.push(api);
        }
    }
    assert!(over.is_empty(), "{over:?} took more");
}
