//! The stage that transcripts of transactions are played on: one shard, its log, the topics there are, and a clock that
//! only `wait` moves.
//!
//! ```text
//! feature 2            topic t 3            delete t            config max=900000 expire=604800000
//! given app 1000/32764 Empty                    the log says so; made before the stage was
//! a: init app timeout=60000 from=1000/0 2pc     `a` is its name in answers; fresh producer ids count from 1000
//! add app 1000/0 t-0 t-1       verify app 1000/0 t-0       `old` after any of them: a client before KIP-890
//! commit app 1000/0            abort app 1000/0            endings            overdue
//! marked app t-0 t-1           gone app t-0     forget     `at=7`: speaks of the end prepared at that offset
//! describe app                 list states=Ongoing producers=1000 longer=5 like=a
//! wait 3000                    crash                       fail                config batch=100
//! ```
//! Answers are indented below the step that brought them about: `<-` to a request, `+` a record, `.` time that passed.

#![allow(dead_code, reason = "each test file uses a part of it")]

mod asking;
mod law;
#[path = "../transcript/words.rs"]
mod words;

use coordinator::group::Millis;
use coordinator::transaction::{
    Ending, Producer, Recorded, TransactionConfig, TransactionDecision, TransactionGround, TransactionRecord,
    TransactionRefusal, TransactionShard, TxnPartition,
};
use coordinator::{Ground, Shard, Token, Written};
use metadata::{Image, MetadataRecord};
use protocol::id::{PartitionIndex, ProducerEpoch, ProducerId, Timestamp, Uuid};
use protocol::messages::record::partition_record::PartitionRecord;
use protocol::messages::record::remove_topic_record::RemoveTopicRecord;
use protocol::messages::record::topic_record::TopicRecord;
use protocol::offset::Offset;

use self::law::Law;
use self::words::Words;

/// The stage.
pub struct Stage {
    shard: TransactionShard,
    log: Vec<(Written, Vec<u8>, Option<Vec<u8>>)>,
    end: Offset,
    now: Timestamp,
    config: TransactionConfig,
    image: Image,
    image_end: i64,
    /// The producer id that is given out next.
    next_id: i64,
    law: Law,
    failing: bool,
    /// The most bytes that the log takes at once.
    batch_max: usize,
    said: Vec<String>,
}

impl Default for Stage {
    fn default() -> Self {
        let config = TransactionConfig::default();
        let mut stage = Self {
            shard: TransactionShard::default(),
            log: Vec::new(),
            end: Offset(0),
            now: Timestamp(0),
            config,
            image: Image::default(),
            image_end: 0,
            next_id: 1000,
            law: Law::default(),
            failing: false,
            batch_max: usize::MAX,
            said: Vec::new(),
        };
        stage.image.features.insert("transaction.version".into(), 2);
        stage.shard.loaded(stage.now, &stage.config);
        stage
    }
}

impl Stage {
    /// Plays one line; what is said to it.
    pub fn step(&mut self, line: &str) -> Vec<String> {
        let (name, line) = match line.split_once(": ") {
            Some((name, rest)) => (name.to_owned(), rest),
            None => ("it".to_owned(), line),
        };
        let words = Words::of(line);
        match words.verb() {
            "config" => self.configure(&words),
            "feature" => {
                let level = i16::try_from(words.number(1)).unwrap();
                self.image.features.insert("transaction.version".into(), level);
            }
            "topic" => self.create_topic(words.get(1), words.number(2)),
            "delete" => self.delete_topic(words.get(1)),
            "given" => self.given(&words),
            "wait" => self.wait(words.number(1)),
            "crash" => {
                self.shard = self.replayed();
                self.shard.loaded(self.now, &self.config);
                self.law.crashed();
            }
            "fail" => self.failing = true,
            _ => asking::ask(self, &name, &words),
        }
        self.wait(0);
        self.holds();
        std::mem::take(&mut self.said)
    }

    /// Who the producer of an id is.
    pub fn producer(&self, id: &str) -> Option<(i64, i16)> {
        let producer = self.shard.recorded(id)?.producer;
        Some((producer.id.0, producer.epoch.0))
    }

    /// The producer of an id whose transaction is open.
    pub fn open(&self, id: &str) -> Option<(i64, i16)> {
        let recorded = self.shard.recorded(id)?;
        let is_open = !recorded.state.is_ending() && !recorded.state.is_idle();
        is_open.then_some((recorded.producer.id.0, recorded.producer.epoch.0))
    }

    /// The end that is decided for an id and not written everywhere.
    pub fn ending(&self, id: &str) -> Option<Ending> {
        self.shard.ending(id)
    }

    /// What is left to mark for an id.
    pub fn unmarked(&self, id: &str) -> Vec<String> {
        let ending = self.shard.ending(id);
        ending.map(|ending| ending.partitions.iter().map(partition_word).collect()).unwrap_or_default()
    }

    /// Whether no transaction is open or being ended.
    pub fn is_at_rest(&self) -> bool {
        self.shard.durable().values().all(|(recorded, _)| recorded.state.is_idle())
    }

    fn say(&mut self, said: impl Into<String>) {
        self.said.push(said.into());
    }

    /// Has the shard decide, and makes it so.
    fn decide<R>(
        &mut self,
        name: &str,
        decide: impl Fn(
            &TransactionShard,
            &TransactionGround<'_>,
            Option<ProducerId>,
        ) -> Result<TransactionDecision<R>, TransactionRefusal>,
    ) -> Option<R> {
        let mut decided = decide(&self.shard, &self.ground(), None);
        if let Err(TransactionRefusal::FreshProducerIdWanted) = decided {
            let fresh = self.fresh();
            decided = decide(&self.shard, &self.ground(), Some(fresh));
        }
        match decided {
            Err(refusal) => {
                self.say(format!("<- {name} {refusal:?}"));
                None
            }
            Ok(decision) => self.carry_out(decision).flatten(),
        }
    }

    fn fresh(&mut self) -> ProducerId {
        let fresh = ProducerId(self.next_id);
        self.next_id += 1;
        self.law.fresh(fresh);
        fresh
    }

    fn ground(&self) -> TransactionGround<'_> {
        let token = Token(1);
        Ground { now: self.now, image: &self.image, config: &self.config, token, random: &Uuid::ZERO }
    }

    fn carry_out<R>(&mut self, decision: TransactionDecision<R>) -> Option<Option<R>> {
        if !decision.records.is_empty() && std::mem::take(&mut self.failing) {
            self.say("! the append fails");
            return None;
        }
        let together: usize = decision.records.iter().map(size).sum();
        for record in &decision.records {
            let least = if decision.divisible { size(record) } else { together };
            if least > self.batch_max {
                self.say("! the append is too large");
                decision.unwritten.into_iter().for_each(|transition| self.shard.transit(transition));
                return None;
            }
            self.append(record);
        }
        for transition in decision.transitions {
            self.shard.transit(transition);
        }
        assert!(decision.answers.is_empty(), "nobody waits for a transaction coordinator");
        Some(decision.reply)
    }

    fn append(&mut self, record: &TransactionRecord<'_>) {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let has_value = record.encode(&mut key, &mut value).unwrap();
        let written = Written { offset: self.end, timestamp: self.now, transaction: None };
        self.end = self.end.plus(1);
        let id = record.key.transactional_id.to_string();
        let before = self.shard.recorded(&id).cloned();
        self.shard.replay(written, record);
        let after = self.shard.recorded(&id).cloned();
        let said = record_words(&id, after.as_ref(), record.version);
        self.say(format!("+ {said}"));
        self.law.judge(&id, before.as_ref(), after.as_ref(), &self.image);
        self.log.push((written, key, has_value.then_some(value)));
    }

    fn wait(&mut self, millis: i64) {
        let until = Timestamp(self.now.0 + millis);
        let mut turns = 0;
        while let Some(at) = self.shard.wake_at().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let begun = self.said.len();
            loop {
                turns += 1;
                assert!(turns < 10_000, "something is due at {at} again and again");
                let Some(decision) = self.shard.wake(&self.ground()) else { break };
                if self.carry_out(decision).is_none() {
                    // The runtime comes back later.
                    self.now = Timestamp(self.now.0 + 1);
                }
            }
            if self.said.len() > begun && millis > 0 {
                self.said.insert(begun, format!(". at {}", self.now));
            }
        }
        self.now = self.now.max(until);
    }

    fn configure(&mut self, words: &Words) {
        for (key, value) in words.named() {
            let number: i64 = value.parse().unwrap();
            match key {
                "batch" => self.batch_max = usize::try_from(number).unwrap(),
                "max" => self.config.timeout_max = i32::try_from(number).unwrap(),
                "expire" => self.config.id_expiration = Millis(number),
                "sweep" => self.config.expiry_interval = Millis(number),
                "abort" => self.config.abort_interval = Millis(number),
                "2pc" => self.config.two_phase = number == 1,
                _ => panic!("no setting is called '{key}'"),
            }
        }
        self.shard.loaded(self.now, &self.config);
    }

    fn see(&mut self, record: &MetadataRecord<'_>) {
        self.image_end += 1;
        self.image.replay(Offset(self.image_end), record);
    }

    fn create_topic(&mut self, name: &str, partitions: i64) {
        let topic_id = Uuid(u128::from(self.image_end.unsigned_abs() + 1).to_be_bytes());
        self.see(&TopicRecord { name: name.to_owned().into(), topic_id }.into());
        for partition_id in 0..i32::try_from(partitions).unwrap() {
            let record = PartitionRecord {
                partition_id,
                topic_id,
                replicas: vec![1].into(),
                isr: vec![1].into(),
                leader: 1,
                leader_epoch: 0,
                partition_epoch: 0,
                directories: vec![Uuid([7; 16])].into(),
                ..PartitionRecord::default()
            };
            self.see(&record.into());
        }
    }

    fn delete_topic(&mut self, name: &str) {
        let Some(topic_id) = self.image.topics.id_of(name) else { return };
        self.see(&RemoveTopicRecord { topic_id }.into());
    }

    /// The shard that the log gives.
    fn replayed(&self) -> TransactionShard {
        let mut shard = TransactionShard::default();
        for (written, key, value) in &self.log {
            let record = TransactionRecord::decode(key, value.as_deref()).unwrap().unwrap();
            shard.replay(*written, &record);
        }
        shard
    }

    /// What must hold after every step.
    fn holds(&self) {
        assert_eq!(self.replayed().durable(), self.shard.durable(), "replaying the log gives another shard");
        for ending in self.shard.ending_ids().filter_map(|id| self.shard.ending(id)) {
            let recorded = self.shard.recorded(&ending.id).unwrap();
            assert!(recorded.state.is_ending(), "{} is not ending", ending.id);
            assert!(!ending.partitions.is_empty(), "{} waits for nothing", ending.id);
        }
    }
}

/// How many bytes a record has.
fn size(record: &TransactionRecord<'_>) -> usize {
    let (mut key, mut value) = (Vec::new(), Vec::new());
    record.encode(&mut key, &mut value).unwrap();
    key.len() + value.len()
}

/// `1000/3`.
fn producer(word: &str) -> Producer {
    let (id, epoch) = word.split_once('/').unwrap_or_else(|| panic!("'{word}' is no producer"));
    Producer { id: ProducerId(id.parse().unwrap()), epoch: ProducerEpoch(epoch.parse().unwrap()) }
}

fn producer_word(producer: Producer) -> String {
    format!("{}/{}", producer.id, producer.epoch)
}

/// `t-0`.
fn partition(word: &str) -> TxnPartition {
    let (topic, index) = word.rsplit_once('-').unwrap_or_else(|| panic!("'{word}' is no partition"));
    TxnPartition { topic: topic.into(), index: PartitionIndex(index.parse().unwrap()) }
}

fn partition_word(partition: &TxnPartition) -> String {
    format!("{}-{}", partition.topic, partition.index)
}

fn record_words(id: &str, recorded: Option<&Recorded>, version: i16) -> String {
    let Some(recorded) = recorded else { return format!("{id} is forgotten") };
    let mut said = format!("{id} {} {}", recorded.state.name(), producer_word(recorded.producer));
    if recorded.previous != recorded.producer.id {
        said.push_str(&format!(" previous={}", recorded.previous));
    }
    if recorded.next != ProducerId::NONE {
        said.push_str(&format!(" next={}", recorded.next));
    }
    if recorded.client.0 != 2 {
        said.push_str(&format!(" client={}", recorded.client.0));
    }
    if version != 1 {
        said.push_str(&format!(" version={version}"));
    }
    for partition in &recorded.partitions {
        said.push_str(&format!(" {}", partition_word(partition)));
    }
    said
}
