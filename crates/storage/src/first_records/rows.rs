//! The rows of a file of first records, as they are written and as they are found.
//!
//! Eight bytes say what the file is and how it is laid out; rows follow without a gap:
//!
//! ```text
//! state | head checksum | length | length inverted | batch checksum | topic id | partition | name length | name | batch
//!   1          4            4             4                4             16          4            2
//! ```
//!
//! The head checksum covers what follows it up to the batch, the length is that of the row. Each row is of another log:
//! one that is broken is passed over, and takes none with it. Nothing here reads or writes a file.

use std::path::Path;

use protocol::id::{PartitionIndex, TopicId, Uuid};
use protocol::records::checksum::crc32c;

use crate::fault::Fault;
use crate::names::TopicPartition;

/// What the file begins with. The last byte is the layout.
pub(super) const MAGIC: &[u8; 8] = b"HWFIRST3";
/// Where the head checksum, what it covers, and the name begin in a row.
const CHECKSUM: usize = 1;
const CHECKED: usize = CHECKSUM + 4;
const NAME: usize = CHECKED + 4 + 4 + 4 + 16 + 4 + 2;
/// No bit that turns over makes one state of the other.
pub(super) const COUNTS: u8 = 0xc3;
pub(super) const DONE: u8 = 0x3c;

/// Where the first batch of a log lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FirstPlace {
    pub(super) row: u32,
    /// From the row's beginning.
    pub(super) batch: u32,
    /// Its bytes.
    pub length: u32,
}

/// A row that was found at a start and counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundRow {
    /// Whose it is.
    pub name: TopicPartition,
    /// The id of the topic.
    pub topic_id: TopicId,
    /// Where it lies.
    pub place: FirstPlace,
    /// The batch.
    pub batch: Vec<u8>,
}

/// Adds the row of a batch, of a log whose name has so many bytes, to what is written at `at`; says where it will lie.
pub(super) fn add(
    row: &mut Vec<u8>,
    at: u32,
    ((name, name_length), topic_id): ((&TopicPartition, u16), TopicId),
    batch: &[u8],
) -> FirstPlace {
    let from = row.len();
    let length = (NAME + name.topic.len() + batch.len()) as u32;
    row.extend_from_slice(&[COUNTS, 0, 0, 0, 0]);
    row.extend_from_slice(&length.to_be_bytes());
    row.extend_from_slice(&(!length).to_be_bytes());
    row.extend_from_slice(&crc32c(batch).to_be_bytes());
    row.extend_from_slice(&topic_id.0);
    row.extend_from_slice(&name.partition.0.to_be_bytes());
    row.extend_from_slice(&name_length.to_be_bytes());
    row.extend_from_slice(name.topic.as_bytes());
    let checksum = crc32c(&row[from + CHECKED..]);
    row[from + CHECKSUM..from + CHECKED].copy_from_slice(&checksum.to_be_bytes());
    let place =
        FirstPlace { row: at + from as u32, batch: (row.len() - from) as u32, length: batch.len() as u32 };
    row.extend_from_slice(batch);
    place
}

/// What is found where a row begins.
pub(crate) enum Row {
    Counts(FoundRow),
    Done,
    /// Whose it was, if that much is whole.
    Broken(Option<TopicPartition>),
}

/// The rows of a file, with their positions, as far as one leads to the next.
pub(crate) struct Rows<'a> {
    bytes: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Rows<'a> {
    /// The rows of the file at `path`.
    ///
    /// # Errors
    /// If it is laid out in another way.
    pub(crate) fn of(path: &Path, bytes: &'a [u8]) -> Result<Self, Fault> {
        let magic = &bytes[..bytes.len().min(MAGIC.len())];
        if magic.len() == MAGIC.len() && magic == MAGIC {
            return Ok(Self { bytes, at: MAGIC.len() });
        }
        // A power cut before anything of it was on stable storage.
        if magic.iter().zip(MAGIC).all(|(byte, wanted)| *byte == 0 || byte == wanted) {
            return Ok(Self { bytes, at: 0 });
        }
        let reason = format!(
            "begins with {}, and not with {}: have the version of Headwater that wrote it start and end once, or, if the \
             file is broken, move it away with the acknowledged records in it",
            magic.escape_ascii(),
            MAGIC.escape_ascii()
        );
        Err(Fault::Mismatch { path: path.to_owned(), reason })
    }

    /// How many bytes behind the last row are of none and not empty.
    pub(crate) fn rest(&self) -> usize {
        let rest = &self.bytes[self.at.max(MAGIC.len()).min(self.bytes.len())..];
        rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
    }

    /// Where the next row begins if this one is broken: its length stands there twice.
    fn next_behind(&self, at: usize) -> Option<usize> {
        let lengths = self.bytes.get(at + CHECKED..)?.first_chunk::<8>()?;
        let [a, b, c, d, e, f, g, h] = *lengths;
        let (one, other) = (u32::from_be_bytes([a, b, c, d]), !u32::from_be_bytes([e, f, g, h]));
        let leads = |length: &u32| {
            let next = at.saturating_add(*length as usize);
            let is_row = next == self.bytes.len()
                || self.bytes.get(next..).is_some_and(|bytes| Head::parse(bytes).is_some());
            (*length as usize >= NAME && next <= self.bytes.len() && (one == other || is_row)).then_some(next)
        };
        [one, other].iter().find_map(leads)
    }
}

impl Iterator for Rows<'_> {
    type Item = (usize, Row);

    fn next(&mut self) -> Option<(usize, Row)> {
        let at = self.at;
        // Without its first bytes there is none.
        let bytes = self.bytes.get(at..).filter(|_| at > 0)?;
        let head = Head::parse(bytes);
        let row = head.as_ref().map_or(Row::Broken(None), |head| head.row(bytes, at));
        self.at = match head {
            Some(head) if at + head.length <= self.bytes.len() => at + head.length,
            _ => self.next_behind(at)?,
        };
        Some((at, row))
    }
}

/// The part of a row that says whose it is.
pub(super) struct Head<'a> {
    pub(super) state: u8,
    /// Of the row.
    length: usize,
    batch_checksum: u32,
    topic_id: TopicId,
    partition: PartitionIndex,
    topic: &'a str,
}

impl<'a> Head<'a> {
    pub(super) fn parse(row: &'a [u8]) -> Option<Self> {
        let (fixed, rest) = row.split_first_chunk::<NAME>()?;
        let number = |at: usize| fixed[at..].first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        let topic = rest.get(..usize::from(u16::from_be_bytes([fixed[NAME - 2], fixed[NAME - 1]])))?;
        let length = number(CHECKED)? as usize;
        if crc32c(&row[CHECKED..NAME + topic.len()]) != number(CHECKSUM)? || length < NAME + topic.len() {
            return None;
        }
        Some(Self {
            state: fixed[0],
            length,
            batch_checksum: number(CHECKED + 8)?,
            topic_id: Uuid(*fixed[CHECKED + 12..].first_chunk()?),
            partition: PartitionIndex(number(CHECKED + 28)? as i32),
            topic: str::from_utf8(topic).ok()?,
        })
    }

    /// The batch of the row, if it is whole.
    pub(super) fn batch<'b>(&self, row: &'b [u8]) -> Option<&'b [u8]> {
        let batch = row.get(NAME + self.topic.len()..self.length)?;
        (crc32c(batch) == self.batch_checksum).then_some(batch)
    }

    fn row(&self, row: &[u8], at: usize) -> Row {
        let name = || TopicPartition::new(self.topic, self.partition);
        match (self.state, self.batch(row), u32::try_from(at)) {
            (DONE, ..) => Row::Done,
            (COUNTS, Some(batch), Ok(at)) => Row::Counts(FoundRow {
                name: name(),
                topic_id: self.topic_id,
                place: FirstPlace {
                    row: at,
                    batch: (NAME + self.topic.len()) as u32,
                    length: batch.len() as u32,
                },
                batch: batch.to_vec(),
            }),
            _ => Row::Broken(Some(name())),
        }
    }
}
