use proptest::prelude::*;

use super::*;
use crate::records::batches::Batches;
use crate::records::compression::Compressors;
use crate::records::record::Records;
use crate::records::walk::{Announced, walk};

const CODECS: [Codec; 4] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4];

const AS_IT_IS: UpConversion =
    UpConversion { compression: None, message_bytes_max: 8 << 20, decompressed_bytes_max: 1 << 20 };

type Owned = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>);

fn records(bytes: &[u8], cap: u64) -> Result<Vec<Owned>, LegacyError> {
    let mut all = Vec::new();
    each_record(bytes, &mut LegacyScratch::default(), cap, |record| {
        let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
        all.push((record.offset.0, record.timestamp.0, key, value));
        Ok::<_, LegacyError>(())
    })?;
    Ok(all)
}

fn golden(magic: i8, codec: Codec) -> Vec<u8> {
    let path = format!("{}/tests/golden/records/v{magic}-{codec}.bin", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

/// What the Java client of Kafka 3.9 was given for the golden sets.
fn written(magic: i8) -> Vec<Owned> {
    (0..10_i64)
        .map(|place| {
            let timestamp = if magic == 0 { -1 } else { 1_700_000_000_000 + place * 10 - place % 3 };
            let key = (place % 5 != 0).then(|| format!("key{place}").into_bytes());
            let value = format!("old value {place} with words that repeat and repeat");
            (100 + place, timestamp, key, (place % 7 != 0).then(|| value.into_bytes()))
        })
        .collect()
}

fn built(magic: i8, codec: Codec, records: &[Owned]) -> Vec<u8> {
    let options =
        LegacyOptions { magic, compression: codec.into(), timestamp_type: TimestampType::CreateTime };
    let mut builder = LegacyBuilder::new(options);
    for (offset, timestamp, key, value) in records {
        builder.push(Offset(*offset), Timestamp(*timestamp), key.as_deref(), value.as_deref());
    }
    builder.finish(&mut Compressors::default()).unwrap()
}

#[test]
fn sets_that_the_java_client_wrote_are_read() {
    for magic in [0, 1] {
        for codec in CODECS {
            assert_eq!(records(&golden(magic, codec), 1 << 20), Ok(written(magic)), "v{magic} {codec}");
        }
    }
}

#[test]
fn plain_sets_are_built_to_the_byte() {
    for magic in [0, 1] {
        assert_eq!(built(magic, Codec::None, &written(magic)), golden(magic, Codec::None), "v{magic}");
    }
}

#[test]
fn lz4_of_v0_is_written_with_the_checksum_of_its_time() {
    let ours = built(0, Codec::Lz4, &written(0));
    let theirs = golden(0, Codec::Lz4);
    // Magic, descriptor and checksum of the frame, at the front of the wrapper's value.
    assert_eq!(ours[26..33], theirs[26..33]);
}

#[test]
fn sets_round_trip_with_gaps_in_their_offsets() {
    let records_in: Vec<Owned> =
        [3, 4, 9, 1000].map(|offset| (offset, offset, None, Some(vec![offset as u8; 40]))).into();
    for codec in CODECS {
        assert_eq!(records(&built(1, codec, &records_in), 1 << 20), Ok(records_in.clone()), "{codec}");
    }
}

#[test]
fn a_wrapper_stamped_by_the_log_stamps_what_is_inside() {
    for codec in CODECS {
        let options = LegacyOptions {
            magic: 1,
            compression: codec.into(),
            timestamp_type: TimestampType::LogAppendTime,
        };
        let mut builder = LegacyBuilder::new(options);
        builder.push(Offset(0), Timestamp(5), None, None).push(Offset(1), Timestamp(9), None, None);
        let set = builder.finish(&mut Compressors::default()).unwrap();
        let timestamps: Vec<_> = records(&set, 1000).unwrap().into_iter().map(|record| record.1).collect();
        assert_eq!(timestamps, if codec == Codec::None { [5, 9] } else { [9, 9] });
    }
}

#[test]
fn damage_is_named() {
    let plain = golden(1, Codec::None);
    let with = |at: usize, value: &[u8]| {
        let mut bytes = plain.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        records(&bytes, 1 << 20).unwrap_err()
    };
    assert!(matches!(with(18, &[0xff]), LegacyError::Crc { .. }));
    assert_eq!(with(8, &[0, 0, 0, 21]), LegacyError::Length { length: 21 });
    assert_eq!(with(8, &[0xff; 4]), LegacyError::Length { length: -1 });
    let endless = i32::MAX - 11;
    assert_eq!(
        with(8, &endless.to_be_bytes()),
        LegacyError::Length { length: endless },
        "with offset and length"
    );
    assert_eq!(with(16, &[2]), LegacyError::Magic { magic: 2 });
    assert_eq!(with(26, &[0, 0, 1, 0]), LegacyError::Fields);
    assert_eq!(records(&plain[..plain.len() - 1], 1 << 20).unwrap().len(), 9, "a cut message is left out");
}

#[test]
fn wrappers_in_wrappers_and_bombs_are_refused() {
    let wrapper = golden(1, Codec::Gzip);
    let mut inner = Vec::new();
    Compressors::default().compress(Codec::Gzip.into(), &wrapper, &mut inner).unwrap();
    let mut options = LegacyBuilder::new(LegacyOptions {
        magic: 1,
        compression: Codec::None.into(),
        timestamp_type: TimestampType::CreateTime,
    });
    options.push(Offset(9), Timestamp(0), None, Some(&inner));
    let mut nested = options.finish(&mut Compressors::default()).unwrap();
    nested[17] = Codec::Gzip.id();
    let crc = crate::records::checksum::crc32(&nested[16..]);
    nested[12..16].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(records(&nested, 1 << 20), Err(LegacyError::Wrapper));
    let bomb = built(1, Codec::Gzip, &[(0, 0, None, Some(vec![0; 4 << 20]))]);
    let too_large = CompressionError::TooLarge { cap: 1 << 20 };
    assert_eq!(records(&bomb, 1 << 20), Err(LegacyError::Compression(too_large)));
}

#[test]
fn sets_become_batches() {
    for magic in [0, 1] {
        for codec in CODECS {
            let mut batch = Vec::new();
            let (mut scratch, mut compressors) = (LegacyScratch::default(), Compressors::default());
            let set = golden(magic, codec);
            let known = convert_to_v2(&set, &AS_IT_IS, &mut scratch, &mut compressors, &mut batch);
            let batch = Batches::new(&batch).next().unwrap();
            batch.verify_crc().unwrap();
            assert_eq!((batch.header.attributes.codec(), batch.header.count), (Some(codec), 10));
            let mut states = Decompressors::default();
            let mut stream = states.start(codec, batch.payload(), 1 << 20).unwrap();
            let plain = stream.next_step().unwrap().to_vec();
            let announced = Announced {
                count: 10,
                base_timestamp: batch.header.base_timestamp,
                record_bytes_max: u32::MAX,
            };
            assert_eq!(known.unwrap().unwrap().walk, walk(&plain, announced).unwrap(), "v{magic} {codec}");
            let base = batch.header.base_timestamp.0;
            let read: Vec<Owned> = Records::new(&plain, 10)
                .map(|record| {
                    let record = record.unwrap();
                    let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
                    (100 + i64::from(record.offset_delta), base + record.timestamp_delta, key, value)
                })
                .collect();
            assert_eq!(read, written(magic), "v{magic} {codec}");
        }
    }
}

/// A v1 message in gzip, with these bytes inside.
fn wrapping(inside: &[u8], offset: i64) -> Vec<u8> {
    let mut packed = Vec::new();
    Compressors::default().compress(Codec::Gzip.into(), inside, &mut packed).unwrap();
    let mut wrapper = Vec::new();
    let (offset, timestamp) = (Offset(offset), Timestamp(0));
    build::write_message(1, Codec::Gzip.id(), offset, timestamp, (None, Some(&packed)), &mut wrapper);
    wrapper
}

#[test]
fn what_does_not_belong_in_a_wrapper_is_refused_as_what_it_is() {
    let inside = |magic| built(magic, Codec::None, &[(0, -1, None, None), (1, -1, None, None)]);
    let refused = |inside: &[u8]| up(&wrapping(inside, 1), &AS_IT_IS).unwrap_err();
    assert_eq!(refused(&inside(0)), LegacyError::WrappedMagic { magic: 0 });
    let mut nine = inside(1);
    nine[16] = 9;
    assert_eq!(refused(&nine), LegacyError::WrappedMagic { magic: 9 });
    let zeros = [&inside(1)[..], &[0; 40]].concat();
    assert_eq!(refused(&zeros), LegacyError::Length { length: 0 }, "and no message of v0");
}

#[test]
fn a_wrapper_says_where_its_last_message_is_to_be_or_nothing() {
    let inside = built(1, Codec::None, &[(0, 7, None, None), (1, 7, None, None), (2, 7, None, None)]);
    for offset in [-1, 1] {
        let refused = LegacyError::WrapperOffset { wrapper: Offset(offset), last: Offset(2) };
        assert_eq!(up(&wrapping(&inside, offset), &AS_IT_IS), Err(refused));
    }
    for offset in [0, 2, 99] {
        assert_eq!(read_batch(&up(&wrapping(&inside, offset), &AS_IT_IS).unwrap()).1.len(), 3);
    }
}

#[test]
fn a_time_before_all_times_makes_no_batch() {
    for timestamp in [-2, i64::MIN] {
        for codec in CODECS {
            let set = built(1, codec, &[(0, -1, None, None), (1, timestamp, None, None)]);
            let refused = LegacyError::Timestamp { timestamp: Timestamp(timestamp) };
            assert_eq!(up(&set, &AS_IT_IS), Err(refused), "{codec}");
        }
    }
}

#[test]
fn a_compressed_set_beside_other_messages_is_refused() {
    let record = |offset| (offset, 0, None, Some(vec![0; 100]));
    let plain = built(1, Codec::None, &[record(0)]);
    let wrapped = built(1, Codec::Gzip, &[record(0)]);
    for parts in [[&plain, &wrapped], [&wrapped, &plain], [&wrapped, &wrapped]] {
        let bytes = parts.map(Vec::as_slice).concat();
        let (mut scratch, mut compressors) = (LegacyScratch::default(), Compressors::default());
        let converted = convert_to_v2(&bytes, &AS_IT_IS, &mut scratch, &mut compressors, &mut Vec::new());
        assert_eq!(converted, Err(LegacyError::Wrapper));
    }
}

#[test]
fn a_set_takes_the_codec_that_is_asked_for() {
    let record = |offset| (offset, 500 + offset, Some(vec![]), (offset != 1).then(Vec::new));
    let records = [record(0), record(1), record(2)];
    for source in CODECS {
        for target in Codec::ALL {
            let conversion = UpConversion { compression: Some(target.into()), ..AS_IT_IS };
            let set = built(1, source, &records);
            let batch = up(&set, &conversion).unwrap();
            assert_eq!(read_batch(&batch), (Some(target), records.to_vec()), "{source} to {target}");
        }
    }
}

#[test]
fn sizes_are_judged_before_and_after() {
    let plain = built(1, Codec::None, &[(0, 0, None, Some(vec![1; 100])), (1, 0, None, Some(vec![2; 100]))]);
    let most = |bytes| UpConversion { message_bytes_max: bytes, ..AS_IT_IS };
    assert_eq!(up(&plain, &most(133)), Err(LegacyError::TooLarge { size: 134, max: 133 }));
    assert!(
        matches!(up(&plain, &most(134)), Err(LegacyError::TooLarge { max: 134, .. })),
        "the batch of both"
    );
    assert!(up(&plain, &most(300)).is_ok());
    let zeros = built(1, Codec::Gzip, &[(0, 0, None, Some(vec![0; 100_000]))]);
    let unpacked = UpConversion { compression: Some(Codec::None.into()), ..most(10_000) };
    assert!(matches!(up(&zeros, &unpacked), Err(LegacyError::TooLarge { .. })));
    assert!(up(&zeros, &most(10_000)).is_ok());
}

#[test]
fn a_bomb_goes_through_in_steps_and_stops_at_the_cap() {
    let bomb = built(1, Codec::Gzip, &[(0, 7, Some(vec![1; 9]), Some(vec![0; 8 << 20]))]);
    let conversion = UpConversion { decompressed_bytes_max: 10 << 20, ..AS_IT_IS };
    let (mut scratch, mut compressors) = (LegacyScratch::default(), Compressors::default());
    let mut batch = Vec::new();
    convert_to_v2(&bomb, &conversion, &mut scratch, &mut compressors, &mut batch).unwrap();
    assert!(batch.len() < 1 << 20 && scratch.key.capacity() < 1 << 10);
    assert!(scratch.decompressors.buffered() <= 1 << 20);
    let header = Batches::new(&batch).next().unwrap().header;
    assert_eq!((header.count, header.max_timestamp), (1, Timestamp(7)));
    let over = up(&bomb, &UpConversion { decompressed_bytes_max: 6 << 20, ..AS_IT_IS });
    assert_eq!(over, Err(LegacyError::Compression(CompressionError::TooLarge { cap: 6 << 20 })));
}

#[test]
fn stamped_messages_make_a_stamped_batch() {
    for codec in CODECS {
        let options = LegacyOptions {
            magic: 1,
            compression: codec.into(),
            timestamp_type: TimestampType::LogAppendTime,
        };
        let mut builder = LegacyBuilder::new(options);
        builder.push(Offset(0), Timestamp(5), None, None).push(Offset(1), Timestamp(9), None, None);
        let batch = up(&builder.finish(&mut Compressors::default()).unwrap(), &AS_IT_IS).unwrap();
        let header = Batches::new(&batch).next().unwrap().header;
        assert_eq!(header.attributes.timestamp_type(), TimestampType::LogAppendTime, "{codec}");
        assert_eq!(header.max_timestamp, Timestamp(9), "{codec}");
    }
}

#[test]
fn a_set_without_a_whole_message_makes_nothing() {
    let plain = built(1, Codec::None, &[(0, 0, None, None)]);
    assert_eq!(up(&[], &AS_IT_IS), Ok(Vec::new()));
    assert_eq!(up(&plain[..plain.len() - 1], &AS_IT_IS), Ok(Vec::new()));
}

fn up(set: &[u8], conversion: &UpConversion) -> Result<Vec<u8>, LegacyError> {
    let (mut scratch, mut compressors) = (LegacyScratch::default(), Compressors::default());
    let mut batch = Vec::new();
    let converted = convert_to_v2(set, conversion, &mut scratch, &mut compressors, &mut batch)?;
    assert_eq!(converted.is_none(), batch.is_empty());
    Ok(batch)
}

fn read_batch(bytes: &[u8]) -> (Option<Codec>, Vec<Owned>) {
    let batch = Batches::new(bytes).next().unwrap();
    batch.verify_crc().unwrap();
    let (codec, header) = (batch.header.attributes.codec(), batch.header);
    let mut states = Decompressors::default();
    let mut stream = states.start(codec.unwrap(), batch.payload(), 1 << 20).unwrap();
    let plain = stream.next_step().unwrap().to_vec();
    let records = Records::new(&plain, header.count).map(|record| {
        let record = record.unwrap();
        let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
        (i64::from(record.offset_delta), header.base_timestamp.0 + record.timestamp_delta, key, value)
    });
    (codec, records.collect())
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = records(&bytes, 1 << 20);
    }

    #[test]
    fn damaged_sets_never_panic(magic in 0..2_i8, codec in 0..4_usize, at: usize, with: u8, seal: bool) {
        let mut bytes = golden(magic, CODECS[codec]);
        let at = at % bytes.len();
        bytes[at] = with;
        if seal {
            let crc = crate::records::checksum::crc32(&bytes[16..]);
            bytes[12..16].copy_from_slice(&crc.to_be_bytes());
        }
        let _ = records(&bytes, 1 << 20);
        let (mut scratch, mut compressors) = (LegacyScratch::default(), Compressors::default());
        let _ = convert_to_v2(&bytes, &AS_IT_IS, &mut scratch, &mut compressors, &mut Vec::new());
    }
}
