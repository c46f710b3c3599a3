//! AddPartitionsToTxn, 0 to 5: partitions become part of a transaction, or a broker asks whether they are (KIP-98,
//! KIP-890).
//!
//! 2 knows PRODUCER_FENCED (KIP-588); from 4 on it is brokers that ask, for many transactions at once, and 5 knows
//! TRANSACTION_ABORTABLE.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use coordinator::transaction::{ClientVersion, Producer, TxnPartition};
use metadata::Image;
use protocol::ErrorCode;
use protocol::id::{PartitionIndex, ProducerEpoch, ProducerId};
use protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopic,
    AddPartitionsToTxnTopicResult,
};
use protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};
use protocol::wire::Array;

use super::Call;
use crate::runtime::coordinators::coded;

/// The first version that knows PRODUCER_FENCED.
const FENCED_SINCE: i16 = 2;
/// The first version of many transactions, which brokers send.
const BATCHED_SINCE: i16 = 4;

/// A code for each partition of one transaction.
type Results = BTreeMap<TxnPartition, ErrorCode>;

/// Handles one request.
pub async fn handle<'a>(
    call: &Call,
    request: AddPartitionsToTxnRequest<'a>,
) -> AddPartitionsToTxnResponse<'a> {
    if call.asked.version < BATCHED_SINCE {
        let producer = Producer {
            id: ProducerId(request.v3_and_below_producer_id),
            epoch: ProducerEpoch(request.v3_and_below_producer_epoch),
        };
        let partitions = partitions(&request.v3_and_below_topics);
        let asked = Asked { id: &request.v3_and_below_transactional_id, producer, verify_only: false };
        let results = answer(call, &asked, partitions).await;
        return AddPartitionsToTxnResponse {
            results_by_topic_v3_and_below: by_topic(&request.v3_and_below_topics, &results),
            ..AddPartitionsToTxnResponse::default()
        };
    }
    let mut transactions = Vec::new();
    for transaction in &request.transactions {
        let producer = Producer {
            id: ProducerId(transaction.producer_id),
            epoch: ProducerEpoch(transaction.producer_epoch),
        };
        let partitions = partitions(&transaction.topics);
        let asked =
            Asked { id: &transaction.transactional_id, producer, verify_only: transaction.verify_only };
        let results = answer(call, &asked, partitions).await;
        let topic_results =
            if asked.verify_only { once_each(results) } else { by_topic(&transaction.topics, &results) };
        let transactional_id = transaction.transactional_id.clone();
        transactions.push(AddPartitionsToTxnResult { transactional_id, topic_results });
    }
    AddPartitionsToTxnResponse {
        results_by_transaction: transactions.into(),
        ..AddPartitionsToTxnResponse::default()
    }
}

/// One transaction of a request.
struct Asked<'a> {
    id: &'a str,
    producer: Producer,
    verify_only: bool,
}

fn partitions(topics: &Array<'_, AddPartitionsToTxnTopic<'_>>) -> BTreeSet<TxnPartition> {
    let mut partitions = BTreeSet::new();
    for topic in topics {
        let name: std::sync::Arc<str> = topic.name.as_ref().into();
        for index in &topic.partitions {
            partitions.insert(TxnPartition { topic: name.clone(), index: PartitionIndex(index) });
        }
    }
    partitions
}

/// What is to be said of each partition. One that is not there keeps the others from being tried.
async fn answer(call: &Call, asked: &Asked<'_>, partitions: BTreeSet<TxnPartition>) -> Results {
    let image = call.broker.image();
    if !partitions.iter().all(|partition| is_known(&image, partition)) {
        let errors = partitions.into_iter().map(|partition| {
            let known = is_known(&image, &partition);
            let error =
                if known { ErrorCode::OperationNotAttempted } else { ErrorCode::UnknownTopicOrPartition };
            (partition, error)
        });
        return errors.collect();
    }
    let partitions: Vec<_> = partitions.into_iter().collect();
    let errors = match asked.verify_only {
        true => verify(call, asked, &partitions).await,
        false => add(call, asked, &partitions).await,
    };
    partitions.into_iter().zip(errors).collect()
}

fn is_known(image: &Image, partition: &TxnPartition) -> bool {
    let topic = image.topics.by_name(&partition.topic);
    topic.and_then(|topic| topic.partition(partition.index)).is_some()
}

async fn add(call: &Call, asked: &Asked<'_>, partitions: &[TxnPartition]) -> Vec<ErrorCode> {
    let version = call.asked.version;
    let client = if version >= BATCHED_SINCE { ClientVersion::V2 } else { ClientVersion::V0 };
    let added = call.broker.coordinators.transactions.submit(asked.id, |shard, ground| {
        shard.add_partitions(ground, asked.id, asked.producer, partitions, client)
    });
    let error = match added.await {
        Ok(()) => ErrorCode::None,
        Err(error) => {
            tracing::debug!(transactional_id = asked.id, %error, "partitions not added to a transaction");
            coded(error, version >= FENCED_SINCE)
        }
    };
    vec![error; partitions.len()]
}

async fn verify(call: &Call, asked: &Asked<'_>, partitions: &[TxnPartition]) -> Vec<ErrorCode> {
    let transactions = &call.broker.coordinators.transactions;
    let look = |shard: &coordinator::transaction::TransactionShard| {
        shard.verify(asked.id, asked.producer, partitions)
    };
    let error = match transactions.read(asked.id, look).await {
        Ok(Ok(included)) => {
            let code = |included| if included { ErrorCode::None } else { ErrorCode::TransactionAbortable };
            return included.into_iter().map(code).collect();
        }
        Ok(Err(refusal)) => refusal.code(true),
        Err(error) => coded(error, true),
    };
    vec![error; partitions.len()]
}

/// The results in the shape of the request: what it names twice is answered twice.
fn by_topic<'a>(
    topics: &Array<'a, AddPartitionsToTxnTopic<'a>>,
    results: &Results,
) -> Array<'a, AddPartitionsToTxnTopicResult<'a>> {
    let topics = topics.iter().map(|topic| {
        let name: std::sync::Arc<str> = topic.name.as_ref().into();
        let partitions = topic.partitions.iter().map(|index| {
            let partition = TxnPartition { topic: name.clone(), index: PartitionIndex(index) };
            let error = results.get(&partition).copied().unwrap_or(ErrorCode::OperationNotAttempted);
            AddPartitionsToTxnPartitionResult { partition_index: index, partition_error_code: error.into() }
        });
        AddPartitionsToTxnTopicResult { name: topic.name.clone(), results_by_partition: partitions.collect() }
    });
    topics.collect()
}

/// The results, each partition once: so whoever only asks is answered.
fn once_each<'a>(results: Results) -> Array<'a, AddPartitionsToTxnTopicResult<'a>> {
    let mut topics: BTreeMap<std::sync::Arc<str>, Vec<AddPartitionsToTxnPartitionResult>> = BTreeMap::new();
    for (TxnPartition { topic, index }, error) in results {
        let result = AddPartitionsToTxnPartitionResult {
            partition_index: index.0,
            partition_error_code: error.into(),
        };
        topics.entry(topic).or_default().push(result);
    }
    let topics = topics.into_iter().map(|(topic, partitions)| AddPartitionsToTxnTopicResult {
        name: Cow::Owned(topic.as_ref().to_owned()),
        results_by_partition: partitions.into(),
    });
    topics.collect()
}
