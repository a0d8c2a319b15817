"""What a block of the kind ``TRUSTED CERTIFICATE`` says of its certificate: what it is trusted for, and what not.

OpenSSL writes such blocks (``openssl x509 -trustout``, X509_CERT_AUX), and the bundles of some distributions have them
for authorities that may vouch for mail alone, or for nothing any more. What follows the certificate in the block counts
as it does with OpenSSL: a use that is rejected is not allowed, and where any use is trusted no other is.
"""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from tlscomm._dataclasses import dataclass
from tlscomm.x509 import _der
from tlscomm.x509._purposes import purposeFor, purposesText
from tlscomm.x509._roles import ROLES, Role

__all__ = ["TrustSettings", "trustSettings"]

_ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE


@dataclass(frozen=True)
class TrustSettings:
    """What a certificate is trusted for.

    Attributes:
        trusted: the extended key usages; None where there is no list of them, so that all are meant.
        rejected: those that it is not trusted for, whatever else is said.
    """

    trusted: frozenset[ObjectIdentifier] | None = None
    rejected: frozenset[ObjectIdentifier] = frozenset()

    def allow(self, role: Role) -> bool:
        """Return whether it may vouch for peers on one side of a connection."""
        meant = {purposeFor(role).oid, _ANY}
        return not self.rejected & meant and (self.trusted is None or bool(self.trusted & meant))

    def refusal(self, role: Role | None) -> str:
        """Return why an authority is not trusted, as a phrase, or nothing where it is.

        Args:
            role: the side of the peers that it is to vouch for; either where None.
        """
        forbidden = [each for each in (ROLES if role is None else (role,)) if not self.allow(each)]
        if not forbidden:
            return ""
        said = f"it is trusted for {'nothing' if not self.trusted else purposesText(self.trusted)}"
        if self.trusted is None:
            said = f"it is not trusted for {purposesText(self.rejected)}"
        return f"its block says that {said}, so it cannot vouch for {' or '.join(f'{each}s' for each in forbidden)}"


_NOTHING = TrustSettings(frozenset())


def trustSettings(content: bytes) -> TrustSettings:
    """Read what follows the certificate in a block. What cannot be read allows nothing.

    Args:
        content: the certificate and what follows it, DER.
    """
    try:
        certificate = _der.first(content)
        if certificate.following == len(content):
            return TrustSettings()
        return _settings(_der.first(content, certificate.following))
    except _der.Malformed:
        return _NOTHING


def _settings(auxiliary: _der.Element) -> TrustSettings:
    trusted: frozenset[ObjectIdentifier] | None = None
    rejected: frozenset[ObjectIdentifier] = frozenset()
    for part in auxiliary.parts():
        if part.tag == _der.SEQUENCE:
            trusted = frozenset(_identifiers(part.parts()))
        elif part.tag == _der.CONTEXT_0:
            rejected = frozenset(_identifiers(part.parts()))
    return TrustSettings(trusted, rejected)


def _identifiers(parts: Iterable[_der.Element]) -> Iterable[ObjectIdentifier]:
    return (ObjectIdentifier(part.identifier()) for part in parts)
