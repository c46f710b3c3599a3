//! The shell: sockets, handlers, the runtime that drives the pure machines, configuration.
//!
//! A request walks through six rooms: [`net`] (frame, bounds, order), the protocol crate (decode), a handler
//! (authorise, resolve, translate), a pure machine, storage, and the delayed reply.

pub mod net;
