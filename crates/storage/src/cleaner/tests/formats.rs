//! Messages of formats v0 and v1 in a compacted log: they become batches, by Kafka's rules.

use protocol::records::batch::TimestampType;
use protocol::records::compression::Compression;
use protocol::records::legacy::{LegacyBuilder, LegacyOptions};

use super::*;
use crate::disk::RealDisk;

fn set(magic: i8, codec: Codec, stamped: bool, records: &[(i64, &str, Option<&str>)]) -> Vec<u8> {
    let timestamp_type = if stamped { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
    let compression = Compression::from(codec);
    let mut builder = LegacyBuilder::new(LegacyOptions { magic, compression, timestamp_type });
    for (offset, key, value) in records {
        let timestamp = if magic == 0 { Timestamp::NONE } else { Timestamp(NOW.0 + offset) };
        builder.push(Offset(*offset), timestamp, Some(key.as_bytes()), value.map(str::as_bytes));
    }
    builder.finish(&mut Compressors::default()).unwrap()
}

/// A log whose first segment is these bytes, written by an old Kafka, and whose active one begins at `end`.
fn old_log(bench: &Bench<RealDisk>, bytes: &[u8], end: i64) -> SharedLog<RealDisk> {
    drop(bench.create());
    let directory = bench.temp.path().join("t-0");
    std::fs::write(directory.join("00000000000000000000.log"), bytes).unwrap();
    std::fs::write(directory.join(format!("{end:020}.log")), []).unwrap();
    bench.reopen(RealDisk, Offset(end))
}

#[test]
fn messages_become_batches_and_keep_their_offsets_and_times() {
    for magic in [0, 1] {
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4] {
            let bench = Bench::new(RealDisk);
            let first = [(0, "a", Some("1")), (1, "b", Some("1")), (2, "c", Some("1"))];
            let second = [(3, "a", Some("2")), (4, "d", None), (5, "e", Some("1"))];
            let bytes = [set(magic, codec, false, &first), set(magic, codec, false, &second)].concat();
            let log = old_log(&bench, &bytes, 6);
            clean(&log, OPTIONS, NOW).unwrap().unwrap();
            let found = stored(&log);
            let time = |offset: i64| if magic == 0 { -1 } else { NOW.0 + offset };
            let expected = [(1, "b"), (2, "c"), (3, "a"), (4, "d"), (5, "e")];
            let told: Vec<_> = found.iter().map(|it| (it.offset, it.key.clone(), it.timestamp)).collect();
            let wanted = expected.map(|(offset, key)| (offset, key.as_bytes().to_vec(), time(offset)));
            assert_eq!(told, wanted, "v{magic} {codec}");
            // Plain messages become one batch, a compressed set stays one; a tombstone now has a horizon.
            let horizon = Some(NOW.0 + RETENTION);
            let batches = match codec {
                Codec::None => vec![(1, 5, 5, horizon)],
                _ => vec![(1, 2, 2, None), (3, 5, 3, horizon)],
            };
            assert_eq!(headers(&log), batches, "v{magic} {codec}");
            assert!(Batches::new(&super::bytes(&log)).all(|batch| {
                batch.header.attributes.codec() == Some(codec)
                    && batch.header.leader_epoch == LeaderEpoch::NONE
            }));
            let again = bench.reopen(RealDisk, Offset(6));
            assert_eq!(stored(&again), found);
        }
    }
}

#[test]
fn a_segment_of_tiny_messages_does_not_grow() {
    for magic in [0, 1] {
        let mut bench = Bench::new(RealDisk);
        bench.config.roll.segment_bytes = 1 << 20;
        let keys: Vec<String> = (0..3000).map(|key| key.to_string()).collect();
        let records: Vec<_> =
            (0..).zip(&keys).map(|(offset, key)| (offset, key.as_str(), Some("v"))).collect();
        let bytes = set(magic, Codec::None, false, &records);
        let log = old_log(&bench, &bytes, 3000);
        let options = CleanerOptions { buffer_bytes: 1 << 16, ..OPTIONS };
        let cleaned = clean(&log, options, NOW).unwrap().unwrap();
        assert_eq!(stored(&log).len(), 3000);
        assert!(cleaned.bytes_written < bytes.len() as u64, "{} became {cleaned:?}", bytes.len());
        let largest = headers(&log).into_iter().map(|header| header.2).max().unwrap();
        assert!(largest < 1000, "a batch of {largest} records is more than a reader may want at once");
    }
}

#[test]
fn the_brokers_stamp_stays() {
    let bench = Bench::new(RealDisk);
    let bytes = [
        set(1, Codec::Gzip, true, &[(0, "a", Some("1")), (1, "b", Some("1"))]),
        set(1, Codec::None, false, &[(2, "c", Some("old"))]),
    ]
    .concat();
    let log = old_log(&bench, &bytes, 3);
    put(&log, &[("c", Some("new")), ("a", Some("2"))]);
    roll(&log);
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    assert_eq!(summary(&log), "1:b=1 3:c=new 4:a=2");
    let found = stored(&log);
    assert_eq!(found[0].timestamp, NOW.0 + 1, "the wrapper's stamp is that of its newest message");
    let header = Batches::new(&super::bytes(&log)).next().unwrap().header;
    assert_eq!(header.attributes.timestamp_type(), TimestampType::LogAppendTime);
}

/// By it the messages of these formats age, and their tombstones.
#[test]
fn a_segment_written_anew_is_as_old_as_the_last_of_those_it_was_made_from() {
    let bench = Bench::new(RealDisk);
    let log = bench.create();
    let mut paths = Vec::new();
    for value in ["1", "2"] {
        let base = put(&log, &[("a", Some(value)), (value, Some(value))]);
        paths.push(bench.temp.path().join(format!("t-0/{:020}.log", base.0)));
        roll(&log);
    }
    for (path, modified) in paths.iter().zip([1_000_000, 2_000_000]) {
        RealDisk.set_modified(path, Timestamp(modified)).unwrap();
    }
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    assert_eq!(locked(&log).segment_count(), 2);
    assert_eq!(RealDisk.facts(&paths[0]).unwrap().modified, Timestamp(2_000_000));
}

/// As Kafka has it of what was clean before it knew of horizons.
#[test]
fn a_tombstone_of_an_old_format_goes_when_the_last_clean_segment_is_younger_by_the_retention() {
    for (younger, left) in [(RETENTION - 1, "0:a=- 1:b=1 2:c=1"), (RETENTION, "1:b=1 2:c=1")] {
        let bench = Bench::new(RealDisk);
        drop(bench.create());
        let paths = [0, 1, 2].map(|base| bench.temp.path().join(format!("t-0/{base:020}.log")));
        let sets = [
            set(1, Codec::None, false, &[(0, "a", None)]),
            set(1, Codec::None, false, &[(1, "b", Some("1"))]),
        ];
        std::fs::write(&paths[0], &sets[0]).unwrap();
        std::fs::write(&paths[1], &sets[1]).unwrap();
        std::fs::write(&paths[2], []).unwrap();
        let log = bench.reopen(RealDisk, Offset(2));
        locked(&log).set_cleaned_to(Some(Offset(2)));
        put(&log, &[("c", Some("1"))]);
        roll(&log);
        for (path, modified) in paths.iter().zip([1_000_000, 1_000_000 + younger]) {
            RealDisk.set_modified(path, Timestamp(modified)).unwrap();
        }
        clean(&log, OPTIONS, NOW).unwrap().unwrap();
        assert_eq!(summary(&log), left, "{younger} ms");
    }
}

/// A log of old messages is recovered like any other: none that is broken is served.
#[test]
fn a_broken_message_ends_the_log_before_it() {
    for magic in [0, 1] {
        let bench = Bench::new(RealDisk);
        let sets = [
            set(magic, Codec::None, false, &[(0, "a", Some("1"))]),
            set(magic, Codec::None, false, &[(1, "b", Some("1"))]),
        ];
        let mut bytes = sets.concat();
        *bytes.last_mut().unwrap() ^= 1;
        drop(bench.create());
        std::fs::write(bench.temp.path().join("t-0/00000000000000000000.log"), &bytes).unwrap();
        let home = Bench::home(bench.temp.path(), RealDisk);
        let (name, config) = (Bench::<RealDisk>::name(), Arc::new(bench.config.clone()));
        let opened =
            Log::open(home, (name, Some(Uuid([1; 16]))), config, Checkpoints::nothing(), NOW).unwrap();
        let (_, reason) = opened.cut.unwrap();
        assert!(reason.contains("a message that carries CRC"), "{reason}");
        assert_eq!(opened.log.partition().watermarks().log_end, Offset(1), "v{magic}");
    }
}
