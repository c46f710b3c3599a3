//! What a schema says of a message, in a form that both sides can be brought into.

use std::collections::BTreeMap;

use protocol::messages::schema::Versions;

/// A message with its fields, whichever side it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Kafka's name of it.
    pub name: String,
    /// What it is for, as the schema files call it.
    pub kind: String,
    /// API key or record type.
    pub api_key: Option<i64>,
    /// Every version that the side knows.
    pub versions: Versions,
    /// Of a declaration: the versions that the current release knows. Of a file: the same as `versions`.
    pub current: Versions,
    /// Whether the last version is unstable.
    pub unstable: bool,
    /// The flexible versions.
    pub flexible: Versions,
    /// Where it is answered.
    pub listeners: Vec<String>,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// A field of a message or struct.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Kafka's name of it.
    pub name: String,
    /// Its type, as the schema files spell it.
    pub ty: String,
    /// The versions that have it.
    pub versions: Versions,
    /// The versions in which it may be null.
    pub nullable: Versions,
    /// Its tag.
    pub tag: Option<i64>,
    /// The versions that have it tagged.
    pub tagged: Versions,
    /// Its default: `null`, a number, `true` or `false`, or empty.
    pub default: String,
    /// Whether versions that lack it may be written although it has a value.
    pub ignorable: bool,
    /// Whether it is written as in inflexible versions always.
    pub inflexible: bool,
    /// The fields of a struct, or of the structs of an array.
    pub fields: Vec<Field>,
}

/// Facts by what they are about: `FetchRequest.Topics.Partitions / versions` is `0+`.
pub type Facts = BTreeMap<String, String>;

/// A range of versions as the schema files spell it.
pub fn spell(versions: Versions) -> String {
    match versions {
        _ if versions.is_empty() => "none".into(),
        Versions { first, last: i16::MAX } => format!("{first}+"),
        Versions { first, last } if first == last => first.to_string(),
        Versions { first, last } => format!("{first}-{last}"),
    }
}

impl Message {
    /// All that the schema says.
    pub fn facts(&self) -> Facts {
        let mut facts = Facts::new();
        let mut say = |what: &str, value: String| facts.insert(format!("{} / {what}", self.name), value);
        say("kind", self.kind.clone());
        say("api key", self.api_key.map_or("none".into(), |key| key.to_string()));
        say("versions", spell(self.current));
        say("last version unstable", self.unstable.to_string());
        // Of a message without versions the files say no more.
        if !self.current.is_empty() {
            say("flexible", spell(self.flexible));
            say("listeners", self.listeners.join(", "));
            fields_facts(&self.name, &self.fields, &mut facts);
        }
        facts
    }

    /// What the bytes of one version look like: a line a field, in the order of the wire.
    pub fn layout(&self, version: i16) -> Vec<String> {
        let mut lines = vec![format!("flexible {}", self.flexible.contains(version))];
        layout(&self.fields, version, "", &mut lines);
        lines
    }
}

fn fields_facts(path: &str, fields: &[Field], facts: &mut Facts) {
    let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
    facts.insert(format!("{path} / fields"), names.join(", "));
    for field in fields {
        let path = format!("{path}.{}", field.name);
        let mut say = |what: &str, value: String| facts.insert(format!("{path} / {what}"), value);
        say("type", field.ty.clone());
        say("versions", spell(field.versions));
        say("nullable", spell(field.nullable));
        say("tag", field.tag.map_or("none".into(), |tag| tag.to_string()));
        say("tagged", spell(field.tagged));
        say("default", field.default.clone());
        say("ignorable", field.ignorable.to_string());
        say("inflexible", field.inflexible.to_string());
        if !field.fields.is_empty() {
            fields_facts(&path, &field.fields, facts);
        }
    }
}

fn layout(fields: &[Field], version: i16, indent: &str, lines: &mut Vec<String>) {
    for field in fields.iter().filter(|field| field.versions.contains(version)) {
        let nullable = if field.nullable.contains(version) { " nullable" } else { "" };
        let tag = field.tag.filter(|_| field.tagged.contains(version));
        let tag = tag.map_or(String::new(), |tag| format!(" tag {tag}"));
        lines.push(format!("{indent}{} {}{nullable}{tag} = {}", field.name, field.ty, field.default));
        layout(&field.fields, version, &format!("{indent}  "), lines);
    }
}
