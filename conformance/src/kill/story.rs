//! What everybody on the stage tells, as it goes into the history.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result};
use protocol::id::Timestamp;
use protocol::records::build::{BatchBuilder, BatchOptions};
use sim::history::{Action, Key, Operation, Outcome, Process, Value};

/// How long a record's value is: small segments are full soon.
const VALUE_BYTES: usize = 1000;

/// One incarnation of a partition.
#[derive(Clone, Debug)]
pub struct Partition {
    /// Its topic.
    pub topic: String,
    /// Its index.
    pub index: i32,
    /// What it is called in the history.
    pub key: Key,
}

/// The history while it is told. Clones tell the same one.
#[derive(Clone)]
pub struct Story {
    inner: Arc<Inner>,
}

struct Inner {
    begin: Instant,
    told: Mutex<Vec<Operation>>,
    names: Mutex<Vec<String>>,
    values: AtomicU64,
    processes: AtomicU32,
}

impl Default for Story {
    fn default() -> Self {
        let inner = Inner {
            begin: Instant::now(),
            told: Mutex::default(),
            names: Mutex::default(),
            values: AtomicU64::new(1),
            processes: AtomicU32::new(0),
        };
        Self { inner: Arc::new(inner) }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Story {
    /// A partition that was just made, or will be.
    pub fn partition(&self, topic: &str, index: i32) -> Partition {
        let mut names = locked(&self.inner.names);
        let key = Key(names.len() as u32);
        names.push(format!("{topic}-{index}"));
        Partition { topic: topic.to_owned(), index, key }
    }

    /// The partitions by their keys.
    pub fn names(&self) -> Vec<String> {
        locked(&self.inner.names).clone()
    }

    /// Somebody new.
    pub fn process(&self) -> Process {
        Process(self.inner.processes.fetch_add(1, Ordering::Relaxed))
    }

    /// The first of so many values that nobody else has.
    pub fn values(&self, count: u64) -> u64 {
        self.inner.values.fetch_add(count, Ordering::Relaxed)
    }

    /// The time.
    pub fn now(&self) -> u64 {
        u64::try_from(self.inner.begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Tells of an operation that was begun at `began` and has just ended.
    pub fn tell(&self, process: Process, began: u64, outcome: Outcome, actions: Vec<Action>) {
        let ended = self.now();
        locked(&self.inner.told).push(Operation { process, began, ended, outcome, actions });
    }

    /// The whole of it.
    pub fn end(&self) -> Vec<Operation> {
        std::mem::take(&mut locked(&self.inner.told))
    }
}

/// The sends of `count` values from `first` on, from `offset` on where that is known.
pub fn sends(key: Key, (first, count): (u64, u64), offset: Option<i64>) -> Vec<Action> {
    let send = |index: u64| Action::Send {
        key,
        value: Value(first + index),
        offset: offset.map(|offset| offset + index as i64),
    };
    (0..count).map(send).collect()
}

/// A batch that holds `count` values from `first` on.
pub fn batch((first, count): (u64, u64), options: BatchOptions) -> Result<Vec<u8>> {
    let mut builder = BatchBuilder::new(options);
    // A producer whose last record is a day old is forgotten when its state is loaded.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
    let now = Timestamp(i64::try_from(now)?);
    for value in first..first + count {
        let text = format!("{value:0>VALUE_BYTES$}");
        builder.push(now, None, Some(text.as_bytes()), &[]);
    }
    Ok(builder.finish_uncompressed())
}

/// The value a record holds.
pub fn value(bytes: Option<&[u8]>) -> Result<Value> {
    let text = std::str::from_utf8(bytes.context("a record without a value")?)?;
    Ok(Value(text.trim_start_matches('0').parse().with_context(|| format!("a record with value {text}"))?))
}
