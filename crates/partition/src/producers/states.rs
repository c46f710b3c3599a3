//! The states of a log's producers by their ids. Most of very many logs have one producer, or none, and are to have room
//! for no more; some have very many.

use std::collections::BTreeMap;

use protocol::id::ProducerId;

use super::ProducerState;

/// States by producer id, in the order of the ids.
#[derive(Clone, Debug)]
pub(super) enum States {
    One(ProducerId, Box<ProducerState>),
    /// None at all, or any number. Each apart, for a node of the map has room for eleven.
    #[expect(clippy::box_collection, reason = "it is not to be wider than the one producer")]
    Any(Option<Box<BTreeMap<ProducerId, Box<ProducerState>>>>),
}

impl Default for States {
    fn default() -> Self {
        Self::Any(None)
    }
}

impl States {
    pub(super) fn get(&self, producer_id: ProducerId) -> Option<&ProducerState> {
        match self {
            Self::One(known, state) => (*known == producer_id).then_some(&**state),
            Self::Any(states) => states.as_ref()?.get(&producer_id).map(|state| &**state),
        }
    }

    /// The state of a producer, which is made if it is not known yet.
    pub(super) fn of(&mut self, producer_id: ProducerId) -> &mut ProducerState {
        *self = match std::mem::take(self) {
            Self::Any(None) => Self::One(producer_id, Box::default()),
            Self::One(known, state) if known != producer_id => {
                Self::Any(Some(Box::new([(known, state)].into())))
            }
            known => known,
        };
        match self {
            Self::One(_, state) => state,
            Self::Any(states) => states.get_or_insert_default().entry(producer_id).or_default(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ProducerId, &ProducerState)> {
        let (one, many) = match self {
            Self::One(producer_id, state) => (Some((*producer_id, &**state)), None),
            Self::Any(states) => (None, states.as_ref()),
        };
        let many = many.into_iter().flat_map(|states| states.iter());
        one.into_iter().chain(many.map(|(id, state)| (*id, &**state)))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(..) => 1,
            Self::Any(states) => states.as_ref().map_or(0, |states| states.len()),
        }
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&ProducerState) -> bool) {
        *self = match std::mem::take(self) {
            Self::One(_, state) if !keep(&state) => Self::default(),
            Self::Any(Some(mut states)) => {
                states.retain(|_, state| keep(state));
                match states.len() {
                    0 | 1 => states.pop_first().map_or(Self::default(), |(id, state)| Self::One(id, state)),
                    _ => Self::Any(Some(states)),
                }
            }
            kept => kept,
        };
    }
}

impl PartialEq for States {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for States {}

#[cfg(test)]
mod tests {
    use protocol::id::Timestamp;

    use super::*;

    #[test]
    fn states_are_found_however_many_there_are_and_were() {
        for count in 0..5 {
            let mut states = States::default();
            for id in (0..count).rev() {
                states.of(ProducerId(id)).last_timestamp = Timestamp(id);
            }
            let listed: Vec<_> = states.iter().map(|(id, state)| (id.0, state.last_timestamp.0)).collect();
            assert_eq!(listed, (0..count).map(|id| (id, id)).collect::<Vec<_>>());
            assert!((0..count).all(|id| states.get(ProducerId(id)).is_some()));
            assert!(states.get(ProducerId(count)).is_none());
            for kept in (0..=count).rev() {
                states.retain(|state| state.last_timestamp < Timestamp(kept));
                let ids: Vec<_> = states.iter().map(|(id, _)| id.0).collect();
                assert_eq!((ids, states.len()), ((0..kept).collect(), kept as usize));
            }
        }
    }

    #[test]
    fn a_log_has_room_for_one_and_no_more() {
        assert_eq!(size_of::<States>(), 16);
    }
}
