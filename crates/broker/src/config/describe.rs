//! What DescribeConfigs (versions 1 to 4) says about the settings of each kind of resource.
//!
//! Entries come in the order of their names. An entry's source is that of its first synonym; a sensitive
//! value is null everywhere. Filtering by requested names and hiding synonyms or documentation that were
//! not asked for is left to the handler.

use super::group_config;
use super::key::{Key, Update};
use super::keys::{self, topic::broker_names};
use super::settings::{Settings, Texts};
use super::value::Value;

/// Where a value comes from, with Kafka's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Source {
    /// Set on the topic.
    Topic = 1,
    /// Set for this broker while running.
    DynamicBroker = 2,
    /// Set for all brokers while running.
    DynamicDefaultBroker = 3,
    /// Set in the file.
    StaticBroker = 4,
    /// Set by nobody.
    Default = 5,
    /// The level of a logger.
    BrokerLogger = 6,
    /// Set on a client metrics subscription.
    ClientMetrics = 7,
    /// Set on the group.
    Group = 8,
}

/// One place that gives a value, under the name it has there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synonym {
    /// The name there.
    pub name: String,
    /// The value there; `None` if sensitive.
    pub value: Option<String>,
    /// The place.
    pub source: Source,
}

/// One setting of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key's name.
    pub name: String,
    /// The value; `None` if sensitive or absent.
    pub value: Option<String>,
    /// Whether it cannot change while the broker runs.
    pub read_only: bool,
    /// Where the value comes from.
    pub source: Source,
    /// Whether the value is kept secret.
    pub sensitive: bool,
    /// All places that give a value, the strongest first.
    pub synonyms: Vec<Synonym>,
    /// Kafka's number of the type; 0 for unknown.
    pub kind: i8,
    /// What the key does.
    pub documentation: Option<&'static str>,
}

impl Entry {
    /// Whether nobody set it.
    pub fn is_default(&self) -> bool {
        self.source == Source::Default
    }
}

/// The entries of the topic that sets `own` itself.
pub fn topic(settings: &Settings, own: &Texts) -> Vec<Entry> {
    let entry = |key: &'static Key| {
        let from_own = own.get(key.name).and_then(|text| key.check(text).ok());
        let value = from_own
            .clone()
            .or_else(|| super::topic_config::broker_value(settings, key))
            .map(|value| value.to_string());
        let mut synonyms = Vec::new();
        if from_own.is_some() {
            synonyms.push(Synonym { name: key.name.to_owned(), value: value.clone(), source: Source::Topic });
        }
        if let Some((first, _)) = broker_names(key.name).first() {
            synonyms.extend(broker_synonyms(settings, first));
        }
        of_key(key, value.or(key.default_text().map(str::to_owned)), synonyms, false)
    };
    let mut entries: Vec<Entry> =
        keys::topic_keys().filter(|key| !key.internal || own.contains_key(key.name)).map(entry).collect();
    entries.extend(unknown(own.keys().filter(|name| keys::topic(name).is_none()), Source::Topic));
    entries
}

/// The entries of this broker.
pub fn broker(settings: &Settings) -> Vec<Entry> {
    let mut names: Vec<&str> = keys::broker_keys().filter(|key| !key.internal).map(|key| key.name).collect();
    names.extend(settings.merged().keys().map(String::as_str));
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| broker_entry(settings, name)).collect()
}

/// The entries of all brokers together: what was set for all while running.
pub fn cluster(settings: &Settings) -> Vec<Entry> {
    let of_cluster = |name: &String| {
        let mut entry = broker_entry(settings, name);
        entry.synonyms.retain(|synonym| synonym.source == Source::DynamicDefaultBroker);
        entry.source = entry.synonyms.first().map_or(Source::Default, |synonym| synonym.source);
        if !entry.sensitive {
            entry.value = settings.cluster().get(name).cloned();
        }
        entry
    };
    settings.cluster().keys().map(of_cluster).collect()
}

/// The entries of the group that sets `own` itself.
pub fn group(settings: &Settings, own: &Texts) -> Vec<Entry> {
    let entry = |key: &'static Key| {
        let from_own = own.get(key.name).and_then(|text| key.check(text).ok()).map(|value| value.to_string());
        let broker_name = group_config::broker_name(key.name);
        let from_broker =
            broker_name.as_deref().and_then(|name| settings.value(name).ok().flatten()).map(|value| {
                match value {
                    // The one assignor of a group is by default the first of the broker's.
                    Value::List(names) if key.name == "streams.assignor.name" => {
                        names.first().cloned().unwrap_or_default()
                    }
                    value => value.to_string(),
                }
            });
        let default = from_broker.clone().or(key.default_text().map(str::to_owned));
        let mut synonyms = Vec::new();
        if let Some(value) = &from_own {
            synonyms.push(Synonym {
                name: key.name.to_owned(),
                value: Some(value.clone()),
                source: Source::Group,
            });
        }
        match broker_name {
            Some(name) => synonyms.extend(broker_synonyms(settings, &name)),
            None => synonyms.push(Synonym {
                name: key.name.to_owned(),
                value: default.clone(),
                source: Source::Default,
            }),
        }
        of_key(key, from_own.or(default), synonyms, false)
    };
    keys::group_keys().filter(|key| !key.internal || own.contains_key(key.name)).map(entry).collect()
}

/// The entries of a client metrics subscription that sets `own`.
pub fn client_metrics(own: &Texts) -> Vec<Entry> {
    let entry = |key: &'static Key| {
        let set = own.get(key.name).and_then(|text| key.check(text).ok()).map(|value| value.to_string());
        let of_own = |value: &String| Synonym {
            name: key.name.to_owned(),
            value: Some(value.clone()),
            source: Source::ClientMetrics,
        };
        let synonyms = set.iter().map(of_own).collect();
        of_key(key, set.or(key.default_text().map(str::to_owned)), synonyms, false)
    };
    keys::client_metrics_keys().map(entry).collect()
}

/// The entry of a logger and its level.
pub fn logger(name: &str, level: &str) -> Entry {
    Entry {
        name: name.to_owned(),
        value: Some(level.to_owned()),
        read_only: false,
        source: Source::BrokerLogger,
        sensitive: false,
        synonyms: Vec::new(),
        kind: 0,
        documentation: None,
    }
}

fn of_key(key: &'static Key, value: Option<String>, synonyms: Vec<Synonym>, read_only: bool) -> Entry {
    Entry {
        name: key.name.to_owned(),
        value: value.filter(|_| !key.sensitive()),
        read_only,
        source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
        sensitive: key.sensitive(),
        synonyms,
        kind: key.kind as i8,
        documentation: Some(key.doc),
    }
}

fn broker_entry(settings: &Settings, name: &str) -> Entry {
    let synonyms = broker_synonyms(settings, name);
    let Some(key) = keys::broker(name) else {
        let source = synonyms.first().map_or(Source::Default, |synonym| synonym.source);
        return Entry { source, synonyms, ..secret(name, Source::Default) };
    };
    let text = settings.merged().get(name).map(String::as_str).or(key.default_text());
    let value = text.map(|text| key.check(text).map_or_else(|_| text.to_owned(), |value| value.to_string()));
    // Kafka calls a listener's own setting read-only, since the list of dynamic keys has no prefixes.
    let read_only = key.name != name || key.update == Update::ReadOnly;
    Entry { name: name.to_owned(), ..of_key(key, value, synonyms, read_only) }
}

/// A setting that no table has might be anything, a password too: its value is never shown.
fn secret(name: &str, source: Source) -> Entry {
    Entry {
        name: name.to_owned(),
        value: None,
        read_only: true,
        source,
        sensitive: true,
        synonyms: Vec::new(),
        kind: 0,
        documentation: None,
    }
}

fn unknown<'a>(names: impl Iterator<Item = &'a String>, source: Source) -> Vec<Entry> {
    let entry = |name: &String| Entry {
        read_only: false,
        synonyms: vec![Synonym { name: name.clone(), value: None, source }],
        ..secret(name, source)
    };
    names.map(entry).collect()
}

/// Every place that gives a value for `name`: by layer first, by synonym second. What comes before the
/// first place that has `name` itself is dropped, as Kafka does, so that describing a base key does not
/// start with a synonym of another unit.
fn broker_synonyms(settings: &Settings, name: &str) -> Vec<Synonym> {
    let mut names = keys::broker_synonyms(name);
    names.extend(keys::without_listener_prefix(name));
    let sensitive = keys::broker(name).is_none_or(Key::sensitive);
    let defaults: Texts = names
        .iter()
        .filter_map(|name| {
            Some((
                (*name).to_owned(),
                keys::broker(name).filter(|key| key.name == *name)?.default_text()?.to_owned(),
            ))
        })
        .collect();
    let layers = [
        (settings.broker(), Source::DynamicBroker),
        (settings.cluster(), Source::DynamicDefaultBroker),
        (settings.fixed(), Source::StaticBroker),
        (&defaults, Source::Default),
    ];
    let mut synonyms = Vec::new();
    for (layer, source) in layers {
        for synonym in &names {
            if let Some(text) = layer.get(*synonym) {
                let value = (!sensitive).then(|| text.clone());
                synonyms.push(Synonym { name: (*synonym).to_owned(), value, source });
            }
        }
    }
    let first = synonyms.iter().position(|synonym| synonym.name == name).unwrap_or(synonyms.len());
    synonyms.split_off(first)
}

#[cfg(test)]
mod tests;
