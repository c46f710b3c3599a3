//! A group of very many members of the consumer protocol (KIP-848): they come, and beat until each has its part.
//!
//! Each beats at most every quarter of a second: a broker that answers faster must not be asked more often for it. Both
//! brokers assign at most once in `consumer.assignment.interval.ms`, one second by default, however fast they are; so a
//! second group is told not to wait between two assignments. How long members waited for answers, without their own
//! pauses, is what a broker can do about either.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use benches::asker::{Asker, Encoded};
use protocol::id::Uuid;
use protocol::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, RequestTopicPartitions,
};
use protocol::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, Message};

use super::{Figure, Groups, Run, Side, timed};

const VERSION: i16 = 1;
/// More rounds than this and the group does not settle.
const ROUNDS_MAX: usize = 100;
/// How often each member beats at most while the group settles.
const INTERVAL: Duration = Duration::from_millis(250);
/// The topic they read, in every run.
const TOPIC: &str = "consumers";
/// What settings of groups are of.
const GROUP: i8 = 32;

/// A member, as it knows itself.
struct Member {
    asker: Asker,
    id: String,
    epoch: i32,
    /// Topic and partitions it was last told, and holds.
    owned: Vec<(Uuid, Vec<i32>)>,
    changed: bool,
}

/// What became of a group that settles.
struct Settled {
    rounds: usize,
    /// Milliseconds in which members waited for answers.
    waited: f64,
}

pub fn run(groups: &Groups, side: &mut Side) -> Result<Run> {
    side.create_topic(TOPIC, i32::try_from(groups.members)?)?;
    let (group, at_once) = (side.fresh("consumers"), side.fresh("consumers"));
    let mut members = newcomers(side, Asker::open_many(side.address(), groups.members)?);
    let (settled, wall, cpu) = timed(side, || settle(&group, &mut members))?;
    let ((), _, beats) = timed(side, || (0..5).try_for_each(|_| beat(&group, &mut members)))?;
    let askers = leave(&group, members)?;
    assign_at_once(side, &at_once)?;
    let mut members = newcomers(side, askers);
    let (unhindered, _, unhindered_cpu) = timed(side, || settle(&at_once, &mut members))?;
    leave(&at_once, members)?;
    let heartbeats = 5.0 * groups.members as f64;
    Ok(vec![
        Figure::least("join: ms", wall),
        Figure::least("join: ms of waiting for answers", settled.waited),
        Figure::least("join: CPU ms", cpu),
        Figure::least("join: rounds of heartbeats", settled.rounds as f64),
        Figure::least("CPU us a heartbeat", beats / heartbeats * 1e3),
        Figure::least("no interval: ms of waiting", unhindered.waited),
        Figure::least("no interval: CPU ms", unhindered_cpu),
        Figure::least("no interval: rounds", unhindered.rounds as f64),
    ])
}

/// A member over each connection, that nobody has heard of.
fn newcomers(side: &Side, askers: Vec<Asker>) -> Vec<Member> {
    let named = askers.into_iter().zip(1_u128..);
    named
        .map(|(asker, number)| {
            let id = Uuid((number << 64 | u128::from(side.made)).to_be_bytes()).to_string();
            Member { asker, id, epoch: 0, owned: Vec::new(), changed: true }
        })
        .collect()
}

/// Everybody leaves.
fn leave(group: &str, mut members: Vec<Member>) -> Result<Vec<Asker>> {
    for member in &mut members {
        member.epoch = -1;
    }
    beat(group, &mut members)?;
    Ok(members.into_iter().map(|member| member.asker).collect())
}

/// Has a group assigned anew whenever it changes, however often that is.
fn assign_at_once(side: &Side, group: &str) -> Result<()> {
    let config = AlterableConfig {
        name: "consumer.assignment.interval.ms".into(),
        value: Some("0".into()),
        ..AlterableConfig::default()
    };
    let resource = AlterConfigsResource {
        resource_type: GROUP,
        resource_name: group.to_owned().into(),
        configs: vec![config].into(),
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource].into(), validate_only: false };
    Asker::open(side.address())?.ask(&request, 1, |body| {
        let response = IncrementalAlterConfigsResponse::decode(body, 1)?;
        let told = response.responses.iter().next().context("an answer")?;
        ensure!(
            told.error_code == 0,
            "a group's setting: error {} {:?}",
            told.error_code,
            told.error_message
        );
        Ok(())
    })
}

/// Beats until everybody has exactly one partition and nothing changes any more.
fn settle(group: &str, members: &mut [Member]) -> Result<Settled> {
    let mut waited = 0.0;
    for rounds in 1..ROUNDS_MAX {
        let begin = Instant::now();
        beat(group, members)?;
        waited += begin.elapsed().as_secs_f64() * 1e3;
        let last = members.iter().map(|member| member.epoch).max().context("a member")?;
        let has_one = |member: &Member| member.owned.iter().map(|(_, owned)| owned.len()).sum::<usize>() == 1;
        if members.iter().all(|member| !member.changed && member.epoch == last && has_one(member)) {
            return Ok(Settled { rounds, waited });
        }
        std::thread::sleep(INTERVAL.saturating_sub(begin.elapsed()));
    }
    anyhow::bail!("the group does not settle")
}

/// One heartbeat of each member.
fn beat(group: &str, members: &mut [Member]) -> Result<()> {
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
            subscribed_topic_names: is_new.then(|| vec![TOPIC.into()].into()),
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
