//! What else happens to a log while it is cleaned, at every place where the cleaner lets go of it.

use super::*;
use crate::disk::RealDisk;

/// Does something once, after so many blocks.
struct Meanwhile<F> {
    after: usize,
    act: F,
}

impl<F: FnMut()> Pace for Meanwhile<F> {
    fn go_on(&mut self, _bytes: u64) -> bool {
        if self.after == 0 {
            (self.act)();
        }
        self.after = self.after.wrapping_sub(1);
        true
    }

    /// Between two handfuls of renames, too.
    fn let_others_in(&mut self) {
        self.go_on(0);
    }
}

fn fill(log: &SharedLog<RealDisk>) {
    let filler = "v".repeat(300);
    for round in ["0", "1", "1", "1", "2", "3", "4"] {
        for key in ["a", "b", "c"] {
            put(log, &[(key, Some(round)), ("same", Some(&filler))]);
        }
        roll(log);
    }
}

/// Within the second segment, and where that begins.
const CUT: Offset = Offset(8);
const CUT_BASE: Offset = Offset(6);

const TINY: CleanerOptions = CleanerOptions { buffer_bytes: 1, ..OPTIONS };

fn cleaned_beside(
    bench: &Bench<RealDisk>,
    after: usize,
    mut act: impl FnMut(&SharedLog<RealDisk>),
) -> (SharedLog<RealDisk>, Result<Option<Cleaned>, CleanError>) {
    let log = bench.create();
    fill(&log);
    let cleanable = locked(&log).cleanable(NOW).unwrap().unwrap();
    let mut pace = Meanwhile { after, act: || act(&log) };
    let outcome = Cleaner::new(TINY).clean(&log, &cleanable, NOW, &mut pace);
    (log.clone(), outcome)
}

/// How many blocks a cleaning has in which nothing happens.
fn blocks() -> usize {
    let mut count = 0;
    struct Count<'a>(&'a mut usize);
    impl Pace for Count<'_> {
        fn go_on(&mut self, _bytes: u64) -> bool {
            *self.0 += 1;
            true
        }

        fn let_others_in(&mut self) {
            *self.0 += 1;
        }
    }
    let bench = Bench::new(RealDisk);
    let log = bench.create();
    fill(&log);
    let cleanable = locked(&log).cleanable(NOW).unwrap().unwrap();
    Cleaner::new(TINY).clean(&log, &cleanable, NOW, &mut Count(&mut count)).unwrap().unwrap();
    count
}

#[test]
fn appends_and_reads_go_on_beside_it() {
    for after in 0..blocks() {
        let bench = Bench::new(RealDisk);
        let (log, outcome) = cleaned_beside(&bench, after, |log| {
            put(log, &[("a", Some("meanwhile"))]);
            roll(log);
            assert!(!stored(log).is_empty());
        });
        outcome.unwrap().unwrap();
        let last: Vec<_> = stored(&log).into_iter().filter(|record| record.key == b"a").collect();
        assert_eq!(last.len(), 2, "what came meanwhile is for the next cleaning");
        assert_eq!(last[1].value.as_deref(), Some(&b"meanwhile"[..]));
    }
}

#[test]
fn a_truncation_calls_it_off() {
    for after in 0..blocks() {
        let bench = Bench::new(RealDisk);
        let (log, outcome) = cleaned_beside(&bench, after, |log| locked(log).truncate(CUT, NOW).unwrap());
        assert!(matches!(outcome, Err(CleanError::Aborted)), "{outcome:?}");
        // A batch in front of the cut may have gone already.
        let end = locked(&log).partition().watermarks().log_end;
        assert!((CUT_BASE..=CUT).contains(&end), "{end}");
        assert!(locked(&log).cleaned_to() <= Some(CUT_BASE));
        drop(log);
        let again = bench.reopen(RealDisk, CUT);
        assert_eq!(locked(&again).partition().watermarks().log_end, end, "nothing comes back");
    }
}

#[test]
fn a_readers_file_outlives_its_segment() {
    let bench = Bench::new(RealDisk);
    let log = bench.create();
    fill(&log);
    let end = locked(&log).partition().watermarks().log_end;
    let slice = locked(&log).read(Offset(0), end, 1 << 20, true).unwrap();
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    locked(&log).home().removals().run(&RealDisk, Timestamp(NOW.0 + 60_000)).unwrap();
    let mut held = vec![0; slice.length as usize];
    assert_eq!(read_up_to(&RealDisk, &slice.file, &mut held, slice.position).unwrap(), held.len());
    assert_eq!(Batches::new(&held).next().unwrap().header.count, 2);
}

#[test]
fn retention_takes_segments_from_under_it() {
    for after in 0..blocks() {
        let mut bench = Bench::new(RealDisk);
        bench.config.retention.delete = true;
        bench.config.retention.bytes = Some(1300);
        let (log, outcome) = cleaned_beside(&bench, after, |log| {
            locked(log).retain(NOW).unwrap();
        });
        outcome.unwrap().unwrap();
        let found = stored(&log);
        let last = found.iter().rfind(|record| record.key == b"c").unwrap();
        assert_eq!(last.value.as_deref(), Some(&b"4"[..]));
        assert!(locked(&log).partition().watermarks().log_start >= Offset(0));
    }
}

#[test]
fn another_policy_and_the_end_call_it_off() {
    for after in [0, 5, blocks() - 1] {
        let bench = Bench::new(RealDisk);
        let mut config = bench.config.clone();
        config.compaction.compact = false;
        let config = Arc::new(config);
        let (log, outcome) = cleaned_beside(&bench, after, |log| locked(log).set_config(Arc::clone(&config)));
        assert!(matches!(outcome, Err(CleanError::Aborted)), "{outcome:?}");
        let last = stored(&log).into_iter().rfind(|record| record.key == b"c").unwrap();
        assert_eq!(last.value.as_deref(), Some(&b"4"[..]));
        let bench = Bench::new(RealDisk);
        let (_, outcome) = cleaned_beside(&bench, after, |log| {
            locked(log).close().unwrap();
        });
        assert!(matches!(outcome, Err(CleanError::Aborted)), "{outcome:?}");
    }
}

#[test]
fn two_never_clean_one_log() {
    let bench = Bench::new(RealDisk);
    let (_, outcome) = cleaned_beside(&bench, 3, |log| {
        assert_eq!(locked(log).cleanable(NOW).unwrap(), None);
        assert!(locked(log).begin_cleaning().unwrap().is_none());
        // Whoever has come from a log that lay here before ends nothing and takes nothing away.
        let other = crate::log::Cleaning::new(locked(log).path().into());
        locked(log).end_cleaning(&other, Some(Offset(1)));
        locked(log).drop_cleaned(&other, &[Offset(0)]).unwrap();
        assert!(locked(log).begin_cleaning().unwrap().is_none());
    });
    outcome.unwrap().unwrap();
}

#[test]
fn what_was_called_off_at_its_very_end_counts_for_nothing() {
    let bench = Bench::new(RealDisk);
    let log = bench.create();
    fill(&log);
    let cleaning = locked(&log).begin_cleaning().unwrap().unwrap();
    let end = locked(&log).partition().watermarks().log_end;
    locked(&log).truncate(CUT, NOW).unwrap();
    assert!(!locked(&log).end_cleaning(&cleaning, Some(end)));
    assert_eq!(locked(&log).cleaned_to(), None);
    assert!(locked(&log).begin_cleaning().unwrap().is_some(), "the next one may begin");
}

fn begun(log: &Log<RealDisk>, cleaning: &Cleaning, base: Offset) -> Segment<RealDisk> {
    Segment::create_cleaned(log.home().descriptors(), cleaning.directory(), base, NOW).unwrap()
}

/// Between the moment when a segment takes the place of others and the moment when it has their names, all there is of them
/// lies under a name that a compaction called off would clear away.
#[test]
fn calling_it_off_leaves_a_segment_that_has_taken_its_place() {
    let bench = Bench::new(RealDisk);
    let log = bench.create();
    fill(&log);
    let before = bytes(&log);
    {
        let mut log = locked(&log);
        let base = log.bases(Offset(0), Offset(i64::MAX))[0];
        let cleaning = log.begin_cleaning().unwrap().unwrap();
        let mut cleaned = begun(&log, &cleaning, base);
        let source = log.source(base, base).unwrap().unwrap();
        let mut batches = vec![0; source.size as usize];
        crate::whole_file::read_up_to(&RealDisk, &source.file, &mut batches, 0).unwrap();
        cleaned.append(&batches, 100).unwrap();
        cleaned.finish().unwrap();
        cleaning.names().unwrap().offer(&bench.home, &mut cleaned).unwrap();
        let rewritten = vec![Rewritten { segment: cleaned, bases: vec![base] }];
        let replaced = log.replace_segments(&cleaning, rewritten, NOW).unwrap().unwrap();
        assert_eq!((replaced.gone.len(), replaced.refused), (1, Vec::new()));
        let mut config = LogConfig::clone(log.config());
        config.compaction.compact = false;
        log.set_config(Arc::new(config));
        assert!(cleaning.is_aborted() && cleaning.names().is_none());
    }
    assert_eq!(bytes(&log), before);
    let high_watermark = locked(&log).partition().watermarks().high_watermark;
    drop(log);
    assert_eq!(bytes(&bench.reopen(RealDisk, high_watermark)), before);
}

/// A segment that was offered, and then not taken, is gone before anybody may write what it would take the place of.
#[test]
fn calling_it_off_takes_back_what_was_offered() {
    let bench = Bench::new(RealDisk);
    let log = bench.create();
    fill(&log);
    let before = bytes(&log);
    {
        let mut log = locked(&log);
        let base = log.bases(Offset(0), Offset(i64::MAX))[0];
        let cleaning = log.begin_cleaning().unwrap().unwrap();
        let mut cleaned = begun(&log, &cleaning, base);
        cleaned.finish().unwrap();
        cleaning.names().unwrap().offer(&bench.home, &mut cleaned).unwrap();
        let mut config = LogConfig::clone(log.config());
        config.compaction.compact = false;
        log.set_config(Arc::new(config));
        let rewritten = vec![Rewritten { segment: cleaned, bases: vec![base] }];
        assert!(log.replace_segments(&cleaning, rewritten, NOW).unwrap().is_none());
    }
    let names = std::fs::read_dir(bench.temp.path().join("t-0")).unwrap();
    let left = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.ends_with(".swap")).collect::<Vec<_>>(), Vec::<String>::new());
    let high_watermark = locked(&log).partition().watermarks().high_watermark;
    drop(log);
    assert_eq!(bytes(&bench.reopen(RealDisk, high_watermark)), before);
}

#[test]
fn snapshots_of_segments_that_are_no_more_go_with_them() {
    let bench = Bench::new(RealDisk);
    let log = bench.create();
    fill(&log);
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    let before = locked(&log).segment_count();
    // What is left of them is so little now that they become one.
    put(&log, &[("a", Some("last"))]);
    roll(&log);
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    let mut kept = locked(&log).bases(Offset(0), Offset(i64::MAX));
    assert!(kept.len() + 2 < before, "{kept:?} of {before}");
    kept.push(locked(&log).partition().watermarks().log_end);
    let kept: Vec<_> = kept.iter().map(|base| format!("{:020}.snapshot", base.0)).collect();
    let names = std::fs::read_dir(bench.temp.path().join("t-0")).unwrap();
    for name in names.map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
        assert!(!name.ends_with(".snapshot") || kept.contains(&name), "{name} beside {kept:?}");
    }
}

/// What retention leaves of the segments that were to become one is not written anew: the next cleaning has to look at it
/// with all that this one had looked for.
#[test]
fn a_group_that_retention_took_from_is_cleaned_the_next_time() {
    let (filler, mut left) = ("v".repeat(300), 0);
    for after in 0.. {
        let mut bench = Bench::new(RealDisk);
        bench.config.retention.delete = true;
        let log = bench.create();
        for key in ["first", "second", "third"] {
            for _ in 0..3 {
                put(&log, &[("same", Some(&filler))]);
            }
            put(&log, &[(key, Some("old"))]);
            roll(&log);
        }
        // So little is left of them that they are to become one.
        clean(&log, OPTIONS, NOW).unwrap().unwrap();
        for key in ["second", "third"] {
            put(&log, &[(key, Some("new"))]);
        }
        roll(&log);
        let cleanable = locked(&log).cleanable(NOW).unwrap().unwrap();
        let mut acted = false;
        let act = || {
            let mut log = locked(&log);
            log.delete_records(Offset(4)).unwrap();
            acted |= !log.retain(NOW).unwrap().reasons.is_empty();
        };
        Cleaner::new(TINY).clean(&log, &cleanable, NOW, &mut Meanwhile { after, act }).unwrap().unwrap();
        let is_old = |record: &Stored| record.key != b"same" && record.value.as_deref() == Some(b"old");
        left += stored(&log).iter().filter(|record| is_old(record)).count();
        put(&log, &[("last", Some("1"))]);
        roll(&log);
        clean(&log, OPTIONS, NOW).unwrap().unwrap();
        let found = stored(&log).into_iter().filter(|record| is_old(record) && record.key != b"first");
        assert_eq!(found.count(), 0, "after {after} blocks");
        if !acted {
            break;
        }
    }
    assert!(left > 0, "retention never came between");
}
