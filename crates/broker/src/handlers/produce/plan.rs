//! What a Produce request asks for, by positions in its frame: a batch is patched where it lies, so nothing may
//! borrow the frame while it is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use protocol::id::{PartitionIndex, TopicId};
use protocol::messages::ProduceRequest;
use protocol::messages::produce::TopicProduceData;
use protocol::records::batch::BatchHeader;

/// Up to so many topics or partitions, looking through them costs less than a table of them.
const FEW: usize = 8;

/// The partitions of a request, grouped by topic. Kept from request to request for its memory.
#[derive(Debug, Default)]
pub struct Plan {
    /// The topics that have partitions, each once.
    pub topics: Vec<Topic>,
    /// The partitions, those of a topic together.
    pub partitions: Vec<Partition>,
    /// Whether any batch is part of a transaction.
    pub transactional: bool,
}

/// A topic of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topic {
    /// Where its name stands in the frame.
    Name(Range<usize>),
    /// Its id.
    Id(TopicId),
}

/// A partition of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The place of its topic in the plan.
    pub topic: usize,
    /// Its index.
    pub index: PartitionIndex,
    /// Where its records stand in the frame; empty for none.
    pub records: Range<usize>,
}

impl Plan {
    /// Plans a request that was decoded from `body`. As in Kafka, a partition named twice is taken the last
    /// time, and a topic without partitions is passed over.
    pub fn fill(&mut self, body: &[u8], request: &ProduceRequest<'_>, topic_ids: bool) {
        self.topics.clear();
        self.partitions.clear();
        self.transactional = false;
        let mut topics = Places::new(request.topic_data.len());
        let named = request.topic_data.iter().map(|topic| topic.partition_data.len()).sum();
        let mut partitions = Places::new(named);
        for topic in &request.topic_data {
            if topic.partition_data.is_empty() {
                continue;
            }
            let key = Key::of(&topic, topic_ids);
            let place = topics.place(&key, self.topics.len(), |other| match (&self.topics[other], &key) {
                (Topic::Name(range), Key::Name(name)) => &body[range.clone()] == name.as_bytes(),
                (Topic::Id(id), Key::Id(other)) => id == other,
                _ => false,
            });
            if place == self.topics.len() {
                self.topics.push(match &key {
                    Key::Id(id) => Topic::Id(*id),
                    Key::Name(_) => Topic::Name(range_in(body, topic.name.as_bytes())),
                });
            }
            for partition in &topic.partition_data {
                let records = partition.records.as_deref().unwrap_or_default();
                self.transactional |= BatchHeader::parse_prefix(records)
                    .is_ok_and(|header| header.attributes.is_transactional());
                let index = PartitionIndex(partition.index);
                let planned = Partition { topic: place, index, records: range_in(body, records) };
                let before = partitions.place(&(place, index), self.partitions.len(), |other| {
                    self.partitions[other].topic == place && self.partitions[other].index == index
                });
                match self.partitions.get_mut(before) {
                    Some(earlier) => *earlier = planned,
                    None => self.partitions.push(planned),
                }
            }
        }
        if !self.partitions.is_sorted_by_key(|partition| partition.topic) {
            self.partitions.sort_by_key(|partition| partition.topic);
        }
    }
}

#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Name(Cow<'a, str>),
    Id(TopicId),
}

impl<'a> Key<'a> {
    fn of(topic: &TopicProduceData<'a>, topic_ids: bool) -> Self {
        if topic_ids { Self::Id(topic.topic_id) } else { Self::Name(topic.name.clone()) }
    }
}

/// Where keys stand: found by looking through a few, by a table among many.
struct Places<K>(Option<HashMap<u64, Vec<usize>>>, std::marker::PhantomData<K>);

impl<K: std::hash::Hash> Places<K> {
    fn new(expected: usize) -> Self {
        Self((expected > FEW).then(HashMap::new), std::marker::PhantomData)
    }

    /// The place of a key among `count`, by `is`; `count` if it is new.
    fn place(&mut self, key: &K, count: usize, is: impl Fn(usize) -> bool) -> usize {
        let Some(table) = &mut self.0 else {
            return (0..count).find(|&place| is(place)).unwrap_or(count);
        };
        let hash = std::hash::BuildHasher::hash_one(table.hasher(), key);
        let places = table.entry(hash).or_default();
        if let Some(place) = places.iter().copied().find(|&place| is(place)) {
            return place;
        }
        places.push(count);
        count
    }
}

/// Where a slice of the frame lies in it. An empty one may lie anywhere.
fn range_in(frame: &[u8], slice: &[u8]) -> Range<usize> {
    if slice.is_empty() {
        return 0..0;
    }
    let start = slice.as_ptr().addr().wrapping_sub(frame.as_ptr().addr());
    assert!(start < frame.len() && slice.len() <= frame.len() - start, "decoding borrows from the frame");
    start..start + slice.len()
}

#[cfg(test)]
mod tests {
    use protocol::id::{Timestamp, Uuid};
    use protocol::messages::Message;
    use protocol::messages::produce::PartitionProduceData;
    use protocol::records::build::{BatchBuilder, BatchOptions};

    use super::*;

    fn topic(name: &str, partitions: &[(i32, &'static [u8])]) -> TopicProduceData<'static> {
        let partitions = partitions
            .iter()
            .map(|(index, records)| PartitionProduceData { index: *index, records: Some((*records).into()) });
        TopicProduceData {
            name: name.to_owned().into(),
            topic_id: Uuid([name.as_bytes().first().copied().unwrap_or(0); 16]),
            partition_data: partitions.collect(),
        }
    }

    /// The topics of the plan, with partitions and records, as the frame has them.
    fn planned(version: i16, topics: Vec<TopicProduceData<'static>>) -> Vec<(Vec<u8>, i32, Vec<u8>)> {
        let request = ProduceRequest { topic_data: topics.into(), ..ProduceRequest::default() };
        let mut body = Vec::new();
        request.encode(version, &mut body).unwrap();
        let decoded = ProduceRequest::decode(&body, version).unwrap();
        let mut plan = Plan::default();
        plan.fill(&body, &decoded, version >= 13);
        let told = plan.partitions.iter().map(|partition| {
            let topic = match &plan.topics[partition.topic] {
                Topic::Name(range) => body[range.clone()].to_vec(),
                Topic::Id(id) => id.0[..1].to_vec(),
            };
            (topic, partition.index.0, body[partition.records.clone()].to_vec())
        });
        told.collect()
    }

    fn one(topic: &str, index: i32, records: &[u8]) -> (Vec<u8>, i32, Vec<u8>) {
        (topic.as_bytes().to_vec(), index, records.to_vec())
    }

    #[test]
    fn positions_are_those_of_the_frame_in_every_version() {
        for version in 3..=13 {
            let topics =
                vec![topic("a", &[(0, b"first"), (1, b"")]), topic("b", &[]), topic("c", &[(7, b"last")])];
            let expected = [one("a", 0, b"first"), one("a", 1, b""), one("c", 7, b"last")];
            assert_eq!(planned(version, topics), expected, "{version}");
        }
    }

    #[test]
    fn one_batch_of_a_transaction_makes_a_request_transactional() {
        let batch = |transactional| {
            let mut builder = BatchBuilder::new(BatchOptions { transactional, ..BatchOptions::default() });
            builder.push(Timestamp(1), None, Some(b"x"), &[]);
            builder.finish_uncompressed()
        };
        let (of_one, plain) = (batch(true), batch(false));
        let (of_one, plain) = (of_one.as_slice(), plain.as_slice());
        for (batches, transactional) in
            [([of_one, plain], true), ([plain, of_one], true), ([plain, plain], false)]
        {
            let partition = |(index, batch): (i32, &[u8])| PartitionProduceData {
                index,
                records: Some(batch.to_vec().into()),
            };
            let topic = TopicProduceData {
                name: "a".into(),
                partition_data: (0..).zip(batches).map(partition).collect(),
                ..TopicProduceData::default()
            };
            let request = ProduceRequest { topic_data: vec![topic].into(), ..ProduceRequest::default() };
            let mut body = Vec::new();
            request.encode(9, &mut body).unwrap();
            let mut plan = Plan::default();
            plan.fill(&body, &ProduceRequest::decode(&body, 9).unwrap(), false);
            assert_eq!(plan.transactional, transactional);
        }
    }

    #[test]
    fn what_is_named_twice_counts_the_last_time_and_stands_with_its_topic() {
        let twice =
            vec![topic("a", &[(0, b"1"), (0, b"2")]), topic("b", &[(0, b"3")]), topic("a", &[(5, b"4")])];
        let expected = [one("a", 0, b"2"), one("a", 5, b"4"), one("b", 0, b"3")];
        assert_eq!(planned(9, twice), expected);
    }

    #[test]
    fn many_topics_and_partitions_are_told_apart_like_few() {
        let names: Vec<String> = (0..300).map(|number| format!("topic-{number}")).collect();
        let mut topics: Vec<_> = names.iter().map(|name| topic(name, &[(1, b"x"), (2, b"y")])).collect();
        topics.push(topic("topic-7", &[(2, b"z")]));
        let planned = planned(9, topics);
        assert_eq!(planned.len(), 600);
        assert_eq!(planned[15], one("topic-7", 2, b"z"));
    }
}
