//! Bytes of a log that changed on the disk: they are found when they are read, told of, and not sent.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::os::unix::fs::FileExt;
use std::path::Path;

use protocol::ErrorCode;
use raw::batch::batch;
use raw::node::start;

/// Flips a bit of a log file.
fn rot(directory: &Path, position: u64) {
    let path = directory.join("t-0/00000000000000000000.log");
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, position).unwrap();
    byte[0] ^= 4;
    file.write_all_at(&byte, position).unwrap();
}

fn written(directory: &Path) -> u64 {
    let node = start(directory, &[]);
    let mut client = node.connect();
    client.create(&["t"]);
    for value in ["one", "two", "three"] {
        assert_eq!(client.produce("t", 0, batch(&[value])).error, 0);
    }
    node.stop();
    batch(&["one"]).len() as u64
}

#[test]
fn rot_under_a_clean_end_is_answered_with_corrupt_message_and_what_is_good_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let size = written(directory.path());
    rot(directory.path(), size + 70);
    let node = start(directory.path(), &[]);
    let mut client = node.connect();
    let corrupt = i16::from(ErrorCode::CorruptMessage);
    for _ in 0..2 {
        assert_eq!(client.fetch("t", 0, 0), (0, 3, vec!["one".to_owned()]));
        assert_eq!(client.fetch("t", 0, 1).0, corrupt);
        assert_eq!(client.fetch("t", 0, 2), (0, 3, vec!["three".to_owned()]));
    }
    assert_eq!(node.node().broker().metrics.corruption.count(), 1);
    assert_eq!(client.produce("t", 0, batch(&["four"])).base_offset, 3);
    assert_eq!(client.fetch("t", 0, 3).2, ["four"]);
}

#[test]
fn rot_while_the_node_runs_is_found_where_every_read_is_checked() {
    let directory = tempfile::tempdir().unwrap();
    let size = written(directory.path());
    let node = start(directory.path(), &[("headwater.fetch.check", "always")]);
    let mut client = node.connect();
    assert_eq!(client.fetch("t", 0, 0).2, ["one", "two", "three"]);
    rot(directory.path(), size + 70);
    assert_eq!(client.fetch("t", 0, 0).2, ["one"]);
    assert_eq!(client.fetch("t", 0, 1).0, i16::from(ErrorCode::CorruptMessage));
}

#[test]
fn nothing_is_checked_where_that_is_turned_off() {
    let directory = tempfile::tempdir().unwrap();
    let size = written(directory.path());
    rot(directory.path(), size + 70);
    let node = start(directory.path(), &[("headwater.fetch.check", "off")]);
    let fetched = node.connect().ask(&raw::ask::fetch_request("t", 0, 0, 0), 11);
    assert!(fetched.len() > 3 * usize::try_from(size).unwrap(), "all of it is sent, as by Kafka");
}

/// The second of its batches, as large as one that the index names, has rotted in its header.
#[test]
fn a_broken_header_hides_no_other_batch_and_nobody_is_sent_on_behind_its_segment() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [("log.segment.bytes", "1048576")];
    let value = |number: i64| format!("{number:08000}");
    let size = batch(&[&value(0)]).len() as u64;
    let node = start(directory.path(), &settings);
    let mut client = node.connect();
    client.create(&["t"]);
    for number in 0..200 {
        assert_eq!(client.produce("t", 0, batch(&[&value(number)])).error, 0);
    }
    node.stop();
    let zeros = [0; 61];
    let path = directory.path().join("t-0/00000000000000000000.log");
    let segment = std::fs::metadata(&path).unwrap().len() / size;
    assert!((100..200).contains(&segment), "two segments");
    std::fs::File::options().write(true).open(path).unwrap().write_all_at(&zeros, 50 * size).unwrap();
    let node = start(directory.path(), &settings);
    let mut client = node.connect();
    let mut fetch = |offset| {
        let (error, _, values) = client.fetch("t", 0, offset);
        (error, values.iter().map(|value| value.parse().unwrap()).collect::<Vec<i64>>())
    };
    for _ in 0..3 {
        assert_eq!(fetch(51).1.first(), Some(&51));
        assert_eq!(fetch(50), (i16::from(ErrorCode::CorruptMessage), vec![]));
        assert_eq!(fetch(49), (0, vec![49]));
        assert_eq!(fetch(0), (0, (0..50).collect()));
        assert_eq!(fetch(199), (0, vec![199]));
    }
}
