//! Steps of streams groups.
//!
//! ```text
//! streams g a app=count                   a joins with an application; it has 60 s to give something up
//! streams g a epoch=2 has=0:0,1/1:0|0:2   a beat; active | standby tasks that it has, `none` for none
//! streams g a epoch=-1                    a leaves; -2 for a while
//! streams g a process=p endpoint=h:1 tags=zone:x offsets=1:0~5 shutdown
//! ```
//! Applications: `pass` reads `in`; `count` reads `lines` through the repartition topic `words` and keeps `counts`;
//! `table` reads `in` and keeps `store`; `joined` joins `in` with `lines`; two parts of `twice` read `in`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use coordinator::Token;
use coordinator::group::streams::{
    CopartitionGroup, Endpoint, HeldTasks, Offsets, State, StreamsAnswer, StreamsHeartbeat, Subtopology,
    Tasks, TopicInfo, Topology,
};
use coordinator::group::{Epoch, Millis};
use coordinator::record::GroupRecord;
use protocol::id::PartitionIndex;
use protocol::messages::record::StreamsGroupCurrentMemberAssignmentValue;
use protocol::messages::record::streams_group_current_member_assignment::TaskIds as CurrentTaskIds;
use protocol::messages::record::streams_group_target_assignment_member::TaskIds as TargetTaskIds;
use protocol::wire::Array;

use super::Stage;
use super::words::Words;

/// Plays a step, if it is one of these.
pub fn ask(stage: &mut Stage, name: &str, token: Token, words: &Words) -> bool {
    match words.verb() {
        "streams" => heartbeat(stage, name, token, words),
        "describe-streams" => describe(stage, name, words),
        _ => return false,
    }
    true
}

fn heartbeat(stage: &mut Stage, name: &str, token: Token, words: &Words) {
    let beat = heartbeat_of(words);
    if let Err(invalid) = beat.check() {
        stage.say(format!("<- {name} invalid: {invalid}"));
        return;
    }
    let answer = stage.decide(name, token, |shard, ground| shard.streams_heartbeat(ground, &beat));
    if let Some(answer) = answer {
        let said = answered(&answer);
        stage.say(format!("<- {name} {said}"));
    }
}

/// A heartbeat in words.
pub fn heartbeat_of(words: &Words) -> StreamsHeartbeat {
    let epoch = Epoch(i32::try_from(words.named_number("epoch", 0)).unwrap());
    let joins = epoch == Epoch(0);
    let has = words.named_one("has").or(joins.then_some("none"));
    let (active, standby) = match has {
        Some("none") => (Some(Tasks::new()), Some(Tasks::new())),
        Some(has) => {
            let (active, standby) = has.split_once('|').unwrap_or((has, ""));
            (Some(tasks(active)), Some(tasks(standby)))
        }
        None => (None, None),
    };
    let timeout = words.named_one("rebalance").or(joins.then_some("60000"));
    let app = words.named_one("app").or(joins.then_some("pass"));
    StreamsHeartbeat {
        version: i16::try_from(words.named_number("v", 1)).unwrap(),
        group: Arc::from(words.get(1)),
        member: Arc::from(words.get(2)),
        epoch,
        instance: words.named_one("instance").map(Arc::from),
        rack: words.named_one("rack").map(Arc::from),
        rebalance_timeout: timeout.map(|millis| Millis(millis.parse().unwrap())),
        topology: app.filter(|app| *app != "none").map(|app| Arc::new(application(app))),
        warmup: active.as_ref().map(|_| Tasks::new()),
        active,
        standby,
        process: words.named_one("process").or(joins.then_some(words.get(2))).map(Arc::from),
        endpoint: words.named_one("endpoint").map(|at| {
            let (host, port) = at.split_once(':').unwrap();
            Endpoint { host: Arc::from(host), port: port.parse().unwrap() }
        }),
        tags: words.named_one("tags").map(|tags| {
            let tags = tags.split(',').filter_map(|tag| tag.split_once(':'));
            tags.map(|(key, value)| (Arc::from(key), Arc::from(value))).collect::<BTreeMap<_, _>>()
        }),
        offsets: words.named_one("offsets").map(offsets),
        end_offsets: words.named_one("ends").map(offsets),
        tells_twice: false,
        shutdown: words.from(3).contains(&"shutdown".to_owned()),
        endpoint_epoch: i32::try_from(words.named_number("known", 0)).unwrap(),
        client_id: Arc::from(words.named_one("client").unwrap_or("c")),
        client_host: Arc::from("/127.0.0.1"),
    }
}

/// `0:1,2/1:0`
fn tasks(words: &str) -> Tasks {
    let parts = words.split('/').filter(|part| !part.is_empty()).map(|part| {
        let (id, tasks) = part.split_once(':').unwrap();
        let tasks: BTreeSet<_> = tasks.split(',').map(|task| PartitionIndex(task.parse().unwrap())).collect();
        (Arc::from(id), tasks)
    });
    parts.collect()
}

/// `1:0~5/1:1~7`
fn offsets(words: &str) -> Offsets {
    let mut offsets = Offsets::new();
    for told in words.split('/').filter(|told| !told.is_empty()) {
        let (task, offset) = told.split_once('~').unwrap();
        let (id, task) = task.split_once(':').unwrap();
        let of_part = offsets.entry(Arc::from(id)).or_default();
        of_part.insert(PartitionIndex(task.parse().unwrap()), offset.parse().unwrap());
    }
    offsets
}

fn application(name: &str) -> Topology {
    let (name, epoch) = name.split_once('@').unwrap_or((name, "0"));
    let topic = |name: &str, partitions| TopicInfo {
        name: Arc::from(name),
        partitions,
        replication_factor: 0,
        configs: vec![(Arc::from("cleanup.policy"), Arc::from("compact"))],
    };
    let part = |id: &str, sources: &[&str]| Subtopology {
        id: Arc::from(id),
        sources: sources.iter().map(|source| Arc::from(*source)).collect(),
        source_regexes: Vec::new(),
        changelogs: Vec::new(),
        repartition_sinks: Vec::new(),
        repartition_sources: Vec::new(),
        copartition_groups: Vec::new(),
    };
    let subtopologies = match name {
        "pass" => vec![part("0", &["in"])],
        "table" => vec![Subtopology { changelogs: vec![topic("store", 0)], ..part("0", &["in"]) }],
        "sized-changelog" => vec![Subtopology { changelogs: vec![topic("store", 3)], ..part("0", &["in"]) }],
        "twice" => vec![part("0", &["in"]), part("1", &["lines", "in"])],
        "regex" => vec![Subtopology { source_regexes: vec![Arc::from("in.*")], ..part("0", &[]) }],
        "loop" => vec![Subtopology {
            repartition_sinks: vec![Arc::from("r")],
            repartition_sources: vec![topic("r", 0)],
            ..part("0", &[])
        }],
        "count" => vec![
            Subtopology { repartition_sinks: vec![Arc::from("words")], ..part("0", &["lines"]) },
            Subtopology {
                changelogs: vec![topic("counts", 0)],
                repartition_sources: vec![topic("words", 0)],
                ..part("1", &[])
            },
        ],
        "joined" => vec![Subtopology {
            copartition_groups: vec![CopartitionGroup {
                sources: vec![0, 1],
                source_regexes: Vec::new(),
                repartition_sources: Vec::new(),
            }],
            ..part("0", &["in", "lines"])
        }],
        _ => panic!("no application is called '{name}'"),
    };
    Topology::new(epoch.parse().unwrap(), subtopologies)
}

fn told<'t>(tasks: impl Iterator<Item = (&'t Arc<str>, Vec<String>)>) -> String {
    let parts: Vec<String> = tasks.map(|(id, tasks)| format!("{id}:{}", tasks.join(","))).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join("/") }
}

fn held(tasks: &HeldTasks) -> String {
    told(tasks.iter().map(|(id, tasks)| (id, tasks.keys().map(ToString::to_string).collect())))
}

/// How far a member's copies of state are, if it has told.
fn sums(offsets: &Offsets) -> String {
    let of_part = |(id, sums): (&Arc<str>, &BTreeMap<PartitionIndex, i64>)| {
        let sums = sums.iter().map(|(task, sum)| format!(" {id}:{task}~{sum}"));
        sums.collect::<String>()
    };
    let told: String = offsets.iter().map(of_part).collect();
    if told.is_empty() { told } else { format!(" tells{told}") }
}

fn plain(tasks: &Tasks) -> String {
    told(tasks.iter().map(|(id, tasks)| (id, tasks.iter().map(ToString::to_string).collect())))
}

fn answered(answer: &StreamsAnswer) -> String {
    let mut said = format!("epoch {}", answer.epoch.0);
    if let Some(tasks) = &answer.tasks {
        said.push_str(&format!(" active {}", held(&tasks.active)));
        if !tasks.standby.is_empty() {
            said.push_str(&format!(" standby {}", plain(&tasks.standby)));
        }
    }
    for status in &answer.statuses {
        said.push_str(&format!(" {:?}", status.code));
    }
    if !answer.missing_topics.is_empty() {
        let topics = answer.missing_topics.iter();
        let topics: Vec<String> =
            topics.map(|topic| format!("{}={}", topic.name, topic.partitions)).collect();
        said.push_str(&format!(" make {}", topics.join(",")));
    }
    for at in answer.endpoints.iter().flatten() {
        let topics = |topics: &[(Arc<str>, Vec<PartitionIndex>)]| {
            told(topics.iter().map(|(topic, all)| (topic, all.iter().map(ToString::to_string).collect())))
        };
        said.push_str(&format!(" at {}:{} {}", at.endpoint.host, at.endpoint.port, topics(&at.active)));
        if !at.standby.is_empty() {
            said.push_str(&format!(" copies {}", topics(&at.standby)));
        }
    }
    if answer.endpoint_epoch != 0 {
        said.push_str(&format!(" endpoints {}", answer.endpoint_epoch));
    }
    said
}

fn describe(stage: &mut Stage, name: &str, words: &Words) {
    let Some(group) = stage.shard.describe_streams(words.get(1)) else {
        stage.say(format!("<- {name} not there"));
        return;
    };
    let members: Vec<String> = group
        .members
        .iter()
        .map(|described| {
            let member = &described.member;
            format!(
                "{}@{} has {}|{} is to have {}|{}{}",
                described.id,
                member.epoch.0,
                held(&member.assigned.active),
                plain(&member.assigned.standby),
                plain(&described.target.active),
                plain(&described.target.standby),
                sums(&described.told.offsets)
            )
        })
        .collect();
    stage.say(format!(
        "<- {name} {} epoch {} assigned {} [{}]",
        group.state,
        group.epoch.0,
        group.target_epoch.0,
        members.join("; ")
    ));
}

/// Nobody else runs, or is yet to give up, a task that a member of this group runs, and epochs stand in order.
pub fn holds(stage: &Stage, group: &str) {
    let Some(group) = stage.shard.streams_group(group) else { return };
    let mut owners: BTreeMap<(&str, PartitionIndex), &str> = BTreeMap::new();
    for (id, member) in group.members() {
        for (part, tasks) in member.assigned.active.iter().chain(&member.revoking.active) {
            for task in tasks.keys() {
                let other = owners.insert((part, *task), id);
                assert!(other.is_none(), "{other:?} and {id} both run {part}:{task}");
            }
        }
        assert!(member.epoch <= group.epoch(), "{id} is at {:?}, beyond the group", member.epoch);
    }
}

/// A member of a streams group, as the coordinator sees it.
pub struct Seen {
    pub epoch: i32,
    pub instance: Option<String>,
    pub process: String,
    /// What it has, but for what it is to give up, as steps say it.
    pub has: String,
}

impl Stage {
    /// The members of a streams group.
    pub fn streams_members(&self, group: &str) -> BTreeMap<String, Seen> {
        let members = self.shard.streams_group(group).into_iter().flat_map(|group| group.members());
        let seen = members.map(|(id, member)| {
            let (active, standby) = (held(&member.assigned.active), plain(&member.assigned.standby));
            let has = format!("{active}|{standby}").replace("none", "");
            let seen = Seen {
                epoch: member.epoch.0,
                instance: member.instance.as_deref().map(str::to_owned),
                process: member.process.to_string(),
                has: if has == "|" { "none".to_owned() } else { has },
            };
            (id.to_string(), seen)
        });
        seen.collect()
    }

    /// Whether everybody in a streams group has what they are to have; where there is none, nobody lacks anything.
    pub fn streams_are_settled(&self, group: &str) -> bool {
        let group = self.shard.streams_group(group);
        group.is_none_or(|group| matches!(group.state(), State::Stable | State::Empty))
    }
}

/// A record of a streams group in words.
pub fn record(record: &GroupRecord<'_>) -> Option<String> {
    let said = match record {
        GroupRecord::StreamsGroupMetadata(key, Some(value)) => {
            let configs = value.last_assignment_configs.iter().flat_map(Array::iter);
            let configs: Vec<String> = configs.map(|one| format!("{}={}", one.key, one.value)).collect();
            let topics = if value.metadata_hash == 0 { " without topics" } else { "" };
            format!(
                "streams {} epoch {} topology {} [{}]{topics}",
                key.group_id,
                value.epoch,
                value.validated_topology_epoch,
                configs.join(" ")
            )
        }
        GroupRecord::StreamsGroupMetadata(key, None) => format!("streams {} is gone", key.group_id),
        GroupRecord::StreamsGroupMemberMetadata(key, Some(value)) => format!(
            "streams {} member {} of {}{}",
            key.group_id,
            key.member_id,
            value.process_id,
            value.instance_id.as_ref().map_or_else(String::new, |instance| format!(" called {instance}"))
        ),
        GroupRecord::StreamsGroupMemberMetadata(key, None) => {
            format!("streams {} member {} is gone", key.group_id, key.member_id)
        }
        GroupRecord::StreamsGroupTargetAssignmentMetadata(key, Some(value)) => {
            format!("streams {} assigned at epoch {}", key.group_id, value.assignment_epoch)
        }
        GroupRecord::StreamsGroupTargetAssignmentMetadata(key, None) => {
            format!("streams {} assigned nothing", key.group_id)
        }
        GroupRecord::StreamsGroupTargetAssignmentMember(key, Some(value)) => format!(
            "streams {} {} is to have {}|{}",
            key.group_id,
            key.member_id,
            targeted(&value.active_tasks),
            targeted(&value.standby_tasks)
        ),
        GroupRecord::StreamsGroupTargetAssignmentMember(key, None) => {
            format!("streams {} {} is to have nothing", key.group_id, key.member_id)
        }
        GroupRecord::StreamsGroupCurrentMemberAssignment(key, Some(value)) => {
            format!("streams {} {} {}", key.group_id, key.member_id, progress(value))
        }
        GroupRecord::StreamsGroupCurrentMemberAssignment(key, None) => {
            format!("streams {} {} has nothing", key.group_id, key.member_id)
        }
        GroupRecord::StreamsGroupTopology(key, Some(value)) => {
            let parts: Vec<String> =
                value.subtopologies.iter().map(|part| part.subtopology_id.to_string()).collect();
            format!("streams {} topology {} [{}]", key.group_id, value.epoch, parts.join(" "))
        }
        GroupRecord::StreamsGroupTopology(key, None) => format!("streams {} has no topology", key.group_id),
        _ => return None,
    };
    Some(said)
}

/// How far a member has come.
fn progress(value: &StreamsGroupCurrentMemberAssignmentValue<'_>) -> String {
    let revoking = current(&value.active_tasks_pending_revocation);
    let copies = current(&value.standby_tasks_pending_revocation);
    let revoking = if (&*revoking, &*copies) == ("none", "none") {
        String::new()
    } else {
        format!(" gives up {revoking}|{copies}")
    };
    format!(
        "at epoch {} after {} state {} has {}|{}{revoking}",
        value.member_epoch,
        value.previous_member_epoch,
        value.state,
        current(&value.active_tasks),
        current(&value.standby_tasks)
    )
}

fn targeted(tasks: &Array<'_, TargetTaskIds<'_>>) -> String {
    let parts: Vec<String> = tasks
        .iter()
        .map(|part| {
            let tasks: Vec<String> = part.partitions.iter().map(|task| task.to_string()).collect();
            format!("{}:{}", part.subtopology_id, tasks.join(","))
        })
        .collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join("/") }
}

fn current(tasks: &Array<'_, CurrentTaskIds<'_>>) -> String {
    let parts: Vec<String> = tasks
        .iter()
        .map(|part| {
            let epochs: Vec<i32> = part.assignment_epochs.iter().flat_map(Array::iter).collect();
            let tasks = part.partitions.iter().enumerate().map(|(at, task)| match epochs.get(at) {
                Some(epoch) => format!("{task}@{epoch}"),
                None => task.to_string(),
            });
            format!("{}:{}", part.subtopology_id, tasks.collect::<Vec<_>>().join(","))
        })
        .collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join("/") }
}
