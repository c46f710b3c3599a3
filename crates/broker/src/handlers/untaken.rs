//! The line that says why what members of groups say could not be taken: their clients ask again and again, and show nobody
//! more than a code.

use std::time::Instant;

use coordinator::group::GroupRefusal;

use super::sentence::sentence;
use crate::runtime::coordinators::CoordinatorError;
use crate::seldom::Seldom;

static UNTAKEN: Seldom = Seldom::new();

/// Says so of a member of this group, where it is the broker's own error that it is not taken and not the member's.
pub fn tell(group: &str, error: &CoordinatorError<GroupRefusal>) {
    if let CoordinatorError::TooLarge(_) | CoordinatorError::NotAvailable(_) = error
        && let Some(unsaid) = UNTAKEN.due(Instant::now())
    {
        let group = sentence(group.to_owned());
        tracing::warn!(%group, %error, unsaid, "what a member of a group says was not taken");
    }
}
