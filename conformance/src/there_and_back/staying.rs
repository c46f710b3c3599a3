//! Members that do not leave when their broker does: a static one each of a classic group, of a consumer group (KIP-848)
//! that reads by a regular expression, and of a streams group (KIP-1071). Whoever opens the directory knows them as they
//! were, and they go on where they are.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use conformance::by_schema::hex;
use conformance::patience::{self, PATIENCE};
use protocol::api_key::ApiKey;
use serde_json::{Value, json};

use super::groups;

/// The names of the groups; the member of each is called the same.
const CLASSIC: &str = "stays-classic";
/// That of KIP-848.
pub const MODERN: &str = "stays-modern";
const STREAMS: &str = "stays-streams";
const INSTANCE: &str = "stays";
/// Longer than any leg takes.
pub const SESSION_MS: i32 = 1_800_000;
const PAUSE: Duration = Duration::from_millis(50);

/// Those that have joined, by where they are.
#[derive(Default)]
pub struct Staying {
    classic: Option<(String, i64)>,
    modern: Option<Value>,
    streams: Option<Value>,
}

/// How a group whose members reconcile is spoken to.
struct Api {
    group: &'static str,
    heartbeat: (ApiKey, i16),
    describe: (ApiKey, i16),
    /// Where an answer says what a member is to have, and where a request says what it has.
    told: &'static [&'static str],
    has: &'static str,
}

const OF_CONSUMERS: Api = Api {
    group: MODERN,
    heartbeat: (ApiKey::ConsumerGroupHeartbeat, 1),
    describe: (ApiKey::ConsumerGroupDescribe, 1),
    told: &["Assignment", "TopicPartitions"],
    has: "TopicPartitions",
};
const OF_STREAMS: Api = Api {
    group: STREAMS,
    heartbeat: (ApiKey::StreamsGroupHeartbeat, 0),
    describe: (ApiKey::StreamsGroupDescribe, 0),
    told: &["ActiveTasks"],
    has: "ActiveTasks",
};

impl Staying {
    /// Has them join, or go on.
    pub fn go_on(&mut self, address: SocketAddr, modern_groups: bool) -> Result<()> {
        for group in [CLASSIC, MODERN, STREAMS] {
            let find = json!({"KeyType": 0, "CoordinatorKeys": [group]});
            patience::insist(address, ApiKey::FindCoordinator, 4, &find)?;
        }
        self.classic(address)?;
        if modern_groups {
            let consumer = json!({"RebalanceTimeoutMs": 45_000, "SubscribedTopicRegex": "plain|gz.*",
                "TopicPartitions": []});
            goes_on(address, &OF_CONSUMERS, &mut self.modern, consumer).context(MODERN)?;
            let source = json!({"SubtopologyId": "0", "SourceTopics": ["plain"]});
            let streams = json!({"RebalanceTimeoutMs": 45_000, "ProcessId": "process", "ActiveTasks": [],
                "StandbyTasks": [], "WarmupTasks": [], "Topology": {"Epoch": 1, "Subtopologies": [source]},
                "ClientTags": [{"Key": "zone", "Value": "z"}],
                "UserEndpoint": {"Host": "somewhere", "Port": 65_000}});
            goes_on(address, &OF_STREAMS, &mut self.streams, streams).context(STREAMS)?;
        }
        Ok(())
    }

    fn classic(&mut self, address: SocketAddr) -> Result<()> {
        if let Some((member, generation)) = &self.classic {
            let beat = json!({"GroupId": CLASSIC, "GenerationId": generation, "MemberId": member,
                "GroupInstanceId": INSTANCE});
            patience::insist(address, ApiKey::Heartbeat, 4, &beat).context(CLASSIC)?;
            return Ok(());
        }
        let join = json!({"GroupId": CLASSIC, "SessionTimeoutMs": SESSION_MS, "RebalanceTimeoutMs": SESSION_MS,
            "MemberId": "", "GroupInstanceId": INSTANCE, "ProtocolType": "anything",
            "Protocols": [{"Name": "first", "Metadata": hex(b"one")}, {"Name": "second", "Metadata": ""}]});
        let joined = patience::insist(address, ApiKey::JoinGroup, 7, &join)?;
        let member = joined["MemberId"].as_str().context("a member id")?.to_owned();
        let generation = joined["GenerationId"].as_i64().context("a generation")?;
        let sync = json!({"GroupId": CLASSIC, "GenerationId": generation, "MemberId": member,
            "GroupInstanceId": INSTANCE, "ProtocolType": "anything", "ProtocolName": "first",
            "Assignments": [{"MemberId": member, "Assignment": hex(b"its part")}]});
        patience::insist(address, ApiKey::SyncGroup, 5, &sync)?;
        self.classic = Some((member, generation));
        Ok(())
    }
}

/// A member joins and takes what it is to have, or says that it is where it was.
fn goes_on(address: SocketAddr, api: &Api, known: &mut Option<Value>, joining: Value) -> Result<()> {
    let ask = |request: &Value| patience::insist(address, api.heartbeat.0, api.heartbeat.1, request);
    if let Some(known) = known {
        let epoch = &ask(known)?["MemberEpoch"];
        ensure!(known["MemberEpoch"] == *epoch, "it was at epoch {} and is at {epoch}", known["MemberEpoch"]);
        return Ok(());
    }
    let mut request = joining;
    for (name, value) in
        [("GroupId", api.group), ("MemberId", api.group), ("InstanceId", INSTANCE), ("RackId", "rack")]
    {
        request[name] = value.into();
    }
    request["MemberEpoch"] = 0.into();
    let end = Instant::now() + PATIENCE;
    let stable = |has: &Value| -> Result<bool> {
        let group = described(address, api)?;
        Ok(group["GroupState"] == "Stable" && has.as_array().is_some_and(|parts| !parts.is_empty()))
    };
    let mut beat = json!({"GroupId": api.group, "MemberId": api.group, "InstanceId": INSTANCE,
        "RebalanceTimeoutMs": -1, api.has: []});
    loop {
        let answer = ask(&request)?;
        let told = api.told.iter().fold(&answer, |told, name| &told[*name]);
        if told.is_array() {
            beat[api.has] = told.clone();
        }
        beat["MemberEpoch"] = answer["MemberEpoch"].clone();
        if stable(&beat[api.has])? {
            break;
        }
        ensure!(Instant::now() < end, "it is not stable within {PATIENCE:?}: {answer}");
        request = beat.clone();
        if api.has == "ActiveTasks" {
            request["StandbyTasks"] = json!([]);
            request["WarmupTasks"] = json!([]);
        }
        std::thread::sleep(PAUSE);
    }
    // From then on it says only that it is there.
    beat[api.has] = Value::Null;
    *known = Some(beat);
    Ok(())
}

fn described(address: SocketAddr, api: &Api) -> Result<Value> {
    let request = json!({"GroupIds": [api.group], "IncludeAuthorizedOperations": false});
    let (key, version) = api.describe;
    Ok(patience::insist(address, key, version, &request)?["Groups"][0].take())
}

/// What a broker says of the groups.
pub fn picture(address: SocketAddr, modern_groups: bool) -> Result<BTreeMap<String, Value>> {
    let request = json!({"Groups": [CLASSIC], "IncludeAuthorizedOperations": false});
    let classic = patience::insist(address, ApiKey::DescribeGroups, 5, &request)?["Groups"][0].take();
    let mut all = BTreeMap::from([(CLASSIC.to_owned(), classic)]);
    if modern_groups {
        for api in [OF_CONSUMERS, OF_STREAMS] {
            all.insert(api.group.to_owned(), described(address, &api)?);
        }
    }
    all.values_mut().for_each(groups::sort);
    Ok(all)
}
