//! The random ids of decisions, without asking the system for them: a system call costs more than most decisions. Few use
//! theirs, and only for those it is made.
//!
//! The system gives keys once. An id is the number of the request under two keyed hashes, so that nobody who knows some
//! ids can tell another.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;

use coordinator::Token;
use protocol::id::Uuid;

/// The keys.
pub(super) struct RandomIds {
    high: RandomState,
    low: RandomState,
    /// The standard library makes keys once a thread and counts on from them: this sets these apart from all others.
    salt: uuid::Uuid,
}

impl RandomIds {
    pub(super) fn new() -> Self {
        Self { high: RandomState::new(), low: RandomState::new(), salt: uuid::Uuid::new_v4() }
    }
}

impl fmt::Debug for RandomIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RandomIds").finish_non_exhaustive()
    }
}

impl coordinator::RandomIds for RandomIds {
    /// In the form of random ones (version 4).
    fn id_of(&self, Token(number): Token) -> Uuid {
        let asked = (self.salt.as_u128(), number);
        let (high, low) = (self.high.hash_one(asked), self.low.hash_one(asked));
        let bits = u128::from(high) << 64 | u128::from(low);
        Uuid(uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use coordinator::RandomIds as _;

    use super::*;

    #[test]
    fn ids_are_of_version_four_and_no_two_are_alike() {
        let (one, other) = (RandomIds::new(), RandomIds::new());
        let all: BTreeSet<[u8; 16]> =
            (0..1000).flat_map(|number| [one.id_of(Token(number)).0, other.id_of(Token(number)).0]).collect();
        assert_eq!(all.len(), 2000);
        assert!(all.iter().all(|id| id[6] >> 4 == 4 && id[8] >> 6 == 2));
        let halves: BTreeSet<&[u8]> = all.iter().flat_map(|id| [&id[..6], &id[10..]]).collect();
        assert_eq!(halves.len(), 4000, "neither half stands for the other");
    }
}
