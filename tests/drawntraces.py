"""Traces made by hand, for tests of what is drawn of them."""

from __future__ import annotations

from dataclasses import replace

from tlscomm._capture.packets import Address
from tlscomm._wire.events import Event, Kind, Protection, Record
from tlscomm.failures import Problem
from tlscomm.tracing._trace import CertificateSeen, Choice, Span, Trace, Verdict

__all__ = ["CERTIFICATE", "accepted", "closed", "noCommonVersion", "refused", "seen"]

#: When each of these connections begins.
BEGAN = 1_764_336_000_000_000_000

DATA = Protection.APPLICATION

SUITES = ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256")

CLIENT, SERVER = Address("192.0.2.7", 51234), Address("198.51.100.20", 8443)

CERTIFICATE = CertificateSeen(
    depth=0,
    subject="CN=gateway",
    issuer="CN=the authority",
    serial="01",
    notBefore="2026-01-01T00:00:00+00:00",
    notAfter="2026-02-01T00:00:00+00:00",
    names=("dns:gateway.example",),
    fingerprint="sha256:00",
    key="ECDSA P-256",
    der=b"",
)


def seen(
    microseconds: int,
    isFromClient: bool,
    name: str,
    size: int = 0,
    kind: Kind = Kind.HANDSHAKE,
    *,
    protection: Protection = Protection.NONE,
    isOpened: bool = True,
    **more: object,
) -> Event:
    """Return an event of these connections."""
    records: tuple[Record, ...] = ()
    if kind is not Kind.TCP:
        isSealed = protection is not Protection.NONE
        records = (Record(0, 0, None, 23 if isSealed else 22, 0x0303, size, protection, None, isSealed and isOpened),)
    return Event(kind, isFromClient, BEGAN + microseconds * 1000, name, size, records, version=0x0304, **more)  # type: ignore[arg-type]


def _opening() -> tuple[Event, ...]:
    return (
        seen(0, True, "SYN", kind=Kind.TCP),
        seen(210, False, "SYN", kind=Kind.TCP),
        seen(450, True, "ClientHello", 1524),
        seen(1200, False, "ServerHello", 1210),
        seen(1200, False, "ChangeCipherSpec", 6, Kind.CHANGE_CIPHER_SPEC),
    )


def refused() -> Trace:
    """Return a refusal under TLS 1.3 of which all is known."""
    sealed = Protection.HANDSHAKE
    events = (
        *_opening(),
        seen(1200, False, "EncryptedExtensions", 32, protection=sealed),
        seen(1200, False, "CertificateRequest", 120, protection=sealed),
        seen(1200, False, "Certificate", 900, protection=sealed, content=b"\x0b\0\3\x7f\0\0\3\x7b" + bytes(891)),
        seen(1200, False, "CertificateVerify", 100, protection=sealed),
        seen(1200, False, "Finished", 58, protection=sealed),
        seen(2900, True, "Certificate", 880, protection=sealed, content=b"\x0b\0\3\x6b\0\0\3\x67" + bytes(871)),
        seen(2900, True, "CertificateVerify", 100, protection=sealed),
        seen(2900, True, "Finished", 58, protection=sealed),
        seen(3600, False, "certificate_expired", 24, Kind.ALERT, protection=DATA),
        seen(3610, False, "FIN", kind=Kind.TCP),
    )
    expired = Problem("expired", 0, "CN=client", "its validity ended at 2026-02-01T00:00:00+00:00")
    verdict = Verdict(
        "refused",
        "expired",
        "server",
        sentence="The server refused the client: the client's certificate has expired.",
        turn="client",
        nextStep="Renew the certificate and load it again; tlscomm inspect FILE shows its dates.",
        event=13,
    )
    client = replace(CERTIFICATE, subject="CN=client", names=(), key="RSA 2048", problems=(expired,))
    choices = (
        Choice("version", ("TLS 1.3", "TLS 1.2"), "client", "TLS 1.3"),
        Choice(
            "cipher suite", ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"), "client", "TLS_AES_128_GCM_SHA256"
        ),
        Choice("server name", ("gateway.example",), "client", None),
    )
    spans = (
        Span("TCP", BEGAN, BEGAN + 450_000, 1, 0, 0),
        Span("key exchange", BEGAN + 450_000, BEGAN + 1_200_000, 1, 1524, 1216),
        Span("authentication", BEGAN + 1_200_000, BEGAN + 2_900_000, 0.5, 1038, 1210),
        Span("acceptance", BEGAN + 2_900_000, BEGAN + 3_600_000, 0.5, 0, 24),
    )
    return Trace(
        1, CLIENT, SERVER, None, events, verdict,
        choices=choices, clientCertificates=(client,), serverCertificates=(CERTIFICATE,), spans=spans, hasSecrets=True,
    )  # fmt: skip


def closed() -> Trace:
    """Return a connection under TLS 1.3 whose secrets are not known, with data."""
    data = tuple(
        seen(
            5000 + 10 * number,
            number % 2 == 0,
            "",
            100 + number,
            Kind.SEALED,
            protection=DATA,
            isOpened=False,
        )
        for number in range(40)
    )
    verdict = Verdict(
        "accepted", certainty="inferred", sentence="Both sides have accepted each other.", evidence=("two tickets",)
    )
    return Trace(2, CLIENT, SERVER, None, (*_opening(), *data), verdict)


def accepted() -> Trace:
    """Return a connection that was accepted and exchanged data, with a gap."""
    events = (
        *_opening(),
        seen(1300, True, "Finished", 58, protection=Protection.HANDSHAKE),
        seen(1400, True, "ApplicationData", 5000, Kind.APPLICATION_DATA, protection=DATA, count=4),
        seen(
            1500,
            False,
            "ApplicationData",
            7_000_000,
            Kind.APPLICATION_DATA,
            protection=DATA,
            count=500,
        ),
        seen(1600, True, "ApplicationData", 100, Kind.APPLICATION_DATA, protection=DATA),
        seen(1700, True, "Gap", 1460, Kind.GAP, detail="1,460 bytes were not captured"),
        seen(1800, True, "close_notify", 24, Kind.ALERT, protection=DATA),
    )
    return Trace(3, CLIENT, SERVER, None, events, Verdict("accepted", sentence="Both have accepted.", event=5))


def noCommonVersion() -> Trace:
    """Return a refusal for want of a common version."""
    events = (
        seen(0, True, "ClientHello", 200),
        seen(100, False, "protocol_version", 7, Kind.ALERT),
        seen(110, False, "RST", kind=Kind.TCP),
    )
    verdict = Verdict(
        "refused", "no-common-version", "server", sentence="The server speaks no TLS that the client offers.", event=1
    )
    return Trace(
        4, CLIENT, Address("2001:db8:0:1::1", 443), None, events, verdict,
        choices=(Choice("version", ("TLS 1.1", "TLS 1.0"), "client", None),),
    )  # fmt: skip
