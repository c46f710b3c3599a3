//! Which parts of a segment from before this process were read and found good.
//!
//! Readers in order make one part that grows; readers here and there make many. Bound: [`PARTS_MAX`] parts, of which the
//! shortest goes when there is one too many. Nothing here reads: see [`crate::read_check`].

use std::ops::Range;

/// How many parts of a segment are remembered.
const PARTS_MAX: usize = 32;

/// The parts, in no order, none of which touches another.
#[derive(Default, Debug)]
pub struct CheckedParts {
    /// There once there was one: most of very many segments are never read.
    #[expect(clippy::box_collection, reason = "a segment without any is to have no room for a list of them")]
    parts: Option<Box<Vec<Range<u32>>>>,
}

impl CheckedParts {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.parts.is_none()
    }

    /// Whether all of this lies within one part.
    pub fn cover(&self, start: u32, end: u32) -> bool {
        self.parts().iter().any(|part| part.start <= start && end <= part.end)
    }

    /// Whether a part ends here, or reaches beyond what lies right before.
    pub fn reach(&self, position: u32) -> bool {
        self.parts().iter().any(|part| part.start < position && position <= part.end)
    }

    /// How long the longest part is that reaches there, up to there.
    pub fn length_to(&self, position: u32) -> u32 {
        let reaching = self.parts().iter().filter(|part| part.start < position && position <= part.end);
        reaching.map(|part| position - part.start).max().unwrap_or(0)
    }

    /// Notes that this was read and found good.
    pub fn note(&mut self, start: u32, end: u32) {
        let parts = self.parts.get_or_insert_default();
        let mut whole = start..end;
        parts.retain(|part| {
            let apart = part.end < whole.start || whole.end < part.start;
            if !apart {
                whole = whole.start.min(part.start)..whole.end.max(part.end);
            }
            apart
        });
        parts.push(whole);
        if parts.len() > PARTS_MAX {
            let lengths = parts.iter().map(|part| part.end - part.start);
            let shortest = lengths.enumerate().min_by_key(|(_, length)| *length);
            shortest.map(|(place, _)| parts.swap_remove(place));
        }
    }

    fn parts(&self) -> &[Range<u32>] {
        self.parts.as_deref().map_or(&[], |parts| parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_touch_become_one() {
        let mut parts = CheckedParts::default();
        assert!(!parts.cover(0, 1) && !parts.reach(1));
        for (start, end) in [(100, 200), (300, 400), (500, 600)] {
            parts.note(start, end);
        }
        assert!(parts.cover(100, 200) && parts.cover(520, 580) && !parts.cover(150, 310));
        assert!(parts.reach(200) && parts.reach(150) && !parts.reach(100) && !parts.reach(201));
        assert_eq!([200, 150, 100, 201].map(|position| parts.length_to(position)), [100, 50, 0, 0]);
        parts.note(200, 300);
        assert!(parts.cover(100, 400) && !parts.cover(100, 401) && parts.cover(500, 600));
        parts.note(50, 700);
        assert!(parts.cover(50, 700) && parts.parts().len() == 1);
    }

    #[test]
    fn of_very_many_the_long_ones_stay() {
        let mut parts = CheckedParts::default();
        parts.note(1 << 20, 2 << 20);
        for place in 0..1000 {
            parts.note(place * 100, place * 100 + 10);
        }
        assert!(parts.cover(1 << 20, 2 << 20) && parts.parts().len() == PARTS_MAX);
    }
}
