//! DeleteTopics, 1 to 6: deletes topics, each by itself.
//!
//! 3 has a code of its own for a broker with `delete.topic.enable=false`, 5 a message with each error, 6 deletes by
//! id too (KIP-516). Who names a topic twice, by name, by id or by both, most likely meant something else: no part
//! of it is deleted.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use metadata::Image;
use metadata::controller::topics::{TopicRef, decide_delete_topics};
use protocol::ErrorCode;
use protocol::id::{TopicId, Uuid};
use protocol::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};

use super::Call;
use super::ask::{Refused, ask, wire};

/// The first version that names topics by id.
const BY_ID: i16 = 6;
/// The first version with a code for brokers that delete no topics.
const SAYS_DISABLED: i16 = 3;

/// Handles one request.
pub async fn handle<'a>(call: &Call, request: DeleteTopicsRequest<'a>) -> DeleteTopicsResponse<'a> {
    let asked = named(call.asked.version, &request);
    let results = if call.broker.config().topics.deletable {
        let plan = Plan::of(asked, &call.broker.quorum.image());
        delete(call, request.timeout_ms, plan).await
    } else {
        let refused = disabled(call.asked.version);
        asked.into_iter().map(|topic| result(topic, Err(refused.clone()))).collect()
    };
    DeleteTopicsResponse { responses: results.into(), ..DeleteTopicsResponse::default() }
}

fn named<'a>(version: i16, request: &DeleteTopicsRequest<'a>) -> Vec<DeleteTopicState<'a>> {
    if version >= BY_ID {
        return request.topics.iter().collect();
    }
    let names = request.topic_names.iter();
    names.map(|name| DeleteTopicState { name: Some(name), topic_id: Uuid::ZERO }).collect()
}

fn disabled(version: i16) -> Refused {
    let code =
        if version < SAYS_DISABLED { ErrorCode::InvalidRequest } else { ErrorCode::TopicDeletionDisabled };
    Refused::new(code, "this broker runs with delete.topic.enable=false: it deletes no topics")
}

/// What of a request can go to the controller, and what cannot and why.
struct Plan<'a> {
    wanted: Vec<DeleteTopicState<'a>>,
    refused: Vec<(DeleteTopicState<'a>, Refused)>,
}

impl<'a> Plan<'a> {
    fn of(asked: Vec<DeleteTopicState<'a>>, image: &Image) -> Self {
        let mut plan = Self { wanted: Vec::with_capacity(asked.len()), refused: Vec::new() };
        let mut names: BTreeMap<Cow<'a, str>, bool> = BTreeMap::new();
        let mut ids: BTreeMap<TopicId, bool> = BTreeMap::new();
        for topic in asked {
            match (&topic.name, topic.topic_id.is_zero()) {
                (Some(_), false) => {
                    plan.refuse(topic, "a topic was named by name and by id: use one of the two");
                }
                (None, true) => plan.refuse(topic, "a topic was named neither by name nor by id"),
                (None, false) => {
                    ids.entry(topic.topic_id).and_modify(|twice| *twice = true).or_insert(false);
                }
                (Some(name), true) => {
                    names.entry(name.clone()).and_modify(|twice| *twice = true).or_insert(false);
                }
            }
        }
        let mut spoilt = BTreeSet::new();
        for (name, twice) in names {
            let id = image.topics.id_of(&name);
            let by_id = id.filter(|id| ids.contains_key(id));
            let state = DeleteTopicState { name: Some(name), topic_id: by_id.unwrap_or(Uuid::ZERO) };
            if twice {
                let state = DeleteTopicState { topic_id: Uuid::ZERO, ..state };
                plan.refuse(state, "the topic's name stands more than once in the request: name it once");
            } else if let Some(id) = by_id {
                spoilt.insert(id);
                plan.refuse(state, "the topic stands in the request by its id too: name it once");
            } else {
                plan.wanted.push(state);
            }
        }
        for (topic_id, twice) in ids {
            let state = DeleteTopicState { name: None, topic_id };
            if twice {
                plan.refuse(state, "the topic's id stands more than once in the request: name it once");
            } else if !spoilt.contains(&topic_id) {
                plan.wanted.push(state);
            }
        }
        plan
    }

    fn refuse(&mut self, topic: DeleteTopicState<'a>, message: &'static str) {
        self.refused.push((topic, Refused::request(message)));
    }
}

async fn delete<'a>(call: &Call, timeout_ms: i32, plan: Plan<'a>) -> Vec<DeletableTopicResult<'a>> {
    let topics = plan.wanted.iter().map(|topic| match &topic.name {
        Some(name) => TopicRef::Name(name.to_string()),
        None => TopicRef::Id(topic.topic_id),
    });
    let topics: Vec<_> = topics.collect();
    // Nothing to decide needs no controller, nor time for one.
    let outcomes = if topics.is_empty() {
        Ok(Vec::new())
    } else {
        ask(call, timeout_ms, move |image, _| {
            let names: Vec<Option<String>> = topics
                .iter()
                .map(|topic| match topic {
                    TopicRef::Id(id) => image.topics.get(*id).map(|topic| topic.name.to_string()),
                    TopicRef::Name(_) => None,
                })
                .collect();
            let mut decision = decide_delete_topics(image, topics)?;
            let response = std::mem::take(&mut decision.response);
            let response: Vec<_> = response.into_iter().map(|(_, outcome)| outcome).zip(names).collect();
            Ok(metadata::Decision { records: decision.records, response, wake_at: decision.wake_at })
        })
        .await
    };
    let mut results: Vec<_> = match outcomes {
        Ok(outcomes) => plan
            .wanted
            .into_iter()
            .zip(outcomes)
            .map(|(topic, (outcome, name))| {
                let name = topic.name.or(name.map(Cow::Owned));
                let topic_id = outcome.as_ref().map_or(topic.topic_id, |id| *id);
                result(DeleteTopicState { name, topic_id }, outcome.map(drop).map_err(Refused::from))
            })
            .collect(),
        Err(refused) => plan.wanted.into_iter().map(|topic| result(topic, Err(refused.clone()))).collect(),
    };
    results.extend(plan.refused.into_iter().map(|(topic, refused)| result(topic, Err(refused))));
    results
}

fn result<'a>(topic: DeleteTopicState<'a>, outcome: Result<(), Refused>) -> DeletableTopicResult<'a> {
    let (error_code, error_message) = wire(outcome);
    DeletableTopicResult { name: topic.name, topic_id: topic.topic_id, error_code, error_message }
}
