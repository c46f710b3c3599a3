//! The files of the workspace, read once: Rust sources and documents with their paths from the root.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// One text file.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Path from the root, with slashes.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// All text files that are checked.
#[derive(Clone, Debug, Default)]
pub struct House {
    /// Rust sources.
    pub sources: Vec<SourceFile>,
    /// Markdown documents.
    pub documents: Vec<SourceFile>,
    /// Manifests of crates.
    pub manifests: Vec<SourceFile>,
}

/// Folders of the root that hold what we wrote.
const FOLDERS: &[&str] = &["crates", "xtask", "conformance", "benches", "docs", "fuzz", "tests"];

impl House {
    /// Reads the workspace that this crate stands in.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read() -> anyhow::Result<House> {
        let root = root();
        let mut paths = Vec::new();
        for folder in FOLDERS {
            walk(&root.join(folder), &mut paths)?;
        }
        let top = fs::read_dir(&root).with_context(|| format!("cannot list {}", root.display()))?;
        paths.extend(top.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()));
        paths.sort();
        let mut house = House::default();
        for path in paths {
            house.add(&root, &path)?;
        }
        Ok(house)
    }

    fn add(&mut self, root: &Path, path: &Path) -> anyhow::Result<()> {
        let kind = match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => &mut self.sources,
            Some("md") => &mut self.documents,
            Some("toml") => &mut self.manifests,
            _ => return Ok(()),
        };
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let relative = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
        kind.push(SourceFile { path: relative, text });
        Ok(())
    }

    /// The document at this path.
    pub fn document(&self, path: &str) -> Option<&SourceFile> {
        self.documents.iter().find(|document| document.path == path)
    }

    /// Whether there is anything at this path, read or not.
    pub fn exists(path: &str) -> bool {
        root().join(path).exists()
    }
}

impl SourceFile {
    /// The lines of product code: comments cut off, everything from the first unit test module on left out.
    pub fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test_file = self.path.ends_with("tests.rs") || self.path.contains("/tests/");
        let code = if is_test_file { "" } else { self.text.split("#[cfg(test)]").next().unwrap_or_default() };
        code.lines().enumerate().map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default()))
    }
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != "node_modules" && !name.starts_with('.') {
            walk(&path, found)?;
        } else if path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}
