//! What the files of a partition hold, as lines that can be compared: segments, batches with all that their headers
//! say, records, and the entries of transaction indexes.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use protocol::records::batch::BatchHeader;
use protocol::records::batches::Batches;
use protocol::records::rebuild::{RecordReader, timestamp_of};

use super::files;

/// The lines, and some counts.
pub struct Contents {
    lines: Vec<String>,
    segments: usize,
    batches: usize,
    empty: usize,
    horizons: usize,
    records: usize,
}

impl Contents {
    /// Reads a partition's directory.
    pub fn read(directory: &Path) -> Result<Self> {
        let (lines, segments) = (Vec::new(), 0);
        let mut contents = Self { lines, segments, batches: 0, empty: 0, horizons: 0, records: 0 };
        for path in files(directory, ".log")? {
            contents.read_segment(&path).with_context(|| format!("reading {}", path.display()))?;
        }
        for path in files(directory, ".txnindex")? {
            let bytes = std::fs::read(&path)?;
            // Kafka makes the file with its first entry or before it.
            for entry in bytes.chunks(34) {
                contents.lines.push(format!("{} {entry:02x?}", name(&path)));
            }
        }
        Ok(contents)
    }

    fn read_segment(&mut self, path: &Path) -> Result<()> {
        self.segments += 1;
        self.lines.push(name(path));
        let bytes = std::fs::read(path)?;
        let mut batches = Batches::new(&bytes);
        let mut reader = RecordReader::default();
        while let Some(batch) = batches.next_batch()? {
            batch.verify_crc()?;
            let header = batch.header;
            self.batches += 1;
            self.empty += usize::from(header.count == 0);
            self.horizons += usize::from(header.attributes.has_delete_horizon());
            self.lines.push(line(&header));
            reader.each(&batch, 1 << 30, |record| {
                self.records += 1;
                let offset = header.base_offset.0 + i64::from(record.offset_delta);
                let mut line = format!(
                    "  {offset} at {} {:?} = {:?}",
                    timestamp_of(&header, record),
                    record.key,
                    record.value
                );
                for header in record.headers.iter() {
                    let _ = write!(line, " {:?}: {:?}", header.key, header.value);
                }
                self.lines.push(line);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The first line in which Kafka's contents, these, differ from ours.
    pub fn first_difference(&self, ours: &Self) -> Option<String> {
        let count = self.lines.len().max(ours.lines.len());
        let at = (0..count).find(|&at| self.lines.get(at) != ours.lines.get(at))?;
        let around = |lines: &[String]| {
            let lines = lines.iter().take(at + 3).skip(at.saturating_sub(3));
            lines.map(|line| format!("    {}\n", &line[..line.len().min(240)])).collect::<String>()
        };
        Some(format!("  Apache Kafka:\n{}  Headwater:\n{}", around(&self.lines), around(&ours.lines)))
    }

    /// How many segments there are.
    pub fn segments(&self) -> usize {
        self.segments
    }

    /// How many batches there are.
    pub fn batches(&self) -> usize {
        self.batches
    }

    /// How many of them hold nothing.
    pub fn empty_batches(&self) -> usize {
        self.empty
    }

    /// How many of them have a delete horizon.
    pub fn horizons(&self) -> usize {
        self.horizons
    }

    /// How many records there are.
    pub fn records(&self) -> usize {
        self.records
    }
}

/// All of a header but its length and checksum, which depend on how hard a codec tries, and the moment of a delete
/// horizon, which two cleaners do not set in the same millisecond.
fn line(header: &BatchHeader) -> String {
    let BatchHeader {
        base_offset, leader_epoch, attributes, last_offset_delta, max_timestamp, count, ..
    } = header;
    let base_timestamp = match attributes.has_delete_horizon() {
        true => "a horizon".to_owned(),
        false => header.base_timestamp.to_string(),
    };
    let producer = (header.producer_id, header.producer_epoch, header.base_sequence);
    format!(
        "{base_offset}+{last_offset_delta} of {leader_epoch}: {count} records from {base_timestamp} to {max_timestamp}, {attributes:?} {producer:?}"
    )
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
