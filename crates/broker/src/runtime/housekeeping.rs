//! What has to be done from time to time: retention, checkpoints, flushes by age, removals, a look for room on full
//! disks.
//!
//! One thread sleeps until the next of them is due. It holds a log for one operation at a time, like everybody. Removals
//! have a thread of their own: a deleted topic may be terabytes, and checkpoints must not wait for them to go. So has the
//! making of files of planned logs: until they are there Apache Kafka would not find the first records of these logs. And so
//! have the places where recovery would begin, which are to keep up with what is written.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::apply::make_missing;
use crate::Holdings;

/// So many planned logs get their files at a time: a third of a second of work for a disk.
const PLANNED_MAX: usize = 2_000;
/// How often.
const PLANNED_INTERVAL: Duration = Duration::from_secs(1);
/// How often logs get another place for recovery to begin at, of those that have grown or have been looked for.
const RESUME_INTERVAL: Duration = Duration::from_millis(250);
/// How often files whose time has come are looked for.
const REMOVAL_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is looked whether a full disk has room again.
const ROOM_INTERVAL: Duration = Duration::from_millis(500);
/// How often retention runs while a disk is full.
const FULL_RETENTION_INTERVAL: Duration = Duration::from_secs(5);

/// The threads.
#[derive(Debug)]
pub struct Housekeeping {
    stop: Arc<(Mutex<bool>, Condvar)>,
    threads: Vec<JoinHandle<()>>,
}

/// Something to do again and again.
struct Chore<H = Holdings> {
    due: Instant,
    every: Duration,
    run: fn(&H),
}

impl Housekeeping {
    /// Starts the threads.
    pub fn start(broker: Arc<Holdings>) -> std::io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let mut housekeeping = Self { stop, threads: Vec::new() };
        let alone = |every, run: fn(&Holdings)| vec![Chore { due: Instant::now() + every, every, run }];
        let lists = [
            ("housekeeping", chores(&broker)),
            ("removals", alone(REMOVAL_INTERVAL, |broker| broker.log_dirs.remove_due(broker.now()))),
            ("resume-points", alone(RESUME_INTERVAL, advance_resume_points)),
            ("planned-logs", alone(PLANNED_INTERVAL, |broker| broker.log_dirs.make_planned(PLANNED_MAX))),
        ];
        for (name, chores) in lists {
            let (broker, stopped) = (broker.clone(), housekeeping.stop.clone());
            let work = move || run::<Holdings>(&broker, chores, &stopped);
            housekeeping.threads.push(std::thread::Builder::new().name(name.into()).spawn(work)?);
        }
        Ok(housekeeping)
    }
}

impl Drop for Housekeeping {
    /// Ends the threads after the chores they are at.
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        for thread in self.threads.drain(..) {
            // It ends by being told to only.
            let _ended = thread.join();
        }
    }
}

fn chores(broker: &Holdings) -> Vec<Chore> {
    let config = broker.config();
    let dirs = &config.log_dirs;
    let first = Instant::now() + dirs.first_task_delay;
    let chore = |every, run| Chore { due: first, every, run };
    let mut chores = vec![
        chore(dirs.retention_check_interval, retain),
        chore(dirs.recovery_checkpoint_interval, |broker| broker.log_dirs.checkpoint_recovery_points()),
        chore(dirs.start_checkpoint_interval, |broker| {
            broker.log_dirs.checkpoint_log_starts();
            // Where nothing is compacted, too, logs go that it is not to speak of.
            broker.log_dirs.checkpoint_cleaned();
        }),
        chore(dirs.producer_id_check_interval, |broker| {
            broker.log_dirs.expire_producers(broker.now());
        }),
        Chore {
            due: Instant::now() + dirs.high_watermark_checkpoint_interval,
            every: dirs.high_watermark_checkpoint_interval,
            run: |broker| broker.log_dirs.checkpoint_high_watermarks(),
        },
        Chore { due: Instant::now() + ROOM_INTERVAL, every: ROOM_INTERVAL, run: look_for_room },
        Chore {
            due: Instant::now() + FULL_RETENTION_INTERVAL,
            every: FULL_RETENTION_INTERVAL,
            run: |broker| {
                if broker.log_dirs.is_any_full() {
                    retain(broker);
                }
            },
        },
    ];
    if let Some(every) = dirs.flush_check_interval {
        chores.push(chore(every, |broker| broker.log_dirs.flush_due(broker.now())));
    }
    chores
}

fn advance_resume_points(broker: &Holdings) {
    broker.log_dirs.advance_resume_points();
    broker.log_dirs.settle(broker.now());
}

fn retain(broker: &Holdings) {
    let (segments, bytes) = broker.log_dirs.retain(broker.now());
    if segments > 0 {
        // A log begins later than its readers were told.
        broker.partitions.wake_all();
        tracing::info!(segments, bytes, "retention dropped segments");
    }
}

fn look_for_room(broker: &Holdings) {
    if broker.log_dirs.look_for_room() {
        make_missing(broker);
    }
    let reserve = &broker.metadata_reserve;
    if !reserve.is_whole()
        && let Err(error) = reserve.fill()
    {
        tracing::warn!(path = %reserve.path().display(), %error, "no room can be set aside for metadata");
    }
}

/// What a panic said.
fn reason_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it did not say")
}

fn run<H>(broker: &H, mut chores: Vec<Chore<H>>, stopped: &(Mutex<bool>, Condvar)) {
    let mut stop = stopped.0.lock().unwrap_or_else(PoisonError::into_inner);
    while !*stop {
        let now = Instant::now();
        let next = chores.iter().map(|chore| chore.due).min().unwrap_or(now + REMOVAL_INTERVAL);
        if next > now {
            let waited = stopped.1.wait_timeout(stop, next - now);
            (stop, _) = waited.unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        drop(stop);
        for chore in chores.iter_mut().filter(|chore| chore.due <= now) {
            // A log it had in hand is refused from here on; everything else must go on being looked after.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (chore.run)(broker))) {
                let reason = reason_of(&*panic);
                tracing::error!(
                    reason,
                    "housekeeping ended in the middle; it is tried again when it is next due"
                );
            }
            chore.due = Instant::now() + chore.every.max(Duration::from_millis(1));
        }
        stop = stopped.0.lock().unwrap_or_else(PoisonError::into_inner);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    #[test]
    fn a_chore_that_panics_comes_again_and_so_do_the_others() {
        let every = Duration::from_millis(1);
        let due = Instant::now();
        let chores = vec![
            Chore {
                due,
                every,
                run: |told: &Mutex<Sender<&str>>| {
                    told.lock().unwrap().send("panics").unwrap_or_default();
                    panic!("on purpose");
                },
            },
            Chore { due, every, run: |told| told.lock().unwrap().send("sound").unwrap_or_default() },
        ];
        let (told, hears) = channel();
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || run(&Mutex::new(told), chores, &stopped));
        let heard: Vec<&str> = hears.iter().take(6).collect();
        assert_eq!(heard, ["panics", "sound", "panics", "sound", "panics", "sound"]);
        *stop.0.lock().unwrap() = true;
        stop.1.notify_all();
        thread.join().unwrap();
    }
}
