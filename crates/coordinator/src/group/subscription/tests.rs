use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use protocol::id::Uuid;

use super::topic_hash::{group_hash, hash_of};
use super::{Pattern, PatternError};

/// The names that `re2j.txt` tells the matches of.
const NAMES: [&str; 21] = [
    "a", "b", "ab", "aa", "foo", "bar", "foo-1", "foo.bar", "x_1", "A", "9", "foo[1", "[", "&", "-", "~",
    "t1", "abab", "abc", " ", "\\",
];

/// What RE2/J 1.8, the library that Kafka 4.4 uses, makes of expressions: refuses them, or matches these names wholly.
#[test]
fn expressions_mean_what_they_mean_to_re2j() {
    let golden = include_str!("../../../tests/golden/re2j.txt");
    let mut differing = Vec::new();
    let mut count = 0;
    for line in golden.lines() {
        let mut fields = line.split('\t');
        let (text, expected) = (fields.next().unwrap(), fields.collect::<Vec<_>>());
        let found = match Pattern::compile(text) {
            Err(_) => vec!["refused"],
            Ok(pattern) => NAMES.into_iter().filter(|name| pattern.matches(name)).collect(),
        };
        if found != expected {
            differing
                .push(format!("{text}: RE2/J says {expected:?}, we {found:?} {:?}", Pattern::compile(text)));
        }
        count += 1;
    }
    assert!(count > 1000, "only {count} expressions");
    assert!(differing.is_empty(), "{} of {count}:\n{}", differing.len(), differing.join("\n"));
}

#[test]
fn what_would_blow_up_is_refused() {
    let nested = format!("{}a{}", "(".repeat(100_000), ")".repeat(100_000));
    for text in ["(a{1000}){1000}", "((a{1000}){1000}){1000}", &nested] {
        assert_eq!(Pattern::compile(text).unwrap_err(), PatternError::TooLarge, "{}", &text[..10]);
    }
}

#[test]
fn matching_takes_time_in_proportion_to_the_name() {
    let name = "a".repeat(200_000);
    for text in ["(a*)*b", "(a|aa)+b", "(.*)*(.*)*(.*)*b", "(a?){200}a{200}b"] {
        assert!(!Pattern::compile(text).unwrap().matches(&name));
    }
}

#[test]
fn fingerprints_are_kafkas() {
    let mut id = [0; 16];
    id[7] = 1;
    id[15] = 2;
    let empty = hash_of(Uuid(id), "t", Vec::new());
    assert_eq!(empty, 5_248_011_103_051_781_290);
    let orders = Uuid(std::array::from_fn(|at| u8::try_from(at + 1).unwrap()));
    assert_eq!(hash_of(orders, "orders", vec![vec![]]), -4_897_732_353_853_479_409);
    let racks = vec![vec!["rack2", "rack1"], vec!["rack1", "rack1"], vec![]];
    assert_eq!(hash_of(orders, "orders", racks), -2_622_438_355_108_630_397);
    let mut id = [0xff; 16];
    id[8..].copy_from_slice(&5_u64.to_be_bytes());
    let many = hash_of(Uuid(id), "a-topic.with_a-longer-name", vec![vec![]; 100]);
    assert_eq!(many, -5_822_530_725_587_192_597);
    let group: BTreeMap<Arc<str>, i64> = [(Arc::from("a"), empty), (Arc::from("b"), 7)].into();
    assert_eq!(group_hash(&group), 8_705_815_746_956_631_178);
    assert_eq!(group_hash(&BTreeMap::new()), 0);
}

proptest! {
    #[test]
    fn no_text_does_harm(text in "[ab(){}\\[\\]*+?|^$.,:<>=!PpQEidsxU0-9\\\\-]{0,60}|\\PC{0,40}", name in "[a-z._-]{0,20}") {
        if let Ok(pattern) = Pattern::compile(&text) {
            pattern.matches(&name);
        }
    }
}
