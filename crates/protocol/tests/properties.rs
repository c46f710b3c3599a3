//! What holds of every message in every version: what is read is written again to the byte, what is cut short is
//! refused, and no bytes at all bring decoding down.

mod model;

use model::Entropy;
use proptest::collection::vec;
use proptest::prelude::*;
use protocol::messages::catalogue::{self, Entry};

/// A message of this kind and version, made from `entropy`.
fn bytes_of(entry: &Entry, version: i16, entropy: &[u8]) -> Vec<u8> {
    let model = model::fields(entry.schema.fields, version, &mut Entropy::new(entropy));
    let mut bytes = Vec::new();
    let flexible = entry.schema.flexible.contains(version);
    model::write(entry.schema.fields, &model, version, flexible, &mut bytes);
    bytes
}

fn every_version() -> impl Iterator<Item = (&'static Entry, i16)> {
    catalogue::all().flat_map(|entry| entry.schema.versions.iter().map(move |version| (entry, version)))
}

/// As many cases as PROPTEST_CASES says; without it few, since each goes through every version of every message.
fn config() -> ProptestConfig {
    let few = ProptestConfig::with_cases(64);
    if std::env::var_os("PROPTEST_CASES").is_some() { ProptestConfig::default() } else { few }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_message_and_version_is_written_as_it_was_read(entropy in vec(any::<u8>(), 0..400)) {
        let mut again = Vec::new();
        for (entry, version) in every_version() {
            let name = entry.schema.name;
            let bytes = bytes_of(entry, version, &entropy);
            again.clear();
            let outcome = (entry.recode)(&bytes, version, &mut again);
            prop_assert_eq!(outcome, Ok(Ok(())), "{} {}", name, version);
            prop_assert_eq!(&again, &bytes, "{} {}", name, version);
            again.clear();
            prop_assert_eq!((entry.copy)(&bytes, version, &mut again), Ok(true), "copy of {} {}", name, version);
            prop_assert_eq!(&again, &bytes, "copy of {} {}", name, version);
        }
    }

    #[test]
    fn every_message_cut_short_is_refused(entropy in vec(any::<u8>(), 0..120)) {
        for (entry, version) in every_version() {
            let bytes = bytes_of(entry, version, &entropy);
            // Every place near the end, and a few before.
            let places = (0..bytes.len()).rev().take(12).chain((0..bytes.len()).step_by(41));
            for place in places {
                let refused = (entry.decode)(&bytes[..place], version).is_err();
                prop_assert!(refused, "{} {} cut to {} of {}", entry.schema.name, version, place, bytes.len());
            }
        }
    }

    #[test]
    fn no_bytes_bring_decoding_down(
        entropy in vec(any::<u8>(), 0..200),
        noise in vec(any::<u8>(), 0..200),
        places in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut out = Vec::new();
        for (entry, version) in every_version() {
            let mut bytes = bytes_of(entry, version, &entropy);
            if !bytes.is_empty() {
                places.iter().for_each(|(place, byte)| *place.get_mut(&mut bytes) = *byte);
            }
            for bytes in [&bytes, &noise] {
                out.clear();
                // Sound or not, what is read can be iterated, copied and compared.
                if (entry.decode)(bytes, version).is_ok() {
                    prop_assert!((entry.recode)(bytes, version, &mut out).is_ok());
                    prop_assert!((entry.copy)(bytes, version, &mut out).is_ok());
                }
            }
        }
    }
}

#[test]
fn versions_beyond_the_declared_ones_are_refused() {
    for entry in catalogue::all() {
        for version in [i16::MIN, -1, entry.schema.versions.last + 1, i16::MAX] {
            let bytes = [0; 64];
            assert!((entry.decode)(&bytes, version).is_err(), "{} {version}", entry.schema.name);
            assert!((entry.encode_default)(version, &mut Vec::new()).is_err());
        }
    }
}

#[test]
fn defaults_are_written_and_read_in_every_current_version() {
    for (entry, version) in every_version() {
        let mut bytes = Vec::new();
        // In versions before null was allowed, a default of null has no bytes.
        if (entry.encode_default)(version, &mut bytes).is_ok() {
            assert_eq!((entry.decode)(&bytes, version), Ok(()), "{} {version}", entry.schema.name);
        }
    }
}
