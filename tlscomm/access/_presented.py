"""What of a peer the access rules look at, prepared once for all of them.

A rule may fit, not fit, or not be decided: where a part of the certificate cannot be read, or a name in it is no name
of its kind, it is not known whether the rule fits. That is a doubt, and it is kept apart from "no", because a rule that
keeps a peer out has to take it for "yes".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

from tlscomm._dataclasses import dataclass
from tlscomm.access._globs import Texts
from tlscomm.access._nameforms import DNS, EMAIL, FINGERPRINT, LABEL, TRUST_DOMAIN, URI, NameForm, folded, isSPIFFE
from tlscomm.access._peer import Peer
from tlscomm.access._svid import svidOf
from tlscomm.x509._generalnames import UnreadableName

__all__ = ["RDN", "IdentifierValues", "Issuer", "PresentedIdentifiers"]

#: More than the certificate of a peer that has business here. Beyond it names are not compared, but doubted.
_MOST_NAMES = 500

#: One part of a distinguished name: the types and values of its attributes, in order.
RDN = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class IdentifierValues:
    """What is known of a peer in one respect.

    Attributes:
        values: what there is.
        doubt: why there may be more, as a phrase; empty where there is not.
    """

    values: Any
    doubt: str = ""


@dataclass(frozen=True)
class Issuer:
    """Who issued the peer's certificate.

    Attributes:
        name: the distinguished name, as it is compared.
        commonNames: the common names in it.
    """

    name: tuple[RDN, ...]
    commonNames: Texts


class PresentedIdentifiers:
    """A peer as the rules see it. What no rule asks for is not worked out."""

    def __init__(self, peer: Peer) -> None:
        """
        Args:
            peer: one whose chain was verified.
        """
        self._peer = peer
        self._known: dict[str, IdentifierValues] = {}

    def known(self, kind: str) -> IdentifierValues:
        """Return what is known of the peer in the respect that a kind of rule is about."""
        if kind not in self._known:
            self._known[kind] = self._read(kind)
        return self._known[kind]

    def _read(self, kind: str) -> IdentifierValues:
        try:
            return _READERS[kind](self._peer)
        except _Doubt as doubt:
            why = str(doubt)
        except Exception:
            # Whatever a parser raises for what a stranger wrote: it is not to decide who is let in.
            why = f"what {kind}= looks at cannot be read"
        return IdentifierValues(_NOTHING.get(kind, ()), why)


class _Doubt(Exception):
    """Nothing can be said."""


def _texts(values: Sequence[str], form: NameForm) -> IdentifierValues:
    if len(values) > _MOST_NAMES:
        raise _Doubt(f"it has more than {_MOST_NAMES} names")
    canonical, doubt = set(), ""
    for value in values:
        try:
            canonical.add(form.canonical(value))
        except ValueError as why:
            doubt = doubt or str(why)
    return IdentifierValues(Texts(canonical, form.split), doubt)


def _attributes(oid: ObjectIdentifier) -> Callable[[Peer], IdentifierValues]:
    """Return what reads the attributes of a type in the subject, each by itself, wherever in the name it stands."""
    return lambda peer: _texts(_valuesOf(peer.certificate.subject, oid), LABEL)


def _valuesOf(name: x509.Name, oid: ObjectIdentifier) -> list[str]:
    values = [attribute.value for attribute in name.get_attributes_for_oid(oid)]
    if not all(isinstance(value, str) for value in values):
        raise _Doubt("its distinguished name holds what is no text")
    return cast(list[str], values)


def _names(peer: Peer, kind: type[x509.GeneralName]) -> list[Any]:
    names = peer.alternativeNames
    if names is None:
        raise _Doubt("its subject alternative names cannot be read")
    if len(names) > _MOST_NAMES:
        raise _Doubt(f"it has more than {_MOST_NAMES} names")
    # What stands for a name that cannot be read is one in no form, so it raises a doubt, and leaves the others.
    return [name.value for name in names if isinstance(name, kind) or _isUnreadable(name, kind)]


def _isUnreadable(name: x509.GeneralName, kind: type[x509.GeneralName]) -> bool:
    return isinstance(name, UnreadableName) and name.kind is kind


def _addresses(peer: Peer) -> IdentifierValues:
    values = _names(peer, x509.IPAddress)
    # cryptography reads a network, which is for name constraints alone, where a name has twice the bytes.
    isOne = [hasattr(value, "packed") for value in values]
    doubt = "" if all(isOne) else "an IP address in it is none"
    return IdentifierValues(
        frozenset((value.version, int(value)) for value, one in zip(values, isOne, strict=True) if one), doubt
    )


def _ja4(peer: Peer) -> IdentifierValues:
    if peer.ja4 is None:
        raise _Doubt("the fingerprint of its first message is not known")
    return _texts((peer.ja4,), FINGERPRINT)


def _uris(peer: Peer) -> IdentifierValues:
    values = _names(peer, x509.UniformResourceIdentifier)
    if len(values) == 1 or not any(map(isSPIFFE, values)):
        return _texts(values, URI)
    others = _texts([value for value in values if not isSPIFFE(value)], URI)
    return IdentifierValues(others.values, _NOT_THE_ONLY_URI)


#: X509-SVID, section 2: "An X.509 SVID MUST contain exactly one URI SAN".
_NOT_THE_ONLY_URI = "its SPIFFE id is not its only URI"


def _svids(peer: Peer) -> IdentifierValues:
    svid = svidOf(peer.chain)
    return IdentifierValues(_NO_TEXTS if svid.identity is None else Texts((svid.identity,), URI.split), svid.fault)


def _trustDomains(peer: Peer) -> IdentifierValues:
    values = _names(peer, x509.UniformResourceIdentifier)
    identities = [value for value in values if isSPIFFE(value)]
    if identities and len(values) > 1:
        raise _Doubt(_NOT_THE_ONLY_URI)
    return _texts(identities, TRUST_DOMAIN)


def _issuer(peer: Peer) -> IdentifierValues:
    name = peer.certificate.issuer
    rdns = tuple(tuple(sorted(_foldedAttributes(rdn))) for rdn in name.rdns)
    if any(len(dict(rdn)) != len(rdn) for rdn in rdns):
        # X.501, section 9.3: an RDN has no two attributes of one type.
        raise _Doubt("its issuer's name has one attribute twice in one place")
    return IdentifierValues(Issuer(rdns, Texts(map(folded, _valuesOf(name, NameOID.COMMON_NAME)), LABEL.split)))


def _foldedAttributes(rdn: x509.RelativeDistinguishedName) -> Iterator[tuple[str, str]]:
    for attribute in rdn:
        if not isinstance(attribute.value, str):
            raise _Doubt("its issuer's name holds what is no text")
        try:
            yield attribute.oid.dotted_string, folded(attribute.value)
        except ValueError as why:
            raise _Doubt(f"in its issuer's name {why}") from None


def _authorities(digest: Callable[[Peer], str]) -> Callable[[Peer], IdentifierValues]:
    """Return what reads the digests of the authorities that a peer's chain leads through."""

    def read(peer: Peer) -> IdentifierValues:
        certificate = peer.certificate
        if len(peer.chain) == 1 and certificate.issuer != certificate.subject:
            raise _Doubt("the authorities above it are not known")
        return IdentifierValues(frozenset(digest(Peer((authority,))) for authority in peer.chain[1:]))

    return read


_READERS: dict[str, Callable[[Peer], IdentifierValues]] = {
    "cn": _attributes(NameOID.COMMON_NAME),
    "ou": _attributes(NameOID.ORGANIZATIONAL_UNIT_NAME),
    "o": _attributes(NameOID.ORGANIZATION_NAME),
    "dns": lambda peer: _texts(_names(peer, x509.DNSName), DNS),
    "ip": _addresses,
    "uri": _uris,
    "spiffe": _svids,
    "trust-domain": _trustDomains,
    "email": lambda peer: _texts(_names(peer, x509.RFC822Name), EMAIL),
    "issuer": _issuer,
    "authority": _authorities(lambda authority: authority.fingerprint),
    "authority-spki": _authorities(lambda authority: authority.spki),
    "spki": lambda peer: IdentifierValues(frozenset({peer.spki})),
    "ja4": _ja4,
    "fingerprint": lambda peer: IdentifierValues(frozenset({peer.fingerprint})),
}

_NO_TEXTS = Texts((), tuple)
#: What is known of a kind of which nothing can be read.
_NOTHING: dict[str, Any] = {
    **dict.fromkeys(("cn", "ou", "o", "dns", "uri", "spiffe", "trust-domain", "email", "ja4"), _NO_TEXTS),
    "issuer": Issuer((), _NO_TEXTS),
}
