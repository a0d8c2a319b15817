"""Java's JSSE, in whichever program."""

from __future__ import annotations

from tlscomm.errortexts._entries import CHAIN, CONNECT, DATES, INSPECT, ISSUER, JUDGE, MINE, NAMES, PROBE, made
from tlscomm.errortexts._errortext import ErrorText, TextSide

__all__ = ["JAVA_TEXTS"]


def _java(
    sentence: str, causes: str, apart: str, command: str = PROBE, *also: str, side: TextSide = "local"
) -> ErrorText:
    return made(
        "Java,Kafka,Tomcat,Elasticsearch,gRPC-Java", "Java 17", sentence, causes, apart, command, *also, side=side
    )


JAVA_TEXTS: tuple[ErrorText, ...] = (
    _java(
        "PKIX path building failed",
        "unknown-issuer incomplete-chain self-signed",
        ISSUER + " The trust store of Java is not that of the system.",
        PROBE,
        "unable to find valid certification path to requested target",
        "PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException: unable to "
        "find valid certification path to requested target",
    ),
    made(
        "Java",
        "Java 17",
        "PKIX path validation failed",
        CHAIN,
        "What stands behind the colon says why.",
        JUDGE,
        isVague=True,
    ),
    _java(
        "Path does not chain with any of the trust anchors",
        "unknown-issuer bad-signature",
        "An authority of the issuer's name is trusted, and it is another one: perhaps it was made anew.",
        INSPECT,
    ),
    _java("CertPathValidatorException: validity check failed", "expired not-yet-valid", DATES, PROBE),
    _java("CertificateExpiredException: NotAfter: {end}", "expired", DATES, PROBE, "CertificateExpiredException"),
    _java(
        "CertificateNotYetValidException: NotBefore: {begin}",
        "not-yet-valid",
        DATES,
        PROBE,
        "CertificateNotYetValidException",
    ),
    _java(
        "Extended key usage does not permit use for TLS {side} authentication",
        "wrong-purpose",
        "The extended key usage of the certificate.",
        INSPECT,
    ),
    _java(
        "basic constraints check failed: this is not a CA certificate",
        "not-permitted",
        "The basic constraints of the issuers.",
        INSPECT,
    ),
    _java(
        "CA key usage check failed: keyCertSign bit is not set",
        "not-permitted",
        "The key usage of the issuers.",
        INSPECT,
    ),
    _java(
        "basic constraints check failed: pathLenConstraint violated",
        "chain-too-long",
        "The path length of each issuer.",
        INSPECT,
    ),
    _java(
        "The certificate chain length ({number}) exceeds the maximum allowed length",
        "chain-too-long",
        "How many certificates are sent (jdk.tls.maxCertificateChainLength).",
        INSPECT,
    ),
    _java("name constraints check failed", "not-permitted", "The name constraints of the issuers.", INSPECT),
    _java(
        "unrecognized critical extension(s)",
        "not-permitted invalid-certificate",
        "Which of the extensions are marked as critical.",
        INSPECT,
    ),
    _java(
        "CertPathValidatorException: signature check failed",
        "bad-signature unknown-issuer",
        "Whether the issuer was made anew with the same name and another key.",
        INSPECT,
        "java.security.SignatureException",
    ),
    _java(
        "Algorithm constraints check failed on {what}",
        "key-too-weak",
        "The keys and digests of the chain, and jdk.certpath.disabledAlgorithms.",
        INSPECT,
        "Certificates do not conform to algorithm constraints",
    ),
    _java("No subject alternative DNS name matching {name} found", "name-mismatch", NAMES),
    _java(
        "No subject alternative names matching IP address {address} found",
        "name-mismatch",
        "The address has to stand among the alternative names, as an address.",
    ),
    _java(
        "No subject alternative names present",
        "name-mismatch",
        "The certificate has its name only in the common name; it has to be issued anew with alternative names.",
        PROBE,
        "No name matching {name} found",
    ),
    _java(
        "Empty client certificate chain",
        "no-certificate no-private-key",
        "The client has none, or none whose issuer is among the authorities that the server names.",
        MINE,
        "Empty server certificate chain",
        "null cert chain",
        "peer not authenticated",
    ),
    _java(
        "Unsupported or unrecognized SSL message",
        "not-tls",
        "The peer's first bytes are no TLS.",
        PROBE,
        "Unrecognized SSL message, plaintext connection?",
    ),
    _java(
        "Remote host terminated the handshake",
        "closed-in-handshake refused",
        "The peer closed in the handshake without an alert: its log knows why.",
        PROBE,
        "Remote host closed connection during handshake",
        "SSL peer shut down incorrectly",
        side="remote",
    ),
    _java(
        "No appropriate protocol (protocol is disabled or cipher suites are inappropriate)",
        "no-common-version no-common-cipher",
        "The versions that Java allows (jdk.tls.disabledAlgorithms).",
        PROBE,
        "The server selected protocol version {version} is not accepted by client preferences",
        "Client requested protocol {version} is not enabled or supported in server context",
    ),
    _java(
        "no cipher suites in common",
        "no-common-cipher no-private-key no-certificate",
        "The suites of each side; a server whose key store has no usable key says it too.",
        PROBE,
    ),
    _java(
        "keystore password was incorrect",
        "passphrase-wrong",
        "The pass phrase of the key store.",
        INSPECT,
        "Keystore was tampered with, or password was incorrect",
    ),
    _java(
        "the trustAnchors parameter must be non-empty",
        "file-not-found unknown-issuer",
        "The trust store is empty or was not found.",
        "tlscomm store list",
    ),
    _java(
        "java.net.SocketException: Connection reset",
        "reset refused closed-in-handshake",
        "The peer or something on the way cut the connection off.",
        PROBE,
        "java.io.IOException: Connection reset by peer",
        side="either",
    ),
    _java(
        "java.net.ConnectException: Connection refused",
        "connect-failed",
        "Nothing listens at this address and port.",
        PROBE,
        side="either",
    ),
    made(
        "Kafka",
        "not run",
        "Failed to process post-handshake messages",
        "refused no-certificate unknown-issuer expired wrong-purpose",
        "Under TLS 1.3 the broker refuses a client after the client's handshake is done; the cause below it "
        "names the alert.",
        MINE,
        side="remote",
        isVague=True,
    ),
    made(
        "Kafka",
        "not run",
        "failed authentication due to: SSL handshake failed",
        CHAIN + " no-certificate refused",
        "The cause stands in the lines below it, or in the log of the other side.",
        CONNECT,
        side="either",
        isVague=True,
    ),
)
