//! `.kafka_cleanshutdown` in a log directory: written last at a clean end, taken away before anything else at the next
//! start. Where it was, the files can be trusted as they are; the broker epoch in it lets the controller keep the broker
//! among the eligible leaders (KIP-966).

use std::path::Path;

use protocol::id::BrokerEpoch;
use serde_json::Value;

use crate::disk::Disk;
use crate::fault::Fault;
use crate::whole_file;

/// The name of the file.
pub const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";

/// Marks the directory as closed cleanly.
pub fn write<D: Disk>(disk: &D, directory: &Path, epoch: BrokerEpoch) -> Result<(), Fault> {
    let text = format!(r#"{{"version":0,"brokerEpoch":{epoch}}}"#);
    whole_file::replace(disk, &directory.join(CLEAN_SHUTDOWN), text.as_bytes())
}

/// Takes the mark away and says what it was: `None` after a crash. The epoch is -1 where the file does not tell, as
/// in the empty one that Kafka before 3.7 wrote.
pub fn take<D: Disk>(disk: &D, directory: &Path) -> Result<Option<BrokerEpoch>, Fault> {
    let path = directory.join(CLEAN_SHUTDOWN);
    let Some(bytes) = whole_file::read(disk, &path)? else { return Ok(None) };
    disk.unlink(&path).map_err(|error| Fault::io("remove", &path, error))?;
    // A crash during the start that follows must find it gone, or it would skip recovery (KAFKA-10471).
    disk.fsync_dir(directory).map_err(|error| Fault::io("fsync", directory, error))?;
    Ok(Some(broker_epoch(&bytes).unwrap_or(BrokerEpoch(-1))))
}

fn broker_epoch(bytes: &[u8]) -> Option<BrokerEpoch> {
    let json: Value = serde_json::from_slice(bytes).ok()?;
    (json.get("version")?.as_i64()? == 0).then_some(())?;
    json.get("brokerEpoch")?.as_i64().map(BrokerEpoch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use crate::scripted_disk::ScriptedDisk;
    use proptest::prelude::*;
    use rustix::io::Errno;

    #[test]
    fn the_mark_is_kafkas_to_the_byte_and_taken_once() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(take(&RealDisk, directory.path()).unwrap(), None);
        write(&RealDisk, directory.path(), BrokerEpoch(97)).unwrap();
        let text = std::fs::read_to_string(directory.path().join(CLEAN_SHUTDOWN)).unwrap();
        assert_eq!(text, r#"{"version":0,"brokerEpoch":97}"#);
        assert_eq!(take(&RealDisk, directory.path()).unwrap(), Some(BrokerEpoch(97)));
        assert_eq!(take(&RealDisk, directory.path()).unwrap(), None);
    }

    #[test]
    fn a_mark_without_an_epoch_still_is_one() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(CLEAN_SHUTDOWN), "").unwrap();
        assert_eq!(take(&RealDisk, directory.path()).unwrap(), Some(BrokerEpoch(-1)));
    }

    #[test]
    fn a_mark_counts_only_once_it_is_gone_for_good() {
        let (directory, disk) = (tempfile::tempdir().unwrap(), ScriptedDisk::default());
        write(&disk, directory.path(), BrokerEpoch(97)).unwrap();
        disk.reset();
        assert_eq!(take(&disk, directory.path()).unwrap(), Some(BrokerEpoch(97)));
        assert_eq!(disk.count("fsync_dir", &directory.path().to_string_lossy()), 1);
        write(&disk, directory.path(), BrokerEpoch(98)).unwrap();
        disk.fail_once("fsync_dir", "", Errno::IO);
        take(&disk, directory.path()).unwrap_err();
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_have_an_epoch_or_none(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = broker_epoch(&bytes);
        }
    }
}
