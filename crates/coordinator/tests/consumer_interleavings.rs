//! Random interleavings of members of a consumer group that join, give up what they are to give up or keep it, fall
//! silent, lie about epochs and partitions, come back by name, speak the classic protocol and change over, while
//! topics come, grow and go, brokers end without warning and appends fail. Whatever happens: the log gives the live
//! shard after every step, nobody has what another has, a member's epoch does not go back while it stays, and once
//! everybody does as they are told the group settles. No committed offset goes back. A few members play long and often, a
//! hundred now and then.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod transcript;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use protocol::id::TopicId;
use transcript::Stage;

/// A step; members are told apart by numbers.
#[derive(Clone, Debug)]
enum Step {
    Join { member: u8, topics: u8, named: bool, regex: bool },
    Beat { member: u8, obeys: bool },
    Lie { member: u8, epoch: i8, owned: u8 },
    Leave { member: u8, for_good: bool },
    ClassicJoin { member: u8, topics: u8 },
    ClassicBeat { member: u8 },
    Commit { member: u8, behind: u8 },
    Topic { topic: u8, partitions: u8 },
    NoTopic { topic: u8 },
    Wait(u16),
    Crash,
    Fail,
}

fn step(members: u8) -> impl Strategy<Value = Step> {
    let member = 0..members;
    prop_oneof![
        6 => (member.clone(), 1..4_u8, prop::bool::weighted(0.3), prop::bool::weighted(0.2))
            .prop_map(|(member, topics, named, regex)| Step::Join { member, topics, named, regex }),
        12 => (member.clone(), prop::bool::weighted(0.8)).prop_map(|(member, obeys)| Step::Beat { member, obeys }),
        2 => (member.clone(), -3..9_i8, any::<u8>()).prop_map(|(member, epoch, owned)| Step::Lie { member, epoch, owned }),
        1 => (member.clone(), any::<bool>()).prop_map(|(member, for_good)| Step::Leave { member, for_good }),
        3 => (member.clone(), 1..4_u8).prop_map(|(member, topics)| Step::ClassicJoin { member, topics }),
        3 => member.clone().prop_map(|member| Step::ClassicBeat { member }),
        2 => (member, 0..3_u8).prop_map(|(member, behind)| Step::Commit { member, behind }),
        2 => (0..2_u8, 1..members).prop_map(|(topic, partitions)| Step::Topic { topic, partitions }),
        1 => (0..2_u8).prop_map(|topic| Step::NoTopic { topic }),
        3 => (0..20_000_u16).prop_map(Step::Wait),
        1 => Just(Step::Crash),
        1 => Just(Step::Fail),
    ]
}

/// The members as they see themselves.
#[derive(Default)]
struct Play {
    stage: Stage,
    /// Where each is and what it holds, by its id.
    members: BTreeMap<String, (i32, BTreeMap<String, BTreeSet<i32>>)>,
    topics: BTreeSet<u8>,
    /// The offset that is committed next.
    next: i64,
}

fn named(topics: u8) -> String {
    (0..2).filter(|bit| topics & (1 << bit) != 0).map(|bit| format!("t{bit}")).collect::<Vec<_>>().join("+")
}

impl Play {
    fn owned(&self, id: &str) -> String {
        let held = self.members.get(id).map(|(_, held)| held.clone()).unwrap_or_default();
        let topics: Vec<String> = held
            .iter()
            .filter(|(_, indexes)| !indexes.is_empty())
            .map(|(topic, indexes)| {
                let indexes: Vec<String> = indexes.iter().map(i32::to_string).collect();
                format!("{topic}:{}", indexes.join(","))
            })
            .collect();
        if topics.is_empty() { "none".to_owned() } else { topics.join("+") }
    }

    fn epoch(&self, id: &str) -> i32 {
        self.members.get(id).map_or(0, |(epoch, _)| *epoch)
    }

    /// Plays a line, and has the members hear what they are told.
    fn play(&mut self, line: &str) {
        self.stage.step(line);
        for (beat, answer) in self.stage.take_answered() {
            let id = beat.member.to_string();
            if answer.epoch.0 < 0 {
                self.members.remove(&id);
                continue;
            }
            let member = self.members.entry(id).or_default();
            member.0 = answer.epoch.0;
            if let Some(held) = &answer.assignment {
                member.1 = held
                    .iter()
                    .map(|(topic, held)| {
                        (Stage::topic_of(*topic), held.keys().map(|index| index.0).collect())
                    })
                    .collect();
            }
        }
    }

    fn take(&mut self, step: &Step) {
        let instance =
            |member: u8, named: bool| if named { format!(" instance=i{member}") } else { String::new() };
        match step {
            Step::Join { member, topics, named: by_name, regex } => {
                let reads = if *regex { "regex=t.".to_owned() } else { format!("topics={}", named(*topics)) };
                self.play(&format!("hb g m{member} epoch=0 {reads}{}", instance(*member, *by_name)));
            }
            Step::Beat { member, obeys } => self.beat(&format!("m{member}"), *obeys),
            Step::Lie { member, epoch, owned } => {
                let owned = if *owned > 200 { "none".to_owned() } else { format!("t0:{owned}+t1:0") };
                self.play(&format!("hb g m{member} epoch={epoch} bare owned={owned}"));
            }
            Step::Leave { member, for_good } => {
                let epoch = if *for_good { -1 } else { -2 };
                self.play(&format!("hb g m{member} epoch={epoch}{}", instance(*member, !for_good)));
            }
            Step::ClassicJoin { member, topics } => {
                let owned = self.owned(&format!("m{member}")).replace("none", "");
                self.play(&format!("j: join g m{member} topics={} owned={owned}", named(*topics)));
            }
            Step::ClassicBeat { member } => {
                let epoch = self.stage.consumer("g", &format!("m{member}")).map_or(1, |now| now.epoch);
                self.play(&format!("b: beat g m{member} gen={epoch}"));
                self.play(&format!("s: sync g m{member} gen={epoch}"));
            }
            Step::Commit { member, behind } => {
                let epoch = self.epoch(&format!("m{member}")) - i32::from(*behind);
                self.next += 1;
                let offset = self.next;
                self.play(&format!("commit g t0-0={offset} id=t0 member=m{member} gen={epoch} v=9"));
            }
            Step::Topic { topic, partitions } => {
                self.topics.insert(*topic);
                self.play(&format!("topic t{topic} {partitions}"));
            }
            Step::NoTopic { topic } => {
                if self.topics.remove(topic) {
                    self.play(&format!("no-topic t{topic}"));
                }
            }
            Step::Wait(millis) => self.play(&format!("wait {millis}")),
            Step::Crash => self.play("crash"),
            Step::Fail => self.play("fail"),
        }
    }

    /// A member does what it is to do next, as the coordinator sees it: one that is away comes back, all others say
    /// that they hold what they have.
    fn obey(&mut self, id: &str) {
        let Some(now) = self.stage.consumer("g", id) else { return };
        let line = match (&now.instance, now.is_classic, now.epoch) {
            (_, true, _) => format!("j: join g {id} topics={} owned={}", now.topics, now.assigned),
            (Some(instance), false, -2) => format!("hb g {id} epoch=0 topics=t0 instance={instance}"),
            (_, false, epoch) => {
                let owned = if now.assigned.is_empty() { "none" } else { &now.assigned };
                format!("hb g {id} epoch={epoch} owned={owned}")
            }
        };
        self.play(&line);
    }

    /// A member's heartbeat; one that obeys says what it holds, which is what it was told to.
    fn beat(&mut self, id: &str, obeys: bool) {
        let epoch = self.epoch(id);
        if epoch <= 0 {
            return;
        }
        let owned = if obeys { format!(" owned={}", self.owned(id)) } else { String::new() };
        self.play(&format!("hb g {id} epoch={epoch}{owned}"));
    }
}

/// Plays the steps, and judges after each; then everybody does as they are told until the group settles.
fn settles(play: &mut Play, steps: &[Step]) -> Result<(), TestCaseError> {
    let (mut epochs, mut told): (BTreeMap<String, i32>, BTreeMap<TopicId, i64>) = Default::default();
    for step in steps {
        play.take(step);
        let now = play.stage.member_epochs("g");
        for (id, epoch) in &now {
            let before = epochs.get(id).copied().unwrap_or(-1);
            // Who joins anew, or has gone for a while, begins anew.
            let anew =
                *epoch <= 0 || before < 0 || matches!(step, Step::Join { .. } | Step::ClassicJoin { .. });
            prop_assert!(anew || *epoch >= before, "{id} is at {epoch} after {before}: {step:?}");
        }
        epochs = now;
        if let Some(id) = play.stage.id_of_topic("t0") {
            let now = play.stage.committed("g", ("t0", id), 0);
            let before = told.insert(id, now).unwrap_or(-1);
            prop_assert!(now >= before, "an offset goes back from {before} to {now}: {step:?}");
        }
    }
    // From here on everybody does as they are told: the group settles.
    play.play("config interval=0");
    let mut rounds = 0;
    while !play.stage.is_settled("g") {
        rounds += 1;
        prop_assert!(rounds < 20, "it does not settle: {:?}", play.stage.step("describe-consumers g"));
        for id in play.stage.member_epochs("g").into_keys() {
            play.obey(&id);
        }
    }
    play.play("wait 1000000");
    prop_assert!(play.stage.nobody_waits());
    prop_assert!(play.stage.member_epochs("g").is_empty() && play.stage.members("g").is_empty());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_members_do(steps in prop::collection::vec(step(6), 1..100), interval in prop_oneof![Just(0_u16), Just(1000)], gather in prop_oneof![Just(0_u16), Just(10), Just(1000)]) {
        let mut play = Play::default();
        play.play("wait 1000");
        play.play(&format!("config interval={interval} gather={gather}"));
        play.take(&Step::Topic { topic: 0, partitions: 3 });
        settles(&mut play, &steps)?;
    }

    #[test]
    fn a_log_that_was_compacted_says_the_same(steps in prop::collection::vec(step(6), 1..80), goes in prop::collection::vec(any::<bool>(), 16)) {
        let mut play = Play::default();
        play.play("wait 1000");
        play.play("config interval=0");
        play.take(&Step::Topic { topic: 0, partitions: 3 });
        for step in &steps {
            play.take(step);
        }
        for line in ["wait 0", "wait 1000000"] {
            play.play(line);
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
    fn whatever_a_hundred_members_do(steps in prop::collection::vec(step(100), 200..400)) {
        let mut play = Play { stage: Stage::replaying_every(25), ..Play::default() };
        play.play("wait 1000");
        play.play("config interval=1000 gather=10");
        play.take(&Step::Topic { topic: 0, partitions: 60 });
        let joins = |member: u8| Step::Join { member, topics: 1 + member % 3, named: false, regex: false };
        let steps: Vec<Step> = (0..100).map(joins).chain(steps).collect();
        settles(&mut play, &steps)?;
    }
}
