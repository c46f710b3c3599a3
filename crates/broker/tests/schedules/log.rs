//! A log as the shards' runtime knows it: what is appended counts once it is at all replicas and, where that is asked for, on
//! stable storage; whoever leads no more is refused. Threads of its own bring it there, in whatever order shuttle likes.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::future::Future;

use coordinator::{Shard, Written};
use protocol::id::{LeaderEpoch, ProducerEpoch, ProducerId, Timestamp};
use protocol::offset::Offset;
use shuttle::rand::Rng as _;
use shuttle::sync::Condvar;
use storage::Fault;
use tokio::sync::Notify;

use crate::shared::{Batch, Followed, Follower, Marker, Standing, Writer, Writes};
use crate::sync::{Arc, Mutex, all_are_through};
use crate::{CoordinatorError, Figures};

/// What lies in a log.
#[derive(Clone)]
pub enum Entry {
    Record { written: Written, key: Vec<u8>, value: Option<Vec<u8>> },
    End { offset: Offset, producer: (ProducerId, ProducerEpoch), committed: bool },
}

type Done = Box<dyn FnOnce(Result<Option<Offset>, String>) + Send>;

/// A log.
pub struct Log {
    state: Mutex<State>,
    /// There is something for who brings it to safety.
    work: Condvar,
}

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    /// The reign in which this broker leads.
    leader: Option<LeaderEpoch>,
    fsync: bool,
    /// What is on stable storage, and what all replicas have: where both are asked for nothing is replicated before.
    durable: Offset,
    replicated: Offset,
    syncs: VecDeque<Done>,
    /// How many syncs, and how many appends, are still to fail.
    failing: (usize, usize),
    followers: Vec<Arc<Notify>>,
    /// The latest epoch of each producer, as a partition keeps it.
    producers: BTreeMap<ProducerId, ProducerEpoch>,
    closing: bool,
}

impl State {
    fn end(&self) -> Offset {
        Offset(i64::try_from(self.entries.len()).unwrap())
    }

    /// A partition takes nothing of a producer that was fenced in it.
    fn knows(&mut self, producer: (ProducerId, ProducerEpoch)) -> bool {
        let latest = self.producers.entry(producer.0).or_insert(producer.1);
        *latest = (*latest).max(producer.1);
        *latest == producer.1
    }
}

/// Whether it is the next that fails, where so many are to.
fn is_next(failing: &mut usize) -> bool {
    let fails = *failing > 0 && shuttle::rand::thread_rng().gen_range(0..3) == 0;
    *failing -= usize::from(fails);
    fails
}

/// What bringing a log to safety comes across.
#[derive(Clone, Copy)]
pub struct Weather {
    /// Whether it goes to stable storage, too.
    pub fsync: bool,
    /// How many syncs fail, sooner or later.
    pub failing_syncs: usize,
    /// How many appends fail, sooner or later.
    pub failing_appends: usize,
}

impl Weather {
    /// Replicas only, and nothing fails.
    pub const FAIR: Self = Self { fsync: false, failing_syncs: 0, failing_appends: 0 };
}

impl Log {
    /// An empty log that this broker leads.
    pub fn new(leader: LeaderEpoch, weather: Weather) -> Arc<Self> {
        let state = State {
            leader: Some(leader),
            fsync: weather.fsync,
            failing: (weather.failing_syncs, weather.failing_appends),
            ..State::default()
        };
        Arc::new(Self { state: Mutex::new(state), work: Condvar::new() })
    }

    /// Has a thread bring it to safety, until it is closed.
    pub fn kept(self: &Arc<Self>) -> shuttle::thread::JoinHandle<()> {
        let log = self.clone();
        shuttle::thread::spawn(move || while log.keep_some() {})
    }

    fn keep_some(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        loop {
            let end = state.end();
            if !state.syncs.is_empty() {
                let syncs = std::mem::take(&mut state.syncs);
                let outcome = if is_next(&mut state.failing.0) {
                    Err("the disk is full".to_owned())
                } else {
                    state.durable = end;
                    Ok(Some(state.replicated))
                };
                let followers = state.followers.clone();
                drop(state);
                followers.iter().for_each(|follower| follower.notify_one());
                syncs.into_iter().for_each(|done| done(outcome.clone()));
                return true;
            }
            let counts = if state.fsync { state.durable } else { end };
            if state.replicated < counts {
                state.replicated = state.replicated.plus(1);
                let followers = state.followers.clone();
                drop(state);
                followers.iter().for_each(|follower| follower.notify_one());
                return true;
            }
            if state.closing {
                return false;
            }
            state = self.work.wait(state).unwrap();
        }
    }

    /// Nothing is appended any more.
    pub fn close(&self) {
        self.state.lock().unwrap().closing = true;
        self.work.notify_all();
    }

    /// Ends with who keeps it, once all are through.
    pub fn end(&self, kept: shuttle::thread::JoinHandle<()>) {
        all_are_through();
        self.close();
        kept.join().unwrap();
    }

    /// Another reign begins: here, or elsewhere.
    pub fn led(&self, leader: Option<LeaderEpoch>) {
        self.state.lock().unwrap().leader = leader;
    }

    /// Who leads it, if this broker does.
    pub fn leader(&self) -> Option<LeaderEpoch> {
        self.state.lock().unwrap().leader
    }

    /// What it holds.
    pub fn entries(&self) -> Vec<Entry> {
        self.state.lock().unwrap().entries.clone()
    }

    /// What of it counts.
    pub fn committed(&self) -> Vec<Entry> {
        let state = self.state.lock().unwrap();
        state.entries[..usize::try_from(state.replicated.0).unwrap()].to_vec()
    }

    /// Appends what another broker wrote while it led.
    pub fn foreign(&self, entry: impl FnOnce(Offset) -> Entry) {
        let mut state = self.state.lock().unwrap();
        let entry = entry(state.end());
        state.entries.push(entry);
        (state.durable, state.replicated) = (state.end(), state.end());
        let followers = state.followers.clone();
        drop(state);
        followers.iter().for_each(|follower| follower.notify_one());
    }
}

/// A shard with what a log says.
pub fn replayed<S: Shard>(entries: &[Entry]) -> S {
    let mut shard = S::default();
    for entry in entries {
        match entry {
            Entry::Record { written, key, value } => {
                let record = S::decode(key, value.as_deref()).unwrap().unwrap();
                shard.replay(*written, &record);
            }
            Entry::End { offset, producer, committed } => shard.replay_end(*offset, producer.0, *committed),
        }
    }
    shard
}

impl Followed for Log {
    fn commit(
        self: &Arc<Self>,
        done: impl FnOnce(Result<Option<Offset>, String>) + Send + 'static,
    ) -> Result<Standing, Fault> {
        let mut state = self.state.lock().unwrap();
        let commit_due = state.fsync && state.durable < state.end();
        if commit_due {
            state.syncs.push_back(Box::new(done));
            self.work.notify_all();
        }
        Ok(Standing { commit_due, high_watermark: state.replicated })
    }

    fn follower(self: &Arc<Self>) -> impl Follower {
        let woken = Arc::new(Notify::new());
        self.state.lock().unwrap().followers.push(woken.clone());
        Following { log: self.clone(), woken }
    }
}

struct Following {
    log: Arc<Log>,
    woken: Arc<Notify>,
}

impl Follower for Following {
    fn begin(&self) {}

    fn look(&self) -> Option<(Offset, Offset)> {
        let state = self.log.state.lock().unwrap();
        Some((state.replicated, state.end()))
    }

    fn woken(&self) -> impl Future<Output = ()> + Send {
        self.woken.notified()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut state = self.log.state.lock().unwrap();
        state.followers.retain(|follower| !Arc::ptr_eq(follower, &self.woken));
    }
}

impl<S: Shard> Writes<S> for Log {
    type Here<'t> = ();
    type Memory = ();

    fn come<R>(&self, work: impl FnOnce(&()) -> R) -> R {
        work(&())
    }

    fn append_records(
        &self,
        (): &(),
        (): &mut (),
        writer: &Writer<'_, S>,
        (records, _, transaction): Batch<'_, S::Record<'_>>,
    ) -> Result<(usize, Offset), CoordinatorError<S::Refusal>> {
        let mut state = self.state.lock().unwrap();
        if state.leader != Some(writer.leader_epoch) {
            return Err(CoordinatorError::NotCoordinator);
        }
        if is_next(&mut state.failing.1) {
            return Err(CoordinatorError::NotAvailable("the disk is full".to_owned()));
        }
        if transaction.is_some_and(|producer| !state.knows(producer)) {
            let error = protocol::ErrorCode::InvalidProducerEpoch;
            return Err(CoordinatorError::Producer(error, "the producer was fenced".to_owned()));
        }
        let base = state.end();
        for record in records {
            let (mut key, mut value) = (Vec::new(), Vec::new());
            let has_value = S::encode(record, &mut key, &mut value).unwrap();
            let written = Written { offset: state.end(), timestamp: writer.now, transaction };
            state.entries.push(Entry::Record { written, key, value: has_value.then_some(value) });
        }
        self.work.notify_all();
        Ok((records.len(), base))
    }

    fn append_marker(
        &self,
        (): &(),
        (): &mut (),
        marker: Marker,
        (leader_epoch, _): (LeaderEpoch, Timestamp),
    ) -> Result<Offset, CoordinatorError<S::Refusal>> {
        let mut state = self.state.lock().unwrap();
        if state.leader != Some(leader_epoch) {
            return Err(CoordinatorError::NotCoordinator);
        }
        if is_next(&mut state.failing.1) {
            return Err(CoordinatorError::NotAvailable("the disk is full".to_owned()));
        }
        if !state.knows(marker.producer) {
            let error = protocol::ErrorCode::InvalidProducerEpoch;
            return Err(CoordinatorError::Producer(error, "the producer was fenced".to_owned()));
        }
        let offset = state.end();
        let committed = marker.end.committed;
        state.entries.push(Entry::End { offset, producer: marker.producer, committed });
        self.work.notify_all();
        Ok(offset)
    }

    fn puts_off(&self, _: &CoordinatorError<S::Refusal>) {}
}

/// What nobody looks at here.
pub fn figures() -> Arc<Figures> {
    Arc::default()
}
