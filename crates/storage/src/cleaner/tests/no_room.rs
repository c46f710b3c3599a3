//! Compaction on a disk that has no room for one call after the other that takes some. New segments wait for room as records
//! do; those that are complete take their places with what the reserve gives up, for that frees some.

use super::kills::{fill, last_of, names};
use super::*;
use crate::directory_state::DirectoryHealth;
use crate::disk::RealDisk;
use crate::scripted_disk::ScriptedDisk;

#[test]
fn a_compaction_ends_without_room_once_its_segments_are_complete() {
    let (mut ended, mut waited) = (0, 0);
    for calls in 0.. {
        let disk = ScriptedDisk::default();
        let mut bench = Bench::new(disk.clone());
        let descriptors = Descriptors::new(disk.clone(), OPEN_MAX);
        let home = LogDirectory::start(bench.temp.path(), Uuid([7; 16]), descriptors, 128 << 10).unwrap();
        bench.home = Arc::new(home);
        let log = fill(&bench);
        let (old, end) = (stored(&log), locked(&log).partition().watermarks().log_end);
        disk.no_room_after(calls);
        let outcome = clean(&log, OPTIONS, NOW);
        let Some(call) = disk.take_without_room() else { break };
        assert_ne!(locked(&log).home().state().health(), DirectoryHealth::Offline, "{call}");
        assert_eq!(last_of(&stored(&log)), last_of(&old), "{call}");
        match outcome {
            Ok(cleaned) => {
                assert!(cleaned.is_some(), "{call}");
                ended += 1;
            }
            Err(error) => {
                let writes = call.ends_with(".cleaned") && !call.starts_with("rename");
                assert!(writes, "no room to {call}: {error}");
                assert_eq!(locked(&log).uncleanable(), None, "{call}");
                waited += 1;
                let again = clean(&log, OPTIONS, NOW);
                assert!(matches!(again, Ok(Some(_))), "{call}: {:?}", again.err());
            }
        }
        assert_eq!(stored(&log).len(), 5, "{call}");
        bench.home.removals().run(&disk, Timestamp(i64::MAX)).unwrap();
        let left = names(&bench);
        let odd = |name: &&String| [".cleaned", ".swap", ".deleted"].iter().any(|end| name.ends_with(end));
        assert_eq!(left.iter().find(odd), None, "{call}");
        drop(log);
        assert_eq!(last_of(&stored(&bench.reopen(RealDisk, end))), last_of(&old), "{call}");
    }
    assert!(ended > 10 && waited > 5, "{ended} ended, {waited} waited for room");
}
