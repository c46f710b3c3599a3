//! A sentence in an answer. What a client has sent may stand in it, and a string of the protocol is of limited length: an
//! answer with a longer one could not be given at all, and the client would wait for nothing.

use std::borrow::Cow;

/// The most bytes of a sentence.
const BYTES_MAX: usize = 4_000;
/// What stands for the rest of a longer one.
const REST: &str = "...";

/// A sentence as an answer carries it, cut where it is long.
pub fn sentence(text: impl Into<Cow<'static, str>>) -> Cow<'static, str> {
    let text = text.into();
    if text.len() <= BYTES_MAX {
        return text;
    }
    let most = BYTES_MAX - REST.len();
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    Cow::Owned(format!("{}{REST}", &text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sentence_is_cut_between_two_characters() {
        let fits = "x".repeat(BYTES_MAX);
        assert_eq!(sentence(fits.clone()), fits);
        let cut = sentence("\u{20ac}".repeat(BYTES_MAX));
        assert!(cut.len() <= BYTES_MAX && cut.len() > BYTES_MAX - 6, "{}", cut.len());
        assert_eq!(cut.trim_start_matches('\u{20ac}'), REST);
    }
}
