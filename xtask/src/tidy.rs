//! The house rules that the compiler cannot check.

mod config_keys;
mod decisions;
mod deviations;
mod files;
mod links;
mod markers;
mod purity;

use crate::Problem;
use crate::house::House;

/// Everything that is untidy.
pub fn check(house: &House) -> Vec<Problem> {
    let checks: &[fn(&House) -> Vec<Problem>] = &[
        purity::check,
        files::check,
        markers::check,
        decisions::check,
        deviations::check,
        links::check,
        config_keys::check_read,
        config_keys::check_used,
    ];
    checks.iter().flat_map(|check| check(house)).collect()
}
