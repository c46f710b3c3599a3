//! The levels of this process's loggers, as administrators see and change them (KIP-412).
//!
//! Loggers are the parts of the program that log, by the paths of their modules, below `root`. Whoever starts
//! logging says how levels take effect with [`install`]; before that they are only remembered. Levels are not
//! recorded anywhere: they last until the process ends.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use thiserror::Error;

/// Kafka's name of what is above all loggers.
pub const ROOT: &str = "root";

/// What can log, each with everything below it.
const LOGGERS: [&str; 3] = ["broker", "headwater", "storage"];

/// Kafka's levels, with ours.
const LEVELS: [(&str, &str); 6] = [
    ("DEBUG", "debug"),
    ("ERROR", "error"),
    ("FATAL", "error"),
    ("INFO", "info"),
    ("TRACE", "trace"),
    ("WARN", "warn"),
];

/// Why a level cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LevelFault {
    /// Nothing logs under this name.
    #[error("there is no logger {0}: it must be root, or begin with broker, headwater or storage")]
    UnknownLogger(String),
    /// No level has this name.
    #[error("{logger} cannot have level {level}: it must be DEBUG, ERROR, FATAL, INFO, TRACE or WARN")]
    UnknownLevel {
        /// The logger.
        logger: String,
        /// What was asked for.
        level: String,
    },
    /// The root has nothing to fall back to.
    #[error("the level of root cannot be deleted: set it to another one")]
    RootNeedsLevel,
}

type Apply = Box<dyn Fn(&str) + Send>;

struct Levels {
    root: &'static str,
    by_logger: BTreeMap<String, &'static str>,
    apply: Option<Apply>,
}

static STATE: Mutex<Levels> = Mutex::new(Levels { root: "INFO", by_logger: BTreeMap::new(), apply: None });

fn state() -> MutexGuard<'static, Levels> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says what logging runs with, in directives such as `info,broker::net=debug`, and how it is changed: `apply` is
/// called with other directives.
pub fn install(directives: &str, apply: impl Fn(&str) + Send + 'static) {
    let mut state = state();
    for directive in directives.split(',').map(str::trim) {
        match directive.split_once('=') {
            None => state.root = kafkas(directive).unwrap_or(state.root),
            Some((logger, level)) => {
                if let (true, Some(level)) = (exists(logger), kafkas(level)) {
                    state.by_logger.insert(logger.to_owned(), level);
                }
            }
        }
    }
    state.apply = Some(Box::new(apply));
}

/// Every logger with its level, `root` first.
pub fn levels() -> Vec<(String, String)> {
    let state = state();
    let mut names: Vec<&str> = LOGGERS.to_vec();
    names.extend(state.by_logger.keys().map(String::as_str));
    names.sort_unstable();
    names.dedup();
    let mut levels = vec![(ROOT.to_owned(), state.root.to_owned())];
    levels.extend(names.into_iter().map(|name| (name.to_owned(), state.level_of(name).to_owned())));
    levels
}

/// Whether a logger can be given this level, or with `None` that of what is above it.
///
/// # Errors
/// Why not.
pub fn check(logger: &str, level: Option<&str>) -> Result<(), LevelFault> {
    if logger != ROOT && !exists(logger) {
        return Err(LevelFault::UnknownLogger(logger.to_owned()));
    }
    match level {
        None if logger == ROOT => Err(LevelFault::RootNeedsLevel),
        Some(level) if !LEVELS.iter().any(|(name, _)| *name == level) => {
            Err(LevelFault::UnknownLevel { logger: logger.to_owned(), level: level.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Gives loggers levels that were checked, and makes them take effect.
pub fn set(levels: &[(&str, Option<&str>)]) {
    let mut state = state();
    for (logger, level) in levels {
        let level = level.and_then(|level| LEVELS.iter().find(|(name, _)| *name == level));
        match level {
            Some((name, _)) if *logger == ROOT => state.root = name,
            Some((name, _)) => {
                state.by_logger.insert((*logger).to_owned(), name);
            }
            None => {
                state.by_logger.remove(*logger);
            }
        }
    }
    if let Some(apply) = &state.apply {
        apply(&state.directives());
    }
}

impl Levels {
    /// The level of a logger: its own, or of the nearest above it.
    fn level_of(&self, logger: &str) -> &'static str {
        let mut name = logger;
        loop {
            if let Some(level) = self.by_logger.get(name) {
                return level;
            }
            match name.rsplit_once("::") {
                Some((above, _)) => name = above,
                None => return self.root,
            }
        }
    }

    fn directives(&self) -> String {
        let mut directives = ours(self.root).to_owned();
        for (logger, level) in &self.by_logger {
            directives.push_str(&format!(",{logger}={}", ours(level)));
        }
        directives
    }
}

fn exists(logger: &str) -> bool {
    let part = logger.split("::").next().unwrap_or_default();
    let legal = logger.split("::").all(|part| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    legal && LOGGERS.contains(&part)
}

fn kafkas(level: &str) -> Option<&'static str> {
    let named = LEVELS.iter().find(|(name, _)| name.eq_ignore_ascii_case(level));
    named.map(|(name, _)| *name)
}

fn ours(level: &str) -> &'static str {
    LEVELS.iter().find(|(name, _)| *name == level).map_or("info", |(_, ours)| ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loggers_and_levels_are_checked() {
        for (logger, level) in [("root", Some("WARN")), ("broker", None), ("broker::net", Some("FATAL"))] {
            assert_eq!(check(logger, level), Ok(()), "{logger}");
        }
        for logger in ["", "kafka", "kafka.server", "broker=x", "broker::", "broker,x"] {
            assert_eq!(check(logger, None), Err(LevelFault::UnknownLogger(logger.to_owned())));
        }
        assert!(matches!(check("root", Some("info")), Err(LevelFault::UnknownLevel { .. })));
        assert_eq!(check("root", None), Err(LevelFault::RootNeedsLevel));
    }

    #[test]
    fn a_logger_without_a_level_has_that_of_the_nearest_above() {
        let mut levels = Levels { root: "INFO", by_logger: BTreeMap::new(), apply: None };
        levels.by_logger.insert("broker::net".to_owned(), "DEBUG");
        assert_eq!(levels.level_of("broker::net::listener"), "DEBUG");
        assert_eq!(levels.level_of("broker"), "INFO");
        assert_eq!(levels.directives(), "info,broker::net=debug");
    }
}
