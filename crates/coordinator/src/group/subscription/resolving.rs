//! Which topics the patterns of a group match, found out little by little: each step takes a bounded time, however many
//! topics there are and whatever the patterns are like, so that others have their turn between two.
//!
//! Driven by the consumer group that keeps it in memory from one step to the next. Topics that come meanwhile may be
//! missed: the group sees by the metadata's end that it has to look again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use metadata::Image;
use protocol::offset::Offset;

use super::Pattern;

/// How many bytes of names a step holds against small patterns.
const NAMES_MAX: usize = 64 << 10;
/// What compiling a small pattern counts as.
const COMPILING: usize = 1 << 10;

/// Names of topics by the text of the pattern that matches them.
pub type Found = BTreeMap<Arc<str>, Arc<BTreeSet<Arc<str>>>>;

/// What has been found out so far.
#[derive(Clone, Debug)]
pub struct Resolving {
    /// The end of the metadata when it began.
    pub since: Offset,
    found: Found,
    at: Option<At>,
}

/// The pattern that is at hand.
#[derive(Clone, Debug)]
struct At {
    text: Arc<str>,
    pattern: Pattern,
    names: BTreeSet<Arc<str>>,
    /// The first name that it has not been held against.
    next: Arc<str>,
}

impl Resolving {
    /// Nothing is found out yet.
    pub fn new(image: &Image) -> Self {
        Self { since: image.end(), found: Found::new(), at: None }
    }

    /// Takes a step; ends with what was found out about all patterns. What is no pattern matches nothing.
    pub fn step<'p>(
        mut self,
        patterns: impl Iterator<Item = &'p Arc<str>>,
        image: &Image,
    ) -> ControlFlow<Found, Self> {
        let mut left = NAMES_MAX;
        for text in patterns {
            if self.found.contains_key(text) {
                continue;
            }
            // One that nobody asks about any more is dropped.
            let known = self.at.take().filter(|at| at.text == *text);
            let at = known.or_else(|| {
                let compiled = Pattern::compile(text).ok();
                let weight = compiled.as_ref().map_or(1, Pattern::weight);
                left = left.saturating_sub(COMPILING.saturating_mul(weight));
                let pattern = compiled?;
                Some(At { text: text.clone(), pattern, names: BTreeSet::new(), next: Arc::from("") })
            });
            let Some(mut at) = at else {
                self.found.insert(text.clone(), Arc::default());
                continue;
            };
            let next = at.next.clone();
            for topic in image.topics.iter_from(&next) {
                if left == 0 {
                    at.next = topic.name.clone();
                    self.at = Some(at);
                    return ControlFlow::Continue(self);
                }
                left = left.saturating_sub(topic.name.len().saturating_mul(at.pattern.weight()));
                if at.pattern.matches(&topic.name) {
                    at.names.insert(topic.name.clone());
                }
            }
            self.found.insert(at.text, Arc::new(at.names));
        }
        ControlFlow::Break(self.found)
    }
}

#[cfg(test)]
mod tests {
    use metadata::MetadataRecord;
    use protocol::id::Uuid;
    use protocol::messages::record::topic_record::TopicRecord;

    use super::*;

    fn image(names: impl Iterator<Item = String>) -> Image {
        let mut image = Image::default();
        for (number, name) in names.enumerate() {
            let topic_id = Uuid((number as u128 + 1).to_be_bytes());
            let record = MetadataRecord::Topic(TopicRecord { name: name.into(), topic_id });
            let end = image.end();
            image.replay(end, &record);
        }
        image
    }

    /// What is found, and in how many steps.
    fn resolved(patterns: &[Arc<str>], image: &Image) -> (Found, usize) {
        let (mut resolving, mut steps) = (Resolving::new(image), 1);
        loop {
            match resolving.step(patterns.iter(), image) {
                ControlFlow::Break(found) => return (found, steps),
                ControlFlow::Continue(further) => resolving = further,
            }
            steps += 1;
            assert!(steps < 10_000, "it goes no further");
        }
    }

    #[test]
    fn every_step_takes_its_share_and_none_is_left_out() {
        let names: Vec<String> =
            (0..5000).map(|number| format!("topic-of-some-length-{number:05}")).collect();
        let image = image(names.iter().cloned());
        let large = format!("{}9", r"[a-z0-9-]?".repeat(1000));
        let patterns: Vec<Arc<str>> = vec![".*[02468]".into(), "(".into(), "none".into(), (&*large).into()];
        let few = |last: &[char]| names.iter().filter(|name| name.ends_with(last)).count();
        let (found, steps) = resolved(&patterns, &image);
        let counts: Vec<usize> = patterns.iter().map(|text| found[text].len()).collect();
        assert_eq!(counts, [few(&['0', '2', '4', '6', '8']), 0, 0, few(&['9'])]);
        let bytes: usize = names.iter().map(String::len).sum();
        assert!(steps > 60 * bytes / NAMES_MAX, "{steps} steps: one of them was too long");
        let (found, steps) = resolved(&patterns[1..3], &self::image(["none".to_owned()].into_iter()));
        assert_eq!((found[&patterns[2]].len(), steps), (1, 1), "little is done at once");
    }

    #[test]
    fn patterns_may_come_and_go_between_steps() {
        let image = image((0..5000).map(|number| format!("topic-of-some-length-{number:05}")));
        let [all, none]: [Arc<str>; 2] = [".*".into(), "none".into()];
        let mut resolving = Resolving::new(&image);
        // The first is no longer asked about, and then it is again.
        for asked in [vec![&all], vec![&none]] {
            let ControlFlow::Continue(further) = resolving.step(asked.into_iter(), &image) else {
                panic!("it was done in one step");
            };
            resolving = further;
        }
        let found = loop {
            match resolving.step([&all, &none].into_iter(), &image) {
                ControlFlow::Break(found) => break found,
                ControlFlow::Continue(further) => resolving = further,
            }
        };
        assert_eq!((found[&all].len(), found[&none].len()), (5000, 0));
    }
}
