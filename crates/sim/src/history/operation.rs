//! What a client did and what it was told.

/// One incarnation of one partition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key(pub u32);

/// A record's value: sent to a key by one operation only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Value(pub u64);

/// A client that does one operation after another. One that does not know what became of an operation is another
/// client afterwards, unless its retries are idempotent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Process(pub u32);

/// What a client knows of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It happened.
    Ok,
    /// It did not happen and never will.
    Fail,
    /// Nobody knows.
    Info,
}

/// One thing an operation did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// A record was sent; the offset where the broker told it.
    Send {
        /// Where to.
        key: Key,
        /// What.
        value: Value,
        /// Where it was written, if that was told.
        offset: Option<i64>,
    },
    /// A record was read.
    Read {
        /// Where from.
        key: Key,
        /// What.
        value: Value,
        /// Where it was.
        offset: i64,
    },
    /// Reading of a key begins anew, anywhere: a seek, an assignment, a rebalance.
    Seek {
        /// The key.
        key: Key,
    },
    /// Records before an offset were deleted.
    Delete {
        /// Where.
        key: Key,
        /// The first offset that stays.
        before: i64,
    },
    /// All of a key was deleted.
    Drop {
        /// The key.
        key: Key,
    },
}

/// One operation of a client: a send, a poll, a transaction of several.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation {
    /// Who.
    pub process: Process,
    /// When it was begun, in nanoseconds of one clock.
    pub began: u64,
    /// When it was known how it came out.
    pub ended: u64,
    /// How it came out.
    pub outcome: Outcome,
    /// What it did, in order.
    pub actions: Vec<Action>,
}

impl Operation {
    /// The records it sent.
    pub fn sends(&self) -> impl Iterator<Item = (Key, Value, Option<i64>)> {
        self.actions.iter().filter_map(|action| match action {
            Action::Send { key, value, offset } => Some((*key, *value, *offset)),
            _ => None,
        })
    }

    /// The records it read.
    pub fn reads(&self) -> impl Iterator<Item = (Key, Value, i64)> {
        self.actions.iter().filter_map(|action| match action {
            Action::Read { key, value, offset } => Some((*key, *value, *offset)),
            _ => None,
        })
    }
}
