//! What runs between the handlers and the pure machines.

pub mod fetch_sessions;
pub mod quorum;
