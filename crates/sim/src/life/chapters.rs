//! The life itself: steps done on a node's storage until the power goes, the ledgers kept along, and how it goes on.
//! Each chapter does the steps about one thing.

mod batches;
mod chores;
mod compaction;
mod metadata_log;
mod moves;
mod replicas;
mod retention;
mod starts;
mod topics;

use std::collections::BTreeMap;

use protocol::id::{LeaderEpoch, PartitionIndex, Timestamp};
use storage::{Log, SharedLog, TopicPartition};

use self::starts::Before;
use super::ledger::Ledger;
use super::node::{self, NODE, Node, topic_name};
use super::quorum::QuorumLedger;
use super::step::Step;
use crate::dice::Dice;
use crate::disk::{Fate, SimulatedDisk};

/// What the names of topics begin with that nobody commits.
const UNCOMMITTED: &str = "uncommitted-";
const BEGIN: Timestamp = Timestamp(1_700_000_000_000);

/// A node's storage with what it must hold.
pub(super) struct Life {
    disk: SimulatedDisk,
    now: Timestamp,
    node: Option<Node>,
    ledgers: BTreeMap<u8, Ledger>,
    quorum: QuorumLedger,
    /// For values, ids and names that come only once.
    unique: u64,
    batches: u64,
    resumed: usize,
    /// The last changes before the last cut.
    last_changes: String,
    dice: Dice,
}

/// Why a life does not go on.
enum Stop {
    /// The power is off.
    Off,
    /// Something is wrong.
    Wrong(String),
}

type Done<T = ()> = Result<T, Stop>;

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

    fn node(&self) -> Done<&Node> {
        self.node.as_ref().ok_or(Stop::Off)
    }

    fn log(&self, topic: u8) -> Done<SharedLog<SimulatedDisk>> {
        let name = TopicPartition::new(topic_name(topic), PartitionIndex(0));
        self.node()?.dirs.get(&name).ok_or_else(|| Stop::Wrong(format!("there is no log {name}")))
    }

    fn sound<T, E: std::fmt::Display>(&self, outcome: Result<T, E>) -> Done<T> {
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

    fn next_unique(&mut self) -> u64 {
        self.unique += 1;
        self.unique
    }
}

/// An error is what a cut brings about, or else it is one.
fn stop(disk: &SimulatedDisk, error: impl std::fmt::Display) -> Stop {
    if disk.has_failed() {
        disk.cut();
    }
    if disk.is_off() { Stop::Off } else { Stop::Wrong(error.to_string()) }
}

fn lock(log: &SharedLog<SimulatedDisk>) -> std::sync::MutexGuard<'_, Log<SimulatedDisk>> {
    log.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
