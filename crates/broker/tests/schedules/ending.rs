//! Transactions end while their producers go on: offsets of a group are committed in transactions, one after the other, and
//! markers are written by who has ended one and by who comes back to what is left, while another producer takes the
//! transactional id over. Every transaction ends as it was decided, once, and nothing of a fenced producer is accepted.

use std::collections::BTreeSet;

use coordinator::group::GroupShard;
use coordinator::group::offsets::commit::Commit;
use coordinator::transaction::{
    ClientVersion, EndTransaction, Ending, InitProducerId, Initialized, MarkerOutcome, Producer,
    TransactionConfig, TransactionDecision, TransactionGround, TransactionRefusal, TransactionShard,
    TransactionalId, TxnPartition,
};
use coordinator::{Shard as _, Token};
use metadata::Image;
use partition::Verification;
use protocol::id::{LeaderEpoch, PartitionIndex, ProducerId, Timestamp, Uuid};
use protocol::offset::Offset;
use protocol::records::compression::Compression;
use shuttle::future::block_on;

use crate::log::{Entry, Log, Weather, figures, replayed};
use crate::shared::endings::{Endings, Ends, Marked, SLEEP_MAX, marked, marker_of};
use crate::shared::{Answered, Asked, Led, Progress, Turn};
use crate::sync::{self, Arc, AtomicBool, Handle, Mutex, Ordering};
use crate::{CoordinatorError, MOST, commit_of, holds, in_many_orders, led, offset_in, settle, thread};

const ID: &str = "app";
const TRANSACTIONS: i64 = 2;

/// Both coordinators, and who ends transactions.
struct World {
    groups: Arc<Led<GroupShard, Log>>,
    transactions: Arc<Led<TransactionShard, Log>>,
    endings: Endings,
    base: Arc<crate::World>,
    image: Image,
    config: TransactionConfig,
    client: ClientVersion,
    /// The offsets whose transaction was told to be committed, and those of which nobody was told how it ends.
    committed: Mutex<BTreeSet<i64>>,
    unknown: Mutex<BTreeSet<i64>>,
    fresh: std::sync::atomic::AtomicI64,
    over: AtomicBool,
    /// Whether somebody writes markers. Only looked at: nobody else is given a turn by that.
    writing: std::sync::atomic::AtomicBool,
}

impl World {
    fn new(client: ClientVersion, offsets: &Arc<Log>, state: &Arc<Log>) -> Arc<Self> {
        let config = TransactionConfig::default();
        let mut shard = TransactionShard::default();
        shard.loaded(Timestamp(0), &config);
        let shell = (Progress::new(Offset(0), Handle), figures());
        let mut image = Image::default();
        image.features.insert("transaction.version".into(), if client.bumps_epoch() { 2 } else { 0 });
        Arc::new(Self {
            groups: led(offsets, LeaderEpoch(0)),
            transactions: Arc::new(Led::new(state.clone(), (LeaderEpoch(0), 0), (shard, Offset(0)), shell)),
            endings: Endings::default(),
            base: crate::World::new(),
            image,
            config,
            client,
            committed: Mutex::default(),
            unknown: Mutex::default(),
            fresh: std::sync::atomic::AtomicI64::new(1000),
            over: AtomicBool::new(false),
            writing: std::sync::atomic::AtomicBool::new(false),
        })
    }

    fn turn(&self) -> Turn<'_, TransactionShard> {
        let (image, config) = (&self.image, &self.config);
        Turn {
            ground: TransactionGround {
                now: Timestamp(0),
                image,
                config,
                token: Token(1),
                random: &Uuid::ZERO,
            },
            compression: Compression::default(),
            asked: Asked::By(Verification::NotRequired),
            waiting: None,
        }
    }

    /// Has the coordinator of transactions decide, and hears of it once that is committed.
    async fn decide<R>(
        &self,
        decide: impl Fn(
            &TransactionShard,
            &TransactionGround<'_>,
            Option<ProducerId>,
        ) -> Result<TransactionDecision<R>, TransactionRefusal>,
    ) -> Answered<TransactionShard, R> {
        let mut fresh = None;
        loop {
            let asked = async {
                let taken = self.transactions.take(self.turn(), |shard, ground| decide(shard, ground, fresh));
                let (reply, due) = taken?;
                self.committed(due).await.map(|()| reply.unwrap())
            };
            let outcome = self.endings.decide(asked).await;
            match outcome {
                Err(CoordinatorError::Refused(TransactionRefusal::FreshProducerIdWanted))
                    if fresh.is_none() =>
                {
                    let id = self.fresh.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    fresh = Some(ProducerId(id));
                }
                outcome => return outcome,
            }
        }
    }

    async fn committed(
        &self,
        due: crate::shared::led::Due<TransactionShard>,
    ) -> Answered<TransactionShard, ()> {
        self.transactions.committed(due, || MOST, |at| self.again(at)).await
    }

    fn again(&self, at: Offset) {
        let led = self.transactions.clone();
        thread(move || {
            if let Err(fault) = led.progress.appended(&led.replica, at) {
                led.progress.fail(at, &fault.to_string());
            }
        });
    }

    /// As [`Self::decide`], and asks again as long as a client would.
    fn insist<R>(
        &self,
        decide: impl Fn(
            &TransactionShard,
            &TransactionGround<'_>,
            Option<ProducerId>,
        ) -> Result<TransactionDecision<R>, TransactionRefusal>,
    ) -> Result<R, TransactionRefusal> {
        loop {
            match block_on(self.decide(&decide)) {
                Ok(reply) => return Ok(reply),
                Err(CoordinatorError::Refused(TransactionRefusal::ConcurrentTransactions))
                | Err(CoordinatorError::NotAvailable(_)) => shuttle::thread::yield_now(),
                Err(CoordinatorError::Refused(refusal)) => return Err(refusal),
                Err(other) => panic!("{other}"),
            }
        }
    }

    /// Whoever has ended a transaction has its markers written while it goes on.
    fn write_markers(self: &Arc<Self>) {
        let world = self.clone();
        drop(Handle.spawn(async move {
            world.endings.end_everywhere(&*world, &TransactionalId::from(ID)).await;
        }));
    }

    /// A producer begins. What was open is aborted first.
    fn begin(self: &Arc<Self>) -> Producer {
        loop {
            let begun = self.insist(|shard, ground, fresh| {
                let (timeout, expected) = (60_000, None);
                let request = InitProducerId {
                    id: ID,
                    timeout,
                    expected,
                    two_phase: false,
                    keep_prepared: false,
                    fresh,
                };
                shard.init_producer_id(ground, &request)
            });
            match begun.unwrap() {
                Initialized::Done(producer) => return producer,
                Initialized::Aborting => self.write_markers(),
            }
        }
    }

    /// One transaction: an offset, and its end.
    fn transact(
        self: &Arc<Self>,
        producer: Producer,
        offset: i64,
        committed: bool,
    ) -> Result<Producer, TransactionRefusal> {
        let partitions = [partition()];
        self.insist(|shard, ground, _| shard.add_partitions(ground, ID, producer, &partitions, self.client))?;
        let commit = Commit { transaction: Some((producer.id, producer.epoch)), ..commit_of(0, offset) };
        while let Err(error) = block_on(self.put(&commit)) {
            match error {
                CoordinatorError::NotAvailable(_) => {}
                CoordinatorError::Producer(..) => return Err(TransactionRefusal::ProducerFenced),
                other => panic!("{other}"),
            }
        }
        let next = self.end(producer, offset, committed)?;
        if committed {
            self.committed.lock().unwrap().insert(offset);
        }
        self.write_markers();
        Ok(next)
    }

    fn end(&self, producer: Producer, offset: i64, committed: bool) -> Result<Producer, TransactionRefusal> {
        loop {
            let ended = self.decide(|shard, ground, fresh| {
                let client = self.client;
                shard.end(ground, &EndTransaction { id: ID, producer, committed, client, fresh })
            });
            match block_on(ended) {
                Ok(next) => return Ok(next),
                Err(CoordinatorError::Refused(TransactionRefusal::ConcurrentTransactions)) => {}
                // It may be decided; if somebody else comes now, nobody hears of it.
                Err(CoordinatorError::NotAvailable(_)) if committed => {
                    self.unknown.lock().unwrap().insert(offset);
                }
                Err(CoordinatorError::NotAvailable(_)) => {}
                Err(CoordinatorError::Refused(refusal)) => return Err(refusal),
                Err(other) => panic!("{other}"),
            }
            shuttle::thread::yield_now();
        }
    }

    /// Every transaction ends in the log of offsets as its producer was told, and that is what is told of them.
    fn holds(&self, entries: &[Entry]) {
        holds(&self.groups);
        let told =
            self.groups.look(|shard| offset_in(shard, 0)).map_err(|error| error.to_string()).unwrap().0;
        let (committed, unknown) =
            (self.committed.lock().unwrap().clone(), self.unknown.lock().unwrap().clone());
        let ended = committed_by(entries);
        assert!(committed.is_subset(&ended), "{committed:?} were committed, and {ended:?} in the log");
        let more: Vec<_> = ended.difference(&committed).filter(|offset| !unknown.contains(offset)).collect();
        assert!(more.is_empty(), "{more:?} are committed in the log, and were not");
        assert_eq!(Some(&told), ended.last(), "of {ended:?}");
    }

    async fn put(&self, commit: &Commit) -> Answered<GroupShard, ()> {
        crate::commit(&self.base, &self.groups, commit).await
    }

    /// What the task does that comes back to what is left.
    async fn come_back(&self) {
        while !self.over.load(Ordering::SeqCst) {
            let seen = self.transactions.glance(|shard| shard.ending_ids().cloned().collect::<BTreeSet<_>>());
            let passed_over = seen.is_none();
            for id in self.endings.take_up(seen.unwrap_or_default(), passed_over) {
                self.endings.end_everywhere(self, &id).await;
            }
            match self.endings.sleep(passed_over) {
                SLEEP_MAX => self.endings.left.notified().await,
                sleep => {
                    sync::pass(sleep);
                    shuttle::future::yield_now().await;
                }
            }
        }
    }
}

fn partition() -> TxnPartition {
    TxnPartition { topic: "__consumer_offsets".into(), index: PartitionIndex(0) }
}

impl Ends for World {
    async fn ending(
        &self,
        id: &TransactionalId,
    ) -> Answered<TransactionShard, Option<(Ending, LeaderEpoch)>> {
        let (ending, end) = self.transactions.look(|shard| shard.ending(id))?;
        self.transactions.safe(end, || MOST, |at| self.again(at)).await?;
        Ok(ending.map(|ending| (ending, LeaderEpoch(0))))
    }

    async fn write_all(&self, ending: &Ending, coordinator_epoch: LeaderEpoch) -> Marked {
        let another = self.writing.swap(true, std::sync::atomic::Ordering::Relaxed);
        assert!(!another, "two write the markers of one transaction");
        let marker = marker_of(ending, coordinator_epoch);
        let mut outcomes = Vec::new();
        for _ in &ending.partitions {
            outcomes.push(match self.groups.end_transaction(marker, Timestamp(0)) {
                Ok(in_log) => in_log.safe(MOST).await,
                Err(error) => Err(error.into()),
            });
        }
        self.writing.store(false, std::sync::atomic::Ordering::Relaxed);
        marked(ending, outcomes, |_| false)
    }

    async fn note(
        &self,
        id: &TransactionalId,
        prepared_at: Offset,
        written: &[(TxnPartition, MarkerOutcome)],
    ) -> Answered<TransactionShard, ()> {
        let (_, due) = self
            .transactions
            .take(self.turn(), |shard, ground| Ok(shard.markers_written(ground, id, prepared_at, written)))?;
        self.committed(due).await
    }
}

fn play(client: ClientVersion, (offsets, state): (Weather, Weather)) {
    let (offsets, state) = (Log::new(LeaderEpoch(0), offsets), Log::new(LeaderEpoch(0), state));
    let kept = [offsets.kept(), state.kept()];
    let world = World::new(client, &offsets, &state);
    let task = shuttle::future::spawn({
        let world = world.clone();
        async move { world.come_back().await }
    });
    let first = world.begin();
    // Whether another producer has the id: from then on nothing of the first may be accepted.
    let taken_over = Arc::new(AtomicBool::new(false));
    let producers = [
        thread({
            let (world, taken_over) = (world.clone(), taken_over.clone());
            move || {
                let mut producer = first;
                for number in 0..TRANSACTIONS {
                    let is_fenced = taken_over.load(Ordering::SeqCst);
                    match world.transact(producer, 1 + number, number % 2 == 0) {
                        Ok(next) => producer = next,
                        Err(_) => return,
                    }
                    assert!(!is_fenced, "a transaction of a fenced producer was accepted");
                }
            }
        }),
        thread({
            let (world, taken_over) = (world.clone(), taken_over);
            move || {
                let producer = world.begin();
                taken_over.store(true, Ordering::SeqCst);
                world.transact(producer, 101, true).unwrap();
            }
        }),
        thread({
            let world = world.clone();
            move || {
                let told = world.groups.look(|shard| offset_in(shard, 0));
                let (told, end) = told.map_err(|error| error.to_string()).unwrap();
                if block_on(world.groups.safe(end, || MOST, |_| ())).is_ok() {
                    assert!(told < 0 || told % 2 == 1, "{told} is told, and was aborted");
                }
            }
        }),
    ];
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    // Whatever was decided ends by itself.
    while world.transactions.look(|shard| shard.ending_ids().next().is_some()).is_ok_and(|(some, _)| some) {
        shuttle::thread::yield_now();
    }
    world.over.store(true, Ordering::SeqCst);
    world.endings.left.notify_one();
    block_on(task).unwrap();
    settle(&world.groups, |_| ());
    settle(&world.transactions, |at| world.again(at));
    sync::all_are_through();
    [&offsets, &state].into_iter().for_each(|log| log.close());
    kept.into_iter().for_each(|kept| kept.join().unwrap());
    world.holds(&offsets.entries());
}

/// The offsets whose transaction ends in the log as one that counts. Every transaction ends there.
fn committed_by(entries: &[Entry]) -> BTreeSet<i64> {
    let (mut open, mut committed): (Vec<(ProducerId, i64)>, _) = (Vec::new(), BTreeSet::new());
    for (at, entry) in entries.iter().enumerate() {
        match entry {
            Entry::Record { written, .. } => {
                let (producer, _) = written.transaction.unwrap();
                // What the record says, as a shard takes it for which it counts at once.
                let mut shard: GroupShard = replayed(&entries[at..=at]);
                shard.replay_end(written.offset, producer, true);
                open.push((producer, offset_in(&shard, 0)));
            }
            Entry::End { producer, committed: counts, .. } => {
                for (_, offset) in open.extract_if(.., |(of, _)| *of == producer.0) {
                    if *counts {
                        committed.insert(offset);
                    }
                }
            }
        }
    }
    assert!(open.is_empty(), "a marker was forgotten: {open:?}");
    committed
}

const FULL: Weather = Weather { fsync: true, failing_syncs: 1, failing_appends: 0 };

#[test]
fn a_marker_ends_the_transaction_it_was_written_for() {
    in_many_orders(|| play(ClientVersion::V2, (Weather::FAIR, Weather::FAIR)));
}

#[test]
fn a_marker_ends_no_later_transaction_of_a_producer_that_keeps_its_epoch() {
    in_many_orders(|| play(ClientVersion::V0, (Weather::FAIR, Weather::FAIR)));
}

#[test]
fn an_end_that_nobody_was_told_of_is_written_all_the_same() {
    let failing = Weather { failing_appends: 2, ..Weather::FAIR };
    in_many_orders(move || play(ClientVersion::V2, (failing, FULL)));
    in_many_orders(move || play(ClientVersion::V0, (failing, FULL)));
}
