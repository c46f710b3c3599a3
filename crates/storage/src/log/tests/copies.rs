//! What a log takes that was written elsewhere: a follower's, or a copy in another directory.

use protocol::records::batch::TimestampType;
use protocol::records::compression::Compressors;
use protocol::records::legacy::{LegacyBuilder, LegacyOptions};

use super::*;

/// A log of messages from before there were batches, as an old Kafka has left it.
fn old_log(bench: &Bench<RealDisk>) -> Log<RealDisk> {
    let log = bench.create();
    let options = LegacyOptions {
        magic: 1,
        compression: Compression::from(Codec::None),
        timestamp_type: TimestampType::CreateTime,
    };
    let mut builder = LegacyBuilder::new(options);
    for offset in 0..3 {
        builder.push(Offset(offset), NOW, Some(b"k"), Some(b"v"));
    }
    let path = log.path().join("00000000000000000000.log");
    drop(log);
    std::fs::write(path, builder.finish(&mut Compressors::default()).unwrap()).unwrap();
    bench.open(Checkpoints::nothing())
}

#[test]
fn nothing_is_copied_to_a_full_disk_whatever_its_format() {
    let (old, new) = (Bench::new(RealDisk), Bench::new(RealDisk));
    let mut recent = new.create();
    append(&mut recent, plain(3, 10)).unwrap();
    for mut log in [old_log(&old), recent] {
        let there = Bench::new(RealDisk);
        let mut copy = there.create();
        copy.become_follower(EPOCH);
        let piece = log.piece_from(Offset(0), 1 << 20).unwrap();
        let state = there.home.state();
        state.note(&Fault::io("write", there.home.path(), Errno::NOSPC.into()));
        assert!(copy.take_copied(&piece, NOW).unwrap_err().no_space());
        assert_eq!(copy.size(), 0);
        state.has_room();
        assert_eq!(copy.take_copied(&piece, NOW).unwrap(), piece.bytes.len() as u64);
        assert_eq!(copy.partition().watermarks().log_end, Offset(3));
    }
}

#[test]
fn epochs_of_what_was_written_elsewhere_are_on_disk_before_they_are_not_learned_again() {
    let bench = Bench::new(RealDisk);
    let mut log = bench.create();
    for (epoch, base) in [(4, 0), (5, 1)] {
        let leader_epoch = LeaderEpoch(epoch);
        log.become_follower(leader_epoch);
        let options = BatchOptions { base_offset: Offset(base), leader_epoch, ..BatchOptions::default() };
        log.append_replicated(leader_epoch, &data(1, 10, options), NOW).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        log.flush(NOW, Box::new(move |outcome| tell.send(outcome).unwrap())).unwrap();
        told.recv().unwrap().unwrap();
    }
    assert_eq!(epochs(&log), (vec![(4, 0), (5, 1)], vec![(4, 0), (5, 1)]));
}
