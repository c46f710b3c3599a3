//! The hook by which this broker follows the image.

use std::sync::Arc;

use metadata::{Delta, Image};

/// Applies a new image to this broker: makes and removes logs, takes new configurations.
///
/// Called on the quorum's own thread, in order, before whoever asked for the change is answered; it may write to
/// disks, and must not wait for the quorum. What fails within is for the implementation to log and to show: the
/// change is committed and cannot be taken back.
pub trait Apply: Send + 'static {
    /// Takes `image` in; `delta` says what is different from the one before, [`Delta::whole`] for the first.
    fn apply(&mut self, image: &Arc<Image>, delta: &Delta);
}

impl<F: FnMut(&Arc<Image>, &Delta) + Send + 'static> Apply for F {
    fn apply(&mut self, image: &Arc<Image>, delta: &Delta) {
        self(image, delta);
    }
}
