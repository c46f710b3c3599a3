//! Fetch sessions at rest: what follows partitions in which nothing happens keeps its place in their lists from one
//! request to the next, and hears of everything all the same.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::runtime::partitions::Replica;
use protocol::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::fetch::ForgottenTopic;
use protocol::messages::{DeleteRecordsRequest, DeleteTopicsRequest, FetchRequest, FetchResponse, Message};
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
}

impl Follower {
    fn open(node: &TestNode) -> Self {
        let mut client = node.connect();
        client.create(&["t"]);
        client.produce("t", 0, batch(&["first"]));
        let request = FetchRequest { session_epoch: 0, ..fetch_request("t", 0, 1, 0) };
        let session = FetchResponse::decode(&client.ask(&request, VERSION), VERSION).unwrap().session_id;
        Self { client, session, epoch: 0 }
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
