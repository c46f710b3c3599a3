//! Tables of what is dirty and what stays, each line with the bug of Kafka's that it stands against where there is one.

use std::collections::BTreeMap;

use protocol::id::{ProducerEpoch, ProducerId, Timestamp};
use protocol::offset::{LastOffset, Offset};

use super::dirty::{Cleanable, LogDirt, SegmentDirt, cleanable};
use super::*;
use crate::transactions::AbortedTransaction;

const NOW: Timestamp = Timestamp(1_000_000);
const RULES: CompactionRules = CompactionRules {
    compact: true,
    dirty_ratio_min: 0.5,
    lag_min: Millis(0),
    lag_max: Millis(i64::MAX),
    delete_retention: Millis(100),
};

/// Four segments of ten records, a hundred bytes each but the active one, a thousand milliseconds apart.
fn segments() -> Vec<SegmentDirt> {
    let segment = |index: i64| SegmentDirt {
        base_offset: Offset(10 * index),
        bytes: if index == 3 { 50 } else { 100 },
        largest_timestamp: Timestamp(990_000 + 1000 * index + 999),
        first_timestamp: Timestamp(990_000 + 1000 * index),
    };
    (0..4).map(segment).collect()
}

fn of(rules: CompactionRules, log_start: i64, last_stable: i64, cleaned_to: Option<i64>) -> Cleanable {
    let segments = segments();
    let log = LogDirt {
        segments: &segments,
        log_start: Offset(log_start),
        log_end: Offset(35),
        last_stable: Offset(last_stable),
        cleaned_to: cleaned_to.map(Offset),
    };
    cleanable(&rules, &log, NOW)
}

#[test]
fn the_dirty_part_ends_before_what_is_not_decided() {
    // log start, last stable, checkpoint; first dirty, first uncleanable, clean and cleanable bytes, wrong checkpoint
    type Line = ((i64, i64, Option<i64>), (i64, i64, u64, u64, bool));
    let table: [Line; 11] = [
        ((0, 35, None), (0, 30, 0, 300, false)),
        ((0, 35, Some(10)), (10, 30, 100, 200, false)),
        ((0, 35, Some(30)), (30, 30, 300, 0, false)),
        // A map that was full ends within a segment, which then counts on both sides, as in Kafka.
        ((0, 35, Some(15)), (15, 30, 200, 200, false)),
        ((0, 35, Some(33)), (33, 30, 350, 0, false)),
        // KAFKA-13194: nothing behind the last stable offset, a segment counts as a whole.
        ((0, 29, None), (0, 20, 0, 200, false)),
        ((0, 5, None), (0, 0, 0, 0, false)),
        ((0, 12, Some(20)), (20, 20, 200, 0, false)),
        // KAFKA-9133: DeleteRecords has moved the log start, even into the active segment.
        ((12, 35, Some(5)), (12, 30, 200, 200, true)),
        ((33, 35, Some(5)), (33, 30, 350, 0, true)),
        // KAFKA-3330: the log was cut below the checkpoint.
        ((0, 35, Some(36)), (0, 30, 0, 300, true)),
    ];
    for ((start, stable, checkpoint), (first, end, clean, dirty, wrong)) in table {
        let found = of(RULES, start, stable, checkpoint);
        let expected = Cleanable {
            first_dirty: Offset(first),
            first_uncleanable: Offset(end),
            clean_bytes: clean,
            cleanable_bytes: dirty,
            overdue_ms: 0,
            checkpoint_wrong: wrong,
        };
        assert_eq!(found, expected, "from {start}, stable to {stable}, clean to {checkpoint:?}");
    }
}

#[test]
fn young_records_wait_and_old_ones_do_not() {
    // Segments end at 990999, 991999, 992999.
    for (lag, expected) in [(0, 30), (7000, 30), (7001, 30), (7002, 20), (8002, 10), (9002, 0), (i64::MAX, 0)]
    {
        let found = of(CompactionRules { lag_min: Millis(lag), ..RULES }, 0, 35, None);
        assert_eq!(found.first_uncleanable, Offset(expected), "min.compaction.lag.ms={lag}");
    }
    // The first dirty record is of 990000, or with 10 clean of 991000.
    for (lag, checkpoint, expected) in
        [(10_000, None, 0), (9_999, None, 1), (9_999, Some(10), 0), (8_000, Some(10), 1000), (1, Some(30), 0)]
    {
        let found = of(CompactionRules { lag_max: Millis(lag), ..RULES }, 0, 35, checkpoint);
        assert_eq!(found.overdue_ms, expected, "max.compaction.lag.ms={lag}, clean to {checkpoint:?}");
    }
}

#[test]
fn a_log_is_due_above_its_ratio_or_when_it_waited_too_long() {
    let found = of(RULES, 0, 35, Some(20));
    assert!((found.ratio() - 1.0 / 3.0).abs() < 1e-9);
    for (ratio, due) in [(0.33, true), (0.34, false), (1.0, false)] {
        assert_eq!(found.is_due(&CompactionRules { dirty_ratio_min: ratio, ..RULES }), due);
    }
    let overdue = of(CompactionRules { lag_max: Millis(1), ..RULES }, 0, 35, Some(20));
    assert!(overdue.is_due(&CompactionRules { dirty_ratio_min: 1.0, ..RULES }));
    let nothing = of(CompactionRules { dirty_ratio_min: 0.0, lag_max: Millis(1), ..RULES }, 0, 35, Some(30));
    assert!(!nothing.is_due(&CompactionRules { dirty_ratio_min: 0.0, ..RULES }));
    assert!(of(RULES, 0, 35, None).is_due(&CompactionRules { dirty_ratio_min: 0.99, ..RULES }));
}

const DATA: BatchSubject = BatchSubject {
    last_offset: LastOffset(20),
    producer_id: ProducerId(7),
    producer_epoch: ProducerEpoch(1),
    transactional: false,
    control: None,
    delete_horizon: None,
    legacy: false,
};

/// A pass with key `a` last at 5 and `b` at 8, mapped up to 10.
fn with_pass<R>(
    high_watermark: i64,
    producers: &[(i64, Option<i64>)],
    test: impl FnOnce(&Pass<'_>) -> R,
) -> R {
    let mut map = OffsetMap::new(DigestKey(1), 1 << 20, 0.9, 100);
    assert!(map.put(b"a", Offset(5)) && map.put(b"b", Offset(8)));
    map.reached(LastOffset(10));
    let last = |&(id, data): &(i64, Option<i64>)| {
        (ProducerId(id), LastOfProducer { data: data.map(LastOffset), epoch: ProducerEpoch(1) })
    };
    let producers: BTreeMap<_, _> = producers.iter().map(last).collect();
    test(&Pass {
        map: &map,
        producers: &producers,
        high_watermark: Offset(high_watermark),
        now: NOW,
        delete_retention: Millis(100),
        keep_legacy_tombstones: false,
    })
}

#[test]
fn of_each_key_the_last_record_stays() {
    with_pass(1000, &[], |pass| {
        let verdict = pass.judge(&DATA, &mut CleanedTransactions::default());
        let expired = BatchSubject { delete_horizon: Some(NOW), ..DATA };
        let waiting = BatchSubject { delete_horizon: Some(Timestamp(NOW.0 + 1)), ..DATA };
        let legacy = BatchSubject { legacy: true, ..DATA };
        type Line<'a> = (&'a str, BatchSubject, (i64, Option<&'a [u8]>, bool), bool);
        let table: [Line<'_>; 13] = [
            ("older", DATA, (4, Some(b"a"), true), false),
            ("the last", DATA, (5, Some(b"a"), true), true),
            ("newer than mapped so far", DATA, (6, Some(b"a"), true), true),
            ("of a key that is not dirty", DATA, (3, Some(b"c"), true), true),
            ("without a key", DATA, (3, None, true), false),
            ("the last one mapped, without a key", DATA, (10, None, true), false),
            ("behind the map", DATA, (11, Some(b"a"), true), true),
            ("behind the map and without a key", DATA, (11, None, true), true),
            ("a tombstone nobody has met", DATA, (8, Some(b"b"), false), true),
            ("a tombstone before its horizon", waiting, (8, Some(b"b"), false), true),
            ("a tombstone at its horizon", expired, (8, Some(b"b"), false), false),
            ("a tombstone behind the map", expired, (11, Some(b"b"), false), true),
            ("a tombstone of an old format", legacy, (8, Some(b"b"), false), false),
        ];
        for (name, batch, (offset, key, has_value), expected) in table {
            let kept = pass.keeps((&batch, &verdict), Offset(offset), key, has_value);
            assert_eq!(kept, expected, "{name}");
        }
        assert_eq!(pass.new_delete_horizon((&DATA, &verdict), true), Some(Timestamp(NOW.0 + 100)));
        assert_eq!(pass.new_delete_horizon((&DATA, &verdict), false), None);
        assert_eq!(pass.new_delete_horizon((&waiting, &verdict), true), None);
    });
}

#[test]
fn the_last_batch_of_a_producer_and_of_all_stays() {
    let marker = BatchSubject { control: Some(Control::Empty), ..DATA };
    // high watermark, last of producer 7, batch; whether it stays when empty
    type Last = &'static [(i64, Option<i64>)];
    let table: [(i64, Last, BatchSubject, bool); 8] = [
        (1000, &[], DATA, false),
        (21, &[], DATA, true),
        (20, &[], DATA, false),
        (1000, &[(7, Some(20))], DATA, true),
        (1000, &[(7, Some(19))], DATA, false),
        (1000, &[(8, Some(20))], DATA, false),
        (1000, &[(7, None)], DATA, false),
        (1000, &[(7, None)], marker, true),
    ];
    for (end, producers, batch, expected) in table {
        let verdict =
            with_pass(end, producers, |pass| pass.judge(&batch, &mut CleanedTransactions::default()));
        assert_eq!(verdict.keep_empty, expected, "{end} {producers:?} {batch:?}");
    }
    let older = BatchSubject { producer_epoch: ProducerEpoch(0), ..marker };
    let verdict =
        with_pass(1000, &[(7, None)], |pass| pass.judge(&older, &mut CleanedTransactions::default()));
    assert!(!verdict.keep_empty && verdict.drops_all() == verdict.drop_records);
}

fn aborted(producer: i64, first: i64, last: i64) -> AbortedTransaction {
    AbortedTransaction {
        producer_id: ProducerId(producer),
        first_offset: Offset(first),
        last_offset: LastOffset(last),
        last_stable_offset: Offset(last + 1),
    }
}

#[test]
fn markers_outlive_their_transactions() {
    let mut transactions = CleanedTransactions::default();
    let entry = aborted(7, 10, 40);
    transactions.add([entry, aborted(8, 70, 80)]);
    let data = |transactions: &mut CleanedTransactions, last, producer, transactional| {
        transactions.meet_data(LastOffset(last), ProducerId(producer), transactional)
    };
    let control = |transactions: &mut CleanedTransactions, last, producer, control| {
        transactions.meet_control(LastOffset(last), ProducerId(producer), control)
    };
    assert!(!data(&mut transactions, 9, 7, true), "of the transaction before");
    assert_eq!(control(&mut transactions, 9, 7, Control::Commit), (false, None));
    assert!(data(&mut transactions, 12, 7, true));
    assert!(!data(&mut transactions, 13, 7, false), "outside of its transaction");
    assert!(!data(&mut transactions, 14, 9, true));
    // KAFKA-8351: the next segment brings the same entry again, in the middle of the transaction.
    transactions.add([entry]);
    assert!(data(&mut transactions, 30, 7, true));
    assert_eq!(control(&mut transactions, 40, 7, Control::Abort), (false, Some(entry)));
    assert_eq!(control(&mut transactions, 41, 9, Control::Commit), (false, None));
    assert_eq!(control(&mut transactions, 42, 9, Control::Commit), (true, None));
    assert_eq!(control(&mut transactions, 43, 9, Control::Other), (false, None));
    assert_eq!(control(&mut transactions, 44, 9, Control::Empty), (true, None));
    assert_eq!(control(&mut transactions, 80, 8, Control::Abort), (true, None), "nothing was left of it");
    assert!(!data(&mut transactions, 90, 7, true), "its next transaction");
}

#[test]
fn a_spent_marker_waits_for_its_horizon() {
    with_pass(1000, &[], |pass| {
        let marker = BatchSubject { control: Some(Control::Commit), transactional: true, ..DATA };
        let judged = |batch: &BatchSubject| pass.judge(batch, &mut CleanedTransactions::default());
        let verdict = judged(&marker);
        assert!(verdict.spent_marker && !verdict.drop_records);
        // KAFKA-14055: the key of a control record is nobody's key.
        assert!(pass.keeps((&marker, &verdict), Offset(4), Some(b"a"), true));
        assert_eq!(pass.new_delete_horizon((&marker, &verdict), false), Some(Timestamp(NOW.0 + 100)));
        for (horizon, drops) in [(NOW.0 + 1, false), (NOW.0, true)] {
            let batch = BatchSubject { delete_horizon: Some(Timestamp(horizon)), ..marker };
            assert_eq!(judged(&batch).drop_records, drops);
        }
        let mut with_data = CleanedTransactions::default();
        with_data.meet_data(LastOffset(19), ProducerId(7), true);
        let expired = BatchSubject { delete_horizon: Some(Timestamp(0)), ..marker };
        let verdict = pass.judge(&expired, &mut with_data);
        assert!(!verdict.spent_marker && !verdict.drop_records);
    });
}
