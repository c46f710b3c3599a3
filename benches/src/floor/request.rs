//! The few fields of a request that the floor acts on, found by walking it once.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// What begins every request, with its length.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub api_key: i16,
    pub version: i16,
    pub correlation: i32,
    /// Where the body begins.
    pub body: usize,
}

/// One batch for one partition.
#[derive(Debug)]
pub struct Produce {
    pub topic: Range<usize>,
    pub partition: i32,
    pub batch: Range<usize>,
}

/// Records wanted from some partitions.
#[derive(Debug)]
pub struct Fetch {
    /// How long to wait for a first byte.
    pub wait: Duration,
    pub partitions: Vec<FetchPartition>,
}

/// Records wanted from one partition.
#[derive(Debug)]
pub struct FetchPartition {
    pub topic: Range<usize>,
    pub partition: i32,
    pub offset: i64,
    pub bytes: i32,
}

/// A topic to make or to delete.
#[derive(Debug)]
pub struct TopicRequest {
    pub name: Range<usize>,
    pub partitions: i32,
}

impl Header {
    pub fn read(frame: &[u8]) -> Result<Self> {
        let mut at = Cursor { frame, at: 0 };
        let (api_key, version, correlation) = (at.i16()?, at.i16()?, at.i32()?);
        let client = at.i16()?;
        at.skip(usize::try_from(client).unwrap_or(0))?;
        at.untagged()?;
        Ok(Self { api_key, version, correlation, body: at.at })
    }
}

impl Produce {
    pub fn read(frame: &[u8], at: usize) -> Result<Self> {
        let mut at = Cursor { frame, at };
        ensure!(at.count()? == 0, "the floor knows no transactions");
        at.skip(2 + 4)?;
        ensure!(at.count()? == 2, "the floor takes one topic a request");
        let topic = at.bytes()?;
        ensure!(at.count()? == 2, "the floor takes one partition a request");
        let partition = at.i32()?;
        Ok(Self { topic, partition, batch: at.bytes()? })
    }

    pub fn topic<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        &frame[self.topic.clone()]
    }
}

impl Fetch {
    pub fn read(frame: &[u8], at: usize) -> Result<Self> {
        let mut at = Cursor { frame, at };
        at.skip(4)?;
        let wait = Duration::from_millis(u64::try_from(at.i32()?).unwrap_or(0));
        at.skip(4 + 4 + 1 + 4 + 4)?;
        let mut partitions = Vec::new();
        for _ in 1..at.count()? {
            let topic = at.bytes()?;
            for _ in 1..at.count()? {
                let partition = at.i32()?;
                at.skip(4)?;
                let offset = at.i64()?;
                at.skip(4 + 8)?;
                let bytes = at.i32()?;
                at.untagged()?;
                partitions.push(FetchPartition { topic: topic.clone(), partition, offset, bytes });
            }
            at.untagged()?;
        }
        Ok(Self { wait, partitions })
    }
}

impl TopicRequest {
    pub fn read_create(frame: &[u8], at: usize) -> Result<Self> {
        let mut at = Cursor { frame, at };
        ensure!(at.count()? == 2, "the floor makes one topic a request");
        Ok(Self { name: at.bytes()?, partitions: at.i32()? })
    }

    pub fn read_delete(frame: &[u8], at: usize) -> Result<Self> {
        let mut at = Cursor { frame, at };
        ensure!(at.count()? == 2, "the floor deletes one topic a request");
        Ok(Self { name: at.bytes()?, partitions: 0 })
    }
}

struct Cursor<'a> {
    frame: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let rest = self.frame.get(self.at..).and_then(<[u8]>::first_chunk::<N>);
        self.at += N;
        Ok(*rest.context("a request that ends too soon")?)
    }

    fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.take()?))
    }

    fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.take()?))
    }

    fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.take()?))
    }

    fn skip(&mut self, bytes: usize) -> Result<()> {
        self.at += bytes;
        ensure!(self.at <= self.frame.len(), "a request that ends too soon");
        Ok(())
    }

    /// A compact length or count, as it stands: one more than what it counts, or 0 for null.
    fn count(&mut self) -> Result<usize> {
        let (mut value, mut shift) = (0, 0);
        loop {
            let [byte] = self.take()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
            shift += 7;
            ensure!(shift < 35, "a count of more than five bytes");
        }
    }

    fn bytes(&mut self) -> Result<Range<usize>> {
        let length = self.count()?.checked_sub(1).context("null where bytes are due")?;
        let begin = self.at;
        self.skip(length)?;
        Ok(begin..self.at)
    }

    fn untagged(&mut self) -> Result<()> {
        ensure!(self.count()? == 0, "the floor knows no tagged fields");
        Ok(())
    }
}
