//! What a clean end leaves, read whole as `headwater log verify` reads it: there must be nothing to say.

use std::path::Path;

use storage::verify::{Extents, Report, add_extent, logs_in, verify_log, verify_root};

use super::node::DIRECTORIES;
use crate::disk::SimulatedDisk;

/// Reads the directories of a node that has ended cleanly; the first thing that is wrong.
pub(super) fn inspect(disk: &SimulatedDisk) -> Result<(), String> {
    let mut report = Report::default();
    for directory in DIRECTORIES.map(Path::new) {
        let mut extents = Extents::new();
        let (logs, _) = logs_in(disk, directory).map_err(|fault| fault.to_string())?;
        for log in logs {
            let extent =
                verify_log(disk, &log, &mut report, &mut |_| ()).map_err(|fault| fault.to_string())?;
            add_extent(&mut extents, &log, extent);
        }
        verify_root(disk, directory, &extents, &mut report).map_err(|fault| fault.to_string())?;
    }
    match report.problems.first() {
        Some(problem) => Err(format!("a clean end left {}: {}", problem.path.display(), problem.what)),
        None => Ok(()),
    }
}
