//! Log directories over their whole life.
