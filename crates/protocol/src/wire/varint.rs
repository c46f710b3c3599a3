//! The unsigned numbers of flexible versions: seven bits a byte, lowest first. Lengths and tags are written so; the
//! signed numbers within a record are the business of `records`.

use super::Malformed;

/// Takes a number of at most 31 bits off the front of `bytes`: no length or tag is larger.
pub fn take(bytes: &mut &[u8]) -> Result<u32, Malformed> {
    let mut number = 0u64;
    for index in 0..5 {
        let Some(&byte) = bytes.get(index) else {
            return Err(Malformed::TooShort { needed: index + 1, remaining: bytes.len() });
        };
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            *bytes = &bytes[index + 1..];
            let fits = u32::try_from(number).ok().filter(|&number| number <= i32::MAX as u32);
            return fits.ok_or(Malformed::VarintTooLong);
        }
    }
    Err(Malformed::VarintTooLong)
}

/// Appends a number.
pub fn put(mut number: u32, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
