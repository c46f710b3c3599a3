//! What a start reads of a log of whose producer snapshots one is missing or odd, whichever it is: no more than a segment beyond
//! what it reads otherwise, and never all of it (KAFKA-12520, KAFKA-5829).

use partition::producers::ProducerEntry;

use super::*;
use crate::names::SegmentFile;

const SEGMENT: u32 = 1500;
const SEGMENTS: usize = 12;

/// A log that nobody has open.
struct Left {
    bench: Bench<ScriptedDisk>,
    checkpoints: Checkpoints,
    directory: std::path::PathBuf,
    snapshots: Vec<Offset>,
    size: u64,
    end: Offset,
    producers: Vec<ProducerEntry>,
}

/// A log of many segments, in each of which another producer comes that writes no more afterwards, as it is left by a clean
/// end or by a kill. All but its last segment was brought to stable storage before.
fn left(clean: bool) -> Left {
    let mut bench = Bench::new(ScriptedDisk::default());
    bench.config.roll.segment_bytes = SEGMENT;
    let mut log = bench.create();
    let mut sequence = 0;
    while log.segment_bases().len() < SEGMENTS {
        let segments = log.segment_bases().len();
        append(&mut log, of_producer(9, sequence, 2, false)).unwrap();
        sequence += 2;
        if log.segment_bases().len() > segments {
            append(&mut log, of_producer(100 + sequence as i64, 0, 1, false)).unwrap();
            let (tell, told) = std::sync::mpsc::channel();
            log.flush(NOW, Box::new(move |outcome| tell.send(outcome).unwrap())).unwrap();
            told.recv().unwrap().unwrap();
        }
    }
    append(&mut log, of_producer(9, sequence, 2, false)).unwrap();
    let snapshots = |log: &Log<ScriptedDisk>| log.snapshots.as_slice().to_vec();
    let (size, end) = (log.size(), log.partition().watermarks().log_end);
    let producers = log.partition().producer_snapshot().collect();
    let kept = unclean(&log);
    let checkpoints = match clean {
        true => Checkpoints { clean: true, recovery_point: log.close().unwrap(), ..kept },
        false => kept,
    };
    let (directory, snapshots) = (log.path().to_owned(), snapshots(&log));
    drop(log);
    Left { bench, checkpoints, directory, snapshots, size, end, producers }
}

/// In how many segments a start reads batches, and how many bytes of them, to find everything.
fn read_by_start(left: &Left, what: &str) -> (usize, u64) {
    let disk = left.bench.home.disk();
    disk.reset();
    let log = left.bench.open(left.checkpoints);
    assert_eq!(log.partition().watermarks().log_end, left.end, "{what}");
    assert_eq!(log.partition().producer_snapshot().collect::<Vec<_>>(), left.producers, "{what}");
    let of_segment = |base: Offset| disk.bytes_read(&format!("{:020}.log", base.0));
    (log.segment_bases().into_iter().filter(|base| of_segment(*base) > 0).count(), disk.bytes_read(".log"))
}

fn spoil(path: &Path, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn one_odd_snapshot_costs_a_start_no_more_than_a_segment() {
    type Damage<'d> = &'d dyn Fn(&Path);
    let damages: [(&str, Damage<'_>); 3] = [
        ("missing", &|path| std::fs::remove_file(path).unwrap()),
        ("of another version", &|path| spoil(path, |bytes| bytes[1] = 2)),
        ("half", &|path| spoil(path, |bytes| bytes.truncate(bytes.len() / 2))),
    ];
    // A segment is looked at to find where in it to begin, and then read.
    let segment = 2 * u64::from(SEGMENT);
    for clean in [false, true] {
        let sound = left(clean);
        let usual = read_by_start(&sound, "nothing is odd");
        assert!(sound.size > 4 * (usual.1 + segment), "{usual:?} of {} bytes say nothing", sound.size);
        let mut most = 0;
        for offset in &sound.snapshots {
            for (what, damage) in damages {
                let what = format!("the snapshot of {offset} is {what}, clean: {clean}");
                let left = left(clean);
                damage(&SegmentFile::ProducerSnapshot.path(&left.directory, *offset));
                let (segments, read) = read_by_start(&left, &what);
                let bounded = segments <= usual.0 + 1 && read <= usual.1 + segment;
                assert!(bounded, "{read} bytes of {segments} segments, {usual:?} otherwise: {what}");
                most = most.max(read);
            }
        }
        assert!(most > usual.1, "none of {:?} is of any use", sound.snapshots);
    }
}

/// Of a producer whose batches were deleted there is nothing else, and a batch that it sends again would be taken for new.
#[test]
fn the_snapshot_at_the_front_of_a_compacted_log_counts_though_a_transaction_was_open_there() {
    let mut bench = Bench::new(RealDisk);
    bench.config.append.compacted = true;
    let keyed = |producer, sequence, transactional| {
        let producer = (ProducerId(producer), ProducerEpoch(0), Sequence(sequence));
        let options = BatchOptions { producer, transactional, ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options);
        builder.push(NOW, Some(b"k"), Some(b"v"), &[]);
        builder.finish_uncompressed()
    };
    let mut log = bench.create();
    append(&mut log, keyed(9, 0, false)).unwrap();
    append(&mut log, keyed(7, 0, true)).unwrap();
    log.roll(NOW).unwrap();
    append(&mut log, keyed(7, 1, true)).unwrap();
    log.delete_records(Offset(2)).unwrap();
    assert_eq!(log.retain(NOW).unwrap().reasons.len(), 1);
    let checkpoints = Checkpoints { recovery_point: Offset(0), ..unclean(&log) };
    drop(log);
    let mut log = bench.open(checkpoints);
    let again = log.append(client(), &mut keyed(9, 0, false), &mut Scratch::default()).unwrap();
    assert!(matches!(again, Appended::Duplicate(_)), "{again:?}");
    assert_eq!(log.partition().last_stable_offset(), Offset(2), "its next batch opens it again");
}
