//! How the node starts, and the clean end before a start: what it finds is held against the ledgers, and then it leads
//! everywhere.

use protocol::id::{BrokerEpoch, LeaderEpoch};

use super::{Done, Life, Stop, UNCOMMITTED, lock, stop};
use crate::life::inspection::inspect;
use crate::life::judge::judge;
use crate::life::node::{self, NODE, log_config};

/// What came before a start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Before {
    /// Nothing, or a power cut.
    Cut,
    /// The process was killed: nothing may be missing.
    Kill,
    /// A clean end: nothing may be missing, and nothing is recovered.
    End,
}

impl Life {
    /// Starts the node, holds what it finds against the ledgers, and leads everywhere.
    pub(super) fn start(&mut self, before: Before) -> Done {
        let opened = self.sound(node::open(&self.disk, self.now))?;
        let wrong = |reason: String| Stop::Wrong(reason);
        if before != Before::Cut && opened.clean != (before == Before::End) {
            return Err(wrong(format!("the start is called clean: {}, after a {before:?}", opened.clean)));
        }
        self.resumed += opened.resumed;
        let all = before != Before::Cut;
        self.quorum.judge(&opened.metadata, all).map_err(wrong)?;
        let mut adopted = Vec::new();
        // One that was never committed may be there if the power went before it was cut away.
        let topics = opened.metadata.image.topics.iter();
        for topic in topics.filter(|topic| !topic.name.starts_with(UNCOMMITTED)) {
            let number = topic
                .name
                .trim_start_matches('t')
                .parse()
                .map_err(|_| wrong(format!("a topic {}", topic.name)))?;
            let ledger = self.ledgers.get_mut(&number).filter(|ledger| ledger.topic_id == topic.id);
            let Some(ledger) = ledger else {
                return Err(wrong(format!("the topic {} of id {} was deleted", topic.name, topic.id)));
            };
            let config = log_config(&topic.name);
            let log = opened.node.dirs.plan(&ledger.name, topic.id, config, None, self.now);
            let log = log.map_err(|fault| stop(&self.disk, fault))?;
            let mut log = lock(&log);
            ledger.leader_epoch = LeaderEpoch(ledger.leader_epoch.0 + 1);
            let led = log.become_leader(ledger.leader_epoch, NODE, 1, [NODE]);
            led.map_err(|fault| stop(&self.disk, fault))?;
            let judged = judge(ledger, &mut log, (all, self.now));
            let judged = judged.map_err(|reason| wrong(format!("{}: {reason}", ledger.name)));
            self.check()?;
            judged?;
            let marks = log.partition().watermarks();
            adopted.push((number, marks));
        }
        let logs = opened.node.dirs.logs();
        if let Some((name, _)) =
            logs.iter().find(|(name, _)| !self.ledgers.values().any(|it| it.name == *name))
        {
            return Err(wrong(format!("there is a log {name}, and no such topic")));
        }
        self.ledgers.retain(|number, _| adopted.iter().any(|(known, _)| known == number));
        for (number, marks) in adopted {
            let ledger = self.ledgers.get_mut(&number).ok_or_else(|| wrong("a ledger is gone".to_owned()))?;
            ledger.adopt(marks.log_start, marks.log_end);
            if let Some(log) = opened.node.dirs.get(&ledger.name) {
                ledger.learn(&lock(&log));
            }
        }
        self.quorum.adopt(&opened.metadata);
        self.node = Some(opened.node);
        Ok(())
    }

    pub(super) fn clean_restart(&mut self) -> Done {
        let disk = self.disk.clone();
        let Some(node) = &mut self.node else { return Err(Stop::Off) };
        node.quorum.close().map_err(|fault| stop(&disk, fault))?;
        node.dirs.close(BrokerEpoch(7));
        self.check()?;
        // It has ended cleanly, so all of it is durable.
        self.quorum.closed();
        for ledger in self.ledgers.values_mut() {
            let end = ledger.end();
            ledger.acknowledge(end);
            ledger.start_min = ledger.start_max;
        }
        self.node = None;
        self.sound(inspect(&self.disk))?;
        self.start(Before::End)
    }
}
