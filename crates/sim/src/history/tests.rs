//! Histories with one thing wrong, each of which must be called by its name and by no other.

use super::*;

/// One operation: who, what became of it, and what it did: `s` send, `r` read, `k` seek, `d` delete, `x` drop; then key,
/// value and `@` offset, as in `s1.40@7`.
fn operation(process: u32, outcome: Outcome, actions: &str, at: u64) -> Operation {
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{text} is no number"));
    let actions = actions.split_whitespace().map(|word| {
        let (kind, rest) = word.split_at(1);
        let (place, offset) =
            rest.split_once('@').map_or((rest, None), |(place, at)| (place, Some(number(at) as i64)));
        let (key, value) = place.split_once('.').unwrap_or((place, "0"));
        let (key, value) = (Key(number(key) as u32), Value(number(value)));
        match kind {
            "s" => Action::Send { key, value, offset },
            "r" => Action::Read { key, value, offset: offset.unwrap() },
            "k" => Action::Seek { key },
            "d" => Action::Delete { key, before: offset.unwrap() },
            "x" => Action::Drop { key },
            other => panic!("no action {other}"),
        }
    });
    Operation {
        process: Process(process),
        began: at * 10,
        ended: at * 10 + 5,
        outcome,
        actions: actions.collect(),
    }
}

/// A history of lines such as `1 ok s1.40@7 s1.41@8`.
fn history(text: &str) -> Vec<Operation> {
    let lines = text.split(';').map(str::trim).filter(|line| !line.is_empty());
    lines
        .enumerate()
        .map(|(at, line)| {
            let mut words = line.splitn(3, ' ');
            let process = words.next().unwrap().parse().unwrap();
            let outcome = match words.next().unwrap() {
                "ok" => Outcome::Ok,
                "fail" => Outcome::Fail,
                "info" => Outcome::Info,
                other => panic!("no outcome {other}"),
            };
            operation(process, outcome, words.next().unwrap_or_default(), at as u64)
        })
        .collect()
}

const STRICT: Expect = Expect { duplicates: false, rebalances: false, read_to_the_end: true };

fn found(text: &str, expect: Expect) -> Vec<Anomaly> {
    check(&history(text), expect)
}

const K: Key = Key(1);

#[test]
fn histories_without_fault_have_none() {
    let table = [
        ("nothing", ""),
        ("a send and its read", "1 ok s1.10@0; 2 ok r1.10@0"),
        ("a send of unknown outcome that is not there", "1 ok s1.10@0; 1 info s1.11; 2 ok r1.10@0"),
        ("a send of unknown outcome that is there", "1 info s1.10; 1 ok s1.11@1; 2 ok r1.10@0 r1.11@1"),
        ("a send that failed and is not there", "1 fail s1.10; 1 ok s1.11@0; 2 ok r1.11@0"),
        ("holes between offsets", "1 ok s1.10@0 s1.11@5; 2 ok r1.10@0 r1.11@5"),
        (
            "two senders that take turns",
            "1 ok s1.10@0; 2 ok s1.20@1; 1 ok s1.11@2; 3 ok r1.10@0 r1.20@1 r1.11@2",
        ),
        ("the same values under other keys", "1 ok s1.10@0 s2.10@0; 2 ok r1.10@0 r2.10@0"),
        ("a reader that sought", "1 ok s1.10@0 s1.11@1; 2 ok r1.10@0 r1.11@1; 2 ok k1 r1.10@0"),
        ("records that were deleted unread", "1 ok s1.10@0 s1.11@1; 3 ok d1@1; 2 ok r1.11@1"),
        (
            "deleted records between two reads",
            "1 ok s1.10@0 s1.11@1 s1.12@2; 2 ok r1.10@0; 3 ok d1@2; 2 ok r1.12@2",
        ),
        ("a deletion of unknown outcome", "1 ok s1.10@0 s1.11@1; 3 info d1@1; 2 ok r1.11@1"),
        ("a read before the deletion was answered", "1 ok s1.10@0; 2 ok r1.10@0; 3 ok d1@1"),
        ("a topic that was deleted", "1 ok s1.10@0; 3 ok x1"),
        (
            "a retry that was told no offset and lies before a deletion",
            "1 ok s1.10; 1 ok s1.11@1; 3 ok d1@1; 2 ok r1.11@1",
        ),
        ("transactions that read each other's past", "1 ok s1.10@0 r2.20@0; 2 ok s2.20@0; 3 ok r1.10@0"),
    ];
    for (what, text) in table {
        assert_eq!(found(text, STRICT), [], "{what}");
    }
}

#[test]
fn each_anomaly_is_called_by_its_name() {
    use Anomaly::*;
    let (v, p) = (Value, Process);
    let table: Vec<(&str, Vec<Anomaly>)> = vec![
        // Offsets.
        (
            "1 ok s1.10@0; 1 ok s1.11@1; 2 ok r1.10@0 r1.11@1; 3 ok r1.11@0",
            vec![InconsistentOffsets(K, 0, vec![v(10), v(11)]), Duplicate(K, v(11), vec![0, 1])],
        ),
        (
            "1 ok s1.10@0; 2 ok s1.20@0; 3 ok r1.10@0; 4 ok r1.20@0",
            vec![InconsistentOffsets(K, 0, vec![v(10), v(20)])],
        ),
        ("1 ok s1.10@3; 2 ok r1.10@4", vec![Misplaced(K, v(10), 3)]),
        // Copies.
        ("1 ok s1.10@0; 2 ok r1.10@0 r1.10@1", vec![Duplicate(K, v(10), vec![0, 1])]),
        ("1 info s1.10; 2 ok r1.10@0 r1.10@1", vec![Duplicate(K, v(10), vec![0, 1])]),
        // Losses.
        ("1 ok s1.10@0; 1 ok s1.11@1; 2 ok r1.11@1", vec![LostWrite(K, v(10))]),
        ("1 ok s1.10@0 s1.11@1; 1 ok s1.12@2; 2 ok r1.10@0 ; 3 ok r1.12@2", vec![LostWrite(K, v(11))]),
        ("1 info s1.10@0 s1.11@1; 1 ok s1.12@2; 2 ok r1.10@0; 3 ok r1.12@2", vec![LostWrite(K, v(11))]),
        ("1 ok s1.10@0; 1 ok s1.11@1; 2 ok r1.10@0", vec![Unseen(K, v(11))]),
        ("1 ok s1.10", vec![Unseen(K, v(10))]),
        ("1 ok s1.10@0 s1.11@1; 3 ok d1@1; 4 ok", vec![Unseen(K, v(11))]),
        // What was never there.
        ("2 ok r1.10@0", vec![Invented(K, v(10))]),
        ("1 ok s2.10@0; 2 ok r1.10@0 r2.10@0", vec![Invented(K, v(10))]),
        ("1 fail s1.10; 2 ok r1.10@0", vec![AbortedRead(K, v(10))]),
        ("1 ok s1.10@0 r1.10@0; 2 ok r1.10@0", vec![PrecommittedRead(K, v(10))]),
        // What was gone.
        ("1 ok s1.10@0 s1.11@1; 3 ok d1@1; 2 ok r1.10@0 r1.11@1", vec![DeletedRead(K, v(10), 0)]),
        ("1 ok s1.10@0; 3 ok x1; 2 ok r1.10@0", vec![DeletedRead(K, v(10), 0)]),
        // Readers.
        (
            "1 ok s1.10@0 s1.11@1 s1.12@2; 2 ok r1.10@0 r1.12@2; 3 ok r1.11@1",
            vec![InternalPollSkip(p(2), K, v(12))],
        ),
        ("1 ok s1.10@0 s1.11@1; 2 ok r1.11@1 r1.10@0", vec![InternalNonmonotonicPoll(p(2), K, v(10))]),
        ("1 ok s1.10@0; 2 ok r1.10@0 r1.10@0", vec![InternalNonmonotonicPoll(p(2), K, v(10))]),
        (
            "1 ok s1.10@0 s1.11@1 s1.12@2; 2 ok r1.10@0; 2 ok r1.12@2; 3 ok r1.11@1",
            vec![PollSkip(p(2), K, v(12))],
        ),
        ("1 ok s1.10@0 s1.11@1; 2 ok r1.10@0 r1.11@1; 2 ok r1.10@0", vec![NonmonotonicPoll(p(2), K, v(10))]),
        (
            "1 ok s1.10@0 s1.11@1; 2 ok r1.10@0; 2 ok r1.10@0; 3 ok r1.11@1",
            vec![NonmonotonicPoll(p(2), K, v(10))],
        ),
        // Senders.
        ("1 ok s1.11@1 s1.10@0; 2 ok r1.10@0 r1.11@1", vec![InternalNonmonotonicSend(p(1), K, v(10))]),
        ("1 ok s1.11@1; 1 ok s1.10@0; 2 ok r1.10@0 r1.11@1", vec![NonmonotonicSend(p(1), K, v(10))]),
        ("1 ok s1.10; 1 ok s1.11; 2 ok r1.11@0 r1.10@1", vec![NonmonotonicSend(p(1), K, v(11))]),
        // Circles.
        ("1 ok s1.10@0 r2.20@0; 2 ok s2.20@0 r1.10@0", vec![Cycle(vec![0, 1])]),
        ("1 ok s1.10@0 r3.30@0; 2 ok s2.20@0 r1.10@0; 3 ok s3.30@0 r2.20@0", vec![Cycle(vec![0, 2, 1])]),
    ];
    for (text, expected) in table {
        assert_eq!(found(text, STRICT), expected, "{text}");
    }
}

#[test]
fn what_is_to_be_expected_is_no_anomaly() {
    let copies = Expect { duplicates: true, ..STRICT };
    assert_eq!(found("1 ok s1.10@0; 2 ok r1.10@0 r1.10@1", copies), []);
    let assigned = Expect { rebalances: true, ..STRICT };
    assert_eq!(found("1 ok s1.10@0 s1.11@1; 2 ok r1.10@0 r1.11@1; 2 ok r1.10@0", assigned), []);
    let unfinished = Expect { read_to_the_end: false, ..STRICT };
    assert_eq!(found("1 ok s1.10@0; 1 ok s1.11@1; 2 ok r1.10@0", unfinished), []);
}

#[test]
fn a_history_is_the_same_after_it_was_written_down() {
    let told = history("1 ok s1.10@0 s1.11; 2 info r1.10@0 k1; 3 fail d1@7 x2");
    let text = write_lines(&told);
    assert_eq!(text.lines().count(), 3);
    assert_eq!(read_lines(&text).unwrap(), told);
    assert_eq!(read_lines("{}").unwrap_err(), "line 1 is no operation: {}");
}
