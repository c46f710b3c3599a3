//! Every key that is honoured changes what the node is told, and what it changes is written down: in
//! `honoured/changes.tsv`, a line for each key with the value it was given and the fields that have another value then. A
//! wire that is missing, or leads to the field of another key, shows there.
//!
//! `UPDATE=1 cargo test -p headwater-broker --lib honoured` writes it anew; it is to be read line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write};
use std::path::Path;

use metadata::Image;
use metadata::image::ResourceType;
use metadata::record::MetadataRecord;
use protocol::messages::record::ConfigRecord;

use super::key::{Allowed, Key, State, Type, Update};
use super::static_config::texts_without_file;
use super::{NodeConfig, Settings, Texts, TopicConfig, group_config, keys};

/// A key with a value, and what else is to be set then; without a value it is taken away.
type Given = (&'static str, &'static str, &'static [(&'static str, Option<&'static str>)]);

/// Keys whose values have a form of their own, or go only with others.
#[rustfmt::skip]
const GIVEN: &[Given] = &[
    ("advertised.listeners", "PLAINTEXT://elsewhere:9092,CONTROLLER://localhost:9093", &[]),
    ("broker.id", "7", &[("node.id", None)]),
    ("compression.gzip.level", "7", &[("compression.type", Some("gzip"))]),
    ("compression.zstd.level", "7", &[("compression.type", Some("zstd"))]),
    ("controller.listener.names", "QUORUM", &[("listeners", Some("PLAINTEXT://localhost:9092,QUORUM://localhost:9093"))]),
    ("controller.quorum.voters", "1@localhost:9093", &[]),
    ("cordoned.log.dirs", "*", &[]),
    ("group.consumer.assignors", "range", &[]),
    ("group.coordinator.rebalance.protocols", "classic", &[]),
    ("inter.broker.listener.name", "INSIDE", &[
        ("listeners", Some("PLAINTEXT://localhost:9092,INSIDE://localhost:9094,CONTROLLER://localhost:9093")),
        ("listener.security.protocol.map", Some("PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT")),
    ]),
    ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,MORE:PLAINTEXT,CONTROLLER:PLAINTEXT", &[]),
    ("listeners", "PLAINTEXT://localhost:9192,CONTROLLER://localhost:9093", &[]),
    ("log.dir", "/elsewhere", &[("log.dirs", None), ("log.dir", Some("/somewhere"))]),
    ("max.connections.per.ip.overrides", "localhost:3", &[]),
    ("process.roles", "broker", &[("listeners", Some("PLAINTEXT://localhost:9092"))]),
    ("security.inter.broker.protocol", "SSL", &[
        ("listeners", Some("PLAINTEXT://localhost:9092,SSL://localhost:9094,CONTROLLER://localhost:9093")),
        ("listener.security.protocol.map", Some("PLAINTEXT:PLAINTEXT,SSL:PLAINTEXT,CONTROLLER:PLAINTEXT")),
    ]),
];

/// Values of a key that are not its default, the likeliest to go with everything else first.
fn others(key: &Key) -> Vec<String> {
    let default = key.default_text().unwrap_or_default();
    let number = default.parse::<i64>().ok();
    let tried: Vec<String> = match (key.kind, key.allowed) {
        (Type::Boolean, _) => vec![(default != "true").to_string()],
        (_, Allowed::OneOf(words) | Allowed::OneOfAnyCase(words)) => {
            words.iter().map(|word| (*word).to_owned()).collect()
        }
        (_, Allowed::List { of: [first, ..], .. }) => vec![(*first).to_owned()],
        (_, Allowed::AddressOrEmpty) => vec!["127.0.0.1:1".to_owned()],
        (Type::Int | Type::Short | Type::Long, _) => {
            let next =
                number.map_or([Some(7), None], |number| [number.checked_add(1), number.checked_sub(1)]);
            next.iter().flatten().map(i64::to_string).collect()
        }
        (Type::Double, _) => vec!["0.25".to_owned()],
        _ => vec!["/another".to_owned()],
    };
    tried.into_iter().filter(|other| other != default && key.check(other).is_ok()).collect()
}

/// The fields of something with their values, by the names that lead to them.
fn fields(of: &impl Debug) -> BTreeMap<String, String> {
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    let mut way: Vec<(usize, String)> = Vec::new();
    for line in format!("{of:#?}").lines() {
        let (depth, text) = (line.len() - line.trim_start().len(), line.trim().trim_end_matches(','));
        way.retain(|(above, _)| *above < depth);
        if text.chars().all(|c| "(){}[]".contains(c)) {
            continue;
        }
        let (name, value) = match text.split_once(": ") {
            Some((name, value)) if !name.contains('"') => (name, value),
            _ => ("", text),
        };
        let names = way.iter().map(|(_, name)| name.as_str()).chain([name]);
        let path: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        let known = fields.entry(path.join(".")).or_default();
        known.push_str(if known.is_empty() { "" } else { " " });
        known.push_str(value.trim_end_matches(['(', '{', '[', ' ']));
        if value.ends_with(['(', '{', '[']) {
            way.push((depth, name.to_owned()));
        }
    }
    fields
}

/// What is another value now, as `field: before -> after`.
fn changes(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let of = |fields: &BTreeMap<String, String>, name: &String| {
        fields.get(name).cloned().unwrap_or_else(|| "nothing".to_owned())
    };
    let changed = all.into_iter().filter(|name| before.get(*name) != after.get(*name));
    changed.map(|name| format!("{name}: {} -> {}", of(before, name), of(after, name))).collect()
}

/// All that a node is told: the typed configuration, and what storage hears of a topic that sets nothing.
fn told(config: &NodeConfig) -> BTreeMap<String, String> {
    let typed = NodeConfig { settings: Settings::default(), warnings: Vec::new(), ..config.clone() };
    let mut all = fields(&typed);
    let logs = fields(&config.log_config(&config.topic_defaults));
    all.extend(logs.into_iter().map(|(name, value)| (format!("logs: {name}"), value)));
    all
}

/// A node without a file that is given this on top.
fn node(more: &[(&str, Option<&str>)]) -> Result<NodeConfig, String> {
    let mut texts = texts_without_file();
    for (name, value) in more {
        match value {
            Some(value) => texts.insert((*name).to_owned(), (*value).to_owned()),
            None => texts.remove(*name),
        };
    }
    NodeConfig::from_texts(texts).map_err(|error| error.to_string())
}

/// A node with another value of a key, that value, and the node that is the same but for it.
fn with_another(key: &Key) -> (NodeConfig, String, NodeConfig) {
    let plain = || node(&[]).unwrap();
    if let Some((name, value, company)) = GIVEN.iter().find(|(name, ..)| *name == key.name) {
        let all: Vec<_> = company.iter().copied().chain([(*name, Some(*value))]).collect();
        let changed = node(&all).unwrap_or_else(|error| panic!("{name}={value}: {error}"));
        // Some of the company goes with the key only.
        return (changed, (*value).to_owned(), node(company).unwrap_or_else(|_| plain()));
    }
    let mut refused = String::new();
    for value in others(key) {
        match node(&[(key.name, Some(value.as_str()))]) {
            Ok(changed) => return (changed, value, plain()),
            Err(error) => refused = error,
        }
    }
    panic!("{} needs a value in the table: {refused}", key.name)
}

fn is_honoured(key: &&Key) -> bool {
    key.state == State::Honoured
}

fn write_line(into: &mut String, kind: &str, (key, value): (&str, &str), changes: &[String]) {
    assert!(!changes.is_empty(), "the {kind} key {key} is honoured, and {key}={value} changes nothing");
    writeln!(into, "{kind}\t{key}={value}\t{}", changes.join("\t")).unwrap();
}

fn broker_lines(lines: &mut String) {
    for key in keys::broker_keys().filter(is_honoured) {
        let (changed, value, before) = with_another(key);
        let after = told(&changed);
        write_line(lines, "broker", (key.name, &value), &changes(&told(&before), &after));
        // Recorded in the metadata instead of written in the file it says the same.
        if key.update != Update::ReadOnly {
            let layer = Texts::from([(key.name.to_owned(), value)]);
            let (cluster, broker) = match key.update {
                Update::PerBroker => (Texts::new(), layer),
                _ => (layer, Texts::new()),
            };
            let (recorded, left_out) = before.with_dynamic(&cluster, &broker).unwrap();
            assert_eq!((told(&recorded), left_out), (after, Vec::new()), "{}", key.name);
        }
    }
}

fn topic_lines(lines: &mut String) {
    let node = node(&[]).unwrap();
    let told = |own: &Texts| {
        let topic = TopicConfig::effective(&node.settings, own);
        fields(&(node.log_config(&topic), topic.min_insync_replicas))
    };
    for key in keys::topic_keys().filter(is_honoured) {
        let given = GIVEN.iter().find(|(name, ..)| *name == key.name);
        let value = given.map_or_else(|| others(key).swap_remove(0), |(_, value, _)| (*value).to_owned());
        let company = given.map_or(&[][..], |(.., company)| *company);
        let mut own: Texts =
            company.iter().map(|(name, value)| ((*name).to_owned(), value.unwrap().to_owned())).collect();
        let before = told(&own);
        own.insert(key.name.to_owned(), value.clone());
        super::topic_config::check_together(&node.settings, &own, &Texts::new()).unwrap();
        write_line(lines, "topic", (key.name, &value), &changes(&before, &told(&own)));
    }
}

fn group_lines(lines: &mut String) {
    let node = node(&[]).unwrap();
    let told = |image: &Image| {
        let config = &node.groups.decisions;
        fields(&(config.consumer.of_group(image, "g"), config.streams.of_group(image, "g")))
    };
    for key in keys::group_keys().filter(is_honoured) {
        let fits = |value: &String| {
            group_config::check(&node.settings, &Texts::from([(key.name.to_owned(), value.clone())])).is_ok()
        };
        let value = others(key).into_iter().find(fits).unwrap_or_else(|| panic!("{} fits nothing", key.name));
        let mut image = Image::default();
        let record = ConfigRecord {
            resource_type: ResourceType::GROUP.0,
            resource_name: "g".into(),
            name: key.name.into(),
            value: Some(value.as_str().into()),
        };
        image.replay(image.end(), &MetadataRecord::from(record));
        write_line(lines, "group", (key.name, &value), &changes(&told(&Image::default()), &told(&image)));
    }
}

#[test]
fn every_honoured_key_changes_what_the_node_is_told() {
    let mut lines = String::new();
    broker_lines(&mut lines);
    topic_lines(&mut lines);
    group_lines(&mut lines);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/honoured/changes.tsv");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &lines).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap();
    for (line, known) in lines.lines().zip(known.lines()) {
        assert_eq!(line, known, "if that is right, run this test with UPDATE=1");
    }
    assert_eq!(lines.lines().count(), known.lines().count(), "run this test with UPDATE=1");
}
