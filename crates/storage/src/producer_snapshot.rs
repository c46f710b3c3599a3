//! Producer snapshots: what a log knows of its producers at the offset in the file's name, so that a start need not
//! read the whole log for it (KIP-98).
//!
//! Version 1: `int16` version, `uint32` CRC-32C of all that follows, then an array of entries of 46 bytes. A file that
//! does not hold this is of no use and is passed over, as Kafka does: the state is then made from the batches.

use std::path::Path;

use partition::producers::ProducerEntry;
use protocol::id::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::offset::{LastOffset, Offset};
use protocol::records::checksum::crc32c;
use protocol::records::control::CoordinatorEpoch;

use crate::disk::Disk;
use crate::fault::Fault;
use crate::whole_file;

const VERSION: i16 = 1;
const HEADING: usize = 2 + 4 + 4;
const ENTRY: usize = 46;

/// Writes a snapshot. Its CRC tells whether all of it arrived, so that nobody needs to wait for stable storage; whoever
/// counts on it later must bring it there.
pub fn write<D: Disk>(disk: &D, path: &Path, entries: &[ProducerEntry]) -> Result<(), Fault> {
    whole_file::replace_unsynced(disk, path, &encode(entries))
}

/// Reads a snapshot; a file that is none is a fault that says why.
pub fn read<D: Disk>(disk: &D, path: &Path) -> Result<Option<Vec<ProducerEntry>>, Fault> {
    let Some(bytes) = whole_file::read(disk, path)? else { return Ok(None) };
    match decode(&bytes) {
        Ok(entries) => Ok(Some(entries)),
        Err((position, reason)) => Err(Fault::corrupt(path, position, reason)),
    }
}

fn encode(entries: &[ProducerEntry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADING + entries.len() * ENTRY);
    bytes.extend(VERSION.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend((entries.len() as u32).to_be_bytes());
    for entry in entries {
        bytes.extend(entry.producer_id.0.to_be_bytes());
        bytes.extend(entry.producer_epoch.0.to_be_bytes());
        bytes.extend(entry.last_sequence.0.to_be_bytes());
        bytes.extend(entry.last_offset.0.to_be_bytes());
        bytes.extend(entry.offset_delta.to_be_bytes());
        bytes.extend(entry.timestamp.0.to_be_bytes());
        bytes.extend(entry.coordinator_epoch.0.to_be_bytes());
        bytes.extend(entry.current_transaction_first_offset.map_or(-1, |start| start.0).to_be_bytes());
    }
    let crc = crc32c(&bytes[6..]);
    bytes[2..6].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Result<Vec<ProducerEntry>, (u64, String)> {
    let Some((heading, entries)) = bytes.split_first_chunk::<HEADING>() else {
        return Err((0, format!("{} bytes, less than a snapshot's heading", bytes.len())));
    };
    let [v0, v1, c0, c1, c2, c3, n0, n1, n2, n3] = *heading;
    let version = i16::from_be_bytes([v0, v1]);
    if version != VERSION {
        return Err((0, format!("a snapshot of version {version} where only version {VERSION} is known")));
    }
    let (stored, computed) = (u32::from_be_bytes([c0, c1, c2, c3]), crc32c(&bytes[6..]));
    if stored != computed {
        return Err((2, format!("a snapshot that carries CRC {stored:#010x} and has {computed:#010x}")));
    }
    let count = u64::from(u32::from_be_bytes([n0, n1, n2, n3]));
    if count * ENTRY as u64 != entries.len() as u64 {
        return Err((6, format!("{count} producers promised in {} bytes", entries.len())));
    }
    Ok(entries.as_chunks::<ENTRY>().0.iter().map(decode_entry).collect())
}

fn decode_entry(bytes: &[u8; ENTRY]) -> ProducerEntry {
    let long = |at: usize| i64::from_be_bytes(field(bytes, at));
    let int = |at: usize| i32::from_be_bytes(field(bytes, at));
    let transaction_start = long(38);
    ProducerEntry {
        producer_id: ProducerId(long(0)),
        producer_epoch: ProducerEpoch(i16::from_be_bytes(field(bytes, 8))),
        last_sequence: Sequence(int(10)),
        last_offset: LastOffset(long(14)),
        offset_delta: int(22),
        timestamp: Timestamp(long(26)),
        coordinator_epoch: CoordinatorEpoch(int(34)),
        current_transaction_first_offset: (transaction_start >= 0).then_some(Offset(transaction_start)),
    }
}

fn field<const N: usize>(bytes: &[u8; ENTRY], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: String = text.split_whitespace().collect();
        digits
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// `txn-0/00000000000000000030.snapshot` as Kafka 4.4 wrote it.
    const WRITTEN_BY_KAFKA: &str = "
        0001 27be 767f 0000 0002 0000 0000 0000 0006 0003 0000 0002 0000 0000 0000 001c 0000 0000 0000 018b cfe5 681e
        0000 0000 0000 0000 0000 0018 0000 0000 0000 0007 0003 0000 0002 0000 0000 0000 001d 0000 0000 0000 018b cfe5
        681e 0000 0000 0000 0000 0000 0019";

    #[test]
    fn the_file_is_kafkas_to_the_byte() {
        let bytes = hex(WRITTEN_BY_KAFKA);
        let entries = decode(&bytes).unwrap();
        let first = ProducerEntry {
            producer_id: ProducerId(6),
            producer_epoch: ProducerEpoch(3),
            last_sequence: Sequence(2),
            last_offset: LastOffset(28),
            offset_delta: 0,
            timestamp: Timestamp(0x018b_cfe5_681e),
            coordinator_epoch: CoordinatorEpoch(0),
            current_transaction_first_offset: Some(Offset(24)),
        };
        assert_eq!((entries.len(), entries[0]), (2, first));
        assert_eq!(encode(&entries), bytes);
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let bytes = hex(WRITTEN_BY_KAFKA);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&flipped).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_an_error_or_entries(
            mut bytes in prop::collection::vec(any::<u8>(), 0..200),
            sealed in any::<bool>(),
        ) {
            if sealed && bytes.len() >= HEADING {
                bytes[..2].copy_from_slice(&VERSION.to_be_bytes());
                let crc = crc32c(&bytes[6..]);
                bytes[2..6].copy_from_slice(&crc.to_be_bytes());
            }
            let _ = decode(&bytes);
        }
    }
}
