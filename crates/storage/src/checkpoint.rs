//! Kafka's checkpoint files: text, a version line `0`, a line with the number of entries, one line an entry.
//!
//! In a log directory four files of `topic partition offset`: `recovery-point-offset-checkpoint` (what is on stable
//! storage), `replication-offset-checkpoint` (high watermarks), `log-start-offset-checkpoint` and
//! `cleaner-offset-checkpoint`. In a partition's directory `leader-epoch-checkpoint` of `epoch start-offset`.
//! An empty file is what Kafka leaves before it first writes one: no entries.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use protocol::id::{LeaderEpoch, PartitionIndex};
use protocol::offset::Offset;

use crate::disk::Disk;
use crate::fault::Fault;
use crate::names::TopicPartition;
use crate::whole_file;

/// What is on stable storage of each log.
pub const RECOVERY_POINT: &str = "recovery-point-offset-checkpoint";
/// The high watermark of each log.
pub const REPLICATION: &str = "replication-offset-checkpoint";
/// Where each log starts, if not at its first segment.
pub const LOG_START: &str = "log-start-offset-checkpoint";
/// Up to where each log is compacted.
pub const CLEANER: &str = "cleaner-offset-checkpoint";
/// The leader epochs of one log.
pub const LEADER_EPOCH: &str = "leader-epoch-checkpoint";

const VERSION: &str = "0";

/// Offsets by partition.
pub type PartitionOffsets = BTreeMap<TopicPartition, Offset>;

/// Reads a checkpoint of offsets; no file is no entries.
pub fn read_offsets<D: Disk>(disk: &D, path: &Path) -> Result<PartitionOffsets, Fault> {
    let Some(text) = whole_file::read_text(disk, path)? else { return Ok(PartitionOffsets::new()) };
    parse_offsets(path, &text)
}

/// Replaces a checkpoint of offsets.
pub fn write_offsets<D: Disk>(disk: &D, path: &Path, offsets: &PartitionOffsets) -> Result<(), Fault> {
    let mut text = OffsetsText::default();
    offsets.iter().for_each(|(partition, offset)| text.push(partition, *offset));
    whole_file::replace(disk, path, text.finish().as_bytes())
}

/// The text of a checkpoint of offsets as it is gathered, which is all that is held of very many partitions.
#[derive(Default)]
pub struct OffsetsText {
    lines: String,
    count: usize,
}

impl OffsetsText {
    /// Adds a partition.
    pub fn push(&mut self, partition: &TopicPartition, offset: Offset) {
        let _ = writeln!(self.lines, "{} {} {offset}", partition.topic, partition.partition);
        self.count += 1;
    }

    /// The whole of it.
    pub fn finish(mut self) -> String {
        self.lines.insert_str(0, &format!("{VERSION}\n{}\n", self.count));
        self.lines
    }
}

/// Reads a checkpoint of leader epochs; no file is no entries. Epochs and offsets must both grow.
pub fn read_leader_epochs<D: Disk>(disk: &D, path: &Path) -> Result<Vec<(LeaderEpoch, Offset)>, Fault> {
    let Some(text) = whole_file::read_text(disk, path)? else { return Ok(Vec::new()) };
    parse_leader_epochs(path, &text)
}

/// Replaces a checkpoint of leader epochs.
pub fn write_leader_epochs<D: Disk>(
    disk: &D,
    path: &Path,
    epochs: &[(LeaderEpoch, Offset)],
) -> Result<(), Fault> {
    whole_file::replace(disk, path, leader_epochs_text(epochs).as_bytes())
}

/// Replaces a checkpoint of leader epochs, by the rules of [`whole_file::replace_unnamed`].
pub fn write_leader_epochs_unnamed<D: Disk>(
    disk: &D,
    path: &Path,
    epochs: &[(LeaderEpoch, Offset)],
) -> Result<(), Fault> {
    whole_file::replace_unnamed(disk, path, leader_epochs_text(epochs).as_bytes())
}

/// Replaces a checkpoint of leader epochs without waiting for stable storage.
pub fn write_leader_epochs_unsynced<D: Disk>(
    disk: &D,
    path: &Path,
    epochs: &[(LeaderEpoch, Offset)],
) -> Result<(), Fault> {
    whole_file::replace_unsynced(disk, path, leader_epochs_text(epochs).as_bytes())
}

/// Writes a checkpoint of leader epochs that is not there yet, by the rules of [`whole_file::create_unsynced`].
pub fn create_leader_epochs<D: Disk>(
    disk: &D,
    path: &Path,
    epochs: &[(LeaderEpoch, Offset)],
) -> Result<(), Fault> {
    whole_file::create_unsynced(disk, path, leader_epochs_text(epochs).as_bytes())
}

/// Writes what [`whole_file::put_in_place`] is to put in place of a checkpoint of leader epochs once it is on stable storage.
pub fn write_leader_epochs_beside<D: Disk>(
    disk: &D,
    path: &Path,
    epochs: &[(LeaderEpoch, Offset)],
) -> Result<(), Fault> {
    whole_file::write_beside_unsynced(disk, path, leader_epochs_text(epochs).as_bytes())
}

fn leader_epochs_text(epochs: &[(LeaderEpoch, Offset)]) -> String {
    let mut text = format!("{VERSION}\n{}\n", epochs.len());
    for (epoch, start) in epochs {
        let _ = writeln!(text, "{epoch} {start}");
    }
    text
}

fn parse_offsets(path: &Path, text: &str) -> Result<PartitionOffsets, Fault> {
    let mut offsets = PartitionOffsets::new();
    // Partitions of one topic follow one another, and share its name.
    let mut shared: Arc<str> = Arc::from("");
    for line in entries(path, text)? {
        let mut words = line.text.split_ascii_whitespace();
        let (Some(topic), Some(partition), Some(offset), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(line.wrong(path, "a topic, a partition and an offset"));
        };
        let partition = PartitionIndex(line.number(path, partition)?);
        if *shared != *topic {
            shared = Arc::from(topic);
        }
        offsets.insert(TopicPartition::new(shared.clone(), partition), Offset(line.number(path, offset)?));
    }
    Ok(offsets)
}

fn parse_leader_epochs(path: &Path, text: &str) -> Result<Vec<(LeaderEpoch, Offset)>, Fault> {
    let mut epochs: Vec<(LeaderEpoch, Offset)> = Vec::new();
    for line in entries(path, text)? {
        let mut words = line.text.split_ascii_whitespace();
        let (Some(epoch), Some(start), None) = (words.next(), words.next(), words.next()) else {
            return Err(line.wrong(path, "an epoch and its start offset"));
        };
        let (epoch, start) = (LeaderEpoch(line.number(path, epoch)?), Offset(line.number(path, start)?));
        if epochs.last().is_some_and(|last| epoch <= last.0 || start < last.1) {
            return Err(line.wrong(path, "an epoch larger than the one before it"));
        }
        epochs.push((epoch, start));
    }
    Ok(epochs)
}

struct Line<'a> {
    text: &'a str,
    position: u64,
}

impl Line<'_> {
    fn wrong(&self, path: &Path, wanted: &str) -> Fault {
        let shown: String = self.text.chars().take(80).collect();
        Fault::corrupt(path, self.position, format!("`{shown}` where {wanted} belongs"))
    }

    fn number<T: FromStr>(&self, path: &Path, word: &str) -> Result<T, Fault> {
        word.parse().map_err(|_| self.wrong(path, "a number"))
    }
}

/// The lines after the two of the heading, as many as it promises.
fn entries<'a>(path: &Path, text: &'a str) -> Result<Vec<Line<'a>>, Fault> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut position = 0;
    let mut lines = text.split_inclusive('\n').map(|line| {
        let start = position;
        position += line.len() as u64;
        Line { text: line.trim_end(), position: start }
    });
    let version = lines.next().unwrap_or(Line { text: "", position: 0 });
    if version.text != VERSION {
        return Err(version.wrong(path, "version 0"));
    }
    let end = Line { text: "", position: text.len() as u64 };
    let count = lines.next().unwrap_or(end);
    let promised: usize = count.number(path, count.text)?;
    let entries: Vec<Line<'a>> = lines.filter(|line| !line.text.is_empty()).collect();
    if entries.len() != promised {
        let reason = format!("{} entries where the heading promises {promised}", entries.len());
        return Err(Fault::corrupt(path, text.len() as u64, reason));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use proptest::prelude::*;

    const WRITTEN_BY_KAFKA: &str = "0\n3\n__transaction_state 0 0\nbig 0 260\nplain 0 90\n";

    fn partition(topic: &str, index: i32) -> TopicPartition {
        TopicPartition::new(topic, PartitionIndex(index))
    }

    #[test]
    fn offsets_are_written_as_kafka_writes_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(REPLICATION);
        std::fs::write(&path, WRITTEN_BY_KAFKA).unwrap();
        let offsets = read_offsets(&RealDisk, &path).unwrap();
        assert_eq!(offsets[&partition("big", 0)], Offset(260));
        write_offsets(&RealDisk, &path, &offsets).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), WRITTEN_BY_KAFKA);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "no file is left beside");
    }

    #[test]
    fn leader_epochs_are_written_as_kafka_writes_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(LEADER_EPOCH);
        std::fs::write(&path, "0\n2\n0 20\n2 90\n").unwrap();
        let epochs = read_leader_epochs(&RealDisk, &path).unwrap();
        assert_eq!(epochs, [(LeaderEpoch(0), Offset(20)), (LeaderEpoch(2), Offset(90))]);
        write_leader_epochs(&RealDisk, &path, &epochs).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "0\n2\n0 20\n2 90\n");
    }

    #[test]
    fn no_file_and_an_empty_file_have_no_entries() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(CLEANER);
        assert!(read_offsets(&RealDisk, &path).unwrap().is_empty());
        std::fs::write(&path, "").unwrap();
        assert!(read_offsets(&RealDisk, &path).unwrap().is_empty());
    }

    #[test]
    fn a_wrong_line_is_named_with_its_position() {
        let table = [
            ("1\n0\n", "is corrupt at byte 0: `1` where version 0 belongs"),
            ("0\n", "is corrupt at byte 2: `` where a number belongs"),
            ("0\nx\n", "is corrupt at byte 2: `x` where a number belongs"),
            ("0\n2\na 0 1\n", "is corrupt at byte 10: 1 entries where the heading promises 2"),
            ("0\n1\na 0\n", "is corrupt at byte 4: `a 0` where a topic, a partition and an offset belongs"),
            (
                "0\n1\na 0 9999999999999999999\n",
                "at byte 4: `a 0 9999999999999999999` where a number belongs",
            ),
        ];
        for (text, expected) in table {
            let fault = parse_offsets(Path::new("c"), text).unwrap_err().to_string();
            assert!(fault.contains(expected), "{fault}");
        }
        let fault = parse_leader_epochs(Path::new("c"), "0\n2\n3 0\n3 5\n").unwrap_err().to_string();
        assert!(fault.contains("at byte 8: `3 5` where an epoch larger"), "{fault}");
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_an_error_or_entries(text in "[0-9a-z \\n-]{0,80}") {
            let _ = parse_offsets(Path::new("c"), &text);
            let _ = parse_leader_epochs(Path::new("c"), &text);
        }

        #[test]
        fn offsets_round_trip(entries in prop::collection::btree_map(("[a-z._-]{1,9}", 0..i32::MAX), any::<i64>(), 0..9)) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join(LOG_START);
            let offsets: PartitionOffsets =
                entries.into_iter().map(|((topic, index), at)| (partition(&topic, index), Offset(at))).collect();
            write_offsets(&RealDisk, &path, &offsets).unwrap();
            prop_assert_eq!(read_offsets(&RealDisk, &path).unwrap(), offsets);
        }
    }
}
