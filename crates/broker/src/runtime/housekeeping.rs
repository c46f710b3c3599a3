//! What has to be done from time to time: retention, checkpoints, flushes by age, removals, a look for room on full
//! disks.
//!
//! One thread sleeps until the next of them is due. It holds a log for one operation at a time, like everybody.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::apply::make_missing;
use crate::Holdings;

/// How often files whose time has come are looked for.
const REMOVAL_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is looked whether a full disk has room again.
const ROOM_INTERVAL: Duration = Duration::from_millis(500);
/// How often retention runs while a disk is full.
const FULL_RETENTION_INTERVAL: Duration = Duration::from_secs(5);

/// The thread.
#[derive(Debug)]
pub struct Housekeeping {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

/// Something to do again and again.
struct Chore {
    due: Instant,
    every: Duration,
    run: fn(&Holdings),
}

impl Housekeeping {
    /// Starts the thread.
    pub fn start(broker: Arc<Holdings>) -> std::io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("housekeeping".into())
            .spawn(move || run(&broker, chores(&broker), &stopped))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Housekeeping {
    /// Ends the thread after the chore it is at.
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // A chore that panicked has said so; nothing is left to do about it here.
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
        chore(dirs.start_checkpoint_interval, |broker| broker.log_dirs.checkpoint_log_starts()),
        chore(dirs.producer_id_check_interval, |broker| {
            broker.log_dirs.expire_producers(broker.now());
        }),
        Chore {
            due: Instant::now() + dirs.high_watermark_checkpoint_interval,
            every: dirs.high_watermark_checkpoint_interval,
            run: |broker| broker.log_dirs.checkpoint_high_watermarks(),
        },
        Chore {
            due: Instant::now() + REMOVAL_INTERVAL,
            every: REMOVAL_INTERVAL,
            run: |broker| broker.log_dirs.remove_due(broker.now()),
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

fn retain(broker: &Holdings) {
    let (segments, bytes) = broker.log_dirs.retain(broker.now());
    if segments > 0 {
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

fn run(broker: &Holdings, mut chores: Vec<Chore>, stopped: &(Mutex<bool>, Condvar)) {
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
            (chore.run)(broker);
            chore.due = Instant::now() + chore.every.max(Duration::from_millis(1));
        }
        stop = stopped.0.lock().unwrap_or_else(PoisonError::into_inner);
    }
}
