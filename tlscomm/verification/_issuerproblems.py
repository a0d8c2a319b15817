"""Why an issuer was not found, in the words of a person who has to mend it.

OpenSSL's error is one for all of these: no authority that is trusted fits. Whether an intermediate is missing, another
authority is trusted, or the right one is there and an identifier points elsewhere, shows in the certificates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from tlscomm.failures import Problem, printable
from tlscomm.verification._trust import Trust
from tlscomm.x509._certificate import parsedCertificate
from tlscomm.x509._facts import authoritiesText, subjectText
from tlscomm.x509._signatures import hasSigned
from tlscomm.x509._unreadable import REJECTIONS

__all__ = ["isOfKnownAlgorithm", "issuerProblem", "trustedText"]

#: Namesakes of one authority that are looked at; each costs a signature.
_MOST_NAMESAKES = 2

_WORDS = re.compile(r"[^\W\d_]{3,}")

_NO_ROOTS = (
    "Name the authorities to trust: --client-roots on a server, --roots on a client and with tlscomm verify. None were "
    "given."
)
_EITHER = (
    "If {issuer} is an intermediate of an authority that is trusted, send its certificate along: append it to the "
    "certificate's PEM file, or export the PFX with its chain. If it is another authority, it must be trusted "
    "(--client-roots on the server, --roots on the client)."
)
_IDENTIFIER = (
    "Have the certificate issued again by the authority as it is now, or trust the authority's certificate that the "
    "identifier names as well."
)


def issuerProblem(problem: Problem, chain: Sequence[x509.Certificate], trust: Trust | None) -> Problem:
    """Tell a missing intermediate from an authority that is not trusted, and from one that only seems another.

    Above the peer's own certificate an authority was sent and is not trusted. For the peer's own, what the certificates
    say of each other decides:

    * without any authority that is trusted none can be missing;
    * a trusted authority with the issuer's name has another key, or only an identifier differs;
    * an issuer that the authority key identifier shows to be its own issuer is a root, not an intermediate;
    * below trusted authorities that may have no intermediates (path length 0) none can be missing;
    * an issuer of an organisation that no trusted authority belongs to is foreign, and so is one that calls itself a
      root;
    * the system's authorities say in what they issue where their certificates are; what does not is from elsewhere.

    Otherwise the intermediate is taken to be missing, which is by far the commonest mistake.

    Args:
        problem: what OpenSSL found.
        chain: what it was found in, the end entity's certificate first.
        trust: whom the judge trusts, or None where only an external context knows.
    """
    certificate = chain[min(problem.depth, len(chain) - 1)]
    if malformed := parsedCertificate(certificate).malformation:
        # OpenSSL finds no issuer for what it cannot read.
        return replace(problem, code="invalid-certificate", detail=malformed)
    issuer, trusted = printable(certificate.issuer.rfc4514_string()), trustedText(trust)
    above = f"the chain of {subjectText(chain[0])} ends there" if problem.depth else ""
    if certificate.issuer == certificate.subject:
        return replace(problem, detail=_joined("its own issuer", above, trusted))
    anchors = _readable(trust)
    namesakes = [anchor for anchor in anchors if anchor.subject == certificate.issuer]
    said = [_difference(certificate, anchor) for anchor in islice(namesakes, _MOST_NAMESAKES)]
    if said:
        isSameKey = any(sameKey for sameKey, _ in said)
        detail = _joined(f"issued by {issuer}", *(text for sameKey, text in said if sameKey == isSameKey))
        return replace(problem, detail=detail, remedy=_IDENTIFIER if isSameKey else "")
    detail = _joined(f"issued by {issuer}", above, trusted)
    if trust is not None and trust.isNone:
        return replace(problem, detail=detail, remedy=_NO_ROOTS)
    if problem.depth > 0 or _isForeign(certificate, anchors, trust):
        return replace(problem, detail=detail)
    return replace(problem, code="incomplete-chain", detail=detail, remedy=_EITHER.format(issuer=issuer))


def trustedText(trust: Trust | None) -> str:
    """Return whom a judge trusts, as a clause; nothing where it is not known."""
    if trust is None:
        return ""
    if trust.isNone:
        return "no authority is trusted"
    if not trust.named:
        return "the trusted authorities are those of the system"
    names = authoritiesText(dict.fromkeys(anchor.subject for anchor in _readable(trust)))
    return f"trusted is {names}"


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _readable(trust: Trust | None) -> list[x509.Certificate]:
    anchors = () if trust is None else trust.anchors
    return [anchor for anchor in anchors if not parsedCertificate(anchor).malformation]


def _difference(certificate: x509.Certificate, anchor: x509.Certificate) -> tuple[bool, str]:
    """Return whether a trusted namesake of the issuer may have signed a certificate, and why it is not the issuer."""
    if not hasSigned(parsedCertificate(anchor), parsedCertificate(certificate)):
        if isOfKnownAlgorithm(certificate, anchor):
            return False, "a trusted authority has this name, but another key"
        number = certificate.signature_algorithm_oid.dotted_string
        return True, f"a trusted authority has this name, and the signature, of the algorithm {number}, is unknown here"
    differences = list(_identifierDifferences(certificate, anchor))
    if not differences and not _maySign(anchor):
        differences = ["the key usage of its certificate does not allow it to sign certificates"]
    said = ", ".join(differences) or "OpenSSL does not take its certificate for the issuer's"
    return True, f"a trusted authority has this name and this key, but {said}"


def isOfKnownAlgorithm(certificate: x509.Certificate, anchor: x509.Certificate) -> bool:
    """Return whether the cryptography package can tell whether an authority's key has signed a certificate."""
    try:
        certificate.verify_directly_issued_by(anchor)
    except InvalidSignature:
        return True
    except REJECTIONS:
        return False
    return True


def _identifierDifferences(certificate: x509.Certificate, anchor: x509.Certificate) -> Iterable[str]:
    """Say what the identifier (RFC 5280, section 4.2.1.1) names that the authority's certificate is not."""
    identifier = parsedCertificate(certificate).value(x509.AuthorityKeyIdentifier)
    if identifier is None:
        return
    has = parsedCertificate(anchor).value(x509.SubjectKeyIdentifier)
    if identifier.key_identifier is not None and has is not None and identifier.key_identifier != has.digest:
        yield (
            f"the authority key identifier names the key {identifier.key_identifier.hex()}, and that certificate says "
            f"{has.digest.hex()}"
        )
    number = identifier.authority_cert_serial_number
    if number is not None and number != anchor.serial_number:
        yield (
            f"the authority key identifier names the certificate with the serial number {number:x}, and the trusted "
            f"one has {anchor.serial_number:x}"
        )
    named = _issuersIssuer(certificate)
    if named is not None and named != anchor.issuer:
        yield f"the authority key identifier names one issued by {printable(named.rfc4514_string())}"


def _maySign(anchor: x509.Certificate) -> bool:
    usage = parsedCertificate(anchor).value(x509.KeyUsage)
    return usage is None or usage.key_cert_sign


def _isForeign(certificate: x509.Certificate, anchors: Sequence[x509.Certificate], trust: Trust | None) -> bool:
    if (grandparent := _issuersIssuer(certificate)) is not None:
        return not any(anchor.subject == grandparent for anchor in anchors)
    if trust is not None and (not anchors or not trust.named):
        # Of the system's authorities each says where its certificates are to be had.
        return trust.isNone or not _saysWhereIssuersAre(certificate)
    if not anchors:
        return False
    if all(_pathLength(anchor) == 0 for anchor in anchors):
        return True
    issuer, trusted = _organizations(certificate.issuer), [_organizations(a.subject) for a in anchors]
    if issuer and all(trusted):
        return not any(issuer & names for names in trusted)
    return _isRoot(certificate.issuer)


def _issuersIssuer(certificate: x509.Certificate) -> x509.Name | None:
    identifier = parsedCertificate(certificate).value(x509.AuthorityKeyIdentifier)
    if identifier is None:
        return None
    names = [name.value for name in identifier.authority_cert_issuer or () if isinstance(name, x509.DirectoryName)]
    return names[0] if names else None


def _saysWhereIssuersAre(certificate: x509.Certificate) -> bool:
    places = parsedCertificate(certificate).value(x509.AuthorityInformationAccess)
    return any(each.access_method == AuthorityInformationAccessOID.CA_ISSUERS for each in places or ())


def _pathLength(authority: x509.Certificate) -> int | None:
    constraints = parsedCertificate(authority).value(x509.BasicConstraints)
    return None if constraints is None else constraints.path_length


def _organizations(name: x509.Name) -> set[str]:
    return {str(attribute.value).casefold() for attribute in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)}


def _isRoot(name: x509.Name) -> bool:
    """Return whether an authority calls itself a root, by the last word of its name that is no number and no "CA"."""
    common = " ".join(str(each.value)[:200] for each in name.get_attributes_for_oid(NameOID.COMMON_NAME))
    words = [word for word in _WORDS.findall(common.casefold()) if word != "authority"]
    return bool(words) and words[-1] == "root"
