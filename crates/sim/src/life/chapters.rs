//! The life itself: steps done on a node's storage, the ledgers kept along, and the starts in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use metadata::MetadataRecord;
use partition::producers::TransactionVersion;
use partition::{Append, Origin, Scratch, Verification};
use protocol::id::{
    BrokerEpoch, LeaderEpoch, PartitionIndex, ProducerEpoch, ProducerId, Sequence, Timestamp, Uuid,
};
use protocol::messages::record::remove_topic_record::RemoveTopicRecord;
use protocol::messages::record::topic_record::TopicRecord;
use protocol::offset::Offset;
use protocol::records::batch;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::control::{CoordinatorEpoch, EndMarker};
use storage::log::Appended;
use storage::{Log, SharedLog, TopicPartition};

use super::inspection::inspect;
use super::judge::judge;
use super::ledger::{Ledger, UnderWay};
use super::node::{self, NODE, Node, log_config, topic_name};
use super::quorum::QuorumLedger;
use super::step::{By, Step};
use crate::dice::Dice;
use crate::disk::{Fate, SimulatedDisk};

/// What the names of topics begin with that nobody commits.
const UNCOMMITTED: &str = "uncommitted-";
const BEGIN: Timestamp = Timestamp(1_700_000_000_000);

/// A node's storage with what it must hold.
pub(super) struct Life {
    pub(super) disk: SimulatedDisk,
    pub(super) now: Timestamp,
    pub(super) node: Option<Node>,
    pub(super) ledgers: BTreeMap<u8, Ledger>,
    quorum: QuorumLedger,
    /// For values, ids and names that come only once.
    unique: u64,
    batches: u64,
    resumed: usize,
    /// The last changes before the last cut.
    last_changes: String,
    pub(super) dice: Dice,
}

/// Why a life does not go on.
pub(super) enum Stop {
    /// The power is off.
    Off,
    /// Something is wrong.
    Wrong(String),
}

/// What came before a start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Before {
    /// Nothing, or a power cut.
    Cut,
    /// The process was killed: nothing may be missing.
    Kill,
    /// A clean end: nothing may be missing, and nothing is recovered.
    End,
}

pub(super) type Done<T = ()> = Result<T, Stop>;

impl Life {
    pub(super) fn new(disk: SimulatedDisk, seed: u64) -> Self {
        disk.set_now(BEGIN);
        Self {
            disk,
            now: BEGIN,
            node: None,
            ledgers: BTreeMap::new(),
            quorum: QuorumLedger::new(),
            unique: 0,
            batches: 0,
            resumed: 0,
            last_changes: String::new(),
            dice: Dice::new(seed).split(),
        }
    }

    pub(super) fn changes(&self) -> u64 {
        self.disk.changes()
    }

    pub(super) fn batches(&self) -> u64 {
        self.batches
    }

    /// How many recoveries began within a segment.
    pub(super) fn resumed(&self) -> usize {
        self.resumed
    }

    pub(super) fn last_changes(&self) -> &str {
        &self.last_changes
    }

    /// Lives from the first start on; says whether the power was cut.
    pub(super) fn live(&mut self, steps: &[Step]) -> Result<bool, String> {
        let outcome = self.start(Before::Cut).and_then(|()| self.take_steps(steps));
        self.ended(outcome)
    }

    fn ended(&mut self, outcome: Done) -> Result<bool, String> {
        self.last_changes = self.disk.last_changes();
        match outcome {
            Ok(()) => Ok(false),
            Err(Stop::Off) => Ok(true),
            Err(Stop::Wrong(reason)) => Err(reason),
        }
    }

    fn take_steps(&mut self, steps: &[Step]) -> Done {
        for step in steps {
            self.pass_time(10);
            self.take(*step).map_err(|stop| match stop {
                Stop::Wrong(reason) => Stop::Wrong(format!("{step:?}: {reason}")),
                off => off,
            })?;
            self.check()?;
        }
        Ok(())
    }

    /// The power comes back.
    pub(super) fn power_on(&mut self, fate: Fate, seed: u64, prepare: &impl Fn(&SimulatedDisk)) {
        self.node = None;
        self.disk = self.disk.power_on(fate, seed);
        prepare(&self.disk);
    }

    /// How many changes a start makes now, tried on a copy.
    pub(super) fn rehearse(&self) -> Result<u64, String> {
        let copy = self.disk.fork();
        let before = copy.changes();
        let opened = node::open(&copy, self.now)?;
        for (_, log) in opened.node.dirs.logs() {
            lock(&log).become_leader(LeaderEpoch(99), NODE, 1, [NODE]).map_err(|fault| fault.to_string())?;
        }
        Ok(copy.changes() - before)
    }

    /// Starts, and loses the power after so many changes; says whether it came to that.
    pub(super) fn cut_while_opening(&mut self, changes: u64) -> Result<bool, String> {
        self.disk.cut_at(self.disk.changes() + changes);
        match node::open(&self.disk, self.now) {
            Err(reason) if !self.disk.is_off() => Err(reason),
            _ => Ok(self.disk.is_off()),
        }
    }

    /// Starts after a cut and holds everything against the ledgers.
    pub(super) fn open_and_judge(&mut self) -> Result<(), String> {
        // Whoever is cut off later cuts at a moment of his own.
        self.disk = self.disk.fork();
        match self.start(Before::Cut) {
            Ok(()) => Ok(()),
            Err(Stop::Off) => Err("the power is off".to_owned()),
            Err(Stop::Wrong(reason)) => Err(reason),
        }
    }

    /// Goes on after a cut: producers try again, others come, and now and then there is another cut.
    pub(super) fn go_on(&mut self, dice: &mut Dice) -> Result<(), String> {
        for topic in self.ledgers.keys().copied().collect::<Vec<_>>() {
            for producer in 1..=7 {
                let outcome = self.retry(topic, producer);
                self.ended(outcome)?;
            }
        }
        let steps = super::step::random(dice.number());
        let outcome = self.take_steps(&steps[..steps.len() * (1 + dice.place(3)) / 3]);
        self.ended(outcome)?;
        if dice.percent(30) {
            self.disk.cut();
            self.power_on(Fate::any(dice), dice.number(), &|_| ());
            return self.open_and_judge();
        }
        self.reopen_after_end()
    }

    /// The process is killed and started again, and then ends cleanly and is started again: nothing may be missing.
    pub(super) fn reopen_after_end(&mut self) -> Result<(), String> {
        let outcome = self.take(Step::Kill).and_then(|()| self.take(Step::CleanRestart));
        self.ended(outcome).map(|_| ())
    }

    /// Starts the node, holds what it finds against the ledgers, and leads everywhere.
    fn start(&mut self, before: Before) -> Done {
        let opened = self.sound(node::open(&self.disk, self.now))?;
        let wrong = |reason: String| Stop::Wrong(reason);
        if before != Before::Cut && opened.clean != (before == Before::End) {
            return Err(wrong(format!("the start is called clean: {}, after a {before:?}", opened.clean)));
        }
        self.resumed += opened.resumed;
        let all = before != Before::Cut;
        self.quorum.judge(&opened.metadata, all).map_err(wrong)?;
        let mut adopted = Vec::new();
        // One that was never committed may be there if the power went before it was cut away.
        let topics = opened.metadata.image.topics.iter();
        for topic in topics.filter(|topic| !topic.name.starts_with(UNCOMMITTED)) {
            let number = topic
                .name
                .trim_start_matches('t')
                .parse()
                .map_err(|_| wrong(format!("a topic {}", topic.name)))?;
            let ledger = self.ledgers.get_mut(&number).filter(|ledger| ledger.topic_id == topic.id);
            let Some(ledger) = ledger else {
                return Err(wrong(format!("the topic {} of id {} was deleted", topic.name, topic.id)));
            };
            let config = log_config(&topic.name);
            let log = opened.node.dirs.plan(&ledger.name, topic.id, config, None, self.now);
            let log = log.map_err(|fault| stop(&self.disk, fault))?;
            let mut log = lock(&log);
            ledger.leader_epoch = LeaderEpoch(ledger.leader_epoch.0 + 1);
            let led = log.become_leader(ledger.leader_epoch, NODE, 1, [NODE]);
            led.map_err(|fault| stop(&self.disk, fault))?;
            let judged = judge(ledger, &mut log, (all, self.now));
            let judged = judged.map_err(|reason| wrong(format!("{}: {reason}", ledger.name)));
            self.check()?;
            judged?;
            let marks = log.partition().watermarks();
            adopted.push((number, marks));
        }
        let logs = opened.node.dirs.logs();
        if let Some((name, _)) =
            logs.iter().find(|(name, _)| !self.ledgers.values().any(|it| it.name == *name))
        {
            return Err(wrong(format!("there is a log {name}, and no such topic")));
        }
        self.ledgers.retain(|number, _| adopted.iter().any(|(known, _)| known == number));
        for (number, marks) in adopted {
            let ledger = self.ledgers.get_mut(&number).ok_or_else(|| wrong("a ledger is gone".to_owned()))?;
            ledger.adopt(marks.log_start, marks.log_end);
            if let Some(log) = opened.node.dirs.get(&ledger.name) {
                ledger.learn(&lock(&log));
            }
        }
        self.quorum.adopt(&opened.metadata);
        self.node = Some(opened.node);
        Ok(())
    }

    fn take(&mut self, step: Step) -> Done {
        match step {
            Step::Create(topic) => self.create(topic),
            Step::Append(topic, by) => self.append(topic, by),
            Step::Retry(topic, producer) => self.retry(topic, producer),
            Step::End(topic, producer, committed) => self.end(topic, producer, committed),
            Step::Roll(topic) => self.roll(topic),
            Step::DeleteRecords(topic, eighths) => self.delete_records(topic, eighths),
            Step::Follow(topic, back) => self.follow(topic, back),
            Step::Restart(topic) => self.restart_log(topic),
            Step::Delete(topic) => self.delete(topic),
            Step::Retain => self.retain(),
            Step::CleanRestart => self.clean_restart(),
            Step::Kill => {
                // In this order: a killed process does not finish what it has begun.
                self.disk = self.disk.process_killed();
                self.node = None;
                self.start(Before::Kill)
            }
            Step::Compact | Step::CompactMoving(_) | Step::Forget(_) => self.take_compaction(step),
            Step::Move(_) | Step::Copy | Step::Arrive | Step::Stay(_) => self.take_move(step),
            Step::Snapshot | Step::MetadataTruncate | Step::Election => self.tend_quorum(step),
            other => self.tend(other),
        }
    }

    fn tend(&mut self, step: Step) -> Done {
        match step {
            Step::RemoveDue => self.pass_time(60_000),
            Step::FlushDue => self.pass_time(1000),
            _ => {}
        }
        let (now, late) = (self.now, self.dice.percent(50));
        let dirs = &self.node()?.dirs;
        match step {
            Step::Commit => dirs.directories().for_each(|directory| {
                directory.commit().step();
            }),
            Step::Background => {
                // The disk may not have kept up when the places for recovery are looked at.
                if !late {
                    dirs.advance_resume_points();
                    dirs.settle(now);
                }
                dirs.directories().for_each(|directory| {
                    directory.background().step();
                });
                if late {
                    dirs.advance_resume_points();
                    dirs.settle(now);
                }
            }
            Step::RemoveDue => dirs.remove_due(now),
            Step::MakePlanned => dirs.make_planned(1),
            Step::FlushDue => dirs.flush_due(now),
            Step::RecoveryPoints => dirs.checkpoint_recovery_points(),
            Step::HighWatermarks => dirs.checkpoint_high_watermarks(),
            _ => dirs.checkpoint_log_starts(),
        }
        for (_, log) in dirs.logs() {
            lock(&log).take_synced();
        }
        Ok(())
    }

    fn tend_quorum(&mut self, step: Step) -> Done {
        let (now, disk) = (self.now, self.disk.clone());
        let unique = self.next_unique();
        let record = self.topic_record(format!("{UNCOMMITTED}{unique}"));
        let Some(node) = &mut self.node else { return Err(Stop::Off) };
        let outcome = match step {
            Step::Snapshot => self.quorum.snapshot((&mut node.quorum, &disk), now),
            Step::Election => self.quorum.elect(&mut node.quorum, now),
            _ => self.quorum.append_and_truncate(&mut node.quorum, &[record], now),
        };
        outcome.map_err(|fault| stop(&disk, fault))
    }

    fn commit_metadata(&mut self, records: &[MetadataRecord<'_>]) -> Done {
        let (now, disk) = (self.now, self.disk.clone());
        let Some(node) = &mut self.node else { return Err(Stop::Off) };
        let outcome = self.quorum.commit(&mut node.quorum, records, now);
        outcome.map_err(|fault| stop(&disk, fault))
    }

    fn topic_record(&mut self, name: String) -> MetadataRecord<'static> {
        let mut id = [7; 16];
        id[8..].copy_from_slice(&self.next_unique().to_be_bytes());
        TopicRecord { name: name.into(), topic_id: Uuid(id) }.into()
    }

    fn create(&mut self, topic: u8) -> Done {
        if self.ledgers.contains_key(&topic) {
            return Ok(());
        }
        let record = self.topic_record(topic_name(topic));
        let MetadataRecord::Topic(TopicRecord { topic_id, .. }) = record else { return Ok(()) };
        let name = TopicPartition::new(topic_name(topic), PartitionIndex(0));
        let ledger = Ledger::new(name.clone(), topic_id);
        let epoch = ledger.leader_epoch;
        self.ledgers.insert(topic, ledger);
        self.commit_metadata(&[record])?;
        let now = self.now;
        let made = self.node()?.dirs.plan(&name, topic_id, log_config(&name.topic), None, now);
        let log = self.sound(made)?;
        self.sound(lock(&log).become_leader(epoch, NODE, 1, [NODE]))
    }

    fn delete(&mut self, topic: u8) -> Done {
        let Some(ledger) = self.ledgers.get(&topic) else { return Ok(()) };
        let (name, topic_id) = (ledger.name.clone(), ledger.topic_id);
        self.commit_metadata(&[RemoveTopicRecord { topic_id }.into()])?;
        self.ledgers.remove(&topic);
        let now = self.now;
        let deleted = self.node()?.dirs.delete(&name, now);
        self.sound(deleted).map(drop)
    }

    fn append(&mut self, topic: u8, by: By) -> Done {
        let Some(ledger) = self.ledgers.get(&topic) else { return Ok(()) };
        let mut options = BatchOptions::default();
        if let By::Idempotent(number) | By::Transactional(number) = by {
            let sequence = ledger.producers.get(&number).map_or(0, |known| known.next_sequence);
            options.producer = (ProducerId(i64::from(number)), ProducerEpoch(0), Sequence(sequence));
            options.transactional = matches!(by, By::Transactional(_));
        }
        let mut builder = BatchBuilder::new(options);
        let compacted = ledger.compacted;
        let records = 1 + self.dice.place(3);
        for _ in 0..records {
            let value = format!("{:0>1$}", self.next_unique(), 20 + self.dice.place(150));
            let timestamp = Timestamp(self.now.0 + self.dice.below(12) as i64);
            let key = [b'a' + self.dice.place(4) as u8];
            // What compaction is there for: some keys are deleted.
            let deleted = compacted && self.dice.percent(25);
            builder.push(timestamp, Some(&key), (!deleted).then_some(value.as_bytes()), &[]);
        }
        let bytes = builder.finish_uncompressed();
        let base = self.write(topic, bytes.clone(), client())?;
        if let By::Idempotent(number) | By::Transactional(number) = by
            && let Some(ledger) = self.ledgers.get_mut(&topic)
        {
            let producer = ledger.producers.entry(number).or_default();
            producer.next_sequence += records as i32;
            producer.in_transaction |= matches!(by, By::Transactional(_));
            producer.last = Some((bytes, base));
        }
        Ok(())
    }

    /// Writes a batch that must be taken; says where.
    pub(super) fn write(&mut self, topic: u8, mut bytes: Vec<u8>, origin: Origin) -> Done<Offset> {
        let now = self.now;
        let log = self.log(topic)?;
        let Some(ledger) = self.ledgers.get_mut(&topic) else { return Err(Stop::Off) };
        let append = Append { origin, leader_epoch: ledger.leader_epoch, now };
        let mut log = lock(&log);
        let outcome = log.append(append, &mut bytes, &mut Scratch::default());
        let written = match outcome {
            Ok(Appended::Written(written)) => written,
            Ok(Appended::Duplicate(_)) => {
                return Err(Stop::Wrong("a new batch passes for an old one".to_owned()));
            }
            Err(error) => {
                ledger.under_way = UnderWay::Append(bytes);
                return Err(stop(&self.disk, error));
            }
        };
        if written.base_offset != ledger.end() {
            let (base, end) = (written.base_offset, ledger.end());
            return Err(Stop::Wrong(format!("a batch was written at {base}, and the log ended at {end}")));
        }
        ledger.batches.push(bytes);
        self.batches += 1;
        if log.commit_due() {
            let (acknowledged, end) = (Arc::clone(&ledger.acknowledged), written.last_offset.next());
            log.commit(Box::new(move |outcome| {
                if outcome.is_ok() {
                    acknowledged.fetch_max(end.0, std::sync::atomic::Ordering::Relaxed);
                }
            }));
        }
        let compacted = ledger.compacted;
        drop(log);
        if compacted {
            // A hole that compaction may have left cannot be told from the tail of a segment that a cut took (nor can
            // Apache Kafka tell it): what is compacted here is synced first.
            self.tend(Step::Commit)?;
        }
        Ok(written.base_offset)
    }

    /// The last batch of a producer comes again: it must be known, and once more after that.
    fn retry(&mut self, topic: u8, producer: u8) -> Done {
        let Some(ledger) = self.ledgers.get(&topic) else { return Ok(()) };
        let known = ledger.producers.get(&producer).and_then(|producer| producer.last.clone());
        let Some((mut bytes, base)) = known else { return Ok(()) };
        batch::set_base_offset(&mut bytes, Offset::ZERO);
        let (epoch, now) = (ledger.leader_epoch, self.now);
        let append = Append { origin: client(), leader_epoch: epoch, now };
        let log = self.log(topic)?;
        let outcome = lock(&log).append(append, &mut bytes, &mut Scratch::default());
        match self.sound(outcome)? {
            Appended::Duplicate(duplicate) if duplicate.base_offset == base => Ok(()),
            other => Err(Stop::Wrong(format!("a retry of the batch at {base} came to {other:?}"))),
        }
    }

    fn end(&mut self, topic: u8, producer: u8, committed: bool) -> Done {
        let Some(ledger) = self.ledgers.get(&topic) else { return Ok(()) };
        if !ledger.producers.get(&producer).is_some_and(|producer| producer.in_transaction) {
            return Ok(());
        }
        let marker = EndMarker { committed, coordinator_epoch: CoordinatorEpoch(1) };
        let id = ProducerId(i64::from(producer));
        let bytes = marker.batch(id, ProducerEpoch(0), ledger.leader_epoch, self.now);
        let transaction_version = TransactionVersion(1);
        let origin = Origin::Coordinator { transaction_version, verification: Verification::NotRequired };
        self.write(topic, bytes, origin)?;
        if let Some(producer) = self.ledgers.get_mut(&topic).and_then(|it| it.producers.get_mut(&producer)) {
            producer.in_transaction = false;
        }
        Ok(())
    }

    pub(super) fn roll(&mut self, topic: u8) -> Done {
        if !self.ledgers.contains_key(&topic) {
            return Ok(());
        }
        let (log, now) = (self.log(topic)?, self.now);
        let outcome = lock(&log).roll(now);
        self.sound(outcome)
    }

    fn retain(&mut self) -> Done {
        for ledger in self.ledgers.values_mut() {
            ledger.start_max = ledger.end();
        }
        let now = self.now;
        self.node()?.dirs.retain(now);
        self.check()?;
        for topic in self.ledgers.keys().copied().collect::<Vec<_>>() {
            let log = self.log(topic)?;
            let start = lock(&log).partition().watermarks().log_start;
            if let Some(ledger) = self.ledgers.get_mut(&topic) {
                ledger.start_max = start;
            }
        }
        Ok(())
    }

    fn delete_records(&mut self, topic: u8, eighths: u8) -> Done {
        if self.ledgers.get(&topic).is_none_or(|ledger| ledger.compacted) {
            return Ok(());
        }
        let log = self.log(topic)?;
        let end = lock(&log).partition().watermarks().high_watermark;
        let Some(ledger) = self.ledgers.get_mut(&topic) else { return Ok(()) };
        let start = ledger.start_max;
        let before = Offset(start.0 + (end.0 - start.0) * i64::from(eighths) / 8);
        ledger.start_max = before;
        let outcome = lock(&log).delete_records(before);
        self.sound(outcome)?;
        let kept = self.node()?.dirs.keep_log_starts();
        self.sound(kept)?;
        if let Some(ledger) = self.ledgers.get_mut(&topic) {
            ledger.start_min = before;
        }
        Ok(())
    }

    fn follow(&mut self, topic: u8, back: u8) -> Done {
        let now = self.now;
        let Some(ledger) = self.ledgers.get_mut(&topic) else { return Ok(()) };
        let epoch = LeaderEpoch(ledger.leader_epoch.0 + 1);
        let kept = ledger.batches.len().saturating_sub(usize::from(back));
        let end = match ledger.batches.get(kept) {
            Some(batch) => super::ledger::header(batch).base_offset.max(ledger.start_max),
            None => ledger.end(),
        };
        // No leader has anything cut away that is committed.
        let end = end.max(ledger.committed.min(ledger.end()));
        let name = ledger.name.clone();
        let log = self.log(topic)?;
        lock(&log).become_follower(epoch);
        let Some(ledger) = self.ledgers.get_mut(&topic) else { return Ok(()) };
        ledger.leader_epoch = epoch;
        ledger.begin_cut(end);
        let outcome = self.node()?.dirs.truncate(&name, end, now);
        self.sound(outcome)?;
        let mut log = lock(&log);
        let Some(ledger) = self.ledgers.get_mut(&topic) else { return Ok(()) };
        ledger.cut(end);
        ledger.learn(&log);
        let copied = if ledger.compacted { 0 } else { self.dice.place(3) };
        for _ in 0..copied {
            self.replicate(topic, &mut log)?;
        }
        let Some(ledger) = self.ledgers.get_mut(&topic) else { return Ok(()) };
        ledger.leader_epoch = LeaderEpoch(epoch.0 + 1);
        ledger.learn(&log);
        let led = log.become_leader(ledger.leader_epoch, NODE, 1, [NODE]);
        self.sound(led)
    }

    /// Copies a batch from another leader.
    fn replicate(&mut self, topic: u8, log: &mut Log<SimulatedDisk>) -> Done {
        let value = format!("{:0>1$}", self.next_unique(), 20 + self.dice.place(300));
        let now = self.now;
        let Some(ledger) = self.ledgers.get_mut(&topic) else { return Ok(()) };
        let leader_epoch = ledger.leader_epoch;
        let options = BatchOptions { leader_epoch, base_offset: ledger.end(), ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options);
        builder.push(now, Some(b"r"), Some(value.as_bytes()), &[]);
        let bytes = builder.finish_uncompressed();
        let outcome = log.append_replicated(leader_epoch, &bytes, now);
        match outcome {
            Ok(length) if length == bytes.len() => ledger.batches.push(bytes),
            Ok(_) => return Err(Stop::Wrong("a leader's batch was not taken".to_owned())),
            Err(error) => {
                ledger.under_way = UnderWay::Append(bytes);
                return Err(stop(&self.disk, error));
            }
        }
        Ok(())
    }

    fn restart_log(&mut self, topic: u8) -> Done {
        let now = self.now;
        let Some(ledger) = self.ledgers.get_mut(&topic) else { return Ok(()) };
        let start = ledger.end().plus(5);
        ledger.begin_anew(start);
        let name = ledger.name.clone();
        let outcome = self.node()?.dirs.truncate_fully(&name, start, now);
        self.sound(outcome)?;
        if let Some(ledger) = self.ledgers.get_mut(&topic) {
            ledger.anew(start);
        }
        Ok(())
    }

    fn clean_restart(&mut self) -> Done {
        let disk = self.disk.clone();
        let Some(node) = &mut self.node else { return Err(Stop::Off) };
        node.quorum.close().map_err(|fault| stop(&disk, fault))?;
        node.dirs.close(BrokerEpoch(7));
        self.check()?;
        // It has ended cleanly, so all of it is durable.
        self.quorum.closed();
        for ledger in self.ledgers.values_mut() {
            let end = ledger.end();
            ledger.acknowledge(end);
            ledger.start_min = ledger.start_max;
        }
        self.node = None;
        self.sound(inspect(&self.disk))?;
        self.start(Before::End)
    }

    pub(super) fn node(&self) -> Done<&Node> {
        self.node.as_ref().ok_or(Stop::Off)
    }

    pub(super) fn log(&self, topic: u8) -> Done<SharedLog<SimulatedDisk>> {
        let name = TopicPartition::new(topic_name(topic), PartitionIndex(0));
        self.node()?.dirs.get(&name).ok_or_else(|| Stop::Wrong(format!("there is no log {name}")))
    }

    pub(super) fn sound<T, E: std::fmt::Display>(&self, outcome: Result<T, E>) -> Done<T> {
        outcome.map_err(|error| stop(&self.disk, error))
    }

    fn check(&self) -> Done {
        if self.disk.has_failed() {
            // Whoever has met an error of the disk need not go on; what it has acknowledged must be there.
            self.disk.cut();
        }
        if self.disk.is_off() { Err(Stop::Off) } else { Ok(()) }
    }

    fn pass_time(&mut self, millis: i64) {
        self.now = Timestamp(self.now.0 + millis);
        self.disk.set_now(self.now);
    }

    pub(super) fn next_unique(&mut self) -> u64 {
        self.unique += 1;
        self.unique
    }
}

/// Where the batches of clients come from.
pub(super) fn client() -> Origin {
    Origin::Client { zstd: true, verification: Verification::NotRequired }
}

/// An error is what a cut brings about, or else it is one.
pub(super) fn stop(disk: &SimulatedDisk, error: impl std::fmt::Display) -> Stop {
    if disk.has_failed() {
        disk.cut();
    }
    if disk.is_off() { Stop::Off } else { Stop::Wrong(error.to_string()) }
}

pub(super) fn lock(log: &SharedLog<SimulatedDisk>) -> std::sync::MutexGuard<'_, Log<SimulatedDisk>> {
    log.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
