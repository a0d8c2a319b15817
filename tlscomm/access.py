"""Who of those with a valid certificate is let in.

A trusted authority says who somebody is. Whether that somebody has business here is for the server to say, in rules
that are written as one word each: ``dns=*.example.org``, ``uri=spiffe://example.org/billing``. One rule that fits is
enough. A peer that no rule fits is refused as ``not-allowed``, which never means that its certificate is bad.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier

from tlscomm.peer import Peer

__all__ = ["EVERYBODY", "AccessRule", "AccessRules", "parseRule"]


@dataclass(frozen=True)
class AccessRule:
    """One rule. `parseRule` makes it of its text.

    Attributes:
        kind: what of the peer is looked at: a key of the table in `parseRule`.
        pattern: what it has to be. ``*`` stands for any part of one label, and never for the sign between two.
    """

    kind: str
    pattern: str

    def fits(self, peer: Peer) -> bool:
        """Return whether one of the peer's names, or its key or certificate, is what the rule asks for."""
        return any(self._expression.fullmatch(value) for value in _KINDS[self.kind].values(peer))

    def __str__(self) -> str:
        return f"{self.kind}={self.pattern}"

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        kind = _KINDS[self.kind]
        # Adjacent wildcards mean one, and would make the search slow.
        parts = re.sub(r"\*+", "*", self.pattern).split("*")
        return re.compile(
            f"[^{kind.separators}]*".join(map(re.escape, parts)), re.IGNORECASE | re.ASCII if kind.anyCase else 0
        )


@dataclass(frozen=True)
class AccessRules:
    """A list of rules of which one has to fit. An empty list lets everybody in whose certificate is valid."""

    rules: tuple[AccessRule, ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> AccessRules:
        """Return the rules of their texts.

        Raises:
            ValueError: one of them is no rule.
        """
        return cls(tuple(parseRule(text) for text in texts))

    def ruleFor(self, peer: Peer) -> AccessRule | None:
        """Return the first rule that lets a peer in, or None where none does."""
        return next((rule for rule in self.rules if rule.fits(peer)), None)

    def __bool__(self) -> bool:
        return bool(self.rules)


#: No rules: whoever has a valid certificate.
EVERYBODY = AccessRules()


def parseRule(text: str) -> AccessRule:
    """Return the rule that a text means.

    ================ =====================================================================================
    ``cn=``          a common name of the subject; a label that the authority may not have checked
    ``ou=``, ``o=``  an organizational unit, an organization of the subject
    ``dns=``         a DNS name among the subject alternative names; ``*`` within a label
    ``ip=``          an IP address among them, in its usual form
    ``uri=``         a URI among them, SPIFFE ids for one; ``*`` within a part between slashes
    ``email=``       a mail address among them; ``*`` within the local part or a label
    ``spki=``        ``sha256:`` and the digest of the public key (SubjectPublicKeyInfo) in hexadecimal
    ``fingerprint=`` ``sha256:`` and the digest of the certificate in hexadecimal
    ================ =====================================================================================

    Raises:
        ValueError: it is no rule; the message says which kinds there are.
    """
    kind, equals, pattern = text.partition("=")
    if not equals or kind not in _KINDS or not pattern:
        raise ValueError(f"{text!r} is no access rule: a rule is one of {', '.join(f'{name}=…' for name in _KINDS)}")
    if _KINDS[kind].isDigest:
        pattern = pattern.replace(":", "").lower()
        if not re.fullmatch("sha256[0-9a-f]{64}", pattern):
            raise ValueError(f"{text!r} is no access rule: {kind}= takes sha256: and 64 hexadecimal digits")
        pattern = f"sha256:{pattern[6:]}"
    return AccessRule(kind, pattern)


@dataclass(frozen=True)
class _Kind:
    """How one kind of rule looks at a peer."""

    values: Callable[[Peer], Iterable[str]]
    separators: str = "."
    anyCase: bool = True
    isDigest: bool = False


def _subjects(oid: ObjectIdentifier) -> Callable[[Peer], Iterable[str]]:
    return lambda peer: (str(name.value) for name in peer.certificate.subject.get_attributes_for_oid(oid))


def _publicKeyDigest(peer: Peer) -> Iterable[str]:
    key = peer.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return (f"sha256:{sha256(key).hexdigest()}",)


_KINDS = {
    "cn": _Kind(_subjects(NameOID.COMMON_NAME)),
    "ou": _Kind(_subjects(NameOID.ORGANIZATIONAL_UNIT_NAME)),
    "o": _Kind(_subjects(NameOID.ORGANIZATION_NAME)),
    "dns": _Kind(lambda peer: peer.dnsNames),
    "ip": _Kind(lambda peer: peer.addresses),
    # RFC 3986, section 6.2.2.1: only scheme and host are without case, and SPIFFE ids have neither in capitals.
    "uri": _Kind(lambda peer: peer.uris, separators="/", anyCase=False),
    "email": _Kind(lambda peer: peer.emails, separators="@."),
    "spki": _Kind(_publicKeyDigest, isDigest=True),
    "fingerprint": _Kind(lambda peer: (peer.fingerprint,), isDigest=True),
}
