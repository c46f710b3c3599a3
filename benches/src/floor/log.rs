//! One partition of the floor: a file, and where each batch lies in it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use protocol::records::checksum::crc32c;

/// Where the fields of a batch's header stand.
const LAST_OFFSET_DELTA: usize = 23;
const CRC: usize = 17;
const ATTRIBUTES: usize = 21;

/// One partition.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    pub file: File,
    places: Mutex<Places>,
    appended: Condvar,
}

/// Where the batches lie.
#[derive(Debug, Default)]
struct Places {
    /// Base offset and position of every batch.
    batches: Vec<(i64, u64)>,
    next_offset: i64,
    end: u64,
}

/// Some bytes of the file, whole batches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slice {
    pub position: u64,
    pub length: u64,
    pub high_watermark: i64,
}

impl Log {
    pub fn create(directory: &Path, topic: &[u8], partition: i32) -> Result<Self> {
        let path = directory.join(format!("{}-{partition}.log", String::from_utf8_lossy(topic)));
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&path)?;
        Ok(Self { path, file, places: Mutex::default(), appended: Condvar::new() })
    }

    /// Checks a batch, gives it its offset and writes it.
    pub fn append(&self, batch: &mut [u8]) -> Result<i64> {
        ensure!(batch.len() > 61, "a batch of {} bytes", batch.len());
        let said = i32::from_be_bytes([batch[CRC], batch[CRC + 1], batch[CRC + 2], batch[CRC + 3]]);
        let found = crc32c(&batch[ATTRIBUTES..]).cast_signed();
        ensure!(said == found, "a batch whose checksum is {found} says {said}");
        let delta = &batch[LAST_OFFSET_DELTA..LAST_OFFSET_DELTA + 4];
        let delta = i32::from_be_bytes([delta[0], delta[1], delta[2], delta[3]]);
        let mut places = self.places();
        let base_offset = places.next_offset;
        batch[..8].copy_from_slice(&base_offset.to_be_bytes());
        self.file.write_all_at(batch, places.end)?;
        let position = places.end;
        places.batches.push((base_offset, position));
        places.next_offset += i64::from(delta) + 1;
        places.end += batch.len() as u64;
        self.appended.notify_all();
        Ok(base_offset)
    }

    /// Whole batches from `offset` on, at least one and at most `bytes` beyond that; waits for one while `wait` lasts.
    pub fn slice(&self, offset: i64, bytes: i32, wait: Duration) -> Result<Slice> {
        let end = Instant::now() + wait;
        let mut places = self.places();
        while offset >= places.next_offset {
            let wait = end.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return Ok(Slice { high_watermark: places.next_offset, ..Slice::default() });
            }
            places = self.appended.wait_timeout(places, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        let first = places.batches.partition_point(|(base, _)| *base <= offset).saturating_sub(1);
        let position = places.batches[first].1;
        let until = position + u64::try_from(bytes)?;
        // The first batch goes whole, whatever its size.
        let after = places.batches.get(first + 1).map_or(places.end, |(_, position)| *position);
        let end = if until >= places.end {
            places.end
        } else {
            let beyond = places.batches.partition_point(|(_, position)| *position <= until);
            places.batches[beyond - 1].1.max(after)
        };
        Ok(Slice { position, length: end - position, high_watermark: places.next_offset })
    }

    pub fn delete(&self) -> Result<()> {
        Ok(std::fs::remove_file(&self.path)?)
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
