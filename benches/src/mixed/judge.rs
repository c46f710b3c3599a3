//! Whether a figure rises without end: over the last third of the windows it lies above what it was over the third before, by more
//! than it wavers. What it does in the first third is warming up.

/// What is looked at in each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    Memory,
    Descriptors,
    Threads,
    Latency,
    Cost,
    Requests,
}

impl Figure {
    pub const ALL: [Self; 6] =
        [Self::Memory, Self::Descriptors, Self::Threads, Self::Latency, Self::Cost, Self::Requests];

    /// Its name, with its unit.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "resident, MB",
            Self::Descriptors => "descriptors",
            Self::Threads => "threads",
            Self::Latency => "p99, ms",
            Self::Cost => "CPU, us/req",
            Self::Requests => "requests",
        }
    }

    /// The part of itself, and how much beside it, that it may lie higher by; what may rise as it will has none.
    fn wavers(self) -> Option<(f64, f64)> {
        match self {
            Self::Memory => Some((0.05, 2.5)),
            Self::Descriptors => Some((0.02, 8.0)),
            // There are pools that are made when they are first needed.
            Self::Threads => Some((0.0, 30.0)),
            Self::Latency => Some((0.4, 25.0)),
            Self::Cost => Some((0.25, 5.0)),
            Self::Requests => None,
        }
    }

    /// Why it rises, if it does.
    fn risen(self, seen: &[f64]) -> Option<String> {
        let third = seen.len() / 3;
        let (share, more) = self.wavers()?;
        let (earlier, last) = seen[seen.len() - 2 * third..].split_at(third);
        let (earlier, last) = (median(earlier)?, median(last)?);
        let most = earlier * (1.0 + share) + more;
        (last > most).then(|| format!("{} {earlier:.1}, then {last:.1}", self.name()))
    }
}

/// The lower one of two in the middle.
fn median(of: &[f64]) -> Option<f64> {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied()
}

/// The figures of all windows so far.
#[derive(Debug, Default)]
pub struct Windows(Vec<[f64; Figure::ALL.len()]>);

impl Windows {
    /// Adds those of one more, in the order of [`Figure::ALL`].
    pub fn push(&mut self, figures: [f64; Figure::ALL.len()]) {
        self.0.push(figures);
    }

    /// What rises.
    pub fn risen(&self) -> Vec<String> {
        let seen = |number: usize| self.0.iter().map(|window| window[number]).collect::<Vec<_>>();
        Figure::ALL.iter().enumerate().filter_map(|(number, figure)| figure.risen(&seen(number))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEADY: [f64; 6] = [40.0, 120.0, 9.0, 3.0, 60.0, 20_000.0];

    /// Twelve windows of a figure that goes so, and the others as ever.
    fn windows(number: usize, of: impl Fn(f64, f64) -> f64) -> Windows {
        let window = |minute: u32| {
            let mut figures = STEADY;
            figures[number] = of(STEADY[number], f64::from(minute));
            figures
        };
        Windows((0..12).map(window).collect())
    }

    #[test]
    fn what_goes_on_rising_is_told_whichever_figure_it_is() {
        // What each minute adds to the figure: a megabyte and a half, four descriptors, ten threads, 30 ms, a quarter of the cost.
        for (number, each) in [1.5, 4.0, 10.0, 30.0, 15.0].into_iter().enumerate() {
            let risen = windows(number, |steady, minute| steady + each * minute).risen();
            assert_eq!(risen.len(), 1, "{}: {risen:?}", Figure::ALL[number].name());
            assert!(risen[0].starts_with(Figure::ALL[number].name()), "{risen:?}");
        }
    }

    #[test]
    fn what_warms_up_or_wavers_or_falls_is_not() {
        for number in 0..Figure::ALL.len() {
            let warming = |steady: f64, minute: f64| if minute < 4.0 { steady / 2.0 } else { steady };
            assert!(windows(number, warming).risen().is_empty());
            let wavering = |steady: f64, minute: f64| if minute == 10.0 { steady * 5.0 } else { steady };
            assert!(windows(number, wavering).risen().is_empty());
            assert!(windows(number, |steady, minute| steady * 2.0 - minute).risen().is_empty());
        }
    }
}
