//! A request on its way through its handler: what its header says, who asks, and how it is read and answered. What it asks for is
//! the handlers' business.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::ApiKey;
use protocol::messages::header::{ResponseHeader, response_header_version};
use protocol::messages::{InPieces, Message, Request};

use crate::Broker;
use crate::net::{Close, Outbound, Outlet, Peer, Step};
use crate::runtime::request_memory::{Claim, Drawn};

/// What a request's header says.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The API.
    pub api: ApiKey,
    /// The version of request and answer; the table has it.
    pub version: i16,
    /// What the client tells answers apart by.
    pub correlation_id: i32,
    /// When the frame was whole.
    pub at: Instant,
}

/// A request on its way through a handler that may wait.
#[derive(Debug, Clone)]
pub struct Call {
    /// The broker that serves it.
    pub broker: Arc<Broker>,
    /// Who asks.
    pub peer: Arc<Peer>,
    /// What is asked.
    pub asked: Asked,
    /// What the client calls itself.
    pub client_id: Arc<str>,
    /// Where the pieces of a long answer go.
    pub(super) outlet: Arc<Outlet>,
}

/// An answer is made and sent in pieces of about so many bytes.
const PIECE_BYTES: usize = 64 << 10;

/// What an element of a request may take in memory while it is decided and answered, all in all. Measured by
/// `tests/memory_of_requests.rs`.
fn element_bytes(api: ApiKey) -> usize {
    match api {
        ApiKey::Metadata => 100,
        ApiKey::CreateTopics
        | ApiKey::CreatePartitions
        | ApiKey::AlterConfigs
        | ApiKey::IncrementalAlterConfigs
        | ApiKey::ElectLeaders
        | ApiKey::AlterPartitionReassignments => 1000,
        _ => 256,
    }
}

/// What is served at once has no more bytes and elements: it would draw nothing from the memory that all requests share.
const AT_ONCE_BYTES: usize = 4 << 10;
const AT_ONCE_ELEMENTS: usize = 32;

impl Asked {
    /// Reads the body. As in Kafka, bytes after its end are passed over.
    pub fn decode<'a, R: Request<'a>>(&self, body: &'a [u8]) -> Result<R, Close> {
        self.decode_counted(body).map(|(request, _)| request)
    }

    /// Reads the body, and says how many elements its arrays have.
    pub(super) fn decode_counted<'a, R: Request<'a>>(&self, body: &'a [u8]) -> Result<(R, usize), Close> {
        match R::decode_counted(body, self.version) {
            Ok((request, reader)) => Ok((request, reader.elements())),
            Err(error) => Err(self.unreadable(&error)),
        }
    }

    /// Reads a body that is small enough to be served at once, if it can be read.
    pub(super) fn decode_small<'a, R: Request<'a>>(&self, body: &'a [u8]) -> Option<R> {
        if body.len() > AT_ONCE_BYTES {
            return None;
        }
        let (request, elements) = self.decode_counted(body).ok()?;
        (elements <= AT_ONCE_ELEMENTS).then_some(request)
    }

    /// The end of a connection over a body that cannot be served.
    fn unreadable(&self, reason: &dyn std::fmt::Display) -> Close {
        Close::Body { api: self.api.name(), version: self.version, reason: reason.to_string() }
    }

    /// The end of a connection over an answer that has no bytes.
    pub(super) fn unwritable(&self, reason: &dyn std::fmt::Display) -> Close {
        Close::Answer { api: self.api.name(), version: self.version, reason: reason.to_string() }
    }

    /// What a request must draw from the memory that all share.
    pub(super) fn claim(&self, broker: &Broker, received: usize, elements: usize) -> Result<Claim, Close> {
        let claim = broker.request_memory.claim(received, elements, element_bytes(self.api));
        claim.map_err(|error| self.unreadable(&error))
    }

    /// Appends the response with its header.
    pub fn answer<'r, M: Message<'r>>(&self, response: &M, out: &mut Outbound) -> Result<(), Close> {
        self.answer_in(response, self.version, out)
    }

    /// Appends the response, encoded in another version than was asked for.
    pub(super) fn answer_in<'r, M: Message<'r>>(
        &self,
        response: &M,
        version: i16,
        out: &mut Outbound,
    ) -> Result<(), Close> {
        let begun = out.begin();
        let header = ResponseHeader { correlation_id: self.correlation_id };
        let written = header
            .encode(response_header_version(self.api, version), out.bytes())
            .and_then(|()| response.encode(version, out.bytes()));
        match written {
            Ok(()) => out.end(begun).map_err(|error| self.unwritable(&error)),
            Err(error) => {
                out.abandon(begun);
                Err(self.unwritable(&error))
            }
        }
    }

    /// The step after an answer was written on the spot; counts the request.
    pub fn step(&self, answered: Result<(), Close>, broker: &Broker) -> Step {
        self.step_after(self.at.elapsed(), answered, broker)
    }

    /// As [`Self::step`], for the group coordinator, which counts what a shard of it answers on the spot.
    pub(super) fn step_of_group(
        &self,
        answered: Result<(), Close>,
        is_of_shard: bool,
        broker: &Broker,
    ) -> Step {
        let took = self.at.elapsed();
        if is_of_shard {
            broker.coordinators.groups.figures().answered_at_once(took);
        }
        self.step_after(took, answered, broker)
    }

    fn step_after(&self, took: Duration, answered: Result<(), Close>, broker: &Broker) -> Step {
        broker.metrics.requests.note(self.api as i16, took);
        match answered {
            Ok(()) => Step::Done,
            Err(close) => Step::Close(close),
        }
    }
}

impl Call {
    /// Where the client connects from, as Kafka writes it into groups.
    pub fn client_host(&self) -> Arc<str> {
        host_of(&self.peer).clone()
    }

    /// Reads the body, and draws the memory that the request may take beyond a small multiple of its bytes.
    pub(super) async fn request<'a, R: Request<'a>>(&self, body: &'a [u8]) -> Result<(R, Drawn), Close> {
        let (request, elements) = self.asked.decode_counted(body)?;
        let claim = self.asked.claim(&self.broker, body.len(), elements)?;
        Ok((request, self.broker.request_memory.draw(claim).await))
    }

    /// The response with its header, ready to be sent; counts the request. Of a long one this is the last piece: the
    /// others have left before. What was drawn for the request is held until all has left.
    pub(super) async fn answer<'r, M: Message<'r> + Sync + 'r>(
        &self,
        response: &InPieces<'r, M>,
        drawn: Drawn,
    ) -> Result<Outbound, Close> {
        let mut out = Outbound::default();
        let written = self.pieces(response, &mut out).await;
        self.broker.metrics.requests.note(self.asked.api as i16, self.asked.at.elapsed());
        drawn.into_iter().for_each(|drawn| out.hold(drawn));
        written.map(|()| out)
    }

    /// Puts all pieces but the last into the outlet, and the last into `out`.
    async fn pieces<'r, M: Message<'r> + Sync + 'r>(
        &self,
        response: &InPieces<'r, M>,
        out: &mut Outbound,
    ) -> Result<(), Close> {
        let Asked { api, version, correlation_id, .. } = self.asked;
        let refused = |error| self.asked.unwritable(&error);
        let piece = |from, out: &mut Vec<u8>| {
            response.encode_piece(version, (from, PIECE_BYTES), out).map_err(refused)
        };
        let begun = out.begin();
        let header = ResponseHeader { correlation_id };
        header.encode(response_header_version(api, version), out.bytes()).map_err(refused)?;
        let mut next = piece(0, out.bytes())?;
        let Some(second) = next else {
            return out.end(begun).map_err(|error| self.asked.unwritable(&error));
        };
        // The length stands before all of it, so that the rest is written once to be measured and once to be sent.
        let mut rest = Measured { from: Some(second), bytes: 0 };
        let mut scratch = Vec::new();
        while let Some(from) = rest.from {
            scratch.clear();
            rest = Measured { from: piece(from, &mut scratch)?, bytes: rest.bytes + scratch.len() as u64 };
            tokio::task::yield_now().await;
        }
        drop(scratch);
        out.end_of(begun, rest.bytes).map_err(|error| self.asked.unwritable(&error))?;
        while let Some(from) = next {
            self.outlet.put(std::mem::take(out)).await;
            next = piece(from, out.bytes())?;
            rest.bytes = rest.bytes.checked_sub(out.bytes().len() as u64).ok_or_else(|| self.changed())?;
        }
        if rest.bytes == 0 { Ok(()) } else { Err(self.changed()) }
    }

    fn changed(&self) -> Close {
        self.asked.unwritable(&"what it tells of has changed while it was sent")
    }
}

/// Where a client connects from, as Kafka writes it into groups: a slash, and the address in Java's form.
pub(super) fn host_of(peer: &Peer) -> &Arc<str> {
    peer.host(|address| match address {
        IpAddr::V4(address) => format!("/{address}").into(),
        IpAddr::V6(address) => {
            let parts = address.segments().map(|part| format!("{part:x}"));
            format!("/{}", parts.join(":")).into()
        }
    })
}

/// A message that is measured: where to go on, and its bytes so far.
struct Measured {
    from: Option<usize>,
    bytes: u64,
}
