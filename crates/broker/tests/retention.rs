//! Retention that takes nearly everything, all the time, under those who write and read: what a reader has not been told
//! is gone it gets, in order.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::sync::atomic::{AtomicI64, Ordering};

use protocol::ErrorCode;
use protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::{FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse, Message};
use protocol::records::batches::Batches;
use protocol::records::record::Records;
use raw::Client;
use raw::ask::fetch_request;
use raw::batch::batch;
use raw::node::start;

const WRITTEN: i64 = 1_500;
const VALUE: usize = 24 << 10;
/// All but the segment that is written to go at once; that is as small as Kafka lets it be.
const TINY: [(&str, &str); 4] = [
    ("log.segment.bytes", "1048576"),
    ("log.retention.bytes", "1"),
    ("log.initial.task.delay.ms", "0"),
    ("log.retention.check.interval.ms", "1"),
];

/// The record that belongs to an offset: it says which.
fn value(offset: i64) -> String {
    format!("{offset:0>VALUE$}")
}

fn log_start(client: &mut Client) -> i64 {
    let partition = ListOffsetsPartition { timestamp: -2, ..ListOffsetsPartition::default() };
    let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![partition].into() };
    let request =
        ListOffsetsRequest { replica_id: -1, topics: vec![topic].into(), ..ListOffsetsRequest::default() };
    let body = client.ask(&request, 7);
    let response = ListOffsetsResponse::decode(&body, 7).unwrap();
    let partition = response.topics.iter().next().unwrap().partitions.iter().next().unwrap();
    assert_eq!(partition.error_code, 0);
    partition.offset
}

/// One who reads in order, and goes on at the log start only where it is told that what it wants is gone.
struct Reader {
    client: Client,
    next: i64,
    bytes_max: i32,
    read: i64,
    /// How often it was told so.
    bereft: u32,
}

impl Reader {
    fn new(client: Client, bytes_max: i32) -> Self {
        Self { client, next: 0, bytes_max, read: 0, bereft: 0 }
    }

    /// Asks once. What comes is what it asked for and what follows on that.
    fn poll(&mut self) {
        let request = FetchRequest { max_bytes: self.bytes_max, ..fetch_request("t", 0, self.next, 10) };
        let body = self.client.ask(&request, 11);
        let response = FetchResponse::decode(&body, 11).unwrap();
        let partition = response.responses.iter().next().unwrap().partitions.iter().next().unwrap();
        if partition.error_code == i16::from(ErrorCode::OffsetOutOfRange) {
            let start = log_start(&mut self.client);
            assert!(start > self.next, "{} is said to be gone, and the log begins at {start}", self.next);
            (self.next, self.bereft) = (start, self.bereft + 1);
            return;
        }
        assert_eq!(partition.error_code, 0);
        for batch in Batches::new(partition.records.as_deref().unwrap_or_default()) {
            batch.verify_crc().unwrap();
            assert_eq!(batch.header.base_offset.0, self.next, "a hole that nobody was told of");
            for record in Records::new(batch.payload(), batch.header.count) {
                assert_eq!(record.unwrap().value.unwrap(), value(self.next).as_bytes());
                (self.next, self.read) = (self.next + 1, self.read + 1);
            }
        }
    }
}

#[test]
fn readers_under_tiny_retention_miss_only_what_they_are_told_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &TINY);
    node.connect().create(&["t"]);
    let written = AtomicI64::new(0);
    std::thread::scope(|scope| {
        let (node, written) = (&node, &written);
        let is_over = || written.load(Ordering::SeqCst) == WRITTEN;
        scope.spawn(move || {
            let mut client = node.connect();
            for offset in 0..WRITTEN {
                let produced = client.produce("t", 0, batch(&[&value(offset)]));
                assert_eq!((produced.error, produced.base_offset), (0, offset));
                written.store(offset + 1, Ordering::SeqCst);
            }
        });
        for bytes_max in [1, 100 << 10, 1 << 20] {
            scope.spawn(move || {
                let mut reader = Reader::new(node.connect(), bytes_max);
                while reader.next < WRITTEN {
                    reader.poll();
                }
                assert!(reader.read > 0 && reader.next == WRITTEN);
            });
        }
        // One that comes back only when what it wants has gone.
        scope.spawn(move || {
            let mut reader = Reader::new(node.connect(), 100 << 10);
            while !is_over() {
                if log_start(&mut reader.client) <= reader.next {
                    std::thread::yield_now();
                    continue;
                }
                let gone = reader.bereft;
                reader.poll();
                assert_eq!(reader.bereft, gone + 1, "nobody told it that {} is gone", reader.next);
                reader.poll();
            }
            while reader.next < WRITTEN {
                reader.poll();
            }
            println!("{} records were read, {} times they were gone", reader.read, reader.bereft);
            assert!(reader.bereft > 5, "{} times", reader.bereft);
        });
    });
    // Nothing of it comes back, and nothing else goes.
    let start_before = log_start(&mut node.connect());
    node.stop();
    let node = start(directory.path(), &TINY);
    let mut reader = Reader::new(node.connect(), 1 << 20);
    reader.poll();
    assert!(reader.bereft == 1 && reader.next >= start_before, "{} before {start_before}", reader.next);
    while reader.next < WRITTEN {
        reader.poll();
    }
}
