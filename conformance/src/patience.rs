//! Asking until a broker can answer: one that has just started, made a topic or lost a coordinator says so by codes that
//! ask the client to try again, and how long that lasts is the machine's affair.
//!
//! Nothing here waits for a time to pass; it waits for an answer, and gives up after [`PATIENCE`].

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use serde_json::{Value, json};

use crate::by_schema::encode;
use crate::connection::{Answer, Connection};

/// How long a slow machine may take for what a quick one has done at once.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How long to let a broker get on between two questions.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks on connections of its own until the answer holds no code that asks to try again.
pub fn ask(address: SocketAddr, api: ApiKey, version: i16, request: &Value) -> Result<Value> {
    let end = Instant::now() + PATIENCE;
    let body = encode(api.request(), version, request)?;
    loop {
        let answer = Connection::open(address).and_then(|mut asked| asked.ask_bytes(api, version, &body));
        match answer {
            Ok(Answer::Response(answer)) if !error_codes(&answer).into_iter().any(asks_again) => {
                return Ok(answer);
            }
            other => ensure!(
                Instant::now() < end,
                "{} {version} is still answered with {other:?} after {PATIENCE:?}",
                api.name()
            ),
        }
        std::thread::sleep(PAUSE);
    }
}

/// The same, and wants no error at all.
pub fn insist(address: SocketAddr, api: ApiKey, version: i16, request: &Value) -> Result<Value> {
    let answer = ask(address, api, version, request)?;
    ensure!(error_codes(&answer).is_empty(), "{} {version} is answered with {answer}", api.name());
    Ok(answer)
}

/// Whether a broker has registered, knows a leader of every partition, and leads those it is to lead. `false` also
/// while it does not answer at all.
pub fn is_ready(address: SocketAddr) -> bool {
    ready(address).unwrap_or(false)
}

fn ready(address: SocketAddr) -> Result<bool> {
    let mut connection = Connection::open(address)?;
    let Answer::Response(metadata) = connection.ask(ApiKey::Metadata, 9, &json!({"Topics": null}))? else {
        return Ok(false);
    };
    let brokers = metadata["Brokers"].as_array().is_some_and(|brokers| !brokers.is_empty());
    if !brokers || !error_codes(&metadata).is_empty() {
        return Ok(false);
    }
    let mut topics = Vec::new();
    for topic in metadata["Topics"].as_array().into_iter().flatten() {
        let indexes = topic["Partitions"].as_array().into_iter().flatten();
        let wanted = indexes.map(|index| json!({"PartitionIndex": index["PartitionIndex"], "Timestamp": -1}));
        topics.push(json!({"Name": topic["Name"], "Partitions": wanted.collect::<Vec<_>>()}));
    }
    let request = json!({"ReplicaId": -1, "Topics": topics});
    match connection.ask(ApiKey::ListOffsets, 5, &request)? {
        // A partition whose disk has failed, say, is ready to say so.
        Answer::Response(answer) => Ok(!error_codes(&answer).into_iter().any(is_of_leadership)),
        _ => Ok(false),
    }
}

/// Whether a code asks the client to try again.
pub fn asks_again(code: i16) -> bool {
    // Without a broker that has registered there is nowhere to put a replica.
    ErrorCode::from_i16(code)
        .is_some_and(|code| code.is_retriable() || code == ErrorCode::InvalidReplicationFactor)
}

fn is_of_leadership(code: i16) -> bool {
    use ErrorCode as E;
    ErrorCode::from_i16(code).is_some_and(|code| {
        matches!(
            code,
            E::UnknownTopicOrPartition
                | E::LeaderNotAvailable
                | E::NotLeaderOrFollower
                | E::ReplicaNotAvailable
                | E::FencedLeaderEpoch
                | E::UnknownLeaderEpoch
                | E::OffsetNotAvailable
        )
    })
}

/// All error codes in an answer but 0.
pub fn error_codes(answer: &Value) -> Vec<i16> {
    let mut codes = Vec::new();
    collect(answer, &mut codes);
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn collect(value: &Value, codes: &mut Vec<i16>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name.ends_with("ErrorCode") {
                    codes.extend(
                        value.as_i64().and_then(|code| i16::try_from(code).ok()).filter(|code| *code != 0),
                    );
                }
                collect(value, codes);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, codes)),
        _ => {}
    }
}
