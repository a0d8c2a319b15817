"""Go's ``crypto/tls`` and ``crypto/x509``, in whichever program."""

from __future__ import annotations

from tlscomm.errortexts._entries import CHAIN, DATES, INSPECT, ISSUER, JUDGE, MINE, NAMES, PROBE, TRACE, made
from tlscomm.errortexts._errortext import ErrorText, TextSide

__all__ = ["GO_TEXTS"]


def _go(
    sentence: str, causes: str, apart: str, command: str = PROBE, *also: str, side: TextSide = "local"
) -> ErrorText:
    return made(
        "Go,Kubernetes,Docker,Terraform,etcd,gRPC-Go", "Go 1.19", sentence, causes, apart, command, *also, side=side
    )


GO_TEXTS: tuple[ErrorText, ...] = (
    _go("x509: certificate signed by unknown authority", "unknown-issuer incomplete-chain self-signed", ISSUER),
    _go(
        'x509: certificate signed by unknown authority (possibly because of "x509: {kind} verification failure"',
        "bad-signature unknown-issuer",
        "An authority of the issuer's name is trusted, and its key did not sign this: it was made anew, or "
        "the certificate is damaged.",
        INSPECT,
        'x509: certificate signed by unknown authority (possibly because of "crypto/rsa: verification error"',
    ),
    _go(
        'x509: certificate signed by unknown authority (possibly because of "x509: invalid signature: '
        "parent certificate cannot sign",
        "not-permitted",
        "The basic constraints and the key usage of the issuers: one of them is no authority.",
        INSPECT,
    ),
    _go(
        'x509: certificate signed by unknown authority (possibly because of "x509: cannot verify signature: '
        "insecure algorithm",
        "key-too-weak",
        "With which digest each certificate is signed; SHA-1 and MD5 are too weak.",
        INSPECT,
    ),
    _go(
        "x509: certificate has expired or is not yet valid",
        "expired not-yet-valid",
        "The dates of the whole chain and the clock; Go prints both times behind this sentence.",
        INSPECT,
    ),
    _go(
        "x509: certificate has expired or is not yet valid: current time {now} is after {end}",
        "expired",
        DATES,
        PROBE,
    ),
    _go(
        "x509: certificate has expired or is not yet valid: current time {now} is before {begin}",
        "not-yet-valid",
        DATES,
        PROBE,
    ),
    _go(
        "x509: certificate specifies an incompatible key usage",
        "wrong-purpose",
        "The extended key usage of the certificate and of its issuers.",
        INSPECT,
    ),
    _go(
        "x509: too many intermediates for path length constraint",
        "chain-too-long",
        "The path length in the basic constraints of each issuer.",
        INSPECT,
    ),
    _go(
        "x509: a root or intermediate certificate is not authorized to sign for this name",
        "not-permitted",
        "The name constraints of the issuers.",
        INSPECT,
    ),
    _go(
        "x509: unhandled critical extension",
        "not-permitted invalid-certificate",
        "Which of the extensions are marked as critical.",
        INSPECT,
    ),
    _go("x509: certificate is valid for {names}, not {name}", "name-mismatch", NAMES),
    _go(
        "x509: cannot validate certificate for {address} because it doesn't contain any IP SANs",
        "name-mismatch",
        "The address has to stand among the alternative names, as an address.",
    ),
    _go(
        "x509: certificate relies on legacy Common Name field, use SANs instead",
        "name-mismatch",
        "The certificate has its name only in the common name; it has to be issued anew with alternative names.",
        INSPECT,
    ),
    _go("x509: certificate is not valid for any names, but wanted to match {name}", "name-mismatch", NAMES),
    _go(
        "x509: invalid subject alternative name",
        "invalid-certificate",
        "The subject alternative name cannot be read.",
        INSPECT,
        "x509: malformed certificate",
    ),
    _go(
        "tls: client didn't provide a certificate",
        "no-certificate no-private-key",
        "The client has none, or left it out because its issuer is not among the authorities that the server names.",
        MINE,
    ),
    _go(
        "tls: failed to verify client certificate",
        CHAIN.replace("name-mismatch ", ""),
        "What stands behind the colon says why.",
        JUDGE,
        "tls: failed to verify certificate",
    ),
    _go(
        "tls: first record does not look like a TLS handshake",
        "not-tls",
        "The peer's first bytes are no TLS: a port in the clear, or one that wants words first.",
        PROBE,
        "http: server gave HTTP response to HTTPS client",
    ),
    _go("tls: client offered only unsupported versions", "no-common-version", "The versions that each side speaks."),
    _go(
        "tls: server selected unsupported protocol version", "no-common-version", "The versions that each side speaks."
    ),
    _go(
        "tls: no cipher suite supported by both client and server",
        "no-common-cipher",
        "The suites that each side allows, and the kind of the server's key.",
    ),
    _go(
        "tls: client requested unsupported application protocols",
        "no-common-protocol",
        "The ALPN names of each side.",
        PROBE + " --alpn NAME",
    ),
    _go(
        "tls: private key does not match public key",
        "key-mismatch",
        "Whether the private key belongs to the first certificate of the file.",
        "tlscomm inspect CREDENTIAL KEY",
    ),
    _go("tls: failed to find any PEM data in {what} input", "unknown-format damaged", "What the file holds.", INSPECT),
    _go(
        "http: TLS handshake error from {address}: EOF",
        "closed-in-handshake refused",
        "The client closed in the handshake: a health check, or a client that does not trust the server and "
        "says nothing.",
        TRACE,
        side="either",
    ),
    made(
        "Go",
        "Go 1.19",
        "read: connection reset by peer",
        "reset refused closed-in-handshake",
        "The peer or something on the way cut the connection off.",
        PROBE,
        "write: connection reset by peer",
        side="either",
    ),
    made(
        "Go,Docker,Kubernetes",
        "Go 1.19",
        "connect: connection refused",
        "connect-failed",
        "Nothing listens at this address and port.",
        PROBE,
        "dial tcp {address}: i/o timeout",
        "no such host",
        side="either",
    ),
)
