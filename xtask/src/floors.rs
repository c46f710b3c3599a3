//! The floors: which crate may lean on which. A crate looks down, never sideways on floor 1.
//!
//! ```text
//! floor 4   cli
//! floor 3   broker      streams   connect   gateway
//! floor 2   storage     client
//! floor 1   raft   metadata   partition   coordinator
//! floor 0   protocol (with its derive)
//! ```
//! Normal and build dependencies are checked; tests may look further.

use std::process::Command;

use anyhow::Context;
use serde_json::Value;

use crate::Problem;

/// One dependency between two crates of the workspace, by their names without `headwater-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// The crate that depends.
    pub from: String,
    /// The crate it depends on.
    pub to: String,
}

/// What each product crate may depend on. A new crate needs a row here, and ADR 0001 a word about it.
const MAY_USE: &[(&str, &[&str])] = &[
    ("protocol-derive", &[]),
    ("protocol", &["protocol-derive"]),
    ("raft", &["protocol"]),
    ("metadata", &["protocol"]),
    ("partition", &["protocol"]),
    ("coordinator", &["protocol", "metadata"]),
    ("storage", &["protocol", "raft", "metadata", "partition", "coordinator"]),
    ("client", &["protocol"]),
    ("broker", &["protocol", "raft", "metadata", "partition", "coordinator", "storage"]),
    ("streams", &["protocol", "client"]),
    ("connect", &["protocol", "client"]),
    ("gateway", &["protocol", "client"]),
    (
        "cli",
        &[
            "protocol",
            "raft",
            "metadata",
            "partition",
            "coordinator",
            "storage",
            "client",
            "broker",
            "streams",
            "connect",
            "gateway",
        ],
    ),
];

/// Crates of the workshop: they may see everything, and no product crate may see them.
const WORKSHOP: &[&str] = &["xtask", "conformance", "benches", "sim"];

/// All normal and build dependencies within the workspace, as Cargo knows them.
///
/// # Errors
/// When Cargo cannot be asked.
pub fn arrows() -> anyhow::Result<Vec<Arrow>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .context("cannot run cargo metadata")?;
    anyhow::ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(arrows_of(&serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?))
}

/// The arrows in the answer of `cargo metadata`.
pub fn arrows_of(metadata: &Value) -> Vec<Arrow> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let known: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut arrows = Vec::new();
    for package in packages {
        let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
        for dependency in dependencies.iter().filter(|dependency| dependency["kind"] != "dev") {
            if let (Some(from), Some(to)) = (package["name"].as_str(), dependency["name"].as_str())
                && known.contains(&to)
            {
                arrows.push(Arrow { from: short(from), to: short(to) });
            }
        }
    }
    arrows
}

/// The name of a crate as DESIGN and ADR 0001 draw it; the binary's package is the product itself.
fn short(package: &str) -> String {
    match package {
        "headwater" => "cli".to_owned(),
        other => other.strip_prefix("headwater-").unwrap_or(other).to_owned(),
    }
}

/// The arrows that are not drawn.
pub fn check(arrows: &[Arrow]) -> Vec<Problem> {
    let forbidden = |arrow: &&Arrow| match MAY_USE.iter().find(|(name, _)| *name == arrow.from) {
        Some((_, may_use)) => !may_use.contains(&arrow.to.as_str()),
        None => !WORKSHOP.contains(&arrow.from.as_str()),
    };
    arrows.iter().filter(forbidden).map(|arrow| Problem::new(arrow.from.clone(), advice(arrow))).collect()
}

fn advice(arrow: &Arrow) -> String {
    let Arrow { from, to } = arrow;
    let Some((_, may_use)) = MAY_USE.iter().find(|(name, _)| name == from) else {
        return format!(
            "is on no floor, but depends on {to}: give it a row in xtask/src/floors.rs (ADR 0001)"
        );
    };
    if WORKSHOP.contains(&to.as_str()) {
        return format!("depends on {to}, which is a workshop: make it a dev-dependency");
    }
    format!(
        "depends on {to}, which is not below it: it may use {}; move what is shared to a lower floor, \
         or hand it in as an argument from above",
        if may_use.is_empty() { "no crate of ours".to_owned() } else { may_use.join(", ") }
    )
}
