//! Every decision record stands in the index, and the index names no other.

use crate::Problem;
use crate::house::House;

const INDEX: &str = "docs/adr/README.md";

pub(super) fn check(house: &House) -> Vec<Problem> {
    let records: Vec<&str> = house
        .documents
        .iter()
        .filter_map(|document| document.path.strip_prefix("docs/adr/"))
        .filter(|name| *name != "README.md")
        .collect();
    let Some(index) = house.document(INDEX) else {
        return if records.is_empty() {
            Vec::new()
        } else {
            vec![Problem::new(INDEX, "is missing: list the decisions there")]
        };
    };
    let missing = records.iter().filter(|name| !index.text.contains(&format!("({name})"))).map(|name| {
        Problem::new(format!("docs/adr/{name}"), format!("is not in the index: add a row to {INDEX}"))
    });
    let mut problems: Vec<Problem> = missing.collect();
    for (at, _) in index.text.match_indices("](") {
        let target = index.text[at + 2..].split(')').next().unwrap_or_default();
        if target.ends_with(".md") && !target.contains("..") && !records.contains(&target) {
            problems.push(Problem::new(
                INDEX,
                format!("names {target}, which is not there: write it or take out the row"),
            ));
        }
    }
    problems
}
