//! DescribeTopicPartitions, 0: the partitions of topics page by page, with their eligible leaders (KIP-966).
//!
//! Topics come in the order of their names, each once. A page ends after as many partitions as the client and
//! `max.request.partition.size.limit` allow, and names the partition to go on with.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use metadata::Image;
use metadata::controller::topics::name_fault;
use metadata::image::{Partition, Topic};
use protocol::ErrorCode;
use protocol::id::{NodeId, Uuid};
use protocol::messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic, ResponseCursor,
};
use protocol::wire::Array;

use super::{Call, authorized_operations, replicas};

const NO_LEADER: i32 = -1;

/// Handles one request.
pub async fn handle<'a>(
    call: &Call,
    request: DescribeTopicPartitionsRequest<'a>,
) -> DescribeTopicPartitionsResponse<'a> {
    let limit = call.broker.config().requests.describe_partitions_max;
    describe(&call.broker.quorum.image(), &call.peer.listener, limit, &request)
}

/// One page, of at most `limit` partitions and of at least one.
fn describe<'a>(
    image: &Image,
    listener: &str,
    limit: i32,
    request: &DescribeTopicPartitionsRequest<'a>,
) -> DescribeTopicPartitionsResponse<'a> {
    if let Some(refusal) = refusal(request) {
        return refused(request, refusal);
    }
    let (from, from_partition) =
        request.cursor.as_ref().map_or(("", 0), |cursor| (&*cursor.topic_name, cursor.partition_index));
    let start = |name: &str| if name == from { from_partition } else { 0 };
    let room = limit.min(request.response_partition_limit).max(1);
    let mut page = Page { image, listener, room: usize::try_from(room).unwrap_or(1), topics: Vec::new() };
    let next = if request.topics.is_empty() {
        let mut topics = image.topics.iter_from(from);
        topics.find_map(|topic| page.add(topic.name.to_string().into(), Some(topic), start(&topic.name)))
    } else {
        let names: BTreeSet<Cow<'a, str>> =
            request.topics.iter().map(|topic| topic.name).filter(|name| &**name >= from).collect();
        names.into_iter().find_map(|name| {
            let first = start(&name);
            let topic = image.topics.by_name(&name);
            page.add(name, topic, first)
        })
    };
    DescribeTopicPartitionsResponse {
        topics: page.topics.into(),
        next_cursor: next,
        ..DescribeTopicPartitionsResponse::default()
    }
}

/// Why no topic can be described.
fn refusal(request: &DescribeTopicPartitionsRequest<'_>) -> Option<ErrorCode> {
    if let Some(cursor) = &request.cursor {
        let listed =
            request.topics.is_empty() || request.topics.iter().any(|topic| topic.name == cursor.topic_name);
        if !listed || cursor.partition_index < 0 {
            return Some(ErrorCode::InvalidRequest);
        }
    }
    // Kafka looks up an empty name before it checks it, which fails the request in this way.
    request.topics.iter().any(|topic| topic.name.is_empty()).then_some(ErrorCode::UnknownServerError)
}

fn refused<'a>(
    request: &DescribeTopicPartitionsRequest<'a>,
    error: ErrorCode,
) -> DescribeTopicPartitionsResponse<'a> {
    let topics = request.topics.iter().map(|topic| DescribeTopicPartitionsResponseTopic {
        error_code: error.into(),
        name: Some(topic.name),
        topic_authorized_operations: authorized_operations::NOT_ASKED,
        ..DescribeTopicPartitionsResponseTopic::default()
    });
    DescribeTopicPartitionsResponse { topics: topics.collect(), ..DescribeTopicPartitionsResponse::default() }
}

struct Page<'i, 'a> {
    image: &'i Image,
    listener: &'i str,
    /// How many more partitions there is room for.
    room: usize,
    topics: Vec<DescribeTopicPartitionsResponseTopic<'a>>,
}

impl<'a> Page<'_, 'a> {
    /// Adds a topic's partitions from index `first` on. The cursor is where the page is full.
    fn add(
        &mut self,
        name: Cow<'a, str>,
        topic: Option<&Arc<Topic>>,
        first: i32,
    ) -> Option<ResponseCursor<'a>> {
        if self.room == 0 {
            return Some(ResponseCursor { topic_name: name, partition_index: 0 });
        }
        let mut described = DescribeTopicPartitionsResponseTopic {
            is_internal: metadata::image::is_internal(&name),
            name: Some(name),
            topic_authorized_operations: authorized_operations::TOPIC,
            ..DescribeTopicPartitionsResponseTopic::default()
        };
        let mut next = None;
        match topic {
            None => {
                let legal = name_fault(described.name.as_deref().unwrap_or_default()).is_none();
                let error =
                    if legal { ErrorCode::UnknownTopicOrPartition } else { ErrorCode::InvalidTopicException };
                described.error_code = error.into();
                described.topic_id = Uuid::ZERO;
            }
            Some(topic) => {
                described.topic_id = topic.id;
                let mut left = topic.partitions.iter().skip_while(|partition| partition.index.0 < first);
                let page: Vec<_> =
                    left.by_ref().take(self.room).map(|partition| self.partition(partition)).collect();
                self.room -= page.len();
                described.partitions = page.into();
                next = left.next().map(|partition| ResponseCursor {
                    topic_name: topic.name.to_string().into(),
                    partition_index: partition.index.0,
                });
            }
        }
        self.topics.push(described);
        next
    }

    fn partition(&self, partition: &Partition) -> DescribeTopicPartitionsResponsePartition<'static> {
        let (error, leader) = match partition.leader {
            Some(leader) if replicas::reachable(self.image, leader, self.listener) => {
                (ErrorCode::None, leader.0)
            }
            Some(leader) if self.image.cluster.broker(leader).is_some() => {
                (ErrorCode::ListenerNotFound, NO_LEADER)
            }
            _ => (ErrorCode::LeaderNotAvailable, NO_LEADER),
        };
        DescribeTopicPartitionsResponsePartition {
            error_code: error.into(),
            partition_index: partition.index.0,
            leader_id: leader,
            leader_epoch: partition.leader_epoch.0,
            replica_nodes: numbers(&partition.replicas),
            isr_nodes: numbers(&partition.isr),
            eligible_leader_replicas: Some(numbers(partition.elr())),
            last_known_elr: Some(numbers(partition.last_known_elr())),
            offline_replicas: replicas::offline(self.image, partition, self.listener)
                .map(|id| id.0)
                .collect(),
        }
    }
}

fn numbers(ids: &[NodeId]) -> Array<'static, i32> {
    ids.iter().map(|id| id.0).collect()
}

#[cfg(test)]
mod tests {
    use protocol::messages::describe_topic_partitions::{RequestCursor, TopicRequest};
    use protocol::messages::record::partition_record::PartitionRecord;
    use protocol::messages::record::register_broker_record::{BrokerEndpoint, RegisterBrokerRecord};
    use protocol::messages::record::topic_record::TopicRecord;
    use protocol::offset::Offset;

    use super::*;

    /// Topics `a` (3 partitions) and `b` (2), on brokers 1 (there), 2 (fenced) and 3 (unknown).
    fn image() -> Image {
        let mut image = Image::default();
        let endpoint =
            || BrokerEndpoint { name: "L".into(), host: "h".into(), port: 1, security_protocol: 0 };
        let broker = |id, fenced| RegisterBrokerRecord {
            broker_id: id,
            end_points: [endpoint()].into(),
            fenced,
            ..RegisterBrokerRecord::default()
        };
        let mut records = vec![broker(1, false).into(), broker(2, true).into()];
        for (id, name, partitions) in [(1, "a", 3), (2, "b", 2)] {
            let topic_id = Uuid([id; 16]);
            records.push(TopicRecord { name: name.into(), topic_id }.into());
            records.extend((0..partitions).map(|partition_id| {
                let leader = if partition_id == 2 { 3 } else { 1 };
                let replicas = [1, 2, 3];
                PartitionRecord {
                    partition_id,
                    topic_id,
                    leader,
                    replicas: replicas.into(),
                    isr: [1].into(),
                    ..PartitionRecord::default()
                }
                .into()
            }));
        }
        for (offset, record) in (0..).zip(&records) {
            image.replay(Offset(offset), record);
        }
        image
    }

    fn request<'a>(
        topics: &[&'a str],
        limit: i32,
        cursor: Option<(&'a str, i32)>,
    ) -> DescribeTopicPartitionsRequest<'a> {
        DescribeTopicPartitionsRequest {
            topics: topics.iter().map(|name| TopicRequest { name: (*name).into() }).collect(),
            response_partition_limit: limit,
            cursor: cursor
                .map(|(name, index)| RequestCursor { topic_name: name.into(), partition_index: index }),
        }
    }

    /// Error, name and partitions of each topic, and where to go on.
    type Seen = (Vec<(i16, String, Vec<i32>)>, Option<(String, i32)>);

    fn seen(topics: &[&str], limit: i32, cursor: Option<(&str, i32)>) -> Seen {
        let image = image();
        let response = describe(&image, "L", 2000, &request(topics, limit, cursor));
        let described = response.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| partition.partition_index).collect();
            (topic.error_code, topic.name.unwrap_or_default().into_owned(), partitions)
        });
        let next = response.next_cursor.clone();
        (described.collect(), next.map(|next| (next.topic_name.into_owned(), next.partition_index)))
    }

    fn topic(error: ErrorCode, name: &str, partitions: &[i32]) -> (i16, String, Vec<i32>) {
        (error.into(), name.to_owned(), partitions.to_vec())
    }

    #[test]
    fn pages_end_at_the_limit_and_say_where_to_go_on() {
        use ErrorCode::None as Ok;
        let (a, b) = (topic(Ok, "a", &[0, 1, 2]), topic(Ok, "b", &[0, 1]));
        for (limit, cursor, expected, next) in [
            (5, None, vec![a.clone(), b.clone()], None),
            (4, None, vec![a.clone(), topic(Ok, "b", &[0])], Some(("b", 1))),
            (3, None, vec![a.clone()], Some(("b", 0))),
            (1, None, vec![topic(Ok, "a", &[0])], Some(("a", 1))),
            (0, None, vec![topic(Ok, "a", &[0])], Some(("a", 1))),
            (-1, None, vec![topic(Ok, "a", &[0])], Some(("a", 1))),
            (2, Some(("a", 1)), vec![topic(Ok, "a", &[1, 2])], Some(("b", 0))),
            (9, Some(("a", 20)), vec![topic(Ok, "a", &[]), b.clone()], None),
            (9, Some(("b", 1)), vec![topic(Ok, "b", &[1])], None),
        ] {
            let next = next.map(|(name, index): (&str, i32)| (name.to_owned(), index));
            // The names out of order and twice: the answer is in order and has each once.
            assert_eq!(
                seen(&["b", "a", "b"], limit, cursor),
                (expected.clone(), next.clone()),
                "{limit} {cursor:?}"
            );
            assert_eq!(seen(&[], limit, cursor), (expected, next), "all, {limit} {cursor:?}");
        }
    }

    #[test]
    fn a_cursor_into_all_topics_may_name_a_topic_that_is_gone() {
        assert_eq!(seen(&[], 9, Some(("aa", 1))).0, [topic(ErrorCode::None, "b", &[0, 1])]);
        assert_eq!(seen(&[], 9, Some(("zz", 1))), (Vec::new(), None));
    }

    #[test]
    fn topics_that_are_not_there_take_no_room() {
        let unknown = |name| topic(ErrorCode::UnknownTopicOrPartition, name, &[]);
        let illegal = topic(ErrorCode::InvalidTopicException, "..", &[]);
        let b = topic(ErrorCode::None, "b", &[0, 1]);
        assert_eq!(seen(&["b", "aa", ".."], 2, None), (vec![illegal, unknown("aa"), b.clone()], None));
        assert_eq!(seen(&["b", "c"], 2, None), (vec![b], Some(("c".to_owned(), 0))));
        assert_eq!(seen(&["c"], 1, Some(("c", 7))), (vec![unknown("c")], None));
    }

    #[test]
    fn senseless_cursors_and_empty_names_fail_every_topic() {
        let all = |error| vec![topic(error, "b", &[]), topic(error, "a", &[])];
        for cursor in [("a", -1), ("c", 0), ("", 0)] {
            assert_eq!(seen(&["b", "a"], 9, Some(cursor)), (all(ErrorCode::InvalidRequest), None));
        }
        let failed =
            [topic(ErrorCode::UnknownServerError, "", &[]), topic(ErrorCode::UnknownServerError, "a", &[])];
        assert_eq!(seen(&["", "a"], 9, None).0, failed);
    }

    #[test]
    fn partitions_say_who_leads_and_which_replicas_are_out_of_reach() {
        let image = image();
        let all = request(&["a"], 9, None);
        let partitions = |listener| {
            let response = describe(&image, listener, 2000, &all);
            let topic = response.topics.iter().next().unwrap();
            let of = |partition: DescribeTopicPartitionsResponsePartition<'_>| {
                (partition.error_code, partition.leader_id, partition.offline_replicas.into_vec())
            };
            topic.partitions.iter().map(of).collect::<Vec<_>>()
        };
        let led = (0, 1, vec![2, 3]);
        let leaderless = (ErrorCode::LeaderNotAvailable.into(), -1, vec![2, 3]);
        assert_eq!(partitions("L"), [led.clone(), led, leaderless]);
        let unheard = (ErrorCode::ListenerNotFound.into(), -1, vec![1, 2, 3]);
        assert_eq!(partitions("other")[0], unheard);
    }
}
