//! Holding a log that came back against its ledger: nothing acknowledged is lost, what is lost is a suffix, nothing is
//! invented, repeated or reordered; indexes, producers, transactions, epochs and marks say what the batches say.

use std::collections::BTreeMap;

use partition::Partition;
use partition::fetch::{FetchFrom, Isolation};
use partition::producers::ProducerEntry;
use partition::transactions::AbortedTransaction;
use protocol::id::{LeaderEpoch, ProducerId, Timestamp};
use protocol::offset::Offset;
use protocol::records::batches::Batches;
use protocol::records::compression::Decompressors;
use protocol::records::record::Records;
use storage::Log;
use storage::whole_file::read_up_to;

use super::ledger::{Ledger, UnderWay, header};
use super::node::DELETE_RETENTION;
use crate::disk::SimulatedDisk;

/// By so much a record may be younger than the moment it was written in.
const YOUNGER: i64 = 12;

/// Judges a log. `all` says that nothing at all may be lost: the node ended cleanly, or only its process did.
pub(super) fn judge(
    ledger: &Ledger,
    log: &mut Log<SimulatedDisk>,
    (all, now): (bool, Timestamp),
) -> Result<(), String> {
    let marks = log.partition().watermarks();
    let (start, end) = (marks.log_start, marks.log_end);
    if start > marks.high_watermark || marks.high_watermark > end {
        return Err(format!("its marks are {marks:?}"));
    }
    if all && end != ledger.end() {
        return Err(format!("it ended at {} and came back with its end at {end}", ledger.end()));
    }
    if end < ledger.acknowledged() {
        return Err(format!("it was acknowledged up to {} and ends at {end}", ledger.acknowledged()));
    }
    let anew = matches!(ledger.under_way, UnderWay::Anew(_));
    if !anew && (start < ledger.start_min || start > ledger.start_max) {
        let (min, max) = (ledger.start_min, ledger.start_max);
        return Err(format!("it begins at {start}, and was begun between {min} and {max}"));
    }
    let found = read_all(log)?;
    let (machine, aborted) = replayed(ledger, end)?;
    match ledger.compacted {
        true => {
            let stable = log.partition().last_stable_offset();
            judge_compacted(ledger, &found, &aborted, &Extent { start, stable, end, now })?;
        }
        false => judge_batches(ledger, &found, (start, end))?,
    }
    judge_indexes(log, &found, (start, end))?;
    judge_epochs(log, &found, (start, end))?;
    judge_machine(ledger, log, &machine, start)?;
    let left = match ledger.compacted {
        // Of a transaction without a record nobody needs to be told.
        true => aborted_with_records(&aborted, &found)?,
        false => aborted.clone(),
    };
    judge_aborted(log, (&aborted, &left, ledger.compacted), (start, end))
}

/// A machine that has replayed all that was ever written up to the end, and the transactions that were aborted.
fn replayed(ledger: &Ledger, end: Offset) -> Result<(Partition, Vec<AbortedTransaction>), String> {
    let mut machine = Partition::empty(Offset::ZERO);
    let mut aborted = Vec::new();
    let under_way = match &ledger.under_way {
        UnderWay::Append(batch) => Some(batch),
        _ => None,
    };
    for bytes in ledger.batches.iter().chain(under_way) {
        let batch = Batches::new(bytes).next_batch().ok().flatten().ok_or("half a batch")?;
        if batch.header.next_offset() <= end {
            aborted.extend(machine.replay(&batch).map_err(|refusal| refusal.to_string())?);
        }
    }
    Ok((machine, aborted))
}

/// The batches from the log start to the log end, by fetches of odd sizes.
pub(super) fn read_all(log: &mut Log<SimulatedDisk>) -> Result<Vec<Vec<u8>>, String> {
    let marks = log.partition().watermarks();
    let (mut offset, mut found) = (marks.log_start, Vec::new());
    while offset < marks.log_end {
        let slice =
            log.read(offset, marks.log_end, 700, true).map_err(|fault| format!("at {offset}: {fault}"))?;
        let mut bytes = vec![0; slice.length as usize];
        let read = read_up_to(log.home().disk(), &slice.file, &mut bytes, slice.position);
        if read.map_err(|error| error.to_string())? < bytes.len() {
            return Err(format!("the slice at {offset} ends early"));
        }
        let before = offset;
        for batch in Batches::new(&bytes) {
            batch.verify_crc().map_err(|error| format!("at {offset}: {error}"))?;
            if batch.header.next_offset() <= offset {
                return Err(format!("the batch at {} was read for {offset}", batch.header.base_offset));
            }
            offset = batch.header.next_offset();
            found.push(batch.bytes.to_vec());
        }
        if offset == before {
            // Behind the last batch there may be nothing up to the end.
            break;
        }
    }
    Ok(found)
}

fn judge_batches(ledger: &Ledger, found: &[Vec<u8>], (start, end): (Offset, Offset)) -> Result<(), String> {
    if let (UnderWay::Anew(_), []) = (&ledger.under_way, found) {
        return Ok(());
    }
    let mut written: Vec<&Vec<u8>> = ledger.batches.iter().collect();
    if let UnderWay::Append(batch) = &ledger.under_way {
        written.push(batch);
    }
    let expected = written.iter().filter(|batch| header(batch).next_offset() > start);
    for (index, (found, expected)) in found.iter().zip(expected.clone()).enumerate() {
        if found != *expected {
            let (there, here) = (header(expected), header(found));
            return Err(format!(
                "its batch {index} from {start} on is {}..{} of epoch {}, and {}..{} of epoch {} was written there{}",
                here.base_offset,
                here.next_offset(),
                here.leader_epoch,
                there.base_offset,
                there.next_offset(),
                there.leader_epoch,
                if here.base_offset == there.base_offset { ", with other bytes" } else { "" }
            ));
        }
    }
    if found.len() > expected.count() {
        return Err(format!("it holds {} batches that nobody wrote", found.len()));
    }
    let reached = found.last().map_or(start, |last| header(last).next_offset()).max(start);
    if reached != end {
        return Err(format!("its batches end at {reached}, and it says {end}"));
    }
    Ok(())
}

/// The records of batches.
fn records_of<'b>(batches: impl Iterator<Item = &'b Vec<u8>>) -> Result<Vec<Entry>, String> {
    let mut all = Vec::new();
    for bytes in batches {
        let batch = Batches::new(bytes).next_batch().ok().flatten().ok_or("half a batch")?;
        for record in Records::new(batch.payload(), batch.header.count) {
            let record = record.map_err(|error| error.to_string())?;
            all.push(Entry {
                offset: batch.header.base_offset.plus(i64::from(record.offset_delta)),
                timestamp: Timestamp(batch.header.base_timestamp.0 + record.timestamp_delta),
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                transaction: batch.header.attributes.is_transactional().then_some(batch.header.producer_id),
                marker: batch.header.attributes.is_control(),
            });
        }
    }
    Ok(all)
}

/// A record as it was written.
#[derive(PartialEq, Eq)]
struct Entry {
    offset: Offset,
    timestamp: Timestamp,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    /// Whose transaction it is of.
    transaction: Option<ProducerId>,
    /// Whether it ends that.
    marker: bool,
}

impl Entry {
    fn is_of(&self, transaction: &AbortedTransaction) -> bool {
        self.transaction == Some(transaction.producer_id)
            && !self.marker
            && transaction.first_offset <= self.offset
            && self.offset.0 <= transaction.last_offset.0
    }

    /// Whether it is a tombstone whose time may be over: the first cleaning came after it, and its time began then.
    fn is_spent_tombstone(&self, now: Timestamp) -> bool {
        self.value.is_none() && !self.marker && self.timestamp.0 - YOUNGER + DELETE_RETENTION.0 <= now.0
    }
}

/// Where a compacted log begins, up to where it is decided, where it ends, and what time it is.
struct Extent {
    start: Offset,
    stable: Offset,
    end: Offset,
    now: Timestamp,
}

/// The transactions of which there are records, each from the first of those on.
fn aborted_with_records(
    aborted: &[AbortedTransaction],
    found: &[Vec<u8>],
) -> Result<Vec<AbortedTransaction>, String> {
    let found = records_of(found.iter())?;
    let left = aborted.iter().filter_map(|it| {
        let first = found.iter().find(|record| record.is_of(it))?;
        Some(AbortedTransaction { first_offset: first.offset, ..*it })
    });
    Ok(left.collect())
}

/// Of a compacted log every record must be one that was written, and the last of each key must be there unless its
/// transaction was aborted, or it is a tombstone whose time was over; what was never compacted must be there as it is.
/// Whoever reads the whole log knows the same of each key as somebody who has read every record.
fn judge_compacted(
    ledger: &Ledger,
    found: &[Vec<u8>],
    aborted: &[AbortedTransaction],
    &Extent { start, stable, end, now }: &Extent,
) -> Result<(), String> {
    let under_way = match &ledger.under_way {
        UnderWay::Append(batch) => Some(batch),
        _ => None,
    };
    let whole = |batch: &&Vec<u8>| header(batch).next_offset() <= end;
    let written = records_of(ledger.batches.iter().chain(under_way).filter(whole))?;
    let found = records_of(found.iter())?;
    if let (UnderWay::Anew(_), []) = (&ledger.under_way, &found[..]) {
        return Ok(());
    }
    if let Some(Entry { offset, .. }) = found.iter().find(|record| !written.contains(record)) {
        return Err(format!("the record at {offset} is not what was written"));
    }
    if !found.is_sorted_by(|one, next| one.offset < next.offset) {
        return Err("its records are not in order".to_owned());
    }
    let was_aborted = |record: &Entry| aborted.iter().any(|transaction| record.is_of(transaction));
    // Only a newer record of the same key that was compacted along and counts makes one superfluous.
    let newer = |record: &Entry| {
        written.iter().any(|it| {
            let later = it.key == record.key && it.offset > record.offset && it.offset < ledger.clean_max;
            later && !it.marker && !was_aborted(it)
        })
    };
    let may_go = |record: &Entry| match record.offset < ledger.clean_max {
        true => record.marker || was_aborted(record) || newer(record) || record.is_spent_tombstone(now),
        false => false,
    };
    let decided = |record: &&Entry| (start..stable).contains(&record.offset) && !was_aborted(record);
    let told = last_values(found.iter().filter(decided));
    let expected = last_values(written.iter().filter(decided));
    if let Some((key, value)) = told.iter().find(|(key, value)| expected.get(*key) != Some(*value)) {
        let (key, value) = (String::from_utf8_lossy(key), String::from_utf8_lossy(value));
        return Err(format!("its last value of {key} is {value}, which was replaced or deleted"));
    }
    match written.iter().find(|it| it.offset >= start && !may_go(it) && !found.contains(it)) {
        Some(Entry { offset, .. }) => {
            Err(format!("the record at {offset} is gone, and none has taken its place"))
        }
        None => Ok(()),
    }
}

/// What a reader knows of each key in the end.
fn last_values<'e>(records: impl Iterator<Item = &'e Entry>) -> BTreeMap<&'e [u8], &'e [u8]> {
    let mut values = BTreeMap::new();
    for record in records.filter(|record| !record.marker) {
        let Some(key) = record.key.as_deref() else { continue };
        match record.value.as_deref() {
            Some(value) => values.insert(key, value),
            None => values.remove(key),
        };
    }
    values
}

fn judge_indexes(
    log: &mut Log<SimulatedDisk>,
    found: &[Vec<u8>],
    (start, end): (Offset, Offset),
) -> Result<(), String> {
    let mut records: Vec<(Timestamp, Offset)> = Vec::new();
    for batch in found {
        let header = header(batch);
        for offset in header.base_offset.max(start).0..header.next_offset().0 {
            let slice = log.read(Offset(offset), end, 1, true).map_err(|fault| fault.to_string())?;
            let mut front = vec![0; slice.length as usize];
            let read = read_up_to(log.home().disk(), &slice.file, &mut front, slice.position);
            read.map_err(|error| error.to_string())?;
            if front != *batch {
                return Err(format!("a read at {offset} does not find its batch"));
            }
        }
        let whole = Batches::new(batch).next_batch().ok().flatten().ok_or("half a batch")?;
        for record in Records::new(whole.payload(), header.count) {
            let record = record.map_err(|error| error.to_string())?;
            let timestamp = Timestamp(header.base_timestamp.0 + record.timestamp_delta);
            records.push((timestamp, header.base_offset.plus(i64::from(record.offset_delta))));
        }
    }
    records.retain(|(_, offset)| *offset >= start);
    let mut decompressors = Decompressors::default();
    let mut last = Timestamp(-1);
    for (timestamp, _) in &records {
        if *timestamp == last {
            continue;
        }
        last = *timestamp;
        let first = records.iter().find(|(other, _)| other >= timestamp).map(|(_, offset)| *offset);
        let told = log.offset_for_timestamp(*timestamp, Isolation::LogEnd, &mut decompressors);
        let told = told.map_err(|fault| fault.to_string())?.map(|found| found.offset);
        if told != first {
            return Err(format!(
                "time {timestamp} leads to {told:?}, and the first record as young is {first:?}"
            ));
        }
    }
    Ok(())
}

fn judge_epochs(
    log: &Log<SimulatedDisk>,
    found: &[Vec<u8>],
    (start, end): (Offset, Offset),
) -> Result<(), String> {
    let epochs = log.partition().leader_epochs();
    for batch in found {
        let (epoch, at) = (header(batch).leader_epoch, header(batch).base_offset.max(start));
        if epochs.epoch_for(at) != Some(epoch) {
            let known: Vec<_> = epochs.entries().iter().map(|it| (it.epoch.0, it.start_offset.0)).collect();
            return Err(format!("the batch at {at} is of epoch {epoch}, and the epochs are {known:?}"));
        }
    }
    match epochs.entries().last() {
        Some(last) if last.start_offset > end => {
            Err(format!("epoch {} begins at {}, behind the end {end}", last.epoch, last.start_offset))
        }
        _ => Ok(()),
    }
}

/// Holds producers and transactions against a machine that has replayed all that was ever written up to the end.
fn judge_machine(
    ledger: &Ledger,
    log: &Log<SimulatedDisk>,
    machine: &Partition,
    start: Offset,
) -> Result<(), String> {
    let known: Vec<ProducerEntry> = log.partition().producer_snapshot().collect();
    for entry in machine.producer_snapshot().filter(|entry| entry.last_offset.0 >= start.0) {
        let told = known.iter().find(|told| told.producer_id == entry.producer_id);
        if told.is_none_or(|told| !same(told, &entry, (start, ledger.compacted))) {
            return Err(format!("of a producer it knows {told:?}, and its batches say {entry:?}"));
        }
    }
    for told in known.iter().filter(|told| told.last_offset.0 >= start.0) {
        if !machine.producer_snapshot().any(|entry| entry.producer_id == told.producer_id) {
            return Err(format!("it knows a producer that wrote nothing: {told:?}"));
        }
    }
    // What began before the log start may be forgotten or not.
    let undecided = |machine: &Partition| machine.transactions().first_undecided_offset();
    let (told, expected) = (undecided(log.partition()), undecided(machine));
    if told != expected
        && expected.is_none_or(|first| first >= start)
        && told.is_none_or(|first| first >= start)
    {
        return Err(format!("its first open transaction begins at {told:?}, and should at {expected:?}"));
    }
    Ok(())
}

fn same(told: &ProducerEntry, entry: &ProducerEntry, (start, compacted): (Offset, bool)) -> bool {
    let known = |entry: &ProducerEntry| {
        // Compaction may take the youngest record out of a batch.
        let timestamp = if compacted { Timestamp::NONE } else { entry.timestamp };
        (entry.producer_epoch, entry.last_sequence, entry.last_offset, entry.offset_delta, timestamp)
    };
    let begins = |entry: &ProducerEntry| entry.current_transaction_first_offset;
    // Of a transaction that began before the log start the first record that is left may count as its beginning.
    let before = |entry| begins(entry).is_some_and(|first| first < start);
    let deleted = (before(entry) && begins(told).is_some()) || (before(told) && begins(entry).is_some());
    known(told) == known(entry) && (deleted || begins(told) == begins(entry))
}

fn judge_aborted(
    log: &mut Log<SimulatedDisk>,
    (aborted, left, compacted): (&[AbortedTransaction], &[AbortedTransaction], bool),
    (start, end): (Offset, Offset),
) -> Result<(), String> {
    let mut offset = start;
    while offset < end {
        let from = FetchFrom {
            offset,
            current_leader_epoch: LeaderEpoch::NONE,
            last_fetched_epoch: LeaderEpoch::NONE,
            isolation: Isolation::LastStableOffset,
        };
        let fetched = log.fetch(from, 500, true).map_err(|error| error.to_string())?;
        let Some(slice) = fetched.slice.filter(|slice| slice.length > 0) else { return Ok(()) };
        let mut bytes = vec![0; slice.length as usize];
        let read = read_up_to(log.home().disk(), &slice.file, &mut bytes, slice.position);
        read.map_err(|error| error.to_string())?;
        let next = Batches::new(&bytes).map(|batch| batch.header.next_offset()).last().unwrap_or(end);
        let wanted = |it: &&AbortedTransaction| it.last_offset.next() > offset && it.first_offset < next;
        for transaction in left.iter().filter(wanted).filter(|it| it.first_offset >= start) {
            let covers = |told: &AbortedTransaction| {
                (told.producer_id, told.last_offset) == (transaction.producer_id, transaction.last_offset)
                    && told.first_offset <= transaction.first_offset
            };
            if !fetched.aborted.iter().any(covers) {
                return Err(format!("a committed read at {offset} is not told of {transaction:?}"));
            }
        }
        // A replica that moves finds out anew where the records begin that compaction has left.
        let moved = |it: &AbortedTransaction, told: &AbortedTransaction| {
            compacted && it.first_offset < told.first_offset
        };
        for told in fetched.aborted.iter().filter(|told| told.first_offset >= start) {
            let same = |it: &AbortedTransaction| {
                (it.producer_id, it.last_offset) == (told.producer_id, told.last_offset)
                    && (it.first_offset == told.first_offset || it.first_offset < start || moved(it, told))
            };
            if !aborted.iter().any(same) {
                return Err(format!(
                    "a committed read at {offset} is told of {told:?}, which was not aborted"
                ));
            }
        }
        offset = next;
    }
    Ok(())
}
