//! What a cluster shows of its topics: ids, configs, and every record.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use conformance::connection::{Answer, Connection};
use conformance::partition_client::{Contents, read_all};
use protocol::api_key::ApiKey;
use serde_json::{Value, json};

use super::PARTITIONS;

/// All that is shown.
#[derive(Debug, Default)]
pub struct Picture {
    topics: BTreeMap<String, TopicPicture>,
}

#[derive(Debug)]
struct TopicPicture {
    id: Value,
    /// The configs that are the topic's own.
    configs: BTreeMap<String, String>,
    partitions: Vec<Contents>,
}

impl Picture {
    /// Asks a broker for everything.
    pub fn take(address: SocketAddr, names: &[String]) -> Result<Self> {
        let mut topics = BTreeMap::new();
        for name in names {
            let mut connection = Connection::open(address)?;
            let request = json!({"Topics": [{"TopicId": "AAAAAAAAAAAAAAAAAAAAAA", "Name": name}],
                "AllowAutoTopicCreation": false});
            let mut partitions = Vec::new();
            for partition in 0..PARTITIONS {
                partitions.push(read_all(address, (name, partition))?);
            }
            let metadata = ask(&mut connection, ApiKey::Metadata, 12, &request)?;
            let topic = &metadata["Topics"][0];
            ensure!(topic["ErrorCode"] == 0, "metadata of {name}: {metadata}");
            let configs = configs(&mut connection, name)?;
            topics.insert(name.clone(), TopicPicture { id: topic["TopicId"].clone(), configs, partitions });
        }
        Ok(Self { topics })
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
            for (index, (before, after)) in before.partitions.iter().zip(&after.partitions).enumerate() {
                same(before, after, name == "compacted").with_context(|| format!("{name}-{index}"))?;
            }
        }
        Ok(())
    }
}

/// Whether a partition is what it was. A compacted one may have lost what newer records of the same key replaced.
fn same(before: &Contents, after: &Contents, compacted: bool) -> Result<()> {
    ensure!(
        (before.log_start, before.high_watermark) == (after.log_start, after.high_watermark),
        "it went from {} to {} and goes from {} to {}",
        before.log_start,
        before.high_watermark,
        after.log_start,
        after.high_watermark
    );
    let mut later = after.records.iter().peekable();
    for record in &before.records {
        let found = later.next_if(|later| later.offset == record.offset);
        match found {
            Some(found) => {
                ensure!(found == record, "offset {} was {record:?} and is {found:?}", record.offset)
            }
            None if compacted => {
                let replaced = before
                    .records
                    .iter()
                    .any(|other| other.key == record.key && other.offset > record.offset);
                ensure!(replaced, "offset {} is gone and nothing replaces it", record.offset);
            }
            None => bail!("offset {} is gone", record.offset),
        }
    }
    ensure!(later.next().is_none(), "there are records that were not there");
    Ok(())
}

fn configs(connection: &mut Connection, topic: &str) -> Result<BTreeMap<String, String>> {
    let resource = json!({"ResourceType": 2, "ResourceName": topic, "ConfigurationKeys": null});
    let request = json!({"Resources": [resource], "IncludeSynonyms": false, "IncludeDocumentation": false});
    let answer = ask(connection, ApiKey::DescribeConfigs, 4, &request)?;
    let configs = answer["Results"][0]["Configs"].as_array().context("configs")?;
    // 1 is what was set on the topic itself.
    let own = configs.iter().filter(|config| config["ConfigSource"] == 1);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(own.map(|config| (text(&config["Name"]), text(&config["Value"]))).collect())
}

fn ask(connection: &mut Connection, api: ApiKey, version: i16, request: &Value) -> Result<Value> {
    match connection.ask(api, version, request)? {
        Answer::Response(answer) => Ok(answer),
        other => bail!("{} was answered with {other:?}", api.name()),
    }
}
