//! Producers whose transactions hold ten records each: one alone, and sixteen in step.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use benches::asker::{Asker, Encoded};
use protocol::id::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use protocol::messages::{
    EndTxnRequest, EndTxnResponse, InitProducerIdRequest, InitProducerIdResponse, Message, ProduceRequest,
    ProduceResponse,
};
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::Compressors;

use super::{Figure, Groups, Run, Side, find_coordinator, timed};

const RECORDS: usize = 10;
const TRANSACTIONS: u32 = 1_000;
/// The versions of transactions in which a produce adds its partition by itself (KIP-890).
const PRODUCE: i16 = 12;
const END: i16 = 5;
const INIT: i16 = 5;
/// What is said by a broker that has not heard of a topic yet or that it leads it, and by a coordinator that has not ended
/// the transaction before.
const TRY_AGAIN: [i16; 3] = [3, 6, 51];

struct Producer {
    asker: Asker,
    name: String,
    id: i64,
    epoch: i16,
}

pub fn run(_: &Groups, side: &mut Side) -> Result<Run> {
    let topic = side.fresh("transactions");
    side.create_topic(&topic, 16)?;
    let one = produce(side, &topic, 1)?;
    let all = produce(side, &topic, 16)?;
    Ok(vec![
        Figure::least("1 producer: CPU us a transaction", one.0),
        Figure::median("1 producer: ms to commit, p99", one.1),
        Figure::least("16 producers: CPU us a transaction", all.0),
        Figure::median("16 producers: ms to commit, p99", all.1),
    ])
}

/// Microseconds of CPU a transaction, and the time to commit that one in a hundred exceeds.
fn produce(side: &mut Side, topic: &str, count: usize) -> Result<(f64, f64)> {
    let askers = Asker::open_many(side.address(), count)?;
    let producers = askers.into_iter().map(|asker| Producer::new(asker, side.fresh("producer")));
    let mut producers = producers.collect::<Result<Vec<_>>>()?;
    let rounds = TRANSACTIONS / u32::try_from(count)?.min(4);
    let mut times = Vec::new();
    let ((), _, cpu) = timed(side, || {
        for _ in 0..rounds {
            round(topic, &mut producers, &mut times)?;
        }
        Ok(())
    })?;
    times.sort_unstable_by(f64::total_cmp);
    let p99 = times[times.len() * 99 / 100];
    Ok((cpu / times.len() as f64 * 1e3, p99))
}

impl Producer {
    fn new(mut asker: Asker, name: String) -> Result<Self> {
        find_coordinator(&mut asker, &name, 1)?;
        let request = InitProducerIdRequest {
            transactional_id: Some(name.clone().into()),
            transaction_timeout_ms: 60_000,
            producer_id: -1,
            producer_epoch: -1,
            ..InitProducerIdRequest::default()
        };
        let (id, epoch) = asker.ask_until(&request, INIT, |body| {
            let response = InitProducerIdResponse::decode(body, INIT)?;
            Ok((response.error_code == 0).then_some((response.producer_id, response.producer_epoch)))
        })?;
        Ok(Self { asker, name, id, epoch })
    }

    fn records(&self, topic: &str, partition: i32) -> Result<Encoded> {
        let mut builder = BatchBuilder::new(BatchOptions {
            producer: (ProducerId(self.id), ProducerEpoch(self.epoch), Sequence(0)),
            transactional: true,
            ..BatchOptions::default()
        });
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        for _ in 0..RECORDS {
            builder.push(Timestamp(i64::try_from(now.as_millis())?), None, Some(&[7; 100]), &[]);
        }
        let batch = builder.finish(&mut Compressors::default())?;
        let partition = PartitionProduceData { index: partition, records: Some(batch.into()) };
        let topic = TopicProduceData {
            name: topic.to_owned().into(),
            partition_data: vec![partition].into(),
            ..TopicProduceData::default()
        };
        let request = ProduceRequest {
            transactional_id: Some(self.name.clone().into()),
            acks: -1,
            timeout_ms: 30_000,
            topic_data: vec![topic].into(),
        };
        Encoded::new(&request, PRODUCE)
    }

    fn commit(&self) -> Result<Encoded> {
        let request = EndTxnRequest {
            transactional_id: self.name.clone().into(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            committed: true,
        };
        Encoded::new(&request, END)
    }
}

/// One transaction of each producer.
fn round(topic: &str, producers: &mut [Producer], times: &mut Vec<f64>) -> Result<()> {
    let mut left: Vec<(usize, Encoded)> = Vec::new();
    for (place, producer) in producers.iter().enumerate() {
        left.push((place, producer.records(topic, i32::try_from(place)?)?));
    }
    // What the coordinator has not ended yet is in the way of what comes next: it is sent again, as a client does.
    while !left.is_empty() {
        for (place, request) in &left {
            producers[*place].asker.send(request)?;
        }
        let mut again = Vec::new();
        for (place, request) in left {
            let response = ProduceResponse::decode(producers[place].asker.receive(&request)?, PRODUCE)?;
            let topic = response.responses.iter().next().context("a topic")?;
            match topic.partition_responses.iter().next().context("a partition")?.error_code {
                0 => {}
                error if TRY_AGAIN.contains(&error) => again.push((place, request)),
                error => anyhow::bail!("records of a transaction: error {error}"),
            }
        }
        left = again;
    }
    let commits = producers.iter().map(Producer::commit).collect::<Result<Vec<_>>>()?;
    let mut sent = Vec::with_capacity(commits.len());
    for (producer, commit) in producers.iter_mut().zip(&commits) {
        sent.push(Instant::now());
        producer.asker.send(commit)?;
    }
    for ((producer, commit), sent) in producers.iter_mut().zip(&commits).zip(sent) {
        let response = EndTxnResponse::decode(producer.asker.receive(commit)?, END)?;
        ensure!(response.error_code == 0, "a commit: error {}", response.error_code);
        times.push(sent.elapsed().as_secs_f64() * 1e3);
        if response.producer_id >= 0 {
            (producer.id, producer.epoch) = (response.producer_id, response.producer_epoch);
        }
    }
    Ok(())
}
