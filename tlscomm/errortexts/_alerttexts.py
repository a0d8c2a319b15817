"""The words that each library has for an alert that its peer sent: all that a refused side hears."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tlscomm._dataclasses import dataclass
from tlscomm.errortexts._errortext import ErrorText

__all__ = ["alertTexts"]

#: What an alert for a certificate can mean that has no alert of its own, by what was seen of libraries.
_ANY_CERTIFICATE = (
    "unknown-issuer",
    "incomplete-chain",
    "self-signed",
    "expired",
    "not-yet-valid",
    "wrong-purpose",
    "not-permitted",
    "bad-signature",
    "key-too-weak",
    "name-mismatch",
    "revoked",
    "revocation-unknown",
    "chain-too-long",
    "invalid-certificate",
    "not-allowed",
    "refused",
)

_OWN = "tlscomm verify CREDENTIAL --as client --roots AUTHORITIES"
_CONNECT = "tlscomm connect HOST:PORT --identity CREDENTIAL"
_PROBE = "tlscomm probe HOST:PORT"
_TRACE = "tlscomm analyze CAPTURE"


@dataclass(frozen=True)
class _Alert:
    number: int
    openssl: str
    go: str
    name: str
    gnutls: str
    causes: tuple[str, ...]
    apart: str
    command: str


_ALERTS = (
    _Alert(
        10,
        "tlsv1 alert unexpected message",
        "unexpected message",
        "unexpected_message",
        "An unexpected message was received",
        ("protocol-violation", "not-tls", "plaintext-injected"),
        "The peer did not expect what was sent: what stands between the two sides, or a client that begins "
        "TLS at a port "
        "that wants words in the clear first; the trace shows the message.",
        _TRACE,
    ),
    _Alert(
        20,
        "sslv3 alert bad record mac",
        "bad record MAC",
        "bad_record_mac",
        "Bad record MAC",
        ("protocol-violation",),
        "Bytes were changed on the way, or one side is broken; the trace shows the record.",
        _TRACE,
    ),
    _Alert(
        40,
        "sslv3 alert handshake failure",
        "handshake failure",
        "handshake_failure",
        "Handshake failed",
        ("no-certificate", "no-common-cipher", "no-common-group", "no-common-version", "refused"),
        "The alert says no more. Under TLS 1.2 it is what a client without a certificate hears; otherwise "
        "nothing is in "
        "common. A probe shows whether the server demands a certificate and what it accepts.",
        _PROBE,
    ),
    _Alert(
        42,
        "sslv3 alert bad certificate",
        "bad certificate",
        "bad_certificate",
        "Certificate is bad",
        ("no-certificate", *_ANY_CERTIFICATE),
        "Many libraries send it for whatever they do not like: Go before 1.21 and GnuTLS for each refusal, Java for a "
        "missing certificate, OpenSSL for one that is not valid yet, is too weak or has another name. Look whether the "
        "certificate was sent at all and judge it as the peer does; the peer's own log knows.",
        _OWN,
    ),
    _Alert(
        43,
        "sslv3 alert unsupported certificate",
        "unsupported certificate",
        "unsupported_certificate",
        "Certificate is not supported",
        ("wrong-purpose", "key-too-weak", "not-permitted"),
        "The extended key usage is mostly the other side's: a server's certificate at a client, or one of its issuers.",
        _OWN,
    ),
    _Alert(
        44,
        "sslv3 alert certificate revoked",
        "revoked certificate",
        "certificate_revoked",
        "Certificate was revoked",
        ("revoked",),
        "The certificate, or one of its issuers, is on a list of its authority.",
        _OWN + " --crl LIST",
    ),
    _Alert(
        45,
        "sslv3 alert certificate expired",
        "expired certificate",
        "certificate_expired",
        "Certificate is expired",
        ("expired", "not-yet-valid"),
        "The dates of the whole chain tell; a few libraries say it of a certificate that is not valid yet, and a clock "
        "that is wrong makes both.",
        "tlscomm inspect CREDENTIAL",
    ),
    _Alert(
        46,
        "sslv3 alert certificate unknown",
        "unknown certificate",
        "certificate_unknown",
        "Unknown certificate",
        _ANY_CERTIFICATE,
        "Java and browsers say it of each certificate that they do not trust, and OpenSSL of rules that have "
        "no alert of "
        "their own (name constraints, unknown critical extensions). Judge the certificate as the peer does.",
        _OWN,
    ),
    _Alert(
        47,
        "sslv3 alert illegal parameter",
        "illegal parameter",
        "illegal_parameter",
        "An illegal parameter has been received",
        ("protocol-violation", "no-common-group"),
        "The trace shows what was offered and chosen.",
        _TRACE,
    ),
    _Alert(
        48,
        "tlsv1 alert unknown ca",
        "unknown certificate authority",
        "unknown_ca",
        "CA is unknown",
        ("unknown-issuer", "incomplete-chain", "self-signed", "not-permitted", "chain-too-long"),
        "Whether the intermediates were sent, and which authorities the peer asks for: if the issuer of the last "
        "certificate sent is among them, the chain is complete and something else is wrong.",
        _PROBE + " --identity CREDENTIAL",
    ),
    _Alert(
        49,
        "tlsv1 alert access denied",
        "access denied",
        "access_denied",
        "Access was denied",
        ("not-allowed", "refused-by-hook", *_ANY_CERTIFICATE),
        "A rule of the peer's that is about the holder; GnuTLS servers say it of every certificate that they "
        "refuse. If "
        "the certificate stands the check, it is the rule.",
        _OWN,
    ),
    _Alert(
        50,
        "tlsv1 alert decode error",
        "error decoding message",
        "decode_error",
        "Decode error",
        ("protocol-violation", "invalid-certificate", "truncated"),
        "The peer could not read a message: GnuTLS says it of a missing certificate under TLS 1.2; the trace shows the "
        "message.",
        _TRACE,
    ),
    _Alert(
        51,
        "tlsv1 alert decrypt error",
        "error decrypting message",
        "decrypt_error",
        "Decrypt error",
        ("bad-signature", "key-mismatch", "protocol-violation"),
        "A signature did not fit: that on a certificate (its issuer has another key of the same name), or that of the "
        "handshake (the private key is another one's).",
        "tlscomm inspect CREDENTIAL",
    ),
    _Alert(
        70,
        "tlsv1 alert protocol version",
        "protocol version not supported",
        "protocol_version",
        "Error in protocol version",
        ("no-common-version",),
        "The versions that each side speaks.",
        _PROBE,
    ),
    _Alert(
        71,
        "tlsv1 alert insufficient security",
        "insufficient security level",
        "insufficient_security",
        "Insufficient security",
        ("no-common-cipher", "no-common-group", "key-too-weak"),
        "The peer wants stronger suites, groups or keys than were offered.",
        _PROBE,
    ),
    _Alert(
        80,
        "tlsv1 alert internal error",
        "internal error",
        "internal_error",
        "Internal error",
        ("refused", "hook-failed", "hook-timeout", "too-many-connections", "name-mismatch", "no-common-protocol"),
        "Something failed at the peer that is not about TLS: its log knows. stunnel says it of a name, and servers "
        "without any certificate for the name that was asked for do.",
        _PROBE,
    ),
    _Alert(
        90,
        "tlsv1 alert user cancelled",
        "user canceled",
        "user_canceled",
        "User canceled",
        ("closed-in-handshake", "refused"),
        "The peer ended on purpose; Java's clients say it before each close, where it means nothing.",
        _TRACE,
    ),
    _Alert(
        112,
        "tlsv1 unrecognized name",
        "unrecognized name",
        "unrecognized_name",
        "The server name sent was not recognized",
        ("unknown-server-name",),
        "The name that the client sends, and those that the server has certificates for.",
        _PROBE,
    ),
    _Alert(
        113,
        "tlsv1 bad certificate status response",
        "bad certificate status response",
        "bad_certificate_status_response",
        "Bad certificate status response",
        ("revocation-unknown", "revoked"),
        "The OCSP response that the server staples is missing, too old or bad.",
        _PROBE,
    ),
    _Alert(
        116,
        "tlsv13 alert certificate required",
        "certificate required",
        "certificate_required",
        "Certificate is required",
        ("no-certificate", "no-private-key"),
        "The server demands a client certificate and none was sent: none is configured, it could not be "
        "read, or the client "
        "left it out because its issuer is not among the authorities that the server names.",
        _PROBE + " --identity CREDENTIAL",
    ),
    _Alert(
        120,
        "tlsv1 alert no application protocol",
        "no application protocol",
        "no_application_protocol",
        "No common application protocol",
        ("no-common-protocol",),
        "The ALPN names of each side.",
        _PROBE + " --alpn NAME",
    ),
)


def alertTexts() -> Iterator[ErrorText]:
    """Give an entry for each alert in each library's words."""
    for alert in _ALERTS:
        facts = {
            "side": "remote",
            "causes": tuple(dict.fromkeys(alert.causes)),
            "apart": alert.apart,
            "command": alert.command,
        }
        modern = alert.openssl.replace("sslv3 alert", "ssl/tls alert")
        yield _entry(
            alert.openssl,
            (
                "OpenSSL",
                "Python",
                "Twisted",
                "nginx",
                "HAProxy",
                "stunnel",
                "curl",
                "PostgreSQL",
                "Redis",
                "Node",
                "Ruby",
                "PHP",
            ),
            facts,
            "OpenSSL 3.0",
            modern,
            # The OpenSSL that cryptography brings.
            alert.openssl.replace("sslv3 alert", "tls alert").replace("tlsv1 alert", "tls alert"),
            f"SSL alert number {alert.number}",
            alert.openssl.replace("tlsv1 ", "tlsv13 "),
        )
        yield _entry(
            f"remote error: tls: {alert.go}", ("Go", "Kubernetes", "Docker", "etcd", "gRPC-Go"), facts, "Go 1.19"
        )
        yield _entry(
            f"Received fatal alert: {alert.name}",
            ("Java", "Kafka", "Tomcat", "Elasticsearch", "gRPC-Java"),
            facts,
            "Java 17",
            f"received fatal alert: {_rustls(alert.name)}",
        )
        yield _entry(
            f"Received alert [{alert.number}]: {alert.gnutls}",
            ("GnuTLS",),
            facts,
            "GnuTLS 3.7",
            f"fatal alert has been received: [{alert.number}]",
        )


def _rustls(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _entry(sentence: str, programs: tuple[str, ...], facts: Mapping[str, object], seen: str, *also: str) -> ErrorText:
    others = tuple(dict.fromkeys(each for each in also if each != sentence))
    return ErrorText(sentence=sentence, programs=programs, seen=seen, also=others, **facts)  # type: ignore[arg-type]
