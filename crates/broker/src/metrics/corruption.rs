//! The places in the files of logs that requests came upon and that are not what was written any more: mostly batches. Each is told
//! once to the log of the process.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// So many places are told apart; beyond it they are only logged.
const PLACES_MAX: usize = 4096;

/// The corrupt places found since the start.
#[derive(Debug, Default)]
pub struct Corruption(Mutex<BTreeSet<(PathBuf, u64)>>);

impl Corruption {
    /// Notes one by its file and position.
    pub fn note(&self, path: &Path, position: u64, reason: &str) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = !places.insert((path.to_owned(), position));
        if places.len() > PLACES_MAX {
            places.pop_last();
        }
        drop(places);
        if !known {
            tracing::error!(
                path = %path.display(),
                position,
                reason,
                "a file is not what was written, and nothing is sent of this place: `headwater log verify` on its directory tells \
                 what else is wrong, and DeleteRecords or another replica gets readers past a batch"
            );
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_once_and_the_table_has_a_bound() {
        let corruption = Corruption::default();
        for position in [5, 5, 6] {
            corruption.note(Path::new("/d/t-0/0.log"), position, "its checksum is wrong");
        }
        assert_eq!(corruption.count(), 2);
        for position in 0..5000 {
            corruption.note(Path::new("/d/t-0/0.log"), position, "its checksum is wrong");
        }
        assert_eq!(corruption.count(), PLACES_MAX);
    }
}
