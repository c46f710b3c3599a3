//! Positions in a partition's log. An end and a last record are different types, so that one cannot stand for
//! the other.

use std::fmt;

/// A position between records: the offset the next record here has or will have. Log start, log end, high
/// watermark and last stable offset are all of this kind; as an end it is exclusive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Offset(pub i64);

/// The offset of a record that is there: as an end it is inclusive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LastOffset(pub i64);

impl Offset {
    /// Where every log begins.
    pub const ZERO: Self = Self(0);

    /// The record just before this position; `None` at the very beginning.
    pub fn last(self) -> Option<LastOffset> {
        (self.0 > 0).then(|| LastOffset(self.0 - 1))
    }

    /// The position `records` further on. Saturates at `i64::MAX`.
    pub fn plus(self, records: i64) -> Self {
        Self(self.0.saturating_add(records))
    }
}

impl LastOffset {
    /// The position just after this record. Saturates at `i64::MAX`.
    pub fn next(self) -> Offset {
        Offset(self.0.saturating_add(1))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for LastOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
