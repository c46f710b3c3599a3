//! A transactional producer that does each step when it is told to, over any version 1 coordinator (KIP-98): so that a
//! transaction can be left open, and ended by whoever finds it later.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use protocol::api_key::ApiKey;
use protocol::id::{ProducerEpoch, ProducerId, Sequence};
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::Compressors;
use serde_json::{Value, json};

use crate::by_schema::hex;
use crate::patience::{self, PATIENCE};

/// A partition by its names.
pub type Place = (String, i32);

/// One producer; it owns no connection, so that it outlives the broker it talks to.
#[derive(Clone, Debug)]
pub struct TransactionalProducer {
    name: String,
    id: ProducerId,
    epoch: ProducerEpoch,
    sequences: BTreeMap<Place, i32>,
    enlisted: BTreeSet<Place>,
}

impl TransactionalProducer {
    /// Makes itself known; whatever an earlier producer of this name has left open is aborted.
    pub fn begin(address: SocketAddr, name: &str) -> Result<Self> {
        let find = json!({"KeyType": 1, "CoordinatorKeys": [name]});
        patience::insist(address, ApiKey::FindCoordinator, 4, &find)?;
        let request = json!({"TransactionalId": name, "TransactionTimeoutMs": 900_000});
        let answer = patience::insist(address, ApiKey::InitProducerId, 4, &request)?;
        let id = ProducerId(answer["ProducerId"].as_i64().context("a producer id")?);
        let epoch = ProducerEpoch(i16::try_from(answer["ProducerEpoch"].as_i64().context("an epoch")?)?);
        Ok(Self { name: name.to_owned(), id, epoch, sequences: BTreeMap::new(), enlisted: BTreeSet::new() })
    }

    /// Its transactional id.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its producer id.
    pub fn id(&self) -> ProducerId {
        self.id
    }

    /// How a batch of it begins.
    pub fn options(&self, place: &Place) -> BatchOptions {
        let sequence = self.sequences.get(place).copied().unwrap_or(0);
        BatchOptions {
            producer: (self.id, self.epoch, Sequence(sequence)),
            transactional: true,
            ..BatchOptions::default()
        }
    }

    /// Sends a batch that `fill` fills, as part of the transaction; where it lies.
    pub fn send(
        &mut self,
        address: SocketAddr,
        place: &Place,
        options: BatchOptions,
        fill: impl FnOnce(&mut BatchBuilder) -> i32,
    ) -> Result<i64> {
        self.enlist(address, place)?;
        let mut builder = BatchBuilder::new(options);
        let count = fill(&mut builder);
        let batch = builder.finish(&mut Compressors::default())?;
        let partition = json!({"Index": place.1, "Records": hex(&batch)});
        let request = json!({"TransactionalId": self.name, "Acks": -1, "TimeoutMs": 10_000,
            "TopicData": [{"Name": place.0, "PartitionData": [partition]}]});
        let answer = patience::insist_in_transaction(address, ApiKey::Produce, 9, &request)?;
        *self.sequences.entry(place.clone()).or_default() += count;
        answer["Responses"][0]["PartitionResponses"][0]["BaseOffset"].as_i64().context("a base offset")
    }

    fn enlist(&mut self, address: SocketAddr, place: &Place) -> Result<()> {
        if !self.enlisted.insert(place.clone()) {
            return Ok(());
        }
        let request = json!({
            "V3AndBelowTransactionalId": self.name, "V3AndBelowProducerId": self.id.0,
            "V3AndBelowProducerEpoch": self.epoch.0,
            "V3AndBelowTopics": [{"Name": place.0, "Partitions": [place.1]}],
        });
        patience::insist(address, ApiKey::AddPartitionsToTxn, 3, &request)?;
        Ok(())
    }

    /// Commits a group's offset of a partition as part of the transaction.
    pub fn send_offset(&self, address: SocketAddr, group: &str, place: &Place, offset: i64) -> Result<()> {
        let producer = json!({"TransactionalId": self.name, "ProducerId": self.id.0, "ProducerEpoch": self.epoch.0,
            "GroupId": group});
        patience::insist(address, ApiKey::AddOffsetsToTxn, 2, &producer)?;
        let find = json!({"KeyType": 0, "CoordinatorKeys": [group]});
        patience::insist(address, ApiKey::FindCoordinator, 4, &find)?;
        let mut commit = producer;
        let partition = json!({"PartitionIndex": place.1, "CommittedOffset": offset, "CommittedMetadata": "in a transaction"});
        commit["Topics"] = json!([{"Name": place.0, "Partitions": [partition]}]);
        patience::insist(address, ApiKey::TxnOffsetCommit, 2, &commit)?;
        Ok(())
    }

    /// Ends the transaction, and waits until its markers are written.
    pub fn end(&mut self, address: SocketAddr, committed: bool) -> Result<()> {
        let request = json!({
            "TransactionalId": self.name, "ProducerId": self.id.0,
            "ProducerEpoch": self.epoch.0, "Committed": committed,
        });
        patience::insist(address, ApiKey::EndTxn, 3, &request)?;
        self.enlisted.clear();
        let end = Instant::now() + PATIENCE;
        loop {
            let state = self.describe(address)?;
            let state = &state["TransactionState"];
            if state.as_str().is_some_and(|state| state.starts_with("Complete")) {
                return Ok(());
            }
            ensure!(Instant::now() < end, "the transaction of {} stays in {state}", self.name);
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }

    /// What the coordinator says of it.
    pub fn describe(&self, address: SocketAddr) -> Result<Value> {
        let request = json!({"TransactionalIds": [self.name]});
        let answer = patience::insist(address, ApiKey::DescribeTransactions, 0, &request)?;
        Ok(answer["TransactionStates"][0].clone())
    }
}
