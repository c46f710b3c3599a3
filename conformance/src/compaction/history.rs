//! A random history of one partition: plain, idempotent and transactional producers of every codec, keys that come
//! again, tombstones, headers, aborted and long transactions, and producers that fall silent.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use conformance::connection::{Answer, Connection};
use conformance::patience::{PATIENCE, asks_again, asks_transaction_again};
use protocol::api_key::ApiKey;
use protocol::id::{LeaderEpoch, ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::messages::Message;
use protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::{Codec, Compressors};
use protocol::records::record::Header;
use serde_json::{Value, json};

const BATCHES: u32 = 250;

/// The history, as far as it has come.
pub struct History {
    address: SocketAddr,
    connection: Connection,
    topic: String,
    dice: u64,
    producers: Vec<Producer>,
    compressors: Compressors,
}

struct Producer {
    /// For transactions.
    name: Option<String>,
    id: ProducerId,
    epoch: ProducerEpoch,
    sequence: i32,
    /// Whether a transaction is open.
    open: bool,
    /// Whether it writes no more.
    silent: bool,
}

impl History {
    /// Begins one.
    pub fn begin(address: SocketAddr, topic: &str, seed: u64) -> Result<Self> {
        let connection = Connection::open(address)?;
        let (topic, producers) = (topic.to_owned(), Vec::new());
        let compressors = Compressors::default();
        let mut history = Self { address, connection, topic, dice: seed, producers, compressors };
        for index in 0..6 {
            let name = (index >= 3).then(|| format!("{}-{index}", history.topic));
            let producer = history.producer(name)?;
            history.producers.push(producer);
        }
        Ok(history)
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Goes on for a while. One transaction may stay open, unless this is the last time.
    pub fn go_on(&mut self, last: bool) -> Result<()> {
        for _ in 0..BATCHES {
            match self.roll(10) {
                0..=2 => self.send(None)?,
                3..=4 => {
                    let index = self.roll(3);
                    self.send(Some(index))?;
                }
                5..=7 => {
                    let index = 3 + self.roll(3);
                    self.send(Some(index))?;
                }
                _ => {
                    let index = 3 + self.roll(3);
                    let commits = self.roll(2) == 0;
                    self.end(index, commits)?;
                }
            }
        }
        // From here on it is only remembered.
        self.producers[2].silent = true;
        for index in 3..6 {
            if last || index != 4 {
                self.end(index, index == 3)?;
            }
        }
        // So that everything before lies in segments that are rolled.
        let filler = vec![b'f'; usize::try_from(super::SEGMENT_BYTES)? / 2];
        for key in 0..3 {
            let mut builder = BatchBuilder::new(BatchOptions::default());
            builder.push(now(), Some(format!("filler{key}").as_bytes()), Some(&filler), &[]);
            self.produce(None, builder.finish_uncompressed())?;
        }
        Ok(())
    }

    fn roll(&mut self, sides: usize) -> usize {
        // SplitMix64.
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.dice;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides as u64) as usize
    }

    fn send(&mut self, producer: Option<usize>) -> Result<()> {
        if producer.is_some_and(|index| self.producers[index].silent) {
            return Ok(());
        }
        if let Some(index) = producer.filter(|index| *index >= 3 && !self.producers[*index].open) {
            self.enlist(index)?;
        }
        let count = 1 + self.roll(8);
        let codec = Codec::ALL[self.roll(5)];
        let identity = producer.map(|index| &self.producers[index]);
        let name = identity.and_then(|producer| producer.name.clone());
        let of = |producer: &Producer| (producer.id, producer.epoch, Sequence(producer.sequence));
        let options = BatchOptions {
            compression: codec.into(),
            leader_epoch: LeaderEpoch(0),
            producer: identity.map_or(BatchOptions::default().producer, of),
            transactional: name.is_some(),
            ..BatchOptions::default()
        };
        let mut builder = BatchBuilder::new(options);
        for _ in 0..count {
            let (key, length) = (format!("key{}", self.roll(60)), 10 + self.roll(200));
            let value: Vec<u8> = (0..length).map(|_| b'a' + self.roll(26) as u8).collect();
            let tombstone = self.roll(6) == 0;
            let headers = [Header { key: b"h", value: Some(b"1") }, Header { key: b"n", value: None }];
            let headers = &headers[..self.roll(3)];
            let timestamp = Timestamp(now().0 - self.roll(1000) as i64);
            builder.push(timestamp, Some(key.as_bytes()), (!tombstone).then_some(&value[..]), headers);
        }
        let batch = builder.finish(&mut self.compressors)?;
        self.produce(name, batch)?;
        if let Some(index) = producer {
            self.producers[index].sequence += count as i32;
        }
        Ok(())
    }

    fn produce(&mut self, transaction: Option<String>, records: Vec<u8>) -> Result<()> {
        let in_transaction = transaction.is_some();
        let partition = PartitionProduceData { index: 0, records: Some(records.into()) };
        let topic = TopicProduceData {
            name: self.topic.clone().into(),
            partition_data: vec![partition].into(),
            ..TopicProduceData::default()
        };
        let request = ProduceRequest {
            transactional_id: transaction.map(Into::into),
            acks: -1,
            timeout_ms: 10_000,
            topic_data: vec![topic].into(),
        };
        let mut body = Vec::new();
        request.encode(9, &mut body)?;
        let end = Instant::now() + PATIENCE;
        let again = if in_transaction { asks_transaction_again } else { asks_again };
        loop {
            let Answer::Response(answer) = self.connection.ask_bytes(ApiKey::Produce, 9, &body)? else {
                bail!("the broker closed the connection")
            };
            let partition = &answer["Responses"][0]["PartitionResponses"][0];
            match partition["ErrorCode"].as_i64() {
                Some(0) => return Ok(()),
                // Not leading yet, or the transaction before is still being ended.
                Some(code) if i16::try_from(code).is_ok_and(again) && Instant::now() < end => {}
                _ => bail!("produce to {}: {partition}", self.topic),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn producer(&mut self, name: Option<String>) -> Result<Producer> {
        let request = json!({"TransactionalId": name, "TransactionTimeoutMs": 600_000});
        if let Some(name) = &name {
            let find = json!({"KeyType": 1, "CoordinatorKeys": [name]});
            self.insist(ApiKey::FindCoordinator, 4, &find, |answer| &answer["Coordinators"][0]["ErrorCode"])?;
        }
        let answer = self.insist(ApiKey::InitProducerId, 4, &request, |answer| &answer["ErrorCode"])?;
        let id = ProducerId(answer["ProducerId"].as_i64().context("a producer id")?);
        let epoch = ProducerEpoch(i16::try_from(answer["ProducerEpoch"].as_i64().context("an epoch")?)?);
        Ok(Producer { name, id, epoch, sequence: 0, open: false, silent: false })
    }

    fn enlist(&mut self, index: usize) -> Result<()> {
        let producer = &self.producers[index];
        let request = json!({
            "V3AndBelowTransactionalId": producer.name, "V3AndBelowProducerId": producer.id.0,
            "V3AndBelowProducerEpoch": producer.epoch.0,
            "V3AndBelowTopics": [{"Name": self.topic, "Partitions": [0]}],
        });
        self.insist(ApiKey::AddPartitionsToTxn, 3, &request, |answer| {
            &answer["ResultsByTopicV3AndBelow"][0]["ResultsByPartition"][0]["PartitionErrorCode"]
        })?;
        self.producers[index].open = true;
        Ok(())
    }

    fn end(&mut self, index: usize, commits: bool) -> Result<()> {
        let producer = &self.producers[index];
        if !producer.open {
            return Ok(());
        }
        let request = json!({
            "TransactionalId": producer.name, "ProducerId": producer.id.0,
            "ProducerEpoch": producer.epoch.0, "Committed": commits,
        });
        self.insist(ApiKey::EndTxn, 3, &request, |answer| &answer["ErrorCode"])?;
        self.producers[index].open = false;
        // The marker is written after the answer; whoever begins again waits for it.
        let name = self.producers[index].name.clone();
        let describe = json!({"TransactionalIds": [name]});
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.insist(ApiKey::DescribeTransactions, 0, &describe, |answer| {
                &answer["TransactionStates"][0]["ErrorCode"]
            })?;
            let state = &answer["TransactionStates"][0]["TransactionState"];
            if state.as_str().is_some_and(|state| state.starts_with("Complete")) {
                return Ok(());
            }
            ensure!(Instant::now() < end, "a transaction stays in {state}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Asks until the coordinator is there and has ended what it was at.
    fn insist(
        &mut self,
        api: ApiKey,
        version: i16,
        request: &Value,
        code: impl Fn(&Value) -> &Value,
    ) -> Result<Value> {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.connection.ask(api, version, request);
            let answer = match answer {
                Ok(Answer::Response(answer)) => answer,
                other => bail!("{api:?} to {}: {other:?}", self.address),
            };
            match code(&answer).as_i64() {
                Some(0) => return Ok(answer),
                Some(code) if again(code) && Instant::now() < end => {}
                _ => bail!("{api:?} is answered {answer}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn again(code: i64) -> bool {
    i16::try_from(code).is_ok_and(asks_again)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
