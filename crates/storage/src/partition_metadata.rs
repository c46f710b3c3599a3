//! `partition.metadata` in a partition's directory: the id of the topic it belongs to (KIP-516), so that a topic made
//! anew under an old name never takes over the old one's records.

use std::path::Path;

use protocol::id::TopicId;

use crate::disk::Disk;
use crate::fault::Fault;
use crate::whole_file;

/// The name of the file.
pub const PARTITION_METADATA: &str = "partition.metadata";

/// Reads the topic id of a partition's directory; `None` if the file is not there.
pub fn read<D: Disk>(disk: &D, directory: &Path) -> Result<Option<TopicId>, Fault> {
    let path = directory.join(PARTITION_METADATA);
    let Some(text) = whole_file::read_text(disk, &path)? else { return Ok(None) };
    parse(&path, &text).map(Some)
}

/// Writes the topic id of a new partition's directory, without waiting for stable storage. A kill leaves all of it or
/// none: Kafka takes the whole log directory for broken where the file is empty.
pub fn write<D: Disk>(disk: &D, directory: &Path, topic_id: TopicId) -> Result<(), Fault> {
    whole_file::replace_unsynced(disk, &directory.join(PARTITION_METADATA), text(topic_id).as_bytes())
}

/// Writes the topic id, and only returns once it is on stable storage.
pub fn write_synced<D: Disk>(disk: &D, directory: &Path, topic_id: TopicId) -> Result<(), Fault> {
    whole_file::replace(disk, &directory.join(PARTITION_METADATA), text(topic_id).as_bytes())
}

/// Whether the file is what a power cut right after its making leaves: its beginning, or zeros in the place of it.
pub fn is_torn<D: Disk>(disk: &D, directory: &Path) -> Result<bool, Fault> {
    let bytes = whole_file::read(disk, &directory.join(PARTITION_METADATA))?;
    let whole = text(TopicId::ZERO).len();
    Ok(bytes.is_some_and(|bytes| bytes.len() < whole || bytes.contains(&0)))
}

fn text(topic_id: TopicId) -> String {
    format!("version: 0\ntopic_id: {topic_id}")
}

fn parse(path: &Path, text: &str) -> Result<TopicId, Fault> {
    let mut lines = text.lines();
    let version = lines.next().unwrap_or_default();
    if version != "version: 0" {
        let shown: String = version.chars().take(80).collect();
        return Err(Fault::corrupt(path, 0, format!("`{shown}` where `version: 0` belongs")));
    }
    let position = version.len() as u64 + 1;
    let line = lines.next().unwrap_or_default();
    let id = line.strip_prefix("topic_id: ").and_then(TopicId::parse).filter(|id| !id.is_zero());
    id.ok_or_else(|| {
        let shown: String = line.chars().take(80).collect();
        Fault::corrupt(path, position, format!("`{shown}` where `topic_id: ` and a uuid belong"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use proptest::prelude::*;

    #[test]
    fn the_file_is_kafkas_to_the_byte() {
        let directory = tempfile::tempdir().unwrap();
        let written_by_kafka = "version: 0\ntopic_id: cZTOd6pPQQ2rwA0DoDNbFg";
        assert_eq!(read(&RealDisk, directory.path()).unwrap(), None);
        let path = directory.path().join(PARTITION_METADATA);
        std::fs::write(&path, written_by_kafka).unwrap();
        let id = read(&RealDisk, directory.path()).unwrap().unwrap();
        write(&RealDisk, directory.path(), id).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), written_by_kafka);
    }

    #[test]
    fn a_wrong_line_is_named_with_its_position() {
        let fault = parse(Path::new("p"), "version: 1\n").unwrap_err().to_string();
        assert_eq!(fault, "p is corrupt at byte 0: `version: 1` where `version: 0` belongs");
        let fault = parse(Path::new("p"), "version: 0\ntopic_id: ?").unwrap_err().to_string();
        assert_eq!(fault, "p is corrupt at byte 11: `topic_id: ?` where `topic_id: ` and a uuid belong");
        assert!(parse(Path::new("p"), "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA").is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_an_error_or_an_id(text in "(version: 0\n)?(topic_id: )?\\PC{0,30}") {
            let _ = parse(Path::new("p"), &text);
        }
    }
}
