//! Apache Kafka's kafka-dump-log over every file of log directories.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use conformance::broker_process::repository;

/// What it says when something is wrong, in the words of the release that `tools.xml` names. It ends well all the same.
const COMPLAINTS: [&str; 13] = [
    // Of a log: a batch whose checksum is another, and bytes behind the last one.
    "isvalid: false",
    "isValid: false",
    "invalid bytes at the end of",
    // Of the records in it: bytes, versions and types that its decoders do not know.
    ", skipping.",
    "Unknown control type",
    // Of an index: a place where there is no such batch, a time that is not that of the log.
    "Mismatches in",
    "are not found in",
    "timestamp mismatch in",
    "out of order",
    // Of a producer snapshot.
    "Snapshot is corrupt",
    "Snapshot failed schema validation",
    "Snapshot contained an unknown file version",
    "Exception",
];

/// Reads all files of partitions and of the metadata log.
pub fn all(directories: &[PathBuf]) -> Result<Dumped> {
    let mut kinds = KINDS.map(|(prefix, option)| (prefix, option, Vec::new()));
    for directory in directories {
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let kind = kinds.iter_mut().find(|(prefix, ..)| name.starts_with(prefix));
                collect(&path, &mut kind.context("every name starts with nothing")?.2)?;
            }
        }
    }
    let mut dumped = Dumped::default();
    for (prefix, option, files) in &kinds {
        let (snapshots, logs): (Vec<_>, Vec<_>) =
            files.iter().cloned().partition(|path| path.extension().is_some_and(|end| end == "checkpoint"));
        ensure!(!logs.is_empty() || prefix.starts_with(TRANSACTIONS), "there is no file of {prefix}");
        for files in [logs, snapshots].iter().filter(|files| !files.is_empty()) {
            dump(files, option)?;
        }
        dumped.files += files.len();
        let filled = |ending: &str| {
            let of_kind = files.iter().filter(|path| path.extension().is_some_and(|end| end == ending));
            of_kind.filter(|path| path.metadata().is_ok_and(|facts| facts.len() > 0)).count()
        };
        dumped.transaction_indexes += filled("txnindex");
        dumped.producer_snapshots += filled("snapshot");
    }
    Ok(dumped)
}

/// Reads all files of partition 0 of these topics; says how many.
pub fn partitions(directory: &Path, topics: &[&str]) -> Result<usize> {
    let mut files = Vec::new();
    for topic in topics {
        collect(&directory.join(format!("{topic}-0")), &mut files)?;
    }
    dump(&files, "--deep-iteration")?;
    Ok(files.len())
}

/// The log that transactions are written down in.
const TRANSACTIONS: &str = "__transaction_state";
/// How directories begin, and what is told to the tool about what is in them.
pub const KINDS: [(&str, &str); 4] = [
    ("__cluster_metadata-", "--cluster-metadata-decoder"),
    ("__consumer_offsets-", "--offsets-decoder"),
    (TRANSACTIONS, "--transaction-log-decoder"),
    ("", "--deep-iteration"),
];

/// How many files were read.
#[derive(Default)]
pub struct Dumped {
    /// All of them.
    pub files: usize,
    /// The transaction indexes that hold something.
    pub transaction_indexes: usize,
    /// The producer snapshots that hold something.
    pub producer_snapshots: usize,
}

fn collect(directory: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let known = ["log", "index", "timeindex", "txnindex", "snapshot", "checkpoint"];
        if path.extension().is_some_and(|end| known.iter().any(|known| end == *known)) {
            into.push(path);
        }
    }
    Ok(())
}

/// What one argument of the tool may hold: Linux takes no argument above 128 KiB (`MAX_ARG_STRLEN`).
const NAMES_BYTES: usize = 64 << 10;

fn dump(files: &[PathBuf], option: &str) -> Result<()> {
    let complaints = complaints(files, option)?;
    let first = complaints.first().map(String::as_str);
    ensure!(complaints.is_empty(), "kafka-dump-log complains: {}", first.unwrap_or_default());
    Ok(())
}

/// What it complains of in these files.
pub fn complaints(files: &[PathBuf], option: &str) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    let mut names: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
    while !names.is_empty() {
        let mut bytes = 0;
        let overflows = |name: &String| {
            bytes += name.len() + 1;
            bytes > NAMES_BYTES
        };
        let at_once = names.iter().position(overflows).unwrap_or(names.len()).max(1);
        let later = names.split_off(at_once);
        let said = said(&names, option)?;
        complaints.extend(said.lines().filter(|line| complains(line)).map(str::to_owned));
        names = later;
    }
    Ok(complaints)
}

fn complains(line: &str) -> bool {
    COMPLAINTS.iter().any(|complaint| line.contains(complaint))
}

fn said(names: &[String], option: &str) -> Result<String> {
    let output = Command::new(repository().join("conformance/apache-kafka/dump"))
        .arg(option)
        .args(["--files", &names.join(",")])
        .stdin(Stdio::null())
        .output()
        .context("running kafka-dump-log")?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kafka-dump-log ended with {}: {}", output.status, last(&said));
    for name in names {
        ensure!(said.contains(name.as_str()), "kafka-dump-log says nothing of {name}");
    }
    Ok(said.into_owned())
}

fn last(said: &str) -> String {
    let lines: Vec<_> = said.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
