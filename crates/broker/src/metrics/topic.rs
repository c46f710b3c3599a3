//! Records and bytes by topic (Kafka's BrokerTopicMetrics).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::Counter;

/// Counts of one topic, or of all.
#[derive(Debug, Default)]
pub struct TopicMetrics {
    /// Records appended.
    pub messages_in: Counter,
    /// Bytes of record batches appended.
    pub bytes_in: Counter,
    /// Bytes of record batches sent to consumers.
    pub bytes_out: Counter,
    /// Produce requests, counted per partition written.
    pub produce_requests: Counter,
    /// Fetch requests, counted per partition read.
    pub fetch_requests: Counter,
    /// Produces to a partition that failed.
    pub failed_produce_requests: Counter,
    /// Fetches of a partition that failed.
    pub failed_fetch_requests: Counter,
}

impl TopicMetrics {
    fn add(&self, other: &Self) {
        self.messages_in.add(other.messages_in.get());
        self.bytes_in.add(other.bytes_in.get());
        self.bytes_out.add(other.bytes_out.get());
        self.produce_requests.add(other.produce_requests.get());
        self.fetch_requests.add(other.fetch_requests.get());
        self.failed_produce_requests.add(other.failed_produce_requests.get());
        self.failed_fetch_requests.add(other.failed_fetch_requests.get());
    }
}

/// The counts of every topic this broker has partitions of.
#[derive(Debug, Default)]
pub struct Topics {
    by_name: Mutex<BTreeMap<Arc<str>, Arc<TopicMetrics>>>,
    /// What topics had counted when they were deleted, and requests that named no topic there is.
    pub without_topic: TopicMetrics,
}

impl Topics {
    /// The counts of a topic, from now on if they are new. Partitions keep them, so that the hot path looks
    /// nothing up.
    pub fn of(&self, name: &str) -> Arc<TopicMetrics> {
        let mut by_name = self.by_name.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(topic) = by_name.get(name) {
            return topic.clone();
        }
        let topic = Arc::new(TopicMetrics::default());
        by_name.insert(name.into(), topic.clone());
        topic
    }

    /// Forgets a topic that was deleted; its counts stay in those of all topics.
    pub fn forget(&self, name: &str) {
        let gone = self.by_name.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).remove(name);
        if let Some(gone) = gone {
            self.without_topic.add(&gone);
        }
    }

    /// The counts of all topics together, deleted ones included.
    pub fn together(&self) -> TopicMetrics {
        let together = TopicMetrics::default();
        together.add(&self.without_topic);
        for (_, topic) in self.all() {
            together.add(&topic);
        }
        together
    }

    /// All topics, by name.
    pub fn all(&self) -> Vec<(Arc<str>, Arc<TopicMetrics>)> {
        let by_name = self.by_name.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        by_name.iter().map(|(name, topic)| (name.clone(), topic.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_topic_stays_in_the_counts_of_all() {
        let topics = Topics::default();
        topics.of("a").bytes_in.add(5);
        topics.of("b").bytes_in.add(7);
        topics.of("a").bytes_in.add(1);
        topics.forget("a");
        assert_eq!(topics.together().bytes_in.get(), 13);
        assert_eq!(topics.all().len(), 1);
        assert_eq!(topics.of("a").bytes_in.get(), 0);
    }
}
