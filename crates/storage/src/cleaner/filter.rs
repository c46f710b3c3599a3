//! One batch through a cleaning: judged, its records asked one by one, and written as it was, anew, or not at all.
//!
//! A batch is walked twice where some of its records go: first to learn which stay, then to write those. So neither a
//! batch nor what it holds decompressed is ever in memory as a whole.

use partition::compaction::{BatchSubject, CleanedTransactions, Control, Pass};
use partition::transactions::AbortedTransaction;
use protocol::id::{LeaderEpoch, ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::offset::{LastOffset, Offset};
use protocol::records::batch::{Attributes, BatchHeader, MAGIC_V2, TimestampType, magic};
use protocol::records::batches::{Batch, Batches};
use protocol::records::compression::Compressors;
use protocol::records::control::{ControlRecord, ControlType, EndMarker};
use protocol::records::legacy::{LegacyError, LegacyRecord, LegacyScratch, Message, Messages, each_record};
use protocol::records::rebuild::{ReadRecordsError, Rebuild, RecordReader, plain_record, timestamp_of};
use protocol::records::record::Record;

use super::Work;

/// What a batch brought besides its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Filtered {
    /// The entry for the transaction index of the new segment.
    pub aborted: Option<AbortedTransaction>,
}

/// What filtering reuses from batch to batch.
#[derive(Default)]
pub struct Filter {
    reader: RecordReader,
    legacy: LegacyScratch,
    compressors: Compressors,
    kept: Kept,
}

/// Which records of the batch at hand stay.
#[derive(Default)]
struct Kept {
    bits: Vec<u64>,
    seen: usize,
    count: usize,
    tombstone: bool,
    first: Option<Offset>,
    last: Offset,
}

impl Kept {
    fn clear(&mut self) {
        self.bits.clear();
        *self = Self { bits: std::mem::take(&mut self.bits), ..Self::default() };
    }

    fn note(&mut self, stays: bool, offset: Offset, has_value: bool) {
        if self.seen.is_multiple_of(64) {
            self.bits.push(0);
        }
        if stays {
            self.bits[self.seen / 64] |= 1 << (self.seen % 64);
            self.count += 1;
            self.tombstone |= !has_value;
            self.first.get_or_insert(offset);
            self.last = offset;
        }
        self.seen += 1;
    }

    fn stays(&self, index: usize) -> bool {
        self.bits.get(index / 64).is_some_and(|bits| bits >> (index % 64) & 1 == 1)
    }
}

type Judge<'a, 'p> = (&'a Pass<'p>, &'a mut CleanedTransactions);

impl Filter {
    /// Appends to `out` what stays of a batch, or of messages of format v0 or v1, which become a batch.
    pub fn apply(
        &mut self,
        judge: Judge<'_, '_>,
        (bytes, cap): (&[u8], u64),
        out: &mut Vec<u8>,
        work: &mut Work<'_>,
    ) -> Result<Filtered, String> {
        self.kept.clear();
        if magic(bytes) == Some(MAGIC_V2) {
            return self.apply_batch(judge, (&whole(bytes)?, cap), out, work);
        }
        let applied = self.apply_message(judge, (bytes, cap), out, work);
        applied.map(|()| Filtered::default()).map_err(|error| error.to_string())
    }

    fn apply_batch(
        &mut self,
        (pass, transactions): Judge<'_, '_>,
        (batch, cap): (&Batch<'_>, u64),
        out: &mut Vec<u8>,
        work: &mut Work<'_>,
    ) -> Result<Filtered, String> {
        let header = &batch.header;
        let subject = subject(batch)?;
        let verdict = pass.judge(&subject, transactions);
        let filtered = Filtered { aborted: verdict.aborted };
        if verdict.drops_all() {
            return Ok(filtered);
        }
        let kept = &mut self.kept;
        if !verdict.drop_records {
            let note = |record: &Record<'_>| {
                work.note(bytes_of(record.key, record.value));
                let offset = header.base_offset.plus(i64::from(record.offset_delta));
                let has_value = record.value.is_some();
                kept.note(pass.keeps((&subject, &verdict), offset, record.key, has_value), offset, has_value);
                Ok(())
            };
            self.reader.each(batch, cap, note).map_err(|error| error.to_string())?;
        }
        let horizon = pass.new_delete_horizon((&subject, &verdict), self.kept.tombstone);
        let rebuild = Rebuild { header: *header, delete_horizon: horizon.or(subject.delete_horizon) };
        match self.kept.count {
            0 if verdict.keep_empty => rebuild.empty(out),
            0 => {}
            count if count == self.kept.seen && horizon.is_none() => out.extend_from_slice(batch.bytes),
            _ => self.rebuild(rebuild, (batch, cap), out, work).map_err(|error| error.to_string())?,
        }
        Ok(filtered)
    }

    fn rebuild(
        &mut self,
        rebuild: Rebuild,
        (batch, cap): (&Batch<'_>, u64),
        out: &mut Vec<u8>,
        work: &mut Work<'_>,
    ) -> Result<(), ReadRecordsError> {
        let (mut index, kept) = (0, &self.kept);
        let mut building = rebuild.start(&mut self.compressors, out)?;
        self.reader.each(batch, cap, |record| {
            work.note(bytes_of(record.key, record.value));
            if kept.stays(index) {
                building.push(timestamp_of(&batch.header, record), record)?;
            }
            index += 1;
            Ok(())
        })?;
        Ok(building.finish()?)
    }

    fn apply_message(
        &mut self,
        (pass, transactions): Judge<'_, '_>,
        (bytes, cap): (&[u8], u64),
        out: &mut Vec<u8>,
        work: &mut Work<'_>,
    ) -> Result<(), LegacyError> {
        let message = last_message(bytes)?;
        let subject = legacy_subject(&message);
        let verdict = pass.judge(&subject, transactions);
        let kept = &mut self.kept;
        each_record(bytes, &mut self.legacy, cap, |record| {
            work.note(bytes_of(record.key, record.value));
            let stays = pass.keeps((&subject, &verdict), record.offset, record.key, record.value.is_some());
            kept.note(stays, record.offset, record.value.is_some());
            Ok::<_, LegacyError>(())
        })?;
        let horizon = pass.new_delete_horizon((&subject, &verdict), self.kept.tombstone);
        match self.kept.first {
            None if verdict.keep_empty => {
                // Kafka fails here, for it has no empty message; a batch without records says the same.
                let header = legacy_header(&message, message.offset, message.offset)?;
                Rebuild { header, delete_horizon: None }.empty(out);
            }
            None => {}
            Some(first) => {
                let header = legacy_header(&message, first, self.kept.last)?;
                let rebuild = Rebuild { header, delete_horizon: horizon };
                self.rebuild_message(rebuild, (bytes, cap), out, work)?;
            }
        }
        Ok(())
    }

    fn rebuild_message(
        &mut self,
        rebuild: Rebuild,
        (bytes, cap): (&[u8], u64),
        out: &mut Vec<u8>,
        work: &mut Work<'_>,
    ) -> Result<(), LegacyError> {
        let (mut index, kept, base) = (0, &self.kept, rebuild.header.base_offset);
        let mut building = rebuild.start(&mut self.compressors, out)?;
        each_record(bytes, &mut self.legacy, cap, |record: LegacyRecord<'_>| {
            work.note(bytes_of(record.key, record.value));
            if kept.stays(index) {
                let delta = i32::try_from(record.offset.0 - base.0).map_err(|_| LegacyError::Wrapper)?;
                building.push(record.timestamp, &plain_record(delta, record.key, record.value))?;
            }
            index += 1;
            Ok::<_, LegacyError>(())
        })?;
        Ok(building.finish()?)
    }

    /// Shows the key of every record of a batch that was not aborted; says what its last offset is.
    pub fn keys(
        &mut self,
        transactions: &mut CleanedTransactions,
        bytes: &[u8],
        cap: u64,
        mut see: impl FnMut(Offset, Option<&[u8]>),
    ) -> Result<LastOffset, String> {
        if magic(bytes) != Some(MAGIC_V2) {
            let message = last_message(bytes).map_err(|error| error.to_string())?;
            let seen = each_record(bytes, &mut self.legacy, cap, |record| {
                see(record.offset, record.key);
                Ok::<_, LegacyError>(())
            });
            return seen.map(|()| LastOffset(message.offset.0)).map_err(|error| error.to_string());
        }
        let batch = whole(bytes)?;
        let BatchSubject { last_offset, producer_id, transactional, control, .. } = subject(&batch)?;
        if let Some(control) = control {
            transactions.meet_control(last_offset, producer_id, control);
            return Ok(last_offset);
        }
        if transactions.meet_data(last_offset, producer_id, transactional) {
            return Ok(last_offset);
        }
        let base = batch.header.base_offset;
        let seen = self.reader.each(&batch, cap, |record| {
            see(base.plus(i64::from(record.offset_delta)), record.key);
            Ok(())
        });
        seen.map(|()| last_offset).map_err(|error| error.to_string())
    }
}

fn bytes_of(key: Option<&[u8]>, value: Option<&[u8]>) -> usize {
    key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len)
}

fn whole(bytes: &[u8]) -> Result<Batch<'_>, String> {
    match Batches::new(bytes).next_batch() {
        Ok(Some(batch)) => Ok(batch),
        Ok(None) => Err("no batch".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The last of the messages that become one batch, all of whose attributes are the same.
fn last_message(bytes: &[u8]) -> Result<Message<'_>, LegacyError> {
    let (mut messages, mut last) = (Messages::new(bytes), None);
    while let Some(message) = messages.next_message()? {
        last = Some(message);
    }
    last.ok_or(LegacyError::Truncated)
}

fn subject(batch: &Batch<'_>) -> Result<BatchSubject, String> {
    let header = &batch.header;
    let control = match header.attributes.is_control() {
        true => Some(control(batch)?),
        false => None,
    };
    Ok(BatchSubject {
        last_offset: header.last_offset(),
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        transactional: header.attributes.is_transactional(),
        control,
        delete_horizon: header.attributes.has_delete_horizon().then_some(header.base_timestamp),
        legacy: false,
    })
}

fn control(batch: &Batch<'_>) -> Result<Control, String> {
    use protocol::records::control::ControlError::UnknownType;
    match ControlRecord::first_of(batch) {
        Ok(None) => Ok(Control::Empty),
        Ok(Some(ControlRecord::EndTransaction(EndMarker { committed: true, .. }))) => Ok(Control::Commit),
        Ok(Some(ControlRecord::EndTransaction(_))) => Ok(Control::Abort),
        Ok(Some(ControlRecord::Quorum(ControlType::Abort | ControlType::Commit, _))) => {
            Err("a marker without a marker's value".to_owned())
        }
        Ok(Some(ControlRecord::Quorum(..))) | Err(UnknownType { .. }) => Ok(Control::Other),
        Err(error) => Err(error.to_string()),
    }
}

fn legacy_subject(message: &Message<'_>) -> BatchSubject {
    BatchSubject {
        last_offset: LastOffset(message.offset.0),
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch::NONE,
        transactional: false,
        control: None,
        delete_horizon: None,
        legacy: true,
    }
}

/// The header of the batch that a message becomes, from its first to its last record.
fn legacy_header(message: &Message<'_>, first: Offset, last: Offset) -> Result<BatchHeader, LegacyError> {
    let last_offset_delta = i32::try_from(last.0 - first.0).map_err(|_| LegacyError::Wrapper)?;
    let stamped = message.timestamp_type() == TimestampType::LogAppendTime;
    Ok(BatchHeader {
        base_offset: first,
        length: 0,
        leader_epoch: LeaderEpoch::NONE,
        crc: 0,
        attributes: Attributes::default()
            .with_codec(message.codec()?)
            .with_timestamp_type(message.timestamp_type()),
        last_offset_delta,
        base_timestamp: Timestamp::NONE,
        max_timestamp: if stamped { message.timestamp } else { Timestamp::NONE },
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch::NONE,
        base_sequence: Sequence::NONE,
        count: 0,
    })
}
