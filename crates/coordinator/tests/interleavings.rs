//! Random interleavings of members that join, fall silent, come back, lie, commit and die, of brokers that end without
//! warning and of appends that fail. Whatever happens: the log gives the live shard after every step, generations do
//! not go back, nobody waits for ever, a stable group has given each member what its leader said, no committed offset goes back,
//! and none of a transaction that was aborted or is open is told. A few clients play long and often, a hundred now and then.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod transcript;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use protocol::id::Uuid;
use transcript::Stage;

/// A step, with members by their number; those that are not there yet are nobody's.
#[derive(Clone, Debug)]
enum Step {
    Newcomer { group: u8, named: Option<u8>, at_once: bool },
    Rejoin { group: u8, member: u8, named: Option<u8>, topics: u8 },
    Sync { group: u8, member: u8, late: bool },
    Beat { group: u8, member: u8, late: bool },
    Leave { group: u8, member: u8 },
    Commit { group: u8, member: u8, late: bool, transaction: Option<u8> },
    End { transaction: u8, committed: bool },
    Delete { group: u8 },
    Wait(u16),
    Crash,
    Fail,
}

/// A step of so many members in as many transactions as one in four of them.
fn step(members: u8) -> impl Strategy<Value = Step> {
    let (group, member, transaction) = (0..2_u8, 1..=members, 0..members.div_ceil(4));
    let named = prop::option::weighted(0.3, 0..3_u8);
    prop_oneof![
        4 => (group.clone(), named.clone(), any::<bool>()).prop_map(|(group, named, at_once)| Step::Newcomer { group, named, at_once }),
        6 => (group.clone(), member.clone(), named, 0..3_u8).prop_map(|(group, member, named, topics)| Step::Rejoin { group, member, named, topics }),
        6 => (group.clone(), member.clone(), prop::bool::weighted(0.1)).prop_map(|(group, member, late)| Step::Sync { group, member, late }),
        4 => (group.clone(), member.clone(), prop::bool::weighted(0.1)).prop_map(|(group, member, late)| Step::Beat { group, member, late }),
        1 => (group.clone(), member.clone()).prop_map(|(group, member)| Step::Leave { group, member }),
        6 => (0..3_u8, member, prop::bool::weighted(0.1), prop::option::weighted(0.4, transaction.clone()))
            .prop_map(|(group, member, late, transaction)| Step::Commit { group, member, late, transaction }),
        1 => (transaction, any::<bool>()).prop_map(|(transaction, committed)| Step::End { transaction, committed }),
        1 => group.prop_map(|group| Step::Delete { group }),
        3 => (0..20_000_u16).prop_map(Step::Wait),
        1 => Just(Step::Crash),
        1 => Just(Step::Fail),
    ]
}

/// The step in words; ids of members are those of newcomers in the order they came.
fn words(stage: &Stage, number: usize, step: &Step) -> String {
    let id = |member: u8| stage.id_of(u64::from(member)).unwrap_or_else(|| "nobody".to_owned());
    let instance = |named: &Option<u8>| named.map_or_else(String::new, |name| format!(" instance=s{name}"));
    let generation = |group: u8, late: bool| stage.generation(&format!("g{group}")) - i32::from(late);
    match step {
        Step::Newcomer { group, named, at_once } => {
            let version = if *at_once { 3 } else { 9 };
            format!("q{number}: join g{group} - client=c v={version}{}", instance(named))
        }
        Step::Rejoin { group, member, named, topics } => {
            format!("q{number}: join g{group} {}{} topics=t{topics}", id(*member), instance(named))
        }
        Step::Sync { group, member, late } => {
            let all = stage.members(&format!("g{group}"));
            let parts: Vec<String> = all.iter().map(|member| format!("{member}:{member}")).collect();
            let generation = generation(*group, *late);
            format!("q{number}: sync g{group} {} gen={generation} assign={}", id(*member), parts.join(";"))
        }
        Step::Beat { group, member, late } => {
            format!("q{number}: beat g{group} {} gen={}", id(*member), generation(*group, *late))
        }
        Step::Leave { group, member } => format!("q{number}: leave g{group} {}", id(*member)),
        Step::Commit { group, member, late, transaction } => {
            // Nobody ever joins the last group: whoever commits there is heard.
            let is_member = *group < 2;
            let transaction = transaction.map_or_else(String::new, |id| format!(" txn={id}/0"));
            if !is_member {
                return format!("commit g{group} t-0={number}{transaction}");
            }
            let generation = generation(*group, *late);
            format!("commit g{group} t-0={number} member={} gen={generation}{transaction}", id(*member))
        }
        Step::End { transaction, committed } => {
            format!("end {transaction} {}", if *committed { "commit" } else { "abort" })
        }
        Step::Delete { group } => format!("delete g{group}"),
        Step::Wait(millis) => format!("wait {millis}"),
        Step::Crash => "crash".to_owned(),
        Step::Fail => "fail".to_owned(),
    }
}

/// What is told of committed offsets. Each is the number of the step that committed it.
#[derive(Default)]
struct Told {
    last: [i64; 3],
    /// The offsets that were committed in transactions that are open, and those of aborted ones.
    open: BTreeMap<u8, BTreeSet<i64>>,
    aborted: BTreeSet<i64>,
}

impl Told {
    fn judge(&mut self, stage: &Stage, (number, step): (usize, &Step)) -> Result<(), TestCaseError> {
        match step {
            Step::Commit { transaction: Some(transaction), .. } => {
                self.open.entry(*transaction).or_default().insert(i64::try_from(number).unwrap());
            }
            Step::End { transaction, committed } => {
                let ended = self.open.remove(transaction).unwrap_or_default();
                self.aborted.extend(ended.into_iter().filter(|_| !committed));
            }
            // With the group its offsets go.
            Step::Delete { group } => self.last[usize::from(*group)] = -1,
            _ => {}
        }
        for (group, last) in self.last.iter_mut().enumerate() {
            let told = stage.committed(&format!("g{group}"), ("t", Uuid::ZERO), 0);
            prop_assert!(told >= *last, "an offset goes back from {last} to {told}: {step:?}");
            prop_assert!(!self.aborted.contains(&told), "{told} is told, and was aborted: {step:?}");
            let open = self.open.values().any(|open| open.contains(&told));
            prop_assert!(!open, "{told} is told before its transaction has ended: {step:?}");
            *last = told;
        }
        Ok(())
    }
}

/// Plays the steps, and judges after each.
fn play(stage: &mut Stage, steps: &[Step]) -> Result<(), TestCaseError> {
    let (mut generations, mut offsets) = ([0, 0], Told { last: [-1; 3], ..Told::default() });
    for (number, step) in steps.iter().enumerate() {
        let line = words(stage, number, step);
        let said = stage.step(&line);
        for (group, known) in generations.iter_mut().enumerate() {
            let name = format!("g{group}");
            let now = stage.generation(&name);
            // A group that is deleted, or that a broker left before it was recorded, begins anew.
            let anew = stage.members(&name).is_empty() || matches!(step, Step::Crash);
            prop_assert!(now >= *known || anew, "{line}: generation {now} of {name} after {known}: {said:?}");
            *known = now;
            stage.each_has_its_own(&name);
        }
        offsets.judge(stage, (number, step))?;
    }
    // Nobody is heard of any more: after the longest time-outs nobody waits, and every group is empty.
    stage.step("wait 1000000");
    prop_assert!(stage.nobody_waits());
    prop_assert!(stage.members("g0").is_empty() && stage.members("g1").is_empty());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_members_do(steps in prop::collection::vec(step(8), 1..120), size in 1..5_usize) {
        let mut stage = Stage::default();
        stage.step(&format!("config size={size}"));
        play(&mut stage, &steps)?;
    }

    #[test]
    fn a_log_that_was_compacted_says_the_same(steps in prop::collection::vec(step(8), 1..80), goes in prop::collection::vec(any::<bool>(), 16)) {
        let mut stage = Stage::default();
        for (number, step) in steps.iter().enumerate() {
            let line = words(&stage, number, step);
            stage.step(&line);
        }
        stage.step("wait 1000000");
        for cleaned in [stage.logged() / 3, stage.logged() / 2, stage.logged()] {
            stage.compacted_is_the_same(cleaned, |number| goes[number % goes.len()]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_hundred_members_do(steps in prop::collection::vec(step(100), 300..500)) {
        let mut stage = Stage::replaying_every(10);
        let newcomer = |number: u8| Step::Newcomer { group: number % 2, named: None, at_once: true };
        let steps: Vec<Step> = (0..100).map(newcomer).chain(steps).collect();
        play(&mut stage, &steps)?;
    }
}
