//! What the log says of a classic group.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::Timestamp;
use protocol::messages::record::GroupMetadataValue;
use protocol::messages::record::group_metadata::{GroupMetadataKey, MemberMetadata};

use super::super::{Generation, MemberId, Millis};
use super::{Live, Member, State};
use crate::record::GroupRecord;

/// A recorded group.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Empty for none.
    pub protocol_type: Arc<str>,
    /// Which assignment this is.
    pub generation: Generation,
    /// The protocol that the members agreed on.
    pub protocol: Option<Arc<str>>,
    /// Who assigned.
    pub leader: Option<MemberId>,
    /// Since when the group was as it is; none in records of old.
    pub since: Timestamp,
    /// The members in the order of their ids, in no more memory than they need.
    pub members: Box<[(MemberId, RecordedMember)]>,
}

/// A recorded member.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedMember {
    instance: Option<Arc<str>>,
    client_id: Arc<str>,
    client_host: Arc<str>,
    rebalance_timeout: Millis,
    session_timeout: Millis,
    subscription: Arc<[u8]>,
    assignment: Arc<[u8]>,
}

impl Recorded {
    /// Reads a record.
    pub fn of(value: &GroupMetadataValue<'_>) -> Self {
        let members = value.members.iter().map(|member| {
            // The first version had one time-out for both.
            let rebalance = if member.rebalance_timeout == -1 {
                member.session_timeout
            } else {
                member.rebalance_timeout
            };
            let recorded = RecordedMember {
                instance: member.group_instance_id.as_deref().map(Arc::from),
                client_id: Arc::from(&*member.client_id),
                client_host: Arc::from(&*member.client_host),
                rebalance_timeout: Millis(rebalance.into()),
                session_timeout: Millis(member.session_timeout.into()),
                subscription: Arc::from(&*member.subscription),
                assignment: Arc::from(&*member.assignment),
            };
            (Arc::from(&*member.member_id), recorded)
        });
        Self {
            protocol_type: Arc::from(&*value.protocol_type),
            generation: Generation(value.generation),
            protocol: value.protocol.as_deref().map(Arc::from),
            leader: value.leader.as_deref().map(Arc::from),
            since: Timestamp(value.current_state_timestamp),
            members: members.collect::<BTreeMap<_, _>>().into_iter().collect(),
        }
    }
}

impl From<&Recorded> for Live {
    fn from(recorded: &Recorded) -> Self {
        let protocol = recorded.protocol.clone();
        let members = recorded.members.iter().map(|(id, member)| {
            let name = protocol.clone().unwrap_or_else(|| Arc::from(""));
            let member = Member {
                instance: member.instance.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                session_timeout: member.session_timeout,
                rebalance_timeout: member.rebalance_timeout,
                protocols: Arc::from([(name, member.subscription.clone())]),
                assignment: member.assignment.clone(),
                deadline: None,
                is_new: false,
                joins: None,
                syncs: None,
            };
            (id.clone(), Arc::new(member))
        });
        let mut live = Self {
            state: if recorded.members.is_empty() { State::Empty } else { State::Stable },
            since: recorded.since,
            protocol_type: Some(recorded.protocol_type.clone()).filter(|name| !name.is_empty()),
            protocol: recorded.protocol.clone(),
            generation: recorded.generation,
            leader: recorded.leader.clone(),
            members: members.collect(),
            ..Self::default()
        };
        live.instances = live
            .members
            .iter()
            .filter_map(|(id, member)| Some((member.instance.clone()?, id.clone())))
            .collect();
        live.subscribed = live.subscriptions();
        live
    }
}

impl Live {
    /// The record of the group as it is, each member with the part that `assignments` gives it.
    pub(super) fn record(
        &self,
        id: &str,
        assignments: impl Fn(&MemberId, &Member) -> Arc<[u8]>,
    ) -> GroupRecord<'static> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = self.members.iter().map(|(id, member)| MemberMetadata {
            member_id: id.to_string().into(),
            group_instance_id: member.instance.as_deref().map(|instance| instance.to_owned().into()),
            client_id: member.client_id.to_string().into(),
            client_host: member.client_host.to_string().into(),
            rebalance_timeout: member.rebalance_timeout.narrow(),
            session_timeout: member.session_timeout.narrow(),
            subscription: member.metadata(protocol).to_vec().into(),
            assignment: assignments(id, member).to_vec().into(),
        });
        let value = GroupMetadataValue {
            protocol_type: self.protocol_type.as_deref().unwrap_or_default().to_owned().into(),
            generation: self.generation.0,
            protocol: self.protocol.as_deref().map(|protocol| protocol.to_owned().into()),
            leader: self.leader.as_deref().map(|leader| leader.to_owned().into()),
            current_state_timestamp: self.since.0,
            members: members.collect(),
        };
        GroupRecord::GroupMetadata(GroupMetadataKey { group: id.to_owned().into() }, Some(value))
    }
}
