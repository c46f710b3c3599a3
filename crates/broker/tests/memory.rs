//! What bad input may cost in memory. One test, so that nothing else in the process is measured.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::io::Write;

use protocol::records::batch::{Attributes, BATCH_OVERHEAD, BatchHeader, seal};
use protocol::records::compression::Codec;
use raw::batch::batch;
use raw::node::{TestNode, start};

/// Kilobytes of memory that are this process's own.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// How much memory has grown while something was done.
fn growth(what: impl FnOnce()) -> i64 {
    let before = resident();
    what();
    resident() - before
}

#[test]
fn memory_follows_what_was_received_and_never_what_was_announced() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut client = node.connect();
    client.create(&["t"]);
    client.produce("t", 0, batch(&["kept"]));

    let mut held = Vec::new();
    let announced = growth(|| {
        for _ in 0..40 {
            let mut liar = node.connect();
            liar.send(&[&(100u32 << 20).to_be_bytes()[..], &[0, 0, 0, 9, 0, 0, 0, 7]].concat());
            held.push(liar);
        }
        settle(&node);
    });
    assert!(announced < 40 * 64, "forty frames of twelve bytes that claim 100 MiB took {announced} KiB");

    let idle = growth(|| {
        for _ in 0..400 {
            held.push(node.connect());
        }
        settle(&node);
    });
    assert!(idle < 400 * 8, "400 idle connections took {idle} KiB");

    let mut partial = node.connect();
    let growing = growth(|| {
        partial.send(&(16u32 << 20).to_be_bytes());
        partial.stream().write_all(&vec![1; 8 << 20]).unwrap();
        settle(&node);
    });
    assert!(growing < 4 * (8 << 10) + 64, "half of a frame of 16 MiB took {growing} KiB");
    drop(partial);

    let bomb = bomb(64 << 20);
    assert!(bomb.len() < 200_000);
    let inflated = growth(|| {
        client.produce("t", 0, bomb);
    });
    assert!(inflated < 8 << 10, "a batch that inflates to 64 MiB took {inflated} KiB");
    drop(held);
    assert_eq!(node.connect().produce("t", 0, batch(&["after"])).error, 0);
}

/// Waits until the node has served everything that was sent before.
fn settle(node: &TestNode) {
    for _ in 0..3 {
        node.connect().fetch("t", 0, 0);
    }
}

/// A gzip batch of one record of so many zeros.
fn bomb(zeros: usize) -> Vec<u8> {
    let plain = batch(&[&"\0".repeat(zeros)]);
    let header = BatchHeader::parse(&plain).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&plain[BATCH_OVERHEAD..]).unwrap();
    let payload = gzip.finish().unwrap();
    let header = BatchHeader {
        length: (BATCH_OVERHEAD - 12 + payload.len()) as u32,
        attributes: Attributes::default().with_codec(Codec::Gzip),
        ..header
    };
    let mut bytes = header.write().to_vec();
    bytes.extend_from_slice(&payload);
    seal(&mut bytes);
    bytes
}
