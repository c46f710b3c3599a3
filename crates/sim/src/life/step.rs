//! What happens in a life, step by step: one script that has everything, and any number of random ones.

use crate::dice::Dice;

/// One thing that happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A topic is made, if there is none of this number. Odd numbers ask for durable acknowledgements, and so do 4
    /// and 5, which are compacted.
    Create(u8),
    /// A batch is written to a topic.
    Append(u8, By),
    /// The last batch of a producer comes once more.
    Retry(u8, u8),
    /// A coordinator ends a producer's transaction.
    End(u8, u8, bool),
    /// The thread that waiting appends wait for has its turn.
    Commit,
    /// The thread that makes files durable at leisure has its turn.
    Background,
    /// The active segment is ended.
    Roll(u8),
    /// What retention does not keep goes.
    Retain,
    /// The dirtiest compacted log is compacted.
    Compact,
    /// The same, and in the midst of it a replica begins to move, and what there is of it is copied.
    CompactMoving(u8),
    /// A key is written and deleted again.
    Forget(u8),
    /// A client has the front of a topic deleted: so many of eight parts of it.
    DeleteRecords(u8, u8),
    /// The log follows another leader, which has it cut back by some batches, and copies others from it.
    Follow(u8, u8),
    /// The log begins anew behind its end, as a follower's does that has fallen behind its leader's start.
    Restart(u8),
    /// A replica begins to move to the other log directory.
    Move(u8),
    /// Of each replica on its way a piece is copied.
    Copy,
    /// Each replica on its way arrives.
    Arrive,
    /// A replica's move is given up.
    Stay(u8),
    /// A topic is deleted.
    Delete(u8),
    /// What was deleted long enough ago is removed.
    RemoveDue,
    /// One log that was planned gets its files.
    MakePlanned,
    /// The recovery points are written.
    RecoveryPoints,
    /// The high watermarks are written.
    HighWatermarks,
    /// The log starts are written.
    LogStarts,
    /// `flush.ms` has passed.
    FlushDue,
    /// The metadata is written out as a snapshot.
    Snapshot,
    /// A record in the metadata log that is not committed is cut away by a new leader.
    MetadataTruncate,
    /// The quorum has an election.
    Election,
    /// The node ends cleanly and starts again.
    CleanRestart,
    /// The process is killed and starts again.
    Kill,
}

/// Who writes a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// Somebody without an id.
    Anybody,
    /// A producer of this number that wants each batch once.
    Idempotent(u8),
    /// A producer of this number in a transaction.
    Transactional(u8),
}

/// How many topics a life knows.
pub const TOPICS: u8 = 6;

/// The life that has everything.
pub fn scripted() -> Vec<Step> {
    use Step::*;
    let mut steps = vec![Create(0), Create(1), HighWatermarks];
    for round in 0..4 {
        for topic in [0, 1] {
            steps.extend([
                Append(topic, By::Anybody),
                Append(topic, By::Idempotent(1)),
                Commit,
                Append(topic, By::Transactional(5)),
                Append(topic, By::Idempotent(2)),
                Retry(topic, 1),
                Append(topic, By::Transactional(6)),
                End(topic, 5, round % 2 == 0),
                Append(topic, By::Anybody),
                Commit,
            ]);
        }
        steps.extend([Background, RecoveryPoints, LogStarts, Election]);
    }
    // The recovery point at the very end of a segment that is then rolled.
    for topic in [0, 1] {
        steps.extend([Append(topic, By::Transactional(5)), Append(topic, By::Anybody), End(topic, 5, false)]);
        steps.extend([Background, Commit, FlushDue, Background, RecoveryPoints, Roll(topic)]);
    }
    steps.extend([Append(0, By::Anybody), Append(1, By::Anybody), Background, Commit, RecoveryPoints]);
    // What comes in the place of a tail that was flushed is not.
    for topic in [0, 1] {
        steps.extend([
            Follow(topic, 5),
            Append(topic, By::Anybody),
            Roll(topic),
            Append(topic, By::Idempotent(1)),
        ]);
    }
    steps.extend([Election, Background, Commit]);
    // Deleted records in segments whose names are still in doubt.
    steps.extend([DeleteRecords(0, 6), DeleteRecords(1, 7), Retain, LogStarts, Election, Commit]);
    steps.extend([Roll(0), Roll(1), Append(0, By::Idempotent(1)), DeleteRecords(0, 3), DeleteRecords(1, 2)]);
    steps.extend([Retain, RemoveDue, Snapshot, Create(2), Append(2, By::Idempotent(3)), Commit]);
    steps.extend([Follow(0, 2), Append(0, By::Anybody), Follow(1, 1), Append(1, By::Idempotent(1)), Commit]);
    steps.extend([CleanRestart, Append(0, By::Idempotent(2)), Append(1, By::Transactional(5)), Commit]);
    steps.extend([MetadataTruncate, HighWatermarks, FlushDue, Background, RecoveryPoints, Restart(2)]);
    steps.extend([Append(2, By::Anybody), Delete(1), Create(1), Append(1, By::Idempotent(1)), Commit]);
    steps.extend([Append(1, By::Anybody), DeleteRecords(1, 4), Delete(0), Create(3), Append(3, By::Anybody)]);
    steps.extend([Commit, RemoveDue, Create(0), Append(0, By::Transactional(6)), Kill]);
    for topic in [0, 1, 3] {
        steps.extend([
            Append(topic, By::Idempotent(4)),
            Commit,
            Append(topic, By::Idempotent(4)),
            Roll(topic),
        ]);
        steps.extend([Append(topic, By::Transactional(7)), End(topic, 7, false), Background, Commit]);
    }
    steps.extend([RecoveryPoints, Snapshot, Retain, Election, Follow(3, 3), Append(3, By::Anybody), Commit]);
    first_records(&mut steps);
    compactions(&mut steps);
    steps.extend([
        Move(3),
        Move(4),
        Copy,
        Append(3, By::Anybody),
        Append(4, By::Idempotent(1)),
        Copy,
        Arrive,
    ]);
    steps.extend([Append(3, By::Anybody), Append(4, By::Anybody), Commit, RemoveDue, RecoveryPoints]);
    steps.extend([Move(0), Copy, Stay(0), Append(5, By::Anybody), Roll(5), CompactMoving(5), Copy]);
    steps.extend([CleanRestart, Append(3, By::Idempotent(4)), Retry(3, 4), CleanRestart]);
    steps
}

/// Logs that have a record before they have files.
fn first_records(steps: &mut Vec<Step>) {
    use Step::*;
    let anew = |topic| [Delete(topic), Create(topic), Append(topic, By::Idempotent(2))];
    for topic in [0, 2] {
        steps.extend(anew(topic));
    }
    steps.extend([Kill, MakePlanned, Kill, Append(0, By::Idempotent(2)), Append(2, By::Anybody)]);
    for topic in [0, 2] {
        steps.extend(anew(topic));
    }
    steps.extend([DeleteRecords(0, 8), Follow(2, 3), Kill, Append(2, By::Anybody), Append(0, By::Anybody)]);
    steps.extend(anew(2));
    steps.extend([Restart(2), Kill, FlushDue, Background, RecoveryPoints]);
    steps.extend(anew(0));
    steps.extend([MakePlanned, MakePlanned, CleanRestart, Retry(0, 2)]);
    steps.extend(anew(0));
    steps.extend([CleanRestart, Append(0, By::Idempotent(2)), Background]);
}

/// Logs that are compacted while they are written to.
fn compactions(steps: &mut Vec<Step>) {
    use Step::*;
    steps.extend([Create(4), Create(5)]);
    for round in 0..4 {
        for topic in [4, 5] {
            for producer in 1..=3 {
                steps.extend([Append(topic, By::Idempotent(producer)), Append(topic, By::Anybody)]);
            }
            steps.extend([Append(topic, By::Transactional(5)), Append(topic, By::Transactional(6))]);
            steps.extend([Commit, Append(topic, By::Anybody), Retry(topic, 2), End(topic, 5, round == 1)]);
            steps.extend([Append(topic, By::Anybody), End(topic, 6, round == 2)]);
        }
        steps.extend([Forget(4 + round % 2), Background, RecoveryPoints, Compact, Compact, RemoveDue]);
        if round == 2 {
            steps.extend([Follow(4, 2), Kill]);
        }
    }
}

/// A life by chance.
pub fn random(seed: u64) -> Vec<Step> {
    let mut dice = Dice::new(seed);
    let length = 20 + dice.place(100);
    // Each life has its own leanings, so that rare things meet each other.
    let weights: Vec<u64> = KINDS.iter().map(|(weight, _)| dice.below(3) * weight).collect();
    let total: u64 = weights.iter().sum::<u64>() + 60;
    let mut steps = vec![Step::Create(dice.place(6) as u8), Step::Create(dice.place(6) as u8)];
    while steps.len() < length {
        let mut throw = dice.below(total);
        let kind = weights.iter().position(|weight| {
            let hit = throw < *weight;
            throw = throw.saturating_sub(*weight);
            hit
        });
        let topic = dice.place(usize::from(TOPICS)) as u8;
        steps.push(match kind {
            Some(kind) => KINDS[kind].1(topic, &mut dice),
            None => append(topic, &mut dice),
        });
    }
    steps
}

type Make = fn(u8, &mut Dice) -> Step;

/// How often things happen beside appends, and how.
const KINDS: &[(u64, Make)] = &[
    (3, |topic, _| Step::Create(topic)),
    (3, |topic, dice| Step::Retry(topic, 1 + dice.place(4) as u8)),
    (6, |topic, dice| Step::End(topic, 5 + dice.place(3) as u8, dice.percent(50))),
    (15, |_, _| Step::Commit),
    (8, |_, _| Step::Background),
    (3, |topic, _| Step::Roll(topic)),
    (3, |_, _| Step::Retain),
    (4, |_, _| Step::Compact),
    (2, |topic, _| Step::CompactMoving(topic)),
    (2, |topic, _| Step::Forget(topic)),
    (3, |topic, dice| Step::DeleteRecords(topic, 1 + dice.place(8) as u8)),
    (3, |topic, dice| Step::Follow(topic, dice.place(5) as u8)),
    (1, |topic, _| Step::Restart(topic)),
    (3, |topic, _| Step::Move(topic)),
    (4, |_, _| Step::Copy),
    (2, |_, _| Step::Arrive),
    (1, |topic, _| Step::Stay(topic)),
    (2, |topic, _| Step::Delete(topic)),
    (2, |_, _| Step::RemoveDue),
    (4, |_, _| Step::MakePlanned),
    (5, |_, _| Step::RecoveryPoints),
    (2, |_, _| Step::HighWatermarks),
    (2, |_, _| Step::LogStarts),
    (2, |_, _| Step::FlushDue),
    (2, |_, _| Step::Snapshot),
    (2, |_, _| Step::MetadataTruncate),
    (2, |_, _| Step::Election),
    (2, |_, _| Step::CleanRestart),
    (2, |_, _| Step::Kill),
];

fn append(topic: u8, dice: &mut Dice) -> Step {
    let by = match dice.place(4) {
        0 => By::Anybody,
        1 | 2 => By::Idempotent(1 + dice.place(4) as u8),
        _ => By::Transactional(5 + dice.place(3) as u8),
    };
    Step::Append(topic, by)
}

#[cfg(test)]
mod tests {
    use std::mem::discriminant;

    use super::*;

    #[test]
    fn the_life_that_has_everything_has_everything() {
        let (steps, mut dice) = (scripted(), Dice::new(1));
        for (_, make) in KINDS {
            let kind = make(0, &mut dice);
            assert!(steps.iter().any(|step| discriminant(step) == discriminant(&kind)), "{kind:?}");
        }
    }
}
