//! Keys of TLS, authorisation and delegation tokens.

use super::NO_JAVA;
use crate::config::key::{Key, Type, boolean, class, list, long, string};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    string("authorizer.class.name", "").low().since("0.9.0")
        .doc("The authorizer that enforces access control lists. Empty lets everybody do everything; a node that names one does not start until lists are enforced."),
    long("delegation.token.expiry.check.interval.ms", "3600000").at_least(1).low().since("1.1")
        .doc("How often expired delegation tokens are swept out."),
    long("delegation.token.expiry.time.ms", "86400000").at_least(1).since("1.1")
        .doc("How long a delegation token lasts before it must be renewed."),
    long("delegation.token.max.lifetime.ms", "604800000").at_least(1).since("1.1")
        .doc("How long a delegation token can be renewed at most."),
    Key::unset(Type::Password, "delegation.token.secret.key").since("2.8")
        .doc("Secret that delegation tokens are signed with; the same on all nodes. Without it there are no tokens."),
    class("principal.builder.class", "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder").per_broker().since("0.9.0").without_effect(NO_JAVA)
        .doc("Java class that names the user of a connection."),
    Key::unset(Type::String, "security.providers").low().since("2.4").without_effect(NO_JAVA)
        .doc("Java classes that create security providers."),
    boolean("ssl.allow.dn.changes", "false").low().since("3.7")
        .doc("Whether a new key store may bear another distinguished name."),
    boolean("ssl.allow.san.changes", "false").low().since("3.7")
        .doc("Whether a new key store may lack an alternative name of the old one."),
    list("ssl.cipher.suites", "").list().per_broker().since("0.9.0")
        .doc("Cipher suites that are offered; empty for the safe ones."),
    string("ssl.client.auth", "none").one_of(&["required", "requested", "none"]).per_broker().since("0.9.0")
        .doc("Whether clients must show a certificate: required, requested or none."),
    list("ssl.enabled.protocols", "TLSv1.2,TLSv1.3").list().per_broker().since("0.9.0")
        .doc("Versions of TLS that are spoken."),
    string("ssl.endpoint.identification.algorithm", "https").low().per_broker().since("0.9.0")
        .doc("How the name in a server's certificate is checked; empty turns the check off."),
    Key::unset(Type::Class, "ssl.engine.factory.class").low().per_broker().since("2.6").without_effect(NO_JAVA)
        .doc("Java class that creates TLS engines."),
    Key::unset(Type::Password, "ssl.key.password").per_broker().since("0.9.0")
        .doc("Password of the private key."),
    string("ssl.keymanager.algorithm", "SunX509").per_broker().since("0.9.0").without_effect(NO_JAVA)
        .doc("Algorithm of Java's key manager."),
    Key::unset(Type::Password, "ssl.keystore.certificate.chain").per_broker().since("2.7")
        .doc("The node's certificates in PEM form."),
    Key::unset(Type::Password, "ssl.keystore.key").per_broker().since("2.7")
        .doc("The node's private key in PEM form."),
    Key::unset(Type::String, "ssl.keystore.location").per_broker().since("0.9.0")
        .doc("File with the node's key and certificates."),
    Key::unset(Type::Password, "ssl.keystore.password").per_broker().since("0.9.0")
        .doc("Password of that file."),
    string("ssl.keystore.type", "JKS").per_broker().since("0.9.0")
        .doc("Format of that file: JKS, PKCS12 or PEM."),
    string("ssl.principal.mapping.rules", "DEFAULT").low().since("2.2")
        .doc("Rules that turn a certificate's distinguished name into a user name; the first that fits counts."),
    string("ssl.protocol", "TLSv1.3").per_broker().since("0.9.0")
        .doc("Version of TLS that contexts are made for."),
    Key::unset(Type::String, "ssl.provider").per_broker().since("0.9.0").without_effect(NO_JAVA)
        .doc("Java's security provider."),
    Key::unset(Type::String, "ssl.secure.random.implementation").low().per_broker().since("0.10.1").without_effect(NO_JAVA)
        .doc("Java's source of random numbers."),
    string("ssl.trustmanager.algorithm", "PKIX").per_broker().since("0.9.0").without_effect(NO_JAVA)
        .doc("Algorithm of Java's trust manager."),
    Key::unset(Type::Password, "ssl.truststore.certificates").per_broker().since("2.7")
        .doc("Trusted certificates in PEM form."),
    Key::unset(Type::String, "ssl.truststore.location").per_broker().since("0.9.0")
        .doc("File with trusted certificates."),
    Key::unset(Type::Password, "ssl.truststore.password").per_broker().since("0.9.0")
        .doc("Password of that file."),
    string("ssl.truststore.type", "JKS").per_broker().since("0.9.0")
        .doc("Format of that file: JKS, PKCS12 or PEM."),
];
