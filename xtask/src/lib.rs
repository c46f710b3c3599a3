//! The checks of the house, as functions that return what is wrong.
//!
//! `cargo run -p headwater-xtask` prints all problems; the tests of this crate fail on any. Every problem names
//! the place, the rule and what to do instead. Nothing here changes a file.

pub mod floors;
pub mod house;
pub mod tidy;

use std::fmt;

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File (and line) or crate.
    pub place: String,
    /// What is wrong, and what to do instead.
    pub what: String,
}

impl Problem {
    /// A problem at a place.
    pub fn new(place: impl Into<String>, what: impl Into<String>) -> Problem {
        Problem { place: place.into(), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// All problems of the workspace that this crate stands in.
///
/// # Errors
/// When the workspace cannot be read.
pub fn all_problems() -> anyhow::Result<Vec<Problem>> {
    let house = house::House::read()?;
    let mut problems = floors::check(&floors::arrows()?);
    problems.extend(tidy::check(&house));
    Ok(problems)
}
