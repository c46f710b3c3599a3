//! The versions that Kafka 4 removed, asked of Kafka 3.9: which cases of the tables they concern, and how far two message
//! sets can be compared.

use protocol::api_key::ApiKey;
use protocol::messages::schema::Versions;
use serde_json::Value;

use super::case::Case;

/// Cases of which Kafka 3.9 says something else in old versions: they ask about what those do not have or do not check,
/// or about what another release has in its configuration, or they need members of a consumer group, which 3.9 does not
/// have unasked. `message_sets` asks what takes the place of those about records.
const OTHERWISE: [(ApiKey, &[&str]); 6] = [
    (
        ApiKey::DescribeConfigs,
        &[
            "without synonyms and documentation",
            "no key",
            "client metrics nobody has configured",
            "a group nobody has configured",
            "the default of all brokers",
        ],
    ),
    (
        ApiKey::Produce,
        &[
            "records of null",
            "no records",
            "three bytes",
            "magic 0",
            "magic 1",
            "a batch without its last byte",
            "a length one byte long",
            "a length of fourteen",
            "a length of two thousand million",
            "a length a little less",
            "too far in the future",
        ],
    ),
    (ApiKey::Fetch, &["an unknown isolation level", "with less than nothing allowed"]),
    (ApiKey::ListOffsets, &["the same partition twice", "the same topic twice"]),
    (
        ApiKey::OffsetCommit,
        &[
            "nobody into a consumer group with members",
            "nobody into a consumer group without members",
            "a classic member whose group was upgraded",
        ],
    ),
    (
        ApiKey::OffsetForLeaderEpoch,
        &["a later epoch than the leader's", "an earlier epoch than the leader's"],
    ),
];

/// Whether a case is asked in versions that Kafka 4 removed.
pub fn concerns(case: &Case) -> bool {
    let otherwise = OTHERWISE.iter().any(|(api, names)| *api == case.api && names.contains(&case.name));
    // A leader that comes back has the epoch it had: only Kafka 4 begins another.
    let asked = !otherwise && !case.name.contains("every") && case.restarted.is_none();
    let versions = removed(case.api);
    asked && versions.first.max(case.versions.first) <= versions.last.min(case.versions.last)
}

/// The versions of an API that Kafka 4 removed and Kafka 3.9 still serves. Version 0 of OffsetCommit and OffsetFetch kept
/// offsets in ZooKeeper, so that a Kafka without it refuses them; we keep those offsets where all others are.
pub fn removed(api: ApiKey) -> Versions {
    let first = if matches!(api, ApiKey::OffsetCommit | ApiKey::OffsetFetch) { 1 } else { 0 };
    Versions::new(first, api.request().current.first - 1)
}

/// Cuts message sets to the records that both have. Kafka makes what it converts as long as what it converted it from, so
/// that it sends as many messages as happen to fit; ours end where the reader's bound is. One that is empty stays so.
pub fn cut_to_both(kafka: &mut Value, headwater: &mut Value) {
    match (kafka, headwater) {
        (Value::Object(kafka), Value::Object(headwater)) => {
            for (name, value) in kafka {
                let Some(other) = headwater.get_mut(name) else { continue };
                match (name.as_str(), value, other) {
                    ("messages" | "records", Value::Array(one), Value::Array(other)) => {
                        let both = one.len().min(other.len());
                        if both > 0 {
                            one.truncate(both);
                            other.truncate(both);
                        }
                    }
                    (_, one, other) => cut_to_both(one, other),
                }
            }
        }
        (Value::Array(kafka), Value::Array(headwater)) => {
            kafka.iter_mut().zip(headwater).for_each(|(one, other)| cut_to_both(one, other));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sets_are_cut_to_the_shorter_one_that_is_not_empty() {
        let set = |records: &[i32]| json!([{"Records": {"records": records, "messages": [1]}, "N": [1, 2]}]);
        let (mut kafka, mut headwater) = (set(&[1, 2]), set(&[1, 2, 3]));
        cut_to_both(&mut kafka, &mut headwater);
        assert_eq!(kafka, headwater);
        let (mut kafka, mut headwater) = (set(&[1, 2]), set(&[]));
        cut_to_both(&mut kafka, &mut headwater);
        assert_ne!(kafka, headwater);
    }
}
