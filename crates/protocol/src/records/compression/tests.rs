use proptest::prelude::*;

use super::*;

fn compressed(codec: Codec, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Compressors::default().compress(codec.into(), input, &mut out).unwrap();
    out
}

fn decompressed(codec: Codec, payload: &[u8], cap: u64) -> Result<Vec<u8>, CompressionError> {
    let mut states = Decompressors::default();
    let mut stream = states.start(codec, payload, cap)?;
    let mut out = Vec::new();
    loop {
        let step = stream.next_step()?;
        if step.is_empty() {
            return Ok(out);
        }
        out.extend_from_slice(step);
    }
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn every_codec_returns_what_it_was_given() {
    let text = "the same words again and again ".repeat(20_000);
    let noise = noise(300_000);
    for codec in Codec::ALL {
        for input in [&b""[..], b"x", text.as_bytes(), &noise] {
            let payload = compressed(codec, input);
            assert_eq!(decompressed(codec, &payload, input.len() as u64).unwrap(), input, "{codec}");
        }
    }
}

#[test]
fn states_are_used_again_after_success_and_failure() {
    let (mut compressors, mut decompressors) = (Compressors::default(), Decompressors::default());
    for round in 0..3 {
        for codec in Codec::ALL {
            let input = noise(1000 + round);
            let mut payload = Vec::new();
            compressors.compress(codec.into(), &input, &mut payload).unwrap();
            let step = decompressors.start(codec, &payload, 1 << 20).unwrap().next_step().unwrap().to_vec();
            assert_eq!(step, input, "{codec} in round {round}");
            if let Ok(mut stream) = decompressors.start(codec, &payload[..payload.len() / 2], 1 << 20) {
                while stream.next_step().is_ok_and(|step| !step.is_empty()) {}
            }
        }
    }
}

#[test]
fn a_bomb_stops_at_the_cap_in_a_small_buffer() {
    let zeros = vec![0; 64 << 20];
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let payload = compressed(codec, &zeros);
        let mut states = Decompressors::default();
        let mut stream = states.start(codec, &payload, 1 << 20).unwrap();
        let end = loop {
            match stream.next_step() {
                Ok(step) => assert!(!step.is_empty(), "{codec} came to an end"),
                Err(error) => break error,
            }
        };
        assert_eq!(end, CompressionError::TooLarge { cap: 1 << 20 }, "{codec}");
        assert!(states.buffered() <= STEP_BYTES_MAX, "{codec}");
    }
}

#[test]
fn a_truncated_stream_is_named_corrupt() {
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd] {
        let payload = compressed(codec, &noise(100_000));
        for cut in [1, 5, 20, payload.len() / 2, payload.len() - 1] {
            let error = decompressed(codec, &payload[..cut], 1 << 20).unwrap_err();
            assert!(matches!(error, CompressionError::Corrupt { .. }), "{codec} cut at {cut}: {error}");
        }
    }
}

#[test]
fn raw_snappy_is_read_and_its_claims_are_not_believed() {
    let input = noise(100_000);
    let raw = snap::raw::Encoder::new().compress_vec(&input).unwrap();
    assert_eq!(decompressed(Codec::Snappy, &raw, 1 << 20).unwrap(), input);
    // More than one step is decoded through a window, in steps.
    let large = [noise(700_000), vec![5; 900_000], noise(700_000)].concat();
    let raw = snap::raw::Encoder::new().compress_vec(&large).unwrap();
    assert!(decompressed(Codec::Snappy, &raw, 4 << 20).unwrap() == large);
    for cut in [raw.len() - 1, raw.len() / 2, 100_000] {
        assert!(matches!(
            decompressed(Codec::Snappy, &raw[..cut], 4 << 20),
            Err(CompressionError::Corrupt { .. })
        ));
    }
    let longer = [&raw[..], &[0, 7]].concat();
    assert!(matches!(decompressed(Codec::Snappy, &longer, 4 << 20), Err(CompressionError::Corrupt { .. })));
    let mut states = Decompressors::default();
    let mut stream = states.start(Codec::Snappy, &raw, 4 << 20).unwrap();
    while !stream.next_step().unwrap().is_empty() {}
    assert!(states.buffered() <= 256 << 10);
    // Five bytes that claim 4 GiB less one.
    let lie = [0xff, 0xff, 0xff, 0xff, 0x0f];
    assert!(matches!(decompressed(Codec::Snappy, &lie, u64::MAX), Err(CompressionError::Corrupt { .. })));
}

#[test]
fn gzip_members_follow_each_other_and_extras_are_passed_over() {
    let mut payload = vec![0x1f, 0x8b, 8, 4 | 8 | 16 | 2, 0, 0, 0, 0, 0, 3, 2, 0, 1, 2];
    payload.extend_from_slice(b"name\0comment\0\x11\x22");
    payload.extend_from_slice(&compressed(Codec::Gzip, b"one")[10..]);
    payload.extend_from_slice(&compressed(Codec::Gzip, b"two"));
    payload.extend_from_slice(b"what follows is ignored");
    assert_eq!(decompressed(Codec::Gzip, &payload, 100).unwrap(), b"onetwo");
    let last = compressed(Codec::Gzip, b"one").len() - 5;
    let mut flipped = compressed(Codec::Gzip, b"one");
    flipped[last] ^= 1;
    assert!(decompressed(Codec::Gzip, &flipped, 100).is_err());
}

#[test]
fn lz4_header_checksum_of_message_format_v0_differs() {
    let (mut states, mut compressors) = (Decompressors::default(), Compressors::default());
    for (written, accepted_strictly) in
        [(HeaderChecksum::Descriptor, true), (HeaderChecksum::WithMagic, false)]
    {
        let mut payload = Vec::new();
        let mut compressing =
            compressors.start_with_checksum(Codec::Lz4.into(), &mut payload, 1000, written).unwrap();
        compressing.write(b"content").unwrap();
        compressing.finish().unwrap();
        assert_eq!(states.start(Codec::Lz4, &payload, 100).is_ok(), accepted_strictly);
        let mut lenient =
            states.start_with_checksum(Codec::Lz4, &payload, 100, HeaderChecksum::WithMagic).unwrap();
        assert_eq!(lenient.next_step().unwrap(), b"content");
    }
}

#[test]
fn lz4_frames_of_the_reference_writer_are_read() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    use std::io::Write;
    let input = [noise(100_000), vec![7; 3 << 20]].concat();
    let sizes = [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB];
    for size in sizes {
        let info = FrameInfo::new()
            .block_size(size)
            .block_mode(BlockMode::Independent)
            .block_checksums(true)
            .content_checksum(true)
            .content_size(Some(input.len() as u64));
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(&input).unwrap();
        let payload = encoder.finish().unwrap();
        assert_eq!(decompressed(Codec::Lz4, &payload, 8 << 20).unwrap(), input);
    }
    let linked = FrameInfo::new().block_mode(BlockMode::Linked);
    let mut encoder = FrameEncoder::with_frame_info(linked, Vec::new());
    encoder.write_all(&input).unwrap();
    assert!(decompressed(Codec::Lz4, &encoder.finish().unwrap(), 8 << 20).is_err());
}

#[test]
fn a_small_lz4_block_has_little_memory_taken_however_large_its_frame_allows_blocks_to_be() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    use std::io::Write;
    let framed = |input: &[u8]| {
        let info = FrameInfo::new().block_size(BlockSize::Max4MB).block_mode(BlockMode::Independent);
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(input).unwrap();
        encoder.finish().unwrap()
    };
    let mut states = Decompressors::default();
    let mut read = |input: &[u8]| {
        let payload = framed(input);
        let mut stream = states.start(Codec::Lz4, &payload, 8 << 20).unwrap();
        assert!(stream.next_step().unwrap() == input);
        (payload.len(), states.buffered())
    };
    let text = (0..8_000).map(|n: u32| format!("{{\"key\":{n}}}")).collect::<String>();
    let (payload, buffered) = read(text.as_bytes());
    assert!(buffered <= payload * 8, "{buffered} bytes for {payload}");
    // What stands for more than is expected is read as well.
    for length in [200_000, 1 << 20, 4 << 20] {
        let (_, buffered) = read(&vec![7; length]);
        assert!(buffered <= 4 << 20);
    }
}

#[test]
fn levels_change_the_bytes_and_not_the_content() {
    let text = (0..40_000).map(|n: u32| n.wrapping_mul(2_654_435_761).to_string()).collect::<String>();
    for (codec, low, high) in [(Codec::Gzip, 1, 9), (Codec::Zstd, -5, 19)] {
        let mut sizes = Vec::new();
        let mut compressors = Compressors::default();
        for level in [low, high] {
            let mut payload = Vec::new();
            compressors
                .compress(Compression { codec, level: Some(level) }, text.as_bytes(), &mut payload)
                .unwrap();
            assert_eq!(decompressed(codec, &payload, 1 << 20).unwrap(), text.as_bytes());
            sizes.push(payload.len());
        }
        assert!(sizes[0] > sizes[1], "{codec}: {sizes:?}");
    }
}

#[test]
fn compression_stops_at_its_cap() {
    for codec in Codec::ALL {
        let mut out = Vec::new();
        let mut compressors = Compressors::default();
        let mut compressing = compressors.start(codec.into(), &mut out, 1000).unwrap();
        let result = compressing.write(&noise(500_000)).and_then(|()| compressing.finish());
        assert_eq!(result, Err(CompressionError::TooLarge { cap: 1000 }), "{codec}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        for codec in Codec::ALL {
            let _ = decompressed(codec, &bytes, 1 << 20);
        }
    }

    #[test]
    fn flipped_bytes_never_panic(at in 0_usize..4000, with in 1_u8.., length in 0_usize..4000) {
        for codec in Codec::ALL {
            let mut payload = compressed(codec, &noise(length));
            let at = at % payload.len().max(1);
            if let Some(byte) = payload.get_mut(at) {
                *byte ^= with;
            }
            let _ = decompressed(codec, &payload, 1 << 20);
        }
    }
}

proptest! {
    // A block must pass a mebibyte to be read this way, so cases are few.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_large_block_of_snappy_is_read_as_by_the_reference(
        seed: u32,
        runs in proptest::collection::vec((any::<u8>(), 1_usize..40_000), 1..20),
        at: usize,
        with: u8,
    ) {
        let mut input = vec![0; 1 << 20];
        for (index, (byte, length)) in runs.into_iter().enumerate() {
            if index % 2 == 0 {
                input.extend(std::iter::repeat_n(byte, length));
            } else {
                input.extend(noise(length % 5000).into_iter().map(|noise| noise ^ seed as u8));
            }
        }
        let mut raw = snap::raw::Encoder::new().compress_vec(&input).unwrap();
        prop_assert!(decompressed(Codec::Snappy, &raw, 32 << 20).unwrap() == input);
        let at = 4 + at % (raw.len() - 4);
        raw[at] ^= with;
        let reference = snap::raw::Decoder::new().decompress_vec(&raw);
        if let Ok(read) = decompressed(Codec::Snappy, &raw, 32 << 20) {
            prop_assert!(reference.is_ok_and(|reference| reference == read));
        }
    }
}

/// Seen by how long it takes, as no other trace is left of room that is cleared: then by a thousand times longer.
#[test]
fn room_behind_what_is_compressed_is_left_alone() {
    for codec in Codec::ALL {
        let took = |room| {
            let (mut out, mut states) = (Vec::with_capacity(room), Compressors::default());
            let begun = std::time::Instant::now();
            let mut compressing = states.start(codec.into(), &mut out, u64::MAX).unwrap();
            for _ in 0..500 {
                compressing.write(b"a record of many").unwrap();
            }
            compressing.finish().unwrap();
            begun.elapsed()
        };
        let (little, much) = (took(1 << 10), took(64 << 20));
        assert!(much < 50 * little + std::time::Duration::from_secs(1), "{codec:?}: {much:?}, {little:?}");
    }
}
