//! What counts as the same answer: the closed list of fields that two brokers cannot have alike, and the comparison.

use conformance::by_schema::{hex, unhex};
use protocol::api_key::ApiKey;
use protocol::id::Uuid;
use protocol::records::batch::{MAGIC_V2, TimestampType, magic};
use protocol::records::batches::Batches;
use protocol::records::legacy::{LegacyError, LegacyScratch, Messages, each_record};
use serde_json::{Map, Value, json};

use super::scene::Scene;

/// The first version of Fetch that carries batches.
const BATCHES_SINCE: i16 = 4;

/// Fields that are not compared at all.
const IGNORED: [&str; 8] = [
    // How busy a broker is.
    "ThrottleTimeMs",
    // Texts are ours.
    "ErrorMessage",
    "BatchIndexErrorMessage",
    "StatusDetail",
    "Documentation",
    // Clocks, and what a quorum counts for itself.
    "LastFetchTimestamp",
    "LastCaughtUpTimestamp",
    "FinalizedFeaturesEpoch",
];

/// Fields of which only is compared whether there is a value: not null, negative, zero or empty.
const PRESENT: [&str; 12] = [
    "ClusterId",
    "SessionId",
    "LogAppendTimeMs",
    "LastTimestamp",
    "LogDir",
    "TotalBytes",
    "UsableBytes",
    "ReplicaDirectoryId",
    "ClientInstanceId",
    "SubscriptionId",
    "PushIntervalMs",
    "TransactionStartTimeMs",
];

/// Fields of the metadata quorum's own log, whose records are each broker's own.
const QUORUM: [&str; 3] = ["HighWatermark", "LogEndOffset", "LeaderEpoch"];

/// Configs that say where a broker is: two cannot be at the same place.
const WHERE: [&str; 5] = [
    "advertised.listeners",
    "controller.quorum.bootstrap.servers",
    "controller.quorum.voters",
    "listeners",
    "log.dirs",
];

/// Fields that tell the structs of an array apart, the better ones first.
const NAMES: [&str; 15] = [
    "Name",
    "Topic",
    "TopicName",
    "ResourceName",
    "Feature",
    "Key",
    "PartitionIndex",
    "Partition",
    "PartitionId",
    "Index",
    "ApiKey",
    "NodeId",
    "BrokerId",
    "ReplicaId",
    "LogDir",
];

/// One place where two answers differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where, such as `Topics[0].ErrorCode`.
    pub field: String,
    /// What Apache Kafka says.
    pub kafka: Value,
    /// What Headwater says.
    pub headwater: Value,
}

/// An answer without what cannot be alike, and with arrays of structs in one order.
pub fn comparable(api: ApiKey, scene: &Scene, answer: &Value) -> Value {
    Comparable { api, scene }.value("", answer)
}

struct Comparable<'a> {
    api: ApiKey,
    scene: &'a Scene,
}

impl Comparable<'_> {
    fn value(&self, name: &str, value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let kept = fields.iter().filter(|(name, _)| !IGNORED.contains(&name.as_str()));
                Value::Object(
                    kept.map(|(name, value)| (name.clone(), self.value(name, value))).collect::<Map<_, _>>(),
                )
            }
            Value::Array(elements) => {
                let kept = elements.iter().filter(|element| !says_where(element));
                let mut elements: Vec<Value> = kept.map(|element| self.value(name, element)).collect();
                // What is told of a transaction's partitions stands in the order of a hash set.
                let set = self.api == ApiKey::DescribeTransactions && name == "Partitions";
                if set || elements.iter().all(Value::is_object) {
                    elements.sort_by_key(Value::to_string);
                }
                elements.into()
            }
            _ => self.field(name, value),
        }
    }

    fn field(&self, name: &str, value: &Value) -> Value {
        if PRESENT.contains(&name) {
            return json!(if present(value) { "present" } else { "absent" });
        }
        if self.api == ApiKey::DescribeQuorum && QUORUM.contains(&name) {
            return json!(if present(value) { "present" } else { "absent" });
        }
        match (name, value) {
            ("TopicId", Value::String(id)) if *id == self.scene.topic_id && present(value) => {
                json!("the topic's")
            }
            ("TopicId", _) if present(value) => json!("another topic's"),
            ("ProducerId", Value::Number(id))
                if id.as_i64() == Some(self.scene.producer_id.0) && present(value) =>
            {
                json!("the producer's")
            }
            ("ProducerId", _) if present(value) => json!("another producer's"),
            ("MemberId" | "Leader", Value::String(id)) => json!(without_random(id)),
            ("Port", Value::Number(port)) => {
                match port.as_i64().map(|port| port - i64::from(self.scene.port)) {
                    Some(0) => json!("the broker's"),
                    Some(1) => json!("the controller's"),
                    _ => value.clone(),
                }
            }
            ("Records", Value::String(bytes)) => self.records(bytes),
            _ => value.clone(),
        }
    }

    /// Record batches in words. What follows the last whole batch stands at the end in hex.
    fn records(&self, text: &str) -> Value {
        let bytes = unhex(text).unwrap_or_default();
        // What is asked after a case may come in a later version than the case.
        if self.scene.version < BATCHES_SINCE && magic(&bytes) != Some(MAGIC_V2) {
            return message_set(&bytes);
        }
        let mut batches = Batches::new(&bytes);
        let mut words = Vec::new();
        while let Ok(Some(batch)) = batches.next_batch() {
            let header = &batch.header;
            // What the broker writes itself, such as a marker, is of the time when it did.
            let stamped = header.attributes.0 & 8 != 0;
            let control = header.attributes.0 & 32 != 0;
            let producer = header.producer_id == self.scene.producer_id;
            words.push(json!({
                "base offset": header.base_offset.0,
                "leader epoch": header.leader_epoch.0,
                "attributes": header.attributes.0,
                "last offset delta": header.last_offset_delta,
                "base timestamp": if control { json!("the broker's") } else { json!(header.base_timestamp.0) },
                "max timestamp": if stamped || control { json!("the broker's") } else { json!(header.max_timestamp.0) },
                "producer": if producer { json!("the scene's") } else { json!(header.producer_id.0) },
                "producer epoch": header.producer_epoch.0,
                "base sequence": header.base_sequence.0,
                "crc holds": batch.verify_crc().is_ok(),
                "payload": hex(batch.payload()),
            }));
        }
        let rest = &bytes[batches.position()..];
        json!({"batches": words, "bytes after them": rest.len()})
    }
}

/// A member's id without its random end.
fn without_random(id: &str) -> String {
    match id.len().checked_sub(36).filter(|at| id.is_char_boundary(*at)).map(|at| id.split_at(at)) {
        Some((name, random)) if random.matches('-').count() == 4 => format!("{name}and a random id"),
        // Members of a consumer group are given an id that is random as a whole, in base 64.
        None if id.len() == 22 && Uuid::parse(id).is_some() => "a random id".to_owned(),
        _ => id.to_owned(),
    }
}

/// A message set in words. Kafka fills up what it converts to the length of what it was with the beginning of a message
/// that nobody can read, so that only is said whether there are bytes where there is no message.
fn message_set(bytes: &[u8]) -> Value {
    let mut messages = Messages::new(bytes);
    let mut words = Vec::new();
    while let Ok(Some(message)) = messages.next_message() {
        words.push(json!({"magic": message.magic, "attributes": message.attributes,
            "crc holds": message.verify_crc().is_ok()}));
    }
    let mut records = Vec::new();
    let read = each_record(bytes, &mut LegacyScratch::default(), 1 << 20, |record| {
        let stamped = record.timestamp_type == TimestampType::LogAppendTime;
        let timestamp = if stamped { json!("the broker's") } else { json!(record.timestamp.0) };
        records.push(json!({"offset": record.offset.0, "timestamp": timestamp,
            "key": record.key.map(hex), "value": record.value.map(hex)}));
        Ok::<_, LegacyError>(())
    });
    json!({"messages": words, "records": records, "readable": read.is_ok(),
        "only a beginning": messages.position() == 0 && !bytes.is_empty()})
}

/// Whether a struct is a config that says where a broker is, on the network or on disk.
fn says_where(element: &Value) -> bool {
    element["Name"].as_str().is_some_and(|name| WHERE.contains(&name))
}

fn present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Number(number) => number.as_i64().is_some_and(|number| !(-1..=0).contains(&number)),
        Value::String(text) => !text.is_empty() && text.chars().any(|character| character != 'A'),
        _ => true,
    }
}

/// Every place where two comparable answers differ.
pub fn differences(kafka: &Value, headwater: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", kafka, headwater, &mut found);
    found
}

fn compare(field: &str, kafka: &Value, headwater: &Value, found: &mut Vec<Difference>) {
    match (kafka, headwater) {
        (Value::Object(a), Value::Object(b)) => {
            let mut names: Vec<_> = a.keys().chain(b.keys()).collect();
            names.sort();
            names.dedup();
            let dot = if field.is_empty() { "" } else { "." };
            for name in names {
                let of =
                    |fields: &Map<String, Value>| fields.get(name).cloned().unwrap_or(json!("no such field"));
                compare(&format!("{field}{dot}{name}"), &of(a), &of(b), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if named(a).is_some() && named(b).is_some() => {
            let (a, b) = (named(a).unwrap_or_default(), named(b).unwrap_or_default());
            let mut names: Vec<_> = a.keys().chain(b.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let of =
                    |elements: &Map<String, Value>| elements.get(name).cloned().unwrap_or(json!("not there"));
                compare(&format!("{field}[{name}]"), &of(&a), &of(&b), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{field}[{index}]"), a, b, found);
            }
        }
        _ if kafka == headwater => {}
        _ => found.push(Difference {
            field: field.to_owned(),
            kafka: kafka.clone(),
            headwater: headwater.clone(),
        }),
    }
}

/// The structs of an array by the field that tells them apart; `None` where none does.
fn named(elements: &[Value]) -> Option<Map<String, Value>> {
    let name = NAMES.iter().find(|name| elements.first().is_some_and(|first| first.get(**name).is_some()))?;
    let named: Map<_, _> = elements
        .iter()
        .map(|element| {
            let name = element.get(*name).map(Value::to_string).unwrap_or_default();
            (name.trim_matches('"').to_owned(), element.clone())
        })
        .collect();
    (named.len() == elements.len()).then_some(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::id::{ProducerEpoch, ProducerId};

    fn scene(id: &str) -> Scene {
        Scene {
            topic: "t".into(),
            topic_id: id.into(),
            producer_id: ProducerId(7),
            producer_epoch: ProducerEpoch(0),
            session_id: 0,
            member_id: String::new(),
            port: 9092,
            cluster_id: "c".into(),
            version: 0,
        }
    }

    #[test]
    fn ids_clocks_texts_and_order_do_not_matter() {
        let answer = |id: &str, text: &str, first: i32| {
            json!({"ThrottleTimeMs": first, "Topics": [
                {"Name": if first == 0 { "a" } else { "b" }, "ErrorMessage": text},
                {"Name": if first == 0 { "b" } else { "a" }, "ErrorMessage": null}], "TopicId": id})
        };
        let (a, b) = ("AAAAAAAAAAAAAAAAAAAAAg", "AAAAAAAAAAAAAAAAAAAAAw");
        let kafka = comparable(ApiKey::Metadata, &scene(a), &answer(a, "x", 0));
        let headwater = comparable(ApiKey::Metadata, &scene(b), &answer(b, "y", 1));
        assert_eq!(differences(&kafka, &headwater), []);
        let other = comparable(ApiKey::Metadata, &scene(b), &answer(a, "y", 1));
        assert_eq!(differences(&kafka, &other).len(), 1);
    }

    #[test]
    fn a_code_a_missing_field_and_a_shorter_array_differ() {
        let kafka = json!({"ErrorCode": 3, "A": 1, "List": [1, 2]});
        let found = differences(&kafka, &json!({"ErrorCode": 0, "List": [1]}));
        let fields: Vec<_> = found.iter().map(|difference| difference.field.as_str()).collect();
        assert_eq!(fields, ["A", "ErrorCode", "List"]);
    }

    #[test]
    fn structs_of_an_array_are_compared_by_name() {
        let kafka = json!([{"Name": "a", "V": 1}, {"Name": "b", "V": 2}, {"Name": "c", "V": 3}]);
        let found = differences(&kafka, &json!([{"Name": "c", "V": 3}, {"Name": "b", "V": 0}]));
        let fields: Vec<_> = found.iter().map(|difference| difference.field.as_str()).collect();
        assert_eq!(fields, ["[a]", "[b].V"]);
    }
}
