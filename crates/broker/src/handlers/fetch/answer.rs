//! The answer to a Fetch, written by hand: headers in memory, records as ranges of log files between them.

use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, NodeId, PartitionIndex, ProducerId, TopicId};
use protocol::offset::Offset;
use protocol::wire::{Unwritable, Value, Writer};

use crate::handlers::Asked;
use crate::net::outbound::{Begun, TooLong};
use crate::net::{FileRange, Outbound};
use crate::runtime::fetch_sessions::TopicKey;

/// The first version whose clients know storage errors, and ask again.
const STORAGE_ERROR_SINCE: i16 = 6;
/// The first flexible version.
const FLEXIBLE_SINCE: i16 = 12;

/// What is said of one partition.
#[derive(Debug, Clone)]
pub struct PartitionAnswer {
    /// Its index.
    pub index: PartitionIndex,
    /// What went wrong, if anything.
    pub error: ErrorCode,
    /// -1 where it is not known.
    pub high_watermark: Offset,
    /// -1 where it is not known.
    pub last_stable_offset: Offset,
    /// -1 where it is not known.
    pub log_start_offset: Offset,
    /// Where the reader's log departs from this one (KIP-595).
    pub diverging: Option<(LeaderEpoch, Offset)>,
    /// Who leads, told with errors that say the reader does not know (KIP-951).
    pub leader: Option<(NodeId, LeaderEpoch)>,
    /// The transactions a reader of committed records has to leave out; null for other readers.
    pub aborted: Option<Vec<(ProducerId, Offset)>>,
    /// The replica a consumer should rather ask (KIP-392); -1 for none.
    pub preferred_read_replica: NodeId,
    /// The records.
    pub records: Option<FileRange>,
    /// The records in memory, in place of the others: as versions before 4 have them, or as they were read to look at them.
    pub in_memory: Option<Vec<u8>>,
}

impl PartitionAnswer {
    /// Nothing but an error.
    pub fn error(index: PartitionIndex, error: ErrorCode) -> Self {
        Self {
            index,
            error,
            high_watermark: Offset(-1),
            last_stable_offset: Offset(-1),
            log_start_offset: Offset(-1),
            diverging: None,
            leader: None,
            aborted: None,
            preferred_read_replica: NodeId(-1),
            records: None,
            in_memory: None,
        }
    }

    /// How many bytes the records have.
    pub fn bytes(&self) -> u64 {
        let in_memory = self.in_memory.as_ref().map_or(0, |bytes| bytes.len() as u64);
        self.records.as_ref().map_or(in_memory, |range| range.length)
    }
}

/// An endpoint told along with leaders that the reader may not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeEndpoint {
    /// The node.
    pub node: NodeId,
    /// Its host on the reader's listener.
    pub host: String,
    /// Its port there.
    pub port: u16,
    /// Its rack.
    pub rack: Option<String>,
}

/// Writes an answer, partition by partition. Partitions of a topic that follow one another share its entry.
pub struct Answer<'o> {
    out: &'o mut Outbound,
    begun: Begun,
    version: i16,
}

impl<'o> Answer<'o> {
    /// Begins an answer about `topics` topics.
    pub fn begin(
        asked: &Asked,
        error: ErrorCode,
        session_id: i32,
        topics: usize,
        out: &'o mut Outbound,
    ) -> Self {
        let begun = out.begin();
        let mut answer = Self { out, begun, version: asked.version };
        answer.put(&asked.correlation_id);
        answer.tags();
        if asked.version >= 1 {
            answer.put(&0i32);
        }
        if asked.version >= 7 {
            answer.put(&i16::from(error));
            answer.put(&session_id);
        }
        answer.count(topics);
        answer
    }

    /// Opens the entry of a topic with `partitions` partitions.
    pub fn topic(&mut self, topic: &TopicKey, partitions: usize) {
        match topic {
            TopicKey::Id(id) => self.put::<TopicId>(id),
            TopicKey::Name(name) => self.string(Some(name)),
        }
        self.count(partitions);
    }

    /// Closes the entry of a topic.
    pub fn end_topic(&mut self) {
        self.tags();
    }

    /// Writes a partition.
    pub fn partition(&mut self, partition: PartitionAnswer) {
        self.put(&partition.index.0);
        self.put(&i16::from(self.known(partition.error)));
        self.put(&partition.high_watermark.0);
        if self.version >= 4 {
            self.put(&partition.last_stable_offset.0);
        }
        if self.version >= 5 {
            self.put(&partition.log_start_offset.0);
        }
        if self.version >= 4 {
            self.aborted(partition.aborted.as_deref());
        }
        if self.version >= 11 {
            self.put(&partition.preferred_read_replica.0);
        }
        self.count(usize::try_from(partition.bytes()).expect("the length of a slice was a u32"));
        if let Some(bytes) = partition.in_memory {
            self.out.bytes().extend_from_slice(&bytes);
        }
        if let Some(range) = partition.records {
            self.out.range(range);
        }
        if self.version >= FLEXIBLE_SINCE {
            self.partition_tags(partition.diverging, partition.leader);
        }
    }

    /// Ends the answer.
    pub fn end(mut self, endpoints: &[NodeEndpoint]) -> Result<(), TooLong> {
        if self.version >= 16 && !endpoints.is_empty() {
            self.endpoints(endpoints);
        } else {
            self.tags();
        }
        self.out.end(self.begun)
    }

    /// An error as clients of this version know it: to those before 6 a storage error says nothing, and would end them.
    fn known(&self, error: ErrorCode) -> ErrorCode {
        match error {
            ErrorCode::KafkaStorageError if self.version < STORAGE_ERROR_SINCE => {
                ErrorCode::NotLeaderOrFollower
            }
            other => other,
        }
    }

    fn aborted(&mut self, aborted: Option<&[(ProducerId, Offset)]>) {
        let Some(aborted) = aborted else {
            return written(self.writer().length(None));
        };
        self.count(aborted.len());
        for (producer_id, first_offset) in aborted {
            self.put(&producer_id.0);
            self.put(&first_offset.0);
            self.tags();
        }
    }

    fn partition_tags(
        &mut self,
        diverging: Option<(LeaderEpoch, Offset)>,
        leader: Option<(NodeId, LeaderEpoch)>,
    ) {
        let mut writer = self.writer();
        writer.tags(u32::from(diverging.is_some()) + u32::from(leader.is_some()));
        if let Some((epoch, end)) = diverging {
            written(writer.tag(0, |writer| {
                epoch.0.write(writer)?;
                end.0.write(writer)?;
                writer.tags(0);
                Ok(())
            }));
        }
        if let Some((node, epoch)) = leader {
            written(writer.tag(1, |writer| {
                node.0.write(writer)?;
                epoch.0.write(writer)?;
                writer.tags(0);
                Ok(())
            }));
        }
    }

    fn endpoints(&mut self, endpoints: &[NodeEndpoint]) {
        let mut writer = self.writer();
        writer.tags(1);
        written(writer.tag(0, |writer| {
            writer.length(Some(endpoints.len()))?;
            for endpoint in endpoints {
                endpoint.node.0.write(writer)?;
                writer.string(Some(&endpoint.host))?;
                i32::from(endpoint.port).write(writer)?;
                writer.string(endpoint.rack.as_deref())?;
                writer.tags(0);
            }
            Ok(())
        }));
    }

    fn writer(&mut self) -> Writer<'_> {
        Writer::new(self.out.bytes(), self.version, self.version >= FLEXIBLE_SINCE)
    }

    fn put<'a, T: Value<'a>>(&mut self, value: &T) {
        written(value.write(&mut self.writer()));
    }

    fn string(&mut self, text: Option<&str>) {
        written(self.writer().string(text));
    }

    fn count(&mut self, count: usize) {
        written(self.writer().length(Some(count)));
    }

    fn tags(&mut self) {
        self.writer().tags(0);
    }
}

/// Numbers always have bytes; names came in a request or from the metadata, counts from what is in memory.
fn written(result: Result<(), Unwritable>) {
    result.expect("names and counts of an answer are within the protocol's bounds");
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::Arc;
    use std::time::Instant;

    use protocol::ApiKey;
    use protocol::id::Uuid;
    use protocol::messages::{FetchResponse, Message};

    use super::*;
    use crate::net::outbound::{Piece, Sent};

    /// The bytes of an answer, with as many nines as each range is long.
    fn bytes(out: &mut Outbound) -> Vec<u8> {
        let (mut bytes, mut sent) = (Vec::new(), Sent::default());
        while let Some(piece) = out.piece(sent) {
            let count = match piece {
                Piece::Bytes(piece, _) => {
                    bytes.extend_from_slice(piece);
                    piece.len()
                }
                Piece::Range(range) => {
                    bytes.extend(std::iter::repeat_n(9, range.length as usize));
                    range.length as usize
                }
            };
            out.advance(&mut sent, count);
        }
        bytes
    }

    fn whole(index: i32) -> PartitionAnswer {
        let file = Arc::new(File::open("/dev/null").unwrap());
        PartitionAnswer {
            high_watermark: Offset(11),
            last_stable_offset: Offset(10),
            log_start_offset: Offset(1),
            diverging: Some((LeaderEpoch(3), Offset(4))),
            leader: Some((NodeId(5), LeaderEpoch(6))),
            aborted: Some(vec![(ProducerId(7), Offset(8))]),
            records: Some(FileRange { file, position: 0, length: 300 }),
            ..PartitionAnswer::error(PartitionIndex(index), ErrorCode::None)
        }
    }

    #[test]
    fn answers_decode_in_every_version() {
        for version in 4..=18 {
            let asked = Asked { api: ApiKey::Fetch, version, correlation_id: 77, at: Instant::now() };
            let key = if version >= 13 { TopicKey::Id(Uuid([1; 16])) } else { TopicKey::Name("t".into()) };
            let mut out = Outbound::default();
            let mut answer = Answer::begin(&asked, ErrorCode::None, 42, 2, &mut out);
            answer.topic(&key, 2);
            answer.partition(whole(0));
            answer.partition(PartitionAnswer::error(PartitionIndex(1), ErrorCode::NotLeaderOrFollower));
            answer.end_topic();
            answer.topic(&key, 0);
            answer.end_topic();
            let (host, rack) = ("h".into(), Some("r".into()));
            answer.end(&[NodeEndpoint { node: NodeId(5), host, port: 9092, rack }]).unwrap();
            let bytes = bytes(&mut out);
            assert_eq!(bytes.len() - 4, u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize);
            let header = if version >= 12 { 9 } else { 8 };
            let response = FetchResponse::decode(&bytes[header..], version).unwrap();
            check(&response, version);
        }
    }

    fn check(response: &FetchResponse<'_>, version: i16) {
        assert_eq!(response.session_id, if version >= 7 { 42 } else { 0 });
        assert_eq!(response.responses.len(), 2);
        assert_eq!(response.node_endpoints.len(), usize::from(version >= 16));
        let topic = response.responses.iter().next().unwrap();
        let partitions: Vec<_> = topic.partitions.iter().collect();
        let first = &partitions[0];
        assert_eq!((first.high_watermark, first.last_stable_offset), (11, 10));
        assert_eq!(first.log_start_offset, if version >= 5 { 1 } else { -1 });
        assert_eq!(first.aborted_transactions.as_ref().map(|aborted| aborted.len()), Some(1));
        assert_eq!(first.records.as_deref(), Some(&[9; 300][..]));
        if version >= 12 {
            assert_eq!((first.diverging_epoch.epoch, first.diverging_epoch.end_offset), (3, 4));
            assert_eq!((first.current_leader.leader_id, first.current_leader.leader_epoch), (5, 6));
        }
        let second = &partitions[1];
        assert_eq!(second.error_code, i16::from(ErrorCode::NotLeaderOrFollower));
        assert_eq!(second.aborted_transactions, None);
        assert_eq!(second.records.as_deref(), Some(&[][..]));
        assert_eq!(second.preferred_read_replica, -1);
    }
}
