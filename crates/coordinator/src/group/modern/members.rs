//! The members of a modern group, by their ids and, where they have one, by a name of their own (KIP-345): who is one, who comes
//! back, and who only says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::waits::Waited;
use super::{Epoch, MemberState};
use crate::group::{GroupRefusal, MemberId, Millis};

/// What is to be known of a member, whatever it is assigned.
pub trait ModernMember {
    /// The static member's own name.
    fn instance(&self) -> Option<&Arc<str>>;

    /// Where it is.
    fn epoch(&self) -> Epoch;

    /// Where it was before, and may believe to be still.
    fn previous_epoch(&self) -> Epoch;

    /// How far it has come.
    fn state(&self) -> MemberState;

    /// How long it may take to give up what it is to give up.
    fn rebalance_timeout(&self) -> Millis;

    /// What waiting has to know of it.
    fn waited(&self) -> Waited {
        let gives_up = self.state() == MemberState::Unrevoked;
        Waited { epoch: self.epoch(), gives_up: gives_up.then(|| self.rebalance_timeout()) }
    }

    /// Whether it has its part of the target of this epoch.
    fn is_at(&self, target: Epoch) -> bool {
        self.state() == MemberState::Stable && self.epoch() == target
    }

    /// Whether it speaks the classic protocol.
    fn is_classic(&self) -> bool {
        false
    }
}

/// The members of a group.
#[derive(Clone, PartialEq, Debug)]
pub struct Members<M> {
    by_id: BTreeMap<MemberId, Arc<M>>,
    /// Static members by their own names.
    instances: BTreeMap<Arc<str>, MemberId>,
}

/// Who it is that comes with a heartbeat.
pub enum Comes<M> {
    /// Somebody new.
    New,
    /// A member, as it is.
    Known(Arc<M>),
    /// A static member that had gone for a while, mostly under another id: it takes its old place.
    Back {
        /// The id that it had.
        known: MemberId,
        /// As it was.
        member: Arc<M>,
    },
}

impl<M> Default for Members<M> {
    fn default() -> Self {
        Self { by_id: BTreeMap::new(), instances: BTreeMap::new() }
    }
}

impl<M: ModernMember> Members<M> {
    /// The members by their ids.
    pub fn by_id(&self) -> &BTreeMap<MemberId, Arc<M>> {
        &self.by_id
    }

    /// A member by its id.
    pub fn get(&self, id: &str) -> Option<&Arc<M>> {
        self.by_id.get(id)
    }

    /// The static member of this name.
    pub fn named(&self, instance: &str) -> Option<(&MemberId, &Arc<M>)> {
        self.by_id.get_key_value(self.instances.get(instance)?)
    }

    /// The id of the static member of this name.
    pub fn id_of(&self, instance: &str) -> Option<&MemberId> {
        self.instances.get(instance)
    }

    /// A member is like this from now on. As it was before, if there was one of this id.
    pub fn put(&mut self, id: &str, member: Arc<M>) -> Option<Arc<M>> {
        let known = self.by_id.get_key_value(id).map(|(id, _)| id.clone());
        let id = known.unwrap_or_else(|| id.into());
        let before = self.by_id.insert(id.clone(), member.clone());
        if let Some(before) = &before {
            self.forget_name(&id, before);
        }
        if let Some(instance) = member.instance() {
            self.instances.insert(instance.clone(), id);
        }
        before
    }

    /// A member is none any more.
    pub fn take(&mut self, id: &str) -> Option<Arc<M>> {
        let before = self.by_id.remove(id)?;
        self.forget_name(id, &before);
        Some(before)
    }

    /// Forgets the name of a member, unless another has it by now.
    fn forget_name(&mut self, id: &str, member: &M) {
        let is_its = |name: &&Arc<str>| self.instances.get(*name).is_some_and(|of| **of == *id);
        if let Some(name) = member.instance().filter(is_its) {
            self.instances.remove(name);
        }
    }

    /// Whether a group of at most so many takes this member: those that are in it have their place.
    pub fn has_room_for(&self, member: &str, instance: Option<&str>, most: usize) -> bool {
        let is_known = instance.is_some_and(|name| self.instances.contains_key(name));
        is_known || self.by_id.len() < most || self.by_id.contains_key(member)
    }

    /// The member that says that it is this one.
    ///
    /// # Errors
    /// There is none, or its name is another's by now.
    pub fn who(&self, id: &str, instance: Option<&str>) -> Result<(&MemberId, &Arc<M>), GroupRefusal> {
        let found = match instance {
            None => self.by_id.get_key_value(id),
            Some(instance) => self.named(instance),
        };
        let (known, member) = found.ok_or(GroupRefusal::UnknownMember)?;
        if **known == *id { Ok((known, member)) } else { Err(GroupRefusal::FencedInstance) }
    }

    /// Who it is that comes with a heartbeat and says that it is at this epoch. `has_no_more` says whether what it has is
    /// within what it was given.
    ///
    /// # Errors
    /// It is none of the group, or not where it says, or another has its name.
    pub fn comes(
        &self,
        id: &str,
        instance: Option<&str>,
        said: Epoch,
        has_no_more: impl FnOnce(&M) -> bool,
    ) -> Result<Comes<M>, GroupRefusal> {
        let joins = said == Epoch::JOINING;
        if let Some(instance) = instance.filter(|_| joins) {
            return match self.named(instance) {
                None => Ok(self.get(id).cloned().map_or(Comes::New, Comes::Known)),
                Some((_, member)) if !member.is_classic() && member.epoch() != Epoch::AWAY => {
                    Err(GroupRefusal::UnreleasedInstance)
                }
                Some((known, member)) => Ok(Comes::Back { known: known.clone(), member: member.clone() }),
            };
        }
        match self.who(id, instance) {
            Ok((_, member)) => {
                check_epoch(&**member, said, has_no_more)?;
                Ok(Comes::Known(member.clone()))
            }
            Err(GroupRefusal::UnknownMember) if joins => Ok(Comes::New),
            Err(refusal) => Err(refusal),
        }
    }
}

/// Whether a member is where it says. One step behind is excused, if it can only have missed the answer.
fn check_epoch<M: ModernMember>(
    member: &M,
    said: Epoch,
    has_no_more: impl FnOnce(&M) -> bool,
) -> Result<(), GroupRefusal> {
    let known = member.epoch();
    if said == Epoch::JOINING || said == known {
        return Ok(());
    }
    let missed_answer = said < known && said == member.previous_epoch() && has_no_more(member);
    if missed_answer { Ok(()) } else { Err(GroupRefusal::FencedMemberEpoch { said, known }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(Arc<str>);

    impl ModernMember for Named {
        fn instance(&self) -> Option<&Arc<str>> {
            Some(&self.0)
        }

        fn epoch(&self) -> Epoch {
            Epoch(5)
        }

        fn previous_epoch(&self) -> Epoch {
            Epoch(4)
        }

        fn state(&self) -> MemberState {
            MemberState::Stable
        }

        fn rebalance_timeout(&self) -> Millis {
            Millis(0)
        }
    }

    fn named(name: &str) -> Arc<Named> {
        Arc::new(Named(name.into()))
    }

    #[test]
    fn a_name_is_that_of_who_took_it_last() {
        let mut members = Members::default();
        members.put("a", named("x"));
        members.put("b", named("x"));
        members.take("a");
        assert_eq!(members.id_of("x"), Some(&"b".into()), "it is not forgotten with who had it before");
        members.put("b", named("y"));
        assert_eq!((members.id_of("x"), members.id_of("y")), (None, Some(&"b".into())));
        members.take("b");
        assert_eq!(members.id_of("y"), None);
    }

    #[test]
    fn one_step_behind_is_excused_to_who_has_no_more() {
        let mut members = Members::default();
        members.put("a", named("x"));
        let comes = |said, has_no_more| members.comes("a", None, Epoch(said), |_| has_no_more).err();
        let fenced = |said| Some(GroupRefusal::FencedMemberEpoch { said: Epoch(said), known: Epoch(5) });
        for (said, has_no_more, refused) in [
            (5, false, None),
            (4, true, None),
            (4, false, fenced(4)),
            (3, true, fenced(3)),
            (6, true, fenced(6)),
        ] {
            assert_eq!(comes(said, has_no_more), refused, "{said}");
        }
    }
}
