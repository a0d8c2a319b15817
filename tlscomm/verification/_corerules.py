"""The rules that every chain has to keep, whatever the profile (RFC 5280, section 6).

OpenSSL has checked most of them too. They are checked again because a chain that OpenSSL did not build has to be judged
while it is built, because OpenSSL stops where a person wants to know of everything, and because it lets a few things
pass: a wildcard that stands for an excluded name, an authority that has no basic constraints.

That each certificate is signed by the next one, and that the last one is trusted, is seen to where paths are built
(`tlscomm.verification._paths`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID

from tlscomm.verification._policies import policyViolation
from tlscomm.verification._rule import Breach, PathPosition, Rule
from tlscomm.x509._keystrengths import (
    LARGEST_EXPONENT,
    LARGEST_FACTORED,
    SMALLEST_CURVE,
    SMALLEST_FACTORED,
    digestWeakness,
    keyWeakness,
)
from tlscomm.x509._keyusages import handshakeUsageProblem
from tlscomm.x509._purposes import purposeFor, purposesText
from tlscomm.x509._validity import validityText

__all__ = ["CORE"]

#: A hundred thousand comparisons take a second; ten thousand names are as many as any has.
_HEAVIEST_NAMES = 16384
#: Of the names of one certificate that an authority may not issue for, and of its extensions that are not known.
_MOST_TOLD = 8

#: The extensions that are understood here, by OpenSSL (which takes no others), or by who looks at revocation.
_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.INHIBIT_ANY_POLICY,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.OCSP_NO_CHECK,
        ExtensionOID.POLICY_CONSTRAINTS,
        ExtensionOID.POLICY_MAPPINGS,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)


def _readable(position: PathPosition) -> Iterator[str]:
    if position.certificate.malformation:
        yield position.certificate.malformation


def _version(position: PathPosition) -> Iterator[str]:
    if position.certificate.certificate.version is x509.Version.v1 and position.certificate.extensions:
        yield "it is of version 1 and has extensions"


def _algorithms(position: PathPosition) -> Iterator[str]:
    if not position.isAnchor and not position.certificate.agreesOnAlgorithm:
        yield "its signature is of another algorithm than the one that was signed"


def _notAfter(position: PathPosition) -> Iterator[str]:
    if position.at > position.certificate.certificate.not_valid_after_utc:
        yield validityText("expired", position.certificate.certificate)


def _notBefore(position: PathPosition) -> Iterator[str]:
    if position.at < position.certificate.certificate.not_valid_before_utc:
        yield validityText("not-yet-valid", position.certificate.certificate)


def _critical(position: PathPosition) -> Iterator[str]:
    extensions = position.certificate.extensions
    unknown = [each.oid.dotted_string for each in extensions if each.critical and each.oid not in _UNDERSTOOD]
    for oid in unknown[:_MOST_TOLD]:
        yield f"its critical extension {oid} is not known here"
    if len(unknown) > _MOST_TOLD:
        yield f"{len(unknown) - _MOST_TOLD} more of its critical extensions are not known here"


def _subjectOfAuthority(position: PathPosition) -> Iterator[str]:
    if not position.isLeaf and not position.certificate.subject:
        yield "it is an authority without a name"


def _authority(position: PathPosition) -> Iterator[str]:
    certificate = position.certificate
    if position.isLeaf or certificate.isAuthority:
        return
    if certificate.certificate.version is x509.Version.v1:
        yield "it is of version 1, in which nothing tells an authority from the certificate of a peer"
    else:
        yield "it issues certificates and its basic constraints do not make it an authority"


def _maySign(position: PathPosition) -> Iterator[str]:
    usage = position.certificate.value(x509.KeyUsage)
    if not position.isLeaf and usage is not None and not usage.key_cert_sign:
        yield "its key usage does not allow it to sign certificates"


def _pathLength(position: PathPosition) -> Iterator[str]:
    constraints = position.certificate.value(x509.BasicConstraints)
    if position.isLeaf or constraints is None or constraints.path_length is None:
        return
    # A self-issued certificate is a change of keys and not an authority more (RFC 5280, section 6.1.4, l).
    below = sum(not each.isSelfIssued for each in position.below[1:])
    if below > constraints.path_length:
        yield f"{below} authorities are below it, and its path length constraint allows {constraints.path_length}"


def _depth(position: PathPosition) -> Iterator[str]:
    between = position.depth - 1 if position.isAnchor else position.depth
    if between > position.maximumDepth:
        yield f"more than {position.maximumDepth} authorities are between the certificate and the one that is trusted"


def _purpose(position: PathPosition) -> Iterator[str]:
    purposes = position.certificate.purposes
    if purposes is not None and purposeFor(position.role).oid not in purposes:
        if position.isLeaf:
            yield f"it is presented by a {position.role}, and its extended key usage has {purposesText(purposes)}"
        else:
            yield f"it issues for a {position.role}, and its extended key usage has {purposesText(purposes)}"


def _usage(position: PathPosition) -> Iterator[str]:
    if position.isLeaf and (misuse := handshakeUsageProblem(position.certificate.value(x509.KeyUsage))):
        yield misuse


def _nameConstraints(position: PathPosition) -> Iterator[Breach]:
    if (subtrees := position.certificate.subtrees) is None:
        return
    for depth, below in enumerate(position.below):
        # RFC 5280, section 6.1.3 (b) and (c): not self-issued ones, but always the end entity's.
        if depth == 0 or not below.isSelfIssued:
            if below.weightOfNames > _HEAVIEST_NAMES:
                yield Breach("it has more names than are compared with name constraints", depth)
                continue
            for violation in islice(subtrees.violations(below.constrainedNames, below.subjectMailboxes), _MOST_TOLD):
                yield Breach(violation, depth)


def _policies(position: PathPosition) -> Iterator[Breach]:
    if position.isAnchor and (violation := policyViolation(position.certificate, position.below)):
        yield Breach(violation, 0)


def _key(position: PathPosition) -> Iterator[str]:
    if position.certificate.key is None:
        yield "its public key cannot be read, or is of a kind that is not known here"


def _keyStrength(position: PathPosition) -> Iterator[str]:
    if weakness := keyWeakness(position.certificate.key):
        yield f"it has {weakness}"


def _signatureStrength(position: PathPosition) -> Iterator[str]:
    # The signature of what is trusted is not looked at.
    if position.isAnchor:
        return
    try:
        weakness = digestWeakness(position.certificate.certificate)
    except UnsupportedAlgorithm:
        yield "its signature is of an algorithm that is not known here"
        return
    if weakness:
        yield f"it is signed with {weakness}"


def _core(name: str, source: str, code: str, about: str, **more: object) -> Rule:
    return Rule(name=name, source=source, code=code, about=about, **more)  # type: ignore[arg-type]


CORE: tuple[Rule, ...] = (
    _core(
        "readable",
        "RFC 5280, section 4.1",
        "invalid-certificate",
        "Every part of it can be read, and no extension occurs twice.",
        check=_readable,
        isOfReading=True,
    ),
    _core(
        "extensions-of-version-3",
        "RFC 5280, section 4.1.2.9",
        "invalid-certificate",
        "A certificate with extensions is of version 3.",
        check=_version,
    ),
    _core(
        "same-algorithm",
        "RFC 5280, section 4.1.1.2",
        "invalid-certificate",
        "The signature is of the algorithm that the signed part names.",
        check=_algorithms,
    ),
    _core(
        "not-after",
        "RFC 5280, section 4.1.2.5",
        "expired",
        "No certificate of the chain has expired, the trusted one included.",
        check=_notAfter,
        openssl=frozenset({10}),
        isFixed=False,
    ),
    _core(
        "not-before",
        "RFC 5280, section 4.1.2.5",
        "not-yet-valid",
        "The validity of every certificate has begun.",
        check=_notBefore,
        openssl=frozenset({9}),
        isFixed=False,
    ),
    _core(
        "authority",
        "RFC 5280, section 4.2.1.9",
        "not-permitted",
        "The basic constraints of every issuer make it an authority, those of the trusted one as well.",
        check=_authority,
        openssl=frozenset({24, 79}),
    ),
    _core(
        "may-sign",
        "RFC 5280, section 4.2.1.3",
        "not-permitted",
        "The key usage of an issuer, where there is one, allows it to sign certificates.",
        check=_maySign,
        openssl=frozenset({32, 79}),
    ),
    _core(
        "authority-has-name",
        "RFC 5280, section 4.1.2.6",
        "invalid-certificate",
        "Every issuer has a name.",
        check=_subjectOfAuthority,
    ),
    _core(
        "path-length",
        "RFC 5280, section 4.2.1.9",
        "chain-too-long",
        "No issuer has more authorities below it than its path length constraint allows; self-issued ones do not "
        "count.",
        check=_pathLength,
        openssl=frozenset({25}),
        isFixed=False,
    ),
    _core(
        "maximum-depth",
        "the configuration",
        "chain-too-long",
        "No more authorities than allowed are between the peer's certificate and the trusted one.",
        check=_depth,
        openssl=frozenset({22}),
        isFixed=False,
    ),
    _core(
        "purpose",
        "RFC 5280, section 4.2.1.12",
        "wrong-purpose",
        "An extended key usage names the role of the peer, in its own certificate and in every issuer that has one.",
        check=_purpose,
        openssl=frozenset({26}),
    ),
    _core(
        "usage",
        "RFC 8446, section 4.4.2.2",
        "wrong-purpose",
        "The key usage of the peer's certificate, where there is one, allows signatures (digitalSignature).",
        check=_usage,
        openssl=frozenset({26}),
    ),
    _core(
        "critical-extension",
        "RFC 5280, section 4.2",
        "not-permitted",
        "Every critical extension is known.",
        check=_critical,
        openssl=frozenset({34}),
    ),
    _core(
        "key-known",
        "RFC 5280, section 4.1.2.7",
        "invalid-certificate",
        "The public key can be read and is of a known kind.",
        check=_key,
        openssl=frozenset({6}),
    ),
    _core(
        "key-strength",
        "NIST SP 800-57, part 1",
        "key-too-weak",
        f"RSA and DSA keys have {SMALLEST_FACTORED} bits or more (and no more than {LARGEST_FACTORED}), curves "
        f"{SMALLEST_CURVE}; an RSA exponent is odd, not 1, and has no more than {LARGEST_EXPONENT} bits.",
        check=_keyStrength,
        openssl=frozenset({66, 67}),
    ),
    _core(
        "signature-strength",
        "RFC 9155",
        "key-too-weak",
        "No signature but that of the trusted certificate is made with MD5 or SHA-1.",
        check=_signatureStrength,
        openssl=frozenset({68}),
    ),
    _core(
        "policies",
        "RFC 5280, section 6.1",
        "not-permitted",
        "Where an authority demands a policy, one holds all the way down; mappings and inhibitions are followed.",
        check=_policies,
        openssl=frozenset({42, 43}),
        isFixed=False,
    ),
    _core(
        "name-constraints",
        "RFC 5280, section 4.2.1.10",
        "not-permitted",
        "Every name is one that all issuers above it may issue for: DNS names, wildcards for all that they stand for, "
        "addresses, mail addresses, URIs and subjects.",
        check=_nameConstraints,
        openssl=frozenset({47, 48, 49, 51, 52, 53}),
        isFixed=False,
    ),
)
