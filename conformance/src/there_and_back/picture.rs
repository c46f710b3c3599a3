//! What a cluster shows: its topics with ids, configs, and every record, the internal ones too, its groups and settings.
//! Only the topics of [`late`] are left to it: what is missing of these is for another to judge.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use conformance::partition_client::{Contents, Isolation, read, read_all};
use conformance::patience;
use protocol::api_key::ApiKey;
use serde_json::{Value, json};

use super::{groups, late, settings, staying};

/// All that is shown.
#[derive(Debug, Default)]
pub struct Picture {
    topics: BTreeMap<String, TopicPicture>,
    groups: BTreeMap<String, Value>,
    settings: BTreeMap<String, Value>,
}

#[derive(Debug)]
struct TopicPicture {
    id: Value,
    /// The configs that are the topic's own.
    configs: BTreeMap<String, String>,
    partitions: Vec<Contents>,
    /// The same as those see it who read only what is committed.
    committed: Vec<Contents>,
    rules: Rules,
}

/// What may become of a topic from one look to the next.
#[derive(Clone, Copy, Debug)]
struct Rules {
    /// Records may go that later ones of the same key replace.
    compacted: bool,
    /// The broker itself writes to it.
    internal: bool,
}

impl Picture {
    /// Asks a broker for everything.
    pub fn take(address: SocketAddr, modern_groups: bool) -> Result<Self> {
        // First, because asking for groups makes their topic.
        let mut groups = groups::picture(address)?;
        groups.extend(staying::picture(address, modern_groups)?);
        let settings = settings::picture(address, modern_groups)?;
        let metadata = patience::insist(address, ApiKey::Metadata, 12, &json!({"Topics": null}))?;
        let mut topics = BTreeMap::new();
        for topic in metadata["Topics"].as_array().context("topics")? {
            let name = topic["Name"].as_str().context("a topic's name")?;
            if name.starts_with(late::PREFIX) {
                continue;
            }
            let (mut partitions, mut committed) = (Vec::new(), Vec::new());
            let count = topic["Partitions"].as_array().context("partitions")?.len();
            for partition in 0..i32::try_from(count)? {
                partitions.push(read_all(address, (name, partition))?);
                committed.push(read(address, (name, partition), Isolation::Committed)?);
            }
            let configs = configs(address, name)?;
            let compacted = configs.get("cleanup.policy").is_some_and(|policy| policy == "compact");
            let rules = Rules { compacted, internal: topic["IsInternal"] == true };
            let id = topic["TopicId"].clone();
            topics.insert(name.to_owned(), TopicPicture { id, configs, partitions, committed, rules });
        }
        Ok(Self { topics, groups, settings })
    }

    /// How many records it holds.
    pub fn records(&self) -> usize {
        let partitions = self.topics.values().flat_map(|topic| &topic.partitions);
        partitions.map(|partition| partition.records.len()).sum()
    }

    /// Compares with a later one; names the first thing that is not the same.
    pub fn expect(&self, now: &Self) -> Result<()> {
        for (name, before) in &self.topics {
            let after = now.topics.get(name).with_context(|| format!("topic {name} is gone"))?;
            ensure!(before.id == after.id, "{name} had id {} and has {}", before.id, after.id);
            ensure!(
                before.configs == after.configs,
                "{name} had configs {:?} and has {:?}",
                before.configs,
                after.configs
            );
            let pairs = before.partitions.iter().zip(&after.partitions);
            let committed = before.committed.iter().zip(&after.committed);
            for (index, (pair, committed)) in pairs.zip(committed).enumerate() {
                let rules = before.rules;
                same(pair.0, pair.1, rules).with_context(|| format!("{name}-{index}"))?;
                same(committed.0, committed.1, rules)
                    .with_context(|| format!("{name}-{index}, what is committed of it"))?;
            }
        }
        for (name, before) in &self.groups {
            let after = &now.groups[name];
            ensure!(before == after, "group {name} was {before} and is {after}");
        }
        for (name, before) in &self.settings {
            let after = &now.settings[name];
            ensure!(before == after, "what is set of {name} was {before} and is {after}");
        }
        Ok(())
    }
}

/// Whether a partition is what it was. A compacted one may have lost what newer records of the same key replaced.
fn same(before: &Contents, after: &Contents, rules: Rules) -> Result<()> {
    let grown = rules.internal && after.end >= before.end;
    ensure!(
        before.log_start == after.log_start && (before.end == after.end || grown),
        "it went from {} to {} and goes from {} to {}",
        before.log_start,
        before.end,
        after.log_start,
        after.end
    );
    let mut later = after.records.iter().peekable();
    for record in &before.records {
        let found = later.next_if(|later| later.offset == record.offset);
        match found {
            Some(found) => {
                ensure!(found == record, "offset {} was {record:?} and is {found:?}", record.offset)
            }
            None if rules.compacted => {
                let replaced = before
                    .records
                    .iter()
                    .any(|other| other.key == record.key && other.offset > record.offset);
                ensure!(replaced, "offset {} is gone and nothing replaces it", record.offset);
            }
            None => bail!("offset {} is gone", record.offset),
        }
    }
    let more = later.next();
    let grown = grown && more.is_some_and(|record| record.offset >= before.end);
    ensure!(more.is_none() || grown, "there are records that were not there: {more:?}");
    Ok(())
}

fn configs(address: SocketAddr, topic: &str) -> Result<BTreeMap<String, String>> {
    let resource = json!({"ResourceType": 2, "ResourceName": topic, "ConfigurationKeys": null});
    let request = json!({"Resources": [resource], "IncludeSynonyms": false, "IncludeDocumentation": false});
    let answer = patience::insist(address, ApiKey::DescribeConfigs, 4, &request)?;
    let configs = answer["Results"][0]["Configs"].as_array().context("configs")?;
    // 1 is what was set on the topic itself.
    let own = configs.iter().filter(|config| config["ConfigSource"] == 1);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(own.map(|config| (text(&config["Name"]), text(&config["Value"]))).collect())
}
