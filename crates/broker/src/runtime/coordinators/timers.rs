//! Time-outs: one task for all shards of a kind, which sleeps until the first of them has something to do.

use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::coordinator::{Coordinated, Coordinator, where_it_may_wait};

/// How long to wait before a shard is woken again that could not write.
const RETRY_MILLIS: i64 = 500;
/// How many things a shard does before the others have their turn.
const TURNS_MAX: usize = 1000;
/// The longest sleep: clocks may be set.
const SLEEP_MILLIS_MAX: i64 = 10_000;

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
    /// How long nothing is due.
    fn pause(&self) -> Duration {
        let now = self.holdings.now().0;
        // Whoever has something to do earlier from here on wakes the task.
        self.armed.store(now.saturating_add(SLEEP_MILLIS_MAX), Ordering::SeqCst);
        let all = self.every_led();
        let first = all.iter().map(|led| led.wake_at.load(Ordering::SeqCst)).min().unwrap_or(i64::MAX);
        let until = first.min(now.saturating_add(SLEEP_MILLIS_MAX));
        self.armed.store(until, Ordering::SeqCst);
        // One that was armed between the two looks.
        let again = self.every_led().iter().map(|led| led.wake_at.load(Ordering::SeqCst)).min();
        let until = again.unwrap_or(i64::MAX).min(until);
        Duration::from_millis(u64::try_from(until.saturating_sub(now)).unwrap_or(0))
    }

    /// Does what is due.
    fn wake_due(&self) {
        let now = self.holdings.now().0;
        for led in self.every_led() {
            if led.wake_at.load(Ordering::SeqCst) > now {
                continue;
            }
            let (config, image) = (self.holdings.config(), self.quorum.image());
            let settings = S::config(&config);
            // What is left then is due at once, after all others have had their turn.
            for _ in 0..TURNS_MAX {
                let ground = self.ground(&image, &settings);
                let woken = where_it_may_wait(&led.replica, || led.wake(&ground, S::compression(&config)));
                match woken {
                    Ok(Some(due)) => self.tell_later(&led, due),
                    Ok(None) => break,
                    Err(error) => {
                        tracing::warn!(topic = S::TOPIC, partition = %led.replica.index, %error,
                            "a time-out cannot be written; it is tried again");
                        led.wake_at.store(now.saturating_add(RETRY_MILLIS), Ordering::SeqCst);
                        break;
                    }
                }
            }
        }
    }
}
