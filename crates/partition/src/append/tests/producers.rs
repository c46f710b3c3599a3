//! Sequences, epochs, duplicates and transactions, and the models that hold the machine to them.

use proptest::prelude::*;
use protocol::id::NodeId;
use protocol::records::batch::BATCH_OVERHEAD;

use super::*;
use crate::producers::ProducerEntry;
use crate::replica::Restored;
use crate::testing::replay;
use crate::verifications::FirstBatch;

fn sent(id: i64, epoch: i16, sequence: i32) -> Sent {
    Sent { producer: (id, epoch, sequence), count: 2, ..PLAIN }
}

fn transactional(id: i64, epoch: i16, sequence: i32) -> Sent {
    Sent { transactional: true, ..sent(id, epoch, sequence) }
}

#[test]
fn the_last_five_batches_are_known_again_by_their_first_offset() {
    let mut leader = Leader::new();
    for round in 0..7 {
        leader.send(sent(7, 0, 2 * round)).unwrap();
        leader.send(PLAIN).unwrap();
    }
    for round in 2..7 {
        let duplicate = leader.send_again(sent(7, 0, 2 * round));
        assert_eq!(duplicate.base_offset, Offset(5 * i64::from(round)));
        assert_eq!(duplicate.last_offset, LastOffset(5 * i64::from(round) + 1));
        assert_eq!(duplicate.log_append_time, Timestamp(NOW.0 + 1));
    }
    for sequence in [0, 2] {
        let refusal = leader.send(sent(7, 0, sequence)).unwrap_err();
        assert_eq!(code(&refusal), ErrorCode::OutOfOrderSequenceNumber);
    }
    // The same first sequence with another count is no duplicate.
    let longer = Sent { count: 3, ..sent(7, 0, 12) };
    assert_eq!(code(&leader.send(longer).unwrap_err()), ErrorCode::OutOfOrderSequenceNumber);
    // Nor is the same last one.
    let shorter = Sent { count: 1, ..sent(7, 0, 13) };
    assert_eq!(code(&leader.send(shorter).unwrap_err()), ErrorCode::OutOfOrderSequenceNumber);
}

#[test]
fn sequences_and_epochs_follow_kafkas_table() {
    type EpochAndSequence = (i16, i32);
    // What was sent, what is sent next, and what comes of it.
    let table: [(&[EpochAndSequence], EpochAndSequence, Option<ErrorCode>); 11] = [
        (&[], (0, 0), None),
        (&[], (5, 1234), None),
        (&[(0, 0)], (0, 2), None),
        (&[(0, 0)], (0, 3), Some(ErrorCode::OutOfOrderSequenceNumber)),
        (&[(0, 0)], (0, 1), Some(ErrorCode::OutOfOrderSequenceNumber)),
        (&[(0, 0)], (1, 0), None),
        (&[(0, 0)], (1, 2), Some(ErrorCode::OutOfOrderSequenceNumber)),
        (&[(3, 0)], (2, 2), Some(ErrorCode::InvalidProducerEpoch)),
        (&[(0, i32::MAX - 1)], (0, 0), None),
        (&[(0, i32::MAX)], (0, 1), None),
        (&[(0, i32::MAX)], (0, 0), Some(ErrorCode::OutOfOrderSequenceNumber)),
    ];
    for (before, (epoch, sequence), expected) in table {
        let mut leader = Leader::new();
        for &(epoch, sequence) in before {
            leader.send(sent(7, epoch, sequence)).unwrap();
        }
        let result = leader.send(sent(7, epoch, sequence));
        assert_eq!(result.err().as_ref().map(code), expected, "{before:?} and then {epoch}, {sequence}");
    }
}

#[test]
fn a_batch_across_the_end_of_sequences_is_known_again() {
    let mut leader = Leader::new();
    leader.send(sent(7, 0, i32::MAX)).unwrap();
    assert_eq!(leader.send_again(sent(7, 0, i32::MAX)).base_offset, Offset(0));
    leader.send(sent(7, 0, 1)).unwrap();
}

#[test]
fn an_open_transaction_holds_the_last_stable_offset() {
    let mut leader = Leader::new();
    leader.send(PLAIN).unwrap();
    leader.send(transactional(7, 0, 0)).unwrap();
    leader.send(transactional(8, 0, 0)).unwrap();
    assert_eq!(leader.partition().last_stable_offset(), Offset(3));
    let plan = leader.mark((7, 0), false, 1, 1).unwrap();
    let aborted = plan.aborted.unwrap();
    assert_eq!((aborted.first_offset, aborted.last_offset), (Offset(3), LastOffset(7)));
    assert_eq!(aborted.last_stable_offset, Offset(5), "the other transaction is still open");
    assert_eq!(leader.partition().last_stable_offset(), Offset(5));
    assert_eq!(leader.mark((8, 0), true, 1, 1).unwrap().aborted, None);
    assert_eq!(leader.partition().last_stable_offset(), Offset(9));
    // A marker without a transaction leaves no trace in the index.
    assert_eq!(leader.mark((8, 0), false, 1, 1).unwrap().aborted, None);
}

#[test]
fn a_decided_transaction_holds_until_its_marker_is_replicated() {
    let mut leader = Leader::new();
    leader.partition().set_in_sync([NodeId(1), NodeId(2)], []);
    leader.send(transactional(7, 0, 0)).unwrap();
    leader.mark((7, 0), true, 1, 1).unwrap();
    for (reached, expected) in [(1, 0), (2, 0), (3, 3)] {
        leader.partition().follower_reached(NodeId(2), Offset(reached));
        assert_eq!(leader.partition().last_stable_offset(), Offset(expected), "reached {reached}");
    }
}

#[test]
fn transactions_are_entered_and_left_by_the_rules() {
    let missing = Origin::Client { zstd: true, verification: Verification::Missing };
    let mut leader = Leader::new();
    let refusal = leader.append(missing, &transactional(7, 0, 0).bytes()).unwrap_err();
    assert_eq!(code(&refusal), ErrorCode::InvalidTxnState);
    leader.send(transactional(7, 0, 0)).unwrap();
    // Inside an open transaction nobody is asked again, and plain batches have no place.
    leader.append(missing, &transactional(7, 0, 2).bytes()).unwrap();
    assert_eq!(code(&leader.send(sent(7, 0, 4)).unwrap_err()), ErrorCode::InvalidTxnState);
}

/// Asks about a batch, and says as whom it may then be appended.
fn asked(leader: &mut Leader, sent: Sent, supports_epoch_bump: bool) -> Option<Origin> {
    let (id, epoch, sequence) = sent.producer;
    let batch = FirstBatch {
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(epoch),
        base_sequence: Sequence(sequence),
        supports_epoch_bump,
    };
    let guard = leader.partition().begin_verification(NOW, &batch).unwrap()?;
    Some(Origin::Client { zstd: true, verification: Verification::Verified(guard) })
}

#[test]
fn a_transaction_begins_with_its_first_batch_and_with_who_was_asked() {
    let mut leader = Leader::new();
    let late = asked(&mut leader, transactional(9, 0, 4), true).unwrap();
    let refusal = leader.append(late, &transactional(9, 0, 4).bytes()).unwrap_err();
    assert_eq!(code(&refusal), ErrorCode::OutOfOrderSequenceNumber, "nothing is known of the producer");
    let first = asked(&mut leader, transactional(9, 0, 0), true).unwrap();
    assert_eq!(first, late, "one producer is asked about once");
    leader.append(first, &transactional(9, 0, 0).bytes()).unwrap();
    assert_eq!(asked(&mut leader, transactional(9, 0, 2), true), None, "the transaction is open");

    // Without epochs of their own: what came first comes again first (KAFKA-14920).
    let second = asked(&mut leader, transactional(8, 0, 6), false).unwrap();
    assert_eq!(asked(&mut leader, transactional(8, 0, 4), false), Some(second));
    let refusal = leader.append(second, &transactional(8, 0, 6).bytes()).unwrap_err();
    assert_eq!(code(&refusal), ErrorCode::OutOfOrderSequenceNumber);
    leader.append(second, &transactional(8, 0, 4).bytes()).unwrap();
}

#[test]
fn who_writes_without_transactions_is_held_up_by_no_question() {
    let mut leader = Leader::new();
    leader.send(sent(7, 0, 0)).unwrap();
    // Of a plain producer nobody asks but who speaks in its name.
    asked(&mut leader, transactional(7, 0, -1), false).unwrap();
    leader.send(sent(7, 0, 2)).unwrap();
    leader.send(sent(7, 1, 0)).unwrap();
    asked(&mut leader, transactional(8, 0, -1), true).unwrap();
    leader.send(sent(8, 0, 0)).unwrap();
}

#[test]
fn a_marker_overtakes_who_was_asked_before_it() {
    let mut leader = Leader::new();
    // The transaction is timed out and aborted between the answer and the append.
    let origin = asked(&mut leader, transactional(7, 3, 0), false).unwrap();
    leader.mark((7, 3), false, 5, 1).unwrap();
    let refusal = leader.append(origin, &transactional(7, 3, 0).bytes()).unwrap_err();
    assert_eq!(code(&refusal), ErrorCode::InvalidTxnState);
    let again = asked(&mut leader, transactional(7, 3, 0), false).unwrap();
    assert_ne!(origin, again);

    // With epochs of their own, the marker of the last transaction carries the epoch of the one that is asked about.
    leader.append(CLIENT, &transactional(8, 1, 0).bytes()).unwrap();
    let next = asked(&mut leader, transactional(8, 2, 0), true).unwrap();
    leader.mark((8, 2), true, 5, 2).unwrap();
    leader.append(next, &transactional(8, 2, 0).bytes()).unwrap();
    // That of the same transaction carries a later one.
    leader.mark((8, 3), true, 5, 2).unwrap();
    let late = asked(&mut leader, transactional(8, 3, 0), true).unwrap();
    leader.mark((8, 4), true, 5, 2).unwrap();
    let refusal = leader.append(late, &transactional(8, 3, 0).bytes()).unwrap_err();
    assert_eq!(code(&refusal), ErrorCode::InvalidProducerEpoch);
}

#[test]
fn markers_are_fenced_by_producer_and_coordinator_epoch() {
    let mut leader = Leader::new();
    leader.send(transactional(7, 3, 0)).unwrap();
    assert_eq!(code(&leader.mark((7, 2), true, 5, 1).unwrap_err()), ErrorCode::InvalidProducerEpoch);
    // Under the second version of transactions a marker brings a new epoch with it.
    assert_eq!(code(&leader.mark((7, 3), true, 5, 2).unwrap_err()), ErrorCode::InvalidProducerEpoch);
    leader.mark((7, 4), true, 5, 2).unwrap();
    assert_eq!(epoch_of(&mut leader, 7), ProducerEpoch(4));
    leader.mark((7, 4), true, 5, 2).expect("a marker written again is let through");
    let refusal = leader.mark((7, 5), true, 4, 2).unwrap_err();
    assert_eq!(code(&refusal), ErrorCode::TransactionCoordinatorFenced);
}

#[test]
fn an_expired_producer_may_begin_anywhere_unless_its_transaction_is_open() {
    let mut leader = Leader::new();
    leader.send(sent(7, 0, 0)).unwrap();
    leader.send(transactional(8, 0, 0)).unwrap();
    let later = Timestamp(NOW.0 + 101);
    assert_eq!(leader.partition().expire_producers(Timestamp(NOW.0 + 100), Millis(100)), 0);
    assert_eq!(leader.partition().expire_producers(later, Millis(100)), 1);
    leader.send(sent(7, 0, 77)).unwrap();
    assert_eq!(code(&leader.send(transactional(8, 0, 77)).unwrap_err()), ErrorCode::OutOfOrderSequenceNumber);
}

#[test]
fn deleting_into_an_open_transaction_moves_the_last_stable_offset_along() {
    let mut leader = Leader::new();
    leader.send(transactional(7, 0, 0)).unwrap();
    leader.send(PLAIN).unwrap();
    leader.partition().set_log_start(Offset(4));
    assert_eq!(leader.partition().last_stable_offset(), Offset(4));
}

/// One step of the model below.
#[derive(Clone, Copy, Debug)]
enum Step {
    Send { producer: i64, transactional: bool, ahead: i32 },
    Again { producer: i64, back: usize },
    Mark { producer: i64, committed: bool },
    Bump { producer: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let producer = 0..3_i64;
    prop_oneof![
        4 => (producer.clone(), any::<bool>(), 0..8_i32).prop_map(|(producer, transactional, ahead)| {
            // Most batches are in sequence.
            Step::Send { producer, transactional, ahead: (ahead - 5).max(0) }
        }),
        2 => (producer.clone(), 0..8_usize).prop_map(|(producer, back)| Step::Again { producer, back }),
        2 => (producer.clone(), any::<bool>()).prop_map(|(producer, committed)| Step::Mark { producer, committed }),
        1 => producer.prop_map(|producer| Step::Bump { producer }),
    ]
}

/// All a producer ever did, without any window.
#[derive(Clone, Debug, Default)]
struct Known {
    epoch: i16,
    /// Sequences and first offsets of the batches of this epoch.
    batches: Vec<(i32, i64)>,
    open_since: Option<i64>,
    seen: bool,
}

fn model_step(leader: &mut Leader, known: &mut [Known; 3], end: &mut i64, step: Step) {
    match step {
        Step::Send { producer, transactional, ahead } => {
            let model = &mut known[producer as usize];
            let next = model.batches.last().map_or(0, |&(sequence, _)| sequence + 2);
            let bytes = Sent { transactional, ..sent(producer, model.epoch, next + ahead) };
            let result = leader.send(bytes);
            let in_sequence = ahead == 0 || !model.seen;
            if !in_sequence {
                assert_eq!(code(&result.unwrap_err()), ErrorCode::OutOfOrderSequenceNumber);
            } else if model.open_since.is_some() && !transactional {
                assert_eq!(code(&result.unwrap_err()), ErrorCode::InvalidTxnState);
            } else {
                assert_eq!(result.unwrap().base_offset, Offset(*end));
                model.batches.push((next + ahead, *end));
                model.seen = true;
                if transactional {
                    model.open_since.get_or_insert(*end);
                }
                *end += 2;
            }
        }
        Step::Again { producer, back } => {
            let model = &known[producer as usize];
            let Some(at) = model.batches.len().checked_sub(back + 1) else { return };
            let (sequence, base_offset) = model.batches[at];
            let bytes = sent(producer, model.epoch, sequence);
            if back < 5 {
                assert_eq!(leader.send_again(bytes).base_offset, Offset(base_offset));
            } else {
                assert_eq!(code(&leader.send(bytes).unwrap_err()), ErrorCode::OutOfOrderSequenceNumber);
            }
        }
        Step::Mark { producer, committed } => {
            let model = &mut known[producer as usize];
            let plan = leader.mark((producer, model.epoch), committed, 0, 1).unwrap();
            let aborted = model.open_since.take().filter(|_| !committed);
            assert_eq!(plan.aborted.map(|entry| entry.first_offset), aborted.map(Offset));
            model.seen = true;
            *end += 1;
            // A producer that only a marker has named has no last sequence, so its first must be 0.
        }
        Step::Bump { producer } => {
            let model = &mut known[producer as usize];
            model.epoch += 1;
            model.batches.clear();
        }
    }
}

proptest! {
    #[test]
    fn the_machine_agrees_with_a_model_that_forgets_nothing(steps in proptest::collection::vec(step(), 1..60)) {
        let mut leader = Leader::new();
        let mut known: [Known; 3] = Default::default();
        let mut end = 0;
        for step in steps {
            model_step(&mut leader, &mut known, &mut end, step);
            let stable = known.iter().filter_map(|model| model.open_since).min().unwrap_or(end);
            prop_assert_eq!(leader.partition().last_stable_offset(), Offset(stable));
            prop_assert_eq!(leader.partition().watermarks().log_end, Offset(end));
        }
        let (mut replayed, aborted) = replay(&leader.log);
        prop_assert_eq!(&aborted, &leader.aborted);
        // Who leads is not in the log, nor is an epoch without records.
        replayed.become_leader(EPOCH, NodeId(1), 1, []);
        replayed.become_follower(EPOCH);
        leader.partition().become_follower(EPOCH);
        prop_assert_eq!(&replayed, leader.partition());
    }

    #[test]
    fn a_snapshot_and_the_rest_of_the_log_give_what_the_whole_log_gives(
        steps in proptest::collection::vec(step(), 1..40),
        cut in 0..40_usize,
    ) {
        let mut leader = Leader::new();
        let mut known: [Known; 3] = Default::default();
        let mut end = 0;
        let mut snapshot: Vec<ProducerEntry> = Vec::new();
        let mut at = (0, Offset(0), leader.partition().leader_epochs().clone());
        for (index, step) in steps.into_iter().enumerate() {
            if index == cut {
                snapshot = leader.partition().producer_snapshot().collect();
                at = (leader.log.len(), Offset(end), leader.partition().leader_epochs().clone());
            }
            model_step(&mut leader, &mut known, &mut end, step);
        }
        let restored = Restored {
            log_start: Offset(0),
            high_watermark: Offset(0),
            snapshot_offset: at.1,
            producers: snapshot,
            leader_epochs: at.2.entries().to_vec(),
        };
        let mut rebuilt = Partition::restore(restored, NOW, Millis(i64::MAX));
        for batch in Batches::new(&leader.log[at.0..]) {
            rebuilt.replay(&batch).unwrap();
        }
        rebuilt.restore_high_watermark(Offset(end));
        let live = leader.partition.as_ref().unwrap();
        prop_assert_eq!(rebuilt.last_stable_offset(), live.last_stable_offset());
        prop_assert_eq!(rebuilt.watermarks(), live.watermarks());
        prop_assert_eq!(rebuilt.leader_epochs(), live.leader_epochs());
        let (rebuilt, live): (Vec<_>, Vec<_>) =
            (rebuilt.producer_snapshot().collect(), live.producer_snapshot().collect());
        prop_assert_eq!(rebuilt, live);
    }

    #[test]
    fn damaged_batches_never_panic(at: usize, with in 1_u8.., reseal: bool, codec in 0..5_u8) {
        let codec = Codec::from_id(codec).unwrap();
        let mut bytes = Sent { codec, producer: (7, 0, 0), ..PLAIN }.bytes();
        let at = at % bytes.len();
        bytes[at] ^= with;
        if reseal && bytes.len() > BATCH_OVERHEAD {
            seal(&mut bytes);
        }
        let mut leader = Leader::new();
        let _ = leader.decide(CLIENT, &mut bytes);
        let _ = leader.partition().decide_replicated(EPOCH, &bytes);
    }
}

#[test]
fn logs_that_kafka_wrote_give_kafkas_index_and_snapshot() {
    let golden =
        |name: &str| std::fs::read(format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    for name in ["three-transactions", "commit-and-abort"] {
        let (partition, aborted) = replay(&golden(&format!("{name}.log")));
        let index: Vec<u8> = aborted
            .iter()
            .flat_map(|entry| {
                let numbers = [
                    entry.producer_id.0,
                    entry.first_offset.0,
                    entry.last_offset.0,
                    entry.last_stable_offset.0,
                ];
                [vec![0, 0], numbers.map(i64::to_be_bytes).concat()].concat()
            })
            .collect();
        assert_eq!(index, golden(&format!("{name}.txnindex")), "{name}");
        assert_eq!(partition.last_stable_offset(), partition.watermarks().log_end);
    }
    let log = golden("three-transactions.log");
    let first_segment: Vec<_> =
        Batches::new(&log).take_while(|batch| batch.header.base_offset < Offset(20)).collect();
    let (at_20, _) = replay(&log[..first_segment.iter().map(|batch| batch.bytes.len()).sum()]);
    assert_eq!(snapshot_bytes(&at_20), golden("three-transactions-at-20.snapshot")[6..]);
    let (whole, _) = replay(&golden("commit-and-abort.log"));
    assert_eq!(snapshot_bytes(&whole), golden("commit-and-abort.snapshot")[6..]);
}

/// The body of a producer snapshot file, behind version and checksum.
fn snapshot_bytes(partition: &Partition) -> Vec<u8> {
    let entries: Vec<_> = partition.producer_snapshot().collect();
    let mut out = (entries.len() as i32).to_be_bytes().to_vec();
    for entry in entries {
        out.extend_from_slice(&entry.producer_id.0.to_be_bytes());
        out.extend_from_slice(&entry.producer_epoch.0.to_be_bytes());
        out.extend_from_slice(&entry.last_sequence.0.to_be_bytes());
        out.extend_from_slice(&entry.last_offset.0.to_be_bytes());
        out.extend_from_slice(&entry.offset_delta.to_be_bytes());
        out.extend_from_slice(&entry.timestamp.0.to_be_bytes());
        out.extend_from_slice(&entry.coordinator_epoch.0.to_be_bytes());
        let open = entry.current_transaction_first_offset.map_or(-1, |offset| offset.0);
        out.extend_from_slice(&open.to_be_bytes());
    }
    out
}

fn bounded(ids_max: u32) -> Leader {
    let mut leader = Leader::new();
    leader.partition().set_producer_ids_max(ids_max);
    leader
}

fn knows(leader: &Leader, id: i64) -> bool {
    leader.partition.as_ref().unwrap().producers().get(ProducerId(id)).is_some()
}

#[test]
fn beyond_the_bound_who_wrote_longest_ago_is_forgotten_and_nobody_in_a_transaction() {
    let mut leader = bounded(80);
    leader.send(transactional(1, 0, 0)).unwrap();
    leader.send(transactional(2, 0, 0)).unwrap();
    leader.mark((2, 1), true, 0, 2).unwrap();
    leader.send(sent(3, 0, 0)).unwrap();
    let (mut in_use, mut snapshot) = (0, None);
    for id in 10..600 {
        leader.send(sent(id, 0, 0)).unwrap();
        if id % 20 == 0 {
            leader.send(sent(4, 0, in_use)).unwrap();
            in_use += 2;
        }
        if id == 400 {
            let partition = leader.partition.as_ref().unwrap();
            let end = partition.watermarks().log_end;
            snapshot = Some((leader.log.len(), end, partition.producer_snapshot().collect::<Vec<_>>()));
        }
        let known = leader.partition().producers().len();
        assert!((70..=80).contains(&known) || id < 80, "{known} producers after {id}");
    }
    let known = [1, 2, 3, 4, 10, 500, 540, 599].map(|id| knows(&leader, id));
    assert_eq!(known, [true, true, false, true, false, false, true, true]);
    assert_eq!(code(&leader.send(sent(599, 0, 9)).unwrap_err()), ErrorCode::OutOfOrderSequenceNumber);
    // Who was forgotten goes on where he was, as one who had expired.
    leader.send(sent(3, 0, 2)).unwrap();
    // A replay forgets the same, of all there is and from a snapshot on.
    let (at, end, producers) = snapshot.unwrap();
    for (at, end, producers) in [(0, Offset(0), Vec::new()), (at, end, producers)] {
        let restored = Restored {
            log_start: Offset(0),
            high_watermark: Offset(0),
            snapshot_offset: end,
            producers,
            leader_epochs: Vec::new(),
        };
        let mut rebuilt = Partition::restore(restored, NOW, Millis(i64::MAX));
        rebuilt.set_producer_ids_max(80);
        for batch in Batches::new(&leader.log[at..]) {
            rebuilt.replay(&batch).unwrap();
        }
        let known: Vec<_> = rebuilt.producer_snapshot().collect();
        assert_eq!(known, leader.partition().producer_snapshot().collect::<Vec<_>>());
    }
}

#[test]
fn open_transactions_stay_however_many_there_are() {
    let mut leader = bounded(8);
    for id in 0..40 {
        leader.send(transactional(id, 0, 0)).unwrap();
    }
    assert!((0..40).all(|id| knows(&leader, id)));
    leader.send(sent(50, 0, 0)).unwrap();
    assert!(knows(&leader, 50), "others are not forgotten for them at once");
    for id in 0..40 {
        leader.mark((id, 0), false, 0, 0).unwrap();
    }
    leader.send(sent(51, 0, 0)).unwrap();
    assert!(leader.partition().producers().len() <= 8 && knows(&leader, 51));
}

#[test]
fn a_bound_of_one_is_kept() {
    let mut leader = bounded(0);
    for id in 0..5 {
        leader.send(sent(id, 0, 0)).unwrap();
        assert!(leader.partition().producers().len() == 1 && knows(&leader, id));
    }
}
