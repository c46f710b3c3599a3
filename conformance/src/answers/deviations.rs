//! The closed list of deviations, read from `docs/protocol/deviations.md`.
//!
//! A row of its table names a case, a field and what either broker answers. A difference outside the list fails, and
//! so does a row that nothing matched: a list that may only grow is not closed.

use anyhow::{Context, Result, ensure};
use conformance::broker_process::repository;

use super::same::Difference;

/// One row.
#[derive(Debug, PartialEq)]
struct Deviation {
    /// `Api: case`, with `*` for any text.
    case: String,
    /// The field, with `*` for any text.
    field: String,
    kafka: String,
    headwater: String,
    seen: std::cell::Cell<bool>,
}

/// The whole list.
#[derive(Debug)]
pub struct Deviations(Vec<Deviation>);

impl Deviations {
    /// Reads a list of this repository.
    pub fn read(name: &str) -> Result<Self> {
        let path = repository().join("docs/protocol").join(name);
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut deviations = Vec::new();
        // Rows begin with code; the head of the table and the line under it do not.
        for line in text.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<_> =
                line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
            ensure!(cells.len() == 5, "a deviation has five cells: {line}");
            ensure!(!cells[4].is_empty(), "a deviation says who gains by it: {line}");
            let [case, field, kafka, headwater] = [0, 1, 2, 3].map(|cell| cells[cell].to_owned());
            deviations.push(Deviation { case, field, kafka, headwater, seen: false.into() });
        }
        Ok(Self(deviations))
    }

    /// Whether a difference is in the list.
    pub fn allow(&self, case: &str, difference: &Difference) -> bool {
        let mut allowed = false;
        for deviation in &self.0 {
            let fits = matches(&deviation.case, case)
                && matches(&deviation.field, &difference.field)
                && matches(&deviation.kafka, &difference.kafka.to_string())
                && matches(&deviation.headwater, &difference.headwater.to_string());
            if fits {
                deviation.seen.set(true);
                allowed = true;
            }
        }
        allowed
    }

    /// The rows that nothing matched.
    pub fn unseen(&self) -> impl Iterator<Item = String> {
        let unseen = self.0.iter().filter(|deviation| !deviation.seen.get());
        unseen.map(|deviation| format!("{}, {}", deviation.case, deviation.field))
    }
}

/// Whether `text` has the form of `pattern`, in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_allows_its_own_difference_only() {
        let text = "| Case | Field |\n| --- | --- |\n| `Produce: *magic*` | `Responses*.ErrorCode` | `87` | `2` | old clients |";
        let list = Deviations::parse(text).unwrap();
        let difference = |field: &str, headwater| Difference {
            field: field.to_owned(),
            kafka: json!(87),
            headwater: json!(headwater),
        };
        assert!(!list.allow("Produce: wrong magic", &difference("Responses[0].ErrorCode", 3)));
        assert!(!list.allow("Produce: wrong crc", &difference("Responses[0].ErrorCode", 2)));
        assert_eq!(list.unseen().count(), 1);
        assert!(
            list.allow(
                "Produce: wrong magic",
                &difference("Responses[0].PartitionResponses[0].ErrorCode", 2)
            )
        );
        assert_eq!(list.unseen().count(), 0);
    }

    #[test]
    fn a_row_must_say_who_gains() {
        assert!(Deviations::parse("| `a` | `b` | `c` | `d` |  |").is_err());
        assert!(Deviations::parse("| `a` | `b` | `c` |").is_err());
    }

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(matches("*", "anything") && matches("a*c", "abc") && matches("a*", "a") && matches("a", "a"));
        assert!(!matches("a*c", "abd") && !matches("a", "ab") && !matches("*b*d", "abc"));
    }
}
