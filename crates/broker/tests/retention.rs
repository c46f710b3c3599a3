//! Retention that takes nearly everything, all the time, under those who write and read: what a reader has not been told
//! is gone it gets, in order.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use protocol::ErrorCode;
use protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::{FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse, Message};
use protocol::records::batches::Batches;
use protocol::records::record::Records;
use raw::Client;
use raw::ask::fetch_request;
use raw::batch::batch;
use raw::node::start;

/// So many are written at least, and more until one who comes back seldom has been told so often that what it wants is gone.
const WRITTEN: i64 = 1_500;
const BEREFT: u32 = 6;
const PATIENCE: Duration = Duration::from_secs(120);
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

/// How far those who write and read have come.
#[derive(Default)]
struct Story {
    written: AtomicI64,
    bereft: AtomicU32,
    is_over: AtomicBool,
}

/// Nothing more is written, even if the writer panics.
struct Over<'s>(&'s Story);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
    }
}

impl Story {
    fn write(&self, client: &mut Client) {
        let _over = Over(self);
        let begun = Instant::now();
        let mut offset = 0;
        while offset < WRITTEN || self.bereft.load(Ordering::SeqCst) < BEREFT {
            assert!(begun.elapsed() < PATIENCE, "nothing goes, or nobody is told");
            let produced = client.produce("t", 0, batch(&[&value(offset)]));
            assert_eq!((produced.error, produced.base_offset), (0, offset));
            offset += 1;
            self.written.store(offset, Ordering::SeqCst);
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Reads on to the end.
    fn read(&self, reader: &mut Reader) {
        while !self.is_over() || reader.next < self.written.load(Ordering::SeqCst) {
            reader.poll();
        }
    }
}

#[test]
fn readers_under_tiny_retention_miss_only_what_they_are_told_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &TINY);
    node.connect().create(&["t"]);
    let story = Story::default();
    std::thread::scope(|scope| {
        let (node, story) = (&node, &story);
        scope.spawn(move || story.write(&mut node.connect()));
        for bytes_max in [1, 100 << 10, 1 << 20] {
            scope.spawn(move || {
                let mut reader = Reader::new(node.connect(), bytes_max);
                story.read(&mut reader);
                assert!(reader.read > 0);
            });
        }
        // One that comes back only when what it wants has gone.
        scope.spawn(move || {
            let mut reader = Reader::new(node.connect(), 100 << 10);
            while !story.is_over() {
                if log_start(&mut reader.client) <= reader.next {
                    std::thread::yield_now();
                    continue;
                }
                let gone = reader.bereft;
                reader.poll();
                assert_eq!(reader.bereft, gone + 1, "nobody told it that {} is gone", reader.next);
                story.bereft.store(reader.bereft, Ordering::SeqCst);
                reader.poll();
            }
            story.read(&mut reader);
            println!("{} records were read, {} times they were gone", reader.read, reader.bereft);
        });
    });
    let written = story.written.load(Ordering::SeqCst);
    // Nothing of it comes back, and nothing else goes.
    let start_before = log_start(&mut node.connect());
    node.stop();
    let node = start(directory.path(), &TINY);
    let mut reader = Reader::new(node.connect(), 1 << 20);
    reader.poll();
    assert!(reader.bereft == 1 && reader.next >= start_before, "{} before {start_before}", reader.next);
    while reader.next < written {
        reader.poll();
    }
}
