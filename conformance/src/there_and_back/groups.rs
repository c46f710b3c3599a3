//! Consumer groups: offsets committed by nobody's member, by a classic member that joins and leaves, by a member of the
//! consumer protocol (KIP-848), and within transactions. Whoever opens `__consumer_offsets` must say the same.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use conformance::by_schema::hex;
use conformance::patience;
use protocol::api_key::ApiKey;
use serde_json::{Value, json};

use super::PARTITIONS;

/// The group that commits within transactions.
pub const IN_TRANSACTIONS: &str = "in-transactions";
/// The group of a transaction that is left open.
pub const PENDING: &str = "pending";

const ALONE: &str = "alone";
const CLASSIC: &str = "classic";
const MODERN: &str = "modern";
const ALL: [&str; 5] = [ALONE, CLASSIC, MODERN, IN_TRANSACTIONS, PENDING];

/// The topic whose offsets are committed.
const TOPIC: &str = "plain";

/// Commits offsets of this leg.
pub fn go_on(address: SocketAddr, leg: u8, modern_groups: bool) -> Result<()> {
    for group in [ALONE, CLASSIC, MODERN] {
        find(address, group)?;
    }
    commit(address, ALONE, ("", -1), leg)?;
    classic(address, leg)?;
    if modern_groups { modern(address, leg) } else { Ok(()) }
}

/// What a broker says of all groups.
pub fn picture(address: SocketAddr) -> Result<BTreeMap<String, Value>> {
    let mut all = BTreeMap::new();
    for group in ALL {
        find(address, group)?;
        let request = json!({"Groups": [{"GroupId": group, "Topics": null}]});
        let mut offsets = patience::insist(address, ApiKey::OffsetFetch, 8, &request)?["Groups"][0].take();
        sort(&mut offsets);
        let mut state = Value::Null;
        // The request knows only groups of classic members.
        if group != MODERN {
            let request = json!({"Groups": [group]});
            let described = patience::insist(address, ApiKey::DescribeGroups, 4, &request)?;
            let group = &described["Groups"][0];
            state = json!([group["GroupState"], group["ProtocolType"], group["Members"]]);
        }
        all.insert(group.to_owned(), json!({"offsets": offsets, "state": state}));
    }
    Ok(all)
}

/// Puts lists in an order, for theirs is nobody's affair.
pub fn sort(value: &mut Value) {
    match value {
        Value::Array(elements) => {
            elements.iter_mut().for_each(sort);
            elements.sort_by_key(Value::to_string);
        }
        Value::Object(fields) => fields.values_mut().for_each(sort),
        _ => {}
    }
}

fn find(address: SocketAddr, group: &str) -> Result<()> {
    let find = json!({"KeyType": 0, "CoordinatorKeys": [group]});
    patience::insist(address, ApiKey::FindCoordinator, 4, &find)?;
    Ok(())
}

fn commit(address: SocketAddr, group: &str, (member, generation): (&str, i64), leg: u8) -> Result<()> {
    let partitions: Vec<_> = (0..PARTITIONS)
        .map(|index| {
            json!({"PartitionIndex": index, "CommittedOffset": i32::from(leg) * 3 + index,
                "CommittedLeaderEpoch": 0, "CommittedMetadata": format!("leg {leg}")})
        })
        .collect();
    let request = json!({"GroupId": group, "GenerationIdOrMemberEpoch": generation, "MemberId": member,
        "Topics": [{"Name": TOPIC, "Partitions": partitions}]});
    patience::insist(address, ApiKey::OffsetCommit, 8, &request)?;
    Ok(())
}

/// A member of the classic protocol joins, is alone, commits and leaves.
fn classic(address: SocketAddr, leg: u8) -> Result<()> {
    let subscription = [&[0, 0, 0, 0, 0, 1, 0, 5], TOPIC.as_bytes(), &[0xff; 4]].concat();
    let join = json!({"GroupId": CLASSIC, "SessionTimeoutMs": 45_000, "RebalanceTimeoutMs": 45_000, "MemberId": "",
        "ProtocolType": "consumer", "Protocols": [{"Name": "range", "Metadata": hex(&subscription)}]});
    let joined = patience::insist(address, ApiKey::JoinGroup, 3, &join)?;
    let member = joined["MemberId"].as_str().context("a member id")?;
    let generation = joined["GenerationId"].as_i64().context("a generation")?;
    ensure!(generation == i64::from(leg) * 2 - 1, "the generation of leg {leg} is {generation}");
    let assignment =
        [&[0, 0, 0, 0, 0, 1, 0, 5], TOPIC.as_bytes(), &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]].concat();
    let sync = json!({"GroupId": CLASSIC, "GenerationId": generation, "MemberId": member,
        "Assignments": [{"MemberId": member, "Assignment": hex(&assignment)}]});
    patience::insist(address, ApiKey::SyncGroup, 2, &sync)?;
    commit(address, CLASSIC, (member, generation), leg)?;
    let leave = json!({"GroupId": CLASSIC, "MemberId": member});
    patience::insist(address, ApiKey::LeaveGroup, 2, &leave)?;
    Ok(())
}

/// A member of the consumer protocol (KIP-848) does the same.
fn modern(address: SocketAddr, leg: u8) -> Result<()> {
    let member = format!("member-{leg}");
    let beat = |epoch: i64| {
        json!({"GroupId": MODERN, "MemberId": member, "MemberEpoch": epoch, "RebalanceTimeoutMs": 45_000,
            "SubscribedTopicNames": [TOPIC], "TopicPartitions": []})
    };
    let joined = patience::insist(address, ApiKey::ConsumerGroupHeartbeat, 0, &beat(0))?;
    let epoch = joined["MemberEpoch"].as_i64().context("a member epoch")?;
    let commit_of = |address| {
        let partition = json!({"PartitionIndex": 0, "CommittedOffset": leg, "CommittedMetadata": "modern"});
        let request = json!({"GroupId": MODERN, "GenerationIdOrMemberEpoch": epoch, "MemberId": member,
            "Topics": [{"Name": TOPIC, "Partitions": [partition]}]});
        patience::insist(address, ApiKey::OffsetCommit, 9, &request)
    };
    commit_of(address)?;
    patience::insist(address, ApiKey::ConsumerGroupHeartbeat, 0, &beat(-1))?;
    Ok(())
}
