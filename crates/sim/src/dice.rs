//! Chance that can be repeated: the same seed throws the same numbers on every machine.

/// A source of numbers that look random (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// Dice that throw what this seed says.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which must not be 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    /// A place in something of this length, which must not be 0.
    pub fn place(&mut self, length: usize) -> usize {
        (self.number() % length as u64) as usize
    }

    /// Yes, in so many of a hundred throws.
    pub fn percent(&mut self, hits: u64) -> bool {
        self.below(100) < hits
    }

    /// Dice for something else, that follow from these.
    pub fn split(&mut self) -> Self {
        Self::new(self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_all() {
        let throw = |seed| {
            let mut dice = Dice::new(seed);
            std::iter::repeat_with(|| dice.number()).take(5).collect::<Vec<_>>()
        };
        assert_eq!(throw(7), throw(7));
        assert_ne!(throw(7), throw(8));
        let mut dice = Dice::new(1);
        let hits = (0..10_000).filter(|_| dice.percent(30)).count();
        assert!((2700..3300).contains(&hits), "{hits}");
    }
}
