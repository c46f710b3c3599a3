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
        Self { made: segments.into(), aside: None }
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
        let aside = Aside { unmade: Some(unmade), youngest_up_to: Vec::new() };
        Self { made: OnceCell::new(), aside: Some(Box::new(aside)) }
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
            None => self.all().get(index).map(Segment::base),
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

    /// Puts them back, or forgets them where there are none: segments have come or gone.
    pub fn set_youngest(&mut self, youngest_up_to: Vec<Timestamp>) {
        match &mut self.aside {
            Some(aside) => aside.youngest_up_to = youngest_up_to,
            None if youngest_up_to.is_empty() => {}
            None => self.aside = Some(Box::new(Aside { unmade: None, youngest_up_to })),
        }
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
