//! What consumers subscribe to by pattern, and the fingerprint of topics by which a group sees that it must assign
//! anew (KIP-848, KIP-1101).
//!
//! Who may see a topic is not asked here: that is the broker's.

mod classes;
mod pattern;
mod resolving;
mod syntax;
#[cfg(test)]
mod tests;
mod topic_hash;

pub use pattern::{Pattern, PatternError};
pub use resolving::{Found, Resolving};
pub use topic_hash::hash_of_topics;
