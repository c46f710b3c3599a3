//! Record batches in hex, sound and broken, as the tables of produce and fetch want them.

use conformance::by_schema::hex;
use protocol::id::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::records::batch::{Attributes, BATCH_LENGTH_MIN, BATCH_OVERHEAD, BatchHeader, seal};
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::{Codec, Compression, Compressors};

use super::scene::Scene;

/// The timestamp of every record unless one is asked for: long ago, so that no clock is near it.
pub const TIME: Timestamp = Timestamp(1_700_000_000_000);

const MAGIC_AT: usize = 16;
const ATTRIBUTES_AT: usize = 22;
const LAST_OFFSET_DELTA_AT: usize = 23;
const COUNT_AT: usize = 57;
/// Behind the first record's length, attributes and timestamp, one byte each.
const FIRST_OFFSET_DELTA_AT: usize = 64;

/// A batch of records with keys `k0`, `k1`, ... and values like them.
pub fn batch(options: BatchOptions, count: i64) -> Vec<u8> {
    timed(options, &(0..count).map(|index| TIME.0 + index).collect::<Vec<_>>())
}

fn timed(options: BatchOptions, times: &[i64]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options);
    for (index, time) in times.iter().enumerate() {
        let (key, value) = (format!("k{index}"), format!("value {index}"));
        builder.push(Timestamp(*time), Some(key.as_bytes()), Some(value.as_bytes()), &[]);
    }
    builder.finish(&mut Compressors::default()).expect("small batches compress")
}

/// Three plain records.
pub fn plain() -> String {
    hex(&batch(BatchOptions::default(), 3))
}

/// Three records in a codec.
pub fn compressed(codec: Codec) -> String {
    let compression = Compression { codec, ..Compression::default() };
    hex(&batch(BatchOptions { compression, ..BatchOptions::default() }, 3))
}

/// Records with these timestamps.
pub fn at_times(times: &[i64]) -> String {
    hex(&timed(BatchOptions::default(), times))
}

/// A record with no key.
pub fn keyless() -> String {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.push(TIME, None, Some(b"value"), &[]);
    hex(&builder.finish_uncompressed())
}

/// A record of so many bytes.
pub fn large(bytes: usize) -> String {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.push(TIME, Some(b"k"), Some(&vec![b'x'; bytes]), &[]);
    hex(&builder.finish_uncompressed())
}

/// `count` records of the scene's producer from a sequence on.
pub fn of_producer(scene: &Scene, sequence: i32, count: i64) -> String {
    of_epoch(scene, scene.producer_epoch.0, sequence, count)
}

/// The same in another epoch.
pub fn of_epoch(scene: &Scene, epoch: i16, sequence: i32, count: i64) -> String {
    let producer = (scene.producer_id, ProducerEpoch(epoch), Sequence(sequence));
    hex(&batch(BatchOptions { producer, ..BatchOptions::default() }, count))
}

/// Records of a producer id, epoch and sequence that nobody has given out.
pub fn of_stranger(id: i64, epoch: i16, sequence: i32) -> String {
    let producer = (ProducerId(id), ProducerEpoch(epoch), Sequence(sequence));
    hex(&batch(BatchOptions { producer, ..BatchOptions::default() }, 1))
}

/// A batch with the transactional bit, of the scene's producer.
pub fn transactional(scene: &Scene) -> String {
    transactional_of(scene.producer_id.0, scene.producer_epoch.0, 0)
}

/// The same of any producer and from any sequence on.
pub fn transactional_of(id: i64, epoch: i16, sequence: i32) -> String {
    let producer = (ProducerId(id), ProducerEpoch(epoch), Sequence(sequence));
    hex(&batch(BatchOptions { producer, transactional: true, ..BatchOptions::default() }, 1))
}

/// A batch with the control bit, as only brokers write it.
pub fn control() -> String {
    hex(&batch(BatchOptions { control: true, ..BatchOptions::default() }, 1))
}

/// Three plain records changed by `change`, with a checksum that holds again.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = batch(BatchOptions::default(), 3);
    change(&mut bytes);
    seal(&mut bytes);
    hex(&bytes)
}

/// A wrong checksum.
pub fn wrong_crc() -> String {
    let mut bytes = batch(BatchOptions::default(), 3);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    hex(&bytes)
}

/// Another magic byte.
pub fn magic(magic: i8) -> String {
    let mut bytes = batch(BatchOptions::default(), 3);
    bytes[MAGIC_AT] = magic.cast_unsigned();
    hex(&bytes)
}

/// Attributes with a codec that does not exist.
pub fn unknown_codec(id: u8) -> String {
    changed(|bytes| bytes[ATTRIBUTES_AT] = id)
}

/// A last offset delta that the records do not reach.
pub fn last_offset_delta(delta: i32) -> String {
    changed(|bytes| {
        bytes[LAST_OFFSET_DELTA_AT..LAST_OFFSET_DELTA_AT + 4].copy_from_slice(&delta.to_be_bytes())
    })
}

/// The first record at the offset of the second.
pub fn repeated_offset() -> String {
    changed(|bytes| bytes[FIRST_OFFSET_DELTA_AT] = 2)
}

/// A count of records that is not true.
pub fn count(count: i32) -> String {
    changed(|bytes| bytes[COUNT_AT..COUNT_AT + 4].copy_from_slice(&count.to_be_bytes()))
}

/// A length that says more or less than there is, by `by` bytes.
pub fn length(by: i32) -> String {
    let mut bytes = batch(BatchOptions::default(), 3);
    let length = i32::try_from(bytes.len() - 12).expect("a small batch") + by;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    hex(&bytes)
}

/// A length that says what it likes.
pub fn length_of(length: i32) -> String {
    let mut bytes = batch(BatchOptions::default(), 3);
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    hex(&bytes)
}

/// A batch that lacks its last bytes.
pub fn truncated(by: usize) -> String {
    let bytes = batch(BatchOptions::default(), 3);
    hex(&bytes[..bytes.len() - by])
}

/// A base offset other than 0, which brokers overwrite.
pub fn base_offset(offset: i64) -> String {
    let mut bytes = batch(BatchOptions::default(), 3);
    bytes[..8].copy_from_slice(&offset.to_be_bytes());
    hex(&bytes)
}

/// A compressed payload that is no such payload.
pub fn not_compressed(codec: Codec) -> String {
    changed(|bytes| bytes[ATTRIBUTES_AT] = codec.id())
}

/// Three records by hand, header and records changed by `change`, sealed anew.
pub fn crafted(change: impl FnOnce(&mut BatchHeader, &mut Vec<Vec<u8>>)) -> String {
    let plain = batch(BatchOptions::default(), 3);
    let mut header = BatchHeader::parse(&plain).expect("a sound batch");
    let mut records = (0..3).map(|index| record(index, index, Some("k"), &[0])).collect();
    change(&mut header, &mut records);
    let payload = records.concat();
    header.length = BATCH_LENGTH_MIN + u32::try_from(payload.len()).expect("a small batch");
    let mut bytes = [&header.write()[..], &payload].concat();
    seal(&mut bytes);
    hex(&bytes)
}

/// A record with its length: attributes, time and offset, key, the value `v`, and `headers` with their count.
pub fn record(timestamp_delta: i64, offset_delta: i64, key: Option<&str>, headers: &[u8]) -> Vec<u8> {
    let mut body = vec![0];
    zigzag(timestamp_delta, &mut body);
    zigzag(offset_delta, &mut body);
    match key {
        Some(key) => {
            zigzag(i64::try_from(key.len()).expect("a short key"), &mut body);
            body.extend(key.as_bytes());
        }
        None => zigzag(-1, &mut body),
    }
    zigzag(1, &mut body);
    body.push(b'v');
    body.extend(headers);
    with_length(i64::try_from(body.len()).expect("a short record"), &body)
}

/// A record's bytes behind any length.
pub fn with_length(length: i64, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    zigzag(length, &mut bytes);
    bytes.extend(body);
    bytes
}

/// Appends a number as records write it.
pub fn zigzag(number: i64, out: &mut Vec<u8>) {
    let mut number = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Any bytes as the compressed payload of three records.
pub fn payload_of(codec: Codec, payload: &[u8]) -> String {
    crafted(|header, records| {
        header.attributes = Attributes::default().with_codec(codec);
        *records = vec![payload.to_vec()];
    })
}

/// The compressed payload of three records, changed.
pub fn damaged(codec: Codec, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let compression = Compression { codec, ..Compression::default() };
    let sound = batch(BatchOptions { compression, ..BatchOptions::default() }, 3);
    let mut payload = sound[BATCH_OVERHEAD..].to_vec();
    change(&mut payload);
    payload_of(codec, &payload)
}

/// One record of so many zeros, which a codec makes small.
pub fn bomb(codec: Codec, zeros: usize) -> String {
    let compression = Compression { codec, ..Compression::default() };
    let mut builder = BatchBuilder::new(BatchOptions { compression, ..BatchOptions::default() });
    builder.push(TIME, Some(b"k"), Some(&vec![0; zeros]), &[]);
    hex(&builder.finish(&mut Compressors::default()).expect("zeros compress"))
}

/// So many small records without keys.
pub fn many_keyless(count: i64) -> String {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    (0..count).for_each(|_| {
        builder.push(TIME, None, Some(b"v"), &[]);
    });
    hex(&builder.finish_uncompressed())
}

/// A raw snappy payload of more than a megabyte with a copy from farther back than any encoder reaches.
pub fn far_copy() -> String {
    let value = vec![b'x'; 1_200_000];
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.push(TIME, Some(b"k"), Some(&value), &[]);
    let plain = builder.finish_uncompressed();
    let records = &plain[BATCH_OVERHEAD..];
    // The last bytes of the value are like all before them, whatever the distance.
    let mut snappy = Vec::new();
    let mut length = records.len();
    while length >= 0x80 {
        snappy.push(length as u8 | 0x80);
        length >>= 7;
    }
    snappy.push(length as u8);
    let literal = |bytes: &[u8], out: &mut Vec<u8>| {
        out.push(62 << 2);
        let length = u32::try_from(bytes.len() - 1).expect("a megabyte");
        out.extend(&length.to_le_bytes()[..3]);
        out.extend(bytes);
    };
    let tail = 8;
    literal(&records[..records.len() - tail - 1], &mut snappy);
    snappy.push(((tail as u8 - 1) << 2) | 3);
    snappy.extend((1_000_000u32).to_le_bytes());
    literal(&records[records.len() - 1..], &mut snappy);
    let header = BatchHeader::parse(&plain).expect("a sound batch");
    let header = BatchHeader {
        length: BATCH_LENGTH_MIN + u32::try_from(snappy.len()).expect("a megabyte"),
        attributes: Attributes::default().with_codec(Codec::Snappy),
        ..header
    };
    let mut bytes = [&header.write()[..], &snappy].concat();
    seal(&mut bytes);
    hex(&bytes)
}
