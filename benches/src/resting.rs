//! Consumers at rest: each follows the ends of many partitions in a fetch session (KIP-227), and asks again as soon as it
//! has been told that there is nothing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use protocol::messages::fetch::{FetchPartition, FetchTopic};
use protocol::messages::{FetchRequest, FetchResponse, Message};

use crate::asker::{Asker, Encoded};

/// The last version that names topics.
const VERSION: i16 = 12;
const PARTITION_BYTES: i32 = 1 << 20;

/// Consumers, all of which follow the same partitions.
#[derive(Debug)]
pub struct Resting {
    consumers: Vec<Consumer>,
    /// What a consumer without a session sends each time.
    whole: Encoded,
    /// How long the broker may let a consumer wait.
    wait: Duration,
    asked: bool,
}

#[derive(Debug)]
struct Consumer {
    asker: Asker,
    /// 0 for none: the broker has no room for more.
    session: i32,
    epoch: i32,
}

fn request(session_id: i32, session_epoch: i32, wait: Duration) -> Result<FetchRequest<'static>> {
    Ok(FetchRequest {
        replica_id: -1,
        max_wait_ms: i32::try_from(wait.as_millis())?,
        min_bytes: 1,
        max_bytes: 50 << 20,
        session_id,
        session_epoch,
        ..FetchRequest::default()
    })
}

impl Resting {
    /// So many consumers of these topics, each named with its partitions, which hold one record each; the broker may let
    /// them wait so long.
    pub fn open(
        address: SocketAddr,
        consumers: usize,
        topics: &[(String, i32)],
        wait: Duration,
    ) -> Result<Self> {
        let topic = |(name, partitions): &(String, i32)| {
            let partition = |partition| FetchPartition {
                partition,
                fetch_offset: 1,
                current_leader_epoch: -1,
                last_fetched_epoch: -1,
                log_start_offset: -1,
                partition_max_bytes: PARTITION_BYTES,
                ..FetchPartition::default()
            };
            let partitions: Vec<_> = (0..*partitions).map(partition).collect();
            FetchTopic { topic: name.clone().into(), partitions: partitions.into(), ..FetchTopic::default() }
        };
        let topics: Vec<_> = topics.iter().map(topic).collect();
        let whole = |wait| -> Result<_> {
            Encoded::new(&FetchRequest { topics: topics.clone().into(), ..request(0, 0, wait)? }, VERSION)
        };
        let at_once = whole(Duration::ZERO)?;
        let mut opened = Vec::new();
        for mut asker in Asker::open_many(address, consumers)? {
            asker.send(&at_once)?;
            let session = session_in(asker.receive(&at_once)?)?;
            opened.push(Consumer { asker, session, epoch: 0 });
        }
        Ok(Self { consumers: opened, whole: whole(wait)?, wait, asked: false })
    }

    /// How many of them have a session.
    pub fn sessions(&self) -> usize {
        self.consumers.iter().filter(|consumer| consumer.session != 0).count()
    }

    /// Has each of them ask so often; how long that took.
    pub fn rest(&mut self, rounds: u32) -> Result<Duration> {
        let begin = Instant::now();
        for _ in 0..rounds {
            for consumer in &mut self.consumers {
                if self.asked {
                    consumer.hear(&self.whole)?;
                }
                consumer.ask(&self.whole, self.wait)?;
            }
            self.asked = true;
        }
        Ok(begin.elapsed())
    }
}

impl Consumer {
    fn ask(&mut self, whole: &Encoded, wait: Duration) -> Result<()> {
        if self.session == 0 {
            return self.asker.send(whole);
        }
        self.epoch += 1;
        self.asker.send(&Encoded::new(&request(self.session, self.epoch, wait)?, VERSION)?)
    }

    fn hear(&mut self, whole: &Encoded) -> Result<()> {
        let answer = self.asker.receive(whole)?;
        let session = session_in(answer)?;
        ensure!(session == self.session, "session {session} where {} was asked for", self.session);
        Ok(())
    }
}

/// The session an answer is of; nobody writes, so it may not tell of records.
fn session_in(answer: &[u8]) -> Result<i32> {
    let answer = FetchResponse::decode(answer, VERSION)?;
    ensure!(answer.error_code == 0, "refused with error code {}", answer.error_code);
    for topic in &answer.responses {
        for partition in &topic.partitions {
            let error = partition.error_code;
            ensure!(error == 0, "{}-{}: error code {error}", topic.topic, partition.partition_index);
            let any = partition.records.as_ref().is_some_and(|records| !records.is_empty());
            ensure!(!any, "records at rest");
        }
    }
    Ok(answer.session_id)
}
