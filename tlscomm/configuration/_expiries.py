"""When what a configuration rests on expires: our certificates, the authorities that are trusted, revocation lists.

Checks before a start, metrics and the status all tell of it, and they must not disagree.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, TypeAlias

from cryptography import x509

from tlscomm._dataclasses import dataclass
from tlscomm.configuration._client import ClientConfiguration
from tlscomm.configuration._server import ServerConfiguration
from tlscomm.x509._digests import fingerprintOf
from tlscomm.x509._facts import subjectText

__all__ = ["Expiry", "ExpiryKind", "expiriesOf"]

ExpiryKind: TypeAlias = Literal["identity", "chain", "root", "intermediate", "list"]


@dataclass(frozen=True)
class Expiry:
    """When one thing expires.

    Attributes:
        kind: ``identity`` for a certificate of our own, ``chain`` for one that is sent along with it, ``root`` for an
            authority that is trusted, ``intermediate`` for one that is known besides, ``list`` for a revocation list.
        name: the subject of a certificate, or what sentences call a list; printable.
        at: the last moment at which it is valid (notAfter; of a list nextUpdate, or None where it has none).
        fingerprint: of a certificate, ``sha256:…``; empty for a list.
        since: the first moment at which a certificate is valid; None for a list.
    """

    kind: ExpiryKind
    name: str
    at: datetime | None
    fingerprint: str = ""
    since: datetime | None = None

    def secondsLeft(self, now: float) -> float | None:
        """Return for how long it is still valid, less than 0 where it has expired.

        Args:
            now: in seconds since 1970.
        """
        return None if self.at is None else self.at.timestamp() - now

    def toJSON(self) -> dict[str, Any]:
        """Return the facts for JSON."""
        at = None if self.at is None else self.at.isoformat(timespec="seconds")
        return {"kind": self.kind, "name": self.name, "notAfter": at, "fingerprint": self.fingerprint or None}


def expiriesOf(configuration: ServerConfiguration | ClientConfiguration) -> tuple[Expiry, ...]:
    """Return when each thing that a configuration rests on expires: what expires first of each kind comes first.

    The system's authorities are not among them: they are not the operator's to renew.
    """
    return tuple(
        expiry
        for kind in (
            _identities(configuration),
            _certificates("root", _roots(configuration)),
            _certificates("intermediate", configuration.intermediates),
            _lists(configuration),
        )
        for expiry in kind
    )


def _identities(configuration: ServerConfiguration | ClientConfiguration) -> list[Expiry]:
    credentials = [each for each in (configuration.credential, *configuration.others) if each is not None]
    own = [each.certificate for each in credentials]
    sent = [certificate for each in credentials for certificate in each.chain]
    return [*_certificates("identity", own), *_certificates("chain", [each for each in sent if each not in own])]


def _roots(configuration: ServerConfiguration | ClientConfiguration) -> Iterable[x509.Certificate]:
    named = configuration.clientRoots if isinstance(configuration, ServerConfiguration) else configuration.roots
    # A provider of Twisted's IOpenSSLTrustRoot does not tell what it has.
    return named if isinstance(named, tuple | list) else ()


def _certificates(kind: ExpiryKind, certificates: Iterable[x509.Certificate]) -> list[Expiry]:
    found = (
        Expiry(kind, subjectText(each), each.not_valid_after_utc, fingerprintOf(each), each.not_valid_before_utc)
        for each in certificates
    )
    return _sorted({each.fingerprint: each for each in found}.values())


def _lists(configuration: ServerConfiguration | ClientConfiguration) -> list[Expiry]:
    return _sorted(Expiry("list", description, at) for description, at in configuration.revocation.due)


def _sorted(expiries: Iterable[Expiry]) -> list[Expiry]:
    return sorted(expiries, key=_order)


def _order(expiry: Expiry) -> tuple[float, str]:
    return (float("inf") if expiry.at is None else expiry.at.timestamp()), expiry.name
