//! The world: one coordinator, some partitions, some clients, and what is on its way between them.

use std::collections::{BTreeMap, BTreeSet};

use coordinator::transaction::{
    ClientVersion, EndTransaction, Ending, InitProducerId, Initialized, MarkerOutcome, Producer,
    TransactionConfig, TransactionDecision, TransactionGround, TransactionRecord, TransactionRefusal,
    TransactionShard, TransactionState, TxnPartition,
};
use coordinator::{Ground, Shard, Token, Written};
use metadata::Image;
use partition::Verification;
use partition::verifications::VerificationGuard;
use protocol::id::{PartitionIndex, ProducerEpoch, ProducerId, Timestamp, Uuid};
use protocol::messages::record::{TransactionLogKey, TransactionLogValue};
use protocol::offset::Offset;
use sim::dice::Dice;

use crate::client::{Client, Wants};
use crate::stored::{Put, Sent, Stored};

const PARTITIONS: usize = 3;
const IDS: usize = 2;
const CLIENTS: usize = 4;

/// Something on its way.
#[derive(Clone, Debug)]
enum Message {
    /// A client's record to a partition.
    Produce { client: usize, partition: usize, sent: Sent },
    /// The partition asks the coordinator.
    Ask { client: usize, partition: usize, sent: Sent, guard: VerificationGuard },
    /// The coordinator has said yes.
    Append { client: usize, partition: usize, sent: Sent, guard: VerificationGuard },
    /// A client's end that nobody waits for any more.
    End { id: String, producer: Producer, committed: bool },
    /// The coordinator's marker.
    Marker { ending: Ending, epoch: i32, partition: usize },
    /// It is written.
    Marked { id: String, prepared_at: Offset, partition: usize },
}

/// What a world has seen.
pub struct Told {
    pub read: usize,
    pub hidden: usize,
    pub rotated: usize,
}

pub struct World {
    dice: Dice,
    now: Timestamp,
    shard: TransactionShard,
    log: Vec<(Written, Vec<u8>, Option<Vec<u8>>)>,
    /// The reign of the coordinator.
    epoch: i32,
    image: Image,
    config: TransactionConfig,
    partitions: Vec<Stored>,
    clients: Vec<Client>,
    soup: Vec<Message>,
    next_id: i64,
    next_number: u64,
    /// How each transaction was decided to end.
    decided: BTreeMap<(ProducerId, ProducerEpoch), bool>,
    /// What clients know to be committed.
    promised: BTreeSet<u64>,
    rotated: usize,
    /// Whether clients are of before KIP-890: a transaction has no epoch of its own, so that what comes late can join the
    /// next: here only is asked that nothing hangs. Ends and markers are then sent once.
    old: bool,
    /// Markers that were sent in this reign.
    marking: BTreeSet<(Offset, usize)>,
}

fn name(partition: usize) -> TxnPartition {
    TxnPartition { topic: "t".into(), index: PartitionIndex(i32::try_from(partition).unwrap()) }
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let client = |number: usize| Client::new(format!("id-{}", number % IDS));
        let mut world = Self {
            now: Timestamp(1_700_000_000_000),
            shard: TransactionShard::default(),
            log: Vec::new(),
            epoch: 0,
            image: Image::default(),
            config: TransactionConfig::default(),
            partitions: (0..PARTITIONS).map(|_| Stored::new()).collect(),
            clients: (0..CLIENTS).map(client).collect(),
            soup: Vec::new(),
            next_id: 1000,
            next_number: 0,
            decided: BTreeMap::new(),
            promised: BTreeSet::new(),
            rotated: 0,
            old: seed % 3 == 2,
            marking: BTreeSet::new(),
            dice: dice.split(),
        };
        world.image.features.insert("transaction.version".into(), 2);
        world.shard.loaded(world.now, &world.config);
        // In every other world epochs are about to run out.
        if seed % 2 == 1 {
            for number in 0..IDS {
                world.had_before(&format!("id-{number}"), 32_760 + i16::try_from(dice.below(6)).unwrap());
            }
        }
        world
    }

    fn had_before(&mut self, id: &str, epoch: i16) {
        let producer_id = self.next_id;
        self.next_id += 1;
        let value = TransactionLogValue {
            producer_id,
            previous_producer_id: producer_id,
            producer_epoch: epoch,
            transaction_timeout_ms: 60_000,
            transaction_status: TransactionState::Empty.id(),
            transaction_last_update_timestamp_ms: self.now.0,
            transaction_start_timestamp_ms: -1,
            ..TransactionLogValue::default()
        };
        let key = TransactionLogKey { transactional_id: id.to_owned().into() };
        self.write(&TransactionRecord { key, version: 1, value: Some(value) });
    }

    /// Something happens.
    pub fn step(&mut self) {
        let millis = if self.dice.percent(1) { 30_000 } else { self.dice.below(50) };
        self.now = Timestamp(self.now.0 + i64::try_from(millis).unwrap());
        match self.dice.below(100) {
            0 => self.reload(),
            1 => {
                let partition = self.dice.place(PARTITIONS);
                self.partitions[partition].reopen(self.now);
            }
            2 => {
                let client = self.dice.place(CLIENTS);
                self.clients[client].begin(None);
            }
            3..=14 => self.send_markers(),
            15..=44 => {
                let client = self.dice.place(CLIENTS);
                self.act(client);
            }
            _ => self.deliver(),
        }
        self.wake();
        self.each_open_one_is_known();
    }

    /// Whatever is open in a partition, the coordinator knows of and will end.
    fn each_open_one_is_known(&self) {
        for (number, partition) in self.partitions.iter().enumerate() {
            for producer in partition.open() {
                let known = self.shard.durable().into_values().any(|(recorded, _)| {
                    recorded.producer.id == producer
                        && !recorded.state.is_idle()
                        && recorded.partitions.contains(&name(number))
                });
                assert!(known, "nobody will end what {producer} has open in partition {number}");
            }
        }
    }

    /// Time passes until all is decided; only then comes what is still on its way, and once more.
    pub fn settle(&mut self) {
        for _ in 0..2 {
            for client in &mut self.clients {
                client.begin(None);
            }
            self.come_to_rest();
            for message in std::mem::take(&mut self.soup) {
                self.take(message);
            }
        }
        self.soup.clear();
        self.come_to_rest();
    }

    fn come_to_rest(&mut self) {
        for _ in 0..3 {
            self.now = Timestamp(self.now.0 + 100_000);
            self.wake();
            // Markers and the word about them arrive; everything else is overtaken.
            let of_markers =
                |message: &Message| matches!(message, Message::Marker { .. } | Message::Marked { .. });
            let (mut arriving, kept): (Vec<_>, Vec<_>) =
                std::mem::take(&mut self.soup).into_iter().partition(of_markers);
            self.send_markers();
            arriving.append(&mut self.soup);
            while let Some(message) = arriving.pop() {
                self.take(message);
                arriving.append(&mut self.soup);
            }
            self.soup = kept;
        }
        let open = self.shard.durable().into_iter().find(|(_, (recorded, _))| !recorded.state.is_idle());
        assert!(open.is_none(), "a transaction hangs: {open:?}");
    }

    /// What must hold in the end.
    pub fn judge(&self) -> Told {
        let (mut read, mut hidden, mut seen) = (0, 0, BTreeSet::new());
        for (number, partition) in self.partitions.iter().enumerate() {
            assert!(partition.is_decided(), "partition {number} holds its readers back for ever");
            let mut marked: BTreeMap<ProducerId, ProducerEpoch> = BTreeMap::new();
            for put in &partition.put {
                match put {
                    Put::Marker { producer: (id, epoch) } => {
                        marked.insert(*id, *epoch);
                    }
                    Put::Record { offset, sent } => {
                        let (id, epoch) = sent.producer;
                        let shown = partition.shows(*offset, id);
                        *(if shown { &mut read } else { &mut hidden }) += 1;
                        if shown {
                            assert!(seen.insert(sent.number), "{sent:?} is there twice");
                        }
                        if self.old {
                            continue;
                        }
                        let fenced = marked.get(&id).is_some_and(|marked| epoch < *marked);
                        assert!(!fenced, "{sent:?} came in behind the marker that fences it");
                        let committed = self.decided.get(&sent.producer).copied();
                        let right = committed == Some(shown);
                        assert!(right, "{sent:?} is shown: {shown}, and decided: {committed:?}");
                    }
                }
            }
        }
        let lost: Vec<_> = self.promised.difference(&seen).collect();
        assert!(lost.is_empty(), "committed and not to be read: {lost:?}");
        Told { read, hidden, rotated: self.rotated }
    }

    fn ground(&self) -> TransactionGround<'_> {
        let (now, image, config) = (self.now, &self.image, &self.config);
        Ground { now, image, config, token: Token(1), random: &Uuid::ZERO }
    }

    /// Has the coordinator decide, and records it.
    fn decide<R>(
        &mut self,
        decide: impl Fn(
            &TransactionShard,
            &TransactionGround<'_>,
            Option<ProducerId>,
        ) -> Result<TransactionDecision<R>, TransactionRefusal>,
    ) -> Result<R, TransactionRefusal> {
        let mut decided = decide(&self.shard, &self.ground(), None);
        if let Err(TransactionRefusal::FreshProducerIdWanted) = decided {
            let fresh = ProducerId(self.next_id);
            self.next_id += 1;
            self.rotated += 1;
            decided = decide(&self.shard, &self.ground(), Some(fresh));
        }
        let decision = decided?;
        self.carry_out(decision).ok_or(TransactionRefusal::ConcurrentTransactions)
    }

    fn carry_out<R>(&mut self, decision: TransactionDecision<R>) -> Option<R> {
        for record in &decision.records {
            self.write(record);
        }
        for transition in decision.transitions {
            self.shard.transit(transition);
        }
        decision.reply
    }

    fn write(&mut self, record: &TransactionRecord<'_>) {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let has_value = record.encode(&mut key, &mut value).unwrap();
        let offset = Offset(i64::try_from(self.log.len()).unwrap());
        let written = Written { offset, timestamp: self.now, transaction: None };
        let before = self.shard.recorded(&record.key.transactional_id).map(|recorded| recorded.producer);
        self.shard.replay(written, record);
        let after = self.shard.recorded(&record.key.transactional_id);
        if let (Some(before), Some(after)) = (before, after.filter(|after| after.state.is_ending())) {
            let committed = after.state == TransactionState::PrepareCommit;
            let known = self.decided.insert((before.id, before.epoch), committed);
            assert!(known.is_none() || self.old, "the transaction of {before:?} is ended twice");
        }
        self.log.push((written, key, has_value.then_some(value)));
    }

    /// Another coordinator takes over.
    fn reload(&mut self) {
        self.shard = TransactionShard::default();
        for (written, key, value) in &self.log {
            let record = TransactionRecord::decode(key, value.as_deref()).unwrap().unwrap();
            self.shard.replay(*written, &record);
        }
        self.shard.loaded(self.now, &self.config);
        self.epoch += 1;
        self.marking.clear();
    }

    fn wake(&mut self) {
        while let Some(decision) = self.shard.wake(&self.ground()) {
            self.carry_out(decision);
        }
        for id in self.shard.overdue() {
            let fresh = ProducerId(self.next_id);
            self.next_id += 1;
            self.rotated += 1;
            let _gone = self.decide(|shard, ground, _| shard.abort_overdue(ground, &id, fresh));
        }
    }

    fn send_markers(&mut self) {
        for ending in self.shard.ending_ids().filter_map(|id| self.shard.ending(id)) {
            for partition in &ending.partitions {
                let partition = usize::try_from(partition.index.0).unwrap();
                if self.marking.insert((ending.prepared_at, partition)) || !self.old {
                    let marker = Message::Marker { ending: ending.clone(), epoch: self.epoch, partition };
                    self.soup.push(marker);
                }
            }
        }
    }

    fn deliver(&mut self) {
        if self.soup.is_empty() {
            return;
        }
        let place = self.dice.place(self.soup.len());
        // One in ten comes again later.
        let once = self.old && matches!(self.soup[place], Message::Marker { .. });
        let message = match !once && self.dice.percent(10) {
            true => self.soup[place].clone(),
            false => self.soup.swap_remove(place),
        };
        self.take(message);
    }

    fn take(&mut self, message: Message) {
        let now = self.now;
        match message {
            Message::Produce { client, partition, sent } => {
                match self.partitions[partition].begin(now, &sent, !self.old) {
                    Ok(None) => self.append(client, partition, sent, Verification::Missing),
                    Ok(Some(guard)) => self.soup.push(Message::Ask { client, partition, sent, guard }),
                    Err(_) => {}
                }
            }
            Message::Ask { client, partition, sent, guard } => {
                let id = self.clients[client].id.clone();
                let producer = Producer { id: sent.producer.0, epoch: sent.producer.1 };
                let included = match self.old {
                    true => self.shard.verify(&id, producer, &[name(partition)]) == Ok(vec![true]),
                    false => self.add(&id, producer, partition).is_ok(),
                };
                if included {
                    self.soup.push(Message::Append { client, partition, sent, guard });
                }
            }
            Message::Append { client, partition, sent, guard } => {
                self.append(client, partition, sent, Verification::Verified(guard));
            }
            Message::End { id, producer, committed } => {
                let _late = self.end(&id, producer, committed);
            }
            Message::Marker { ending, epoch, partition } => {
                let marked = self.partitions[partition].mark(now, &ending, epoch);
                if marked.is_err() {
                    self.marking.remove(&(ending.prepared_at, partition));
                } else {
                    let (id, prepared_at) = (ending.id.to_string(), ending.prepared_at);
                    self.soup.push(Message::Marked { id, prepared_at, partition });
                }
            }
            Message::Marked { id, prepared_at, partition } => {
                let done = [(name(partition), MarkerOutcome::Appended)];
                let noted = self
                    .decide(|shard, ground, _| Ok(shard.markers_written(ground, &id, prepared_at, &done)));
                noted.unwrap();
            }
        }
    }

    /// What clients of this world speak.
    fn spoken(&self) -> ClientVersion {
        if self.old { ClientVersion::V0 } else { ClientVersion::V2 }
    }

    fn add(&mut self, id: &str, producer: Producer, partition: usize) -> Result<(), TransactionRefusal> {
        let spoken = self.spoken();
        self.decide(|shard, ground, _| shard.add_partitions(ground, id, producer, &[name(partition)], spoken))
    }

    fn append(&mut self, client: usize, partition: usize, sent: Sent, verification: Verification) {
        if self.partitions[partition].append(self.now, &sent, verification).is_ok() {
            self.clients[client].acknowledged(partition, &sent);
        }
    }

    fn end(&mut self, id: &str, producer: Producer, committed: bool) -> Result<Producer, TransactionRefusal> {
        let client = self.spoken();
        self.decide(|shard, ground, fresh| {
            let request = EndTransaction { id, producer, committed, client, fresh };
            shard.end(ground, &request)
        })
    }

    /// A client does something.
    fn act(&mut self, client: usize) {
        let Some(producer) = self.clients[client].producer else {
            // Who was fenced does not come back at once, or nobody would get anything done.
            if self.dice.percent(4) {
                self.begin(client);
            }
            return;
        };
        if let Wants::End { committed } = self.clients[client].wants {
            return self.ask_to_end(client, producer, committed);
        }
        // What comes behind a marker is what old clients are looked at for.
        let aborts = if self.old { 80 } else { 20 };
        match self.dice.below(10) {
            // What has written nothing is not committed: the producer would go on at the same epoch.
            0..=2 if self.clients[client].may_commit() => {
                self.clients[client].wants = Wants::End { committed: true };
            }
            // An abort does not wait for what is on its way.
            3 if self.dice.percent(aborts) && (!self.old || self.clients[client].has_written()) => {
                self.clients[client].give_up();
                self.clients[client].wants = Wants::End { committed: false };
            }
            3..=6 => {
                let again: Vec<_> = self.clients[client]
                    .under_way
                    .iter()
                    .map(|(partition, sent)| (*partition, *sent))
                    .collect();
                for (partition, sent) in again {
                    self.soup.push(Message::Produce { client, partition, sent });
                }
            }
            _ => {
                let partition = self.dice.place(PARTITIONS);
                let id = self.clients[client].id.clone();
                if self.old && self.add(&id, producer, partition).is_err() {
                    return;
                }
                if !self.clients[client].under_way.contains_key(&partition) {
                    let number = self.next_number;
                    self.next_number += 1;
                    let sent = self.clients[client].next(partition, number);
                    let sent = sent.map(|sent| Message::Produce { client, partition, sent });
                    self.soup.extend(sent);
                }
            }
        }
    }

    fn begin(&mut self, client: usize) {
        let id = self.clients[client].id.clone();
        let begun = self.decide(|shard, ground, fresh| {
            let request = InitProducerId {
                id: &id,
                timeout: 60_000,
                expected: None,
                two_phase: false,
                keep_prepared: false,
                fresh,
            };
            shard.init_producer_id(ground, &request)
        });
        if let Ok(Initialized::Done(producer)) = begun {
            self.clients[client].begin(Some(producer));
        }
    }

    fn ask_to_end(&mut self, client: usize, producer: Producer, committed: bool) {
        let id = self.clients[client].id.clone();
        // A copy may come late, behind whatever the client does next.
        if !self.old && self.dice.percent(20) {
            self.soup.push(Message::End { id: id.clone(), producer, committed });
        }
        let ended = self.end(&id, producer, committed);
        // The answer may get lost, and the client asks again.
        if self.dice.percent(20) {
            return;
        }
        match ended {
            Ok(next) => {
                // What a sloppy client of before KIP-890 left behind may have come in at the place of another record.
                if committed && !self.old {
                    let acked = std::mem::take(&mut self.clients[client].acked);
                    self.promised.extend(acked);
                }
                self.clients[client].begin(Some(next));
            }
            Err(TransactionRefusal::ConcurrentTransactions) => {}
            Err(TransactionRefusal::InvalidState) => {
                panic!("{producer:?} cannot end its transaction, which is {:?}", self.shard.recorded(&id));
            }
            Err(_) => self.clients[client].begin(None),
        }
    }
}
