use std::collections::BTreeMap;

use proptest::prelude::*;
use twox_hash::XxHash3_64;

use super::*;

impl<T> Table<T> {
    /// Whether each stands where it is looked for.
    fn adds_up(&self) -> bool {
        let stands = |(place, slot): (usize, &Slot<T>)| slot.as_ref().map(|(hash, _)| (place, *hash));
        let all: Vec<(usize, u64)> = self.slots.iter().enumerate().filter_map(stands).collect();
        all.len() == self.len
            && all.is_sorted_by(|(_, one), (_, next)| one < next)
            && all.iter().all(|(place, hash)| (self.home(*hash)..self.home(*hash) + REACH).contains(place))
    }
}

/// Hashes as they are made, and some that somebody made up to stand in one place.
fn hashes() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => any::<u64>(),
        1 => 0..200u64,
        1 => (0..200u64).prop_map(|low| u64::MAX - low),
        1 => (0..200u64).prop_map(|low| (7 << 61) + low),
    ]
}

proptest! {
    #[test]
    fn who_was_taken_is_found_and_who_was_not_is_given_back(
        changes in prop::collection::vec((any::<bool>(), hashes()), 0..400),
    ) {
        let (mut table, mut known) = (Table::default(), BTreeMap::new());
        for (step, (comes, hash)) in changes.into_iter().enumerate() {
            // Some that are there go.
            let hash = if comes { hash } else { known.range(hash..).next().map_or(hash, |(known, _)| *known) };
            if comes && !known.contains_key(&hash) {
                match table.insert(hash, Box::new(step)) {
                    Ok(()) => drop(known.insert(hash, step)),
                    Err(back) => prop_assert_eq!(*back, step),
                }
            } else {
                prop_assert_eq!(table.remove(hash).map(|entry| *entry), known.remove(&hash));
            }
            prop_assert!(table.adds_up());
            prop_assert!(table.iter().eq(known.values()));
            prop_assert!(table.iter_from(hash).eq(known.range(hash..).map(|(_, entry)| entry)));
            prop_assert!(known.iter().all(|(hash, entry)| table.get(*hash) == Some(entry)));
            prop_assert!(table.iter_mut().map(|entry| *entry).eq(known.values().copied()));
            let found = (table.get(hash).copied(), table.get_mut(hash).copied());
            prop_assert_eq!(found, (known.get(&hash).copied(), known.get(&hash).copied()));
        }
    }
}

#[test]
fn of_hashes_that_nobody_made_up_all_but_a_few_find_a_place_and_give_it_back() {
    let hash = |number: u64| XxHash3_64::oneshot(format!("group-{number}").as_bytes());
    let (mut table, mut refused) = (Table::default(), 0);
    for number in 0..50_000 {
        refused += usize::from(table.insert(hash(number), Box::new(number)).is_err());
    }
    assert!(refused < 3, "{refused} of 50,000");
    assert!(table.slots.len() < 4 * 50_000, "{} places", table.slots.len());
    assert!(table.adds_up());
    let left = (0..50_000).rev().filter(|number| table.remove(hash(*number)).is_some()).count();
    assert_eq!((left, table.len), (50_000 - refused, 0));
    assert!(table.slots.len() <= (1 << BITS_MIN) + REACH, "{} places", table.slots.len());
}

#[test]
fn hashes_that_stand_in_one_place_are_refused_and_hold_up_nobody() {
    let mut table = Table::default();
    let refused = (0..100_000).filter(|hash| table.insert(*hash, Box::new(())).is_err()).count();
    assert_eq!(refused, 100_000 - REACH);
    assert!(table.insert(u64::MAX, Box::new(())).is_ok());
}
