//! Steps of the consumer protocol.
//!
//! ```text
//! hb g a epoch=0 topics=t+u            a joins: it has 60 s to give something up and holds nothing, unless it says so
//! hb g a epoch=2 owned=t:0,1+u:2       what it holds; `owned=none` for nothing
//! hb g a epoch=0 bare                  says nothing that it does not say
//! ```

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use coordinator::group::assignor::Partitions;
use coordinator::group::consumer::{ConsumerHeartbeat, GroupState, HeartbeatAnswer, Held, Presence};
use coordinator::group::{Epoch, Generation, GroupDecision, GroupShard, Millis};
use coordinator::{Shard as _, Token};
use metadata::Image;
use protocol::id::{PartitionIndex, TopicId};
use protocol::messages::record::ConsumerGroupCurrentMemberAssignmentValue;
use protocol::messages::record::consumer_group_current_member_assignment::TopicPartitions;

use super::Stage;
use super::cluster::name_of;
use super::words::{Words, member};

/// Plays a step, if it is one of these.
pub fn ask(stage: &mut Stage, name: &str, token: Token, words: &Words) -> bool {
    match words.verb() {
        "hb" => heartbeat(stage, name, token, words),
        "describe-consumers" => describe(stage, name, words),
        "may-fetch" => {
            let (group, id) = (words.get(1), words.named_one("member"));
            let epoch = Generation(i32::try_from(words.named_number("epoch", -1)).unwrap());
            let said = match stage.shard.may_fetch_offsets(group, id, epoch) {
                Ok(()) => "ok".to_owned(),
                Err(refusal) => format!("{refusal:?}"),
            };
            stage.say(format!("<- {name} {said}"));
        }
        _ => return false,
    }
    true
}

/// A heartbeat in words.
pub fn heartbeat_of(words: &Words, image: &Image) -> ConsumerHeartbeat {
    let epoch = Epoch(i32::try_from(words.named_number("epoch", 0)).unwrap());
    let says = epoch == Epoch(0) && !words.from(3).contains(&"bare".to_owned());
    let owned = words.named_one("owned").or(says.then_some("none"));
    let rebalance = words.named_one("rebalance").or(says.then_some("60000"));
    let topics = words.named_one("topics").or((says && words.named_one("regex").is_none()).then_some(""));
    ConsumerHeartbeat {
        group: Arc::from(words.get(1)),
        member: member(words.get(2)),
        epoch,
        instance: words.named_one("instance").map(Arc::from),
        rack: words.named_one("rack").map(Arc::from),
        rebalance_timeout: rebalance.map(|millis| Millis(millis.parse().unwrap())),
        topics: topics
            .map(|topics| topics.split('+').filter(|topic| !topic.is_empty()).map(Arc::from).collect()),
        regex: words.named_one("regex").map(|regex| Arc::from(regex.trim_matches('\''))),
        assignor: words.named_one("assignor").map(Arc::from),
        owned: owned.map(|owned| partitions_of(owned, image)),
        client_id: Arc::from(words.named_one("client").unwrap_or("c")),
        client_host: Arc::from("/127.0.0.1"),
    }
}

fn partitions_of(words: &str, image: &Image) -> Partitions {
    let topics = words.split('+').filter(|topic| *topic != "none").map(|topic| {
        let (name, indexes) = topic.split_once(':').unwrap();
        let id = image.topics.id_of(name).unwrap_or(TopicId::ZERO);
        let indexes: BTreeSet<PartitionIndex> =
            indexes.split(',').map(|index| PartitionIndex(index.parse().unwrap())).collect();
        (id, indexes)
    });
    topics.collect()
}

fn heartbeat(stage: &mut Stage, name: &str, token: Token, words: &Words) {
    let beat = heartbeat_of(words, &stage.image);
    let version = i16::try_from(words.named_number("v", 1)).unwrap();
    if let Err(invalid) = beat.check(version, &stage.config.consumer) {
        stage.say(format!("<- {name} invalid: {invalid}"));
        return;
    }
    stage.ids += u128::from(beat.member.is_empty());
    let answer = stage.decide(name, token, |shard, ground| {
        let decided = shard.consumer_heartbeat(ground, &beat);
        let mut short = shard.clone();
        if let Some(interval) = presence_of(&beat).and_then(|said| short.presence(ground, said)) {
            PRESENT.set(PRESENT.get() + 1);
            is_the_same(shard, &short, interval, decided.as_ref().unwrap());
        }
        decided
    });
    if let Some(answer) = answer {
        let said = answered(&answer);
        stage.say(format!("<- {name} {said}"));
        stage.answered.push((beat, answer));
    } else if stage.waiting.contains_key(&token) {
        stage.gathering.insert(token, beat);
    }
}

thread_local! {
    /// How many heartbeats were such that nothing had to be worked out for them.
    pub static PRESENT: Cell<usize> = const { Cell::new(0) };
}

/// What a heartbeat says if it says no more than who is there.
fn presence_of(beat: &ConsumerHeartbeat) -> Option<Presence<'_>> {
    let names = [&beat.instance, &beat.rack, &beat.regex, &beat.assignor];
    let says_nothing_new = beat.topics.is_none() && names.iter().all(|name| name.is_none());
    says_nothing_new.then(|| Presence {
        group: &beat.group,
        member: &beat.member,
        epoch: beat.epoch,
        rebalance_timeout: beat.rebalance_timeout,
        client_id: &beat.client_id,
        client_host: &beat.client_host,
    })
}

/// Who is only there hears what was decided, and leaves the shard as that does.
fn is_the_same(
    shard: &GroupShard,
    short: &GroupShard,
    interval: Millis,
    decided: &GroupDecision<HeartbeatAnswer>,
) {
    let answer = decided.reply.as_ref().unwrap();
    assert_eq!((answer.interval, &answer.assignment), (interval, &None));
    assert!(decided.records.is_empty() && decided.answers.is_empty());
    let mut long = shard.clone();
    decided.transitions.iter().cloned().for_each(|transition| long.transit(transition));
    assert_eq!(format!("{short:?}"), format!("{long:?}"));
}

/// The answer to a heartbeat in words.
pub fn answered(answer: &HeartbeatAnswer) -> String {
    let interval = if answer.interval == Millis(5000) || answer.interval == Millis(0) {
        String::new()
    } else {
        format!(" every {}", answer.interval.0)
    };
    let has =
        answer.assignment.as_ref().map_or_else(String::new, |held| format!(" has {}", held_in_words(held)));
    format!("{} at {}{has}{interval}", answer.member, answer.epoch.0)
}

fn held_in_words(held: &Held) -> String {
    let parts: BTreeMap<TopicId, Vec<i32>> =
        held.iter().map(|(topic, held)| (*topic, held.keys().map(|index| index.0).collect())).collect();
    in_words(parts.into_iter())
}

/// Partitions in words.
pub fn in_words(topics: impl Iterator<Item = (TopicId, Vec<i32>)>) -> String {
    let topics = topics.filter(|(_, indexes)| !indexes.is_empty()).map(|(id, indexes)| {
        let indexes: Vec<String> = indexes.iter().map(i32::to_string).collect();
        format!("{}:{}", name_of(id), indexes.join(","))
    });
    let topics: Vec<String> = topics.collect();
    if topics.is_empty() { "nothing".to_owned() } else { topics.join("+") }
}

fn describe(stage: &mut Stage, name: &str, words: &Words) {
    let Some(group) = stage.shard.describe_consumers(words.get(1), &stage.config.consumer) else {
        stage.say(format!("<- {name} not there"));
        return;
    };
    let members = group.members.iter().map(|member| {
        let of = |partitions: &Partitions| {
            let topics = partitions.iter();
            in_words(topics.map(|(id, indexes)| (*id, indexes.iter().map(|index| index.0).collect())))
        };
        let protocol = if member.is_classic { " classic" } else { "" };
        format!(
            "{}@{}{protocol} has {} wants {}",
            member.id,
            member.epoch.0,
            of(&member.assigned),
            of(&member.target)
        )
    });
    let members: Vec<String> = members.collect();
    stage.say(format!(
        "<- {name} {} epoch {} target {} {} [{}]",
        group.state,
        group.epoch.0,
        group.target_epoch.0,
        group.assignor,
        members.join("; ")
    ));
}

/// How far a member has come, in words.
pub fn progress(value: &ConsumerGroupCurrentMemberAssignmentValue<'_>, now: impl Fn(i32) -> bool) -> String {
    let state = match value.state {
        0 => "stable",
        1 => "gives up",
        2 => "waits",
        _ => "in a state that nobody knows",
    };
    let held = |topics: &protocol::wire::Array<'_, TopicPartitions<'_>>| {
        in_words(topics.iter().map(|topic| (topic.topic_id, topic.partitions.iter().collect())))
    };
    let revoking = if value.partitions_pending_revocation.is_empty() {
        String::new()
    } else {
        format!(" is to give up {}", held(&value.partitions_pending_revocation))
    };
    let topics = value.assigned_partitions.iter().chain(value.partitions_pending_revocation.iter());
    let epochs: BTreeSet<i32> = topics
        .flat_map(|topic| topic.assignment_epochs.into_iter().flat_map(|epochs| epochs.into_vec()))
        .collect();
    let since: Vec<String> =
        epochs.into_iter().filter(|epoch| !now(*epoch)).map(|epoch| epoch.to_string()).collect();
    let since = if since.is_empty() { String::new() } else { format!(" since {}", since.join(",")) };
    format!(
        "at {} after {} {state} has {}{revoking}{since}",
        value.member_epoch,
        value.previous_member_epoch,
        held(&value.assigned_partitions)
    )
}

/// Nobody else has what a member of this group holds, and epochs stand in order.
pub fn holds(stage: &Stage, group: &str) {
    let Some(group) = stage.consumers(group) else { return };
    let mut owners: BTreeMap<(TopicId, PartitionIndex), &str> = BTreeMap::new();
    for (id, member) in group.members() {
        for (topic, held) in member.assigned.iter().chain(member.revoking.iter()) {
            for index in held.keys() {
                let other = owners.insert((*topic, *index), id);
                assert!(other.is_none(), "{other:?} and {id} both have {}-{index}", name_of(*topic));
            }
        }
        assert!(member.epoch <= group.epoch(), "{id} is at {:?}, beyond the group", member.epoch);
    }
    assert!(group.target_epoch() <= group.epoch(), "the target is beyond the group");
}

/// A member of a consumer group, as the coordinator sees it.
pub struct Seen {
    pub epoch: i32,
    pub is_classic: bool,
    pub instance: Option<String>,
    /// What it has, but for what it is to give up; nothing is an empty text.
    pub assigned: String,
    /// The topics that it names.
    pub topics: String,
}

impl Stage {
    /// The epochs of a consumer group's members.
    pub fn member_epochs(&self, group: &str) -> BTreeMap<String, i32> {
        let members = self.consumers(group).into_iter().flat_map(|group| group.members());
        members.map(|(id, member)| (id.to_string(), member.epoch.0)).collect()
    }

    /// A member of a consumer group.
    pub fn consumer(&self, group: &str, id: &str) -> Option<Seen> {
        let member = self.consumers(group)?.members().get(id)?;
        let topics: Vec<&str> = member.topics.iter().map(|topic| &**topic).collect();
        let assigned = held_in_words(&member.assigned);
        Some(Seen {
            epoch: member.epoch.0,
            is_classic: member.classic.is_some(),
            instance: member.instance.as_deref().map(str::to_owned),
            assigned: if assigned == "nothing" { String::new() } else { assigned },
            topics: topics.join("+"),
        })
    }

    /// The id of a topic, if it is there.
    pub fn id_of_topic(&self, name: &str) -> Option<TopicId> {
        self.image.topics.id_of(name)
    }

    /// The name of a topic by its id.
    pub fn topic_of(id: TopicId) -> String {
        name_of(id)
    }

    /// Whether everybody in a consumer group has what they are to have; where there is none, nobody lacks anything.
    pub fn is_settled(&self, group: &str) -> bool {
        self.consumers(group)
            .is_none_or(|group| matches!(group.state(), GroupState::Stable | GroupState::Empty))
    }
}
