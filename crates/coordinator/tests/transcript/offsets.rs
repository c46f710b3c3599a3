//! Steps of committed offsets.

use std::sync::Arc;

use coordinator::Token;
use coordinator::group::Millis;
use coordinator::group::offsets::commit::{Commit, Committer, NewOffset};
use coordinator::group::offsets::fetch::FetchedOffset;
use protocol::id::{LeaderEpoch, PartitionIndex, TopicId, Uuid};
use protocol::offset::Offset;

use super::groups::generation;
use super::words::{Words, member};
use super::{Stage, transaction};

/// Plays a step, if it is one of these.
pub fn ask(stage: &mut Stage, name: &str, words: &Words) -> bool {
    match words.verb() {
        "commit" => commit(stage, name, words),
        "fetch" => {
            let (group, stable) = (words.get(1), words.from(2).contains(&"stable".to_owned()));
            let wanted = words.from(2).iter().filter(|word| *word != "stable");
            let id = topic_id(stage, words);
            let told: Vec<String> = wanted
                .map(|word| {
                    let (topic, partition) = place(word);
                    told(word, &stage.shard.fetch_offset(group, (&topic, id), partition, stable))
                })
                .collect();
            stage.say(format!("<- {name} {}", told.join(" ")));
        }
        "fetch-all" => {
            let (id, stable) = (topic_id(stage, words), words.from(2).contains(&"stable".to_owned()));
            let all = stage.shard.fetch_all_offsets(words.get(1), |_| id, stable);
            let all = all.iter().flat_map(|(topic, offsets)| {
                offsets.iter().map(move |offset| told(&format!("{topic}-{}", offset.partition), offset))
            });
            let all: Vec<String> = all.collect();
            stage.say(format!("<- {name} [{}]", all.join(" ")));
        }
        "delete-offsets" => {
            let places: Vec<_> = words.from(2).iter().map(|word| place(word)).collect();
            let group = words.get(1);
            if let Some(outcomes) =
                stage.decide(name, Token(0), |shard, _| shard.delete_offsets(group, &places))
            {
                stage.say(format!("<- {name} {}", outcomes_in_words(&outcomes)));
            }
        }
        "topic-deleted" => {
            let topics = [(Arc::from(words.get(1)), topic_id(stage, words))];
            stage.decide(name, Token(0), |shard, ground| Ok(shard.topics_were_deleted(ground, &topics)));
        }
        _ => return false,
    }
    true
}

fn commit(stage: &mut Stage, name: &str, words: &Words) {
    let note = words.named_one("note").unwrap_or_default();
    let topic_id = topic_id(stage, words);
    let offsets = words.from(2).iter().map(|word| {
        let (at, offset) = word.split_once('=').unwrap();
        let (topic, partition) = place(at);
        NewOffset {
            topic,
            topic_id,
            partition,
            offset: Offset(offset.parse().unwrap()),
            leader_epoch: LeaderEpoch(i32::try_from(words.named_number("epoch", -1)).unwrap()),
            metadata: note.to_owned(),
            committed_at: None,
        }
    });
    let commit = Commit {
        committer: Committer {
            group: Arc::from(words.get(1)),
            member: member(words.named_one("member").unwrap_or("-")),
            instance: words.named_one("instance").map(Arc::from),
            generation: generation(words),
        },
        retention: words.named_one("retain").map(|millis| Millis(millis.parse().unwrap())),
        offsets: offsets.collect(),
        transaction: transaction(words),
        knows_missing_groups: words.named_number("v", 8) >= 9,
    };
    if let Some(outcomes) =
        stage.decide(name, Token(0), |shard, ground| shard.commit_offsets(ground, &commit))
    {
        stage.say(format!("<- {name} {}", outcomes_in_words(&outcomes)));
    }
}

fn outcomes_in_words<E: std::fmt::Debug>(outcomes: &[Result<(), E>]) -> String {
    let words = outcomes.iter().map(|outcome| match outcome {
        Ok(()) => "ok".to_owned(),
        Err(refusal) => format!("{refusal:?}"),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn told(place: &str, offset: &FetchedOffset) -> String {
    match offset.refusal {
        Some(refusal) => format!("{place} {refusal:?}"),
        None => format!("{place}={}", offset.offset),
    }
}

/// `id=7`, or `id=t` for that of a topic of the cluster.
fn topic_id(stage: &Stage, words: &Words) -> TopicId {
    if let Some(id) = words.named_one("id").and_then(|name| stage.image.topics.id_of(name)) {
        return id;
    }
    let number: i64 = words.named_one("id").map_or(0, |number| number.parse().unwrap_or(0));
    let mut id = [0; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    Uuid(id)
}

fn place(word: &str) -> (Arc<str>, PartitionIndex) {
    let (topic, index) = word.rsplit_once('-').unwrap();
    (Arc::from(topic), PartitionIndex(index.parse().unwrap()))
}
