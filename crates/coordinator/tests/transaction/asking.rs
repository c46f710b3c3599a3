//! The requests, and their answers in words.

use coordinator::Decision;
use coordinator::transaction::{
    ClientVersion, EndTransaction, InitProducerId, Initialized, ListFilter, MarkerOutcome, TransactionState,
    TxnPartition,
};
use protocol::id::{ProducerId, Timestamp};
use protocol::offset::Offset;

use super::words::Words;
use super::{Stage, partition, partition_word, producer, producer_word};

/// Asks what a step says.
pub fn ask(stage: &mut Stage, name: &str, words: &Words) {
    match words.verb() {
        "init" => init(stage, name, words),
        "add" => add(stage, name, words),
        "verify" => verify(stage, name, words),
        "commit" | "abort" => end(stage, name, words),
        "marked" | "gone" => marked(stage, words),
        "forget" => {
            if let Some(decision) = stage.shard.gone(&stage.ground()) {
                stage.carry_out(decision);
            }
        }
        "endings" => endings(stage),
        "overdue" => overdue(stage),
        "describe" => describe(stage, name, words),
        "list" => list(stage, words),
        other => panic!("no step is called '{other}'"),
    }
}

fn is(words: &Words, word: &str) -> bool {
    words.from(1).iter().any(|other| other == word)
}

fn client(words: &Words) -> ClientVersion {
    if is(words, "old") { ClientVersion::V0 } else { ClientVersion::V2 }
}

fn partitions(words: &Words, from: usize) -> Vec<TxnPartition> {
    words.from(from).iter().filter(|word| *word != "old").map(|word| partition(word)).collect()
}

fn init(stage: &mut Stage, name: &str, words: &Words) {
    let timeout = i32::try_from(words.named_number("timeout", 60_000)).unwrap();
    let expected = words.named_one("from").map(producer);
    let reply = stage.decide(name, |shard, ground, fresh| {
        let request = InitProducerId {
            id: words.get(1),
            timeout,
            expected,
            two_phase: is(words, "2pc"),
            keep_prepared: is(words, "keep"),
            fresh,
        };
        shard.init_producer_id(ground, &request)
    });
    match reply {
        Some(Initialized::Done(producer)) => stage.say(format!("<- {name} {}", producer_word(producer))),
        Some(Initialized::Aborting) => stage.say(format!("<- {name} Aborting")),
        None => {}
    }
}

fn add(stage: &mut Stage, name: &str, words: &Words) {
    let (asking, all) = (producer(words.get(2)), partitions(words, 3));
    stage.law.asking = Some(asking);
    let reply = stage.decide(name, |shard, ground, _| {
        shard.add_partitions(ground, words.get(1), asking, &all, client(words))
    });
    stage.law.asking = None;
    if reply.is_some() {
        stage.say(format!("<- {name} ok"));
    }
}

fn verify(stage: &mut Stage, name: &str, words: &Words) {
    let said = match stage.shard.verify(words.get(1), producer(words.get(2)), &partitions(words, 3)) {
        Ok(all) => all.iter().map(|there| if *there { "yes" } else { "no" }).collect::<Vec<_>>().join(" "),
        Err(refusal) => format!("{refusal:?}"),
    };
    stage.say(format!("<- {name} {said}"));
}

fn end(stage: &mut Stage, name: &str, words: &Words) {
    let asking = producer(words.get(2));
    stage.law.asking = Some(asking);
    let reply = stage.decide(name, |shard, ground, fresh| {
        let request = EndTransaction {
            id: words.get(1),
            producer: asking,
            committed: words.verb() == "commit",
            client: client(words),
            fresh,
        };
        shard.end(ground, &request)
    });
    stage.law.asking = None;
    if let Some(producer) = reply {
        stage.say(format!("<- {name} {}", producer_word(producer)));
    }
}

fn marked(stage: &mut Stage, words: &Words) {
    let id = words.get(1);
    let current = stage.shard.ending(id).map(|ending| ending.prepared_at);
    let at = words.named_one("at").map(|at| Offset(at.parse().unwrap())).or(current).unwrap_or(Offset(0));
    let outcome = if words.verb() == "marked" { MarkerOutcome::Appended } else { MarkerOutcome::Gone };
    let all = partitions(words, 2);
    if outcome == MarkerOutcome::Appended && Some(at) == current {
        for partition in &all {
            stage.law.marked(id, partition.clone());
        }
    }
    let all: Vec<_> = all.into_iter().map(|partition| (partition, outcome)).collect();
    stage.decide("it", |shard, ground, _| Ok(shard.markers_written(ground, id, at, &all)));
}

fn endings(stage: &mut Stage) {
    for ending in stage.shard.ending_ids().filter_map(|id| stage.shard.ending(id)).collect::<Vec<_>>() {
        let verb = if ending.committed { "commit" } else { "abort" };
        let left: Vec<_> = ending.partitions.iter().map(partition_word).collect();
        let who = producer_word(ending.producer);
        stage.say(format!("= {} {verb} {who} at {}: {}", ending.id, ending.prepared_at, left.join(" ")));
    }
}

fn overdue(stage: &mut Stage) {
    for id in stage.shard.overdue() {
        let fresh = stage.fresh();
        stage.decide("it", |shard, ground, _| shard.abort_overdue(ground, &id, fresh));
    }
}

fn describe(stage: &mut Stage, name: &str, words: &Words) {
    let said = match stage.shard.describe(words.get(1)) {
        Ok(told) => {
            let all: Vec<_> = told.partitions.iter().map(partition_word).collect();
            let (state, who) = (told.state.name(), producer_word(told.producer));
            format!("{state} {who} timeout={} start={} {}", told.timeout, told.start, all.join(" "))
        }
        Err(refusal) => format!("{refusal:?}"),
    };
    stage.say(format!("<- {name} {}", said.trim_end()));
}

fn list(stage: &mut Stage, words: &Words) {
    let split = |key: &str| {
        let all = words.named_one(key).map(|all| all.split('+').map(str::to_owned).collect::<Vec<_>>());
        all.unwrap_or_default()
    };
    let (states, producers) = (split("states"), split("producers"));
    let producers = producers.iter().map(|id| ProducerId(id.parse().unwrap()));
    let (filter, unknown) =
        ListFilter::parse(states.iter().map(String::as_str), producers, words.named_number("longer", -1));
    let like = words.named_one("like").unwrap_or("");
    for listed in stage.shard.list(&filter, stage.now, |id| id.contains(like)) {
        stage.say(format!("= {} {} {}", listed.id, listed.producer, listed.state.name()));
    }
    if !unknown.is_empty() {
        stage.say(format!("= unknown: {}", unknown.join(" ")));
    }
}

impl Stage {
    /// The log has this from before: an id, its producer and its state, at time `updated`.
    pub(super) fn given(&mut self, words: &Words) {
        use protocol::messages::record::{TransactionLogKey, TransactionLogValue};
        let who = producer(words.get(2));
        let state = TransactionState::from_name(words.get(3)).expect("a state");
        let all = partitions(words, 4);
        let topic =
            |partition: &TxnPartition| protocol::messages::record::transaction_log::PartitionsSchema {
                topic: partition.topic.to_string().into(),
                partition_ids: vec![partition.index.0].into(),
            };
        let topics: Vec<_> = all.iter().map(topic).collect();
        let value = TransactionLogValue {
            producer_id: who.id.0,
            previous_producer_id: who.id.0,
            producer_epoch: who.epoch.0,
            transaction_timeout_ms: i32::try_from(words.named_number("timeout", 60_000)).unwrap(),
            transaction_status: state.id(),
            transaction_partitions: (state != TransactionState::Empty).then(|| topics.into()),
            transaction_last_update_timestamp_ms: self.now.0,
            transaction_start_timestamp_ms: if state.is_idle() { Timestamp::NONE.0 } else { self.now.0 },
            client_transaction_version: 2,
            ..TransactionLogValue::default()
        };
        let key = TransactionLogKey { transactional_id: words.get(1).to_owned().into() };
        let record = coordinator::transaction::TransactionRecord { key, version: 1, value: Some(value) };
        self.law_is_asleep(|stage| {
            let mut decision = Decision::reply(());
            decision.records.push(record);
            stage.carry_out(decision);
        });
    }

    fn law_is_asleep(&mut self, work: impl FnOnce(&mut Self)) {
        let awake = std::mem::take(&mut self.law);
        self.law.off = true;
        work(self);
        self.law = awake;
    }
}
