//! Files that nobody should pass: the same examination by kafka-dump-log that reads ours has to hear what it says of these.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use protocol::id::Timestamp;
use protocol::records::build::{BatchBuilder, BatchOptions};

use super::dump::{KINDS, complaints};

/// When every record here was written.
const WRITTEN: Timestamp = Timestamp(1_700_000_000_000);
/// The key of an offset that was committed: type 1, a group, a topic, a partition.
const OFFSET_KEY: &[u8] = b"\0\x01\0\x01g\0\x01t\0\0\0\0";
/// That of a transactional id: type 0.
const TRANSACTION_KEY: &[u8] = b"\0\0\0\x01i";
/// A version that no record has.
const UNKNOWN_VERSION: &[u8] = b"\0\x63";

/// How files are to be read, what is to be said of them, and their endings and bytes.
type Planted<'p> = (&'p str, &'p str, Vec<(&'p str, Vec<u8>)>);

/// Has each kind of damage read; an error if one is not heard.
pub fn is_heard(directory: &Path) -> Result<usize> {
    let [metadata, offsets, transactions, others] = KINDS.map(|(_, option)| option);
    let odd_value = |key| record(Some(key), UNKNOWN_VERSION);
    let whole = || record(None, b"value");
    let torn = [whole(), whole()[..20].to_vec()].concat();
    let mut flipped = whole();
    // The last byte of the value; behind it is the number of headers.
    let at = flipped.len() - 2;
    flipped[at] ^= 1;
    // A batch at offset 0, and an index that sends readers of another one there.
    let far_time = [&(WRITTEN.0 + 9).to_be_bytes()[..], &7i32.to_be_bytes()].concat();
    let far_offset = [0, 0, 0, 7, 0, 0, 0, 0];
    let log = |bytes| ("log", bytes);
    let planted: [Planted<'_>; 9] = [
        (metadata, "Error at 0, skipping.", vec![log(record(None, b"\x01\x02\x63"))]),
        (offsets, "Error at offset 0, skipping.", vec![log(odd_value(OFFSET_KEY))]),
        (offsets, "Unknown record type 99 at offset 0", vec![log(odd_value(UNKNOWN_VERSION))]),
        (transactions, "Error at offset 0, skipping.", vec![log(odd_value(TRANSACTION_KEY))]),
        (others, "Found 20 invalid bytes at the end of", vec![log(torn)]),
        (others, "isvalid: false", vec![log(flipped)]),
        (others, "are not found in", vec![log(whole()), ("index", vec![0; 8]), ("timeindex", far_time)]),
        (others, "Mismatches in", vec![log(whole()), ("index", far_offset.to_vec())]),
        (others, "Snapshot is corrupt", vec![("snapshot", b"\0\x01\0\0\0\0\0\0\0\0".to_vec())]),
    ];
    let mut of_kind = KINDS.map(|(_, option)| (option, Vec::new(), Vec::new()));
    let count = planted.len();
    for (number, (option, wanted, files)) in planted.into_iter().enumerate() {
        let (_, paths, expected) =
            of_kind.iter_mut().find(|(kind, ..)| *kind == option).context("one of the kinds")?;
        paths.extend(write(&directory.join(format!("damaged-{number}")), &files)?);
        expected.push(wanted);
    }
    for (option, files, expected) in of_kind {
        let heard = complaints(&files, option)?;
        for wanted in expected {
            ensure!(
                heard.iter().any(|line| line.contains(wanted)),
                "kafka-dump-log {option} was to say '{wanted}' of what is damaged on purpose; heard was {heard:?}"
            );
        }
    }
    Ok(count)
}

/// The log of one record at offset 0.
fn record(key: Option<&[u8]>, value: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.push(WRITTEN, key, Some(value), &[]);
    builder.finish_uncompressed()
}

fn write(directory: &Path, files: &[(&str, Vec<u8>)]) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(directory)?;
    let mut paths = Vec::new();
    for (ending, bytes) in files {
        let path = directory.join(format!("{:020}.{ending}", 0));
        std::fs::write(&path, bytes)?;
        paths.push(path);
    }
    Ok(paths)
}
