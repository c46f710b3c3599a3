//! Reading on the thread of a log directory that does not keep up (ADR 0013).
//!
//! Who holds memory that all share waits for that thread as long as for any disk, and no longer: then it is answered with what
//! lies in directories that do keep up, and asks again for the rest. What it leaves behind with a thread that hangs is little,
//! and there are turns for it.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::id::DirectoryId;

use super::read::{PartitionRead, Reading, find};
use super::{Fetch, WAIT_DISK_MAX};
use crate::net::Close;
use crate::runtime::cold_reads::within;
use crate::runtime::fetch_sessions::{Context, Wanted};
use crate::runtime::partitions::Replica;
use crate::runtime::request_memory::Drawn;

impl Fetch {
    /// A directory that does not keep up, if one is to be read.
    pub fn slow_directory(&self) -> Option<DirectoryId> {
        if !self.broker.may_stall() {
            return None;
        }
        self.wanted.iter().find_map(|wanted| Some(self.stalling(wanted)?.directory().id()))
    }

    /// The replica of a partition if to read it may be to wait.
    fn stalling(&self, wanted: &Wanted) -> Option<Arc<Replica>> {
        let topic = find(&self.broker, &wanted.key.topic)?;
        topic.get(wanted.key.partition).filter(|replica| replica.may_stall()).cloned()
    }

    /// Reads on the thread of a directory, or in time what there is elsewhere.
    pub async fn read_on(self: &Arc<Self>, directory: DirectoryId, drawn: &Drawn) -> Result<Reading, Close> {
        let patience = drawn.is_some().then_some(WAIT_DISK_MAX);
        let read = async {
            let turn = if drawn.is_some() { self.broker.slow_reads.turn(directory).await } else { None };
            // Nobody is read for who has been answered meanwhile.
            let waiting = Arc::new(self.clone());
            let waits = Arc::downgrade(&waiting);
            let read = self.broker.slow_lanes.run(directory, move || {
                let reading = waits.upgrade().map(|fetch| fetch.read());
                drop(turn);
                reading
            });
            let read = read.await;
            drop(waiting);
            read
        };
        match within(patience, read).await {
            Some(read) => read?.ok_or(Close::Unfinished),
            None => Ok(self.read_elsewhere()),
        }
    }

    /// Reads what lies in directories that keep up. Of the rest a session hears nothing, and who has none that there is
    /// nothing yet.
    fn read_elsewhere(&self) -> Reading {
        let mut reading = Reading::new(self.limits.bytes_max);
        let told_news_only = matches!(self.context, Context::Incremental(..));
        for wanted in &self.wanted {
            match self.stalling(wanted) {
                None => reading.partition(&self.broker, &self.limits, wanted),
                Some(_) if told_news_only => {}
                Some(replica) => reading.partitions.push(nothing_yet(wanted.clone(), &replica)),
            }
        }
        // It has waited long enough.
        reading.urgent = true;
        reading
    }
}

/// No records, with the watermarks as far as they are known without the disk.
///
/// deviation: the high watermark of a log that is waiting for its disk is told as -1.
fn nothing_yet(wanted: Wanted, replica: &Replica) -> PartitionRead {
    let mut read = PartitionRead::unknown(wanted, ErrorCode::None);
    if let Some(Ok(log)) = replica.log_if_free() {
        let (marks, answer) = (log.partition().watermarks(), &mut read.answer);
        (answer.high_watermark, answer.log_start_offset) = (marks.high_watermark, marks.log_start);
        answer.last_stable_offset = log.partition().last_stable_offset();
    }
    read
}
