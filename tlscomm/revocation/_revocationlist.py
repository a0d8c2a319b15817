"""One revocation list, read once: its entries are indexed, and each verification of its signature is remembered.

To read one of a million entries takes seconds. It may be done in a thread: then no step of it holds the others for more
than a moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from tlscomm._dataclasses import dataclass
from tlscomm.failures import printable
from tlscomm.revocation._entries import EncodedList
from tlscomm.x509._canonicalname import canonicalName
from tlscomm.x509._extensions import extensionsOf
from tlscomm.x509._keystrengths import WEAK_DIGESTS
from tlscomm.x509._remembering import remembering
from tlscomm.x509._unreadable import REJECTIONS

__all__ = ["ALL_REASONS", "Kind", "RevocationList", "kindOf"]

_LIST_EXTENSIONS = frozenset(
    {
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.CRL_NUMBER,
        ExtensionOID.DELTA_CRL_INDICATOR,
        ExtensionOID.ISSUER_ALTERNATIVE_NAME,
        ExtensionOID.ISSUING_DISTRIBUTION_POINT,
    }
)
_ENTRY_EXTENSIONS = frozenset({CRLEntryExtensionOID.CRL_REASON, CRLEntryExtensionOID.INVALIDITY_DATE})

#: What the extensions of a list are called, and whether they have to be critical.
_FORM = {
    ExtensionOID.CRL_NUMBER: ("number", False),
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER: ("authority key identifier", False),
    ExtensionOID.DELTA_CRL_INDICATOR: ("delta indicator", True),
    ExtensionOID.ISSUING_DISTRIBUTION_POINT: ("issuing distribution point", True),
}

#: In DER: the value TRUE of ``critical``, and the beginning of the extension's value.
_CRITICAL = b"\x01\x01\xff\x04"

ALL_REASONS = frozenset(x509.ReasonFlags) - {x509.ReasonFlags.unspecified, x509.ReasonFlags.remove_from_crl}

#: How many verdicts on its signature are kept.
_MOST_VERDICTS = 16


@dataclass(frozen=True)
class Kind:
    """What of a certificate the scope of a list is compared with.

    Attributes:
        name: ``authorities`` or ``users``.
        points: the names of each distribution point, and the reasons that its list tells of.
    """

    name: str
    points: tuple[tuple[frozenset[x509.GeneralName], frozenset[x509.ReasonFlags]], ...]


# An authority may cut its list in more than a hundred pieces, and each of them is compared.
@remembering(1024)
def kindOf(certificate: x509.Certificate) -> Kind:
    """Return what the scopes of lists are compared with."""
    return Kind("authorities" if _isAuthority(certificate) else "users", tuple(_points(certificate)))


class RevocationList:
    """A list of one authority, read once.

    Args:
        content: the list, DER.

    Attributes:
        name: its authority's name.
        issuer: the same in a form that can be compared.
        number: its number, -1 where it has none.
        base: of a delta list, the number of the oldest complete list that it adds to; else None.
        scope: which certificates it is about, where it restricts that.
        fault: why it cannot be used, empty where it can.
        deviations: what is not as RFC 5280 demands it of who makes lists, and harms none that can be used all the same.
        thisUpdate: from when it holds.
        nextUpdate: when the next one is due, None where it does not say.

    Raises:
        ValueError: it cannot be read.
    """

    def __init__(self, content: bytes) -> None:
        self._encoded = EncodedList(content)
        self._rest = crl = self._encoded.withoutEntries
        self.name = crl.issuer
        self.issuer = canonicalName(crl.issuer)
        self.number = -1
        self.base: int | None = None
        self.scope: x509.IssuingDistributionPoint | None = None
        self.thisUpdate, self.nextUpdate = crl.last_update_utc, crl.next_update_utc
        self._names: frozenset[x509.GeneralName] = frozenset()
        self._only = ""
        self._verdicts: dict[x509.Certificate, bool] = {}
        self._digest = self._digestOfAll()
        self.deviations: tuple[str, ...] = ()
        try:
            self.fault = self._readExtensions()
            self.deviations = tuple(_deviations(crl))
        except REJECTIONS:
            self.fault = "its extensions cannot be read"
        for encoded, entries in self._encoded.index():
            # To look at the extensions of each takes long, and hardly any list has a critical one.
            if _CRITICAL in encoded and not self.fault:
                self.fault = _criticalEntry(entries)

    @property
    def crl(self) -> x509.CertificateRevocationList:
        """The list as the library reads it, which holds all threads while it reads a long one."""
        return self._encoded.whole

    @cached_property
    def description(self) -> str:
        """What sentences call it, printable."""
        kind = "the list" if self.base is None else "the delta list"
        number = "" if self.number < 0 else f" {self.number}"
        return f"{kind}{number} of {printable(self.name.rfc4514_string())}"

    def entry(self, certificate: x509.Certificate) -> x509.RevokedCertificate | None:
        """Return what the list has of a certificate."""
        return self._encoded.entry(certificate.serial_number)

    def isSignedBy(self, signer: x509.Certificate) -> bool:
        """Return whether the list bears the signature of a certificate's key. The answer is remembered."""
        if (known := self._verdicts.get(signer)) is not None:
            return known
        try:
            verdict = self._isSignedWith(signer.public_key())
        except (InvalidSignature, *REJECTIONS):
            verdict = False
        if len(self._verdicts) >= _MOST_VERDICTS:
            self._verdicts.clear()
        self._verdicts[signer] = verdict
        return verdict

    def isCurrent(self, at: datetime) -> bool:
        """Return whether the list has begun to hold, and its successor is not due yet."""
        return self.nextUpdate is not None and self.thisUpdate <= at < self.nextUpdate

    def faultFor(self, kind: Kind) -> str:
        """Return why the list says nothing of such a certificate of its own authority, or nothing where it does."""
        if self.fault:
            return f"it cannot be used: {self.fault}"
        if self.scope is None:
            return ""
        if self._only not in ("", kind.name):
            return f"it is about certificates of {self._only} only"
        return "" if self.reasonsFor(kind) else "it is about another distribution point"

    def reasonsFor(self, kind: Kind) -> frozenset[x509.ReasonFlags]:
        """Return for which reasons the list would tell of such a certificate's revocation (RFC 5280, section 6.3.3)."""
        scope = self.scope
        if scope is None:
            return ALL_REASONS
        own = scope.only_some_reasons or ALL_REASONS
        if not self._names:
            return own
        covered: frozenset[x509.ReasonFlags] = frozenset()
        for names, reasons in kind.points:
            if not names.isdisjoint(self._names):
                covered |= own & reasons
        return covered

    def _readExtensions(self) -> str:
        for extension in self._rest.extensions:
            value = extension.value
            if isinstance(value, x509.CRLNumber):
                self.number = value.crl_number
            elif isinstance(value, x509.DeltaCRLIndicator):
                self.base = value.crl_number
            elif isinstance(value, x509.IssuingDistributionPoint):
                self.scope = value
                self._names, self._only = _names(self.name, value), _onlyAbout(value)
            if extension.critical and extension.oid not in _LIST_EXTENSIONS:
                return f"it has the critical extension {extension.oid.dotted_string}, which is not known"
        if self.scope is not None and self.scope.indirect_crl:
            return "it is an indirect list, in which one authority speaks for others"
        return ""

    def _digestOfAll(self) -> tuple[hashes.HashAlgorithm, bytes] | None:
        """Return what a signature with RSA or over a curve is over; None where it is another one, or too weak."""
        try:
            algorithm = self._rest.signature_hash_algorithm
        except REJECTIONS:
            return None
        if algorithm is None or isinstance(algorithm, WEAK_DIGESTS):
            return None
        digest = hashes.Hash(algorithm)
        digest.update(self._encoded.signedBytes)
        return algorithm, digest.finalize()

    def _isSignedWith(self, key: Any) -> bool:
        if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            # That takes long, and a list with a digest has not been signed with such a key.
            return self._digest is None and self._encoded.whole.is_signature_valid(key)
        if self._digest is None:
            return False
        algorithm, digest = self._digest
        signature, parameters = self._rest.signature, self._rest.signature_algorithm_parameters
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(parameters, ec.ECDSA):
            key.verify(signature, digest, ec.ECDSA(Prehashed(algorithm)))
            return True
        if isinstance(key, rsa.RSAPublicKey) and isinstance(parameters, padding.PKCS1v15 | padding.PSS):
            key.verify(signature, digest, parameters, Prehashed(algorithm))
            return True
        return False


def _deviations(crl: x509.CertificateRevocationList) -> Iterator[str]:
    """Say what is not as it has to be in the extensions of a list (RFC 5280, sections 5.2.3 to 5.2.5)."""
    critical = {extension.oid: extension.critical for extension in crl.extensions}
    for oid, (name, mustBeCritical) in _FORM.items():
        if oid in critical and critical[oid] is not mustBeCritical:
            yield f"its {name} is {'not ' * mustBeCritical}critical"
    if ExtensionOID.CRL_NUMBER not in critical:
        yield "it has no number"


def _isAuthority(certificate: x509.Certificate) -> bool:
    try:
        return extensionsOf(certificate).get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, *REJECTIONS):
        return False


def _onlyAbout(scope: x509.IssuingDistributionPoint) -> str:
    if scope.only_contains_attribute_certs:
        return "attributes"
    return "users" * scope.only_contains_user_certs or "authorities" * scope.only_contains_ca_certs


def _points(certificate: x509.Certificate) -> Iterator[tuple[frozenset[x509.GeneralName], frozenset[x509.ReasonFlags]]]:
    try:
        points = [*extensionsOf(certificate).get_extension_for_class(x509.CRLDistributionPoints).value]
        issuer = certificate.issuer
    except (x509.ExtensionNotFound, *REJECTIONS):
        return
    for point in points:
        yield _names(issuer, point) or frozenset(point.crl_issuer or ()), point.reasons or ALL_REASONS


def _names(
    issuer: x509.Name, place: x509.DistributionPoint | x509.IssuingDistributionPoint
) -> frozenset[x509.GeneralName]:
    if place.relative_name is not None:
        return frozenset({x509.DirectoryName(x509.Name([*issuer.rdns, place.relative_name]))})
    return frozenset(place.full_name or ())


def _criticalEntry(crl: x509.CertificateRevocationList) -> str:
    for entry in crl:
        for extension in entry.extensions:
            if extension.critical and extension.oid not in _ENTRY_EXTENSIONS:
                number = extension.oid.dotted_string
                return f"an entry has the critical extension {number}, which is not known"
    return ""
