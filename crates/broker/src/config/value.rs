//! A typed config value, and Kafka's grammar for each type.
//!
//! Text is trimmed first, as Kafka does. A value that does not fit is refused with [`Invalid`], which
//! names the key, the value and what is allowed; a sensitive value is never repeated.

use std::fmt;

use thiserror::Error;

use super::key::{Allowed, Key, Type};

/// A parsed value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// For [`Type::Boolean`].
    Boolean(bool),
    /// For the three integer types, already within their width.
    Integer(i64),
    /// For [`Type::Double`].
    Double(f64),
    /// For text, passwords and class names.
    Text(String),
    /// For [`Type::List`].
    List(Vec<String>),
}

/// A value that a key does not take.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("invalid value {value} for {key}: {allowed}")]
pub struct Invalid {
    /// The key as it was written (with its listener prefix, if any).
    pub key: String,
    /// The value, quoted; `[hidden]` for a password.
    pub value: String,
    /// What the key takes.
    pub allowed: String,
}

impl Invalid {
    /// A refusal of `text` for `key`, saying what is allowed.
    pub fn new(key: &Key, text: &str, allowed: impl Into<String>) -> Invalid {
        let value = if key.sensitive() { "[hidden]".to_owned() } else { format!("\"{text}\"") };
        Invalid { key: key.name.to_owned(), value, allowed: allowed.into() }
    }
}

impl Value {
    /// Reads `text` as the type of `key` and checks its bounds.
    ///
    /// # Errors
    /// [`Invalid`] when type or bounds do not hold.
    pub fn parse(key: &Key, text: &str) -> Result<Value, Invalid> {
        let text = text.trim();
        let value = match key.kind {
            Type::Boolean if text.eq_ignore_ascii_case("true") => Value::Boolean(true),
            Type::Boolean if text.eq_ignore_ascii_case("false") => Value::Boolean(false),
            Type::Boolean => return Err(Invalid::new(key, text, "it must be true or false")),
            Type::Int => integer(key, text, i64::from(i32::MIN), i64::from(i32::MAX))?,
            Type::Short => integer(key, text, i64::from(i16::MIN), i64::from(i16::MAX))?,
            Type::Long => integer(key, text, i64::MIN, i64::MAX)?,
            Type::Double => match java_double(text) {
                Some(number) => Value::Double(number),
                None => return Err(Invalid::new(key, text, "it must be a number, such as 0.5")),
            },
            Type::String | Type::Class | Type::Password => Value::Text(text.to_owned()),
            Type::List => Value::List(split_list(text)),
        };
        value.within(key, text)?;
        Ok(value)
    }

    fn within(&self, key: &Key, text: &str) -> Result<(), Invalid> {
        let refuse = |allowed: String| Err(Invalid::new(key, text, allowed));
        match (key.allowed, self) {
            (Allowed::AtLeast(least), Value::Integer(number)) if *number < least => {
                refuse(format!("it must be at least {least}"))
            }
            (Allowed::Between(least, most), Value::Integer(number)) if *number < least || *number > most => {
                refuse(format!("it must be between {least} and {most}"))
            }
            // NaN passes, as it does in Kafka: neither comparison holds.
            (Allowed::Fraction(most), Value::Double(number)) if *number < 0.0 || *number > most => {
                refuse(format!("it must be between 0 and {most}"))
            }
            (Allowed::OneOf(words), Value::Text(word)) if !words.contains(&word.as_str()) => {
                refuse(format!("it must be one of {}", words.join(", ")))
            }
            (Allowed::OneOfAnyCase(words), Value::Text(word))
                if !words.iter().any(|known| known.eq_ignore_ascii_case(word)) =>
            {
                refuse(format!("it must be one of {}", words.join(", ")))
            }
            (Allowed::List { of, empty }, Value::List(entries)) => check_list(key, text, of, empty, entries),
            (Allowed::NonEmpty, Value::Text(word)) if word.is_empty() => {
                refuse("it must not be empty".to_owned())
            }
            (Allowed::GzipLevel, Value::Integer(level)) if *level != -1 && !(1..=9).contains(level) => {
                refuse("it must be between 1 and 9, or -1 for gzip's own default".to_owned())
            }
            (Allowed::ThrottledReplicas, Value::List(entries)) if !throttled_replicas(entries) => refuse(
                "it must be * for all replicas, or partition:broker pairs such as 0:101,1:102".to_owned(),
            ),
            (Allowed::AutoOffsetReset, Value::Text(word)) if !auto_offset_reset(word) => refuse(
                "it must be latest, earliest or by_duration:<ISO-8601 duration>, such as by_duration:PT1H"
                    .to_owned(),
            ),
            (Allowed::QuorumVoters, Value::List(entries)) => {
                match entries.iter().find(|entry| !is_voter(entry)) {
                    Some(entry) => refuse(format!("\"{entry}\" must have the form id@host:port")),
                    None => Ok(()),
                }
            }
            (Allowed::BootstrapServers, Value::List(entries)) => {
                match entries.iter().find(|entry| split_host_port(entry).is_none()) {
                    Some(entry) => refuse(format!("\"{entry}\" must have the form host:port")),
                    None => Ok(()),
                }
            }
            (Allowed::AddressOrEmpty, Value::Text(address))
                if !address.is_empty() && split_host_port(address).is_none() =>
            {
                refuse("it must have the form host:port, or be empty".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Value {
    /// The text that DescribeConfigs shows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Boolean(value) => write!(f, "{value}"),
            Value::Integer(value) => write!(f, "{value}"),
            Value::Double(value) => f.write_str(&java_double_text(*value)),
            Value::Text(value) => f.write_str(value),
            Value::List(entries) => f.write_str(&entries.join(",")),
        }
    }
}

fn integer(key: &Key, text: &str, least: i64, most: i64) -> Result<Value, Invalid> {
    match text.parse::<i64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(Value::Integer(number)),
        _ => {
            let (least, most) = match key.allowed {
                Allowed::AtLeast(bound) => (bound, most),
                Allowed::Between(lower, upper) => (lower, upper),
                _ => (least, most),
            };
            Err(Invalid::new(key, text, format!("it must be a whole number between {least} and {most}")))
        }
    }
}

/// Java's `Double.parseDouble` in the forms that people write: digits, exponent, `d` or `f` behind,
/// `NaN` and `Infinity` spelled exactly. Hexadecimal floats are left out.
fn java_double(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned {
        "NaN" => return Some(f64::NAN),
        "Infinity" if text.starts_with('-') => return Some(f64::NEG_INFINITY),
        "Infinity" => return Some(f64::INFINITY),
        _ => {}
    }
    let digits = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    if digits.chars().all(|c| matches!(c, '0'..='9' | '.' | '+' | '-' | 'e' | 'E')) {
        digits.parse().ok()
    } else {
        None
    }
}

/// Java's `Double.toString`: at least one digit behind the point, and `1.0E10` from ten million up.
fn java_double_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e7).contains(&size) {
        let text = format!("{value:E}");
        let (mantissa, exponent) = text.split_once('E').unwrap_or((&text, "0"));
        let point = if mantissa.contains('.') { "" } else { ".0" };
        return format!("{mantissa}{point}E{exponent}");
    }
    format!("{value:?}")
}

/// Splits at commas and trims; an empty text is an empty list, a comma too many is an empty entry.
pub fn split_list(text: &str) -> Vec<String> {
    let text = text.trim();
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(|entry| entry.trim().to_owned()).collect()
}

fn check_list(key: &Key, text: &str, of: &[&str], empty: bool, entries: &[String]) -> Result<(), Invalid> {
    if entries.is_empty() && !empty {
        return Err(Invalid::new(key, text, "it needs at least one entry"));
    }
    if entries.iter().any(String::is_empty) {
        return Err(Invalid::new(key, text, "it must not hold an empty entry (look for a comma too many)"));
    }
    match entries.iter().find(|entry| !of.is_empty() && !of.contains(&entry.as_str())) {
        Some(entry) => Err(Invalid::new(key, text, format!("\"{entry}\" must be one of {}", of.join(", ")))),
        None => Ok(()),
    }
}

fn throttled_replicas(entries: &[String]) -> bool {
    let pair = |entry: &String| {
        entry.split_once(':').is_some_and(|(partition, broker)| {
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits(partition) && digits(broker)
        })
    };
    matches!(entries, [one] if one == "*") || entries.iter().all(pair)
}

fn auto_offset_reset(word: &str) -> bool {
    match word.to_ascii_lowercase().strip_prefix("by_duration:") {
        Some(duration) => iso_8601_duration(duration),
        None => word.eq_ignore_ascii_case("latest") || word.eq_ignore_ascii_case("earliest"),
    }
}

/// `PnDTnHnMn.nS`, at least one part, no sign: a look back in time cannot be negative.
fn iso_8601_duration(text: &str) -> bool {
    let Some(body) = text.strip_prefix('p') else { return false };
    let (days, time) = match body.split_once('t') {
        Some((_, "")) => return false,
        Some((days, time)) => (days, time),
        None => (body, ""),
    };
    let date_ok = days.is_empty() || days.strip_suffix('d').is_some_and(all_digits);
    let mut rest = time;
    for unit in ['h', 'm', 's'] {
        if let Some((number, behind)) = rest.split_once(unit) {
            let whole = number.split_once('.').filter(|_| unit == 's').map_or(number, |(whole, _)| whole);
            if !all_digits(whole) {
                return false;
            }
            rest = behind;
        }
    }
    date_ok && rest.is_empty() && !(days.is_empty() && time.is_empty())
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_voter(entry: &str) -> bool {
    entry.split_once('@').is_some_and(|(id, address)| {
        id.parse::<i32>().is_ok_and(|id| id >= 0) && split_host_port(address).is_some()
    })
}

/// Splits `host:port` and `[v6]:port`; the host comes without brackets.
pub fn split_host_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    Some((host, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::key::{double, int, list, string};
    use super::*;

    fn shown(key: &Key, text: &str) -> String {
        match key.check(text) {
            Ok(value) => value.to_string(),
            Err(invalid) => invalid.to_string(),
        }
    }

    #[test]
    fn numbers_are_trimmed_signed_and_bounded() {
        let key = int("a.b", "1").at_least(-1);
        assert_eq!(shown(&key, " +5 "), "5");
        assert_eq!(shown(&key, "-2"), "invalid value \"-2\" for a.b: it must be at least -1");
        let width = "it must be a whole number between -1 and 2147483647";
        assert_eq!(shown(&key, "5L"), format!("invalid value \"5L\" for a.b: {width}"));
        assert_eq!(shown(&key, "2147483648"), format!("invalid value \"2147483648\" for a.b: {width}"));
        assert_eq!(shown(&key, ""), format!("invalid value \"\" for a.b: {width}"));
    }

    #[test]
    fn doubles_follow_java() {
        let key = double("d", "0.5");
        for (text, expected) in [
            ("1", "1.0"),
            (".5f", "0.5"),
            ("1e3", "1000.0"),
            ("NaN", "NaN"),
            ("1.7976931348623157E308", "1.7976931348623157E308"),
            ("10000000", "1.0E7"),
            ("0.0001", "1.0E-4"),
        ] {
            assert_eq!(shown(&key, text), expected, "{text}");
        }
        for text in ["inf", "nan", "infinity", "a", "", "1,5"] {
            assert!(key.check(text).is_err(), "{text}");
        }
        assert!(key.allow(Allowed::Fraction(1.0)).check("1.1").is_err());
    }

    #[test]
    fn lists_split_at_commas_and_refuse_holes() {
        let key = list("l", "").allow(Allowed::List { of: &["compact", "delete"], empty: true });
        assert_eq!(shown(&key, " delete , compact "), "delete,compact");
        assert_eq!(shown(&key, ""), "");
        assert_eq!(shown(&key, "delete,delete"), "delete,delete");
        assert!(shown(&key, "delete,").contains("empty entry"));
        assert!(shown(&key, "DELETE").contains("\"DELETE\" must be one of compact, delete"));
        assert!(list("m", "").filled_list().check("").is_err());
    }

    #[test]
    fn words_are_exact_unless_any_case_is_allowed() {
        let key = string("compression.type", "producer").one_of(&["gzip", "producer"]);
        assert!(key.check("gzip").is_ok());
        assert!(key.check("GZIP").is_err());
        assert!(key.allow(Allowed::OneOfAnyCase(&["gzip"])).check("GZIP").is_ok());
    }

    #[test]
    fn an_address_may_be_left_out() {
        let key = string("headwater.http.listen", "").allow(Allowed::AddressOrEmpty);
        assert!(key.check("").is_ok() && key.check("[::1]:80").is_ok());
        assert!(shown(&key, "foo").contains("host:port, or be empty"));
    }

    #[test]
    fn passwords_are_never_repeated() {
        let key = Key::unset(Type::Password, "ssl.key.password").allow(Allowed::NonEmpty);
        assert_eq!(
            Invalid::new(&key, "hunter2", "x").to_string(),
            "invalid value [hidden] for ssl.key.password: x"
        );
    }

    #[test]
    fn throttled_replicas_are_star_or_pairs() {
        let key = list("t", "").allow(Allowed::ThrottledReplicas);
        for good in ["", "*", "0:1", "0:1,1:2"] {
            assert!(key.check(good).is_ok(), "{good}");
        }
        for bad in ["none", "0:1,x", "0:1,*", "0:", "a:1"] {
            assert!(key.check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn offset_resets_take_a_duration() {
        let key = string("share.auto.offset.reset", "latest").allow(Allowed::AutoOffsetReset);
        for good in ["latest", "earliest", "by_duration:PT1H", "by_duration:P1D", "by_duration:P2DT3H4M5.5S"]
        {
            assert!(key.check(good).is_ok(), "{good}");
        }
        for bad in
            ["none", "by_duration:", "by_duration:P", "by_duration:PT", "by_duration:-PT1H", "by_duration:1H"]
        {
            assert!(key.check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_take_names_ipv4_and_bracketed_ipv6() {
        assert_eq!(split_host_port("localhost:9092"), Some(("localhost", 9092)));
        assert_eq!(split_host_port("[::1]:9092"), Some(("::1", 9092)));
        assert_eq!(split_host_port(":9092"), Some(("", 9092)));
        for bad in ["::1:9092", "localhost", "localhost:", "localhost:65536", "[::1:9092"] {
            assert_eq!(split_host_port(bad), None, "{bad}");
        }
        let voters = list("controller.quorum.voters", "").allow(Allowed::QuorumVoters);
        assert!(voters.check("1@localhost:9093,2@[::1]:9094").is_ok());
        assert!(voters.check("localhost:9093").is_err());
    }
}
