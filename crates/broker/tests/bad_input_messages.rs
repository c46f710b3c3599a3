//! Every request a node serves, in every version, made by its schema out of noise, whole and damaged: the answer comes
//! or the connection ends, never silence, and the node serves on.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../../protocol/tests/model/mod.rs"]
#[allow(dead_code, reason = "the tests of the protocol use more of it")]
mod model;
mod raw;

use std::io::{ErrorKind, Read};

use protocol::ApiKey;
use protocol::messages::header::{RequestHeader, request_header_version};
use protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, Message};
use raw::Client;
use raw::batch::batch;
use raw::node::{TestNode, start};

/// The correlation id of the request that shows that the connection still serves.
const PROBE: i32 = 4711;

fn node() -> (tempfile::TempDir, TestNode) {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    node.connect().create(&["kept"]);
    node.connect().produce("kept", 0, batch(&["kept"]));
    (directory, node)
}

/// The versions each API is advertised in.
fn advertised(node: &TestNode) -> Vec<(ApiKey, i16, i16)> {
    let body = node.connect().ask(&ApiVersionsRequest::default(), 0);
    let response = ApiVersionsResponse::decode(&body, 0).unwrap();
    let known = |key| ApiKey::from_i16(key).unwrap();
    response.api_keys.iter().map(|api| (known(api.api_key), api.min_version, api.max_version)).collect()
}

/// The body of a request made of entropy; one that would wait does not.
fn body(api: ApiKey, version: i16, entropy: &[u8]) -> Vec<u8> {
    let schema = api.request();
    let model = model::fields(schema.fields, version, &mut model::Entropy::new(entropy));
    let mut body = Vec::new();
    model::write(schema.fields, &model, version, schema.flexible.contains(version), &mut body);
    if api == ApiKey::Fetch {
        let wait_at = if version < 15 { 4 } else { 0 };
        body[wait_at..wait_at + 4].fill(0);
    }
    body
}

/// Where damage may begin: a Fetch is not to wait.
fn damage_from(api: ApiKey) -> usize {
    if api == ApiKey::Fetch { 8 } else { 0 }
}

fn frame(api: ApiKey, version: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let header = RequestHeader {
        request_api_key: api as i16,
        request_api_version: version,
        correlation_id,
        client_id: Some("noise".into()),
    };
    let mut frame = vec![0; 4];
    header.encode(request_header_version(api, version), &mut frame).unwrap();
    frame.extend(body);
    let length = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame
}

/// Sends a request and one that must be answered after it. Whether the connection goes on; panics if nothing comes.
fn goes_on(client: &mut Client, frame: &[u8]) -> bool {
    let probe = self::frame(ApiKey::ApiVersions, 0, PROBE, &[]);
    client.send(&[frame, &probe].concat());
    loop {
        let mut length = [0; 4];
        match client.stream().read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                return false;
            }
            Err(error) => panic!("neither an answer nor an end: {error}"),
        }
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        client.stream().read_exact(&mut answer).unwrap();
        if answer[..4] == PROBE.to_be_bytes() {
            return true;
        }
    }
}

/// Numbers without an end, the same in every run.
fn noise(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 16
    }
}

/// The node serves, and the topic that nobody named holds what it held.
fn assert_sound(node: &TestNode) {
    assert_eq!(node.connect().fetch("kept", 0, 0), (0, 1, vec!["kept".into()]));
}

/// Asks on a connection that is opened anew when the last one was ended; says how many were.
fn ask_all(node: &TestNode, requests: impl Iterator<Item = (ApiKey, i16, Vec<u8>)>) -> usize {
    let mut client = node.connect();
    let mut ended = 0;
    for (api, version, body) in requests {
        // Shown where an assertion fails.
        println!("{} {version} {body:02x?}", api.name());
        if !goes_on(&mut client, &frame(api, version, 1, &body)) {
            client = node.connect();
            ended += 1;
        }
    }
    ended
}

/// CVE-2026-83525 was a request whose array was empty.
#[test]
fn arrays_that_are_empty_at_every_level_are_answered() {
    let (_directory, node) = node();
    let patterns: [&[u8]; 6] = [&[0], &[1, 0], &[1, 1, 0], &[1, 1, 1, 0, 0], &[2, 0, 0], &[1]];
    let requests = advertised(&node).into_iter().flat_map(|(api, first, last)| {
        (first..=last).flat_map(move |version| {
            patterns.into_iter().map(move |pattern| (api, version, body(api, version, &pattern.repeat(100))))
        })
    });
    ask_all(&node, requests);
    assert_sound(&node);
}

#[test]
fn requests_made_of_noise_are_answered_or_end_their_connection() {
    let (_directory, node) = node();
    let requests = advertised(&node).into_iter().flat_map(|(api, first, last)| {
        (first..=last).flat_map(move |version| {
            (0..4).map(move |seed| {
                let mut next = noise(seed + 1);
                let entropy: Vec<_> = (0..400).map(|_| next() as u8).collect();
                (api, version, body(api, version, &entropy))
            })
        })
    });
    ask_all(&node, requests);
    assert_sound(&node);
}

#[test]
fn requests_with_one_to_three_bytes_damaged_are_answered_or_end_their_connection() {
    let (_directory, node) = node();
    let requests = advertised(&node).into_iter().flat_map(|(api, first, last)| {
        (first..=last).flat_map(move |version| {
            (0..4).map(move |seed| {
                let mut next = noise(seed + 100);
                let entropy: Vec<_> = (0..200).map(|_| next() as u8).collect();
                let mut body = body(api, version, &entropy);
                let from = damage_from(api);
                for _ in 0..=next() % 3 {
                    if let Some(room) = (body.len() as u64).checked_sub(from as u64).filter(|room| *room > 0)
                    {
                        let at = from + (next() % room) as usize;
                        body[at] = [0, 1, 0x7f, 0x80, 0xff, next() as u8][(next() % 6) as usize];
                    }
                }
                if next().is_multiple_of(4) {
                    body.truncate(from.max((next() % (body.len() as u64 + 1)) as usize).min(body.len()));
                }
                (api, version, body)
            })
        })
    });
    assert!(ask_all(&node, requests) > 0, "some damage is beyond reading");
    assert_sound(&node);
}
