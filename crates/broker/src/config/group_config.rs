//! The settings of one group (config resource GROUP): where they come from and the checks on them.
//!
//! A group's own settings beat the broker's `group.*` keys, which also bound them. Groups themselves live
//! elsewhere; this file only judges and looks up settings.

use super::keys;
use super::settings::{Settings, Texts};
use super::value::{Value, split_list};

/// The broker key that a group key takes its default from, if there is one.
pub fn broker_name(group_key: &str) -> Option<String> {
    if group_key == "streams.assignor.name" {
        return Some("group.streams.assignors".to_owned());
    }
    let name = format!("group.{group_key}");
    keys::broker(&name).map(|_| name)
}

/// A group key with the broker keys that bound it: at least the first, at most the second.
type Bounded = (&'static str, Option<&'static str>, Option<&'static str>);

#[rustfmt::skip]
const BOUNDED: &[Bounded] = &[
    ("consumer.heartbeat.interval.ms", Some("group.consumer.min.heartbeat.interval.ms"), Some("group.consumer.max.heartbeat.interval.ms")),
    ("consumer.session.timeout.ms", Some("group.consumer.min.session.timeout.ms"), Some("group.consumer.max.session.timeout.ms")),
    ("consumer.assignment.interval.ms", Some("group.consumer.min.assignment.interval.ms"), Some("group.consumer.max.assignment.interval.ms")),
    ("share.heartbeat.interval.ms", Some("group.share.min.heartbeat.interval.ms"), Some("group.share.max.heartbeat.interval.ms")),
    ("share.session.timeout.ms", Some("group.share.min.session.timeout.ms"), Some("group.share.max.session.timeout.ms")),
    ("share.record.lock.duration.ms", Some("group.share.min.record.lock.duration.ms"), Some("group.share.max.record.lock.duration.ms")),
    ("share.delivery.count.limit", Some("group.share.min.delivery.count.limit"), Some("group.share.max.delivery.count.limit")),
    ("share.partition.max.record.locks", Some("group.share.min.partition.max.record.locks"), Some("group.share.max.partition.max.record.locks")),
    ("share.assignment.interval.ms", Some("group.share.min.assignment.interval.ms"), Some("group.share.max.assignment.interval.ms")),
    ("streams.heartbeat.interval.ms", Some("group.streams.min.heartbeat.interval.ms"), Some("group.streams.max.heartbeat.interval.ms")),
    ("streams.session.timeout.ms", Some("group.streams.min.session.timeout.ms"), Some("group.streams.max.session.timeout.ms")),
    ("streams.num.standby.replicas", None, Some("group.streams.max.standby.replicas")),
    ("streams.assignment.interval.ms", Some("group.streams.min.assignment.interval.ms"), Some("group.streams.max.assignment.interval.ms")),
    ("streams.task.offset.interval.ms", Some("group.streams.min.task.offset.interval.ms"), None),
    ("streams.num.warmup.replicas", None, Some("group.streams.max.warmup.replicas")),
];

/// Whether a group may have these settings on a broker with `settings`.
///
/// # Errors
/// A sentence for the person who asked.
pub fn check(settings: &Settings, own: &Texts) -> Result<(), String> {
    for (name, text) in own {
        let Some(key) = keys::group(name) else { return Err(format!("{name} is not a group setting")) };
        let value = key.check(text).map_err(|invalid| invalid.to_string())?;
        if let Value::Integer(number) = value {
            check_bounds(settings, name, number)?;
        }
    }
    for kind in ["consumer", "share", "streams"] {
        check_session(settings, own, kind)?;
    }
    let text = |name: &str| own.get(name).map(String::as_str).unwrap_or_default();
    let tags = split_list(text("streams.rack.aware.assignment.tags"));
    if let Some(tag) = tags.iter().enumerate().find(|(at, tag)| tags[..*at].contains(tag)).map(|(_, tag)| tag)
    {
        return Err(format!("streams.rack.aware.assignment.tags has \"{tag}\" twice: name each tag once"));
    }
    let assignors = settings.list("group.streams.assignors").unwrap_or_default();
    let assignor = text("streams.assignor.name").trim();
    if own.contains_key("streams.assignor.name") && !assignors.iter().any(|known| known == assignor) {
        return Err(format!(
            "invalid value \"{assignor}\" for streams.assignor.name: it must be one of {}",
            assignors.join(", ")
        ));
    }
    if text("errors.deadletterqueue.topic.name").trim().starts_with("__") {
        return Err("errors.deadletterqueue.topic.name starts with __, which is kept for internal topics: choose another name".to_owned());
    }
    Ok(())
}

fn check_bounds(settings: &Settings, name: &str, number: i64) -> Result<(), String> {
    let Some((_, least, most)) = BOUNDED.iter().find(|(bounded, ..)| *bounded == name) else { return Ok(()) };
    let bound = |key: Option<&'static str>| {
        let key = key?;
        Some((key, settings.integer(key).ok()?))
    };
    if let Some((key, bound)) = bound(*least).filter(|(_, bound)| number < *bound) {
        return Err(format!(
            "invalid value \"{number}\" for {name}: it must be at least {bound}, the broker's {key}"
        ));
    }
    if let Some((key, bound)) = bound(*most).filter(|(_, bound)| number > *bound) {
        return Err(format!(
            "invalid value \"{number}\" for {name}: it must be at most {bound}, the broker's {key}"
        ));
    }
    Ok(())
}

/// A member must have time for more than one heartbeat before its session ends.
fn check_session(settings: &Settings, own: &Texts, kind: &str) -> Result<(), String> {
    let effective = |name: &str| {
        let set = own.get(name).and_then(|text| text.trim().parse::<i64>().ok());
        set.or_else(|| settings.integer(&format!("group.{name}")).ok()).unwrap_or_default()
    };
    let (session, heartbeat) =
        (format!("{kind}.session.timeout.ms"), format!("{kind}.heartbeat.interval.ms"));
    let (timeout, interval) = (effective(&session), effective(&heartbeat));
    if timeout > interval {
        return Ok(());
    }
    Err(format!("{session} is {timeout}: it must be more than {heartbeat}, which is {interval}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_come_from_the_broker() {
        let judged = |file: &[(&str, &str)], own: &[(&str, &str)]| {
            let texts = |pairs: &[(&str, &str)]| {
                pairs.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect()
            };
            check(&Settings::load(texts(file)).unwrap().0, &texts(own))
        };
        assert_eq!(judged(&[], &[("consumer.session.timeout.ms", "50000")]), Ok(()));
        for (own, part) in [
            (
                ("consumer.session.timeout.ms", "60001"),
                "at most 60000, the broker's group.consumer.max.session.timeout.ms",
            ),
            (("consumer.session.timeout.ms", "44999"), "at least 45000"),
            (("share.delivery.count.limit", "11"), "at most 10"),
            (("share.auto.offset.reset", "never"), "latest, earliest"),
            (("streams.assignor.name", "x"), "one of sticky"),
            (("streams.rack.aware.assignment.tags", "a, b, a"), "\"a\" twice"),
            (("errors.deadletterqueue.topic.name", "__x"), "internal topics"),
            (("session.timeout.ms", "5"), "not a group setting"),
        ] {
            let why = judged(&[], &[own]).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
        let wide = [("group.consumer.min.session.timeout.ms", "1")];
        let why = judged(&wide, &[("consumer.session.timeout.ms", "5000")]).unwrap_err();
        assert!(why.contains("more than consumer.heartbeat.interval.ms, which is 5000"), "{why}");
    }

    #[test]
    fn every_bounded_key_and_its_bounds_are_declared() {
        for (name, least, most) in BOUNDED {
            assert!(keys::group(name).is_some(), "{name}");
            assert!(least.iter().chain(most).all(|bound| keys::broker(bound).is_some()), "{name}");
        }
    }
}
