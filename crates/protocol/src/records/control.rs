//! Control records: the markers that end transactions, and the quorum's own words in the metadata log (KIP-98,
//! KIP-595, KIP-630, KIP-853).
//!
//! A control record says its kind in the key. The value of an end marker is read here, as the partition needs
//! it; the values of the quorum's are handed on as bytes, for the messages that declare them.

use thiserror::Error;

use super::batches::Batch;
use super::build::{BatchBuilder, BatchOptions};
use super::record::{Record, RecordError, Records};
use crate::id::{LeaderEpoch, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// The kinds of control records, by the number in their key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ControlType {
    /// A transaction ended and its records do not count.
    Abort,
    /// A transaction ended and its records count.
    Commit,
    /// A leader of the quorum began its epoch.
    LeaderChange,
    /// A snapshot begins.
    SnapshotHeader,
    /// A snapshot is complete.
    SnapshotFooter,
    /// The version of the quorum's protocol.
    KRaftVersion,
    /// The voters of the quorum.
    KRaftVoters,
}

impl ControlType {
    const ALL: [Self; 7] = [
        Self::Abort,
        Self::Commit,
        Self::LeaderChange,
        Self::SnapshotHeader,
        Self::SnapshotFooter,
        Self::KRaftVersion,
        Self::KRaftVoters,
    ];

    /// The kind of this number.
    pub fn from_id(id: i16) -> Option<Self> {
        Self::ALL.get(usize::try_from(id).ok()?).copied()
    }

    /// The number in a key.
    pub fn id(self) -> i16 {
        Self::ALL.iter().position(|&known| known == self).expect("every kind is listed") as i16
    }

    /// The key of a record of this kind: version 0 and the number.
    pub fn key(self) -> [u8; 4] {
        let mut key = [0; 4];
        key[2..].copy_from_slice(&self.id().to_be_bytes());
        key
    }
}

/// Why a record is not a control record that can be understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ControlError {
    /// The key is missing, shorter than four bytes or of a negative version.
    #[error("a control record has no key with a version and a type")]
    Key,
    /// The kind is not known. Readers pass over such records.
    #[error("a control record has the unknown type {id}")]
    UnknownType {
        /// The number in the key.
        id: i16,
    },
    /// An end marker's value is missing, shorter than six bytes or of a negative version.
    #[error("an end transaction marker has no value with a version and a coordinator epoch")]
    EndMarkerValue,
    /// The batch holds no record that could be read.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// The epoch of the transaction coordinator's leader, which fences older coordinators.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CoordinatorEpoch(pub i32);

impl CoordinatorEpoch {
    /// The epoch of a producer that no marker has been written for.
    pub const NONE: Self = Self(-1);
}

impl std::fmt::Display for CoordinatorEpoch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a control record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ControlRecord<'a> {
    /// A transaction ended.
    EndTransaction(EndMarker),
    /// One of the quorum's own kinds, with its value undecoded.
    Quorum(ControlType, &'a [u8]),
}

/// The end of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndMarker {
    /// Whether the records count.
    pub committed: bool,
    /// The coordinator that wrote the marker.
    pub coordinator_epoch: CoordinatorEpoch,
}

impl<'a> ControlRecord<'a> {
    /// Reads a record of a control batch.
    pub fn parse(record: &Record<'a>) -> Result<Self, ControlError> {
        let key = record.key.and_then(<[u8]>::first_chunk::<4>).ok_or(ControlError::Key)?;
        let [version_high, version_low, high, low] = *key;
        if i16::from_be_bytes([version_high, version_low]) < 0 {
            return Err(ControlError::Key);
        }
        let id = i16::from_be_bytes([high, low]);
        match ControlType::from_id(id) {
            Some(kind @ (ControlType::Abort | ControlType::Commit)) => {
                let committed = kind == ControlType::Commit;
                Ok(Self::EndTransaction(EndMarker::parse(committed, record.value)?))
            }
            Some(kind) => Ok(Self::Quorum(kind, record.value.unwrap_or_default())),
            None => Err(ControlError::UnknownType { id }),
        }
    }

    /// Reads the first record of a control batch; `None` where compaction has left none. Control batches are never
    /// compressed.
    pub fn first_of(batch: &Batch<'a>) -> Result<Option<Self>, ControlError> {
        if batch.header.count == 0 {
            return Ok(None);
        }
        match Records::new(batch.payload(), batch.header.count).next() {
            Some(record) => Self::parse(&record?).map(Some),
            None => Ok(None),
        }
    }
}

impl EndMarker {
    fn parse(committed: bool, value: Option<&[u8]>) -> Result<Self, ControlError> {
        let value = value.and_then(<[u8]>::first_chunk::<6>).ok_or(ControlError::EndMarkerValue)?;
        let [high, low, epoch @ ..] = *value;
        if i16::from_be_bytes([high, low]) < 0 {
            return Err(ControlError::EndMarkerValue);
        }
        Ok(Self { committed, coordinator_epoch: CoordinatorEpoch(i32::from_be_bytes(epoch)) })
    }

    /// The value of a marker: version 0 and the epoch.
    pub fn value(self) -> [u8; 6] {
        let mut value = [0; 6];
        value[2..].copy_from_slice(&self.coordinator_epoch.0.to_be_bytes());
        value
    }

    /// The batch that ends the producer's transaction, at offset 0 until it is appended.
    pub fn batch(
        self,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        leader_epoch: LeaderEpoch,
        timestamp: Timestamp,
    ) -> Vec<u8> {
        let kind = if self.committed { ControlType::Commit } else { ControlType::Abort };
        let mut builder = BatchBuilder::new(BatchOptions {
            leader_epoch,
            producer: (producer_id, producer_epoch, Sequence::NONE),
            transactional: true,
            control: true,
            ..BatchOptions::default()
        });
        builder.push(timestamp, Some(&kind.key()), Some(&self.value()), &[]);
        builder.finish_uncompressed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::batches::Batches;

    #[test]
    fn end_markers_round_trip_in_kafkas_bytes() {
        for (committed, id) in [(false, 0), (true, 1)] {
            let marker = EndMarker { committed, coordinator_epoch: CoordinatorEpoch(9) };
            let bytes = marker.batch(ProducerId(5), ProducerEpoch(2), LeaderEpoch(3), Timestamp(77));
            let batch = Batches::new(&bytes).next().unwrap();
            batch.verify_crc().unwrap();
            assert!(batch.header.attributes.is_control() && batch.header.attributes.is_transactional());
            assert_eq!(ControlRecord::first_of(&batch), Ok(Some(ControlRecord::EndTransaction(marker))));
            let record = Records::new(batch.payload(), 1).next().unwrap().unwrap();
            assert_eq!(record.key, Some(&[0, 0, 0, id][..]));
            assert_eq!(record.value, Some(&[0, 0, 0, 0, 0, 9][..]));
        }
    }

    #[test]
    fn keys_and_values_that_are_no_control_record_are_named() {
        let mut record = Record {
            attributes: 0,
            timestamp_delta: 0,
            offset_delta: 0,
            key: None,
            value: None,
            headers: Default::default(),
        };
        assert_eq!(ControlRecord::parse(&record), Err(ControlError::Key));
        record.key = Some(&[0, 0, 0, 9]);
        assert_eq!(ControlRecord::parse(&record), Err(ControlError::UnknownType { id: 9 }));
        record.key = Some(&[0, 0, 0, 0]);
        assert_eq!(ControlRecord::parse(&record), Err(ControlError::EndMarkerValue));
        record.key = Some(&[0, 0, 0, 2]);
        record.value = Some(b"leader");
        assert_eq!(
            ControlRecord::parse(&record),
            Ok(ControlRecord::Quorum(ControlType::LeaderChange, b"leader"))
        );
    }
}
