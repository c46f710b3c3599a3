//! Requests built once and sent many times.
//!
//! The generator must not show in what it measures, so a frame is encoded before the clock starts and only its
//! correlation id, partition and offset are patched in place. The versions are those of a current client that names
//! topics: Produce 11 and Fetch 12; a single-partition answer has everything at a fixed place.

use anyhow::{Context, Result, ensure};

/// A frame with the places that change from one request to the next.
#[derive(Clone, Debug)]
pub struct Frame {
    bytes: Vec<u8>,
    partition_at: Option<usize>,
    offset_at: Option<usize>,
}

const CORRELATION_AT: usize = 8;

/// Appends the fields of a flexible request.
struct Fields(Vec<u8>);

impl Fields {
    /// The header of a request, version 2.
    fn request(api_key: i16, version: i16) -> Self {
        let mut fields = Self(vec![0; 4]);
        fields.i16(api_key).i16(version).i32(0).i16(5);
        fields.0.extend_from_slice(b"bench");
        fields.untagged();
        fields
    }

    fn i8(&mut self, value: i8) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn i16(&mut self, value: i16) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn i32(&mut self, value: i32) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn i64(&mut self, value: i64) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A compact length or count.
    fn count(&mut self, count: usize) -> &mut Self {
        let mut rest = count + 1;
        while rest > 0x7f {
            self.0.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
        self
    }

    /// The empty tagged fields that end a struct.
    fn untagged(&mut self) -> &mut Self {
        self.0.push(0);
        self
    }

    fn finish(self, partition_at: Option<usize>, offset_at: Option<usize>) -> Frame {
        let mut bytes = self.0;
        let length = i32::try_from(bytes.len() - 4).expect("a frame of a bench is small");
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        Frame { bytes, partition_at, offset_at }
    }
}

impl Frame {
    /// A Produce of one batch to one partition, acknowledged by the leader.
    pub fn produce(topic: &str, batch: &[u8]) -> Self {
        let mut fields = Fields::request(0, 11);
        fields.0.push(0);
        fields.i16(1).i32(30_000).count(1).bytes(topic.as_bytes()).count(1);
        let partition_at = fields.0.len();
        fields.i32(0).bytes(batch).untagged().untagged().untagged();
        fields.finish(Some(partition_at), None)
    }

    /// A Fetch of one partition outside a session, of at most `bytes` bytes, which waits half a second for the first.
    pub fn fetch(topic: &str, bytes: i32) -> Self {
        Self::fetch_of(topic, 0..1, bytes)
    }

    /// A Fetch of all of so many partitions from their starts, of at most `bytes` bytes each.
    pub fn fetch_from_start(topic: &str, partitions: i32, bytes: i32) -> Self {
        Self::fetch_of(topic, 0..partitions, bytes)
    }

    fn fetch_of(topic: &str, partitions: std::ops::Range<i32>, bytes: i32) -> Self {
        let mut fields = Fields::request(1, 12);
        fields.i32(-1).i32(500).i32(1).i32(i32::MAX).i8(0).i32(0).i32(-1);
        fields.count(1).bytes(topic.as_bytes()).count(partitions.len());
        let partition_at = fields.0.len();
        // The offset of the first one, which is the only one that is ever patched.
        let offset_at = partition_at + 8;
        for partition in partitions {
            fields.i32(partition).i32(-1).i64(0).i32(-1).i64(-1).i32(bytes).untagged();
        }
        fields.untagged().count(0).bytes(b"").untagged();
        fields.finish(Some(partition_at), Some(offset_at))
    }

    /// The records in an answer to a [`Self::fetch`] of `topic`, from behind its length.
    pub fn records_of_fetch<'a>(answer: &'a [u8], topic: &str) -> Result<&'a [u8]> {
        AnswerShape::fetch(topic).error(answer)?;
        let mut at = AnswerShape::fetch(topic).error_at + 2 + 8 + 8 + 8;
        // No aborted transactions, which is null or an empty array, then the preferred replica.
        at += 1 + 4;
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = *answer.get(at).context("an answer that ends before its records")?;
            at += 1;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
            ensure!(shift < 35, "a length of more than five bytes");
        }
        let records = answer.get(at..at + length.saturating_sub(1));
        records.context("an answer that ends within its records")
    }

    /// A ListOffsets of one partition by time, or for one of the special times.
    pub fn list_offsets(topic: &str, timestamp: i64) -> Self {
        let mut fields = Fields::request(2, 6);
        fields.i32(-1).i8(0).count(1).bytes(topic.as_bytes()).count(1);
        let partition_at = fields.0.len();
        fields.i32(0).i32(-1);
        let time_at = fields.0.len();
        fields.i64(timestamp).untagged().untagged().untagged();
        fields.finish(Some(partition_at), Some(time_at))
    }

    /// A CreateTopics of one topic with `partitions` partitions of one replica and these configs.
    pub fn create_topic(topic: &str, partitions: i32, configs: &[(&str, &str)]) -> Self {
        let mut fields = Fields::request(19, 5);
        fields.count(1).bytes(topic.as_bytes()).i32(partitions).i16(1).count(0).count(configs.len());
        for (name, value) in configs {
            fields.bytes(name.as_bytes()).bytes(value.as_bytes()).untagged();
        }
        fields.untagged().i32(30_000).i8(0).untagged();
        fields.finish(None, None)
    }

    /// A DeleteTopics of one topic.
    pub fn delete_topic(topic: &str) -> Self {
        let mut fields = Fields::request(20, 4);
        fields.count(1).bytes(topic.as_bytes()).i32(30_000).untagged();
        fields.finish(None, None)
    }

    /// The bytes to send.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives the request a number.
    pub fn set_correlation(&mut self, correlation: i32) {
        self.bytes[CORRELATION_AT..CORRELATION_AT + 4].copy_from_slice(&correlation.to_be_bytes());
    }

    /// Turns the request to another partition.
    pub fn set_partition(&mut self, partition: i32) {
        if let Some(at) = self.partition_at {
            self.bytes[at..at + 4].copy_from_slice(&partition.to_be_bytes());
        }
    }

    /// Turns a fetch to another offset, or a look-up to another time.
    pub fn set_offset(&mut self, offset: i64) {
        if let Some(at) = self.offset_at {
            self.bytes[at..at + 8].copy_from_slice(&offset.to_be_bytes());
        }
    }
}

/// What is read of an answer: its first bytes hold all that is fixed.
#[derive(Clone, Copy, Debug)]
pub struct AnswerShape {
    /// Where the error of the only partition or topic stands, counted from behind the length.
    error_at: usize,
}

impl AnswerShape {
    /// How many bytes of an answer must be there to judge it.
    pub const PREFIX: usize = 300;

    /// Correlation, tags, one topic, its name, one partition, its index.
    pub fn produce(topic: &str) -> Self {
        Self { error_at: 5 + 1 + 1 + topic.len() + 1 + 4 }
    }

    /// Correlation, tags, throttle time, error, session, one topic, its name, one partition, its index.
    pub fn fetch(topic: &str) -> Self {
        Self { error_at: 5 + 4 + 2 + 4 + 1 + 1 + topic.len() + 1 + 4 }
    }

    /// Correlation, tags, throttle time, one topic, its name, one partition, its index.
    pub fn list_offsets(topic: &str) -> Self {
        Self { error_at: 5 + 4 + 1 + 1 + topic.len() + 1 + 4 }
    }

    /// The offset behind error and timestamp in an answer of [`Self::list_offsets`].
    pub fn offset(&self, answer: &[u8]) -> Option<i64> {
        let offset = answer.get(self.error_at + 2 + 8..)?.first_chunk()?;
        Some(i64::from_be_bytes(*offset))
    }

    /// Correlation, tags, throttle time, one topic, its name.
    pub fn topics(topic: &str) -> Self {
        Self { error_at: 5 + 4 + 1 + 1 + topic.len() }
    }

    /// Refuses an answer to another request, or one with an error.
    pub fn check(&self, answer: &[u8], correlation: i32) -> Result<()> {
        let got = answer.first_chunk().map(|bytes| i32::from_be_bytes(*bytes));
        ensure!(got == Some(correlation), "answer {got:?} came where {correlation} was due");
        self.error(answer)
    }

    /// Refuses an answer with an error.
    fn error(&self, answer: &[u8]) -> Result<()> {
        ensure!(answer.len() >= self.error_at + 2, "an answer of only {} bytes", answer.len());
        let error = i16::from_be_bytes([answer[self.error_at], answer[self.error_at + 1]]);
        ensure!(error == 0, "refused with error code {error}");
        Ok(())
    }
}
