//! A transactional producer that survives its broker. What it has not heard of it asks again, with the same sequences, or
//! it begins anew under its transactional id, and so knows that what it left was aborted.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use conformance::connection::{Answer, Connection, Gone};
use conformance::patience::{asks_again, asks_transaction_again};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::id::{ProducerEpoch, ProducerId, Sequence};
use protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use protocol::messages::{Message, ProduceRequest, ProduceResponse};
use protocol::records::build::BatchOptions;
use serde_json::{Value, json};
use sim::history::{Action, Outcome, Process};

use super::{Endings, TOPIC};
use crate::kill::story::{Partition, Story, batch, sends};
use crate::players::Progress;

const RECORDS_A_BATCH: u64 = 2;
const BACK_WITHIN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);
/// Of so many transactions one is aborted, and of so many left without an answer one is given up.
const ABORT_EVERY: u64 = 4;
const GIVE_UP_EVERY: u64 = 2;

/// As which clients a writer speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speaks {
    /// Partitions are added by hand and the epoch stays.
    Kip98,
    /// A batch adds its partition, and each transaction has an epoch of its own.
    Kip890,
}

impl Speaks {
    fn produce(self) -> i16 {
        if self == Self::Kip98 { 9 } else { 12 }
    }

    fn end(self) -> i16 {
        if self == Self::Kip98 { 3 } else { 5 }
    }

    fn offsets(self) -> i16 {
        if self == Self::Kip98 { 3 } else { 5 }
    }
}

/// What asking came to.
enum Said {
    /// An answer without an error.
    Yes(Value),
    /// No answer, or one that asks to try again.
    Again,
}

struct Writer<'s> {
    address: SocketAddr,
    story: &'s Story,
    endings: &'s Endings,
    process: Process,
    speaks: Speaks,
    id: String,
    partitions: Vec<Partition>,
    /// Of each partition, under the epoch in force.
    next_sequences: Vec<i32>,
    connection: Option<Connection>,
    producer: (i64, i16),
    /// The number of the transaction, and that of the last one that was committed.
    number: u64,
    committed: u64,
    given_up: u64,
}

/// Writes transactions until it is over.
pub fn run(
    address: SocketAddr,
    story: &Story,
    (progress, endings): (&Progress, &Endings),
    (number, speaks): (usize, Speaks),
    partitions: Vec<Partition>,
) -> Result<()> {
    let mut writer = Writer {
        address,
        story,
        endings,
        process: story.process(),
        speaks,
        id: format!("writer-{number}"),
        next_sequences: vec![0; partitions.len()],
        partitions,
        connection: None,
        producer: (-1, -1),
        number: 0,
        committed: 0,
        given_up: 0,
    };
    writer.find_coordinators()?;
    writer.begin_anew()?;
    while !progress.is_over() {
        writer.transaction()?;
        progress.add(number, 1);
    }
    writer.check_offset()
}

impl Writer<'_> {
    /// Asks once, on a new connection where the last one is gone.
    fn ask(&mut self, api: ApiKey, version: i16, request: &Value, code: &str) -> Result<Said> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => match Connection::open(self.address) {
                Ok(connection) => none.insert(connection),
                Err(_) => return Ok(self.lost()),
            },
        };
        match connection.ask(api, version, request) {
            Ok(Answer::Response(answer)) => {
                let error = answer.pointer(code).and_then(Value::as_i64).context("an error code")?;
                match judged(i16::try_from(error)?) {
                    Ok(true) => Ok(Said::Yes(answer)),
                    Ok(false) => Ok(self.again()),
                    Err(code) => bail!("{} of {} gives {}", api.name(), self.id, code.name()),
                }
            }
            Ok(_) => Ok(self.lost()),
            Err(error) if Gone::is(&error) => Ok(self.lost()),
            Err(error) => Err(error.context(format!("{} of {}", api.name(), self.id))),
        }
    }

    fn lost(&mut self) -> Said {
        self.connection = None;
        self.again()
    }

    fn again(&self) -> Said {
        std::thread::sleep(PAUSE);
        Said::Again
    }

    /// Asks until there is an answer.
    fn insist(&mut self, api: ApiKey, version: i16, request: &Value, code: &str) -> Result<Value> {
        let end = Instant::now() + BACK_WITHIN;
        loop {
            if let Said::Yes(answer) = self.ask(api, version, request, code)? {
                return Ok(answer);
            }
            ensure!(Instant::now() < end, "no {} for {} within {BACK_WITHIN:?}", api.name(), self.id);
        }
    }

    fn find_coordinators(&mut self) -> Result<()> {
        for key_type in [0, 1] {
            let request = json!({"Key": self.id, "KeyType": key_type});
            self.insist(ApiKey::FindCoordinator, 3, &request, "/ErrorCode")?;
        }
        Ok(())
    }

    /// Begins under the transactional id: whatever was open is aborted when this is answered.
    fn begin_anew(&mut self) -> Result<()> {
        let request = json!({"TransactionalId": self.id, "TransactionTimeoutMs": 60_000});
        let _may_end = self.endings.may_end();
        let answer = self.insist(ApiKey::InitProducerId, 4, &request, "/ErrorCode")?;
        self.is_now(&answer)
    }

    /// Takes the producer id and epoch that an answer names; sequences begin anew.
    fn is_now(&mut self, answer: &Value) -> Result<()> {
        let number = |name: &str| answer[name].as_i64().context("a number");
        self.producer = (number("ProducerId")?, i16::try_from(number("ProducerEpoch")?)?);
        self.next_sequences.fill(0);
        Ok(())
    }

    /// One transaction: records in two partitions, and its own number as the group's offset.
    fn transaction(&mut self) -> Result<()> {
        self.number += 1;
        let began = self.story.now();
        let count = self.partitions.len();
        let first = usize::try_from(self.number)? % count;
        let mut actions = Vec::new();
        let commits = !self.number.is_multiple_of(ABORT_EVERY);
        let whole = self.write(first, &mut actions)?
            && self.write((first + 1) % count, &mut actions)?
            && self.commit_offset()?;
        let outcome = if !whole {
            self.begin_anew()?;
            Outcome::Fail
        } else {
            self.end(commits)?;
            if commits { Outcome::Ok } else { Outcome::Fail }
        };
        self.story.tell(self.process, began, outcome, actions);
        if outcome == Outcome::Ok {
            self.committed = self.number;
        }
        self.check_offset()
    }

    fn names(&self) -> Value {
        json!({"TransactionalId": self.id, "ProducerId": self.producer.0, "ProducerEpoch": self.producer.1})
    }

    /// The names, and more.
    fn with_names(&self, more: Value) -> Value {
        let mut all = self.names();
        if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
            all.extend(more);
        }
        all
    }

    /// Asks until there is an answer, or the transaction is given up.
    fn ask_or_give_up(&mut self, api: ApiKey, version: i16, request: &Value, code: &str) -> Result<bool> {
        if let Said::Yes(_) = self.ask(api, version, request, code)? {
            return Ok(true);
        }
        self.given_up += 1;
        if self.given_up.is_multiple_of(GIVE_UP_EVERY) {
            return Ok(false);
        }
        self.insist(api, version, request, code).map(|_| true)
    }

    /// Puts a batch into a partition; `false` if the transaction is given up.
    fn write(&mut self, place: usize, actions: &mut Vec<Action>) -> Result<bool> {
        let Partition { index, key, .. } = self.partitions[place].clone();
        if self.speaks == Speaks::Kip98 {
            let names = json!({
                "V3AndBelowTransactionalId": self.id,
                "V3AndBelowProducerId": self.producer.0,
                "V3AndBelowProducerEpoch": self.producer.1,
                "V3AndBelowTopics": [{"Name": TOPIC, "Partitions": [index]}],
            });
            let code = "/ResultsByTopicV3AndBelow/0/ResultsByPartition/0/PartitionErrorCode";
            if !self.ask_or_give_up(ApiKey::AddPartitionsToTxn, 3, &names, code)? {
                return Ok(false);
            }
        }
        let values = (self.story.values(RECORDS_A_BATCH), RECORDS_A_BATCH);
        let sequence = self.next_sequences[place];
        let end = Instant::now() + BACK_WITHIN;
        let mut tries = 0;
        loop {
            match self.produce(index, sequence, values)? {
                Some(offset) => {
                    self.next_sequences[place] += i32::try_from(RECORDS_A_BATCH)?;
                    actions.extend(sends(key, values, Some(offset)));
                    return Ok(true);
                }
                None if tries == 0 => {
                    tries = 1;
                    self.given_up += 1;
                    if self.given_up.is_multiple_of(GIVE_UP_EVERY) {
                        // It may have been written, and then was aborted.
                        actions.extend(sends(key, values, None));
                        return Ok(false);
                    }
                }
                None => ensure!(Instant::now() < end, "no answer to a batch of {}", self.id),
            }
        }
    }

    /// Sends a batch once; where it was written, if that is known.
    fn produce(&mut self, index: i32, sequence: i32, values: (u64, u64)) -> Result<Option<i64>> {
        let (id, epoch) = self.producer;
        let options = BatchOptions {
            producer: (ProducerId(id), ProducerEpoch(epoch), Sequence(sequence)),
            transactional: true,
            ..BatchOptions::default()
        };
        let data = PartitionProduceData { index, records: Some(batch(values, options)?.into()) };
        let topic =
            TopicProduceData { name: TOPIC.into(), partition_data: vec![data].into(), ..Default::default() };
        let request = ProduceRequest {
            transactional_id: Some(self.id.as_str().into()),
            acks: -1,
            timeout_ms: 10_000,
            topic_data: vec![topic].into(),
        };
        let (version, mut body) = (self.speaks.produce(), Vec::new());
        request.encode(version, &mut body)?;
        if self.connection.is_none() {
            self.connection = Connection::open(self.address).ok();
        }
        let exchange = |connection: &mut Option<Connection>| {
            let connection = connection.as_mut().context(Gone)?;
            connection.send(ApiKey::Produce, version, &body)?;
            connection.receive()?.context(Gone)
        };
        let frame = match exchange(&mut self.connection) {
            Err(error) if Gone::is(&error) => {
                self.lost();
                return Ok(None);
            }
            frame => frame?,
        };
        let response = ProduceResponse::decode(&frame[5..], version)?;
        let topic = response.responses.iter().next().context("no topic in the answer")?;
        let answer = topic.partition_responses.iter().next().context("no partition in the answer")?;
        match judged(answer.error_code) {
            Ok(true) => Ok(Some(answer.base_offset)),
            Err(code) if !asks_transaction_again(i16::from(code)) => {
                bail!("a batch of {} is refused with {}", self.id, code.name())
            }
            _ => {
                std::thread::sleep(PAUSE);
                Ok(None)
            }
        }
    }

    /// Commits the transaction's number as the group's offset; `false` if the transaction is given up.
    fn commit_offset(&mut self) -> Result<bool> {
        if self.speaks == Speaks::Kip98 {
            let request = self.with_names(json!({"GroupId": self.id}));
            if !self.ask_or_give_up(ApiKey::AddOffsetsToTxn, 3, &request, "/ErrorCode")? {
                return Ok(false);
            }
        }
        let partition =
            json!({"PartitionIndex": 0, "CommittedOffset": self.number, "CommittedMetadata": null});
        let request = self.with_names(json!({
            "GroupId": self.id,
            "Topics": [{"Name": TOPIC, "Partitions": [partition]}],
        }));
        let code = "/Topics/0/Partitions/0/ErrorCode";
        self.ask_or_give_up(ApiKey::TxnOffsetCommit, self.speaks.offsets(), &request, code)
    }

    /// Ends the transaction, asking until it is known how.
    fn end(&mut self, commits: bool) -> Result<()> {
        let request = self.with_names(json!({"Committed": commits}));
        let _may_end = self.endings.may_end();
        let answer = self.insist(ApiKey::EndTxn, self.speaks.end(), &request, "/ErrorCode")?;
        if self.speaks == Speaks::Kip890 { self.is_now(&answer) } else { Ok(()) }
    }

    /// The group's offset is the number of the last transaction that was committed.
    fn check_offset(&mut self) -> Result<()> {
        let request = json!({"RequireStable": true, "Groups": [{"GroupId": self.id,
            "Topics": [{"Name": TOPIC, "PartitionIndexes": [0]}]}]});
        let code = "/Groups/0/ErrorCode";
        let end = Instant::now() + BACK_WITHIN;
        loop {
            let answer = self.insist(ApiKey::OffsetFetch, 8, &request, code)?;
            let answer = &answer["Groups"][0]["Topics"][0]["Partitions"][0];
            // A transaction whose markers are still being written holds the offset back.
            if answer["ErrorCode"] == i16::from(ErrorCode::UnstableOffsetCommit) && Instant::now() < end {
                std::thread::sleep(PAUSE);
                continue;
            }
            ensure!(answer["ErrorCode"] == 0, "OffsetFetch of {} gives {answer}", self.id);
            let expected = if self.committed == 0 { -1 } else { i64::try_from(self.committed)? };
            ensure!(
                answer["CommittedOffset"] == expected,
                "transaction {expected} of {} was committed last, and its group is at {answer}",
                self.id
            );
            return Ok(());
        }
    }
}

/// Whether an error is none, or one of a beginning.
fn judged(number: i16) -> Result<bool, ErrorCode> {
    match ErrorCode::from_i16(number).unwrap_or(ErrorCode::UnknownServerError) {
        ErrorCode::None => Ok(true),
        code if asks_again(i16::from(code)) => Ok(false),
        code => Err(code),
    }
}
