use proptest::prelude::*;

use super::batch::*;
use super::batches::Batches;
use super::record::{RecordError, Records};
use super::varint;
use super::walk::{Announced, walk};
use crate::id::*;
use crate::offset::*;

mod golden;

fn encode(
    delta: i32,
    timestamp_delta: i64,
    key: Option<&[u8]>,
    headers: &[(&[u8], Option<&[u8]>)],
) -> Vec<u8> {
    let mut body = vec![0];
    varint::write_i64(timestamp_delta, &mut body);
    varint::write_i32(delta, &mut body);
    for field in [key, Some(b"value")] {
        nullable(field, &mut body);
    }
    varint::write_i32(headers.len() as i32, &mut body);
    for (key, value) in headers {
        nullable(Some(key), &mut body);
        nullable(*value, &mut body);
    }
    let mut out = Vec::new();
    varint::write_i32(body.len() as i32, &mut out);
    out.extend_from_slice(&body);
    out
}

fn nullable(field: Option<&[u8]>, out: &mut Vec<u8>) {
    varint::write_i32(field.map_or(-1, |field| field.len() as i32), out);
    out.extend_from_slice(field.unwrap_or_default());
}

fn header(payload: &[u8], count: i32) -> BatchHeader {
    BatchHeader {
        base_offset: Offset(0),
        length: BATCH_LENGTH_MIN + payload.len() as u32,
        leader_epoch: LeaderEpoch::NONE,
        crc: 0,
        attributes: Attributes::default(),
        last_offset_delta: count - 1,
        base_timestamp: Timestamp(1000),
        max_timestamp: Timestamp(1000),
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch::NONE,
        base_sequence: Sequence::NONE,
        count,
    }
}

fn batch(payload: &[u8], count: i32) -> Vec<u8> {
    let mut bytes = header(payload, count).write().to_vec();
    bytes.extend_from_slice(payload);
    seal(&mut bytes);
    bytes
}

fn announced(count: i32) -> Announced {
    Announced { count, base_timestamp: Timestamp(1000), record_bytes_max: u32::MAX }
}

#[test]
fn header_round_trips_and_patches_keep_or_remake_the_crc() {
    let mut bytes = batch(&encode(0, 0, None, &[]), 1);
    let before = BatchHeader::parse(&bytes).unwrap();
    assert_eq!(before.write(), bytes[..BATCH_OVERHEAD]);
    set_base_offset(&mut bytes, Offset(1 << 40));
    set_leader_epoch(&mut bytes, LeaderEpoch(7));
    let patched = BatchHeader::parse(&bytes).unwrap();
    assert_eq!(
        (patched.base_offset, patched.leader_epoch, patched.crc),
        (Offset(1 << 40), LeaderEpoch(7), before.crc)
    );
    verify_crc(&bytes, &patched).unwrap();
    set_max_timestamp(&mut bytes, TimestampType::LogAppendTime, Timestamp(55));
    let stamped = BatchHeader::parse(&bytes).unwrap();
    assert_ne!(stamped.crc, before.crc);
    assert_eq!(stamped.attributes.timestamp_type(), TimestampType::LogAppendTime);
    verify_crc(&bytes, &stamped).unwrap();
}

#[test]
fn every_flipped_bit_behind_the_crc_is_noticed() {
    let bytes = batch(&encode(0, 0, Some(b"k"), &[]), 1);
    for bit in 8 * 21..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let header = BatchHeader::parse(&flipped).unwrap();
        assert!(matches!(verify_crc(&flipped, &header), Err(BatchError::Crc { .. })), "bit {bit}");
    }
}

#[test]
fn headers_that_lie_are_refused() {
    let bytes = batch(&[], 0);
    let with = |at: usize, value: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        BatchHeader::parse(&bytes)
    };
    assert_eq!(with(8, &48_i32.to_be_bytes()), Err(BatchError::Length { length: 48 }));
    assert_eq!(with(8, &(-1_i32).to_be_bytes()), Err(BatchError::Length { length: -1 }));
    assert_eq!(with(8, &50_i32.to_be_bytes()), Err(BatchError::Truncated { needed: 62, available: 61 }));
    assert_eq!(with(16, &[1]), Err(BatchError::Magic { magic: 1 }));
    assert_eq!(BatchHeader::parse(&bytes[..60]), Err(BatchError::Truncated { needed: 61, available: 60 }));
}

#[test]
fn batches_end_where_the_tail_is_torn() {
    let one = batch(&encode(0, 0, None, &[]), 1);
    let whole = [one.clone(), one.clone()].concat();
    for cut in 0..whole.len() {
        let mut batches = Batches::new(&whole[..cut]);
        let count = batches.by_ref().count();
        assert_eq!((count, batches.position()), (cut / one.len(), cut / one.len() * one.len()));
        assert_eq!(batches.next_batch().is_ok(), cut % one.len() == 0, "cut at {cut}");
    }
}

#[test]
fn walk_reports_timestamps_keys_and_offsets() {
    let payload =
        [encode(0, 5, Some(b"a"), &[]), encode(1, 9, None, &[]), encode(3, -1001, None, &[])].concat();
    let walked = walk(&payload, announced(3)).unwrap();
    assert_eq!((walked.max_timestamp, walked.max_timestamp_index), (Timestamp(1009), 1));
    assert_eq!(walked.min_timestamp, Some(Timestamp(1005)));
    assert_eq!(walked.first_null_key, Some(1));
    assert!(!walked.offsets_consecutive);
    assert_eq!(walked.bytes, payload.len() as u64);
}

#[test]
fn walk_refuses_what_the_records_do_not_bear_out() {
    let one = encode(0, 0, Some(b"key"), &[(b"h", None)]);
    assert_eq!(walk(&one, announced(2)), Err(RecordError::Truncated));
    assert_eq!(walk(&[&one[..], &[0]].concat(), announced(1)), Err(RecordError::Trailing { bytes: 1 }));
    assert_eq!(walk(&one, announced(0)), Err(RecordError::Trailing { bytes: one.len() }));
    let null_key = |_: ()| {
        let mut body = vec![0, 0, 0, 1, 1];
        varint::write_i32(1, &mut body);
        body.extend_from_slice(&[1, 1]);
        let mut out = Vec::new();
        varint::write_i32(body.len() as i32, &mut out);
        [out, body].concat()
    };
    assert_eq!(walk(&null_key(()), announced(1)), Err(RecordError::NullHeaderKey));
    let minus_two = [12, 0, 0, 0, 3, 1, 0];
    assert_eq!(
        walk(&minus_two, announced(1)).unwrap().first_null_key,
        Some(0),
        "-2 is null too, as in Kafka"
    );
    // length, attributes, timestamp, offset, key, value, headers
    let cases: [(&[u8], RecordError); 4] = [
        (&[1], RecordError::Length { length: -1 }),
        (&[14, 0, 0, 0, 1, 1, 0, 0], RecordError::Length { length: 7 }),
        (&[12, 0, 0, 0, 1, 1, 1], RecordError::HeaderCount { count: -1 }),
        (&[12, 0, 0, 0, 1, 1, 126], RecordError::HeaderCount { count: 63 }),
    ];
    for (bytes, expected) in cases {
        assert_eq!(walk(bytes, announced(1)), Err(expected));
        assert_eq!(Records::new(bytes, 1).next(), Some(Err(expected)));
    }
}

#[test]
fn records_show_their_fields() {
    let headers: [(&[u8], Option<&[u8]>); 2] = [(b"one", Some(b"1")), (b"none", None)];
    let payload = [encode(0, 0, Some(b"k"), &headers), encode(1, 1, None, &[])].concat();
    let records: Vec<_> = Records::new(&payload, 2).collect::<Result<_, _>>().unwrap();
    assert_eq!(
        (records[0].key, records[0].value, records[1].key),
        (Some(&b"k"[..]), Some(&b"value"[..]), None)
    );
    let seen: Vec<_> = records[0].headers.iter().map(|header| (header.key, header.value)).collect();
    assert_eq!(seen, headers);
    assert!(records[1].headers.is_empty());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), count: i32) {
        let _ = BatchHeader::parse(&bytes);
        let mut batches = Batches::new(&bytes);
        for batch in batches.by_ref() {
            let _ = batch.verify_crc();
        }
        let walked = walk(&bytes, announced(count));
        let read: Result<Vec<_>, _> = Records::new(&bytes, count).collect();
        prop_assert_eq!(walked.is_ok(), read.is_ok(), "{:?} {:?}", walked, read);
    }

    #[test]
    fn damaged_records_are_judged_alike_by_both_walks(
        keys in proptest::collection::vec(proptest::option::of(proptest::collection::vec(any::<u8>(), 0..5)), 1..5),
        at: usize,
        with: u8,
    ) {
        let mut payload: Vec<u8> = keys.iter().enumerate()
            .flat_map(|(index, key)| encode(index as i32, 0, key.as_deref(), &[(b"h", Some(b"v"))]))
            .collect();
        let at = at % payload.len();
        payload[at] ^= with;
        let walked = walk(&payload, announced(keys.len() as i32));
        let read: Result<Vec<_>, _> = Records::new(&payload, keys.len() as i32).collect();
        prop_assert_eq!(walked.is_ok(), read.is_ok(), "{:?} {:?}", walked, read);
    }
}

mod built {
    use super::*;
    use crate::records::build::{BatchBuilder, BatchOptions};
    use crate::records::compression::{
        Codec, CompressedError, CompressionError, Compressors, Decompressors, walk_compressed,
    };
    use crate::records::record::Header;

    fn fill(codec: Codec, values: &[Vec<u8>]) -> Vec<u8> {
        let mut builder = BatchBuilder::new(BatchOptions { compression: codec.into(), ..Default::default() });
        for (index, value) in values.iter().enumerate() {
            let headers = [Header { key: b"h", value: None }];
            builder.push(Timestamp(1000 + index as i64), Some(b"key"), Some(value), &headers[..index % 2]);
        }
        builder.finish(&mut Compressors::default()).unwrap()
    }

    #[test]
    fn a_compressed_batch_walks_like_a_plain_one_even_with_records_across_steps() {
        let values: Vec<Vec<u8>> = [0, 10, 70_000, 200_000, 3, 65_530, 1].map(|size| vec![7; size]).into();
        let plain = fill(Codec::None, &values);
        let batch = Batches::new(&plain).next().unwrap();
        let announced =
            Announced { base_timestamp: batch.header.base_timestamp, ..announced(batch.header.count) };
        let expected = walk(batch.payload(), announced).unwrap();
        assert_eq!((expected.max_timestamp, expected.max_timestamp_index), (Timestamp(1006), 6));
        let mut states = Decompressors::default();
        for codec in Codec::ALL {
            let bytes = fill(codec, &values);
            let batch = Batches::new(&bytes).next().unwrap();
            batch.verify_crc().unwrap();
            assert_eq!(batch.header.attributes.codec(), Some(codec));
            let mut stream = states.start(codec, batch.payload(), expected.bytes).unwrap();
            assert_eq!(walk_compressed(&mut stream, announced, |_, _| {}), Ok(expected), "{codec}");
            for (count, error) in [(6, false), (8, true)] {
                let lie = Announced { count, ..announced };
                let mut stream = states.start(codec, batch.payload(), expected.bytes).unwrap();
                let result = walk_compressed(&mut stream, lie, |_, _| {});
                let record = result.unwrap_err();
                assert_eq!(
                    record == CompressedError::Record(RecordError::Truncated),
                    error,
                    "{codec} {record}"
                );
            }
        }
    }

    #[test]
    fn a_record_larger_than_the_cap_is_refused_and_never_held() {
        let bytes = fill(Codec::Zstd, &[vec![0; 8 << 20]]);
        let batch = Batches::new(&bytes).next().unwrap();
        let announced = announced(1);
        let mut states = Decompressors::default();
        let mut stream = states.start(Codec::Zstd, batch.payload(), 1 << 20).unwrap();
        let error = walk_compressed(&mut stream, announced, |_, _| {}).unwrap_err();
        assert_eq!(error, CompressedError::Compression(CompressionError::TooLarge { cap: 1 << 20 }));
        assert!(states.buffered() <= 1 << 20);
    }

    proptest! {
        #[test]
        fn a_damaged_compressed_batch_never_panics(at: usize, with in 1_u8.., count in 0..20_i32) {
            let values: Vec<Vec<u8>> = (0..count as usize).map(|index| vec![index as u8; index * 37]).collect();
            let mut states = Decompressors::default();
            for codec in Codec::ALL {
                let bytes = fill(codec, &values);
                let batch = Batches::new(&bytes).next().unwrap();
                let mut payload = batch.payload().to_vec();
                if payload.is_empty() {
                    continue;
                }
                let at = at % payload.len();
                payload[at] ^= with;
                if let Ok(mut stream) = states.start(codec, &payload, 1 << 20) {
                    let _ = walk_compressed(&mut stream, announced(count), |_, _| {});
                }
            }
        }
    }
}
