//! Whether a topic may have the settings that somebody asks for, each by itself and all together.
//!
//! The controller asks before it records a setting, so that brokers meet only good ones. What is refused is
//! refused with a sentence; nothing is changed here.

use super::TopicConfig;
use crate::config::keys::{self, topic::broker_names};
use crate::config::settings::{Settings, Texts};

/// Whether a topic may set `name` to `text`.
///
/// # Errors
/// A sentence for the person who asked.
pub fn check(name: &str, text: &str) -> Result<(), String> {
    let Some(key) = keys::topic(name) else {
        let hint = nearest(name).map(|known| format!("; did you mean {known}?")).unwrap_or_default();
        return Err(format!("{name} is not a topic setting{hint}"));
    };
    key.check(text).map(|_| ()).map_err(|invalid| invalid.to_string())
}

/// A topic key that the name of a broker key, or a name with a mistake, most likely meant.
fn nearest(name: &str) -> Option<&'static str> {
    keys::topic_keys()
        .find(|key| broker_names(key.name).iter().any(|(broker, _)| *broker == name))
        .or_else(|| keys::topic_keys().find(|key| name.contains(key.name) || key.name.contains(name)))
        .map(|key| key.name)
}

/// Whether all settings of a topic go together, on a broker with `settings`: `own` is what the topic
/// would have, `before` what it has.
///
/// # Errors
/// A sentence for the person who asked.
pub fn check_together(settings: &Settings, own: &Texts, before: &Texts) -> Result<(), String> {
    for (name, text) in own {
        check(name, text)?;
    }
    let topic = TopicConfig::effective(settings, own);
    if topic.min_compaction_lag_ms > topic.max_compaction_lag_ms {
        return Err(format!(
            "min.compaction.lag.ms is {}, more than max.compaction.lag.ms with {}: lower the first or raise the second",
            topic.min_compaction_lag_ms, topic.max_compaction_lag_ms
        ));
    }
    let had_remote = TopicConfig::effective(settings, before).remote_storage;
    if topic.remote_storage {
        check_remote(settings, &topic)
    } else if had_remote && !topic.remote_delete_on_disable {
        Err("turning remote.storage.enable off needs a word about the remote data: \
             set remote.log.delete.on.disable=true to delete it, or keep remote.storage.enable=true \
             with remote.log.copy.disable=true to keep it readable"
            .to_owned())
    } else {
        Ok(())
    }
}

fn check_remote(settings: &Settings, topic: &TopicConfig) -> Result<(), String> {
    if !settings.flag("remote.log.storage.system.enable").unwrap_or(false) {
        return Err(
            "remote.storage.enable needs remote.log.storage.system.enable=true on the brokers".to_owned()
        );
    }
    if topic.cleanup.compact {
        return Err("remote.storage.enable does not go with cleanup.policy=compact: use delete".to_owned());
    }
    let pairs = [
        ("retention.ms", topic.retention_ms, topic.local_retention_ms, topic.remote_copy_lag_ms),
        ("retention.bytes", topic.retention_bytes, topic.local_retention_bytes, topic.remote_copy_lag_bytes),
    ];
    for (name, whole, local, lag) in pairs {
        if let Some(whole) = whole.filter(|_| local != -2)
            && (local == -1 || local > whole)
        {
            return Err(format!(
                "local.{name} is {local}: it must not be more than {name}, which is {whole}"
            ));
        }
        if topic.remote_copy_disabled && local != -2 && local != whole.unwrap_or(-1) {
            return Err(format!(
                "local.{name} is {local}: with remote.log.copy.disable=true it must be the same as {name}, or -2"
            ));
        }
        let kept = if local == -2 { whole.unwrap_or(-1) } else { local };
        if kept >= 0 && lag > kept {
            let lag_name = name.replace("retention", "remote.copy.lag");
            return Err(format!(
                "{lag_name} is {lag}: it must not be more than the {kept} that local.{name} keeps"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{broker, texts};
    use super::*;

    /// Accepted and refused by Apache Kafka 4.4.0's own `LogConfig.validate`.
    #[test]
    fn single_values_are_judged_as_kafka_judges_them() {
        for (name, text) in [
            ("cleanup.policy", ""),
            ("cleanup.policy", "delete,delete"),
            ("cleanup.policy", " delete , compact "),
            ("retention.ms", " 5 "),
            ("retention.ms", "+5"),
            ("min.cleanable.dirty.ratio", ".5f"),
            ("min.cleanable.dirty.ratio", "NaN"),
            ("preallocate", "TRUE"),
            ("leader.replication.throttled.replicas", "*"),
            ("leader.replication.throttled.replicas", ""),
            ("local.retention.ms", "-1"),
            ("internal.segment.bytes", "100"),
            ("retention.bytes", "-5"),
        ] {
            assert_eq!(check(name, text), Ok(()), "{name}={text}");
        }
        for (name, text, part) in [
            ("cleanup.policy", "delete,", "empty entry"),
            ("cleanup.policy", "DELETE", "one of compact, delete"),
            ("retention.ms", "-2", "at least -1"),
            ("retention.ms", "5L", "whole number"),
            ("min.cleanable.dirty.ratio", "1.1", "between 0 and 1"),
            ("preallocate", "yes", "true or false"),
            ("segment.bytes", "1048575", "at least 1048576"),
            ("max.compaction.lag.ms", "0", "at least 1"),
            ("leader.replication.throttled.replicas", "0:1,x", "partition:broker"),
            ("compression.gzip.level", "0", "between 1 and 9, or -1"),
            ("compression.type", "GZIP", "one of"),
            ("segment.ms", "", "whole number"),
            ("flush.messages", "0", "at least 1"),
            ("message.format.version", "3.0", "is not a topic setting"),
            ("log.retention.ms", "5", "did you mean retention.ms?"),
        ] {
            let why = check(name, text).unwrap_err();
            assert!(why.contains(part) && why.contains(name), "{name}={text}: {why}");
        }
    }

    #[test]
    fn settings_that_do_not_go_together_are_refused() {
        let remote = broker(&[("remote.log.storage.system.enable", "true")]);
        let plain = broker(&[]);
        let none = texts(&[]);
        for (settings, own, part) in [
            (
                &plain,
                texts(&[("min.compaction.lag.ms", "6"), ("max.compaction.lag.ms", "5")]),
                "min.compaction.lag.ms is 6",
            ),
            (&plain, texts(&[("remote.storage.enable", "true")]), "remote.log.storage.system.enable=true"),
            (
                &remote,
                texts(&[("remote.storage.enable", "true"), ("cleanup.policy", "compact")]),
                "use delete",
            ),
            (
                &remote,
                texts(&[
                    ("remote.storage.enable", "true"),
                    ("retention.ms", "5"),
                    ("local.retention.ms", "6"),
                ]),
                "local.retention.ms is 6",
            ),
            (
                &remote,
                texts(&[("remote.storage.enable", "true"), ("local.retention.ms", "-1")]),
                "local.retention.ms is -1",
            ),
        ] {
            let why = check_together(settings, &own, &none).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
        assert_eq!(check_together(&remote, &texts(&[("remote.storage.enable", "true")]), &none), Ok(()));
        let was = texts(&[("remote.storage.enable", "true")]);
        assert!(
            check_together(&remote, &none, &was).unwrap_err().contains("remote.log.delete.on.disable=true")
        );
        assert_eq!(
            check_together(&remote, &texts(&[("remote.log.delete.on.disable", "true")]), &was),
            Ok(())
        );
    }
}
