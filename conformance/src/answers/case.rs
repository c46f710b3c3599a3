//! A request to both brokers, in words: what must be there before it, what is asked, which errors Kafka gives.

use anyhow::Result;
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::messages::schema::Versions;
use serde_json::Value;

use super::scene::Scene;

/// Makes a request for a scene.
pub type Ask = Box<dyn Fn(&Scene) -> Result<Value>>;

/// Changes the body of a request, in the version it is told, into one that no schema allows.
pub type Mangle = Box<dyn Fn(i16, &mut Vec<u8>)>;

/// Broker config.
pub type Settings = &'static [(&'static str, &'static str)];

/// Something that is done before the request, on both brokers alike.
pub enum Given {
    /// The scene's topic, with partitions and configs.
    Topic(i32, &'static [(&'static str, &'static str)]),
    /// A batch in partition 0 of the scene's topic.
    Batch(Box<dyn Fn(&Scene) -> String>),
    /// A producer id, which becomes the scene's.
    Producer,
    /// A fetch session of partition 0 of the scene's topic, which becomes the scene's.
    Session,
    /// A static member of the scene's group, with its part or, where not, waiting for it; it becomes the scene's.
    Member { has_part: bool },
    /// A producer under a transactional id that is called as the scene's topic; it becomes the scene's.
    Transactional,
    /// The end of the scene's transaction, in this version of EndTxn and with its markers written; the scene's producer
    /// is the one that it leaves.
    Ended { version: i16, committed: bool },
    /// A coordinator of the scene's group that has heard of the scene's topic.
    Heard,
    /// Another request, answered without error.
    Asked(ApiKey, i16, Ask),
}

/// A request with what belongs to it.
pub struct Case {
    /// The API that is asked.
    pub api: ApiKey,
    /// What is special about the request.
    pub name: &'static str,
    /// The versions it is asked in, as far as both brokers advertise them.
    pub versions: Versions,
    /// What comes first.
    pub given: Vec<Given>,
    /// What comes after a kill and a start of both brokers, if the case wants one between: then leaders are of a
    /// later epoch.
    pub restarted: Option<Vec<Given>>,
    /// What they are told besides when they are started again.
    pub settings: Settings,
    /// The request.
    pub ask: Ask,
    /// What is done to its bytes.
    pub mangle: Option<Mangle>,
    /// The errors in Kafka's answer; none if it is a good request.
    pub errors: &'static [ErrorCode],
    /// Whether Kafka closes the connection instead of answering.
    pub closes: bool,
    /// Whether there is no answer at all, as with acks=0.
    pub silent: bool,
    /// Whether Kafka never answers: then only Headwater is asked, which must give one of the errors or close the
    /// connection.
    pub unanswered: bool,
    /// Whether each version needs a scene of its own, because the request changes something.
    pub fresh: bool,
    /// What is asked afterwards, to see what the request has done; again and again until the brokers agree, or for
    /// a while.
    pub then: Vec<(ApiKey, i16, Ask)>,
}

/// Begins a case; `ask` ends it.
pub fn case(api: ApiKey, name: &'static str) -> Case {
    Case {
        api,
        name,
        versions: Versions::ALL,
        given: Vec::new(),
        restarted: None,
        settings: &[],
        mangle: None,
        ask: Box::new(|_| Ok(Value::Object(serde_json::Map::new()))),
        errors: &[],
        closes: false,
        silent: false,
        unanswered: false,
        fresh: false,
        then: Vec::new(),
    }
}

impl Case {
    /// Only in these versions.
    pub fn versions(mut self, first: i16, last: i16) -> Self {
        self.versions = Versions::new(first, last);
        self
    }

    /// With the scene's topic, of so many partitions.
    pub fn topic(self, partitions: i32) -> Self {
        self.topic_with(partitions, &[])
    }

    /// With the scene's topic and its configs.
    pub fn topic_with(self, partitions: i32, configs: &'static [(&'static str, &'static str)]) -> Self {
        self.give(Given::Topic(partitions, configs))
    }

    /// With a batch, in hex, in partition 0.
    pub fn batch(self, batch: String) -> Self {
        self.batch_of(move |_| batch.clone())
    }

    /// With a batch that depends on the scene in partition 0.
    pub fn batch_of(self, batch: impl Fn(&Scene) -> String + 'static) -> Self {
        self.give(Given::Batch(Box::new(batch)))
    }

    fn give(mut self, given: Given) -> Self {
        self.restarted.as_mut().unwrap_or(&mut self.given).push(given);
        self
    }

    /// With both brokers killed and started again; what is given from here on comes after that.
    pub fn restart(mut self) -> Self {
        self.restarted = Some(Vec::new());
        self
    }

    /// As [`Self::restart`], with these settings from then on.
    pub fn restart_with(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self.restart()
    }

    /// With a fetch session of partition 0, begun in a version that names topics.
    pub fn session(self) -> Self {
        self.give(Given::Session)
    }

    /// With a body changed beyond what a schema allows.
    pub fn mangled(mut self, mangle: impl Fn(i16, &mut Vec<u8>) + 'static) -> Self {
        self.mangle = Some(Box::new(mangle));
        self
    }

    /// With a producer id.
    pub fn producer(self) -> Self {
        self.give(Given::Producer)
    }

    /// With a group whose one member has its part.
    pub fn member(self) -> Self {
        self.give(Given::Member { has_part: true })
    }

    /// With a group whose one member leads and has not assigned.
    pub fn joined(self) -> Self {
        self.give(Given::Member { has_part: false })
    }

    /// With a producer under a transactional id.
    pub fn transactional(self) -> Self {
        self.give(Given::Transactional)
    }

    /// With the scene's transaction ended, by the rules of KIP-890.
    pub fn ended(self, committed: bool) -> Self {
        self.give(Given::Ended { version: 5, committed })
    }

    /// With the scene's transaction ended as older clients do it.
    pub fn ended_old(self, committed: bool) -> Self {
        self.give(Given::Ended { version: 4, committed })
    }

    /// With a topic that the coordinator of the scene's group has heard of.
    pub fn heard_of(self, partitions: i32) -> Self {
        self.topic(partitions).give(Given::Heard)
    }

    /// With another request before it.
    pub fn asked(self, api: ApiKey, version: i16, ask: impl Fn(&Scene) -> Value + 'static) -> Self {
        self.give(Given::Asked(api, version, Box::new(move |scene| Ok(ask(scene)))))
    }

    /// Kafka answers with these errors and no others.
    pub fn errors(mut self, errors: &'static [ErrorCode]) -> Self {
        self.errors = errors;
        self
    }

    /// Kafka closes the connection.
    pub fn closes(mut self) -> Self {
        self.closes = true;
        self
    }

    /// There is no answer.
    pub fn silent(mut self) -> Self {
        self.silent = true;
        self
    }

    /// Kafka never answers.
    pub fn unanswered(mut self) -> Self {
        self.unanswered = true;
        self
    }

    /// Each version has a scene of its own.
    pub fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }

    /// What is asked.
    pub fn ask(mut self, ask: impl Fn(&Scene) -> Value + 'static) -> Self {
        self.ask = Box::new(move |scene| Ok(ask(scene)));
        self
    }

    /// What is asked afterwards.
    pub fn then(mut self, api: ApiKey, version: i16, ask: impl Fn(&Scene) -> Value + 'static) -> Self {
        self.then.push((api, version, Box::new(move |scene| Ok(ask(scene)))));
        self
    }
}
