//! The life of a node's storage on a disk that forgets: topics come, are written to, looked after, deleted and made
//! again, the metadata log goes along, the node ends cleanly or is killed, and at one moment the power is cut.
//!
//! What must be there afterwards is in the ledgers; `judge` holds the storage against
//! them. Whoever wants a life to end calls [`Cut::live`].

mod chapters;
mod inspection;
mod judge;
mod ledger;
mod node;
mod quorum;
mod scenes;
mod step;

use rustix::io::Errno;

use crate::dice::Dice;
use crate::disk::{Fate, SimulatedDisk};

use chapters::Life;
pub use scenes::scenes;
pub use step::{By, Step, random, scripted};

/// A life and the moment it is cut.
#[derive(Clone, Debug)]
pub struct Cut {
    /// What happens in it.
    pub steps: Vec<Step>,
    /// The change that the power is cut before; `None` for never.
    pub at: Option<u64>,
    /// What becomes of what was not synced.
    pub fate: Fate,
    /// Decides what is written.
    pub life: u64,
    /// Decides about everything else.
    pub seed: u64,
    /// What that change comes to instead, where the power stays on: the cut follows as soon as somebody has noticed.
    pub error: Option<Errno>,
}

/// What a life came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lived {
    /// The changes on the disk until the power was cut, or in all.
    pub changes: u64,
    /// The batches that were written.
    pub batches: u64,
    /// How many recoveries began at a place within a segment, all starts together.
    pub resumed: usize,
}

impl Cut {
    /// Lives, loses the power, opens, loses it again while it opens, opens, and goes on for a while.
    ///
    /// # Errors
    /// What is wrong with what came back, and how to see it again.
    pub fn live(&self, prepare: impl Fn(&SimulatedDisk)) -> Result<Lived, String> {
        self.live_through(true, &prepare)
    }

    /// Lives, loses the power and opens, and no more.
    ///
    /// # Errors
    /// As of [`Self::live`].
    pub fn come_back(&self, prepare: impl Fn(&SimulatedDisk)) -> Result<Lived, String> {
        self.live_through(false, &prepare)
    }

    fn live_through(&self, goes_on: bool, prepare: &impl Fn(&SimulatedDisk)) -> Result<Lived, String> {
        let disk = SimulatedDisk::default();
        prepare(&disk);
        match (self.at, self.error) {
            (Some(change), Some(errno)) => disk.fail_at(change, errno),
            (Some(change), None) => disk.cut_at(change),
            (None, _) => {}
        }
        let mut life = Life::new(disk, self.life);
        let mut lived = Lived { changes: 0, batches: 0, resumed: 0 };
        let outcome = self.live_on((&mut life, goes_on), &mut lived, prepare);
        lived.resumed = life.resumed();
        outcome.map_err(|reason| {
            let Self { at, fate, life: lived, seed, error, .. } = self;
            let last = life.last_changes();
            format!(
                "{reason}\ncut before change {at:?} ({error:?}), {fate:?}, life {lived}, seed {seed}; the last changes before:\n{last}"
            )
        })?;
        Ok(lived)
    }

    fn live_on(
        &self,
        (life, goes_on): (&mut Life, bool),
        lived: &mut Lived,
        prepare: &impl Fn(&SimulatedDisk),
    ) -> Result<(), String> {
        let mut dice = Dice::new(self.seed);
        let cut = life.live(&self.steps)?;
        (lived.changes, lived.batches) = (life.changes(), life.batches());
        if !cut {
            return life.reopen_after_end();
        }
        life.power_on(self.fate, dice.number(), prepare);
        if goes_on && dice.percent(70) {
            // The second cut comes while the first is being recovered from, if that lasts so long.
            let within = life.rehearse()?;
            let fate = Fate::any(&mut dice);
            if life.cut_while_opening(dice.below(within + 1))? {
                life.power_on(fate, dice.number(), prepare);
            }
        }
        life.open_and_judge()?;
        if goes_on { life.go_on(&mut dice) } else { Ok(()) }
    }
}
