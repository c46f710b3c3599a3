//! Apache Kafka's kafka-dump-log over every file of log directories.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use conformance::broker_process::repository;

/// What it says when something is wrong.
const COMPLAINTS: [&str; 7] = [
    "Mismatches in",
    "Exception",
    "isvalid: false",
    "isValid: false",
    "out of order",
    "could not be",
    "truncated",
];

/// Reads all files of partitions and of the metadata log; how many there were.
pub fn all(directories: &[PathBuf]) -> Result<usize> {
    let (mut partitions, mut metadata) = (Vec::new(), Vec::new());
    for directory in directories {
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                let of_metadata = path.ends_with("__cluster_metadata-0");
                collect(&path, if of_metadata { &mut metadata } else { &mut partitions })?;
            }
        }
    }
    ensure!(!partitions.is_empty() && !metadata.is_empty(), "there is nothing to dump");
    dump(&partitions, &["--deep-iteration"])?;
    let (snapshots, logs): (Vec<_>, Vec<_>) =
        metadata.into_iter().partition(|path| path.extension().is_some_and(|end| end == "checkpoint"));
    dump(&logs, &["--cluster-metadata-decoder"])?;
    dump(&snapshots, &["--cluster-metadata-decoder"])?;
    Ok(partitions.len() + logs.len() + snapshots.len())
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

fn dump(files: &[PathBuf], options: &[&str]) -> Result<()> {
    let names: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
    let output = Command::new(repository().join("conformance/apache-kafka/dump"))
        .args(options)
        .args(["--files", &names.join(",")])
        .stdin(Stdio::null())
        .output()
        .context("running kafka-dump-log")?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kafka-dump-log ended with {}: {}", output.status, last(&said));
    for name in &names {
        ensure!(said.contains(name.as_str()), "kafka-dump-log says nothing of {name}");
    }
    let complaint = said.lines().find(|line| COMPLAINTS.iter().any(|complaint| line.contains(complaint)));
    ensure!(complaint.is_none(), "kafka-dump-log complains: {}", complaint.unwrap_or_default());
    Ok(())
}

fn last(said: &str) -> String {
    let lines: Vec<_> = said.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
