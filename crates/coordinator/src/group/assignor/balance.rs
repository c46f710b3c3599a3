//! The scale on which the members that read one topic are weighed: who has least, who has most, and so round.
//!
//! At the light end members are filled up to the level of the next, at the heavy end they are brought down to it,
//! each side going round among the members of one level.

use std::cmp::Ordering;

use super::ownership::Number;

/// The members of one topic by what they have, from the least to the most.
pub(super) struct Scale {
    order: Vec<Number>,
    light: Light,
    heavy: Heavy,
}

/// Members `..end` are at `level` or on the way to one above; `next` is whose turn it is.
struct Light {
    end: usize,
    level: usize,
    next: usize,
}

/// Members `start..end` are at `level` or on the way to one below; the turn goes downwards and is at the one before
/// `next`. Those from `end` on have nothing to give.
struct Heavy {
    start: usize,
    end: usize,
    level: usize,
    next: usize,
}

impl Scale {
    /// Puts members on the scale. Both ends are one step outside until the first turn is taken: levels are kept one
    /// higher than they are, so that the least of them is not below nothing.
    pub(super) fn of(members: &[Number], loads: &[usize]) -> Self {
        let mut order = members.to_vec();
        order.sort_unstable_by(|one, other| by_load(*one, *other, loads));
        let count = order.len();
        let load = |place: Option<&Number>| place.map_or(0, |number| loads[*number]);
        let light = Light { end: 0, level: load(order.first()), next: 0 };
        let heavy = Heavy { start: count, end: count, level: load(order.last()) + 2, next: count };
        Self { order, light, heavy }
    }

    /// Whether there is nothing to gain any more.
    pub(super) fn is_balanced(&self) -> bool {
        self.heavy.level <= self.light.level + 1
    }

    /// Whose turn it is to be given something.
    pub(super) fn next_lightest(&mut self, loads: &[usize]) -> Option<Number> {
        let light = &mut self.light;
        if light.next >= light.end {
            light.level += 1;
            let more = self.order[light.end..].iter();
            light.end += more.take_while(|number| loads[**number] + 1 == light.level).count();
            light.next = 0;
        }
        let number = *self.order.get(light.next)?;
        light.next += 1;
        Some(number)
    }

    /// Whose turn it is to give something up; none where nobody is left.
    pub(super) fn next_heaviest(&mut self, loads: &[usize]) -> Option<Number> {
        let heavy = &mut self.heavy;
        if heavy.next <= heavy.start {
            let all_excluded = heavy.end <= heavy.start;
            heavy.level = match heavy.start.checked_sub(1) {
                Some(below) if all_excluded => loads[self.order[below]] + 1,
                _ => heavy.level.saturating_sub(1),
            };
            let more = self.order[..heavy.start].iter().rev();
            heavy.start -= more.take_while(|number| loads[**number] + 1 == heavy.level).count();
            heavy.next = heavy.end;
        }
        heavy.next = heavy.next.checked_sub(1)?;
        self.order.get(heavy.next).copied()
    }

    /// Whoever had the last turn at the heavy end has nothing to give.
    pub(super) fn exclude_heaviest(&mut self) {
        let heavy = &mut self.heavy;
        if heavy.end > heavy.next {
            heavy.end -= 1;
            self.order.swap(heavy.next, heavy.end);
        }
    }
}

/// Who has less; of two who have the same, the first.
pub(super) fn by_load(one: Number, other: Number, loads: &[usize]) -> Ordering {
    loads[one].cmp(&loads[other]).then(one.cmp(&other))
}
