//! Nothing is left for later in the code: no reminders, no tests that do not run.

use crate::Problem;
use crate::house::House;

/// Marks of unfinished work, and what to do instead. Spelled in two halves so that this file passes.
const MARKERS: &[(&str, &str)] = &[
    (concat!("TO", "DO"), "do it, or say in the documentation what is not there"),
    (concat!("FIX", "ME"), "mend it, with a test that was red"),
    (concat!("XX", "X:"), "say what it is"),
    (concat!("#[ig", "nore"), "a test that does not run proves nothing: mend it or remove it"),
    (concat!("to", "do!("), "finish it, or do not offer it"),
    (concat!("unimpl", "emented!("), "finish it, or do not offer it"),
];

pub(super) fn check(house: &House) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in &house.sources {
        for (index, line) in file.text.lines().enumerate() {
            for (marker, instead) in MARKERS.iter().filter(|(marker, _)| line.contains(marker)) {
                problems.push(Problem::new(
                    format!("{}:{}", file.path, index + 1),
                    format!("{marker} is left over: {instead}"),
                ));
            }
        }
    }
    problems
}
