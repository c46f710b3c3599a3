//! Segments that Apache Kafka 4.4 wrote for librdkafka and for the Java client, with every codec.

use crate::id::Timestamp;
use crate::offset::Offset;
use crate::records::batches::{Batch, Batches};
use crate::records::build::{BatchBuilder, BatchOptions};
use crate::records::compression::{Codec, Compressors, Decompressors, walk_compressed};
use crate::records::record::{Header, Records};
use crate::records::walk::{Announced, walk};

fn golden(client: &str, codec: Codec) -> Vec<u8> {
    let path = format!("{}/tests/golden/records/{client}-{codec}.bin", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

fn payload(batch: &Batch<'_>) -> Vec<u8> {
    let mut states = Decompressors::default();
    let codec = batch.header.attributes.codec().unwrap();
    let mut stream = states.start(codec, batch.payload(), 1 << 20).unwrap();
    let mut out = Vec::new();
    loop {
        let step = stream.next_step().unwrap();
        if step.is_empty() {
            return out;
        }
        out.extend_from_slice(step);
    }
}

/// Checks what every batch of the log must be, and hands its plain records on.
fn each_batch(log: &[u8], mut see: impl FnMut(&Batch<'_>, &[u8])) {
    let mut batches = Batches::new(log);
    let mut next = Offset(0);
    while let Some(batch) = batches.next_batch().unwrap() {
        batch.verify_crc().unwrap();
        assert_eq!(batch.header.base_offset, next);
        next = batch.header.next_offset();
        let announced = Announced {
            count: batch.header.count,
            base_timestamp: batch.header.base_timestamp,
            record_bytes_max: u32::MAX,
        };
        let plain = payload(&batch);
        let walked = walk(&plain, announced).unwrap();
        assert_eq!(walked.max_timestamp, batch.header.max_timestamp);
        assert!(walked.offsets_consecutive);
        let codec = batch.header.attributes.codec().unwrap();
        let mut states = Decompressors::default();
        let mut stream = states.start(codec, batch.payload(), 1 << 20).unwrap();
        assert_eq!(walk_compressed(&mut stream, announced, |_, _| {}), Ok(walked));
        see(&batch, &plain);
    }
    assert_eq!(batches.position(), log.len());
}

#[test]
fn what_librdkafka_sent_is_read_with_every_codec() {
    for codec in Codec::ALL {
        let mut number = 0;
        each_batch(&golden("librdkafka", codec), |batch, plain| {
            assert_eq!(batch.header.attributes.codec(), Some(codec));
            for record in Records::new(plain, batch.header.count) {
                let record = record.unwrap();
                number += 1;
                let value = format!("value {number} of codec {codec}, with words that repeat and repeat");
                assert_eq!(record.key, Some(format!("key{}", number % 7).as_bytes()));
                assert_eq!(record.value, Some(value.as_bytes()));
                let headers: Vec<_> = record.headers.iter().collect();
                assert_eq!(headers[0], Header { key: b"h1", value: Some(b"v1") });
                assert_eq!(headers[1].key, b"empty");
            }
        });
        assert_eq!(number, 50, "{codec}");
    }
}

#[test]
fn what_the_java_client_sent_is_read_with_every_codec() {
    for codec in Codec::ALL {
        let mut number = 0;
        each_batch(&golden("java", codec), |batch, plain| {
            if batch.header.attributes.is_control() {
                return;
            }
            assert!(batch.header.has_producer_id());
            for record in Records::new(plain, batch.header.count) {
                let record = record.unwrap();
                let place = number % 20;
                let value = format!("java value {place} of round {}", number / 20);
                let key = format!("key{place}");
                assert_eq!(record.key, (place % 5 != 0).then_some(key.as_bytes()));
                assert_eq!(record.value, (place % 7 != 0).then_some(value.as_bytes()));
                let timestamp = batch.header.base_timestamp.0 + record.timestamp_delta;
                assert_eq!(timestamp, 1_700_000_000_000 + place * 10 - place % 3);
                let headers: Vec<_> = record.headers.iter().collect();
                assert_eq!(headers[1], Header { key: b"null", value: None });
                number += 1;
            }
        });
        assert_eq!(number, 60, "{codec}");
    }
}

#[test]
fn plain_batches_built_anew_are_the_same_bytes() {
    for client in ["java", "librdkafka"] {
        each_batch(&golden(client, Codec::None), |batch, plain| {
            let header = batch.header;
            let mut builder = BatchBuilder::new(BatchOptions {
                base_offset: header.base_offset,
                leader_epoch: header.leader_epoch,
                producer: (header.producer_id, header.producer_epoch, header.base_sequence),
                transactional: header.attributes.is_transactional(),
                control: header.attributes.is_control(),
                ..BatchOptions::default()
            });
            for record in Records::new(plain, header.count) {
                let record = record.unwrap();
                let timestamp = Timestamp(header.base_timestamp.0 + record.timestamp_delta);
                let headers: Vec<_> = record.headers.iter().collect();
                builder.push(timestamp, record.key, record.value, &headers);
            }
            assert_eq!(builder.finish(&mut Compressors::default()).unwrap(), batch.bytes);
        });
    }
}
