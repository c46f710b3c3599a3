//! The directories of Apache Kafka's partitions put into one of ours, step by step as docs/operate/old-logs.md tells users
//! to.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use conformance::broker_process::Launch;

use super::topics::{TOPICS, create};

/// The file that says which topic a directory is of: ours has another id.
const OF_THE_TOPIC: &str = "partition.metadata";

/// Both brokers are down before and after.
pub fn take_over(kafka: &Launch, headwater: &Launch) -> Result<()> {
    let broker = headwater.start()?;
    for topic in &TOPICS {
        let mut configs = topic.configs();
        configs.push(("internal.segment.bytes", "8192"));
        create(broker.address(), topic.name, &configs)?;
    }
    broker.end()?;
    for topic in &TOPICS {
        let name = format!("{}-0", topic.name);
        let (from, to) = (kafka.data_directory().join(&name), headwater.data_directory().join(&name));
        std::fs::create_dir(&to).with_context(|| format!("{} is there though empty", to.display()))?;
        let copied = Command::new("cp").arg("-p").args(files(&from)?).arg(&to).status()?;
        ensure!(copied.success(), "cp ended with {copied}");
    }
    let verified =
        Command::new(&headwater.program).args(["log", "verify"]).arg(headwater.data_directory()).output()?;
    let said = String::from_utf8_lossy(&verified.stdout);
    ensure!(verified.status.success(), "headwater log verify ended with {}: {said}", verified.status);
    Ok(())
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        if !path.ends_with(OF_THE_TOPIC) {
            files.push(path);
        }
    }
    Ok(files)
}
