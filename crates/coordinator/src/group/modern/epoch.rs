//! The numbers by which a modern group, its target assignment and its members say where they are.

/// An epoch of a modern group. Group, target assignment and members count with the same numbers: a member at the epoch of the
/// target has its part.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Epoch(pub i32);

impl Epoch {
    /// That of who joins.
    pub const JOINING: Self = Self(0);
    /// That of who leaves, and of a group or partition that has none.
    pub const NONE: Self = Self(-1);
    /// That of a static member that has gone for a while.
    pub const AWAY: Self = Self(-2);
    /// That of a group nothing is known of yet, and of its target.
    pub const FIRST: Self = Self(1);

    /// The next one. An epoch that cannot grow stays where it is; it would take a change a second for 68 years.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}
