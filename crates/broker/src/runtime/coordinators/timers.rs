//! Time-outs: one task for all shards of a kind, which sleeps until the first of them has something to do.
//!
//! It wakes none itself: what a shard does then is written, and its disk may stall. It finds who is due and has each
//! woken on the thread of its log's directory, so that time-outs elsewhere are on time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::Led;
use super::coordinator::{Coordinated, Coordinator};
use crate::seldom::Seldom;

/// How long to wait before a shard is woken again that could not write.
const RETRY_MILLIS: i64 = 500;
/// How many things a shard does before the others have their turn.
const TURNS_MAX: usize = 1000;
/// Who is due within so many milliseconds is woken together: very many groups that begin one after the other have an end each to
/// wait for, and each wake costs threads that change places. Who judges a group meanwhile has it settled first.
const TOGETHER_MILLIS: i64 = 4;
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
            () = strong.alarm.rung.notified() => {}
        }
    }
}

impl<S: Coordinated> Coordinator<S> {
    /// How long nobody is due.
    fn pause(&self) -> Duration {
        let now = self.holdings.now().0;
        let until = self.alarm.set(now, || self.first_due());
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
            let ground = self.ground(&image, settings);
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

/// Wakes the task of the time-outs where it would sleep too long.
pub(super) struct Alarm {
    /// What the task sleeps until.
    armed: AtomicI64,
    rung: Notify,
}

impl Default for Alarm {
    fn default() -> Self {
        Self { armed: AtomicI64::new(i64::MAX), rung: Notify::new() }
    }
}

impl Alarm {
    /// Has the task look at once.
    pub(super) fn ring(&self) {
        self.rung.notify_one();
    }

    /// Somebody is due at this time.
    pub(super) fn due(&self, at: i64) {
        if together(at) < self.armed.load(Ordering::SeqCst) {
            self.ring();
        }
    }

    /// Is set to when the first is due, whom `first` finds; says when that is.
    fn set(&self, now: i64, first: impl Fn() -> i64) -> i64 {
        // Whoever has something to do earlier from here on wakes the task.
        let most = now.saturating_add(SLEEP_MILLIS_MAX);
        self.armed.store(most, Ordering::SeqCst);
        let until = together(first()).min(most);
        self.armed.store(until, Ordering::SeqCst);
        // One that was armed between the two looks.
        together(first()).min(until)
    }
}

/// The first time at or behind this one at which anybody is woken.
fn together(at: i64) -> i64 {
    let over = at.rem_euclid(TOGETHER_MILLIS);
    if over == 0 { at } else { at.saturating_add(TOGETHER_MILLIS - over) }
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

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::task::{Context, Waker};

    use super::*;

    fn has_rung(alarm: &Alarm) -> bool {
        let mut rung = std::pin::pin!(alarm.rung.notified());
        rung.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn only_who_is_due_before_the_task_wakes_wakes_it() {
        let alarm = Alarm::default();
        for first in 10_001..10_009 {
            let until = alarm.set(10_000, || first);
            // Each request of the shard that is due says when that is.
            for due in first..=until {
                alarm.due(due);
            }
            alarm.due(i64::MAX);
            assert!(!has_rung(&alarm), "the first is due at {first}, and the task wakes at {until}");
            alarm.due(10_000);
            assert!(has_rung(&alarm));
        }
    }

    #[test]
    fn nobody_is_woken_early_and_nobody_late_by_more_than_what_is_woken_together() {
        for at in -10..10 {
            assert!((at..at + TOGETHER_MILLIS).contains(&together(at)), "{at}");
        }
        assert!((1..=TOGETHER_MILLIS).all(|at| together(at) == TOGETHER_MILLIS));
        assert_eq!(together(i64::MAX), i64::MAX, "never");
    }
}
