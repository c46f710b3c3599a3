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
fn hashes_that_keep_a_table_from_shrinking_are_not_tried_with_each_that_goes() {
    let mut table = Table::default();
    // Spread evenly, however many of them there are.
    let hash = u64::reverse_bits;
    (0..4096).for_each(|number| table.insert(hash(number), Box::new(())).unwrap());
    (2048..4096).for_each(|number| drop(table.remove(hash(number)).unwrap()));
    // In two places next to each other there is room for as many as a place of half the table has not.
    let place = 1 << (u64::BITS - table.bits);
    let made_up: Vec<u64> = (0..9).flat_map(|low| [6 * place + low, 7 * place + low]).collect();
    let made_up: Vec<u64> =
        made_up.into_iter().filter(|hash| table.insert(*hash, Box::new(())).is_ok()).collect();
    assert!(made_up.len() > REACH, "{} find a place", made_up.len());
    let (bits, mut tried) = (table.bits, 0);
    for number in 0..2048 {
        let before = table.shrinks_below;
        table.remove(hash(number)).unwrap();
        tried += usize::from(table.shrinks_below != before);
    }
    assert_eq!((table.bits, table.len), (bits, made_up.len()), "they stand in the way");
    assert!((1..16).contains(&tried), "tried {tried} times");
    made_up.into_iter().for_each(|hash| drop(table.remove(hash).unwrap()));
    assert_eq!((table.len, table.slots.len()), (0, (1 << BITS_MIN) + REACH));
}

#[test]
fn hashes_that_stand_in_one_place_are_refused_and_hold_up_nobody() {
    let mut table = Table::default();
    let refused = (0..100_000).filter(|hash| table.insert(*hash, Box::new(())).is_err()).count();
    assert_eq!(refused, 100_000 - REACH);
    assert!(table.insert(u64::MAX, Box::new(())).is_ok());
}
