//! Settings that do not go together: the checks that Kafka makes on a whole configuration.
//!
//! Each refusal names the settings, their values and the way out. Single values were checked before.

use super::listeners::SecurityProtocol;
use super::settings::ConfigError;
use super::static_config::{NodeConfig, is_served};

/// Checks a whole configuration.
///
/// # Errors
/// The first contradiction.
pub fn check(config: &NodeConfig) -> Result<(), ConfigError> {
    let checks: &[fn(&NodeConfig) -> Option<String>] =
        &[quorum, controller_role, broker_only, broker_role, groups, security, log, replication, network];
    match checks.iter().find_map(|check| check(config)) {
        Some(text) => Err(ConfigError::Conflict(text)),
        None => Ok(()),
    }
}

/// Whether the node can run alone: as the one voter of its quorum and the one broker of its cluster, which is
/// what there is. Formatting and inspecting directories work for every role.
///
/// # Errors
/// [`ConfigError`] naming the setting that asks for company.
pub fn check_alone(config: &NodeConfig) -> Result<(), ConfigError> {
    let alone =
        "Headwater runs as a single node so far: use process.roles=broker,controller and no other voters";
    if !(config.roles.broker && config.roles.controller) {
        let role = if config.roles.broker { "broker" } else { "controller" };
        return Err(ConfigError::conflict(format!(
            "process.roles is only {role}, which needs other nodes. {alone}"
        )));
    }
    match config.quorum.voters.iter().find(|voter| voter.id != config.node_id) {
        Some(other) => Err(ConfigError::conflict(format!(
            "controller.quorum.voters also names node {}. {alone}",
            other.id
        ))),
        None => Ok(()),
    }
}

fn quorum(config: &NodeConfig) -> Option<String> {
    let quorum = &config.quorum;
    if quorum.voters.is_empty() && quorum.bootstrap_servers.is_empty() {
        return Some(
            "neither controller.quorum.bootstrap.servers nor controller.quorum.voters is set: \
             add controller.quorum.bootstrap.servers=<host:port of a controller>"
                .to_owned(),
        );
    }
    config.listeners.controller_names.is_empty().then(|| {
        "controller.listener.names is required: add controller.listener.names=CONTROLLER and a CONTROLLER listener".to_owned()
    })
}

fn controller_role(config: &NodeConfig) -> Option<String> {
    if !config.roles.controller {
        return None;
    }
    let id = config.node_id;
    let listeners = &config.listeners;
    if !config.quorum.voters.is_empty() && !config.quorum.is_static_voter(id) {
        return Some(format!(
            "process.roles has controller, but node.id {id} is not in controller.quorum.voters: \
             add {id}@<host>:<port> there, or take controller out of process.roles"
        ));
    }
    if let Some(name) = listeners.controller_names.iter().find(|name| listeners.bound(name).is_none()) {
        return Some(format!(
            "process.roles has controller, but listeners has no {name} of controller.listener.names: \
             add {name}://:9093 to listeners"
        ));
    }
    if !config.roles.broker && !listeners.broker.is_empty() {
        return Some(format!(
            "process.roles is controller, but listeners also has {}: \
             only the names of controller.listener.names may be there",
            listeners.broker[0]
        ));
    }
    None
}

fn broker_only(config: &NodeConfig) -> Option<String> {
    if config.roles.controller {
        return None;
    }
    let id = config.node_id;
    if config.quorum.is_static_voter(id) {
        return Some(format!(
            "process.roles is broker, but node.id {id} is in controller.quorum.voters: \
             give the broker another node.id, or add controller to process.roles"
        ));
    }
    if let Some(endpoint) = config.listeners.controller.first() {
        return Some(format!(
            "process.roles is broker, but listeners has the controller listener {endpoint}: take it out"
        ));
    }
    let listeners = &config.listeners;
    let unmapped = listeners.controller_names.iter().find(|name| !listeners.protocols.contains_key(*name));
    unmapped.map(|name| {
        format!("controller.listener.names has {name}, which has no security protocol: add {name}:PLAINTEXT to listener.security.protocol.map")
    })
}

fn broker_role(config: &NodeConfig) -> Option<String> {
    if !config.roles.broker {
        return None;
    }
    let listeners = &config.listeners;
    let advertised: Vec<&str> = listeners.advertised_broker.iter().map(|e| e.listener.as_str()).collect();
    if advertised.is_empty() {
        return Some("a broker needs a listener for clients, but all of listeners are in controller.listener.names: add PLAINTEXT://:9092 to listeners".to_owned());
    }
    if let Some(name) = advertised.iter().find(|name| listeners.bound(name).is_none()) {
        return Some(format!(
            "advertised.listeners has {name}, which listeners does not have: add it there or take it out here"
        ));
    }
    if !advertised.contains(&listeners.inter_broker.as_str()) {
        return Some(format!(
            "other brokers would use the listener {}, which is not advertised: set inter.broker.listener.name to one of {}",
            listeners.inter_broker,
            advertised.join(", ")
        ));
    }
    let names = &listeners.controller_names;
    names.contains(&listeners.inter_broker).then(|| {
        format!(
            "inter.broker.listener.name is {}, a controller listener: name a listener for brokers",
            listeners.inter_broker
        )
    })
}

fn groups(config: &NodeConfig) -> Option<String> {
    const KEY: &str = "group.coordinator.rebalance.protocols";
    let protocols = config.settings.list(KEY).unwrap_or_default();
    (!protocols.iter().any(|protocol| protocol == "classic")).then(|| {
        format!(
            "{KEY} is {}: groups of the classic protocol are always served, as in Kafka: add classic",
            protocols.join(",")
        )
    })
}

/// Fails closed: a node that was told to be secure must not start open.
fn security(config: &NodeConfig) -> Option<String> {
    let listeners = &config.listeners;
    if let Some(endpoint) =
        listeners.broker.iter().chain(&listeners.controller).find(|e| !is_served(e.protocol))
    {
        return Some(format!(
            "the listener {} asks for {}, which Headwater does not speak yet: use {}",
            endpoint,
            endpoint.protocol.name(),
            SecurityProtocol::Plaintext.name()
        ));
    }
    let authorizer = config.settings.text("authorizer.class.name").ok().flatten().unwrap_or_default();
    (!authorizer.is_empty()).then(|| {
        format!("authorizer.class.name is {authorizer}, but Headwater does not enforce access control lists yet: take it out to run open to everybody")
    })
}

fn log(config: &NodeConfig) -> Option<String> {
    let integer = |name| config.settings.integer(name).unwrap_or_default();
    let defaults = &config.topic_defaults;
    if defaults.segment_ms < 1 {
        return Some(format!(
            "log.roll.ms (or log.roll.hours) comes to {} ms: it must be at least 1",
            defaults.segment_ms
        ));
    }
    if defaults.segment_jitter_ms < 0 {
        return Some(format!(
            "log.roll.jitter.ms comes to {}: it must be at least 0",
            defaults.segment_jitter_ms
        ));
    }
    if defaults.retention_ms == Some(0) {
        return Some(
            "log.retention.ms comes to 0: it must be at least 1, or -1 to keep records forever".to_owned(),
        );
    }
    if config.log_dirs.directories.is_empty() {
        return Some("log.dirs is empty: name at least one directory".to_owned());
    }
    let cordoned = &config.log_dirs.cordoned;
    if cordoned.len() > 1 && cordoned.iter().any(|directory| directory == "*") {
        return Some("cordoned.log.dirs has * and others: * is all of them, leave the others out".to_owned());
    }
    let foreign = |directory: &&String| {
        directory.as_str() != "*"
            && !config.log_dirs.directories.iter().any(|known| known.as_os_str() == directory.as_str())
    };
    if let Some(directory) = cordoned.iter().find(foreign) {
        return Some(format!(
            "cordoned.log.dirs has {directory}, which is not one of log.dirs: name one of them, or * for all"
        ));
    }
    let (buffer, threads) = (integer("log.cleaner.dedupe.buffer.size"), integer("log.cleaner.threads"));
    (threads > 0 && buffer / threads <= 1024 * 1024).then(|| {
        format!("log.cleaner.dedupe.buffer.size is {buffer} for log.cleaner.threads {threads}: it must be above 1048576 for each thread")
    })
}

fn replication(config: &NodeConfig) -> Option<String> {
    let integer = |name| config.settings.integer(name).unwrap_or_default();
    let wait = integer("replica.fetch.wait.max.ms");
    ["replica.socket.timeout.ms", "replica.lag.time.max.ms"].into_iter().find(|name| wait > integer(name)).map(|name| {
        format!("replica.fetch.wait.max.ms is {wait}, more than {name} with {}: lower the first or raise the second", integer(name))
    })
}

fn network(config: &NodeConfig) -> Option<String> {
    let integer = |name| config.settings.integer(name).unwrap_or_default();
    let (queued, largest) = (integer("queued.max.request.bytes"), integer("socket.request.max.bytes"));
    if queued > 0 && queued < largest {
        return Some(format!(
            "queued.max.request.bytes is {queued}, less than socket.request.max.bytes with {largest}: raise it, or set -1"
        ));
    }
    if config.network.connections_per_ip_max == 0 && config.network.connections_per_ip_overrides.is_empty() {
        return Some(
            "max.connections.per.ip is 0 and max.connections.per.ip.overrides is empty: nobody could connect"
                .to_owned(),
        );
    }
    let (delay, idle) =
        (integer("connection.failed.authentication.delay.ms"), integer("connections.max.idle.ms"));
    (idle >= 0 && delay >= idle).then(|| {
        format!("connection.failed.authentication.delay.ms is {delay}: it must be less than connections.max.idle.ms, which is {idle}")
    })
}
