//! A group of very many members of the consumer protocol (KIP-848): they come, and beat until each has its part.
//!
//! Each beats at most every quarter of a second: a broker that answers faster must not be asked more often for it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use benches::asker::{Asker, Encoded};
use protocol::id::Uuid;
use protocol::messages::Message;
use protocol::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, RequestTopicPartitions,
};

use super::{Groups, Run, Side, timed};

const VERSION: i16 = 1;
/// More rounds than this and the group does not settle.
const ROUNDS_MAX: usize = 100;
/// How often each member beats at most while the group settles.
const INTERVAL: Duration = Duration::from_millis(250);
/// The topic they read, in every run.
const TOPIC: &str = "consumers";

/// A member, as it knows itself.
struct Member {
    asker: Asker,
    id: String,
    epoch: i32,
    /// Topic and partitions it was last told, and holds.
    owned: Vec<(Uuid, Vec<i32>)>,
    changed: bool,
}

pub fn run(groups: &Groups, side: &mut Side) -> Result<Run> {
    let (topic, group) = (TOPIC, side.fresh("consumers"));
    side.create_topic(topic, i32::try_from(groups.members)?)?;
    let askers = Asker::open_many(side.address(), groups.members)?;
    let mut members: Vec<Member> = askers
        .into_iter()
        .zip(1_u128..)
        .map(|(asker, number)| {
            let id = Uuid((number << 64 | u128::from(side.made)).to_be_bytes()).to_string();
            Member { asker, id, epoch: 0, owned: Vec::new(), changed: true }
        })
        .collect();
    let (rounds, wall, cpu) = timed(side, || settle(&group, topic, &mut members))?;
    let ((), _, beats) = timed(side, || (0..5).try_for_each(|_| beat(&group, topic, &mut members)))?;
    for member in &mut members {
        member.epoch = -1;
    }
    beat(&group, topic, &mut members)?;
    let heartbeats = 5.0 * members.len() as f64;
    Ok(vec![
        ("join: ms", wall),
        ("join: CPU ms", cpu),
        ("join: rounds of heartbeats", rounds as f64),
        ("CPU us a heartbeat", beats / heartbeats * 1e3),
    ])
}

/// Beats until everybody has exactly one partition and nothing changes any more.
fn settle(group: &str, topic: &str, members: &mut [Member]) -> Result<usize> {
    for round in 1..ROUNDS_MAX {
        let begin = Instant::now();
        beat(group, topic, members)?;
        let last = members.iter().map(|member| member.epoch).max().context("a member")?;
        let has_one = |member: &Member| member.owned.iter().map(|(_, owned)| owned.len()).sum::<usize>() == 1;
        if members.iter().all(|member| !member.changed && member.epoch == last && has_one(member)) {
            return Ok(round);
        }
        std::thread::sleep(INTERVAL.saturating_sub(begin.elapsed()));
    }
    anyhow::bail!("the group does not settle")
}

/// One heartbeat of each member.
fn beat(group: &str, topic: &str, members: &mut [Member]) -> Result<()> {
    let requests = members.iter().map(|member| {
        let owned = member.owned.iter().map(|(topic_id, partitions)| RequestTopicPartitions {
            topic_id: *topic_id,
            partitions: partitions.clone().into(),
        });
        let is_new = member.epoch == 0;
        let request = ConsumerGroupHeartbeatRequest {
            group_id: group.to_owned().into(),
            member_id: member.id.clone().into(),
            member_epoch: member.epoch,
            rebalance_timeout_ms: if is_new { 300_000 } else { -1 },
            subscribed_topic_names: is_new.then(|| vec![topic.to_owned().into()].into()),
            topic_partitions: (is_new || member.changed).then(|| owned.collect::<Vec<_>>().into()),
            ..ConsumerGroupHeartbeatRequest::default()
        };
        Encoded::new(&request, VERSION)
    });
    let requests = requests.collect::<Result<Vec<_>>>()?;
    for (member, request) in members.iter_mut().zip(&requests) {
        member.asker.send(request)?;
    }
    for (member, request) in members.iter_mut().zip(&requests) {
        let response = ConsumerGroupHeartbeatResponse::decode(member.asker.receive(request)?, VERSION)?;
        ensure!(
            response.error_code == 0,
            "a member: error {} {:?}",
            response.error_code,
            response.error_message
        );
        member.epoch = response.member_epoch;
        member.changed = response.assignment.is_some();
        if let Some(assignment) = response.assignment {
            let topics = assignment.topic_partitions.iter();
            member.owned = topics.map(|topic| (topic.topic_id, topic.partitions.iter().collect())).collect();
        }
    }
    Ok(())
}
