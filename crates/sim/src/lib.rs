//! The workshop where things go wrong on purpose: a disk that forgets what was not synced, lives of a node's storage
//! that are cut short at any moment, and the judge of histories that clients tell.
//!
//! Stands beside the house: no product crate leans on it. Everything here follows from a seed.

pub mod dice;
pub mod disk;
pub mod history;
pub mod life;

pub use dice::Dice;
pub use disk::{Fate, SimulatedDisk, Verb};
