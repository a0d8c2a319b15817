"""Who a client is in the words of Apache's mod_ssl, which WSGI applications know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from tlscomm.access import Peer
from tlscomm.failures import printable
from tlscomm.tls import TLSFacts
from tlscomm.x509._encoding import pem
from tlscomm.x509._facts import subjectText

__all__ = ["environOf"]

#: Parts of a distinguished name, by mod_ssl's names for them.
_PARTS = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
    "Email": NameOID.EMAIL_ADDRESS,
}

_PEM = "-----BEGIN"

#: Characters of a name.
_LONGEST = 2000

_DATE = "%b %d %H:%M:%S %Y GMT"


def environOf(peer: Peer | None, facts: TLSFacts) -> dict[str, Any]:
    """Return the variables of a request.

    Args:
        peer: who has sent it; None for one without a certificate.
        facts: what was agreed on its connection.
    """
    found: dict[str, Any] = {
        "HTTPS": "on",
        "SSL_PROTOCOL": facts.version,
        "SSL_CIPHER": facts.cipher,
        "SSL_SESSION_RESUMED": "Resumed" if facts.resumed else "Initial",
        "SSL_CLIENT_VERIFY": "NONE" if peer is None else "SUCCESS",
        "tlscomm.peer": peer,
        "tlscomm.tls": facts,
    }
    if facts.serverName is not None:
        found["SSL_TLS_SNI"] = facts.serverName
    if peer is not None:
        found.update((name, _native(value)) for name, value in _ofPeer(peer))
    return found


def _native(value: str) -> str:
    """Return a text as WSGI has those of a request: each character a byte of UTF-8 (PEP 3333), all of it printable.

    An authority may have signed a name with an end of a line in it.
    """
    lines = value if value.startswith(_PEM) else printable(value, _LONGEST)
    return lines.encode("utf-8").decode("latin-1")


def _ofPeer(peer: Peer) -> Iterator[tuple[str, str]]:
    certificate = peer.certificate
    yield "SSL_CLIENT_S_DN", subjectText(certificate)
    yield "SSL_CLIENT_I_DN", peer.facts.issuer
    yield "SSL_CLIENT_M_SERIAL", f"{certificate.serial_number:X}"
    yield "SSL_CLIENT_M_VERSION", str(certificate.version.value + 1)
    yield "SSL_CLIENT_V_START", certificate.not_valid_before_utc.strftime(_DATE)
    yield "SSL_CLIENT_V_END", certificate.not_valid_after_utc.strftime(_DATE)
    yield "SSL_CLIENT_CERT", pem([certificate]).decode()
    for number, each in enumerate(peer.chain[1:]):
        yield f"SSL_CLIENT_CERT_CHAIN_{number}", pem([each]).decode()
    yield from _parts("SSL_CLIENT_S_DN", lambda: certificate.subject)
    yield from _parts("SSL_CLIENT_I_DN", lambda: certificate.issuer)
    for kind, names in (("DNS", peer.dnsNames), ("Email", peer.emails), ("URI", peer.uris)):
        yield from ((f"SSL_CLIENT_SAN_{kind}_{number}", name) for number, name in enumerate(names))


def _parts(prefix: str, name: Any) -> Iterator[tuple[str, str]]:
    try:
        found: x509.Name = name()
    except Exception:
        # Whatever a parser raises for what a stranger wrote; the name as a whole says so.
        return
    for part, oid in _PARTS.items():
        for number, attribute in enumerate(found.get_attributes_for_oid(oid)):
            yield f"{prefix}_{part}" + (f"_{number}" if number else ""), str(attribute.value)
