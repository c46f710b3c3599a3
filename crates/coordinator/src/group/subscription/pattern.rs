//! A regular expression that names of topics are held against.
//!
//! Matching takes time in proportion to the name times the size of the expression; compiling takes bounded memory.

use regex::bytes::{Regex, RegexBuilder};

use super::syntax;

/// How large an expression may become, in bytes. A thousand topics by name make about half a mebibyte.
const SIZE_MAX: usize = 1 << 20;
/// How large one may be to count as small.
const SMALL_MAX: usize = 16 << 10;
/// How much memory a match may use.
const CACHE_MAX: usize = 1 << 20;

/// An expression that can be matched.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    is_small: bool,
}

/// Why a text is no regular expression.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PatternError {
    /// A bracket is open at the end.
    #[error("missing closing {0}")]
    Unclosed(char),
    /// A bracket is closed that was not opened.
    #[error("unexpected )")]
    Unopened,
    /// The last character is a backslash.
    #[error("trailing backslash at end of expression")]
    TrailingBackslash,
    /// A backslash before something that it says nothing of.
    #[error("invalid escape sequence: `\\{0}`")]
    Escape(String),
    /// A class of characters that there is not, or one that ends before it begins.
    #[error("invalid character class range")]
    Class,
    /// Nothing to repeat.
    #[error("missing argument to repetition operator")]
    NothingToRepeat,
    /// A repetition is repeated.
    #[error("invalid nested repetition operator")]
    NestedRepetition,
    /// More than a thousand times, or fewer at most than at least.
    #[error("invalid repeat count: at most 1000, and the first number at most the second")]
    RepeatCount,
    /// `(?` before something that is not known; look-around is none of RE2.
    #[error("invalid or unsupported Perl syntax")]
    Perl,
    /// A group's name is not letters, digits and underscores.
    #[error("invalid named capture")]
    GroupName,
    /// Two groups of one name.
    #[error("duplicate capture group name `{0}`")]
    DuplicateGroup(String),
    /// It would take too much memory, or is nested too deep.
    #[error("the expression is too large or nested too deep: it may take {SIZE_MAX} bytes when compiled")]
    TooLarge,
}

impl Pattern {
    /// Compiles an expression in RE2's syntax.
    ///
    /// # Errors
    /// It is none, or too large.
    pub fn compile(text: &str) -> Result<Self, PatternError> {
        let whole = format!(r"\A(?:{})\z", syntax::translate(text)?);
        let build = |size: usize| {
            RegexBuilder::new(&whole).unicode(false).size_limit(size).dfa_size_limit(CACHE_MAX).build()
        };
        if let Ok(regex) = build(SMALL_MAX) {
            return Ok(Self { regex, is_small: true });
        }
        // What was translated is well-formed, so that only its size is left to refuse.
        let regex = build(SIZE_MAX).map_err(|_| PatternError::TooLarge)?;
        Ok(Self { regex, is_small: false })
    }

    /// How much longer than with a small expression matching may take.
    pub(super) fn weight(&self) -> usize {
        if self.is_small { 1 } else { SIZE_MAX / SMALL_MAX }
    }

    /// Whether the whole of a topic's name matches.
    pub fn matches(&self, name: &str) -> bool {
        self.regex.is_match(name.as_bytes())
    }
}
