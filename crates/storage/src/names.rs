//! How Kafka names the files of a log and the directories of partitions.
//!
//! A segment's files carry the offset of its first record in twenty digits. A partition's directory is
//! `<topic>-<partition>`; on its way out it becomes `<topic>-<partition>.<uuid>-delete` (or `-stray`).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::id::PartitionIndex;
use protocol::offset::Offset;

/// A partition by the name of its topic: what a directory is called and checkpoints list.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Arc<str>,
    /// The index within it.
    pub partition: PartitionIndex,
}

impl TopicPartition {
    /// A partition of a topic.
    pub fn new(topic: impl Into<Arc<str>>, partition: PartitionIndex) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// The kinds of file that belong to one segment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SegmentFile {
    /// The batches.
    Log,
    /// Offset to position.
    OffsetIndex,
    /// Timestamp to offset.
    TimeIndex,
    /// Aborted transactions.
    TransactionIndex,
    /// Producers as they stood at the offset of the name.
    ProducerSnapshot,
}

impl SegmentFile {
    const ALL: [Self; 5] =
        [Self::Log, Self::OffsetIndex, Self::TimeIndex, Self::TransactionIndex, Self::ProducerSnapshot];

    /// The part of the name after the offset, with its dot.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Log => ".log",
            Self::OffsetIndex => ".index",
            Self::TimeIndex => ".timeindex",
            Self::TransactionIndex => ".txnindex",
            Self::ProducerSnapshot => ".snapshot",
        }
    }

    /// The path of this kind of file for `offset` in the partition's directory.
    pub fn path(self, directory: &Path, offset: Offset) -> PathBuf {
        self.path_at(directory, offset, Stage::Live)
    }

    /// The path of this kind of file at a stage.
    pub fn path_at(self, directory: &Path, offset: Offset, stage: Stage) -> PathBuf {
        directory.join(format!("{:020}{}{}", offset.0, self.suffix(), stage.suffix()))
    }
}

/// How far a segment's files have come on their way to take the place of others (`.cleaned`, `.swap`, none).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    /// Being written: worth nothing after a crash.
    Cleaned,
    /// Complete and on stable storage: a start puts them in place of what they were made from.
    Swap,
    /// In use.
    Live,
}

impl Stage {
    /// What is added to the names of the files.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Cleaned => ".cleaned",
            Self::Swap => ".swap",
            Self::Live => "",
        }
    }
}

/// What a file name inside a partition's directory says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileName {
    /// A file in use.
    Segment(SegmentFile, Offset),
    /// Renamed to be deleted.
    Deleted,
    /// Output of a compaction that did not finish.
    Cleaned,
    /// Output of a compaction that finished but was not renamed into place.
    Swap(SegmentFile, Offset),
    /// Anything else.
    Other,
}

/// Added to a file that waits to be deleted.
pub const DELETED_SUFFIX: &str = ".deleted";
/// Ends the name of a partition directory that waits to be deleted.
pub const DELETE_DIR_SUFFIX: &str = "-delete";
/// Ends the name of a partition directory that the metadata does not place here.
pub const STRAY_DIR_SUFFIX: &str = "-stray";
/// Ends the name of a replica that is being moved between log directories.
pub const FUTURE_DIR_SUFFIX: &str = "-future";

impl FileName {
    /// Reads a file name.
    pub fn parse(name: &str) -> Self {
        // A quorum snapshot on its way out belongs to the metadata log's own housekeeping.
        if name.ends_with(".checkpoint.deleted") {
            return Self::Other;
        }
        if name.ends_with(DELETED_SUFFIX) {
            return Self::Deleted;
        }
        if name.ends_with(Stage::Cleaned.suffix()) {
            return Self::Cleaned;
        }
        if let Some(swapped) = name.strip_suffix(Stage::Swap.suffix()) {
            return match Self::parse(swapped) {
                Self::Segment(kind, offset) => Self::Swap(kind, offset),
                _ => Self::Other,
            };
        }
        for kind in SegmentFile::ALL {
            if let Some(digits) = name.strip_suffix(kind.suffix()) {
                return match parse_offset(digits) {
                    Some(offset) => Self::Segment(kind, offset),
                    None => Self::Other,
                };
            }
        }
        Self::Other
    }
}

fn parse_offset(digits: &str) -> Option<Offset> {
    (digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit()))
        .then(|| digits.parse().ok().map(Offset))
        .flatten()
}

/// What a directory name inside a log directory says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DirectoryName {
    /// A partition.
    Partition(TopicPartition),
    /// A partition that waits to be deleted.
    Deleted(TopicPartition),
    /// A partition set aside since the metadata does not place it here.
    Stray(TopicPartition),
    /// A replica on its way here from another log directory.
    Future(TopicPartition),
    /// Not a partition's directory.
    Other,
}

impl DirectoryName {
    /// Reads a directory name.
    pub fn parse(name: &str) -> Self {
        type Variant = fn(TopicPartition) -> DirectoryName;
        let suffixes: [(&str, Variant); 3] = [
            (DELETE_DIR_SUFFIX, Self::Deleted),
            (STRAY_DIR_SUFFIX, Self::Stray),
            (FUTURE_DIR_SUFFIX, Self::Future),
        ];
        for (suffix, variant) in suffixes {
            if let Some(rest) = name.strip_suffix(suffix) {
                let partition =
                    rest.rsplit_once('.').and_then(|(partition, _uuid)| parse_partition(partition));
                return partition.map_or(Self::Other, variant);
            }
        }
        parse_partition(name).map_or(Self::Other, Self::Partition)
    }
}

fn parse_partition(name: &str) -> Option<TopicPartition> {
    let (topic, index) = name.rsplit_once('-')?;
    let canonical = index == "0" || !index.starts_with(['0', '+']);
    let index: i32 = index.parse().ok().filter(|index| *index >= 0 && canonical)?;
    (!topic.is_empty()).then(|| TopicPartition::new(topic, PartitionIndex(index)))
}

/// The name a partition's directory takes when its deletion begins. Kafka keeps names within 255 bytes by cutting
/// the topic.
pub fn deletion_name(partition: &TopicPartition, unique: &str) -> String {
    renamed_away(partition, unique, DELETE_DIR_SUFFIX)
}

/// The name a partition's directory takes when the metadata does not place it here.
pub fn stray_name(partition: &TopicPartition, unique: &str) -> String {
    renamed_away(partition, unique, STRAY_DIR_SUFFIX)
}

/// The name of the directory of a replica on its way here.
pub fn future_name(partition: &TopicPartition, unique: &str) -> String {
    renamed_away(partition, unique, FUTURE_DIR_SUFFIX)
}

fn renamed_away(partition: &TopicPartition, unique: &str, suffix: &str) -> String {
    let tail = format!("-{}.{unique}{suffix}", partition.partition);
    let mut topic: &str = &partition.topic;
    while topic.len() + tail.len() > 255 {
        let mut end = topic.len() - 1;
        while !topic.is_char_boundary(end) {
            end -= 1;
        }
        topic = &topic[..end];
    }
    format!("{topic}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segment_files_have_twenty_digits() {
        let path = SegmentFile::TimeIndex.path(Path::new("/d/t-0"), Offset(115));
        assert_eq!(path, Path::new("/d/t-0/00000000000000000115.timeindex"));
    }

    #[test]
    fn file_names_are_read_as_kafka_reads_them() {
        let offset = Offset(115);
        let table = [
            ("00000000000000000115.log", FileName::Segment(SegmentFile::Log, offset)),
            ("00000000000000000115.index", FileName::Segment(SegmentFile::OffsetIndex, offset)),
            ("00000000000000000115.snapshot", FileName::Segment(SegmentFile::ProducerSnapshot, offset)),
            ("00000000000000000115.log.deleted", FileName::Deleted),
            ("00000000000000000115.log.cleaned", FileName::Cleaned),
            ("00000000000000000115.txnindex.swap", FileName::Swap(SegmentFile::TransactionIndex, offset)),
            ("00000000000000000115-0000000001.checkpoint.deleted", FileName::Other),
            ("115.log", FileName::Other),
            ("-0000000000000000115.log", FileName::Other),
            ("99999999999999999999.log", FileName::Other),
            ("leader-epoch-checkpoint", FileName::Other),
            ("", FileName::Other),
        ];
        for (name, expected) in table {
            assert_eq!(FileName::parse(name), expected, "{name}");
        }
    }

    #[test]
    fn directory_names_are_read_as_kafka_reads_them() {
        let partition = |topic: &str, index| TopicPartition::new(topic, PartitionIndex(index));
        let table = [
            ("orders-0", DirectoryName::Partition(partition("orders", 0))),
            ("a-b-12", DirectoryName::Partition(partition("a-b", 12))),
            ("orders-3.0123abcd-delete", DirectoryName::Deleted(partition("orders", 3))),
            ("a.b-3.0123abcd-stray", DirectoryName::Stray(partition("a.b", 3))),
            ("a.b-3.0123abcd-future", DirectoryName::Future(partition("a.b", 3))),
            ("orders-delete", DirectoryName::Other),
            ("orders-01", DirectoryName::Other),
            ("orders--1", DirectoryName::Partition(partition("orders-", 1))),
            ("-1", DirectoryName::Other),
            ("lost+found", DirectoryName::Other),
        ];
        for (name, expected) in table {
            assert_eq!(DirectoryName::parse(name), expected, "{name}");
        }
    }

    #[test]
    fn a_deletion_name_stays_within_255_bytes() {
        let partition = TopicPartition::new("t".repeat(249), PartitionIndex(7));
        let name = deletion_name(&partition, "0123456789abcdef0123456789abcdef");
        assert_eq!(name.len(), 255);
        assert!(matches!(DirectoryName::parse(&name), DirectoryName::Deleted(_)));
    }
}
