//! What a member of a streams group is told: its tasks, where state can be asked for, and what else there is to say.

use std::sync::Arc;

use super::configured::{Configured, InternalTopic};
use super::endpoints::EndpointPartitions;
use super::heartbeat::StreamsHeartbeat;
use super::tasks::Held;
use super::turn::{Turn, Update};
use super::{Epoch, Member, Status, StatusCode, StreamsChange, StreamsGroup};
use crate::group::{MemberId, Millis};

/// The first version whose clients know what it means that they lack tags.
const TELLS_TAGS_SINCE: i16 = 1;

/// What a member is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamsAnswer {
    /// What it is called.
    pub member: MemberId,
    /// Where it is from now on.
    pub epoch: Epoch,
    /// How soon it is to be heard of again; zero for who leaves.
    pub interval: Millis,
    /// How soon it is to tell how far its state is.
    pub task_offset_interval: Millis,
    /// How far behind a copy of state may be to count as whole; none for who leaves.
    pub acceptable_recovery_lag: Option<i64>,
    /// What else there is to say.
    pub statuses: Vec<Status>,
    /// What it is to have; left out where that has not changed.
    pub tasks: Option<Arc<Held>>,
    /// The state of endpoints.
    pub endpoint_epoch: i32,
    /// Where state can be asked for; left out where the member knows.
    pub endpoints: Option<Vec<EndpointPartitions>>,
    /// Topics of the application's own that are to be made.
    pub missing_topics: Vec<InternalTopic>,
}

impl Turn<'_> {
    /// The answer to a member that has come this far.
    pub(super) fn answer(
        &mut self,
        update: &Update,
        next: &Arc<Member>,
        configured: &Arc<Configured>,
        beat: &StreamsHeartbeat,
    ) -> StreamsAnswer {
        let tasks_changed = update.before.assigned != next.assigned;
        let endpoint_changed = update.before.endpoint != next.endpoint;
        let known = self.group.live.endpoint_epoch;
        let changed = endpoint_changed || (tasks_changed && next.endpoint.is_some());
        let endpoint_epoch = if changed { known.wrapping_add(1) } else { known };
        if changed && !self.is_new {
            self.changes.push(StreamsChange::EndpointEpoch(endpoint_epoch));
        }
        let endpoints = (endpoint_epoch != beat.endpoint_epoch)
            .then(|| self.group.endpoints(update, next, configured, self.ground.image));
        self.say_what_else(next, configured, beat);
        StreamsAnswer {
            member: update.id.clone(),
            epoch: next.epoch,
            interval: self.settings.heartbeat_interval,
            task_offset_interval: self.settings.task_offset_interval,
            acceptable_recovery_lag: Some(self.settings.acceptable_recovery_lag),
            statuses: std::mem::take(&mut self.statuses),
            tasks: (beat.epoch == Epoch::JOINING || tasks_changed).then(|| next.assigned.clone()),
            // A group that begins has none yet.
            endpoint_epoch: if self.is_new { 0 } else { endpoint_epoch },
            endpoints,
            missing_topics: configured.missing.clone(),
        }
    }

    fn say_what_else(&mut self, member: &Member, configured: &Configured, beat: &StreamsHeartbeat) {
        self.statuses.extend(configured.problem.clone());
        let asked_before = self.group.live.shutdown.clone();
        if beat.shutdown && asked_before.is_none() {
            self.changes.push(StreamsChange::Shutdown(Some(beat.member.clone())));
        }
        if let Some(by) = asked_before.or_else(|| beat.shutdown.then(|| beat.member.clone())) {
            let detail = format!("member {by} has failed and asks the whole application to end");
            self.statuses.push(Status::new(StatusCode::ShutdownApplication, detail));
        }
        if beat.version < TELLS_TAGS_SINCE {
            return;
        }
        let required = self.settings.rack_aware_tags.iter();
        let lacking: Vec<&str> =
            required.filter(|tag| !member.tags.contains_key(*tag)).map(|tag| &**tag).collect();
        if !lacking.is_empty() {
            let detail = format!(
                "the member lacks client tags by which standby tasks are spread: {}; set client.tag.<key>",
                lacking.join(", ")
            );
            self.statuses.push(Status::new(StatusCode::MissingClientTags, detail));
        }
    }
}

impl StreamsGroup {
    /// Where state can be asked for, the member that speaks as it is from now on.
    fn endpoints(
        &self,
        update: &Update,
        next: &Member,
        configured: &Configured,
        image: &metadata::Image,
    ) -> Vec<EndpointPartitions> {
        let others = self
            .members
            .by_id()
            .iter()
            .filter(|(id, _)| **id != update.id && Some(*id) != update.replaced.as_ref());
        let all = others.map(|(_, member)| &**member).chain([next]);
        all.filter_map(|member| EndpointPartitions::of(member, configured, image)).collect()
    }
}
