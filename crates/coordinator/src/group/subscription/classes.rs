//! Sets of characters, as far as they can stand in the name of a topic: those of ASCII.
//!
//! A character beyond ASCII matches nothing in a name. Only the names of sets have to be known, and which folds to
//! ASCII when case does not count.

/// A set of ASCII characters, a bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Set(u128);

/// Beyond ASCII, but an s when case does not count.
const LONG_S: char = '\u{17f}';
/// Beyond ASCII, but a k when case does not count.
const KELVIN: char = '\u{212a}';

/// The general categories of Unicode that have characters in ASCII, with those.
const CATEGORIES: [(&str, &str); 18] = [
    ("Lu", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("Ll", "abcdefghijklmnopqrstuvwxyz"),
    ("L", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
    ("Latin", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
    ("Nd", "0123456789"),
    ("N", "0123456789"),
    ("Pc", "_"),
    ("Pd", "-"),
    ("Ps", "([{"),
    ("Pe", ")]}"),
    ("Po", "!\"#%&'*,./:;?@\\"),
    ("P", "!\"#%&'*,./:;?@\\_-([{)]}"),
    ("Sc", "$"),
    ("Sk", "^`"),
    ("Sm", "+<=>|~"),
    ("S", "$^`+<=>|~"),
    ("Zs", " "),
    ("Z", " "),
];

/// Categories and scripts without a character in ASCII.
const ELSEWHERE: &str = "Cf Co Cs Lm Lo Lt M Mc Me Mn Nl No Pf Pi So Zl Zp \
    Arabic Armenian Avestan Balinese Bamum Batak Bengali Bopomofo Brahmi Braille Buginese Buhid \
    Canadian_Aboriginal Carian Cham Cherokee Coptic Cuneiform Cypriot Cyrillic Deseret Devanagari \
    Egyptian_Hieroglyphs Ethiopic Georgian Glagolitic Gothic Greek Gujarati Gurmukhi Han Hangul Hanunoo Hebrew \
    Hiragana Imperial_Aramaic Inherited Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada \
    Katakana Kayah_Li Kharoshthi Khmer Lao Lepcha Limbu Linear_B Lisu Lycian Lydian Malayalam Mandaic \
    Meetei_Mayek Mongolian Myanmar New_Tai_Lue Nko Ogham Ol_Chiki Old_Italic Old_Persian Old_South_Arabian \
    Old_Turkic Oriya Osmanya Phags_Pa Phoenician Rejang Runic Samaritan Saurashtra Shavian Sinhala Sundanese \
    Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Tamil Telugu Thaana Thai Tibetan Tifinagh \
    Ugaritic Unknown Vai Yi";

impl Set {
    /// Those of whom this is true.
    fn of(holds: impl Fn(&u8) -> bool) -> Self {
        Self((0..128_u8).filter(holds).fold(0, |bits, byte| bits | 1 << byte))
    }

    /// One character; both cases of it where case does not count.
    pub(super) fn one(character: char, fold: bool) -> Self {
        Self::range(character, character, fold)
    }

    /// All from one to another.
    pub(super) fn range(first: char, last: char, fold: bool) -> Self {
        let has = |character: char| first <= character && character <= last;
        let set = Self::of(|byte| has(char::from(*byte)));
        if !fold {
            return set;
        }
        let folds = |character, byte| if has(character) { Self::of(|ascii| *ascii == byte) } else { Self(0) };
        set.with(folds(LONG_S, b's')).with(folds(KELVIN, b'k')).folded(true)
    }

    /// `\d`, `\s` and `\w`.
    pub(super) fn of_perl(letter: char) -> Option<Self> {
        match letter {
            'd' => Self::of_posix("digit"),
            's' => Some(Self::of(|byte| b"\t\n\x0c\r ".contains(byte))),
            'w' => Self::of_posix("word"),
            _ => None,
        }
    }

    /// `[:alpha:]` and the like.
    pub(super) fn of_posix(name: &str) -> Option<Self> {
        Some(match name {
            "alnum" => Self::of(u8::is_ascii_alphanumeric),
            "alpha" => Self::of(u8::is_ascii_alphabetic),
            "ascii" => Self::of(|_| true),
            "blank" => Self::of(|byte| b"\t ".contains(byte)),
            "cntrl" => Self::of(u8::is_ascii_control),
            "digit" => Self::of(u8::is_ascii_digit),
            "graph" => Self::of(u8::is_ascii_graphic),
            "lower" => Self::of(u8::is_ascii_lowercase),
            "print" => Self::of(|byte| (b' '..=b'~').contains(byte)),
            "punct" => Self::of(u8::is_ascii_punctuation),
            "space" => Self::of(|byte| b"\t\n\x0b\x0c\r ".contains(byte)),
            "upper" => Self::of(u8::is_ascii_uppercase),
            "word" => Self::of(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'),
            "xdigit" => Self::of(u8::is_ascii_hexdigit),
            _ => return None,
        })
    }

    /// `\p{Lu}` and the like: a general category or a script.
    pub(super) fn of_unicode(name: &str) -> Option<Self> {
        match name {
            "Any" => return Some(Self::of(|_| true)),
            "Common" => return Some(Self::of(|byte| !byte.is_ascii_alphabetic())),
            "C" | "Cc" => return Some(Self::of(u8::is_ascii_control)),
            _ => {}
        }
        let known = CATEGORIES.iter().find(|(category, _)| *category == name);
        let elsewhere = || ELSEWHERE.split_whitespace().any(|category| category == name);
        match known {
            Some((_, members)) => Some(Self::of(|byte| members.as_bytes().contains(byte))),
            None => elsewhere().then_some(Self(0)),
        }
    }

    /// With the members of another.
    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// All others, if asked for.
    pub(super) fn negated(self, negated: bool) -> Self {
        if negated { Self(!self.0) } else { self }
    }

    /// With the other case of each, if asked for.
    pub(super) fn folded(self, fold: bool) -> Self {
        let has = |byte: u8| self.0 >> byte & 1 == 1;
        let either =
            |byte: &u8| has(*byte) || has(byte.to_ascii_lowercase()) || has(byte.to_ascii_uppercase());
        if fold { Self::of(either) } else { self }
    }

    /// Writes it as a class.
    pub(super) fn write(self, out: &mut String) {
        use std::fmt::Write;

        if self.0 == 0 {
            // A byte that is in no name.
            out.push_str(r"\xFF");
            return;
        }
        out.push('[');
        let mut rest = 0_u8;
        while rest < 128 && self.0 >> rest != 0 {
            let first = rest + trailing(self.0 >> rest);
            let count = trailing(!(self.0 >> first));
            let last = (first + count).min(128) - 1;
            write!(out, r"\x{first:02X}-\x{last:02X}").expect("a string takes all");
            rest = last + 1;
        }
        out.push(']');
    }
}

fn trailing(bits: u128) -> u8 {
    u8::try_from(bits.trailing_zeros()).expect("at most 128")
}
