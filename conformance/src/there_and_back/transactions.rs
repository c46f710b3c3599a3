//! Transactions of each leg: one committed, one aborted, one that the next leg's broker must find open and end for the
//! producer that began it, and one whose producer comes back and so aborts it.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use conformance::transactional_producer::{Place, TransactionalProducer};
use protocol::id::Timestamp;
use protocol::records::compression::Codec;

use super::{PARTITIONS, groups};

/// The topic they write to.
pub const TOPIC: &str = "transacted";

/// What has been left open.
#[derive(Default)]
pub struct Transactions {
    open: Option<TransactionalProducer>,
}

impl Transactions {
    /// Ends what is open and goes through those of this leg.
    pub fn go_on(&mut self, address: SocketAddr, leg: u8) -> Result<()> {
        if let Some(mut open) = self.open.take() {
            let told = open.describe(address)?;
            let ongoing = told["TransactionState"] == "Ongoing" && told["ProducerId"] == open.id().0;
            ensure!(ongoing, "the transaction that was left open is shown as {told}");
            // Its sequences go on where they were.
            send(&mut open, address, (leg, "left open"), 0)?;
            open.end(address, leg.is_multiple_of(4))?;
        }
        let mut producer = TransactionalProducer::begin(address, "payments")?;
        for (what, commits) in [("committed", true), ("aborted", false)] {
            for partition in 0..PARTITIONS {
                send(&mut producer, address, (leg, what), partition)?;
            }
            let offset = i64::from(leg) * 10 + i64::from(!commits);
            producer.send_offset(address, groups::IN_TRANSACTIONS, &place(1), offset)?;
            producer.end(address, commits)?;
        }
        let mut abandoned = TransactionalProducer::begin(address, "abandoned")?;
        send(&mut abandoned, address, (leg, "abandoned"), 1)?;
        let mut open = TransactionalProducer::begin(address, &format!("left-open-{leg}"))?;
        send(&mut open, address, (leg, "left open"), 0)?;
        send(&mut open, address, (leg, "left open"), 2)?;
        open.send_offset(address, groups::PENDING, &place(0), i64::from(leg))?;
        self.open = Some(open);
        Ok(())
    }
}

fn place(partition: i32) -> Place {
    (TOPIC.to_owned(), partition)
}

fn send(
    producer: &mut TransactionalProducer,
    address: SocketAddr,
    (leg, what): (u8, &str),
    partition: i32,
) -> Result<()> {
    let place = place(partition);
    let mut options = producer.options(&place);
    options.compression = Codec::ALL[usize::from(leg) % Codec::ALL.len()].into();
    let now = i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis())?;
    producer.send(address, &place, options, |builder| {
        for key in 0..3 {
            let value = format!("{what} in leg {leg}");
            builder.push(Timestamp(now), Some(format!("key-{key}").as_bytes()), Some(value.as_bytes()), &[]);
        }
        3
    })?;
    Ok(())
}
