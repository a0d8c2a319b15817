"""The rules of form: what RFC 5280 and the Web PKI ask for and many private authorities do not do.

A chain that breaks one of them is no danger by itself, and refusing it would lock out what ``openssl req -x509``,
easy-rsa or a Windows authority makes. So under the profile ``compatible`` each is a warning. Who runs an authority by
the book says ``strict``, and then a breach is a refusal. How the certificate of an authority that is trusted is written
(`Rule.isOfForm`) is no reason even then: roots that all browsers trust have the serial number 0 or no key identifier.

Some that documents only recommend (SHOULD) are warnings under both. The limits of validity that browsers have agreed on
are not among the rules: they are a promise of public authorities to each other, no library checks them, and they say
nothing about a chain that a user trusts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from tlscomm.failures import printable
from tlscomm.verification._rule import Breach, PathPosition, Rule
from tlscomm.x509._addresses import isAddress
from tlscomm.x509._fields import SignedFields, signedFields
from tlscomm.x509._generalnames import UnreadableName, kindOf
from tlscomm.x509._issuers import hasIssued
from tlscomm.x509._keystrengths import WEB_PKI_CURVES, WEB_PKI_DIGESTS
from tlscomm.x509._nameconstraints import isDomain

__all__ = ["HYGIENE"]

_LONGEST_SERIAL = 20

_MUST_BE_CRITICAL = {
    ExtensionOID.INHIBIT_ANY_POLICY: "the inhibition of any policy",
    ExtensionOID.NAME_CONSTRAINTS: "the name constraints",
    ExtensionOID.POLICY_CONSTRAINTS: "the policy constraints",
}
_MUST_NOT_BE_CRITICAL = {
    ExtensionOID.CERTIFICATE_POLICIES: "the policies",
    ExtensionOID.CRL_DISTRIBUTION_POINTS: "the distribution points of lists",
    ExtensionOID.EXTENDED_KEY_USAGE: "the extended key usage",
    ExtensionOID.OCSP_NO_CHECK: "that it is not looked for in OCSP",
}
_OF_AUTHORITIES = {
    ExtensionOID.INHIBIT_ANY_POLICY: "the inhibition of any policy",
    ExtensionOID.NAME_CONSTRAINTS: "name constraints",
    ExtensionOID.POLICY_CONSTRAINTS: "policy constraints",
    ExtensionOID.POLICY_MAPPINGS: "policy mappings",
}

#: CA/Browser Forum BR, section 7.1.3.1.1: "byte-for-byte identical".
_RSA_ENCRYPTION = bytes.fromhex("300d06092a864886f70d0101010500")


def _probabilistic(digest: str, salt: str) -> str:
    hash = f"300d06096086480165030402{digest}0500"
    return f"304106092a864886f70d01010a3034a00f{hash}a11c301a06092a864886f70d010108{hash}a2030201{salt}"


#: CA/Browser Forum BR, section 7.1.3.2: ECDSA, RSA with PKCS #1, and RSASSA-PSS, "byte-for-byte identical".
_WEB_PKI_ALGORITHMS = frozenset(
    bytes.fromhex(algorithm)
    for algorithm in (
        *(f"300a06082a8648ce3d0403{digest}" for digest in ("02", "03", "04")),
        *(f"300d06092a864886f70d0101{digest}0500" for digest in ("0b", "0c", "0d")),
        *(_probabilistic("01", "20"), _probabilistic("02", "30"), _probabilistic("03", "40")),
    )
)

_GENERALIZED_TIME = 0x18
_UNIQUE_IDENTIFIERS = frozenset({0x81, 0x82, 0xA1, 0xA2})
#: RFC 5280, section 4.1.2.5: dates up to 2049 are UTCTime.
_FIRST_GENERALIZED = b"2050"


def _serialPositive(position: PathPosition) -> Iterator[str]:
    if position.certificate.serialNumber <= 0:
        yield "its serial number is not positive"


def _serialShort(position: PathPosition) -> Iterator[str]:
    octets = position.certificate.serialNumber.bit_length() // 8 + 1
    if octets > _LONGEST_SERIAL:
        yield f"its serial number has {octets} octets"


def _version(position: PathPosition) -> Iterator[str]:
    if position.certificate.certificate.version is not x509.Version.v3:
        yield "it is of version 1"


def _issuerNamed(position: PathPosition) -> Iterator[str]:
    if not position.certificate.issuer:
        yield "its issuer has no name"


def _form(position: PathPosition) -> Iterator[str]:
    if any(part.tag in _UNIQUE_IDENTIFIERS for part in _fields(position).optional):
        yield "it has a unique identifier"


def _times(position: PathPosition) -> Iterator[str]:
    for time in _fields(position).validity.parts():
        if time.tag == _GENERALIZED_TIME and time.value[:4] < _FIRST_GENERALIZED:
            yield "a date before 2050 is written as GeneralizedTime"


def _fields(position: PathPosition) -> SignedFields:
    return signedFields(position.certificate.certificate.tbs_certificate_bytes)


def _authorityKeyIdentifier(position: PathPosition) -> Iterator[str]:
    certificate = position.certificate
    if position.isAnchor and certificate.isSelfIssued:
        found = certificate.extension(ExtensionOID.AUTHORITY_KEY_IDENTIFIER)
        isOwn = certificate.authorityKeyIdentifier == certificate.subjectKeyIdentifier
        # An anchor may also be a new key that the old one of the same name has signed.
        if found is not None and not isOwn and hasIssued(certificate.certificate, certificate.certificate):
            yield "it is a root, and its authority key identifier is not its own"
    elif certificate.authorityKeyIdentifier is None and not position.isIssuingAnchor:
        yield "it has no authority key identifier"


def _subjectKeyIdentifier(position: PathPosition) -> Iterator[str]:
    if position.certificate.isAuthority and position.certificate.subjectKeyIdentifier is None:
        yield "it is an authority and has no subject key identifier"


def _criticalConstraints(position: PathPosition) -> Iterator[str]:
    found = position.certificate.extension(ExtensionOID.BASIC_CONSTRAINTS)
    if found is not None and found.value.ca and not found.critical:
        yield "the basic constraints of an authority are not critical"


def _criticalFlags(position: PathPosition) -> Iterator[str]:
    for extension in position.certificate.extensions:
        if not extension.critical and extension.oid in _MUST_BE_CRITICAL:
            yield f"{_MUST_BE_CRITICAL[extension.oid]} must be critical"


def _onlyOfAuthorities(position: PathPosition) -> Iterator[str]:
    if not position.certificate.isAuthority:
        for extension in position.certificate.extensions:
            if extension.oid in _OF_AUTHORITIES:
                yield f"it has {_OF_AUTHORITIES[extension.oid]}, and is no authority"


def _usageOfAuthority(position: PathPosition) -> Iterator[str]:
    if position.certificate.isAuthority and position.certificate.value(x509.KeyUsage) is None:
        yield "it is an authority and has no key usage"


def _usageCritical(position: PathPosition) -> Iterator[str]:
    usage = position.certificate.extension(ExtensionOID.KEY_USAGE)
    if usage is not None and not usage.critical:
        yield "its key usage is not critical"


def _usageOfOthers(position: PathPosition) -> Iterator[str]:
    usage = position.certificate.value(x509.KeyUsage)
    if usage is not None and usage.key_cert_sign and not position.certificate.isAuthority:
        yield "its key usage allows it to sign certificates, and it is no authority"


def _leafAuthority(position: PathPosition) -> Iterator[str]:
    if position.isLeaf and position.certificate.isAuthority:
        yield "it is an authority, and a peer presents it as its own"


def _leafPurpose(position: PathPosition) -> Iterator[str]:
    if position.isLeaf and position.certificate.purposes is None:
        yield "it has no extended key usage"
    if position.isLeaf and ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in (position.certificate.purposes or ()):
        yield "its extended key usage allows everything"


def _anchorPurpose(position: PathPosition) -> Iterator[str]:
    if (
        position.isAnchor
        and not position.isLeaf
        and position.certificate.isSelfIssued
        and position.certificate.purposes
    ):
        yield "it is a root and has an extended key usage"


def _leafNames(position: PathPosition) -> Iterator[str]:
    if position.isLeaf and not position.certificate.names:
        yield "it has no subject alternative name"


def _criticalNames(position: PathPosition) -> Iterator[str]:
    names = position.certificate.extension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    if not position.isLeaf or names is None:
        return
    if not position.certificate.subject and not names.critical:
        yield "its subject is empty and its alternative names are not critical"
    if position.certificate.subject and names.critical:
        yield "its subject is not empty and its alternative names are critical"


def _dnsNames(position: PathPosition) -> Iterator[str]:
    for name in _leafNamesOf(position, x509.DNSName):
        text = str(name.value).lower()
        if not isDomain(text.lower().removeprefix("*.")) or text.rpartition(".")[2].isdecimal():
            yield f"{_quoted(text)} is no DNS name"
        elif "_" in text:
            yield f"{_quoted(text)} has an underscore"
        elif text.startswith("*.") and "." not in text[2:]:
            yield f"{_quoted(text)} stands for all of a top-level domain"


def _addresses(position: PathPosition) -> Iterator[str]:
    for name in _leafNamesOf(position, x509.IPAddress):
        if isinstance(name.value, IPv4Network | IPv6Network):
            yield f"{_quoted(str(name.value))} is not one IP address"


def _otherNames(position: PathPosition) -> Iterator[str]:
    for name in _leafNamesOf(position, UnreadableName):
        yield f"{_quoted(str(name.value))} is no {kindOf(name).text}"
    for name in _leafNamesOf(position, x509.UniformResourceIdentifier):
        if not _isAbsolute(str(name.value)):
            yield f"{_quoted(str(name.value))} is no absolute URI"
    for name in _leafNamesOf(position, x509.RFC822Name):
        local, _, host = str(name.value).rpartition("@")
        if not local or not isDomain(host.lower()):
            yield f"{_quoted(str(name.value))} is no mail address"


def _commonName(position: PathPosition) -> Iterator[str]:
    if not position.isLeaf or position.role != "server":
        return
    names = {str(name.value) for name in position.certificate.names}
    for attribute in position.certificate.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        # Free text, a product's name for one, is not taken for a name.
        if attribute.value not in names and _readsAsAName(str(attribute.value)):
            yield f"its common name {_quoted(str(attribute.value))} is none of its alternative names"


def _readsAsAName(text: str) -> bool:
    return isAddress(text) or ("." in text and isDomain(text.removeprefix("*.")))


def _constraintForm(position: PathPosition) -> Iterator[str]:
    if position.certificate.subtrees is not None:
        yield from position.certificate.subtrees.peculiarities


def _key(position: PathPosition) -> Iterator[str]:
    key = position.certificate.key
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size % 8:
            yield f"its RSA key has {key.key_size} bits, which is no multiple of 8"
        if _keyAlgorithm(position) != _RSA_ENCRYPTION:
            yield "its RSA key is not called rsaEncryption, with parameters that are NULL"
    elif not (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, WEB_PKI_CURVES)):
        yield "its key is neither an RSA key nor one on P-256, P-384 or P-521"


def _keyAlgorithm(position: PathPosition) -> bytes:
    return _fields(position).subjectPublicKeyInfo.parts()[0].encoded


def _exponent(position: PathPosition) -> Iterator[str]:
    key = position.certificate.key
    if isinstance(key, rsa.RSAPublicKey) and (e := key.public_numbers().e) <= 1 << 16:
        yield f"the exponent of its RSA key is {e}"


def _signature(position: PathPosition) -> Iterator[str]:
    if position.isAnchor and not position.certificate.agreesOnAlgorithm:
        yield "its signature is of another algorithm than the one that was signed"
    digest = position.certificate.certificate.signature_hash_algorithm
    # A key of another kind signs without a digest, and is named by itself.
    if position.isAnchor or digest is None:
        return
    if not isinstance(digest, WEB_PKI_DIGESTS):
        yield f"it is signed with {digest.name}"
    elif _signatureAlgorithm(position) not in _WEB_PKI_ALGORITHMS:
        yield "the algorithm of its signature is not written as it has to be"


def _signatureAlgorithm(position: PathPosition) -> bytes:
    return _fields(position).signature.encoded


def _sameName(position: PathPosition) -> Iterator[Breach]:
    subject = position.certificate.certificate.subject.public_bytes()
    if position.below and position.below[-1].certificate.issuer.public_bytes() != subject:
        yield Breach("its issuer's name is written in another way than the issuer writes it", position.depth - 1)


def _notCritical(position: PathPosition) -> Iterator[str]:
    for extension in position.certificate.extensions:
        if extension.critical and extension.oid in _MUST_NOT_BE_CRITICAL:
            yield f"{_MUST_NOT_BE_CRITICAL[extension.oid]} must not be critical"


def _leafNamesOf(position: PathPosition, kind: type[x509.GeneralName]) -> Iterable[x509.GeneralName]:
    return (name for name in position.certificate.names if isinstance(name, kind)) if position.isLeaf else ()


def _isAbsolute(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path))


def _quoted(text: str) -> str:
    # What is empty, or has spaces around it, cannot be seen in a sentence by itself.
    return printable(text if text and text == text.strip() else repr(text), 80)


def _rule(name: str, source: str, about: str, check: object, weight: str = "strict", *, isOfForm: bool = False) -> Rule:
    return Rule(
        name=name,
        source=source,
        code="invalid-certificate",
        about=about,
        weight=weight,  # type: ignore[arg-type]
        check=check,  # type: ignore[arg-type]
        isOfForm=isOfForm,
    )


def _ofForm(name: str, source: str, about: str, check: object) -> Rule:
    return _rule(name, source, about, check, isOfForm=True)


_RFC = "RFC 5280, section "
_CABF = "CA/Browser Forum BR, section "

HYGIENE: tuple[Rule, ...] = (
    _ofForm("serial-positive", f"{_RFC}4.1.2.2", "The serial number is more than 0.", _serialPositive),
    _ofForm("serial-short", f"{_RFC}4.1.2.2", "The serial number has no more than 20 octets.", _serialShort),
    _rule("version-3", f"{_RFC}4.1.2.1", "Every certificate is of version 3.", _version),
    _ofForm("issuer-has-name", f"{_RFC}4.1.2.4", "The issuer has a name.", _issuerNamed),
    _ofForm("dates", f"{_RFC}4.1.2.5", "Dates up to 2049 are written as UTCTime.", _times),
    _ofForm("no-unique-identifier", f"{_RFC}4.1.2.8", "There are no unique identifiers of names.", _form),
    _rule(
        "authority-key-identifier",
        f"{_RFC}4.2.1.1",
        "Every certificate but the trusted one has an authority key identifier; that of a root, where there is one, is "
        "its own.",
        _authorityKeyIdentifier,
    ),
    _ofForm(
        "subject-key-identifier",
        f"{_RFC}4.2.1.2",
        "Every authority has a subject key identifier.",
        _subjectKeyIdentifier,
    ),
    _ofForm("authority-has-usage", f"{_RFC}4.2.1.3", "Every authority has a key usage.", _usageOfAuthority),
    _rule("only-authorities-sign", f"{_RFC}4.2.1.9", "Only authorities may sign certificates.", _usageOfOthers),
    _ofForm(
        "basic-constraints-critical",
        f"{_RFC}4.2.1.9",
        "The basic constraints of an authority are critical.",
        _criticalConstraints,
    ),
    _ofForm(
        "critical-flags",
        f"{_RFC}4.2.1.10, 11 and 14",
        "Name constraints and constraints of policies are critical.",
        _criticalFlags,
    ),
    _rule(
        "only-authorities-constrain",
        f"{_RFC}4.2.1.10",
        "Only authorities have name constraints and constraints of policies.",
        _onlyOfAuthorities,
    ),
    _rule(
        "name-constraint-form",
        f"{_RFC}4.2.1.10",
        "No name constraint for DNS names begins with a dot; where one does, it is for all names below it.",
        _constraintForm,
    ),
    _rule("end-entity", f"{_CABF}7.1.2.7.8", "The peer's own certificate is no authority's.", _leafAuthority),
    _rule(
        "end-entity-purpose",
        f"{_CABF}7.1.2.7.10",
        "The peer's certificate has an extended key usage, and not anyExtendedKeyUsage.",
        _leafPurpose,
    ),
    _rule("root-purpose", f"{_CABF}7.1.2.1", "A root has no extended key usage.", _anchorPurpose),
    _rule("alternative-names", f"{_RFC}4.2.1.6", "The peer's certificate has alternative names.", _leafNames),
    _rule(
        "alternative-names-critical",
        f"{_CABF}7.1.2.7.12",
        "The alternative names are critical where the subject is empty, and only there.",
        _criticalNames,
    ),
    _rule(
        "dns-names",
        f"{_CABF}7.1.4.2",
        "DNS names are host names without underscores and are no addresses; a wildcard is the whole first label of "
        "three or more.",
        _dnsNames,
    ),
    _rule("addresses", f"{_RFC}4.2.1.6", "An IP address is one address.", _addresses),
    _rule("other-names", f"{_RFC}4.2.1.6", "URIs are absolute, and mail addresses are such.", _otherNames),
    _rule(
        "web-pki-key",
        f"{_CABF}6.1.5 and 7.1.3.1",
        "Keys are RSA keys (rsaEncryption) of a multiple of 8 bits, or on the curves P-256, P-384 or P-521.",
        _key,
    ),
    _rule(
        "web-pki-signature",
        f"{_CABF}7.1.3.2",
        "Signatures use SHA-256, SHA-384 or SHA-512. Those of roots, too, are of the algorithm that the signed part "
        "names.",
        _signature,
    ),
    Rule(
        name="same-name",
        source=f"{_CABF}7.1.4.1",
        code="invalid-certificate",
        about="The name of an issuer is written byte by byte as the issuer's certificate writes it.",
        weight="strict",
        isFixed=False,
        check=_sameName,
    ),
    _ofForm(
        "not-critical",
        f"{_CABF}7.1.2.7 and 11",
        "Policies, extended key usages, distribution points of lists and the like are not critical.",
        _notCritical,
    ),
    _rule("usage-critical", f"{_RFC}4.2.1.3", "A key usage is critical.", _usageCritical, "never"),
    _rule("exponent", f"{_CABF}6.1.6", "The exponent of an RSA key is more than 65536.", _exponent, "never"),
    _rule(
        "common-name",
        f"{_CABF}7.1.4.3",
        "A server's common name that reads as a domain or an address is one of its alternative names. It is never "
        "looked at otherwise.",
        _commonName,
        "never",
    ),
)
