//! Entries by a hash each, in the order of the hashes, such that who looks for one goes to one place in memory.
//!
//! Hashes are spread evenly, so that where one would stand among all of them is known beforehand: an entry stands there or a few
//! places behind. One that finds no place near by is refused, and is for whoever drives the table to keep elsewhere; it takes
//! hashes made up for it.

/// An entry stands at most so many places behind where it would; four lines of a cache.
const REACH: usize = 16;
/// At most so many entries make room for one.
const SHIFTED_MAX: usize = 64;
/// The first table has two to the power of this many places.
const BITS_MIN: u32 = 3;

/// An entry and its hash.
type Slot<T> = Option<(u64, Box<T>)>;

/// The entries.
#[derive(Clone, Debug)]
pub(super) struct Table<T> {
    /// Some are empty; the others are in order. As many as the places where hashes would stand, and what the last reach.
    slots: Vec<Slot<T>>,
    /// So many bits of a hash say where it would stand.
    bits: u32,
    len: usize,
    /// With fewer entries they may find their places in half as many. Where they have not, because some were made up to stand
    /// close, this is halved, so that the next to go do not all try again.
    shrinks_below: usize,
}

impl<T> Default for Table<T> {
    /// Without entries, and without memory.
    fn default() -> Self {
        Self { slots: Vec::new(), bits: BITS_MIN, len: 0, shrinks_below: 0 }
    }
}

impl<T> Table<T> {
    /// Where a hash would stand.
    fn home(&self, hash: u64) -> usize {
        (hash >> (u64::BITS - self.bits)) as usize
    }

    /// Where it stands.
    fn place(&self, hash: u64) -> Option<usize> {
        let home = self.home(hash);
        let near = self.slots.get(home..home + REACH)?;
        let place = near.iter().position(|slot| slot.as_ref().is_some_and(|(known, _)| *known >= hash))?;
        near[place].as_ref().filter(|(known, _)| *known == hash).map(|_| home + place)
    }

    /// The entry of a hash.
    pub(super) fn get(&self, hash: u64) -> Option<&T> {
        self.slots[self.place(hash)?].as_ref().map(|(_, entry)| &**entry)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, hash: u64) -> Option<&mut T> {
        let place = self.place(hash)?;
        self.slots[place].as_mut().map(|(_, entry)| &mut **entry)
    }

    /// A hash that no entry has gets one; given back where there is no place for it.
    pub(super) fn insert(&mut self, hash: u64, entry: Box<T>) -> Result<(), Box<T>> {
        if self.slots.is_empty() {
            self.resize(self.bits);
        } else if self.len >= (1 << self.bits) / 4 * 3 {
            self.resize(self.bits + 1);
        }
        let mut place = self.make_room(hash);
        // Half full it is by chance that there is none, and with as many places again there will be one.
        if place.is_none() && self.len >= (1 << self.bits) / 2 {
            self.resize(self.bits + 1);
            place = self.make_room(hash);
        }
        let Some(place) = place else { return Err(entry) };
        self.slots[place] = Some((hash, entry));
        self.len += 1;
        Ok(())
    }

    /// An empty slot behind all that are smaller, and before all that are larger.
    fn make_room(&mut self, hash: u64) -> Option<usize> {
        let home = self.home(hash);
        let is_smaller = |slot: &Slot<T>| slot.as_ref().is_some_and(|(known, _)| *known < hash);
        let place = self.slots[home..home + REACH].iter().rposition(is_smaller);
        let place = place.map_or(home, |smaller| home + smaller + 1);
        let shifted = self.slots[place..].iter().take(SHIFTED_MAX).position(Option::is_none)?;
        let is_near = |hash: u64, place: usize| place < self.home(hash) + REACH;
        let mut shifts = self.slots[place..place + shifted].iter().flatten().zip(place + 1..);
        if !is_near(hash, place) || !shifts.all(|((hash, _), to)| is_near(*hash, to)) {
            return None;
        }
        self.slots[place..=place + shifted].rotate_right(1);
        Some(place)
    }

    /// Has them stand in two to the power of so many places, if each finds one. Says whether they do.
    fn resize(&mut self, bits: u32) -> bool {
        let shrinks_below = if bits > BITS_MIN { (1 << bits) / 8 } else { 0 };
        let mut resized = Self { slots: Vec::new(), bits, len: self.len, shrinks_below };
        let mut places = Vec::with_capacity(self.len);
        for (hash, _) in self.slots.iter().flatten() {
            let home = resized.home(*hash);
            let place = places.last().map_or(home, |last| home.max(last + 1));
            if place >= home + REACH {
                return false;
            }
            places.push(place);
        }
        resized.slots.resize_with((1 << bits) + REACH, || None);
        for (entry, place) in self.slots.iter_mut().filter_map(Option::take).zip(places) {
            resized.slots[place] = Some(entry);
        }
        *self = resized;
        true
    }

    /// A hash has no entry any more.
    pub(super) fn remove(&mut self, hash: u64) -> Option<Box<T>> {
        let place = self.place(hash)?;
        let (_, entry) = self.slots[place].take()?;
        self.len -= 1;
        if self.len < self.shrinks_below && !self.resize(self.bits - 1) {
            self.shrinks_below /= 2;
        }
        Some(entry)
    }

    /// All entries, in the order of their hashes.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten().map(|(_, entry)| &**entry)
    }

    /// The same from this hash on.
    pub(super) fn iter_from(&self, hash: u64) -> impl Iterator<Item = &T> {
        let near = self.slots.get(self.home(hash)..).unwrap_or_default();
        near.iter().flatten().skip_while(move |(known, _)| *known < hash).map(|(_, entry)| &**entry)
    }

    /// All entries, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().flatten().map(|(_, entry)| &mut **entry)
    }
}

#[cfg(test)]
mod tests;
