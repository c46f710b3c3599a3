//! Steps of the classic protocol.

use std::sync::Arc;

use coordinator::group::classic::{Heartbeat, Join, Leave, Leaver, Protocols, Sync};
use coordinator::group::{Answer, Generation, GroupDecision, GroupRefusal, GroupShard, Millis};
use coordinator::{Shard as _, Token};
use protocol::messages::Message;
use protocol::messages::record::consumer_protocol_assignment::TopicPartition;
use protocol::messages::record::consumer_protocol_subscription::TopicPartition as OwnedPartitions;
use protocol::messages::record::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};

use super::Stage;
use super::records::part_in_words;
use super::words::{Words, member, short};

/// Plays a step, if it is one of these.
pub fn ask(stage: &mut Stage, name: &str, token: Token, words: &Words) -> bool {
    match words.verb() {
        "join" => join(stage, name, token, words),
        "sync" => sync(stage, name, token, words),
        "beat" => beat(stage, name, token, words),
        "leave" => leave(stage, name, token, words),
        "describe" => describe(stage, name, words),
        "list" => {
            let groups = stage.shard.list();
            let mut groups: Vec<String> =
                groups.map(|group| format!("{} {} {}", group.id, group.state, group.kind)).collect();
            groups.sort();
            stage.say(format!("<- {name} [{}]", groups.join(", ")));
        }
        "delete" => {
            let id = words.get(1).to_owned();
            if stage.decide(name, token, |shard, _| shard.delete_group(&id)).is_some() {
                stage.say(format!("<- {name} ok"));
            }
        }
        _ => return false,
    }
    true
}

fn join(stage: &mut Stage, name: &str, token: Token, words: &Words) {
    let version = words.named_number("v", 9);
    let protocol_type = words.named_one("type").unwrap_or("consumer");
    let metadata = |topics: &str, claimed: u8, version: i16| -> Arc<[u8]> {
        if protocol_type != "consumer" {
            return Arc::from(topics.as_bytes());
        }
        let subscription = ConsumerProtocolSubscription {
            topics: topics
                .split('+')
                .filter(|topic| !topic.is_empty())
                .map(|topic| topic.to_owned().into())
                .collect(),
            owned_partitions: named_partitions(words.named_one("owned").unwrap_or_default())
                .map(|(topic, partitions)| OwnedPartitions {
                    topic: topic.into(),
                    partitions: partitions.into(),
                })
                .collect(),
            ..ConsumerProtocolSubscription::default()
        };
        let mut bytes = vec![0, claimed];
        subscription.encode(version, &mut bytes).unwrap();
        Arc::from(bytes)
    };
    let topics = words.named_one("topics").unwrap_or("t");
    let names = words.named_one("protocols").unwrap_or("range");
    let protocols: Protocols = names
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| match (name.strip_suffix('!'), name.strip_suffix('?')) {
            // Of which the member says nothing that can be read.
            (Some(name), _) => (Arc::from(name), Arc::from([])),
            // Of which it says only what version 0 has, and calls it version 3.
            (None, Some(name)) => (Arc::from(name), metadata(topics, 3, 0)),
            (None, None) => (Arc::from(name), metadata(topics, 1, 1)),
        })
        .collect();
    let session = words.named_number("session", 10_000);
    let join = Join {
        group: Arc::from(words.get(1)),
        member: member(words.get(2)),
        instance: words.named_one("instance").map(Arc::from),
        client_id: Arc::from(words.named_one("client").unwrap_or("c")),
        client_host: Arc::from("/127.0.0.1"),
        session_timeout: Millis(session),
        rebalance_timeout: Millis(words.named_number("rebalance", 60_000)),
        protocol_type: Arc::from(protocol_type),
        protocols,
        promises_id: version >= 4 && !words.from(3).contains(&"at-once".to_owned()),
        may_skip_assignment: version >= 9,
    };
    stage.ids += u128::from(join.member.is_empty());
    if let Some(told) = stage.decide(name, token, |shard, ground| shard.join(ground, &join)) {
        let said = answer(&told);
        stage.say(format!("<- {name} {said}"));
    }
}

fn sync(stage: &mut Stage, name: &str, token: Token, words: &Words) {
    let parts = words.named_one("assign").unwrap_or_default();
    let part = |part: &str| {
        let (id, assignment) = part.split_once(':').unwrap();
        (member(id), Arc::from(assignment.as_bytes()))
    };
    // What consumers' leaders really hand in: `parts=a#1/t:0,1;b#2/`.
    let real = |part: &str| {
        let (id, partitions) = part.split_once('/').unwrap();
        (member(id), assignment(partitions))
    };
    let real_parts = words.named_one("parts").unwrap_or_default().split(';').filter(|part| !part.is_empty());
    let sync = Sync {
        group: Arc::from(words.get(1)),
        member: member(words.get(2)),
        instance: words.named_one("instance").map(Arc::from),
        generation: generation(words),
        protocol_type: words.named_one("type").map(Arc::from),
        protocol: words.named_one("protocol").map(Arc::from),
        assignments: parts
            .split(';')
            .filter(|part| !part.is_empty())
            .map(part)
            .chain(real_parts.map(real))
            .collect(),
    };
    if let Some(told) = stage.decide(name, token, |shard, ground| shard.sync(ground, &sync)) {
        let said = answer(&told);
        stage.say(format!("<- {name} {said}"));
    }
}

fn beat(stage: &mut Stage, name: &str, token: Token, words: &Words) {
    let known = member(words.get(2));
    let beat = Heartbeat {
        group: words.get(1),
        member: &known,
        instance: words.named_one("instance"),
        generation: generation(words),
    };
    if let Some(told) = stage.decide(name, token, |shard, ground| {
        let decided = shard.heartbeat(ground, beat);
        let mut short = shard.clone();
        if let Some(heard) = short.hear(ground, beat) {
            is_the_same(shard, &short, heard, decided.as_ref());
        }
        decided
    }) {
        let said = told.map_or_else(|refusal| format!("{refusal:?}"), |()| "ok".to_owned());
        stage.say(format!("<- {name} {said}"));
    }
}

fn leave(stage: &mut Stage, name: &str, token: Token, words: &Words) {
    let leaver = |word: &String| match word.split_once('/') {
        Some((id, instance)) => Leaver { member: member(id), instance: Some(Arc::from(instance)) },
        None => Leaver { member: member(word), instance: None },
    };
    let leave = Leave { group: Arc::from(words.get(1)), members: words.from(2).iter().map(leaver).collect() };
    if let Some(told) = stage.decide(name, token, |shard, ground| shard.leave(ground, &leave)) {
        let said: Vec<String> = told
            .into_iter()
            .map(|told| told.map_or_else(|refusal| format!("{refusal:?}"), |()| "ok".to_owned()))
            .collect();
        stage.say(format!("<- {name} {}", said.join(" ")));
    }
}

fn describe(stage: &mut Stage, name: &str, words: &Words) {
    let Some(group) = stage.shard.describe_classic(words.get(1)) else {
        stage.say(format!("<- {name} not there"));
        return;
    };
    let members: Vec<String> = group
        .members
        .iter()
        .map(|member| format!("{}:{}", short(&member.id), part_in_words(&member.assignment)))
        .collect();
    stage.say(format!(
        "<- {name} {} '{}' '{}' [{}]",
        group.state,
        group.protocol_type,
        group.protocol,
        members.join(" ")
    ));
}

/// `t:0,1+u:2`.
fn named_partitions(words: &str) -> impl Iterator<Item = (String, Vec<i32>)> {
    words.split('+').filter(|topic| !topic.is_empty()).map(|topic| {
        let (name, indexes) = topic.split_once(':').unwrap();
        (name.to_owned(), indexes.split(',').map(|index| index.parse().unwrap()).collect())
    })
}

/// An assignment as consumers write it.
fn assignment(partitions: &str) -> Arc<[u8]> {
    let topics = named_partitions(partitions)
        .map(|(topic, partitions)| TopicPartition { topic: topic.into(), partitions: partitions.into() });
    let assignment = ConsumerProtocolAssignment { assigned_partitions: topics.collect(), user_data: None };
    let mut bytes = vec![0, 1];
    assignment.encode(1, &mut bytes).unwrap();
    Arc::from(bytes)
}

pub fn generation(words: &Words) -> Generation {
    Generation(i32::try_from(words.named_number("gen", -1)).unwrap())
}

/// An answer in words.
pub fn answer(answer: &Answer) -> String {
    match answer {
        Answer::Join(join) => match join.refusal {
            Some(refusal) => format!("{refusal:?} {}", short(&join.member)),
            None => {
                let members: Vec<String> = join.members.iter().map(|member| short(&member.id)).collect();
                format!(
                    "joined gen {} as {} leader {} {} [{}]{}",
                    join.generation.0,
                    short(&join.member),
                    short(&join.leader),
                    join.protocol.as_deref().unwrap_or("-"),
                    members.join(" "),
                    if join.skip_assignment { " need not assign" } else { "" }
                )
            }
        },
        Answer::Sync(sync) => match sync.refusal {
            Some(refusal) => format!("{refusal:?}"),
            None => format!("has '{}'", part_in_words(&sync.assignment)),
        },
        Answer::Heartbeat(Ok(told)) => super::consumers::answered(told),
        Answer::Heartbeat(Err(refusal)) => format!("{refusal:?}"),
    }
}

/// What was heard at once is what was decided, and leaves the shard as that does.
fn is_the_same(
    shard: &GroupShard,
    short: &GroupShard,
    heard: Result<Result<(), GroupRefusal>, GroupRefusal>,
    decided: Result<&GroupDecision<Result<(), GroupRefusal>>, &GroupRefusal>,
) {
    let mut long = shard.clone();
    match (heard, decided) {
        (Ok(told), Ok(decided)) => {
            assert_eq!(Some(told), decided.reply);
            decided.transitions.iter().cloned().for_each(|transition| long.transit(transition));
        }
        (heard, decided) => assert_eq!(heard.as_ref().err(), decided.err()),
    }
    assert_eq!(format!("{short:?}"), format!("{long:?}"));
}
