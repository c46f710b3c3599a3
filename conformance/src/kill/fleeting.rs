//! A topic that is made, written to, read and deleted, and made again under the same name: each time there must be what was
//! written to it since, and nothing of what its namesakes held.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use conformance::connection::{Answer, Connection};
use conformance::partition_client::Isolation;
use conformance::patience::PATIENCE;
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use serde_json::json;
use sim::history::{Action, Outcome};

use super::plain;
use super::story::{Partition, Story};
use crate::players::Progress;
use crate::reader;

/// Its name.
pub const TOPIC: &str = "fleeting";
const PARTITIONS: i32 = 2;
const BATCHES: usize = 12;

/// Lets the topic come and go until it is over.
pub fn run(address: SocketAddr, story: &Story, progress: &Progress) -> Result<()> {
    let process = story.process();
    delete(address, TOPIC)?;
    while !progress.is_over() {
        create(address)?;
        let partitions: Vec<Partition> = (0..PARTITIONS).map(|index| story.partition(TOPIC, index)).collect();
        plain::write(address, story, &partitions, BATCHES)?;
        for partition in &partitions {
            reader::read_to_the_end(address, story, partition, Isolation::Uncommitted)?;
        }
        let began = story.now();
        delete(address, TOPIC)?;
        let gone = partitions.iter().map(|partition| Action::Drop { key: partition.key });
        story.tell(process, began, Outcome::Ok, gone.collect());
    }
    Ok(())
}

fn create(address: SocketAddr) -> Result<()> {
    let request = json!({"Topics": [{"Name": TOPIC, "NumPartitions": PARTITIONS, "ReplicationFactor": 1}]});
    // One that is there already was made by a request that a kill has left without an answer.
    ask_until(address, ApiKey::CreateTopics, (5, &request), ("Topics", ErrorCode::TopicAlreadyExists))
}

/// Deletes a topic, and only returns once it is gone.
pub fn delete(address: SocketAddr, topic: &str) -> Result<()> {
    let request = json!({"TopicNames": [topic], "TimeoutMs": 10_000});
    let done = ("Responses", ErrorCode::UnknownTopicOrPartition);
    ask_until(address, ApiKey::DeleteTopics, (4, &request), done)
}

fn ask_until(
    address: SocketAddr,
    api: ApiKey,
    (version, request): (i16, &serde_json::Value),
    (list, done): (&str, ErrorCode),
) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer =
            Connection::open(address).and_then(|mut connection| connection.ask(api, version, request));
        if let Ok(Answer::Response(answer)) = &answer
            && let Some(code) = answer[list][0]["ErrorCode"].as_i64()
            && (code == 0 || code == i64::from(i16::from(done)))
        {
            return Ok(());
        }
        ensure!(Instant::now() < end, "{} was not done within {PATIENCE:?}: {answer:?}", api.name());
        std::thread::sleep(Duration::from_millis(20));
    }
}
