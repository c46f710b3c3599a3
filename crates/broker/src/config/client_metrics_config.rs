//! The settings of a client metrics subscription and the checks on them (KIP-714).

use super::keys;
use super::settings::Texts;
use super::value::{Value, split_list};

/// What `match` may look at.
const MATCHED: &[&str] = &[
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

/// Why a subscription cannot have these settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionRefusal {
    /// The request makes no sense (Kafka's INVALID_REQUEST): no name, an unknown key, an interval out of bounds.
    Request(String),
    /// A value is wrong (Kafka's INVALID_CONFIG).
    Value(String),
}

/// Whether a subscription named `name` may have these settings.
///
/// # Errors
/// [`SubscriptionRefusal`] with a sentence for the person who asked.
pub fn check(name: &str, own: &Texts) -> Result<(), SubscriptionRefusal> {
    if name.is_empty() {
        return Err(SubscriptionRefusal::Request("a client metrics subscription needs a name".to_owned()));
    }
    for (key_name, text) in own {
        let Some(key) = keys::client_metrics(key_name) else {
            return Err(SubscriptionRefusal::Request(format!(
                "{key_name} is not a setting of client metrics: it must be interval.ms, match or metrics"
            )));
        };
        let value = key.check(text).map_err(|invalid| SubscriptionRefusal::Value(invalid.to_string()))?;
        if key.name == "interval.ms" && !matches!(value, Value::Integer(100..=3_600_000)) {
            return Err(SubscriptionRefusal::Request(format!(
                "invalid value \"{text}\" for interval.ms: it must be between 100 and 3600000 (one hour)"
            )));
        }
        if key.name == "match"
            && let Some(entry) = split_list(text).iter().find(|entry| !is_match(entry))
        {
            return Err(SubscriptionRefusal::Value(format!(
                "match has the entry \"{entry}\": it must have the form name=pattern with one of {}",
                MATCHED.join(", ")
            )));
        }
    }
    Ok(())
}

fn is_match(entry: &str) -> bool {
    match entry.split('=').collect::<Vec<_>>()[..] {
        [name, pattern] => MATCHED.contains(&name.trim()) && is_closed(pattern),
        _ => false,
    }
}

/// Whether the brackets and escapes of a regular expression are closed.
fn is_closed(pattern: &str) -> bool {
    let (mut groups, mut class, mut escaped) = (0_u32, false, false);
    for c in pattern.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '(' if !class => groups += 1,
            ')' if !class => match groups.checked_sub(1) {
                Some(open) => groups = open,
                None => return false,
            },
            _ => {}
        }
    }
    groups == 0 && !class && !escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Accepted and refused by Apache Kafka 4.4.0's own `ClientMetricsConfigs.validate`.
    #[test]
    fn subscriptions_are_judged_as_kafka_judges_them() {
        let judged = |name: &str, text: &str| check("s", &Texts::from([(name.to_owned(), text.to_owned())]));
        for (name, text) in [
            ("interval.ms", "100"),
            ("interval.ms", "3600000"),
            ("match", ""),
            ("match", "client_id=abc"),
            ("match", "client_id=a,client_id=b"),
            ("match", "client_id= a , client_software_name=.*"),
            ("metrics", "*"),
            ("metrics", "a,a"),
        ] {
            assert_eq!(judged(name, text), Ok(()), "{name}={text}");
        }
        for (name, text) in [("interval.ms", "99"), ("interval.ms", "3600001"), ("x", "y")] {
            assert!(matches!(judged(name, text), Err(SubscriptionRefusal::Request(_))), "{name}={text}");
        }
        for (name, text) in [
            ("interval.ms", ""),
            ("match", "client_id=["),
            ("match", "foo=b"),
            ("match", "client_id"),
            ("match", "client_id=a=b"),
            ("match", "CLIENT_ID=a"),
            ("metrics", "a,,b"),
        ] {
            assert!(matches!(judged(name, text), Err(SubscriptionRefusal::Value(_))), "{name}={text}");
        }
        assert!(matches!(check("", &Texts::new()), Err(SubscriptionRefusal::Request(_))));
    }
}
