//! A connection that asks with the protocol's own messages, one request at a time, with blocking reads and writes.
//!
//! Many of them are driven in step by one thread: all send, then all read. So the load costs little, and a request that
//! waits for others costs nothing at all.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use protocol::messages::header::{
    RequestHeader, ResponseHeader, request_header_version, response_header_version,
};
use protocol::messages::{Message, Request};

use crate::guard;

/// The length before an answer.
const PREFIX: usize = 4;
/// Most answers are smaller.
const ANSWER_BYTES: usize = 512;

/// A connection.
#[derive(Debug)]
pub struct Asker {
    stream: TcpStream,
    answer: Vec<u8>,
    /// How much of it has been received.
    received: usize,
    /// Whether requests leave in two pieces.
    torn: bool,
}

/// A request as it goes over the wire.
#[derive(Clone, Debug)]
pub struct Encoded {
    bytes: Vec<u8>,
    header_version: i16,
}

impl Encoded {
    /// Encodes a request once, to be sent any number of times.
    pub fn new<'a, R: Request<'a>>(request: &R, version: i16) -> Result<Self> {
        let mut bytes = vec![0; 4];
        let header = RequestHeader {
            request_api_key: R::API_KEY as i16,
            request_api_version: version,
            correlation_id: 7,
            client_id: Some("bench".into()),
        };
        header.encode(request_header_version(R::API_KEY, version), &mut bytes)?;
        request.encode(version, &mut bytes)?;
        let length = i32::try_from(bytes.len() - 4)?;
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        Ok(Self { bytes, header_version: response_header_version(R::API_KEY, version) })
    }

    /// What stands behind the length.
    pub fn frame(&self) -> &[u8] {
        &self.bytes[4..]
    }
}

impl Asker {
    /// Connects.
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        Ok(Self { stream, answer: Vec::new(), received: 0, torn: false })
    }

    /// So many of them. Each is known to be accepted before the next comes: only so many may wait for that.
    pub fn open_many(address: SocketAddr, count: usize) -> Result<Vec<Self>> {
        let ask = Encoded::new(&protocol::messages::ApiVersionsRequest::default(), 0)?;
        (0..count)
            .map(|_| {
                let mut asker = Self::open(address)?;
                asker.send(&ask)?;
                asker.receive(&ask)?;
                Ok(asker)
            })
            .collect()
    }

    /// Has requests leave in two pieces from here on, or whole: what is planted to see guards of system calls trip.
    pub fn tear(&mut self, torn: bool) {
        self.torn = torn;
    }

    /// Sends a request.
    pub fn send(&mut self, request: &Encoded) -> Result<()> {
        Ok(guard::send(&self.stream, &request.bytes, self.torn)?)
    }

    /// Reads the body of the answer to a request.
    pub fn receive(&mut self, request: &Encoded) -> Result<&[u8]> {
        self.received = 0;
        self.fill(PREFIX)?;
        let prefix = self.answer.first_chunk().context("a length")?;
        let length = PREFIX + usize::try_from(i32::from_be_bytes(*prefix))?;
        self.fill(length)?;
        ensure!(self.received == length, "an answer to nothing that was asked");
        let answer = &self.answer[PREFIX..length];
        let (_, body) = ResponseHeader::decode_prefix(answer, request.header_version)?;
        Ok(body)
    }

    /// Receives until there are so many bytes, with as few calls as it takes: what the load does is waited for, too.
    fn fill(&mut self, count: usize) -> Result<()> {
        self.answer.resize(count.max(self.answer.len()).max(ANSWER_BYTES), 0);
        while self.received < count {
            let read = match self.stream.read(&mut self.answer[self.received..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read.context("waiting for an answer")?,
            };
            ensure!(read > 0, "the broker has closed the connection");
            self.received += read;
        }
        Ok(())
    }

    /// Asks, and reads the answer with `read`.
    pub fn ask<'a, R: Request<'a>, T>(
        &mut self,
        request: &R,
        version: i16,
        read: impl FnOnce(&[u8]) -> Result<T>,
    ) -> Result<T> {
        let encoded = Encoded::new(request, version)?;
        self.send(&encoded)?;
        read(self.receive(&encoded)?)
    }

    /// Asks until `read` makes something of the answer: what a broker needs to begin with comes in its own time.
    pub fn ask_until<'a, R: Request<'a>, T>(
        &mut self,
        request: &R,
        version: i16,
        mut read: impl FnMut(&[u8]) -> Result<Option<T>>,
    ) -> Result<T> {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(found) = self.ask(request, version, &mut read)? {
                return Ok(found);
            }
            ensure!(Instant::now() < end, "{} is not answered as it should be", R::API_KEY.name());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
