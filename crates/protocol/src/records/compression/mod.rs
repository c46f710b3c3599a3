//! The codecs of record batches: gzip, snappy in both framings, lz4 frames, zstd (KIP-57, KIP-110, KIP-390).
//!
//! Decompression streams through one reused buffer in steps, never allocates from a length it has only read, and
//! stops at a cap on its output that the caller sets. Compression appends to a buffer of the caller's.

mod compress;
mod decompress;
mod gzip;
mod lz4;
mod snappy;
mod snappy_block;
mod zstandard;

use thiserror::Error;

pub use compress::{Compressing, Compression, Compressors};
pub use decompress::{CompressedError, Decompressing, Decompressors, walk_compressed};
pub use lz4::HeaderChecksum;

/// How the records of a batch are compressed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Codec {
    /// Not at all.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Snappy, raw or in the framing of snappy-java.
    Snappy,
    /// LZ4 frames with independent blocks.
    Lz4,
    /// Zstandard frames (KIP-110).
    Zstd,
}

impl Codec {
    /// Every codec, by its number.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec of this number in a batch's attributes.
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.get(usize::from(id)).copied()
    }

    /// The number in a batch's attributes.
    pub fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The codec of this name in configurations.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Why compressed bytes could not be decompressed, or plain ones not be compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CompressionError {
    /// The bytes are not what the codec writes.
    #[error("the {codec} stream is broken: {detail}")]
    Corrupt {
        /// The codec named by the batch.
        codec: Codec,
        /// What is wrong with it.
        detail: &'static str,
    },
    /// The output passes the cap.
    #[error("the batch takes more than the {cap} bytes allowed")]
    TooLarge {
        /// The cap set by the caller.
        cap: u64,
    },
}

fn corrupt(codec: Codec, detail: &'static str) -> CompressionError {
    CompressionError::Corrupt { codec, detail }
}

/// A step of decompression is at most this long, an lz4 block apart, which may be 4 MiB.
const STEP_BYTES_MAX: usize = 1 << 20;

/// The step that the streaming codecs work in: small enough to stay in a core's own cache.
const STEP_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests;
