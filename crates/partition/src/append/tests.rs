use protocol::error_code::ErrorCode;
use protocol::id::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::offset::{LastOffset, Offset};
use protocol::records::batch::{BatchHeader, TimestampType, seal, verify_crc};
use protocol::records::batches::Batches;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::{Codec, Compressors};
use protocol::records::record::Records;

use super::*;
use crate::rules::{CompressedValidation, CompressionTarget, Millis};
use crate::testing::{CLIENT, EPOCH, Leader, NOW, PLAIN, Sent};

mod converted;
mod producers;

fn code(refusal: &AppendRefusal) -> ErrorCode {
    ErrorCode::from(refusal)
}

/// The batch with some bytes replaced, sealed again.
fn altered(sent: Sent, at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = sent.bytes();
    bytes[at..at + with.len()].copy_from_slice(with);
    seal(&mut bytes);
    bytes
}

/// A batch that announces three records in no bytes.
fn without_payload(codec: Codec) -> Vec<u8> {
    let mut bytes = PLAIN.bytes()[..61].to_vec();
    bytes[8..12].copy_from_slice(&49_i32.to_be_bytes());
    bytes[22] = codec.id();
    seal(&mut bytes);
    bytes
}

fn stamped(timestamps: &[i64], key: Option<&[u8]>, codec: Codec) -> Vec<u8> {
    let mut builder =
        BatchBuilder::new(BatchOptions { compression: codec.into(), ..BatchOptions::default() });
    for &timestamp in timestamps {
        builder.push(Timestamp(timestamp), key, Some(b"value"), &[]);
    }
    builder.finish(&mut Compressors::default()).unwrap()
}

#[test]
fn a_plain_batch_is_patched_in_place_and_moves_the_watermarks() {
    let mut leader = Leader::new();
    leader.send(PLAIN).unwrap();
    let mut bytes = PLAIN.bytes();
    let crc = BatchHeader::parse(&bytes).unwrap().crc;
    let AppendDecision::Append(plan) = leader.decide(CLIENT, &mut bytes).unwrap() else { panic!() };
    assert_eq!((plan.base_offset, plan.last_offset, plan.count), (Offset(3), LastOffset(5), 3));
    assert_eq!(plan.write, WriteFrom::InPlace { length: bytes.len() });
    assert_eq!((plan.max_timestamp, plan.log_append_time), (Timestamp(NOW.0 + 2), None));
    assert!(!plan.starts_epoch, "becoming leader has assigned the epoch");
    let header = BatchHeader::parse(&bytes).unwrap();
    assert_eq!((header.base_offset, header.leader_epoch, header.crc), (Offset(3), EPOCH, crc));
    assert!(leader.partition().appended(&plan), "the high watermark of a lone replica moves");
    let marks = leader.partition().watermarks();
    assert_eq!((marks.log_start, marks.high_watermark, marks.log_end), (Offset(0), Offset(6), Offset(6)));
}

/// Each code is what Apache Kafka 4.4 answered to the same batch, but for the offset deltas, which it does not look at.
#[test]
fn refusals_come_with_kafkas_codes() {
    let plain = PLAIN.bytes();
    let zstd = Sent { codec: Codec::Zstd, ..PLAIN }.bytes();
    let old = Origin::Client { zstd: false, verification: Verification::NotRequired };
    let negative = Sent { producer: (7, 0, -1), ..PLAIN }.bytes();
    let mut control = BatchBuilder::new(BatchOptions { control: true, ..PLAIN.options() });
    control.push(NOW, Some(&[0, 0, 0, 1]), Some(&[0; 6]), &[]);
    let mut flipped = plain.clone();
    flipped[65] ^= 1;
    let extra_record = [altered(PLAIN, 57, &[0, 0, 0, 2]), vec![]].concat();
    let table: Vec<(&str, Vec<u8>, Origin, ErrorCode)> = vec![
        ("nothing", vec![], CLIENT, ErrorCode::InvalidRecord),
        ("half a batch", plain[..70].to_vec(), CLIENT, ErrorCode::InvalidRecord),
        ("two batches", [plain.clone(), plain.clone()].concat(), CLIENT, ErrorCode::InvalidRecord),
        ("magic 1", altered(PLAIN, 16, &[1]), CLIENT, ErrorCode::InvalidRecord),
        ("magic 3", altered(PLAIN, 16, &[3]), CLIENT, ErrorCode::CorruptMessage),
        ("a length of 13", altered(PLAIN, 8, &[0, 0, 0, 13]), CLIENT, ErrorCode::CorruptMessage),
        ("a length of 48", altered(PLAIN, 8, &[0, 0, 0, 48]), CLIENT, ErrorCode::CorruptMessage),
        ("zstd before version 7", zstd, old, ErrorCode::UnsupportedCompressionType),
        ("a base offset", altered(PLAIN, 7, &[1]), CLIENT, ErrorCode::InvalidRecord),
        ("a flipped bit", flipped, CLIENT, ErrorCode::CorruptMessage),
        ("codec 5", altered(PLAIN, 22, &[5]), CLIENT, ErrorCode::UnknownServerError),
        ("a count too small", extra_record, CLIENT, ErrorCode::InvalidRecord),
        ("a negative count", altered(PLAIN, 57, &[0xff; 4]), CLIENT, ErrorCode::InvalidRecord),
        ("a last offset delta too large", altered(PLAIN, 26, &[3]), CLIENT, ErrorCode::InvalidRecord),
        ("a control batch", control.finish_uncompressed(), CLIENT, ErrorCode::InvalidRecord),
        ("a producer without sequence", negative, CLIENT, ErrorCode::InvalidRecord),
        ("a record of another length", altered(PLAIN, 61, &[2]), CLIENT, ErrorCode::InvalidRecord),
        ("an offset delta of 1", altered(PLAIN, 64, &[2]), CLIENT, ErrorCode::InvalidRecord),
        ("zeros behind the batch", [&plain[..], &[0; 20]].concat(), CLIENT, ErrorCode::CorruptMessage),
        ("no gzip at all", without_payload(Codec::Gzip), CLIENT, ErrorCode::UnknownServerError),
        ("no snappy at all", without_payload(Codec::Snappy), CLIENT, ErrorCode::UnknownServerError),
        ("no lz4 at all", without_payload(Codec::Lz4), CLIENT, ErrorCode::UnknownServerError),
        ("no zstd at all", without_payload(Codec::Zstd), CLIENT, ErrorCode::InvalidRecord),
        ("gzip that is none", altered(PLAIN, 22, &[1]), CLIENT, ErrorCode::UnknownServerError),
    ];
    for (name, mut bytes, origin, expected) in table {
        let refusal = Leader::new().decide(origin, &mut bytes).unwrap_err();
        assert_eq!(code(&refusal), expected, "{name}: {refusal}");
    }
}

#[test]
fn what_follows_the_batch_is_cut_off_if_it_is_no_whole_batch() {
    let plain = PLAIN.bytes();
    let torn = [&plain[..], &plain[..50]].concat();
    let plan = Leader::new().append(CLIENT, &torn).unwrap();
    assert_eq!(plan.write, WriteFrom::InPlace { length: plain.len() });
}

#[test]
fn sizes_are_judged_against_message_and_segment_limits() {
    let size = PLAIN.bytes().len() as u32;
    for (max_message_bytes, segment_bytes, expected) in [
        (size, size, None),
        (size - 1, size, Some(ErrorCode::MessageTooLarge)),
        (size, size - 1, Some(ErrorCode::RecordListTooLarge)),
    ] {
        let rules = AppendRules { max_message_bytes, segment_bytes, ..AppendRules::default() };
        let result = Leader::with(rules).send(PLAIN);
        assert_eq!(result.err().as_ref().map(code), expected);
    }
}

#[test]
fn timestamps_are_held_to_the_topics_bounds() {
    let rules = AppendRules {
        timestamp_before_max: Millis(1000),
        timestamp_after_max: Millis(100),
        ..AppendRules::default()
    };
    let at = |delta: i64| NOW.0 + delta;
    let table: [(&[i64], &[i32]); 7] = [
        (&[at(-1000), at(0), at(100)], &[]),
        (&[at(-1001), at(0)], &[0]),
        (&[at(0), at(101), at(5), at(200)], &[1, 3]),
        (&[-1, -1], &[]),
        (&[-1, at(101)], &[1]),
        (&[at(0), i64::MAX], &[1]),
        (&[at(0), i64::MIN], &[1]),
    ];
    for codec in Codec::ALL {
        for (timestamps, refused) in table {
            let result = Leader::with(rules).append(CLIENT, &stamped(timestamps, None, codec));
            match result {
                Ok(_) => assert!(refused.is_empty(), "{timestamps:?}"),
                Err(AppendRefusal::RecordsRefused(records)) => {
                    let places: Vec<_> = records.iter().map(|record| record.index).collect();
                    assert_eq!(places, refused, "{timestamps:?}");
                    assert_eq!(code(&AppendRefusal::RecordsRefused(records)), ErrorCode::InvalidTimestamp);
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn a_compacted_topic_takes_no_record_without_a_key() {
    let rules = AppendRules { compacted: true, timestamp_after_max: Millis(0), ..AppendRules::default() };
    for codec in Codec::ALL {
        let refusal = Leader::with(rules).append(CLIENT, &stamped(&[NOW.0; 3], None, codec)).unwrap_err();
        assert_eq!(code(&refusal), ErrorCode::InvalidRecord);
        let AppendRefusal::RecordsRefused(records) = &refusal else { panic!("{refusal}") };
        assert_eq!(records.len(), 3);
        Leader::with(rules).append(CLIENT, &stamped(&[NOW.0], Some(b""), codec)).unwrap();
    }
}

#[test]
fn refused_records_are_named_up_to_a_bound_and_the_code_stays_right() {
    let rules = AppendRules { compacted: true, timestamp_after_max: Millis(0), ..AppendRules::default() };
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for _ in 0..5000 {
        builder.push(NOW, None, None, &[]);
    }
    builder.push(Timestamp(NOW.0 + 1), Some(b"key"), None, &[]);
    let refusal = Leader::with(rules).append(CLIENT, &builder.finish_uncompressed()).unwrap_err();
    assert_eq!(code(&refusal), ErrorCode::InvalidTimestamp);
    let AppendRefusal::RecordsRefused(records) = refusal else { panic!() };
    assert_eq!(records.len(), 1000);
}

#[test]
fn log_append_time_stamps_the_batch_and_seals_it_again() {
    let rules = AppendRules { timestamp_type: TimestampType::LogAppendTime, ..AppendRules::default() };
    for codec in Codec::ALL {
        let mut leader = Leader::with(rules);
        let plan = leader.append(CLIENT, &stamped(&[5, i64::MAX], None, codec)).unwrap();
        assert_eq!((plan.max_timestamp, plan.log_append_time), (NOW, Some(NOW)));
        let header = BatchHeader::parse(&leader.log).unwrap();
        verify_crc(&leader.log, &header).unwrap();
        assert_eq!(header.max_timestamp, NOW);
        assert_eq!(header.attributes.timestamp_type(), TimestampType::LogAppendTime);
    }
    // A producer may not stamp by itself, though Kafka looks only where the stamp would be believed.
    let mut builder =
        BatchBuilder::new(BatchOptions { log_append_time: Some(NOW), ..BatchOptions::default() });
    builder.push(NOW, None, None, &[]);
    let bytes = builder.finish_uncompressed();
    assert_eq!(code(&Leader::with(rules).append(CLIENT, &bytes).unwrap_err()), ErrorCode::InvalidTimestamp);
    let mut leader = Leader::new();
    leader.append(CLIENT, &bytes).unwrap();
    let header = BatchHeader::parse(&leader.log).unwrap();
    assert_eq!(header.attributes.timestamp_type(), TimestampType::CreateTime);
}

#[test]
fn a_max_timestamp_that_lies_is_put_right() {
    let lie = altered(PLAIN, 35, &i64::MAX.to_be_bytes());
    let mut leader = Leader::new();
    leader.append(CLIENT, &lie).unwrap();
    let header = BatchHeader::parse(&leader.log).unwrap();
    assert_eq!(header.max_timestamp, Timestamp(NOW.0 + 2));
    verify_crc(&leader.log, &header).unwrap();
}

#[test]
fn batches_of_another_codec_are_written_in_the_topics() {
    for source in Codec::ALL {
        for target in Codec::ALL {
            let rules = AppendRules {
                compression: CompressionTarget::Codec(target.into()),
                ..AppendRules::default()
            };
            let mut leader = Leader::with(rules);
            let sent = Sent { codec: source, producer: (7, 1, 0), ..PLAIN };
            let plan = leader.send(sent).unwrap();
            let (first, rest) = (plan.write == WriteFrom::Scratch, source != target);
            assert_eq!(first, rest, "{source} to {target}");
            let batch = Batches::new(&leader.log).next().unwrap();
            batch.verify_crc().unwrap();
            let header = batch.header;
            assert_eq!((header.attributes.codec(), header.count), (Some(target), 3));
            assert_eq!((header.producer_id, header.base_sequence), (ProducerId(7), Sequence(0)));
            let mut plain = Leader::with(AppendRules {
                compression: CompressionTarget::Codec(Codec::None.into()),
                ..AppendRules::default()
            });
            plain.append(CLIENT, &leader.log).unwrap();
            let batch = Batches::new(&plain.log).next().unwrap();
            let values: Vec<_> = Records::new(batch.payload(), 3)
                .map(|record| record.unwrap().value.unwrap().to_vec())
                .collect();
            assert_eq!(values, vec![b"the value of a record".to_vec(); 3]);
        }
    }
}

#[test]
fn a_batch_that_grows_past_the_limit_when_written_anew_is_refused() {
    let sent = Sent { codec: Codec::Zstd, count: 1000, ..PLAIN };
    let rules = AppendRules {
        compression: CompressionTarget::Codec(Codec::None.into()),
        max_message_bytes: 8000,
        ..AppendRules::default()
    };
    assert!(sent.bytes().len() < 8000);
    assert_eq!(code(&Leader::with(rules).send(sent).unwrap_err()), ErrorCode::MessageTooLarge);
}

#[test]
fn compressed_records_are_believed_only_where_the_key_says_so() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let mut builder =
            BatchBuilder::new(BatchOptions { compression: codec.into(), ..BatchOptions::default() });
        builder.push(NOW, None, Some(b"one"), &[]).push(NOW, None, Some(b"two"), &[]);
        let mut bytes = builder.finish(&mut Compressors::default()).unwrap();
        bytes[23..27].copy_from_slice(&2_i32.to_be_bytes());
        bytes[57..61].copy_from_slice(&3_i32.to_be_bytes());
        seal(&mut bytes);
        assert_eq!(code(&Leader::new().append(CLIENT, &bytes).unwrap_err()), ErrorCode::InvalidRecord);
        let mut rules =
            AppendRules { compressed_validation: CompressedValidation::Header, ..AppendRules::default() };
        Leader::with(rules).append(CLIENT, &bytes).unwrap();
        rules.compacted = true;
        assert_eq!(code(&Leader::with(rules).append(CLIENT, &bytes).unwrap_err()), ErrorCode::InvalidRecord);
    }
}

#[test]
fn bombs_are_refused_by_record_and_by_batch() {
    let mut builder =
        BatchBuilder::new(BatchOptions { compression: Codec::Zstd.into(), ..BatchOptions::default() });
    builder.push(NOW, None, Some(&vec![0; 1 << 20]), &[]).push(NOW, None, Some(&vec![0; 1 << 20]), &[]);
    let bytes = builder.finish(&mut Compressors::default()).unwrap();
    let default = AppendRules::default();
    for rules in [
        AppendRules { decompressed_record_bytes_max: 1 << 19, ..default },
        AppendRules { decompressed_batch_bytes_max: 1 << 20, ..default },
    ] {
        assert_eq!(code(&Leader::with(rules).append(CLIENT, &bytes).unwrap_err()), ErrorCode::InvalidRecord);
    }
    Leader::new().append(CLIENT, &bytes).unwrap();
}

#[test]
fn only_the_leader_of_the_epoch_appends() {
    let mut leader = Leader::new();
    leader.partition().become_follower(EPOCH);
    assert_eq!(code(&leader.send(PLAIN).unwrap_err()), ErrorCode::NotLeaderOrFollower);
    let mut stale = Leader::new();
    stale.partition().become_leader(protocol::id::LeaderEpoch(4), protocol::id::NodeId(1), 1, []);
    assert_eq!(code(&stale.send(PLAIN).unwrap_err()), ErrorCode::NotLeaderOrFollower);
}

#[test]
fn replicated_batches_are_taken_up_to_a_torn_tail_or_a_later_epoch() {
    let mut leader = Leader::new();
    for _ in 0..3 {
        leader.send(PLAIN).unwrap();
    }
    let size = PLAIN.bytes().len();
    let mut follower = Partition::empty(Offset(0));
    follower.become_follower(EPOCH);
    let log = leader.log;
    let taken = follower.decide_replicated(EPOCH, &log[..3 * size - 1]).unwrap();
    assert_eq!((taken.length, taken.base_offset, taken.next_offset), (2 * size, Offset(0), Offset(6)));
    assert_eq!(follower.decide_replicated(LeaderEpochBelow::EPOCH, &log).unwrap().length, 0);
    for batch in Batches::new(&log[..2 * size]) {
        follower.replay(&batch).unwrap();
    }
    follower.follow_high_watermark(Offset(4));
    assert_eq!(follower.watermarks().high_watermark, Offset(4));
    let refusal = follower.decide_replicated(EPOCH, &log).unwrap_err();
    assert_eq!(refusal, AppendRefusal::NotAtEnd { base_offset: Offset(0), log_end: Offset(6) });
    let twice = [&log[2 * size..], &log[2 * size..]].concat();
    let refusal = follower.decide_replicated(EPOCH, &twice).unwrap_err();
    assert_eq!(refusal, AppendRefusal::OffsetsOutOfOrder { base_offset: Offset(6) });
    let mut flipped = log[2 * size..].to_vec();
    flipped[70] ^= 1;
    assert!(matches!(follower.decide_replicated(EPOCH, &flipped), Err(AppendRefusal::Crc(_))));
}

#[test]
fn a_batch_that_the_log_has_already_is_not_replayed_twice() {
    let mut leader = Leader::new();
    leader.send(PLAIN).unwrap();
    let mut machine = Partition::empty(Offset(0));
    let batch = Batches::new(&leader.log).next().unwrap();
    machine.replay(&batch).unwrap();
    let before = machine.clone();
    assert_eq!(machine.replay(&batch), Err(AppendRefusal::OffsetsOutOfOrder { base_offset: Offset(0) }));
    assert_eq!(machine, before);
}

struct LeaderEpochBelow;

impl LeaderEpochBelow {
    const EPOCH: protocol::id::LeaderEpoch = protocol::id::LeaderEpoch(EPOCH.0 - 1);
}

fn epoch_of(leader: &mut Leader, producer: i64) -> ProducerEpoch {
    leader.partition().producers().get(ProducerId(producer)).unwrap().producer_epoch
}
