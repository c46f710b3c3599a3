//! `headwater-resume-point` in the directory of a partition: a place in its active segment before which all is on stable
//! storage, the indexes and a snapshot of the producers too, so that recovery after a crash begins there and not at the
//! front of the segment (ADR 0022).
//!
//! Apache Kafka does not know the file and passes over it. It may have changed the log in the meantime, and so may a
//! power cut have left half of the file: it carries a checksum, and what it says of the log is held against the log
//! ([`crate::segment::Segment::is_resumable`]). A file that does not hold costs a longer recovery, never a record.
//! Nothing here writes batches or decides when a point is due.

use std::path::Path;

use protocol::id::Timestamp;
use protocol::offset::{LastOffset, Offset};
use protocol::records::checksum::crc32c;

use crate::disk::Disk;
use crate::fault::Fault;
use crate::time_index::TimestampOffset;
use crate::whole_file;

/// The name of the file.
pub const RESUME_POINT: &str = "headwater-resume-point";
const VERSION: &str = "0";

/// A place where recovery may begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResumePoint {
    /// The segment, by its base.
    pub base: Offset,
    /// The offset after the last batch before the place; the producers' snapshot is of this one.
    pub offset: Offset,
    /// The place in the log file.
    pub position: u32,
    /// Where the last batch before it starts.
    pub last: u32,
    /// The checksum of that batch's header.
    pub header: u32,
    /// How many entries the offset, time and transaction index have for what lies before it.
    pub entries: [u32; 3],
    /// The checksum of the last entries of those.
    pub last_entries: u32,
    /// The largest timestamp before it.
    pub largest: Option<TimestampOffset>,
}

impl ResumePoint {
    /// Puts the point in place of the one in the partition's directory, without bringing it to stable storage: the one
    /// before is as true.
    pub fn write<D: Disk>(&self, disk: &D, directory: &Path) -> Result<(), Fault> {
        whole_file::replace_unsynced(disk, &directory.join(RESUME_POINT), self.text().as_bytes())
    }

    /// Reads the point in the partition's directory; `None` if there is none, or none that is whole.
    pub fn read<D: Disk>(disk: &D, directory: &Path) -> Result<Option<Self>, Fault> {
        let bytes = whole_file::read(disk, &directory.join(RESUME_POINT))?;
        Ok(bytes.and_then(|bytes| Self::parse(std::str::from_utf8(&bytes).ok()?)))
    }

    /// Removes the point from the partition's directory, for good when this returns.
    pub fn remove<D: Disk>(disk: &D, directory: &Path) -> Result<(), Fault> {
        match Self::remove_unsynced(disk, directory)? {
            true => disk.fsync_dir(directory).map_err(|error| Fault::io("fsync", directory, error)),
            false => Ok(()),
        }
    }

    /// Removes the point from the partition's directory for all who look; says whether there was one.
    pub fn remove_unsynced<D: Disk>(disk: &D, directory: &Path) -> Result<bool, Fault> {
        let path = directory.join(RESUME_POINT);
        match disk.unlink(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            outcome => outcome.map(|()| true).map_err(|error| Fault::io("remove", &path, error)),
        }
    }

    fn text(&self) -> String {
        let [offsets, times, transactions] = self.entries;
        let largest = self.largest.map_or((-1, -1), |it| (it.timestamp.0, it.offset.0));
        let said = format!(
            "{VERSION} {} {} {} {} {} {offsets} {times} {transactions} {} {} {}",
            self.base.0,
            self.offset.0,
            self.position,
            self.last,
            self.header,
            self.last_entries,
            largest.0,
            largest.1
        );
        format!("{said}\n{}\n", crc32c(said.as_bytes()))
    }

    fn parse(text: &str) -> Option<Self> {
        let (said, rest) = text.split_once('\n')?;
        if rest.strip_suffix('\n')?.parse::<u32>().ok()? != crc32c(said.as_bytes()) {
            return None;
        }
        let numbers = said.strip_prefix(VERSION)?.strip_prefix(' ')?.split(' ').map(str::parse::<i64>);
        let numbers: Vec<i64> = numbers.collect::<Result<_, _>>().ok()?;
        let [base, offset, position, last, header, offsets, times, transactions, last_entries, time, at] =
            *<&[i64; 11]>::try_from(&numbers[..]).ok()?;
        let small = |number: i64| u32::try_from(number).ok();
        let largest = TimestampOffset { timestamp: Timestamp(time), offset: LastOffset(at) };
        Some(Self {
            base: Offset(base),
            offset: Offset(offset),
            position: small(position)?,
            last: small(last)?,
            header: small(header)?,
            entries: [small(offsets)?, small(times)?, small(transactions)?],
            last_entries: small(last_entries)?,
            largest: (at >= 0).then_some(largest),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use crate::scripted_disk::ScriptedDisk;

    fn point() -> ResumePoint {
        let largest = TimestampOffset { timestamp: Timestamp(1_700_000_000_000), offset: LastOffset(41) };
        ResumePoint {
            base: Offset(7),
            offset: Offset(42),
            position: 2_147_483_000,
            last: 2_147_482_900,
            header: u32::MAX,
            entries: [3, 2, 0],
            last_entries: 17,
            largest: Some(largest),
        }
    }

    #[test]
    fn a_point_is_gone_for_good_once_it_is_removed() {
        let (directory, disk) = (tempfile::tempdir().unwrap(), ScriptedDisk::default());
        point().write(&disk, directory.path()).unwrap();
        ResumePoint::remove(&disk, directory.path()).unwrap();
        assert_eq!(ResumePoint::read(&disk, directory.path()).unwrap(), None);
        assert_eq!(disk.count("fsync_dir", &directory.path().to_string_lossy()), 1);
    }

    #[test]
    fn what_is_written_is_read_again_and_can_be_removed() {
        let directory = tempfile::tempdir().unwrap();
        let read = || ResumePoint::read(&RealDisk, directory.path()).unwrap();
        assert_eq!(read(), None);
        for point in [point(), ResumePoint { largest: None, ..point() }] {
            point.write(&RealDisk, directory.path()).unwrap();
            assert_eq!(read(), Some(point));
        }
        ResumePoint::remove(&RealDisk, directory.path()).unwrap();
        assert_eq!(read(), None);
        ResumePoint::remove(&RealDisk, directory.path()).unwrap();
    }

    #[test]
    fn half_a_file_and_a_wrong_digit_say_nothing() {
        let text = point().text();
        assert_eq!(ResumePoint::parse(&text), Some(point()));
        for end in 0..text.len() {
            assert_eq!(ResumePoint::parse(&text[..end]), None, "{end}");
        }
        for at in 0..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[at] = if wrong[at] == b'1' { b'2' } else { b'1' };
            assert_eq!(ResumePoint::parse(std::str::from_utf8(&wrong).unwrap()), None, "{at}");
        }
    }
}
