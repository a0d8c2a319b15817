"""What revocation lists say of a certificate (RFC 5280, sections 5 and 6.3).

OpenSSL checks lists too, and not well enough: of two lists with the same date it takes the first that it was given, and
a list that is badly signed it passes over without a word. So the decision is made here, and every reason that a list
does not count has a sentence of its own.

Four rules beyond those of the RFC:

* Only a list that is current can say that a certificate is good. One that has expired, or that does not say until when
  it holds, can still say that it was revoked: a revocation is final, but for ``certificateHold``.
* A revocation date in the future counts already. Its authority does not want the certificate trusted any more.
* Where the rules are strict, a list that its authority has not made as it must says of no certificate that it is good.
* Indirect lists, in which one authority speaks for others, are not read, and are named as not covering anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import Literal

from cryptography import x509

from tlscomm._dataclasses import dataclass
from tlscomm.failures import printable
from tlscomm.failures._wording import timeText
from tlscomm.revocation._revocationlist import ALL_REASONS, Kind, RevocationList, kindOf
from tlscomm.x509 import _issuers
from tlscomm.x509._canonicalname import CanonicalName, canonicalName
from tlscomm.x509._extensions import extensionsOf
from tlscomm.x509._remembering import remembering
from tlscomm.x509._unreadable import REJECTIONS
from tlscomm.x509._validity import isValidAt

__all__ = [
    "GOOD",
    "Status",
    "hasIssued",
    "isListedBy",
    "issuerKey",
    "maySignLists",
    "revokedStatus",
    "statusByLists",
]

#: How many certificates besides the issuer's are tried as a list's signer.
_MOST_SIGNERS = 4
#: Of how many lists it is told why they do not count.
_MOST_TOLD = 4


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


def statusByLists(
    issuers: Sequence[x509.Certificate],
    certificate: x509.Certificate,
    lists: Iterable[RevocationList],
    others: Sequence[x509.Certificate],
    at: datetime,
    *,
    isStrict: bool = False,
) -> Status:
    """Return what lists say of a certificate.

    Args:
        issuers: the certificate of its issuer, then of that one's, up to the trust anchor.
        certificate: whose status is wanted.
        lists: those that bear its issuer's name, and perhaps the names of the authorities above.
        others: certificates that may have signed a list in the issuer's place.
        at: the time to judge for.
        isStrict: whether lists have to keep the rules for who makes them.
    """
    issuer = issuerKey(certificate)
    named = [each for each in lists if issuer and each.issuer == issuer]
    if not named:
        name = _text(certificate.issuer) if issuer else "(unreadable)"
        return Status("revocation-unknown", f"no list of its issuer {name} is known")
    signers = _Signers(issuers, certificate, lists, others, at)
    usable: list[RevocationList] = []
    faults: list[str] = []
    kind = kindOf(certificate)
    for each in named:
        if fault := _fault(each, kind, signers, at):
            faults.append(fault)
        else:
            usable.append(each)
    return _concluded(certificate, usable, faults, at, isStrict)


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
    certificate: x509.Certificate, usable: Sequence[RevocationList], faults: Sequence[str], at: datetime, isStrict: bool
) -> Status:
    """Return the status that the lists which may speak of a certificate come to, each scope by itself."""
    covered: frozenset[x509.ReasonFlags] = frozenset()
    said: list[str] = []
    byScope: dict[x509.IssuingDistributionPoint | None, list[RevocationList]] = {}
    for each in usable:
        byScope.setdefault(each.scope, []).append(each)
    for group in byScope.values():
        base, delta = _newest(group, at)
        if revoked := _revocation(certificate, group, base, delta):
            return revoked
        if base is None:
            said.extend(_lapsed(each) for each in group)
        elif isStrict and (malformed := tuple(_malformed(base, delta))):
            said.extend(malformed)
        else:
            covered |= base.reasonsFor(kindOf(certificate))
    if covered >= ALL_REASONS:
        return GOOD
    if covered:
        missing = ", ".join(sorted(reason.value for reason in ALL_REASONS - covered))
        said.append(f"the known lists do not tell of these reasons: {missing}")
    told = [*dict.fromkeys((*said, *faults))]
    if len(told) > _MOST_TOLD:
        told[_MOST_TOLD:] = [f"and {len(told) - _MOST_TOLD} more lists do not tell either"]
    return Status("revocation-unknown", "; ".join(told))


def _malformed(base: RevocationList, delta: RevocationList | None) -> Iterator[str]:
    for each in (base, delta):
        if each is not None and each.deviations:
            yield f"{each.description} breaks RFC 5280, section 5.2: {', '.join(each.deviations)}"


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
            return revokedStatus(_date(entry), reason, each.description)
    known = (-1,) if base is None else (base.number, 0 if delta is None else delta.number)
    for each in group:
        newer = base is None or each.number > max(known)
        # Two lists that both say to be the newest: neither takes back what the other says.
        twin = base is not None and delta is None and each.base is None and _age(each) == _age(base)
        if (newer or twin) and (entry := each.entry(certificate)) is not None and _reason(entry) not in _NOT_FINAL:
            said = each.description if twin else f"{each.description}, which is out of date"
            return revokedStatus(_date(entry), _reason(entry), said)
    return None


_NOT_FINAL = frozenset({x509.ReasonFlags.certificate_hold, x509.ReasonFlags.remove_from_crl})


def _fault(each: RevocationList, kind: Kind, signers: _Signers, at: datetime) -> str:
    if fault := each.faultFor(kind):
        return f"{each.description} does not cover it: {fault}"
    if not signers:
        return f"{each.description} does not count: its issuer may not sign lists"
    if not signers.haveSigned(each):
        return f"{each.description} is badly signed"
    if at < each.thisUpdate:
        return f"{each.description} is not valid before {timeText(each.thisUpdate)}"
    return ""


def _lapsed(each: RevocationList) -> str:
    if each.nextUpdate is None:
        return f"{each.description} does not say until when it holds"
    if each.base is not None:
        return f"{each.description} is a delta list without the list that it adds to"
    return f"{each.description} expired at {timeText(each.nextUpdate)}"


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
        return extensionsOf(certificate).get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return orHasNoUsage
    except REJECTIONS:
        return False


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


def _text(name: x509.Name) -> str:
    return printable(name.rfc4514_string())
