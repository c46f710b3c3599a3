//! The shell: sockets, handlers, the runtime that drives the pure machines, configuration.
//!
//! A request walks through six rooms: [`net`] (frame, bounds, order), the protocol crate (decode), one of
//! [`handlers`] (authorise, resolve, translate), a pure machine, storage, and the delayed reply.

mod broker;
pub mod config;
pub mod handlers;
pub mod heap;
pub mod http;
pub mod logging;
pub mod metrics;
pub mod net;
pub mod node;
pub mod runtime;
mod seldom;

pub use broker::{Broker, Holdings};
