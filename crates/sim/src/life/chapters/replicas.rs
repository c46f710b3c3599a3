//! Logs that follow another leader: cut back, copied into, begun anew.

use protocol::id::LeaderEpoch;
use protocol::records::build::{BatchBuilder, BatchOptions};
use storage::Log;

use super::{Done, Life, Stop, lock, stop};
use crate::disk::SimulatedDisk;
use crate::life::ledger::{UnderWay, header};
use crate::life::node::NODE;

impl Life {
    pub(super) fn follow(&mut self, topic: u8, back: u8) -> Done {
        let now = self.now;
        let Some(ledger) = self.ledgers.get_mut(&topic) else { return Ok(()) };
        let epoch = LeaderEpoch(ledger.leader_epoch.0 + 1);
        let kept = ledger.batches.len().saturating_sub(usize::from(back));
        let end = match ledger.batches.get(kept) {
            Some(batch) => header(batch).base_offset.max(ledger.start_max),
            None => ledger.end(),
        };
        // No leader has anything cut away that is committed.
        let end = end.max(ledger.committed.min(ledger.end()));
        let name = ledger.name.clone();
        let log = self.log(topic)?;
        lock(&log).become_follower(epoch);
        let Some(ledger) = self.ledgers.get_mut(&topic) else { return Ok(()) };
        ledger.leader_epoch = epoch;
        ledger.begin_cut(end);
        let outcome = self.node()?.dirs.truncate(&name, end, now);
        self.sound(outcome)?;
        let mut log = lock(&log);
        let Some(ledger) = self.ledgers.get_mut(&topic) else { return Ok(()) };
        ledger.cut(end);
        ledger.learn(&log);
        let copied = if ledger.compacted { 0 } else { self.dice.place(3) };
        for _ in 0..copied {
            self.replicate(topic, &mut log)?;
        }
        let Some(ledger) = self.ledgers.get_mut(&topic) else { return Ok(()) };
        ledger.leader_epoch = LeaderEpoch(epoch.0 + 1);
        ledger.learn(&log);
        let led = log.become_leader(ledger.leader_epoch, NODE, 1, [NODE]);
        self.sound(led)
    }

    /// Copies a batch from another leader.
    fn replicate(&mut self, topic: u8, log: &mut Log<SimulatedDisk>) -> Done {
        let value = format!("{:0>1$}", self.next_unique(), 20 + self.dice.place(300));
        let now = self.now;
        let Some(ledger) = self.ledgers.get_mut(&topic) else { return Ok(()) };
        let leader_epoch = ledger.leader_epoch;
        let options = BatchOptions { leader_epoch, base_offset: ledger.end(), ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options);
        builder.push(now, Some(b"r"), Some(value.as_bytes()), &[]);
        let bytes = builder.finish_uncompressed();
        let outcome = log.append_replicated(leader_epoch, &bytes, now);
        match outcome {
            Ok(length) if length == bytes.len() => ledger.batches.push(bytes),
            Ok(_) => return Err(Stop::Wrong("a leader's batch was not taken".to_owned())),
            Err(error) => {
                ledger.under_way = UnderWay::Append(bytes);
                return Err(stop(&self.disk, error));
            }
        }
        Ok(())
    }

    pub(super) fn restart_log(&mut self, topic: u8) -> Done {
        let now = self.now;
        let Some(ledger) = self.ledgers.get_mut(&topic) else { return Ok(()) };
        let start = ledger.end().plus(5);
        ledger.begin_anew(start);
        let name = ledger.name.clone();
        let outcome = self.node()?.dirs.truncate_fully(&name, start, now);
        self.sound(outcome)?;
        if let Some(ledger) = self.ledgers.get_mut(&topic) {
            ledger.anew(start);
        }
        Ok(())
    }
}
