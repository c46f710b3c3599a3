//! Pure crates stay pure: no files, sockets, threads, clocks, logging, and no map in random order.

use crate::Problem;
use crate::house::House;

/// Crates of floors 0 and 1.
const PURE: &[&str] = &["protocol", "raft", "metadata", "partition", "coordinator"];

/// What may not occur in them, and what to do instead.
const BANNED: &[(&str, &str)] = &[
    ("std::fs", "files belong to the storage crate: return what to read or write"),
    ("std::net", "sockets belong to the broker crate: take and return bytes"),
    ("std::thread", "threads belong to the shell: a machine runs on its caller's"),
    ("std::process", "processes belong to the shell"),
    ("std::env", "the environment belongs to the cli crate: take the value as an argument"),
    ("Instant::now", "take `now: Timestamp` as an argument"),
    ("SystemTime", "take `now: Timestamp` as an argument"),
    ("HashMap", "use BTreeMap or imbl: iteration must have one order"),
    ("HashSet", "use BTreeSet or imbl: iteration must have one order"),
    ("tokio", "a machine never waits: return an effect or a wake_at"),
    ("tracing", "return a fact and let the driver log it"),
    ("println!", "return a fact and let the driver log it"),
    ("rand::", "take random numbers as arguments"),
];

pub(super) fn check(house: &House) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in &house.sources {
        let pure = PURE.iter().any(|name| file.path.starts_with(&format!("crates/{name}/src/")));
        for (line, code) in file.code_lines().filter(|_| pure) {
            for (word, instead) in BANNED.iter().filter(|(word, _)| mentions(code, word)) {
                problems.push(Problem::new(
                    format!("{}:{line}", file.path),
                    format!("{word} has no place in a pure crate: {instead}"),
                ));
            }
        }
    }
    problems
}

/// Whether code uses a word: not as a part of a longer one, and not inside a string.
fn mentions(code: &str, word: &str) -> bool {
    let bare: String = code.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let part_of_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    bare.match_indices(word).any(|(at, _)| {
        let before = bare[..at].chars().next_back();
        let after = bare[at + word.len()..].chars().next();
        !part_of_name(before) && (!word.ends_with(char::is_alphanumeric) || !part_of_name(after))
    })
}
