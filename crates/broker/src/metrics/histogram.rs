//! Times in buckets, for quantiles that are right to an eighth.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets: eight to each power of two of microseconds, up to a little over an hour.
const BUCKETS: usize = 8 * 30;

/// How long things took.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    micros: AtomicU64,
    longest: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
            micros: AtomicU64::new(0),
            longest: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    /// Notes one time. Each change takes the line of memory from all other threads that note: what changes nothing is only
    /// looked at, and what can be added up later is not kept.
    pub fn note(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket(micros)].fetch_add(1, Ordering::Relaxed);
        if micros > 0 {
            self.micros.fetch_add(micros, Ordering::Relaxed);
        }
        if micros > self.longest.load(Ordering::Relaxed) {
            self.longest.fetch_max(micros, Ordering::Relaxed);
        }
    }

    /// How many times were noted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// All times together, in milliseconds.
    pub fn total_ms(&self) -> f64 {
        self.micros.load(Ordering::Relaxed) as f64 / 1000.0
    }

    /// The longest time, in milliseconds.
    pub fn max_ms(&self) -> f64 {
        self.longest.load(Ordering::Relaxed) as f64 / 1000.0
    }

    /// The time, in milliseconds, that the given part of all times stayed at or below.
    pub fn quantile_ms(&self, part: f64) -> f64 {
        let count = self.count();
        if count == 0 {
            return 0.0;
        }
        let rank = ((count as f64 * part).ceil() as u64).clamp(1, count);
        let mut seen = 0;
        for (index, bucket) in self.buckets.iter().enumerate() {
            seen += bucket.load(Ordering::Relaxed);
            if seen >= rank {
                return upper_micros(index) / 1000.0;
            }
        }
        upper_micros(BUCKETS - 1) / 1000.0
    }
}

fn bucket(micros: u64) -> usize {
    if micros < 8 {
        return micros as usize;
    }
    let power = 63 - micros.leading_zeros() as usize;
    let eighth = (micros >> (power - 3)) as usize & 7;
    (8 * (power - 2) + eighth).min(BUCKETS - 1)
}

fn upper_micros(bucket: usize) -> f64 {
    if bucket < 8 {
        return bucket as f64;
    }
    let power = bucket / 8 + 2;
    let eighth = bucket % 8;
    (1u64 << power) as f64 * (1.0 + (eighth as f64 + 1.0) / 8.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_an_eighth() {
        let histogram = Histogram::default();
        for micros in 1..=10_000 {
            histogram.note(Duration::from_micros(micros));
        }
        for (part, exact) in [(0.5, 5.0), (0.95, 9.5), (0.99, 9.9)] {
            let told = histogram.quantile_ms(part);
            assert!((exact..=exact * 1.126).contains(&told), "{part}: {told}");
        }
        assert_eq!((histogram.count(), histogram.max_ms()), (10_000, 10.0));
    }

    #[test]
    fn any_time_has_a_bucket() {
        let histogram = Histogram::default();
        for time in [Duration::ZERO, Duration::from_micros(7), Duration::from_micros(8), Duration::MAX] {
            histogram.note(time);
        }
        assert_eq!(histogram.count(), 4);
        assert_eq!(Histogram::default().quantile_ms(0.5), 0.0);
    }

    #[test]
    fn buckets_rise_without_gaps() {
        for micros in 1..100_000u64 {
            let (before, here) = (bucket(micros - 1), bucket(micros));
            assert!(here == before || here == before + 1, "{micros}");
            assert!(upper_micros(here) >= micros as f64, "{micros}");
        }
    }
}
