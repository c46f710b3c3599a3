//! The broker settings of one node as text, in their layers: file, cluster-wide, this broker.
//!
//! A setting is looked up in the merged layers and read as the type its declaration gives. Everything
//! in here was validated when it came in: the file at start ([`Settings::load`]), dynamic updates by the
//! controller before they were recorded ([`super::dynamic`]). Dynamic values that an older or foreign
//! controller let through are left out, and said, as Kafka does.

use std::collections::BTreeMap;

use thiserror::Error;

use super::dynamic;
use super::key::{Key, State};
use super::keys;
use super::value::{Invalid, Value};

/// Why a node cannot run with the settings it was given.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// A value that its key does not take.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Settings that do not go together, or one that is missing; the text names them and the way out.
    #[error("{0}")]
    Conflict(String),
}

impl ConfigError {
    /// A conflict with this text.
    pub fn conflict(text: impl Into<String>) -> ConfigError {
        ConfigError::Conflict(text.into())
    }
}

/// Names and texts.
pub type Texts = BTreeMap<String, String>;

/// The layers of broker settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    fixed: Texts,
    cluster: Texts,
    broker: Texts,
    merged: Texts,
}

impl Settings {
    /// Takes the settings of a file (and flags), fills in the synonym of `node.id` and checks every
    /// known key. Warnings name unknown keys and keys that nothing obeys.
    ///
    /// # Errors
    /// The first value that its key does not take.
    pub fn load(mut fixed: Texts) -> Result<(Settings, Vec<String>), ConfigError> {
        let check = |key: &Key, name: &str, text: &str| {
            key.check(text).map_err(|invalid| Invalid { key: name.to_owned(), ..invalid })
        };
        for (have, lacks) in [("node.id", "broker.id"), ("broker.id", "node.id")] {
            if let Some(id) = fixed.get(have).cloned() {
                // Whoever has set the one is not told of the other.
                if let Some(key) = keys::broker(have) {
                    check(key, have, &id)?;
                }
                fixed.entry(lacks.to_owned()).or_insert(id);
            }
        }
        let mut told = Told::default();
        for (name, text) in &fixed {
            match keys::broker(name) {
                Some(key) => {
                    check(key, name, text)?;
                    told.about(name, key, text);
                }
                None => told.unknown.extend(unknown(name)),
            }
        }
        let warnings = told.warnings();
        let merged = fixed.clone();
        Ok((Settings { fixed, merged, ..Settings::default() }, warnings))
    }

    /// The same node with other dynamic layers; the second part says what was left out of them and why.
    pub fn with_dynamic(&self, cluster: &Texts, broker: &Texts) -> (Settings, Vec<String>) {
        let mut left_out = Vec::new();
        let cluster = dynamic::usable(cluster, dynamic::Scope::Cluster, &mut left_out);
        let broker = dynamic::usable(broker, dynamic::Scope::Broker, &mut left_out);
        let mut merged = self.fixed.clone();
        for layer in [&cluster, &broker] {
            for (name, text) in layer {
                // A dynamic value beats every synonym of its key in a lower layer, whatever their order.
                for synonym in keys::broker_synonyms(name) {
                    merged.remove(synonym);
                }
                merged.insert(name.clone(), text.clone());
            }
        }
        (Settings { fixed: self.fixed.clone(), cluster, broker, merged }, left_out)
    }

    /// The layer of the file and the flags.
    pub fn fixed(&self) -> &Texts {
        &self.fixed
    }

    /// The dynamic layer of all brokers.
    pub fn cluster(&self) -> &Texts {
        &self.cluster
    }

    /// The dynamic layer of this broker.
    pub fn broker(&self) -> &Texts {
        &self.broker
    }

    /// The merged layers.
    pub fn merged(&self) -> &Texts {
        &self.merged
    }

    /// Whether anybody set this key.
    pub fn is_set(&self, name: &str) -> bool {
        self.merged.contains_key(name)
    }

    /// The value of a key: as set, else its default; `None` when it has neither.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] if the text does not parse.
    pub fn value(&self, name: &str) -> Result<Option<Value>, ConfigError> {
        let Some(key) = keys::broker(name) else { return Ok(None) };
        match self.merged.get(name).map(String::as_str).or(key.default_text()) {
            Some(text) => Ok(Some(key.check(text)?)),
            None => Ok(None),
        }
    }

    /// An integer setting that has a default.
    ///
    /// # Errors
    /// [`ConfigError`] if it is missing or does not parse.
    pub fn integer(&self, name: &str) -> Result<i64, ConfigError> {
        match self.value(name)? {
            Some(Value::Integer(number)) => Ok(number),
            _ => Err(missing(name)),
        }
    }

    /// An integer setting that may be absent.
    ///
    /// # Errors
    /// [`ConfigError`] if it does not parse.
    pub fn integer_if_set(&self, name: &str) -> Result<Option<i64>, ConfigError> {
        match self.value(name)? {
            Some(Value::Integer(number)) => Ok(Some(number)),
            _ => Ok(None),
        }
    }

    /// A yes-or-no setting.
    ///
    /// # Errors
    /// [`ConfigError`] if it is missing or does not parse.
    pub fn flag(&self, name: &str) -> Result<bool, ConfigError> {
        match self.value(name)? {
            Some(Value::Boolean(value)) => Ok(value),
            _ => Err(missing(name)),
        }
    }

    /// A floating point setting.
    ///
    /// # Errors
    /// [`ConfigError`] if it is missing or does not parse.
    pub fn double(&self, name: &str) -> Result<f64, ConfigError> {
        match self.value(name)? {
            Some(Value::Double(value)) => Ok(value),
            _ => Err(missing(name)),
        }
    }

    /// A text setting that may be absent.
    ///
    /// # Errors
    /// [`ConfigError`] if it does not parse.
    pub fn text(&self, name: &str) -> Result<Option<String>, ConfigError> {
        match self.value(name)? {
            Some(Value::Text(text)) => Ok(Some(text)),
            _ => Ok(None),
        }
    }

    /// A list setting; empty when absent.
    ///
    /// # Errors
    /// [`ConfigError`] if it does not parse.
    pub fn list(&self, name: &str) -> Result<Vec<String>, ConfigError> {
        match self.value(name)? {
            Some(Value::List(entries)) => Ok(entries),
            _ => Ok(Vec::new()),
        }
    }
}

fn missing(name: &str) -> ConfigError {
    ConfigError::conflict(format!("{name} is required: add a line \"{name}=...\""))
}

/// Settings without which a node does not start, whatever they do.
const UNAVOIDABLE: &[&str] = &["controller.quorum.bootstrap.servers"];

/// What there is to say about the settings of a file.
#[derive(Default)]
struct Told {
    unknown: Vec<String>,
    without_effect: Vec<String>,
    not_yet: Vec<String>,
}

impl Told {
    /// A setting that says what would hold anyway, or that nobody can leave out, is not worth a word.
    fn about(&mut self, name: &str, key: &Key, text: &str) {
        if key.default_text() == Some(text.trim()) || UNAVOIDABLE.contains(&name) {
            return;
        }
        match key.state {
            State::Honoured => {}
            State::WithoutEffect(why) => self.without_effect.push(format!("{name} ({why})")),
            State::NotYet => self.not_yet.push(name.to_owned()),
        }
    }

    fn warnings(self) -> Vec<String> {
        let mut warnings = self.unknown;
        if !self.without_effect.is_empty() {
            warnings.push(format!("settings without effect here: {}", self.without_effect.join("; ")));
        }
        if !self.not_yet.is_empty() {
            let names = self.not_yet.join(", ");
            warnings.push(format!("settings that are kept and shown, but not obeyed yet: {names}"));
        }
        warnings
    }
}

/// Keys of plug-ins share the file with the broker's own; Kafka leaves them alone, and so do we.
const PLUGIN_PREFIXES: &[&str] = &["rsm.config.", "rlmm.config.", "config.providers.", "kafka.metrics."];

fn unknown(name: &str) -> Option<String> {
    if PLUGIN_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return None;
    }
    let hint =
        keys::nearest_broker_key(name).map(|known| format!("; did you mean {known}?")).unwrap_or_default();
    Some(format!("{name} is not a setting that Kafka 4.4 or Headwater knows{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> Texts {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn broker_id_and_node_id_are_one() {
        let (settings, _) = Settings::load(texts(&[("broker.id", "7")])).unwrap();
        assert_eq!(settings.integer("node.id").unwrap(), 7);
        let (settings, _) = Settings::load(texts(&[("node.id", "8")])).unwrap();
        assert_eq!(settings.fixed()["broker.id"], "8");
        for set in ["node.id", "broker.id"] {
            let refused = Settings::load(texts(&[(set, "x")])).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("invalid value \"x\" for {set}:")), "{refused}");
        }
    }

    #[test]
    fn wrong_values_are_refused_with_key_and_value() {
        let refused = Settings::load(texts(&[("num.partitions", "0")])).unwrap_err();
        assert_eq!(refused.to_string(), "invalid value \"0\" for num.partitions: it must be at least 1");
        let refused = Settings::load(texts(&[("listener.name.a.max.connections", "x")])).unwrap_err();
        assert!(refused.to_string().contains("for listener.name.a.max.connections"), "{refused}");
    }

    #[test]
    fn unknown_keys_are_named_with_the_nearest_known_one() {
        let (_, warnings) =
            Settings::load(texts(&[("log.retention.hour", "5"), ("rsm.config.x", "1")])).unwrap();
        let expected = "log.retention.hour is not a setting that Kafka 4.4 or Headwater knows; did you mean log.retention.hours?";
        assert_eq!(warnings, [expected]);
    }

    #[test]
    fn keys_that_do_nothing_warn_only_away_from_their_default() {
        let file = [
            ("num.network.threads", "3"),
            ("num.io.threads", "4"),
            ("quota.window.num", "5"),
            ("quota.window.size.seconds", "9"),
            ("transaction.max.timeout.ms", "900000"),
        ];
        let (_, warnings) = Settings::load(texts(&file)).unwrap();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].starts_with("settings without effect here: num.io.threads ("), "{warnings:?}");
        assert!(
            warnings[1].ends_with("not obeyed yet: quota.window.num, quota.window.size.seconds"),
            "{warnings:?}"
        );
    }

    #[test]
    fn dynamic_layers_beat_the_file_and_its_synonyms() {
        let (settings, _) =
            Settings::load(texts(&[("log.retention.ms", "5"), ("max.connections", "9")])).unwrap();
        let cluster = texts(&[("log.retention.ms", "6"), ("max.connections", "10"), ("node.id", "3")]);
        let (settings, left_out) = settings.with_dynamic(&cluster, &texts(&[("max.connections", "11")]));
        assert_eq!(settings.integer("log.retention.ms").unwrap(), 6);
        assert_eq!(settings.integer("max.connections").unwrap(), 11);
        assert_eq!(left_out.len(), 1, "{left_out:?}");
        assert!(left_out[0].contains("node.id"), "{left_out:?}");
        let (settings, _) = settings.with_dynamic(&Texts::new(), &Texts::new());
        assert_eq!(settings.integer("log.retention.ms").unwrap(), 5);
    }
}
