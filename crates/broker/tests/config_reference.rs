//! The page about config keys is made from their declarations, so that it cannot lie.
//!
//! `UPDATE=1 cargo test -p headwater-broker --test config_reference` writes it anew.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write;
use std::path::Path;

use broker::config::key::{Allowed, Default, Key, State, Update};
use broker::config::keys;

const PAGE: &str = "../../docs/operate/configuration.md";

const HEAD: &str = "\
# Configuration keys

Every key of Apache Kafka 4.4 and of Headwater's own (`headwater.`), with what setting it does here:

- **honoured**: it does what the description says.
- **without effect**: it is accepted and changes nothing, by design; the reason stands there.
- **not yet**: it is known, checked, kept and shown, and nothing obeys it; setting it is named in a warning at start.

A key marked *cluster-wide* or *per-broker* can change while brokers run. This page is made from the tables in
`crates/broker/src/config/keys/` by `UPDATE=1 cargo test -p headwater-broker --test config_reference`.
";

#[test]
fn the_page_about_config_keys_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/operate/configuration.md is out of date: run this test with UPDATE=1");
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    let own = |key: &&&Key| key.name.starts_with("headwater.");
    let broker: Vec<&Key> = keys::broker_keys().collect();
    table(&mut page, "Headwater's own keys", broker.iter().filter(own).copied());
    table(&mut page, "Broker keys", broker.iter().filter(|key| !own(key)).copied());
    table(&mut page, "Topic keys", keys::topic_keys());
    table(&mut page, "Group keys", keys::group_keys());
    table(&mut page, "Client metrics keys", keys::client_metrics_keys());
    page
}

fn table<'a>(page: &mut String, title: &str, keys: impl Iterator<Item = &'a Key>) {
    let head = "| key | default | values | here | what it is |\n|---|---|---|---|---|\n";
    write!(page, "\n## {title}\n\n{head}").unwrap();
    for key in keys {
        let default = match key.default {
            Default::Required => "*required*".to_owned(),
            Default::Null => "*unset*".to_owned(),
            Default::Value("") => "*empty*".to_owned(),
            Default::Value(text) => format!("`{text}`"),
        };
        let change = match key.update {
            Update::ReadOnly => "",
            Update::PerBroker => " *(per-broker)*",
            Update::ClusterWide => " *(cluster-wide)*",
        };
        let here = match key.state {
            State::Honoured => "honoured".to_owned(),
            State::WithoutEffect(why) => format!("without effect: {why}"),
            State::NotYet => "not yet".to_owned(),
        };
        writeln!(page, "| `{}` | {default} | {} | {here}{change} | {} |", key.name, values(key), key.doc)
            .unwrap();
    }
}

fn values(key: &Key) -> String {
    let kind = format!("{:?}", key.kind).to_lowercase();
    match key.allowed {
        Allowed::AtLeast(least) => format!("{kind}, from {least}"),
        Allowed::Between(least, most) => format!("{kind}, {least} to {most}"),
        Allowed::Fraction(most) => format!("{kind}, 0 to {most}"),
        Allowed::OneOf(words) | Allowed::OneOfAnyCase(words) => words.join(", "),
        Allowed::List { of: [], .. } => kind,
        Allowed::List { of, .. } => format!("list of {}", of.join(", ")),
        Allowed::AddressOrEmpty => "host:port, or empty".to_owned(),
        _ => kind,
    }
}
