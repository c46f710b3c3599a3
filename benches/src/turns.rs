//! Runs in turn, and which of them count: a run during which the least that this machine can do took much longer than it
//! can says something of the machine and nothing of a broker.

use crate::report::Sample;

/// How much costlier than its least the least's own run may be, before the machine is thought to waver.
pub const WAVERING: f64 = 1.5;

/// What every side came to, one turn after the other.
pub type Turns = Vec<Vec<Vec<Sample>>>;

/// Leaves out the turns in which the machine wavered, as the side at `least` shows; the last figure of a run tells.
pub fn without_wavering(turns: &mut Turns, least: usize) {
    // It may have been given up.
    let cost = |turn: &[Vec<Sample>]| turn[least].last().map(|sample| sample.value);
    let best = turns.iter().filter_map(|turn| cost(turn)).fold(f64::INFINITY, f64::min);
    let before = turns.len();
    turns.retain(|turn| cost(turn).is_none_or(|cost| cost <= best * WAVERING));
    if turns.len() < before {
        println!("{} of {before} turns thrown away: the machine wavered", before - turns.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_in_which_the_least_cost_much_more_is_left_out() {
        let turn = |ours: f64, least: f64| vec![vec![Sample::from(ours)], vec![Sample::from(least)]];
        let mut turns = vec![turn(1.0, 2.0), turn(9.0, 3.1), turn(1.5, 2.9)];
        without_wavering(&mut turns, 1);
        let ours: Vec<_> = turns.iter().map(|turn| turn[0][0].value).collect();
        assert_eq!(ours, [1.0, 1.5]);
    }
}
