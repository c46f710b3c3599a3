//! Of each key in the dirty part of a log the last offset, within a budget of bytes (`log.cleaner.dedupe.buffer.size`).
//!
//! An open-addressing table of 24 bytes an entry: the key's digest and the offset. Keys themselves are not kept. When
//! it is as full as `log.cleaner.io.buffer.load.factor` allows the cleaning goes on with the part of the log that was
//! mapped; the rest is for the next one.

use protocol::offset::{LastOffset, Offset};

use super::digest::{Digest, DigestKey, digest};

/// What an entry takes.
pub const ENTRY_BYTES: u64 = 24;

#[derive(Clone, Copy)]
struct Entry {
    digest: Digest,
    /// One more than the offset; 0 marks a free place, so that fresh memory is an empty table.
    offset: u64,
}

/// The last offset of each key.
pub struct OffsetMap {
    key: DigestKey,
    entries: Vec<Entry>,
    /// How many entries there may be; below the number of places, so that every search ends.
    keys_max: usize,
    keys: usize,
    latest: Option<LastOffset>,
}

impl OffsetMap {
    /// A map within `budget` bytes, filled up to `load` of its places, for at most `records` keys: a small dirty part
    /// takes a small table.
    pub fn new(key: DigestKey, budget: u64, load: f64, records: u64) -> Self {
        let load = if load.is_finite() { load.clamp(0.01, 1.0) } else { 0.9 };
        let affordable = (budget / ENTRY_BYTES).max(2);
        let wanted = ((records as f64 / load).ceil() as u64).saturating_add(2);
        let places = affordable.min(wanted) as usize;
        let keys_max = ((places as f64 * load) as usize).clamp(1, places - 1);
        let free = Entry { digest: [0; 2], offset: 0 };
        Self { key, entries: vec![free; places], keys_max, keys: 0, latest: None }
    }

    /// Notes that `key` is at `offset`, behind all offsets noted so far. `false`: the map is full, and nothing was noted.
    pub fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        if self.keys >= self.keys_max {
            return false;
        }
        let digest = digest(self.key, key);
        let place = self.place(digest);
        let entry = &mut self.entries[place];
        self.keys += usize::from(entry.offset == 0);
        *entry = Entry { digest, offset: offset.0 as u64 + 1 };
        self.latest = self.latest.max(Some(LastOffset(offset.0)));
        true
    }

    /// The last offset of `key`.
    pub fn get(&self, key: &[u8]) -> Option<Offset> {
        let entry = self.entries[self.place(digest(self.key, key))];
        entry.offset.checked_sub(1).map(|offset| Offset(offset as i64))
    }

    /// Up to here every record was looked at; beyond it the map knows nothing.
    pub fn latest(&self) -> Option<LastOffset> {
        self.latest
    }

    /// Notes that every record up to `offset` was looked at.
    pub fn reached(&mut self, offset: LastOffset) {
        self.latest = self.latest.max(Some(offset));
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys == 0
    }

    /// How full the table is, from 0 to 1.
    pub fn utilization(&self) -> f64 {
        self.keys as f64 / self.entries.len() as f64
    }

    /// Where this digest is, or the free place it would take.
    fn place(&self, digest: Digest) -> usize {
        let places = self.entries.len();
        let mut place = ((u128::from(digest[0]) * places as u128) >> 64) as usize;
        loop {
            let entry = &self.entries[place];
            if entry.offset == 0 || entry.digest == digest {
                return place;
            }
            place = if place + 1 == places { 0 } else { place + 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const KEY: DigestKey = DigestKey(0x1234_5678_9abc_def0_1122_3344_5566_7788);

    #[test]
    fn full_is_full_even_for_a_known_key() {
        let mut map = OffsetMap::new(KEY, 10 * ENTRY_BYTES, 0.5, 1000);
        for key in 0..5_u8 {
            assert!(map.put(&[key], Offset(key.into())));
        }
        assert!(!map.put(&[9], Offset(9)) && !map.put(&[0], Offset(9)));
        assert_eq!((map.len(), map.latest()), (5, Some(LastOffset(4))));
        assert_eq!((map.get(&[0]), map.get(&[9])), (Some(Offset(0)), None));
        assert!((map.utilization() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn what_is_not_needed_is_not_taken() {
        let map = OffsetMap::new(KEY, 1 << 40, 0.9, 100);
        assert!(map.entries.len() < 120);
        let smallest = OffsetMap::new(KEY, 0, 0.9, 100);
        assert_eq!((smallest.entries.len(), smallest.keys_max), (2, 1));
        assert_eq!(OffsetMap::new(KEY, 1 << 20, f64::NAN, 10).get(b"x"), None);
    }

    proptest! {
        #[test]
        fn it_is_a_map(keys in proptest::collection::vec(0..40_u8, 0..200), load in 0.1..1.0_f64) {
            let mut map = OffsetMap::new(KEY, 100 * ENTRY_BYTES, load, 200);
            let mut model = BTreeMap::new();
            for (offset, key) in keys.iter().enumerate() {
                if map.put(&[*key], Offset(offset as i64)) {
                    model.insert(*key, offset as i64);
                } else {
                    prop_assert!(model.len() >= map.keys_max);
                }
            }
            prop_assert_eq!(map.len(), model.len());
            for key in 0..40_u8 {
                prop_assert_eq!(map.get(&[key]).map(|offset| offset.0), model.get(&key).copied());
            }
        }
    }
}
