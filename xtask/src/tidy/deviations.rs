//! The list of deviations is closed: every file that says in a comment that it differs from Apache Kafka on purpose is linked
//! there as often as it says so, and no other file is.

use std::collections::BTreeMap;

use crate::Problem;
use crate::house::House;

const LIST: &str = "docs/protocol/deviations.md";
/// What such a comment says. Spelled in two halves so that this file passes.
const MARK: &str = concat!("devia", "tion:");
/// What a row that links a file begins with, up to its name.
const ROW: &str = "| [";

pub(super) fn check(house: &House) -> Vec<Problem> {
    let mut said: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for file in &house.sources {
        let lines = file.text.lines().enumerate().filter(|(_, line)| line.contains(MARK));
        let lines: Vec<usize> = lines.map(|(index, _)| index + 1).collect();
        if !lines.is_empty() {
            said.insert(&file.path, lines);
        }
    }
    let mut listed: BTreeMap<&str, usize> = BTreeMap::new();
    let rows = house.document(LIST).map_or("", |list| &list.text).lines();
    for row in rows.filter(|row| row.starts_with(ROW)) {
        let link = row.split_once("](../../").and_then(|(_, rest)| rest.split_once(')'));
        *listed.entry(link.map_or("", |(path, _)| path)).or_default() += 1;
    }
    let mut problems = Vec::new();
    for (path, lines) in &said {
        let known = listed.remove(path).unwrap_or_default();
        problems.extend(lines.iter().skip(known).map(|line| {
            let what =
                format!("{LIST} lists {known} of the {} deviations of this file: add a row", lines.len());
            Problem::new(format!("{path}:{line}"), what)
        }));
        if known > lines.len() {
            let what =
                format!("{path} has {known} rows and says of {} deviations: take one out", lines.len());
            problems.push(Problem::new(LIST.to_owned(), what));
        }
    }
    let gone = listed.keys().map(|path| {
        Problem::new(LIST.to_owned(), format!("{path} says of no deviation any more: take its row out"))
    });
    problems.extend(gone);
    problems
}
