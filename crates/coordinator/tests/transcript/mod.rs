//! The stage that transcripts are played on: one shard, its log, and a clock that only `wait` moves.
//!
//! ```text
//! config size=2 delay=3000 retention=604800000
//! a: join g - client=c1 session=10000 rebalance=60000 topics=t1+t2   a newcomer; `a` is its name in later answers
//! b: sync g c1#1 gen=1 assign=c1#1:x;c2#2:y                          `c1#1`: the id that client c1 got as the first
//! beat g c1#1 gen=1        leave g c1#1        commit g t-0=5 member=c1#1 gen=1        fetch g t-0
//! commit g t-0=7 txn=9/0   end 9 commit        wait 3000              crash             fail
//! settle g late=1000       so much later, while nobody was woken for what was due, what is due of this group is done
//! topic t 3                no-topic t          group-config g k=v     config interval=0 migration=disabled
//! config batch=200         what is larger together than so many bytes is refused by the log
//! ```
//! Answers are indented below the step that brought them about: `<-` to a request, `+` a record, `.` time that passed.

#![allow(dead_code, reason = "each test file uses a part of it")]

mod cluster;
pub mod consumers;
mod groups;
mod offsets;
mod records;
mod streams;
mod words;

use std::collections::BTreeMap;

use coordinator::group::classic::{Live, State};
use coordinator::group::consumer::{ConsumerGroup, ConsumerHeartbeat, HeartbeatAnswer};
use coordinator::group::{
    Answer, Group, GroupConfig, GroupGround, GroupRefusal, GroupShard, MigrationPolicy, Millis,
};
use coordinator::record::GroupRecord;
use coordinator::{Decision, Ground, Shard, Token, Written};
use metadata::Image;
use protocol::id::{PartitionIndex, ProducerEpoch, ProducerId, Timestamp, TopicId, Uuid};
use protocol::offset::Offset;

pub use words::Words;

/// What lies in the log.
enum Logged {
    Record { written: Written, key: Vec<u8>, value: Option<Vec<u8>> },
    End { offset: Offset, producer: ProducerId, committed: bool },
}

/// The stage.
pub struct Stage {
    shard: GroupShard,
    log: Vec<Logged>,
    end: Offset,
    now: Timestamp,
    config: GroupConfig,
    image: Image,
    tokens: u64,
    /// How many newcomers there have been; the id of the next ends with its number.
    ids: u128,
    waiting: BTreeMap<Token, String>,
    /// The heartbeats of those that wait for other members.
    gathering: BTreeMap<Token, ConsumerHeartbeat>,
    failing: bool,
    /// The most bytes that the log takes at once.
    batch_max: usize,
    /// After how many steps each the log is replayed, to see whether it says what is live; and how many there were.
    replays_every: usize,
    steps: usize,
    /// How many topics were made.
    topics_made: u8,
    /// Heartbeats of the consumer protocol that were answered in the step.
    answered: Vec<(ConsumerHeartbeat, HeartbeatAnswer)>,
    said: Vec<String>,
}

impl Default for Stage {
    fn default() -> Self {
        let config = GroupConfig { initial_delay: Millis(0), ..GroupConfig::default() };
        Self {
            shard: GroupShard::default(),
            log: Vec::new(),
            end: Offset(0),
            now: Timestamp(0),
            config,
            image: Image::default(),
            tokens: 0,
            ids: 0,
            waiting: BTreeMap::new(),
            gathering: BTreeMap::new(),
            failing: false,
            batch_max: usize::MAX,
            replays_every: 1,
            steps: 0,
            topics_made: 0,
            answered: Vec::new(),
            said: Vec::new(),
        }
    }
}

impl Stage {
    /// One whose log is replayed after so many steps each, for plays of very many.
    pub fn replaying_every(steps: usize) -> Self {
        Self { replays_every: steps, ..Self::default() }
    }

    /// Plays one line; what is said to it.
    pub fn step(&mut self, line: &str) -> Vec<String> {
        let (name, line) = match line.split_once(": ") {
            Some((name, rest)) => (name.to_owned(), rest),
            None => ("it".to_owned(), line),
        };
        let words = Words::of(line);
        match words.verb() {
            "config" => self.configure(&words),
            "wait" => self.wait(words.number(1)),
            "crash" => self.crash(),
            "fail" => self.failing = true,
            "end" => self.end_transaction(&words),
            "settle" => self.settle(&name, &words),
            _ => self.ask(&name, &words),
        }
        self.wait(0);
        self.holds();
        std::mem::take(&mut self.said)
    }

    /// The generation of a group; 0 for one that is not there.
    pub fn generation(&self, group: &str) -> i32 {
        self.live(group).map_or(0, |live| live.generation().0)
    }

    /// The members of a group, as transcripts write them.
    pub fn members(&self, group: &str) -> Vec<String> {
        let live = self.live(group);
        live.map(|live| live.members().keys().map(|id| words::short(id)).collect()).unwrap_or_default()
    }

    /// The id that the newcomer of this number got, if there was one and it is in a group still.
    pub fn id_of(&self, number: u64) -> Option<String> {
        let end = format!("#{number}");
        let mut all = self.members("g0").into_iter().chain(self.members("g1"));
        all.find(|id| id.ends_with(&end))
            .or_else(|| (u128::from(number) <= self.ids).then(|| format!("c{end}")))
    }

    /// The offset that is told to be committed by a group for a partition; -1 where none is.
    pub fn committed(&self, group: &str, topic: (&str, TopicId), partition: i32) -> i64 {
        self.shard.fetch_offset(group, topic, PartitionIndex(partition), false).offset.0
    }

    /// Whether every request was answered.
    pub fn nobody_waits(&self) -> bool {
        self.waiting.is_empty()
    }

    /// In a stable group nobody has what another was given.
    pub fn each_has_its_own(&self, group: &str) {
        let Some(live) = self.live(group).filter(|live| live.state() == State::Stable) else { return };
        let mut given: Vec<_> = live.members().values().map(|member| member.assignment.clone()).collect();
        given.retain(|part| !part.is_empty());
        let count = given.len();
        given.sort();
        given.dedup();
        assert_eq!(given.len(), count, "two members of {group} have the same part");
    }

    fn live(&self, group: &str) -> Option<&Live> {
        match self.shard.group(group)? {
            Group::Classic(group) => Some(&group.live),
            Group::Consumer(_) | Group::Streams(_) => None,
        }
    }

    /// A consumer group.
    pub fn consumers(&self, group: &str) -> Option<&ConsumerGroup> {
        match self.shard.group(group)? {
            Group::Consumer(group) => Some(group),
            Group::Classic(_) | Group::Streams(_) => None,
        }
    }

    /// The heartbeats of the last step that were answered.
    pub fn take_answered(&mut self) -> Vec<(ConsumerHeartbeat, HeartbeatAnswer)> {
        std::mem::take(&mut self.answered)
    }

    fn ask(&mut self, name: &str, words: &Words) {
        let token = Token(self.tokens + 1);
        self.tokens += 1;
        let is_known = cluster::ask(self, words)
            || consumers::ask(self, name, token, words)
            || streams::ask(self, name, token, words)
            || groups::ask(self, name, token, words)
            || offsets::ask(self, name, words);
        if !is_known {
            panic!("no step is called '{}'", words.verb());
        }
    }

    fn say(&mut self, said: impl Into<String>) {
        self.said.push(said.into());
    }

    /// Has the shard decide, and makes it so.
    fn decide<'r, R>(
        &mut self,
        name: &str,
        token: Token,
        decide: impl FnOnce(&GroupShard, &GroupGround<'_>) -> Result<Decision<'r, GroupShard, R>, GroupRefusal>,
    ) -> Option<R> {
        let ground = Ground {
            now: self.now,
            image: &self.image,
            config: &self.config,
            token,
            random: &Uuid(self.ids.to_be_bytes()),
        };
        let decided = decide(&self.shard, &ground);
        match decided {
            Err(refusal) => {
                self.say(format!("<- {name} {refusal:?}"));
                None
            }
            Ok(decision) => {
                let waits = decision.reply.is_none();
                let (reply, answers) = self.carry_out(decision)?;
                if waits {
                    self.waiting.insert(token, name.to_owned());
                }
                self.tell(answers);
                reply
            }
        }
    }

    #[allow(clippy::type_complexity)]
    fn carry_out<R>(
        &mut self,
        decision: Decision<'_, GroupShard, R>,
    ) -> Option<(Option<R>, Vec<(Token, Answer)>)> {
        if !decision.records.is_empty() && std::mem::take(&mut self.failing) {
            self.say("! the append fails");
            return None;
        }
        let together: usize = decision.records.iter().map(size).sum();
        for record in &decision.records {
            let (mut key, mut value) = (Vec::new(), Vec::new());
            let has_value = record.encode(&mut key, &mut value).unwrap();
            let least = if decision.divisible { size(record) } else { together };
            if least > self.batch_max {
                self.say("! the append is too large");
                decision.unwritten.into_iter().for_each(|transition| self.shard.transit(transition));
                return None;
            }
            let written =
                Written { offset: self.end, timestamp: self.now, transaction: decision.transaction };
            self.end = self.end.plus(1);
            self.shard.replay(written, record);
            let said = streams::record(record).unwrap_or_else(|| records::record(record));
            self.say(format!("+ {said}"));
            self.log.push(Logged::Record { written, key, value: has_value.then_some(value) });
        }
        for transition in decision.transitions {
            self.shard.transit(transition);
        }
        Some((decision.reply, decision.answers))
    }

    fn tell(&mut self, answers: Vec<(Token, Answer)>) {
        for (token, answer) in answers {
            let name = self.waiting.remove(&token).expect("somebody waits for each answer");
            let beat = self.gathering.remove(&token);
            if let (Some(beat), Answer::Heartbeat(Ok(answer))) = (beat, &answer) {
                self.answered.push((beat, answer.clone()));
            }
            let said = groups::answer(&answer);
            self.say(format!("<- {name} {said}"));
        }
    }

    fn wait(&mut self, millis: i64) {
        let until = Timestamp(self.now.0 + millis);
        let mut turns = 0;
        while let Some(at) = self.shard.wake_at().filter(|at| *at <= until) {
            turns += 1;
            assert!(turns < 100_000, "the shard is woken at {at} again and again");
            self.now = self.now.max(at);
            let begun = self.said.len();
            loop {
                let token = Token(self.tokens + 1);
                let ground = Ground {
                    now: self.now,
                    image: &self.image,
                    config: &self.config,
                    token,
                    random: &Uuid::ZERO,
                };
                turns += 1;
                assert!(turns < 100_000, "something is due at {at} again and again");
                let Some(decision) = self.shard.wake(&ground) else { break };
                let puts_off = !decision.unwritten.is_empty();
                match self.carry_out(decision) {
                    Some((_, answers)) => self.tell(answers),
                    None if puts_off => {}
                    None => break,
                }
            }
            if self.said.len() > begun && millis > 0 {
                self.said.insert(begun, format!(". at {}", self.now));
            }
        }
        self.now = until;
    }

    /// Time passes without anybody being woken, and somebody is about to judge a group.
    fn settle(&mut self, name: &str, words: &Words) {
        self.now = Timestamp(self.now.0 + words.named_number("late", 0));
        let mut turns = 0;
        while self.decide(name, Token(0), |shard, ground| {
            let due = shard.wake_named(ground, words.get(1));
            Ok(due.map_or_else(|| Decision::reply(false), |due| due.map(|()| true)))
        }) == Some(true)
        {
            turns += 1;
            assert!(turns < 100_000, "something is due again and again");
        }
        self.say(format!("<- {name} settled"));
    }

    /// The broker ends without warning, and another loads what it left.
    fn crash(&mut self) {
        self.gathering.clear();
        for name in std::mem::take(&mut self.waiting).into_values() {
            self.say(format!("<- {name} NotCoordinator"));
        }
        self.shard = self.replayed();
        self.shard.loaded(self.now, &self.config);
    }

    /// The shard that the log gives.
    fn replayed(&self) -> GroupShard {
        let mut shard = GroupShard::default();
        for logged in &self.log {
            match logged {
                Logged::Record { written, key, value } => {
                    let record = GroupRecord::decode(key, value.as_deref()).unwrap().unwrap();
                    shard.replay(*written, &record);
                }
                Logged::End { offset, producer, committed } => {
                    shard.replay_end(*offset, *producer, *committed);
                }
            }
        }
        shard
    }

    /// Replays the log as compaction may leave it, and holds it against what the whole log gives. Up to the record of this
    /// number it was cleaned: what a later one there has superseded is gone, and what never counted; of tombstones there
    /// go those that `goes` says (KAFKA-17306).
    pub fn compacted_is_the_same(&self, cleaned: usize, mut goes: impl FnMut(usize) -> bool) {
        let outcome = |written: &Written, from: usize| match written.transaction {
            None => Some(true),
            Some((producer, _)) => self.log[from..].iter().find_map(|logged| match logged {
                Logged::End { producer: ended, committed, .. } if *ended == producer => Some(*committed),
                _ => None,
            }),
        };
        // Cleaning ends where a transaction has not.
        let open = |logged: &Logged, from| matches!(logged, Logged::Record { written, .. } if outcome(written, from).is_none());
        let first_open = self.log.iter().enumerate().position(|(number, logged)| open(logged, number));
        let cleaned = first_open.map_or(cleaned, |open| cleaned.min(open));
        let mut last: BTreeMap<&[u8], usize> = BTreeMap::new();
        for (number, logged) in self.log.iter().enumerate().take(cleaned) {
            if let Logged::Record { written, key, .. } = logged
                && outcome(written, number) == Some(true)
            {
                last.insert(key, number);
            }
        }
        let mut shard = GroupShard::default();
        for (number, logged) in self.log.iter().enumerate() {
            match logged {
                Logged::Record { written, key, value } => {
                    let gone = match outcome(written, number) {
                        _ if number >= cleaned => false,
                        None => false,
                        Some(false) => true,
                        Some(true) => {
                            let superseded = last.get(&**key).is_some_and(|last| *last > number);
                            superseded || value.is_none() && goes(number)
                        }
                    };
                    if !gone {
                        let record = GroupRecord::decode(key, value.as_deref()).unwrap().unwrap();
                        shard.replay(*written, &record);
                    }
                }
                Logged::End { offset, producer, committed } => {
                    shard.replay_end(*offset, *producer, *committed);
                }
            }
        }
        let whole = self.replayed();
        assert_eq!(shard.offsets(), whole.offsets(), "compaction changes offsets");
        // A group of which nothing is said but that it once had offsets may be there or not.
        let recorded = |shard: &GroupShard| {
            let groups = shard.groups().filter_map(|(id, group)| match group {
                Group::Classic(group) => Some((id.clone(), format!("{:?}", group.recorded.as_ref()?))),
                _ => Some((id.clone(), format!("{group:?}"))),
            });
            groups.collect::<BTreeMap<_, _>>()
        };
        assert_eq!(recorded(&shard), recorded(&whole), "compaction changes groups");
    }

    /// How many records and ends the log has.
    pub fn logged(&self) -> usize {
        self.log.len()
    }

    /// The bytes of the records of the log from this one on: key, and value where it is no tombstone.
    pub fn bytes_from(&self, number: usize) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let records = self.log[number..].iter().filter_map(|logged| match logged {
            Logged::Record { key, value, .. } => Some((key.clone(), value.clone())),
            Logged::End { .. } => None,
        });
        records.collect()
    }

    fn end_transaction(&mut self, words: &Words) {
        let (producer, committed) = (ProducerId(words.number(1)), words.get(2) == "commit");
        self.shard.replay_end(self.end, producer, committed);
        self.log.push(Logged::End { offset: self.end, producer, committed });
        self.end = self.end.plus(1);
    }

    fn configure(&mut self, words: &Words) {
        for (key, value) in words.named() {
            if key == "migration" {
                self.config.consumer.migration = MigrationPolicy::of_name(value).unwrap();
                continue;
            }
            let number: i64 = value.parse().unwrap();
            match key {
                "size" => self.config.members_max = usize::try_from(number).unwrap(),
                "delay" => self.config.initial_delay = Millis(number),
                "streams_delay" => self.config.streams.initial_delay = Millis(number),
                "retention" => self.config.offsets_retention = Millis(number),
                "check" => {
                    self.config.offsets_check_interval = Millis(number);
                    self.shard.loaded(self.now, &self.config);
                }
                "csize" => self.config.consumer.members_max = usize::try_from(number).unwrap(),
                "refresh" => self.config.consumer.regex_refresh_interval = Millis(number),
                "interval" => self.config.consumer.assignment_interval.default = Millis(number),
                "gather" => self.config.consumer.gather = Millis(number),
                "batch" => self.batch_max = usize::try_from(number).unwrap(),
                "note" => self.config.offset_metadata_max = usize::try_from(number).unwrap(),
                _ => panic!("no setting is called '{key}'"),
            }
        }
    }

    /// What must hold after every step.
    fn holds(&mut self) {
        self.steps += 1;
        if self.steps.is_multiple_of(self.replays_every) {
            let replayed = self.replayed();
            assert_eq!(replayed.durable(), self.shard.durable(), "replaying the log gives another shard");
        }
        for (group, of) in self.shard.groups() {
            if let Group::Classic(classic) = of {
                assert!(
                    classic.live.members().add_up(),
                    "what is kept of {group} is not what its members are"
                );
            }
            consumers::holds(self, group);
            streams::holds(self, group);
        }
    }
}

/// How many bytes a record has.
fn size(record: &GroupRecord<'_>) -> usize {
    let (mut key, mut value) = (Vec::new(), Vec::new());
    record.encode(&mut key, &mut value).unwrap();
    key.len() + value.len()
}

/// The transaction that a step names: `txn=producer/epoch`.
fn transaction(words: &Words) -> Option<(ProducerId, ProducerEpoch)> {
    let (id, epoch) = words.named_one("txn")?.split_once('/')?;
    Some((ProducerId(id.parse().unwrap()), ProducerEpoch(epoch.parse().unwrap())))
}
