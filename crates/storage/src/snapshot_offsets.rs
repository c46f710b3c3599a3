//! The offsets that a log has producer snapshots of: as many as segments, which of very many logs is one or none, so they
//! take no more room than they are.

use std::collections::BTreeSet;

use protocol::offset::Offset;

/// Offsets of the producer snapshots on disk, ascending.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SnapshotOffsets(
    #[expect(clippy::box_collection, reason = "a log without any is to have no room for a list of them")]
    Option<Box<Vec<Offset>>>,
);

impl SnapshotOffsets {
    fn of(mut offsets: Vec<Offset>) -> Self {
        offsets.shrink_to_fit();
        Self((!offsets.is_empty()).then(|| Box::new(offsets)))
    }

    /// All of them.
    pub fn as_slice(&self) -> &[Offset] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Those before `end`.
    pub fn before(&self, end: Offset) -> &[Offset] {
        let all = self.as_slice();
        &all[..all.partition_point(|offset| *offset < end)]
    }

    /// Those at `end` and before.
    pub fn up_to(&self, end: Offset) -> &[Offset] {
        let all = self.as_slice();
        &all[..all.partition_point(|offset| *offset <= end)]
    }

    /// Those at `start` and behind.
    pub fn since(&self, start: Offset) -> &[Offset] {
        &self.as_slice()[self.before(start).len()..]
    }

    /// Those behind `end`.
    pub fn behind(&self, end: Offset) -> &[Offset] {
        &self.as_slice()[self.up_to(end).len()..]
    }

    /// The newest.
    pub fn last(&self) -> Option<Offset> {
        self.as_slice().last().copied()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether there is one of this offset.
    pub fn contains(&self, offset: Offset) -> bool {
        self.as_slice().binary_search(&offset).is_ok()
    }

    /// Adds one.
    pub fn insert(&mut self, offset: Offset) {
        let known = self.as_slice();
        if let Err(place) = known.binary_search(&offset) {
            let mut offsets = Vec::with_capacity(known.len() + 1);
            offsets.extend_from_slice(known);
            offsets.insert(place, offset);
            *self = Self::of(offsets);
        }
    }

    /// Takes one out.
    pub fn remove(&mut self, offset: Offset) {
        *self = Self::of(self.as_slice().iter().copied().filter(|known| *known != offset).collect());
    }
}

impl From<BTreeSet<Offset>> for SnapshotOffsets {
    fn from(offsets: BTreeSet<Offset>) -> Self {
        Self::of(offsets.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_kept_in_order_once_each() {
        let mut offsets = SnapshotOffsets::default();
        assert_eq!((offsets.last(), offsets.is_empty()), (None, true));
        for offset in [20, 10, 30, 20] {
            offsets.insert(Offset(offset));
        }
        assert_eq!(offsets.as_slice(), [10, 20, 30].map(Offset));
        assert_eq!(offsets.before(Offset(20)), [Offset(10)]);
        assert_eq!(offsets.up_to(Offset(20)), [10, 20].map(Offset));
        assert_eq!(offsets.since(Offset(20)), [20, 30].map(Offset));
        assert_eq!(offsets.behind(Offset(20)), [Offset(30)]);
        assert_eq!((offsets.before(Offset(10)).len(), offsets.behind(Offset(30)).len()), (0, 0));
        offsets.remove(Offset(20));
        offsets.remove(Offset(7));
        assert!(offsets.contains(Offset(30)) && !offsets.contains(Offset(20)));
        assert_eq!(
            (offsets.last(), offsets),
            (Some(Offset(30)), BTreeSet::from([10, 30].map(Offset)).into())
        );
    }
}
