//! A node of its own for each test, formatted and started in this process, and what tests ask of it.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::Path;

use protocol::id::{TopicId, Uuid};
use protocol::messages::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use protocol::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use protocol::messages::describe_topic_partitions::{DescribeTopicPartitionsRequest, TopicRequest};
use protocol::messages::{Message, Request};
use tempfile::TempDir;

use crate::raw::{Client, node};

/// The id of the node.
pub const NODE: i32 = 1;

/// A running node and its directory.
pub struct TestNode {
    node: node::TestNode,
    directory: TempDir,
}

impl TestNode {
    /// A node with these settings besides its ports and directory.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let node = node::start(directory.path(), settings);
        Self { node, directory }
    }

    /// The same node after a clean end and another start.
    pub fn restart(self, settings: &[(&str, &str)]) -> Self {
        let Self { node, directory } = self;
        node.stop();
        let node = node::start(directory.path(), settings);
        Self { node, directory }
    }

    pub fn client(&self) -> Client {
        self.node.connect()
    }

    pub fn broker(&self) -> &broker::Broker {
        self.node.node().broker()
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Sends a request on a connection of its own, and reads the answer with `read`.
    pub fn ask<'a, R: Request<'a>, T>(
        &self,
        request: &R,
        version: i16,
        read: impl for<'r> FnOnce(R::Response<'r>) -> T,
    ) -> T {
        let body = self.client().ask(request, version);
        read(<R::Response<'_> as Message<'_>>::decode(&body, version).unwrap())
    }

    /// Creates topics of one partition.
    pub fn create(&self, names: &[&str]) {
        let topics = names.iter().map(|name| topic(name, 1, 1)).collect();
        let request = CreateTopicsRequest { topics, timeout_ms: 20_000, validate_only: false };
        let codes = self.ask(&request, 7, |response| {
            response.topics.iter().map(|topic| topic.error_code).collect::<Vec<_>>()
        });
        assert!(codes.iter().all(|code| *code == 0), "{names:?}: {codes:?}");
    }

    /// A topic's id and the number of its partitions, if it is there.
    pub fn look_up(&self, name: &str) -> Option<(TopicId, usize)> {
        let request = DescribeTopicPartitionsRequest {
            topics: [TopicRequest { name: name.into() }].into(),
            response_partition_limit: 2000,
            cursor: None,
        };
        self.ask(&request, 0, |response| {
            let topic = response.topics.iter().next().unwrap();
            (topic.error_code == 0).then(|| (topic.topic_id, topic.partitions.len()))
        })
    }

    /// A setting as DescribeConfigs shows it: value and source.
    pub fn setting(&self, kind: i8, name: &str, key: &str) -> (Option<String>, i8) {
        let resource = DescribeConfigsResource {
            resource_type: kind,
            resource_name: name.into(),
            configuration_keys: Some([key.into()].into()),
        };
        let request =
            DescribeConfigsRequest { resources: [resource].into(), ..DescribeConfigsRequest::default() };
        self.ask(&request, 4, |response| {
            let result = response.results.iter().next().unwrap();
            assert_eq!(result.error_code, 0, "{name} {key}");
            let entry = result.configs.iter().next().unwrap();
            (entry.value.map(|value| value.into_owned()), entry.config_source)
        })
    }
}

/// A topic to create.
pub fn topic(name: &str, partitions: i32, replication_factor: i16) -> CreatableTopic<'static> {
    CreatableTopic {
        name: name.to_owned().into(),
        num_partitions: partitions,
        replication_factor,
        ..CreatableTopic::default()
    }
}

/// The same with one setting.
pub fn with_config(
    topic: CreatableTopic<'static>,
    key: &'static str,
    value: Option<&'static str>,
) -> CreatableTopic<'static> {
    let config = CreatableTopicConfig { name: key.into(), value: value.map(Into::into) };
    CreatableTopic { configs: [config].into(), ..topic }
}

/// An id that no topic has.
pub const NO_TOPIC: Uuid = Uuid([7; 16]);
