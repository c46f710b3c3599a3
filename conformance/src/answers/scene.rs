//! One broker with what a case has put there: the topic, the producer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use conformance::connection::{Answer, Connection};
use conformance::patience::{PATIENCE, error_codes};
use protocol::api_key::ApiKey;
use protocol::id::{ProducerEpoch, ProducerId, Uuid};
use protocol::messages::schema::Versions;
use serde_json::{Value, json};

use super::case::{Case, Given};
use super::consumer_groups::{self, with};
use super::{groups, transactions};

/// A broker that is asked.
#[derive(Debug)]
pub struct Side {
    address: SocketAddr,
    connection: Connection,
    advertised: Vec<(i16, Versions)>,
    cluster_id: String,
}

/// What a case has made on one side. Names are the same on both sides, ids are each side's own.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The name of the topic, whether it was made or not.
    pub topic: String,
    /// The id of the topic if it was made.
    pub topic_id: String,
    /// The producer, if one was asked for.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: ProducerEpoch,
    /// The fetch session, if one was begun.
    pub session_id: i64,
    /// The id of the group's member, if one was asked for.
    pub member_id: String,
    /// The broker's port.
    pub port: u16,
    /// The id of the broker's cluster.
    pub cluster_id: String,
    /// The version that is asked in.
    pub version: i16,
}

impl Scene {
    /// The producer that an answer names becomes the scene's.
    fn take_producer(&mut self, answer: &Value) -> Result<()> {
        self.producer_id = ProducerId(answer["ProducerId"].as_i64().context("a producer id")?);
        let epoch = answer["ProducerEpoch"].as_i64().context("a producer epoch")?;
        self.producer_epoch = ProducerEpoch(i16::try_from(epoch)?);
        Ok(())
    }
}

impl Side {
    /// Connects and asks what the broker can do.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let mut connection = Connection::open(address)?;
        let Answer::Response(answer) = connection.ask(ApiKey::ApiVersions, 0, &json!({}))? else {
            bail!("{address} closed the connection instead of naming its versions");
        };
        ensure!(answer["ErrorCode"] == 0, "ApiVersions: {answer}");
        let mut advertised = Vec::new();
        for api in answer["ApiKeys"].as_array().into_iter().flatten() {
            let number =
                |name: &str| -> Result<i16> { Ok(i16::try_from(api[name].as_i64().context("a number")?)?) };
            advertised.push((number("ApiKey")?, Versions::new(number("MinVersion")?, number("MaxVersion")?)));
        }
        let mut side = Self { address, connection, advertised, cluster_id: String::new() };
        let cluster = side.succeed(ApiKey::DescribeCluster, 0, &json!({}))?;
        side.cluster_id = cluster["ClusterId"].as_str().context("a cluster id")?.to_owned();
        // The first producer id of a new broker comes when its controller has given it a block of them.
        side.succeed_in_time(ApiKey::InitProducerId, 4, &json!({"TransactionalId": null}))?;
        // The offsets topic comes into being when it is first asked for, and each of its partitions is loaded then.
        side.succeed_in_time(ApiKey::FindCoordinator, 2, &json!({"Key": "warm", "KeyType": 0}))?;
        for number in 0..100 {
            let request = json!({"GroupId": format!("warm-{number}"), "Topics": []});
            side.succeed_in_time(ApiKey::OffsetFetch, 5, &request)?;
        }
        // That of transactions likewise.
        side.succeed_in_time(ApiKey::FindCoordinator, 2, &json!({"Key": "warm", "KeyType": 1}))?;
        for number in 0..200 {
            let request =
                json!({"TransactionalId": format!("warm-{number}"), "TransactionTimeoutMs": 60_000});
            side.succeed_in_time(ApiKey::InitProducerId, 2, &request)?;
        }
        Ok(side)
    }

    /// Where the broker listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The versions of an API that this broker advertises.
    pub fn versions(&self, api: ApiKey) -> Versions {
        let found = self.advertised.iter().find(|(key, _)| *key == api as i16);
        found.map_or(Versions::NONE, |(_, versions)| *versions)
    }

    /// Asks, on a new connection if the last was closed.
    pub fn ask(&mut self, api: ApiKey, version: i16, request: &Value) -> Result<Answer> {
        let answer = self.connection.ask(api, version, request);
        self.reopen_unless_answered(answer)
    }

    /// Asks with a body that is bytes already.
    pub fn ask_bytes(&mut self, api: ApiKey, version: i16, body: &[u8]) -> Result<Answer> {
        let answer = self.connection.ask_bytes(api, version, body);
        self.reopen_unless_answered(answer)
    }

    /// Waits until partition 0 of a topic has a leader that answers.
    pub fn wait_for(&mut self, topic: &str) -> Result<()> {
        let request = json!({"ReplicaId": -1, "Topics": [{"Name": topic,
            "Partitions": [{"PartitionIndex": 0, "Timestamp": -1}]}]});
        self.succeed_in_time(ApiKey::ListOffsets, 5, &request)?;
        Ok(())
    }

    /// Asks what is not answered.
    pub fn tell(&mut self, api: ApiKey, version: i16, request: &Value) -> Result<Answer> {
        let answer = self.connection.tell(api, version, request);
        self.reopen_unless_answered(answer)
    }

    fn reopen_unless_answered(&mut self, answer: Result<Answer>) -> Result<Answer> {
        if matches!(answer, Err(_) | Ok(Answer::Closed)) {
            self.connection = Connection::open(self.address)?;
        }
        answer
    }

    /// Asks and wants a response without errors.
    fn succeed(&mut self, api: ApiKey, version: i16, request: &Value) -> Result<Value> {
        match self.ask(api, version, request)? {
            Answer::Response(answer) if error_codes(&answer).is_empty() => Ok(answer),
            other => bail!("{} {version} was answered with {other:?}", api.name()),
        }
    }

    /// Puts on this side what a case needs.
    pub fn set(&mut self, case: &Case, topic: &str, version: i16) -> Result<Scene> {
        let mut scene = Scene {
            topic: topic.to_owned(),
            topic_id: Uuid::ZERO.to_string(),
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            session_id: 0,
            member_id: String::new(),
            port: self.address.port(),
            cluster_id: self.cluster_id.clone(),
            version,
        };
        self.give(&case.given, &mut scene)?;
        Ok(scene)
    }

    /// Puts on this side what a scene needs.
    pub fn give(&mut self, all: &[Given], scene: &mut Scene) -> Result<()> {
        for given in all {
            match given {
                Given::Topic(partitions, configs) => self.make_topic(scene, *partitions, configs)?,
                Given::Batch(batch) => {
                    let request = json!({"Acks": -1, "TimeoutMs": 10_000, "TopicData": [{"Name": scene.topic,
                        "PartitionData": [{"Index": 0, "Records": batch(scene)}]}]});
                    self.succeed_in_time(ApiKey::Produce, 9, &request)?;
                }
                Given::Producer => {
                    let answer =
                        self.succeed(ApiKey::InitProducerId, 4, &json!({"TransactionalId": null}))?;
                    scene.take_producer(&answer)?;
                }
                Given::Session => {
                    let request = json!({"MaxWaitMs": 0, "MinBytes": 0, "MaxBytes": 1_000_000,
                        "SessionId": 0, "SessionEpoch": 0, "Topics": [{"Topic": scene.topic, "Partitions":
                        [{"Partition": 0, "FetchOffset": 0, "PartitionMaxBytes": 1_000_000}]}]});
                    let answer = self.succeed(ApiKey::Fetch, 12, &request)?;
                    scene.session_id = answer["SessionId"].as_i64().context("a session id")?;
                    ensure!(scene.session_id != 0, "no session was begun: {answer}");
                }
                Given::Member { has_part } => self.make_member(scene, *has_part)?,
                Given::Transactional => self.begin(scene)?,
                Given::Ended { version, committed } => self.end(scene, *version, *committed)?,
                Given::Heard => self.have_heard(scene)?,
                Given::Asked(api, version, ask) => {
                    self.succeed(*api, *version, &ask(scene)?)?;
                }
            }
        }
        Ok(())
    }

    /// A producer begins under the scene's transactional id. Its coordinator may have to be loaded first.
    fn begin(&mut self, scene: &mut Scene) -> Result<()> {
        let answer = self.succeed_in_time(ApiKey::InitProducerId, 4, &transactions::init(scene))?;
        scene.take_producer(&answer)
    }

    /// The scene's transaction ends, and its markers are written.
    fn end(&mut self, scene: &mut Scene, version: i16, committed: bool) -> Result<()> {
        let answer = self.succeed(ApiKey::EndTxn, version, &transactions::end(scene, committed))?;
        if version >= 5 {
            scene.take_producer(&answer)?;
        }
        let end = Instant::now() + PATIENCE;
        loop {
            let told = self.succeed(ApiKey::DescribeTransactions, 0, &transactions::describe(scene))?;
            let state = told["TransactionStates"][0]["TransactionState"].clone();
            if state.as_str().is_some_and(|state| state.starts_with("Complete")) {
                return Ok(());
            }
            ensure!(Instant::now() < end, "the transaction does not end: {told}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn make_topic(&mut self, scene: &mut Scene, partitions: i32, configs: &[(&str, &str)]) -> Result<()> {
        let configs: Vec<_> =
            configs.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
        let request = json!({"Topics": [{"Name": scene.topic, "NumPartitions": partitions, "ReplicationFactor": 1,
            "Configs": configs}]});
        let answer = self.succeed(ApiKey::CreateTopics, 7, &request)?;
        scene.topic_id = answer["Topics"][0]["TopicId"].as_str().context("a topic id")?.to_owned();
        // The topic is there for good when its leaders answer.
        let indexes: Vec<_> =
            (0..partitions).map(|index| json!({"PartitionIndex": index, "Timestamp": -1})).collect();
        let request = json!({"ReplicaId": -1, "Topics": [{"Name": scene.topic, "Partitions": indexes}]});
        self.succeed_in_time(ApiKey::ListOffsets, 5, &request)?;
        Ok(())
    }

    fn make_member(&mut self, scene: &mut Scene, has_part: bool) -> Result<()> {
        let answer = self.succeed(ApiKey::JoinGroup, 5, &groups::join(scene, "", &json!("one")))?;
        scene.member_id = answer["MemberId"].as_str().context("a member id")?.to_owned();
        if has_part {
            let parts = json!([{"MemberId": scene.member_id, "Assignment": "0102"}]);
            let request = json!({"GroupId": scene.topic, "GenerationId": 1, "MemberId": scene.member_id,
                "GroupInstanceId": "one", "Assignments": parts});
            self.succeed(ApiKey::SyncGroup, 3, &request)?;
        }
        Ok(())
    }

    /// A coordinator of Kafka may hear of a topic after its leaders: it is asked, by a member that goes again, until
    /// it has.
    fn have_heard(&mut self, scene: &Scene) -> Result<()> {
        let beat = ApiKey::ConsumerGroupHeartbeat;
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let request = with(consumer_groups::joining(scene), &[("MemberId", json!("first"))]);
            let answer = self.succeed(beat, 1, &request)?;
            let leaving = with(consumer_groups::beat(scene, -1), &[("MemberId", json!("first"))]);
            self.succeed(beat, 1, &leaving)?;
            self.succeed(ApiKey::DeleteGroups, 2, &json!({"GroupsNames": [scene.topic]}))?;
            if answer["Assignment"]["TopicPartitions"].as_array().is_some_and(|topics| !topics.is_empty()) {
                return Ok(());
            }
            ensure!(Instant::now() < end, "the coordinator does not hear of {}", scene.topic);
        }
    }

    /// Asks until there is a response without errors.
    fn succeed_in_time(&mut self, api: ApiKey, version: i16, request: &Value) -> Result<Value> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.succeed(api, version, request) {
                Err(refusal) if Instant::now() > end => return Err(refusal),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
                answer => return answer,
            }
        }
    }
}
