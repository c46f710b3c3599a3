//! Gets jars from Maven, into the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use conformance::broker_process::repository;

/// The jar of an artifact of Kafka; Maven brings it if it is not there yet.
pub fn fetch(artifact: &str, version: &str) -> Result<PathBuf> {
    fetch_from("org.apache.kafka", artifact, version)
}

/// The jar of an artifact of another group.
pub fn fetch_from(group: &str, artifact: &str, version: &str) -> Result<PathBuf> {
    let directory = repository().join("target/conformance/jars");
    let jar = directory.join(format!("{artifact}-{version}.jar"));
    if !jar.exists() {
        copy(&format!("{group}:{artifact}:{version}"), &directory)?;
    }
    ensure!(jar.exists(), "Maven did not leave {}", jar.display());
    Ok(jar)
}

fn copy(coordinates: &str, directory: &Path) -> Result<()> {
    let status = Command::new("mvn")
        .args([
            "-q",
            "-B",
            "-Dstyle.color=never",
            "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy",
        ])
        .arg(format!("-Dartifact={coordinates}"))
        .arg(format!("-DoutputDirectory={}", directory.display()))
        .status()
        .context("mvn cannot be run; Maven brings Kafka's jars, so install it (Debian: apt install maven)")?;
    ensure!(status.success(), "mvn could not bring {coordinates}: {status}");
    Ok(())
}
