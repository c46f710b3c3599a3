//! Records that go: by age and size, because somebody deletes them, and the segments they go by.

use protocol::offset::Offset;

use super::{Done, Life, lock};

impl Life {
    pub(super) fn roll(&mut self, topic: u8) -> Done {
        if !self.ledgers.contains_key(&topic) {
            return Ok(());
        }
        let (log, now) = (self.log(topic)?, self.now);
        let outcome = lock(&log).roll(now);
        self.sound(outcome)
    }

    pub(super) fn retain(&mut self) -> Done {
        for ledger in self.ledgers.values_mut() {
            ledger.start_max = ledger.end();
        }
        let now = self.now;
        self.node()?.dirs.retain(now);
        self.check()?;
        for topic in self.ledgers.keys().copied().collect::<Vec<_>>() {
            let log = self.log(topic)?;
            let start = lock(&log).partition().watermarks().log_start;
            if let Some(ledger) = self.ledgers.get_mut(&topic) {
                ledger.start_max = start;
            }
        }
        Ok(())
    }

    pub(super) fn delete_records(&mut self, topic: u8, eighths: u8) -> Done {
        if self.ledgers.get(&topic).is_none_or(|ledger| ledger.compacted) {
            return Ok(());
        }
        let log = self.log(topic)?;
        let end = lock(&log).partition().watermarks().high_watermark;
        let Some(ledger) = self.ledgers.get_mut(&topic) else { return Ok(()) };
        let start = ledger.start_max;
        let before = Offset(start.0 + (end.0 - start.0) * i64::from(eighths) / 8);
        ledger.start_max = before;
        let outcome = lock(&log).delete_records(before);
        self.sound(outcome)?;
        let kept = self.node()?.dirs.keep_log_starts();
        self.sound(kept)?;
        if let Some(ledger) = self.ledgers.get_mut(&topic) {
            ledger.start_min = before;
        }
        Ok(())
    }
}
