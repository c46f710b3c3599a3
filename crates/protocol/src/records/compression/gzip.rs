//! Gzip members (RFC 1952), one after another, as `java.util.zip` reads them.

use flate2::{Decompress, FlushDecompress, Status};

use super::{Codec, CompressionError, corrupt};

const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
const FLAG_HEADER_CRC: u8 = 2;
const FLAG_EXTRA: u8 = 4;
const FLAG_NAME: u8 = 8;
const FLAG_COMMENT: u8 = 16;

/// The ten bytes that open a member as Java writes them: no flags, no time, no system.
pub(super) const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0];

/// A gzip stream being read.
pub(super) struct GzipStream<'p> {
    input: &'p [u8],
    crc: crc32fast::Hasher,
    length: u32,
    ended: bool,
}

impl<'p> GzipStream<'p> {
    pub(super) fn new(payload: &'p [u8], inflate: &mut Decompress) -> Result<Self, CompressionError> {
        let input = after_header(payload).ok_or(corrupt(Codec::Gzip, "no gzip header"))?;
        inflate.reset(false);
        Ok(Self { input, crc: crc32fast::Hasher::new(), length: 0, ended: false })
    }

    /// Fills the front of `output`; 0 at the end.
    pub(super) fn step(
        &mut self,
        inflate: &mut Decompress,
        output: &mut [u8],
    ) -> Result<usize, CompressionError> {
        while !self.ended {
            let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
            let status = inflate
                .decompress(self.input, output, FlushDecompress::None)
                .map_err(|_| corrupt(Codec::Gzip, "the deflated data is invalid"))?;
            self.input = &self.input[(inflate.total_in() - before_in) as usize..];
            let written = (inflate.total_out() - before_out) as usize;
            self.crc.update(&output[..written]);
            self.length = self.length.wrapping_add(written as u32);
            if status == Status::StreamEnd {
                self.end_member(inflate)?;
            } else if written == 0 && self.input.is_empty() {
                return Err(corrupt(Codec::Gzip, "it ends early"));
            }
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }

    fn end_member(&mut self, inflate: &mut Decompress) -> Result<(), CompressionError> {
        let (crc, rest) = split_u32(self.input).ok_or(corrupt(Codec::Gzip, "no trailer"))?;
        let (length, rest) = split_u32(rest).ok_or(corrupt(Codec::Gzip, "no trailer"))?;
        if crc != std::mem::take(&mut self.crc).finalize() || length != self.length {
            return Err(corrupt(Codec::Gzip, "the trailer does not match"));
        }
        // Another member may follow; anything else there is ignored, as Java does.
        match after_header(rest) {
            Some(input) => {
                self.input = input;
                self.length = 0;
                inflate.reset(false);
            }
            None => self.ended = true,
        }
        Ok(())
    }
}

fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), rest))
}

/// What follows the member's header; `None` where there is none.
fn after_header(bytes: &[u8]) -> Option<&[u8]> {
    let (fixed, mut rest) = bytes.split_first_chunk::<10>()?;
    if fixed[..3] != MAGIC {
        return None;
    }
    let flags = fixed[3];
    if flags & FLAG_EXTRA != 0 {
        let (length, after) = rest.split_first_chunk()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for flag in [FLAG_NAME, FLAG_COMMENT] {
        if flags & flag != 0 {
            let zero = rest.iter().position(|&byte| byte == 0)?;
            rest = &rest[zero + 1..];
        }
    }
    if flags & FLAG_HEADER_CRC != 0 { rest.get(2..) } else { Some(rest) }
}
