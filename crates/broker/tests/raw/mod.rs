//! A client that speaks one request at a time, through the protocol's messages or through bare bytes.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod ask;
pub mod batch;
pub mod node;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use protocol::messages::header::{
    RequestHeader, ResponseHeader, request_header_version, response_header_version,
};
use protocol::messages::{Message, Request};

/// A connection.
pub struct Client {
    stream: TcpStream,
    correlation_id: i32,
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, correlation_id: 0 }
    }

    /// The socket itself.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// The frame of a request, with its length; takes a correlation id.
    pub fn frame<'a, R: Request<'a>>(&mut self, request: &R, version: i16) -> Vec<u8> {
        self.correlation_id += 1;
        let mut frame = vec![0; 4];
        let header = RequestHeader {
            request_api_key: R::API_KEY as i16,
            request_api_version: version,
            correlation_id: self.correlation_id,
            client_id: Some("raw".into()),
        };
        header.encode(request_header_version(R::API_KEY, version), &mut frame).unwrap();
        request.encode(version, &mut frame).unwrap();
        let length = (frame.len() - 4) as u32;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        frame
    }

    /// Sends a request and hands back the body of its response.
    pub fn ask<'a, R: Request<'a>>(&mut self, request: &R, version: i16) -> Vec<u8> {
        let frame = self.frame(request, version);
        self.send(&frame);
        self.answer::<R>(version)
    }

    /// Reads the next response, which must be to the last request, and hands back its body.
    pub fn answer<'a, R: Request<'a>>(&mut self, version: i16) -> Vec<u8> {
        let frame = self.receive();
        let header_version = response_header_version(R::API_KEY, version);
        let (header, body) = ResponseHeader::decode_prefix(&frame, header_version).unwrap();
        assert_eq!(header.correlation_id, self.correlation_id);
        body.to_vec()
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Reads one frame.
    pub fn receive(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame).unwrap();
        frame
    }

    /// Asserts that the other side ends the connection without another byte.
    pub fn assert_closed(&mut self) {
        match self.stream.read(&mut [0; 16]) {
            Ok(0) => {}
            Ok(count) => panic!("{count} bytes instead of the end"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
}
