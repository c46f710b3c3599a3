//! Produce of message sets that are none: lengths, checksums, formats, fields and wrappers that do not hold together. What
//! is refused leaves nothing in the log.

use conformance::by_schema::hex;
use protocol::api_key::ApiKey::{Fetch, Produce};
use protocol::error_code::ErrorCode::{self, CorruptMessage, InvalidRecord, UnknownServerError};
use protocol::records::build::BatchOptions;
use protocol::records::checksum::crc32;
use protocol::records::compression::{Codec, Compressors};
use serde_json::json;

use super::batches::{TIME, batch};
use super::case::{Case, case};
use super::message_sets::stored;
use super::produce::produce;

/// Where a message of v1 has its parts.
const LENGTH: usize = 8;
const MAGIC: usize = 16;
const ATTRIBUTES: usize = 17;
const KEY_LENGTH: usize = 26;
const KEY: &[u8] = b"key";
const VALUE_LENGTH: usize = KEY_LENGTH + 4 + KEY.len();

/// A message of these attributes.
fn message(magic: u8, attributes: u8, offset: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Vec<u8> {
    let mut body = vec![magic, attributes];
    if magic == 1 {
        body.extend(TIME.0.to_be_bytes());
    }
    for field in [key, value] {
        body.extend(field.map_or(-1, |field| field.len() as i32).to_be_bytes());
        body.extend(field.unwrap_or_default());
    }
    let mut bytes = offset.to_be_bytes().to_vec();
    bytes.extend((body.len() as u32 + 4).to_be_bytes());
    bytes.extend(crc32(&body).to_be_bytes());
    bytes.extend(body);
    bytes
}

/// A plain message at this offset.
fn plain(magic: u8, offset: i64) -> Vec<u8> {
    message(magic, 0, offset, Some(KEY), Some(format!("value {offset}").as_bytes()))
}

/// Plain messages, one after the other.
fn plains(magic: u8, offsets: &[i64]) -> Vec<u8> {
    offsets.iter().flat_map(|offset| plain(magic, *offset)).collect()
}

fn packed(codec: Codec, bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    Compressors::default().compress(codec.into(), bytes, &mut packed).expect("it is small");
    packed
}

/// A wrapper at this offset around these bytes.
fn wrapper(magic: u8, codec: Codec, offset: i64, inside: &[u8]) -> Vec<u8> {
    message(magic, codec.id(), offset, None, Some(&packed(codec, inside)))
}

/// Three messages in gzip, with these bytes in place of what is inside.
fn gzip(inside: &[u8]) -> Vec<u8> {
    wrapper(1, Codec::Gzip, 2, inside)
}

fn changed(mut bytes: Vec<u8>, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    change(&mut bytes);
    bytes
}

/// A message of v1 with these bytes at a place, and a checksum that holds.
fn with(mut bytes: Vec<u8>, at: usize, what: &[u8]) -> Vec<u8> {
    bytes[at..at + what.len()].copy_from_slice(what);
    let crc = crc32(&bytes[MAGIC..]);
    bytes[12..MAGIC].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn with_number(bytes: Vec<u8>, at: usize, number: i32) -> Vec<u8> {
    with(bytes, at, &number.to_be_bytes())
}

/// A message with more bytes, which its length and its checksum cover.
fn longer(mut bytes: Vec<u8>, more: &[u8]) -> Vec<u8> {
    bytes.extend(more);
    let length = (bytes.len() - 12) as i32;
    with_number(bytes, LENGTH, length)
}

fn behind(good: Vec<u8>, bad: &[u8]) -> Vec<u8> {
    changed(good, |bytes| bytes.extend(bad))
}

fn send(what: &'static str, errors: &'static [ErrorCode], bytes: Vec<u8>) -> Case {
    let records = hex(&bytes);
    case(Produce, what)
        .topic(1)
        .fresh()
        .versions(2, 2)
        .errors(errors)
        .ask(move |s| produce(s, 0, -1, &json!(records)))
        .then(Fetch, 3, stored)
}

/// The table.
pub fn cases() -> Vec<Case> {
    [lengths(), fields(), formats(), ends(), wrappers(), insides(), streams(), oddities()]
        .into_iter()
        .flatten()
        .collect()
}

const CORRUPT: &[ErrorCode] = &[CorruptMessage];
const INVALID: &[ErrorCode] = &[InvalidRecord];
const UNKNOWN: &[ErrorCode] = &[UnknownServerError];

fn lengths() -> Vec<Case> {
    let of =
        |length: i32| changed(plain(1, 0), |bytes| bytes[LENGTH..12].copy_from_slice(&length.to_be_bytes()));
    vec![
        send("a message of length minus one", CORRUPT, of(-1)),
        send("a message of the least length there is", CORRUPT, of(i32::MIN)),
        send("a message of length zero", CORRUPT, of(0)),
        send("a v1 message of the length of a short v0", CORRUPT, of(14)),
        send("a v1 message one byte too short for its fields", CORRUPT, of(21)),
        send("a message longer than its set", &[], of(1000)),
        send("misfit: a message of two gigabytes", UNKNOWN, of(i32::MAX)),
        send("a bad length behind a message", CORRUPT, behind(plain(1, 0), &of(-1))),
        send(
            "a bad checksum behind a message",
            CORRUPT,
            behind(plain(1, 0), &changed(plain(1, 1), |bytes| bytes[30] ^= 1)),
        ),
    ]
}

fn fields() -> Vec<Case> {
    let v0 = |at: usize, number| with_number(plain(0, 0), at - 8, number);
    let v1 = |at: usize, number| with_number(plain(1, 0), at, number);
    vec![
        send("misfit: a key longer than its message", UNKNOWN, v1(KEY_LENGTH, 1000)),
        send("misfit: a key longer than its message of v0", UNKNOWN, v0(KEY_LENGTH, 1000)),
        send("misfit: a key of two gigabytes", UNKNOWN, v1(KEY_LENGTH, i32::MAX)),
        send("misfit: a key of length minus two", UNKNOWN, v1(KEY_LENGTH, -2)),
        send("misfit: a key up to the end of its message", UNKNOWN, v1(KEY_LENGTH, 14)),
        send("misfit: a value longer than its message", UNKNOWN, v1(VALUE_LENGTH, 1000)),
        send("misfit: a value longer than its message of v0", UNKNOWN, v0(VALUE_LENGTH, 1000)),
        send("misfit: a value one byte longer than its message", UNKNOWN, v1(VALUE_LENGTH, 8)),
        send("left over: a value shorter than its message", &[], v1(VALUE_LENGTH, 3)),
        send("left over: a value of length minus two", &[], v1(VALUE_LENGTH, -2)),
        send("left over: no value, and bytes in its place", &[], v1(VALUE_LENGTH, -1)),
        send("left over: a message with bytes behind its value", &[], longer(plain(1, 0), b"more")),
        send("misfit: a bad key behind a message", UNKNOWN, behind(plain(1, 0), &v1(KEY_LENGTH, 1000))),
    ]
}

fn formats() -> Vec<Case> {
    vec![
        send("a message of magic minus one", CORRUPT, with(plain(1, 0), MAGIC, &[0xff])),
        send("a message of magic three", CORRUPT, with(plain(1, 0), MAGIC, &[3])),
        send("v0 behind v1", INVALID, behind(plain(1, 0), &plain(0, 1))),
        send("a batch of today behind v1", INVALID, behind(plain(1, 0), &batch(BatchOptions::default(), 1))),
        send("v1 behind a batch of today", INVALID, behind(batch(BatchOptions::default(), 1), &plain(1, 1))),
        send("codec five in a plain message", UNKNOWN, with(plain(1, 0), ATTRIBUTES, &[5])),
        send("codec seven in a plain message of v0", UNKNOWN, with(plain(0, 0), ATTRIBUTES, &[7])),
        send(
            "a codec that does not exist behind a message",
            UNKNOWN,
            behind(plain(1, 0), &with(plain(1, 1), ATTRIBUTES, &[6])),
        ),
    ]
}

/// What comes behind the last whole message.
fn ends() -> Vec<Case> {
    vec![
        send("five bytes behind a message", &[], behind(plain(1, 0), &[1; 5])),
        send("sixteen zeros behind a message", CORRUPT, behind(plain(1, 0), &[0; 16])),
        send("forty zeros behind a message", CORRUPT, behind(plain(1, 0), &[0; 40])),
        send("forty zeros", CORRUPT, vec![0; 40]),
        send("eleven zeros", &[], vec![0; 11]),
        send("a message and a half", &[], behind(plain(1, 0), &plain(1, 1)[..20])),
    ]
}

fn wrappers() -> Vec<Case> {
    let twice = |codec| wrapper(1, codec, 2, &wrapper(1, Codec::Gzip, 2, &plains(1, &[0, 1, 2])));
    vec![
        send("a wrapper without a value", INVALID, message(1, 1, 0, None, None)),
        send("a wrapper without a value of v0", INVALID, message(0, 1, 0, None, None)),
        send("a wrapper of no bytes", UNKNOWN, message(1, 1, 0, None, Some(b""))),
        send("a wrapper of no bytes in snappy", UNKNOWN, message(1, 2, 0, None, Some(b""))),
        send("a wrapper of no bytes in lz4", UNKNOWN, message(1, 3, 0, None, Some(b""))),
        send("a wrapper of an empty set", INVALID, gzip(b"")),
        send("a wrapper of an empty set of v0", INVALID, wrapper(0, Codec::Gzip, 0, b"")),
        send("a wrapper in a wrapper", INVALID, twice(Codec::Gzip)),
        send("a wrapper in a wrapper of snappy", INVALID, twice(Codec::Snappy)),
        send("a message behind a wrapper", INVALID, behind(gzip(&plains(1, &[0, 1, 2])), &plain(1, 3))),
        send(
            "half a message behind a wrapper",
            &[],
            behind(gzip(&plains(1, &[0, 1, 2])), &plain(1, 3)[..20]),
        ),
        send(
            "a wrapper with a key",
            &[],
            message(1, 1, 2, Some(KEY), Some(&packed(Codec::Gzip, &plains(1, &[0, 1, 2])))),
        ),
    ]
}

/// What comes out of a wrapper.
fn insides() -> Vec<Case> {
    let first = || plain(1, 0);
    let second = |bad: Vec<u8>| gzip(&behind(first(), &bad));
    let length =
        |length: i32| changed(plain(1, 1), |bytes| bytes[LENGTH..12].copy_from_slice(&length.to_be_bytes()));
    vec![
        send("v0 in a wrapper of v1", INVALID, gzip(&plains(0, &[0, 1]))),
        send("v1 in a wrapper of v0", INVALID, wrapper(0, Codec::Gzip, 1, &plains(1, &[0, 1]))),
        send("v0 behind v1 in a wrapper", INVALID, second(plain(0, 1))),
        send("a batch of today in a wrapper", INVALID, gzip(&batch(BatchOptions::default(), 2))),
        send("magic nine in a wrapper", INVALID, second(with(plain(1, 1), MAGIC, &[9]))),
        send(
            "a bad checksum in a wrapper",
            CORRUPT,
            gzip(&changed(plains(1, &[0, 1]), |bytes| bytes[30] ^= 1)),
        ),
        send(
            "a bad checksum behind a message in a wrapper",
            CORRUPT,
            second(changed(plain(1, 1), |bytes| bytes[30] ^= 1)),
        ),
        send("a length of minus one in a wrapper", CORRUPT, second(length(-1))),
        send("a length of zero in a wrapper", CORRUPT, second(length(0))),
        send("misfit: a length of two gigabytes in a wrapper", UNKNOWN, second(length(i32::MAX))),
        send("left over: a message longer than its wrapper", &[], second(length(500))),
        send("left over: half a message in a wrapper", &[], second(plain(1, 1)[..20].to_vec())),
        send("left over: five bytes behind a message in a wrapper", &[], second(vec![0; 5])),
        send("forty zeros behind a message in a wrapper", CORRUPT, second(vec![0; 40])),
        send("misfit: a long key in a wrapper", UNKNOWN, second(with_number(plain(1, 1), KEY_LENGTH, 1000))),
        send(
            "misfit: a long value in a wrapper",
            UNKNOWN,
            second(with_number(plain(1, 1), VALUE_LENGTH, 1000)),
        ),
        send("left over: a short value in a wrapper", &[], second(with_number(plain(1, 1), VALUE_LENGTH, 3))),
        send(
            "a codec that does not exist in a wrapper",
            UNKNOWN,
            second(with(plain(1, 1), ATTRIBUTES, &[6])),
        ),
    ]
}

/// Streams of codecs that end otherwise than they should.
fn streams() -> Vec<Case> {
    let set = plains(1, &[0, 1, 2]);
    let of = |codec: Codec, change: fn(&mut Vec<u8>)| {
        message(1, codec.id(), 2, None, Some(&changed(packed(codec, &set), change)))
    };
    let half: fn(&mut Vec<u8>) = |bytes| bytes.truncate(bytes.len() / 2);
    let more: fn(&mut Vec<u8>) = |bytes| bytes.extend([7; 9]);
    let other: fn(&mut Vec<u8>) = |bytes| bytes.iter_mut().for_each(|byte| *byte = !*byte);
    vec![
        send("half a gzip", UNKNOWN, of(Codec::Gzip, half)),
        send("half a snappy", UNKNOWN, of(Codec::Snappy, half)),
        send("half an lz4", UNKNOWN, of(Codec::Lz4, half)),
        send("a gzip with more behind it", &[], of(Codec::Gzip, more)),
        send("a snappy with more behind it", UNKNOWN, of(Codec::Snappy, more)),
        send("an lz4 with more behind it", &[], of(Codec::Lz4, more)),
        send("a gzip that is none", UNKNOWN, of(Codec::Gzip, other)),
        send("a snappy that is none", UNKNOWN, of(Codec::Snappy, other)),
        send("an lz4 that is none", UNKNOWN, of(Codec::Lz4, other)),
        send(
            "a gzip of another sum",
            UNKNOWN,
            of(Codec::Gzip, |bytes| {
                let at = bytes.len() - 5;
                bytes[at] ^= 1;
            }),
        ),
    ]
}

/// Offsets, times and bits that are odd, and often mean nothing.
fn oddities() -> Vec<Case> {
    vec![
        send("a wrapper of another last offset", &[], wrapper(1, Codec::Gzip, 99, &plains(1, &[0, 1, 2]))),
        send("a wrapper of a negative offset", INVALID, wrapper(1, Codec::Gzip, -1, &plains(1, &[0, 1, 2]))),
        send(
            "absolute offsets in a wrapper of v1",
            &[],
            wrapper(1, Codec::Gzip, 12, &plains(1, &[10, 11, 12])),
        ),
        send("offsets that fall in a wrapper", &[], wrapper(1, Codec::Gzip, 2, &plains(1, &[2, 1, 0]))),
        send("offsets that repeat in a wrapper", &[], wrapper(1, Codec::Gzip, 0, &plains(1, &[0, 0, 0]))),
        send(
            "offsets that repeat in a wrapper of v0",
            &[],
            wrapper(0, Codec::Gzip, 0, &plains(0, &[0, 0, 0])),
        ),
        send("a wrapper of offset zero", &[], wrapper(1, Codec::Gzip, 0, &plains(1, &[0, 1, 2]))),
        send("a wrapper of too small an offset", INVALID, wrapper(1, Codec::Gzip, 1, &plains(1, &[0, 1, 2]))),
        send(
            "a wrapper of v0 of too small an offset",
            &[],
            wrapper(0, Codec::Gzip, 1, &plains(0, &[0, 1, 2])),
        ),
        send(
            "a time before all: minus two in a wrapper",
            UNKNOWN,
            gzip(&behind(plains(1, &[0, 1]), &with(plain(1, 2), 18, &(-2_i64).to_be_bytes()))),
        ),
        send("offsets with a hole in a wrapper", &[], wrapper(1, Codec::Gzip, 5, &plains(1, &[0, 3, 5]))),
        send("negative offsets", &[], plains(1, &[-5, -4])),
        send("offsets that fall", &[], plains(1, &[2, 1, 0])),
        send("unknown bits beside a codec", &[], with(gzip(&plains(1, &[0, 1, 2])), ATTRIBUTES, &[0xf1])),
        send("unknown bits in a plain message", &[], with(plain(1, 0), ATTRIBUTES, &[0xf0])),
        send("the log's clock in a message of v0", &[], with(plain(0, 0), ATTRIBUTES, &[8])),
        send("a message of nothing", &[], message(1, 0, 0, None, None)),
        send("a time before all: the least", UNKNOWN, with(plain(1, 0), 18, &i64::MIN.to_be_bytes())),
        send("a time before all: minus two", UNKNOWN, with(plain(1, 0), 18, &(-2_i64).to_be_bytes())),
    ]
}
