//! Cluster metadata: the records that say what is, the image they add up to, and the controller that decides.
//!
//! Invariant: [`Image::replay`] is the only way an image changes, at a controller as at a broker, live as at
//! start. Invariant: a decision changes nothing; it only names the records that would. Invariant: no clock, no
//! randomness, no file and no socket: time, ids and seeds come as arguments.

pub mod controller;
pub mod delta;
pub mod image;
#[cfg(test)]
mod ledger;
pub mod record;

pub use controller::{Decision, Refusal};
pub use delta::{Change, Delta};
pub use image::Image;
pub use record::MetadataRecord;
