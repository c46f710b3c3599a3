//! Batches to produce.

use protocol::id::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::records::build::{BatchBuilder, BatchOptions};

/// A batch of records with these values.
pub fn batch(values: &[&str]) -> Vec<u8> {
    build(BatchOptions::default(), values)
}

/// A batch of a producer.
pub fn of_producer((id, epoch, sequence): (i64, i16, i32), values: &[&str]) -> Vec<u8> {
    let producer = (ProducerId(id), ProducerEpoch(epoch), Sequence(sequence));
    let options = BatchOptions { producer, ..BatchOptions::default() };
    build(options, values)
}

fn build(options: BatchOptions, values: &[&str]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options);
    for value in values {
        builder.push(now(), None, Some(value.as_bytes()), &[]);
    }
    builder.finish_uncompressed()
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(since.as_millis() as i64)
}
