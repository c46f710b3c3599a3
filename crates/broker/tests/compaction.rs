//! Compaction in a running node: beside produces and fetches, by its settings, and in its metrics.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::time::{Duration, Instant};

use protocol::ErrorCode;
use protocol::id::Timestamp;
use protocol::messages::create_topics::{CreatableTopic, CreatableTopicConfig};
use protocol::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, FetchResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, Message,
};
use protocol::records::batches::Batches;
use protocol::records::build::{BatchBuilder, BatchOptions};
use raw::Client;
use raw::ask::{fetch_request, fetched};
use raw::node::{TestNode, start};

const QUICK: [(&str, &str); 2] =
    [("log.cleaner.backoff.ms", "5"), ("log.cleaner.min.cleanable.ratio", "0.01")];

fn create(client: &mut Client, name: &str, configs: &[(&str, &str)]) {
    let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
        name: (*name).to_owned().into(),
        value: Some((*value).to_owned().into()),
    };
    let topic = CreatableTopic {
        name: name.to_owned().into(),
        num_partitions: 1,
        replication_factor: 1,
        configs: configs.iter().map(config).collect::<Vec<_>>().into(),
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic].into(), timeout_ms: 5000, ..Default::default() };
    let body = client.ask(&request, 7);
    let response = CreateTopicsResponse::decode(&body, 7).unwrap();
    assert_eq!(response.topics.iter().next().unwrap().error_code, 0);
}

fn put(client: &mut Client, key: &str, value: &str) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let value = format!("{value}{}", " ".repeat(300));
    builder.push(Timestamp(now.as_millis() as i64), Some(key.as_bytes()), Some(value.as_bytes()), &[]);
    assert_eq!(client.produce("t", 0, builder.finish_uncompressed()).error, 0);
}

/// All values from the front, however many fetches that takes.
fn values(client: &mut Client) -> Vec<String> {
    let (mut all, mut offset) = (Vec::new(), 0);
    loop {
        let body = client.ask(&fetch_request("t", 0, offset, 0), 11);
        let (error, high_watermark, values) = fetched(&body, 11);
        assert_eq!(error, 0);
        all.extend(values.iter().map(|value| value.trim_end().to_owned()));
        let response = FetchResponse::decode(&body, 11).unwrap();
        let topic = response.responses.iter().next().unwrap();
        let partition = topic.partitions.iter().next().unwrap();
        let last = Batches::new(partition.records.as_deref().unwrap_or_default()).last();
        // Readers go on behind the batch, for compaction may have taken its last record.
        offset = last.map_or(high_watermark, |batch| batch.header.next_offset().0);
        if offset >= high_watermark {
            return all;
        }
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn metric(node: &TestNode, name: &str) -> f64 {
    let text = broker::metrics::exposition::text(node.node().broker());
    let line = text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn of_each_key_the_last_value_is_left_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &QUICK);
    let mut client = node.connect();
    create(&mut client, "t", &[("cleanup.policy", "compact"), ("internal.segment.bytes", "2000")]);
    for round in 0..20 {
        for key in ["a", "b", "c"] {
            put(&mut client, key, &format!("{key}{round}"));
        }
    }
    // The active segment is never compacted.
    until("the log is compacted", || values(&mut client).len() <= 10);
    let found = values(&mut client);
    assert_eq!(found[found.len() - 3..], ["a19", "b19", "c19"]);
    until("the cleaning is told", || {
        metric(&node, "kafka_log_logcleaner_max_buffer_utilization_percent") > 0.0
    });
    assert!(metric(&node, "kafka_log_logcleanermanager_time_since_last_run_ms") < 60_000.0);
    for name in ["logcleaner_deadthreadcount", "logcleanermanager_uncleanable_partitions_count"] {
        assert!(metric(&node, &format!("kafka_log_{name}")).abs() < 0.5, "{name}");
    }
    drop(client);
    node.stop();
    let checkpoint = std::fs::read_to_string(directory.path().join("cleaner-offset-checkpoint")).unwrap();
    let line = checkpoint.lines().nth(2).unwrap().strip_prefix("t 0 ").unwrap();
    assert!((50..60).contains(&line.parse::<i64>().unwrap()), "{checkpoint}");
    let node = start(directory.path(), &QUICK);
    let again = values(&mut node.connect());
    assert_eq!(again[again.len() - 3..], ["a19", "b19", "c19"]);
}

#[test]
fn nothing_is_compacted_where_it_is_off_and_settings_change_while_it_runs() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("log.cleaner.backoff.ms", "5"), ("log.cleaner.threads", "1")]);
    let mut client = node.connect();
    let configs = [
        ("cleanup.policy", "compact"),
        ("internal.segment.bytes", "1000"),
        ("min.cleanable.dirty.ratio", "1.0"),
    ];
    create(&mut client, "t", &configs);
    for round in 0..30 {
        put(&mut client, "a", &format!("{round}"));
    }
    // A ratio of 1 is never exceeded, so however often the cleaner looks it does nothing.
    until("the cleaner has looked", || metric(&node, "kafka_log_logcleanermanager_max_dirty_percent") > 99.0);
    assert_eq!(values(&mut client).len(), 30);
    alter(&mut client, (4, "1"), ("log.cleaner.threads", "2"));
    alter(&mut client, (2, "t"), ("max.compaction.lag.ms", "1"));
    until("what is overdue is compacted whatever the ratio", || values(&mut client).len() <= 4);
    drop(client);
    node.stop();
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("log.cleaner.enable", "false")]);
    let mut client = node.connect();
    create(&mut client, "t", &[("cleanup.policy", "compact"), ("internal.segment.bytes", "1000")]);
    for round in 0..10 {
        put(&mut client, "a", &format!("{round}"));
    }
    assert_eq!(values(&mut client).len(), 10);
    assert!(metric(&node, "kafka_log_logcleanermanager_time_since_last_run_ms").abs() < 0.5, "nobody looks");
}

fn alter(client: &mut Client, (kind, resource): (i8, &str), (name, value): (&str, &str)) {
    let config = AlterableConfig {
        name: name.to_owned().into(),
        config_operation: 0,
        value: Some(value.to_owned().into()),
    };
    let resource = AlterConfigsResource {
        resource_type: kind,
        resource_name: resource.to_owned().into(),
        configs: vec![config].into(),
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource].into(), ..Default::default() };
    let body = client.ask(&request, 1);
    let response = IncrementalAlterConfigsResponse::decode(&body, 1).unwrap();
    assert_eq!(response.responses.iter().next().unwrap().error_code, i16::from(ErrorCode::None));
}

#[test]
fn a_partition_that_cannot_be_compacted_is_named_and_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("log.cleaner.enable", "false")]);
    let mut client = node.connect();
    create(&mut client, "t", &[("cleanup.policy", "compact"), ("internal.segment.bytes", "1000")]);
    for round in 0..10 {
        put(&mut client, "a", &format!("{round}"));
    }
    drop(client);
    node.stop();
    let path = directory.path().join("t-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[200] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let node = start(directory.path(), &QUICK);
    let name = "kafka_log_logcleanermanager_uncleanable_partitions_count";
    until("it is given up", || metric(&node, name) > 0.5);
    let text = broker::metrics::exposition::text(node.node().broker());
    assert!(text.contains("headwater_log_uncleanable{topic=\"t\",partition=\"0\"} 1"));
    assert!(metric(&node, "kafka_log_logcleanermanager_uncleanable_bytes") > 1000.0);
}

#[test]
fn a_cleaner_keeps_within_its_bytes_a_second() {
    let directory = tempfile::tempdir().unwrap();
    let slow = [&QUICK[..], &[("log.cleaner.io.max.bytes.per.second", "200000")]].concat();
    let node = start(directory.path(), &slow);
    let mut client = node.connect();
    // Nothing is compacted before all is written.
    let configs = [
        ("cleanup.policy", "compact"),
        ("internal.segment.bytes", "50000"),
        ("min.compaction.lag.ms", "3600000"),
    ];
    create(&mut client, "t", &configs);
    for round in 0..100 {
        for key in ["a", "b"] {
            put(&mut client, key, &format!("{key}{round}{}", "x".repeat(5000)));
        }
    }
    let begun = Instant::now();
    alter(&mut client, (2, "t"), ("min.compaction.lag.ms", "0"));
    until("the log is compacted", || values(&mut client).len() < 50);
    // A million bytes, which are read twice.
    assert!(begun.elapsed() > Duration::from_secs(4), "it took only {:?}", begun.elapsed());
}
