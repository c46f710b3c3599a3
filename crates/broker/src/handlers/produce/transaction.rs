//! Batches of transactions: before the first of a transaction is appended to a partition, the transaction's coordinator
//! is asked whether it includes the partition, or from version 12 on adds it (KIP-890).
//!
//! Where every transaction is known to be open in its partition nobody is asked. Retriable errors of coordinators have
//! the name of one that every producer tries again after.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coordinator::transaction::{Producer, TxnPartition};
use partition::verifications::{FirstBatch, VerificationGuard};
use partition::{AppendRefusal, Verification};
use protocol::ErrorCode;
use protocol::records::batch::BatchHeader;
use storage::log::AppendError;

use super::find;
use super::plan::{Partition, Plan};
use crate::Broker;
use crate::runtime::coordinators::WritesAs;
use crate::runtime::partitions::Replica;

/// As whom a partition's batch may be appended, or what is answered instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// By this word of the coordinator, or without one.
    Append(Verification),
    /// Not at all.
    Refuse(ErrorCode, Cow<'static, str>),
}

/// What is asked of the coordinator.
pub struct Question {
    id: String,
    producer: Producer,
    writes: WritesAs,
    places: Vec<Place>,
    partitions: Vec<TxnPartition>,
    verdicts: Vec<Verdict>,
}

/// A batch that is asked about.
struct Place {
    /// Where it stands in the plan.
    at: usize,
    /// What is shown once the answer is good.
    guard: VerificationGuard,
    batch: FirstBatch,
    replica: Arc<Replica>,
}

/// How a request with batches of a transaction goes on.
pub enum Begun {
    /// Everything that can be said of its partitions is.
    Ready(Vec<Verdict>),
    /// The coordinator has to be asked.
    Ask(Question),
    /// Its batches are of several producers.
    SeveralProducers,
}

/// Looks at the batches of a request that names the transactional id `id`.
pub fn begin(broker: &Broker, id: &str, version: i16, plan: &Plan, body: &[u8]) -> Begun {
    let writes = WritesAs::of_produce(version);
    let config = broker.config();
    let asks = writes.supports_epoch_bump() || config.transactions.verifies;
    let unasked = if asks { Verification::Missing } else { Verification::NotRequired };
    let mut verdicts = vec![Verdict::Append(unasked); plan.partitions.len()];
    let (mut places, mut partitions) = (Vec::new(), Vec::new());
    let batches = || transactional_batches(plan, body);
    // Of none it is noted that it is asked about before it is certain that somebody is asked.
    let producer = batches().next().map(|(.., header)| sender(&header));
    if batches().any(|(.., header)| Some(sender(&header)) != producer) {
        return Begun::SeveralProducers;
    }
    for (place, planned, header) in batches() {
        let topic = find(broker, &plan.topics[planned.topic], body);
        // What is absent, or not for clients, is answered where the others are appended.
        let replica = topic.as_ref().and_then(|topic| topic.get(planned.index));
        let Some(replica) = replica.filter(|replica| asks && !metadata::image::is_internal(replica.topic()))
        else {
            continue;
        };
        let first = FirstBatch {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            supports_epoch_bump: writes.supports_epoch_bump(),
        };
        match replica.begin_verification(broker.now(), &first) {
            Ok(None) => {}
            Ok(Some(guard)) => {
                places.push(Place { at: place, guard, batch: first, replica: replica.clone() });
                partitions.push(TxnPartition { topic: replica.topic().clone(), index: replica.index });
            }
            Err(error) => verdicts[place] = refused(&error),
        }
    }
    match producer {
        Some(producer) if !places.is_empty() => {
            Begun::Ask(Question { id: id.to_owned(), producer, writes, places, partitions, verdicts })
        }
        _ => Begun::Ready(verdicts),
    }
}

/// The batches that are part of a transaction, with their places in the plan.
fn transactional_batches<'p>(
    plan: &'p Plan,
    body: &'p [u8],
) -> impl Iterator<Item = (usize, &'p Partition, BatchHeader)> {
    plan.partitions.iter().enumerate().filter_map(move |(place, planned)| {
        let header = BatchHeader::parse_prefix(&body[planned.records.clone()]).ok()?;
        header.attributes.is_transactional().then_some((place, planned, header))
    })
}

fn sender(header: &BatchHeader) -> Producer {
    Producer { id: header.producer_id, epoch: header.producer_epoch }
}

fn refused(error: &AppendError) -> Verdict {
    match error {
        AppendError::Refused(refusal @ AppendRefusal::ProducerEpoch { .. }) => {
            Verdict::Refuse(refusal.into(), refusal.to_string().into())
        }
        // The append meets the same, and says it.
        AppendError::Refused(_) | AppendError::Fault(_) => Verdict::Append(Verification::Missing),
    }
}

impl Question {
    /// Asks, again for a while where the transaction before is only just ending. What is to be done with each partition
    /// of the plan.
    pub async fn ask(self, broker: Arc<Broker>) -> Vec<Verdict> {
        let Self { id, producer, writes, places, partitions, mut verdicts } = self;
        let config = broker.config();
        let (pause, most) = (config.transactions.retry_backoff, config.transactions.retry_max);
        let begun = Instant::now();
        let said = loop {
            let said = broker.coordinators.ask_about(&id, producer, &partitions, writes).await;
            let ending = said.contains(&ErrorCode::ConcurrentTransactions);
            if !ending || !writes.supports_epoch_bump() || begun.elapsed() >= most {
                break said;
            }
            tokio::time::sleep(pause.max(Duration::from_millis(1))).await;
        };
        for (place, error) in places.into_iter().zip(said) {
            // What is to come again keeps its place before what follows it.
            if error != ErrorCode::None && !error.is_retriable() {
                place.replica.withdraw_verification(place.guard, &place.batch);
            }
            verdicts[place.at] = verdict(error, place.guard, writes);
        }
        verdicts
    }
}

fn verdict(error: ErrorCode, guard: VerificationGuard, writes: WritesAs) -> Verdict {
    let retriable = match error {
        ErrorCode::None => return Verdict::Append(Verification::Verified(guard)),
        ErrorCode::NetworkException
        | ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::NotCoordinator => true,
        ErrorCode::ConcurrentTransactions => !writes.supports_epoch_bump(),
        _ => false,
    };
    if retriable {
        let message =
            format!("the transaction's coordinator cannot be asked now ({}): try again", error.name());
        return Verdict::Refuse(ErrorCode::NotEnoughReplicas, message.into());
    }
    let message = match error {
        ErrorCode::InvalidTxnState | ErrorCode::TransactionAbortable => {
            "the partition was not added to the transaction".into()
        }
        other => format!("the transaction's coordinator refuses: {}", other.name()).into(),
    };
    Verdict::Refuse(error, message)
}

/// How a request is refused that writes for several producers.
pub const SEVERAL_PRODUCERS: (ErrorCode, &str) =
    (ErrorCode::InvalidProducerIdMapping, "the batches are part of transactions of several producers");
