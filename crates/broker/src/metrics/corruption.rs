//! The places in the files of logs that requests came upon and that are not what was written any more: mostly batches. Each is told
//! once to the log of the process, and what comes beyond those that are told apart now and then.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::seldom::Seldom;

/// So many places are told apart.
const PLACES_MAX: usize = 4096;

/// The corrupt places found since the start.
#[derive(Debug, Default)]
pub struct Corruption {
    places: Mutex<BTreeSet<(PathBuf, u64)>>,
    /// What is said of those beyond.
    beyond: Seldom,
}

/// What becomes of a place.
#[derive(Debug, PartialEq, Eq)]
enum Noted {
    Known,
    New,
    /// There is no room to know it again.
    Beyond,
}

impl Corruption {
    /// Notes one by its file and position.
    pub fn note(&self, path: &Path, position: u64, reason: &str) {
        let unsaid = match self.known(path, position) {
            Noted::Known => return,
            Noted::New => 0,
            Noted::Beyond => match self.beyond.due(Instant::now()) {
                Some(unsaid) => unsaid,
                None => return,
            },
        };
        tracing::error!(
            path = %path.display(),
            position,
            reason,
            unsaid,
            "a file is not what was written, and nothing is sent of this place: `headwater log verify` on its directory tells \
             what else is wrong, and DeleteRecords or another replica gets readers past a batch"
        );
    }

    fn known(&self, path: &Path, position: u64) -> Noted {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (path.to_owned(), position);
        if places.contains(&place) {
            return Noted::Known;
        }
        if places.len() >= PLACES_MAX {
            return Noted::Beyond;
        }
        places.insert(place);
        Noted::New
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_once_and_the_table_has_a_bound() {
        let corruption = Corruption::default();
        let known = |position| corruption.known(Path::new("/d/t-0/0.log"), position);
        assert_eq!([5, 5, 6].map(known), [Noted::New, Noted::Known, Noted::New]);
        assert_eq!(corruption.count(), 2);
        for position in 0..5000 {
            known(position);
        }
        assert_eq!(corruption.count(), PLACES_MAX);
        // What was known stays so, and what was not is not told as new again and again.
        assert_eq!(
            [6, 4095, 4096, 4096].map(known),
            [Noted::Known, Noted::Known, Noted::Beyond, Noted::Beyond]
        );
    }
}
