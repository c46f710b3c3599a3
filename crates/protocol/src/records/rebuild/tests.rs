use super::*;
use crate::id::{LeaderEpoch, ProducerEpoch, ProducerId, Sequence};
use crate::offset::Offset;
use crate::records::batches::Batches;
use crate::records::build::{BatchBuilder, BatchOptions};
use crate::records::record::Header;

fn options(codec: Codec) -> BatchOptions {
    BatchOptions {
        compression: codec.into(),
        base_offset: Offset(100),
        leader_epoch: LeaderEpoch(4),
        producer: (ProducerId(9), ProducerEpoch(1), Sequence(50)),
        transactional: true,
        ..BatchOptions::default()
    }
}

/// Records of which one spans the steps of decompression.
fn batch(options: BatchOptions) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options);
    let large: Vec<u8> = (0..300_000_u32).map(|at| (at.wrapping_mul(7919) >> 3) as u8).collect();
    builder.push(Timestamp(1000), Some(b"a"), Some(b"first"), &[]);
    builder.push(Timestamp(900), Some(b"b"), Some(&large), &[Header { key: b"h", value: None }]);
    builder.push(Timestamp(1100), Some(b"c"), None, &[]);
    builder.push(Timestamp(1050), None, Some(b"last"), &[Header { key: b"k", value: Some(b"v") }]);
    builder.finish(&mut Compressors::default()).unwrap()
}

type Seen = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

fn seen(bytes: &[u8]) -> Vec<Seen> {
    let batch = Batches::new(bytes).next().unwrap();
    batch.verify_crc().unwrap();
    assert_eq!(batch.bytes.len(), bytes.len());
    let mut all = Vec::new();
    let see = |record: &Record<'_>| {
        let headers = record.headers.iter().map(|it| (it.key.to_vec(), it.value.map(<[u8]>::to_vec)));
        let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
        let offset = batch.header.base_offset.0 + i64::from(record.offset_delta);
        all.push((offset, timestamp_of(&batch.header, record).0, key, value, headers.collect()));
        Ok(())
    };
    RecordReader::default().each(&batch, 1 << 30, see).unwrap();
    all
}

fn rebuilt(bytes: &[u8], horizon: Option<Timestamp>, keep: &[i32]) -> Vec<u8> {
    let batch = Batches::new(bytes).next().unwrap();
    let mut compressors = Compressors::default();
    let mut out = b"before".to_vec();
    let rebuild = Rebuild { header: batch.header, delete_horizon: horizon };
    let mut building = rebuild.start(&mut compressors, &mut out).unwrap();
    let see = |record: &Record<'_>| {
        if keep.contains(&record.offset_delta) {
            building.push(timestamp_of(&batch.header, record), record).unwrap();
        }
        Ok(())
    };
    RecordReader::default().each(&batch, 1 << 30, see).unwrap();
    building.finish().unwrap();
    out.split_off(6)
}

#[test]
fn what_stays_is_as_it_was() {
    for codec in Codec::ALL {
        let original = batch(options(codec));
        let (before, all) = (Batches::new(&original).next().unwrap().header, seen(&original));
        for keep in [&[0, 1, 2, 3][..], &[1, 3], &[2], &[3]] {
            let bytes = rebuilt(&original, None, keep);
            let expected: Vec<_> = keep.iter().map(|&at| all[at as usize].clone()).collect();
            assert_eq!(seen(&bytes), expected, "{codec} {keep:?}");
            let after = Batches::new(&bytes).next().unwrap().header;
            let largest = expected.iter().map(|record| record.1).max().unwrap();
            assert_eq!(after.base_timestamp, Timestamp(expected[0].1));
            assert_eq!((after.max_timestamp, after.count), (Timestamp(largest), keep.len() as i32));
            let kept = |header: &BatchHeader| {
                let BatchHeader { base_offset, last_offset_delta, leader_epoch, attributes, .. } = *header;
                let producer = (header.producer_id, header.producer_epoch, header.base_sequence);
                (base_offset, last_offset_delta, leader_epoch, attributes, producer)
            };
            assert_eq!(kept(&after), kept(&before));
        }
    }
}

#[test]
fn a_delete_horizon_takes_the_place_of_the_base_timestamp() {
    for codec in [Codec::None, Codec::Zstd] {
        let original = batch(options(codec));
        let bytes = rebuilt(&original, Some(Timestamp(5_000_000)), &[0, 2]);
        let header = Batches::new(&bytes).next().unwrap().header;
        assert!(header.attributes.has_delete_horizon());
        assert_eq!(header.base_timestamp, Timestamp(5_000_000));
        assert_eq!(header.max_timestamp, Timestamp(1100));
        assert_eq!(seen(&bytes).iter().map(|record| record.1).collect::<Vec<_>>(), [1000, 1100]);
    }
}

#[test]
fn the_leaders_stamp_stays_on_all() {
    let original = batch(BatchOptions { log_append_time: Some(Timestamp(7777)), ..options(Codec::Gzip) });
    let bytes = rebuilt(&original, None, &[1]);
    let header = Batches::new(&bytes).next().unwrap().header;
    assert_eq!((header.base_timestamp, header.max_timestamp), (Timestamp(7777), Timestamp(7777)));
    assert_eq!(seen(&bytes)[0].1, 7777);
}

#[test]
fn an_empty_batch_keeps_offsets_sequence_and_producer() {
    let original = batch(options(Codec::Lz4));
    let before = Batches::new(&original).next().unwrap().header;
    let mut out = Vec::new();
    Rebuild { header: before, delete_horizon: None }.empty(&mut out);
    let batch = Batches::new(&out).next().unwrap();
    batch.verify_crc().unwrap();
    let after = batch.header;
    assert_eq!((out.len(), after.count), (BATCH_OVERHEAD, 0));
    assert_eq!((after.base_offset, after.last_offset()), (before.base_offset, before.last_offset()));
    assert_eq!(after.last_sequence(), before.last_sequence());
    assert_eq!((after.base_timestamp, after.max_timestamp), (Timestamp::NONE, before.max_timestamp));
    assert_eq!(after.attributes.codec(), Some(Codec::None));
    assert!(after.attributes.is_transactional());
    assert!(seen(&out).is_empty());
}

#[test]
fn broken_streams_are_refused() {
    let original = batch(options(Codec::Snappy));
    let mut header = Batches::new(&original).next().unwrap().header;
    for count in [3, 5] {
        header.count = count;
        let bytes = [&header.write()[..], &original[BATCH_OVERHEAD..]].concat();
        let batch = Batches::new(&bytes).next().unwrap();
        RecordReader::default().each(&batch, 1 << 30, |_| Ok(())).unwrap_err();
    }
    let batch = Batches::new(&original).next().unwrap();
    RecordReader::default().each(&batch, 1000, |_| Ok(())).unwrap_err();
}
