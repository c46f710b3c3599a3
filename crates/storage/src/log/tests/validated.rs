//! Batches that were validated before their turn at the log.

use partition::validate::validate;
use protocol::records::batch::TimestampType;

use super::*;

fn append_validated(
    log: &mut Log<RealDisk>,
    rules: &AppendRules,
    bytes: &mut [u8],
) -> Result<Appended, AppendError> {
    let (append, scratch) = (client(), &mut Scratch::default());
    let validated = validate(rules, append.origin, append.now, bytes, scratch).unwrap();
    log.append_validated(append, (rules, &validated), bytes, scratch)
}

#[test]
fn a_batch_that_was_compressed_anew_before_its_turn_is_stored_so() {
    let mut bench = Bench::new(RealDisk);
    bench.config.append.compression = CompressionTarget::Codec(Compression::from(Codec::Gzip));
    let mut log = bench.create();
    let rules = log.config().append;
    for _ in 0..2 {
        written(append_validated(&mut log, &rules, &mut plain(20, 50)).unwrap());
    }
    let mut at_once = Bench { config: bench.config.clone(), ..Bench::new(RealDisk) }.create();
    append(&mut at_once, plain(20, 50)).unwrap();
    append(&mut at_once, plain(20, 50)).unwrap();
    assert_eq!(read_all(&mut log), read_all(&mut at_once));
    assert_eq!(log.partition().watermarks().high_watermark, Offset(40));
}

#[test]
fn rules_that_have_changed_meanwhile_are_those_a_batch_is_held_to() {
    let mut bench = Bench::new(RealDisk);
    let mut log = bench.create();
    let rules = log.config().append;
    bench.config.append.max_message_bytes = 100;
    log.set_config(Arc::new(bench.config.clone()));
    let refused = append_validated(&mut log, &rules, &mut plain(20, 50)).unwrap_err();
    assert!(matches!(refused, AppendError::Refused(AppendRefusal::TooLarge { max: 100, .. })), "{refused}");
    bench.config.append.max_message_bytes = 10_000;
    bench.config.append.compression = CompressionTarget::Codec(Compression::from(Codec::Gzip));
    log.set_config(Arc::new(bench.config.clone()));
    let stored = written(append_validated(&mut log, &rules, &mut plain(20, 50)).unwrap());
    assert!(stored.bytes < 500, "compressed as it has to be by now: {} bytes", stored.bytes);
}

#[test]
fn a_batch_validated_before_its_turn_is_known_if_it_is_there_by_then() {
    let bench = Bench::new(RealDisk);
    let mut log = bench.create();
    let rules = log.config().append;
    append(&mut log, of_producer(7, 0, 3, false)).unwrap();
    let again = append_validated(&mut log, &rules, &mut of_producer(7, 0, 3, false)).unwrap();
    assert!(matches!(again, Appended::Duplicate(Duplicate { base_offset: Offset(0), .. })), "{again:?}");
}

#[test]
fn a_batch_is_stamped_with_the_time_of_its_turn_and_not_with_that_at_which_it_was_validated() {
    let mut bench = Bench::new(RealDisk);
    bench.config.append.timestamp_type = TimestampType::LogAppendTime;
    let mut log = bench.create();
    let (rules, scratch) = (log.config().append, &mut Scratch::default());
    let (mut bytes, append) = (plain(3, 10), client());
    let validated = validate(&rules, append.origin, append.now, &bytes, scratch).unwrap();
    let later = Append { now: Timestamp(append.now.0 + 500), ..append };
    log.append(later, &mut plain(1, 10), &mut Scratch::default()).unwrap();
    let done = written(log.append_validated(later, (&rules, &validated), &mut bytes, scratch).unwrap());
    assert_eq!(done.log_append_time, Some(later.now));
    let stored = read_all(&mut log);
    let stamps: Vec<_> = Batches::new(&stored).map(|batch| batch.header.max_timestamp).collect();
    assert_eq!(stamps, [later.now; 2]);
}
