//! What can be wrong with a history.

use super::cycles;
use super::index::Index;
use super::operation::{Key, Operation, Process, Value};
use super::{reads, sends};

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Anomaly {
    /// Two values were told to be at one offset.
    InconsistentOffsets(Key, i64, Vec<Value>),
    /// A value was read whose sender knows that it was not written.
    AbortedRead(Key, Value),
    /// An operation read what it was only about to commit.
    PrecommittedRead(Key, Value),
    /// A value was written, others behind it were read, and nobody ever read it.
    LostWrite(Key, Value),
    /// A value was acknowledged, and at the end nobody has read it.
    Unseen(Key, Value),
    /// A value is there more than once.
    Duplicate(Key, Value, Vec<i64>),
    /// A value was read that nobody sent there.
    Invented(Key, Value),
    /// A value was acknowledged with one offset and is at another.
    Misplaced(Key, Value, i64),
    /// A record was read after its deletion was acknowledged.
    DeletedRead(Key, Value, i64),
    /// Within one operation a reader passed over something.
    InternalPollSkip(Process, Key, Value),
    /// Within one operation a reader went back.
    InternalNonmonotonicPoll(Process, Key, Value),
    /// From one operation to the next a reader passed over something.
    PollSkip(Process, Key, Value),
    /// From one operation to the next a reader went back.
    NonmonotonicPoll(Process, Key, Value),
    /// Within one operation what was sent later came to lie earlier.
    InternalNonmonotonicSend(Process, Key, Value),
    /// From one operation to the next what was sent later came to lie earlier.
    NonmonotonicSend(Process, Key, Value),
    /// Operations that each read from the next, round in a circle: their places in the history.
    Cycle(Vec<usize>),
}

/// What is to be expected of a history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expect {
    /// Senders may write a value twice: their retries are not idempotent.
    pub duplicates: bool,
    /// Readers may pass over records and go back: somebody else assigns them their keys.
    pub rebalances: bool,
    /// At the end everything was read.
    pub read_to_the_end: bool,
}

/// Everything that is wrong with a history.
pub fn check(operations: &[Operation], expect: Expect) -> Vec<Anomaly> {
    let index = Index::new(operations);
    let mut found = Vec::new();
    sends::inconsistent_offsets(&index, &mut found);
    sends::misplaced(&index, &mut found);
    if !expect.duplicates {
        sends::duplicates(&index, &mut found);
    }
    sends::lost(&index, expect.read_to_the_end, &mut found);
    sends::out_of_order(&index, &mut found);
    reads::of_nothing_written(&index, &mut found);
    reads::of_what_was_deleted(&index, &mut found);
    reads::steps(&index, !expect.rebalances, &mut found);
    cycles::find(&index, &mut found);
    found
}
