//! Config keys keep their word: a key that is declared `honoured` is read, and what it is read into is used.
//!
//! The tables in `crates/broker/src/config/keys/` are read as text. A key counts as read when its name stands in
//! product code outside the tables. Where a typed field's documentation names the key, that field must also be
//! used outside `config/`: reading a value into a field that nobody looks at honours nothing.

use std::collections::BTreeMap;

use crate::Problem;
use crate::house::{House, SourceFile};

const TABLES: &str = "crates/broker/src/config/keys/";
const CONFIG: &str = "crates/broker/src/config/";
/// Files of `config/` that hand values on to other crates, and so count as using them.
const TRANSLATORS: &[&str] = &["crates/broker/src/config/log_rules.rs"];

/// Keys that are called honoured and read by nobody.
pub(super) fn check_read(house: &House) -> Vec<Problem> {
    let outside = house.sources.iter().filter(|file| !file.path.starts_with(TABLES));
    let literals: String = outside.map(product_code).collect();
    let fields = fields_by_key(house);
    let unread = |name: &str| !literals.contains(&format!("\"{name}\"")) && !fields.contains_key(name);
    let problem = |(place, name): (String, String)| {
        Problem::new(
            place,
            format!(
                "{name} is called honoured, but nothing reads it: read it, or take .honoured() off so that setting it warns"
            ),
        )
    };
    all_honoured(house).filter(|(_, name)| unread(name)).map(problem).collect()
}

/// Keys that are called honoured and read into fields that nobody uses.
pub(super) fn check_used(house: &House) -> Vec<Problem> {
    let is_user =
        |file: &&SourceFile| !file.path.starts_with(CONFIG) || TRANSLATORS.contains(&file.path.as_str());
    let users = house.sources.iter().filter(is_user);
    let code: String = users.map(product_code).collect();
    let fields = fields_by_key(house);
    let mut problems = Vec::new();
    for (place, name) in all_honoured(house) {
        let unused = fields.get(&name).filter(|fields| !fields.iter().any(|field| uses(&code, field)));
        problems.extend(unused.map(|fields| {
            Problem::new(place, format!(
                "{name} is called honoured, but nobody uses {} that it is read into: use it, or take .honoured() off so that setting it warns",
                fields.join(" or ")
            ))
        }));
    }
    problems
}

fn all_honoured(house: &House) -> impl Iterator<Item = (String, String)> {
    let tables = house.sources.iter().filter(|file| file.path.starts_with(TABLES));
    tables.flat_map(|table| {
        honoured(&table.text).into_iter().map(|(line, name)| (format!("{}:{line}", table.path), name))
    })
}

/// The typed fields behind each key; behind a broker key of topics, those of the topic key.
fn fields_by_key(house: &House) -> BTreeMap<String, Vec<String>> {
    let mut fields = typed_fields(house);
    for (broker, topic) in behind_topics(house) {
        let of_topic = fields.get(&topic).cloned().unwrap_or_default();
        if !of_topic.is_empty() {
            fields.entry(broker).or_default().extend(of_topic);
        }
    }
    fields
}

/// The broker keys that topics fall back on, each with its topic key: rows of `BROKER_NAMES`.
fn behind_topics(house: &House) -> Vec<(String, String)> {
    let table = house.sources.iter().find(|file| file.path == format!("{TABLES}topic.rs"));
    let rows = table.map(|file| file.text.lines()).into_iter().flatten();
    let mut pairs = Vec::new();
    for row in rows.filter(|row| row.trim_start().starts_with("(\"")) {
        let mut names = row.split('"').skip(1).step_by(2);
        let topic = names.next().unwrap_or_default();
        pairs.extend(names.map(|broker| (broker.to_owned(), topic.to_owned())));
    }
    pairs
}

fn product_code(file: &SourceFile) -> String {
    file.code_lines().map(|(_, code)| format!("{code}\n")).collect()
}

/// The keys that a table calls honoured, with their lines.
fn honoured(table: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in table.lines().enumerate() {
        let name = line.trim_start().split('"').nth(1).filter(|_| !line.trim_start().starts_with(['.', '/']));
        if let Some(name) = name.filter(|_| line.contains(".honoured()")) {
            found.push((index + 1, name.to_owned()));
        }
    }
    found
}

/// The typed fields whose documentation begins with a key's name, by that name.
fn typed_fields(house: &House) -> BTreeMap<String, Vec<String>> {
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let typed = |file: &&SourceFile| file.path.starts_with(CONFIG) && !file.path.starts_with(TABLES);
    for file in house.sources.iter().filter(typed) {
        let mut keys: Vec<String> = Vec::new();
        for line in file.text.lines().map(str::trim) {
            if let Some(doc) = line.strip_prefix("/// ") {
                keys.extend(
                    doc.split('`').skip(1).step_by(2).filter(|word| word.contains('.')).map(str::to_owned),
                );
                continue;
            }
            if let Some(field) =
                line.strip_prefix("pub ").and_then(|rest| rest.split_once(": ")).map(|(name, _)| name)
            {
                for key in &keys {
                    fields.entry(key.clone()).or_default().push(field.to_owned());
                }
            }
            keys.clear();
        }
    }
    fields
}

/// Whether code looks at a field of this name.
fn uses(code: &str, field: &str) -> bool {
    let access = format!(".{field}");
    code.match_indices(&access).any(|(at, _)| {
        !code[at + access.len()..].chars().next().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '(')
    })
}
