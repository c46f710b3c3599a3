//! The two checksums of record formats: CRC-32C over a v2 batch, CRC-32 over a v0 or v1 message.
//!
//! CRC-32C is taken from `crc-fast`, which picks the widest instructions the machine has.

/// CRC-32C (Castagnoli), as v2 batches carry it.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// CRC-32 (ISO-HDLC), as v0 and v1 messages carry it.
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values_of_both_polynomials() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
