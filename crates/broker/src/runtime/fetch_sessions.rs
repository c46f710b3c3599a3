//! Fetch sessions (KIP-227): what a reader follows is remembered here, so that its requests carry only what
//! changes and its answers only partitions with news.
//!
//! ```text
//!   epoch 0, no session   full fetch; the answer carries a new session id, or 0 where there is no slot
//!   epoch n, session      incremental; n must be the epoch after the last one
//!   epoch -1              full fetch without a session; ends the one it names
//! ```
//! There are `max.incremental.fetch.session.cache.slots` of them. A full cache gives a slot away only if one
//! has been unused for two minutes, or is smaller than the new one and two minutes old; a reader without a slot
//! is served all the same, with full fetches. So is one whose partitions, with those of all other sessions, would be
//! more than `headwater.fetch.sessions.partitions.max`; a session that grows so far ends. Nothing here reads a log or
//! knows whether a topic exists.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, PartitionIndex, TopicId};
use protocol::offset::Offset;

use super::resting::Rest;

/// The epoch of a request that wants a new session.
const INITIAL_EPOCH: i32 = 0;
/// The epoch of a request that wants no session.
const FINAL_EPOCH: i32 = -1;
/// How long a slot is safe from being given away.
const EVICTION: Duration = Duration::from_secs(120);

/// How a request names a topic: by id from version 13 on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TopicKey {
    /// By id.
    Id(TopicId),
    /// By name.
    Name(Arc<str>),
}

/// A partition of a fetch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartitionKey {
    /// Its topic.
    pub topic: TopicKey,
    /// Its index.
    pub partition: PartitionIndex,
}

/// What a reader wants of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The partition.
    pub key: PartitionKey,
    /// The leader epoch the reader knows, if it says so.
    pub current_leader_epoch: LeaderEpoch,
    /// Where to read from.
    pub fetch_offset: Offset,
    /// The epoch of the last record the reader has, if it says so (followers, KIP-595).
    pub last_fetched_epoch: LeaderEpoch,
    /// How many bytes of this partition the reader takes.
    pub bytes_max: i32,
}

/// What an answer says of a partition, as far as news go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The high watermark; -1 with an error.
    pub high_watermark: Offset,
    /// The log start offset; -1 with an error.
    pub log_start_offset: Offset,
    /// Whether there are records.
    pub records: bool,
    /// Whether something must be told whatever was told before: an error, a better replica, a divergence.
    pub always: bool,
    /// Whether the partition has an error or diverges: then it is told again once it is sound.
    pub unsound: bool,
}

/// The session part of a request.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The session; 0 for none.
    pub session_id: i32,
    /// Its epoch.
    pub session_epoch: i32,
    /// Whether topics are named by id.
    pub topic_ids: bool,
}

/// What a request fetches.
#[derive(Debug)]
pub enum Context {
    /// What the request names; no session comes of it.
    Sessionless(Vec<Wanted>),
    /// What the request names; the answer may open a session.
    Full(Vec<Wanted>),
    /// What the session remembers, and the epoch that its next request must carry.
    Incremental(Arc<Session>, i32),
}

/// A session.
#[derive(Debug)]
pub struct Session {
    id: i32,
    topic_ids: bool,
    state: Mutex<State>,
    /// Where it hangs while nothing comes; it may be waiting there just now.
    rest: Mutex<Option<Rest>>,
}

#[derive(Debug)]
struct State {
    /// The epoch the next request must carry.
    epoch: i32,
    /// In the order of answering: a partition whose records were sent moves to the end.
    order: BTreeMap<u64, Followed>,
    places: HashMap<PartitionKey, u64>,
    next_place: u64,
}

#[derive(Debug)]
struct Followed {
    wanted: Wanted,
    high_watermark: Offset,
    log_start_offset: Offset,
}

/// The partitions of a session while an answer is made of them.
#[derive(Debug)]
pub struct Answering<'a> {
    state: MutexGuard<'a, State>,
}

/// All sessions of a broker.
#[derive(Debug)]
pub struct FetchSessions {
    slots: usize,
    partitions_max: usize,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    sessions: HashMap<i32, Entry>,
    /// What all sessions follow together.
    partitions: usize,
    evictions: u64,
}

#[derive(Debug)]
struct Entry {
    session: Arc<Session>,
    created: Instant,
    used: Instant,
    size: usize,
}

/// A session that has ended, if one has. It hangs in the lists of all its partitions: it is taken apart when nobody waits for
/// the cache any more.
type Ended = Option<Entry>;

impl FetchSessions {
    /// At most `slots` sessions, which follow at most `partitions_max` partitions together.
    pub fn new(slots: usize, partitions_max: usize) -> Self {
        Self { slots, partitions_max, cache: Mutex::new(Cache::default()) }
    }

    /// Finds out what a request fetches. `wanted` are the partitions it names, `forgotten` those it drops.
    pub fn begin(
        &self,
        now: Instant,
        asked: Asked,
        wanted: Vec<Wanted>,
        forgotten: impl Iterator<Item = PartitionKey>,
    ) -> Result<Context, ErrorCode> {
        let mut ended = Ended::default();
        self.begin_or_end(now, asked, (wanted, forgotten), &mut ended)
    }

    fn begin_or_end(
        &self,
        now: Instant,
        asked: Asked,
        (wanted, forgotten): (Vec<Wanted>, impl Iterator<Item = PartitionKey>),
        ended: &mut Ended,
    ) -> Result<Context, ErrorCode> {
        let mut cache = self.lock();
        if asked.session_epoch == INITIAL_EPOCH || asked.session_epoch == FINAL_EPOCH {
            *ended = cache.remove(asked.session_id);
            return Ok(if asked.session_epoch == FINAL_EPOCH {
                Context::Sessionless(wanted)
            } else {
                Context::Full(wanted)
            });
        }
        let cache = &mut *cache;
        let entry = cache.sessions.get_mut(&asked.session_id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        let session = entry.session.clone();
        let mut state = session.lock();
        if state.epoch != asked.session_epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.topic_ids != asked.topic_ids {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        let new = wanted.iter().filter(|wanted| !state.places.contains_key(&wanted.key)).count();
        if cache.partitions + new > self.partitions_max {
            // Its reader comes back with a full fetch.
            *ended = cache.remove(asked.session_id);
            cache.evictions += 1;
            return Err(ErrorCode::FetchSessionIdNotFound);
        }
        for wanted in wanted {
            state.follow(wanted, Offset(-1), Offset(-1));
        }
        for key in forgotten {
            if let Some(place) = state.places.remove(&key) {
                state.order.remove(&place);
            }
        }
        if state.order.is_empty() {
            *ended = cache.remove(asked.session_id);
            return Ok(Context::Sessionless(Vec::new()));
        }
        state.epoch = next_epoch(state.epoch);
        cache.partitions = cache.partitions - entry.size + state.order.len();
        entry.size = state.order.len();
        entry.used = now;
        let next = state.epoch;
        drop(state);
        Ok(Context::Incremental(session, next))
    }

    /// Opens a session for what a full fetch was answered; returns its id, or 0 where no slot is free.
    pub fn open(
        &self,
        now: Instant,
        topic_ids: bool,
        answered: impl ExactSizeIterator<Item = (Wanted, Told)>,
    ) -> i32 {
        let mut ended = Ended::default();
        self.open_or_not(now, topic_ids, answered, &mut ended).unwrap_or(0)
    }

    fn open_or_not(
        &self,
        now: Instant,
        topic_ids: bool,
        answered: impl ExactSizeIterator<Item = (Wanted, Told)>,
        ended: &mut Ended,
    ) -> Option<i32> {
        let mut cache = self.lock();
        if cache.partitions + answered.len() > self.partitions_max {
            return None;
        }
        if cache.sessions.len() >= self.slots {
            *ended = cache.evict(now, answered.len());
            ended.as_ref()?;
        }
        let mut state = State { epoch: 1, order: BTreeMap::new(), places: HashMap::new(), next_place: 0 };
        for (wanted, told) in answered {
            let high_watermark = if told.unsound { Offset(-1) } else { told.high_watermark };
            state.follow(wanted, high_watermark, told.log_start_offset);
        }
        let id = cache.unused_id();
        let size = state.order.len();
        cache.partitions += size;
        let session = Arc::new(Session { id, topic_ids, state: Mutex::new(state), rest: Mutex::default() });
        cache.sessions.insert(id, Entry { session, created: now, used: now, size });
        Some(id)
    }

    /// How many partitions a session follows; none if it is not there.
    pub fn size(&self, session_id: i32) -> usize {
        if session_id == 0 {
            return 0;
        }
        self.lock().sessions.get(&session_id).map_or(0, |entry| entry.size)
    }

    /// How many sessions there are, how many partitions they follow, how many were evicted so far.
    pub fn counts(&self) -> (usize, usize, u64) {
        let cache = self.lock();
        (cache.sessions.len(), cache.partitions, cache.evictions)
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Cache {
    /// Makes room for a session of `size` partitions, if somebody has to give way.
    fn evict(&mut self, now: Instant, size: usize) -> Ended {
        let stale = |since: Instant| now.saturating_duration_since(since) > EVICTION;
        let oldest = self.sessions.iter().min_by_key(|(_, entry)| entry.used);
        let mut given = oldest.filter(|(_, entry)| stale(entry.used)).map(|(id, _)| *id);
        if given.is_none() {
            let settled = self.sessions.iter().filter(|(_, entry)| stale(entry.created));
            let smallest = settled.min_by_key(|(_, entry)| entry.size);
            given = smallest.filter(|(_, entry)| entry.size < size).map(|(id, _)| *id);
        }
        let ended = self.remove(given?);
        self.evictions += 1;
        ended
    }

    fn remove(&mut self, id: i32) -> Ended {
        let ended = self.sessions.remove(&id)?;
        self.partitions -= ended.size;
        Some(ended)
    }

    /// An id above 0 that no session has. Ids are spread: a client of another broker, or of this one before it
    /// restarted, should not meet somebody else's session by counting.
    fn unused_id(&self) -> i32 {
        loop {
            let random = uuid::Uuid::new_v4().into_bytes();
            let id = i32::from_be_bytes([random[0] & 0x7f, random[1], random[2], random[3]]);
            if id > 0 && !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }
}

impl Session {
    /// The session's id.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// What the session follows, in the order of answering.
    pub fn wanted(&self) -> Vec<Wanted> {
        self.lock().order.values().map(|followed| followed.wanted.clone()).collect()
    }

    /// Takes its rest, to go on with it or to end it.
    pub fn take_rest(&self) -> Option<Rest> {
        self.lock_rest().take()
    }

    /// Leaves where it hangs to its next request, unless that has come already, over another connection: it may have asked for
    /// something else.
    pub fn put_rest(&self, rest: Rest) {
        let _ended = {
            let state = self.lock();
            if state.epoch == rest.epoch { self.lock_rest().replace(rest) } else { Some(rest) }
        };
    }

    fn lock_rest(&self) -> MutexGuard<'_, Option<Rest>> {
        self.rest.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Begins an answer.
    pub fn answer(&self) -> Answering<'_> {
        Answering { state: self.lock() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl State {
    fn follow(&mut self, wanted: Wanted, high_watermark: Offset, log_start_offset: Offset) {
        if let Some(followed) = self.places.get(&wanted.key).and_then(|place| self.order.get_mut(place)) {
            followed.wanted = wanted;
            return;
        }
        let place = self.next_place;
        self.next_place += 1;
        self.places.insert(wanted.key.clone(), place);
        self.order.insert(place, Followed { wanted, high_watermark, log_start_offset });
    }
}

impl Answering<'_> {
    /// Whether a partition has to stand in the answer; remembers what is told of it.
    pub fn tell(&mut self, key: &PartitionKey, told: Told) -> bool {
        let state = &mut *self.state;
        let Some(&place) = state.places.get(key) else {
            // Forgotten by a request that overtook this one: it is told, and harms nobody.
            return true;
        };
        let Some(followed) = state.order.get_mut(&place) else {
            return true;
        };
        let news = followed.high_watermark != told.high_watermark
            || followed.log_start_offset != told.log_start_offset
            || told.records
            || told.always;
        followed.high_watermark = if told.unsound { Offset(-1) } else { told.high_watermark };
        followed.log_start_offset = told.log_start_offset;
        if told.records {
            // The others come first next time, so that none starves under max_bytes.
            let next = state.next_place;
            state.next_place += 1;
            if let Some(followed) = state.order.remove(&place) {
                state.order.insert(next, followed);
                state.places.insert(key.clone(), next);
            }
        }
        news
    }
}

/// The epoch after `epoch`; past the largest it goes on at 1.
fn next_epoch(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

#[cfg(test)]
mod tests;
