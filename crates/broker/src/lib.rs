//! The shell: sockets, handlers, the runtime that drives the pure machines, configuration.
//!
//! A request walks through six rooms: [`net`] (frame, bounds, order), the protocol crate (decode), one of
//! [`handlers`] (authorise, resolve, translate), a pure machine, storage, and the delayed reply.

pub mod config;
pub mod handlers;
pub mod metrics;
pub mod net;
pub mod runtime;

use protocol::id::NodeId;

/// What every handler works with.
#[derive(Debug)]
pub struct Broker {
    /// `node.id`.
    pub node_id: NodeId,
    /// The cluster this node was formatted for.
    pub cluster_id: Box<str>,
    /// What is counted.
    pub metrics: metrics::Metrics,
}
