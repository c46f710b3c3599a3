//! Whole quorums of pure nodes on a virtual clock, over a network that loses, delays, doubles and reorders, with
//! nodes that crash and lose what they had not flushed. Invariants I-1 to I-4 are judged after every event.

use std::collections::BTreeMap;

use proptest::prelude::*;
use protocol::id::{LeaderEpoch, NodeId, Timestamp, Uuid};
use protocol::offset::Offset;

use crate::*;

/// One record on a simulated disk: its epoch and what it says, so that two logs can be compared.
type Record = (LeaderEpoch, u64);

struct Node {
    raft: Raft,
    log: Vec<Record>,
    flushed: usize,
    hard: QuorumState,
    wake_at: Option<Timestamp>,
    /// Appends that a simulated disk has not finished, with the log's end each stands for.
    unflushed: Vec<(AppendId, usize)>,
    committed: usize,
    payloads: BTreeMap<RequestId, Vec<Record>>,
}

enum Message {
    Request { from: usize, id: RequestId, life: u64, request: Request },
    Response { id: RequestId, life: u64, response: Response, payload: Vec<Record> },
}

struct Cluster {
    now: i64,
    random: u64,
    nodes: Vec<Node>,
    lives: Vec<u64>,
    /// Messages on their way: arrival, receiver, content.
    network: Vec<(i64, usize, Message)>,
    tickets: BTreeMap<(usize, Ticket), (usize, RequestId, u64)>,
    next_ticket: u64,
    leaders: BTreeMap<LeaderEpoch, usize>,
    committed: Vec<Record>,
    next_value: u64,
    loss_percent: u64,
}

fn voters(count: usize) -> VoterSet {
    VoterSet::new((0..count).map(|id| Voter { key: key(id), endpoints: Vec::new(), kraft_versions: (0, 1) }))
}

/// A ticket of a fetch carries its position in the upper half of its number.
fn fetch_position(ticket: Ticket) -> usize {
    (ticket.0 >> 32) as usize
}

fn key(id: usize) -> ReplicaKey {
    let id = id as i32;
    ReplicaKey { id: NodeId(id), directory: Uuid([id as u8 + 1; 16]) }
}

fn machine(now: i64, id: usize, count: usize, log: &[Record], hard: QuorumState, seed: u64) -> Raft {
    let config = Config {
        id: NodeId(id as i32),
        directory: key(id).directory,
        election_timeout_ms: 1000,
        election_backoff_ms_max: 1000,
        fetch_timeout_ms: 2000,
        request_timeout_ms: 1000,
        retry_backoff_ms: 20,
        fetch_wait_ms_max: 500,
        voters_unlogged: false,
        seed,
    };
    let mut epochs: Vec<(LeaderEpoch, Offset)> = Vec::new();
    for (offset, &(epoch, _)) in log.iter().enumerate() {
        if epochs.last().is_none_or(|&(last, _)| last < epoch) {
            epochs.push((epoch, Offset(offset as i64)));
        }
    }
    let model = LogModel::new(OffsetAndEpoch::default(), epochs, Offset(log.len() as i64));
    Raft::new(Timestamp(now), config, voters(count), model, hard)
}

impl Cluster {
    fn new(count: usize, seed: u64, loss_percent: u64) -> Self {
        let nodes = (0..count)
            .map(|id| Node {
                raft: machine(0, id, count, &[], QuorumState::default(), seed ^ id as u64),
                log: Vec::new(),
                flushed: 0,
                hard: QuorumState::default(),
                wake_at: Some(Timestamp(0)),
                unflushed: Vec::new(),
                committed: 0,
                payloads: BTreeMap::new(),
            })
            .collect();
        Self {
            now: 0,
            random: seed,
            nodes,
            lives: vec![0; count],
            network: Vec::new(),
            tickets: BTreeMap::new(),
            next_ticket: 0,
            leaders: BTreeMap::new(),
            committed: Vec::new(),
            next_value: 0,
            loss_percent,
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    fn step(&mut self, at: usize, input: Input) {
        let mut effects = Vec::new();
        self.nodes[at].raft.step(Timestamp(self.now), input, &mut effects);
        for effect in effects {
            self.carry_out(at, effect);
        }
    }

    fn carry_out(&mut self, at: usize, effect: Effect) {
        match effect {
            Effect::PersistQuorumState(hard) => {
                assert!(hard.epoch >= self.nodes[at].hard.epoch, "I-2: the epoch went back");
                self.nodes[at].hard = hard;
            }
            Effect::AppendLeaderChange { append, base, epoch, .. } => {
                let known = self.leaders.insert(epoch, at);
                assert!(known.is_none_or(|known| known == at), "I-1: two leaders in epoch {epoch}");
                self.append(at, append, base, vec![(epoch, u64::MAX)]);
            }
            Effect::Append { append, base, epoch, .. } => {
                self.next_value += 1;
                let value = self.next_value;
                self.append(at, append, base, vec![(epoch, value)]);
            }
            Effect::AppendFetched { request, append } => {
                let records = self.nodes[at].payloads.remove(&request).expect("payload of an answer");
                let base = Offset(self.nodes[at].log.len() as i64);
                self.append(at, append, base, records);
            }
            Effect::Truncate { to } => {
                let to = to.0 as usize;
                assert!(to >= self.nodes[at].committed, "I-3: truncated below what was committed");
                let node = &mut self.nodes[at];
                node.log.truncate(to);
                node.flushed = node.flushed.min(to);
            }
            Effect::SendRequest { id, to, request } => {
                let message = Message::Request { from: at, id, life: self.lives[at], request };
                self.post(to.0 as usize, message);
            }
            Effect::Respond { ticket, response } => self.respond(at, ticket, response),
            Effect::CommittedUpTo(upto) => self.commit(at, upto.0 as usize),
            Effect::WakeAt(at_time) => self.nodes[at].wake_at = at_time,
            Effect::BecameLeader { .. }
            | Effect::ResignedLeadership { .. }
            | Effect::RefuseProposal { .. } => {}
            Effect::Halt(reason) => panic!("node {at} halts: {reason:?}"),
            Effect::WriteSnapshotPiece { .. } | Effect::InstallSnapshot { .. } => {
                panic!("no log here ever starts after 0")
            }
        }
    }

    fn append(&mut self, at: usize, append: AppendId, base: Offset, records: Vec<Record>) {
        let node = &mut self.nodes[at];
        assert_eq!(base.0 as usize, node.log.len(), "an append goes to the end");
        node.log.extend(records);
        node.unflushed.push((append, node.log.len()));
    }

    fn respond(&mut self, at: usize, ticket: Ticket, mut response: Response) {
        let Some((to, id, life)) = self.tickets.remove(&(at, ticket)) else { return };
        let mut payload = Vec::new();
        if let ResponseBody::Fetch { outcome: FetchOutcome::Records { spans, upto }, .. } = &mut response.body
        {
            let from = fetch_position(ticket);
            payload = self.nodes[at].log[from.min(upto.0 as usize)..upto.0 as usize].to_vec();
            payload.truncate(3);
            spans.extend(payload.iter().enumerate().map(|(index, &(epoch, _))| BatchSpan {
                epoch,
                base: Offset((from + index) as i64),
                records: 1,
            }));
        }
        self.post(to, Message::Response { id, life, response, payload });
    }

    fn commit(&mut self, at: usize, upto: usize) {
        let node = &mut self.nodes[at];
        assert!(upto > node.committed, "I-3: the high watermark did not move forward");
        node.committed = upto;
        let known = self.committed.len().min(upto);
        assert_eq!(node.log[..known], self.committed[..known], "I-4: a committed record was lost");
        if upto > known {
            self.committed = node.log[..upto].to_vec();
            let durable = self
                .nodes
                .iter()
                .filter(|other| other.flushed >= upto && other.log[..upto] == self.committed[..])
                .count();
            assert!(durable > self.nodes.len() / 2, "I-3: committed without a durable majority");
        }
    }

    fn post(&mut self, to: usize, message: Message) {
        if self.draw(100) < self.loss_percent {
            return;
        }
        let arrival = self.now + 1 + self.draw(40) as i64;
        self.network.push((arrival, to, message));
    }

    fn deliver(&mut self, to: usize, message: Message) {
        match message {
            Message::Request { from, id, life, request } => {
                let mut ticket = self.ticket();
                if let Request::Fetch { from, .. } = &request {
                    ticket.0 |= (from.offset.0 as u64) << 32;
                }
                self.tickets.insert((to, ticket), (from, id, life));
                self.step(to, Input::Request { ticket, request });
            }
            Message::Response { id, life, response, payload } => {
                if life == self.lives[to] {
                    self.nodes[to].payloads.insert(id, payload);
                    self.step(to, Input::Response { id, response });
                    self.nodes[to].payloads.remove(&id);
                }
            }
        }
    }

    fn crash(&mut self, at: usize) {
        let count = self.nodes.len();
        self.lives[at] += 1;
        let (seed, now) = (self.random ^ self.lives[at], self.now);
        let node = &mut self.nodes[at];
        node.log.truncate(node.flushed);
        node.unflushed.clear();
        node.payloads.clear();
        node.committed = 0;
        // Request numbers start anew; the life tells old answers from new ones.
        node.raft = machine(now, at, count, &node.log, node.hard, seed);
        node.wake_at = Some(Timestamp(now));
    }

    /// Lets one thing happen: a message, a disk, a clock, a proposal, or a crash.
    fn advance(&mut self, faults: bool) {
        let count = self.nodes.len() as u64;
        match self.draw(100) {
            0 if faults => {
                let at = self.draw(count) as usize;
                self.crash(at);
            }
            1..10 => {
                let at = self.draw(count) as usize;
                let ticket = self.ticket();
                self.step(at, Input::Propose { ticket, records: 1 });
            }
            10..40 => {
                let at = self.draw(count) as usize;
                if let Some((append, end)) = self.nodes[at].unflushed.first().copied() {
                    self.nodes[at].unflushed.remove(0);
                    let node = &mut self.nodes[at];
                    node.flushed = node.flushed.max(end.min(node.log.len()));
                    self.step(at, Input::Flushed { append });
                }
            }
            _ => self.next_event(),
        }
    }

    fn next_event(&mut self) {
        let message = (0..self.network.len()).min_by_key(|&index| self.network[index].0);
        let wake =
            (0..self.nodes.len()).filter_map(|at| self.nodes[at].wake_at.map(|time| (time.0, at))).min();
        match (message, wake) {
            (Some(index), wake) if wake.is_none_or(|(time, _)| self.network[index].0 <= time) => {
                let (arrival, to, message) = self.network.swap_remove(index);
                self.now = self.now.max(arrival);
                self.deliver(to, message);
            }
            (_, Some((time, at))) => {
                self.now = self.now.max(time);
                self.nodes[at].wake_at = None;
                self.step(at, Input::Tick);
            }
            _ => self.now += 1,
        }
    }
}

fn run(count: usize, seed: u64, loss_percent: u64, steps: usize) {
    let mut cluster = Cluster::new(count, seed, loss_percent);
    for _ in 0..steps {
        cluster.advance(true);
    }
    // Once the faults end a leader is found and new records are committed.
    cluster.loss_percent = 0;
    let before = cluster.committed.len();
    for _ in 0..20_000 {
        cluster.advance(false);
        if cluster.committed.len() > before + 5 {
            return;
        }
    }
    panic!("seed {seed}: nothing is committed after the faults ended");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_lone_voter_loses_nothing(seed: u64) {
        run(1, seed, 0, 800);
    }

    #[test]
    fn three_voters_agree(seed: u64, loss in 0u64..40) {
        run(3, seed, loss, 3000);
    }

    #[test]
    fn five_voters_agree(seed: u64, loss in 0u64..40) {
        run(5, seed, loss, 3000);
    }
}
