"""What revocation lists say of a certificate (RFC 5280, sections 5 and 6.3).

OpenSSL checks lists too, and not well enough: of two lists with the same date it takes the first that it was given, and
a list that is badly signed it passes over without a word. So the decision is made here, and every reason that a list
does not count has a sentence of its own.

Three rules beyond those of the RFC:

* Only a list that is current can say that a certificate is good. One that has expired, or that does not say until when
  it holds, can still say that it was revoked: a revocation is final, but for ``certificateHold``.
* A revocation date in the future counts already. Its authority does not want the certificate trusted any more.
* Indirect lists, in which one authority speaks for others, are not read, and are named as not covering anything.

A list is read once: its entries are indexed, and each verification of its signature is remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from cryptography import x509
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from tlscomm.failures import printable
from tlscomm.failures._wording import timeText
from tlscomm.x509 import _issuers
from tlscomm.x509._canonicalname import CanonicalName, canonicalName
from tlscomm.x509._remembering import remembering
from tlscomm.x509._unreadable import REJECTIONS
from tlscomm.x509._validity import isValidAt

__all__ = [
    "GOOD",
    "RevocationList",
    "Status",
    "hasIssued",
    "isListedBy",
    "issuerKey",
    "maySignLists",
    "revokedStatus",
    "statusByLists",
]

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

#: In DER: the value TRUE of ``critical``, and the beginning of the extension's value.
_CRITICAL = b"\x01\x01\xff\x04"

_ALL_REASONS = frozenset(x509.ReasonFlags) - {x509.ReasonFlags.unspecified, x509.ReasonFlags.remove_from_crl}

#: How many certificates besides the issuer's are tried as a list's signer, and how many verdicts on them are kept.
_MOST_SIGNERS = 4
_MOST_VERDICTS = 16


@dataclass(frozen=True)
class Status:
    """What is known of a certificate.

    Attributes:
        code: the failure code, empty where the certificate is good.
        detail: why.
    """

    code: Literal["", "revoked", "revocation-unknown"]
    detail: str = ""


GOOD = Status("")


class RevocationList:
    """A list of one authority, read once.

    Args:
        crl: the list.

    Attributes:
        issuer: its authority's name, in a form that can be compared.
        number: its number, -1 where it has none.
        base: of a delta list, the number of the oldest complete list that it adds to; else None.
        scope: which certificates it is about, where it restricts that.
        fault: why it cannot be used, empty where it can.
        thisUpdate: from when it holds.
        nextUpdate: when the next one is due, None where it does not say.

    Raises:
        ValueError: it cannot be read.
    """

    def __init__(self, crl: x509.CertificateRevocationList) -> None:
        self.crl = crl
        self.issuer = canonicalName(crl.issuer)
        self.number = -1
        self.base: int | None = None
        self.scope: x509.IssuingDistributionPoint | None = None
        self.thisUpdate, self.nextUpdate = crl.last_update_utc, crl.next_update_utc
        self._positions = {entry.serial_number: position for position, entry in enumerate(crl)}
        self._verdicts: dict[x509.Certificate, bool] = {}
        try:
            self.fault = self._readExtensions()
        except REJECTIONS:
            self.fault = "its extensions cannot be read"

    def entry(self, certificate: x509.Certificate) -> x509.RevokedCertificate | None:
        """Return what the list has of a certificate."""
        position = self._positions.get(certificate.serial_number)
        return None if position is None else self.crl[position]

    def isSignedBy(self, signer: x509.Certificate) -> bool:
        """Return whether the list bears the signature of a certificate's key. The answer is remembered."""
        if (known := self._verdicts.get(signer)) is not None:
            return known
        try:
            verdict = self.crl.is_signature_valid(signer.public_key())  # type: ignore[arg-type]
        except REJECTIONS:
            verdict = False
        if len(self._verdicts) >= _MOST_VERDICTS:
            self._verdicts.clear()
        self._verdicts[signer] = verdict
        return verdict

    def isCurrent(self, at: datetime) -> bool:
        """Return whether the list has begun to hold, and its successor is not due yet."""
        return self.nextUpdate is not None and self.thisUpdate <= at < self.nextUpdate

    def faultFor(self, certificate: x509.Certificate) -> str:
        """Return why the list says nothing of a certificate of its own authority, or nothing where it does."""
        if self.fault:
            return f"it cannot be used: {self.fault}"
        if self.scope is None:
            return ""
        kind = "authorities" if _isAuthority(certificate) else "users"
        if (only := _onlyAbout(self.scope)) not in ("", kind):
            return f"it is about certificates of {only} only"
        return "" if self.reasonsFor(certificate) else "it is about another distribution point"

    def reasonsFor(self, certificate: x509.Certificate) -> frozenset[x509.ReasonFlags]:
        """Return for which reasons the list would tell that a certificate was revoked (RFC 5280, section 6.3.3)."""
        scope = self.scope
        if scope is None:
            return _ALL_REASONS
        own = scope.only_some_reasons or _ALL_REASONS
        names = _listNames(self.crl.issuer, scope)
        covered: frozenset[x509.ReasonFlags] = frozenset() if names else own
        for point in _distributionPoints(certificate):
            if names and names & _pointNames(certificate.issuer, point):
                covered |= own & (point.reasons or _ALL_REASONS)
        return covered

    def _readExtensions(self) -> str:
        extensions = self.crl.extensions
        critical = 0
        for extension in extensions:
            critical += extension.critical
            value = extension.value
            if isinstance(value, x509.CRLNumber):
                self.number = value.crl_number
            elif isinstance(value, x509.DeltaCRLIndicator):
                self.base = value.crl_number
            elif isinstance(value, x509.IssuingDistributionPoint):
                self.scope = value
            if extension.critical and extension.oid not in _LIST_EXTENSIONS:
                return f"it has the critical extension {extension.oid.dotted_string}, which is not known"
        if self.scope is not None and self.scope.indirect_crl:
            return "it is an indirect list, in which one authority speaks for others"
        # To look at each of a hundred thousand entries takes long, and hardly any list has a critical one.
        if self.crl.tbs_certlist_bytes.count(_CRITICAL) > critical:
            return _criticalEntry(self.crl)
        return ""


def statusByLists(
    issuers: Sequence[x509.Certificate],
    certificate: x509.Certificate,
    lists: Iterable[RevocationList],
    others: Sequence[x509.Certificate],
    at: datetime,
) -> Status:
    """Return what lists say of a certificate.

    Args:
        issuers: the certificate of its issuer, then of that one's, up to the trust anchor.
        certificate: whose status is wanted.
        lists: those that bear its issuer's name, and perhaps the names of the authorities above.
        others: certificates that may have signed a list in the issuer's place.
        at: the time to judge for.
    """
    issuer = issuerKey(certificate)
    named = [each for each in lists if issuer and each.issuer == issuer]
    if not named:
        name = _text(certificate.issuer) if issuer else "(unreadable)"
        return Status("revocation-unknown", f"no list of its issuer {name} is known")
    signers = _Signers(issuers, certificate, lists, others, at)
    usable: list[RevocationList] = []
    faults: list[str] = []
    for each in named:
        if fault := _fault(each, certificate, signers, at):
            faults.append(fault)
        else:
            usable.append(each)
    return _concluded(certificate, usable, faults, at)


# To take a name out of a certificate costs more than all else that a handshake asks here.
@remembering(1024)
def issuerKey(certificate: x509.Certificate) -> CanonicalName:
    """Return the name of a certificate's issuer, in canonical form; nothing where it cannot be read."""
    try:
        return canonicalName(certificate.issuer)
    except ValueError:
        return ()


@remembering(1024)
def _subjectKey(certificate: x509.Certificate) -> CanonicalName | None:
    try:
        return canonicalName(certificate.subject)
    except ValueError:
        return None


hasIssued = remembering(256)(_issuers.hasIssued)
"""Return whether a certificate was issued by another one, as `tlscomm.x509._issuers` says."""


def revokedStatus(date: datetime | None, reason: x509.ReasonFlags | None, source: str) -> Status:
    """Return the status of a revoked certificate.

    Args:
        date: since when; None where that cannot be read.
        reason: why, where that is known.
        source: what says so.
    """
    because = "" if reason is None or reason is x509.ReasonFlags.unspecified else f", reason {reason.value}"
    since = "at a time that cannot be read" if date is None else f"on {timeText(date)}"
    return Status("revoked", f"{since}{because}, says {source}")


def _concluded(
    certificate: x509.Certificate, usable: Sequence[RevocationList], faults: Sequence[str], at: datetime
) -> Status:
    """Return the status that the lists which may speak of a certificate come to, each scope by itself."""
    covered: frozenset[x509.ReasonFlags] = frozenset()
    said = [*faults]
    byScope: dict[x509.IssuingDistributionPoint | None, list[RevocationList]] = {}
    for each in usable:
        byScope.setdefault(each.scope, []).append(each)
    for group in byScope.values():
        base, delta = _newest(group, at)
        if revoked := _revocation(certificate, group, base, delta):
            return revoked
        if base is None:
            said.extend(_lapsed(each) for each in group)
        else:
            covered |= base.reasonsFor(certificate)
    if covered >= _ALL_REASONS:
        return GOOD
    if covered:
        missing = ", ".join(sorted(reason.value for reason in _ALL_REASONS - covered))
        said.append(f"the known lists do not tell of these reasons: {missing}")
    return Status("revocation-unknown", "; ".join(dict.fromkeys(said)))


def _newest(group: Sequence[RevocationList], at: datetime) -> tuple[RevocationList | None, RevocationList | None]:
    """Return the complete list that counts, and the delta that goes with it (RFC 5280, section 5.2.4)."""
    complete = sorted((each for each in group if each.base is None), key=_age, reverse=True)
    deltas = sorted((each for each in group if each.base is not None and each.isCurrent(at)), key=_age, reverse=True)
    for base in complete:
        delta = next((each for each in deltas if _fits(base, each)), None)
        # A current delta makes an older complete list current.
        if delta is not None or base.isCurrent(at):
            return base, delta
    return None, None


def _age(each: RevocationList) -> tuple[int, datetime]:
    return each.number, each.thisUpdate


def _fits(base: RevocationList, delta: RevocationList) -> bool:
    return delta.base is not None and delta.base <= base.number < delta.number


def _revocation(
    certificate: x509.Certificate,
    group: Sequence[RevocationList],
    base: RevocationList | None,
    delta: RevocationList | None,
) -> Status | None:
    """Return the revocation that the newest lists tell of, or one on an older list that nothing has taken back."""
    for each in (delta, base):
        if each is not None and (entry := each.entry(certificate)) is not None:
            reason = _reason(entry)
            if reason is x509.ReasonFlags.remove_from_crl and each is delta:
                return None
            return revokedStatus(_date(entry), reason, _name(each))
    known = (-1,) if base is None else (base.number, 0 if delta is None else delta.number)
    for each in group:
        newer = base is None or each.number > max(known)
        # Two lists that both say to be the newest: neither takes back what the other says.
        twin = base is not None and delta is None and each.base is None and _age(each) == _age(base)
        if (newer or twin) and (entry := each.entry(certificate)) is not None and _reason(entry) not in _NOT_FINAL:
            said = _name(each) if twin else f"{_name(each)}, which is out of date"
            return revokedStatus(_date(entry), _reason(entry), said)
    return None


_NOT_FINAL = frozenset({x509.ReasonFlags.certificate_hold, x509.ReasonFlags.remove_from_crl})


def _fault(each: RevocationList, certificate: x509.Certificate, signers: _Signers, at: datetime) -> str:
    if fault := each.faultFor(certificate):
        return f"{_name(each)} does not cover it: {fault}"
    if not signers:
        return f"{_name(each)} does not count: its issuer may not sign lists"
    if not signers.haveSigned(each):
        return f"{_name(each)} is badly signed"
    if at < each.thisUpdate:
        return f"{_name(each)} is not valid before {timeText(each.thisUpdate)}"
    return ""


def _lapsed(each: RevocationList) -> str:
    if each.nextUpdate is None:
        return f"{_name(each)} does not say until when it holds"
    if each.base is not None:
        return f"{_name(each)} is a delta list without the list that it adds to"
    return f"{_name(each)} expired at {timeText(each.nextUpdate)}"


class _Signers:
    """Whose signature counts on a list: the issuer's, or that of another key of the same name.

    The certificate of such a key must be one of the authorities' that the chain goes through, say that it signs lists,
    and be on no list itself. The list that says so is the one that the issuer itself had to be looked up in.
    """

    def __init__(
        self,
        issuers: Sequence[x509.Certificate],
        certificate: x509.Certificate,
        lists: Iterable[RevocationList],
        others: Sequence[x509.Certificate],
        at: datetime,
    ) -> None:
        self._issuers, self._name = issuers, issuerKey(certificate)
        self._lists, self._others, self._at = lists, others, at
        self._maySign = maySignLists(issuers[0], orHasNoUsage=True)

    def __bool__(self) -> bool:
        return self._maySign or bool(self._delegates)

    def haveSigned(self, each: RevocationList) -> bool:
        if self._maySign and each.isSignedBy(self._issuers[0]):
            return True
        return any(each.isSignedBy(delegate) for delegate in self._delegates)

    @cached_property
    def _delegates(self) -> list[x509.Certificate]:
        named = [each for each in dict.fromkeys(self._others) if _subjectKey(each) == self._name]
        candidates = [each for each in named if each != self._issuers[0] and maySignLists(each)]
        return [each for each in candidates[:_MOST_SIGNERS] if self._isDelegate(each)]

    def _isDelegate(self, candidate: x509.Certificate) -> bool:
        if not isValidAt(candidate, self._at):
            return False
        parent = next((each for each in self._issuers if hasIssued(each, candidate)), None)
        return parent is not None and not isListedBy(parent, candidate, self._lists)


def isListedBy(issuer: x509.Certificate, certificate: x509.Certificate, lists: Iterable[RevocationList]) -> bool:
    """Return whether a certificate is on any list that its issuer signed, current or not."""
    return any(
        each.entry(certificate) is not None and each.isSignedBy(issuer)
        for each in lists
        if each.issuer == issuerKey(certificate)
    )


def maySignLists(certificate: x509.Certificate, *, orHasNoUsage: bool = False) -> bool:
    """Return whether a certificate is for signing lists.

    Args:
        certificate: an authority's.
        orHasNoUsage: whether one that does not say what it is for counts as well.
    """
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return orHasNoUsage
    except REJECTIONS:
        return False


def _isAuthority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, *REJECTIONS):
        return False


def _onlyAbout(scope: x509.IssuingDistributionPoint) -> str:
    if scope.only_contains_attribute_certs:
        return "attributes"
    return "users" * scope.only_contains_user_certs or "authorities" * scope.only_contains_ca_certs


def _distributionPoints(certificate: x509.Certificate) -> Iterator[x509.DistributionPoint]:
    try:
        yield from certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, *REJECTIONS):
        return


def _listNames(issuer: x509.Name, scope: x509.IssuingDistributionPoint) -> frozenset[x509.GeneralName]:
    return _names(issuer, scope.full_name, scope.relative_name)


def _pointNames(issuer: x509.Name, point: x509.DistributionPoint) -> frozenset[x509.GeneralName]:
    return _names(issuer, point.full_name, point.relative_name) or frozenset(point.crl_issuer or ())


def _names(
    issuer: x509.Name,
    full: Iterable[x509.GeneralName] | None,
    relative: x509.RelativeDistinguishedName | None,
) -> frozenset[x509.GeneralName]:
    if relative is not None:
        return frozenset({x509.DirectoryName(x509.Name([*issuer.rdns, relative]))})
    return frozenset(full or ())


def _criticalEntry(crl: x509.CertificateRevocationList) -> str:
    for entry in crl:
        for extension in entry.extensions:
            if extension.critical and extension.oid not in _ENTRY_EXTENSIONS:
                number = extension.oid.dotted_string
                return f"an entry has the critical extension {number}, which is not known"
    return ""


def _date(entry: x509.RevokedCertificate) -> datetime | None:
    try:
        return entry.revocation_date_utc
    except REJECTIONS:
        return None


def _reason(entry: x509.RevokedCertificate) -> x509.ReasonFlags | None:
    try:
        return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except (x509.ExtensionNotFound, *REJECTIONS):
        return None


def _name(each: RevocationList) -> str:
    kind = "the list" if each.base is None else "the delta list"
    number = "" if each.number < 0 else f" {each.number}"
    return f"{kind}{number} of {_text(each.crl.issuer)}"


def _text(name: x509.Name) -> str:
    return printable(name.rfc4514_string())
