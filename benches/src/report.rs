//! What was measured of each contender, as a table and as JSON.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::goals::Goals;

/// Of two goals that are less than a quarter apart the looser one holds.
const NEARLY: f64 = 1.25;

/// Which of several runs counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// The least, of costs: noise only ever adds.
    Least,
    /// The one in the middle, of latencies.
    Median,
}

/// The most that a figure may be, as a multiple of another contender's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// Of Apache Kafka's.
    pub of_kafka: Option<f64>,
    /// Of the floor's.
    pub of_floor: Option<f64>,
    /// In the figure's own unit.
    pub absolute: Option<f64>,
    /// Whether it is enough to reach one of the two multiples.
    pub either: bool,
}

/// What one run gave.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// The figure.
    pub value: f64,
    /// The share of it that is the broker's own code and not the kernel's, where it is CPU time.
    pub user_share: Option<f64>,
}

/// One thing that is measured.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// The unit of its figures.
    pub unit: &'static str,
    /// Which run counts.
    pub counts: Counts,
    /// What it must reach.
    pub goal: Goal,
    /// The runs of each contender, in the order of the report's names.
    pub samples: Vec<Vec<Sample>>,
}

/// What becomes of a report.
#[derive(Clone, Debug, clap::Args)]
pub struct Ending {
    /// Where to write the figures as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Fail if a goal is not reached.
    #[arg(long)]
    strict: bool,
}

impl Ending {
    /// Writes the report down where that is wanted.
    ///
    /// # Errors
    /// It cannot be written, or a goal is not reached and that is to be a failure.
    pub fn of(&self, report: &Report) -> Result<()> {
        if let Some(path) = &self.json {
            std::fs::write(path, format!("{:#}\n", report.json()))
                .with_context(|| path.display().to_string())?;
        }
        for lost in &report.lost {
            println!("LOST {lost}");
        }
        report.goals.end(self.strict)?;
        ensure!(!self.strict || report.lost.is_empty(), "a broker failed on the way");
        Ok(())
    }
}

/// All that is measured.
#[derive(Clone, Debug)]
pub struct Report {
    /// The machine.
    pub machine: String,
    /// How it was measured.
    pub method: String,
    /// Who is measured.
    pub names: Vec<String>,
    /// Who does the least that can be done: the floor, or the disk alone.
    pub least: &'static str,
    /// What was measured of them.
    pub rows: Vec<Row>,
    /// What went wrong on the way, and was thrown away.
    pub lost: Vec<String>,
    /// The goals of the rows, as far as they were held against figures.
    pub goals: Goals,
}

impl Goal {
    /// Measured only.
    pub const NONE: Self = Self { of_kafka: None, of_floor: None, absolute: None, either: false };

    /// At most these multiples of Apache Kafka's figure and of the floor's.
    pub const fn ratios(of_kafka: f64, of_floor: f64) -> Self {
        Self { of_kafka: Some(of_kafka), of_floor: Some(of_floor), ..Self::NONE }
    }

    /// At most one of these multiples.
    pub const fn either(of_kafka: f64, of_floor: f64) -> Self {
        Self { either: true, ..Self::ratios(of_kafka, of_floor) }
    }

    /// At most this.
    pub const fn absolute(most: f64) -> Self {
        Self { absolute: Some(most), ..Self::NONE }
    }
}

impl From<f64> for Sample {
    fn from(value: f64) -> Self {
        Self { value, user_share: None }
    }
}

impl Row {
    /// The run of contender `number` that counts.
    pub fn counting(&self, number: usize) -> Option<Sample> {
        let mut samples = self.samples.get(number)?.clone();
        samples.sort_by(|a, b| a.value.total_cmp(&b.value));
        match self.counts {
            Counts::Least => samples.first().copied(),
            Counts::Median => samples.get(samples.len() / 2).copied(),
        }
    }

    fn spread(&self, number: usize) -> Option<(f64, f64)> {
        let values = || self.samples.get(number).into_iter().flatten().map(|sample| sample.value);
        Some((values().min_by(f64::total_cmp)?, values().max_by(f64::total_cmp)?))
    }
}

impl Report {
    /// An empty one.
    pub fn new(machine: String, method: String, names: Vec<String>) -> Self {
        let (rows, lost, goals) = (Vec::new(), Vec::new(), Goals::default());
        Self { machine, method, names, least: "floor", rows, lost, goals }
    }

    /// What stands above the table.
    pub fn print_head(&self) {
        println!("machine   {}\nmethod    {}\n", self.machine, self.method.replace('\n', "\n          "));
        print!("{:<30}{:>8}", "", "");
        for name in &self.names {
            print!("{name:>30}");
        }
        println!("{:>36}{:>36}", "ours / kafka (goal)", format!("ours / {} (goal)", self.least));
    }

    /// Adds a row and prints it.
    pub fn add(&mut self, row: Row) {
        print!("{:<30}{:>8}", row.name, row.unit);
        for number in 0..self.names.len() {
            let Some((sample, (least, most))) = row.counting(number).zip(row.spread(number)) else {
                print!("{:>30}", "-");
                continue;
            };
            let share =
                sample.user_share.map_or_else(String::new, |share| format!(" {:.0}% user", share * 100.0));
            print!("{:>30}", format!("{} [{}..{}]{share}", short(sample.value), short(least), short(most)));
        }
        let against = |what: &str, figure: f64, goal: Option<f64>, unit: &str| {
            let held = |goal| self.goals.at_most(&format!("{}{what}", row.name), figure, goal, unit);
            goal.map_or_else(String::new, held)
        };
        let ratio = |to: &str, goal: Option<f64>, held: bool| match (self.ratio(&row, to), goal) {
            (Some(ratio), Some(goal)) if !held => format!("{ratio:.2} ({goal:.2}, the other one holds)"),
            (Some(ratio), goal) => format!("{ratio:.2}{}", against(&format!(", of {to}"), ratio, goal, "")),
            (None, _) => "-".into(),
        };
        let (by_kafka, by_least) = self.held(&row);
        print!("{:>36}", ratio("kafka", row.goal.of_kafka, by_kafka));
        print!("{:>36}", ratio(self.least, row.goal.of_floor, by_least));
        let ours = self.names.iter().position(|name| name == "headwater");
        match ours.and_then(|ours| row.counting(ours)) {
            Some(ours) => println!(" {}", against("", ours.value, row.goal.absolute, row.unit)),
            None => println!(),
        }
        self.rows.push(row);
    }

    /// Which of the two multiples hold: where it is enough to reach one, or where they ask for nearly the same, it is the
    /// looser one.
    fn held(&self, row: &Row) -> (bool, bool) {
        let figure = |name: &str| Some(row.counting(self.names.iter().position(|n| n == name)?)?.value);
        let of_kafka = row.goal.of_kafka.zip(figure("kafka")).map(|(goal, figure)| goal * figure);
        let of_least = row.goal.of_floor.zip(figure(self.least)).map(|(goal, figure)| goal * figure);
        let Some((of_kafka, of_least)) = of_kafka.zip(of_least) else { return (true, true) };
        if row.goal.either || of_kafka.max(of_least) < NEARLY * of_kafka.min(of_least) {
            return (of_kafka >= of_least, of_least > of_kafka);
        }
        (true, true)
    }

    /// Headwater's figure as a multiple of `to`'s.
    fn ratio(&self, row: &Row, to: &str) -> Option<f64> {
        let figure = |name: &str| row.counting(self.names.iter().position(|other| other == name)?);
        let (ours, theirs) = (figure("headwater")?.value, figure(to)?.value);
        (theirs > 0.0).then(|| ours / theirs)
    }

    /// All of it for a machine.
    pub fn json(&self) -> Value {
        let row = |row: &Row| {
            let sides = self.names.iter().enumerate().map(|(number, name)| {
                let runs: Vec<_> = row.samples.get(number).into_iter().flatten().map(|s| s.value).collect();
                let counts = row.counting(number);
                let side = json!({"value": counts.map(|s| s.value), "user_share": counts.and_then(|s| s.user_share),
                    "runs": runs});
                (name.clone(), side)
            });
            json!({
                "name": row.name,
                "unit": row.unit,
                "counts": if row.counts == Counts::Least { "least" } else { "median" },
                "sides": Value::Object(sides.collect()),
                "of_kafka": self.ratio(row, "kafka"),
                "of_floor": self.ratio(row, self.least),
                "goal": {"of_kafka": row.goal.of_kafka, "of_floor": row.goal.of_floor, "absolute": row.goal.absolute},
            })
        };
        json!({
            "machine": self.machine,
            "method": self.method,
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "lost": self.lost,
        })
    }
}

/// Three digits that matter.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        small if small >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(samples: Vec<Vec<f64>>, counts: Counts) -> Row {
        let samples = samples.into_iter().map(|runs| runs.into_iter().map(Sample::from).collect()).collect();
        Row { name: "produce".into(), unit: "s/GB", counts, goal: Goal::ratios(0.5, 1.5), samples }
    }

    #[test]
    fn of_two_goals_that_are_near_the_looser_one_holds() {
        let names = ["headwater", "kafka", "floor"].map(str::to_owned).to_vec();
        let report = Report::new(String::new(), String::new(), names);
        // At most half of Kafka's and one and a half of the floor's.
        let held = |kafka, floor| report.held(&row(vec![vec![1.0], vec![kafka], vec![floor]], Counts::Least));
        assert_eq!(held(8.0, 2.0), (true, true), "4 and 3");
        assert_eq!(held(8.0, 2.4), (true, false), "4 and 3.6");
        assert_eq!(held(6.0, 2.4), (false, true), "3 and 3.6");
        let either =
            Row { goal: Goal::either(0.5, 1.5), ..row(vec![vec![1.0], vec![8.0], vec![2.0]], Counts::Least) };
        assert_eq!(report.held(&either), (true, false));
    }

    #[test]
    fn the_least_of_costs_and_the_middle_of_latencies_count() {
        let names = ["headwater", "kafka"].map(str::to_owned).to_vec();
        let report = Report::new(String::new(), String::new(), names);
        let runs = vec![vec![3.0, 1.0, 2.0], vec![8.0, 4.0, 5.0]];
        assert_eq!(report.ratio(&row(runs.clone(), Counts::Least), "kafka"), Some(0.25));
        assert_eq!(report.ratio(&row(runs.clone(), Counts::Median), "kafka"), Some(0.4));
        assert_eq!(report.ratio(&row(runs, Counts::Least), "floor"), None, "who did not run gives no ratio");
    }
}
