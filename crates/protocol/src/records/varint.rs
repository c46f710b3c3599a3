//! The zig-zag varints of v2 records: at most five bytes for 32 bits, ten for 64.

use super::record::RecordError;
use super::walk::Cursor;

/// Reads a zig-zag varint of 32 bits.
#[inline(always)]
pub(super) fn read_i32<C: Cursor>(cursor: &mut C) -> Result<i32, C::Error> {
    let first = cursor.byte()?;
    let value = if first < 0x80 { u32::from(first) } else { read_long(cursor, first, 28)? as u32 };
    Ok((value >> 1) as i32 ^ -((value & 1) as i32))
}

/// Reads a zig-zag varint of 64 bits.
#[inline(always)]
pub(super) fn read_i64<C: Cursor>(cursor: &mut C) -> Result<i64, C::Error> {
    let first = cursor.byte()?;
    let value = if first < 0x80 { u64::from(first) } else { read_long(cursor, first, 63)? };
    Ok((value >> 1) as i64 ^ -((value & 1) as i64))
}

/// Reads on after a first byte that is not the last. Two bytes, the usual case of what is here, come first.
#[inline(always)]
fn read_long<C: Cursor>(cursor: &mut C, first: u8, shift_max: u32) -> Result<u64, C::Error> {
    let second = cursor.byte()?;
    let value = u64::from(first & 0x7f) | u64::from(second & 0x7f) << 7;
    if second < 0x80 { Ok(value) } else { read_longer(cursor, value, shift_max) }
}

#[inline(never)]
fn read_longer<C: Cursor>(cursor: &mut C, mut value: u64, shift_max: u32) -> Result<u64, C::Error> {
    let mut shift = 14;
    loop {
        let byte = cursor.byte()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
        shift += 7;
        if shift > shift_max {
            return Err(RecordError::VarintTooLong.into());
        }
    }
}

/// Appends `value` as a zig-zag varint of 32 bits.
pub(super) fn write_i32(value: i32, out: &mut Vec<u8>) {
    write_u64(u64::from(((value << 1) ^ (value >> 31)) as u32), out);
}

/// Appends `value` as a zig-zag varint of 64 bits.
pub(super) fn write_i64(value: i64, out: &mut Vec<u8>) {
    write_u64(((value << 1) ^ (value >> 63)) as u64, out);
}

/// How many bytes `value` takes as a zig-zag varint.
pub(super) fn size_of(value: i64) -> usize {
    let bits = 64 - (((value << 1) ^ (value >> 63)) as u64 | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

fn write_u64(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::walk::SliceCursor;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_number_round_trips_in_its_announced_size(small: i32, large: i64) {
            let mut out = Vec::new();
            write_i32(small, &mut out);
            prop_assert_eq!(out.len(), size_of(i64::from(small)));
            prop_assert_eq!(read_i32(&mut SliceCursor::new(&out)), Ok(small));
            out.clear();
            write_i64(large, &mut out);
            prop_assert_eq!(out.len(), size_of(large));
            prop_assert_eq!(read_i64(&mut SliceCursor::new(&out)), Ok(large));
        }
    }

    #[test]
    fn a_varint_that_does_not_end_is_refused() {
        assert_eq!(read_i32(&mut SliceCursor::new(&[0xff; 6])), Err(RecordError::VarintTooLong));
        assert_eq!(read_i64(&mut SliceCursor::new(&[0xff; 11])), Err(RecordError::VarintTooLong));
        assert_eq!(read_i32(&mut SliceCursor::new(&[0x80])), Err(RecordError::Truncated));
    }
}
