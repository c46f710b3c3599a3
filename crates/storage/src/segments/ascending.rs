//! A search in numbers that never fall, by guesses as if they rose evenly: one by halves through very many of them waits for
//! memory at each step. Nothing here knows what the numbers are.

/// So many places are guessed; after that the search goes by halves.
const GUESSES: u32 = 4;

/// How many of the numbers, all at the front, are `bound` at most. `at` tells the one at a place below `count`.
pub fn count_up_to(count: usize, at: impl Fn(usize) -> i64, bound: i64) -> usize {
    let Some(last) = count.checked_sub(1) else { return 0 };
    let (mut below, mut above) = (at(0), at(last));
    if below > bound {
        return 0;
    }
    if above <= bound {
        return count;
    }
    // The number at `low` is `below`, which is not too large; the one at `high` is `above`, which is.
    let (mut low, mut high) = (0, last);
    let mut guesses = 0;
    while high - low > 1 {
        let way = (bound as f64 - below as f64) / (above as f64 - below as f64);
        let guess = match guesses < GUESSES {
            true => low + (way * (high - low) as f64) as usize,
            false => low + (high - low) / 2,
        };
        // Right behind a guess that was too low, and before one that was too high, lies what is looked for.
        for place in [guess, guess + 1] {
            let place = place.clamp(low + 1, high - 1);
            match at(place) {
                number if number <= bound => (low, below) = (place.max(low), number.max(below)),
                number => (high, above) = (place.min(high), number.min(above)),
            }
            if high - low <= 1 {
                break;
            }
        }
        guesses += 1;
    }
    high
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_found_is_what_a_search_by_halves_finds(
            mut numbers in prop::collection::vec(prop_oneof![0..50i64, any::<i64>()], 0..60),
            bound in prop_oneof![-1..51i64, any::<i64>()],
        ) {
            numbers.sort_unstable();
            let found = count_up_to(numbers.len(), |place| numbers[place], bound);
            prop_assert_eq!(found, numbers.partition_point(|number| *number <= bound));
        }
    }

    #[test]
    fn of_very_many_that_rise_about_evenly_few_are_looked_at() {
        let looks = Cell::new(0);
        // Up to half a step too late.
        let number = |place: usize| {
            looks.set(looks.get() + 1);
            place as i64 * 1000 + (place * 7919 % 500) as i64
        };
        for place in 0..10_000 {
            looks.set(0);
            assert_eq!(count_up_to(10_000, number, place * 1000 + 600), place as usize + 1);
            assert!(looks.get() <= 6, "{} looks for {place}", looks.get());
        }
    }
}
