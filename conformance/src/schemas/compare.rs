//! Declarations and schema files side by side.

use std::collections::BTreeMap;

use protocol::messages::schema::Versions;

use super::facts::{Facts, Field, Message, spell};

/// Facts in which a declaration differs on purpose: what of, what is declared, and why.
const ON_PURPOSE: &[(&str, &str, &str)] = &[(
    "RequestHeader.ClientId / ignorable",
    "true",
    "4.0 removed version 0, which lacks it, and with it the need to ignore it; we still write version 0",
)];

/// APIs whose name changed since the removals: the names before and now. Their fields were renamed, too.
const RENAMED: &[(&str, &str)] = &[
    ("ListClientMetricsResourcesRequest", "ListConfigResourcesRequest"),
    ("ListClientMetricsResourcesResponse", "ListConfigResourcesResponse"),
];

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// A line for each fact that differs.
    pub differences: Vec<String>,
    /// How many facts of the current release were compared.
    pub facts: usize,
    /// How many versions of the release before the removals were compared.
    pub removed_versions: usize,
}

/// Compares the declarations with the current release, and their removed versions with the release before.
pub fn compare(declared: &[Message], current: &[Message], before: &[Message]) -> Outcome {
    let mut outcome = Outcome::default();
    let (mut ours, mut theirs) = (Facts::new(), Facts::new());
    let names: BTreeMap<_, _> = current.iter().map(|message| (&message.name, message)).collect();
    for message in declared {
        let kafkas = names.get(&message.name).copied();
        ours.extend(without_removed_fields(message, kafkas).facts());
    }
    for message in current {
        theirs.extend(message.facts());
    }
    on_purpose(&mut ours, &mut theirs, &mut outcome);
    outcome.facts = theirs.len();
    for (what, kafkas) in &theirs {
        match ours.get(what) {
            Some(declared) if declared == kafkas => {}
            Some(declared) => {
                outcome.differences.push(format!("{what}: declared {declared}, Kafka's {kafkas}"));
            }
            None => outcome.differences.push(format!("{what}: not declared, Kafka's {kafkas}")),
        }
    }
    for (what, declared) in ours.iter().filter(|(what, _)| !theirs.contains_key(*what)) {
        outcome.differences.push(format!("{what}: declared {declared}, not in Kafka"));
    }
    removed_versions(declared, current, before, &mut outcome);
    outcome
}

/// Takes out what differs on purpose. An exception that is no difference any more is itself one.
fn on_purpose(ours: &mut Facts, theirs: &mut Facts, outcome: &mut Outcome) {
    for (what, declared, why) in ON_PURPOSE {
        let (our, their) = (ours.remove(*what), theirs.remove(*what));
        if our.as_deref() != Some(declared) || our == their {
            outcome.differences.push(format!(
                "{what}: declared {our:?}, Kafka's {their:?}, and not as the exception says: {why}"
            ));
        }
    }
}

/// The declaration without the fields that only removed versions have: the current files do not know them, and
/// [`removed_versions`] compares them.
fn without_removed_fields(message: &Message, kafkas: Option<&Message>) -> Message {
    let known = kafkas.map_or(&[][..], |message| &message.fields);
    let fields = keep(&message.fields, known, message.current);
    Message { fields, ..message.clone() }
}

fn keep(fields: &[Field], known: &[Field], current: Versions) -> Vec<Field> {
    let kept = fields.iter().filter_map(|field| {
        let kafkas = known.iter().find(|known| known.name == field.name);
        if kafkas.is_none() && field.versions.last < current.first {
            return None;
        }
        let known = kafkas.map_or(&[][..], |known| &known.fields);
        Some(Field { fields: keep(&field.fields, known, current), ..field.clone() })
    });
    kept.collect()
}

/// Compares the bytes of each version that the current release does not know any more.
fn removed_versions(declared: &[Message], current: &[Message], before: &[Message], outcome: &mut Outcome) {
    let find = |messages: &[Message], name: &str| messages.iter().find(|one| one.name == name).cloned();
    for old in before {
        let renamed = RENAMED.iter().find(|(before, _)| *before == old.name);
        let name = renamed.map_or(old.name.as_str(), |(_, now)| now);
        let known = find(current, name).map_or(Versions::NONE, |message| message.current);
        // A renamed message has no version to compare by name: all its versions are compared by type.
        let removed: Vec<i16> = stable(old, before)
            .iter()
            .filter(|&version| renamed.is_some() || !known.contains(version))
            .collect();
        if removed.is_empty() {
            continue;
        }
        let Some(ours) = find(declared, name) else {
            outcome.differences.push(format!("{name}: not declared, in the release before the removals"));
            continue;
        };
        for version in removed {
            outcome.removed_versions += 1;
            if !ours.versions.contains(version) {
                let versions = spell(ours.versions);
                outcome
                    .differences
                    .push(format!("{name}: version {version} not among the declared {versions}"));
                continue;
            }
            let (mut declared, mut kafkas) = (ours.layout(version), old.layout(version));
            if renamed.is_some() {
                declared.iter_mut().chain(&mut kafkas).for_each(|line| *line = without_names(line));
            }
            if declared != kafkas {
                let lines = (declared.join("\n  "), kafkas.join("\n  "));
                let (declared, kafkas) = lines;
                outcome
                    .differences
                    .push(format!("{name} version {version}: declared\n  {declared}\nKafka's\n  {kafkas}"));
            }
        }
    }
}

/// The versions of a message that were served: an unstable one never was, nor the response to it.
fn stable(message: &Message, all: &[Message]) -> Versions {
    let request = message.name.strip_suffix("Response").map(|api| format!("{api}Request"));
    let request = all.iter().find(|one| Some(&one.name) == request.as_ref());
    let mut versions = message.versions;
    if message.unstable || request.is_some_and(|request| request.unstable) {
        versions.last -= 1;
    }
    versions
}

/// A line of a layout without the names in it: of a field only whether it holds one struct, an array of them, or
/// which type of number.
fn without_names(line: &str) -> String {
    let (name, rest) = line.trim_start().split_once(' ').unwrap_or((line, ""));
    let indent = line.len() - name.len() - rest.len();
    let (ty, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let ty = match ty.trim_start_matches("[]").chars().next() {
        Some(first) if first.is_uppercase() => ty.replace(|letter: char| letter.is_alphanumeric(), ""),
        _ => ty.to_owned(),
    };
    format!("{indent} {ty} {rest}")
}

#[cfg(test)]
mod tests;
