//! The fingerprint of topics: a group that finds another one than it recorded assigns anew (KIP-1101).
//!
//! It is XXH3 over a topic's id, name, partitions and the racks of their replicas, as Kafka computes it since 4.1, so that
//! a group that another broker recorded is not made to rebalance by moving here.

use std::collections::BTreeMap;
use std::sync::Arc;

use metadata::Image;
use protocol::id::TopicId;
use twox_hash::XxHash3_64;

/// The form of what is hashed.
const MAGIC: u8 = 0;

/// The fingerprint of a topic; none where there is no topic of this name.
fn topic_hash(image: &Image, name: &str) -> Option<i64> {
    let topic = image.topics.by_name(name)?;
    let racks = topic.partitions.iter().map(|partition| {
        let brokers = partition.replicas.iter().filter_map(|id| image.cluster.broker(*id));
        brokers.filter_map(|broker| broker.rack.as_deref()).collect()
    });
    Some(hash_of(topic.id, name, racks.collect()))
}

/// The fingerprint of several topics by name; those that are not there do not count.
pub fn hash_of_topics<'n>(names: impl Iterator<Item = &'n Arc<str>>, image: &Image) -> i64 {
    group_hash(&names.filter_map(|name| Some((name.clone(), topic_hash(image, name)?))).collect())
}

/// The fingerprint of several topics by name; 0 for none.
pub(super) fn group_hash(hashes: &BTreeMap<Arc<str>, i64>) -> i64 {
    if hashes.is_empty() {
        return 0;
    }
    let bytes: Vec<u8> = hashes.values().flat_map(|hash| hash.to_le_bytes()).collect();
    XxHash3_64::oneshot(&bytes).cast_signed()
}

/// What is hashed of a topic. Numbers have their lowest byte first.
#[derive(Default)]
struct Hashed(Vec<u8>);

impl Hashed {
    fn number(&mut self, number: usize) {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// Text as its UTF-16 units, then how many there are.
    fn text(&mut self, text: &str) {
        let begin = self.0.len();
        self.0.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        self.number((self.0.len() - begin) / 2);
    }
}

pub(super) fn hash_of(id: TopicId, name: &str, racks: Vec<Vec<&str>>) -> i64 {
    let mut hashed = Hashed(vec![MAGIC]);
    let (high, low) = id.0.split_at(8);
    hashed.0.extend(high.iter().rev().chain(low.iter().rev()));
    hashed.text(name);
    hashed.number(racks.len());
    for (index, mut racks) in racks.into_iter().enumerate() {
        hashed.number(index);
        racks.sort_unstable();
        for rack in racks {
            hashed.number(rack.encode_utf16().count());
            hashed.text(rack);
        }
    }
    XxHash3_64::oneshot(&hashed.0).cast_signed()
}
