//! The brokers of a run, each in its turn.
//!
//! A run takes long, and a broker may end in the midst of it. Then its turn is thrown away, with those of the others beside it;
//! it is said how its process ended and what it said last; it is started again, and the run goes on. One that fails again and
//! again is given up, and the others go on without it. At the end all of that is told ([`crate::report::Report::lost`]).

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::contender::Contender;
use crate::side::Side;

/// So often a side may fail at one thing before it is given up.
const FAILURES_MAX: usize = 3;

/// The brokers of a run.
#[derive(Debug, Default)]
pub struct Sides {
    sides: Vec<Side>,
    lost: Vec<String>,
}

impl Sides {
    /// Starts all of them, each in a directory of its own, and watches each do nothing for `idle`.
    pub fn start(contenders: &[Contender], directory: &Path, idle: Duration) -> Result<Self> {
        let start = |contender: &Contender| Side::start(contender, &directory.join(&contender.name), idle);
        Ok(Self { sides: contenders.iter().map(start).collect::<Result<_>>()?, lost: Vec::new() })
    }

    /// How many there are, with those that were given up.
    pub fn count(&self) -> usize {
        self.sides.len()
    }

    /// Their names, in the order of all figures.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sides.iter().map(|side| side.name.as_str())
    }

    /// What was lost on the way, as it is to be told.
    pub fn lost(&self) -> &[String] {
        &self.lost
    }

    /// Has each do something once: what came of it, and nothing from who failed or was given up.
    pub fn each<T>(&mut self, what: &str, mut run: impl FnMut(&Side) -> Result<T>) -> Vec<Option<T>> {
        let mut found = Vec::with_capacity(self.sides.len());
        for place in 0..self.sides.len() {
            let outcome = (!self.sides[place].is_given_up()).then(|| run(&self.sides[place]));
            found.push(match outcome {
                Some(Err(error)) => {
                    self.lose(place, what, &error);
                    self.start_again(place, what, |_| Ok(()));
                    None
                }
                outcome => outcome.and_then(Result::ok),
            });
        }
        found
    }

    /// Runs each in turn, so many turns in which nobody failed. One that did is warmed up by `warm` once it runs again. Who was
    /// given up has a default for its figures.
    pub fn in_turn<T: Default>(
        &mut self,
        (what, turns): (&str, usize),
        warm: impl Fn(&Side) -> Result<()>,
        mut run: impl FnMut(&Side) -> Result<T>,
    ) -> Vec<Vec<T>> {
        let (mut whole, mut failures) = (Vec::new(), vec![0; self.sides.len()]);
        while whole.len() < turns && self.sides.iter().any(|side| !side.is_given_up()) {
            eprintln!("  {what}: turn {} of {turns}", whole.len() + 1);
            let first = (whole.len() + failures.iter().sum::<usize>()) % self.sides.len();
            match turn(&self.sides, first, &mut run) {
                Ok(turn) => whole.push(turn),
                Err((place, error)) => {
                    self.lose(place, what, &error);
                    failures[place] += 1;
                    match failures[place] < FAILURES_MAX {
                        true => self.start_again(place, what, &warm),
                        false => self.give_up(place, what),
                    }
                }
            }
        }
        whole
    }

    fn start_again(&mut self, place: usize, what: &str, warm: impl Fn(&Side) -> Result<()>) {
        let side = &mut self.sides[place];
        if let Err(error) = side.start_again().and_then(|()| warm(side)) {
            self.lose(place, what, &error);
            self.give_up(place, what);
        }
    }

    fn give_up(&mut self, place: usize, what: &str) {
        self.sides[place].give_up();
        self.note(format!("{} was given up at {what}", self.sides[place].name));
    }

    /// Takes note of a turn that was thrown away, and why.
    fn lose(&mut self, place: usize, what: &str, error: &anyhow::Error) {
        let side = &mut self.sides[place];
        let process = match side.ended() {
            Ok(Some(ended)) => format!("its process ended: {ended}"),
            Ok(None) => "its process was still there".into(),
            Err(unknown) => format!("how its process is could not be found out: {unknown:#}"),
        };
        let lost = format!("a turn of {what} was thrown away: {}: {error:#}; {process}", side.name);
        self.note(lost);
    }

    fn note(&mut self, lost: String) {
        eprintln!("LOST {lost}");
        self.lost.push(lost);
    }
}

/// One turn of all, of which `first` begins; or who failed, and how. Each begins in its turn: who comes first finds the machine as the
/// one before all of them left it, and memory that the host has taken back.
fn turn<T: Default>(
    sides: &[Side],
    first: usize,
    run: &mut impl FnMut(&Side) -> Result<T>,
) -> Result<Vec<T>, (usize, anyhow::Error)> {
    let mut found: Vec<T> = sides.iter().map(|_| T::default()).collect();
    for place in (first..sides.len()).chain(0..first) {
        if !sides[place].is_given_up() {
            found[place] = run(&sides[place]).map_err(|error| (place, error))?;
        }
    }
    Ok(found)
}
