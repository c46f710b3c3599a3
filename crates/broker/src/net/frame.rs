//! Frames: four bytes of length, then as many bytes.

use super::Close;

/// Bytes of the length prefix.
pub const PREFIX: usize = 4;

/// The smallest request there is: API key, version, correlation id.
const FRAME_BYTES_MIN: usize = 8;

/// What the front of the read bytes holds.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Front {
    /// A whole frame: so many bytes after the prefix.
    Frame(usize),
    /// More has to be read: the whole takes so many bytes, prefix included, as far as is known yet.
    Partial(usize),
}

/// Looks at the front of what has been read. A length that cannot be is refused as soon as it is known.
pub fn front(bytes: &[u8], length_max: usize) -> Result<Front, Close> {
    let Some(prefix) = bytes.first_chunk::<PREFIX>() else {
        return Ok(Front::Partial(PREFIX));
    };
    let length = i32::from_be_bytes(*prefix);
    let Ok(wanted) = usize::try_from(length) else {
        return Err(Close::FrameLength { length });
    };
    if wanted > length_max {
        return Err(Close::FrameTooLarge { length: wanted, length_max });
    }
    if wanted < FRAME_BYTES_MIN {
        return Err(Close::FrameLength { length });
    }
    if bytes.len() - PREFIX >= wanted {
        Ok(Front::Frame(wanted))
    } else {
        Ok(Front::Partial(PREFIX + wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fronts() {
        let cases: [(&[u8], Front); 5] = [
            (&[], Front::Partial(4)),
            (&[0, 0, 0], Front::Partial(4)),
            (&[0, 0, 0, 8], Front::Partial(12)),
            (&[0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8], Front::Frame(8)),
            (&[0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0], Front::Frame(8)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(front(bytes, 100).ok(), Some(expected), "{bytes:?}");
        }
    }

    #[test]
    fn lengths_that_cannot_be_are_refused_with_the_prefix() {
        for length in [-1, 0, 1, 7, i32::MIN] {
            let bytes = length.to_be_bytes();
            assert!(matches!(front(&bytes, 100), Err(Close::FrameLength { length: told }) if told == length));
        }
        for length in [101, i32::MAX] {
            let bytes = length.to_be_bytes();
            assert!(matches!(front(&bytes, 100), Err(Close::FrameTooLarge { length_max: 100, .. })));
        }
    }
}
