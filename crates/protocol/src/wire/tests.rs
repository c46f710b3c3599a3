use std::borrow::Cow;

use super::*;
use crate::messages::list_offsets::ListOffsetsTopic;
use crate::messages::schema::Versions;
use crate::messages::{
    FetchRequest, FetchResponse, HeartbeatResponse, ListOffsetsRequest, Message, MetadataRequest,
    ProduceRequest, RequestHeader,
};
use crate::messages::{fetch, list_offsets::ListOffsetsPartition, metadata};

fn read<'a, T: Value<'a>>(bytes: &'a [u8], flexible: bool) -> Result<T, Malformed> {
    let mut reader = Reader::new(bytes, 0, flexible);
    let value = T::read(&mut reader)?;
    assert!(reader.rest().is_empty());
    Ok(value)
}

#[test]
fn unsigned_varints_are_kafkas() {
    for (number, bytes) in [(0, &[0][..]), (127, &[127]), (128, &[128, 1]), (300, &[172, 2])] {
        let mut out = Vec::new();
        varint::put(number, &mut out);
        assert_eq!(out, bytes);
        assert_eq!(varint::take(&mut &*out), Ok(number));
    }
    assert_eq!(varint::take(&mut &[0xff, 0xff, 0xff, 0xff, 0x07][..]), Ok(i32::MAX as u32));
    for too_long in [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0x80, 0x80, 0x80, 0x80, 0x80, 0]] {
        assert_eq!(varint::take(&mut &*too_long), Err(Malformed::VarintTooLong));
    }
    assert_eq!(varint::take(&mut &[0x80][..]), Err(Malformed::TooShort { needed: 2, remaining: 1 }));
}

#[test]
fn lengths_below_zero_are_null_and_those_beyond_the_bytes_refused() {
    assert_eq!(read::<Cow<'_, str>>(&[0xff, 0xfe], false), Err(Malformed::UnexpectedNull));
    assert_eq!(read::<Cow<'_, [u8]>>(&[0x80, 0, 0, 0], false), Err(Malformed::UnexpectedNull));
    let nullable = |bytes| Reader::new(bytes, 0, false).get_nullable::<Cow<'_, str>>("", true);
    assert_eq!(nullable(&[0xff, 0xfe]), Ok(None), "any negative length is null, as in Kafka");
    assert_eq!(read::<Cow<'_, str>>(&[0xff, 0xff], false), Err(Malformed::UnexpectedNull));
    assert_eq!(read::<Cow<'_, str>>(&[0], true), Err(Malformed::UnexpectedNull));
    let short = Err(Malformed::TooShort { needed: 5, remaining: 1 });
    assert_eq!(read::<Cow<'_, str>>(&[0, 5, b'a'], false), short);
    let count = Err(Malformed::TooManyElements { count: 3, remaining: 11 });
    assert_eq!(read::<Array<'_, i32>>(&[4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], true), count);
    let many = [&(ELEMENTS_MAX as i32 + 1).to_be_bytes()[..], &vec![0; ELEMENTS_MAX + 1]].concat();
    assert_eq!(read::<Array<'_, i8>>(&many, false), Err(Malformed::ArrayTooLong(ELEMENTS_MAX + 1)));
}

#[test]
fn a_string_must_be_utf8_and_at_most_32767_bytes() {
    assert_eq!(read::<Cow<'_, str>>(&[3, b'a', 0xff], true), Err(Malformed::NotUtf8(1)));
    let mut long = vec![0x81, 0x80, 0x02];
    long.extend([b'a'; 0x8000]);
    assert_eq!(read::<Cow<'_, str>>(&long, true), Err(Malformed::StringTooLong(0x8000)));
    let mut out = Vec::new();
    let refusal = Writer::new(&mut out, 0, true).string(Some(&"a".repeat(0x8000)));
    assert_eq!(refusal, Err(Unwritable::StringTooLong(0x8000)));
}

#[test]
fn an_array_is_decoded_as_it_is_iterated() {
    let bytes = [0, 0, 0, 2, 0, 1, b'a', 0, 2, b'b', b'c'];
    let array: Array<'_, Cow<'_, str>> = read(&bytes, false).unwrap();
    assert!(matches!(array, Array::Wire { .. }));
    assert_eq!(array.iter().len(), 2);
    assert_eq!(array, Array::from([Cow::from("a"), Cow::from("bc")]));
    assert_eq!(format!("{array:?}"), r#"["a", "bc"]"#);
    let mut out = Vec::new();
    array.write(&mut Writer::new(&mut out, 0, false)).unwrap();
    assert_eq!(out, bytes);
    out.clear();
    array.write(&mut Writer::new(&mut out, 0, true)).unwrap();
    assert_eq!(out, [3, 2, b'a', 3, b'b', b'c']);
}

#[test]
fn unknown_tags_are_passed_over_up_to_a_bound() {
    let known = HeartbeatResponse { throttle_time_ms: 7, error_code: 1 };
    let body = [0, 0, 0, 7, 0, 1];
    let with = |tags: &[u8]| HeartbeatResponse::decode(&[&body[..], tags].concat(), 4);
    assert_eq!(with(&[0]).unwrap(), known);
    assert_eq!(with(&[2, 3, 1, 0xaa, 200, 1, 2, 0xbb, 0xcc]).unwrap(), known);
    let cause = |tags: &[u8]| with(tags).unwrap_err().cause;
    assert_eq!(with(&[2, 3, 0, 3, 0]).unwrap(), known, "twice the same");
    assert_eq!(with(&[2, 3, 0, 2, 0]).unwrap(), known, "falling");
    let many = |count: usize| {
        [&[0x80 | (count & 0x7f) as u8, (count >> 7) as u8][..], &[9, 0].repeat(count)].concat()
    };
    assert_eq!(with(&many(10_000)).unwrap(), known);
    assert_eq!(cause(&many(10_001)), Malformed::TooManyTags(10_001));
    assert_eq!(cause(&[1, 3, 9, 0]), Malformed::TooShort { needed: 9, remaining: 1 });
}

#[test]
fn a_known_tag_must_fill_its_size() {
    // FetchRequest 15: tag 1 is the replica state, twelve bytes and its own tags.
    let mut bytes = Vec::new();
    FetchRequest::default().encode(15, &mut bytes).unwrap();
    assert_eq!(bytes.pop(), Some(0));
    let state = [1, 1, 14, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0];
    bytes.extend(state);
    let refusal = FetchRequest::decode(&bytes, 15).unwrap_err();
    assert_eq!(refusal.cause, Malformed::TagTooLong { tag: 1, unread: 1 });
    let size = bytes.len() - state.len() + 2;
    bytes[size] = 13;
    bytes.pop();
    let request = FetchRequest::decode(&bytes, 15).unwrap();
    assert_eq!(request.replica_state, fetch::ReplicaState { replica_id: 9, replica_epoch: 8 });
    let mut again = Vec::new();
    request.encode(15, &mut again).unwrap();
    assert_eq!(again, bytes);
}

#[test]
fn a_value_for_a_field_the_version_lacks_is_refused_unless_ignorable() {
    let mut out = vec![1, 2, 3];
    let request = ProduceRequest { transactional_id: Some("t".into()), ..Default::default() };
    let refusal = request.encode(2, &mut out).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "ProduceRequest version 2 cannot be written with its field TransactionalId: this version has no such field, and the \
         value is not the default"
    );
    assert_eq!(out, [1, 2, 3]);
    FetchRequest { rack_id: "r".into(), ..Default::default() }.encode(4, &mut out).unwrap();
}

#[test]
fn null_is_a_matter_of_the_version() {
    let everything = MetadataRequest { topics: None, ..Default::default() };
    let mut out = Vec::new();
    assert_eq!(everything.encode(0, &mut out).unwrap_err().cause, Unwritable::UnexpectedNull);
    everything.encode(1, &mut out).unwrap();
    assert_eq!(out, [0xff; 4]);
    assert_eq!(MetadataRequest::decode(&out, 1).unwrap(), everything);
    assert_eq!(MetadataRequest::decode(&out, 0).unwrap_err().cause, Malformed::UnexpectedNull);
}

#[test]
fn a_field_absent_in_a_version_has_kafkas_default() {
    let mut out = Vec::new();
    MetadataRequest::default().encode(3, &mut out).unwrap();
    assert!(MetadataRequest::decode(&out, 3).unwrap().allow_auto_topic_creation);
    out.clear();
    FetchRequest::default().encode(0, &mut out).unwrap();
    assert_eq!(FetchRequest::decode(&out, 0).unwrap().max_bytes, 0x7fff_ffff);
}

#[test]
fn an_unknown_version_is_an_error_that_names_the_known_ones() {
    let refusal = HeartbeatResponse::decode(&[], 9).unwrap_err();
    assert_eq!(refusal.cause, Malformed::UnknownVersion(Versions::new(0, 4)));
    assert_eq!(refusal.to_string(), "HeartbeatResponse version 9 cannot be read: versions 0 to 4 are known");
    assert!(HeartbeatResponse::default().encode(-1, &mut Vec::new()).is_err());
}

#[test]
fn an_error_names_the_message_and_the_field() {
    let mut out = Vec::new();
    let topics =
        Some([metadata::MetadataRequestTopic { name: Some("t".into()), ..Default::default() }].into());
    MetadataRequest { topics, ..Default::default() }.encode(1, &mut out).unwrap();
    let refusal = MetadataRequest::decode(&out[..out.len() - 1], 1).unwrap_err();
    assert_eq!((refusal.message, refusal.field), ("MetadataRequest", "Name"));
    out.push(0);
    let refusal = MetadataRequest::decode(&out, 1).unwrap_err();
    assert_eq!(refusal.cause, Malformed::TrailingBytes(1));
}

#[test]
fn the_client_id_of_a_header_is_never_compact() {
    let header = RequestHeader {
        request_api_key: 18,
        request_api_version: 3,
        correlation_id: 1,
        client_id: Some("me".into()),
    };
    let mut out = Vec::new();
    header.encode(2, &mut out).unwrap();
    assert_eq!(out, [0, 18, 0, 3, 0, 0, 0, 1, 0, 2, b'm', b'e', 0]);
    out.extend([7, 7]);
    assert_eq!(RequestHeader::parse(&out).unwrap(), (header, &[7, 7][..]));
}

#[test]
fn a_copy_is_free_of_its_frame() {
    let mut frame = Vec::new();
    let topics = [fetch::FetchTopic { topic: "t".into(), ..Default::default() }];
    let request = FetchRequest { topics: topics.into(), ..Default::default() };
    request.encode(11, &mut frame).unwrap();
    let copy: FetchRequest<'static> = FetchRequest::decode(&frame, 11).unwrap().into_owned();
    drop(frame);
    assert_eq!(copy, request);
}

#[test]
fn elements_are_counted_within_elements_too() {
    let topics = [("a", 2), ("b", 0), ("c", 3)].map(|(name, partitions)| ListOffsetsTopic {
        name: name.into(),
        partitions: vec![ListOffsetsPartition::default(); partitions].into(),
    });
    let request = ListOffsetsRequest { topics: topics.into(), ..ListOffsetsRequest::default() };
    let mut bytes = Vec::new();
    request.encode(7, &mut bytes).unwrap();
    let (_, reader) = ListOffsetsRequest::decode_counted(&bytes, 7).unwrap();
    assert_eq!(reader.elements(), 8);
}

#[test]
fn elements_of_tagged_fields_are_counted_too() {
    let endpoints = vec![fetch::NodeEndpoint::default(); 5];
    let response = FetchResponse { node_endpoints: endpoints.into(), ..FetchResponse::default() };
    let mut bytes = Vec::new();
    response.encode(16, &mut bytes).unwrap();
    let (_, reader) = FetchResponse::decode_counted(&bytes, 16).unwrap();
    assert_eq!(reader.elements(), 5);
}
