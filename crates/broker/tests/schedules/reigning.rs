//! Reigns begin and end while requests come: a shard is loaded once in a reign, nothing acknowledged is lost between them, no
//! committed offset goes back, and whoever still asks the shard of an earlier reign is told to look elsewhere.

use std::collections::BTreeSet;

use coordinator::group::GroupShard;
use coordinator::{Shard as _, Written};
use protocol::id::{LeaderEpoch, PartitionIndex, Timestamp};
use shuttle::future::block_on;

use crate::log::{Entry, Log, Weather};
use crate::shared::{Answered, Begun, Led, Slots};
use crate::sync::{Arc, AtomicI64, Mutex, Ordering};
use crate::{
    CoordinatorError, MOST, World, again, commit, commit_of, holds, in_many_orders, led, offset_by,
    offset_in, settle, thread,
};

const INDEX: PartitionIndex = PartitionIndex(0);
const CLIENTS: usize = 2;
const OFFSETS: i64 = 2;

/// The partition that a client reads.
fn partition(client: usize) -> i32 {
    i32::try_from(client).unwrap()
}

/// A broker, as far as it leads.
struct Node {
    world: Arc<World>,
    log: Arc<Log>,
    slots: Slots<GroupShard, Log>,
    /// The reigns that were loaded.
    loaded: Mutex<BTreeSet<LeaderEpoch>>,
    /// What each client was told is committed; the last of them by who leads in between.
    acknowledged: [AtomicI64; CLIENTS + 1],
    /// What goes on beside the requests.
    beside: Mutex<Vec<shuttle::thread::JoinHandle<()>>>,
}

impl Node {
    /// Has it done by a thread of its own.
    fn beside(&self, work: impl FnOnce() + Send + 'static) {
        let thread = thread(work);
        self.beside.lock().unwrap().push(thread);
    }

    /// Waits until all of that is through.
    fn rest(&self) {
        loop {
            let next = self.beside.lock().unwrap().pop();
            match next {
                Some(thread) => thread.join().unwrap(),
                None => return,
            }
        }
    }

    /// As the runtime: has the shard loaded unless it is.
    fn lead(self: &Arc<Self>, epoch: LeaderEpoch) -> bool {
        let (leads, begun) = self.slots.begin(INDEX, epoch, || {
            let leader = self.log.leader()?;
            Some(if self.log.entries().is_empty() {
                self.loads(leader);
                Begun::Empty(led(&self.log, leader))
            } else {
                Begun::Full(leader)
            })
        });
        if let Some(Begun::Full(epoch)) = begun {
            let node = self.clone();
            self.beside(move || node.load(epoch));
        }
        leads
    }

    fn loads(&self, epoch: LeaderEpoch) {
        assert!(self.loaded.lock().unwrap().insert(epoch), "the reign {epoch:?} is loaded twice");
    }

    fn load(&self, epoch: LeaderEpoch) {
        self.loads(epoch);
        let loaded = led(&self.log, epoch);
        if self.log.leader() != Some(epoch) {
            return self.slots.forget(INDEX, epoch);
        }
        self.slots.loaded(INDEX, epoch, Some(loaded));
    }

    /// As the runtime: finds the shard, or has it loaded.
    fn find(self: &Arc<Self>) -> Answered<GroupShard, Arc<Led<GroupShard, Log>>> {
        if let Some(found) = self.slots.find(INDEX) {
            return found;
        }
        if self.log.leader().is_some_and(|epoch| self.lead(epoch)) {
            return self.slots.find(INDEX).unwrap_or(Err(CoordinatorError::Loading));
        }
        Err(CoordinatorError::NotCoordinator)
    }

    /// The metadata say who leads now.
    fn follow(self: &Arc<Self>, leader: Option<LeaderEpoch>) {
        self.log.led(leader);
        for led in self.slots.keep(|_| leader) {
            self.beside(move || led.end());
        }
        if let Some(epoch) = leader {
            self.lead(epoch);
        }
    }

    /// Commits, wherever that has to be asked.
    fn commit(self: &Arc<Self>, client: usize, offset: i64) {
        let asked = commit_of(partition(client), offset);
        loop {
            let done = self.find().and_then(|led| block_on(commit(&self.world, &led, &asked)));
            if done.is_ok() {
                break;
            }
            shuttle::thread::yield_now();
        }
        self.acknowledged[client].store(offset, Ordering::SeqCst);
        let counts = offset_by(&self.log.committed(), partition(client));
        assert!(counts >= offset, "{offset} was answered, and {counts} is committed");
    }

    /// What it tells of a client's offset, if it is asked now.
    fn told(self: &Arc<Self>, client: usize) -> Answered<GroupShard, i64> {
        let led = self.find()?;
        let (told, end) = led.look(|shard| offset_in(shard, partition(client)))?;
        block_on(led.safe(end, || MOST, |at| again(&led, at)))?;
        let counts = offset_by(&self.log.committed(), partition(client));
        assert!(counts >= told, "{told} was told, and {counts} is committed");
        Ok(told)
    }
}

/// What the leader in between commits.
fn elsewhere(log: &Log, client: usize, offset: i64) {
    let world = World::new();
    let commit = commit_of(partition(client), offset);
    let shard: GroupShard = crate::log::replayed(&log.entries());
    let decision = shard.commit_offsets(&world.ground(0), &commit).unwrap();
    for record in decision.records {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        GroupShard::encode(&record, &mut key, &mut value).unwrap();
        log.foreign(|offset| Entry::Record {
            written: Written { offset, timestamp: Timestamp(0), transaction: None },
            key,
            value: Some(value),
        });
    }
}

fn play(weather: Weather) {
    let log = Log::new(LeaderEpoch(0), weather);
    let kept = log.kept();
    let node = Arc::new(Node {
        world: World::new(),
        log: log.clone(),
        slots: Slots::default(),
        loaded: Mutex::default(),
        beside: Mutex::default(),
        acknowledged: std::array::from_fn(|_| AtomicI64::new(-1)),
    });
    let mut threads: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let node = node.clone();
            thread(move || (1..=OFFSETS).for_each(|offset| node.commit(client, offset)))
        })
        .collect();
    threads.push(thread({
        let node = node.clone();
        move || {
            let mut seen = [-1; CLIENTS + 1];
            for client in [0, CLIENTS, 0, CLIENTS, 0, CLIENTS] {
                // None is told to be committed where one is, whoever leads at that moment: all consumers would begin anew.
                let acknowledged = node.acknowledged[client].load(Ordering::SeqCst);
                if let Ok(told) = node.told(client) {
                    assert!(told >= acknowledged, "{acknowledged} was answered, and {told} is told");
                    let before = std::mem::replace(&mut seen[client], told);
                    assert!(told >= before, "an offset went back from {before} to {told}");
                }
            }
        }
    }));
    threads.push(thread({
        let node = node.clone();
        move || {
            node.follow(Some(LeaderEpoch(0)));
            node.follow(None);
            assert!(node.find().is_err_and(|error| matches!(error, CoordinatorError::NotCoordinator)));
            elsewhere(&node.log, CLIENTS, 7);
            node.acknowledged[CLIENTS].store(7, Ordering::SeqCst);
            node.follow(Some(LeaderEpoch(2)));
            node.follow(Some(LeaderEpoch(3)));
        }
    }));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let led = loop {
        if let Ok(led) = node.find() {
            break led;
        }
        shuttle::thread::yield_now();
    };
    assert_eq!(led.leader_epoch, LeaderEpoch(3));
    holds(&led);
    assert_eq!(
        led.look(|shard| offset_in(shard, partition(CLIENTS))).map_err(|error| error.to_string()).unwrap().0,
        7
    );
    settle(&led, |at| again(&led, at));
    for ended in node.slots.end() {
        ended.end();
    }
    assert!(matches!(node.find(), Err(CoordinatorError::NotCoordinator)), "nothing begins behind the end");
    node.rest();
    log.end(kept);
}

#[test]
fn a_reign_is_loaded_once_and_nothing_acknowledged_is_lost_between_reigns() {
    in_many_orders(|| play(Weather::FAIR));
    in_many_orders(|| play(Weather { fsync: true, failing_syncs: 1, failing_appends: 1 }));
}
