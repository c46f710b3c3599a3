//! The threads that compact logs (`log.cleaner.threads`), and the one that sees to it that there are as many as the
//! configuration says.
//!
//! Each looks for the dirtiest log, cleans it, and rests when there is none (`log.cleaner.backoff.ms`). Together they read
//! and write no faster than `log.cleaner.io.max.bytes.per.second`. They run below the priority of all other threads: what
//! they do can wait, and requests cannot. When a setting changes, cleanings under way are called off and begun
//! again with the new one, as in Kafka.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use storage::cleaner::{CleanError, Cleaner, CleanerOptions, Pace};
use storage::log_dirs::Crowded;
use storage::{SharedLog, TopicPartition};

use crate::Holdings;
use crate::config::CleanerConfig;

/// How often the configuration is looked at.
const CONFIG_INTERVAL: Duration = Duration::from_millis(500);
/// How nice the threads are to others, from 0 to 19.
const NICENESS: i32 = 10;
/// The smallest buffer a thread is given, whatever the configuration says.
const BUFFER_BYTES_MIN: usize = 4096;
/// How soon it is said again that there is no room.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// How long a thread rests after a sync: whoever had to wait for the file system's journal is not to wait again at once.
const SYNC_REST: Duration = Duration::from_millis(100);
/// It rests at most so many times as long as it works. Where a sync comes after little work compaction must not fall behind.
const SYNC_REST_SHARE: u32 = 2;
/// While there are more logs to be cleaned `cleaner-offset-checkpoint` is written no more often, for it takes two syncs. What
/// a crash takes of it is cleaned once more.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(5);
/// A debt below this is not worth a sleep.
const DEBT_MIN: Duration = Duration::from_millis(20);

/// The threads.
#[derive(Debug)]
pub struct LogCleaners {
    stop: Arc<Stop>,
    supervisor: Option<JoinHandle<()>>,
}

/// Tells threads to end, and wakes them for it.
#[derive(Debug, Default)]
struct Stop {
    told: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn tell(&self) {
        *self.lock() = true;
        self.changed.notify_all();
    }

    fn is_told(&self) -> bool {
        *self.lock()
    }

    /// Waits; `false` if told to end.
    fn wait(&self, time: Duration) -> bool {
        let (told, _) = self
            .changed
            .wait_timeout_while(self.lock(), time, |told| !*told)
            .unwrap_or_else(PoisonError::into_inner);
        !*told
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogCleaners {
    /// Starts the threads.
    pub fn start(broker: Arc<Holdings>) -> std::io::Result<Self> {
        let stop = Arc::new(Stop::default());
        let stopped = Arc::clone(&stop);
        let supervisor = std::thread::Builder::new()
            .name("log-cleaners".into())
            .spawn(move || supervise(&broker, &stopped))?;
        Ok(Self { stop, supervisor: Some(supervisor) })
    }
}

impl Drop for LogCleaners {
    /// Calls off what is under way and ends the threads.
    fn drop(&mut self) {
        self.stop.tell();
        if let Some(supervisor) = self.supervisor.take() {
            // A thread that panicked has said so.
            let _ended = supervisor.join();
        }
    }
}

/// The threads of one configuration.
struct Crew {
    config: CleanerConfig,
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

impl Crew {
    fn start(broker: &Arc<Holdings>, config: CleanerConfig) -> Self {
        let stop = Arc::new(Stop::default());
        let throttle = Arc::new(Throttle::new(config.bytes_per_second_max));
        let count = if config.enabled { config.threads } else { 0 };
        let options = CleanerOptions {
            map_bytes: config.map_bytes / count.max(1) as u64,
            map_load: config.map_load,
            buffer_bytes: (config.buffer_bytes / count.max(1) / 2).max(BUFFER_BYTES_MIN),
        };
        let start = |index: usize| {
            let (broker, stop) = (Arc::clone(broker), Arc::clone(&stop));
            let (throttle, backoff) = (Arc::clone(&throttle), config.backoff);
            let work = move || Worker { index, broker, stop, throttle, backoff }.run(options);
            let started = std::thread::Builder::new().name(format!("log-cleaner-{index}")).spawn(work);
            started
                .inspect_err(|error| tracing::error!(%error, "a thread to compact logs cannot be started"))
                .ok()
        };
        let threads = (0..count).filter_map(start).collect();
        Self { config, stop, threads }
    }

    fn end(self) {
        self.stop.tell();
        for thread in self.threads {
            // A thread that panicked has said so.
            let _ended = thread.join();
        }
    }
}

fn supervise(broker: &Arc<Holdings>, stop: &Stop) {
    let mut crew = Crew::start(broker, broker.config().cleaner.clone());
    if !crew.config.enabled {
        tracing::warn!(
            "log.cleaner.enable=false: compacted topics, group offsets among them, grow without end"
        );
    }
    while stop.wait(CONFIG_INTERVAL) {
        let config = broker.config();
        if config.cleaner != crew.config {
            crew.end();
            crew = Crew::start(broker, config.cleaner.clone());
        }
        let dead = crew.threads.iter().filter(|thread| thread.is_finished()).count();
        broker.metrics.cleaner.set_dead_threads(dead);
    }
    crew.end();
}

/// One thread.
struct Worker {
    index: usize,
    broker: Arc<Holdings>,
    stop: Arc<Stop>,
    throttle: Arc<Throttle>,
    backoff: Duration,
}

impl Worker {
    fn run(self, options: CleanerOptions) {
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::warn!(%error, "compaction runs at the priority of everything else");
        }
        let mut cleaner = Cleaner::new(options);
        let (mut told, mut checkpointed) = (Told::default(), Instant::now());
        loop {
            let busy = self.round(&mut cleaner, &mut told);
            if !busy || checkpointed.elapsed() >= CHECKPOINT_INTERVAL {
                self.broker.log_dirs.checkpoint_cleaned();
                checkpointed = Instant::now();
            }
            let rest = if busy { Duration::ZERO } else { self.backoff };
            if !self.stop.wait(rest) {
                return;
            }
        }
    }

    /// Cleans the dirtiest log, if one is due; says whether that brought anything.
    fn round(&self, cleaner: &mut Cleaner, told: &mut Told) -> bool {
        let dirs = &self.broker.log_dirs;
        let now = self.broker.now();
        let dirtiest = dirs.dirtiest(now);
        self.broker.metrics.cleaner.looked(now, dirtiest.ratio_max, dirtiest.overdue_max_ms);
        // One thread is enough to tell of it.
        if self.index == 0 {
            told.tell(&dirtiest.crowded, Instant::now());
        }
        let busy = match dirtiest.log {
            Some((name, log, cleanable)) => self.clean(cleaner, (&name, &log), &cleanable),
            None => false,
        };
        let (segments, bytes) = dirs.retain_compacted(self.broker.now());
        if segments > 0 {
            // A log begins later than its readers were told.
            self.broker.partitions.wake_all();
            tracing::info!(segments, bytes, "retention dropped segments of compacted logs");
        }
        busy
    }

    fn clean(
        &self,
        cleaner: &mut Cleaner,
        (name, log): (&TopicPartition, &SharedLog),
        cleanable: &partition::compaction::dirty::Cleanable,
    ) -> bool {
        let begun = Instant::now();
        let mut pace =
            Unhurried { throttle: &self.throttle, stop: &self.stop, begun, rested: Duration::ZERO };
        match cleaner.clean(log, cleanable, self.broker.now(), &mut pace) {
            Ok(Some(cleaned)) => {
                let took = begun.elapsed();
                self.broker.metrics.cleaner.cleaned(self.index, cleaned, took);
                tracing::info!(
                    partition = %name, from = %cleanable.first_dirty, to = %cleaned.end, ?took,
                    bytes_read = cleaned.bytes_read, bytes_written = cleaned.bytes_written, "compacted a log"
                );
                true
            }
            Ok(None) => false,
            Err(CleanError::Aborted) => !self.stop.is_told(),
            Err(CleanError::Fault(fault)) => {
                tracing::warn!(partition = %name, %fault, "a log cannot be compacted");
                false
            }
        }
    }
}

/// When it was last told that there is no room to compact.
#[derive(Default)]
struct Told(Option<Instant>);

impl Told {
    fn tell(&mut self, crowded: &[Crowded], now: Instant) -> bool {
        let Some(first) = crowded.first() else {
            self.0 = None;
            return false;
        };
        if self.0.is_some_and(|before| now.duration_since(before) < TOLD_AGAIN_AFTER) {
            return false;
        }
        self.0 = Some(now);
        let Crowded { name, directory, needed, free } = first;
        tracing::warn!(
            logs = crowded.len(), partition = %name, directory = %directory.display(), needed, free,
            "compaction waits for room in a full log directory; delete a topic, or records of one, to make some"
        );
        true
    }
}

/// What all threads together have read and written lately.
#[derive(Debug)]
struct Throttle {
    bytes_per_second: f64,
    period: Mutex<(Instant, f64)>,
}

impl Throttle {
    fn new(bytes_per_second: f64) -> Self {
        Self { bytes_per_second, period: Mutex::new((Instant::now(), 0.0)) }
    }

    /// Notes bytes; says how long to rest for them.
    fn note(&self, bytes: u64, now: Instant) -> Duration {
        let mut period = self.period.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = now.saturating_duration_since(period.0);
        period.1 += bytes as f64;
        let due = Duration::try_from_secs_f64(period.1 / self.bytes_per_second.max(1.0));
        let debt = due.unwrap_or(Duration::MAX).saturating_sub(elapsed);
        if debt.is_zero() {
            // Time that was not used is not saved up.
            *period = (now, 0.0);
        }
        if debt < DEBT_MIN { Duration::ZERO } else { debt }
    }
}

/// The pace of one thread among others.
struct Unhurried<'a> {
    throttle: &'a Throttle,
    stop: &'a Stop,
    begun: Instant,
    rested: Duration,
}

/// How long to rest after a sync, having worked and rested for so long before.
fn rest_after_sync(worked: Duration, rested: Duration) -> Duration {
    (worked * SYNC_REST_SHARE).saturating_sub(rested).min(SYNC_REST)
}

impl Pace for Unhurried<'_> {
    fn go_on(&mut self, bytes: u64) -> bool {
        self.stop.wait(self.throttle.note(bytes, Instant::now()))
    }

    fn let_others_in(&mut self) {
        // A thread that runs on uses up its slice of time before one that wakes up is let in, whatever their priorities:
        // up to the next tick of the clock, which may be 4 ms away.
        std::thread::yield_now();
    }

    fn rest_after_sync(&mut self) {
        let before = self.begun.elapsed();
        // Being told to end is learned at the next step.
        self.stop.wait(rest_after_sync(before.saturating_sub(self.rested), self.rested));
        self.rested += self.begun.elapsed() - before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_throttle_lets_through_what_the_rate_allows() {
        let throttle = Throttle::new(1000.0);
        let begun = throttle.period.lock().unwrap().0;
        let at = |ms| begun + Duration::from_millis(ms);
        assert_eq!(throttle.note(10, at(0)), Duration::ZERO, "ten milliseconds are not worth a sleep");
        assert_eq!(throttle.note(490, at(0)), Duration::from_millis(500));
        assert_eq!(
            throttle.note(500, at(500)),
            Duration::from_millis(500),
            "another thread's bytes count too"
        );
        assert_eq!(throttle.note(0, at(5000)), Duration::ZERO);
        assert_eq!(throttle.note(100, at(9000)), Duration::ZERO);
        assert_eq!(throttle.note(1000, at(9000)), Duration::from_millis(1000), "idle time is not saved up");
    }

    #[test]
    fn rests_after_syncs_are_short_and_take_no_more_than_their_share() {
        let ms = Duration::from_millis;
        assert_eq!(rest_after_sync(ms(10), ms(0)), ms(20));
        assert_eq!(rest_after_sync(ms(10), ms(20)), ms(0));
        assert_eq!(rest_after_sync(ms(11), ms(30)), ms(0), "however long it took to wake up");
        assert_eq!(rest_after_sync(ms(400), ms(100)), SYNC_REST);
    }

    #[test]
    fn want_of_room_is_told_now_and_then_and_at_once_when_it_comes_back() {
        let crowded = |count: usize| {
            let name = TopicPartition::new("t", protocol::id::PartitionIndex(0));
            vec![Crowded { name, directory: "/d".into(), needed: 2, free: 1 }; count]
        };
        let (mut told, now) = (Told::default(), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        assert!(!told.tell(&[], at(0)));
        assert!(told.tell(&crowded(1), at(1)));
        assert!(!told.tell(&crowded(2), at(2)));
        assert!(told.tell(&crowded(2), at(61)));
        assert!(!told.tell(&[], at(62)));
        assert!(told.tell(&crowded(1), at(63)));
    }

    #[test]
    fn without_a_limit_nobody_rests() {
        let throttle = Throttle::new(f64::MAX);
        assert_eq!(throttle.note(u64::MAX, Instant::now()), Duration::ZERO);
    }

    #[test]
    fn a_wait_ends_when_told() {
        let stop = Arc::new(Stop::default());
        let waiting = Arc::clone(&stop);
        let thread = std::thread::spawn(move || waiting.wait(Duration::from_secs(600)));
        stop.tell();
        assert!(!thread.join().unwrap());
    }
}
