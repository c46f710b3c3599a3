use proptest::prelude::*;

use super::*;
use crate::id::{LeaderEpoch, ProducerEpoch, ProducerId};
use crate::records::build::{BatchBuilder, BatchOptions};
use crate::records::control::{CoordinatorEpoch, EndMarker};
use crate::records::legacy::{LegacyBuilder, LegacyOptions};
use crate::records::record::Header;
use crate::records::walk::Cursor;

const CODECS: [Codec; 4] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4];
const CAP: u64 = 16 << 20;
const PLENTY: DownRoom = DownRoom { bytes: 64 << 20, first: 64 << 20, cut: false };

type Owned = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>);

fn batch(options: BatchOptions, records: &[Owned]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options);
    for (offset, timestamp, key, value) in records {
        let delta = (offset - options.base_offset.0) as i32;
        let header = Header { key: b"h", value: Some(b"dropped") };
        builder.push_at(delta, Timestamp(*timestamp), key.as_deref(), value.as_deref(), &[header]);
    }
    builder.finish(&mut Compressors::default()).unwrap()
}

fn options(codec: Codec, base: i64) -> BatchOptions {
    BatchOptions { compression: codec.into(), base_offset: Offset(base), ..BatchOptions::default() }
}

fn converted(
    magic: i8,
    from: i64,
    room: DownRoom,
    bytes: &[u8],
) -> (Vec<u8>, Result<usize, DownConversionError>) {
    let mut scratch = DownScratch::default();
    let mut conversion = DownConversion::new(magic, Offset(from), room, CAP, &mut scratch);
    let taken = conversion.take(bytes);
    (conversion.finish(), taken)
}

fn read(set: &[u8]) -> Vec<Owned> {
    let mut all = Vec::new();
    each_record(set, &mut LegacyScratch::default(), CAP, |record| {
        let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
        all.push((record.offset.0, record.timestamp.0, key, value));
        Ok::<_, LegacyError>(())
    })
    .unwrap();
    all
}

fn some(count: i64, size: usize) -> Vec<Owned> {
    let value = |place: i64| (place % 4 != 0).then(|| noise(place as u64, size));
    (0..count)
        .map(|place| (100 + place, 1000 + place, (place % 3 != 0).then(|| vec![7; 3]), value(place)))
        .collect()
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn without_timestamps(records: &[Owned]) -> Vec<Owned> {
    records.iter().cloned().map(|(offset, _, key, value)| (offset, -1, key, value)).collect()
}

#[test]
fn batches_become_sets_with_keys_values_offsets_and_timestamps() {
    let records = some(20, 100);
    for codec in CODECS {
        let bytes =
            [batch(options(codec, 100), &records[..10]), batch(options(codec, 110), &records[10..])].concat();
        let (v1, taken) = converted(1, 100, PLENTY, &bytes);
        assert_eq!((taken, read(&v1)), (Ok(bytes.len()), records.clone()), "{codec}");
        let (v0, _) = converted(0, 100, PLENTY, &bytes);
        assert_eq!(read(&v0), without_timestamps(&records), "{codec}");
        // One wrapper for each batch, as Kafka makes it.
        let messages = if codec == Codec::None { 20 } else { 2 };
        let mut walk = Messages::new(&v1);
        assert_eq!(std::iter::from_fn(|| walk.next_message().unwrap()).count(), messages, "{codec}");
    }
}

#[test]
fn a_wrapper_is_as_young_as_the_youngest_inside_wherever_that_is() {
    let mut records = some(5, 20);
    records[2].1 = 9000;
    for codec in CODECS.into_iter().filter(|codec| *codec != Codec::None) {
        let (set, _) = converted(1, 100, PLENTY, &batch(options(codec, 100), &records));
        let wrapper = Messages::new(&set).next_message().unwrap().unwrap();
        assert_eq!((wrapper.timestamp, read(&set)), (Timestamp(9000), records.clone()), "{codec}");
    }
}

#[test]
fn a_batch_stamped_by_the_log_becomes_messages_that_are() {
    for codec in CODECS {
        let stamped = BatchOptions { log_append_time: Some(Timestamp(77)), ..options(codec, 100) };
        let (set, _) = converted(1, 0, PLENTY, &batch(stamped, &some(3, 9)));
        assert!(read(&set).iter().all(|record| record.1 == 77), "{codec}");
        let first = Messages::new(&set).next_message().unwrap().unwrap();
        assert_eq!(first.timestamp_type(), TimestampType::LogAppendTime);
        let (set, _) = converted(0, 0, PLENTY, &batch(stamped, &some(3, 9)));
        assert_eq!(set[17] & !CODEC_BITS, 0, "v0 has no such attribute");
    }
}

#[test]
fn control_batches_and_what_lies_before_the_reader_are_left_out() {
    let marker = EndMarker { committed: true, coordinator_epoch: CoordinatorEpoch(0) };
    let mut marker = marker.batch(ProducerId(1), ProducerEpoch(0), LeaderEpoch(0), Timestamp(5));
    batch::set_base_offset(&mut marker, Offset(103));
    let records = some(6, 10);
    for codec in CODECS {
        let bytes = [
            batch(options(codec, 100), &records[..3]),
            marker.clone(),
            batch(options(codec, 104), &records[4..]),
        ]
        .concat();
        let (set, taken) = converted(1, 101, PLENTY, &bytes);
        assert_eq!(taken, Ok(bytes.len()));
        assert_eq!(read(&set), [&records[1..3], &records[4..]].concat(), "{codec}");
    }
    assert_eq!(converted(1, 0, PLENTY, &marker), (Vec::new(), Ok(marker.len())));
}

#[test]
fn offsets_in_a_wrapper_count_from_the_front_of_the_batch_wherever_its_reader_begins() {
    let offsets = |codec: Codec, set: &[u8]| {
        let mut messages = Messages::new(set);
        let mut all = Vec::new();
        while let Some(wrapper) = messages.next_message().unwrap() {
            let (mut decompressors, mut inner) = (Decompressors::default(), Vec::new());
            let mut stream = decompressors.start(codec, wrapper.value.unwrap(), CAP).unwrap();
            while let Ok(byte) = stream.byte() {
                inner.push(byte);
            }
            let mut inner = Messages::new(&inner);
            let mut within = Vec::new();
            while let Some(message) = inner.next_message().unwrap() {
                within.push(message.offset.0);
            }
            all.push((wrapper.offset.0, within));
        }
        all
    };
    let records = [60, 600 << 10, 600 << 10, 2 << 20, 10].map(|size| Some(noise(size as u64, size)));
    let records = (100..).zip(records).map(|(offset, value)| (offset, 5, None, value));
    let records: Vec<Owned> = records.collect();
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4] {
        let bytes = batch(options(codec, 100), &records);
        let wrappers = |from| offsets(codec, &converted(1, from, PLENTY, &bytes).0);
        assert_eq!(wrappers(100)[0], (101, vec![0, 1]), "{codec}");
        assert_eq!(wrappers(101), [(101, vec![1]), (102, vec![2])], "{codec}");
        // One that is too large to be unpacked into memory.
        assert_eq!(wrappers(103)[0], (103, vec![3]), "{codec}");
        assert_eq!(wrappers(104), [(104, vec![4])], "{codec}");
        let (set, _) = converted(1, 102, PLENTY, &bytes);
        assert_eq!(read(&set), records[2..3], "{codec}");
    }
}

#[test]
fn zstd_is_an_error_at_the_front_and_an_end_behind_it() {
    let zstd = batch(options(Codec::Zstd, 110), &[(110, 0, None, None)]);
    assert_eq!(converted(1, 0, PLENTY, &zstd).1, Err(DownConversionError::Zstd(Offset(110))));
    let plain = batch(options(Codec::None, 100), &some(3, 9));
    let (set, taken) = converted(1, 0, PLENTY, &[plain.clone(), zstd].concat());
    assert_eq!(read(&set), some(3, 9));
    assert!(taken.unwrap() > plain.len());
}

#[test]
fn a_broken_batch_is_an_error_and_not_given_a_good_checksum() {
    for codec in CODECS {
        let mut bytes = batch(options(codec, 100), &some(3, 50));
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let (set, taken) = converted(1, 0, PLENTY, &bytes);
        assert!(matches!(taken, Err(DownConversionError::Batch(BatchError::Crc { .. }))), "{codec}");
        assert!(set.is_empty());
    }
}

#[test]
fn messages_of_v1_become_v0_and_older_ones_stay_as_they_are() {
    for codec in CODECS {
        let options =
            LegacyOptions { magic: 1, compression: codec.into(), timestamp_type: TimestampType::CreateTime };
        let mut builder = LegacyBuilder::new(options);
        let records = some(9, 40);
        for (offset, timestamp, key, value) in &records {
            builder.push(Offset(*offset), Timestamp(*timestamp), key.as_deref(), value.as_deref());
        }
        let v1 = builder.finish(&mut Compressors::default()).unwrap();
        assert_eq!(converted(1, 0, PLENTY, &v1).0, v1, "{codec}");
        let (v0, taken) = converted(0, 102, PLENTY, &v1);
        assert_eq!(taken, Ok(v1.len()));
        assert_eq!(read(&v0), without_timestamps(&records[2..]), "{codec}");
        assert_eq!(converted(0, 0, PLENTY, &v0).0, v0, "{codec}");
    }
}

#[test]
fn a_set_ends_between_messages_and_its_reader_gets_on() {
    let records = some(3000, 400);
    for codec in CODECS {
        let bytes = batch(options(codec, 100), &records);
        let room = DownRoom { bytes: 20_000, first: 20_000, cut: true };
        let (mut from, mut all) = (100, Vec::new());
        while all.len() < records.len() {
            let (set, _) = converted(1, from, room, &bytes);
            assert!(set.len() <= room.bytes, "{codec}: {}", set.len());
            let read = read(&set);
            from = read.last().unwrap().0 + 1;
            all.extend(read);
        }
        assert_eq!(all, records, "{codec}");
    }
}

#[test]
fn a_message_over_the_room_is_cut_off_left_out_or_whole() {
    for codec in CODECS {
        for size in [5000, 3 << 20] {
            let large = [(100, 5, Some(vec![1]), Some(noise(3, size)))];
            let bytes = batch(options(codec, 100), &large);
            let small = batch(options(codec, 101), &[(101, 6, None, Some(vec![1; 10]))]);
            let both = [bytes, small.clone()].concat();
            let (set, _) = converted(1, 0, DownRoom { bytes: 100, first: 1000, cut: true }, &both);
            assert!(set.len() <= 1000 && set.len() >= 12, "{codec}");
            let announced = i32::from_be_bytes(*set[8..].first_chunk().unwrap()) as usize;
            assert!(announced + 12 > set.len(), "{codec}: its reader must see that there is more");
            let whole = DownRoom { bytes: 100, first: usize::MAX, cut: false };
            assert_eq!(read(&converted(1, 0, whole, &both).0), large, "{codec}");
            assert_eq!(read(&converted(0, 0, whole, &both).0), without_timestamps(&large), "{codec}");
            let none = DownRoom { bytes: 100, first: 0, cut: false };
            assert!(converted(1, 0, none, &both).0.is_empty(), "{codec}");
            let later =
                [small.clone(), batch(options(codec, 102), &[(102, 5, None, large[0].3.clone())])].concat();
            let room = DownRoom { bytes: 500, first: 500, cut: true };
            assert_eq!(
                read(&converted(1, 0, room, &later).0).len(),
                1,
                "{codec}: it comes first in the next set"
            );
        }
    }
}

#[test]
fn a_bomb_comes_in_small_sets() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4] {
        let one = [(0, 5, None, Some(vec![0; 8 << 20]))];
        let bytes = batch(options(codec, 0), &one);
        let mut scratch = DownScratch::default();
        let whole = DownRoom { bytes: 1 << 20, first: usize::MAX, cut: false };
        let mut conversion = DownConversion::new(1, Offset(0), whole, CAP, &mut scratch);
        conversion.take(&bytes).unwrap();
        let set = conversion.finish();
        assert!(set.len() < 3 << 20, "{codec}: {}", set.len());
        assert!(
            scratch.record.capacity() <= 1 << 20 && scratch.decompressors.buffered() <= 1 << 20,
            "{codec}"
        );
        assert_eq!(read(&set), one, "{codec}");
        let many: Vec<Owned> = (0..100_000).map(|offset| (offset, 5, None, None)).collect();
        let (set, _) = converted(1, 0, whole, &batch(options(codec, 0), &many));
        assert!(set.len() <= 1 << 20, "{codec}: {}", set.len());
        assert!(read(&set).len() > 10_000, "{codec}");
    }
    let over = batch(options(Codec::Gzip, 0), &[(0, 5, None, Some(vec![0; 20 << 20]))]);
    let (set, taken) = converted(1, 0, PLENTY, &over);
    assert!(set.is_empty() && taken.is_err());
}

use crate::records::legacy::message::CODEC_BITS;

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), magic in 0..2_i8) {
        let _ = converted(magic, 0, PLENTY, &bytes);
    }

    #[test]
    fn damaged_batches_never_panic(codec in 0..4_usize, at: usize, with: u8, magic in 0..2_i8, room in 0..5000_usize) {
        let mut bytes = batch(options(CODECS[codec], 100), &some(20, 30));
        let at = 12 + at % (bytes.len() - 12);
        bytes[at] = with;
        bytes[16] = 2;
        batch::seal(&mut bytes);
        let room = DownRoom { bytes: room, first: room, cut: with > 100 };
        let _ = converted(magic, 0, room, &bytes);
    }

    #[test]
    fn any_room_and_start_gives_the_first_records(
        codec in 0..4_usize,
        from in 90..140_i64,
        bytes in 0..4000_usize,
        magic in 0..2_i8,
    ) {
        let records = some(40, 60);
        let set = [batch(options(CODECS[codec], 100), &records[..25]), batch(options(CODECS[codec], 125), &records[25..])];
        let room = DownRoom { bytes, first: bytes, cut: false };
        let (set, _) = converted(magic, from, room, &set.concat());
        prop_assert!(set.len() <= bytes);
        let wanted: Vec<Owned> = records.into_iter().filter(|record| record.0 >= from).collect();
        let wanted = if magic == 0 { without_timestamps(&wanted) } else { wanted };
        let got = read(&set);
        prop_assert_eq!(&got[..], &wanted[..got.len()]);
    }
}
