//! What is set in a cluster and not on a topic: configs of all brokers, of one and of a group, and the levels of features.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use conformance::patience;
use protocol::api_key::ApiKey;
use serde_json::{Value, json};

use super::staying;

const BROKER: i8 = 4;
const GROUP: i8 = 32;
/// A resource, and which sources of its configs are what was set on it.
type Resource = (&'static str, i8, &'static str, &'static [i64]);
const RESOURCES: [Resource; 3] = [
    ("all brokers", BROKER, "", &[3]),
    ("broker 1", BROKER, "1", &[2, 3]),
    ("a group", GROUP, staying::MODERN, &[8]),
];

/// Changes one config of each kind.
pub fn go_on(address: SocketAddr, leg: u8, modern_groups: bool) -> Result<()> {
    let leg = i32::from(leg);
    let mut changes = vec![
        (BROKER, "", "message.max.bytes", 1_048_600 + leg),
        (BROKER, "1", "max.connections", 10_000 + leg),
    ];
    if modern_groups {
        changes.push((GROUP, staying::MODERN, "consumer.heartbeat.interval.ms", 5_000 + leg));
    }
    for (kind, name, key, value) in changes {
        let config = json!({"Name": key, "ConfigOperation": 0, "Value": value.to_string()});
        let resource = json!({"ResourceType": kind, "ResourceName": name, "Configs": [config]});
        let request = json!({"Resources": [resource], "ValidateOnly": false});
        patience::insist(address, ApiKey::IncrementalAlterConfigs, 1, &request).context(key)?;
    }
    Ok(())
}

/// What a broker says is set.
pub fn picture(address: SocketAddr, modern_groups: bool) -> Result<BTreeMap<String, Value>> {
    let client = json!({"ClientSoftwareName": "conformance", "ClientSoftwareVersion": "1"});
    let versions = patience::insist(address, ApiKey::ApiVersions, 3, &client)?;
    let mut features = versions["FinalizedFeatures"].as_array().context("features")?.clone();
    features.sort_by_key(Value::to_string);
    let mut all = BTreeMap::from([("features".to_owned(), features.into())]);
    for (what, kind, name, sources) in RESOURCES {
        if kind == GROUP && !modern_groups {
            continue;
        }
        let resource = json!({"ResourceType": kind, "ResourceName": name, "ConfigurationKeys": null});
        let request = json!({"Resources": [resource]});
        let answer = patience::insist(address, ApiKey::DescribeConfigs, 4, &request)?;
        let configs = answer["Results"][0]["Configs"].as_array().context("configs")?;
        let own = configs
            .iter()
            .filter(|config| config["ConfigSource"].as_i64().is_some_and(|source| sources.contains(&source)));
        let own: BTreeMap<_, _> =
            own.map(|config| (config["Name"].to_string(), config["Value"].to_string())).collect();
        all.insert(what.to_owned(), json!(own));
    }
    Ok(all)
}
