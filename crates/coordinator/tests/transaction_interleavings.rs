//! Random interleavings of producers that begin, add, end, lie and come back late, of markers that are written in any
//! order, of topics that are deleted, of time that passes, of coordinators that die and appends that fail, with epochs
//! that begin close to their end. Whatever happens, every record is a lawful step (`transaction/law.rs`), the log gives
//! the live shard, and once the markers are written no transaction is left open for longer than its time-out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod transaction;

use proptest::prelude::*;
use transaction::Stage;

const IDS: [&str; 3] = ["a", "b", "c"];

/// A step. `behind` is how far the producer's epoch lags behind the one that has the id, `id` picks who.
#[derive(Clone, Debug)]
enum Step {
    Init {
        id: usize,
        from: Option<i16>,
    },
    Add {
        id: usize,
        behind: i16,
        partition: u8,
        old: bool,
    },
    End {
        id: usize,
        behind: i16,
        committed: bool,
        old: bool,
    },
    /// An end asked for again, or late, under the producer of some steps ago.
    Late {
        id: usize,
        ago: usize,
        committed: bool,
        old: bool,
    },
    Mark {
        id: usize,
        count: usize,
    },
    Gone {
        id: usize,
        partition: u8,
    },
    Delete(bool),
    Forget,
    Overdue,
    Wait(u32),
    Crash,
    Fail,
    Feature(i16),
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..IDS.len();
    let behind = prop_oneof![8 => Just(0_i16), 2 => Just(1), 1 => Just(-1), 1 => any::<i16>()];
    let old = prop::bool::weighted(0.2);
    prop_oneof![
        3 => (id.clone(), prop::option::of(behind.clone())).prop_map(|(id, from)| Step::Init { id, from }),
        8 => (id.clone(), behind.clone(), 0..6_u8, old)
            .prop_map(|(id, behind, partition, old)| Step::Add { id, behind, partition, old }),
        6 => (id.clone(), behind, any::<bool>(), old)
            .prop_map(|(id, behind, committed, old)| Step::End { id, behind, committed, old }),
        3 => (id.clone(), 0..6_usize, any::<bool>(), old)
            .prop_map(|(id, ago, committed, old)| Step::Late { id, ago, committed, old }),
        6 => (id.clone(), 0..4_usize).prop_map(|(id, count)| Step::Mark { id, count }),
        1 => (id, 0..6_u8).prop_map(|(id, partition)| Step::Gone { id, partition }),
        1 => any::<bool>().prop_map(Step::Delete),
        1 => Just(Step::Forget),
        1 => Just(Step::Overdue),
        2 => (0..40_000_u32).prop_map(Step::Wait),
        1 => Just(Step::Crash),
        1 => Just(Step::Fail),
        1 => (0..3_i16).prop_map(Step::Feature),
    ]
}

/// A partition of one of two topics.
fn partition(number: u8) -> String {
    format!("{}-{}", if number < 3 { "t" } else { "u" }, number % 3)
}

fn old(old: bool) -> &'static str {
    if old { " old" } else { "" }
}

struct Play {
    stage: Stage,
    /// The producers that there were, per id.
    producers: Vec<Vec<(i64, i16)>>,
}

impl Play {
    fn begin(epochs: &[i16]) -> Self {
        let mut stage = Stage::default();
        stage.step("topic t 3");
        stage.step("topic u 3");
        for (index, epoch) in epochs.iter().enumerate() {
            stage.step(&format!("given {} {}/{epoch} Empty", IDS[index], 500 + index));
        }
        Self { stage, producers: vec![Vec::new(); IDS.len()] }
    }

    fn take(&mut self, step: &Step) {
        let line = self.line(step);
        self.stage.step(&line);
        for (index, id) in IDS.iter().enumerate() {
            let now = self.stage.producer(id);
            if now != self.producers[index].last().copied() {
                self.producers[index].extend(now);
            }
        }
    }

    fn who(&self, id: usize, behind: i16) -> String {
        let (producer, epoch) = self.stage.producer(IDS[id]).unwrap_or((1000, 0));
        format!("{producer}/{}", epoch.wrapping_sub(behind))
    }

    fn line(&self, step: &Step) -> String {
        let end = |committed: bool| if committed { "commit" } else { "abort" };
        match *step {
            Step::Init { id, from: None } => format!("init {}", IDS[id]),
            Step::Init { id, from: Some(behind) } => {
                format!("init {} from={}", IDS[id], self.who(id, behind))
            }
            Step::Add { id, behind, partition: number, old: speaks } => {
                format!("add {} {} {}{}", IDS[id], self.who(id, behind), partition(number), old(speaks))
            }
            Step::End { id, behind, committed, old: speaks } => {
                format!("{} {} {}{}", end(committed), IDS[id], self.who(id, behind), old(speaks))
            }
            Step::Late { id, ago, committed, old: speaks } => {
                let known = &self.producers[id];
                let (producer, epoch) = known.iter().rev().nth(ago).copied().unwrap_or((1000, 0));
                format!("{} {} {producer}/{epoch}{}", end(committed), IDS[id], old(speaks))
            }
            Step::Mark { id, count } => {
                let left = self.stage.unmarked(IDS[id]);
                format!("marked {} {}", IDS[id], left[..count.min(left.len())].join(" "))
            }
            Step::Gone { id, partition: number } => format!("gone {} {}", IDS[id], partition(number)),
            Step::Delete(true) => "delete u".to_owned(),
            Step::Delete(false) => "forget".to_owned(),
            Step::Forget => "forget".to_owned(),
            Step::Overdue => "overdue".to_owned(),
            Step::Wait(millis) => format!("wait {millis}"),
            Step::Crash => "crash".to_owned(),
            Step::Fail => "fail".to_owned(),
            Step::Feature(level) => format!("feature {level}"),
        }
    }

    /// Everybody falls silent: what is open is aborted in time, and what is being ended comes to its end.
    fn settle(&mut self) {
        // What was to fail fails now.
        self.stage.step("init somebody");
        self.stage.step("wait 100000");
        self.stage.step("overdue");
        for id in IDS {
            let left = self.stage.unmarked(id);
            self.stage.step(&format!("marked {id} {}", left.join(" ")));
        }
        assert!(self.stage.is_at_rest(), "a transaction hangs");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_unlawful_is_recorded(steps in prop::collection::vec(step(), 1..80)) {
        let mut play = Play::begin(&[]);
        for step in &steps {
            play.take(step);
        }
        play.settle();
    }

    #[test]
    fn nothing_unlawful_is_recorded_where_epochs_run_out(
        steps in prop::collection::vec(step(), 1..80),
        epochs in prop::collection::vec(32_762..=32_766_i16, 3),
    ) {
        let mut play = Play::begin(&epochs);
        for step in &steps {
            play.take(step);
        }
        play.settle();
    }
}
