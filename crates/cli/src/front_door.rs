//! Turns the flags of the front door into settings. Flags win over the file.
//!
//! `--data` moves the logs, `--listen` moves the listener for clients, `--override` sets any key. Without a file
//! the controller stays on loopback whatever `--listen` says: nobody else needs to reach it.

use broker::config::static_config::texts_without_file;
use broker::config::value::split_host_port;
use broker::config::{NodeConfig, Texts};

use crate::failure::Failure;

/// What the flags say.
pub struct Flags<'a> {
    /// `--data`.
    pub data: Option<&'a str>,
    /// `--listen`.
    pub listen: Option<&'a str>,
    /// `--override`, each as `KEY=VALUE`.
    pub overrides: &'a [String],
}

/// The configuration of a node with a file (its settings) or without (`None`), under these flags.
pub fn configure(file: Option<Texts>, flags: &Flags<'_>) -> Result<NodeConfig, Failure> {
    let without_file = file.is_none();
    let mut texts = file.unwrap_or_else(texts_without_file);
    if let Some(data) = flags.data {
        texts.insert("log.dirs".to_owned(), data.to_owned());
    }
    if let Some(listen) = flags.listen {
        let (host, port) = split_host_port(listen).ok_or_else(|| {
            Failure::usage(format!("cannot understand --listen \"{listen}\""))
                .hint("use HOST:PORT, such as localhost:9092 or [::1]:9092")
        })?;
        if without_file {
            listen_without_file(&mut texts, host, port)?;
        } else {
            listen_with_file(&mut texts, listen);
        }
    }
    for setting in flags.overrides {
        let (name, text) = setting.split_once('=').ok_or_else(|| {
            Failure::usage(format!("cannot understand --override \"{setting}\""))
                .hint("use KEY=VALUE, such as log.retention.hours=24")
        })?;
        texts.insert(name.trim().to_owned(), text.to_owned());
    }
    NodeConfig::from_texts(texts).map_err(Failure::new)
}

fn owned(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

fn listen_without_file(texts: &mut Texts, host: &str, port: u16) -> Result<(), Failure> {
    let controller_port = match port {
        0 => 0,
        port => port.checked_add(1).ok_or_else(|| {
            Failure::usage("--listen has port 65535, which leaves none for the controller")
                .hint("use a lower port")
        })?,
    };
    let shown = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    texts.extend([
        owned("listeners", &format!("PLAINTEXT://{shown}:{port},CONTROLLER://localhost:{controller_port}")),
        owned("controller.quorum.bootstrap.servers", &format!("localhost:{controller_port}")),
    ]);
    if host == "0.0.0.0" {
        // An empty host is all interfaces too, but is advertised under the machine's name.
        let advertised = format!("PLAINTEXT://:{port},CONTROLLER://localhost:{controller_port}");
        texts.insert("advertised.listeners".to_owned(), advertised);
    }
    Ok(())
}

/// The first listener for clients moves; the file's controller listeners stay; other listeners go.
fn listen_with_file(texts: &mut Texts, listen: &str) {
    let list = |name: &str| {
        let text = texts.get(name).map(String::as_str).unwrap_or_default();
        text.split(',')
            .map(|entry| entry.trim().to_owned())
            .filter(|entry| !entry.is_empty())
            .collect::<Vec<_>>()
    };
    let controllers = list("controller.listener.names");
    let is_controller = |entry: &String| {
        let name = entry.split("://").next().unwrap_or_default();
        controllers.iter().any(|controller| controller.eq_ignore_ascii_case(name))
    };
    let (kept, moved): (Vec<_>, Vec<_>) = list("listeners").into_iter().partition(is_controller);
    let (kept_advertised, _): (Vec<_>, Vec<_>) =
        list("advertised.listeners").into_iter().partition(is_controller);
    let name = moved.first().and_then(|entry| entry.split("://").next()).unwrap_or("PLAINTEXT").to_owned();
    let with_moved = |kept: &[String]| {
        let moved = format!("{name}://{listen}");
        std::iter::once(moved).chain(kept.iter().cloned()).collect::<Vec<_>>().join(",")
    };
    let listeners = with_moved(&kept);
    let advertised = with_moved(&kept_advertised);
    texts.insert("listeners".to_owned(), listeners);
    if texts.contains_key("advertised.listeners") {
        texts.insert("advertised.listeners".to_owned(), advertised);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Flags<'static> {
        Flags { data: None, listen: None, overrides: &[] }
    }

    fn file() -> Texts {
        [
            ("process.roles", "broker,controller"),
            ("node.id", "1"),
            ("controller.quorum.voters", "1@c:9093"),
            ("listeners", "INSIDE://:9092,OUTSIDE://:9094,CONTROLLER://:9093"),
            ("advertised.listeners", "INSIDE://a:9092,OUTSIDE://b:9094,CONTROLLER://c:9093"),
            ("inter.broker.listener.name", "INSIDE"),
            ("listener.security.protocol.map", "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT"),
            ("controller.listener.names", "CONTROLLER"),
        ]
        .iter()
        .map(|(name, text)| owned(name, text))
        .collect()
    }

    fn bound(config: &NodeConfig) -> Vec<String> {
        config.listeners.broker.iter().chain(&config.listeners.controller).map(ToString::to_string).collect()
    }

    #[test]
    fn without_file_and_flags_everything_is_on_loopback() {
        let config = configure(None, &none()).unwrap();
        assert_eq!(bound(&config), ["PLAINTEXT://localhost:9092", "CONTROLLER://localhost:9093"]);
        assert_eq!(config.warnings, Vec::<String>::new());
    }

    #[test]
    fn flags_win_over_what_is_built_in() {
        let overrides = ["log.dirs=/b".to_owned(), "num.partitions=3".to_owned()];
        let flags = Flags { data: Some("/a"), listen: Some("[::1]:7000"), overrides: &overrides };
        let config = configure(None, &flags).unwrap();
        assert_eq!(bound(&config), ["PLAINTEXT://[::1]:7000", "CONTROLLER://localhost:7001"]);
        assert_eq!(config.log_dirs.directories, [std::path::PathBuf::from("/b")]);
        assert_eq!(config.topics.partitions, 3);
    }

    #[test]
    fn listening_everywhere_keeps_the_controller_on_loopback_and_warns() {
        let config = configure(None, &Flags { listen: Some("0.0.0.0:9092"), ..none() }).unwrap();
        assert_eq!(bound(&config), ["PLAINTEXT://0.0.0.0:9092", "CONTROLLER://localhost:9093"]);
        assert_eq!(config.listeners.advertised_broker[0].host, "");
        assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    }

    #[test]
    fn with_a_file_the_first_listener_of_clients_moves() {
        let config = configure(Some(file()), &Flags { listen: Some("h:7000"), ..none() }).unwrap();
        assert_eq!(bound(&config), ["INSIDE://h:7000", "CONTROLLER://:9093"]);
        assert_eq!(config.listeners.advertised_broker[0].to_string(), "INSIDE://h:7000");
        assert_eq!(config.listeners.advertised_controller[0].to_string(), "CONTROLLER://c:9093");
    }

    #[test]
    fn flags_that_cannot_be_understood_are_refused() {
        for flags in [
            Flags { listen: Some("9092"), ..none() },
            Flags { listen: Some("localhost:65535"), ..none() },
            Flags { overrides: &["a".to_owned()], ..none() },
            Flags { overrides: &["num.partitions=x".to_owned()], ..none() },
        ] {
            assert!(configure(None, &flags).is_err());
        }
    }
}
