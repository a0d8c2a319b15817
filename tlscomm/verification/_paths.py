"""All ways from a peer's certificate to an authority that is trusted, one after the other.

Certificates do not form a chain but a graph: an authority that changes its key, or is taken over by another one, has
several certificates, and a peer cannot know which of them we trust. OpenSSL follows one way and gives up where that one
ends. Here the next one is tried, and the verifier takes the first that is good.

A peer that may send certificates may also send hundreds that all seem to have issued each other, so the search is
bounded:

* it begins with who can be reached from the trusted authorities by names alone, and goes nowhere else;
* no entity, that is no name with its key, is twice on a way;
* no way is longer than allowed;
* what breaks a rule where it stands is not gone past, and the rules are checked from below, so a way ends early;
* signatures, which cost most, are verified once for each pair of certificates, from the trusted authority down, so
  that no key of a stranger is ever used. Their number has a limit, and what those cost that are wrong has a lower one.
  So has the number of steps.

Key identifiers are hints, and only say which way is tried first (RFC 4158, section 3.5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from cryptography import x509

from tlscomm._dataclasses import dataclass
from tlscomm.x509._canonicalname import CanonicalName
from tlscomm.x509._certificate import ParsedCertificate, parsedCertificate
from tlscomm.x509._signatures import hasSigned

__all__ = ["ByName", "Path", "PathSearch", "SearchBudget", "byName"]

#: Microseconds for each signature, its key aside: what `cryptography` cannot verify OpenSSL is asked about.
_PRICE_OF_DOUBT = 50
#: So that a few authorities of one name are told apart, whatever they sign with.
_DEAREST_COUNTED = 200

Path = tuple[ParsedCertificate, ...]
ByName = Mapping[CanonicalName, Sequence[ParsedCertificate]]


@dataclass
class SearchBudget:
    """How much work a search may still do.

    Attributes:
        signatures: how many signatures it may verify.
        steps: how many certificates it may try on its ways, the same ones again included.
        names: how many names it may compare with name constraints.
        microseconds: what may be spent on what leads to nothing: on signatures that are wrong, and on finding out why
            a peer is refused.
        hasLeftOut: whether certificates of the peer were not looked at.
        signed: what is known by now: of an issuer and a subject, whether the one has signed the other.
    """

    signatures: int = 128
    steps: int = 2048
    names: int = 65536
    microseconds: int = 100_000
    hasLeftOut: bool = False
    signed: dict[tuple[ParsedCertificate, ParsedCertificate], bool] = field(default_factory=dict, compare=False)

    @property
    def isExhausted(self) -> bool:
        return self.signatures < 0 or self.steps < 0 or self.names < 0 or self.microseconds < 0

    @classmethod
    def ofStranger(cls) -> SearchBudget:
        """Return what may be done in one handshake for a peer that OpenSSL has refused: to judge it and to say why."""
        return cls(steps=64, names=2048, microseconds=1500)


@dataclass
class PathSearch:
    """What is at hand to build paths of.

    Attributes:
        leaf: the peer's own certificate.
        anchors: the authorities that are trusted, by their names (`byName`).
        others: whatever else may be an authority: what the peer sent, and what is known locally.
        maximumDepth: the most certificates between the leaf and an anchor.
        mayStand: says whether a certificate may stand above others, or, where nothing is above it, as the anchor.
        isForgiving: whether ways are followed where signatures are wrong, to see where they lead.
        budget: what the search may cost.
    """

    leaf: ParsedCertificate
    anchors: ByName
    others: Sequence[x509.Certificate]
    maximumDepth: int
    mayStand: Callable[[ParsedCertificate, Path, bool], bool]
    isForgiving: bool = False
    budget: SearchBudget = field(default_factory=SearchBudget)

    def __post_init__(self) -> None:
        self.deadEnd: Path = (self.leaf,)
        self._badSignatures: set[tuple[ParsedCertificate, ParsedCertificate]] = set()
        self._signed = self.budget.signed
        self._isTrusted = self._isAnchor(self.leaf)
        known = [parsedCertificate(each) for each in dict.fromkeys(self.others)]
        known = [each for each in known if not self._isAnchor(each) and each.certificate != self.leaf.certificate]
        self._known = byName(known)
        self._distances = self._distancesByName(known)

    def paths(self) -> Iterator[Path]:
        """Give the paths, the most promising first. Where the budget is used up there are no more."""
        if self._isTrusted and self.mayStand(self.leaf, (), True):
            yield (self.leaf,)
        if self.mayStand(self.leaf, (), False):
            yield from self._above((self.leaf,))

    def badlySigned(self, path: Sequence[x509.Certificate]) -> list[int]:
        """Return the places of the certificates of a path that the next one has not signed."""
        pairs = {(issuer.certificate, subject.certificate) for issuer, subject in self._badSignatures}
        return [depth for depth, pair in enumerate(zip(path[1:], path, strict=False)) if pair in pairs]

    def _above(self, below: Path) -> Iterator[Path]:
        led = False
        for issuer, isAnchor in self._issuers(below):
            self.budget.steps -= 1
            if self.budget.isExhausted:
                return
            if not self.mayStand(issuer, below, isAnchor):
                continue
            path = (*below, issuer)
            if self.isForgiving and not self._hasSigned(issuer, below[-1]):
                continue
            led = True
            if not isAnchor:
                yield from self._above(path)
            elif self.isForgiving or self._isSigned(path):
                yield path
            if not self.isForgiving and self._isBroken(below):
                return
        if not led and len(below) > len(self.deadEnd):
            self.deadEnd = below

    def _isSigned(self, path: Path) -> bool:
        """Return whether each certificate of a path is signed by the next one; those near the anchor come first.

        So a signature is verified only with the key of an anchor, or with one that an anchor vouches for.
        """
        return all(self._hasSigned(path[depth], path[depth - 1]) for depth in range(len(path) - 1, 0, -1))

    def _isBroken(self, path: Path) -> bool:
        """Return whether one of a path is known not to be signed by the next one."""
        return any(self._signed.get(pair) is False for pair in zip(path[1:], path, strict=False))

    def _issuers(self, below: Path) -> list[tuple[ParsedCertificate, bool]]:
        subject = below[-1]
        found = [(issuer, True) for issuer in self.anchors.get(subject.issuer, ())]
        room = self.maximumDepth - len(below)
        for issuer in self._known.get(subject.issuer, ()) if room >= 0 else ():
            distance = self._distances.get(issuer.issuer)
            if self.isForgiving or (distance is not None and distance <= room):
                found.append((issuer, False))
        entities = {each.entity for each in below}
        found = [(issuer, isAnchor) for issuer, isAnchor in found if issuer.entity not in entities]
        found.sort(key=lambda candidate: self._promise(subject, *candidate))
        return found

    def _promise(
        self, subject: ParsedCertificate, issuer: ParsedCertificate, isAnchor: bool
    ) -> tuple[bool, bool, int, float]:
        """Return what to sort issuers by: the likely one first, then trusted ones, near ones and new ones."""
        wanted, has = subject.authorityKeyIdentifier, issuer.subjectKeyIdentifier
        isOther = wanted is not None and has is not None and wanted != has
        distance = self._distances.get(issuer.issuer, self.maximumDepth)
        return isOther, not isAnchor, distance, -issuer.notBefore

    def _hasSigned(self, issuer: ParsedCertificate, subject: ParsedCertificate) -> bool:
        signed = self._signed.get((issuer, subject))
        if signed is None:
            self.budget.signatures -= 1
            if self.budget.isExhausted:
                return False
            signed = self._signed[issuer, subject] = hasSigned(issuer, subject)
            if self.isForgiving:
                self.budget.microseconds -= issuer.price
            elif not signed:
                # The key is one that a trusted authority vouches for, if not its own: it is as dear as the user chose.
                self.budget.microseconds -= min(issuer.price, _DEAREST_COUNTED) + _PRICE_OF_DOUBT
        if not signed and self.isForgiving and not _isOtherKey(issuer, subject):
            self._badSignatures.add((issuer, subject))
            return True
        return signed

    def _isAnchor(self, certificate: ParsedCertificate) -> bool:
        same = self.anchors.get(certificate.subject, ())
        return any(anchor.certificate == certificate.certificate for anchor in same)

    def _distancesByName(self, known: Iterable[ParsedCertificate]) -> dict[CanonicalName, int]:
        """Return, for the name of an issuer, how many certificates there have to be up to an anchor of that name."""
        issued: dict[CanonicalName, set[CanonicalName]] = {}
        for each in known:
            issued.setdefault(each.issuer, set()).add(each.subject)
        distances = dict.fromkeys(self.anchors, 0)
        nearest = list(distances)
        for name in nearest:
            for subject in issued.get(name, ()):
                if subject not in distances:
                    distances[subject] = distances[name] + 1
                    nearest.append(subject)
        return distances


def byName(certificates: Iterable[ParsedCertificate]) -> ByName:
    """Return certificates by the names of their subjects, each once."""
    found: dict[CanonicalName, list[ParsedCertificate]] = {}
    for certificate in dict.fromkeys(certificates):
        found.setdefault(certificate.subject, []).append(certificate)
    return found


def _isOtherKey(issuer: ParsedCertificate, subject: ParsedCertificate) -> bool:
    """Return whether the identifiers say that another key of the same name has signed."""
    wanted, has = subject.authorityKeyIdentifier, issuer.subjectKeyIdentifier
    return wanted is not None and has is not None and wanted != has
