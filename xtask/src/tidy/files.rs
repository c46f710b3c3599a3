//! Files: how long they may be, what they may be called, that they begin with a module doc, and where `unsafe` is.

use crate::Problem;
use crate::house::{House, SourceFile};

/// The most lines of a file. Around 400 is the aim.
const LINES_MAX: usize = 800;

/// Files that may be longer, each with its reason.
const LONGER: &[(&str, usize, &str)] = &[];

/// Files that may use `unsafe`, each with its reason.
const UNSAFE: &[(&str, &str)] = &[
    ("crates/broker/src/heap.rs", "no safe crate tells the C library's allocator how much it may keep"),
    ("crates/broker/src/net/watch.rs", "tokio cannot prove that a watched descriptor stays open"),
    ("crates/broker/src/runtime/short_slices.rs", "no safe crate asks Linux for a shorter slice"),
    ("crates/storage/src/write_out.rs", "no safe crate has Linux begin to write a file out"),
];

/// Names that say nothing, alone or as the last part of a name.
const EMPTY_NAMES: &[&str] = &[
    "util", "utils", "common", "manager", "managers", "helper", "helpers", "impl", "impls", "misc", "base",
    "stuff",
];

pub(super) fn check(house: &House) -> Vec<Problem> {
    house
        .sources
        .iter()
        .flat_map(|file| [too_long(file), empty_name(file), no_doc(file), uses_unsafe(file)])
        .flatten()
        .collect()
}

fn too_long(file: &SourceFile) -> Option<Problem> {
    let lines = file.text.lines().count();
    let most = LONGER.iter().find(|(path, ..)| *path == file.path).map_or(LINES_MAX, |(_, most, _)| *most);
    (lines > most).then(|| {
        Problem::new(&file.path, format!(
            "has {lines} lines, more than {most}: split it by its nouns, or give it a row with a reason in LONGER of xtask/src/tidy/files.rs"
        ))
    })
}

fn empty_name(file: &SourceFile) -> Option<Problem> {
    let stem = |part: &str| {
        let name = part.trim_end_matches(".rs");
        name.rsplit(['_', '-']).next().unwrap_or(name).to_owned()
    };
    let part = file.path.split('/').find(|part| EMPTY_NAMES.contains(&stem(part).as_str()))?;
    Some(Problem::new(&file.path, format!("\"{part}\" says nothing: name it after the thing that is in it")))
}

fn no_doc(file: &SourceFile) -> Option<Problem> {
    let starts_with_doc =
        file.text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with("//!"));
    let needs_doc =
        file.path.contains("/src/") && !file.path.ends_with("tests.rs") && !file.path.contains("/tests/");
    (needs_doc && !starts_with_doc).then(|| {
        Problem::new(
            &file.path,
            "has no module doc: begin with //! and say what it is, what it never does, who drives it",
        )
    })
}

fn uses_unsafe(file: &SourceFile) -> Option<Problem> {
    let word = concat!("un", "safe");
    let (line, _) = file.code_lines().find(|(_, code)| {
        let code = code.split('"').next().unwrap_or_default();
        code.split_whitespace().any(|token| token == word) || code.contains(concat!("un", "safe_code"))
    })?;
    (!UNSAFE.iter().any(|(path, _)| *path == file.path)).then(|| {
        Problem::new(format!("{}:{line}", file.path), format!(
            "{word} outside the files that may: use rustix or another safe crate, or give the file a row with a reason in UNSAFE of xtask/src/tidy/files.rs"
        ))
    })
}
