//! Keys of SASL.

use super::NO_JAVA;
use crate::config::key::{Allowed, Key, Type, boolean, class, double, int, list, long, short, string};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    long("connections.max.reauth.ms", "0")
        .doc("How long a SASL login lasts before the client has to log in again; 0 for as long as the connection."),
    Key::unset(Type::Class, "sasl.client.callback.handler.class").without_effect(NO_JAVA)
        .doc("Java class that answers for the client side of SASL."),
    list("sasl.enabled.mechanisms", "GSSAPI").list().per_broker()
        .doc("SASL mechanisms that clients may log in with."),
    Key::unset(Type::Password, "sasl.jaas.config").per_broker()
        .doc("Login data in JAAS form; for brokers with a prefix of listener and mechanism."),
    string("sasl.kerberos.kinit.cmd", "/usr/bin/kinit").per_broker()
        .doc("Path of the kinit program."),
    long("sasl.kerberos.min.time.before.relogin", "60000").per_broker()
        .doc("Shortest time between two Kerberos logins."),
    list("sasl.kerberos.principal.to.local.rules", "DEFAULT").list().per_broker()
        .doc("Rules that turn Kerberos names into short names; the first that fits counts."),
    Key::unset(Type::String, "sasl.kerberos.service.name").per_broker()
        .doc("Name of the Kerberos service that brokers run as."),
    double("sasl.kerberos.ticket.renew.jitter", "0.05").per_broker()
        .doc("Random part of the time at which a Kerberos ticket is renewed."),
    double("sasl.kerberos.ticket.renew.window.factor", "0.8").per_broker()
        .doc("Share of a Kerberos ticket's life after which it is renewed."),
    Key::unset(Type::Class, "sasl.login.callback.handler.class").without_effect(NO_JAVA)
        .doc("Java class that answers during login."),
    Key::unset(Type::Class, "sasl.login.class").without_effect(NO_JAVA)
        .doc("Java class that logs in."),
    Key::unset(Type::Int, "sasl.login.connect.timeout.ms").low()
        .doc("How long connecting to a token endpoint may take."),
    Key::unset(Type::Int, "sasl.login.read.timeout.ms").low()
        .doc("How long reading from a token endpoint may take."),
    short("sasl.login.refresh.buffer.seconds", "300").per_broker()
        .doc("How long before a token expires it is renewed at the latest."),
    short("sasl.login.refresh.min.period.seconds", "60").per_broker()
        .doc("How long a token is used at least before it is renewed."),
    double("sasl.login.refresh.window.factor", "0.8").per_broker()
        .doc("Share of a token's life after which it is renewed."),
    double("sasl.login.refresh.window.jitter", "0.05").per_broker()
        .doc("Random part of the time at which a token is renewed."),
    long("sasl.login.retry.backoff.max.ms", "10000").low()
        .doc("Longest pause before a failed token request is tried again."),
    long("sasl.login.retry.backoff.ms", "100").low()
        .doc("First pause before a failed token request is tried again."),
    string("sasl.mechanism.controller.protocol", "GSSAPI").high()
        .doc("SASL mechanism for talking to controllers."),
    string("sasl.mechanism.inter.broker.protocol", "GSSAPI").per_broker()
        .doc("SASL mechanism for talking to other brokers."),
    boolean("sasl.oauthbearer.allow.unverified.audience", "false")
        .doc("Whether tokens are taken although no audience is configured to check them against."),
    boolean("sasl.oauthbearer.allow.unverified.issuer", "false")
        .doc("Whether tokens are taken although no issuer is configured to check them against."),
    string("sasl.oauthbearer.assertion.algorithm", "RS256").allow(Allowed::OneOfAnyCase(&["ES256", "RS256"]))
        .doc("Algorithm that signs an assertion: RS256 or ES256."),
    Key::unset(Type::String, "sasl.oauthbearer.assertion.claim.aud")
        .doc("Audience claimed in an assertion."),
    int("sasl.oauthbearer.assertion.claim.exp.seconds", "300").between(0, 86_400).low()
        .doc("How long an assertion is valid."),
    Key::unset(Type::String, "sasl.oauthbearer.assertion.claim.iss")
        .doc("Issuer claimed in an assertion."),
    boolean("sasl.oauthbearer.assertion.claim.jti.include", "false")
        .doc("Whether an assertion carries an id of its own."),
    int("sasl.oauthbearer.assertion.claim.nbf.seconds", "60").between(0, 3_600).low()
        .doc("How long before its creation an assertion is valid already."),
    Key::unset(Type::String, "sasl.oauthbearer.assertion.claim.sub")
        .doc("Subject claimed in an assertion."),
    Key::unset(Type::String, "sasl.oauthbearer.assertion.file")
        .doc("File with a finished assertion."),
    Key::unset(Type::String, "sasl.oauthbearer.assertion.private.key.file")
        .doc("File with the key that signs assertions."),
    Key::unset(Type::Password, "sasl.oauthbearer.assertion.private.key.passphrase")
        .doc("Passphrase of that key."),
    Key::unset(Type::String, "sasl.oauthbearer.assertion.template.file")
        .doc("File with claims and headers to start an assertion from."),
    Key::unset(Type::String, "sasl.oauthbearer.client.credentials.client.id")
        .doc("Client id for asking for tokens."),
    Key::unset(Type::Password, "sasl.oauthbearer.client.credentials.client.secret")
        .doc("Client secret for asking for tokens."),
    int("sasl.oauthbearer.clock.skew.seconds", "30").low()
        .doc("How far the clocks of broker and token issuer may differ."),
    list("sasl.oauthbearer.expected.audience", "").list().high()
        .doc("Audiences that a token may be meant for."),
    Key::unset(Type::String, "sasl.oauthbearer.expected.issuer").high()
        .doc("Issuer that tokens must come from."),
    long("sasl.oauthbearer.jwks.endpoint.refresh.ms", "3600000").low()
        .doc("How often the issuer's keys are read again."),
    long("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", "10000").low()
        .doc("Longest pause before reading the issuer's keys is tried again."),
    long("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", "100").low()
        .doc("First pause before reading the issuer's keys is tried again."),
    Key::unset(Type::String, "sasl.oauthbearer.jwks.endpoint.url")
        .doc("Where the issuer's keys are, as a file or web address."),
    class("sasl.oauthbearer.jwt.retriever.class", "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever").without_effect(NO_JAVA)
        .doc("Java class that gets tokens."),
    class("sasl.oauthbearer.jwt.validator.class", "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator").without_effect(NO_JAVA)
        .doc("Java class that checks tokens."),
    Key::unset(Type::String, "sasl.oauthbearer.scope")
        .doc("Scope to ask for in a token."),
    string("sasl.oauthbearer.scope.claim.name", "scope").low()
        .doc("Name of the claim with the scope."),
    string("sasl.oauthbearer.sub.claim.name", "sub").low()
        .doc("Name of the claim with the subject."),
    Key::unset(Type::String, "sasl.oauthbearer.token.endpoint.url")
        .doc("Where tokens are asked for."),
    Key::unset(Type::Class, "sasl.server.callback.handler.class").without_effect(NO_JAVA)
        .doc("Java class that answers for the server side of SASL."),
    int("sasl.server.max.receive.size", "524288")
        .doc("Most bytes of one SASL message before login."),
];
