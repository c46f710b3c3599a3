//! Readers: one follows the end of all partitions of a topic, one reads here and there what is old.

use anyhow::{Context, Result, ensure};
use benches::asker::Asker;
use protocol::messages::fetch::{FetchPartition, FetchTopic};
use protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::{FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse, Message};
use protocol::records::batches::Batches;

use super::load::{Dice, Load};

const VERSION: i16 = 12;
const OFFSET_OUT_OF_RANGE: i16 = 1;
/// The time that stands for where a log begins.
const EARLIEST: i64 = -2;
/// What is asked for of a partition at once, and of all.
const PARTITION_BYTES: i32 = 1 << 20;
const ALL_BYTES: i32 = 4 << 20;
/// How long who follows the end waits there.
const WAIT_MS: i32 = 100;
/// How often a second something old is read while nothing bursts.
const OLD: u32 = 10;

/// Where somebody has come to in each partition of a topic.
pub struct Reader<'a> {
    load: &'a Load,
    asker: Asker,
    topic: &'static str,
    next: Vec<i64>,
    /// Where each begins and ends, as last told.
    bounds: Vec<(i64, i64)>,
}

impl<'a> Reader<'a> {
    pub fn new(load: &'a Load, topic: &'static str, partitions: i32) -> Result<Self> {
        let partitions = usize::try_from(partitions)?;
        let asker = Asker::open(load.address)?;
        Ok(Self { load, asker, topic, next: vec![0; partitions], bounds: vec![(0, 0); partitions] })
    }

    /// Reads on until the load is stopped, and sees each offset once, in order.
    pub fn tail(mut self) -> Result<()> {
        while self.load.goes_on() {
            let partitions: Vec<usize> = (0..self.next.len()).collect();
            self.fetch(&partitions, WAIT_MS)?;
        }
        Ok(())
    }

    /// Reads from anywhere.
    pub fn read_old(mut self, mut dice: Dice) -> Result<()> {
        let mut pace = self.load.pace(OLD);
        while pace.next().is_some() {
            let partition = dice.below(self.next.len() as u64) as usize;
            let (begin, end) = self.bounds[partition];
            self.next[partition] = begin + dice.below(u64::try_from(end - begin)?) as i64;
            self.fetch(&[partition], 0)?;
        }
        Ok(())
    }

    fn fetch(&mut self, partitions: &[usize], max_wait_ms: i32) -> Result<()> {
        let wanted = |partition: &usize| FetchPartition {
            partition: *partition as i32,
            fetch_offset: self.next[*partition],
            partition_max_bytes: PARTITION_BYTES,
            ..FetchPartition::default()
        };
        let topic = FetchTopic {
            topic: self.topic.into(),
            partitions: partitions.iter().map(wanted).collect::<Vec<_>>().into(),
            ..FetchTopic::default()
        };
        let request = FetchRequest {
            max_wait_ms,
            min_bytes: 1,
            max_bytes: ALL_BYTES,
            topics: vec![topic].into(),
            ..FetchRequest::default()
        };
        let (next, bounds, mut deleted) = (&mut self.next, &mut self.bounds, Vec::new());
        self.asker.ask(&request, VERSION, |body| {
            let answer = FetchResponse::decode(body, VERSION)?;
            ensure!(answer.error_code == 0, "a fetch is refused with error code {}", answer.error_code);
            let topic = answer.responses.iter().next().context("a topic")?;
            for told in topic.partitions.iter() {
                let partition = usize::try_from(told.partition_index)?;
                if told.error_code == OFFSET_OUT_OF_RANGE {
                    deleted.push(partition);
                    continue;
                }
                ensure!(told.error_code == 0, "a partition is refused with error code {}", told.error_code);
                bounds[partition] = (told.log_start_offset, told.high_watermark);
                let mut batches = Batches::new(told.records.as_deref().unwrap_or_default());
                while let Ok(Some(batch)) = batches.next_batch() {
                    let end = batch.header.next_offset().0;
                    ensure!(
                        batch.header.base_offset.0 <= next[partition] && next[partition] < end,
                        "{} came where offset {} was asked for",
                        batch.header.base_offset,
                        next[partition]
                    );
                    next[partition] = end;
                }
            }
            Ok(())
        })?;
        self.load.note(1);
        deleted.into_iter().try_for_each(|partition| self.begin_anew(partition))
    }

    /// What was to be read has been deleted: it goes on where the log begins by now.
    fn begin_anew(&mut self, partition: usize) -> Result<()> {
        let wanted = ListOffsetsPartition {
            partition_index: i32::try_from(partition)?,
            current_leader_epoch: -1,
            timestamp: EARLIEST,
            ..ListOffsetsPartition::default()
        };
        let topic = ListOffsetsTopic { name: self.topic.into(), partitions: vec![wanted].into() };
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![topic].into(),
            ..ListOffsetsRequest::default()
        };
        let begin = self.asker.ask(&request, 6, |body| {
            let answer = ListOffsetsResponse::decode(body, 6)?;
            let topic = answer.topics.iter().next().context("a topic")?;
            let told = topic.partitions.iter().next().context("a partition")?;
            ensure!(told.error_code == 0, "a look-up is refused with error code {}", told.error_code);
            Ok(told.offset)
        })?;
        self.next[partition] = begin;
        self.bounds[partition] = (begin, begin);
        self.load.note(1);
        Ok(())
    }
}
