//! Clients of before 0.11: message sets produced and fetched in the versions of their time, and what clients of today make
//! of the same records.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use protocol::id::Timestamp;
use protocol::messages::fetch::{FetchPartition, FetchTopic};
use protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::{FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse, Message};
use protocol::offset::Offset;
use protocol::records::batch::{LOG_OVERHEAD, TimestampType};
use protocol::records::batches::Batches;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::{Codec, Compressors};
use protocol::records::legacy::{
    LegacyBuilder, LegacyError, LegacyOptions, LegacyScratch, Messages, each_record,
};
use protocol::records::record::Header;
use raw::Client;
use raw::ask::{fetch_request, produce_request, produced};
use raw::node::{TestNode, start};

const TIME: i64 = 1_700_000_000_000;
const CODECS: [Codec; 4] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4];

/// Offset, timestamp, key, value.
type Read = (i64, i64, Option<String>, Option<String>);

fn node(settings: &[(&str, &str)], topics: &[&str]) -> (tempfile::TempDir, TestNode) {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), settings);
    node.connect().create(topics);
    (directory, node)
}

fn written(n: i64) -> (Option<String>, Option<String>) {
    ((n % 3 != 0).then(|| format!("key{n}")), (n % 4 != 0).then(|| format!("value {n} {n} {n} {n}")))
}

/// Records 0 to 9 as a message set.
fn set(magic: i8, codec: Codec) -> Vec<u8> {
    let options =
        LegacyOptions { magic, compression: codec.into(), timestamp_type: TimestampType::CreateTime };
    let mut builder = LegacyBuilder::new(options);
    for n in 0..10 {
        let (key, value) = written(n);
        let (key, value) = (key.as_deref().map(str::as_bytes), value.as_deref().map(str::as_bytes));
        builder.push(Offset(n), Timestamp(TIME + n), key, value);
    }
    builder.finish(&mut Compressors::default()).unwrap()
}

/// Records 0 to 9 as a batch, with headers.
fn batch(codec: Codec) -> Vec<u8> {
    let mut builder =
        BatchBuilder::new(BatchOptions { compression: codec.into(), ..BatchOptions::default() });
    for n in 0..10 {
        let (key, value) = written(n);
        let (key, value) = (key.as_deref().map(str::as_bytes), value.as_deref().map(str::as_bytes));
        builder.push(Timestamp(TIME + n), key, value, &[Header { key: b"h", value: None }]);
    }
    builder.finish(&mut Compressors::default()).unwrap()
}

/// Error and bytes of one partition.
fn fetch(client: &mut Client, version: i16, request: &FetchRequest<'_>) -> (i16, Vec<u8>) {
    let body = client.ask(request, version);
    let response = FetchResponse::decode(&body, version).unwrap();
    let topic = response.responses.iter().next().unwrap();
    let partition = topic.partitions.iter().next().unwrap();
    (partition.error_code, partition.records.unwrap_or_default().to_vec())
}

fn read(set: &[u8]) -> Vec<Read> {
    let text = |field: &[u8]| String::from_utf8(field.to_vec()).unwrap();
    let mut all = Vec::new();
    each_record(set, &mut LegacyScratch::default(), 1 << 20, |record| {
        all.push((record.offset.0, record.timestamp.0, record.key.map(text), record.value.map(text)));
        Ok::<_, LegacyError>(())
    })
    .unwrap();
    all
}

fn expected(base: i64, timestamps: bool) -> Vec<Read> {
    let record = |n: i64| {
        let (key, value) = written(n);
        (base + n, if timestamps { TIME + n } else { -1 }, key, value)
    };
    (0..10).map(record).collect()
}

#[test]
fn sets_of_every_codec_are_stored_as_batches_and_come_back_in_every_version() {
    let (_directory, node) = node(&[], &["t"]);
    let mut client = node.connect();
    let mut base = 0;
    for version in 0..=2 {
        for magic in [0, 1] {
            for codec in CODECS {
                let body = client.ask(&produce_request("t", 0, 1, set(magic, codec)), version);
                let told = produced(&body, version);
                assert_eq!((told.error, told.base_offset), (0, base), "produce {version} v{magic} {codec}");
                let (_, bytes) = fetch(&mut client, 4, &fetch_request("t", 0, base, 0));
                let stored = Batches::new(&bytes).next().unwrap();
                stored.verify_crc().unwrap();
                assert_eq!((stored.header.count, stored.header.attributes.codec()), (10, Some(codec)));
                let max = if magic == 0 { -1 } else { TIME + 9 };
                assert_eq!(stored.header.max_timestamp, Timestamp(max));
                for version in 0..=3 {
                    let (error, set) = fetch(&mut client, version, &fetch_request("t", 0, base, 0));
                    let timestamps = version >= 2 && magic == 1;
                    assert_eq!(
                        (error, read(&set)),
                        (0, expected(base, timestamps)),
                        "fetch {version} {codec}"
                    );
                    let first = Messages::new(&set).next_message().unwrap().unwrap();
                    assert_eq!((first.magic, first.codec()), (i8::from(version >= 2), Ok(codec)));
                }
                base += 10;
            }
        }
    }
}

#[test]
fn what_today_s_clients_write_is_read_without_headers() {
    let (_directory, node) = node(&[], &["t", "zstd"]);
    let mut client = node.connect();
    for (place, codec) in CODECS.into_iter().enumerate() {
        let base = place as i64 * 10;
        assert_eq!(client.produce("t", 0, batch(codec)).base_offset, base);
        for version in 0..=3 {
            let (_, set) = fetch(&mut client, version, &fetch_request("t", 0, base, 0));
            assert_eq!(read(&set), expected(base, version >= 2), "fetch {version} {codec}");
            let (_, set) = fetch(&mut client, version, &fetch_request("t", 0, base + 4, 0));
            assert_eq!(read(&set)[..], expected(base, version >= 2)[4..], "from the middle");
        }
    }
    client.produce("zstd", 0, batch(Codec::Zstd));
    for version in 0..=3 {
        let (error, set) = fetch(&mut client, version, &fetch_request("zstd", 0, 0, 0));
        assert_eq!((error, set.len()), (76, 0), "UNSUPPORTED_COMPRESSION_TYPE");
    }
}

#[test]
fn an_old_reader_gets_on_with_any_bound_and_sees_what_is_too_large_for_it() {
    let (_directory, node) = node(&[], &["t"]);
    let mut client = node.connect();
    client.produce("t", 0, batch(Codec::None));
    client.produce("t", 0, batch(Codec::Gzip));
    for version in 0..=3 {
        let (mut from, mut all) = (0, Vec::new());
        while all.len() < 20 {
            let partition =
                FetchPartition { fetch_offset: from, partition_max_bytes: 130, ..FetchPartition::default() };
            let topic =
                FetchTopic { topic: "t".into(), partitions: vec![partition].into(), ..FetchTopic::default() };
            let request = FetchRequest {
                min_bytes: 1,
                max_bytes: 130,
                topics: vec![topic].into(),
                ..FetchRequest::default()
            };
            let (error, set) = fetch(&mut client, version, &request);
            assert!(error == 0 && set.len() <= 130, "fetch {version}: {}", set.len());
            let records = read(&set);
            from = records.last().unwrap().0 + 1;
            all.extend(records);
        }
        let timestamps = version >= 2;
        assert_eq!(all, [expected(0, timestamps), expected(10, timestamps)].concat(), "fetch {version}");
    }
    let mut request = fetch_request("t", 0, 1, 0);
    let mut topics = request.topics.into_vec();
    let mut partitions = topics[0].partitions.iter().collect::<Vec<_>>();
    partitions[0].partition_max_bytes = 20;
    topics[0].partitions = partitions.into();
    request.topics = topics.into();
    let (_, set) = fetch(&mut client, 2, &request);
    let length = i32::from_be_bytes(*set[8..].first_chunk().unwrap()) as usize;
    assert!(set.len() == 20 && length + LOG_OVERHEAD > set.len(), "the beginning of a message");
    let (_, set) = fetch(&mut client, 3, &request);
    assert_eq!(read(&set).len(), 1, "version 3 sends it whole");
}

#[test]
fn a_set_that_is_refused_says_why() {
    let (_directory, node) = node(&[("message.max.bytes", "1000")], &["t"]);
    let mut client = node.connect();
    let mut ask = |records: Vec<u8>| {
        let body = client.ask(&produce_request("t", 0, 1, records), 2);
        let told = produced(&body, 2);
        (told.error, told.base_offset)
    };
    let mut broken = set(1, Codec::None);
    broken[20] ^= 1;
    assert_eq!(ask(broken), (2, -1), "CORRUPT_MESSAGE");
    assert_eq!(ask([set(1, Codec::None), set(0, Codec::None)].concat()), (87, -1), "INVALID_RECORD");
    assert_eq!(ask([set(1, Codec::Gzip), set(1, Codec::Gzip)].concat()), (87, -1), "INVALID_RECORD");
    assert_eq!(ask(set(1, Codec::None).repeat(10)), (10, -1), "MESSAGE_TOO_LARGE");
    assert_eq!(ask(Vec::new()), (0, -1), "nothing to append is no error");
    assert_eq!(ask(set(1, Codec::None)[..20].to_vec()), (0, -1));
    assert_eq!(ask(set(1, Codec::None)), (0, 0));
}

#[test]
fn topics_with_a_codec_and_a_clock_of_their_own_apply_them() {
    let settings = [("compression.type", "lz4"), ("log.message.timestamp.type", "LogAppendTime")];
    let (_directory, node) = node(&settings, &["t"]);
    let mut client = node.connect();
    let body = client.ask(&produce_request("t", 0, 1, set(0, Codec::Gzip)), 0);
    assert_eq!(produced(&body, 0).error, 0);
    let (_, set) = fetch(&mut client, 3, &fetch_request("t", 0, 0, 0));
    let wrapper = Messages::new(&set).next_message().unwrap().unwrap();
    assert_eq!((wrapper.codec(), wrapper.timestamp_type()), (Ok(Codec::Lz4), TimestampType::LogAppendTime));
    assert!(read(&set).iter().all(|record| record.1 > TIME));
}

#[test]
fn offsets_are_listed_as_segments_have_them() {
    let (_directory, node) = node(&[], &["t", "empty"]);
    let mut client = node.connect();
    client.produce("t", 0, batch(Codec::None));
    let mut list_of = |name: &'static str, timestamp, max_num_offsets, partition_index| {
        let partition = ListOffsetsPartition {
            partition_index,
            timestamp,
            max_num_offsets,
            ..ListOffsetsPartition::default()
        };
        let topic = ListOffsetsTopic { name: name.into(), partitions: vec![partition].into() };
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![topic].into(),
            ..ListOffsetsRequest::default()
        };
        let body = client.ask(&request, 0);
        let response = ListOffsetsResponse::decode(&body, 0).unwrap();
        let topic = response.topics.iter().next().unwrap();
        let partition = topic.partitions.iter().next().unwrap();
        (partition.error_code, partition.old_style_offsets.iter().collect::<Vec<_>>())
    };
    assert_eq!(list_of("empty", i64::MAX, 5, 0), (0, vec![0]), "there may be no file yet");
    assert_eq!(list_of("empty", 1, 5, 0), (0, vec![]));
    let mut list = |timestamp, most, index| list_of("t", timestamp, most, index);
    assert_eq!(list(-1, 1, 0), (0, vec![10]));
    assert_eq!(list(-1, 5, 0), (0, vec![10, 0]));
    assert_eq!(list(-2, 5, 0), (0, vec![0]));
    assert_eq!(list(1, 5, 0), (0, vec![]));
    assert_eq!(list(-1, 1, 9), (3, vec![]));
}
