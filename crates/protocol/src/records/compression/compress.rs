//! Compression of records with each codec and level, for topics whose `compression.type` is not the producer's
//! (KIP-390).

use flate2::{Compress, FlushCompress, Status};
use zstd::stream::raw::{CParameter, Encoder, InBuffer, Operation, OutBuffer};

use super::lz4::{self, HeaderChecksum};
use super::{Codec, CompressionError, STEP_BYTES, corrupt, gzip, snappy};

/// A codec with its level; `None` is the codec's default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Compression {
    /// The codec.
    pub codec: Codec,
    /// gzip 1 to 9, zstd -131072 to 22. The lz4 here has one level only, and any other is accepted without effect.
    pub level: Option<i32>,
}

impl From<Codec> for Compression {
    fn from(codec: Codec) -> Self {
        Self { codec, level: None }
    }
}

/// What compression reuses from batch to batch. Belongs to one connection or one thread at a time.
#[derive(Default)]
pub struct Compressors {
    pending: Vec<u8>,
    /// Where deflate leaves what it has come to, a quarter of [`STEP_BYTES`] at a time: handed the end of the output it would clear
    /// all the room there is, each time it is called.
    deflated: Vec<u8>,
    deflate: Option<(u32, Compress)>,
    zstd: Option<(i32, Encoder<'static>)>,
}

/// One payload being compressed to the end of a buffer.
pub struct Compressing<'c> {
    states: &'c mut Compressors,
    out: &'c mut Vec<u8>,
    codec: Codec,
    start: usize,
    cap: u64,
    crc: crc32fast::Hasher,
    length: u32,
}

const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

impl Compressors {
    /// Starts a payload at the end of `out`. Output past `cap` bytes is refused.
    pub fn start<'c>(
        &'c mut self,
        compression: Compression,
        out: &'c mut Vec<u8>,
        cap: u64,
    ) -> Result<Compressing<'c>, CompressionError> {
        self.start_with_checksum(compression, out, cap, HeaderChecksum::Descriptor)
    }

    /// Starts a payload whose lz4 frame, if it is one, gets this header checksum.
    pub fn start_with_checksum<'c>(
        &'c mut self,
        compression: Compression,
        out: &'c mut Vec<u8>,
        cap: u64,
        checksum: HeaderChecksum,
    ) -> Result<Compressing<'c>, CompressionError> {
        let start = out.len();
        self.pending.clear();
        match compression.codec {
            Codec::None => {}
            Codec::Gzip => {
                let level = compression.level.and_then(|level| u32::try_from(level).ok());
                self.start_deflate(level.unwrap_or(GZIP_LEVEL).min(9));
                out.extend_from_slice(&gzip::HEADER);
            }
            Codec::Snappy => {
                out.extend_from_slice(&snappy::MAGIC);
                out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
            }
            Codec::Lz4 => lz4::write_header(checksum, out),
            Codec::Zstd => self.start_zstd(compression.level.unwrap_or(ZSTD_LEVEL))?,
        }
        let codec = compression.codec;
        Ok(Compressing { states: self, out, codec, start, cap, crc: crc32fast::Hasher::new(), length: 0 })
    }

    /// Compresses `input` to the end of `out`.
    pub fn compress(
        &mut self,
        compression: Compression,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let mut compressing = self.start(compression, out, u64::MAX)?;
        compressing.write(input)?;
        compressing.finish()
    }

    fn start_deflate(&mut self, level: u32) {
        match &mut self.deflate {
            Some((known, deflate)) if *known == level => deflate.reset(),
            other => *other = Some((level, Compress::new(flate2::Compression::new(level), false))),
        }
    }

    fn start_zstd(&mut self, level: i32) -> Result<(), CompressionError> {
        let out_of_memory = |_| corrupt(Codec::Zstd, "no memory for an encoder");
        match &mut self.zstd {
            Some((known, encoder)) if *known == level => encoder.reinit().map_err(out_of_memory)?,
            other => {
                let mut encoder = Encoder::new(level).map_err(out_of_memory)?;
                encoder.set_parameter(CParameter::ContentSizeFlag(false)).map_err(out_of_memory)?;
                *other = Some((level, encoder));
            }
        }
        Ok(())
    }
}

impl<'c> Compressing<'c> {
    /// Ends the payload and hands back the buffer.
    pub fn finish_into(mut self) -> Result<&'c mut Vec<u8>, CompressionError> {
        self.end()?;
        Ok(self.out)
    }

    /// Adds `input`.
    pub fn write(&mut self, input: &[u8]) -> Result<(), CompressionError> {
        match self.codec {
            Codec::None => self.out.extend_from_slice(input),
            Codec::Gzip => {
                self.crc.update(input);
                self.length = self.length.wrapping_add(input.len() as u32);
                self.deflate(input, FlushCompress::None)?;
            }
            Codec::Snappy => self.write_blocks(input, snappy::BLOCK_BYTES),
            Codec::Lz4 => self.write_blocks(input, lz4::BLOCK_BYTES),
            Codec::Zstd => self.write_zstd(input)?,
        }
        self.check_cap()
    }

    /// Ends the payload.
    pub fn finish(mut self) -> Result<(), CompressionError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), CompressionError> {
        match self.codec {
            Codec::None => {}
            Codec::Gzip => {
                self.deflate(&[], FlushCompress::Finish)?;
                let crc = std::mem::take(&mut self.crc).finalize();
                self.out.extend_from_slice(&crc.to_le_bytes());
                self.out.extend_from_slice(&self.length.to_le_bytes());
            }
            Codec::Snappy | Codec::Lz4 => {
                if !self.states.pending.is_empty() {
                    let block = std::mem::take(&mut self.states.pending);
                    self.write_block(&block);
                    self.states.pending = block;
                }
                if self.codec == Codec::Lz4 {
                    lz4::write_end(self.out);
                }
            }
            Codec::Zstd => self.finish_zstd()?,
        }
        self.check_cap()
    }

    fn check_cap(&self) -> Result<(), CompressionError> {
        let written = (self.out.len() - self.start) as u64;
        if written > self.cap { Err(CompressionError::TooLarge { cap: self.cap }) } else { Ok(()) }
    }

    fn deflate(&mut self, mut input: &[u8], flush: FlushCompress) -> Result<(), CompressionError> {
        let Compressors { deflate, deflated, .. } = &mut *self.states;
        let (_, deflate) = deflate.as_mut().expect("made at the start");
        deflated.resize(STEP_BYTES / 4, 0);
        loop {
            let before = (deflate.total_in(), deflate.total_out());
            let status = deflate
                .compress(input, deflated, flush)
                .map_err(|_| corrupt(Codec::Gzip, "the encoder failed"))?;
            input = &input[(deflate.total_in() - before.0) as usize..];
            self.out.extend_from_slice(&deflated[..(deflate.total_out() - before.1) as usize]);
            let done = match flush {
                FlushCompress::Finish => status == Status::StreamEnd,
                _ => input.is_empty(),
            };
            if done {
                return Ok(());
            }
        }
    }

    /// Cuts the input into blocks of `size`, the last of which waits for more.
    fn write_blocks(&mut self, mut input: &[u8], size: usize) {
        while self.states.pending.len() + input.len() > size {
            let (head, tail) = input.split_at(size - self.states.pending.len());
            if self.states.pending.is_empty() {
                self.write_block(head);
            } else {
                let mut block = std::mem::take(&mut self.states.pending);
                block.extend_from_slice(head);
                self.write_block(&block);
                block.clear();
                self.states.pending = block;
            }
            input = tail;
        }
        self.states.pending.extend_from_slice(input);
    }

    fn write_block(&mut self, block: &[u8]) {
        if self.codec == Codec::Lz4 {
            return lz4::write_block(block, self.out);
        }
        let start = self.out.len();
        let body = start + 4;
        self.out.resize(body + snap::raw::max_compress_len(block.len()), 0);
        let length = snap::raw::Encoder::new()
            .compress(block, &mut self.out[body..])
            .expect("the buffer has the room that snappy asks for");
        self.out.truncate(body + length);
        self.out[start..body].copy_from_slice(&(length as u32).to_be_bytes());
    }

    fn write_zstd(&mut self, input: &[u8]) -> Result<(), CompressionError> {
        let (_, encoder) = self.states.zstd.as_mut().expect("made at the start");
        let mut input = InBuffer::around(input);
        while input.pos() < input.src.len() {
            self.out.reserve(STEP_BYTES / 4);
            let at = self.out.len();
            let mut out = OutBuffer::around_pos(&mut *self.out, at);
            encoder.run(&mut input, &mut out).map_err(|_| corrupt(Codec::Zstd, "the encoder failed"))?;
        }
        Ok(())
    }

    fn finish_zstd(&mut self) -> Result<(), CompressionError> {
        let (_, encoder) = self.states.zstd.as_mut().expect("made at the start");
        loop {
            self.out.reserve(STEP_BYTES / 4);
            let at = self.out.len();
            let mut out = OutBuffer::around_pos(&mut *self.out, at);
            let left =
                encoder.finish(&mut out, true).map_err(|_| corrupt(Codec::Zstd, "the encoder failed"))?;
            if left == 0 {
                return Ok(());
            }
        }
    }
}
