//! LZ4 frames with independent blocks, the only ones Kafka reads or writes.
//!
//! Message format v0 has a header checksum that covers the frame's magic too, by an old mistake of Kafka's; its
//! readers accept either and its writers go on making it. From v1 on the checksum is LZ4's own (KIP-57).

use lz4_flex::block::DecompressError;
use twox_hash::XxHash32;

use super::{Codec, CompressionError, corrupt};

const MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();
const FLAG_VERSION: u8 = 0b0100_0000;
const FLAG_INDEPENDENT: u8 = 0b0010_0000;
const FLAG_BLOCK_CHECKSUM: u8 = 0b0001_0000;
const FLAG_CONTENT_SIZE: u8 = 0b0000_1000;
const FLAG_CONTENT_CHECKSUM: u8 = 0b0000_0100;
const FLAGS_RESERVED: u8 = 0b0000_0011;
const UNCOMPRESSED_BIT: u32 = 1 << 31;

/// The blocks written are this long before compression, as the Java client's are.
pub(super) const BLOCK_BYTES: usize = 64 << 10;

/// The block size of 64 KiB in a frame's descriptor.
const BLOCK_64_KIB: u8 = 4 << 4;

/// One byte of LZ4 stands for at most 255 of output.
const RATIO_MAX: usize = 255;
/// And of records hardly ever for more than this: a frame may allow blocks of 4 MiB, as those of Go's clients do, and hold little.
const RATIO_EXPECTED: usize = 8;
/// How much more room is tried where that was not enough.
const ROOM_GROWTH: usize = 4;

/// Which bytes the checksum of a frame's header covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HeaderChecksum {
    /// The descriptor, as LZ4 defines it.
    #[default]
    Descriptor,
    /// Magic and descriptor, as message format v0 has it. A reader of v0 does not check at all.
    WithMagic,
}

/// An lz4 frame being read.
pub(super) struct Lz4Stream<'p> {
    input: &'p [u8],
    flags: u8,
    block_bytes_max: usize,
    ended: bool,
}

impl<'p> Lz4Stream<'p> {
    pub(super) fn new(payload: &'p [u8], checksum: HeaderChecksum) -> Result<Self, CompressionError> {
        let broken = |detail| corrupt(Codec::Lz4, detail);
        let descriptor = payload.strip_prefix(&MAGIC).ok_or(broken("no lz4 frame"))?;
        let [flags, sizes, ..] = *descriptor else { return Err(broken("it ends within the header")) };
        if flags & 0b1100_0000 != FLAG_VERSION || flags & FLAGS_RESERVED != 0 || sizes & 0b1000_1111 != 0 {
            return Err(broken("the frame's version or reserved bits are unknown"));
        }
        if flags & FLAG_INDEPENDENT == 0 {
            return Err(broken("its blocks depend on each other, which Kafka does not read"));
        }
        let code = sizes >> 4;
        if code < 4 {
            return Err(broken("the block size is unknown"));
        }
        let length = if flags & FLAG_CONTENT_SIZE == 0 { 2 } else { 10 };
        let (&stored, input) = descriptor
            .get(length..)
            .and_then(<[u8]>::split_first)
            .ok_or(broken("it ends within the header"))?;
        let computed = header_checksum(&descriptor[..length]);
        if checksum == HeaderChecksum::Descriptor && stored != computed {
            return Err(broken("the header checksum does not match"));
        }
        Ok(Self { input, flags, block_bytes_max: 1 << (2 * code + 8), ended: false })
    }

    /// Replaces the front of `output` by the next block; 0 at the end.
    pub(super) fn step(&mut self, output: &mut Vec<u8>) -> Result<usize, CompressionError> {
        while !self.ended {
            let mark = self.take_u32()?;
            if mark == 0 {
                if self.flags & FLAG_CONTENT_CHECKSUM != 0 {
                    self.take_u32()?;
                }
                self.ended = true;
                break;
            }
            let length = (mark & !UNCOMPRESSED_BIT) as usize;
            if length > self.block_bytes_max {
                return Err(corrupt(Codec::Lz4, "a block is larger than the frame allows"));
            }
            let (block, rest) =
                self.input.split_at_checked(length).ok_or(corrupt(Codec::Lz4, "it ends within a block"))?;
            self.input = rest;
            if self.flags & FLAG_BLOCK_CHECKSUM != 0 && self.take_u32()? != XxHash32::oneshot(0, block) {
                return Err(corrupt(Codec::Lz4, "a block checksum does not match"));
            }
            let written = self.write_block(block, mark & UNCOMPRESSED_BIT != 0, output)?;
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }

    fn write_block(
        &self,
        block: &[u8],
        uncompressed: bool,
        output: &mut Vec<u8>,
    ) -> Result<usize, CompressionError> {
        if uncompressed {
            if output.len() < block.len() {
                output.resize(block.len(), 0);
            }
            output[..block.len()].copy_from_slice(block);
            return Ok(block.len());
        }
        let most = block.len().saturating_mul(RATIO_MAX).min(self.block_bytes_max);
        let mut room = block.len().saturating_mul(RATIO_EXPECTED).max(output.len()).min(most);
        loop {
            if output.len() < room {
                output.resize(room, 0);
            }
            match lz4_flex::block::decompress_into(block, &mut output[..room]) {
                Ok(written) => return Ok(written),
                Err(DecompressError::OutputTooSmall { .. }) if room < most => {
                    room = room.saturating_mul(ROOM_GROWTH).min(most);
                }
                Err(_) => return Err(corrupt(Codec::Lz4, "a block is invalid")),
            }
        }
    }

    fn take_u32(&mut self) -> Result<u32, CompressionError> {
        let (number, rest) =
            self.input.split_first_chunk().ok_or(corrupt(Codec::Lz4, "it ends before its end mark"))?;
        self.input = rest;
        Ok(u32::from_le_bytes(*number))
    }
}

/// Appends the seven bytes that open a frame.
pub(super) fn write_header(checksum: HeaderChecksum, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[FLAG_VERSION | FLAG_INDEPENDENT, BLOCK_64_KIB]);
    let covered = match checksum {
        HeaderChecksum::Descriptor => &out[start + MAGIC.len()..],
        HeaderChecksum::WithMagic => &out[start..],
    };
    let checksum = header_checksum(covered);
    out.push(checksum);
}

/// Appends one block, compressed where that makes it shorter.
pub(super) fn write_block(block: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let body = start + 4;
    out.resize(body + lz4_flex::block::get_maximum_output_size(block.len()), 0);
    let compressed = lz4_flex::block::compress_into(block, &mut out[body..]);
    let mark = match compressed {
        Ok(length) if length < block.len() => {
            out.truncate(body + length);
            length as u32
        }
        _ => {
            out.truncate(body);
            out.extend_from_slice(block);
            block.len() as u32 | UNCOMPRESSED_BIT
        }
    };
    out[start..body].copy_from_slice(&mark.to_le_bytes());
}

/// Appends the mark that ends a frame.
pub(super) fn write_end(out: &mut Vec<u8>) {
    out.extend_from_slice(&0_u32.to_le_bytes());
}

fn header_checksum(covered: &[u8]) -> u8 {
    (XxHash32::oneshot(0, covered) >> 8) as u8
}
