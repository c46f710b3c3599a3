//! The groups that a request for descriptions names. However often one is named, it is looked at and held once.

use std::borrow::Cow;
use std::collections::BTreeMap;

use coordinator::group::GroupShard;
use protocol::ErrorCode;

use super::Call;

/// What was asked for, and what was seen of it.
pub struct NamedGroups<'a, G> {
    ids: Vec<Cow<'a, str>>,
    seen: BTreeMap<Cow<'a, str>, Result<Option<G>, ErrorCode>>,
}

impl<'a, G: Send> NamedGroups<'a, G> {
    /// Has each described, but for those that are refused.
    pub async fn look(
        call: &Call,
        ids: Vec<Cow<'a, str>>,
        refuse: impl Fn(&str) -> Option<ErrorCode>,
        describe: impl Fn(&GroupShard, &str) -> Option<G> + Sync,
    ) -> Self {
        let groups = &call.broker.coordinators.groups;
        let mut seen = BTreeMap::new();
        for id in &ids {
            if seen.contains_key(id) {
                continue;
            }
            let group = match refuse(id) {
                Some(error) => Err(error),
                None => groups.read(id, |shard| describe(shard, id)).await.map_err(ErrorCode::from),
            };
            seen.insert(id.clone(), group);
        }
        Self { ids, seen }
    }

    /// How many were named.
    pub fn count(&self) -> usize {
        self.ids.len()
    }

    /// The id that stands in this place, and what was seen of its group.
    pub fn at(&self, place: usize) -> (&Cow<'a, str>, &Result<Option<G>, ErrorCode>) {
        let id = &self.ids[place];
        (id, &self.seen[id])
    }

    /// The members of the group that was named in this place.
    pub fn members<M>(&self, place: usize, of: impl Fn(&G) -> &[M]) -> &[M] {
        match self.at(place).1 {
            Ok(Some(group)) => of(group),
            Ok(None) | Err(_) => &[],
        }
    }
}

/// Why a group in which the coordinator assigns is not looked for: such groups are not served, or it has no name.
pub fn refuse_modern(are_served: bool, id: &str) -> Option<ErrorCode> {
    if !are_served {
        return Some(ErrorCode::UnsupportedVersion);
    }
    id.is_empty().then_some(ErrorCode::InvalidGroupId)
}
