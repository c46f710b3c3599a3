//! A block of snappy that is too large to be decoded at once, element by element through a window.
//!
//! Every encoder cuts its input into fragments of 64 KiB, so copies never reach back further than that; a block whose
//! copies do is refused.

use std::ops::Range;

use super::STEP_BYTES;
use super::snappy::{StepError, broken};

/// How far back a copy may reach.
const WINDOW_BYTES: usize = 64 << 10;

/// A copy is carried out whole, so a step may end this far behind its limit, less one.
const COPY_BYTES_MAX: usize = 64;

/// A block being read.
pub(super) struct LargeBlock<'p> {
    /// The elements ahead.
    input: &'p [u8],
    /// What did not fit into the last step of a literal.
    literal: &'p [u8],
    /// Output still to come.
    left: usize,
    /// The end of the last step in the buffer.
    end: usize,
}

impl<'p> LargeBlock<'p> {
    /// Starts on a block whose length of output is known, and makes room for a window and a step.
    pub(super) fn new(block: &'p [u8], length: usize, output: &mut Vec<u8>) -> Self {
        let prefix = block.iter().position(|&byte| byte < 0x80).map_or(block.len(), |last| last + 1);
        let room = WINDOW_BYTES + STEP_BYTES + COPY_BYTES_MAX;
        if output.len() < room {
            output.resize(room, 0);
        }
        Self { input: &block[prefix..], literal: &[], left: length, end: 0 }
    }

    /// Decodes elements until a step is full or the block ends; says where in `output` the step is.
    pub(super) fn step(&mut self, output: &mut [u8]) -> Result<Range<usize>, StepError> {
        // What the copies ahead may refer to stays in front of them.
        let start = self.end.min(WINDOW_BYTES);
        output.copy_within(self.end - start..self.end, 0);
        let limit = start + STEP_BYTES.min(self.left);
        let mut at = start;
        while at < limit {
            if self.literal.is_empty() {
                at = self.element(output, at)?;
            }
            let taken = self.literal.len().min(limit.saturating_sub(at));
            let (now, later) = self.literal.split_at(taken);
            output[at..at + taken].copy_from_slice(now);
            self.literal = later;
            at += taken;
        }
        let written = at - start;
        self.left = self.left.checked_sub(written).ok_or(broken("a block is longer than it says"))?;
        if self.left == 0 && !(self.input.is_empty() && self.literal.is_empty()) {
            return Err(broken("a block is longer than it says"));
        }
        self.end = at;
        Ok(start..at)
    }

    /// Reads one element: carries out a copy to `at`, or leaves a literal to the caller. Returns where output goes on.
    fn element(&mut self, output: &mut [u8], at: usize) -> Result<usize, StepError> {
        let tag = self.take_number(1)?;
        let code = tag >> 2;
        let (length, offset) = match tag & 3 {
            0 => {
                let length = 1 + if code < 60 { code } else { self.take_number(code - 59)? };
                let literal = self.input.split_at_checked(length);
                (self.literal, self.input) = literal.ok_or(broken("it ends within a literal"))?;
                return Ok(at);
            }
            1 => (4 + (code & 7), (code >> 3) << 8 | self.take_number(1)?),
            2 => (code + 1, self.take_number(2)?),
            _ => (code + 1, self.take_number(4)?),
        };
        if offset == 0 || offset > at {
            return Err(broken("a copy reaches back too far"));
        }
        // A copy may overlap what it writes, and then repeats it.
        if offset >= length {
            output.copy_within(at - offset..at - offset + length, at);
        } else {
            for to in at..at + length {
                output[to] = output[to - offset];
            }
        }
        Ok(at + length)
    }

    fn take_number(&mut self, bytes: usize) -> Result<usize, StepError> {
        let (number, rest) = self.input.split_at_checked(bytes).ok_or(broken("it ends within a block"))?;
        self.input = rest;
        Ok(number.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte)))
    }
}
