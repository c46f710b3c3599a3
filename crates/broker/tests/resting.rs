//! Fetch sessions at rest: what follows partitions in which nothing happens keeps its place in their lists from one
//! request to the next, and hears of everything all the same.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::runtime::partitions::Replica;
use protocol::ErrorCode;
use protocol::messages::create_topics::CreatableTopic;
use protocol::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::fetch::{FetchPartition, FetchTopic, ForgottenTopic};
use protocol::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use protocol::messages::{
    CreateTopicsRequest, DeleteRecordsRequest, DeleteTopicsRequest, FetchRequest, FetchResponse,
    IncrementalAlterConfigsRequest, Message,
};
use raw::Client;
use raw::ask::fetch_request;
use raw::batch::batch;
use raw::node::{TestNode, start};

const VERSION: i16 = 11;
/// Longer than any test waits.
const LONG_MS: i32 = 30_000;

/// A session that follows the end of topic t, in which there is a record.
struct Follower {
    client: Client,
    session: i32,
    epoch: i32,
    bytes_min: i32,
}

impl Follower {
    fn open(node: &TestNode) -> Self {
        let mut client = node.connect();
        client.create(&["t"]);
        client.produce("t", 0, batch(&["first"]));
        Self::of(client, fetch_request("t", 0, 1, 0))
    }

    /// One that follows what a request names.
    fn of(mut client: Client, named: FetchRequest<'_>) -> Self {
        let request = FetchRequest { session_epoch: 0, ..named };
        let session = FetchResponse::decode(&client.ask(&request, VERSION), VERSION).unwrap().session_id;
        Self { client, session, epoch: 0, bytes_min: 1 }
    }

    /// One that has heard that there is nothing, and hangs where it waited.
    fn at_rest(node: &TestNode) -> Self {
        let mut follower = Self::open(node);
        assert_eq!(follower.poll(1), None);
        assert_eq!(replica(node).waiters.len(), 1, "it keeps its place");
        follower
    }

    fn request(&mut self, wait_ms: i32) -> FetchRequest<'static> {
        self.epoch += 1;
        FetchRequest {
            topics: Vec::new().into(),
            session_id: self.session,
            session_epoch: self.epoch,
            min_bytes: self.bytes_min,
            ..fetch_request("t", 0, 0, wait_ms)
        }
    }

    /// What it hears of the partition: error, log start, whether there are records.
    fn poll(&mut self, wait_ms: i32) -> Option<(i16, i64, bool)> {
        let request = self.request(wait_ms);
        heard(&self.client.ask(&request, VERSION))
    }

    /// Begins to wait; says when it does.
    fn wait(&mut self) {
        let request = self.request(LONG_MS);
        let frame = self.client.frame(&request, VERSION);
        self.client.send(&frame);
    }

    fn hear(&mut self) -> Option<(i16, i64, bool)> {
        heard(&self.client.receive()[4..])
    }
}

fn heard(body: &[u8]) -> Option<(i16, i64, bool)> {
    let response = FetchResponse::decode(body, VERSION).unwrap();
    assert_eq!(response.error_code, 0);
    let topic = response.responses.iter().next()?;
    let partition = topic.partitions.iter().next()?;
    let records = partition.records.is_some_and(|records| !records.is_empty());
    Some((partition.error_code, partition.log_start_offset, records))
}

fn replica(node: &TestNode) -> Arc<Replica> {
    let topic = node.node().broker().partitions.by_name("t").unwrap();
    topic.replicas[0].clone().unwrap()
}

fn within_a_moment<T>(work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    done
}

fn delete_topic(node: &TestNode) {
    let delete = DeleteTopicsRequest {
        topic_names: vec!["t".into()].into(),
        timeout_ms: 10_000,
        ..DeleteTopicsRequest::default()
    };
    node.connect().ask(&delete, 5);
}

#[test]
fn a_session_at_rest_hears_of_records_that_came_between_its_requests() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut follower = Follower::at_rest(&node);
    for _ in 0..3 {
        assert_eq!(follower.poll(1), None);
        assert_eq!(replica(&node).waiters.len(), 1, "it keeps its one place");
    }
    node.connect().produce("t", 0, batch(&["second"]));
    assert_eq!(within_a_moment(|| follower.poll(LONG_MS)), Some((0, 0, true)));
    assert!(replica(&node).waiters.is_empty(), "who gets records waits no more");
}

#[test]
fn a_session_at_rest_hears_of_records_while_it_waits() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut follower = Follower::at_rest(&node);
    follower.wait();
    node.connect().produce("t", 0, batch(&["second"]));
    assert_eq!(within_a_moment(|| follower.hear()), Some((0, 0, true)));
}

#[test]
fn a_session_at_rest_hears_at_once_that_its_topic_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut follower = Follower::at_rest(&node);
    follower.wait();
    delete_topic(&node);
    let error = within_a_moment(|| follower.hear()).unwrap().0;
    // Not here any more, or not anywhere: it may be told while the deletion is being applied.
    assert!(matches!(error, 3 | 6), "{error}");
}

#[test]
fn what_is_deleted_goes_whoever_rests_on_it() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut follower = Follower::at_rest(&node);
    let held = Arc::downgrade(&replica(&node));
    delete_topic(&node);
    let end = Instant::now() + Duration::from_secs(10);
    while held.upgrade().is_some() && Instant::now() < end {
        std::thread::yield_now();
    }
    assert!(held.upgrade().is_none(), "nobody holds the partition any more");
    assert!(matches!(follower.poll(LONG_MS).unwrap().0, 3 | 6));
}

#[test]
fn a_session_at_rest_is_told_that_its_log_begins_later() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut follower = Follower::at_rest(&node);
    let partition = DeleteRecordsPartition { partition_index: 0, offset: 1 };
    let topic = DeleteRecordsTopic { name: "t".into(), partitions: vec![partition].into() };
    let request = DeleteRecordsRequest { topics: vec![topic].into(), timeout_ms: 1000 };
    node.connect().ask(&request, 2);
    assert_eq!(follower.poll(100), Some((0, 1, false)));
    assert_eq!(follower.poll(1), None);
}

#[test]
fn another_request_of_the_session_ends_its_rest() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut follower = Follower::at_rest(&node);
    // An older place to read from: what is asked for now is not what it rested on.
    let request = FetchRequest { topics: fetch_request("t", 0, 0, 0).topics, ..follower.request(LONG_MS) };
    let body = within_a_moment(|| follower.client.ask(&request, VERSION));
    assert_eq!(heard(&body), Some((0, 0, true)));
    assert!(replica(&node).waiters.is_empty());
}

#[test]
fn a_session_that_ends_leaves_its_places() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut follower = Follower::at_rest(&node);
    let forgotten =
        ForgottenTopic { topic: "t".into(), partitions: vec![0].into(), ..ForgottenTopic::default() };
    let request = FetchRequest { forgotten_topics_data: vec![forgotten].into(), ..follower.request(LONG_MS) };
    follower.client.ask(&request, VERSION);
    assert!(replica(&node).waiters.is_empty());
}

#[test]
fn a_rest_is_of_the_request_that_came_last() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut follower = Follower::open(&node);
    // Its reader has given up on this one, and goes on over another connection with an older place to read from.
    let overtaken = follower.request(1000);
    let frame = follower.client.frame(&overtaken, VERSION);
    follower.client.send(&frame);
    let hanging = || replica(&node).waiters.len();
    within_a_moment(|| while hanging() == 0 {});
    let mut second = node.connect();
    let request = FetchRequest { topics: fetch_request("t", 0, 0, 0).topics, ..follower.request(0) };
    assert_eq!(heard(&second.ask(&request, VERSION)), Some((0, 0, true)));
    assert_eq!(follower.hear(), None, "its time is over");
    assert_eq!(hanging(), 0, "nobody goes on from there");
    follower.client = second;
    assert_eq!(within_a_moment(|| follower.poll(LONG_MS)), Some((0, 0, true)));
}

#[test]
fn sessions_at_rest_share_their_memory_with_everybody() {
    const PARTITIONS: i32 = 3000;
    let directory = tempfile::tempdir().unwrap();
    // One such request takes more than half of it.
    let node = start(directory.path(), &[("headwater.request.memory.bytes", "1048576")]);
    let mut followers = [(), ()].map(|()| {
        let mut client = node.connect();
        let topic = CreatableTopic {
            name: "t".into(),
            num_partitions: PARTITIONS,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let create =
            CreateTopicsRequest { topics: vec![topic].into(), timeout_ms: 60_000, ..Default::default() };
        client.ask(&create, 5);
        let partition =
            |partition| FetchPartition { partition, partition_max_bytes: 1 << 20, ..Default::default() };
        let topic = FetchTopic {
            topic: "t".into(),
            partitions: (0..PARTITIONS).map(partition).collect(),
            ..FetchTopic::default()
        };
        Follower::of(client, FetchRequest { topics: vec![topic].into(), ..fetch_request("t", 0, 0, 0) })
    });
    for follower in &mut followers {
        assert_eq!(follower.poll(1), None);
    }
    assert_eq!(replica(&node).waiters.len(), 2, "both keep their places");
    let [waiting, asking] = &mut followers;
    waiting.wait();
    for _ in 0..20 {
        assert_eq!(within_a_moment(|| asking.poll(1)), None);
    }
    node.connect().produce("t", 0, batch(&["news"]));
    assert_eq!(within_a_moment(|| waiting.hear()), Some((0, 0, true)));
}

#[test]
fn a_session_at_rest_hears_of_retention() {
    for policy in ["delete", "compact,delete"] {
        let directory = tempfile::tempdir().unwrap();
        let often = [
            ("log.segment.bytes", "1048576"),
            ("log.initial.task.delay.ms", "0"),
            ("log.retention.check.interval.ms", "10"),
            ("log.cleaner.backoff.ms", "10"),
        ];
        let node = start(directory.path(), &often);
        let mut client = node.connect();
        client.create(&["t"]);
        for _ in 0..3 {
            client.produce("t", 0, batch(&[&"x".repeat(600_000)]));
        }
        let mut follower = Follower::of(client, fetch_request("t", 0, 3, 0));
        assert_eq!(follower.poll(1), None);
        assert_eq!(replica(&node).waiters.len(), 1, "it is at rest");
        let config = |(name, value): (&'static str, &'static str)| AlterableConfig {
            name: name.into(),
            value: Some(value.into()),
            ..AlterableConfig::default()
        };
        let configs =
            [("cleanup.policy", policy), ("retention.bytes", "1"), ("min.compaction.lag.ms", "3600000")];
        let resource = AlterConfigsResource {
            resource_type: 2,
            resource_name: "t".into(),
            configs: configs.map(config).to_vec().into(),
        };
        let alter = IncrementalAlterConfigsRequest { resources: vec![resource].into(), validate_only: false };
        node.connect().ask(&alter, 1);
        // It brings no records, so that who hears of it has waited all its time.
        let begun = Instant::now();
        let heard = std::iter::repeat_with(|| follower.poll(10))
            .find(|heard| heard.is_some() || begun.elapsed() > Duration::from_secs(10));
        let (error, log_start, records) = heard.flatten().unwrap();
        assert!(error == 0 && log_start > 0 && !records, "{policy}: {error} {log_start} {records}");
    }
}

#[test]
fn a_session_at_rest_that_grows_too_large_leaves_its_places() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("headwater.fetch.sessions.partitions.max", "1")]);
    let mut follower = Follower::at_rest(&node);
    let request = FetchRequest { topics: fetch_request("u", 0, 0, 0).topics, ..follower.request(LONG_MS) };
    let body = within_a_moment(|| follower.client.ask(&request, VERSION));
    let error = FetchResponse::decode(&body, VERSION).unwrap().error_code;
    assert_eq!(error, i16::from(ErrorCode::FetchSessionIdNotFound));
    assert!(replica(&node).waiters.is_empty());
}

#[test]
fn a_session_at_rest_does_not_hold_up_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut follower = Follower::at_rest(&node);
    follower.wait();
    within_a_moment(|| node.stop());
    // Answered with what there is, unless the end came before the request did.
    let mut length = [0; 4];
    match follower.client.stream().read(&mut length) {
        Ok(4) => {
            let mut frame = vec![0; u32::from_be_bytes(length) as usize];
            follower.client.stream().read_exact(&mut frame).unwrap();
            assert_eq!(heard(&frame[4..]), None);
        }
        Ok(count) => assert_eq!(count, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[test]
fn a_session_at_rest_waits_for_as_much_as_it_asks_for() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut follower = Follower::open(&node);
    follower.bytes_min = 10_000;
    assert_eq!(follower.poll(1), None);
    assert_eq!(replica(&node).waiters.len(), 1, "it is at rest");
    follower.wait();
    let (small, large) = ("s".repeat(100), "l".repeat(20_000));
    node.connect().produce("t", 0, batch(&[&small]));
    follower.client.stream().set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let error = follower.client.stream().read(&mut [0; 4]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "too little: {error}");
    follower.client.stream().set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    node.connect().produce("t", 0, batch(&[&large]));
    assert_eq!(within_a_moment(|| follower.hear()), Some((0, 0, true)));
}

#[test]
fn what_is_too_little_for_a_session_at_rest_is_told_when_its_time_is_over() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut follower = Follower::open(&node);
    follower.bytes_min = 10_000;
    assert_eq!(follower.poll(1), None);
    node.connect().produce("t", 0, batch(&["too little"]));
    assert_eq!(within_a_moment(|| follower.poll(200)), Some((0, 0, true)));
}

#[test]
fn a_session_at_rest_hears_that_its_log_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut follower = Follower::at_rest(&node);
    follower.wait();
    let held = replica(&node);
    let panicked = std::thread::spawn(move || {
        let _log = held.log().unwrap();
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    let storage_error = i16::from(ErrorCode::KafkaStorageError);
    assert_eq!(node.connect().produce("t", 0, batch(&["refused"])).error, storage_error);
    assert_eq!(within_a_moment(|| follower.hear()).unwrap().0, storage_error);
}
