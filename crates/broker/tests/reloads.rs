//! Offsets that are asked for while the shard that has them reads its log: whoever hears that nothing is committed begins anew, so
//! anything else may be told, but not that.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;
mod shard;

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use protocol::ErrorCode;
use protocol::id::TopicId;
use protocol::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics, OffsetFetchResponseGroup,
};
use protocol::messages::{
    FindCoordinatorRequest, Message, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest,
    OffsetFetchResponse,
};
use raw::Client;
use raw::node::{TestNode, start};
use shard::{home, panic_with};

/// Two groups in shards of their own, and what each has committed.
const READ: [(&str, i64); 2] = [("g", 500), ("h", 7)];
/// How many ask at once.
const ASKERS: usize = 4;
/// What those are told who come too early.
const COME_AGAIN: [ErrorCode; 3] =
    [ErrorCode::CoordinatorLoadInProgress, ErrorCode::NotCoordinator, ErrorCode::CoordinatorNotAvailable];

/// A way to ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Question {
    version: i16,
    /// What a group has committed of all topics, not of one.
    all: bool,
}

/// Every way to ask.
fn questions() -> Vec<Question> {
    let of_one = (0..=10).map(|version| Question { version, all: false });
    of_one.chain((2..=10).map(|version| Question { version, all: true })).collect()
}

fn commit(client: &mut Client, group: &'static str, offset: i64) {
    let partition = OffsetCommitRequestPartition { committed_offset: offset, ..Default::default() };
    let topic = OffsetCommitRequestTopic {
        name: "t".into(),
        partitions: vec![partition].into(),
        ..OffsetCommitRequestTopic::default()
    };
    let request = OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic].into(),
        ..OffsetCommitRequest::default()
    };
    let body = client.ask(&request, 6);
    let response = OffsetCommitResponse::decode(&body, 6).unwrap();
    assert_eq!(response.topics.iter().next().unwrap().partitions.iter().next().unwrap().error_code, 0);
}

/// What a group has committed of the first partition of `t`, -1 for nothing.
type Told = Result<i64, ErrorCode>;

fn told(error: i16, offset: Option<i64>) -> Told {
    match ErrorCode::from_i16(error).unwrap() {
        ErrorCode::None => Ok(offset.unwrap_or(-1)),
        error => Err(error),
    }
}

/// What the groups have committed: of the first one only in versions that ask for one at a time.
fn ask(client: &mut Client, question: Question, id: TopicId) -> Vec<Told> {
    let Question { version, all } = question;
    let mut request = OffsetFetchRequest::default();
    if version < 8 {
        let topic = OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0].into() };
        request.group_id = READ[0].0.into();
        request.topics = (!all).then(|| vec![topic].into());
    } else {
        let groups = READ.map(|(group, _)| {
            let topic = OffsetFetchRequestTopics {
                name: "t".into(),
                topic_id: id,
                partition_indexes: vec![0].into(),
            };
            OffsetFetchRequestGroup {
                group_id: group.into(),
                topics: (!all).then(|| vec![topic].into()),
                ..OffsetFetchRequestGroup::default()
            }
        });
        request.groups = groups.to_vec().into();
    }
    let body = client.ask(&request, version);
    let response = OffsetFetchResponse::decode(&body, version).unwrap();
    if version < 8 {
        let known = response.topics.iter().next().and_then(|topic| topic.partitions.iter().next());
        let of_partition = known.as_ref().map_or(0, |known| known.error_code);
        let error = if response.error_code == 0 { of_partition } else { response.error_code };
        return vec![told(error, known.map(|known| known.committed_offset))];
    }
    let of_group = |group: OffsetFetchResponseGroup<'_>| {
        let known = group.topics.iter().next().and_then(|topic| topic.partitions.iter().next());
        let of_partition = known.as_ref().map_or(0, |known| known.error_code);
        let error = if group.error_code == 0 { of_partition } else { group.error_code };
        told(error, known.map(|known| known.committed_offset))
    };
    response.groups.into_vec().into_iter().map(of_group).collect()
}

/// Asks until the groups' offsets are told, which nothing but an error that has clients come again may come before.
fn ask_until_told(client: &mut Client, question: Question, id: TopicId) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let said = ask(client, question, id);
        for (said, (group, offset)) in said.iter().zip(READ) {
            match said {
                Ok(told) => assert_eq!(*told, offset, "{question:?} of {group}"),
                Err(error) => assert!(COME_AGAIN.contains(error), "{question:?} of {group}: {error:?}"),
            }
        }
        if said.iter().all(Result::is_ok) {
            return;
        }
        assert!(Instant::now() < deadline, "{question:?}: {said:?}");
        thread::yield_now();
    }
}

/// A node with both groups, and the id of `t`.
fn node(directory: &std::path::Path) -> (TestNode, TopicId) {
    let node = start(directory, &[]);
    let mut client = node.connect();
    client.create(&["t"]);
    client.ask(&FindCoordinatorRequest { key: "g".into(), ..FindCoordinatorRequest::default() }, 0);
    for (group, offset) in READ {
        (0..=offset).for_each(|offset| commit(&mut client, group, offset));
    }
    let id = node.node().broker().image().topics.id_of("t").unwrap();
    (node, id)
}

#[test]
fn no_consumer_hears_that_nothing_is_committed_while_its_shard_is_loaded_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (node, id) = node(directory.path());
    let loaded_from = home(&node, "g");
    // All have asked in every way while the shard can read nothing of its log, and go on asking when it can.
    let (asked, all_asked) = channel::<()>();
    thread::scope(|scope| {
        let held = loaded_from.log().unwrap();
        panic_with(&node, "g");
        for asked in vec![asked; ASKERS] {
            let node = &node;
            scope.spawn(move || {
                let mut client = node.connect();
                // The first version asks for no coordinator, and waits for it instead.
                for question in questions().into_iter().filter(|question| question.version > 0) {
                    let said = ask(&mut client, question, id);
                    assert_eq!(said[0], Err(ErrorCode::CoordinatorLoadInProgress), "{question:?}");
                    assert!(said[1..].iter().all(|said| *said == Ok(READ[1].1)), "{question:?}: {said:?}");
                }
                drop(asked);
                for question in questions() {
                    ask_until_told(&mut client, question, id);
                }
            });
        }
        assert!(all_asked.recv().is_err(), "nothing is sent");
        drop(held);
    });
    node.stop();
}

#[test]
fn no_consumer_hears_that_nothing_is_committed_while_a_node_starts() {
    let directory = tempfile::tempdir().unwrap();
    let (first, id) = node(directory.path());
    first.stop();
    for first_asked in [0, 5, 8, 15] {
        let node = start(directory.path(), &[]);
        let mut client = node.connect();
        let all = questions();
        for question in all[first_asked..].iter().chain(&all) {
            ask_until_told(&mut client, *question, id);
        }
        node.stop();
    }
}
