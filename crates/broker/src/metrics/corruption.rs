//! The batches that readers asked for and that are not what was written any more. Each is told once to the log.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// So many places are told apart; beyond it they are only logged.
const PLACES_MAX: usize = 4096;

/// The corrupt batches found since the start.
#[derive(Debug, Default)]
pub struct Corruption(Mutex<BTreeSet<(PathBuf, u32)>>);

impl Corruption {
    /// Notes one by its file and position.
    pub fn note(&self, path: &Path, position: u32, reason: &str) {
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
                "a batch is corrupt and is not sent: `headwater log verify` on its directory tells what else is, and \
                 DeleteRecords or another replica gets readers past it"
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
