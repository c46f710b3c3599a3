//! kcat as a reader: in the versions of today, and in those that it spoke to brokers of 0.9 and 0.10 with.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::messages::Read;

/// What it is told of the broker's version; nothing where it asks.
pub const BROKERS: [Option<&str>; 3] = [None, Some("0.10.0"), Some("0.9.0")];

/// Reads partition 0 whole. What is told of the broker decides the versions it asks in.
pub fn read(address: SocketAddr, topic: &str, broker: Option<&str>) -> Result<Vec<Read>> {
    let mut command = Command::new("kcat");
    command.args(["-C", "-q", "-e", "-o", "beginning", "-p", "0", "-X", "check.crcs=true"]);
    command.args(["-b", &address.to_string(), "-t", topic, "-f", "%o\t%T\t%K\t%S\t%k\t%s\n"]);
    if let Some(version) = broker {
        command.args(["-X", "api.version.request=false"]);
        command.args(["-X", &format!("broker.version.fallback={version}")]);
    }
    let output = command.stdin(Stdio::null()).output().context("running kcat, which must be installed")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kcat ended with {}: {complaint}", output.status);
    let said = String::from_utf8(output.stdout)?;
    said.lines().map(record).collect()
}

/// A line of its output; a length of -1 says that there is nothing.
fn record(line: &str) -> Result<Read> {
    let fields: Vec<_> = line.splitn(6, '\t').collect();
    let [offset, timestamp, key_length, length, key, value] = fields[..] else { bail!("kcat says {line:?}") };
    let there = |length: &str, text: &str| (length != "-1").then(|| text.as_bytes().to_vec());
    // It says 0 where there is none.
    let timestamp = if timestamp == "0" { -1 } else { timestamp.parse()? };
    Ok(Read { offset: offset.parse()?, timestamp, key: there(key_length, key), value: there(length, value) })
}
