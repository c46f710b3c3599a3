//! Which broker settings may change while brokers run, and the checks on such a change (KIP-226).
//!
//! The controller asks [`check`] before it records an alteration; a broker that meets an unusable
//! recorded value leaves it out with [`usable`] and keeps running. Unknown names are allowed, as in
//! Kafka: they may belong to a plug-in.

use super::key::Update;
use super::keys;
use super::settings::Texts;

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
