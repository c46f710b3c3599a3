//! An idempotent producer that crosses from leg to leg: what it sent last is known to the next broker as sent already, what
//! it sends next goes on, and a gap in its sequences is refused.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use conformance::connection::Connection;
use conformance::partition_client::{produce, produce_until_done};
use conformance::patience::PATIENCE;
use protocol::error_code::ErrorCode;
use protocol::id::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::records::build::{BatchBuilder, BatchOptions};

/// Where it writes.
const PLACE: (&str, i32) = ("plain", 2);
/// An id that no coordinator gives out in this journey.
const PRODUCER: ProducerId = ProducerId(7_000_000);

/// The last batch of the producer, and where it lies.
#[derive(Default)]
pub struct Repeated {
    sequence: i32,
    last: Option<(Vec<u8>, i64)>,
}

impl Repeated {
    /// Repeats the last batch, sends one too far ahead, and then the next.
    pub fn go_on(&mut self, address: SocketAddr) -> Result<()> {
        if let Some((batch, offset)) = &self.last {
            let again = produce_until_done(address, PLACE, batch, PATIENCE)?;
            ensure!(again == *offset, "a batch at offset {offset} was sent again and lies at {again} now");
            let ahead = produce(&mut Connection::open(address)?, PLACE, &batch_of(self.sequence + 5))?;
            ensure!(ahead.error == ErrorCode::OutOfOrderSequenceNumber, "a gap is answered with {ahead:?}");
        }
        let next = batch_of(self.sequence);
        let offset = produce_until_done(address, PLACE, &next, PATIENCE)?;
        self.sequence += 1;
        self.last = Some((next, offset));
        Ok(())
    }
}

fn batch_of(sequence: i32) -> Vec<u8> {
    let producer = (PRODUCER, ProducerEpoch(0), Sequence(sequence));
    let mut builder = BatchBuilder::new(BatchOptions { producer, ..BatchOptions::default() });
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    builder.push(Timestamp(i64::try_from(now.as_millis()).unwrap_or(0)), None, Some(b"numbered"), &[]);
    builder.finish_uncompressed()
}
