//! Kafka's side: the schema files in a jar. They are JSON with `//` comments.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use protocol::messages::schema::Versions;
use serde_json::Value;

use super::facts::{Field, Message};

/// The structs that several fields of a message share, by name.
type Shared<'j> = BTreeMap<&'j str, &'j [Value]>;

/// Every message whose schema is in the jar.
pub fn messages(jar: &Path) -> Result<Vec<Message>> {
    let mut archive = zip::ZipArchive::new(File::open(jar)?)?;
    let mut messages = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        let name = file.name().to_owned();
        if !name.ends_with(".json") {
            continue;
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let json: Value = serde_json::from_str(&without_comments(&text))
            .with_context(|| format!("{name} in {}", jar.display()))?;
        if json.get("validVersions").is_some() {
            messages.push(message(&json).with_context(|| format!("{name} in {}", jar.display()))?);
        }
    }
    Ok(messages)
}

fn without_comments(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for line in text.lines() {
        let mut quoted = false;
        let mut before = ' ';
        for (at, letter) in line.char_indices() {
            if letter == '"' && before != '\\' {
                quoted = !quoted;
            }
            if !quoted && line[at..].starts_with("//") {
                break;
            }
            clean.push(letter);
            before = letter;
        }
        clean.push('\n');
    }
    clean
}

fn message(json: &Value) -> Result<Message> {
    let mut shared = Shared::new();
    for structure in list(json, "commonStructs") {
        shared.insert(text(structure, "name")?, list(structure, "fields"));
    }
    let valid = versions(json.get("validVersions"))?;
    let listeners = list(json, "listeners").iter().filter_map(Value::as_str);
    Ok(Message {
        name: text(json, "name")?.into(),
        kind: text(json, "type")?.into(),
        api_key: json.get("apiKey").and_then(Value::as_i64),
        versions: valid,
        current: valid,
        unstable: flag(json, "latestVersionUnstable"),
        flexible: versions(json.get("flexibleVersions"))?,
        listeners: listeners.map(Into::into).collect(),
        fields: fields(list(json, "fields"), &shared)?,
    })
}

fn fields(json: &[Value], shared: &Shared<'_>) -> Result<Vec<Field>> {
    json.iter().map(|json| field(json, shared)).collect()
}

fn field(json: &Value, shared: &Shared<'_>) -> Result<Field> {
    let ty = text(json, "type")?;
    let own = list(json, "fields");
    let element = ty.trim_start_matches("[]");
    let fields = if own.is_empty() { shared.get(element).copied().unwrap_or_default() } else { own };
    let tagged = versions(json.get("taggedVersions"))?;
    Ok(Field {
        name: text(json, "name")?.into(),
        ty: ty.into(),
        // A tagged field that names no versions has those in which it is tagged.
        versions: json.get("versions").map_or(Ok(tagged), |json| versions(Some(json)))?,
        nullable: versions(json.get("nullableVersions"))?,
        tag: json.get("tag").and_then(|tag| tag.as_i64().or_else(|| tag.as_str()?.parse().ok())),
        tagged,
        default: canonical_default(&match json.get("default") {
            // Kafka's generator takes the JSON null, unlike the text "null", for no default at all.
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }),
        ignorable: flag(json, "ignorable"),
        inflexible: json.get("flexibleVersions").and_then(Value::as_str) == Some("none"),
        fields: self::fields(fields, shared)?,
    })
}

/// A default in one spelling; empty where it is what the type has anyway.
pub fn canonical_default(text: &str) -> String {
    let number = match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    match number {
        Some(0) => String::new(),
        Some(number) => number.to_string(),
        None if text == "false" => String::new(),
        None => text.into(),
    }
}

fn versions(json: Option<&Value>) -> Result<Versions> {
    let Some(json) = json else { return Ok(Versions::NONE) };
    let text = json.as_str().ok_or_else(|| anyhow!("versions are text, not {json}"))?;
    let wrong = || anyhow!("{text} are no versions");
    let number = |text: &str| text.parse::<i16>().map_err(|_| wrong());
    Ok(match (text, text.strip_suffix('+'), text.split_once('-')) {
        ("none", ..) => Versions::NONE,
        (_, Some(first), _) => Versions::new(number(first)?, i16::MAX),
        (_, _, Some((first, last))) => Versions::new(number(first)?, number(last)?),
        _ => Versions::new(number(text)?, number(text)?),
    })
}

fn text<'j>(json: &'j Value, key: &str) -> Result<&'j str> {
    json.get(key).and_then(Value::as_str).ok_or_else(|| anyhow!("{key} is missing in {json}"))
}

fn list<'j>(json: &'j Value, key: &str) -> &'j [Value] {
    json.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn flag(json: &Value, key: &str) -> bool {
    match json.get(key) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => text == "true",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_quoted_slashes_stay() {
        let text = "{ // a \"comment\"\n  \"about\": \"see https://kafka\" // another\n}";
        let json: Value = serde_json::from_str(&without_comments(text)).unwrap();
        assert_eq!(json["about"], "see https://kafka");
    }

    #[test]
    fn defaults_have_one_spelling() {
        assert_eq!(canonical_default("0x7fffffff"), "2147483647");
        assert_eq!(canonical_default("false"), "");
        assert_eq!(canonical_default("0"), "");
        assert_eq!(canonical_default("-1"), "-1");
        assert_eq!(canonical_default("null"), "null");
    }
}
