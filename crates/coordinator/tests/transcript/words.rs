//! A step in words.

use std::sync::Arc;

/// A step: its verb, what follows in order, and what is named.
pub struct Words {
    plain: Vec<String>,
    named: Vec<(String, String)>,
}

impl Words {
    /// Reads a step. `member=..` and the like are named, `t-0=5` is not.
    pub fn of(line: &str) -> Self {
        let (mut plain, mut named) = (Vec::new(), Vec::new());
        for word in line.split_whitespace() {
            match word.split_once('=') {
                Some((key, value)) if !key.contains('-') => named.push((key.to_owned(), value.to_owned())),
                _ => plain.push(word.to_owned()),
            }
        }
        Self { plain, named }
    }

    pub fn verb(&self) -> &str {
        &self.plain[0]
    }

    pub fn get(&self, place: usize) -> &str {
        self.plain.get(place).map_or("", |word| word.trim_matches('\''))
    }

    pub fn from(&self, place: usize) -> &[String] {
        &self.plain[place.min(self.plain.len())..]
    }

    pub fn number(&self, place: usize) -> i64 {
        self.get(place).parse().unwrap_or_else(|_| panic!("'{}' is no number", self.get(place)))
    }

    pub fn named(&self) -> impl Iterator<Item = (&str, &str)> {
        self.named.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub fn named_one(&self, key: &str) -> Option<&str> {
        self.named().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    pub fn named_number(&self, key: &str, default: i64) -> i64 {
        self.named_one(key).map_or(default, |value| value.parse().unwrap())
    }
}

/// The id behind `client#n`; `-` is none.
pub fn member(short: &str) -> Arc<str> {
    match short.split_once('#') {
        Some((client, number)) => {
            let number: u64 = number.parse().unwrap();
            Arc::from(format!("{client}-00000000-0000-0000-0000-{number:012x}"))
        }
        None if short == "-" => Arc::from(""),
        None => Arc::from(short),
    }
}

/// An id as transcripts write it.
pub fn short(member: &str) -> String {
    match member.split_once("-00000000-0000-0000-0000-") {
        Some((client, number)) => format!("{client}#{}", u64::from_str_radix(number, 16).unwrap()),
        None if member.is_empty() => "-".to_owned(),
        None => member.to_owned(),
    }
}
