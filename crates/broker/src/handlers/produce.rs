//! Produce, 0 to 13: appends one batch to each of some partitions.
//!
//! 0 to 2 carry message sets, which are converted; 1 adds the throttle time, 2 timestamps (KIP-32), 3 carries batches
//! (KIP-98), 5 adds the log start offset, 7 allows zstd (KIP-110), 8 tells refused records (KIP-467), 10 tells the leader to
//! who asks another broker (KIP-951), 13 names topics by id (KIP-516).
//!
//! It runs whole on the connection's own task, in the frame's own bytes. Only an append that must be on stable
//! storage first waits, and the first batch of a transaction may, for the transaction's coordinator. 11 knows
//! TRANSACTION_ABORTABLE, from 12 on a batch itself adds its partition to the transaction (KIP-890).

mod answer;
mod message_set;
mod plan;
mod refused;
mod transaction;

use std::cell::RefCell;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use partition::{Origin, Scratch, Verification};
use protocol::ErrorCode;
use protocol::id::{DirectoryId, PartitionIndex, Timestamp};
use protocol::messages::ProduceRequest;
use storage::Fault;
use storage::log::{AppendError, Appended};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use self::answer::{Named, Outcome};
use self::message_set::{Records, SetMemory};
use self::plan::{Partition, Plan, Topic};
use self::refused::{failed, faulted, internal, refused_whole};
use self::transaction::{Begun, Question, SEVERAL_PRODUCERS, Verdict};
use super::Asked;
use crate::Broker;
use crate::net::{Answer, Close, Outbound, Peer, Step};
use crate::runtime::partitions::{Replica, TopicReplicas};
use crate::runtime::request_memory::{Claim, Drawn};
use crate::runtime::synced_answers;

/// The first version with topic ids.
const IDS_SINCE: i16 = 13;
/// The first version that knows zstd.
const ZSTD_SINCE: i16 = 7;

thread_local! {
    /// Memory that requests reuse. A request never waits between its first batch and its last: whatever its thread
    /// is given up to, no other request is served by it meanwhile.
    static MEMORY: RefCell<Memory> = RefCell::default();
}

#[derive(Default)]
struct Memory {
    plan: Plan,
    scratch: Scratch,
    outcomes: Vec<Outcome>,
    sets: SetMemory,
}

/// An append that is done once it is on stable storage: the place of its outcome, and who tells.
type Commit = (usize, oneshot::Receiver<Result<(), Fault>>);

/// Serves one request.
pub fn serve(broker: &Arc<Broker>, _: &Arc<Peer>, asked: Asked, body: &mut [u8], out: &mut Outbound) -> Step {
    serve_with(broker, asked, body, Waited::default(), out)
}

/// What a request has waited for already.
#[derive(Default)]
struct Waited {
    /// The memory it was seen to need.
    drawn: Option<Drawn>,
    /// Its turn on the thread of a directory that does not keep up.
    turn: bool,
    /// What the coordinator of its transaction said of its partitions.
    verdicts: Option<Vec<Verdict>>,
}

/// Serves one request.
fn serve_with(
    broker: &Arc<Broker>,
    asked: Asked,
    body: &mut [u8],
    mut waited: Waited,
    out: &mut Outbound,
) -> Step {
    MEMORY.with_borrow_mut(|memory| {
        memory.outcomes.clear();
        let (request, elements) = match asked.decode_counted::<ProduceRequest<'_>>(body) {
            Ok(decoded) => decoded,
            Err(close) => return Step::Close(close),
        };
        let drawn = match (waited.drawn, asked.claim(broker, body.len(), elements)) {
            (_, Err(close)) => return Step::Close(close),
            (Some(drawn), Ok(_)) => drawn,
            (None, Ok(claim)) => match broker.request_memory.try_draw(claim) {
                Some(drawn) => drawn,
                None => return wait_for_memory(broker.clone(), asked, body.to_vec(), claim),
            },
        };
        memory.plan.fill(body, &request, asked.version >= IDS_SINCE);
        if !waited.turn
            && let Some(directory) = slow_directory(broker, &memory.plan, body)
        {
            let waited = Waited { drawn: Some(drawn), turn: true, verdicts: waited.verdicts.take() };
            return wait_for_turn(broker.clone(), asked, body.to_vec(), waited, directory);
        }
        let acks = request.acks;
        let nameless = memory.plan.transactional && request.transactional_id.is_none();
        let mut refused = refused_whole(acks, nameless);
        let verdicts = match (waited.verdicts.take(), request.transactional_id.as_deref()) {
            (Some(verdicts), _) => verdicts,
            (None, Some(id)) if memory.plan.transactional && refused.is_none() => {
                match transaction::begin(broker, id, asked.version, &memory.plan, body) {
                    Begun::Ready(verdicts) => verdicts,
                    Begun::Ask(question) => match ask_at_once(broker, question) {
                        Ok(verdicts) => verdicts,
                        Err(asking) => {
                            return wait_for_coordinator(broker.clone(), asked, body.to_vec(), drawn, asking);
                        }
                    },
                    Begun::SeveralProducers => {
                        refused = Some(SEVERAL_PRODUCERS);
                        Vec::new()
                    }
                }
            }
            (None, _) => Vec::new(),
        };
        let commits = append_all(broker, &asked, (refused, &verdicts), body, memory);
        let step = if acks == 0 {
            unacknowledged(broker, &asked, &memory.outcomes)
        } else if commits.is_empty() {
            let written = write(&asked, &memory.plan, body, &memory.outcomes, out);
            asked.step(written, broker)
        } else {
            let outcomes = std::mem::take(&mut memory.outcomes);
            return wait(broker.clone(), asked, (&memory.plan, body, drawn), outcomes, commits);
        };
        if let Some(drawn) = drawn {
            // What so large a request took is not kept for the next.
            *memory = Memory::default();
            out.hold(drawn);
        }
        step
    })
}

/// Serves a request once there is memory for it.
fn wait_for_memory(broker: Arc<Broker>, asked: Asked, mut body: Vec<u8>, claim: Claim) -> Step {
    let answer: Answer = Box::pin(async move {
        let drawn = Some(broker.request_memory.draw(claim).await);
        let mut out = Outbound::default();
        let waited = Waited { drawn, ..Waited::default() };
        let step = serve_with(&broker, asked, &mut body, waited, &mut out);
        drop(body);
        after(step, out).await
    });
    Step::Wait(answer.into())
}

/// A directory that does not keep up, if the request touches one.
fn slow_directory(broker: &Broker, plan: &Plan, body: &[u8]) -> Option<DirectoryId> {
    if !broker.may_stall() {
        return None;
    }
    plan.partitions.iter().find_map(|planned| {
        let topic = find(broker, &plan.topics[planned.topic], body)?;
        let replica = topic.get(planned.index).filter(|replica| replica.may_stall())?;
        Some(replica.directory().id())
    })
}

/// Serves a request on the thread of a directory that does not keep up.
fn wait_for_turn(
    broker: Arc<Broker>,
    asked: Asked,
    mut body: Vec<u8>,
    waited: Waited,
    directory: DirectoryId,
) -> Step {
    let answer: Answer = Box::pin(async move {
        let serving = broker.clone();
        let served = broker.slow_lanes.run(directory, move || {
            let mut out = Outbound::default();
            (serve_with(&serving, asked, &mut body, waited, &mut out), out)
        });
        let (step, out) = served.await?;
        after(step, out).await
    });
    Step::Wait(answer.into())
}

/// A question to a coordinator, until it is answered.
type Asking = Pin<Box<dyn Future<Output = Vec<Verdict>> + Send>>;

/// Asks a coordinator; most answer without anything to wait for. Otherwise gives back what is to be waited for.
fn ask_at_once(broker: &Arc<Broker>, question: Question) -> Result<Vec<Verdict>, Asking> {
    let mut asking: Asking = Box::pin(question.ask(broker.clone()));
    match asking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(verdicts) => Ok(verdicts),
        Poll::Pending => Err(asking),
    }
}

/// Serves a request once the coordinator of its transaction has answered.
fn wait_for_coordinator(
    broker: Arc<Broker>,
    asked: Asked,
    mut body: Vec<u8>,
    drawn: Drawn,
    asking: Asking,
) -> Step {
    let answer: Answer = Box::pin(async move {
        let waited = Waited { drawn: Some(drawn), turn: false, verdicts: Some(asking.await) };
        let mut out = Outbound::default();
        let step = serve_with(&broker, asked, &mut body, waited, &mut out);
        drop(body);
        after(step, out).await
    });
    Step::Wait(answer.into())
}

/// What is answered after a step that was taken apart from the connection.
async fn after(step: Step, out: Outbound) -> Result<Outbound, Close> {
    match step {
        Step::Done => Ok(out),
        Step::Wait(pending) | Step::Promise(pending) => pending.whole().await,
        Step::Close(close) => Err(close),
    }
}

fn append_all(
    broker: &Broker,
    asked: &Asked,
    (refused, verdicts): (Option<(ErrorCode, &'static str)>, &[Verdict]),
    body: &mut [u8],
    memory: &mut Memory,
) -> Vec<Commit> {
    let Memory { plan, scratch, outcomes, sets } = memory;
    let now = broker.now();
    let old = asked.version < message_set::BATCHES_SINCE;
    // Before version 3 nobody asks: what is converted may take any codec of the topic.
    let zstd = old || asked.version >= ZSTD_SINCE;
    let mut commits = Vec::new();
    let mut found: Option<(usize, Option<Arc<TopicReplicas>>)> = None;
    for (place, planned) in plan.partitions.iter().enumerate() {
        let (verification, refused_here) = match verdicts.get(place) {
            None => (Verification::Missing, None),
            Some(Verdict::Append(verification)) => (*verification, None),
            Some(Verdict::Refuse(error, message)) => (Verification::Missing, Some((*error, message))),
        };
        let origin = Origin::Client { zstd, verification };
        let topic = match &found {
            Some((place, topic)) if *place == planned.topic => topic,
            _ => &found.insert((planned.topic, find(broker, &plan.topics[planned.topic], body))).1,
        };
        let replica = match topic {
            Some(topic) => topic.get(planned.index),
            None => None,
        };
        let outcome = match (replica, refused, refused_here) {
            (None, ..) => {
                let error = absent(broker, &plan.topics[planned.topic], planned.index, body);
                broker.metrics.topics.without_topic.failed_produce_requests.add(1);
                Outcome::error(planned.index, error, None)
            }
            (Some(_), Some((error, message)), _) => {
                Outcome::error(planned.index, error, Some(message.into()))
            }
            (Some(replica), None, _) if metadata::image::is_internal(replica.topic()) => internal(replica),
            (Some(_), None, Some((error, message))) => {
                Outcome::error(planned.index, error, Some(message.to_string()))
            }
            (Some(replica), None, None) => {
                let bytes = &mut body[planned.records.clone()];
                let records = if old { sets.convert(replica, bytes) } else { Ok(Records::Batch) };
                let place = outcomes.len();
                let appended = records.and_then(|records| match records {
                    Records::None => Ok(Outcome::error(planned.index, ErrorCode::None, None)),
                    Records::Batch => append(replica, (origin, now), bytes, scratch, &mut commits, place),
                    Records::Converted(batch, origin) => {
                        append(replica, (origin, now), batch, scratch, &mut commits, place)
                    }
                });
                appended.unwrap_or_else(|error| failed(broker, replica, origin, &error))
            }
        };
        outcomes.push(outcome);
    }
    commits
}

fn find(broker: &Broker, topic: &Topic, body: &[u8]) -> Option<Arc<TopicReplicas>> {
    match topic {
        Topic::Id(id) => broker.partitions.by_id(*id),
        Topic::Name(range) => broker.partitions.by_name(name(range, body)),
    }
}

fn absent(broker: &Broker, topic: &Topic, index: PartitionIndex, body: &[u8]) -> ErrorCode {
    match topic {
        Topic::Id(id) => broker.absent_by_id(*id, index),
        Topic::Name(range) => broker.absent_by_name(name(range, body), index),
    }
}

/// A name in the frame; decoding has read it as text before.
fn name<'b>(range: &Range<usize>, body: &'b [u8]) -> &'b str {
    std::str::from_utf8(&body[range.clone()]).unwrap_or_default()
}

fn append(
    replica: &Arc<Replica>,
    (origin, now): (Origin, Timestamp),
    bytes: &mut [u8],
    scratch: &mut Scratch,
    commits: &mut Vec<Commit>,
    place: usize,
) -> Result<Outcome, AppendError> {
    replica.metrics().produce_requests.add(1);
    let done = replica.append(origin, now, bytes, scratch)?;
    let outcome =
        Outcome { log_start_offset: done.log_start, ..Outcome::error(replica.index, ErrorCode::None, None) };
    if done.commit_due {
        let bytes = match &done.appended {
            Appended::Written(written) => u64::from(written.bytes),
            Appended::Duplicate(_) => 0,
        };
        commits.push((place, commit(replica, bytes)?));
    }
    Ok(match done.appended {
        Appended::Written(written) => {
            let log_append_time = written.log_append_time.unwrap_or(Timestamp::NONE);
            Outcome { base_offset: written.base_offset, log_append_time, ..outcome }
        }
        Appended::Duplicate(duplicate) => {
            let (base_offset, log_append_time) = (duplicate.base_offset, duplicate.log_append_time);
            Outcome { base_offset, log_append_time, ..outcome }
        }
    })
}

/// Has the log brought to stable storage, with what other appends want there; only then do readers see it.
fn commit(replica: &Arc<Replica>, bytes: u64) -> Result<oneshot::Receiver<Result<(), Fault>>, Fault> {
    let (waiting, told) = oneshot::channel();
    let (appended, tasks) = (Arc::clone(replica), Handle::try_current().ok());
    replica.log()?.commit(Box::new(move |result| {
        if result.is_ok() {
            appended.synced(bytes);
        }
        synced_answers::tell(waiting, result, tasks.as_ref());
    }));
    Ok(told)
}

fn write(
    asked: &Asked,
    plan: &Plan,
    body: &[u8],
    outcomes: &[Outcome],
    out: &mut Outbound,
) -> Result<(), Close> {
    answer::write(asked, topics(plan, body, outcomes), out)
}

/// The topics of the plan with their outcomes.
fn topics<'a>(
    plan: &'a Plan,
    body: &'a [u8],
    outcomes: &'a [Outcome],
) -> impl ExactSizeIterator<Item = (Named<'a>, &'a [Outcome])> {
    let mut at = 0;
    plan.topics.iter().enumerate().map(move |(place, topic)| {
        let of_topic = |partition: &&Partition| partition.topic == place;
        let count = plan.partitions[at..].iter().take_while(of_topic).count();
        let outcomes = &outcomes[at..at + count];
        at += count;
        let named = match topic {
            Topic::Id(id) => Named::Id(*id),
            Topic::Name(range) => Named::Name(name(range, body)),
        };
        (named, outcomes)
    })
}

/// There is no answer; a failure can only be said by closing.
fn unacknowledged(broker: &Broker, asked: &Asked, outcomes: &[Outcome]) -> Step {
    let failed = outcomes.iter().find(|outcome| outcome.error != ErrorCode::None);
    let result = failed.map_or(Ok(()), |outcome| {
        let message = outcome.message.as_deref().unwrap_or_default();
        Err(Close::Unacknowledged(format!("{} {message}", outcome.error.name())))
    });
    asked.step(result, broker)
}

/// Answers once every append is on stable storage.
fn wait(
    broker: Arc<Broker>,
    asked: Asked,
    (plan, body, drawn): (&Plan, &[u8], Drawn),
    mut outcomes: Vec<Outcome>,
    commits: Vec<Commit>,
) -> Step {
    // The frame goes; what the answer echoes is kept.
    let named: Vec<(Result<String, protocol::id::TopicId>, usize)> = topics(plan, body, &outcomes)
        .map(|(named, outcomes)| match named {
            Named::Name(name) => (Ok(name.to_owned()), outcomes.len()),
            Named::Id(id) => (Err(id), outcomes.len()),
        })
        .collect();
    let answer: Answer = Box::pin(async move {
        for (place, told) in commits {
            // A directory that goes away tells nobody; then nothing is known to be durable.
            let result = told.await.unwrap_or(Err(Fault::Mismatch {
                path: Default::default(),
                reason: "the log directory was closed before the append was on stable storage".into(),
            }));
            if let Err(fault) = result {
                outcomes[place] = faulted(&broker, outcomes[place].index, &fault);
            }
        }
        let mut out = Outbound::default();
        let mut at = 0;
        let topics = named.iter().map(|(named, count)| {
            let outcomes = &outcomes[at..at + count];
            at += count;
            (named.as_deref().map_or_else(|id| Named::Id(*id), Named::Name), outcomes)
        });
        let written = answer::write(&asked, topics, &mut out);
        broker.metrics.requests.note(asked.api as i16, asked.at.elapsed());
        drawn.into_iter().for_each(|drawn| out.hold(drawn));
        written.map(|()| out)
    });
    Step::Promise(answer.into())
}
