//! ConsumerGroupHeartbeat, 0 to 1: a member of a consumer group joins, is there, or leaves (KIP-848).
//!
//! 1 adds regular expressions for topics, and members that name themselves (KIP-1082).
//!
//! A member that only is there is answered on the spot, as most of what these groups ask is this.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use coordinator::Decision;
use coordinator::group::assignor::Partitions;
use coordinator::group::consumer::{ConsumerHeartbeat, HeartbeatAnswer, Presence};
use coordinator::group::subscription::Pattern;
use coordinator::group::{Answer, Epoch, GroupRefusal, Millis};
use protocol::ErrorCode;
use protocol::id::PartitionIndex;
use protocol::messages::consumer_group_heartbeat::{
    Assignment, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ResponseTopicPartitions,
};

use super::sentence::sentence;
use super::{Asked, Call, host_of, untaken};
use crate::Broker;
use crate::net::{Outbound, Peer, Step};
use crate::runtime::coordinators::CoordinatorError;
use crate::runtime::request_memory::Drawn;

/// A member that says nothing new, of a group that has nothing to assign, has nothing to wait for.
pub fn at_once(
    broker: &Arc<Broker>,
    peer: &Peer,
    (asked, client_id): (Asked, &str),
    body: &[u8],
    out: &mut Outbound,
) -> Option<Step> {
    let request = asked.decode_small::<ConsumerGroupHeartbeatRequest<'_>>(body)?;
    if request.member_epoch <= Epoch::JOINING.0 || says_more(&request) || !broker.serves_consumer_groups() {
        return None;
    }
    let said = Presence {
        group: &request.group_id,
        member: &request.member_id,
        epoch: Epoch(request.member_epoch),
        rebalance_timeout: rebalance_timeout(&request),
        client_id,
        client_host: host_of(peer),
    };
    let groups = &broker.coordinators.groups;
    if let Some(Ok(interval)) = groups.hear(said.group, |shard, ground| shard.presence(ground, said).map(Ok))
    {
        let response = is_there(said.member, said.epoch, interval);
        return Some(asked.step_of_group(asked.answer(&response, out), true, broker));
    }
    let told = groups.at_once(said.group, |shard, ground| {
        // What is more is decided where it can be written, and only there.
        let beat = heartbeat(&request, client_id.into(), host_of(peer).clone());
        let can_be = beat.check(asked.version, &ground.config.consumer).is_ok();
        if can_be && shard.is_quiet(ground, &beat.group) {
            shard.consumer_heartbeat(ground, &beat)
        } else {
            Ok(Decision::wait())
        }
    })?;
    let is_of_shard = CoordinatorError::is_of_shard(&told);
    let written = match told {
        Ok(answer) => asked.answer(&response_to(Cow::Borrowed(&*answer.member), &answer), out),
        Err(error) => asked.answer(&not_taken(error, &request.group_id, None), out),
    };
    Some(asked.step_of_group(written, is_of_shard, broker))
}

/// Whether more is said of the member than where it is and what it holds.
fn says_more(request: &ConsumerGroupHeartbeatRequest<'_>) -> bool {
    let names = [&request.instance_id, &request.rack_id, &request.server_assignor];
    let subscribes = request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some();
    subscribes || names.iter().any(|name| name.is_some())
}

/// How long a member may take to give something up, if it says so.
fn rebalance_timeout(request: &ConsumerGroupHeartbeatRequest<'_>) -> Option<Millis> {
    (request.rebalance_timeout_ms != -1).then(|| Millis(request.rebalance_timeout_ms.into()))
}

/// What a member says.
pub fn read(call: &Call, request: &ConsumerGroupHeartbeatRequest<'_>) -> ConsumerHeartbeat {
    heartbeat(request, call.client_id.clone(), call.client_host())
}

/// Handles one request. What was drawn for it goes back once it is decided: who joins may wait for others.
pub async fn handle(
    call: &Call,
    beat: ConsumerHeartbeat,
    drawn: Drawn,
) -> ConsumerGroupHeartbeatResponse<'static> {
    let config = call.broker.config().groups.decisions.clone();
    if !call.broker.serves_consumer_groups() {
        return refused(ErrorCode::UnsupportedVersion, None);
    }
    if let Err(invalid) = beat.check(call.asked.version, &config.consumer) {
        return refused(ErrorCode::from(&invalid), Some(invalid.to_string()));
    }
    let (group, regex) = (beat.group.clone(), beat.regex.clone());
    let groups = &call.broker.coordinators.groups;
    let told = if beat.epoch == Epoch::JOINING {
        let joins = groups.submit_and_let_go(&group, drawn, move |shard, ground| {
            let decision = shard.consumer_heartbeat(ground, &beat)?;
            Ok(decision.map(|answer| Answer::Heartbeat(Ok(answer))))
        });
        joins.await.and_then(of_who_joins)
    } else {
        groups.submit(&group, move |shard, ground| shard.consumer_heartbeat(ground, &beat)).await
    };
    match told {
        Ok(answer) => response(answer),
        Err(error) => not_taken(error, &group, regex),
    }
}

/// What is said where a heartbeat of this group was not taken.
fn not_taken(
    error: CoordinatorError<GroupRefusal>,
    group: &str,
    regex: Option<Arc<str>>,
) -> ConsumerGroupHeartbeatResponse<'static> {
    untaken::tell(group, &error);
    let message = match &error {
        CoordinatorError::Refused(GroupRefusal::InvalidRegularExpression) => invalid_regex(regex),
        CoordinatorError::Refused(refusal) => Some(refusal.to_string()),
        _ => None,
    };
    refused(error.into(), message)
}

/// The answer to who joins, who may have waited for others.
fn of_who_joins(answer: Answer) -> Result<HeartbeatAnswer, CoordinatorError<GroupRefusal>> {
    match answer {
        Answer::Heartbeat(told) => told.map_err(CoordinatorError::Refused),
        Answer::Join(_) | Answer::Sync(_) => {
            Err(CoordinatorError::NotAvailable("the answer to a heartbeat is another's".to_owned()))
        }
    }
}

fn heartbeat(
    request: &ConsumerGroupHeartbeatRequest<'_>,
    client_id: Arc<str>,
    client_host: Arc<str>,
) -> ConsumerHeartbeat {
    let owned = request.topic_partitions.as_ref().map(|topics| {
        let mut owned = Partitions::new();
        for topic in topics {
            let indexes = topic.partitions.iter().map(PartitionIndex);
            owned.entry(topic.topic_id).or_default().extend(indexes);
        }
        owned
    });
    let topics = request.subscribed_topic_names.as_ref();
    let topics = topics.map(|topics| topics.iter().map(|topic| Arc::from(&*topic)).collect::<BTreeSet<_>>());
    ConsumerHeartbeat {
        group: Arc::from(&*request.group_id),
        member: Arc::from(&*request.member_id),
        epoch: Epoch(request.member_epoch),
        instance: request.instance_id.as_deref().map(Arc::from),
        rack: request.rack_id.as_deref().map(Arc::from),
        rebalance_timeout: rebalance_timeout(request),
        topics,
        regex: request.subscribed_topic_regex.as_deref().map(Arc::from),
        assignor: request.server_assignor.as_deref().map(Arc::from),
        owned,
        client_id,
        client_host,
    }
}

/// The answer to a member that is where it is to be.
fn is_there(member: &str, epoch: Epoch, interval: Millis) -> ConsumerGroupHeartbeatResponse<'_> {
    ConsumerGroupHeartbeatResponse {
        member_id: Some(member.into()),
        member_epoch: epoch.0,
        heartbeat_interval_ms: interval.narrow(),
        ..ConsumerGroupHeartbeatResponse::default()
    }
}

fn response(answer: HeartbeatAnswer) -> ConsumerGroupHeartbeatResponse<'static> {
    response_to(answer.member.to_string().into(), &answer)
}

fn response_to<'m>(member: Cow<'m, str>, answer: &HeartbeatAnswer) -> ConsumerGroupHeartbeatResponse<'m> {
    let assignment = answer.assignment.as_ref().map(|held| {
        let topics = held.iter().map(|(topic, held)| ResponseTopicPartitions {
            topic_id: *topic,
            partitions: held.keys().map(|index| index.0).collect(),
        });
        Assignment { topic_partitions: topics.collect() }
    });
    ConsumerGroupHeartbeatResponse {
        member_id: Some(member),
        member_epoch: answer.epoch.0,
        heartbeat_interval_ms: answer.interval.narrow(),
        assignment,
        ..ConsumerGroupHeartbeatResponse::default()
    }
}

fn refused(error: ErrorCode, message: Option<String>) -> ConsumerGroupHeartbeatResponse<'static> {
    ConsumerGroupHeartbeatResponse {
        error_code: error.into(),
        error_message: message.map(sentence),
        ..ConsumerGroupHeartbeatResponse::default()
    }
}

/// What is wrong with an expression.
fn invalid_regex(regex: Option<Arc<str>>) -> Option<String> {
    let regex = regex?;
    let error = Pattern::compile(&regex).err()?;
    Some(format!("no regular expression that RE2 knows ({error}): '{regex}'"))
}
