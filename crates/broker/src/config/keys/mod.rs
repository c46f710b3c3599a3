//! The declarations of all config keys, in tables by room, and the ways to look one up.
//!
//! One key, one row: name, type, default, bounds, importance, update mode, state, documentation. Adding a
//! key means adding a row; nothing else lists keys. The facts are those of Apache Kafka 4.4.0; the words
//! are ours.

pub mod client_metrics;
pub mod connections;
pub mod group;
pub mod group_coordinator;
pub mod headwater;
pub mod log;
pub mod network;
pub mod node;
pub mod observability;
pub mod quorum;
pub mod quotas;
pub mod replication;
pub mod sasl;
pub mod security;
pub mod share;
pub mod streams;
pub mod tiered;
pub mod topic;
pub mod transactions;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::key::Key;

/// Why a key that names Java code changes nothing.
const NO_JAVA: &str = "Headwater loads no Java classes";
/// Why a key that sizes one of Kafka's thread pools changes nothing.
const NO_POOL: &str = "requests run on the connection's own task, there is no such thread pool to size";
/// Why no task is warmed up.
const NO_WARMUPS: &str = "as in Kafka 4.4.0, no assignor gives warm-up tasks";
/// Why nothing is assigned elsewhere.
const ASSIGNED_AT_ONCE: &str =
    "an assignment is made with the heartbeat that asks for it, on the connection's own task";
/// Why a key of Kafka's purgatories changes nothing.
const NO_PURGATORY: &str = "waiting requests are woken by events and leave nothing behind to purge";
/// Why a key of Kafka's metrics library changes nothing.
const NO_SAMPLES: &str = "metrics are counters that the reader takes rates of, they are not sampled here";

/// The tables of broker keys.
const BROKER_TABLES: &[&[Key]] = &[
    node::KEYS,
    network::KEYS,
    connections::KEYS,
    log::KEYS,
    quorum::KEYS,
    replication::KEYS,
    group_coordinator::KEYS,
    share::KEYS,
    streams::KEYS,
    transactions::KEYS,
    security::KEYS,
    sasl::KEYS,
    tiered::KEYS,
    quotas::KEYS,
    observability::KEYS,
    headwater::KEYS,
];

static BROKER: LazyLock<BTreeMap<&'static str, &'static Key>> =
    LazyLock::new(|| BROKER_TABLES.iter().copied().flatten().map(|key| (key.name, key)).collect());

/// All broker keys, by name.
pub fn broker_keys() -> impl Iterator<Item = &'static Key> {
    BROKER.values().copied()
}

/// All topic keys.
pub fn topic_keys() -> impl Iterator<Item = &'static Key> {
    topic::KEYS.iter()
}

/// All group keys.
pub fn group_keys() -> impl Iterator<Item = &'static Key> {
    group::KEYS.iter()
}

/// All keys of a client metrics subscription.
pub fn client_metrics_keys() -> impl Iterator<Item = &'static Key> {
    client_metrics::KEYS.iter()
}

/// The declaration behind a broker setting's name, also when it has a listener prefix.
pub fn broker(name: &str) -> Option<&'static Key> {
    BROKER.get(name).copied().or_else(|| BROKER.get(without_listener_prefix(name)?).copied())
}

/// The declaration of a topic key.
pub fn topic(name: &str) -> Option<&'static Key> {
    topic_keys().find(|key| key.name == name)
}

/// The declaration of a group key.
pub fn group(name: &str) -> Option<&'static Key> {
    group_keys().find(|key| key.name == name)
}

/// The declaration of a key of a client metrics subscription.
pub fn client_metrics(name: &str) -> Option<&'static Key> {
    client_metrics_keys().find(|key| key.name == name)
}

/// Keys that may carry listener and mechanism: `listener.name.<listener>.<mechanism>.<key>`.
const MECHANISM_KEYS: &[&str] = &[
    "connections.max.reauth.ms",
    "sasl.jaas.config",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.server.callback.handler.class",
];

/// `listener.name.<listener>.<key>` without its prefix (and its mechanism).
pub fn without_listener_prefix(name: &str) -> Option<&str> {
    let (_, base) = name.strip_prefix("listener.name.")?.split_once('.')?;
    Some(MECHANISM_KEYS.iter().find(|key| base.ends_with(**key)).map_or(base, |key| key))
}

/// Whether a key under a listener prefix may still be set for all brokers at once.
pub fn is_cluster_wide_listener_key(base: &str) -> bool {
    matches!(base, "max.connections" | "max.connection.creation.rate" | "num.network.threads")
}

/// Whether a key may change at run time only under a listener prefix: the key and trust stores.
pub fn is_listener_security(base: &str) -> bool {
    base == "ssl.key.password" || base.starts_with("ssl.keystore.") || base.starts_with("ssl.truststore.")
}

/// The names under which a broker setting is looked for, the strongest first.
pub fn broker_synonyms(name: &str) -> Vec<&str> {
    match name {
        "log.roll.ms" | "log.roll.hours" => vec!["log.roll.ms", "log.roll.hours"],
        "log.roll.jitter.ms" | "log.roll.jitter.hours" => vec!["log.roll.jitter.ms", "log.roll.jitter.hours"],
        "log.flush.interval.ms" => vec!["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        "log.retention.ms" | "log.retention.minutes" | "log.retention.hours" => {
            vec!["log.retention.ms", "log.retention.minutes", "log.retention.hours"]
        }
        _ => vec![name],
    }
}

/// The known broker key that a mistyped name most likely meant, if one is near.
pub fn nearest_broker_key(name: &str) -> Option<&'static str> {
    let limit = 2.max(name.len() / 8);
    let distances = broker_keys().map(|key| (edit_distance(name, key.name), key.name));
    distances.filter(|(distance, _)| *distance <= limit).min().map(|(_, known)| known)
}

fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(l != *r);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::super::key::{Default, State};
    use super::*;

    fn all() -> impl Iterator<Item = &'static Key> {
        BROKER_TABLES
            .iter()
            .copied()
            .flatten()
            .chain(topic_keys())
            .chain(group_keys())
            .chain(client_metrics_keys())
    }

    #[test]
    fn every_default_is_a_value_its_key_takes() {
        for key in all() {
            if let Default::Value(text) = key.default {
                let value = key.check(text).unwrap_or_else(|invalid| panic!("{invalid}"));
                assert_eq!(value.to_string(), text, "{}: default is not written as it is shown", key.name);
            }
        }
    }

    #[test]
    fn every_key_is_declared_once() {
        assert_eq!(BROKER.len(), BROKER_TABLES.iter().map(|table| table.len()).sum::<usize>());
        for table in [topic::KEYS, group::KEYS, client_metrics::KEYS] {
            let mut names: Vec<_> = table.iter().map(|key| key.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), table.len());
        }
    }

    #[test]
    fn every_key_is_documented_in_whole_sentences() {
        for key in all() {
            assert!(key.doc.len() > 15 && key.doc.ends_with('.'), "{}: {:?}", key.name, key.doc);
            assert!(!key.since.is_empty(), "{}: which release brought it?", key.name);
            if let State::WithoutEffect(why) = key.state {
                assert!(!why.is_empty(), "{}", key.name);
            }
        }
    }

    #[test]
    fn as_many_keys_as_kafka_4_4_has() {
        // Three throttles exist while running only: they are in no file and no table of Kafka's.
        let throttles = 3;
        assert_eq!(broker_keys().filter(|key| !key.name.starts_with("headwater.")).count(), 379 + throttles);
        assert_eq!((topic::KEYS.len(), group::KEYS.len(), client_metrics::KEYS.len()), (38, 27, 3));
        let shown = |keys: &[Key]| keys.iter().filter(|key| !key.internal).count();
        assert_eq!((shown(topic::KEYS), shown(group::KEYS)), (37, 21));
    }

    #[test]
    fn listener_prefixes_lead_to_the_base_key() {
        assert_eq!(broker("listener.name.internal.max.connections").unwrap().name, "max.connections");
        assert_eq!(
            broker("listener.name.a.scram-sha-256.sasl.jaas.config").unwrap().name,
            "sasl.jaas.config"
        );
        assert!(broker("listener.name.internal.nothing").is_none());
    }

    #[test]
    fn the_nearest_key_is_near() {
        assert_eq!(nearest_broker_key("log.retention.hour"), Some("log.retention.hours"));
        assert_eq!(nearest_broker_key("zookeeper.connect"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_value_or_refused_by_name(text in "[-+0-9.eEdfNa,:@\\[\\] P]{0,20}|.{0,20}") {
            for key in all() {
                if let Err(invalid) = key.check(&text) {
                    assert_eq!(invalid.key, key.name);
                }
            }
        }
    }
}
