//! Configurations that were set at run time, by resource. Defaults and static values live with the broker.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;

/// What kind of thing a configuration belongs to, by Kafka's numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ResourceType(pub i8);

impl ResourceType {
    /// A topic.
    pub const TOPIC: Self = Self(2);
    /// A broker, or all brokers where the name is empty.
    pub const BROKER: Self = Self(4);
    /// The loggers of a broker; never in the log.
    pub const BROKER_LOGGER: Self = Self(8);
    /// A subscription to client metrics (KIP-714).
    pub const CLIENT_METRICS: Self = Self(16);
    /// A group.
    pub const GROUP: Self = Self(32);
}

/// What a configuration belongs to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ConfigResource {
    /// Its kind.
    pub kind: ResourceType,
    /// Its name; empty for the default of all brokers.
    pub name: String,
}

impl ConfigResource {
    /// The configuration of a topic.
    pub fn topic(name: impl Into<String>) -> Self {
        Self { kind: ResourceType::TOPIC, name: name.into() }
    }

    /// The configuration of one broker, or with an empty name of all.
    pub fn broker(name: impl Into<String>) -> Self {
        Self { kind: ResourceType::BROKER, name: name.into() }
    }
}

/// The values that were set.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Configs {
    by_resource: OrdMap<ConfigResource, Arc<BTreeMap<String, String>>>,
}

impl Configs {
    /// What was set for a resource.
    pub fn of(&self, resource: &ConfigResource) -> Option<&Arc<BTreeMap<String, String>>> {
        self.by_resource.get(resource)
    }

    /// Whether anything was set for a resource of this kind, or of one behind it.
    pub fn has_any_from(&self, kind: ResourceType) -> bool {
        self.by_resource.get_max().is_some_and(|(last, _)| last.kind >= kind)
    }

    /// One value that was set for a resource.
    pub fn get(&self, resource: &ConfigResource, key: &str) -> Option<&str> {
        self.by_resource.get(resource)?.get(key).map(String::as_str)
    }

    /// All resources with values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&ConfigResource, &Arc<BTreeMap<String, String>>)> {
        self.by_resource.iter()
    }

    pub(crate) fn set(&mut self, resource: &ConfigResource, key: &str, value: Option<&str>) {
        match value {
            Some(value) => {
                let values = self.by_resource.entry(resource.clone()).or_default();
                Arc::make_mut(values).insert(key.to_owned(), value.to_owned());
            }
            None => {
                if let Some(values) = self.by_resource.get_mut(resource) {
                    Arc::make_mut(values).remove(key);
                    if values.is_empty() {
                        self.by_resource.remove(resource);
                    }
                }
            }
        }
    }

    pub(crate) fn forget(&mut self, resource: &ConfigResource) {
        self.by_resource.remove(resource);
    }
}
