//! Fetch, 0 to 18: reads batches of partitions, waiting for them if there are none.
//!
//! 0 to 3 are answered with message sets; 1 adds the throttle time, 2 timestamps (KIP-32), 3 a bound on the whole answer
//! (KIP-74), 4 carries batches and isolation (KIP-98), 5 adds the log start, 7 sessions (KIP-227), 9 the reader's leader
//! epoch (KIP-320), 11 the reader's rack (KIP-392), 12 diverging epochs (KIP-595), 13 topic ids (KIP-516), 15 the follower's
//! state, 16 the endpoints of leaders (KIP-951), 17 directory ids, 18 the follower's high watermark.
//!
//! What is at hand is answered on the spot: headers in memory, records as ranges of log files. A fetch that has to
//! wait hangs in the lists of its partitions until an append, a change or its time wakes it. No follower reads here
//! yet: a replica that the partition does not have is told so, as Kafka does.

mod answer;
mod message_set;
mod read;
mod request;
mod resting;
mod slow_directory;

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::ErrorCode;
use protocol::id::DirectoryId;
use protocol::messages::FetchRequest;

use self::answer::NodeEndpoint;
use self::read::{PartitionRead, Reading};
use self::request::Limits;
use super::Asked;
use crate::Broker;
use crate::net::{Answer, Close, Outbound, Peer, Step};
use crate::runtime::cold_reads::ColdRead;
use crate::runtime::fetch_sessions::{Context, Wanted};
use crate::runtime::request_memory::{Claim, Drawn};
use crate::runtime::resting::Waiting;

/// The longest a fetch may wait that holds memory which all connections share.
const WAIT_DRAWN_MAX: Duration = Duration::from_secs(30);
/// The longest it waits for each disk with that in its hands: what has not come by then its reader asks for again, in line
/// behind those who wait for the memory. A disk that works takes less for all that may be in line for it.
const WAIT_DISK_MAX: Duration = Duration::from_secs(10);
/// The first version with sessions.
const SESSIONS_SINCE: i16 = 7;

/// A fetch on its way.
struct Fetch {
    broker: Arc<Broker>,
    peer: Arc<Peer>,
    asked: Asked,
    limits: Limits,
    context: Context,
    wanted: Vec<Wanted>,
}

/// Serves one request.
pub fn serve(
    broker: &Arc<Broker>,
    peer: &Arc<Peer>,
    asked: Asked,
    body: &mut [u8],
    out: &mut Outbound,
) -> Step {
    serve_with(broker, peer, asked, (body, None), out)
}

/// Serves one request, with the memory it was seen to need if it was found before.
fn serve_with(
    broker: &Arc<Broker>,
    peer: &Arc<Peer>,
    asked: Asked,
    (body, drawn): (&[u8], Option<Drawn>),
    out: &mut Outbound,
) -> Step {
    let decoded = asked.decode_counted::<FetchRequest<'_>>(body);
    let decoded = decoded.and_then(|(request, elements)| {
        request::bound(&request, &asked, broker)?;
        // A session follows more than its requests name.
        let followed = broker.fetch_sessions.size(request.session_id);
        Ok((request, asked.claim(broker, body.len(), elements + followed)?))
    });
    let (request, claim) = match decoded {
        Ok(decoded) => decoded,
        Err(close) => return Step::Close(close),
    };
    let Some(drawn) = drawn.or_else(|| broker.request_memory.try_draw(claim)) else {
        return wait_for_memory((broker.clone(), peer.clone()), asked, body.to_vec(), claim);
    };
    let limits = Limits::of(&request, asked.version, broker);
    let mut wanted = request::wanted(&request, &asked, broker);
    if !limits.isolation_known {
        // Only versions without topic ids say it of each partition.
        let named = if asked.version < request::IDS_SINCE { &wanted[..] } else { &[] };
        return refuse(broker, &asked, ErrorCode::UnknownServerError, named, out);
    }
    let session = request::session(&request, &asked);
    let forgotten = request::forgotten(&request, &asked);
    let context = match broker.fetch_sessions.begin(asked.at, session, std::mem::take(&mut wanted), forgotten)
    {
        Ok(context) => context,
        Err(error) => return refuse(broker, &asked, error, &[], out),
    };
    let (context, wanted) = match context {
        Context::Sessionless(wanted) => (Context::Sessionless(Vec::new()), wanted),
        Context::Full(wanted) => (Context::Full(Vec::new()), wanted),
        Context::Incremental(session, next) => {
            if let Some(rest) = resting::untouched((&session, next), &request, &limits, &asked) {
                // What is read draws it again; to wait takes none.
                drop(drawn);
                let whose = (broker.clone(), peer.clone());
                let answer: Answer = Box::pin(resting::wait_on(whose, asked, limits, (session, rest), claim));
                return Step::Wait(answer.into());
            }
            let wanted = session.wanted();
            (Context::Incremental(session, next), wanted)
        }
    };
    let fetch = Fetch { broker: broker.clone(), peer: peer.clone(), asked, limits, context, wanted };
    fetch.serve(drawn, out)
}

/// Serves a request once there is memory for it.
fn wait_for_memory(
    (broker, peer): (Arc<Broker>, Arc<Peer>),
    asked: Asked,
    body: Vec<u8>,
    claim: Claim,
) -> Step {
    let answer: Answer = Box::pin(async move {
        let drawn = broker.request_memory.draw(claim).await;
        let mut out = Outbound::default();
        match serve_with(&broker, &peer, asked, (&body, Some(drawn)), &mut out) {
            Step::Done => Ok(out),
            Step::Wait(pending) | Step::Promise(pending) => {
                drop(body);
                pending.whole().await
            }
            Step::Close(close) => Err(close),
        }
    });
    Step::Wait(answer.into())
}

/// An answer that is one error.
fn refuse(broker: &Broker, asked: &Asked, error: ErrorCode, wanted: &[Wanted], out: &mut Outbound) -> Step {
    let reads = wanted.iter().map(|wanted| PartitionRead::unknown(wanted.clone(), error)).collect();
    let written = write(asked, (error, 0), reads, &[], out);
    asked.step(written, broker)
}

impl Fetch {
    /// Answers at once if that is due.
    fn serve(self, drawn: Drawn, out: &mut Outbound) -> Step {
        if let Some(directory) = self.slow_directory() {
            let answer: Answer = Box::pin(Arc::new(self).serve_slowly(directory, drawn));
            return Step::Wait(answer.into());
        }
        let mut reading = self.read();
        let later: Answer = if self.is_satisfied(&reading) {
            let cold = reading.cold(&self.broker, &self.limits, self.asked.at);
            if cold.is_empty() && self.asked.version >= message_set::BATCHES_SINCE {
                let written = self.answer(reading, drawn, out);
                return self.asked.step(written, &self.broker);
            }
            Box::pin(async move { self.answer_cold(reading, cold, drawn).await })
        } else {
            drop(reading);
            Box::pin(Arc::new(self).wait(drawn))
        };
        Step::Wait(later.into())
    }

    /// Answers as soon as that is due, reading first where it may wait.
    async fn serve_slowly(self: Arc<Self>, directory: DirectoryId, drawn: Drawn) -> Result<Outbound, Close> {
        let mut reading = self.read_on(directory, &drawn).await?;
        if !self.is_satisfied(&reading) {
            drop(reading);
            return self.wait(drawn).await;
        }
        let cold = reading.cold(&self.broker, &self.limits, Instant::now());
        self.answer_cold(reading, cold, drawn).await
    }

    /// Reads what is wanted, in order, within the limits.
    fn read(&self) -> Reading {
        let mut reading = Reading::new(self.limits.bytes_max);
        for wanted in &self.wanted {
            reading.partition(&self.broker, &self.limits, wanted);
        }
        reading
    }

    /// Whether the answer is due, as Kafka judges it: something was asked for that can come no other way.
    fn is_satisfied(&self, reading: &Reading) -> bool {
        self.limits.wait.is_zero()
            || reading.nothing_readable
            || reading.urgent
            || reading.bytes >= self.limits.bytes_min
            || !self.broker.is_serving()
    }

    /// Waits until the answer is due or the time is over.
    async fn wait(self: Arc<Self>, drawn: Drawn) -> Result<Outbound, Close> {
        let wait = if drawn.is_some() { self.limits.wait.min(WAIT_DRAWN_MAX) } else { self.limits.wait };
        let waiting = self.hang();
        let deadline = tokio::time::sleep_until((self.asked.at + wait).into());
        tokio::pin!(deadline);
        let mut reading = loop {
            // As in Kafka, the reader of a partition that goes away hears of it at once.
            let bereft = waiting.is_bereft();
            // Read once more after having joined the lists: an append in between woke nobody.
            waiting.waiter().lacks(self.limits.bytes_min);
            let reading = match self.slow_directory() {
                None => self.read(),
                Some(directory) => self.read_on(directory, &drawn).await?,
            };
            if self.is_satisfied(&reading) || bereft || deadline.is_elapsed() {
                break reading;
            }
            let brought = waiting.waiter().found(reading.bytes);
            drop(reading);
            if brought {
                continue;
            }
            tokio::select! {
                biased;
                () = waiting.waiter().woken() => {}
                () = &mut deadline => {}
            }
        };
        let rest = resting::after(&self, &reading, waiting);
        let cold = reading.cold(&self.broker, &self.limits, Instant::now());
        let answered = self.answer_cold(reading, cold, drawn).await?;
        if let Some((session, rest)) = rest {
            session.put_rest(rest);
        }
        Ok(answered)
    }

    /// Hangs it in the lists of its partitions.
    fn hang(&self) -> Waiting {
        let found = self.wanted.iter().filter_map(|wanted| {
            let topic = read::find(&self.broker, &wanted.key.topic)?;
            topic.get(wanted.key.partition).cloned()
        });
        Waiting::new(self.limits.isolation, self.limits.bytes_min, found)
    }

    /// Has what lies on the disk brought into memory first, so that sending it holds up no other connection, and what
    /// nobody has looked at since the start checked.
    async fn answer_cold(
        &self,
        mut reading: Reading,
        cold: Vec<(usize, ColdRead)>,
        drawn: Drawn,
    ) -> Result<Outbound, Close> {
        let (places, reads): (Vec<_>, Vec<_>) = cold.into_iter().unzip();
        let patience = drawn.is_some().then_some(WAIT_DISK_MAX);
        let (found, late) = self.broker.cold_reads.bring_in(reads, patience).await?;
        reading.brought(&self.broker, &places, found);
        late.into_iter().for_each(|late| reading.partitions[places[late]].leave_out());
        let mut out = Outbound::default();
        if self.asked.version < message_set::BATCHES_SINCE {
            let whose = (&self.broker, patience);
            let (converted, held) =
                message_set::convert(whose, reading, self.limits, self.asked.version).await;
            reading = converted;
            held.into_iter().for_each(|held| out.hold(held));
        }
        let written = self.answer(reading, drawn, &mut out);
        self.broker.metrics.requests.note(self.asked.api as i16, self.asked.at.elapsed());
        written.map(|()| out)
    }

    /// Writes the answer: in a session only what is news.
    fn answer(&self, reading: Reading, drawn: Drawn, out: &mut Outbound) -> Result<(), Close> {
        let mut reads = reading.partitions;
        // As in Kafka, partitions that nobody could look for come last.
        reads.sort_by_key(|read| read.unknown);
        let session_id = match &self.context {
            Context::Sessionless(_) => 0,
            Context::Full(_) if self.asked.version < SESSIONS_SINCE => 0,
            Context::Full(_) => {
                let told = reads.iter().map(|read| (read.wanted.clone(), read.told()));
                let topic_ids = self.asked.version >= request::IDS_SINCE;
                self.broker.fetch_sessions.open(Instant::now(), topic_ids, told)
            }
            Context::Incremental(session, _) => {
                let mut answering = session.answer();
                reads.retain(|read| answering.tell(&read.wanted.key, read.told()));
                session.id()
            }
        };
        for read in &reads {
            read.count();
        }
        let endpoints = self.endpoints(&reads);
        drawn.into_iter().for_each(|drawn| out.hold(drawn));
        write(&self.asked, (ErrorCode::None, session_id), reads, &endpoints, out)
    }

    /// Where the leaders are that the answer tells of.
    fn endpoints(&self, reads: &[PartitionRead]) -> Vec<NodeEndpoint> {
        // A replica hears of endpoints from the controller.
        let for_consumers = self.limits.leader_told && self.limits.follower.is_none();
        if !for_consumers || reads.iter().all(|read| read.answer.leader.is_none()) {
            return Vec::new();
        }
        let mut leaders: Vec<_> = reads.iter().filter_map(|read| Some(read.answer.leader?.0)).collect();
        leaders.sort_unstable();
        leaders.dedup();
        let image = self.broker.image();
        let endpoint = |node| {
            let broker = image.cluster.broker(node)?;
            let found = broker.endpoints.iter().find(|endpoint| *endpoint.name == *self.peer.listener)?;
            let (host, port, rack) = (found.host.clone(), found.port, broker.rack.clone());
            Some(NodeEndpoint { node, host, port, rack })
        };
        leaders.into_iter().filter_map(endpoint).collect()
    }
}

/// Writes an answer; partitions of one topic that follow one another share its entry.
fn write(
    asked: &Asked,
    (error, session_id): (ErrorCode, i32),
    reads: Vec<PartitionRead>,
    endpoints: &[NodeEndpoint],
    out: &mut Outbound,
) -> Result<(), Close> {
    let same = |one: &PartitionRead, next: &PartitionRead| one.wanted.key.topic == next.wanted.key.topic;
    let topics = reads.chunk_by(same).count();
    let lengths: Vec<usize> = reads.chunk_by(same).map(<[_]>::len).collect();
    let mut answer = answer::Answer::begin(asked, error, session_id, topics, out);
    let mut reads = reads.into_iter();
    for length in lengths {
        for (place, read) in reads.by_ref().take(length).enumerate() {
            if place == 0 {
                answer.topic(&read.wanted.key.topic, length);
            }
            answer.partition(read.answer);
        }
        answer.end_topic();
    }
    answer.end(endpoints).map_err(|error| asked.unwritable(&error))
}

/// The longest a fetch may wait: past this a client has given up long since.
const WAIT_MAX: Duration = Duration::from_secs(24 * 3600);
