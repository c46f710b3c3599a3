//! Keys of SASL.

use super::NO_JAVA;
use crate::config::key::{Allowed, Key, Type, boolean, class, double, int, list, long, short, string};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    long("connections.max.reauth.ms", "0").since("2.2")
        .doc("How long a SASL login lasts before the client has to log in again; 0 for as long as the connection."),
    Key::unset(Type::Class, "sasl.client.callback.handler.class").since("2.0").without_effect(NO_JAVA)
        .doc("Java class that answers for the client side of SASL."),
    list("sasl.enabled.mechanisms", "GSSAPI").list().per_broker().since("0.10.0")
        .doc("SASL mechanisms that clients may log in with."),
    Key::unset(Type::Password, "sasl.jaas.config").per_broker().since("0.10.2")
        .doc("Login data in JAAS form; for brokers with a prefix of listener and mechanism."),
    string("sasl.kerberos.kinit.cmd", "/usr/bin/kinit").per_broker().since("0.9.0")
        .doc("Path of the kinit program."),
    long("sasl.kerberos.min.time.before.relogin", "60000").per_broker().since("0.9.0")
        .doc("Shortest time between two Kerberos logins."),
    list("sasl.kerberos.principal.to.local.rules", "DEFAULT").list().per_broker().since("0.9.0")
        .doc("Rules that turn Kerberos names into short names; the first that fits counts."),
    Key::unset(Type::String, "sasl.kerberos.service.name").per_broker().since("0.9.0")
        .doc("Name of the Kerberos service that brokers run as."),
    double("sasl.kerberos.ticket.renew.jitter", "0.05").per_broker().since("0.9.0")
        .doc("Random part of the time at which a Kerberos ticket is renewed."),
    double("sasl.kerberos.ticket.renew.window.factor", "0.8").per_broker().since("0.9.0")
        .doc("Share of a Kerberos ticket's life after which it is renewed."),
    Key::unset(Type::Class, "sasl.login.callback.handler.class").since("2.0").without_effect(NO_JAVA)
        .doc("Java class that answers during login."),
    Key::unset(Type::Class, "sasl.login.class").since("2.0").without_effect(NO_JAVA)
        .doc("Java class that logs in."),
    Key::unset(Type::Int, "sasl.login.connect.timeout.ms").low().since("3.1")
        .doc("How long connecting to a token endpoint may take."),
    Key::unset(Type::Int, "sasl.login.read.timeout.ms").low().since("3.1")
        .doc("How long reading from a token endpoint may take."),
    short("sasl.login.refresh.buffer.seconds", "300").per_broker().since("2.0")
        .doc("How long before a token expires it is renewed at the latest."),
    short("sasl.login.refresh.min.period.seconds", "60").per_broker().since("2.0")
        .doc("How long a token is used at least before it is renewed."),
    double("sasl.login.refresh.window.factor", "0.8").per_broker().since("2.0")
        .doc("Share of a token's life after which it is renewed."),
    double("sasl.login.refresh.window.jitter", "0.05").per_broker().since("2.0")
        .doc("Random part of the time at which a token is renewed."),
    long("sasl.login.retry.backoff.max.ms", "10000").low().since("3.1")
        .doc("Longest pause before a failed token request is tried again."),
    long("sasl.login.retry.backoff.ms", "100").low().since("3.1")
        .doc("First pause before a failed token request is tried again."),
    string("sasl.mechanism.controller.protocol", "GSSAPI").high().since("2.8")
        .doc("SASL mechanism for talking to controllers."),
    string("sasl.mechanism.inter.broker.protocol", "GSSAPI").per_broker().since("0.10.0")
        .doc("SASL mechanism for talking to other brokers."),
    boolean("sasl.oauthbearer.allow.unverified.audience", "false").since("4.4")
        .doc("Whether tokens are taken although no audience is configured to check them against."),
    boolean("sasl.oauthbearer.allow.unverified.issuer", "false").since("4.4")
        .doc("Whether tokens are taken although no issuer is configured to check them against."),
    string("sasl.oauthbearer.assertion.algorithm", "RS256").allow(Allowed::OneOfAnyCase(&["ES256", "RS256"])).since("4.1")
        .doc("Algorithm that signs an assertion: RS256 or ES256."),
    Key::unset(Type::String, "sasl.oauthbearer.assertion.claim.aud").since("4.1")
        .doc("Audience claimed in an assertion."),
    int("sasl.oauthbearer.assertion.claim.exp.seconds", "300").between(0, 86_400).low().since("4.1")
        .doc("How long an assertion is valid."),
    Key::unset(Type::String, "sasl.oauthbearer.assertion.claim.iss").since("4.1")
        .doc("Issuer claimed in an assertion."),
    boolean("sasl.oauthbearer.assertion.claim.jti.include", "false").since("4.1")
        .doc("Whether an assertion carries an id of its own."),
    int("sasl.oauthbearer.assertion.claim.nbf.seconds", "60").between(0, 3_600).low().since("4.1")
        .doc("How long before its creation an assertion is valid already."),
    Key::unset(Type::String, "sasl.oauthbearer.assertion.claim.sub").since("4.1")
        .doc("Subject claimed in an assertion."),
    Key::unset(Type::String, "sasl.oauthbearer.assertion.file").since("4.1")
        .doc("File with a finished assertion."),
    Key::unset(Type::String, "sasl.oauthbearer.assertion.private.key.file").since("4.1")
        .doc("File with the key that signs assertions."),
    Key::unset(Type::Password, "sasl.oauthbearer.assertion.private.key.passphrase").since("4.1")
        .doc("Passphrase of that key."),
    Key::unset(Type::String, "sasl.oauthbearer.assertion.template.file").since("4.1")
        .doc("File with claims and headers to start an assertion from."),
    Key::unset(Type::String, "sasl.oauthbearer.client.credentials.client.id").since("4.1")
        .doc("Client id for asking for tokens."),
    Key::unset(Type::Password, "sasl.oauthbearer.client.credentials.client.secret").since("4.1")
        .doc("Client secret for asking for tokens."),
    int("sasl.oauthbearer.clock.skew.seconds", "30").low().since("3.1")
        .doc("How far the clocks of broker and token issuer may differ."),
    list("sasl.oauthbearer.expected.audience", "").list().high().since("3.1")
        .doc("Audiences that a token may be meant for."),
    Key::unset(Type::String, "sasl.oauthbearer.expected.issuer").high().since("3.1")
        .doc("Issuer that tokens must come from."),
    long("sasl.oauthbearer.jwks.endpoint.refresh.ms", "3600000").low().since("3.1")
        .doc("How often the issuer's keys are read again."),
    long("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", "10000").low().since("3.1")
        .doc("Longest pause before reading the issuer's keys is tried again."),
    long("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", "100").low().since("3.1")
        .doc("First pause before reading the issuer's keys is tried again."),
    Key::unset(Type::String, "sasl.oauthbearer.jwks.endpoint.url").since("3.1")
        .doc("Where the issuer's keys are, as a file or web address."),
    class("sasl.oauthbearer.jwt.retriever.class", "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever").since("4.1").without_effect(NO_JAVA)
        .doc("Java class that gets tokens."),
    class("sasl.oauthbearer.jwt.validator.class", "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator").since("4.1").without_effect(NO_JAVA)
        .doc("Java class that checks tokens."),
    Key::unset(Type::String, "sasl.oauthbearer.scope").since("4.1")
        .doc("Scope to ask for in a token."),
    string("sasl.oauthbearer.scope.claim.name", "scope").low().since("3.1")
        .doc("Name of the claim with the scope."),
    string("sasl.oauthbearer.sub.claim.name", "sub").low().since("3.1")
        .doc("Name of the claim with the subject."),
    Key::unset(Type::String, "sasl.oauthbearer.token.endpoint.url").since("3.1")
        .doc("Where tokens are asked for."),
    Key::unset(Type::Class, "sasl.server.callback.handler.class").since("2.0").without_effect(NO_JAVA)
        .doc("Java class that answers for the server side of SASL."),
    int("sasl.server.max.receive.size", "524288").since("3.3")
        .doc("Most bytes of one SASL message before login."),
];
