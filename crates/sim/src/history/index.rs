//! What follows from a history before anything is judged: who wrote and who read each value, the log of each key as all
//! that was told of it says, and what deletions excuse.

use std::collections::{BTreeMap, BTreeSet};

use super::operation::{Action, Key, Operation, Outcome, Value};

/// A history, looked up from all sides.
pub(super) struct Index<'h> {
    pub(super) operations: &'h [Operation],
    /// Who sent a value: places in the history.
    pub(super) writers: BTreeMap<(Key, Value), Vec<usize>>,
    /// Who read a value, whatever became of the operation.
    pub(super) readers: BTreeMap<(Key, Value), Vec<usize>>,
    /// The values at each offset: from sends that must have happened and were told where, and from all reads.
    pub(super) log: BTreeMap<Key, BTreeMap<i64, BTreeSet<Value>>>,
    /// The log without its holes: its offsets in order.
    order: BTreeMap<Key, Vec<i64>>,
    /// The first and the last place of a value in that order.
    places: BTreeMap<(Key, Value), (usize, usize)>,
    /// Before which offset records may be gone.
    gone_before: BTreeMap<Key, i64>,
}

impl<'h> Index<'h> {
    pub(super) fn new(operations: &'h [Operation]) -> Self {
        let mut index = Self {
            operations,
            writers: BTreeMap::new(),
            readers: BTreeMap::new(),
            log: BTreeMap::new(),
            order: BTreeMap::new(),
            places: BTreeMap::new(),
            gone_before: BTreeMap::new(),
        };
        for (place, operation) in operations.iter().enumerate() {
            for (key, value, _) in operation.sends() {
                index.writers.entry((key, value)).or_default().push(place);
            }
            for (key, value, _) in operation.reads() {
                index.readers.entry((key, value)).or_default().push(place);
            }
        }
        index.fill_log();
        index.fill_order();
        index.note_deletions();
        index
    }

    fn fill_log(&mut self) {
        for operation in self.operations {
            let sent = operation.sends().filter(|_| self.must_have_happened(operation));
            let sent = sent.filter_map(|(key, value, offset)| Some((key, value, offset?)));
            for (key, value, offset) in sent.chain(operation.reads()).collect::<Vec<_>>() {
                self.log.entry(key).or_default().entry(offset).or_default().insert(value);
            }
        }
    }

    fn fill_order(&mut self) {
        for (key, log) in &self.log {
            for (place, values) in log.values().enumerate() {
                for value in values {
                    self.places.entry((*key, *value)).or_insert((place, place)).1 = place;
                }
            }
            self.order.insert(*key, log.keys().copied().collect());
        }
    }

    fn note_deletions(&mut self) {
        for operation in self.operations.iter().filter(|operation| operation.outcome != Outcome::Fail) {
            for action in &operation.actions {
                let (key, before) = match action {
                    Action::Delete { key, before } => (key, *before),
                    Action::Drop { key } => (key, i64::MAX),
                    _ => continue,
                };
                let known = self.gone_before.entry(*key).or_insert(before);
                *known = before.max(*known);
            }
        }
    }

    /// Whether an operation has happened: it says so, or somebody has seen what it sent.
    pub(super) fn must_have_happened(&self, operation: &Operation) -> bool {
        match operation.outcome {
            Outcome::Ok => true,
            Outcome::Fail => false,
            Outcome::Info => operation.sends().any(|(key, value, _)| self.was_seen(key, value)),
        }
    }

    /// Whether an operation that came out well read the value.
    pub(super) fn was_seen(&self, key: Key, value: Value) -> bool {
        let readers = self.readers.get(&(key, value)).map(Vec::as_slice).unwrap_or_default();
        readers.iter().any(|reader| self.operations[*reader].outcome == Outcome::Ok)
    }

    /// Whether anybody read the value.
    pub(super) fn was_read(&self, key: Key, value: Value) -> bool {
        self.readers.contains_key(&(key, value))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = Key> {
        self.order.keys().copied()
    }

    /// The values of a key in the order they were written.
    pub(super) fn values(&self, key: Key) -> impl Iterator<Item = Value> {
        self.log.get(&key).into_iter().flat_map(|log| log.values().flatten().copied())
    }

    /// The offsets of a key.
    pub(super) fn order(&self, key: Key) -> &[i64] {
        self.order.get(&key).map(Vec::as_slice).unwrap_or_default()
    }

    /// The first and the last place of a value in that order.
    pub(super) fn places(&self, key: Key, value: Value) -> Option<(usize, usize)> {
        self.places.get(&(key, value)).copied()
    }

    /// The place of what is at an offset.
    pub(super) fn place_at(&self, key: Key, offset: i64) -> Option<usize> {
        let order = self.order(key);
        order.binary_search(&offset).ok()
    }

    /// Whether a deletion explains that what was at an offset is not there.
    pub(super) fn is_excused(&self, key: Key, offset: i64) -> bool {
        self.gone_before.get(&key).is_some_and(|before| offset < *before)
    }

    /// The same of a value whose offset may not be known: then that of what its sender sent next tells.
    pub(super) fn is_value_excused(&self, key: Key, value: Value) -> bool {
        if self.gone_before.get(&key) == Some(&i64::MAX) {
            return true;
        }
        if let Some((_, last)) = self.places(key, value) {
            return self.is_excused(key, self.order(key)[last]);
        }
        let Some(writer) = self.writers.get(&(key, value)).and_then(|writers| writers.first()) else {
            return false;
        };
        let process = self.operations[*writer].process;
        let later = self.operations[*writer..].iter().filter(|operation| operation.process == process);
        let mut sent =
            later.flat_map(Operation::sends).skip_while(|(at, sent, _)| (*at, *sent) != (key, value));
        let next = sent.find_map(|(at, _, offset)| if at == key { offset } else { None });
        next.is_some_and(|offset| self.is_excused(key, offset - 1))
    }
}
