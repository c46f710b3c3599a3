//! Which broker settings may change while brokers run, and the checks on such a change (KIP-226).
//!
//! The controller asks [`check`] before it records an alteration; a broker that meets an unusable
//! recorded value leaves it out with [`usable`] and keeps running. Unknown names are allowed, as in
//! Kafka: they may belong to a plug-in.

use super::key::Update;
use super::keys;
use super::settings::{Settings, Texts};
use super::static_config::NodeConfig;

/// For whom a dynamic setting is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One broker, named by its id.
    Broker,
    /// All brokers: the empty name.
    Cluster,
}

/// Whether `name` may be set to `text` in this scope. `Err` says why not, and what to do instead.
///
/// # Errors
/// A sentence for the person who asked.
pub fn check(scope: Scope, name: &str, text: &str) -> Result<(), String> {
    let Some(key) = keys::broker(name) else { return Ok(()) };
    let prefixed = keys::without_listener_prefix(name).is_some();
    if key.update == Update::ReadOnly && !prefixed {
        return Err(format!(
            "{name} cannot change while the broker runs: set it in server.properties and restart"
        ));
    }
    if !prefixed && keys::is_listener_security(key.name) {
        return Err(format!("{name} can change only for one listener: use listener.name.<listener>.{name}"));
    }
    let per_broker = if prefixed {
        !keys::is_cluster_wide_listener_key(key.name)
    } else {
        key.update == Update::PerBroker
    };
    if scope == Scope::Cluster && per_broker {
        return Err(format!("{name} belongs to one broker: name the broker by its id"));
    }
    key.check(text).map(|_| ()).map_err(|invalid| invalid.to_string())
}

/// Whether a whole dynamic layer may take the place of the recorded one: every name, every value, and all of
/// them together with the file and the other layer.
///
/// # Errors
/// A sentence for the person who asked.
pub fn check_layer(config: &NodeConfig, scope: Scope, proposed: &Texts) -> Result<(), String> {
    for (name, text) in proposed {
        check(scope, name, text)?;
    }
    let (cluster, broker) = match scope {
        Scope::Cluster => (proposed, config.settings.broker()),
        Scope::Broker => (config.settings.cluster(), proposed),
    };
    let (next, _) = config.with_dynamic(cluster, broker).map_err(|error| error.to_string())?;
    THREADS.iter().find_map(|name| too_sudden(&config.settings, &next.settings, name)).map_or(Ok(()), Err)?;
    local_beyond_whole(&next).map_or(Ok(()), Err)
}

/// Sizes of thread pools, which may at most double or halve at once.
const THREADS: &[&str] = &[
    "num.io.threads",
    "num.network.threads",
    "num.replica.fetchers",
    "num.recovery.threads.per.data.dir",
    "background.threads",
    "log.cleaner.threads",
];

fn too_sudden(now: &Settings, next: &Settings, name: &str) -> Option<String> {
    let (now, next) = (now.integer(name).ok()?, next.integer(name).ok()?);
    let least = now / 2;
    (next > now * 2 || next < least || (next == 0 && now != 0)).then(|| {
        format!("{name} is {now} and cannot change to {next} at once: at most double or halve it, and repeat")
    })
}

fn local_beyond_whole(config: &NodeConfig) -> Option<String> {
    let topic = &config.topic_defaults;
    let pairs = [
        ("log.retention.ms", "log.local.retention.ms", topic.retention_ms, topic.local_retention_ms),
        (
            "log.retention.bytes",
            "log.local.retention.bytes",
            topic.retention_bytes,
            topic.local_retention_bytes,
        ),
    ];
    pairs.into_iter().find_map(|(whole_name, local_name, whole, local)| {
        let whole = whole.filter(|whole| local != -2 && (local == -1 || local > *whole))?;
        Some(format!("{local_name} is {local}: it must not be more than {whole_name}, which is {whole}"))
    })
}

/// The part of a recorded layer that can be applied; what cannot is said in `left_out`.
pub fn usable(layer: &Texts, scope: Scope, left_out: &mut Vec<String>) -> Texts {
    let mut kept = Texts::new();
    for (name, text) in layer {
        match check(scope, name, text) {
            Ok(()) => {
                kept.insert(name.clone(), text.clone());
            }
            Err(why) => left_out.push(format!("dynamic setting ignored: {why}")),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Accepted and refused by Apache Kafka 4.4.0 when asked through IncrementalAlterConfigs.
    #[test]
    fn whole_layers_are_judged_as_kafka_judges_them() {
        use Scope::{Broker, Cluster};
        let config = NodeConfig::without_file(&Texts::new()).unwrap();
        let recorded = Texts::from([("log.retention.ms".to_owned(), "77777".to_owned())]);
        let (config, _) = config.with_dynamic(&recorded, &Texts::new()).unwrap();
        for (scope, name, text, wanted) in [
            (Cluster, "num.io.threads", "4", Ok(())),
            (Cluster, "num.io.threads", "16", Ok(())),
            (Cluster, "num.io.threads", "17", Err("at most double or halve")),
            (Cluster, "num.io.threads", "3", Err("at most double or halve")),
            (Cluster, "log.cleaner.threads", "3", Err("at most double or halve")),
            (Broker, "log.retention.ms", "0", Err("or -1 to keep records forever")),
            (Broker, "log.local.retention.ms", "999999999999", Err("which is 77777")),
            (Broker, "cordoned.log.dirs", "/nope", Err("is not one of log.dirs")),
            (Cluster, "unknown.key", "x", Ok(())),
        ] {
            let proposed = Texts::from([(name.to_owned(), text.to_owned())]);
            match (check_layer(&config, scope, &proposed), wanted) {
                (Ok(()), Ok(())) => {}
                (Err(why), Err(part)) => assert!(why.contains(part), "{name}={text}: {why}"),
                (got, wanted) => panic!("{name}={text}: got {got:?}, wanted {wanted:?}"),
            }
        }
    }

    #[test]
    fn scopes() {
        use Scope::{Broker, Cluster};
        for (scope, name, text, wanted) in [
            (Cluster, "log.retention.ms", "5", Ok(())),
            (Broker, "log.retention.ms", "5", Ok(())),
            (Cluster, "log.retention.hours", "5", Err("cannot change while the broker runs")),
            (Broker, "listeners", "PLAINTEXT://:9092", Ok(())),
            (Cluster, "listeners", "PLAINTEXT://:9092", Err("belongs to one broker")),
            (
                Broker,
                "ssl.keystore.location",
                "/x",
                Err("use listener.name.<listener>.ssl.keystore.location"),
            ),
            (Broker, "listener.name.a.ssl.keystore.location", "/x", Ok(())),
            (Cluster, "listener.name.a.ssl.keystore.location", "/x", Err("belongs to one broker")),
            (Cluster, "listener.name.a.max.connections", "5", Ok(())),
            (Cluster, "max.connections", "-1", Err("it must be at least 0")),
            (Cluster, "some.plugin.setting", "x", Ok(())),
            (Cluster, "min.insync.replicas", "2", Ok(())),
        ] {
            match (check(scope, name, text), wanted) {
                (Ok(()), Ok(())) => {}
                (Err(why), Err(part)) => assert!(why.contains(part), "{name}: {why}"),
                (got, wanted) => panic!("{name}: got {got:?}, wanted {wanted:?}"),
            }
        }
    }
}
