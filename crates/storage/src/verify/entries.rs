//! The entries of an index file, a stretch at a time: an index may be allocated ahead for as much as two gigabytes.

use std::path::PathBuf;

use crate::disk::{Access, Disk};
use crate::fault::Fault;
use crate::whole_file::read_up_to;

/// How many entries are read at once.
const STRETCH: usize = 16 << 10;

/// A walk over the entries from the first on.
pub(super) struct Entries<'d, D: Disk> {
    disk: &'d D,
    file: D::File,
    path: PathBuf,
    width: usize,
    /// Where in the file `block` begins.
    position: u64,
    /// Bound: `STRETCH` entries.
    block: Vec<u8>,
    /// How far it was walked.
    walked: usize,
}

impl<'d, D: Disk> Entries<'d, D> {
    /// Opens an index whose entries are so wide; `None` if it is gone, as of a log that is in use.
    pub(super) fn open(disk: &'d D, path: PathBuf, width: usize) -> Result<Option<Self>, Fault> {
        let file = match disk.open(&path, Access::Read) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| Fault::io("open", &path, error))?,
        };
        Ok(Some(Self { disk, file, path, width, position: 0, block: Vec::new(), walked: 0 }))
    }

    /// Where the next entry begins, and the entry: the last one may be short. `None` at the end, which is also where zeros
    /// begin, as Apache Kafka allocates the indexes of its active segment ahead.
    pub(super) fn next_entry(&mut self) -> Result<Option<(u64, &[u8])>, Fault> {
        if self.walked == self.block.len() {
            self.position += self.block.len() as u64;
            self.walked = 0;
            self.block.resize(STRETCH * self.width, 0);
            let read = read_up_to(self.disk, &self.file, &mut self.block, self.position);
            let read = read.map_err(|error| Fault::io("read", &self.path, error))?;
            self.block.truncate(read);
        }
        let left = &self.block[self.walked..];
        let entry = &left[..self.width.min(left.len())];
        if entry.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let at = self.position + self.walked as u64;
        self.walked += entry.len();
        Ok(Some((at, entry)))
    }
}
