//! Subscriptions by regular expression: what they match is found out beside the heartbeats and recorded, so that all
//! members with one expression read the same topics, and a new leader of the shard knows them at once.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use protocol::id::Timestamp;

use super::turn::{Turn, Update};
use super::{ConsumerGroup, SoftChange, recorded};
use crate::group::subscription::{Pattern, Resolving, hash_of_topics};
use crate::group::{GroupDecision, GroupGround, GroupId, GroupRefusal, Millis, Transition};

/// How long a step of resolving expressions is away from the next.
const STEP: Millis = Millis(1);
/// How soon after they were resolved expressions may be resolved again.
const PAUSE: Millis = Millis(10_000);

/// What an expression matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The topics.
    pub topics: BTreeSet<Arc<str>>,
    /// The last offset of the metadata that was looked at.
    pub version: i64,
    /// When.
    pub resolved_at: Timestamp,
}

/// What a member's expression has come to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RegexChange {
    /// It is what it was.
    None,
    /// It is another, and nobody knows yet what that matches.
    Unresolved,
    /// It is another, and it is known what that matches.
    Resolved,
}

impl Turn<'_> {
    /// Looks at a member's expression, and has all of them resolved where that is due.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn update_regex(&mut self, update: &Update) -> Result<RegexChange, GroupRefusal> {
        let (before, after) = (update.before.regex(), update.after.regex());
        let mut change = RegexChange::None;
        let mut is_new = false;
        if update.before.regex != update.after.regex {
            change = RegexChange::Unresolved;
            if let Some(before) = before.filter(|before| self.group.subscriptions.of_regex(before) == 1) {
                self.records.push(recorded::no_regex(&self.id, before));
            }
            match after {
                Some(regex) if self.group.subscriptions.of_regex(regex) == 0 => {
                    Pattern::compile(regex).map_err(|_| GroupRefusal::InvalidRegularExpression)?;
                    is_new = true;
                }
                Some(regex) if self.group.regexes.contains_key(regex) => change = RegexChange::Resolved,
                None if before.is_some() => change = RegexChange::Resolved,
                Some(_) | None => {}
            }
        }
        let any = is_new || self.group.subscriptions.regexes().next().is_some();
        if any && self.group.live.regexes_due.is_none() && (self.regexes_are_old() || is_new) {
            self.resolve_soon(update, is_new);
        }
        Ok(change)
    }

    /// Whether what the expressions match may have changed.
    fn regexes_are_old(&self) -> bool {
        let lacking = self.group.subscriptions.regexes().any(|regex| !self.group.regexes.contains_key(regex));
        let Some(last) = self.group.regexes.values().next() else { return lacking };
        let seen = match self.group.live.regexes_resolved {
            Some((_, end)) => end.0,
            None => last.version.saturating_add(1),
        };
        let long_ago =
            self.ground.config.consumer.regex_refresh_interval.after(last.resolved_at) < self.ground.now;
        lacking || long_ago || seen < self.ground.image.end().0
    }

    /// Has the expressions resolved, unless they were a moment ago.
    fn resolve_soon(&mut self, update: &Update, is_new: bool) {
        let recorded = self.group.regexes.values().next().map(|last| last.resolved_at);
        let looked = self.group.live.regexes_resolved.map(|(at, _)| at);
        let paused = |at: Timestamp| self.ground.now <= PAUSE.after(at);
        if recorded.is_some_and(paused) || (!is_new && looked.is_some_and(paused)) {
            return;
        }
        let leaves = update.after.regex().is_none() && self.group.subscriptions.regexes().count() <= 1;
        if leaves && update.before.regex().is_some_and(|regex| self.group.subscriptions.of_regex(regex) <= 1)
        {
            return;
        }
        self.changes.push(SoftChange::RegexesDue(self.ground.now));
    }
}

impl ConsumerGroup {
    /// Finds out what the members' expressions match, a step at a time.
    pub(super) fn resolve_regexes(&self, ground: &GroupGround<'_>, id: &GroupId) -> GroupDecision<()> {
        let mut turn = Turn::new(id.clone(), ground, Cow::Borrowed(self));
        let resolving = self.live.resolving.as_deref().cloned();
        let resolving = resolving.unwrap_or_else(|| Resolving::new(ground.image));
        let end = resolving.since;
        let mut matched = match resolving.step(self.subscriptions.regexes(), ground.image) {
            ControlFlow::Break(matched) => matched,
            ControlFlow::Continue(resolving) => {
                turn.changes.push(SoftChange::RegexesResolving(Arc::new(resolving)));
                // Others have their turn.
                let next = Transition::PutOff(id.clone(), STEP.after(ground.now));
                return turn.decision(()).transition(next);
            }
        };
        let mut differs = false;
        let mut found = Vec::new();
        for regex in self.subscriptions.regexes() {
            let topics = matched.remove(regex).map(Arc::unwrap_or_clone).unwrap_or_default();
            differs |= self.regexes.get(regex).is_none_or(|known| known.topics != topics);
            found.push((regex, Resolved { topics, version: end.0 - 1, resolved_at: ground.now }));
        }
        let refresh = ground.config.consumer.regex_refresh_interval;
        let old = |known: &Arc<Resolved>| refresh.after(known.resolved_at) < ground.now;
        if differs || self.regexes.values().any(old) {
            turn.record_resolved(&found);
        }
        turn.changes.push(SoftChange::RegexesResolved(ground.now, end));
        // They may match more than the log takes: the group goes on, and looks again after a pause, as one that has no
        // record may match something else by then.
        let looked = Transition::Consumer(id.clone(), SoftChange::RegexesResolved(ground.now, end));
        turn.decision(()).or_unwritten(looked)
    }
}

impl Turn<'_> {
    fn record_resolved(&mut self, found: &[(&Arc<str>, Resolved)]) {
        let mut after = ConsumerGroup::clone(&self.group);
        let mut reads_others = false;
        for (regex, resolved) in found {
            let known = self.group.regexes.get(*regex);
            reads_others |=
                known.map_or(!resolved.topics.is_empty(), |known| known.topics != resolved.topics);
            let record = recorded::regex(&self.id, regex, resolved);
            after.replay(&record);
            self.records.push(record);
        }
        let hash = hash_of_topics(after.subscriptions.topics(), self.ground.image);
        if reads_others || hash != self.group.metadata_hash {
            self.bump(hash);
            self.changes.push(SoftChange::MetadataSeen(self.ground.image.end()));
        }
    }
}
