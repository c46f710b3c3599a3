//! A hundred producers, five of them for each of twenty transactional ids, write to eight partitions in transactions, as a broker
//! has them do it: a partition's machine says whether the coordinator has to be asked, the coordinator adds the partition, and
//! only then, which may be much later, the batch is appended. They begin over each other, end twice, come late; markers are
//! written one at a time, time passes, coordinators die and their appends fail.
//!
//! Judged after every step: nothing of a producer is accepted that another has fenced, and who reads committed records sees
//! those of transactions that were committed and no others. Once everything has ended all of those are there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod transaction;

use std::collections::{BTreeMap, BTreeSet};

use partition::fetch::{FetchFrom, Isolation};
use partition::producers::TransactionVersion;
use partition::transactions::AbortedTransaction;
use partition::verifications::FirstBatch;
use partition::{Append, AppendDecision, AppendRules, Origin, Partition, Scratch, Verification};
use proptest::prelude::*;
use protocol::id::{LeaderEpoch, NodeId, ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::offset::Offset;
use protocol::records::batches::Batches;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::Compressors;
use protocol::records::control::{ControlRecord, CoordinatorEpoch, EndMarker};
use protocol::records::record::Records;
use transaction::Stage;

const CLIENTS: usize = 100;
const IDS: usize = 20;
const PARTITIONS: usize = 8;
const EPOCH: LeaderEpoch = LeaderEpoch(0);
const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// A producer id and its epoch.
type Who = (i64, i16);

/// What a client does next.
#[derive(Clone, Debug)]
enum Step {
    Begin { client: usize },
    Ask { client: usize, partition: usize },
    Append { client: usize },
    End { client: usize, committed: bool },
    Mark { id: usize, count: usize },
    Overdue,
    Wait(u32),
    Crash,
    Fail,
}

fn step() -> impl Strategy<Value = Step> {
    // Some are much busier than others, or hardly anybody would come to an end.
    let client = prop_oneof![3 => 0..CLIENTS / 5, 2 => 0..CLIENTS];
    prop_oneof![
        4 => client.clone().prop_map(|client| Step::Begin { client }),
        12 => (client.clone(), 0..PARTITIONS).prop_map(|(client, partition)| Step::Ask { client, partition }),
        12 => client.clone().prop_map(|client| Step::Append { client }),
        6 => (client, any::<bool>()).prop_map(|(client, committed)| Step::End { client, committed }),
        8 => (0..IDS, 1..4_usize).prop_map(|(id, count)| Step::Mark { id, count }),
        1 => Just(Step::Overdue),
        1 => (0..40_000_u32).prop_map(Step::Wait),
        1 => Just(Step::Crash),
        1 => Just(Step::Fail),
    ]
}

/// A partition that is led here, with its log.
struct Log {
    machine: Partition,
    rules: AppendRules,
    scratch: Scratch,
    bytes: Vec<u8>,
    aborted: Vec<AbortedTransaction>,
}

impl Log {
    fn new() -> Self {
        let mut machine = Partition::empty(Offset(0));
        machine.become_leader(EPOCH, NodeId(1), 1, [NodeId(1)]);
        let (rules, scratch) = (AppendRules::default(), Scratch::default());
        Self { machine, rules, scratch, bytes: Vec::new(), aborted: Vec::new() }
    }

    /// Says whether it was accepted.
    fn append(&mut self, origin: Origin, mut batch: Vec<u8>) -> bool {
        let append = Append { origin, leader_epoch: EPOCH, now: NOW };
        match self.machine.decide_append(&self.rules, append, &mut batch, &mut self.scratch) {
            Ok(AppendDecision::Append(plan)) => {
                self.bytes.extend_from_slice(plan.bytes(&batch, &self.scratch));
                self.aborted.extend(plan.aborted);
                self.machine.appended(&plan);
                true
            }
            Ok(AppendDecision::Duplicate(duplicate)) => panic!("nothing is sent twice: {duplicate:?}"),
            Err(_) => false,
        }
    }

    /// What a consumer sees that reads committed records only: up to the last stable offset, without what the transaction
    /// index says was aborted.
    fn read_committed(&self) -> BTreeSet<u64> {
        let none = LeaderEpoch::NONE;
        let from = FetchFrom {
            offset: Offset(0),
            current_leader_epoch: none,
            last_fetched_epoch: none,
            isolation: Isolation::LastStableOffset,
        };
        let upper = self.machine.fetch_bounds(from).unwrap().upper;
        let (mut seen, mut skipped, mut batches) =
            (BTreeSet::new(), BTreeSet::new(), Batches::new(&self.bytes));
        while let Some(batch) = batches.next_batch().unwrap().filter(|batch| batch.header.base_offset < upper)
        {
            let (base, producer) = (batch.header.base_offset, batch.header.producer_id);
            let begins = |aborted: &&AbortedTransaction| {
                aborted.first_offset == base && aborted.producer_id == producer
            };
            if self.aborted.iter().any(|aborted| begins(&aborted)) {
                skipped.insert(producer);
            }
            if batch.header.attributes.is_control() {
                if let Some(ControlRecord::EndTransaction(_)) = ControlRecord::first_of(&batch).unwrap() {
                    skipped.remove(&producer);
                }
            } else if !skipped.contains(&producer) {
                let records = Records::new(batch.payload(), batch.header.count);
                seen.extend(records.map(|record| number_of(record.unwrap().value.unwrap())));
            }
        }
        seen
    }
}

fn number_of(value: &[u8]) -> u64 {
    u64::from_be_bytes(value.try_into().unwrap())
}

/// A client, as it knows itself.
#[derive(Clone, Default)]
struct Client {
    who: Option<Who>,
    /// The next sequence in each partition, at this epoch.
    sequences: BTreeMap<usize, i32>,
    /// A batch that may be appended now: where, as whom and with which sequence, and by which word.
    asked: Option<(usize, (Who, i32), Verification)>,
}

impl Client {
    fn becomes(&mut self, who: Who) {
        self.who = Some(who);
        self.sequences.clear();
    }
}

struct Play {
    stage: Stage,
    logs: Vec<Log>,
    clients: Vec<Client>,
    /// Who was given each id last: all who had it before are fenced.
    newest: Vec<Option<Who>>,
    /// Who has had each id and does no more.
    fenced: BTreeSet<Who>,
    /// The transactions that were open, by id, and how those have ended that have: each has an epoch of its own.
    open: Vec<Option<Who>>,
    ended: BTreeMap<Who, bool>,
    /// Whose transaction of each id ended last, and which of them have their marker where.
    last: Vec<Option<Who>>,
    marked: BTreeSet<(Who, usize)>,
    /// The records that were accepted, and of whom they are.
    written: BTreeMap<u64, Who>,
}

fn id_of(client: usize) -> usize {
    client % IDS
}

/// `1000/3`, where an answer says so.
fn told(said: &[String]) -> Option<Who> {
    let (id, epoch) = said.iter().find_map(|said| said.strip_prefix("<- it "))?.split_once('/')?;
    Some((id.parse().ok()?, epoch.parse().ok()?))
}

impl Play {
    fn new() -> Self {
        let mut stage = Stage::default();
        stage.step(&format!("topic t {PARTITIONS}"));
        Self {
            stage,
            logs: (0..PARTITIONS).map(|_| Log::new()).collect(),
            clients: vec![Client::default(); CLIENTS],
            newest: vec![None; IDS],
            fenced: BTreeSet::new(),
            open: vec![None; IDS],
            ended: BTreeMap::new(),
            last: vec![None; IDS],
            marked: BTreeSet::new(),
            written: BTreeMap::new(),
        }
    }

    /// Plays a line, and takes note of transactions that it has ended.
    fn line(&mut self, line: &str) -> Vec<String> {
        let said = self.stage.step(line);
        for id in 0..IDS {
            let now = self.stage.open(&format!("id{id}"));
            let before = std::mem::replace(&mut self.open[id], now);
            if let Some(before) = before.filter(|before| now != Some(*before)) {
                let ending = self.stage.ending(&format!("id{id}")).expect("what was open is being ended");
                self.ended.insert(before, ending.committed);
                self.last[id] = Some(before);
            }
        }
        said
    }

    fn take(&mut self, number: u64, step: &Step) {
        match step {
            Step::Begin { client } => self.begin(*client),
            Step::Ask { client, partition } => self.ask(*client, *partition),
            Step::Append { client } => self.append(*client, number),
            Step::End { client, committed } => self.end(*client, *committed),
            Step::Mark { id, count } => self.mark(*id, *count),
            Step::Overdue => drop(self.line("overdue")),
            Step::Wait(millis) => drop(self.line(&format!("wait {millis}"))),
            Step::Crash => drop(self.line("crash")),
            Step::Fail => drop(self.line("fail")),
        }
    }

    fn begin(&mut self, client: usize) {
        let id = id_of(client);
        let said = self.line(&format!("init id{id}"));
        let Some(who) = told(&said) else { return };
        for other in self.clients.iter_mut().enumerate().filter(|(other, _)| id_of(*other) == id) {
            self.fenced.extend(other.1.who);
        }
        self.fenced.extend(self.newest[id].replace(who));
        self.fenced.remove(&who);
        self.clients[client].becomes(who);
    }

    fn ask(&mut self, client: usize, partition: usize) {
        let Some(who) = self.clients[client].who else { return };
        let sequence = self.clients[client].sequences.get(&partition).copied().unwrap_or(0);
        let first = FirstBatch {
            producer_id: ProducerId(who.0),
            producer_epoch: ProducerEpoch(who.1),
            base_sequence: Sequence(sequence),
            supports_epoch_bump: true,
        };
        let verification = match self.logs[partition].machine.begin_verification(NOW, &first) {
            Err(_) => return,
            Ok(None) => Verification::Missing,
            Ok(Some(guard)) => {
                let said = self.line(&format!("add id{} {}/{} t-{partition}", id_of(client), who.0, who.1));
                if !said.iter().any(|said| said == "<- it ok") {
                    self.logs[partition].machine.withdraw_verification(guard, &first);
                    return;
                }
                Verification::Verified(guard)
            }
        };
        self.clients[client].asked = Some((partition, (who, sequence), verification));
    }

    fn append(&mut self, client: usize, number: u64) {
        let asked = self.clients[client].asked.take();
        let Some((partition, (who, sequence), verification)) = asked else { return };
        let mut builder = BatchBuilder::new(BatchOptions {
            producer: (ProducerId(who.0), ProducerEpoch(who.1), Sequence(sequence)),
            transactional: true,
            ..BatchOptions::default()
        });
        builder.push(NOW, None, Some(&number.to_be_bytes()), &[]);
        let batch = builder.finish(&mut Compressors::default()).unwrap();
        if self.logs[partition].append(Origin::Client { zstd: true, verification }, batch) {
            assert!(!self.fenced.contains(&who), "a record of {who:?} was accepted, which is fenced");
            assert!(
                !self.marked.contains(&(who, partition)),
                "a record of {who:?} was accepted behind its marker"
            );
            self.written.insert(number, who);
            if self.clients[client].who == Some(who) {
                *self.clients[client].sequences.entry(partition).or_default() += 1;
            }
        }
    }

    fn end(&mut self, client: usize, committed: bool) {
        let Some(who) = self.clients[client].who else { return };
        let verb = if committed { "commit" } else { "abort" };
        let said = self.line(&format!("{verb} id{} {}/{}", id_of(client), who.0, who.1));
        if let Some(next) = told(&said) {
            assert!(!self.fenced.contains(&who), "an end of {who:?} was accepted, which is fenced");
            if self.newest[id_of(client)] == Some(who) {
                self.newest[id_of(client)] = Some(next);
            }
            self.clients[client].becomes(next);
        }
    }

    fn mark(&mut self, id: usize, count: usize) {
        let Some(ending) = self.stage.ending(&format!("id{id}")) else { return };
        for partition in ending.partitions.iter().take(count) {
            let marker = EndMarker { committed: ending.committed, coordinator_epoch: CoordinatorEpoch(0) };
            let batch = marker.batch(ending.producer.id, ending.producer.epoch, EPOCH, NOW);
            let origin = Origin::Coordinator {
                transaction_version: TransactionVersion(ending.client.0),
                verification: Verification::NotRequired,
            };
            let index = usize::try_from(partition.index.0).unwrap();
            self.marked.extend(self.last[id].map(|who| (who, index)));
            let log = &mut self.logs[index];
            assert!(log.append(origin, batch), "the marker of {ending:?} is refused");
            self.line(&format!("marked id{id} t-{}", partition.index));
        }
    }

    /// What anybody who reads committed records sees was committed.
    fn holds(&self) {
        for log in &self.logs {
            for number in log.read_committed() {
                let who = self.written[&number];
                assert_eq!(self.ended.get(&who), Some(&true), "record {number} of {who:?} is read");
            }
        }
    }

    /// Everything ends; what was committed is read.
    fn ends(&mut self) {
        // An append that was to fail and has not come yet is this one.
        self.line("init nobody");
        self.line("wait 1000000");
        self.line("overdue");
        (0..IDS).for_each(|id| self.mark(id, PARTITIONS));
        assert!(self.stage.is_at_rest());
        self.holds();
        let read: BTreeSet<u64> = self.logs.iter().flat_map(Log::read_committed).collect();
        let committed = self.written.iter().filter(|(_, who)| self.ended.get(who) == Some(&true));
        assert!(committed.map(|(number, _)| *number).eq(read), "committed records are not read");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn readers_see_what_was_committed_and_nothing_of_who_was_fenced(steps in prop::collection::vec(step(), 300..600)) {
        let mut play = Play::new();
        for (number, step) in (1..).zip(&steps) {
            play.take(number, step);
            play.holds();
        }
        play.ends();
    }
}
