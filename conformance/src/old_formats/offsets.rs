//! Version 0 of OffsetCommit and OffsetFetch, which kept offsets in ZooKeeper: asked of both, and compared.

use std::net::SocketAddr;

use anyhow::{Result, bail, ensure};
use conformance::connection::{Answer, Connection};
use protocol::api_key::ApiKey;
use serde_json::{Value, json};

use super::topics::create;

const TOPIC: &str = "offsets";

/// Asks both the same, one after another, and wants the same answers.
pub fn compare(kafka: SocketAddr, headwater: SocketAddr) -> Result<()> {
    for address in [kafka, headwater] {
        create(address, TOPIC, &[])?;
    }
    let asked = asks();
    let (count, mut different) = (asked.len(), 0);
    for (what, api, request) in asked {
        let [theirs, ours] = [kafka, headwater].map(|address| ask(address, api, &request));
        let (theirs, ours) = (theirs?, ours?);
        if theirs != ours {
            different += 1;
            println!("differs {} 0, {what}: Kafka {theirs}, we {ours}", api.name());
        }
    }
    ensure!(different == 0, "{different} answers of {count} differ");
    println!("ok   OffsetCommit and OffsetFetch 0: {count} answers are the same");
    Ok(())
}

/// Asks once: what of these answers asks to try again is the answer that is compared.
fn ask(address: SocketAddr, api: ApiKey, request: &Value) -> Result<Value> {
    match Connection::open(address)?.ask(api, 0, request)? {
        Answer::Response(answer) => Ok(answer),
        other => bail!("{} 0 is answered with {other:?}", api.name()),
    }
}

fn asks() -> Vec<(&'static str, ApiKey, Value)> {
    let commit = |group: &str, topic: &str, partition: i32, offset: i64, metadata: Value| {
        let partition =
            json!({"PartitionIndex": partition, "CommittedOffset": offset, "CommittedMetadata": metadata});
        json!({"GroupId": group, "Topics": [{"Name": topic, "Partitions": [partition]}]})
    };
    let fetch = |group: &str, topic: &str, partitions: &[i32]| json!({"GroupId": group, "Topics": [{"Name": topic, "PartitionIndexes": partitions}]});
    use ApiKey::{OffsetCommit, OffsetFetch};
    vec![
        ("before any commit", OffsetFetch, fetch("group", TOPIC, &[0])),
        ("a commit", OffsetCommit, commit("group", TOPIC, 0, 42, json!(""))),
        ("a commit of it", OffsetFetch, fetch("group", TOPIC, &[0])),
        ("a later commit", OffsetCommit, commit("group", TOPIC, 0, 43, json!("noted"))),
        ("a commit that is lower", OffsetCommit, commit("group", TOPIC, 0, 7, json!(null))),
        ("another group", OffsetFetch, fetch("other", TOPIC, &[0])),
        ("an unknown topic", OffsetCommit, commit("group", "nowhere", 0, 1, json!(""))),
        ("an unknown partition", OffsetCommit, commit("group", TOPIC, 5, 1, json!(""))),
        ("an unknown topic", OffsetFetch, fetch("group", "nowhere", &[0])),
        ("an unknown partition", OffsetFetch, fetch("group", TOPIC, &[5])),
        ("large metadata", OffsetCommit, commit("group", TOPIC, 0, 1, json!("m".repeat(5000)))),
        ("nothing", OffsetCommit, json!({"GroupId": "group", "Topics": []})),
        ("nothing", OffsetFetch, json!({"GroupId": "group", "Topics": []})),
    ]
}
