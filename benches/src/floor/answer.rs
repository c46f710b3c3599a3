//! Answers of the floor, in the versions of the requests.

use std::net::TcpStream;
use std::sync::Arc;

use anyhow::{Result, ensure};
use rustix::net::{SendFlags, send};

use super::log::{Log, Slice};
use super::request::FetchPartition;

/// Answers not yet sent.
#[derive(Debug, Default)]
pub struct Answer {
    pub bytes: Vec<u8>,
}

impl Answer {
    /// Reserves the length of a frame, and begins it.
    fn begin(&mut self, correlation: i32) -> usize {
        let at = self.bytes.len();
        self.i32(0).i32(correlation).untagged();
        at
    }

    /// Sets the length of the frame that begins at `at`, with `beyond` bytes that are sent from elsewhere.
    fn end(&mut self, at: usize, beyond: u64) {
        let length = (self.bytes.len() - at - 4) as u64 + beyond;
        let length = u32::try_from(length).expect("a frame of a bench is small");
        self.bytes[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }

    pub fn produce(&mut self, correlation: i32, topic: &[u8], partition: i32, base_offset: i64) {
        let at = self.begin(correlation);
        self.count(1).name(topic).count(1).i32(partition).i16(0).i64(base_offset).i64(-1).i64(0);
        // No errors of records, no message; then the ends of the partition, the topic, and of all.
        self.count(0).null().untagged().untagged().i32(0).untagged();
        self.end(at, 0);
    }

    /// Sends an answer with the records of each partition out of its file.
    pub fn fetch(
        &mut self,
        stream: &mut TcpStream,
        correlation: i32,
        frame: &[u8],
        slices: &[(&FetchPartition, Arc<Log>, Slice)],
    ) -> Result<()> {
        let at = self.begin(correlation);
        self.i32(0).i16(0).i32(0).count(1);
        let mut ends = Vec::with_capacity(slices.len());
        let total: u64 = slices.iter().map(|(_, _, slice)| slice.length).sum();
        for (number, (wanted, _, slice)) in slices.iter().enumerate() {
            if number == 0 {
                self.name(&frame[wanted.topic.clone()]).count(slices.len());
            }
            self.i32(wanted.partition).i16(0).i64(slice.high_watermark).i64(slice.high_watermark).i64(0);
            self.null().i32(-1).count(usize::try_from(slice.length)?);
            ends.push(self.bytes.len());
            self.untagged();
        }
        self.untagged().untagged();
        self.end(at, total);
        let mut sent = 0;
        for ((_, log, slice), end) in slices.iter().zip(ends) {
            if slice.length > 0 {
                send_all(stream, &self.bytes[sent..end], SendFlags::MORE)?;
                send_file(stream, log, *slice)?;
                sent = end;
            }
        }
        send_all(stream, &self.bytes[sent..], SendFlags::empty())?;
        self.bytes.clear();
        Ok(())
    }

    pub fn topic_created(&mut self, correlation: i32, name: &[u8], partitions: i32) {
        let at = self.begin(correlation);
        self.i32(0).count(1).name(name).i16(0).null().i32(partitions).i16(1).count(0);
        self.untagged().untagged();
        self.end(at, 0);
    }

    pub fn topic_deleted(&mut self, correlation: i32, name: &[u8]) {
        let at = self.begin(correlation);
        self.i32(0).count(1).name(name).i16(0).untagged().untagged();
        self.end(at, 0);
    }

    fn i16(&mut self, value: i16) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn i32(&mut self, value: i32) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn i64(&mut self, value: i64) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A compact length or count.
    fn count(&mut self, count: usize) -> &mut Self {
        let mut rest = count + 1;
        while rest > 0x7f {
            self.bytes.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
        self
    }

    fn name(&mut self, name: &[u8]) -> &mut Self {
        self.count(name.len());
        self.bytes.extend_from_slice(name);
        self
    }

    /// A compact string or array that is not there.
    fn null(&mut self) -> &mut Self {
        self.bytes.push(0);
        self
    }

    fn untagged(&mut self) -> &mut Self {
        self.bytes.push(0);
        self
    }
}

fn send_all(stream: &TcpStream, mut bytes: &[u8], flags: SendFlags) -> Result<()> {
    while !bytes.is_empty() {
        bytes = &bytes[send(stream, bytes, flags)?..];
    }
    Ok(())
}

fn send_file(stream: &TcpStream, log: &Log, slice: Slice) -> Result<()> {
    let mut position = slice.position;
    let end = slice.position + slice.length;
    while position < end {
        let left = usize::try_from(end - position)?;
        let sent = rustix::fs::sendfile(stream, &log.file, Some(&mut position), left)?;
        ensure!(sent > 0, "a file that ends before its batches");
    }
    Ok(())
}
