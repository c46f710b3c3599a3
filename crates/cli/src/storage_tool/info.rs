//! `storage info`: which log directories there are and what they are formatted for.

use std::path::{Path, PathBuf};

use broker::config::LogDirsConfig;
use storage::RealDisk;
use storage::meta_properties::{META_PROPERTIES, MetaProperties};

use crate::failure::Failure;

/// Prints what is there; 1 if there is a problem.
pub fn run(log_dirs: &LogDirsConfig) -> Result<u8, Failure> {
    let mut directories: Vec<&PathBuf> =
        log_dirs.directories.iter().chain([&log_dirs.metadata_directory]).collect();
    directories.sort();
    directories.dedup();
    let mut findings = Findings::default();
    for directory in directories {
        findings.look_into(directory);
    }
    print!("{}", findings.text());
    Ok(u8::from(!findings.problems.is_empty()))
}

#[derive(Default)]
struct Findings {
    directories: Vec<String>,
    first: Option<MetaProperties>,
    problems: Vec<String>,
}

impl Findings {
    fn look_into(&mut self, directory: &Path) {
        let shown = directory.display();
        if !directory.is_dir() {
            let what = if directory.exists() { "is not a directory" } else { "does not exist" };
            self.problems.push(format!("{shown} {what}"));
            return;
        }
        self.directories.push(shown.to_string());
        match (MetaProperties::read(&RealDisk, directory), &self.first) {
            (Ok(None), _) => self.problems.push(format!("{shown} is not formatted.")),
            (Err(fault), _) => {
                self.problems
                    .push(format!("Error loading {}: {fault}", directory.join(META_PROPERTIES).display()));
            }
            (Ok(Some(found)), None) => self.first = Some(found),
            (Ok(Some(found)), Some(first)) if found.cluster_id != first.cluster_id => {
                self.problems.push("Mismatched cluster IDs between storage directories.".to_owned());
            }
            (Ok(Some(found)), Some(first)) if found.node_id != first.node_id => {
                self.problems.push("Mismatched node IDs between storage directories.".to_owned());
            }
            (Ok(Some(_)), Some(_)) => {}
        }
    }

    fn text(&self) -> String {
        let mut text = section("Found log director", ["y:", "ies:"], &self.directories);
        if let Some(MetaProperties { cluster_id, node_id, directory_id }) = &self.first {
            let directory_id = directory_id.map(|id| format!("directory.id={id}, ")).unwrap_or_default();
            let facts = format!("cluster.id={cluster_id}, {directory_id}node.id={node_id}, version=1");
            text.push_str(&format!("Found metadata: {{{facts}}}\n\n"));
        }
        text.push_str(&section("Found problem", [":", "s:"], &self.problems));
        text
    }
}

fn section(title: &str, [one, many]: [&str; 2], lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let ending = if lines.len() == 1 { one } else { many };
    let lines: String = lines.iter().map(|line| format!("  {line}\n")).collect();
    format!("{title}{ending}\n{lines}\n")
}
