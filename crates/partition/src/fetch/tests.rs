use protocol::id::NodeId;

use super::*;
use crate::delete_records::{DeleteRecordsRefusal, HIGH_WATERMARK};
use crate::testing::{EPOCH, Leader, PLAIN, Sent};

const FROM: FetchFrom = FetchFrom {
    offset: Offset(0),
    current_leader_epoch: LeaderEpoch::NONE,
    last_fetched_epoch: LeaderEpoch::NONE,
    isolation: Isolation::HighWatermark,
};

/// A log of 10 records from 4 on: replicated to 8, open from 6.
fn leader() -> Leader {
    let mut leader = Leader::new();
    leader.send(Sent { count: 6, ..PLAIN }).unwrap();
    leader.send(Sent { count: 4, transactional: true, producer: (7, 0, 0), ..PLAIN }).unwrap();
    // The watermark never goes back, so a machine is made that has not gone as far yet.
    let mut slow = Partition::empty(Offset(0));
    for batch in protocol::records::batches::Batches::new(&leader.log) {
        slow.replay(&batch).unwrap();
    }
    slow.restore_high_watermark(Offset(8));
    slow.become_leader(EPOCH, NodeId(1), 1, [NodeId(1), NodeId(2)]);
    slow.set_log_start(Offset(4));
    leader.partition = Some(slow);
    leader
}

#[test]
fn each_isolation_level_has_its_bound() {
    let mut leader = leader();
    for (isolation, upper) in
        [(Isolation::LogEnd, 10), (Isolation::HighWatermark, 8), (Isolation::LastStableOffset, 6)]
    {
        let bounds =
            leader.partition().fetch_bounds(FetchFrom { offset: Offset(5), isolation, ..FROM }).unwrap();
        assert_eq!(bounds.upper, Offset(upper), "{isolation:?}");
        assert_eq!((bounds.log_start, bounds.high_watermark), (Offset(4), Offset(8)));
        assert_eq!(bounds.last_stable_offset, Offset(6));
    }
}

#[test]
fn only_offsets_outside_of_the_log_are_out_of_range() {
    let mut leader = leader();
    for (offset, in_range) in [(-1, false), (3, false), (4, true), (9, true), (10, true), (11, false)] {
        let bounds = leader.partition().fetch_bounds(FetchFrom { offset: Offset(offset), ..FROM });
        assert_eq!(bounds.is_ok(), in_range, "offset {offset}");
        if let Err(refusal) = bounds {
            assert_eq!(ErrorCode::from(refusal), ErrorCode::OffsetOutOfRange);
        }
    }
}

#[test]
fn readers_of_another_epoch_are_told_so() {
    let mut leader = leader();
    for (epoch, expected) in [
        (-1, None),
        (2, Some(ErrorCode::FencedLeaderEpoch)),
        (3, None),
        (4, Some(ErrorCode::UnknownLeaderEpoch)),
    ] {
        let from = FetchFrom { offset: Offset(5), current_leader_epoch: LeaderEpoch(epoch), ..FROM };
        assert_eq!(
            leader.partition().fetch_bounds(from).err().map(ErrorCode::from),
            expected,
            "epoch {epoch}"
        );
    }
    leader.partition().become_follower(LeaderEpoch(5));
    let refusal = leader.partition().fetch_bounds(FetchFrom { offset: Offset(5), ..FROM }).unwrap_err();
    assert_eq!(ErrorCode::from(refusal), ErrorCode::NotLeaderOrFollower);
}

#[test]
fn a_reader_with_another_history_is_told_where_to_cut() {
    let mut leader = leader();
    leader.partition().become_leader(LeaderEpoch(6), NodeId(1), 1, [NodeId(1)]);
    let cases = [
        // Epoch 3 ended at 10, and the reader has no more of it.
        (3, 10, Ok(None)),
        (3, 11, Ok(Some((3, 10)))),
        // Nobody here has heard of epochs 4 and 5.
        (5, 10, Ok(Some((3, 10)))),
        (6, 10, Ok(None)),
        (7, 10, Err(ErrorCode::OffsetOutOfRange)),
        (3, 2, Err(ErrorCode::OffsetOutOfRange)),
    ];
    for (epoch, offset, expected) in cases {
        let from = FetchFrom { offset: Offset(offset), last_fetched_epoch: LeaderEpoch(epoch), ..FROM };
        let found = leader.partition().fetch_bounds(from).map_err(ErrorCode::from);
        let diverging = found.map(|bounds| bounds.diverging.map(|end| (end.epoch.0, end.end_offset.0)));
        assert_eq!(diverging, expected, "epoch {epoch} at {offset}");
    }
}

#[test]
fn a_leader_that_has_written_nothing_knows_where_its_epoch_begins() {
    let mut leader = leader();
    leader.partition().become_leader(LeaderEpoch(6), NodeId(1), 1, [NodeId(1)]);
    let end = leader.partition().end_offset_for_epoch(LeaderEpoch(6), EPOCH).unwrap().unwrap();
    assert_eq!((end.epoch, end.end_offset), (EPOCH, Offset(10)));
}

#[test]
fn records_are_deleted_up_to_the_high_watermark() {
    let mut leader = leader();
    for (offset, expected) in
        [(HIGH_WATERMARK.0, Ok(8)), (2, Ok(4)), (7, Ok(7)), (8, Ok(8)), (9, Err(())), (-2, Err(()))]
    {
        let decided = leader.partition().decide_delete_records(Offset(offset), true);
        assert_eq!(decided.map(|start| start.0).map_err(|_| ()), expected, "up to {offset}");
    }
    let refusal = leader.partition().decide_delete_records(Offset(5), false).unwrap_err();
    assert_eq!(refusal, DeleteRecordsRefusal::PolicyViolation);
}
