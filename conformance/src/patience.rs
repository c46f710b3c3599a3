//! Asking until a broker can answer: one that has just started, made a topic or lost a coordinator says so by codes of its
//! own ([`asks_again`]), and how long that lasts is the machine's affair.
//!
//! Nothing here waits for a time to pass; it waits for an answer, and gives up after [`PATIENCE`].

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use serde_json::{Value, json};

use crate::by_schema::encode;
use crate::connection::{Answer, Connection, Gone};

/// How long a slow machine may take for what a quick one has done at once.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How many times slower than the machine that figures are meant for one may be, with all that runs beside: what must be
/// quick is held to its figure times this, so that a broker that stalls is not taken for a slow machine.
pub const SLOWER: u32 = 20;
/// How long a Headwater takes until it serves again after kill -9, on that machine.
pub const READY_AFTER_KILL: Duration = Duration::from_millis(300);
/// How long to let a broker get on between two questions.
const PAUSE: Duration = Duration::from_millis(20);

/// Holds what something took to its figure: it fails beyond [`SLOWER`] times as long, and beyond the figure itself it is
/// said that this was not reached here.
pub fn hold(what: &str, took: Duration, figure: Duration) -> Result<()> {
    ensure!(took <= figure * SLOWER, "{what} took {took:?}, and its figure is {figure:?}");
    if took > figure {
        println!("     NOT REACHED: {what} took {took:?}, and its figure is {figure:?}");
    }
    Ok(())
}

/// Asks on connections of its own until there is an answer without a code of a beginning.
pub fn ask(address: SocketAddr, api: ApiKey, version: i16, request: &Value) -> Result<Value> {
    ask_while(asks_again, address, (api, version), request)
}

fn ask_while(
    again: fn(i16) -> bool,
    address: SocketAddr,
    (api, version): (ApiKey, i16),
    request: &Value,
) -> Result<Value> {
    let end = Instant::now() + PATIENCE;
    let body = encode(api.request(), version, request)?;
    loop {
        let answer = Connection::open(address).and_then(|mut asked| asked.ask_bytes(api, version, &body));
        match answer {
            Ok(Answer::Response(answer)) if !error_codes(&answer).into_iter().any(again) => {
                return Ok(answer);
            }
            // What was answered and cannot be read does not get better.
            Err(error) if !Gone::is(&error) => return Err(error),
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

/// The same for the batch of a transaction.
pub fn insist_in_transaction(
    address: SocketAddr,
    api: ApiKey,
    version: i16,
    request: &Value,
) -> Result<Value> {
    let answer = ask_while(asks_transaction_again, address, (api, version), request)?;
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

/// Whether a code is one of beginnings: of a broker that has not yet registered or does not yet lead, of a topic that was
/// just made, of a coordinator that is loading or has still to write the markers before. Nothing of disks, checksums or
/// replicas is among them, though clients retry those, too: here they would hide what is looked for.
pub fn asks_again(code: i16) -> bool {
    use ErrorCode as E;
    ErrorCode::from_i16(code).is_some_and(|code| {
        matches!(
            code,
            E::UnknownTopicOrPartition
                | E::LeaderNotAvailable
                | E::NotLeaderOrFollower
                | E::OffsetNotAvailable
                | E::CoordinatorLoadInProgress
                | E::CoordinatorNotAvailable
                | E::NotCoordinator
                | E::ConcurrentTransactions
                // Without a broker that has registered there is nowhere to put a replica.
                | E::InvalidReplicationFactor
        )
    })
}

/// The same of what the batch of a transaction is answered with: that its coordinator is still loading is told to producers
/// as NOT_ENOUGH_REPLICAS, which all of them have always retried.
pub fn asks_transaction_again(code: i16) -> bool {
    asks_again(code) || code == i16::from(ErrorCode::NotEnoughReplicas)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_machine_is_let_off_and_a_stall_is_not() {
        for (millis, is_held) in [(300, true), (301, true), (6_000, true), (6_001, false)] {
            let held = hold("to be ready", Duration::from_millis(millis), READY_AFTER_KILL);
            assert_eq!(held.is_ok(), is_held, "{millis} ms");
        }
    }
}
