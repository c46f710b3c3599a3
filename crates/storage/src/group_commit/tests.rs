//! What group commit costs and what it promises, seen through a disk that counts and holds back fsyncs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use rustix::io::Errno;

use super::*;
use crate::directory_state::DirectoryHealth;
use crate::disk::Access;
use crate::scripted_disk::{ScriptedDisk, ScriptedFile};

struct Bench {
    temp: tempfile::TempDir,
    disk: ScriptedDisk,
    state: Arc<DirectoryState>,
    commit: GroupCommit<ScriptedDisk>,
}

impl Bench {
    fn new() -> Self {
        Self::on(ScriptedDisk::default())
    }

    fn on(disk: ScriptedDisk) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let state = Arc::new(DirectoryState::new(temp.path()));
        let commit = GroupCommit::start_beside(disk.clone(), temp.path(), Arc::clone(&state)).unwrap();
        Self { temp, disk, state, commit }
    }

    fn file(&self, name: &str) -> DirtyFile<ScriptedDisk> {
        let path = self.temp.path().join(name);
        let file: Arc<ScriptedFile> = Arc::new(self.disk.open(&path, Access::Create).unwrap());
        (path, file)
    }

    fn submit(&self, file: &DirtyFile<ScriptedDisk>) -> mpsc::Receiver<Result<(), Fault>> {
        let (told, outcome) = mpsc::channel();
        let done: Done = Box::new(move |result| told.send(result).unwrap());
        self.commit.submit(Ticket {
            files: vec![file.clone()],
            directories: vec![self.temp.path().into()],
            done,
        });
        outcome
    }

    /// Has some files synced as one group.
    fn sync(&self, files: &[DirtyFile<ScriptedDisk>]) -> Result<(), Fault> {
        let (told, outcome) = mpsc::channel();
        let done: Done = Box::new(move |result| told.send(result).unwrap());
        self.commit.submit(Ticket { files: files.to_vec(), directories: vec![], done });
        outcome.recv().unwrap()
    }
}

#[test]
fn appends_that_gather_during_an_fsync_share_the_next() {
    let bench = Bench::new();
    let files: Vec<_> = (0..4).map(|name| bench.file(&name.to_string())).collect();
    let held = bench.disk.hold_syncs();
    let first = bench.submit(&files[0]);
    bench.disk.wait_for_syncs(1);
    let gathered: Vec<_> = (0..400).map(|append| bench.submit(&files[append % 4])).collect();
    assert!(first.try_recv().is_err(), "nothing is acknowledged before its fsync");
    drop(held);
    first.recv().unwrap().unwrap();
    for outcome in gathered {
        outcome.recv().unwrap().unwrap();
    }
    assert_eq!(bench.disk.count("fdatasync", ""), 5, "one for the first, then one for each file");
    assert_eq!(bench.disk.count("fsync_dir", ""), 2);
}

#[test]
fn an_fsync_that_another_one_failed_beside_acknowledges_nothing() {
    let bench = Bench::new();
    let file = bench.file("a");
    let held = bench.disk.hold_syncs();
    let outcome = bench.submit(&file);
    bench.disk.wait_for_syncs(1);
    // The other thread of the directory was told of the lost pages, which the system tells once for each open file.
    bench.state.take_offline("fsync failed");
    drop(held);
    assert!(matches!(outcome.recv().unwrap(), Err(Fault::Offline { .. })));
}

#[test]
fn who_comes_to_a_file_while_its_fsync_fails_does_not_try_it_again() {
    let bench = Bench::new();
    let file = bench.file("a");
    let other = GroupCommit::start(bench.disk.clone(), bench.temp.path(), Arc::clone(&bench.state)).unwrap();
    bench.disk.fail_once("fdatasync", "a", Errno::IO);
    let held = bench.disk.hold_syncs();
    let first = bench.submit(&file);
    bench.disk.wait_for_syncs(1);
    let (told, second) = mpsc::channel();
    let done: Done = Box::new(move |result| told.send(result).unwrap());
    other.submit(Ticket { files: vec![file.clone()], directories: vec![], done });
    // The other thread has its turn, if that can be had at all.
    let began = bench.disk.has_syncs_within(2, Duration::from_millis(50));
    drop(held);
    assert!(first.recv().unwrap().is_err() && second.recv().unwrap().is_err());
    assert!(!began && bench.disk.count("fdatasync", "a") == 1, "the second would find nothing wrong");
}

#[test]
fn nothing_is_acknowledged_before_its_fsync() {
    let bench = Bench::new();
    let file = bench.file("a");
    let held = bench.disk.hold_syncs();
    let first = bench.submit(&file);
    bench.disk.wait_for_syncs(1);
    // It comes while an fsync of the very same file runs, which may not have seen its bytes.
    let second = bench.submit(&file);
    drop(held);
    first.recv().unwrap().unwrap();
    second.recv().unwrap().unwrap();
    assert_eq!(bench.disk.count("fdatasync", "a"), 2);
}

#[test]
fn a_failed_fsync_fails_all_who_waited_and_is_never_tried_again() {
    let bench = Bench::new();
    let (good, bad) = (bench.file("good"), bench.file("bad"));
    bench.disk.fail_once("fdatasync", "bad", Errno::IO);
    let held = bench.disk.hold_syncs();
    let first = bench.submit(&good);
    bench.disk.wait_for_syncs(1);
    let (shared, failed) = (bench.submit(&good), bench.submit(&bad));
    drop(held);
    first.recv().unwrap().unwrap();
    for outcome in [shared, failed] {
        assert!(outcome.recv().unwrap().unwrap_err().to_string().contains("cannot fsync"));
    }
    assert_eq!(bench.state.health(), DirectoryHealth::Offline);
    bench.disk.reset();
    assert!(matches!(bench.submit(&good).recv().unwrap(), Err(Fault::Offline { .. })));
    assert_eq!(bench.disk.count("fdatasync", ""), 0);
}

#[test]
fn names_that_cannot_be_synced_acknowledge_nothing() {
    let bench = Bench::new();
    let file = bench.file("a");
    bench.disk.fail_once("fsync_dir", "", Errno::IO);
    let refused = bench.submit(&file).recv().unwrap().unwrap_err().to_string();
    assert!(refused.contains("cannot fsync"), "{refused}");
    assert_eq!(bench.state.health(), DirectoryHealth::Offline);
}

#[test]
fn what_was_handed_in_is_completed_at_the_end() {
    let bench = Bench::new();
    let file = bench.file("a");
    let held = bench.disk.hold_syncs();
    let completed = Arc::new(AtomicUsize::new(0));
    for _ in 0..10 {
        let completed = Arc::clone(&completed);
        let done: Done = Box::new(move |result| {
            result.unwrap();
            completed.fetch_add(1, Ordering::SeqCst);
        });
        bench.commit.submit(Ticket { files: vec![file.clone()], directories: vec![], done });
    }
    drop(held);
    drop(bench.commit);
    assert_eq!(completed.load(Ordering::SeqCst), 10);
}

#[test]
fn what_nobody_waits_for_is_put_together_and_told_file_by_file() {
    let bench = Bench::new();
    let leisurely =
        GroupCommit::start(bench.disk.clone(), bench.temp.path(), Arc::clone(&bench.state)).unwrap();
    let files = ["one", "two"].map(|name| bench.file(name));
    let submit = |file: &DirtyFile<ScriptedDisk>| {
        let (told, outcome) = mpsc::channel();
        let done: Done = Box::new(move |result| told.send(result).unwrap());
        let directories = vec![bench.temp.path().into()];
        leisurely.submit(Ticket { files: vec![file.clone()], directories, done });
        outcome
    };
    let held = bench.disk.hold_syncs();
    let first = submit(&files[0]);
    bench.disk.wait_for_syncs(1);
    let gathered: Vec<_> = (0..100).map(|number| submit(&files[number / 50])).collect();
    drop(held);
    first.recv().unwrap().unwrap();
    gathered.into_iter().for_each(|outcome| outcome.recv().unwrap().unwrap());
    assert_eq!(bench.disk.count("fdatasync", ""), 3, "one for the first, then one for each file");
    assert_eq!(bench.disk.count("fsync_dir", ""), 2);
}

#[test]
fn who_syncs_at_leisure_rests_between_two_files_of_which_the_first_took_long() {
    let bench = Bench::new();
    let leisurely =
        GroupCommit::start(bench.disk.clone(), bench.temp.path(), Arc::clone(&bench.state)).unwrap();
    let submit = |file: &DirtyFile<ScriptedDisk>, done: Done| {
        leisurely.submit(Ticket { files: vec![file.clone()], directories: vec![], done });
    };
    let timed = |file: &DirtyFile<ScriptedDisk>| {
        let (told, outcome) = mpsc::channel();
        submit(file, Box::new(move |result| told.send((Instant::now(), result)).unwrap()));
        outcome
    };
    let [before, slow, next] = ["before", "slow", "next"].map(|name| bench.file(name));
    let held = bench.disk.hold_syncs();
    let (held_again, again) = mpsc::channel();
    let disk = bench.disk.clone();
    submit(&before, Box::new(move |_| held_again.send(disk.hold_syncs()).unwrap()));
    bench.disk.wait_for_syncs(1);
    // Both are handed in by the time that the next begins with what there is.
    let (slow, next) = (timed(&slow), timed(&next));
    drop(held);
    let held = again.recv().unwrap();
    bench.disk.wait_for_syncs(2);
    let begun = Instant::now();
    while begun.elapsed() < 3 * REST_AFTER {
        std::thread::yield_now();
    }
    drop(held);
    let ((slow, synced), (next, also)) = (slow.recv().unwrap(), next.recv().unwrap());
    assert!(synced.is_ok() && also.is_ok());
    assert!(next - slow >= REST_AFTER * REST_TIMES, "{:?} after one that was slow", next - slow);
}

#[test]
fn nobody_waits_for_a_thread_that_is_gone() {
    let bench = Bench::new();
    let file = bench.file("a");
    let held = bench.disk.hold_syncs();
    bench.commit.submit(Ticket {
        files: vec![file.clone()],
        directories: vec![],
        done: Box::new(|_| panic!("here")),
    });
    bench.disk.wait_for_syncs(1);
    let waiting = bench.submit(&file);
    drop(held);
    assert!(matches!(waiting.recv().unwrap(), Err(Fault::Offline { .. })));
    assert!(matches!(bench.submit(&file).recv().unwrap(), Err(Fault::Offline { .. })));
    assert_eq!(bench.state.health(), DirectoryHealth::Offline);
}

#[test]
fn a_panic_over_one_of_several_files_takes_the_directory_offline() {
    let bench = Bench::new();
    let (one, other) = (bench.file("one"), bench.file("other"));
    bench.disk.panic_in_sync("other");
    let held = bench.disk.hold_syncs();
    let first = bench.submit(&one);
    bench.disk.wait_for_syncs(1);
    let group = [bench.submit(&one), bench.submit(&other)];
    drop(held);
    first.recv().unwrap().unwrap();
    for outcome in group {
        assert!(matches!(outcome.recv().unwrap(), Err(Fault::Offline { .. })));
    }
    assert_eq!(bench.state.health(), DirectoryHealth::Offline);
    assert!(matches!(bench.submit(&one).recv().unwrap(), Err(Fault::Offline { .. })));
}

fn files_of(bench: &Bench, count: usize) -> Vec<DirtyFile<ScriptedDisk>> {
    (0..count).map(|number| bench.file(&format!("file-{number:02}"))).collect()
}

#[test]
fn all_of_several_files_are_begun_to_be_written_out_and_each_is_synced_by_itself() {
    let bench = Bench::new();
    for (count, begun) in [(1, 0), (2, 2), (64, 64)] {
        bench.disk.reset();
        bench.sync(&files_of(&bench, count)).unwrap();
        assert_eq!(bench.disk.count("begin_writeback", ""), begun);
        assert_eq!(bench.disk.count("fdatasync", ""), count);
    }
}

/// Of bytes that find no place the system tells only who had them written out.
#[test]
fn an_error_of_what_is_begun_takes_the_directory_offline_before_anything_is_waited_for() {
    let bench = Bench::new();
    let files = files_of(&bench, 8);
    bench.disk.fail_once("begin_writeback", "file-03", Errno::NOSPC);
    let told = bench.sync(&files).unwrap_err().to_string();
    assert!(told.contains("cannot fsync"), "{told}");
    assert_eq!(bench.state.health(), DirectoryHealth::Offline);
    assert!(matches!(bench.sync(&files), Err(Fault::Offline { .. })));
    assert_eq!(bench.disk.count("fdatasync", ""), 0);
}

#[test]
fn nothing_is_begun_while_somebody_else_syncs_the_file() {
    let bench = Bench::new();
    let files = files_of(&bench, 8);
    let other = GroupCommit::start(bench.disk.clone(), bench.temp.path(), Arc::clone(&bench.state)).unwrap();
    bench.disk.fail_once("fdatasync", "file-04", Errno::IO);
    let held = bench.disk.hold_syncs();
    other.submit(Ticket { files: vec![files[4].clone()], directories: vec![], done: Box::new(|_| ()) });
    bench.disk.wait_for_syncs(1);
    let (told, outcome) = mpsc::channel();
    let done: Done = Box::new(move |result| told.send(result).unwrap());
    bench.commit.submit(Ticket { files, directories: vec![], done });
    let began = bench.disk.has_syncs_within(2, Duration::from_millis(50));
    drop(held);
    assert!(outcome.recv().unwrap().is_err(), "the system may have told the other one only");
    assert!(!began && bench.disk.count("fdatasync", "") == 1);
}
