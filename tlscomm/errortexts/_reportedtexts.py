"""What other programs print that were not run, some from reports that people filed."""

from __future__ import annotations

from tlscomm.errortexts._entries import CHAIN, CONNECT, INSPECT, ISSUER, MINE, NAMES, PROBE, TRACE, made
from tlscomm.errortexts._errortext import ErrorText

__all__ = ["REPORTED_TEXTS"]

_REPORTS = "other people's reports"

REPORTED_TEXTS: tuple[ErrorText, ...] = (
    made(
        "Envoy,Netty,gRPC,Pulsar",
        _REPORTS,
        "TLSV1 ALERT CERTIFICATE REQUIRED",
        "no-certificate no-private-key",
        "BoringSSL's name of the alert: the server demands a client certificate and none was sent, or the client left "
        "it out because its issuer is not among the authorities that the server names.",
        MINE,
        side="remote",
    ),
    made(
        "librdkafka",
        _REPORTS,
        "client SSL authentication might be required",
        "no-certificate no-private-key protocol-violation",
        "The broker ended the handshake as one does that demands a client certificate; a probe shows whether it does.",
        MINE,
        side="remote",
    ),
    made(
        "OpenSSL before 1.1",
        _REPORTS,
        "SSL23_GET_CLIENT_HELLO:unknown protocol",
        "not-tls no-common-version",
        "The peer's first bytes are no TLS, or of a version that this side does not speak.",
        TRACE,
        "SSL23_GET_SERVER_HELLO:unknown protocol",
    ),
    made(
        "gRPC",
        _REPORTS,
        "Peer name {name} is not in peer certificate",
        "name-mismatch",
        NAMES,
    ),
    made(
        "Envoy",
        _REPORTS,
        "upstream connect error or disconnect/reset before headers",
        CHAIN + " no-certificate refused not-tls closed-in-handshake reset connect-failed",
        "A transport failure reason behind it says more; without one the upstream closed or was not reached.",
        CONNECT,
        side="either",
        isVague=True,
    ),
    made(
        "MongoDB",
        "not run",
        "no SSL certificate provided by peer",
        "no-certificate no-private-key",
        "The client has none, or left it out because its issuer is not among the authorities that the server names.",
        MINE,
    ),
    made(
        "MongoDB",
        "not run",
        "The server certificate does not match the host name",
        "name-mismatch",
        NAMES,
    ),
    made(
        "rustls",
        "not run",
        "invalid peer certificate: BadSignature",
        "bad-signature unknown-issuer",
        "Whether the issuer was made anew with the same name and another key.",
        INSPECT,
    ),
    made(
        "rustls",
        "not run",
        "received corrupt message of type InvalidContentType",
        "not-tls",
        "The peer's first bytes are no TLS.",
    ),
    made(
        "gRPC-Go",
        "not run",
        "missing selected ALPN property",
        "no-common-protocol",
        "Since 1.67 a peer that does not choose h2 by ALPN is refused, often a proxy on the way.",
        PROBE + " --alpn h2",
    ),
    made(
        "Netty,gRPC-Java",
        "not run",
        "General OpenSslEngine problem",
        CHAIN,
        "The cause below it says why.",
        CONNECT,
        isVague=True,
    ),
    made(
        "Windows,curl",
        "not run",
        "SEC_E_UNTRUSTED_ROOT",
        "unknown-issuer incomplete-chain self-signed",
        ISSUER,
    ),
    made(
        "Windows,curl",
        "not run",
        "CERT_TRUST_REVOCATION_STATUS_UNKNOWN",
        "revocation-unknown",
        "Whether the lists and the OCSP server of the authority can be reached.",
        PROBE,
        "CRYPT_E_NO_REVOCATION_CHECK",
        "CRYPT_E_REVOCATION_OFFLINE",
    ),
    made(
        "curl",
        "not run",
        "unable to set private key file: '{file}' type {kind}",
        "key-mismatch passphrase-wrong unreadable unknown-format file-not-found",
        "Whether the key belongs to the certificate, and its pass phrase.",
        "tlscomm inspect CREDENTIAL KEY",
    ),
    made(
        "PostgreSQL",
        "not run",
        "has group or world access",
        "unsafe-permissions",
        "Other users of the machine can read the private key; chmod 600 mends it.",
        INSPECT,
    ),
    made(
        ".NET",
        "not run",
        "rejected by the provided RemoteCertificateValidationCallback",
        CHAIN + " no-certificate refused-by-hook",
        "The program's own callback said no; what was wrong with the chain it alone knows.",
        CONNECT,
    ),
)
