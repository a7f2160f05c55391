//! Who is who, and who may do what: SASL, TLS, delegation tokens, which are not there yet.

pub(super) const TEXTS: &[(&str, &str)] = &[
    (
        "authorizer.class.name",
        "Java class that decides who may do what; empty: everybody may do everything. Accepted and kept without effect \
         here: there are no ACLs yet.",
    ),
    (
        "connections.max.reauth.ms",
        "Time in ms after which a client that authenticated by SASL must do so again on the same connection; 0: never. \
         Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "delegation.token.expiry.check.interval.ms",
        "How often expired delegation tokens are removed, in ms. Accepted and kept without effect here: there is no \
         security yet.",
    ),
    (
        "delegation.token.expiry.time.ms",
        "How long a delegation token is valid without being renewed, in ms. Accepted and kept without effect here: \
         there is no security yet.",
    ),
    (
        "delegation.token.max.lifetime.ms",
        "How long a delegation token is valid at most, renewed or not, in ms. Accepted and kept without effect here: \
         there is no security yet.",
    ),
    (
        "delegation.token.secret.key",
        "Secret by which delegation tokens are signed, the same on all nodes; unset: no tokens. Accepted and kept \
         without effect here: there is no security yet.",
    ),
    (
        "principal.builder.class",
        "Java class that makes a principal (who somebody is) of what a connection authenticated as. Accepted and kept \
         without effect here: there is no security yet.",
    ),
    (
        "sasl.client.callback.handler.class",
        "Java class that gives a SASL client its credentials. Accepted and kept without effect here: there is no \
         security yet.",
    ),
    (
        "sasl.enabled.mechanisms",
        "SASL mechanisms that clients may authenticate by, such as SCRAM-SHA-512, PLAIN, OAUTHBEARER or GSSAPI. \
         Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "sasl.jaas.config",
        "Login module of a SASL mechanism with its options, in the form of a JAAS file; it holds secrets, and is never \
         shown. Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "sasl.kerberos.kinit.cmd",
        "Path of the command that gets Kerberos tickets. Accepted and kept without effect here: there is no security \
         yet.",
    ),
    (
        "sasl.kerberos.min.time.before.relogin",
        "Shortest time between two log-ins to Kerberos, in ms. Accepted and kept without effect here: there is no \
         security yet.",
    ),
    (
        "sasl.kerberos.principal.to.local.rules",
        "Rules that shorten Kerberos principals to user names; the first that matches counts. DEFAULT takes what \
         stands before the host and the realm. Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "sasl.kerberos.service.name",
        "Name that brokers run under in Kerberos, the first part of their principals. Accepted and kept without effect \
         here: there is no security yet.",
    ),
    (
        "sasl.kerberos.ticket.renew.jitter",
        "How much at random, as a part of 1, the renewals of Kerberos tickets are spread. Accepted and kept without \
         effect here: there is no security yet.",
    ),
    (
        "sasl.kerberos.ticket.renew.window.factor",
        "Part of a Kerberos ticket's life, from 0 to 1, after which it is renewed. Accepted and kept without effect \
         here: there is no security yet.",
    ),
    (
        "sasl.login.callback.handler.class",
        "Java class that a SASL log-in asks for what it needs. Accepted and kept without effect here: there is no \
         security yet.",
    ),
    (
        "sasl.login.class",
        "Java class that does a SASL log-in. Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "sasl.login.connect.timeout.ms",
        "How long an OAuth log-in waits for its connection to the identity provider, in ms. Accepted and kept without \
         effect here: there is no security yet.",
    ),
    (
        "sasl.login.read.timeout.ms",
        "How long an OAuth log-in waits for the identity provider's answer, in ms. Accepted and kept without effect \
         here: there is no security yet.",
    ),
    (
        "sasl.login.refresh.buffer.seconds",
        "Time before its end, in seconds, by which an OAuth token must have been renewed, even if that makes the \
         renewal earlier. Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "sasl.login.refresh.min.period.seconds",
        "Shortest time that an OAuth token is used before it is renewed, in seconds. Accepted and kept without effect \
         here: there is no security yet.",
    ),
    (
        "sasl.login.refresh.window.factor",
        "Part of an OAuth token's life, from 0.5 to 1, after which it is renewed. Accepted and kept without effect \
         here: there is no security yet.",
    ),
    (
        "sasl.login.refresh.window.jitter",
        "How much at random, as a part of the token's life, the renewals of OAuth tokens are spread. Accepted and kept \
         without effect here: there is no security yet.",
    ),
    (
        "sasl.login.retry.backoff.max.ms",
        "Longest pause before an OAuth log-in is tried again, in ms. Accepted and kept without effect here: there is \
         no security yet.",
    ),
    (
        "sasl.login.retry.backoff.ms",
        "First pause before an OAuth log-in is tried again, in ms; it doubles from try to try. Accepted and kept \
         without effect here: there is no security yet.",
    ),
    (
        "sasl.mechanism.controller.protocol",
        "SASL mechanism by which brokers authenticate to controllers. Accepted and kept without effect here: there is \
         no security yet.",
    ),
    (
        "sasl.mechanism.inter.broker.protocol",
        "SASL mechanism by which brokers authenticate to each other. Accepted and kept without effect here: there is \
         no security yet.",
    ),
    (
        "sasl.oauthbearer.assertion.algorithm",
        "Algorithm by which a client signs its JWT assertion: RS256 or ES256. Accepted and kept without effect here: \
         there is no security yet.",
    ),
    (
        "sasl.oauthbearer.assertion.claim.aud",
        "Audience (aud) that a client states in its JWT assertion. Accepted and kept without effect here: there is no \
         security yet.",
    ),
    (
        "sasl.oauthbearer.assertion.claim.exp.seconds",
        "How many seconds after it was made a JWT assertion expires (exp). Accepted and kept without effect here: \
         there is no security yet.",
    ),
    (
        "sasl.oauthbearer.assertion.claim.iss",
        "Issuer (iss) that a client states in its JWT assertion. Accepted and kept without effect here: there is no \
         security yet.",
    ),
    (
        "sasl.oauthbearer.assertion.claim.jti.include",
        "Whether a JWT assertion carries an id of its own (jti), so that it cannot be used twice. Accepted and kept \
         without effect here: there is no security yet.",
    ),
    (
        "sasl.oauthbearer.assertion.claim.nbf.seconds",
        "How many seconds before it was made a JWT assertion is valid already (nbf), for clocks that differ. Accepted \
         and kept without effect here: there is no security yet.",
    ),
    (
        "sasl.oauthbearer.assertion.claim.sub",
        "Subject (sub) that a client states in its JWT assertion. Accepted and kept without effect here: there is no \
         security yet.",
    ),
    (
        "sasl.oauthbearer.assertion.file",
        "File with a ready JWT assertion, in place of one that the client makes and signs. Accepted and kept without \
         effect here: there is no security yet.",
    ),
    (
        "sasl.oauthbearer.assertion.private.key.file",
        "File with the private key (PEM) by which a client signs its JWT assertion. Accepted and kept without effect \
         here: there is no security yet.",
    ),
    (
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "Passphrase of the private key of JWT assertions, if it has one; never shown. Accepted and kept without effect \
         here: there is no security yet.",
    ),
    (
        "sasl.oauthbearer.assertion.template.file",
        "File with headers and claims that a client's JWT assertions carry besides. Accepted and kept without effect \
         here: there is no security yet.",
    ),
    (
        "sasl.oauthbearer.client.credentials.client.id",
        "Id of a client in OAuth's client credentials grant. Accepted and kept without effect here: there is no \
         security yet.",
    ),
    (
        "sasl.oauthbearer.client.credentials.client.secret",
        "Secret of a client in OAuth's client credentials grant; never shown. Accepted and kept without effect here: \
         there is no security yet.",
    ),
    (
        "sasl.oauthbearer.clock.skew.seconds",
        "How many seconds the clocks of broker and identity provider may differ when a token's times are checked. \
         Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "sasl.oauthbearer.expected.audience",
        "Audiences of which a client's token must name one; empty: not checked. Accepted and kept without effect here: \
         there is no security yet.",
    ),
    (
        "sasl.oauthbearer.expected.issuer",
        "Issuer that a client's token must name; unset: not checked. Accepted and kept without effect here: there is \
         no security yet.",
    ),
    (
        "sasl.oauthbearer.jwks.endpoint.refresh.ms",
        "How often the identity provider's keys are fetched anew, in ms. Accepted and kept without effect here: there \
         is no security yet.",
    ),
    (
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
        "Longest pause before the identity provider's keys are asked for again after a failure, in ms. Accepted and \
         kept without effect here: there is no security yet.",
    ),
    (
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms",
        "First pause before the identity provider's keys are asked for again after a failure, in ms; it doubles from \
         try to try. Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "sasl.oauthbearer.jwks.endpoint.url",
        "Where the keys (JWKS) lie by which tokens are verified: an HTTPS address, or a file. Accepted and kept \
         without effect here: there is no security yet.",
    ),
    (
        "sasl.oauthbearer.jwt.retriever.class",
        "Java class by which a client gets its token. Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "sasl.oauthbearer.jwt.validator.class",
        "Java class that checks tokens. Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "sasl.oauthbearer.scope",
        "Scope that a client asks a token for. Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "sasl.oauthbearer.scope.claim.name",
        "Claim of a token in which its scope stands. Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "sasl.oauthbearer.sub.claim.name",
        "Claim of a token in which its subject, the user, stands. Accepted and kept without effect here: there is no \
         security yet.",
    ),
    (
        "sasl.oauthbearer.token.endpoint.url",
        "Where a client asks the identity provider for a token: an HTTPS address, or a file with one. Accepted and \
         kept without effect here: there is no security yet.",
    ),
    (
        "sasl.server.callback.handler.class",
        "Java class that a broker asks whether a SASL client's credentials hold. Accepted and kept without effect \
         here: there is no security yet.",
    ),
    (
        "sasl.server.max.receive.size",
        "Largest message that is read from a client before it has authenticated, in bytes. Accepted and kept without \
         effect here: there is no security yet.",
    ),
    (
        "security.providers",
        "Java classes that add security providers to the JVM. Accepted and kept without effect here: there is no \
         security yet.",
    ),
    (
        "ssl.allow.dn.changes",
        "Whether a certificate may be replaced while the node runs by one with another distinguished name. Accepted \
         and kept without effect here: there is no security yet.",
    ),
    (
        "ssl.allow.san.changes",
        "Whether a certificate may be replaced while the node runs by one without all of its alternative names. \
         Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "ssl.cipher.suites",
        "Cipher suites that TLS may agree on; empty: all that the library has. Accepted and kept without effect here: \
         there is no security yet.",
    ),
    (
        "ssl.client.auth",
        "Whether TLS clients must show a certificate (required), may (requested), or are not asked for one (none). \
         Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "ssl.enabled.protocols",
        "Versions of TLS that connections may agree on. Accepted and kept without effect here: there is no security \
         yet.",
    ),
    (
        "ssl.endpoint.identification.algorithm",
        "How a TLS client makes sure that the server's certificate is that host's: https compares names, empty checks \
         nothing. Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "ssl.engine.factory.class",
        "Java class that makes TLS engines in place of Kafka's own. Accepted and kept without effect here: there is no \
         security yet.",
    ),
    (
        "ssl.key.password",
        "Password that opens this side's private key, in a key store or as text; never shown. Accepted and kept \
         without effect here: there is no security yet.",
    ),
    (
        "ssl.keymanager.algorithm",
        "Algorithm of the JVM's key manager. Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "ssl.keystore.certificate.chain",
        "Certificates of this side as text (PEM), its own first. Accepted and kept without effect here: there is no \
         security yet.",
    ),
    (
        "ssl.keystore.key",
        "Private key of this side as text (PEM); never shown. Accepted and kept without effect here: there is no \
         security yet.",
    ),
    (
        "ssl.keystore.location",
        "File with the private key and certificates of this side. Accepted and kept without effect here: there is no \
         security yet.",
    ),
    (
        "ssl.keystore.password",
        "Password of the file at ssl.keystore.location; never shown. Accepted and kept without effect here: there is \
         no security yet.",
    ),
    (
        "ssl.keystore.type",
        "Format of the key store: JKS, PKCS12 or PEM. Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "ssl.principal.mapping.rules",
        "Rules that make user names of certificates' distinguished names; the first that matches counts. DEFAULT takes \
         the whole name. Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "ssl.protocol",
        "Version of TLS that a connection's context is made for. Accepted and kept without effect here: there is no \
         security yet.",
    ),
    (
        "ssl.provider",
        "Security provider of the JVM's that does TLS; unset: its default. Accepted and kept without effect here: \
         there is no security yet.",
    ),
    (
        "ssl.secure.random.implementation",
        "Source of random numbers of the JVM's for TLS; unset: its default. Accepted and kept without effect here: \
         there is no security yet.",
    ),
    (
        "ssl.trustmanager.algorithm",
        "Algorithm of the JVM's trust manager. Accepted and kept without effect here: there is no security yet.",
    ),
    (
        "ssl.truststore.certificates",
        "Certificates as text (PEM) that this side trusts. Accepted and kept without effect here: there is no security \
         yet.",
    ),
    (
        "ssl.truststore.location",
        "File with the certificates that this side trusts. Accepted and kept without effect here: there is no security \
         yet.",
    ),
    (
        "ssl.truststore.password",
        "Password of the file at ssl.truststore.location; never shown. Accepted and kept without effect here: there is \
         no security yet.",
    ),
    (
        "ssl.truststore.type",
        "Format of the trust store: JKS, PKCS12 or PEM. Accepted and kept without effect here: there is no security \
         yet.",
    ),
];
