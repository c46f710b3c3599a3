//! Batches that were made of message sets: judged by what was seen when they were made, without unpacking them.

use proptest::prelude::*;
use protocol::records::compression::Compression;
use protocol::records::legacy::{
    LegacyBuilder, LegacyOptions, LegacyScratch, UpConversion, UpConverted, convert_to_v2,
};
use protocol::records::record::RecordError;

use super::*;

/// Codecs of those years.
const CODECS: [Codec; 4] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4];

/// A message set and what becomes of it.
#[derive(Clone, Debug)]
struct Set {
    options: LegacyOptions,
    target: Option<Compression>,
    /// Of each record the timestamp, the key's length and the value's.
    records: Vec<(i64, Option<usize>, Option<usize>)>,
}

impl Set {
    fn bytes(&self) -> Vec<u8> {
        let mut builder = LegacyBuilder::new(self.options);
        for (place, &(timestamp, key, value)) in self.records.iter().enumerate() {
            let (key, value) = (key.map(|length| vec![b'k'; length]), value.map(|length| vec![b'v'; length]));
            let timestamp = if self.options.magic == 0 { Timestamp::NONE } else { Timestamp(timestamp) };
            builder.push(Offset(place as i64), timestamp, key.as_deref(), value.as_deref());
        }
        builder.finish(&mut Compressors::default()).unwrap()
    }

    fn convert(&self, scratch: &mut LegacyScratch) -> (Vec<u8>, UpConverted) {
        let conversion = UpConversion {
            compression: self.target,
            message_bytes_max: 1 << 20,
            decompressed_bytes_max: 1 << 30,
        };
        let mut batch = Vec::new();
        let compressors = &mut Compressors::default();
        let converted = convert_to_v2(&self.bytes(), &conversion, scratch, compressors, &mut batch);
        (batch, converted.unwrap().unwrap())
    }
}

fn sets() -> impl Strategy<Value = Set> {
    let near = |span: i64| NOW.0 - span..=NOW.0 + span;
    let timestamp = prop_oneof![4 => near(100), 2 => near(2000), 1 => Just(-1)];
    let length = |most: usize| prop_oneof![9 => (0..most).prop_map(Some), 1 => Just(None)];
    let records = prop::collection::vec((timestamp, length(9), length(90)), 1..12);
    let codec = || prop::sample::select(&CODECS[..]);
    (0..2_i8, codec(), any::<bool>(), prop::option::of(codec()), records).prop_map(
        |(magic, codec, stamped, target, records)| {
            let stamped = stamped && magic == 1;
            let timestamp_type =
                if stamped { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
            let options = LegacyOptions { magic, compression: codec.into(), timestamp_type };
            Set { options, target: target.map(Compression::from), records }
        },
    )
}

fn rules() -> impl Strategy<Value = AppendRules> {
    (any::<[bool; 5]>()).prop_map(|[compacted, narrow, small, stamped, header]| AppendRules {
        compacted,
        timestamp_before_max: Millis(if narrow { 1000 } else { i64::MAX }),
        timestamp_after_max: Millis(if narrow { 1000 } else { i64::MAX }),
        decompressed_record_bytes_max: if small { 50 } else { u32::MAX },
        timestamp_type: if stamped { TimestampType::LogAppendTime } else { TimestampType::CreateTime },
        compressed_validation: if header { CompressedValidation::Header } else { CompressedValidation::Full },
        ..AppendRules::default()
    })
}

/// A walk stops at the first record that is too long, and does not know of a longer one.
fn any_length(refusal: AppendRefusal) -> AppendRefusal {
    match refusal {
        AppendRefusal::Records(RecordError::TooLarge { max, .. }) => {
            AppendRefusal::Records(RecordError::TooLarge { length: 0, max })
        }
        other => other,
    }
}

proptest! {
    #[test]
    fn the_verdict_is_that_of_a_walk(set in sets(), rules in rules()) {
        let (batch, converted) = set.convert(&mut LegacyScratch::default());
        let mut leader = Leader::with(rules);
        let (mut walked, mut known) = (batch.clone(), batch);
        let expected = leader.decide(CLIENT, &mut walked).map_err(any_length);
        let decided = leader.decide(Origin::Converted(converted), &mut known).map_err(any_length);
        prop_assert_eq!(decided, expected);
        prop_assert_eq!(walked, known);
    }
}

#[test]
fn a_compressed_set_is_unpacked_once() {
    let records: Vec<_> = (0..100).map(|place| (NOW.0 + place, Some(8), Some(500))).collect();
    for magic in [0, 1] {
        for codec in CODECS {
            let options =
                LegacyOptions { magic, compression: codec.into(), timestamp_type: TimestampType::CreateTime };
            let set = Set { options, target: None, records: records.clone() };
            let plain = LegacyOptions { compression: Codec::None.into(), ..options };
            let inside = Set { options: plain, ..set.clone() }.bytes().len() as u64;
            let mut scratch = LegacyScratch::default();
            let (batch, converted) = set.convert(&mut scratch);
            let mut leader = Leader::with(AppendRules { compacted: true, ..AppendRules::default() });
            leader.append(Origin::Converted(converted), &batch).unwrap();
            let unpacked = scratch.decompressed_total() + leader.scratch.decompressors.output_total();
            let once = if codec == Codec::None { 0 } else { inside };
            assert_eq!(unpacked, once, "v{magic} {codec}: {inside} bytes are inside");
        }
    }
}
