//! Where a node listens and under which addresses others find it: `listeners`, `advertised.listeners`,
//! `controller.listener.names` and the protocol map, with Kafka's cross-checks.
//!
//! Nothing is bound or resolved here. Names of listeners are upper case, as Kafka normalises them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use super::settings::{ConfigError, Settings};
use super::value::split_host_port;

/// How a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityProtocol {
    /// Neither encrypted nor authenticated.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL over an open connection.
    SaslPlaintext,
    /// SASL over TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// Reads a protocol's name in any case.
    pub fn parse(name: &str) -> Option<SecurityProtocol> {
        match name.trim().to_ascii_uppercase().as_str() {
            "PLAINTEXT" => Some(SecurityProtocol::Plaintext),
            "SSL" => Some(SecurityProtocol::Ssl),
            "SASL_PLAINTEXT" => Some(SecurityProtocol::SaslPlaintext),
            "SASL_SSL" => Some(SecurityProtocol::SaslSsl),
            _ => None,
        }
    }

    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            SecurityProtocol::Plaintext => "PLAINTEXT",
            SecurityProtocol::Ssl => "SSL",
            SecurityProtocol::SaslPlaintext => "SASL_PLAINTEXT",
            SecurityProtocol::SaslSsl => "SASL_SSL",
        }
    }

    /// The number that registrations carry.
    pub fn id(self) -> i16 {
        match self {
            SecurityProtocol::Plaintext => 0,
            SecurityProtocol::Ssl => 1,
            SecurityProtocol::SaslPlaintext => 2,
            SecurityProtocol::SaslSsl => 3,
        }
    }
}

/// One listener or the address it is found under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name, upper case.
    pub listener: String,
    /// How it speaks.
    pub protocol: SecurityProtocol,
    /// Host name or address, without brackets; empty for all interfaces.
    pub host: String,
    /// The port; 0 for one that the system picks.
    pub port: u16,
}

impl Endpoint {
    /// Whether only programs on this machine reach it.
    pub fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// `host:port`, with brackets around an IPv6 address.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.listener, self.address())
    }
}

/// All endpoints of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listeners {
    /// Where clients and other brokers connect; empty on a node that is controller only.
    pub broker: Vec<Endpoint>,
    /// Where the quorum connects; empty on a node that is broker only.
    pub controller: Vec<Endpoint>,
    /// Under which addresses clients are told to find `broker`.
    pub advertised_broker: Vec<Endpoint>,
    /// Under which addresses the quorum is told to find `controller`.
    pub advertised_controller: Vec<Endpoint>,
    /// The listener that other brokers use.
    pub inter_broker: String,
    /// `controller.listener.names`; the first is the one this node uses to reach controllers.
    pub controller_names: Vec<String>,
    /// Protocol of every listener name.
    pub protocols: BTreeMap<String, SecurityProtocol>,
}

impl Listeners {
    /// Reads the listener settings.
    ///
    /// # Errors
    /// [`ConfigError`] when an entry cannot be read, or names and protocols do not go together.
    pub fn read(settings: &Settings) -> Result<Listeners, ConfigError> {
        let controller_names: Vec<String> = settings
            .list("controller.listener.names")?
            .iter()
            .map(|name| name.to_ascii_uppercase())
            .collect();
        let protocols = protocol_map(settings, &controller_names)?;
        let listeners = endpoints("listeners", &settings.list("listeners")?, &protocols)?;
        distinct_ports(&listeners)?;
        let advertised = if settings.is_set("advertised.listeners") {
            endpoints("advertised.listeners", &settings.list("advertised.listeners")?, &protocols)?
        } else {
            listeners.clone()
        };
        let is_controller = |endpoint: &Endpoint| controller_names.contains(&endpoint.listener);
        let (controller, broker): (Vec<_>, Vec<_>) = listeners.into_iter().partition(is_controller);
        let (told, advertised_broker): (Vec<_>, Vec<_>) = advertised.into_iter().partition(is_controller);
        let advertised_controller = controller
            .iter()
            .map(|endpoint| {
                told.iter().find(|other| other.listener == endpoint.listener).unwrap_or(endpoint).clone()
            })
            .collect();
        let inter_broker = inter_broker(settings, &protocols)?;
        let listeners = Listeners {
            broker,
            controller,
            advertised_broker,
            advertised_controller,
            inter_broker,
            controller_names,
            protocols,
        };
        listeners.refuse_unroutable()?;
        Ok(listeners)
    }

    /// The endpoint of this name, as bound.
    pub fn bound(&self, listener: &str) -> Option<&Endpoint> {
        self.broker.iter().chain(&self.controller).find(|endpoint| endpoint.listener == listener)
    }

    /// Listeners that anybody on the network reaches without a password or encryption.
    pub fn open_to_the_network(&self) -> impl Iterator<Item = &Endpoint> {
        self.broker
            .iter()
            .chain(&self.controller)
            .filter(|endpoint| endpoint.protocol == SecurityProtocol::Plaintext && !endpoint.is_loopback())
    }

    fn refuse_unroutable(&self) -> Result<(), ConfigError> {
        let unroutable =
            self.advertised_broker.iter().chain(&self.advertised_controller).find(|e| e.host == "0.0.0.0");
        match unroutable {
            Some(endpoint) => Err(ConfigError::conflict(format!(
                "advertised.listeners would tell clients to connect to {endpoint}, an address nobody can reach: \
                 set advertised.listeners={}://<this machine's name>:{}",
                endpoint.listener, endpoint.port
            ))),
            None => Ok(()),
        }
    }
}

/// The name under which this machine is advertised when none is configured.
pub fn machine_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

fn protocol_map(
    settings: &Settings,
    controller_names: &[String],
) -> Result<BTreeMap<String, SecurityProtocol>, ConfigError> {
    const KEY: &str = "listener.security.protocol.map";
    let mut protocols = BTreeMap::new();
    let text = settings.text(KEY)?.unwrap_or_default();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let parsed = entry
            .rsplit_once(':')
            .and_then(|(name, protocol)| Some((name, SecurityProtocol::parse(protocol)?)));
        let Some((name, protocol)) = parsed else {
            return Err(ConfigError::conflict(format!(
                "{KEY} has the entry \"{entry}\": it must have the form NAME:PROTOCOL with one of \
                 PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"
            )));
        };
        protocols.insert(name.trim().to_ascii_uppercase(), protocol);
    }
    let secure =
        |name: &str| SecurityProtocol::parse(name).is_some_and(|known| known != SecurityProtocol::Plaintext);
    let listeners = settings.list("listeners")?;
    let any_secure = controller_names.iter().any(|name| secure(name))
        || listeners.iter().any(|entry| secure(entry.split("://").next().unwrap_or_default()));
    if !settings.is_set(KEY) && !any_secure {
        for name in controller_names {
            protocols.entry(name.clone()).or_insert(SecurityProtocol::Plaintext);
        }
    }
    Ok(protocols)
}

fn endpoints(
    key: &str,
    entries: &[String],
    protocols: &BTreeMap<String, SecurityProtocol>,
) -> Result<Vec<Endpoint>, ConfigError> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for entry in entries {
        let parsed =
            entry.split_once("://").and_then(|(name, address)| Some((name, split_host_port(address)?)));
        let Some((name, (host, port))) = parsed else {
            return Err(ConfigError::conflict(format!(
                "{key} has the entry \"{entry}\": it must have the form NAME://host:port, such as PLAINTEXT://localhost:9092 \
                 (an IPv6 address in brackets)"
            )));
        };
        let listener = name.to_ascii_uppercase();
        let Some(protocol) = protocols.get(&listener).copied() else {
            return Err(ConfigError::conflict(format!(
                "{key} names the listener {listener}, which has no security protocol: \
                 add {listener}:PLAINTEXT (or SSL, SASL_PLAINTEXT, SASL_SSL) to listener.security.protocol.map"
            )));
        };
        if let Some(other) = endpoints.iter().find(|other| other.listener == listener) {
            return Err(ConfigError::conflict(format!(
                "{key} names {listener} twice, as {other} and {entry}: give each listener a name of its own"
            )));
        }
        endpoints.push(Endpoint { listener, protocol, host: host.to_owned(), port });
    }
    Ok(endpoints)
}

/// One IPv4 and one IPv6 address may share a name and a port.
fn dual_stack(one: &str, other: &str) -> bool {
    match (one.parse::<IpAddr>(), other.parse::<IpAddr>()) {
        (Ok(one), Ok(other)) => one.is_ipv4() != other.is_ipv4(),
        _ => false,
    }
}

fn distinct_ports(endpoints: &[Endpoint]) -> Result<(), ConfigError> {
    for (index, one) in endpoints.iter().enumerate() {
        let clash = |other: &&Endpoint| {
            other.port == one.port && one.port != 0 && !dual_stack(&one.host, &other.host)
        };
        if let Some(other) = endpoints[index + 1..].iter().find(clash) {
            return Err(ConfigError::conflict(format!(
                "listeners uses port {} twice, for {one} and {other}: give each listener a port of its own",
                one.port
            )));
        }
    }
    Ok(())
}

fn inter_broker(
    settings: &Settings,
    protocols: &BTreeMap<String, SecurityProtocol>,
) -> Result<String, ConfigError> {
    match settings.text("inter.broker.listener.name")? {
        Some(_) if settings.is_set("security.inter.broker.protocol") => Err(ConfigError::conflict(
            "inter.broker.listener.name and security.inter.broker.protocol are both set: keep one of them",
        )),
        Some(name) => {
            let name = name.to_ascii_uppercase();
            if protocols.contains_key(&name) {
                return Ok(name);
            }
            Err(ConfigError::conflict(format!(
                "inter.broker.listener.name is {name}, which listener.security.protocol.map does not have: add {name}:PLAINTEXT there"
            )))
        }
        None => Ok(settings.text("security.inter.broker.protocol")?.unwrap_or_default()),
    }
}
