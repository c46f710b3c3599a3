//! Replicas that move between the log directories of a node.

use protocol::id::{DirectoryId, PartitionIndex};
use storage::TopicPartition;

use super::{Done, Life, lock};
use crate::life::node::topic_name;
use crate::life::step::Step;

/// A piece of a copy; a batch or two.
const PIECE: u32 = 300;

impl Life {
    pub(super) fn take_move(&mut self, step: Step) -> Done {
        match step {
            Step::Move(topic) => self.begin_move(topic),
            Step::Stay(topic) if self.ledgers.contains_key(&topic) => {
                let given_up = self.node()?.dirs.give_up_move(&name(topic), self.now);
                self.sound(given_up).map(drop)
            }
            Step::Copy => self.copy(),
            Step::Arrive => self.arrive(),
            _ => Ok(()),
        }
    }

    fn begin_move(&mut self, topic: u8) -> Done {
        if !self.ledgers.contains_key(&topic) {
            return Ok(());
        }
        let here: DirectoryId = lock(&self.log(topic)?).directory_id();
        let dirs = &self.node()?.dirs;
        let Some(there) = dirs.directories().map(|known| known.id()).find(|known| *known != here) else {
            return Ok(());
        };
        let begun = dirs.begin_move(&name(topic), there, self.now);
        self.sound(begun).map(drop)
    }

    fn copy(&mut self) -> Done {
        for moving in self.node()?.dirs.moves() {
            self.sound(moving.step(PIECE, self.now))?;
        }
        Ok(())
    }

    fn arrive(&mut self) -> Done {
        let dirs = &self.node()?.dirs;
        for moving in dirs.moves() {
            self.sound(dirs.finish_move(&moving, self.now))?;
        }
        Ok(())
    }
}

pub(super) fn name(topic: u8) -> TopicPartition {
    TopicPartition::new(topic_name(topic), PartitionIndex(0))
}
