//! Reading on the thread of a log directory that does not keep up (ADR 0013).
//!
//! Who holds memory that all share waits for that thread as long as for any disk, and no longer: then the answer has nothing
//! yet, and the reader asks again. What it leaves behind with a thread that hangs is little, and there are turns for it.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::id::DirectoryId;

use super::read::{PartitionRead, Reading};
use super::{Fetch, WAIT_DISK_MAX};
use crate::net::{Close, Outbound};
use crate::runtime::cold_reads::within;
use crate::runtime::fetch_sessions::Context;
use crate::runtime::request_memory::Drawn;

/// A fetch that has waited too long.
pub struct Late(Arc<Fetch>);

/// What a fetch has read, or that it is late.
pub type Read = Result<(Fetch, Reading), Late>;

impl Fetch {
    /// Reads on the thread of a directory.
    pub async fn read_on(self, directory: DirectoryId, drawn: &Drawn) -> Result<Read, Close> {
        let broker = self.broker.clone();
        if drawn.is_none() {
            let read = broker.slow_lanes.run(directory, move || {
                let reading = self.read();
                (self, reading)
            });
            return read.await.map(Ok);
        }
        let fetch = Arc::new(self);
        let waits = Arc::downgrade(&fetch);
        let read = async {
            let turn = broker.slow_reads.wait(directory, WAIT_DISK_MAX).await.ok()?;
            let read = broker.slow_lanes.run(directory, move || {
                // Nobody is waited for who has been answered meanwhile.
                let reading = waits.upgrade().map(|fetch| fetch.read());
                drop(turn);
                reading
            });
            Some(read.await)
        };
        let Some(read) = within(Some(WAIT_DISK_MAX), read).await.flatten() else {
            return Ok(Err(Late(fetch)));
        };
        let reading = read?;
        Ok(match (Arc::try_unwrap(fetch), reading) {
            (Ok(fetch), Some(reading)) => Ok((fetch, reading)),
            (Ok(fetch), None) => Err(Late(Arc::new(fetch))),
            (Err(fetch), _) => Err(Late(fetch)),
        })
    }
}

impl Late {
    /// Answers with nothing yet; a session hears only of what is news.
    pub fn answer(self, drawn: Drawn) -> Result<Outbound, Close> {
        let Self(fetch) = self;
        let mut reading = Reading::new(0);
        if !matches!(fetch.context, Context::Incremental(..)) {
            let nothing = |wanted: &_| PartitionRead::unknown(Clone::clone(wanted), ErrorCode::None);
            reading.partitions.extend(fetch.wanted.iter().map(nothing));
        }
        let mut out = Outbound::default();
        let written = fetch.answer(reading, drawn, &mut out);
        fetch.broker.metrics.requests.note(fetch.asked.api as i16, fetch.asked.at.elapsed());
        written.map(|()| out)
    }
}
