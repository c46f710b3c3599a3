//! The same requests to Apache Kafka and to Headwater, and their answers compared field by field.
//!
//! Each file beside this one is the table of an API family: good requests, and one for every error they can give. A
//! table also says which errors Kafka gives, so that a request which misses its point is noticed on Kafka's side.
//! What may differ is in two closed lists: the fields of `same`, and the deviations of `docs/protocol`.
//!
//! With `--old` the same tables, and one of message sets, are asked in the versions that Kafka 4 removed, of Kafka 3.9.

mod batches;
mod case;
mod deviations;
mod same;
mod scene;

mod bodies;
mod broken_sets;
mod cluster;
mod configs;
mod consumer_groups;
mod fetch;
mod groups;
mod list_offsets;
mod log_dirs;
mod message_sets;
mod metadata;
mod old;

mod partitions;
mod produce;
mod producers;
mod streams_groups;
mod topics;
mod transactions;
mod two_phase;
mod txn_offsets;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use conformance::broker_process::{BrokerProcess, Kind, Launch};
use conformance::by_schema::encode;
use conformance::connection::Answer;
use conformance::patience::error_codes;
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::messages::schema::Versions;

use case::{Case, Settings};
use deviations::Deviations;
use same::{Difference, comparable, differences};
use scene::{Scene, Side};

/// The deviations from Kafka 4.4, and those from 3.9 in removed versions.
const DEVIATIONS: &str = "deviations.md";
const OLD_DEVIATIONS: &str = "deviations-old-versions.md";

/// How long what follows from a request may take to be seen.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);

/// Which brokers to ask, and what.
#[derive(clap::Args)]
pub struct Answers {
    /// An Apache Kafka that already runs.
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<SocketAddr>,
    /// A Headwater that already runs; another Apache Kafka shows that the tables compare what can be compared.
    #[arg(long, value_name = "HOST:PORT")]
    headwater: Option<SocketAddr>,
    /// Only cases whose `Api: name` contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// In the versions that Kafka 4 removed, against Apache Kafka 3.9.
    #[arg(long)]
    old: bool,
    /// Print both answers of every case.
    #[arg(long)]
    verbose: bool,
}

/// Both brokers, and what is known of their differences.
struct Examination {
    /// Those that were started for this.
    processes: Vec<BrokerProcess>,
    kafka: Side,
    headwater: Side,
    deviations: Deviations,
    old: bool,
    verbose: bool,
}

impl Answers {
    /// Asks both; an error if an answer differs.
    pub fn run(&self) -> Result<()> {
        let directory = tempfile::tempdir()?;
        let start =
            |kind: Kind, running: Option<SocketAddr>| -> Result<(Option<BrokerProcess>, SocketAddr)> {
                if let Some(address) = running {
                    return Ok((None, address));
                }
                let launch = alike(Launch::new(kind, &directory.path().join(format!("{kind:?}")))?);
                let broker = launch.start()?;
                let address = broker.address();
                Ok((Some(broker), address))
            };
        let kind = if self.old { Kind::ApacheKafka39 } else { Kind::ApacheKafka };
        let (kafka_process, kafka) = start(kind, self.kafka)?;
        let (headwater_process, headwater) = start(Kind::Headwater, self.headwater)?;
        let mut examination = Examination {
            processes: kafka_process.into_iter().chain(headwater_process).collect(),
            kafka: Side::connect(kafka)?,
            headwater: Side::connect(headwater)?,
            deviations: Deviations::read(if self.old { OLD_DEVIATIONS } else { DEVIATIONS })?,
            old: self.old,
            verbose: self.verbose,
        };
        let (passed, failed) = self.examine_all(&mut examination)?;
        println!("{passed} passed, {failed} failed");
        ensure!(failed == 0, "{failed} answers differ from Apache Kafka's");
        Ok(())
    }

    /// Asks every case that was chosen: first those of brokers as they are, then those of brokers that were killed.
    fn examine_all(&self, examination: &mut Examination) -> Result<(u32, u32)> {
        let (mut passed, mut failed) = (0, 0);
        let mut tell = |title: &str, problems: &[String]| {
            println!("{} {title}", if problems.is_empty() { "ok     " } else { "differs" });
            problems.iter().for_each(|problem| println!("        {problem}"));
            *if problems.is_empty() { &mut passed } else { &mut failed } += 1;
        };
        let mut restarted = Vec::new();
        for (number, case) in cases().into_iter().enumerate() {
            let (title, topic) = (title(&case), format!("answers-{:x}-{number}", std::process::id()));
            let asked = match self.old {
                true => old::concerns(&case),
                false => case.versions.last >= case.api.request().current.first,
            };
            if !title.contains(&self.only) || !asked {
                continue;
            }
            if case.restarted.is_some() {
                restarted.push((case, topic));
            } else {
                tell(&title, &examination.examine(&case, &topic, None));
            }
        }
        // Those first that need no other settings: nobody takes the others back.
        restarted.sort_by_key(|(case, _)| case.settings);
        while let Some((first, _)) = restarted.first() {
            let settings = first.settings;
            let alike = restarted.extract_if(.., |(case, _)| case.settings == settings).collect();
            for (case, problems) in examination.examine_restarted(alike, settings)? {
                tell(&title(&case), &problems);
            }
        }
        if self.only.is_empty() {
            for row in examination.deviations.unseen() {
                println!("differs a deviation that is none: {row}");
                failed += 1;
            }
        }
        Ok((passed, failed))
    }
}

/// What both brokers are told, so that their configs compare.
fn alike(launch: Launch) -> Launch {
    // The records of the tables are years old, and must outlive the brokers' housekeeping.
    let launch =
        launch.set("node.id", 1).set("group.initial.rebalance.delay.ms", 0).set("log.retention.ms", -1);
    [
        "offsets.topic.replication.factor",
        "transaction.state.log.replication.factor",
        "transaction.state.log.min.isr",
        "share.coordinator.state.topic.replication.factor",
        "share.coordinator.state.topic.min.isr",
    ]
    .into_iter()
    .fold(launch, |launch, key| launch.set(key, 1))
}

fn cases() -> Vec<Case> {
    let families = [
        metadata::cases(),
        cluster::cases(),
        bodies::cases(),
        topics::cases(),
        partitions::cases(),
        configs::cases(),
        produce::cases(),
        producers::cases(),
        fetch::cases(),
        groups::cases(),
        consumer_groups::cases(),
        transactions::cases(),
        txn_offsets::cases(),
        two_phase::cases(),
        streams_groups::cases(),
        message_sets::cases(),
        broken_sets::cases(),
        list_offsets::cases(),
        log_dirs::cases(),
    ];
    families.into_iter().flatten().collect()
}

fn title(case: &Case) -> String {
    format!("{}: {}", case.api.name(), case.name)
}

impl Examination {
    /// Sets every scene, kills both brokers and starts them again with more settings, and asks.
    fn examine_restarted(
        &mut self,
        cases: Vec<(Case, String)>,
        settings: Settings,
    ) -> Result<Vec<(Case, Vec<String>)>> {
        if self.processes.len() < 2 {
            println!(
                "passed over {} cases that restart brokers: these were not started for them",
                cases.len()
            );
            return Ok(Vec::new());
        }
        let mut scenes = Vec::new();
        for (case, topic) in &cases {
            let version = self.versions(case).map_or(0, |versions| versions.first);
            scenes.push((self.kafka.set(case, topic, version)?, self.headwater.set(case, topic, version)?));
        }
        for process in &mut self.processes {
            process.restart_with(settings)?;
        }
        for side in [&mut self.kafka, &mut self.headwater] {
            *side = Side::connect(side.address())?;
        }
        let mut examined = Vec::new();
        for ((case, topic), (mut kafka, mut headwater)) in cases.into_iter().zip(scenes) {
            for (side, scene) in [(&mut self.kafka, &mut kafka), (&mut self.headwater, &mut headwater)] {
                side.wait_for(&scene.topic)?;
                side.give(case.restarted.as_deref().unwrap_or_default(), scene)?;
            }
            let problems = self.examine(&case, &topic, Some((kafka, headwater)));
            examined.push((case, problems));
        }
        Ok(examined)
    }

    /// Asks a case in every version; what is wrong with the answers, each with the versions it is wrong in.
    fn examine(&mut self, case: &Case, topic: &str, mut scenes: Option<(Scene, Scene)>) -> Vec<String> {
        let versions = match self.versions(case) {
            Ok(versions) => versions,
            Err(refusal) => return vec![refusal.to_string()],
        };
        let mut problems: Vec<(String, Vec<i16>)> = Vec::new();
        for version in versions.iter() {
            let asked = self
                .scenes(case, topic, version, &mut scenes)
                .and_then(|(kafka, headwater)| self.ask_both(case, version, &kafka, &headwater));
            let found = asked.unwrap_or_else(|error| {
                scenes = None;
                vec![format!("{error:#}")]
            });
            for problem in found {
                match problems.iter_mut().find(|(known, _)| *known == problem) {
                    Some((_, versions)) => versions.push(version),
                    None => problems.push((problem, vec![version])),
                }
            }
        }
        problems.into_iter().map(|(problem, versions)| format!("v{versions:?} {problem}")).collect()
    }

    /// The versions a case can be asked in. What Kafka serves without advertising it, as telemetry without a
    /// receiver, is asked in every stable version.
    fn versions(&self, case: &Case) -> Result<Versions> {
        let (mut kafka, mut headwater) = (self.kafka.versions(case.api), self.headwater.versions(case.api));
        if kafka.is_empty() {
            kafka = case.api.request().stable();
            headwater = kafka;
        }
        // Kafka advertises Produce from 0, for an old client's sake, and serves it from 3.
        let current = case.api.request().current.first;
        if self.old {
            let removed = old::removed(case.api);
            kafka = Versions::new(kafka.first.max(removed.first), kafka.last.min(removed.last));
        } else {
            kafka.first = kafka.first.max(current);
        }
        ensure!(!headwater.is_empty(), "Headwater does not advertise this API");
        let first = kafka.first.max(headwater.first).max(case.versions.first);
        let last = kafka.last.min(headwater.last).min(case.versions.last);
        ensure!(first <= last, "no version that both advertise: Kafka {kafka:?}, Headwater {headwater:?}");
        Ok(Versions::new(first, last))
    }

    /// The scenes of both sides: made once, or for each version if the case changes them.
    fn scenes(
        &mut self,
        case: &Case,
        topic: &str,
        version: i16,
        kept: &mut Option<(Scene, Scene)>,
    ) -> Result<(Scene, Scene)> {
        if (case.fresh && case.restarted.is_none()) || kept.is_none() {
            let mut topic = format!("{topic}-{version}");
            let mut kafka = self.kafka.set(case, &topic, version);
            if kafka.is_err() {
                // A Kafka whose controller hangs for a moment has not made the topic. It is not Kafka that is
                // examined, so it may have another, of a name that is free.
                topic.push_str("-again");
                kafka = self.kafka.set(case, &topic, version);
            }
            let kafka = kafka.context("what the case needs, on Kafka")?;
            let headwater =
                self.headwater.set(case, &topic, version).context("what the case needs, on Headwater")?;
            *kept = Some((kafka, headwater));
        }
        let (mut kafka, mut headwater) = kept.clone().context("the scenes were just made")?;
        kafka.version = version;
        headwater.version = version;
        Ok((kafka, headwater))
    }

    fn ask_both(
        &mut self,
        case: &Case,
        version: i16,
        kafka: &Scene,
        headwater: &Scene,
    ) -> Result<Vec<String>> {
        let ask = |side: &mut Side, scene: &Scene| {
            let request = (case.ask)(scene)?;
            if let Some(mangle) = &case.mangle {
                let mut body = encode(case.api.request(), version, &request)?;
                mangle(version, &mut body);
                side.ask_bytes(case.api, version, &body)
            } else if case.silent {
                side.tell(case.api, version, &request)
            } else {
                side.ask(case.api, version, &request)
            }
        };
        if case.unanswered {
            let headwaters = ask(&mut self.headwater, headwater).context("asking Headwater")?;
            let mut problems: Vec<_> = unexpected(case, &headwaters).into_iter().collect();
            problems.extend(self.judge(case, case.api, (kafka, &Answer::Silence), (headwater, &headwaters)));
            return Ok(problems);
        }
        let kafkas = ask(&mut self.kafka, kafka).context("asking Kafka")?;
        let headwaters = ask(&mut self.headwater, headwater).context("asking Headwater")?;
        if self.verbose {
            println!("{} v{version}\n  kafka     {kafkas:?}\n  headwater {headwaters:?}", title(case));
        }
        let mut problems = Vec::new();
        problems
            .extend(unexpected(case, &kafkas).map(|problem| format!("the table is wrong: Kafka {problem}")));
        problems.extend(self.judge(case, case.api, (kafka, &kafkas), (headwater, &headwaters)));
        for (api, version, ask) in &case.then {
            problems.extend(self.follow(
                case,
                *api,
                *version,
                (&ask(kafka)?, kafka),
                (&ask(headwater)?, headwater),
            )?);
        }
        Ok(problems)
    }

    /// Asks what a case wants to know afterwards until both sides agree or the time is up.
    fn follow(
        &mut self,
        case: &Case,
        api: ApiKey,
        version: i16,
        kafka: (&serde_json::Value, &Scene),
        headwater: (&serde_json::Value, &Scene),
    ) -> Result<Vec<String>> {
        let end = Instant::now() + SETTLED_WITHIN;
        loop {
            let kafkas = self.kafka.ask(api, version, kafka.0)?;
            let headwaters = self.headwater.ask(api, version, headwater.0)?;
            let problems = self.judge(case, api, (kafka.1, &kafkas), (headwater.1, &headwaters));
            if problems.is_empty() || Instant::now() > end {
                return Ok(problems
                    .into_iter()
                    .map(|problem| format!("then {}: {problem}", api.name()))
                    .collect());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The differences of two answers that no deviation allows.
    fn judge(
        &self,
        case: &Case,
        api: ApiKey,
        kafka: (&Scene, &Answer),
        headwater: (&Scene, &Answer),
    ) -> Vec<String> {
        let found = match (kafka.1, headwater.1) {
            (Answer::Response(a), Answer::Response(b)) => {
                let (mut a, mut b) = (comparable(api, kafka.0, a), comparable(api, headwater.0, b));
                if api == ApiKey::ApiVersions {
                    cluster::keep_common_apis(&mut a, &mut b);
                }
                if self.old {
                    old::cut_to_both(&mut a, &mut b);
                }
                differences(&a, &b)
            }
            (a, b) if a == b => Vec::new(),
            (a, b) => {
                let [kafka, headwater] = [a, b].map(|answer| match answer {
                    Answer::Response(answer) => answer.clone(),
                    Answer::Closed => serde_json::json!("closes the connection"),
                    Answer::Silence => serde_json::json!("says nothing"),
                });
                vec![Difference { field: "answer".to_owned(), kafka, headwater }]
            }
        };
        let title = title(case);
        let outside = found.into_iter().filter(|difference| !self.deviations.allow(&title, difference));
        outside
            .map(|difference| {
                let (kafka, headwater) = (short(&difference.kafka), short(&difference.headwater));
                format!("{}: kafka {kafka}, headwater {headwater}", difference.field)
            })
            .collect()
    }
}

/// A value in words that can be read.
fn short(value: &serde_json::Value) -> String {
    const CHARACTERS_MAX: usize = 300;
    let mut text = value.to_string();
    if let Some((at, _)) = text.char_indices().nth(CHARACTERS_MAX) {
        text.truncate(at);
        text.push_str(" ...");
    }
    text
}

/// What is unlike the table in an answer. If it is Kafka's, the table is wrong.
fn unexpected(case: &Case, answer: &Answer) -> Option<String> {
    let answer = match answer {
        Answer::Response(answer) => answer,
        Answer::Closed => {
            return (!case.closes && !case.unanswered).then(|| "closes the connection".to_owned());
        }
        Answer::Silence => return (!case.silent).then(|| "says nothing".to_owned()),
    };
    let got = error_codes(answer);
    let known = got.iter().all(|code| case.errors.iter().any(|wanted| *wanted as i16 == *code));
    let right = known && (case.errors.is_empty() || !got.is_empty()) && !case.closes && !case.silent;
    let names: Vec<_> =
        got.iter().map(|code| ErrorCode::from_i16(*code).map_or("unknown", ErrorCode::name)).collect();
    (!right).then(|| format!("gives the errors {names:?}"))
}
