//! Snappy, in the framing of snappy-java (xerial) that the Java client writes, and raw as librdkafka does.
//!
//! A block of the framing is small and decoded at once. A raw payload is one block however large, and is decoded
//! element by element where it is.

use super::snappy_block::LargeBlock;
use super::{Codec, CompressionError, STEP_BYTES_MAX, corrupt};

/// What opens the framing; version and oldest compatible version follow, both 1.
pub(super) const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const HEADER_BYTES: usize = 16;

/// The framing's blocks are this long before compression, as snappy-java's default has it.
pub(super) const BLOCK_BYTES: usize = 32 << 10;

/// No three bytes of snappy stand for more than 64 of output.
const RATIO_MAX: usize = 22;

/// A snappy stream being read.
pub(super) struct SnappyStream<'p> {
    input: &'p [u8],
    framed: bool,
    large: Option<LargeBlock<'p>>,
}

impl<'p> SnappyStream<'p> {
    pub(super) fn new(payload: &'p [u8]) -> Result<Self, CompressionError> {
        if payload.is_empty() {
            return Err(corrupt(Codec::Snappy, "there is not even a length"));
        }
        let (input, framed) = match payload.strip_prefix(&MAGIC) {
            Some(_) if payload.len() >= HEADER_BYTES => (&payload[HEADER_BYTES..], true),
            _ => (payload, false),
        };
        Ok(Self { input, framed, large: None })
    }

    /// Puts the next output into `output` and says where in it. Empty at the end. `room` is what the cap leaves.
    pub(super) fn step(
        &mut self,
        output: &mut Vec<u8>,
        room: u64,
    ) -> Result<std::ops::Range<usize>, StepError> {
        loop {
            if let Some(large) = &mut self.large {
                let step = large.step(output)?;
                if !step.is_empty() {
                    return Ok(step);
                }
                self.large = None;
            }
            let Some(block) = self.next_block()? else { return Ok(0..0) };
            let length = snap::raw::decompress_len(block).map_err(|_| broken("a block has no length"))?;
            if length > block.len().saturating_mul(RATIO_MAX) {
                return Err(broken("a block claims more than it can hold"));
            }
            if length as u64 > room {
                return Err(StepError::TooLarge);
            }
            if length > STEP_BYTES_MAX {
                self.large = Some(LargeBlock::new(block, length, output));
                continue;
            }
            if output.len() < length {
                output.resize(length, 0);
            }
            let written = snap::raw::Decoder::new()
                .decompress(block, &mut output[..length])
                .map_err(|_| broken("a block is invalid"))?;
            if written > 0 {
                return Ok(0..written);
            }
        }
    }

    fn next_block(&mut self) -> Result<Option<&'p [u8]>, StepError> {
        if !self.framed {
            let block = std::mem::take(&mut self.input);
            return Ok((!block.is_empty()).then_some(block));
        }
        // Streams may be joined: a header may stand where a block's length is expected.
        while self.input.starts_with(&MAGIC) {
            self.input = self.input.get(HEADER_BYTES..).ok_or(broken("it ends within a header"))?;
        }
        let Some((length, rest)) = self.input.split_first_chunk() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        let (block, rest) = rest.split_at_checked(length).ok_or(broken("it ends within a block"))?;
        self.input = rest;
        Ok(Some(block))
    }
}

/// Why a step failed; the cap itself is known one level up.
pub(super) enum StepError {
    /// The stream is broken.
    Corrupt(CompressionError),
    /// The output would pass the cap.
    TooLarge,
}

impl From<CompressionError> for StepError {
    fn from(error: CompressionError) -> Self {
        Self::Corrupt(error)
    }
}

pub(super) fn broken(detail: &'static str) -> StepError {
    StepError::Corrupt(corrupt(Codec::Snappy, detail))
}
