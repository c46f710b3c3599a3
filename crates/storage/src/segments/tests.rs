//! Segments against a vector of batches: appended, read, rolled, reopened, crashed at any byte.

mod slices;

use proptest::prelude::*;
use protocol::offset::LastOffset;
use protocol::records::batches::{Batch, Batches};
use protocol::records::build::{BatchBuilder, BatchOptions};
use rustix::io::Errno;

use super::*;
use crate::disk::{Access, RealDisk};
use crate::listing::Listing;
use crate::scripted_disk::ScriptedDisk;
use crate::time_index::TimestampOffset;

const SMALL: IndexLimits = IndexLimits { bytes_max: 1 << 20, interval_bytes: 200 };
const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn batch(base: i64, records: i64, payload: usize) -> Vec<u8> {
    let mut builder =
        BatchBuilder::new(BatchOptions { base_offset: Offset(base), ..BatchOptions::default() });
    let value = vec![b'x'; payload];
    for record in 0..records {
        builder.push(Timestamp(NOW.0 + base + record), None, Some(&value), &[]);
    }
    builder.finish_uncompressed()
}

fn unclean(recovery_point: i64) -> Loading {
    Loading {
        clean: false,
        recovery_point: Offset(recovery_point),
        log_start: Offset::ZERO,
        compacted: false,
        end: None,
        resume: None,
        now: NOW,
    }
}

fn clean() -> Loading {
    Loading { clean: true, ..unclean(0) }
}

struct Dir<D: Disk> {
    temp: tempfile::TempDir,
    descriptors: Descriptors<D>,
}

impl<D: Disk> Dir<D> {
    fn new(disk: D) -> Self {
        Self { temp: tempfile::tempdir().unwrap(), descriptors: Descriptors::new(disk, 3) }
    }

    fn create(&self) -> Segments<D> {
        Segments::create(&self.descriptors, self.temp.path().into(), Offset::ZERO, SMALL, NOW).unwrap()
    }

    fn load(&self, loading: Loading) -> Loaded<D> {
        let listing = Listing::read(self.descriptors.disk(), self.temp.path()).unwrap();
        let input = (&listing, SMALL, loading);
        Segments::load(&self.descriptors, self.temp.path().into(), input, Offset(0), &mut ()).unwrap()
    }

    fn bytes(&self, slice: &ReadSlice<D>) -> Vec<u8> {
        let mut bytes = vec![0; slice.length as usize];
        let read =
            crate::whole_file::read_up_to(self.descriptors.disk(), &slice.file, &mut bytes, slice.position);
        assert_eq!(read.unwrap(), bytes.len());
        bytes
    }
}

/// All batches from `from` on, read slice by slice.
fn read_all<D: Disk>(dir: &Dir<D>, segments: &mut Segments<D>, from: i64, end: Offset) -> Vec<u8> {
    let mut next = Offset(from);
    let mut all = Vec::new();
    while next < end {
        let slice = segments.read(next, (end, end), 400, true).unwrap();
        let bytes = dir.bytes(&slice);
        let before = all.len();
        for Batch { header, bytes, .. } in Batches::new(&bytes) {
            all.extend_from_slice(bytes);
            next = header.next_offset();
        }
        assert!(all.len() > before, "no progress at {next}");
    }
    all
}

#[test]
fn an_append_is_one_system_call() {
    let dir = Dir::new(ScriptedDisk::default());
    let mut segments = dir.create();
    segments.append(&batch(0, 1, 300)).unwrap();
    let disk = dir.descriptors.disk();
    disk.reset();
    for base in 1..100 {
        segments.append(&batch(base, 1, 300)).unwrap();
    }
    assert_eq!(disk.count("pwrite", ".log"), 99);
    assert_eq!(disk.total(), 99, "each of these batches has index entries, which wait in memory");
}

#[test]
fn a_tail_read_is_no_system_call() {
    let dir = Dir::new(ScriptedDisk::default());
    let mut segments = dir.create();
    for base in 0..100 {
        segments.append(&batch(base, 1, 300)).unwrap();
    }
    dir.descriptors.disk().reset();
    for from in 0..100 {
        let end = Offset(100);
        let slice = segments.read(Offset(from), (end, end), 1000, true).unwrap();
        let (size, left) = (batch(0, 1, 300).len() as u32, 100 - from as u32);
        assert_eq!((slice.position, slice.length), (from as u64 * u64::from(size), 2.min(left) * size));
    }
    assert_eq!(dir.descriptors.disk().total(), 0);
}

#[test]
fn a_failed_write_leaves_nothing_behind() {
    let dir = Dir::new(ScriptedDisk::default());
    let mut segments = dir.create();
    segments.append(&batch(0, 2, 50)).unwrap();
    let size = segments.size();
    let disk = dir.descriptors.disk();
    for cannot_cut in [false, true] {
        // More than the next batch covers.
        disk.tear(3000);
        disk.fail_once("pwrite", ".log", Errno::NOSPC);
        if cannot_cut {
            disk.fail_once("truncate", ".log", Errno::IO);
        }
        assert!(segments.append(&batch(2, 2, 5000)).unwrap_err().no_space());
        assert_eq!(segments.size(), size);
    }
    segments.append(&batch(2, 1, 1)).unwrap();
    let mut reopened = dir.load(unclean(0));
    assert_eq!((reopened.end, &reopened.cut), (Offset(3), &None), "no torn bytes follow the last batch");
    assert_eq!(
        read_all(&dir, &mut reopened.segments, 0, Offset(3)),
        [batch(0, 2, 50), batch(2, 1, 1)].concat()
    );
}

/// Nobody makes them anew once the recovery point has passed their segment, and its age is read out of them.
#[test]
fn the_indexes_of_a_segment_are_whole_in_their_files_once_the_next_is_begun() {
    let dir = Dir::new(RealDisk);
    let mut segments = dir.create();
    for base in 0..5 {
        segments.append(&batch(base, 1, 100)).unwrap();
    }
    segments.roll(Offset(5), NOW).unwrap();
    let file = |kind| std::fs::read(dir.temp.path().join(format!("{:020}.{kind}", 0))).unwrap();
    assert!(file("index").len() >= 8);
    let times = file("timeindex");
    let youngest = [&(NOW.0 + 4).to_be_bytes()[..], &4_u32.to_be_bytes()].concat();
    assert_eq!(times.last_chunk::<12>().map(|last| &last[..]), Some(&youngest[..]));
}

#[test]
fn leftovers_of_an_interrupted_compaction_are_finished() {
    let disk = crate::scripted_disk::ScriptedDisk::default();
    let dir = Dir::new(disk.clone());
    let mut segments = dir.create();
    for base in 0..6 {
        segments.append(&batch(base, 1, 100)).unwrap();
        segments.roll(Offset(base + 1), NOW).unwrap();
    }
    segments.finish().unwrap();
    drop(segments);
    let path = |name: &str| dir.temp.path().join(name);
    // Segments 1 to 3 were compacted into one that keeps the last record.
    std::fs::write(path("00000000000000000001.log.swap"), batch(3, 1, 7)).unwrap();
    std::fs::write(path("00000000000000000001.index.swap"), b"").unwrap();
    std::fs::write(path("00000000000000000001.timeindex.swap"), b"").unwrap();
    std::fs::write(path("00000000000000000004.log.cleaned"), b"half").unwrap();
    std::fs::write(path("00000000000000000000.log.deleted"), b"old").unwrap();
    std::fs::write(path("00000000000000000099.index"), b"orphan").unwrap();
    let mut loaded = dir.load(clean());
    let bases: Vec<i64> = loaded.segments.iter().map(|segment| segment.base().0).collect();
    assert_eq!(bases, [0, 1, 4, 5, 6]);
    let expected = [batch(0, 1, 100), batch(3, 1, 7), batch(4, 1, 100), batch(5, 1, 100)].concat();
    assert_eq!(read_all(&dir, &mut loaded.segments, 0, loaded.end), expected);
    let names: Vec<_> = std::fs::read_dir(dir.temp.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    let odd = |name: &&std::ffi::OsString| {
        let name = name.to_string_lossy().into_owned();
        name.ends_with(".swap")
            || name.ends_with(".cleaned")
            || name.ends_with(".deleted")
            || name.contains("99")
    };
    assert_eq!(names.iter().find(odd), None);
    let renamed = disk.lasting(|verb, path| verb == "rename" && path.ends_with(".swap"));
    assert!(renamed.len() == 3 && renamed[2].ends_with(".log.swap"), "its name says that the others count");
    let lasting = disk.lasting(|verb, path| verb == "fsync_dir" || path.ends_with(".swap"));
    assert!(lasting[0].starts_with("fsync_dir"), "what they replace is gone for good before: {lasting:?}");
}

#[test]
fn half_of_what_a_compaction_offers_takes_no_place_whenever_its_removal_is_cut_short() {
    for calls in 0.. {
        let disk = ScriptedDisk::default();
        let dir = Dir::new(disk.clone());
        let mut segments = dir.create();
        segments.append(&batch(0, 1, 100)).unwrap();
        segments.roll(Offset(1), NOW).unwrap();
        segments.finish().unwrap();
        drop(segments);
        let path = |name: &str| dir.temp.path().join(format!("00000000000000000000.{name}"));
        let times = std::fs::read(path("timeindex")).unwrap();
        // The log file is renamed last.
        for name in ["index.swap", "timeindex.swap", "txnindex.cleaned", "log.cleaned"] {
            std::fs::write(path(name), [7; 24]).unwrap();
        }
        disk.die_after(calls);
        let died = Listing::read(&disk, dir.temp.path()).is_err();
        Listing::read(&RealDisk, dir.temp.path()).unwrap();
        assert_eq!(std::fs::read(path("timeindex")).unwrap(), times, "killed after {calls} calls");
        assert!(!path("timeindex.swap").exists() && !path("log.cleaned").exists());
        if !died {
            assert!(calls > 4, "there was something to do");
            break;
        }
    }
}

#[test]
fn a_missing_index_is_made_anew() {
    let dir = Dir::new(RealDisk);
    let mut segments = dir.create();
    for base in 0..50 {
        segments.append(&batch(base, 1, 100)).unwrap();
    }
    segments.roll(Offset(50), NOW).unwrap();
    segments.finish().unwrap();
    drop(segments);
    let index = dir.temp.path().join("00000000000000000000.index");
    let before = std::fs::read(&index).unwrap();
    assert!(before.len() > 80);
    std::fs::remove_file(&index).unwrap();
    let mut loaded = dir.load(clean());
    loaded.segments.finish().unwrap();
    assert_eq!(std::fs::read(&index).unwrap(), before);
}

/// Loads a log whose first segment, 0 to 4, has this behind its end and whose second begins at 5; says where it ends then,
/// and why.
fn cut_by(behind: &[u8]) -> (Offset, String) {
    let dir = Dir::new(RealDisk);
    let mut segments = dir.create();
    segments.append(&batch(0, 5, 20)).unwrap();
    segments.roll(Offset(5), NOW).unwrap();
    segments.append(&batch(5, 1, 20)).unwrap();
    drop(segments);
    let path = dir.temp.path().join("00000000000000000000.log");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&whole[..], behind].concat()).unwrap();
    let loaded = dir.load(unclean(0));
    assert_eq!(std::fs::read(&path).unwrap(), whole);
    (loaded.end, loaded.cut.unwrap().1)
}

#[test]
fn batches_that_overlap_end_the_log() {
    let (end, why) = cut_by(&batch(3, 2, 20));
    assert_eq!((end, &why[..]), (Offset(5), "a batch that begins with offset 3 where 5 is next"));
    let (end, why) = cut_by(&batch(5, 1, 20));
    assert!(end == Offset(5) && why.contains("where 5 begins the next segment"), "{end} {why}");
}

/// Else it comes back after a power cut, behind what is written in its place.
#[test]
fn a_tail_that_recovery_cuts_is_off_stable_storage_before_anything_comes_in_its_place() {
    let disk = ScriptedDisk::default();
    let dir = Dir::new(disk.clone());
    let mut segments = dir.create();
    segments.append(&batch(0, 5, 20)).unwrap();
    drop(segments);
    let path = dir.temp.path().join("00000000000000000000.log");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&whole[..], &batch(3, 2, 20)].concat()).unwrap();
    disk.reset();
    assert!(dir.load(unclean(0)).cut.is_some());
    let calls = |verb| disk.count(verb, "");
    assert_eq!([calls("truncate"), calls("fdatasync"), calls("fsync_dir")], [1, 1, 1]);
}

/// However large the segment is, the memory that recovery takes is bounded.
#[test]
fn recovery_writes_index_entries_as_they_come() {
    let disk = ScriptedDisk::default();
    let dir = Dir::new(disk.clone());
    let mut segments = dir.create();
    for base in 0..2000 {
        segments.append(&batch(base, 1, 250)).unwrap();
    }
    drop(segments);
    disk.reset();
    assert_eq!(dir.load(unclean(0)).end, Offset(2000));
    for index in [".index", ".timeindex"] {
        assert!(disk.count("pwrite", index) > 0, "{index}");
    }
}

/// A machine that believed what cannot be would be wrong for good.
#[test]
fn what_is_read_on_trust_is_held_against_its_order() {
    let dir = Dir::new(RealDisk);
    let mut segments = dir.create();
    segments.append(&batch(0, 5, 20)).unwrap();
    segments.append(&batch(3, 2, 20)).unwrap();
    segments.finish().unwrap();
    drop(segments);
    let listing = Listing::read(&RealDisk, dir.temp.path()).unwrap();
    let input = (&listing, SMALL, clean());
    let loaded = Segments::load(&dir.descriptors, dir.temp.path().into(), input, Offset(0), &mut ());
    let fault = loaded.err().unwrap().to_string();
    assert!(fault.contains("begins with offset 3 where 5 is next"), "{fault}");
}

#[test]
fn a_hole_in_front_of_the_log_start_is_none() {
    let dir = Dir::new(RealDisk);
    let mut segments = dir.create();
    segments.append(&batch(0, 2, 20)).unwrap();
    segments.roll(Offset(5), NOW).unwrap();
    segments.append(&batch(5, 2, 20)).unwrap();
    drop(segments);
    let loaded = dir.load(Loading { log_start: Offset(5), ..unclean(0) });
    assert_eq!((loaded.end, loaded.cut, loaded.restarted), (Offset(7), None, false));
    drop(loaded.segments);
    let loaded = dir.load(Loading { log_start: Offset(4), ..unclean(0) });
    assert_eq!(
        (loaded.end, loaded.restarted),
        (Offset(4), true),
        "here the tail is lost that the log began in"
    );
}

#[test]
fn recovery_begins_with_the_segment_that_holds_the_recovery_point() {
    let dir = Dir::new(RealDisk);
    let mut segments = dir.create();
    segments.append(&batch(0, 5, 20)).unwrap();
    segments.roll(Offset(5), NOW).unwrap();
    for base in [5, 6] {
        segments.append(&batch(base, 1, 20)).unwrap();
    }
    segments.roll(Offset(7), NOW).unwrap();
    segments.append(&batch(7, 1, 20)).unwrap();
    segments.finish().unwrap();
    drop(segments);
    let path = dir.temp.path().join("00000000000000000005.log");
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(dir.load(unclean(6)).end, Offset(6));
}

#[test]
fn a_flipped_byte_ends_the_log_before_its_batch() {
    let dir = Dir::new(RealDisk);
    let mut segments = dir.create();
    for base in 0..3 {
        segments.append(&batch(base, 1, 20)).unwrap();
    }
    let path = segments.active().path();
    drop(segments);
    let whole = std::fs::read(&path).unwrap();
    let size = batch(0, 1, 20).len();
    // Base offset, length and leader epoch lie before what the CRC covers.
    for at in 17..size {
        let mut flipped = whole.clone();
        flipped[size + at] ^= 0x10;
        std::fs::write(&path, flipped).unwrap();
        let loaded = dir.load(unclean(0));
        assert_eq!((loaded.end, loaded.cut.is_some()), (Offset(1), true), "byte {at}");
        assert_eq!(std::fs::read(&path).unwrap(), whole[..size]);
    }
}

#[test]
fn a_tail_of_zeros_is_cut() {
    let dir = Dir::new(RealDisk);
    let mut segments = dir.create();
    segments.append(&batch(0, 3, 100)).unwrap();
    let path = dir.temp.path().join("00000000000000000000.log");
    let length = std::fs::metadata(&path).unwrap().len();
    let file = RealDisk.open(&path, Access::Write).unwrap();
    RealDisk.truncate(&file, length + 5000).unwrap();
    drop(segments);
    let loaded = dir.load(unclean(0));
    assert_eq!(loaded.end, Offset(3));
    assert!(loaded.cut.is_some());
    assert_eq!(std::fs::metadata(&path).unwrap().len(), length);
}

#[derive(Clone, Debug)]
enum Step {
    Append { records: i64, payload: usize },
    Roll,
    Truncate(i64),
    DropFront(usize),
    CleanRestart,
    Crash { point: u8 },
    CrashTorn { point: u8, cut: u16 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => (1..5i64, 0..300usize).prop_map(|(records, payload)| Step::Append { records, payload }),
        3 => Just(Step::Roll),
        1 => any::<u8>().prop_map(|end| Step::Truncate(i64::from(end))),
        1 => (0..3usize).prop_map(Step::DropFront),
        1 => Just(Step::CleanRestart),
        1 => any::<u8>().prop_map(|point| Step::Crash { point }),
        2 => any::<(u8, u16)>().prop_map(|(point, cut)| Step::CrashTorn { point, cut }),
    ];
    prop::collection::vec(step, 1..60)
}

/// The batches that ought to be there.
#[derive(Default)]
struct Model {
    batches: Vec<(i64, i64, Vec<u8>)>,
    end: i64,
}

impl Model {
    fn bytes(&self) -> Vec<u8> {
        self.batches.iter().flat_map(|(_, _, bytes)| bytes.clone()).collect()
    }

    fn first(&self) -> i64 {
        self.batches.first().map_or(self.end, |(base, ..)| *base)
    }

    fn truncate(&mut self, end: i64) {
        self.batches.retain(|(_, next, _)| *next <= end);
        self.end = self.batches.last().map_or(self.end.min(end), |(_, next, _)| *next);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn segments_are_a_vector_of_batches(steps in steps()) {
        let dir = Dir::new(RealDisk);
        let mut segments = dir.create();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Append { records, payload } => {
                    let bytes = batch(model.end, records, payload);
                    segments.append(&bytes).unwrap();
                    model.batches.push((model.end, model.end + records, bytes));
                    model.end += records;
                }
                Step::Roll => drop(segments.roll(Offset(model.end), NOW).unwrap()),
                Step::Truncate(end) => {
                    let end = end.max(segments.first_base().0);
                    segments.truncate(Offset(end), None).unwrap();
                    model.truncate(end);
                    let next = segments.active().read_next_offset().unwrap();
                    model.end = model.end.min(next.0.max(model.batches.last().map_or(0, |batch| batch.1)));
                    prop_assert_eq!(next.0, model.end);
                }
                Step::DropFront(count) => {
                    let mut renamed = Vec::new();
                    segments.drop_front(count, &mut renamed).unwrap();
                    renamed.iter().for_each(|path| std::fs::remove_file(path).unwrap());
                    let first = segments.first_base().0;
                    model.batches.retain(|(base, ..)| *base >= first);
                }
                Step::CleanRestart => {
                    segments.finish().unwrap();
                    drop(segments);
                    let loaded = dir.load(clean());
                    prop_assert_eq!(loaded.end.0, model.end);
                    segments = loaded.segments;
                }
                Step::Crash { point } => {
                    let point = i64::from(point).min(model.end);
                    drop(segments);
                    let loaded = dir.load(unclean(point));
                    prop_assert_eq!(loaded.end.0, model.end);
                    segments = loaded.segments;
                }
                Step::CrashTorn { point, cut } => {
                    let active = segments.active();
                    let (path, base, size) = (active.path(), active.base().0, active.size());
                    let point = i64::from(point).min(base);
                    drop(segments);
                    let kept = u64::from(cut) % (u64::from(size) + 1);
                    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(kept).unwrap();
                    let mut left = kept as usize;
                    model.batches.retain(|(first, _, bytes)| {
                        if *first < base {
                            return true;
                        }
                        let whole = left >= bytes.len();
                        left = if whole { left - bytes.len() } else { 0 };
                        whole
                    });
                    model.end = model.batches.last().map_or(base, |(_, next, _)| *next).max(base);
                    let loaded = dir.load(unclean(point));
                    prop_assert_eq!(loaded.end.0, model.end);
                    segments = loaded.segments;
                }
            }
            let (first, end) = (model.first(), Offset(model.end));
            prop_assert_eq!(read_all(&dir, &mut segments, first, end), model.bytes());
        }
        // Every offset is found in the batch that holds it, from the ring or the index alike.
        for (base, next, bytes) in &model.batches {
            for offset in *base..*next {
                let slice = segments.read(Offset(offset), (Offset(model.end), Offset(model.end)), 1, true).unwrap();
                prop_assert_eq!(&dir.bytes(&slice), bytes);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_in_a_log_file_are_cut_or_kept(
        good in 0..4i64,
        garbage in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let dir = Dir::new(RealDisk);
        let mut bytes: Vec<u8> = (0..good).flat_map(|base| batch(base, 1, 20)).collect();
        bytes.extend(garbage);
        std::fs::write(dir.temp.path().join("00000000000000000000.log"), &bytes).unwrap();
        let loaded = dir.load(unclean(0));
        prop_assert_eq!(loaded.end.0, good);
    }
}

#[test]
fn aborted_transactions_are_found_for_a_read_that_begins_in_a_gap_between_segments() {
    let dir = Dir::new(RealDisk);
    let mut segments = dir.create();
    for base in 0..10 {
        segments.append(&batch(base, 1, 200)).unwrap();
    }
    // As compaction leaves it: the last batches of the first segment are gone.
    segments.roll(Offset(20), NOW).unwrap();
    for base in 20..30 {
        segments.append(&batch(base, 1, 200)).unwrap();
    }
    let aborted = AbortedTransaction {
        producer_id: protocol::id::ProducerId(1),
        first_offset: Offset(20),
        last_offset: protocol::offset::LastOffset(29),
        last_stable_offset: Offset(30),
    };
    segments.active().abort(&aborted);
    let slice = segments.read(Offset(15), (Offset(30), Offset(30)), 700, true).unwrap();
    assert!(slice.length > 0);
    let end = segments.offset_behind(&slice).unwrap().unwrap_or(Offset(30));
    assert_eq!(segments.aborted(Offset(15), end).unwrap(), [aborted]);
}

fn aged(base: i64, age: i64) -> Vec<u8> {
    let options = BatchOptions { base_offset: Offset(base), ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(options);
    builder.push(Timestamp(NOW.0 + age), None, Some(b"x"), &[]);
    builder.finish_uncompressed()
}

#[test]
fn what_was_learnt_of_segments_before_an_error_is_not_learnt_again() {
    let disk = ScriptedDisk::default();
    let dir = Dir::new(disk.clone());
    let mut segments = dir.create();
    for base in 0..8 {
        segments.roll(Offset(base), NOW).unwrap();
        segments.append(&aged(base, base)).unwrap();
    }
    segments.finish().unwrap();
    drop(segments);
    let mut segments = dir.load(Loading { end: Some(Offset(8)), ..self::clean() }).segments;
    disk.fail_after(5, "open", ".timeindex", Errno::MFILE);
    assert!(segments.first_segment_as_young(Timestamp(NOW.0 + 6)).is_err());
    assert_eq!(segments.list.take_youngest().len(), 5);
}

#[test]
fn the_first_segment_as_young_is_found_whatever_is_rolled_dropped_and_cut() {
    let dir = Dir::new(RealDisk);
    let mut segments = dir.create();
    // The clocks of producers do not agree.
    let mut ages = vec![5i64, 3, 9, 9, 7, 12, 1, 12, 15, 2];
    let roll = |segments: &mut Segments<RealDisk>, base: usize, age: i64| {
        segments.roll(Offset(base as i64), NOW).unwrap();
        segments.append(&aged(base as i64, age)).unwrap();
    };
    let look = |segments: &mut Segments<RealDisk>, ages: &[i64]| {
        for wanted in 0..17 {
            let found = segments.first_segment_as_young(Timestamp(NOW.0 + wanted)).unwrap();
            assert_eq!(found, ages.iter().position(|age| *age >= wanted), "{wanted} in {ages:?}");
        }
    };
    for (base, age) in ages.iter().enumerate() {
        roll(&mut segments, base, *age);
        look(&mut segments, &ages[..=base]);
    }
    segments.truncate(Offset(8), None).unwrap();
    ages.truncate(8);
    // What was cut began a segment, and left it empty.
    look(&mut segments, &ages);
    roll(&mut segments, 8, 4);
    ages.push(4);
    look(&mut segments, &ages);
    segments.drop_front(3, &mut Vec::new()).unwrap();
    look(&mut segments, &ages[3..]);
    segments.restart(Offset(20), NOW).unwrap();
    look(&mut segments, &[]);
    roll(&mut segments, 20, 6);
    look(&mut segments, &[6]);
}

/// Of very many segments the bases are kept apart from them, and must follow whatever comes and goes.
#[test]
fn of_very_many_segments_each_is_found_whatever_is_rolled_dropped_and_cut() {
    let dir = Dir::new(RealDisk);
    let mut segments = dir.create();
    let look = |segments: &mut Segments<RealDisk>| {
        let bases: Vec<_> = segments.iter().map(Segment::base).collect();
        for offset in 0..bases[bases.len() - 1].0 + 3 {
            let after = bases.partition_point(|base| base.0 <= offset);
            assert_eq!(segments.index_of(Offset(offset)), after.saturating_sub(1), "{offset} in {bases:?}");
        }
        let told: Vec<_> = (0..bases.len() + 2).map_while(|place| segments.base_at(place)).collect();
        assert_eq!(told, bases);
    };
    let roll = |segments: &mut Segments<RealDisk>, bases: std::ops::Range<i64>| {
        for base in bases {
            segments.roll(Offset(base * base), NOW).unwrap();
            segments.append(&batch(base * base, 1, 10)).unwrap();
        }
    };
    roll(&mut segments, 1..45);
    look(&mut segments);
    roll(&mut segments, 45..50);
    look(&mut segments);
    segments.drop_front(5, &mut Vec::new()).unwrap();
    look(&mut segments);
    roll(&mut segments, 50..55);
    look(&mut segments);
    segments.truncate(Offset(48 * 48), None).unwrap();
    look(&mut segments);
    roll(&mut segments, 48..60);
    look(&mut segments);
    drop(segments);
    let mut segments = dir.load(clean()).segments;
    look(&mut segments);
    segments.restart(Offset(7), NOW).unwrap();
    look(&mut segments);
}

#[test]
fn the_indexes_of_a_small_segment_are_not_opened_by_a_start_and_a_first_append() {
    for clean in [true, false] {
        let dir = Dir::new(ScriptedDisk::default());
        let mut segments = dir.create();
        segments.append(&batch(0, 1, 50)).unwrap();
        segments.finish().unwrap();
        drop(segments);
        dir.descriptors.disk().reset();
        let mut listing = Listing::read(dir.descriptors.disk(), dir.temp.path()).unwrap();
        let mut loading = unclean(0);
        if clean {
            // A clean end has told.
            let largest = TimestampOffset { timestamp: NOW, offset: LastOffset(0) };
            listing.segments.values_mut().for_each(|facts| facts.largest = Some(Some(largest)));
            loading = Loading { end: Some(Offset(1)), ..self::clean() };
        }
        let input = (&listing, SMALL, loading);
        let loaded = Segments::load(&dir.descriptors, dir.temp.path().into(), input, Offset(1), &mut ());
        let mut loaded = loaded.unwrap();
        loaded.segments.append(&batch(1, 1, 50)).unwrap();
        let disk = dir.descriptors.disk();
        assert_eq!(
            (disk.count("open", ".index"), disk.count("open", ".timeindex")),
            (0, 0),
            "clean: {clean}"
        );
        // They have what they must once it is due.
        loaded.segments.append(&batch(2, 1, 300)).unwrap();
        loaded.segments.append(&batch(3, 1, 300)).unwrap();
        loaded.segments.finish().unwrap();
        drop(loaded);
        let mut again = dir.load(Loading { end: Some(Offset(4)), ..self::clean() });
        let entries = again.segments.active().time_index_entries().unwrap();
        assert_eq!(entries, 2, "clean: {clean}");
        assert_eq!(again.segments.first_segment_as_young(Timestamp(NOW.0 + 3)).unwrap(), Some(0));
    }
}

/// Offsets count in 31 bits from the segment's base, in the indexes and so everywhere.
#[test]
fn recovery_ends_a_segment_before_a_batch_out_of_its_reach() {
    let reach = i64::from(i32::MAX);
    for (last, taken) in [(reach, true), (reach + 1, false), (reach * 2 + 3, false)] {
        let dir = Dir::new(RealDisk);
        let bytes = [batch(0, 3, 10), batch(last, 1, 10)].concat();
        std::fs::write(dir.temp.path().join("00000000000000000000.log"), &bytes).unwrap();
        let mut loaded = dir.load(unclean(0));
        let (end, size) = if taken { (last + 1, bytes.len()) } else { (3, batch(0, 3, 10).len()) };
        assert_eq!((loaded.end, loaded.segments.size()), (Offset(end), size as u64), "{last}");
        assert_eq!(loaded.cut.is_none(), taken, "{last}: {:?}", loaded.cut);
        let found = loaded.segments.read(Offset(3), (Offset(end), Offset(end)), 400, true).unwrap();
        assert_eq!(found.length > 0, taken, "{last}");
    }
}

/// A rename that fails half way leaves those that were not renamed, in order.
#[test]
fn segments_that_cannot_be_dropped_stay() {
    let dir = Dir::new(ScriptedDisk::default());
    let mut segments = dir.create();
    for base in 0..40 {
        segments.append(&batch(base, 1, 10)).unwrap();
        segments.roll(Offset(base + 1), NOW).unwrap();
    }
    dir.descriptors.disk().fail("rename", "00000000000000000005.log", Errno::NOSPC);
    let mut renamed = Vec::new();
    segments.drop_front(10, &mut renamed).unwrap_err();
    assert!(renamed.len() >= 5 && renamed.iter().all(|path| path.exists()), "{renamed:?}");
    assert_eq!((segments.count(), segments.first_base()), (36, Offset(5)));
    dir.descriptors.disk().mend();
    // Each has a log and, ended, two indexes.
    renamed.clear();
    segments.drop_front(10, &mut renamed).unwrap();
    assert!(renamed.len() >= 10 && renamed.iter().all(|path| path.exists()), "{renamed:?}");
    assert_eq!((segments.count(), segments.first_base()), (26, Offset(15)));
    assert_eq!(segments.index_of(Offset(20)), 5);
    segments.drop_front(99, &mut renamed).unwrap();
    assert_eq!((segments.count(), segments.first_base()), (1, Offset(40)));
}

/// What is known of the first segments answers, though a later one cannot be looked into.
#[test]
fn a_segment_that_cannot_be_read_hides_no_younger_one_before_it() {
    let dir = Dir::new(ScriptedDisk::default());
    let mut segments = dir.create();
    for base in 0..5 {
        segments.append(&batch(base, 1, 10)).unwrap();
        segments.roll(Offset(base + 1), NOW).unwrap();
    }
    segments.finish().unwrap();
    drop(segments);
    let mut segments = dir.load(clean()).segments;
    dir.descriptors.close_all();
    dir.descriptors.disk().fail("open", "3.timeindex", Errno::MFILE);
    dir.descriptors.disk().fail("open", "3.log", Errno::MFILE);
    assert_eq!(segments.first_segment_as_young(Timestamp(NOW.0 + 2)).unwrap(), Some(2));
    segments.first_segment_as_young(Timestamp(NOW.0 + 3)).unwrap_err();
}
