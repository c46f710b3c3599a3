//! Changing configurations: incrementally, or all of a resource at once as the older API does.

use std::collections::BTreeMap;

use protocol::messages::record::{clear_elr_record::ClearElrRecord, config_record::ConfigRecord};

use super::{Decision, Refusal};
use crate::image::{ConfigResource, Image, ResourceType};
use crate::record::MetadataRecord;

const MIN_ISR: &str = "min.insync.replicas";

/// What the broker's table of keys knows and this crate does not.
pub trait ConfigCheck {
    /// Whether a key holds a list, to which values can be appended.
    fn is_list(&self, kind: ResourceType, key: &str) -> bool;

    /// What a key is where nothing was set, for appending to.
    fn default_value(&self, kind: ResourceType, key: &str) -> Option<String>;

    /// Whether a resource may have this name and these values, its whole configuration after the change. The
    /// sentence names key, value and what is allowed; the code depends on the kind of resource.
    fn check(&self, resource: &ConfigResource, values: &BTreeMap<String, String>) -> Result<(), Refusal>;
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigOp {
    /// The key gets this value.
    Set(String),
    /// The key falls back to its default.
    Delete,
    /// These values are added to the key's list.
    Append(String),
    /// These values are taken from the key's list.
    Subtract(String),
}

/// Changes to one resource.
#[derive(Clone, Debug)]
pub struct ConfigChanges {
    /// The resource.
    pub resource: ConfigResource,
    /// The changes, each key once.
    pub ops: Vec<(String, ConfigOp)>,
}

/// The outcome for each resource, in the request's order.
pub type AlteredConfigs = Vec<(ConfigResource, Result<(), Refusal>)>;

/// Changes keys of resources, each resource by itself.
pub fn decide_incremental_alter_configs(
    image: &Image,
    changes: Vec<ConfigChanges>,
    validate_only: bool,
    check: &dyn ConfigCheck,
) -> Result<Decision<AlteredConfigs>, Refusal> {
    let mut records = Vec::new();
    let mut response = Vec::new();
    for ConfigChanges { resource, ops } in changes {
        let result = alter(image, &resource, ops, check).map(|more| records.extend(more));
        response.push((resource, result));
    }
    if validate_only {
        records.clear();
    }
    Ok(Decision::new(records, response))
}

/// Gives resources exactly these values: keys that are not named fall back to their defaults.
pub fn decide_alter_configs(
    image: &Image,
    resources: Vec<(ConfigResource, BTreeMap<String, String>)>,
    validate_only: bool,
    check: &dyn ConfigCheck,
) -> Result<Decision<AlteredConfigs>, Refusal> {
    let mut records = Vec::new();
    let mut response = Vec::new();
    for (resource, values) in resources {
        let result = to_records(image, &resource, values, check).map(|more| records.extend(more));
        response.push((resource, result));
    }
    if validate_only {
        records.clear();
    }
    Ok(Decision::new(records, response))
}

/// The records that give a new resource its values.
pub(super) fn set_all(
    resource: &ConfigResource,
    values: BTreeMap<String, String>,
    check: &dyn ConfigCheck,
) -> Result<Vec<MetadataRecord<'static>>, Refusal> {
    check.check(resource, &values)?;
    Ok(difference(resource, &BTreeMap::new(), &values))
}

fn alter(
    image: &Image,
    resource: &ConfigResource,
    ops: Vec<(String, ConfigOp)>,
    check: &dyn ConfigCheck,
) -> Result<Vec<MetadataRecord<'static>>, Refusal> {
    let mut values = image.configs.of(resource).map(|values| (**values).clone()).unwrap_or_default();
    for (key, op) in ops {
        match op {
            ConfigOp::Set(value) => {
                values.insert(key, value);
            }
            // A key that was not set stays so, without complaint (Kafka 4.4).
            ConfigOp::Delete => {
                values.remove(&key);
            }
            ConfigOp::Append(more) => {
                let mut list = list_of(resource, &key, "APPEND", (&values, check))?;
                let new: Vec<_> = parts(&more).filter(|part| !list.contains(part)).collect();
                list.extend(new);
                values.insert(key, list.join(","));
            }
            ConfigOp::Subtract(less) => {
                let mut list = list_of(resource, &key, "SUBTRACT", (&values, check))?;
                list.retain(|part| !parts(&less).any(|taken| taken == *part));
                values.insert(key, list.join(","));
            }
        }
    }
    to_records(image, resource, values, check)
}

fn known(image: &Image, resource: &ConfigResource) -> Result<(), Refusal> {
    if resource.kind == ResourceType::TOPIC && image.topics.by_name(&resource.name).is_none() {
        return Err(Refusal::UnknownTopic(resource.name.clone()));
    }
    Ok(())
}

fn list_of(
    resource: &ConfigResource,
    key: &str,
    op: &str,
    (values, check): (&BTreeMap<String, String>, &dyn ConfigCheck),
) -> Result<Vec<String>, Refusal> {
    if !check.is_list(resource.kind, key) {
        return Err(Refusal::InvalidConfig(format!("can't {op} to key {key} because its type is not LIST")));
    }
    let present = values.get(key).cloned().or_else(|| check.default_value(resource.kind, key));
    Ok(present.as_deref().map(|value| parts(value).collect()).unwrap_or_default())
}

fn parts(value: &str) -> impl Iterator<Item = String> {
    value.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned)
}

fn to_records(
    image: &Image,
    resource: &ConfigResource,
    values: BTreeMap<String, String>,
    check: &dyn ConfigCheck,
) -> Result<Vec<MetadataRecord<'static>>, Refusal> {
    let present = image.configs.of(resource).map(|values| (**values).clone()).unwrap_or_default();
    let min_isr_changes = present.get(MIN_ISR) != values.get(MIN_ISR);
    if min_isr_changes && image.keeps_elr() && resource.kind == ResourceType::BROKER {
        // Eligible replicas are judged by this value, so all brokers must agree on it.
        if !resource.name.is_empty() {
            let sentence = "broker-level min.insync.replicas cannot be altered while ELR is enabled: set it for the cluster (the default of all brokers) or for a topic";
            return Err(Refusal::InvalidConfig(sentence.to_owned()));
        }
        if !values.contains_key(MIN_ISR) {
            let sentence = "cluster-level min.insync.replicas cannot be removed while ELR is enabled: set it to another value instead";
            return Err(Refusal::InvalidConfig(sentence.to_owned()));
        }
    }
    check.check(resource, &values)?;
    // Kafka judges the values first: a wrong value for a topic that is not there is a wrong value.
    known(image, resource)?;
    let mut records = difference(resource, &present, &values);
    if min_isr_changes
        && image.keeps_elr()
        && [ResourceType::TOPIC, ResourceType::BROKER].contains(&resource.kind)
    {
        // Who was eligible under the old value need not be under the new one.
        let topic_name =
            if resource.kind == ResourceType::TOPIC { resource.name.clone() } else { String::new() };
        records.push(ClearElrRecord { topic_name: topic_name.into() }.into());
    }
    Ok(records)
}

/// The records that turn one configuration into another.
fn difference(
    resource: &ConfigResource,
    present: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, String>,
) -> Vec<MetadataRecord<'static>> {
    let record = |key: &str, value: Option<&str>| {
        let record = ConfigRecord {
            resource_type: resource.kind.0,
            resource_name: resource.name.clone().into(),
            name: key.to_owned().into(),
            value: value.map(|value| value.to_owned().into()),
        };
        MetadataRecord::from(record)
    };
    let set = wanted.iter().filter(|(key, value)| present.get(*key) != Some(value));
    let set = set.map(|(key, value)| record(key, Some(value)));
    let removed = present.keys().filter(|key| !wanted.contains_key(*key)).map(|key| record(key, None));
    set.chain(removed).collect()
}
