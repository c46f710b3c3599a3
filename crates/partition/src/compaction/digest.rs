//! The digest that stands for a key: SipHash-2-4 with 128 bits of output.
//!
//! Two keys of one digest would make compaction drop a live record, so the digest must not collide by chance, nor by
//! the will of someone who chooses the keys. 128 bits see to the first: among a billion keys the odds are below one in
//! 10^20. A secret key sees to the second, as an unkeyed digest that is broken (Kafka's MD5 is) does not: who does not
//! know the key can do no better than chance. And of the digests that do both it is the fastest on short keys.

/// The secret that digests are made with: random bits, drawn by whoever starts a cleaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DigestKey(pub u128);

/// 128 bits that stand for a key of a record.
pub type Digest = [u64; 2];

/// The digest of `bytes`.
pub fn digest(key: DigestKey, bytes: &[u8]) -> Digest {
    let (low, high) = (key.0 as u64, (key.0 >> 64) as u64);
    let mut state = [
        low ^ 0x736f_6d65_7073_6575,
        high ^ 0x646f_7261_6e64_6f6d ^ 0xee,
        low ^ 0x6c79_6765_6e65_7261,
        high ^ 0x7465_6462_7974_6573,
    ];
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        absorb(&mut state, u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..tail.len()].copy_from_slice(tail);
    last[7] = bytes.len() as u8;
    absorb(&mut state, u64::from_le_bytes(last));
    state[2] ^= 0xee;
    rounds(&mut state, 4);
    let first = state.iter().fold(0, |all, word| all ^ word);
    state[1] ^= 0xdd;
    rounds(&mut state, 4);
    [first, state.iter().fold(0, |all, word| all ^ word)]
}

fn absorb(state: &mut [u64; 4], word: u64) {
    state[3] ^= word;
    rounds(state, 2);
    state[0] ^= word;
}

fn rounds(state: &mut [u64; 4], count: usize) {
    let [mut a, mut b, mut c, mut d] = *state;
    for _ in 0..count {
        a = a.wrapping_add(b);
        b = b.rotate_left(13) ^ a;
        a = a.rotate_left(32);
        c = c.wrapping_add(d);
        d = d.rotate_left(16) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(21) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        c = c.rotate_left(32);
    }
    *state = [a, b, c, d];
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the vectors that the authors of SipHash publish: key 00 01 .. 0f, messages empty, 00, 00 01, ...
    #[test]
    fn agrees_with_the_published_vectors() {
        let key = DigestKey(u128::from_le_bytes(std::array::from_fn(|at| at as u8)));
        let expected: [u128; 3] = [
            0xa381_7f04_ba25_a8e6_6df6_7214_c755_0293,
            0xda87_c1d8_6b99_af44_3476_5911_9b22_fc45,
            0x8177_228d_a4a4_5dc7_fca3_8bde_f60a_ffe4,
        ];
        for (length, expected) in expected.into_iter().enumerate() {
            let message: Vec<u8> = (0..length as u8).collect();
            let [first, second] = digest(key, &message);
            let bytes = [first.to_le_bytes(), second.to_le_bytes()].concat();
            assert_eq!(bytes, expected.to_be_bytes(), "{length} bytes");
        }
    }

    #[test]
    fn another_key_gives_another_digest() {
        assert_ne!(digest(DigestKey(1), b"orders"), digest(DigestKey(2), b"orders"));
        assert_ne!(digest(DigestKey(1), b"12345678"), digest(DigestKey(1), b"12345678\0"));
    }
}
