//! Links of documents lead somewhere, and a glossary entry that links a type links a file that declares it.

use crate::Problem;
use crate::house::House;

pub(super) fn check(house: &House) -> Vec<Problem> {
    let mut problems = Vec::new();
    for document in &house.documents {
        for (index, line) in document.text.lines().enumerate() {
            for (label, target) in links(line) {
                let place = format!("{}:{}", document.path, index + 1);
                problems.extend(
                    follow(house, &document.path, label, target).map(|what| Problem::new(place, what)),
                );
            }
        }
    }
    problems
}

/// The links of a line: label and target.
fn links(line: &str) -> Vec<(&str, &str)> {
    let mut links = Vec::new();
    for (at, _) in line.match_indices("](") {
        let label = line[..at].rsplit('[').next().unwrap_or_default();
        let target = line[at + 2..].split(')').next().unwrap_or_default();
        links.push((label, target));
    }
    links
}

fn follow(house: &House, document: &str, label: &str, target: &str) -> Option<String> {
    let file = target.split('#').next().unwrap_or_default();
    if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
        return None;
    }
    let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
    let path = resolve(folder, file);
    if !House::exists(&path) {
        return Some(format!("the link to {target} leads nowhere ({path} is not there): mend the path"));
    }
    let name = label.trim_matches('`');
    let is_type = label.starts_with('`') && name.chars().next().is_some_and(char::is_uppercase);
    let source = house
        .sources
        .iter()
        .find(|source| source.path == path)
        .filter(|_| is_type && document == "GLOSSARY.md")?;
    // Newtypes are declared through macros, so the name is looked for as a word and not behind `struct`.
    let declared = source.text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name);
    (!declared).then(|| format!("{path} does not have {name}: link the file that declares it"))
}

fn resolve(folder: &str, file: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
