//! Zstandard frames (KIP-110).

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::{Codec, CompressionError, corrupt};

/// The largest window a frame may ask for, 128 MiB: what Kafka's own reader allows, and what its producers write at
/// the highest level. Only the pages that output has reached are ever touched, and output has its cap.
const WINDOW_LOG_MAX: u32 = 27;

/// A zstd stream being read.
pub(super) struct ZstdStream<'p> {
    input: &'p [u8],
    within_frame: bool,
}

pub(super) fn new_decoder() -> Result<Decoder<'static>, CompressionError> {
    let out_of_memory = |_| corrupt(Codec::Zstd, "no memory for a decoder");
    let mut decoder = Decoder::new().map_err(out_of_memory)?;
    decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(out_of_memory)?;
    Ok(decoder)
}

impl<'p> ZstdStream<'p> {
    pub(super) fn new(payload: &'p [u8], decoder: &mut Decoder<'static>) -> Result<Self, CompressionError> {
        decoder.reinit().map_err(|_| corrupt(Codec::Zstd, "the decoder cannot start again"))?;
        Ok(Self { input: payload, within_frame: false })
    }

    /// Fills the front of `output`; 0 at the end.
    pub(super) fn step(
        &mut self,
        decoder: &mut Decoder<'static>,
        output: &mut [u8],
    ) -> Result<usize, CompressionError> {
        // A full buffer may leave output inside the decoder although all input is taken, so `within_frame` asks on.
        while !self.input.is_empty() || self.within_frame {
            let mut input = InBuffer::around(self.input);
            let mut out = OutBuffer::around(&mut *output);
            let hint =
                decoder.run(&mut input, &mut out).map_err(|_| corrupt(Codec::Zstd, "a frame is invalid"))?;
            let (taken, written) = (input.pos(), out.pos());
            self.input = &self.input[taken..];
            self.within_frame = hint != 0;
            if written > 0 {
                return Ok(written);
            }
            if taken == 0 {
                return Err(corrupt(Codec::Zstd, "it ends within a frame"));
            }
        }
        Ok(0)
    }
}
