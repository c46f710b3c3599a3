//! Bringing forward the places where recovery would begin, in the logs that have said that one is due.

use super::{LogDirs, whole};
use crate::disk::Disk;

impl<D: Disk> LogDirs<D> {
    /// Takes down where recovery may begin in each log that has grown by `headwater.recovery.bytes` since the last time, and
    /// has it brought to stable storage in the background. Idle logs cost nothing.
    pub fn advance_resume_points(&self) {
        for directory in self.directories() {
            for name in directory.take_resume_due() {
                let Some(log) = self.get(&name) else { continue };
                let Ok(mut log) = whole(&log) else { continue };
                match log.advance_resume_point() {
                    Ok(true) => directory.note_resume_due(&name),
                    Ok(false) => {}
                    Err(fault) => {
                        tracing::warn!(partition = %name, %fault, "recovery gets no new place to begin at")
                    }
                }
            }
        }
    }
}
