//! The segments of a log in order. Of very many that a clean end has told of, those before the active one are made when one
//! of them is first asked for: a start, an append and the tail need none of them.

use std::cell::{Cell, OnceCell};
use std::path::Path;
use std::sync::Arc;

use protocol::id::Timestamp;
use protocol::offset::Offset;

use crate::descriptors::Descriptors;
use crate::disk::Disk;
use crate::older_segments::OlderSegments;
use crate::segment::Segment;

use super::ascending::count_up_to;

/// Of fewer segments the bases are not kept apart: a search looks at few.
const MANY: usize = 32;

/// The segments; there is always one.
pub struct SegmentList<D: Disk> {
    /// Ascending by base; the last one is active. Not there while `unmade` is.
    made: OnceCell<Vec<Segment<D>>>,
    /// What most of very many logs have nothing of.
    aside: Option<Box<Aside<D>>>,
}

struct Aside<D: Disk> {
    unmade: Option<Unmade<D>>,
    /// Of each segment but the active one the largest timestamp up to its end, as far as anybody has asked.
    youngest_up_to: Vec<Timestamp>,
    /// The bases of the oldest ones, as many as were there when somebody last asked: beside one another they are found sooner
    /// than in the segments.
    bases: Cell<Vec<Offset>>,
}

impl<D: Disk> Aside<D> {
    fn new(unmade: Option<Unmade<D>>) -> Box<Self> {
        Box::new(Self { unmade, youngest_up_to: Vec::new(), bases: Cell::default() })
    }

    fn with_bases<T>(&self, act: impl FnOnce(&mut Vec<Offset>) -> T) -> T {
        let mut bases = self.bases.take();
        let outcome = act(&mut bases);
        self.bases.set(bases);
        outcome
    }
}

/// An active segment, and what is known of those before it.
struct Unmade<D: Disk> {
    older: OlderSegments,
    descriptors: Descriptors<D>,
    directory: Arc<Path>,
    base: Offset,
    /// Taken when the others are made.
    active: Cell<Option<Segment<D>>>,
}

impl<D: Disk> SegmentList<D> {
    /// These segments.
    pub fn new(segments: Vec<Segment<D>>) -> Self {
        let aside = (segments.len() >= MANY).then(|| Aside::new(None));
        Self { made: segments.into(), aside }
    }

    /// An active segment behind others that were told of.
    pub fn behind(
        older: OlderSegments,
        mut active: Segment<D>,
        (descriptors, directory): (Descriptors<D>, Arc<Path>),
    ) -> Self {
        active.set_start(older.bytes());
        let (base, active) = (active.base(), Cell::new(Some(active)));
        let unmade = Unmade { older, descriptors, directory, base, active };
        Self { made: OnceCell::new(), aside: Some(Aside::new(Some(unmade))) }
    }

    /// All of them.
    pub fn all(&self) -> &Vec<Segment<D>> {
        let unmade = || self.aside.as_ref()?.unmade.as_ref();
        self.made.get_or_init(|| unmade().map_or_else(Vec::new, Unmade::make))
    }

    /// All of them.
    pub fn all_mut(&mut self) -> &mut Vec<Segment<D>> {
        self.all();
        if let Some(aside) = &mut self.aside {
            aside.unmade = None;
        }
        self.made.get_mut().expect("they were just made")
    }

    /// The active one.
    pub fn active(&mut self) -> &mut Segment<D> {
        let active = match self.waiting() {
            true => {
                let unmade = self.aside.as_mut().and_then(|aside| aside.unmade.as_mut());
                unmade.and_then(|unmade| unmade.active.get_mut().as_mut())
            }
            false => self.made.get_mut().and_then(|made| made.last_mut()),
        };
        active.expect("there is always a segment")
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.unmade().map_or_else(|| self.all().len(), |unmade| unmade.older.count() + 1)
    }

    /// The base of the first one.
    pub fn first_base(&self) -> Offset {
        self.unmade().map_or_else(|| self.all()[0].base(), |unmade| unmade.older.first_base())
    }

    /// The base of the active one, if there is any.
    pub fn last_base(&self) -> Option<Offset> {
        match self.unmade() {
            Some(unmade) => Some(unmade.base),
            None => self.all().last().map(Segment::base),
        }
    }

    /// The one at this place.
    pub fn at(&mut self, index: usize) -> &mut Segment<D> {
        if index + 1 == self.count() { self.active() } else { &mut self.all_mut()[index] }
    }

    /// The place from which on segments may have been written to: what a clean end has told of was ended by it.
    pub fn first_unfinished(&self) -> usize {
        if self.unmade().is_some() { self.count() - 1 } else { 0 }
    }

    /// Those from this place on.
    pub fn rest(&mut self, index: usize) -> &mut [Segment<D>] {
        match index + 1 == self.count() {
            true => std::slice::from_mut(self.active()),
            false => &mut self.all_mut()[index..],
        }
    }

    /// The base of the one at this place, if there is one.
    pub fn base_at(&self, index: usize) -> Option<Offset> {
        match self.unmade() {
            Some(unmade) if index == unmade.older.count() => Some(unmade.base),
            Some(unmade) => unmade.older.base_at(index),
            None => {
                let apart =
                    self.aside.as_ref().and_then(|aside| aside.with_bases(|it| it.get(index).copied()));
                apart.or_else(|| self.all().get(index).map(Segment::base))
            }
        }
    }

    fn waiting(&self) -> bool {
        self.made.get().is_none()
    }

    fn unmade(&self) -> Option<&Unmade<D>> {
        self.aside.as_ref()?.unmade.as_ref().filter(|_| self.waiting())
    }

    /// Takes out the largest timestamps up to the ends of segments, as far as they are known.
    pub fn take_youngest(&mut self) -> Vec<Timestamp> {
        self.aside.as_mut().map_or_else(Vec::new, |aside| std::mem::take(&mut aside.youngest_up_to))
    }

    /// Puts them back.
    pub fn set_youngest(&mut self, youngest_up_to: Vec<Timestamp>) {
        if !youngest_up_to.is_empty() {
            self.aside.get_or_insert_with(|| Aside::new(None)).youngest_up_to = youngest_up_to;
        }
    }

    /// Forgets what was known of them together: segments other than the last one come or go.
    pub fn changed(&mut self) {
        if let Some(aside) = &mut self.aside {
            aside.youngest_up_to = Vec::new();
            aside.bases.take();
        }
    }

    /// Adds one behind the active one, in the place of which it is active from now on.
    pub fn push(&mut self, segment: Segment<D>) {
        self.all_mut().push(segment);
        if self.count() >= MANY && self.aside.is_none() {
            self.aside = Some(Aside::new(None));
        }
    }

    /// The place of the last one with this base or an earlier one; of the first one if there is none.
    pub fn last_at_or_before(&self, offset: Offset) -> usize {
        let made = self.all();
        let count = match self.aside.as_ref().filter(|_| made.len() >= MANY) {
            Some(aside) => aside.with_bases(|bases| {
                let new = made.get(bases.len()..).unwrap_or_default();
                bases.extend(new.iter().map(Segment::base));
                count_up_to(bases.len(), |place| bases[place].0, offset.0)
            }),
            None => count_up_to(made.len(), |place| made[place].base().0, offset.0),
        };
        count.saturating_sub(1)
    }
}

impl<D: Disk> Unmade<D> {
    fn make(&self) -> Vec<Segment<D>> {
        let mut made = Vec::with_capacity(self.older.count() + 1);
        let mut start = 0;
        made.extend(self.older.iter().map(|(base, facts)| {
            let mut segment = Segment::open(&self.descriptors, &self.directory, base, facts);
            segment.set_start(start);
            start += u64::from(segment.size());
            segment
        }));
        made.extend(self.active.take());
        made
    }
}
