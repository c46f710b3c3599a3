//! Another implementation as an oracle: what the crate `kafka-protocol` reads of our bytes, it writes as the same
//! bytes.

mod model;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey as TheirKey, RequestKind, ResponseKind};
use model::Entropy;
use protocol::ApiKey;
use protocol::messages::schema::Schema;

/// Versions that the other implementation lists but cannot read.
const THEIRS_UNREADABLE: &[(ApiKey, i16)] =
    &[(ApiKey::OffsetCommit, 10), (ApiKey::OffsetFetch, 10), (ApiKey::InitProducerId, 6)];

fn bytes_of(schema: &'static Schema, version: i16, entropy: &[u8]) -> Vec<u8> {
    let model = model::fields(schema.fields, version, &mut Entropy::new(entropy));
    let mut bytes = Vec::new();
    model::write(schema.fields, &model, version, schema.flexible.contains(version), &mut bytes);
    bytes
}

#[test]
fn another_implementation_reads_and_writes_the_same_bytes() {
    let mut compared = 0;
    let mut differences = Vec::new();
    for &api in ApiKey::ALL {
        let Ok(their_key) = TheirKey::try_from(i16::from(api)) else { continue };
        let theirs = their_key.valid_versions();
        let readable = |version: &i16| !THEIRS_UNREADABLE.contains(&(api, *version));
        for version in (theirs.min..=theirs.max).filter(readable) {
            for seed in 0..12u8 {
                let entropy: Vec<u8> = (0..=seed).map(|byte| byte.wrapping_mul(37) ^ seed).collect();
                let request = bytes_of(api.request(), version, &entropy);
                let response = bytes_of(api.response(), version, &entropy);
                let mut again = (BytesMut::new(), BytesMut::new());
                let read = RequestKind::decode(their_key, &mut Bytes::from(request.clone()), version);
                let written = read.and_then(|read| read.encode(&mut again.0, version));
                let read = ResponseKind::decode(their_key, &mut Bytes::from(response.clone()), version);
                let answered = read.and_then(|read| read.encode(&mut again.1, version));
                for (what, outcome, ours, again) in
                    [("request", written, request, again.0), ("response", answered, response, again.1)]
                {
                    match outcome {
                        Ok(()) if *again == *ours => compared += 1,
                        Ok(()) => differences.push(format!("{api} {what} {version}: other bytes")),
                        Err(error) => differences.push(format!("{api} {what} {version}: {error}")),
                    }
                }
            }
        }
    }
    differences.dedup();
    assert_eq!(differences, [""; 0]);
    assert!(compared > 5000, "{compared} messages compared");
}
