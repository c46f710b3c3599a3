//! Reading the partitions of a fetch.

use std::sync::Arc;
use std::time::Instant;

use partition::fetch::FetchFrom;
use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, NodeId, PartitionIndex, Timestamp};
use protocol::offset::Offset;
use storage::Fault;
use storage::log::{Fetched, ReadError};
use storage::names::SegmentFile;
use storage::read_check::{RangeCheck, check_bytes};
use storage::segments::ReadSlice;

use super::answer::PartitionAnswer;
use super::request::Limits;
use crate::Broker;
use crate::config::ReadCheck;
use crate::handlers::partition_errors::{read_error, told};
use crate::metrics::{Corruption, TopicMetrics};
use crate::net::FileRange;
use crate::net::gather::SMALL;
use crate::runtime::cold_reads::{Brought, ColdRead, check_at_hand, read_at_hand};
use crate::runtime::fetch_sessions::{Told, TopicKey, Wanted};
use crate::runtime::partitions::{Replica, TopicReplicas};

/// The most that one answer has read into memory to be looked at: what small ranges are sent through anyway.
const READ_AT_ONCE_MAX: u64 = 32 << 10;
/// What was written within so many milliseconds is in memory: the system takes a page away only once it has written it to the disk,
/// and one that was just written last of all.
const HOT_MS: i64 = 20_000;

/// What became of one partition.
pub struct PartitionRead {
    /// What was wanted.
    pub wanted: Wanted,
    /// What is told.
    pub answer: PartitionAnswer,
    /// Whether the partition could not even be looked for.
    pub unknown: bool,
    /// What must happen before the records are sent, if they are not new.
    pub unsure: Option<Unsure>,
    metrics: Option<Arc<TopicMetrics>>,
}

/// Records that were not written by this process, or so long ago that they may have to come from the disk.
pub struct Unsure {
    replica: Arc<Replica>,
    /// The base of their segment, and where that ends.
    segment: (Offset, u32),
    /// Whether they are so old that they may not be in memory.
    old: bool,
    /// Whether nobody has looked at them since the start.
    unchecked: bool,
    /// Whether their reader goes on in order.
    in_order: bool,
}

/// What became of all partitions.
pub struct Reading {
    /// In the order they were wanted.
    pub partitions: Vec<PartitionRead>,
    /// Bytes of records, all together.
    pub bytes: i64,
    /// Whether something must be told at once.
    pub urgent: bool,
    /// Whether there is no partition that could bring anything.
    pub nothing_readable: bool,
    bytes_left: i64,
    /// Whether a batch over the limit is still allowed: the first one is, so that every reader gets on.
    first_whole: bool,
    topic: Option<(TopicKey, Option<Arc<TopicReplicas>>)>,
}

impl Reading {
    /// Nothing read yet.
    pub fn new(bytes_max: i64) -> Self {
        Self {
            partitions: Vec::new(),
            bytes: 0,
            urgent: false,
            nothing_readable: true,
            bytes_left: bytes_max,
            first_whole: true,
            topic: None,
        }
    }

    /// Reads one partition.
    pub fn partition(&mut self, broker: &Broker, limits: &Limits, wanted: &Wanted) {
        let index = wanted.key.partition;
        let Some(replica) = self.replica(broker, wanted) else {
            let error = absent(broker, &wanted.key.topic, index);
            broker.metrics.topics.without_topic.failed_fetch_requests.add(1);
            self.partitions.push(PartitionRead::unknown(wanted.clone(), error));
            return;
        };
        self.nothing_readable = false;
        let bytes_max = i64::from(wanted.bytes_max).min(self.bytes_left);
        // As in Kafka, which trips over it where there is something to read.
        let senseless = bytes_max < 0;
        let from = FetchFrom {
            offset: wanted.fetch_offset,
            current_leader_epoch: wanted.current_leader_epoch,
            last_fetched_epoch: wanted.last_fetched_epoch,
            isolation: limits.isolation,
        };
        let bytes_max = u32::try_from(bytes_max.max(0)).unwrap_or(u32::MAX);
        let fetched = match limits.follower {
            // Replicas on other brokers come with replication; until then no partition has one.
            Some(_) => Err(ReadError::Refused(partition::fetch::FetchRefusal::NotLeader)),
            None => replica.fetch(from, bytes_max, self.first_whole),
        };
        let mut unsure = None;
        let answer = match fetched {
            Ok(fetched) if senseless && fetched.slice.as_ref().is_some_and(|slice| slice.length > 0) => {
                self.urgent = true;
                PartitionAnswer::error(index, ErrorCode::UnknownServerError)
            }
            Ok(fetched) => {
                let slice = fetched.slice.as_ref().filter(|slice| slice.length > 0);
                unsure = slice.and_then(|slice| Unsure::of(slice, &replica, limits, broker.now()));
                self.fetched(index, limits, fetched)
            }
            Err(error) => {
                self.urgent = true;
                replica.metrics().failed_fetch_requests.add(1);
                let code = read_error(&broker.metrics.corruption, &error);
                PartitionAnswer {
                    leader: limits.leader_told.then(|| leader(broker, &replica, code)).flatten(),
                    ..PartitionAnswer::error(index, code)
                }
            }
        };
        let metrics = Some(replica.metrics().clone());
        self.partitions.push(PartitionRead {
            wanted: wanted.clone(),
            answer,
            unknown: false,
            unsure,
            metrics,
        });
    }

    /// The ranges that must be brought in or checked first, with the places of their partitions. What is small and at hand
    /// is read here, once, to be checked and to be sent.
    pub fn cold(&mut self, broker: &Broker, limits: &Limits, now: Instant) -> Vec<(usize, ColdRead)> {
        let (mut cold, check) = (Vec::new(), limits.check);
        // Message sets are made from the files.
        let mut room = if limits.each_first_whole { 0 } else { READ_AT_ONCE_MAX };
        for (place, read) in self.partitions.iter_mut().enumerate() {
            let (Some(unsure), Some(range)) = (&read.unsure, &read.answer.records) else { continue };
            let suspect = match check {
                ReadCheck::Off => false,
                ReadCheck::Cold => unsure.unchecked,
                ReadCheck::Always => true,
            };
            let segment = unsure.segment;
            // Who reads on in order has what follows checked along, but for little that is looked at as it is sent: many who look
            // something up come upon what lies behind that of another. What is checked each time is never checked ahead.
            let ahead = unsure.in_order && check != ReadCheck::Always;
            let in_order = suspect && ahead;
            let small = range.length <= room.min(SMALL) && (suspect || unsure.old);
            if small && let Some(bytes) = read_at_hand(range) {
                room -= range.length;
                let start = u32::try_from(range.position).unwrap_or(u32::MAX);
                let found = suspect.then(|| check_bytes(&bytes, start, segment));
                read.take_bytes(broker, bytes, found);
                continue;
            }
            if suspect
                && !small
                && !in_order
                && let Some(found) = check_at_hand(range, segment)
            {
                read.take_in(broker, &Ok(found));
                continue;
            }
            let absent = unsure.old && !broker.cold_reads.is_resident(range, now);
            let due = suspect || (absent && check == ReadCheck::Cold);
            if absent || due {
                cold.push((place, unsure.cold_read(range, due, ahead)));
            }
        }
        cold
    }

    /// Takes in what was found of the ranges: what is good is noted, what is not is neither sent nor kept quiet.
    pub fn brought(&mut self, broker: &Broker, places: &[usize], found: Vec<Brought>) {
        for (place, found) in places.iter().zip(found) {
            if let Some(found) = found {
                self.partitions[*place].take_in(broker, &found);
            }
        }
    }

    fn fetched(&mut self, index: PartitionIndex, limits: &Limits, fetched: Fetched) -> PartitionAnswer {
        let Fetched { bounds, slice, aborted } = fetched;
        // As in Kafka: no append adds to what an older segment holds.
        self.urgent |= slice.as_ref().is_some_and(|slice| slice.goes_on);
        let slice = slice.filter(|slice| slice.length > 0);
        if let Some(slice) = &slice {
            self.bytes += i64::from(slice.length);
            self.bytes_left = (self.bytes_left - i64::from(slice.length)).max(0);
            self.first_whole = limits.each_first_whole;
        }
        self.urgent |= bounds.diverging.is_some();
        let committed = limits.isolation == partition::fetch::Isolation::LastStableOffset;
        PartitionAnswer {
            error: ErrorCode::None,
            high_watermark: bounds.high_watermark,
            last_stable_offset: bounds.last_stable_offset,
            log_start_offset: bounds.log_start,
            diverging: bounds.diverging.map(|end| (end.epoch, end.end_offset)),
            aborted: committed.then(|| {
                aborted
                    .iter()
                    .map(|transaction| (transaction.producer_id, transaction.first_offset))
                    .collect()
            }),
            records: slice.map(|slice| FileRange {
                file: slice.file,
                position: slice.position,
                length: slice.length.into(),
            }),
            ..PartitionAnswer::error(index, ErrorCode::None)
        }
    }

    fn replica(&mut self, broker: &Broker, wanted: &Wanted) -> Option<Arc<Replica>> {
        let known = self.topic.as_ref().is_some_and(|(key, _)| *key == wanted.key.topic);
        if !known {
            self.topic = Some((wanted.key.topic.clone(), find(broker, &wanted.key.topic)));
        }
        let (_, topic) = self.topic.as_ref()?;
        topic.as_ref()?.get(wanted.key.partition).cloned()
    }
}

impl Unsure {
    /// What is to be known of a slice before it is sent; nothing of what was just written.
    fn of(slice: &ReadSlice, replica: &Arc<Replica>, limits: &Limits, now: Timestamp) -> Option<Self> {
        let lately = slice.written.is_some_and(|at| (0..=HOT_MS).contains(&(now.0 - at.0)));
        let (old, unchecked) = (slice.behind > limits.bytes_hot || !lately, !slice.checked);
        let any = old || unchecked || limits.check == ReadCheck::Always;
        let (segment, in_order) = ((slice.base, slice.segment_end), slice.in_order);
        any.then(|| Self { replica: replica.clone(), segment, old, unchecked, in_order })
    }

    /// The range as it is to be brought in, and checked if that is due, with what follows it or without.
    fn cold_read(&self, range: &FileRange, due: bool, ahead: bool) -> ColdRead {
        ColdRead {
            directory: self.replica.directory().id(),
            range: range.clone(),
            check_within: due.then_some(self.segment),
            check_ahead: ahead,
        }
    }

    /// Cuts the range where it is not good any more. The code where nothing of it can be sent.
    fn take_in(
        &self,
        corruption: &Corruption,
        range: &mut FileRange,
        found: &Result<RangeCheck, Fault>,
    ) -> Option<ErrorCode> {
        // Who has the log may be waiting for the disk.
        self.replica.at_directory(|_| {
            let Ok(mut log) = self.replica.log() else { return Some(ErrorCode::KafkaStorageError) };
            let found = match log.home().noted(found.clone()) {
                Ok(found) => found,
                Err(fault) => {
                    drop(log);
                    return Some(told(corruption, &fault));
                }
            };
            let start = u32::try_from(range.position).unwrap_or(u32::MAX);
            log.note_checked(self.segment.0, (start, found.seen_to));
            // What is wrong behind the range is told to who asks for it.
            let good = u64::from(found.good_to) >= range.position + range.length;
            let reason = found.wrong.filter(|_| !good)?;
            let path = SegmentFile::Log.path(log.path(), self.segment.0);
            drop(log);
            corruption.note(&path, found.good_to.into(), &reason);
            if found.good_to == start {
                return Some(ErrorCode::CorruptMessage);
            }
            range.length = u64::from(found.good_to - start);
            None
        })
    }
}

impl PartitionRead {
    /// Takes in what was found of its range.
    fn take_in(&mut self, broker: &Broker, found: &Result<RangeCheck, Fault>) {
        let (Some(unsure), Some(range)) = (&self.unsure, &mut self.answer.records) else { return };
        if let Some(error) = unsure.take_in(&broker.metrics.corruption, range, found) {
            self.answer = PartitionAnswer::error(self.wanted.key.partition, error);
        }
    }

    /// Answers with nothing yet.
    pub fn leave_out(&mut self) {
        self.answer.records = None;
        self.answer.in_memory = Some(Vec::new());
    }

    /// Has these bytes sent in place of its range, as far as they were found good.
    fn take_bytes(&mut self, broker: &Broker, mut bytes: Vec<u8>, found: Option<RangeCheck>) {
        if let Some(found) = found {
            self.take_in(broker, &Ok(found));
        }
        if let Some(range) = self.answer.records.take() {
            bytes.truncate(usize::try_from(range.length).unwrap_or(usize::MAX));
            self.answer.in_memory = Some(bytes);
        }
    }

    /// A partition that could not be looked for.
    pub fn unknown(wanted: Wanted, error: ErrorCode) -> Self {
        // Kafka answers these with an empty list of aborted transactions, and failed reads with none.
        let answer = PartitionAnswer {
            aborted: Some(Vec::new()),
            ..PartitionAnswer::error(wanted.key.partition, error)
        };
        Self { wanted, answer, unknown: true, unsure: None, metrics: None }
    }

    /// What a session remembers of it.
    pub fn told(&self) -> Told {
        let unsound = self.answer.error != ErrorCode::None || self.answer.diverging.is_some();
        Told {
            high_watermark: self.answer.high_watermark,
            log_start_offset: self.answer.log_start_offset,
            records: self.answer.bytes() > 0,
            always: unsound || self.answer.preferred_read_replica != NodeId(-1),
            unsound,
        }
    }

    /// Counts what is sent.
    pub fn count(&self) {
        if let Some(metrics) = &self.metrics {
            metrics.fetch_requests.add(1);
            metrics.bytes_out.add(self.answer.bytes());
        }
    }
}

/// A topic by whatever the request names it.
pub fn find(broker: &Broker, topic: &TopicKey) -> Option<Arc<TopicReplicas>> {
    match topic {
        TopicKey::Id(id) => broker.partitions.by_id(*id),
        TopicKey::Name(name) => broker.partitions.by_name(name),
    }
}

fn absent(broker: &Broker, topic: &TopicKey, index: PartitionIndex) -> ErrorCode {
    match topic {
        TopicKey::Id(id) => broker.absent_by_id(*id, index),
        TopicKey::Name(name) => broker.absent_by_name(name, index),
    }
}

/// Who leads, for a reader that asked somebody else or an older leader.
fn leader(broker: &Broker, replica: &Replica, error: ErrorCode) -> Option<(NodeId, LeaderEpoch)> {
    if !matches!(error, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch) {
        return None;
    }
    let image = broker.image();
    let partition = image.topics.get(replica.topic_id())?.partition(replica.index)?;
    Some((partition.leader.unwrap_or(NodeId(-1)), partition.leader_epoch))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;
    use std::time::Duration;

    use storage::log_config::LogConfig;

    use super::*;
    use crate::runtime::partitions;

    fn replica(directory: &Path) -> Arc<Replica> {
        Arc::new(partitions::tests::replica(directory, LogConfig::default()))
    }

    fn limits(bytes_hot: u64) -> Limits {
        Limits {
            bytes_max: 1 << 20,
            bytes_min: 1,
            bytes_hot,
            check: ReadCheck::Cold,
            each_first_whole: false,
            wait: Duration::ZERO,
            isolation: partition::fetch::Isolation::HighWatermark,
            leader_told: true,
            isolation_known: true,
            follower: None,
        }
    }

    #[test]
    fn what_was_written_long_ago_is_asked_about_however_near_the_end_it_lies() {
        let temp = tempfile::tempdir().unwrap();
        let replica = replica(temp.path());
        let file = Arc::new(File::open(temp.path().join("meta.properties")).unwrap());
        let slice = |written, behind| ReadSlice {
            file: file.clone(),
            base: Offset(0),
            position: 0,
            length: 100,
            first_batch: 100,
            behind,
            written,
            segment_end: 100,
            checked: true,
            in_order: false,
            goes_on: false,
        };
        let now = Timestamp(1_000_000);
        let is_asked_about = |written, behind| {
            let slice = slice(written, behind);
            Unsure::of(&slice, &replica, &limits(1000), now).is_some_and(|unsure| unsure.old)
        };
        let written_before = |milliseconds| Some(Timestamp(now.0 - milliseconds));
        assert!(!is_asked_about(written_before(HOT_MS), 1000));
        assert!(is_asked_about(written_before(HOT_MS), 1001), "much was written since");
        assert!(is_asked_about(written_before(HOT_MS + 1), 100));
        assert!(is_asked_about(written_before(-1), 100), "a clock was set back");
        assert!(is_asked_about(None, 100), "before this start");
    }

    #[test]
    fn who_waits_for_the_log_to_note_what_was_checked_is_counted_at_its_directory() {
        let temp = tempfile::tempdir().unwrap();
        let replica = replica(temp.path());
        let file = Arc::new(File::open(temp.path().join("meta.properties")).unwrap());
        let unsure = Unsure {
            replica: replica.clone(),
            segment: (Offset(0), 100),
            old: false,
            unchecked: true,
            in_order: false,
        };
        let found = Ok(RangeCheck { good_to: 100, seen_to: 100, wrong: None });
        std::thread::scope(|scope| {
            let writing = replica.log().unwrap();
            let taking = scope.spawn(move || {
                let mut range = FileRange { file, position: 0, length: 100 };
                unsure.take_in(&Corruption::default(), &mut range, &found)
            });
            let begun = Instant::now();
            while replica.directory().pace().threads() == 0 && begun.elapsed() < Duration::from_secs(5) {
                std::thread::yield_now();
            }
            let counted = replica.directory().pace().threads();
            drop(writing);
            assert_eq!((taking.join().unwrap(), counted), (None, 1));
        });
    }
}
