//! Figures that are held against goals: beside each stands whether it was reached, and at the end which were not. A run
//! that is to be strict fails with them; without that a figure on a machine that others use too ends nothing.

use std::cell::RefCell;

use anyhow::{Result, ensure};

/// The goals of a run.
#[derive(Clone, Debug, Default)]
pub struct Goals {
    missed: RefCell<Vec<String>>,
}

impl Goals {
    /// Holds a figure against the most it may be; what to print behind it.
    pub fn at_most(&self, what: &str, figure: f64, goal: f64, unit: &str) -> String {
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        let short = format!("{goal:.2}");
        let goal_text = short.trim_end_matches('0').trim_end_matches('.');
        // A figure that is none was not reached either.
        if figure <= goal {
            return format!(" (goal {goal_text}{unit})");
        }
        self.missed.borrow_mut().push(format!("{what}: {figure:.3}{unit}, goal {goal_text}{unit}"));
        format!(" (goal {goal_text}{unit}: NOT REACHED)")
    }

    /// Says what was not reached; an error if that is to be one.
    pub fn end(&self, strict: bool) -> Result<()> {
        let missed = self.missed.borrow();
        for missed in missed.iter() {
            println!("NOT REACHED {missed}");
        }
        ensure!(!strict || missed.is_empty(), "{} goals are not reached", missed.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_above_its_goal_is_named_and_ends_a_strict_run() {
        let goals = Goals::default();
        assert_eq!(goals.at_most("memory", 150.0, 150.0, "MB"), " (goal 150 MB)");
        goals.end(true).unwrap();
        assert_eq!(goals.at_most("ratio", 1.051, 1.05, ""), " (goal 1.05: NOT REACHED)");
        assert_eq!(goals.at_most("ratio", f64::NAN, 1.05, ""), " (goal 1.05: NOT REACHED)");
        goals.end(false).unwrap();
        assert_eq!(goals.end(true).unwrap_err().to_string(), "2 goals are not reached");
    }
}
