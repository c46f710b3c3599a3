//! Everything there is to tell, gathered when Prometheus asks.

use metadata::image::Partition;
use partition::watermarks::Role;
use protocol::ApiKey;
use protocol::id::TopicId;
use raft::RoleName;
use storage::directory_state::DirectoryHealth;
use storage::log_dirs::Uncleanable;

use super::text::{Kind, Text};
use super::topic::TopicMetrics;
use crate::Broker;

/// The text of `/metrics`.
pub fn text(broker: &Broker) -> String {
    let mut text = Text::default();
    topics(broker, &mut text);
    requests(broker, &mut text);
    connections(broker, &mut text);
    partitions(broker, &mut text);
    cleaner(broker, &mut text);
    super::groups::text(broker, &mut text);
    super::transactions::text(broker, &mut text);
    sessions(broker, &mut text);
    cluster(broker, &mut text);
    text.finish()
}

/// A count of a topic, by the name dashboards know.
type TopicCount = (&'static str, &'static str, fn(&TopicMetrics) -> u64);

const TOPIC_COUNTS: [TopicCount; 7] = [
    ("messagesin", "Records appended.", |topic| topic.messages_in.get()),
    ("bytesin", "Bytes of batches appended.", |topic| topic.bytes_in.get()),
    ("bytesout", "Bytes of batches sent to consumers.", |topic| topic.bytes_out.get()),
    ("totalproducerequests", "Produces of a partition.", |topic| topic.produce_requests.get()),
    ("totalfetchrequests", "Fetches of a partition.", |topic| topic.fetch_requests.get()),
    ("failedproducerequests", "Produces of a partition that failed.", |topic| {
        topic.failed_produce_requests.get()
    }),
    ("failedfetchrequests", "Fetches of a partition that failed.", |topic| topic.failed_fetch_requests.get()),
];

fn topics(broker: &Broker, text: &mut Text) {
    let (together, all) = (broker.metrics.topics.together(), broker.metrics.topics.all());
    for (name, help, count) in TOPIC_COUNTS {
        let name = format!("kafka_server_brokertopicmetrics_{name}_total");
        text.metric(&name, Kind::Counter, help);
        text.sample(&name, &[], count(&together));
        for (topic, metrics) in &all {
            text.sample(&name, &[("topic", topic)], count(metrics));
        }
    }
}

fn requests(broker: &Broker, text: &mut Text) {
    let apis: Vec<_> = broker
        .metrics
        .requests
        .iter()
        .filter_map(|(key, api)| Some((ApiKey::from_i16(key)?.name(), api)))
        .collect();
    let count = "kafka_network_requestmetrics_requests_total";
    text.metric(count, Kind::Counter, "Requests served.");
    for (request, api) in &apis {
        text.sample(count, &[("request", request)], api.total_time.count());
    }
    let time = "kafka_network_requestmetrics_totaltimems";
    text.metric(time, Kind::Summary, "Milliseconds from the whole request to its answer.");
    for (request, api) in &apis {
        for quantile in ["0.5", "0.75", "0.95", "0.99", "0.999"] {
            let part = quantile.parse().unwrap_or(1.0);
            let labels = [("request", *request), ("quantile", quantile)];
            text.sample(time, &labels, api.total_time.quantile_ms(part));
        }
        text.sample(&format!("{time}_sum"), &[("request", request)], api.total_time.total_ms());
        text.sample(&format!("{time}_count"), &[("request", request)], api.total_time.count());
    }
}

fn connections(broker: &Broker, text: &mut Text) {
    let open = "kafka_server_socket_server_metrics_connection_count";
    text.metric(open, Kind::Gauge, "Open connections.");
    for (listener, count) in broker.metrics.connections.by_listener() {
        text.sample(open, &[("listener", &listener)], count);
    }
    let made = "kafka_server_socket_server_metrics_connection_creation_total";
    text.metric(made, Kind::Counter, "Connections accepted.");
    text.sample(made, &[], broker.metrics.connections.accepted());
    let closed = "headwater_connections_closed_total";
    text.metric(closed, Kind::Counter, "Connections ended by this side, by reason.");
    for (reason, count) in broker.metrics.closes.iter() {
        text.sample(closed, &[("reason", reason)], count);
    }
}

fn partitions(broker: &Broker, text: &mut Text) {
    let image = broker.image();
    let (mut here, mut led, mut under_replicated, mut under_min_isr, mut offline) = (0, 0, 0, 0, 0);
    for topic in image.topics.iter() {
        for partition in &topic.partitions {
            offline += u32::from(partition.leader.is_none());
            if !partition.replicas.contains(&broker.node_id) {
                continue;
            }
            here += 1;
            let leads = partition.leader == Some(broker.node_id);
            led += u32::from(leads);
            under_replicated += u32::from(leads && partition.isr.len() < partition.replicas.len());
            under_min_isr +=
                u32::from(leads && partition.isr.len() < in_sync_min(broker, topic.id, partition));
        }
    }
    let gauges = [
        ("kafka_server_replicamanager_partitioncount", "Partitions with a replica here.", here),
        ("kafka_server_replicamanager_leadercount", "Partitions led here.", led),
        (
            "kafka_server_replicamanager_underreplicatedpartitions",
            "Partitions led here with replicas out of sync.",
            under_replicated,
        ),
        (
            "kafka_server_replicamanager_underminisrpartitioncount",
            "Partitions led here with too few replicas in sync.",
            under_min_isr,
        ),
        ("kafka_controller_kafkacontroller_offlinepartitionscount", "Partitions without a leader.", offline),
    ];
    for (name, help, value) in gauges {
        text.metric(name, Kind::Gauge, help);
        text.sample(name, &[], value);
    }
    directories(broker, text);
    logs(broker, text);
}

/// The log directories, and the replicas that are out of reach in them.
fn directories(broker: &Broker, text: &mut Text) {
    let described = broker.log_dirs.describe();
    let of = |health| described.iter().filter(|directory| directory.health == health).count();
    let topics = broker.partitions.topics();
    let lost = topics.iter().flat_map(|topic| topic.replicas.iter().flatten());
    let lost = lost.filter(|replica| replica.log().is_ok_and(|log| log.is_offline())).count();
    let gauges = [
        (
            "kafka_log_logmanager_offlinelogdirectorycount",
            "Log directories that failed and are not used until a restart.",
            of(DirectoryHealth::Offline) + broker.log_dirs.unusable().len(),
        ),
        (
            "kafka_server_replicamanager_offlinereplicacount",
            "Replicas here that cannot be served.",
            lost + broker.missing.count(),
        ),
        (
            "headwater_full_log_directories",
            "Log directories that take no records for want of room.",
            of(DirectoryHealth::Full),
        ),
        (
            "headwater_corrupt_batches",
            "Places in the files of logs found corrupt since the start, mostly batches.",
            broker.metrics.corruption.count(),
        ),
        (
            "headwater_committed_cuts",
            "Logs cut below their high watermarks since the start: committed records that are gone from here.",
            broker.log_dirs.directories().map(|directory| directory.committed_cuts()).sum(),
        ),
    ];
    for (name, help, value) in gauges {
        text.metric(name, Kind::Gauge, help);
        text.sample(name, &[], value);
    }
    let name = "kafka_log_logmanager_logdirectoryoffline";
    text.metric(name, Kind::Gauge, "1 for a log directory that is offline.");
    for directory in &described {
        let path = directory.path.display().to_string();
        let offline = directory.health == DirectoryHealth::Offline;
        text.sample(name, &[("logdirectory", &path)], u32::from(offline));
    }
    for path in broker.log_dirs.unusable() {
        text.sample(name, &[("logdirectory", &path.display().to_string())], 1);
    }
}

/// How many replicas acks=all asks for, as the leader here knows it.
fn in_sync_min(broker: &Broker, topic: TopicId, partition: &Partition) -> usize {
    let replica = broker.partitions.by_id(topic).and_then(|topic| topic.get(partition.index).cloned());
    let log = replica.as_ref().and_then(|replica| replica.log().ok());
    match log.as_ref().map(|log| log.partition().role()) {
        Some(Role::Leader(leadership)) => leadership.in_sync_min(),
        _ => 0,
    }
}

fn logs(broker: &Broker, text: &mut Text) {
    struct Log {
        topic: std::sync::Arc<str>,
        partition: String,
        size: u64,
        segments: usize,
        start: i64,
        end: i64,
    }
    let mut logs = Vec::new();
    for topic in broker.partitions.topics() {
        for replica in topic.replicas.iter().flatten() {
            let Ok(log) = replica.log() else { continue };
            let marks = log.partition().watermarks();
            logs.push(Log {
                topic: topic.name.clone(),
                partition: replica.index.to_string(),
                size: log.size(),
                segments: log.segment_count(),
                start: marks.log_start.0,
                end: marks.log_end.0,
            });
        }
    }
    logs.sort_by(|one, other| (&one.topic, &one.partition).cmp(&(&other.topic, &other.partition)));
    type Gauge = (&'static str, &'static str, fn(&Log) -> i64);
    let gauges: [Gauge; 4] = [
        ("kafka_log_log_size", "Bytes of the log.", |log| i64::try_from(log.size).unwrap_or(i64::MAX)),
        ("kafka_log_log_numlogsegments", "Segments of the log.", |log| {
            i64::try_from(log.segments).unwrap_or(i64::MAX)
        }),
        ("kafka_log_log_logstartoffset", "Where the log begins.", |log| log.start),
        ("kafka_log_log_logendoffset", "Where the log ends.", |log| log.end),
    ];
    for (name, help, value) in gauges {
        text.metric(name, Kind::Gauge, help);
        for log in &logs {
            text.sample(name, &[("topic", &log.topic), ("partition", &log.partition)], value(log));
        }
    }
}

fn cleaner(broker: &Broker, text: &mut Text) {
    let (metrics, now) = (&broker.metrics.cleaner, broker.now());
    let last = metrics.last_cleanings();
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let gauges = [
        (
            "kafka_log_logcleaner_cleaner_recopy_percent",
            "Of what the last compactions read, what stayed.",
            last.recopy_percent,
        ),
        (
            "kafka_log_logcleaner_max_buffer_utilization_percent",
            "How full the key map of the last compactions was.",
            last.map_utilization_percent,
        ),
        (
            "kafka_log_logcleaner_max_clean_time_secs",
            "How long the longest of the last compactions took.",
            i64::try_from(last.seconds_max).unwrap_or(i64::MAX),
        ),
        (
            "kafka_log_logcleaner_max_compaction_delay_secs",
            "How long records have waited beyond max.compaction.lag.ms.",
            metrics.overdue_max_seconds(),
        ),
        (
            "kafka_log_logcleaner_deadthreadcount",
            "Threads of compaction that have died.",
            count(metrics.dead_threads()),
        ),
        (
            "kafka_log_logcleanermanager_max_dirty_percent",
            "The dirty part of the dirtiest log.",
            metrics.ratio_max_percent(),
        ),
        (
            "kafka_log_logcleanermanager_time_since_last_run_ms",
            "How long ago the dirtiest log was looked for.",
            metrics.since_last_run_ms(now),
        ),
    ];
    for (name, help, value) in gauges {
        text.metric(name, Kind::Gauge, help);
        text.sample(name, &[], value);
    }
    uncleanable(broker, text);
}

fn uncleanable(broker: &Broker, text: &mut Text) {
    let logs = broker.log_dirs.uncleanable(broker.now());
    type OfDirectory = fn(&[&Uncleanable]) -> u64;
    let gauges: [(&str, &str, OfDirectory); 2] = [
        (
            "kafka_log_logcleanermanager_uncleanable_partitions_count",
            "Partitions that compaction has given up on.",
            |logs| logs.len() as u64,
        ),
        (
            "kafka_log_logcleanermanager_uncleanable_bytes",
            "Bytes that wait in partitions that compaction has given up on.",
            |logs| logs.iter().map(|log| log.bytes).sum(),
        ),
    ];
    for (name, help, value) in gauges {
        text.metric(name, Kind::Gauge, help);
        for directory in broker.log_dirs.directories() {
            let here: Vec<_> = logs.iter().filter(|log| log.directory == directory.path()).collect();
            let path = directory.path().to_string_lossy();
            text.sample(name, &[("logDirectory", &path)], value(&here));
        }
    }
    let name = "headwater_log_uncleanable";
    text.metric(name, Kind::Gauge, "1 for each partition that compaction has given up on.");
    for log in &logs {
        text.sample(name, &[("topic", &log.name.topic), ("partition", &log.name.partition.to_string())], 1);
    }
}

fn sessions(broker: &Broker, text: &mut Text) {
    let (sessions, partitions, evictions) = broker.fetch_sessions.counts();
    let gauges = [
        ("kafka_server_fetchsessioncache_numincrementalfetchsessions", "Fetch sessions.", sessions),
        (
            "kafka_server_fetchsessioncache_numincrementalfetchpartitionscached",
            "Partitions that fetch sessions follow.",
            partitions,
        ),
    ];
    for (name, help, value) in gauges {
        text.metric(name, Kind::Gauge, help);
        text.sample(name, &[], value);
    }
    let name = "kafka_server_fetchsessioncache_incrementalfetchsessionevictions_total";
    text.metric(name, Kind::Counter, "Fetch sessions that gave way to others.");
    text.sample(name, &[], evictions);
}

fn cluster(broker: &Broker, text: &mut Text) {
    let image = broker.image();
    let status = broker.quorum.status();
    let leads = status.role == RoleName::Leader;
    let active = image.cluster.brokers.values().filter(|broker| !broker.fenced).count();
    let fenced = image.cluster.brokers.len() - active;
    let gauges: [(&str, &str, i64); 8] = [
        (
            "kafka_controller_kafkacontroller_activecontrollercount",
            "1 on the active controller.",
            i64::from(leads),
        ),
        ("kafka_controller_kafkacontroller_activebrokercount", "Brokers in service.", active as i64),
        ("kafka_controller_kafkacontroller_fencedbrokercount", "Brokers out of service.", fenced as i64),
        ("kafka_controller_kafkacontroller_globaltopiccount", "Topics.", image.topics.len() as i64),
        (
            "kafka_controller_kafkacontroller_globalpartitioncount",
            "Partitions.",
            image.topics.partition_count() as i64,
        ),
        ("kafka_server_raftmetrics_current_epoch", "Epoch of the metadata quorum.", status.epoch.0.into()),
        (
            "kafka_server_raftmetrics_current_leader",
            "Leader of the metadata quorum, -1 for none.",
            status.leader.map_or(-1, |leader| leader.0.into()),
        ),
        (
            "kafka_server_raftmetrics_high_watermark",
            "High watermark of the metadata log, -1 before there is one.",
            status.high_watermark.map_or(-1, |offset| offset.0),
        ),
    ];
    for (name, help, value) in gauges {
        text.metric(name, Kind::Gauge, help);
        text.sample(name, &[], value);
    }
    let name = "kafka_server_raftmetrics_current_state";
    text.metric(name, Kind::Gauge, "State of this node in the metadata quorum: 1 for the one it is in.");
    text.sample(name, &[("state", &format!("{:?}", status.role).to_lowercase())], 1);
}
