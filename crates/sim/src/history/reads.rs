//! What readers were given: nothing that was not written, nothing that was deleted, and one record after the other.

use std::collections::BTreeMap;

use super::anomaly::Anomaly;
use super::index::Index;
use super::operation::{Action, Key, Operation, Outcome, Process, Value};

pub(super) fn of_nothing_written(index: &Index<'_>, found: &mut Vec<Anomaly>) {
    for ((key, value), readers) in &index.readers {
        let Some(writers) = index.writers.get(&(*key, *value)) else {
            found.push(Anomaly::Invented(*key, *value));
            continue;
        };
        let failed = writers.iter().all(|writer| index.operations[*writer].outcome == Outcome::Fail);
        if failed && index.was_seen(*key, *value) {
            found.push(Anomaly::AbortedRead(*key, *value));
        } else if readers.iter().any(|reader| writers.contains(reader)) {
            found.push(Anomaly::PrecommittedRead(*key, *value));
        }
    }
}

pub(super) fn of_what_was_deleted(index: &Index<'_>, found: &mut Vec<Anomaly>) {
    let mut deletions: Vec<(Key, i64, u64)> = Vec::new();
    for operation in index.operations.iter().filter(|operation| operation.outcome == Outcome::Ok) {
        deletions.extend(operation.actions.iter().filter_map(|action| match action {
            Action::Delete { key, before } => Some((*key, *before, operation.ended)),
            Action::Drop { key } => Some((*key, i64::MAX, operation.ended)),
            _ => None,
        }));
    }
    for operation in index.operations {
        for (key, value, offset) in operation.reads() {
            let deleted = |(at, before, ended): &(Key, i64, u64)| {
                *at == key && offset < *before && *ended < operation.began
            };
            if deletions.iter().any(deleted) {
                found.push(Anomaly::DeletedRead(key, value, offset));
            }
        }
    }
}

/// Readers that pass over records or go back. `between` says whether from one operation to the next, too, they must read on
/// where they were.
pub(super) fn steps(index: &Index<'_>, between: bool, found: &mut Vec<Anomaly>) {
    let mut last: BTreeMap<(Process, Key), usize> = BTreeMap::new();
    for operation in index.operations.iter().filter(|operation| operation.outcome == Outcome::Ok) {
        walk(index, (operation, between), &mut last, found);
    }
}

fn walk(
    index: &Index<'_>,
    (operation, between): (&Operation, bool),
    last: &mut BTreeMap<(Process, Key), usize>,
    found: &mut Vec<Anomaly>,
) {
    let process = operation.process;
    let mut within: BTreeMap<Key, usize> = BTreeMap::new();
    for action in &operation.actions {
        let (key, value, offset) = match action {
            Action::Seek { key } => {
                within.remove(key);
                last.remove(&(process, *key));
                continue;
            }
            Action::Read { key, value, offset } => (*key, *value, *offset),
            _ => continue,
        };
        let Some(place) = index.place_at(key, offset) else { continue };
        let inside = within.insert(key, place);
        let before = inside.or_else(|| last.get(&(process, key)).copied().filter(|_| between));
        last.insert((process, key), place);
        let Some(before) = before else { continue };
        found.extend(judge(index, (before, place), inside.is_some(), (process, key, value)));
    }
}

fn judge(
    index: &Index<'_>,
    (before, place): (usize, usize),
    inside: bool,
    (process, key, value): (Process, Key, Value),
) -> Option<Anomaly> {
    if place <= before {
        return Some(match inside {
            true => Anomaly::InternalNonmonotonicPoll(process, key, value),
            false => Anomaly::NonmonotonicPoll(process, key, value),
        });
    }
    let passed = &index.order(key)[before + 1..place];
    if passed.iter().all(|offset| index.is_excused(key, *offset)) {
        return None;
    }
    Some(match inside {
        true => Anomaly::InternalPollSkip(process, key, value),
        false => Anomaly::PollSkip(process, key, value),
    })
}
