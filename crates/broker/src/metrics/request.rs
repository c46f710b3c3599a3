//! Requests by API: how many, how many failed, how long they took.

use std::time::Duration;

use super::histogram::Histogram;

/// One more than the highest API key there is a place for.
const KEYS: usize = 96;

/// Counts of one API.
#[derive(Debug, Default)]
pub struct Api {
    /// From the frame being whole until its answer stands ready to be written; its count is that of the
    /// requests.
    pub total_time: Histogram,
}

/// Counts of all APIs, by key. A place is made with the first request of its API.
#[derive(Debug)]
pub struct RequestMetrics {
    apis: [std::sync::OnceLock<Box<Api>>; KEYS],
}

impl Default for RequestMetrics {
    fn default() -> Self {
        Self { apis: [const { std::sync::OnceLock::new() }; KEYS] }
    }
}

impl RequestMetrics {
    /// Notes a request that has been served.
    pub fn note(&self, api_key: i16, time: Duration) {
        let Some(api) = usize::try_from(api_key).ok().and_then(|key| self.apis.get(key)) else {
            return;
        };
        let api = api.get_or_init(Box::default);
        api.total_time.note(time);
    }

    /// The APIs that have been asked for, with their keys.
    pub fn iter(&self) -> impl Iterator<Item = (i16, &Api)> {
        self.apis.iter().enumerate().filter_map(|(key, api)| Some((key as i16, &**api.get()?)))
    }
}
