//! DescribeGroups and ListGroups: what the groups are and who is in them.

use std::sync::Arc;

use super::classic::{CONSUMER, State};
use super::{Group, GroupShard};

/// Kafka's name of the protocol of Kafka Streams, and of what its members are.
const STREAMS: &str = "streams";

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its id.
    pub id: Arc<str>,
    /// What its members are; empty where there never were any.
    pub protocol_type: Arc<str>,
    /// Kafka's name of where it stands.
    pub state: &'static str,
    /// Kafka's name of the protocol its members speak.
    pub kind: &'static str,
}

/// A classic group in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedGroup {
    /// Kafka's name of where it stands.
    pub state: &'static str,
    /// What its members are.
    pub protocol_type: Arc<str>,
    /// The protocol in use; told of stable groups only.
    pub protocol: Arc<str>,
    /// The members.
    pub members: Vec<DescribedMember>,
}

/// A member of a classic group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedMember {
    /// Its id.
    pub id: Arc<str>,
    /// Its own name.
    pub instance: Option<Arc<str>>,
    /// What the client calls itself.
    pub client_id: Arc<str>,
    /// Where it connects from.
    pub client_host: Arc<str>,
    /// What it told the leader; told of stable groups only.
    pub metadata: Arc<[u8]>,
    /// Its part.
    pub assignment: Arc<[u8]>,
}

impl GroupShard {
    /// The groups, each with state and type.
    pub fn list(&self) -> impl Iterator<Item = ListedGroup> {
        self.groups().map(|(id, group)| match group {
            Group::Classic(group) => ListedGroup {
                id: id.clone(),
                protocol_type: group.live.protocol_type().cloned().unwrap_or_else(|| Arc::from("")),
                state: group.live.state().name(),
                kind: "classic",
            },
            Group::Consumer(group) => ListedGroup {
                id: id.clone(),
                protocol_type: Arc::from(CONSUMER),
                state: group.state().name(),
                kind: "consumer",
            },
            Group::Streams(group) => ListedGroup {
                id: id.clone(),
                protocol_type: Arc::from(STREAMS),
                state: group.state().name(),
                kind: STREAMS,
            },
        })
    }

    /// A classic group; `None` where there is none of this id.
    pub fn describe_classic(&self, id: &str) -> Option<DescribedGroup> {
        let Some(Group::Classic(group)) = self.group(id) else { return None };
        let live = &group.live;
        let stable = live.state() == State::Stable;
        let protocol = live.protocol().filter(|_| stable).cloned().unwrap_or_else(|| Arc::from(""));
        let members = live.members().iter().map(|(id, member)| DescribedMember {
            id: id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: if stable { member.metadata(&protocol) } else { Arc::from([]) },
            assignment: member.assignment.clone(),
        });
        Some(DescribedGroup {
            state: live.state().name(),
            protocol_type: live.protocol_type().cloned().unwrap_or_else(|| Arc::from("")),
            members: members.collect(),
            protocol,
        })
    }
}
