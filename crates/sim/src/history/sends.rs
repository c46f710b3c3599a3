//! What became of what was sent: in its place, once, in order, and there.

use std::collections::BTreeMap;

use super::anomaly::Anomaly;
use super::index::Index;
use super::operation::{Key, Outcome, Process, Value};

pub(super) fn inconsistent_offsets(index: &Index<'_>, found: &mut Vec<Anomaly>) {
    for (key, log) in &index.log {
        for (offset, values) in log.iter().filter(|(_, values)| values.len() > 1) {
            found.push(Anomaly::InconsistentOffsets(*key, *offset, values.iter().copied().collect()));
        }
    }
}

/// Values that were read, but never where their sender was told they are.
pub(super) fn misplaced(index: &Index<'_>, found: &mut Vec<Anomaly>) {
    let read_at = read_offsets(index);
    for operation in index.operations.iter().filter(|operation| operation.outcome == Outcome::Ok) {
        for (key, value, offset) in operation.sends() {
            let (Some(offset), Some(read)) = (offset, read_at.get(&(key, value))) else { continue };
            if !read.contains(&offset) {
                found.push(Anomaly::Misplaced(key, value, offset));
            }
        }
    }
}

pub(super) fn duplicates(index: &Index<'_>, found: &mut Vec<Anomaly>) {
    for ((key, value), mut offsets) in read_offsets(index) {
        offsets.sort_unstable();
        offsets.dedup();
        if offsets.len() > 1 {
            found.push(Anomaly::Duplicate(key, value, offsets));
        }
    }
}

fn read_offsets(index: &Index<'_>) -> BTreeMap<(Key, Value), Vec<i64>> {
    let mut offsets: BTreeMap<(Key, Value), Vec<i64>> = BTreeMap::new();
    for (key, value, offset) in index.operations.iter().flat_map(|operation| operation.reads()) {
        offsets.entry((key, value)).or_default().push(offset);
    }
    offsets
}

/// Values that must be there and were read by nobody, though others behind them were; and, where everything was read at the
/// end, those that were acknowledged and not read.
pub(super) fn lost(index: &Index<'_>, read_to_the_end: bool, found: &mut Vec<Anomaly>) {
    let mut missing: Vec<(Key, Value)> = Vec::new();
    for key in index.keys() {
        let seen = index.values(key).filter(|value| index.was_seen(key, *value));
        let Some(bound) = seen.filter_map(|value| Some(index.places(key, value)?.0)).max() else {
            continue;
        };
        for value in index.values(key) {
            let last = index.places(key, value).map_or(usize::MAX, |(_, last)| last);
            let is_lost = last <= bound && !index.was_read(key, value) && !index.is_value_excused(key, value);
            if is_lost && !missing.contains(&(key, value)) {
                missing.push((key, value));
                found.push(Anomaly::LostWrite(key, value));
            }
        }
    }
    if !read_to_the_end {
        return;
    }
    for operation in index.operations.iter().filter(|operation| operation.outcome == Outcome::Ok) {
        for (key, value, _) in operation.sends() {
            let unseen = !index.was_read(key, value) && !index.is_value_excused(key, value);
            if unseen && !missing.contains(&(key, value)) {
                found.push(Anomaly::Unseen(key, value));
            }
        }
    }
}

/// Values of one sender that do not lie in the order they were sent in.
pub(super) fn out_of_order(index: &Index<'_>, found: &mut Vec<Anomaly>) {
    let mut last: BTreeMap<(Process, Key), usize> = BTreeMap::new();
    for operation in index.operations.iter().filter(|operation| index.must_have_happened(operation)) {
        let mut within: BTreeMap<Key, usize> = BTreeMap::new();
        let process = operation.process;
        for (key, value, _) in operation.sends() {
            let Some((_, place)) = index.places(key, value) else { continue };
            let inside = within.insert(key, place);
            if inside.is_some_and(|before| place <= before) {
                found.push(Anomaly::InternalNonmonotonicSend(process, key, value));
            } else if inside.is_none() && last.get(&(process, key)).is_some_and(|before| place <= *before) {
                found.push(Anomaly::NonmonotonicSend(process, key, value));
            }
        }
        last.extend(within.into_iter().map(|(key, place)| ((process, key), place)));
    }
}
