//! Sixteen clients that commit a hundred partitions each, one request after the other.

use anyhow::{Context, Result, ensure};
use benches::asker::{Asker, Encoded};
use protocol::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::{Message, OffsetCommitRequest, OffsetCommitResponse};

use super::{Figure, Groups, Run, Side, timed};

const CLIENTS: usize = 16;
const PARTITIONS: i32 = 100;
const COMMITS: u32 = 500;
const VERSION: i16 = 9;

/// A commit of every partition from `first` on, of one topic.
pub fn request(group: &str, topic: &str, partitions: i32) -> OffsetCommitRequest<'static> {
    let partition = |partition_index| OffsetCommitRequestPartition {
        partition_index,
        committed_offset: 1_000_000,
        committed_leader_epoch: 0,
        committed_metadata: Some("".into()),
        ..OffsetCommitRequestPartition::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: topic.to_owned().into(),
        partitions: (0..partitions).map(partition).collect::<Vec<_>>().into(),
        ..OffsetCommitRequestTopic::default()
    };
    OffsetCommitRequest {
        group_id: group.to_owned().into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic].into(),
        ..OffsetCommitRequest::default()
    }
}

/// Refuses an answer in which anything was not committed.
pub fn check(body: &[u8], version: i16) -> Result<()> {
    let response = OffsetCommitResponse::decode(body, version)?;
    let topic = response.topics.iter().next().context("a topic")?;
    let failed = topic.partitions.iter().find(|partition| partition.error_code != 0);
    ensure!(failed.is_none(), "{failed:?}");
    Ok(())
}

pub(super) fn run(_: &Groups, side: &mut Side) -> Result<Run> {
    let topic = side.fresh("commits");
    side.create_topic(&topic, PARTITIONS)?;
    let mut askers = Asker::open_many(side.address(), CLIENTS)?;
    let requests =
        (0..CLIENTS).map(|client| Encoded::new(&request(&format!("c{client}"), &topic, PARTITIONS), VERSION));
    let requests = requests.collect::<Result<Vec<_>>>()?;
    // The topic is there when the broker has heard of it.
    askers[0].ask_until(&request("c0", &topic, PARTITIONS), VERSION, |body| {
        Ok(check(body, VERSION).is_ok().then_some(()))
    })?;
    let ((), wall, cpu) = timed(side, || {
        for round in 0..COMMITS {
            for (asker, request) in askers.iter_mut().zip(&requests) {
                asker.send(request)?;
            }
            for (asker, request) in askers.iter_mut().zip(&requests) {
                let body = asker.receive(request)?;
                if round % 50 == 0 {
                    check(body, VERSION)?;
                }
            }
        }
        Ok(())
    })?;
    let commits = f64::from(COMMITS) * CLIENTS as f64;
    Ok(vec![
        Figure::least("CPU us a commit of 100", cpu / commits * 1e3),
        Figure::least("us a commit of 100", wall / commits * 1e3),
    ])
}
