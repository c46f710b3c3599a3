//! Readers that tell what they saw: one that reads along while the broker dies and comes back, and those that read everything
//! at the end.
//!
//! Only a broker that has gone away, or is only beginning, is asked again. What was received and is wrong, a checksum, half a
//! batch, a value that nobody wrote, ends the run: asked again it might be right, and nobody would know.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use conformance::connection::{Connection, Gone};
use conformance::partition_client::{Isolation, Read, fetch_some, log_start, read};
use conformance::patience::{PATIENCE, asks_again};
use protocol::error_code::ErrorCode;
use sim::history::{Action, Outcome, Process};

use crate::kill::story::{Partition, Story, value};

/// Where there is nothing new.
const PAUSE: Duration = Duration::from_millis(10);
/// Less than the timeout of a transaction, which is not to be what ends one.
const HELD_BACK_AT_MOST: Duration = Duration::from_secs(30);

/// Reads partitions along, each from where it was, until it is over.
pub fn follow(
    address: SocketAddr,
    story: &Story,
    over: &dyn Fn() -> bool,
    (partitions, isolation): (&[Partition], Isolation),
) -> Result<()> {
    let mut reader = Reader { story, isolation, process: story.process(), connection: None };
    let mut next = vec![0; partitions.len()];
    while !over() {
        std::thread::sleep(PAUSE);
        for (partition, next) in partitions.iter().zip(&mut next) {
            match reader.poll(address, partition, next) {
                Err(error) if Gone::is(&error) => reader.connection = None,
                told => told.with_context(|| format!("{}-{}", partition.topic, partition.index))?,
            }
        }
    }
    Ok(())
}

struct Reader<'s> {
    story: &'s Story,
    isolation: Isolation,
    process: Process,
    connection: Option<Connection>,
}

impl Reader<'_> {
    /// Reads once from `next` on and tells of it.
    fn poll(&mut self, address: SocketAddr, partition: &Partition, next: &mut i64) -> Result<()> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(Connection::open(address)?),
        };
        let (began, mut records) = (self.story.now(), Vec::new());
        let fetched = fetch_some(connection, place(partition), (&mut *next, self.isolation), &mut records)?;
        match fetched.said {
            ErrorCode::OffsetOutOfRange => return self.seek(partition, next),
            ErrorCode::None => {}
            code => ensure!(asks_again(i16::from(code)), "reading from offset {next} gives {}", code.name()),
        }
        if !records.is_empty() {
            let reads = reads(partition, &records, self.isolation)?;
            self.story.tell(self.process, began, Outcome::Ok, reads);
        }
        Ok(())
    }

    /// Goes on at the log start, where what was wanted is deleted.
    fn seek(&mut self, partition: &Partition, next: &mut i64) -> Result<()> {
        let connection = self.connection.as_mut().context(Gone)?;
        match log_start(connection, place(partition))? {
            Ok(start) => {
                // Only forward: a reader that finds itself behind the end must not quietly begin again.
                ensure!(start > *next, "offset {next} is out of range, and the log begins at {start}");
                *next = start;
                let seek = vec![Action::Seek { key: partition.key }];
                self.story.tell(self.process, self.story.now(), Outcome::Ok, seek);
            }
            Err(code) => ensure!(asks_again(i16::from(code)), "where it begins gives {}", code.name()),
        }
        Ok(())
    }
}

/// Reads a partition from its start to its end, once nothing of it is held back any longer, and tells of it.
pub fn read_to_the_end(
    address: SocketAddr,
    story: &Story,
    partition: &Partition,
    isolation: Isolation,
) -> Result<()> {
    let name = format!("{}-{}", partition.topic, partition.index);
    let begun = Instant::now();
    loop {
        let (process, began) = (story.process(), story.now());
        let (again, at_most) = match read(address, place(partition), isolation) {
            Ok(contents) if contents.end == contents.high_watermark => {
                let reads = reads(partition, &contents.records, isolation).context(name)?;
                story.tell(process, began, Outcome::Ok, reads);
                return Ok(());
            }
            // The markers of a transaction may still be on their way.
            Ok(contents) => {
                (format!("held back at {} of {}", contents.end, contents.high_watermark), HELD_BACK_AT_MOST)
            }
            Err(error) if Gone::is(&error) => (format!("{error:#}"), PATIENCE),
            Err(error) => return Err(error.context(name)),
        };
        ensure!(begun.elapsed() < at_most, "{name}: {again} after {at_most:?}");
        std::thread::sleep(PAUSE);
    }
}

fn place(partition: &Partition) -> (&str, i32) {
    (&partition.topic, partition.index)
}

fn reads(partition: &Partition, records: &[Read], isolation: Isolation) -> Result<Vec<Action>> {
    let told = |record: &Read| {
        // Where somebody reads what is committed, nobody writes outside of a transaction.
        let whole = record.transactional || isolation == Isolation::Uncommitted;
        ensure!(whole, "a record at {} that is part of no transaction", record.offset);
        let value = value(record.value.as_deref()).with_context(|| format!("offset {}", record.offset))?;
        Ok(Action::Read { key: partition.key, value, offset: record.offset })
    };
    records.iter().map(told).collect()
}
