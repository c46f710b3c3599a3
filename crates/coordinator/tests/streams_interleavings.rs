//! Random interleavings of members of a streams group that join, as threads of few processes, give up what they are to give up or
//! keep it, fall silent, lie about epochs and tasks, go for a while and come back by name, while topics come, grow and
//! go, the number of standby tasks changes, brokers end without warning and appends fail. Whatever happens: the log
//! gives the live shard after every step, no task is run by two, a member's epoch does not go back while it stays, and
//! once everybody does as they are told the group settles. A few members play long and often, a hundred now and then.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod transcript;

use std::collections::BTreeMap;

use proptest::prelude::*;
use transcript::Stage;

/// A step; members are told apart by numbers.
#[derive(Clone, Debug)]
enum Step {
    Join { member: u8, process: u8, named: bool, offsets: bool },
    Beat { member: u8, obeys: bool },
    Lie { member: u8, epoch: i8, task: u8 },
    Leave { member: u8, for_good: bool },
    Standbys(u8),
    Topic { name: bool, partitions: u8 },
    NoTopic { name: bool },
    Wait(u16),
    Crash,
    Fail,
}

fn step(members: u8) -> impl Strategy<Value = Step> {
    let member = 0..members;
    prop_oneof![
        6 => (member.clone(), 0..3_u8, prop::bool::weighted(0.3), prop::bool::weighted(0.2))
            .prop_map(|(member, process, named, offsets)| Step::Join { member, process, named, offsets }),
        14 => (member.clone(), prop::bool::weighted(0.8)).prop_map(|(member, obeys)| Step::Beat { member, obeys }),
        2 => (member.clone(), -3..9_i8, 0..6_u8).prop_map(|(member, epoch, task)| Step::Lie { member, epoch, task }),
        1 => (member, any::<bool>()).prop_map(|(member, for_good)| Step::Leave { member, for_good }),
        1 => (0..3_u8).prop_map(Step::Standbys),
        1 => (any::<bool>(), 1..members).prop_map(|(name, partitions)| Step::Topic { name, partitions }),
        1 => any::<bool>().prop_map(|name| Step::NoTopic { name }),
        4 => (0..20_000_u16).prop_map(Step::Wait),
        1 => Just(Step::Crash),
        1 => Just(Step::Fail),
    ]
}

struct Play {
    stage: Stage,
    /// Which of the two topics are there: what the application reads, and where it keeps its state.
    topics: [bool; 2],
}

/// The topic that the application reads, or that of its state.
fn topic(name: bool) -> &'static str {
    if name { "in" } else { "store" }
}

impl Play {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Join { member, process, named, offsets } => {
                let instance = if *named { format!(" instance=i{member}") } else { String::new() };
                let offsets = if *offsets { " offsets=0:0~5/0:1~7" } else { "" };
                self.stage
                    .step(&format!("streams g m{member} app=table process=p{process}{instance}{offsets}"));
            }
            Step::Beat { member, obeys: true } => self.obey(&format!("m{member}")),
            Step::Beat { member, obeys: false } => {
                let id = format!("m{member}");
                let epoch = self.stage.streams_members("g").get(&id).map_or(1, |seen| seen.epoch.max(1));
                self.stage.step(&format!("streams g {id} epoch={epoch}"));
            }
            Step::Lie { member, epoch, task } => {
                let has = if *task > 4 { "none".to_owned() } else { format!("0:{task}|0:0") };
                self.stage.step(&format!("streams g m{member} epoch={epoch} has={has}"));
            }
            Step::Leave { member, for_good: true } => {
                self.stage.step(&format!("streams g m{member} epoch=-1"));
            }
            Step::Leave { member, for_good: false } => {
                self.stage.step(&format!("streams g m{member} epoch=-2 instance=i{member}"));
            }
            Step::Standbys(count) => {
                self.stage.step(&format!("group-config g streams.num.standby.replicas={count}"));
            }
            Step::Topic { name, partitions } => {
                self.topics[usize::from(*name)] = true;
                self.stage.step(&format!("topic {} {partitions}", topic(*name)));
            }
            Step::NoTopic { name } => {
                if std::mem::take(&mut self.topics[usize::from(*name)]) {
                    self.stage.step(&format!("no-topic {}", topic(*name)));
                }
            }
            Step::Wait(millis) => drop(self.stage.step(&format!("wait {millis}"))),
            Step::Crash => drop(self.stage.step("crash")),
            Step::Fail => drop(self.stage.step("fail")),
        }
    }

    /// A member does what it is to do next, as the coordinator sees it: one that is away comes back, all others say that they
    /// have what they were told to.
    fn obey(&mut self, id: &str) {
        let members = self.stage.streams_members("g");
        let Some(seen) = members.get(id) else { return };
        let instance = seen.instance.as_ref().map_or_else(String::new, |name| format!(" instance={name}"));
        let line = if seen.epoch < 0 {
            format!("streams g {id} app=table process={}{instance}", seen.process)
        } else {
            format!("streams g {id} epoch={} has={}{instance}", seen.epoch.max(1), seen.has)
        };
        self.stage.step(&line);
    }
}

/// Plays the steps, and judges after each; then everybody does as they are told until the group settles, with topics of so many
/// partitions.
fn settles(play: &mut Play, steps: &[Step], partitions: u8) -> Result<(), TestCaseError> {
    let mut epochs: BTreeMap<String, i32> = BTreeMap::new();
    for step in steps {
        play.take(step);
        let now: BTreeMap<_, _> =
            play.stage.streams_members("g").into_iter().map(|(id, seen)| (id, seen.epoch)).collect();
        for (id, epoch) in &now {
            let before = epochs.get(id).copied().unwrap_or(-1);
            // Who joins anew, or has gone for a while, begins anew.
            let anew = *epoch <= 0 || before < 0 || matches!(step, Step::Join { .. });
            prop_assert!(anew || *epoch >= before, "{id} is at {epoch} after {before}: {step:?}");
        }
        epochs = now;
    }
    // From here on topics fit and everybody does as they are told: the group settles.
    for name in [true, false] {
        play.take(&Step::Topic { name, partitions });
    }
    let mut rounds = 0;
    while !play.stage.streams_are_settled("g") {
        rounds += 1;
        prop_assert!(rounds < 30, "it does not settle: {:?}", play.stage.step("describe-streams g"));
        for id in play.stage.streams_members("g").into_keys() {
            play.obey(&id);
        }
        play.stage.step("wait 1000");
    }
    play.stage.step("wait 1000000");
    prop_assert!(play.stage.nobody_waits());
    prop_assert!(play.stage.streams_members("g").is_empty());
    Ok(())
}

impl Play {
    /// Two topics of so many partitions, and a group that waits so long before it assigns.
    fn begin(stage: Stage, delay: u16, partitions: u8) -> Self {
        let mut play = Self { stage, topics: [false; 2] };
        play.stage.step("wait 1000");
        play.stage.step(&format!("config streams_delay={delay}"));
        for name in [true, false] {
            play.take(&Step::Topic { name, partitions });
        }
        play
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_members_do(steps in prop::collection::vec(step(6), 1..100), delay in prop_oneof![Just(0_u16), Just(3000)]) {
        settles(&mut Play::begin(Stage::default(), delay, 3), &steps, 5)?;
    }

    #[test]
    fn a_log_that_was_compacted_says_the_same(steps in prop::collection::vec(step(6), 1..80), goes in prop::collection::vec(any::<bool>(), 16)) {
        let mut play = Play::begin(Stage::default(), 0, 3);
        for step in &steps {
            play.take(step);
        }
        for line in ["wait 0", "wait 1000000"] {
            play.stage.step(line);
            let logged = play.stage.logged();
            for cleaned in [logged / 3, logged / 2, logged] {
                play.stage.compacted_is_the_same(cleaned, |number| goes[number % goes.len()]);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_hundred_members_do(steps in prop::collection::vec(step(100), 200..300)) {
        let stage = Stage::replaying_every(25);
        let joins = |member: u8| Step::Join { member, process: member % 9, named: false, offsets: false };
        let steps: Vec<Step> = (0..100).map(joins).chain(steps).collect();
        settles(&mut Play::begin(stage, 3000, 60), &steps, 99)?;
    }
}
