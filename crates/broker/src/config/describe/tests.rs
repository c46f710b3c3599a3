use super::*;

fn texts(pairs: &[(&str, &str)]) -> Texts {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn file(pairs: &[(&str, &str)]) -> Settings {
    Settings::load(texts(pairs)).unwrap().0
}

fn find<'a>(entries: &'a [Entry], name: &str) -> &'a Entry {
    entries.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("{name} is described"))
}

fn shown(entry: &Entry) -> Vec<(&str, Option<&str>, Source)> {
    entry.synonyms.iter().map(|s| (s.name.as_str(), s.value.as_deref(), s.source)).collect()
}

#[test]
fn a_broker_shows_as_many_settings_as_kafka_4_4() {
    let entries = broker(&file(&[]));
    assert_eq!(entries.iter().filter(|entry| !entry.name.starts_with("headwater.")).count(), 350);
    assert_eq!(topic(&file(&[]), &Texts::new()).len(), 37);
    assert_eq!(group(&file(&[]), &Texts::new()).len(), 21);
    assert_eq!(client_metrics(&Texts::new()).len(), 3);
}

#[test]
fn layers_come_in_order_and_the_first_is_the_source() {
    let (settings, _) = file(&[("max.connections", "1")])
        .with_dynamic(&texts(&[("max.connections", "2")]), &texts(&[("max.connections", "3")]));
    let entries = broker(&settings);
    let entry = find(&entries, "max.connections");
    assert_eq!(
        (entry.value.as_deref(), entry.source, entry.read_only),
        (Some("3"), Source::DynamicBroker, false)
    );
    assert_eq!(
        shown(entry),
        [
            ("max.connections", Some("3"), Source::DynamicBroker),
            ("max.connections", Some("2"), Source::DynamicDefaultBroker),
            ("max.connections", Some("1"), Source::StaticBroker),
            ("max.connections", Some("2147483647"), Source::Default),
        ]
    );
    let entries = cluster(&settings);
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].value.as_deref(), Some("2"));
    assert_eq!(shown(&entries[0]), [("max.connections", Some("2"), Source::DynamicDefaultBroker)]);
}

#[test]
fn a_key_without_default_has_no_value_and_no_synonym() {
    let entries = broker(&file(&[]));
    let entry = find(&entries, "log.retention.ms");
    assert_eq!((entry.value.as_deref(), entry.source, entry.synonyms.len()), (None, Source::Default, 0));
}

#[test]
fn passwords_and_unknown_keys_show_no_value() {
    let entries = broker(&file(&[("ssl.key.password", "hunter2"), ("my.own", "x")]));
    let entry = find(&entries, "ssl.key.password");
    assert_eq!((entry.value.as_deref(), entry.sensitive, entry.source), (None, true, Source::StaticBroker));
    assert_eq!(shown(entry), [("ssl.key.password", None, Source::StaticBroker)]);
    let entry = find(&entries, "my.own");
    assert_eq!((entry.value.as_deref(), entry.sensitive, entry.kind), (None, true, 0));
    assert_eq!(shown(entry), [("my.own", None, Source::StaticBroker)]);
}

#[test]
fn a_topic_shows_its_own_value_before_the_brokers() {
    let entries = topic(&file(&[("log.retention.hours", "1")]), &texts(&[("flush.messages", "5")]));
    let entry = find(&entries, "flush.messages");
    assert_eq!((entry.value.as_deref(), entry.source), (Some("5"), Source::Topic));
    assert_eq!(
        shown(entry),
        [
            ("flush.messages", Some("5"), Source::Topic),
            ("log.flush.interval.messages", Some("9223372036854775807"), Source::Default),
        ]
    );
    // As in Kafka: the value is right, but a synonym of another unit is not shown.
    let entry = find(&entries, "retention.ms");
    assert_eq!(
        (entry.value.as_deref(), entry.source, entry.synonyms.len()),
        (Some("3600000"), Source::Default, 0)
    );
    let entry = find(&entries, "remote.storage.enable");
    assert_eq!((entry.value.as_deref(), entry.synonyms.len()), (Some("false"), 0));
}

#[test]
fn groups_take_their_defaults_from_the_broker() {
    let entries = group(
        &file(&[("group.share.session.timeout.ms", "46000")]),
        &texts(&[("share.heartbeat.interval.ms", "6000")]),
    );
    let entry = find(&entries, "share.session.timeout.ms");
    assert_eq!((entry.value.as_deref(), entry.source), (Some("46000"), Source::StaticBroker));
    let entry = find(&entries, "share.heartbeat.interval.ms");
    assert_eq!((entry.value.as_deref(), entry.source), (Some("6000"), Source::Group));
    assert_eq!(find(&entries, "streams.assignor.name").value.as_deref(), Some("sticky"));
    assert_eq!(
        shown(find(&entries, "share.isolation.level")),
        [("share.isolation.level", Some("read_uncommitted"), Source::Default)]
    );
}

#[test]
fn listener_settings_have_the_base_key_as_synonym() {
    let entries = broker(&file(&[("listener.name.a.max.connections", "5")]));
    let entry = find(&entries, "listener.name.a.max.connections");
    assert_eq!(
        shown(entry),
        [
            ("listener.name.a.max.connections", Some("5"), Source::StaticBroker),
            ("max.connections", Some("2147483647"), Source::Default),
        ]
    );
}

/// A line as the golden files have it: resource, name, value, source, mode, secrecy, type, synonyms.
fn line(resource: &str, entry: &Entry) -> String {
    let null = || "null".to_owned();
    let synonyms: String = entry
        .synonyms
        .iter()
        .map(|s| format!("{}={}@{};", s.name, s.value.clone().unwrap_or_else(null), source_name(s.source)))
        .collect();
    let mode = if entry.read_only { "ro" } else { "rw" };
    let secrecy = if entry.sensitive { "secret" } else { "plain" };
    let value = entry.value.clone().unwrap_or_else(null);
    let kind =
        ["UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"];
    let kind = kind[usize::try_from(entry.kind).unwrap()];
    [resource, &entry.name, &value, source_name(entry.source), mode, secrecy, kind, &synonyms].join("\t")
}

/// The names that the Java client gives to sources.
fn source_name(source: Source) -> &'static str {
    match source {
        Source::Topic => "DYNAMIC_TOPIC_CONFIG",
        Source::DynamicBroker => "DYNAMIC_BROKER_CONFIG",
        Source::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        Source::StaticBroker => "STATIC_BROKER_CONFIG",
        Source::Default => "DEFAULT_CONFIG",
        Source::BrokerLogger => "DYNAMIC_BROKER_LOGGER_CONFIG",
        Source::ClientMetrics => "DYNAMIC_CLIENT_METRICS_CONFIG",
        Source::Group => "DYNAMIC_GROUP_CONFIG",
    }
}

fn lines(settings: &Settings, own: [&Texts; 3]) -> Vec<String> {
    let of = |resource: &str, entries: Vec<Entry>| {
        let kafkas = entries.into_iter().filter(|entry| !entry.name.starts_with("headwater."));
        kafkas.map(|entry| line(resource, &entry)).collect::<Vec<_>>()
    };
    let mut lines = of("broker", broker(settings));
    lines.extend(of("topic", topic(settings, own[0])));
    lines.extend(of("group", group(settings, own[1])));
    lines.extend(of("client-metrics", client_metrics(own[2])));
    lines.sort();
    lines
}

fn assert_same(ours: &[String], kafkas: &[&str]) {
    let more: Vec<&String> = ours.iter().filter(|line| !kafkas.contains(&line.as_str())).collect();
    let less: Vec<&&str> = kafkas.iter().filter(|line| !ours.iter().any(|our| our == **line)).collect();
    assert!(more.is_empty() && less.is_empty(), "only ours: {more:#?}\nonly Kafka's: {less:#?}");
}

/// Captured from Apache Kafka 4.4.0 that runs with `golden/server.properties`. Formatting finalises
/// eligible leader replicas, for which Kafka itself sets `min.insync.replicas` for all brokers.
fn golden_start() -> (Settings, Vec<&'static str>) {
    let parsed = crate::config::properties::parse(include_str!("golden/server.properties")).unwrap();
    let file = parsed.into_iter().map(|property| (property.key, property.value)).collect();
    let settings = Settings::load(file).unwrap().0;
    let (settings, _) = settings.with_dynamic(&texts(&[("min.insync.replicas", "1")]), &Texts::new());
    (settings, include_str!("golden/at_start.tsv").lines().collect())
}

#[test]
fn everything_is_described_as_apache_kafka_describes_it() {
    let (settings, kafkas) = golden_start();
    let none = Texts::new();
    assert_same(&lines(&settings, [&none, &none, &none]), &kafkas);
}

#[test]
fn changes_are_described_as_apache_kafka_describes_them() {
    let (settings, at_start) = golden_start();
    let cluster = texts(&[
        ("max.connections", "500"),
        ("log.retention.ms", "77777"),
        ("log.cleaner.threads", "2"),
        ("num.io.threads", "4"),
        ("unknown.key", "x"),
        ("listener.name.plaintext.max.connections", "9"),
        ("follower.replication.throttled.rate", "1000"),
        ("min.insync.replicas", "1"),
        ("transaction.partition.verification.enable", "false"),
    ]);
    let one = texts(&[
        ("max.connections", "400"),
        ("listener.name.plaintext.max.connections", "99"),
        ("listener.name.plaintext.ssl.key.password", "pw"),
    ]);
    let (settings, left_out) = settings.with_dynamic(&cluster, &one);
    assert_eq!(left_out, Vec::<String>::new());
    let own = [
        texts(&[("retention.ms", "5"), ("cleanup.policy", "compact")]),
        texts(&[("share.session.timeout.ms", "46000")]),
        texts(&[("interval.ms", "5000")]),
    ];
    let mut ours = lines(&settings, [&own[0], &own[1], &own[2]]);
    ours.extend(super::cluster(&settings).iter().map(|entry| line("default", entry)));
    ours.retain(|line| !at_start.contains(&line.as_str()));
    assert_same(&ours, &include_str!("golden/after_changes.tsv").lines().collect::<Vec<_>>());
}
