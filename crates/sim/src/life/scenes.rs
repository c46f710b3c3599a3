//! Short lives, each about one thing that is easily got wrong.

use super::step::{By, Step, Step::*};

/// What it is about, in which topic, and what happens once there is something in that.
type Scene = (&'static str, u8, Vec<Step>);

/// All of them: what each is about, how many steps lead up to it, and all of its steps.
pub fn scenes() -> Vec<(&'static str, usize, Vec<Step>)> {
    let scene = |(scene, topic, more): Scene| {
        let mut steps = filled(topic);
        let front = steps.len();
        steps.extend(more);
        (scene, front, steps)
    };
    let all = of_one_log().into_iter().chain(of_logs_that_come_and_move());
    all.chain(of_compacted_logs_that_move()).map(scene).collect()
}

/// A topic with batches of every kind in it.
fn filled(topic: u8) -> Vec<Step> {
    let mut steps = vec![Create(topic)];
    for producer in [1, 2] {
        steps.extend([Append(topic, By::Idempotent(producer)), Append(topic, By::Transactional(5))]);
    }
    steps.extend([Append(topic, By::Anybody), End(topic, 5, false), Append(topic, By::Transactional(6))]);
    steps.extend([Commit, Background, HighWatermarks]);
    steps
}

fn append(topic: u8) -> Step {
    Append(topic, By::Anybody)
}

fn of_one_log() -> Vec<Scene> {
    vec![
        (
            "the recovery point at the very end of a segment whose indexes are not on stable storage",
            1,
            vec![RecoveryPoints, Roll(1), append(1), RecoveryPoints, append(1), RecoveryPoints],
        ),
        (
            "a segment that is recovered beside indexes of an earlier life",
            0,
            vec![CleanRestart, append(0), append(0), Roll(0), append(0), Kill, append(0), CleanRestart],
        ),
        (
            "segments dropped by a name that is not on stable storage",
            0,
            vec![
                Roll(0),
                append(0),
                Background,
                DeleteRecords(0, 7),
                Retain,
                LogStarts,
                append(0),
                LogStarts,
            ],
        ),
        (
            "a segment that begins where there is a snapshot of the producers already",
            1,
            vec![CleanRestart, Roll(1), append(1), Commit, append(1), Commit],
        ),
        (
            "a tail that was flushed, cut away, and another written in its place",
            1,
            vec![RecoveryPoints, Follow(1, 4), append(1), Roll(1), append(1), append(1)],
        ),
        (
            "a log that begins anew behind its end",
            1,
            vec![RecoveryPoints, LogStarts, Restart(1), append(1), LogStarts, Commit, RecoveryPoints],
        ),
        (
            "a topic made anew",
            1,
            vec![RecoveryPoints, DeleteRecords(1, 4), Delete(1), Create(1), append(1), Commit, RemoveDue],
        ),
    ]
}

fn of_logs_that_come_and_move() -> Vec<Scene> {
    vec![
        (
            "a record before the log has files, and files before all of it is cut away",
            0,
            vec![Delete(0), Create(0), append(0), MakePlanned, Follow(0, 1), append(0), Kill, append(0)],
        ),
        (
            "a record before the log has files, which then moves",
            2,
            vec![
                Delete(2),
                Create(2),
                append(2),
                Kill,
                Move(2),
                Copy,
                append(2),
                Arrive,
                Delete(2),
                Create(2),
            ],
        ),
        (
            "a replica that moves",
            1,
            vec![
                RecoveryPoints,
                DeleteRecords(1, 5),
                Move(1),
                Copy,
                append(1),
                Copy,
                Arrive,
                append(1),
                Commit,
            ],
        ),
        (
            "a replica that moves while its tail is cut away and written anew",
            0,
            vec![Move(0), Copy, Copy, Copy, Follow(0, 2), append(0), append(0), append(0), Copy, Arrive],
        ),
        (
            "a replica that moves while it loses what was not synced",
            0,
            vec![Move(0), append(0), append(0), Copy, Copy, Copy, Copy, Kill, append(0), append(0), Arrive],
        ),
    ]
}

fn of_compacted_logs_that_move() -> Vec<Scene> {
    // What lies behind an open transaction is not compacted, and the front of each life leaves one.
    let forgotten = |topic| vec![End(topic, 6, true), Forget(topic), append(topic)];
    let to_the_end = |topic| {
        let again = [append(topic), Roll(topic), Compact];
        [vec![Compact, Copy, append(topic), Arrive], again.to_vec(), vec![RemoveDue], again.to_vec()].concat()
    };
    vec![
        (
            "a log that would be compacted while its replica moves, and is to the end after that",
            4,
            [forgotten(4), vec![Move(4)], vec![Copy; 16], to_the_end(4)].concat(),
        ),
        (
            "a replica that begins to move while its log is compacted",
            5,
            [forgotten(5), vec![CompactMoving(5)], to_the_end(5)].concat(),
        ),
    ]
}
