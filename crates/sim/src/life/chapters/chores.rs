//! What a node does of its own accord: commits, flushes, checkpoints, and the removal of what is due.

use super::{Done, Life, lock};
use crate::life::step::Step;

impl Life {
    pub(super) fn tend(&mut self, step: Step) -> Done {
        match step {
            Step::RemoveDue => self.pass_time(60_000),
            Step::FlushDue => self.pass_time(1000),
            _ => {}
        }
        let (now, late) = (self.now, self.dice.percent(50));
        let dirs = &self.node()?.dirs;
        match step {
            Step::Commit => dirs.directories().for_each(|directory| {
                directory.commit().step();
            }),
            Step::Background => {
                // The disk may not have kept up when the places for recovery are looked at.
                if !late {
                    dirs.advance_resume_points();
                    dirs.settle(now);
                }
                dirs.directories().for_each(|directory| {
                    directory.background().step();
                });
                if late {
                    dirs.advance_resume_points();
                    dirs.settle(now);
                }
            }
            Step::RemoveDue => dirs.remove_due(now),
            Step::MakePlanned => dirs.make_planned(1),
            Step::FlushDue => dirs.flush_due(now),
            Step::RecoveryPoints => dirs.checkpoint_recovery_points(),
            Step::HighWatermarks => dirs.checkpoint_high_watermarks(),
            _ => dirs.checkpoint_log_starts(),
        }
        for (_, log) in dirs.logs() {
            lock(&log).take_synced();
        }
        Ok(())
    }
}
