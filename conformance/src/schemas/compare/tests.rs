use super::*;
use crate::schemas::declared;

fn find<'m>(messages: &'m mut [Message], name: &str) -> &'m mut Message {
    messages.iter_mut().find(|message| message.name == name).unwrap()
}

/// Kafka's side as it would be if the declarations were right.
fn kafkas() -> Vec<Message> {
    let mut messages: Vec<_> =
        declared::messages().iter().map(|message| without_removed_fields(message, None)).collect();
    for message in &mut messages {
        message.versions = message.current;
    }
    find(&mut messages, "RequestHeader").fields[3].ignorable = false;
    messages
}

/// The differences that a change of Kafka's side makes.
fn differences(change: impl FnOnce(&mut Vec<Message>)) -> Vec<String> {
    let mut kafkas = kafkas();
    change(&mut kafkas);
    compare(&declared::messages(), &kafkas, &[]).differences
}

#[test]
fn equal_sides_do_not_differ() {
    assert_eq!(differences(|_| ()), [""; 0]);
}

/// A change of Kafka's side that one fact must tell of.
type Change = fn(&mut Message);

#[test]
fn every_single_fact_can_differ() {
    let changes: &[(&str, Change)] = &[
        ("kind", |message| message.kind = "data".into()),
        ("api key", |message| message.api_key = Some(99)),
        ("versions", |message| message.current.last += 1),
        ("last version unstable", |message| message.unstable = true),
        ("flexible", |message| message.flexible.first += 1),
        ("listeners", |message| message.listeners.clear()),
        ("fields", |message| message.fields.swap(0, 1)),
        ("fields", |message| message.fields[0].name = "Other".into()),
        ("type", |message| message.fields[0].ty = "bytes".into()),
        ("versions", |message| message.fields[0].versions.first += 1),
        ("nullable", |message| message.fields[0].nullable = Versions::NONE),
        ("tag", |message| message.fields[0].tag = Some(7)),
        ("tagged", |message| message.fields[0].tagged.first += 1),
        ("default", |message| message.fields[0].default = String::new()),
        ("ignorable", |message| message.fields[0].ignorable = false),
        ("inflexible", |message| message.fields[0].inflexible = true),
    ];
    for (fact, change) in changes {
        let found = differences(|messages| change(find(messages, "FetchRequest")));
        let named =
            |line: &&String| line.starts_with("FetchRequest") && line.contains(&format!("/ {fact}: "));
        assert!(found.iter().any(|line| named(&line)), "{fact}: {found:?}");
    }
}

#[test]
fn a_nested_field_can_differ() {
    let found = differences(|messages| {
        let topics =
            find(messages, "MetadataResponse").fields.iter_mut().find(|field| field.name == "Topics");
        topics.unwrap().fields[0].ty = "int32".into();
    });
    assert_eq!(found, ["MetadataResponse.Topics.ErrorCode / type: declared int16, Kafka's int32"]);
}

#[test]
fn a_missing_message_differs_in_either_direction() {
    let found = differences(|messages| messages.retain(|message| message.name != "TopicRecord"));
    assert!(found.contains(&"TopicRecord / kind: declared metadata, not in Kafka".to_owned()));
    let found = differences(|messages| {
        let more = Message { name: "NewRecord".into(), ..find(messages, "TopicRecord").clone() };
        messages.push(more);
    });
    assert!(found.contains(&"NewRecord / kind: not declared, Kafka's metadata".to_owned()));
}

#[test]
fn a_removed_version_is_compared_field_by_field() {
    let before = |change: Change| {
        let mut old = find(&mut declared::messages(), "DescribeConfigsResponse").clone();
        change(&mut old);
        compare(&declared::messages(), &kafkas(), &[old])
    };
    let same = before(|_| ());
    assert_eq!((same.differences.len(), same.removed_versions), (0, 1));
    let without_default = before(|old| {
        let results = &mut old.fields[1];
        results.fields.last_mut().unwrap().fields.retain(|field| field.name != "IsDefault");
    });
    assert!(without_default.differences[0].starts_with("DescribeConfigsResponse version 0: declared"));
}

#[test]
fn an_exception_that_is_none_any_more_is_reported() {
    let found = differences(|messages| find(messages, "RequestHeader").fields[3].ignorable = true);
    assert!(found[0].contains("not as the exception says"), "{found:?}");
}
