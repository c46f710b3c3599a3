//! Those who play against a broker that is killed, each on a thread, and what they and the one who kills tell each other.
//! A player that gives up ends the play: what it saw is judged while it can still be looked at.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use conformance::patience::PATIENCE;

/// How far the writers have come, and whether it is over. Clones tell of the same play.
#[derive(Clone)]
pub struct Progress {
    over: Arc<AtomicBool>,
    /// What each writer has done.
    done: Arc<[AtomicU64]>,
}

impl Progress {
    /// That of so many writers.
    pub fn of(writers: usize) -> Self {
        Self { over: Arc::default(), done: (0..writers).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Whether to do no more.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Notes that a writer has done so much more.
    pub fn add(&self, writer: usize, more: usize) {
        self.done[writer].fetch_add(more as u64, Ordering::Relaxed);
    }

    /// Waits until each writer has done so much more.
    pub fn wait_for(&self, more: u64) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        let goals: Vec<u64> = self.done.iter().map(|done| done.load(Ordering::Relaxed) + more).collect();
        for (writer, (done, goal)) in self.done.iter().zip(goals).enumerate() {
            while done.load(Ordering::Relaxed) < goal {
                ensure!(!self.is_over(), "a player gave up");
                ensure!(Instant::now() < end, "writer {writer} has not done {more} more within {PATIENCE:?}");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }
}

/// All who play.
pub struct Players {
    progress: Progress,
    players: Vec<(&'static str, JoinHandle<()>)>,
    /// Why those gave up who did, the first of them first: the others may have for want of a broker since.
    gave_up: Arc<Mutex<Vec<anyhow::Error>>>,
}

impl Players {
    /// Nobody yet.
    pub fn of(progress: &Progress) -> Self {
        Self { progress: progress.clone(), players: Vec::new(), gave_up: Arc::default() }
    }

    /// Somebody begins to play.
    pub fn enter(&mut self, name: &'static str, part: impl FnOnce() -> Result<()> + Send + 'static) {
        let (progress, gave_up) = (self.progress.clone(), Arc::clone(&self.gave_up));
        let player = std::thread::spawn(move || {
            if let Err(why) = part() {
                locked(&gave_up).push(why.context(format!("{name} gave up")));
                progress.over.store(true, Ordering::Relaxed);
            }
        });
        self.players.push((name, player));
    }

    /// It is over; an error if somebody gave up.
    pub fn leave(self) -> Result<()> {
        self.progress.over.store(true, Ordering::Relaxed);
        for (name, player) in self.players {
            if player.join().is_err() {
                locked(&self.gave_up).push(anyhow!("{name} panicked"));
            }
        }
        let first = locked(&self.gave_up).drain(..).next();
        first.map_or(Ok(()), Err)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
