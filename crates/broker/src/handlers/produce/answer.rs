//! The answer to a Produce, written by hand from what became of each partition.

use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, NodeId, PartitionIndex, Timestamp, TopicId};
use protocol::offset::Offset;
use protocol::wire::{Unwritable, Value, Writer};

use crate::handlers::Asked;
use crate::net::{Close, Outbound};

/// The first flexible version.
pub const FLEXIBLE_SINCE: i16 = 9;

/// What became of a partition's batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The partition.
    pub index: PartitionIndex,
    /// What went wrong, if anything.
    pub error: ErrorCode,
    /// Where the batch begins; -1 with an error.
    pub base_offset: Offset,
    /// The broker's stamp, where the topic has LogAppendTime.
    pub log_append_time: Timestamp,
    /// Where the log begins; -1 where it was not asked.
    pub log_start_offset: Offset,
    /// The records that were refused, with the reason.
    pub record_errors: Vec<(i32, String)>,
    /// What went wrong, for people.
    pub message: Option<String>,
    /// Who leads, told to who asks the wrong broker (KIP-951).
    pub leader: Option<(NodeId, LeaderEpoch)>,
}

impl Outcome {
    /// An error, with nothing known of the log.
    pub fn error(index: PartitionIndex, error: ErrorCode, message: Option<String>) -> Self {
        Self {
            index,
            error,
            base_offset: Offset(-1),
            log_append_time: Timestamp::NONE,
            log_start_offset: Offset(-1),
            record_errors: Vec::new(),
            message,
            leader: None,
        }
    }
}

/// A topic as the request named it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named<'a> {
    /// By name.
    Name(&'a str),
    /// By id.
    Id(TopicId),
}

/// Appends the answer: for each topic in turn, as many outcomes as it has partitions.
pub fn write<'a>(
    asked: &Asked,
    topics: impl ExactSizeIterator<Item = (Named<'a>, &'a [Outcome])>,
    out: &mut Outbound,
) -> Result<(), Close> {
    let begun = out.begin();
    let mut writer = Writer::new(out.bytes(), asked.version, asked.version >= FLEXIBLE_SINCE);
    // Everything written here came in the request, or is a short sentence.
    write_body(asked, topics, &mut writer)
        .expect("names and counts of an answer are within the protocol's bounds");
    out.end(begun).map_err(|error| asked.unwritable(&error))
}

fn write_body<'a>(
    asked: &Asked,
    topics: impl ExactSizeIterator<Item = (Named<'a>, &'a [Outcome])>,
    writer: &mut Writer<'_>,
) -> Result<(), Unwritable> {
    asked.correlation_id.write(writer)?;
    writer.tags(0);
    writer.length(Some(topics.len()))?;
    for (topic, outcomes) in topics {
        match topic {
            Named::Name(name) => writer.string(Some(name))?,
            Named::Id(id) => id.write(writer)?,
        }
        writer.length(Some(outcomes.len()))?;
        for outcome in outcomes {
            write_outcome(asked.version, outcome, writer)?;
        }
        writer.tags(0);
    }
    if asked.version >= 1 {
        0i32.write(writer)?;
    }
    writer.tags(0);
    Ok(())
}

fn write_outcome(version: i16, outcome: &Outcome, writer: &mut Writer<'_>) -> Result<(), Unwritable> {
    outcome.index.0.write(writer)?;
    i16::from(outcome.error).write(writer)?;
    outcome.base_offset.0.write(writer)?;
    if version >= 2 {
        outcome.log_append_time.0.write(writer)?;
    }
    if version >= 5 {
        outcome.log_start_offset.0.write(writer)?;
    }
    if version >= 8 {
        writer.length(Some(outcome.record_errors.len()))?;
        for (index, message) in &outcome.record_errors {
            index.write(writer)?;
            writer.string(Some(message))?;
            writer.tags(0);
        }
        writer.string(outcome.message.as_deref())?;
    }
    let leader = outcome.leader.filter(|_| version >= 10);
    writer.tags(u32::from(leader.is_some()));
    if let Some((node, epoch)) = leader {
        writer.tag(0, |writer| {
            node.0.write(writer)?;
            epoch.0.write(writer)?;
            writer.tags(0);
            Ok(())
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use protocol::ApiKey;
    use protocol::id::Uuid;
    use protocol::messages::{Message, ProduceResponse};

    use super::*;

    #[test]
    fn answers_decode_in_every_version() {
        for version in 0..=13 {
            let asked = Asked { api: ApiKey::Produce, version, correlation_id: 77, at: Instant::now() };
            let good = Outcome {
                base_offset: Offset(5),
                log_append_time: Timestamp(6),
                log_start_offset: Offset(1),
                ..Outcome::error(PartitionIndex(0), ErrorCode::None, None)
            };
            let bad = Outcome {
                record_errors: vec![(3, "too old".into())],
                message: Some("refused".into()),
                leader: Some((NodeId(2), LeaderEpoch(9))),
                ..Outcome::error(PartitionIndex(1), ErrorCode::InvalidTimestamp, None)
            };
            let named = if version >= 13 { Named::Id(Uuid([4; 16])) } else { Named::Name("t") };
            let outcomes = [good, bad];
            let mut out = Outbound::default();
            write(&asked, [(named, &outcomes[..])].into_iter(), &mut out).unwrap();
            let header = if version >= 9 { 9 } else { 8 };
            let response = ProduceResponse::decode(&out.bytes()[header..], version).unwrap();
            let topic = response.responses.iter().next().unwrap();
            let partitions: Vec<_> = topic.partition_responses.iter().collect();
            let log_append_time = if version >= 2 { 6 } else { -1 };
            assert_eq!((partitions[0].base_offset, partitions[0].log_append_time_ms), (5, log_append_time));
            assert_eq!(partitions[1].error_code, 32);
            assert_eq!(partitions[1].record_errors.len(), usize::from(version >= 8));
            assert_eq!(partitions[1].current_leader.leader_id, if version >= 10 { 2 } else { -1 });
        }
    }
}
