//! Lives that are cut short. `HEADWATER_POWER_CUTS=all` cuts the scripted life before every change with every fate, and
//! 2,000 random ones; without it 200 moments are picked from both. Scenes are always cut everywhere.

use rustix::io::Errno;
use sim::life::{Cut, Lived, random, scenes, scripted};
use sim::{Dice, Fate, SimulatedDisk, Verb};
use storage::first_records::FIRST_RECORDS;

fn long() -> bool {
    std::env::var("HEADWATER_POWER_CUTS").is_ok_and(|value| value == "all")
}

fn honest(_: &SimulatedDisk) {}

fn uncut(steps: Vec<sim::life::Step>, seed: u64) -> Cut {
    Cut { steps, at: None, fate: Fate::Kept, life: seed, seed, error: None }
}

/// Runs cuts on both processors; the first that fails ends it. Says how many recoveries began within a segment.
fn all_live(cuts: &[Cut], prepare: impl Fn(&SimulatedDisk) + Sync) -> usize {
    let (next, resumed) = (std::sync::atomic::AtomicUsize::new(0), std::sync::atomic::AtomicUsize::new(0));
    let failed = std::sync::Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(cut) = cuts.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    match cut.live(&prepare) {
                        Ok(lived) => {
                            resumed.fetch_add(lived.resumed, std::sync::atomic::Ordering::Relaxed);
                        }
                        Err(reason) => {
                            failed.lock().expect("nobody panics").get_or_insert(reason);
                            next.store(cuts.len(), std::sync::atomic::Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    if let Some(reason) = failed.into_inner().expect("nobody panics") {
        panic!("{reason}");
    }
    resumed.into_inner()
}

#[test]
fn a_life_that_is_not_cut_holds_together() {
    let Lived { changes, batches, .. } = uncut(scripted(), 1).live(honest).unwrap();
    assert!(changes > 250 && batches > 70, "{changes} changes and {batches} batches are few");
    for seed in 0..20 {
        uncut(random(seed), seed).live(honest).unwrap();
    }
}

#[test]
fn a_life_is_the_same_twice() {
    let life = || uncut(scripted(), 5).live(honest).unwrap();
    assert_eq!(life(), life());
}

#[test]
fn the_scripted_life_survives_every_cut() {
    let mut cuts = Vec::new();
    for (life, fate) in (1..).zip(Fate::ALL) {
        let changes = uncut(scripted(), life).live(honest).unwrap().changes;
        let step = if long() { 1 } else { (changes / 17).max(1) };
        // Each life is cut at moments of its own.
        let first = if long() { 0 } else { life * step / 7 };
        for at in (first..changes).step_by(step as usize) {
            cuts.push(Cut { steps: scripted(), at: Some(at), fate, life, seed: at * 7 + life, error: None });
        }
    }
    assert!(cuts.len() >= 100, "{} cuts are few", cuts.len());
    let resumed = all_live(&cuts, honest);
    assert!(resumed >= cuts.len() / 4, "{resumed} recoveries from within a segment are few");
}

/// Scenes are short, and each is about what is easily got wrong: they are always cut everywhere, once they have begun, with
/// two fates at least.
#[test]
fn every_scene_survives_every_cut() {
    let mut cuts = Vec::new();
    for (scene, front, steps) in scenes() {
        let lived = uncut(steps.clone(), 1).live(honest).unwrap_or_else(|reason| panic!("{scene}: {reason}"));
        let front = uncut(steps[..front].to_vec(), 1).live(honest).expect("it is a part of that").changes;
        assert!(front < lived.changes, "{scene}: nothing of it would be cut");
        for at in front..lived.changes {
            // Neighbours go different ways, so that each kind of call meets all of them.
            let due = |index: &u64| long() || (at + index).is_multiple_of(3);
            for (index, fate) in (0..).zip(Fate::ALL).filter(|(index, _)| due(index)) {
                let seed = at * 7 + index;
                cuts.push(Cut { steps: steps.clone(), at: Some(at), fate, life: seed, seed, error: None });
            }
        }
    }
    all_live(&cuts, honest);
}

#[test]
fn random_lives_survive_random_cuts() {
    let mut dice = Dice::new(20);
    let count = if long() { 2000 } else { 100 };
    let cuts: Vec<Cut> = (0..count)
        .map(|_| {
            let (seed, fate) = (dice.number(), Fate::any(&mut dice));
            let at = dice.below(uncut(random(seed), seed).live(honest).unwrap().changes);
            Cut { steps: random(seed), at: Some(at), fate, life: seed, seed, error: None }
        })
        .collect();
    all_live(&cuts, honest);
}

#[test]
fn an_error_of_any_change_loses_nothing_that_was_acknowledged() {
    let mut dice = Dice::new(30);
    let count = if long() { 2000 } else { 60 };
    let cuts: Vec<Cut> = (0..count)
        .map(|_| {
            let (seed, fate) = (dice.number(), Fate::any(&mut dice));
            let error = Some([Errno::IO, Errno::NOSPC, Errno::ROFS][dice.place(3)]);
            Cut { steps: random(seed), at: Some(20 + dice.below(250)), fate, life: seed, seed, error }
        })
        .collect();
    all_live(&cuts, honest);
}

#[test]
fn reads_and_writes_that_end_early_change_nothing() {
    let mut dice = Dice::new(40);
    let cuts: Vec<Cut> = (0..30)
        .map(|_| {
            let (seed, fate) = (dice.number(), Fate::any(&mut dice));
            Cut { steps: random(seed), at: Some(dice.below(300)), fate, life: seed, seed, error: None }
        })
        .collect();
    all_live(&cuts, |disk| disk.shorten(7));
}

/// The same of the file of first records, by the scene that is about it: what was cut away would come back out of a row
/// whose end was lost.
#[test]
fn a_first_record_comes_back_whose_end_is_not_synced() {
    let is_about_it = |scene: &str| scene.contains("files before all of it is cut away");
    let (_, front, steps) = scenes().into_iter().find(|(scene, ..)| is_about_it(scene)).expect("it is there");
    let changes =
        |steps: &[sim::life::Step]| uncut(steps.to_vec(), 1).live(honest).expect("it holds").changes;
    let moments = changes(&steps[..front])..changes(&steps);
    let count_of_failed = |prepare: &dyn Fn(&SimulatedDisk)| {
        let fails = |at: &u64| {
            let (at, fate) = (Some(*at), Fate::Unshortened);
            Cut { steps: steps.clone(), at, fate, life: 1, seed: 1, error: None }.live(prepare).is_err()
        };
        moments.clone().filter(fails).count()
    };
    assert_eq!(count_of_failed(&honest), 0);
    let without = count_of_failed(&|disk| disk.pretend(Verb::Sync, FIRST_RECORDS));
    assert!(without > 0, "nobody sees that what was cut comes back as a first record");
}

/// A place for recovery to begin at vouches for what lies before it in the active segment, of which nothing is acknowledged
/// otherwise: what is not synced before the place is written down is missed.
#[test]
fn what_lies_before_a_place_that_recovery_begins_at_is_synced() {
    use sim::life::{By, Step::*};
    let aborted = |producer| [Append(0, By::Transactional(producer)), End(0, producer, false)];
    let front = [vec![Create(0)], [5, 6, 7].map(aborted).concat(), vec![Background; 4]].concat();
    let steps = [front.clone(), vec![Append(0, By::Anybody); 8]].concat();
    let changes = |steps: &[sim::life::Step]| uncut(steps.to_vec(), 1).live(honest).unwrap().changes;
    let moments = changes(&front)..changes(&steps);
    let cuts: Vec<Cut> = (0..2000)
        .map(|seed| {
            let at = Some(moments.start + seed % (moments.end - moments.start));
            Cut { steps: steps.clone(), at, fate: Fate::Scattered, life: seed, seed, error: None }
        })
        .collect();
    let resumed =
        cuts.iter().map(|cut| cut.come_back(honest).unwrap_or_else(|reason| panic!("{reason}")).resumed);
    let resumed = resumed.sum::<usize>();
    assert!(resumed > 100, "{resumed} recoveries from within a segment are few");
    for part in [".log", ".txnindex"] {
        let missed = cuts.iter().any(|cut| cut.come_back(|disk| disk.pretend(Verb::Sync, part)).is_err());
        assert!(missed, "nobody sees that {part} is not synced before a place is written down");
    }
}

/// A disk that lies is found out: what follows would be faults of storage if the calls were missing there.
#[test]
fn calls_that_are_left_out_are_missed() {
    let table: &[(&str, Verb, &str)] = &[
        ("batches are acknowledged before they are synced", Verb::Sync, ".log"),
        ("names are acknowledged before their directory is synced", Verb::SyncDirectory, "/t"),
        ("a log's own name is not synced", Verb::SyncDirectory, "/data"),
        ("checkpoints are renamed before they are synced", Verb::Sync, "checkpoint.tmp"),
        ("the mark of a clean end stays", Verb::Unlink, ".kafka_cleanshutdown"),
        ("a clean end syncs nothing", Verb::SyncAll, "/data"),
        ("the metadata log is not synced", Verb::Sync, "__cluster_metadata-0/0"),
        ("the metadata log's names are not synced", Verb::SyncDirectory, "__cluster_metadata-0"),
        ("the vote is not synced", Verb::Sync, "quorum-state"),
        ("the topic's id is not synced", Verb::Sync, "partition.metadata"),
        ("a tail that was cut away comes back", Verb::Truncate, ".log"),
    ];
    for (bug, verb, part) in table {
        let caught = (0..400).any(|seed| {
            let steps = if seed % 2 == 0 { scripted() } else { random(seed) };
            let at = Some(Dice::new(seed).below(1200));
            let fate = [Fate::Lost, Fate::Scattered][seed as usize / 2 % 2];
            let cut = Cut { steps, at, fate, life: seed, seed, error: None };
            cut.live(|disk| disk.pretend(*verb, part)).is_err()
        });
        assert!(caught, "nobody sees that {bug}");
    }
}
