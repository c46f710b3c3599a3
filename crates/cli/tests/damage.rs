//! What a node says at its start, and when it is asked, of directories that are not as it left them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod binary;
#[path = "../../broker/tests/raw/mod.rs"]
mod raw;

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use binary::{Running, headwater};
use protocol::ErrorCode;
use raw::Client;
use raw::batch::batch;
use rustix::process::Signal;

/// A segment of more than two of these is not read whole.
const BATCH: usize = 30_000;

/// The directory of a node that is not running.
struct Left {
    home: tempfile::TempDir,
}

impl Left {
    /// By a node that had these topics, of a few batches each, and was ended.
    fn with_topics(topics: &[&str]) -> Self {
        let left = Self { home: tempfile::tempdir().unwrap() };
        let node = Running::start(&left.words());
        let mut client = connect(&node);
        client.create(topics);
        for topic in topics {
            // So large that each is looked up by the index.
            for value in ["a", "b", "c"] {
                assert_eq!(client.produce(topic, 0, batch(&[&value.repeat(BATCH)])).error, 0);
            }
        }
        left.end(node);
        left
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.home.path().join(inside)
    }

    fn words(&self) -> [&str; 6] {
        let data = self.home.path().to_str().unwrap();
        ["--data", data, "--listen", "127.0.0.1:0", "--override", "headwater.http.listen="]
    }

    /// Ends the node; what it has said.
    fn end(&self, node: Running) -> String {
        let (code, _, said) = node.end(Signal::TERM);
        assert_eq!(code, Some(0), "{said}");
        assert!(self.path(".kafka_cleanshutdown").exists(), "{said}");
        said
    }
}

fn connect(node: &Running) -> Client {
    Client::connect(([127, 0, 0, 1], node.port().parse().unwrap()).into())
}

/// Flips a bit of a file.
fn rot(path: &Path, position: u64) {
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, position).unwrap();
    byte[0] ^= 4;
    file.write_all_at(&byte, position).unwrap();
}

/// The lines that say this.
fn lines<'s>(said: &'s str, this: &str) -> Vec<&'s str> {
    said.lines().filter(|line| line.contains(this)).collect()
}

#[test]
fn a_metadata_log_that_has_rotted_under_a_clean_end_is_refused_each_time() {
    let left = Left::with_topics(&["t"]);
    let log = left.path("__cluster_metadata-0/00000000000000000000.log");
    // Within the first batch, behind its header: all that was ever decided follows.
    rot(&log, 70);
    let mark = left.path(".kafka_cleanshutdown");
    for _ in 0..2 {
        let refused = headwater(&left.words());
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.err.contains(&format!("{} is corrupt at byte 0", log.display())), "{refused:?}");
        assert!(refused.err.contains("The node ended cleanly, so this has rotted"), "{refused:?}");
        assert!(refused.err.contains(&format!("remove {}", mark.display())), "{refused:?}");
        assert!(mark.exists(), "the next start would cut what this one has refused");
    }
    rot(&log, 70);
    let node = Running::start(&left.words());
    assert_eq!(connect(&node).fetch("t", 0, 2).2, ["c".repeat(BATCH)]);
    left.end(node);
}

#[test]
fn a_partition_whose_directory_was_taken_away_is_named() {
    let left = Left::with_topics(&["kept", "taken"]);
    let gone = "partitions that were here at the last end are gone";
    let said = left.end(Running::start(&left.words()));
    assert_eq!(lines(&said, gone), [""; 0]);
    std::fs::remove_dir_all(left.path("taken-0")).unwrap();
    let said = left.end(Running::start(&left.words()));
    let lines = lines(&said, gone);
    assert!(lines.len() == 1 && lines[0].contains("partition=taken-0 others=0"), "{said}");
}

#[test]
fn each_file_that_is_not_what_was_written_has_its_line_once() {
    let left = Left::with_topics(&["one", "other"]);
    for topic in ["one", "other"] {
        // The length of the first batch, by which the next would be found.
        rot(&left.path(&format!("{topic}-0/00000000000000000000.log")), 8);
    }
    let node = Running::start(&left.words());
    let mut client = connect(&node);
    for topic in ["one", "one", "other"] {
        assert_eq!(client.fetch(topic, 0, 0).0, i16::from(ErrorCode::CorruptMessage));
        assert_eq!(client.fetch(topic, 0, 2).2, ["c".repeat(BATCH)]);
    }
    let said = left.end(node);
    for topic in ["one", "other"] {
        let file = format!("{topic}-0/00000000000000000000.log");
        let lines = lines(&said, "a file is not what was written");
        assert_eq!(lines.iter().filter(|line| line.contains(&file)).count(), 1, "{said}");
    }
}
