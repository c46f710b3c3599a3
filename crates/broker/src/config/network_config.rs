//! [`NetworkConfig`]: how many connections there may be, and what one may hold and for how long.

use std::collections::BTreeMap;
use std::time::Duration;

use super::numbers::{int, size};
use super::settings::{ConfigError, Settings};

/// Bounds and habits of connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkConfig {
    /// `socket.send.buffer.bytes`; `None` leaves the system's choice.
    pub send_buffer_bytes: Option<usize>,
    /// `socket.receive.buffer.bytes`; `None` leaves the system's choice.
    pub receive_buffer_bytes: Option<usize>,
    /// `socket.listen.backlog.size`.
    pub backlog: i32,
    /// `socket.request.max.bytes`.
    pub request_bytes_max: usize,
    /// `max.connections`, all listeners together.
    pub connections_max: usize,
    /// `listener.name.<listener>.max.connections`, by listener.
    pub connections_max_by_listener: BTreeMap<String, usize>,
    /// `max.connections.per.ip`.
    pub connections_per_ip_max: usize,
    /// `max.connections.per.ip.overrides`: by host name or address as written.
    pub connections_per_ip_overrides: BTreeMap<String, usize>,
    /// `max.connection.creation.rate`, connections a second.
    pub connection_rate_max: u32,
    /// `connections.max.idle.ms`; `None` for no bound.
    pub idle_max: Option<Duration>,
    /// `headwater.network.pool.bytes`: bytes of unused read buffers that are kept.
    pub pool_bytes: usize,
    /// `headwater.connection.response.bytes.max`: bytes of answers that may wait for one slow reader.
    pub response_bytes_max: usize,
}

impl NetworkConfig {
    /// Reads them.
    ///
    /// # Errors
    /// [`ConfigError`] when a setting cannot be read.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        // deviation: a buffer that nobody sets is left to the system, which sizes it by the connection; Kafka fixes
        // it at 100 KiB. Who reads and writes much over a long way gains.
        let buffer = |name| -> Result<Option<usize>, ConfigError> {
            let wanted = settings.integer(name)?;
            Ok(usize::try_from(wanted).ok().filter(|_| settings.is_set(name)))
        };
        let mut by_listener = BTreeMap::new();
        for (name, text) in settings.merged() {
            let listener =
                name.strip_prefix("listener.name.").and_then(|rest| rest.strip_suffix(".max.connections"));
            if let (Some(listener), Ok(most)) = (listener, text.trim().parse()) {
                by_listener.insert(listener.to_ascii_uppercase(), most);
            }
        }
        Ok(Self {
            send_buffer_bytes: buffer("socket.send.buffer.bytes")?,
            receive_buffer_bytes: buffer("socket.receive.buffer.bytes")?,
            backlog: int(settings, "socket.listen.backlog.size")?,
            request_bytes_max: size(settings, "socket.request.max.bytes")?,
            connections_max: size(settings, "max.connections")?,
            connections_max_by_listener: by_listener,
            connections_per_ip_max: size(settings, "max.connections.per.ip")?,
            connections_per_ip_overrides: per_ip_overrides(settings)?,
            connection_rate_max: u32::try_from(settings.integer("max.connection.creation.rate")?)
                .unwrap_or(u32::MAX),
            idle_max: u64::try_from(settings.integer("connections.max.idle.ms")?)
                .ok()
                .map(Duration::from_millis),
            pool_bytes: size(settings, "headwater.network.pool.bytes")?,
            response_bytes_max: size(settings, "headwater.connection.response.bytes.max")?,
        })
    }
}

fn per_ip_overrides(settings: &Settings) -> Result<BTreeMap<String, usize>, ConfigError> {
    const KEY: &str = "max.connections.per.ip.overrides";
    let text = settings.text(KEY)?.unwrap_or_default();
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let parsed = |entry: &str| {
        let (host, most) = entry.rsplit_once(':')?;
        Some((host.trim_matches(['[', ']']).to_owned(), most.trim().parse::<usize>().ok()?))
    };
    entries
        .map(|entry| {
            parsed(entry).ok_or_else(|| {
                ConfigError::conflict(format!(
                    "{KEY} has the entry \"{entry}\": it must have the form host:number"
                ))
            })
        })
        .collect()
}
