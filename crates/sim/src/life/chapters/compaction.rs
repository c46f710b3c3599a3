//! Compaction of the logs of a node, by itself and with a replica that begins to move in the midst of it.

use protocol::id::{DirectoryId, Timestamp};
use protocol::records::build::{BatchBuilder, BatchOptions};
use storage::cleaner::{CleanError, Cleaner, CleanerOptions, Pace};
use storage::{Fault, LogDirs, TopicPartition};

use super::batches::client;
use super::moves::name;
use super::{Done, Life, Stop, lock, stop};
use crate::disk::SimulatedDisk;
use crate::life::step::Step;

/// A key that nobody else writes.
const FORGOTTEN: &[u8] = b"z";
/// More than a log of a life holds.
const ALL: u32 = 1 << 20;

impl Life {
    pub(super) fn take_compaction(&mut self, step: Step) -> Done {
        match step {
            Step::Compact => self.compact(None),
            Step::CompactMoving(topic) if self.ledgers.contains_key(&topic) => {
                self.compact(Some(name(topic)))
            }
            Step::Forget(topic) if self.ledgers.contains_key(&topic) => self.forget(topic),
            _ => Ok(()),
        }
    }

    fn compact(&mut self, moving: Option<TopicPartition>) -> Done {
        let now = self.now;
        let after = self.dice.place(6);
        let Some(node) = &self.node else { return Err(Stop::Off) };
        let Some((name, log, cleanable)) = node.dirs.dirtiest(now).log else { return Ok(()) };
        for ledger in self.ledgers.values_mut().filter(|ledger| ledger.name == name) {
            ledger.clean_max = cleanable.first_uncleanable.max(ledger.clean_max);
            ledger.committed = ledger.end();
        }
        let options = CleanerOptions { map_bytes: 10_000, map_load: 0.9, buffer_bytes: 400 };
        let mut meanwhile = Meanwhile { dirs: &node.dirs, now, moving, after, moved: Ok(()) };
        match Cleaner::new(options).clean(&log, &cleanable, now, &mut meanwhile) {
            Ok(_) | Err(CleanError::Aborted) => {}
            Err(CleanError::Fault(fault)) => return Err(stop(&self.disk, fault)),
        }
        let moved = meanwhile.moved;
        node.dirs.checkpoint_cleaned();
        self.sound(moved)
    }

    /// Writes a key and deletes it again, each in a segment of its own.
    fn forget(&mut self, topic: u8) -> Done {
        let value = format!("{:0>30}", self.next_unique());
        for value in [Some(value.as_bytes()), None] {
            let mut builder = BatchBuilder::new(BatchOptions::default());
            builder.push(self.now, Some(FORGOTTEN), value, &[]);
            self.write(topic, builder.finish_uncompressed(), client())?;
            self.roll(topic)?;
        }
        Ok(())
    }
}

/// Lets a cleaner go as fast as it can, and has a replica begin to move after some blocks.
struct Meanwhile<'a> {
    dirs: &'a LogDirs<SimulatedDisk>,
    now: Timestamp,
    moving: Option<TopicPartition>,
    after: usize,
    moved: Result<(), Fault>,
}

impl Meanwhile<'_> {
    fn begin_move(&self, name: &TopicPartition) -> Result<(), Fault> {
        let Some(log) = self.dirs.get(name) else { return Ok(()) };
        let here: DirectoryId = lock(&log).directory_id();
        let there = self.dirs.directories().map(|known| known.id()).find(|known| *known != here);
        let Some(there) = there else { return Ok(()) };
        self.dirs.begin_move(name, there, self.now)?;
        match self.dirs.moving(name) {
            Some(moving) => moving.step(ALL, self.now).map(drop),
            None => Ok(()),
        }
    }
}

impl Pace for Meanwhile<'_> {
    fn go_on(&mut self, _bytes: u64) -> bool {
        if self.after == 0
            && let Some(name) = self.moving.take()
        {
            self.moved = self.begin_move(&name);
        }
        self.after = self.after.saturating_sub(1);
        true
    }
}
