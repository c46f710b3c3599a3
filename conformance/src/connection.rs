//! A connection to a broker that asks one request at a time.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use protocol::api_key::ApiKey;
use serde_json::Value;

use crate::by_schema::{decode, encode};

/// How long a broker may take for an answer on a slow machine.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Why an error is one of the socket: there is no broker, or it went away before it had answered. What came of the request
/// nobody knows, and whoever outlives a broker asks again. Every other error is of what was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone;

impl Gone {
    /// Whether an error is of the socket.
    pub fn is(error: &anyhow::Error) -> bool {
        error.is::<Self>()
    }
}

impl std::fmt::Display for Gone {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the broker has gone away")
    }
}

impl std::error::Error for Gone {}

/// One open connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    correlation: i32,
}

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A response.
    Response(Value),
    /// The broker closed the connection instead.
    Closed,
    /// Nothing, as after a Produce with acks=0: the next request was answered instead.
    Silence,
}

impl Connection {
    /// Connects; an answer may take [`ANSWER_WITHIN`].
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).context(Gone);
        let stream = stream.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true).context(Gone)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN)).context(Gone)?;
        Ok(Self { stream, correlation: 0 })
    }

    /// Sends a request and waits for what comes back.
    pub fn ask(&mut self, api: ApiKey, version: i16, request: &Value) -> Result<Answer> {
        let body = encode(api.request(), version, request)?;
        self.ask_bytes(api, version, &body)
    }

    /// Sends a request whose body is already bytes.
    pub fn ask_bytes(&mut self, api: ApiKey, version: i16, body: &[u8]) -> Result<Answer> {
        let sent = self.send(api, version, body)?;
        match self.receive()? {
            None => Ok(Answer::Closed),
            Some(frame) => response(api, version, sent, &frame).map(Answer::Response),
        }
    }

    /// Sends a request that has no answer, and then one that has: what comes must answer the second.
    pub fn tell(&mut self, api: ApiKey, version: i16, request: &Value) -> Result<Answer> {
        self.send(api, version, &encode(api.request(), version, request)?)?;
        let probe = self.send(ApiKey::ApiVersions, 0, &[])?;
        match self.receive()? {
            None => Ok(Answer::Closed),
            Some(frame) => response(ApiKey::ApiVersions, 0, probe, &frame).map(|_| Answer::Silence),
        }
    }

    /// Sends a request and returns its number.
    pub fn send(&mut self, api: ApiKey, version: i16, body: &[u8]) -> Result<i32> {
        self.correlation += 1;
        let mut frame = vec![0; 4];
        frame.extend((api as i16).to_be_bytes());
        frame.extend(version.to_be_bytes());
        frame.extend(self.correlation.to_be_bytes());
        frame.extend(11i16.to_be_bytes());
        frame.extend(b"conformance");
        if api.request().flexible.contains(version) {
            frame.push(0);
        }
        frame.extend(body);
        let length = i32::try_from(frame.len() - 4)?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        match self.stream.write_all(&frame) {
            // A broker that has closed already is seen when the answer is waited for.
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {}
            other => other.context(Gone)?,
        }
        Ok(self.correlation)
    }

    /// The next frame, or `None` if the broker closed the connection.
    pub fn receive(&mut self) -> Result<Option<Vec<u8>>> {
        let mut length = [0; 4];
        if !self.fill(&mut length)? {
            return Ok(None);
        }
        let length = i32::from_be_bytes(length);
        ensure!((0..1 << 30).contains(&length), "a frame of {length} bytes");
        let mut frame = vec![0; usize::try_from(length)?];
        Ok(self.fill(&mut frame)?.then_some(frame))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<bool> {
        match self.stream.read_exact(bytes) {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                Ok(false)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                bail!("no answer within {ANSWER_WITHIN:?}")
            }
            Err(error) => Err(error).context(Gone),
        }
    }
}

/// Reads the response to request number `sent` out of a frame.
pub fn response(api: ApiKey, version: i16, sent: i32, frame: &[u8]) -> Result<Value> {
    let (correlation, mut body) = frame.split_first_chunk().context("a frame without a header")?;
    let got = i32::from_be_bytes(*correlation);
    ensure!(got == sent, "request {sent} was asked and {got} answered");
    // ApiVersions has no tagged fields in its header in any version, so that a client can read it before it knows.
    if api != ApiKey::ApiVersions && api.response().flexible.contains(version) {
        let (tags, rest) = body.split_first().context("a frame without a header")?;
        ensure!(*tags == 0, "tagged fields in a response header");
        body = rest;
    }
    decode(api.response(), version, body)
}
