//! What consumers subscribe to by pattern, and the fingerprint of topics by which a group sees that it must assign
//! anew (KIP-848, KIP-1101).
//!
//! Who may see a topic is not asked here: that is the broker's.

mod classes;
mod pattern;
mod syntax;
#[cfg(test)]
mod tests;
mod topic_hash;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metadata::Image;

pub use pattern::{Pattern, PatternError};
pub use topic_hash::{group_hash, topic_hash};

/// Names of topics by the text of the pattern that matches them.
pub type Resolved = BTreeMap<Arc<str>, BTreeSet<Arc<str>>>;

/// The topics that each pattern matches; internal topics too. One walk over the names.
pub fn resolve<'p>(patterns: impl Iterator<Item = (&'p Arc<str>, &'p Pattern)>, image: &Image) -> Resolved {
    let patterns: Vec<_> = patterns.collect();
    let mut matched = vec![BTreeSet::new(); patterns.len()];
    for topic in image.topics.iter() {
        for ((_, pattern), names) in patterns.iter().zip(&mut matched) {
            if pattern.matches(&topic.name) {
                names.insert(topic.name.clone());
            }
        }
    }
    patterns.into_iter().map(|(text, _)| text.clone()).zip(matched).collect()
}
