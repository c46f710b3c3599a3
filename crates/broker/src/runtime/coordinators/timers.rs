//! Time-outs: one task for all shards of a kind, which sleeps until the first of them has something to do.
//!
//! It wakes none itself: what a shard does then is written, and its disk may stall. It finds who is due and has each
//! woken on the thread of its log's directory, so that time-outs elsewhere are on time.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::Led;
use super::coordinator::{Coordinated, Coordinator};
use crate::seldom::Seldom;

/// How long to wait before a shard is woken again that could not write.
const RETRY_MILLIS: i64 = 500;
/// How many things a shard does before the others have their turn.
const TURNS_MAX: usize = 1000;
/// The longest sleep: clocks may be set.
const SLEEP_MILLIS_MAX: i64 = 10_000;

static UNWRITTEN: Seldom = Seldom::new();

/// Runs until the coordinator is gone or stopped.
pub(super) async fn run<S: Coordinated>(coordinator: Weak<Coordinator<S>>) {
    loop {
        let Some(strong) = coordinator.upgrade() else { return };
        if strong.stopped.load(Ordering::SeqCst) {
            return;
        }
        strong.wake_due();
        let pause = strong.pause();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = strong.rearm.notified() => {}
        }
    }
}

impl<S: Coordinated> Coordinator<S> {
    /// How long nobody is due.
    fn pause(&self) -> Duration {
        let now = self.holdings.now().0;
        // Whoever has something to do earlier from here on wakes the task.
        self.armed.store(now.saturating_add(SLEEP_MILLIS_MAX), Ordering::SeqCst);
        let first = self.first_due();
        let until = first.min(now.saturating_add(SLEEP_MILLIS_MAX));
        self.armed.store(until, Ordering::SeqCst);
        // One that was armed between the two looks.
        let until = self.first_due().min(until);
        Duration::from_millis(u64::try_from(until.saturating_sub(now)).unwrap_or(0))
    }

    fn first_due(&self) -> i64 {
        self.slots.active().iter().map(|led| led.due_at()).min().unwrap_or(i64::MAX)
    }

    /// Has everybody woken who is due.
    fn wake_due(self: &Arc<Self>) {
        let now = self.holdings.now().0;
        for led in self.slots.active() {
            // The clock may have been set back.
            led.put_off_at_most(now.saturating_add(RETRY_MILLIS));
            if led.due_at() > now || led.waking.swap(true, Ordering::SeqCst) {
                continue;
            }
            let (coordinator, replica) = (self.clone(), led.replica.clone());
            self.lanes.submit(
                replica.directory().id(),
                Box::new(move || {
                    let waking = Waking { coordinator: &coordinator, led: &led };
                    coordinator.wake(waking.led);
                }),
            );
        }
    }

    /// Does what is due in a shard.
    fn wake(self: &Arc<Self>, led: &Arc<Led<S>>) {
        let now = self.holdings.now().0;
        let (config, image) = (self.holdings.config(), self.quorum.image());
        let settings = S::config(&config);
        // What is left then is due at once, after the others of the directory have had their turn.
        for _ in 0..TURNS_MAX {
            let ground = self.ground(&image, &settings);
            match self.whole(led, led.wake(&ground, S::compression(&config))) {
                Ok(Some(due)) => {
                    self.tell_later(led, due);
                    self.changed.notify_one();
                }
                Ok(None) => break,
                Err(error) => {
                    if !led.is_gone() {
                        if let Some(unsaid) = UNWRITTEN.due(Instant::now()) {
                            tracing::warn!(topic = S::TOPIC, partition = %led.replica.index, %error, unsaid,
                                "a time-out cannot be written; it is tried again");
                        }
                        led.put_off(now.saturating_add(RETRY_MILLIS));
                    }
                    break;
                }
            }
        }
    }
}

/// A shard that is being woken: it can be again when this is dropped, by a panic too.
struct Waking<'a, S: Coordinated> {
    coordinator: &'a Coordinator<S>,
    led: &'a Arc<Led<S>>,
}

impl<S: Coordinated> Drop for Waking<'_, S> {
    fn drop(&mut self) {
        self.led.waking.store(false, Ordering::SeqCst);
        self.coordinator.arm(self.led);
    }
}
