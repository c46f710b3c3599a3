//! Plays transcripts: steps stand at the margin, what is said to them is indented below. `UPDATE=1` writes the answers
//! anew, for a person to read.

use std::path::{Path, PathBuf};

fn files(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(directory);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files
}

/// Plays a transcript; what it should look like.
fn play(text: &str, mut step: impl FnMut(&str) -> Vec<String>) -> String {
    let mut played = String::new();
    for line in text.lines() {
        if line.starts_with("  ") {
            continue;
        }
        played.push_str(line);
        played.push('\n');
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        for said in step(line) {
            played.push_str("  ");
            played.push_str(&said);
            played.push('\n');
        }
    }
    played
}

/// Plays every transcript of a directory, each on a stage of its own, and holds it against what stands there.
pub fn all_of<S: FnMut(&str) -> Vec<String>>(directory: &str, stage: impl Fn() -> S) {
    let files = files(directory);
    assert!(files.len() > 5, "only {} transcripts were found", files.len());
    let mut differing = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let played = play(&text, stage());
        if played == text {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, played).unwrap();
            continue;
        }
        let at = text.lines().zip(played.lines()).position(|(written, played)| written != played);
        let at = at.unwrap_or_else(|| text.lines().count().min(played.lines().count()));
        let line = |text: &str| text.lines().nth(at).unwrap_or("(the end)").to_owned();
        differing.push(format!(
            "{}:{}\n  written: {}\n  played:  {}",
            path.display(),
            at + 1,
            line(&text),
            line(&played)
        ));
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
