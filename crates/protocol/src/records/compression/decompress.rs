//! Decompression in steps through a buffer that is used again and again, and the walk over a compressed batch.

use flate2::Decompress;
use thiserror::Error;
use zstd::stream::raw::Decoder;

use super::gzip::GzipStream;
use super::lz4::{HeaderChecksum, Lz4Stream};
use super::snappy::{SnappyStream, StepError};
use super::zstandard::{self, ZstdStream};
use super::{Codec, CompressionError, STEP_BYTES, STEP_BYTES_MAX};
use crate::records::record::RecordError;
use crate::records::walk::{Announced, Cursor, Seen, Walk, walk_cursor};

/// What decompression reuses from batch to batch: the step buffer and the codecs' states, each made when first
/// needed. Belongs to one connection or one thread at a time.
#[derive(Default)]
pub struct Decompressors {
    output: Vec<u8>,
    inflate: Option<Decompress>,
    zstd: Option<Decoder<'static>>,
    /// What the last payload has come to.
    last_output: u64,
    /// What all payloads together have come to.
    output_total: u64,
}

/// From this much output on, a zstd decoder is not kept: the window it has grown may be as large.
const KEPT_WINDOW_MAX: u64 = 8 << 20;

/// One payload being decompressed.
pub struct Decompressing<'d, 'p> {
    states: &'d mut Decompressors,
    stream: Stream<'p>,
    cap: u64,
    /// All output up to the end of the current step.
    produced: u64,
    /// The part of the step buffer that the cursor has ahead of it.
    ahead: std::ops::Range<usize>,
}

enum Stream<'p> {
    None(&'p [u8]),
    Gzip(GzipStream<'p>),
    Snappy(SnappyStream<'p>),
    Lz4(Lz4Stream<'p>),
    Zstd(ZstdStream<'p>),
}

/// Why the records of a compressed batch could not be walked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CompressedError {
    /// The stream is broken or too long.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// The stream is sound and its content is not.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Decompressors {
    /// The bytes of the step buffer, kept for the next payload.
    pub fn buffered(&self) -> usize {
        self.output.len()
    }

    /// All bytes that ever came out: what a guard counts.
    pub fn output_total(&self) -> u64 {
        self.output_total
    }

    /// Starts on `payload`. Output past `cap` bytes is refused.
    pub fn start<'d, 'p>(
        &'d mut self,
        codec: Codec,
        payload: &'p [u8],
        cap: u64,
    ) -> Result<Decompressing<'d, 'p>, CompressionError> {
        self.start_with_checksum(codec, payload, cap, HeaderChecksum::Descriptor)
    }

    /// Starts on `payload` whose lz4 frame, if it is one, has this header checksum.
    pub fn start_with_checksum<'d, 'p>(
        &'d mut self,
        codec: Codec,
        payload: &'p [u8],
        cap: u64,
        checksum: HeaderChecksum,
    ) -> Result<Decompressing<'d, 'p>, CompressionError> {
        if self.output.len() > STEP_BYTES_MAX {
            self.output.truncate(STEP_BYTES_MAX);
            self.output.shrink_to_fit();
        }
        if self.output.len() < STEP_BYTES {
            self.output.resize(STEP_BYTES, 0);
        }
        if std::mem::take(&mut self.last_output) > KEPT_WINDOW_MAX {
            self.zstd = None;
        }
        let stream = match codec {
            Codec::None => Stream::None(payload),
            Codec::Gzip => {
                let inflate = self.inflate.get_or_insert_with(|| Decompress::new(false));
                Stream::Gzip(GzipStream::new(payload, inflate)?)
            }
            Codec::Snappy => Stream::Snappy(SnappyStream::new(payload)?),
            Codec::Lz4 => Stream::Lz4(Lz4Stream::new(payload, checksum)?),
            Codec::Zstd => {
                let decoder = match &mut self.zstd {
                    Some(decoder) => decoder,
                    none => none.insert(zstandard::new_decoder()?),
                };
                Stream::Zstd(ZstdStream::new(payload, decoder)?)
            }
        };
        Ok(Decompressing { states: self, stream, cap, produced: 0, ahead: 0..0 })
    }
}

impl Decompressing<'_, '_> {
    /// The next bytes; an empty slice at the end.
    pub fn next_step(&mut self) -> Result<&[u8], CompressionError> {
        self.fill()?;
        let step = std::mem::take(&mut self.ahead);
        Ok(&self.states.output[step])
    }

    /// Copies the next `length` bytes to the end of `into`, which grows as they come.
    pub fn copy_to(&mut self, length: usize, into: &mut Vec<u8>) -> Result<(), CompressedError> {
        self.pass(length, |piece| {
            into.extend_from_slice(piece);
            Ok(())
        })
    }

    /// Shows the next `length` bytes, which must be there, piece by piece.
    pub fn pass<E: From<CompressedError>>(
        &mut self,
        mut length: usize,
        mut see: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while length > 0 {
            if self.ahead.is_empty() {
                self.fill_or_truncated()?;
            }
            let taken = length.min(self.ahead.len());
            let start = self.ahead.start;
            self.ahead.start += taken;
            length -= taken;
            see(&self.states.output[start..start + taken])?;
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<usize, CompressionError> {
        let too_large = CompressionError::TooLarge { cap: self.cap };
        let Decompressors { output, inflate, zstd, last_output, output_total } = &mut *self.states;
        let step = match &mut self.stream {
            Stream::None(rest) => {
                let (step, left) = rest.split_at(rest.len().min(STEP_BYTES));
                output[..step.len()].copy_from_slice(step);
                *rest = left;
                0..step.len()
            }
            Stream::Gzip(stream) => {
                let inflate = inflate.as_mut().expect("made at the start");
                0..stream.step(inflate, &mut output[..STEP_BYTES])?
            }
            Stream::Snappy(stream) => {
                stream.step(output, self.cap - self.produced).map_err(|error| match error {
                    StepError::Corrupt(error) => error,
                    StepError::TooLarge => too_large,
                })?
            }
            Stream::Lz4(stream) => 0..stream.step(output)?,
            Stream::Zstd(stream) => {
                let zstd = zstd.as_mut().expect("made at the start");
                0..stream.step(zstd, &mut output[..STEP_BYTES])?
            }
        };
        self.produced += step.len() as u64;
        *last_output = self.produced;
        *output_total += step.len() as u64;
        if self.produced > self.cap {
            return Err(too_large);
        }
        let length = step.len();
        self.ahead = step;
        Ok(length)
    }

    fn fill_or_truncated(&mut self) -> Result<(), CompressedError> {
        if self.fill()? == 0 { Err(RecordError::Truncated.into()) } else { Ok(()) }
    }
}

impl Cursor for Decompressing<'_, '_> {
    type Error = CompressedError;

    #[inline]
    fn byte(&mut self) -> Result<u8, CompressedError> {
        if self.ahead.is_empty() {
            self.fill_or_truncated()?;
        }
        let byte = self.states.output[self.ahead.start];
        self.ahead.start += 1;
        Ok(byte)
    }

    fn skip(&mut self, mut length: usize) -> Result<(), CompressedError> {
        while length > self.ahead.len() {
            length -= self.ahead.len();
            self.fill_or_truncated()?;
        }
        self.ahead.start += length;
        Ok(())
    }

    #[inline]
    fn position(&self) -> u64 {
        self.produced - self.ahead.len() as u64
    }

    #[inline]
    fn piece(&mut self, length: usize) -> Option<&[u8]> {
        if length > self.ahead.len() {
            return None;
        }
        let start = self.ahead.start;
        self.ahead.start += length;
        Some(&self.states.output[start..start + length])
    }

    fn trailing(&mut self) -> Result<usize, CompressedError> {
        if self.ahead.is_empty() {
            self.fill()?;
        }
        Ok(self.ahead.len())
    }
}

/// Walks the records of a compressed payload, which should hold exactly those; `seen` is told each with its place.
pub fn walk_compressed(
    stream: &mut Decompressing<'_, '_>,
    announced: Announced,
    seen: impl FnMut(i32, Seen),
) -> Result<Walk, CompressedError> {
    walk_cursor(stream, announced, seen)
}
