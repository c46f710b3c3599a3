//! Bugs that other brokers had, one node's worth of them: what a test here or elsewhere shows not to be one of ours.
//!
//! | bug | the test |
//! |---|---|
//! | a leader that wrote nothing does not know where its epoch begins (KAFKA-7415) | `partition/fetch`: `a_leader_that_has_written_nothing_knows_where_its_epoch_begins` |
//! | epochs wrong after truncation (KAFKA-10706) | `partition/leader_epochs`: `cache_agrees_with_a_scan` |
//! | uncommitted records where a segment begins at the high watermark (KAFKA-9196) | `a_segment_that_begins_at_the_high_watermark_shows_nothing` |
//! | retention beyond the high watermark (KAFKA-5634) | `partition/retention`: `nothing_goes_past_the_high_watermark` |
//! | checkpoints and snapshots empty after a crash (KAFKA-16541, KAFKA-9892) | `storage/whole_file`, and the simulated disk |
//! | a clean mark that vouches for too much (KAFKA-10471, KAFKA-15375) | `storage/clean_shutdown`, `storage/log_dirs`: `a_log_that_could_not_be_loaded_keeps_its_checkpoints_and_is_not_called_clean` |
//! | appends after an error of the disk, half an append (KAFKA-10778, KAFKA-7866) | `storage/log`: `an_error_of_the_disk_ends_appends_at_once`, `each_failing_step_of_an_append_leaves_log_and_machine_as_they_were` |
//! | preallocated indexes, tails of zeros, lost indexes (KAFKA-19200, KAFKA-13603) | `storage/entry_file`, `storage/segments` |
//! | a restart that reads everything (KAFKA-12520) | `storage/log_dirs`: `a_clean_start_reads_no_more_than_it_must`; `storage/log`: `one_odd_snapshot_costs_a_start_no_more_than_a_segment`; `records.rs`: `checkpoints_are_written_while_the_broker_runs` |
//! | offsets and positions beyond 31 bits (KAFKA-1670, KAFKA-6264) | `partition/segments`: `each_bound_rolls_just_past_it` |
//! | an fsync that is tried again | `storage/group_commit`: `a_failed_fsync_fails_all_who_waited_and_is_never_tried_again` |
//! | only the last batch of a producer is known | `partition/append`: `the_last_five_batches_are_known_again_by_their_first_offset` |
//! | a duplicate whose records are gone (KAFKA-14034) | `a_duplicate_is_known_when_its_records_are_gone` |
//! | memory that grows with each producer that ever wrote | `partition/append`: `beyond_the_bound_who_wrote_longest_ago_is_forgotten_and_nobody_in_a_transaction`; `a_broker_remembers_no_more_producers_than_it_may` |
//! | a producer forgotten with its records (KAFKA-7190, KAFKA-9144) | `a_producer_outlives_its_records_and_a_restart` |
//! | sequences beyond 31 bits (KAFKA-7692) | `partition/append`: `a_batch_across_the_end_of_sequences_is_known_again` |
//! | a producer id given twice (KAFKA-15552) | `versions.rs`: `producer_ids_are_never_given_twice` |
//! | sessions that hold on to what has changed (KAFKA-9338, KAFKA-8052) | `a_session_hears_of_a_topic_made_anew`; `answers` after a restart |
//! | errors in the wrong version (KAFKA-3427) | `answers_decode_in_every_version` beside produce and fetch; `answers` |
//! | bad input that stops the broker or takes its memory (KAFKA-765, KAFKA-2878, KAFKA-7639) | `bad_input.rs`, `memory.rs`, `memory_of_requests.rs` |
//! | data of a topic under the name of another (KAFKA-2143, KAFKA-14616) | `storage/log_dirs`: `a_topic_made_anew_does_not_begin_where_the_old_one_did` |
//! | aborted records read where the high watermark moves meanwhile, or by who takes the last stable offset for a record (KAFKA-9807) | `transactions.rs`: `what_old_clients_commit_is_seen_and_what_they_abort_is_not`; `sim/transactions`; `coordinator/tests/hundred_producers` |
//! | offsets looked up beyond the last stable one (KAFKA-5522) | the same |
//! | a transaction completed twice or never (KAFKA-10080, KAFKA-16352) | `sim/transactions`; `transaction_ends.rs`: `markers_are_written_after_a_death_between_the_decision_and_them`; `schedules`: `a_marker_ends_the_transaction_it_was_written_for` |
//! | epochs that grow though nothing is written, or run out (KAFKA-9666, KAFKA-18660, KAFKA-20090) | `coordinator/tests/transactions`: `full-disk.txt`, `exhausted.txt`; `transaction_interleavings` |
//! | a commit that meets a time-out (KAFKA-20785), an end that is asked for twice or by an epoch to come (KAFKA-9600) | `coordinator/tests/transactions`: `timeout.txt`, `again.txt` |
//! | what comes late joins the next transaction (KIP-890) | `transactions.rs`: `each_transaction_of_new_clients_has_an_epoch_of_its_own`; `sim/transactions` |
//! | a coordinator that dies in the middle of a transaction | `coordinator/tests/transactions`: `crash.txt`; `conformance transactions` |
//! | a partition with two owners (KAFKA-16147, KAFKA-12984) | `consumer_interleavings`, `streams_interleavings`, with a hundred members too; `schedules`: `no_partition_has_two_owners`; `assignor/tests`: `a_wrong_past_is_mended` |
//! | a group that waits for ever (KAFKA-12890, KAFKA-9752) | `coordinator/tests/transcripts`: `silent.txt`, `consumer-upgrade.txt`; `interleavings` |
//! | offsets that expire too early (KAFKA-13636, KAFKA-8069) or while a transaction commits them | `coordinator/tests/transcripts`: `expire.txt`, `streams-expire.txt`, `transaction.txt`; `groups.rs`: `offsets_expire_by_what_old_clients_say_of_them` |
//! | memory and log that differ (KAFKA-20845) | each step of every transcript and interleaving |
//! | a coordinator that lost its partition and goes on (KAFKA-20115, KAFKA-4362) | `coordinators.rs`: `a_coordinator_whose_partition_is_lost_answers_nobody` |
//! | a log that cannot be loaded once compacted (KAFKA-17306) | `interleavings`: `a_log_that_was_compacted_says_the_same` |
//! | no offset where there is one, while a coordinator loads or leadership moves | `groups.rs`: `members_and_offsets_outlive_a_restart`; `reloads.rs`: `no_consumer_hears_that_nothing_is_committed_while_its_shard_is_loaded_anew`; `schedules`: `a_reign_is_loaded_once_and_nothing_acknowledged_is_lost_between_reigns` |
//! | offsets of overlapping transactions that differ after a load, as the order of the markers was taken for that of the records | `coordinator/tests/transcripts`: `transaction.txt` |
//! | aborted records kept from who reads everything | `transactions.rs`: `what_old_clients_commit_is_seen_and_what_they_abort_is_not` |
//! | a cut of the log that a consumer does not hear of, as the leader epoch it committed is not told | `groups.rs`: `offsets_are_kept_in_every_version_that_names_topics` |
//! | a commit that is refused, or refused too late, because its size was guessed before it was compressed (KAFKA-19760) | `what_a_commit_takes_is_known_when_it_is_compressed` |
//! | batches verified on one thread and appended on another, or through the buffer of another (KAFKA-15784, KAFKA-15653) | `compressed_batches_that_wait_for_their_coordinators_stay_apart` |
//! | aborted records read where a log goes over into a remote tier, as records come from there and the list of aborted transactions from here | concerns nothing here: there is no remote tier |
//! | a question that a coordinator refuses, in the way of the producer it names | `partition/verifications`: `a_question_that_was_refused_was_never_asked`; `who_asks_in_the_name_of_another_is_not_in_its_way`, `who_asks_for_several_producers_at_once_is_in_nobodys_way` |
//! | an abort that moves what was committed | `transactions.rs`: `offsets_count_when_their_transaction_commits`; `conformance clients`: the Java consumer that goes back after an abort |
//! | a time-out that is told as a fence without being one | `transactions.rs`: `a_transaction_that_runs_out_of_time_is_aborted_and_its_producer_fenced` (the codes are Kafka's) |
//! | offsets of a topic that is gone, given to its successor (KAFKA-12257) | `coordinator/tests/transcripts`: `commit.txt`; `coordinators.rs`: `offsets_of_a_topic_deleted_while_its_shard_loads_are_forgotten` |

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use protocol::ErrorCode;
use protocol::id::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::messages::create_topics::CreatableTopic;
use protocol::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::describe_producers::TopicRequest;
use protocol::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_fetch::OffsetFetchRequestGroup;
use protocol::messages::{
    CreateTopicsRequest, DeleteRecordsRequest, DeleteRecordsResponse, DeleteTopicsRequest,
    DescribeProducersRequest, DescribeProducersResponse, EndTxnRequest, EndTxnResponse, FetchResponse,
    FindCoordinatorRequest, InitProducerIdRequest, InitProducerIdResponse, Message, OffsetCommitRequest,
    OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse, ProduceRequest,
};
use protocol::records::batches::Batches;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::{Codec, Compressors, Decompressors};
use protocol::records::record::Records;
use raw::Client;
use raw::ask::{fetch_request, produce_request, produced};
use raw::batch::{batch, of_producer};
use raw::node::{TestNode, start};

/// Deletes everything in partition 0 of `t`; where the log begins afterwards.
fn delete_all(client: &mut Client) -> i64 {
    let partition = DeleteRecordsPartition { partition_index: 0, offset: -1 };
    let topic = DeleteRecordsTopic { name: "t".into(), partitions: vec![partition].into() };
    let request = DeleteRecordsRequest { topics: vec![topic].into(), timeout_ms: 1000 };
    let body = client.ask(&request, 2);
    let response = DeleteRecordsResponse::decode(&body, 2).unwrap();
    let topic = response.topics.iter().next().unwrap();
    let partition = topic.partitions.iter().next().unwrap();
    assert_eq!(partition.error_code, 0);
    partition.low_watermark
}

#[test]
fn a_segment_that_begins_at_the_high_watermark_shows_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("log.segment.bytes", "1048576")]);
    let mut client = node.connect();
    client.create(&["t"]);
    for number in 0..6 {
        assert_eq!(client.produce("t", 0, batch(&[&"x".repeat(600_000)])).base_offset, number);
        assert_eq!(client.fetch("t", 0, number + 1), (0, number + 1, vec![]), "at the end after {number}");
        assert_eq!(client.fetch("t", 0, number).2.len(), 1);
    }
}

#[test]
fn a_duplicate_is_known_when_its_records_are_gone() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("log.segment.bytes", "1048576"), ("log.retention.bytes", "1")]);
    let mut client = node.connect();
    client.create(&["t"]);
    let large = "x".repeat(600_000);
    for sequence in 0..4 {
        let first = i64::from(sequence);
        assert_eq!(client.produce("t", 0, of_producer((7, 0, sequence), &[&large])).base_offset, first);
    }
    assert_eq!(delete_all(&mut client), 4);
    let broker = node.node().broker();
    assert!(broker.log_dirs.retain(broker.now()).0 > 0, "segments went");
    for sequence in 0..4 {
        let again = client.produce("t", 0, of_producer((7, 0, sequence), &[&large]));
        assert_eq!((again.error, again.base_offset), (0, i64::from(sequence)));
    }
    assert_eq!(client.fetch("t", 0, 4), (0, 4, vec![]), "nothing was appended");
}

#[test]
fn a_producer_outlives_its_records_and_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut node = start(directory.path(), &[]);
    let mut client = node.connect();
    client.create(&["t"]);
    assert_eq!(client.produce("t", 0, of_producer((7, 3, 0), &["a", "b"])).base_offset, 0);
    assert_eq!(delete_all(&mut client), 2);
    for round in 0..2 {
        assert_eq!(client.produce("t", 0, of_producer((7, 3, 9), &["gap"])).error, 45, "round {round}");
        assert_eq!(client.produce("t", 0, of_producer((7, 2, 0), &["old"])).error, 47, "round {round}");
        assert_eq!(client.produce("t", 0, of_producer((7, 3, 0), &["a", "b"])).base_offset, 0);
        drop(client);
        node.stop();
        node = start(directory.path(), &[]);
        client = node.connect();
    }
    assert_eq!(client.produce("t", 0, of_producer((7, 3, 2), &["c"])).base_offset, 2);
}

/// How many producers a partition remembers, and whether this one is among them.
fn remembered(client: &mut Client, id: i64) -> (usize, bool) {
    let topic = TopicRequest { name: "t".into(), partition_indexes: vec![0].into() };
    let body = client.ask(&DescribeProducersRequest { topics: vec![topic].into() }, 0);
    let response = DescribeProducersResponse::decode(&body, 0).unwrap();
    let topic = response.topics.iter().next().unwrap();
    let partition = topic.partitions.iter().next().unwrap();
    let known: Vec<_> = partition.active_producers.iter().map(|producer| producer.producer_id).collect();
    (known.len(), known.contains(&id))
}

/// As where a million ids write to a hundred thousand places, a five-hundredth of either.
#[test]
fn a_broker_remembers_no_more_producers_than_it_may() {
    const MOST: usize = 200;
    let directory = tempfile::tempdir().unwrap();
    let settings = [("headwater.producer.ids.max", "200")];
    let node = start(directory.path(), &settings);
    let mut client = node.connect();
    client.create(&["t"]);
    let (others, patient) = (1000..3000, 7);
    for (written, id) in (0..).zip(others.clone()) {
        assert_eq!(client.produce("t", 0, of_producer((id, 0, 0), &["once"])).error, 0);
        if written % 100 == 0 {
            // Who writes now and then is remembered, however many others come.
            assert_eq!(client.produce("t", 0, of_producer((patient, 0, written / 100), &["again"])).error, 0);
            let (known, is_among) = remembered(&mut client, patient);
            assert!(known <= MOST && is_among, "{known} after {written}");
        }
    }
    let (first, last) = (others.start, others.end - 1);
    let end = client.produce("t", 0, of_producer((patient, 0, 20), &["again"])).base_offset;
    for (sender, sequence) in [(last, 0), (patient, 20)] {
        let again = client.produce("t", 0, of_producer((sender, 0, sequence), &["again"]));
        assert!(again.error == 0 && again.base_offset <= end, "{sender} is known again: {again:?}");
    }
    drop(client);
    node.stop();
    let node = start(directory.path(), &settings);
    let mut client = node.connect();
    let (known, is_among) = remembered(&mut client, patient);
    assert!(known <= MOST && is_among, "{known} after a restart");
    assert!(!remembered(&mut client, first).1, "who wrote longest ago");
    // Who was forgotten is taken for one who was never there.
    let again = client.produce("t", 0, of_producer((first, 0, 0), &["once"]));
    assert_eq!((again.error, again.base_offset), (0, end + 1));
}

#[test]
fn a_session_hears_of_a_topic_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut client = node.connect();
    client.create(&["t"]);
    client.produce("t", 0, batch(&["old"]));
    let mut request = fetch_request("t", 0, 1, 0);
    request.session_epoch = 0;
    let body = client.ask(&request, 11);
    let session = FetchResponse::decode(&body, 11).unwrap().session_id;
    let mut follow = |epoch| {
        let mut request = fetch_request("t", 0, 0, 0);
        request.topics = Vec::new().into();
        (request.session_id, request.session_epoch) = (session, epoch);
        let body = client.ask(&request, 11);
        let response = FetchResponse::decode(&body, 11).unwrap();
        let topic = response.responses.iter().next()?;
        topic.partitions.iter().next().map(|partition| partition.error_code)
    };
    assert_eq!(follow(1), None, "nothing is new");
    let mut admin = node.connect();
    let request =
        DeleteTopicsRequest { topic_names: vec!["t".into()].into(), timeout_ms: 5000, ..Default::default() };
    admin.ask(&request, 3);
    assert_eq!(follow(2), Some(3), "it is gone");
    admin.create(&["t"]);
    // The new topic has no offset 1: a reader that kept its place must hear so.
    assert_eq!(follow(3), Some(1));
}

/// Creates `t` with so many partitions, and has the coordinators of what is named begin.
fn create(node: &TestNode, partitions: i32, keys: &[(&str, i8)]) -> Client {
    let mut client = node.connect();
    let topic = CreatableTopic {
        name: "t".into(),
        num_partitions: partitions,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let topics = vec![topic].into();
    client.ask(&CreateTopicsRequest { topics, timeout_ms: 60_000, ..CreateTopicsRequest::default() }, 5);
    for (key, key_type) in keys {
        let request = FindCoordinatorRequest {
            key: (*key).to_owned().into(),
            key_type: *key_type,
            ..FindCoordinatorRequest::default()
        };
        client.ask(&request, 3);
    }
    client
}

/// Commits an offset of each partition of `t` with a note of 4,000 characters each; the worst error.
fn commit(client: &mut Client, partitions: i32, offset: i64, note: impl Fn(i32) -> String) -> i16 {
    let partition = |partition_index| OffsetCommitRequestPartition {
        partition_index,
        committed_offset: offset,
        committed_metadata: Some(note(partition_index).into()),
        ..OffsetCommitRequestPartition::default()
    };
    let partitions: Vec<_> = (0..partitions).map(partition).collect();
    let topic = OffsetCommitRequestTopic {
        name: "t".into(),
        partitions: partitions.into(),
        ..OffsetCommitRequestTopic::default()
    };
    let request = OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic].into(),
        ..OffsetCommitRequest::default()
    };
    let body = client.ask(&request, 8);
    let response = OffsetCommitResponse::decode(&body, 8).unwrap();
    let topic = response.topics.iter().next().unwrap();
    topic.partitions.iter().map(|partition| partition.error_code).max_by_key(|code| code.abs()).unwrap()
}

/// Offset and note of each partition of `t`.
fn offsets(client: &mut Client) -> Vec<(i64, String)> {
    let group =
        OffsetFetchRequestGroup { group_id: "g".into(), topics: None, ..OffsetFetchRequestGroup::default() };
    let groups = vec![group];
    let request = OffsetFetchRequest { groups: groups.into(), ..OffsetFetchRequest::default() };
    let body = client.ask(&request, 8);
    let response = OffsetFetchResponse::decode(&body, 8).unwrap();
    let group = response.groups.iter().next().unwrap();
    let Some(topic) = group.topics.iter().next() else { return Vec::new() };
    let mut all: Vec<_> = topic
        .partitions
        .iter()
        .map(|it| (it.partition_index, (it.committed_offset, it.metadata.unwrap_or_default().into_owned())))
        .collect();
    all.sort();
    all.into_iter().map(|(_, kept)| kept).collect()
}

/// Text that hardly gets shorter by compression.
fn noise(seed: i32) -> String {
    let mut state = u64::from(seed.cast_unsigned()) << 20 | 0x9e37;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + u8::try_from(state % 94).unwrap())
    };
    std::iter::repeat_with(next).take(4_000).collect()
}

#[test]
fn what_a_commit_takes_is_known_when_it_is_compressed() {
    let directory = tempfile::tempdir().unwrap();
    let gzip = [("offsets.topic.compression.codec", "1"), ("offsets.topic.num.partitions", "1")];
    let node = start(directory.path(), &gzip);
    let mut client = create(&node, 400, &[("g", 0)]);
    assert_eq!(commit(&mut client, 200, 1, noise), 0, "800 KB");
    let kept = offsets(&mut client);
    assert_eq!(kept, (0..200).map(|partition| (1, noise(partition))).collect::<Vec<_>>());
    // 1.6 MB, and still more than a batch may have when compressed: nothing of it counts.
    let refused = commit(&mut client, 400, 2, noise);
    assert_eq!(refused, i16::from(ErrorCode::UnknownServerError));
    assert_eq!(offsets(&mut client), kept);
    assert_eq!(commit(&mut client, 400, 3, |_| "a".repeat(4_000)), 0, "as much, and short when compressed");
    assert_eq!(offsets(&mut client), vec![(3, "a".repeat(4_000)); 400]);
    assert_eq!(commit(&mut client, 1, 4, noise), 0, "what was refused is in the way of nothing");
}

/// A producer of transactions of the clients of today.
struct Producer {
    name: String,
    id: i64,
    epoch: i16,
}

impl Producer {
    fn new(client: &mut Client, name: String) -> Self {
        let request = InitProducerIdRequest {
            transactional_id: Some(name.clone().into()),
            transaction_timeout_ms: 60_000,
            ..InitProducerIdRequest::default()
        };
        let body = client.ask(&request, 5);
        let said = InitProducerIdResponse::decode(&body, 5).unwrap();
        assert_eq!(said.error_code, 0);
        Self { name, id: said.producer_id, epoch: said.producer_epoch }
    }

    /// A batch of a transaction.
    fn batch(&self, sequence: i32, values: &[String]) -> Vec<u8> {
        let mut builder = BatchBuilder::new(BatchOptions {
            compression: Codec::Zstd.into(),
            producer: (ProducerId(self.id), ProducerEpoch(self.epoch), Sequence(sequence)),
            transactional: true,
            ..BatchOptions::default()
        });
        for value in values {
            builder.push(Timestamp(1_700_000_000_000), None, Some(value.as_bytes()), &[]);
        }
        builder.finish(&mut Compressors::default()).unwrap()
    }

    /// Sends a batch as part of a transaction of `name`; Kafka's code.
    fn send(&self, client: &mut Client, name: &str, sequence: i32, values: &[String]) -> i16 {
        let mut request = produce_request("t", 0, -1, self.batch(sequence, values));
        request.transactional_id = Some(name.to_owned().into());
        let body = client.ask(&request, 12);
        produced(&body, 12).error
    }

    fn end(&mut self, client: &mut Client) {
        let request = EndTxnRequest {
            transactional_id: self.name.clone().into(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            committed: true,
        };
        let body = client.ask(&request, 5);
        let said = EndTxnResponse::decode(&body, 5).unwrap();
        assert_eq!(said.error_code, 0);
        (self.id, self.epoch) = (said.producer_id, said.producer_epoch);
    }
}

/// The values in partition 0 of `t`, those of markers left out.
fn all_values(client: &mut Client) -> Vec<String> {
    let (mut values, mut next) = (Vec::new(), 0);
    loop {
        let body = client.ask(&fetch_request("t", 0, next, 0), 11);
        let response = FetchResponse::decode(&body, 11).unwrap();
        let topic = response.responses.iter().next().unwrap();
        let partition = topic.partitions.iter().next().unwrap();
        assert_eq!(partition.error_code, 0);
        for batch in Batches::new(partition.records.as_deref().unwrap_or_default()) {
            batch.verify_crc().unwrap();
            next = batch.header.last_offset().0 + 1;
            if batch.header.attributes.is_control() {
                continue;
            }
            let mut decompressors = Decompressors::default();
            let mut stream = decompressors.start(Codec::Zstd, batch.payload(), 1 << 20).unwrap();
            let mut payload = Vec::new();
            loop {
                match stream.next_step().unwrap() {
                    [] => break,
                    step => payload.extend_from_slice(step),
                }
            }
            for record in Records::new(&payload, batch.header.count) {
                values.push(String::from_utf8(record.unwrap().value.unwrap().to_vec()).unwrap());
            }
        }
        if next >= partition.high_watermark {
            return values;
        }
    }
}

#[test]
fn compressed_batches_that_wait_for_their_coordinators_stay_apart() {
    const PRODUCERS: usize = 8;
    const TRANSACTIONS: usize = 20;
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("transaction.state.log.num.partitions", "4")]);
    let mut client = create(&node, 1, &[("p", 1)]);
    let value = |producer: usize, transaction: usize, record: usize| {
        format!("{producer} {transaction} {record} ").repeat(1 + (producer * 7 + record) % 40)
    };
    std::thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let node = &node;
            scope.spawn(move || {
                let mut client = node.connect();
                let mut known = Producer::new(&mut client, format!("p{producer}"));
                for transaction in 0..TRANSACTIONS {
                    let values: Vec<_> = (0..20).map(|record| value(producer, transaction, record)).collect();
                    let name = known.name.clone();
                    // The transaction before may just be ending.
                    while known.send(&mut client, &name, 0, &values)
                        == i16::from(ErrorCode::ConcurrentTransactions)
                    {}
                    known.end(&mut client);
                }
            });
        }
    });
    let mut seen = all_values(&mut client);
    let all = (0..PRODUCERS).flat_map(|producer| {
        (0..TRANSACTIONS)
            .flat_map(move |transaction| (0..20).map(move |record| value(producer, transaction, record)))
    });
    let mut all: Vec<String> = all.collect();
    all.sort();
    seen.sort();
    assert!(seen == all, "{} records of {}", seen.len(), all.len());
}

#[test]
fn who_asks_in_the_name_of_another_is_not_in_its_way() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("transaction.state.log.num.partitions", "1")]);
    let mut client = create(&node, 1, &[("p", 1)]);
    let producer = Producer::new(&mut client, "p".to_owned());
    let forged = Producer { name: "other".to_owned(), id: producer.id, epoch: producer.epoch + 5 };
    let values = ["mine".to_owned()];
    // No sequence at all, which is lower than any.
    let refused = forged.send(&mut node.connect(), "other", -1, &values);
    assert_eq!(refused, i16::from(ErrorCode::InvalidProducerIdMapping));
    assert_eq!(producer.send(&mut client, "p", 0, &values), 0);
    assert_eq!(producer.send(&mut client, "p", 1, &values), 0);
}

#[test]
fn who_asks_for_several_producers_at_once_is_in_nobodys_way() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("transaction.state.log.num.partitions", "1")]);
    let mut client = create(&node, 2, &[("p", 1)]);
    let producer = Producer::new(&mut client, "p".to_owned());
    let values = ["mine".to_owned()];
    let other = Producer { name: "other".to_owned(), id: producer.id + 1, epoch: 0 };
    let request = ProduceRequest {
        transactional_id: Some("other".into()),
        topic_data: [(0, &producer), (1, &other)]
            .map(|(partition, sender)| produce_request("t", partition, -1, sender.batch(-1, &values)))
            .iter()
            .flat_map(|request| request.topic_data.iter())
            .collect(),
        ..produce_request("t", 0, -1, Vec::new())
    };
    let refused = produced(&node.connect().ask(&request, 12), 12).error;
    assert_eq!(refused, i16::from(ErrorCode::InvalidProducerIdMapping));
    assert_eq!(producer.send(&mut client, "p", 0, &values), 0);
}
