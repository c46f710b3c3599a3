//! Keys of listeners: where a node listens, under which names it is found, and which protocol is spoken.

use crate::config::key::{Key, Type, list, string};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    Key::unset(Type::List, "advertised.listeners").filled_list().high().since("0.9.0").honoured()
        .doc("Addresses that clients and other brokers are told to connect to, when they differ from listeners: names behind NAT, in containers or in DNS. The address 0.0.0.0 is refused."),
    Key::required(Type::List, "controller.listener.names").filled_list().high().since("2.8").honoured()
        .doc("Names of the listeners that speak to the metadata quorum. A node uses the first one to reach controllers."),
    Key::unset(Type::List, "early.start.listeners").list().high().since("3.3")
        .doc("Listeners that open before the node knows the cluster's metadata; by default those of the controller."),
    Key::unset(Type::String, "inter.broker.listener.name").since("0.10.2").honoured()
        .doc("The listener that brokers use among each other. Not together with security.inter.broker.protocol."),
    string("listener.security.protocol.map", "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT").low().per_broker().since("0.10.2").honoured()
        .doc("Which protocol each listener name speaks, as NAME:PROTOCOL entries with PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL. Read when the node starts."),
    list("listeners", "PLAINTEXT://:9092").filled_list().high().per_broker().since("0.9.0").honoured()
        .doc("Where the node listens, as NAME://host:port entries. No host means all interfaces; an IPv6 address goes in brackets. Read when the node starts: a change while it runs is kept and shown, and is not obeyed."),
    string("security.inter.broker.protocol", "PLAINTEXT").one_of(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]).since("0.9.0").honoured()
        .doc("Protocol among brokers, when inter.broker.listener.name is not set."),
];
