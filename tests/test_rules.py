"""Each rule for chains has its name, and is insisted on under the profiles that the table says."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
from twisted.trial.unittest import SynchronousTestCase

from tests.chains import (
    NAME,
    NOW,
    Parts,
    extensionsEdited,
    intermediate,
    judged,
    leaf,
    remade,
    root,
    rsaKey,
    rsaRoot,
    weaklySigned,
)
from tests.pfxfiles import der, seq
from tlscomm.issuing import Authority
from tlscomm.store import systemRoots
from tlscomm.verification import RULES
from tlscomm.x509 import _der
from tlscomm.x509._roles import Role

Presented = Sequence[x509.Certificate | Authority]

DAY = timedelta(days=1)

_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_SHA1_WITH_RSA = bytes.fromhex("06092a864886f70d010105")
_MD5_WITH_RSA = bytes.fromhex("06092a864886f70d010104")
_SHA224_WITH_RSA = bytes.fromhex("06092a864886f70d01010e")


@dataclass(frozen=True)
class Case:
    """A chain that breaks one rule.

    Attributes:
        rule: its name.
        case: how, as a phrase.
        presented: makes what the peer sends.
        anchors: makes whom we trust.
        role: the peer's.
    """

    rule: str
    case: str
    presented: Callable[[], Presented]
    anchors: Callable[[], Sequence[Authority]] = lambda: (root(),)
    role: Role = "server"


def below(authority: Authority, **changes: Any) -> Presented:
    return leaf(authority, **changes), authority


def usage(**allowed: bool) -> x509.KeyUsage:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
        "encipher_only decipher_only"
    )
    return x509.KeyUsage(**{name: allowed.get(name, False) for name in names.split()})


def patched(edit: Callable[[Parts], Parts], **changes: Any) -> Presented:
    return (remade(leaf(**changes), root(), edit),)


def replaced(index: int, content: bytes) -> Callable[[Parts], Parts]:
    return lambda parts: [*parts[:index], content, *parts[index + 1 :]]


def anchorOfVersion1() -> Authority:
    made = Authority.create("version 1", organization="chains", now=NOW)
    return Authority(remade(made.certificate, made, lambda parts: parts[1:-1]), made.privateKey)


def intermediateOfVersion1() -> Authority:
    made = intermediate()
    return Authority(remade(made.certificate, root(), lambda parts: parts[1:-1]), made.privateKey)


def otherAlgorithm() -> Presented:
    # ECDSA with SHA-384 is what the signed part says.
    return patched(replaced(2, bytes.fromhex("300a06082a8648ce3d040303")))


def curve(kind: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(kind)


def constrained(**subtrees: Any) -> Authority:
    constraints = x509.NameConstraints(subtrees.get("permitted"), subtrees.get("excluded"))
    return intermediate(extensions=[(constraints, subtrees.get("critical", True))])


def withNames(*names: x509.GeneralName, critical: bool = False, **changes: Any) -> Presented:
    return (leaf(extensions=[(x509.SubjectAlternativeName(names), critical)], **changes),)


def _belowEmptyConstraints() -> Presented:
    made = intermediate()
    empty = seq(bytes.fromhex("0603551d1e"), der(1, b"\xff"), der(4, seq()))
    certificate = remade(made.certificate, root(), extensionsEdited(lambda extensions: [*extensions, empty]))
    return leaf(made), certificate


def _policy(*arcs: str) -> tuple[x509.ExtensionType, bool]:
    return x509.CertificatePolicies(
        [x509.PolicyInformation(x509.ObjectIdentifier(f"2.999.{arc}"), None) for arc in arcs]
    ), False


def _demanding() -> Authority:
    return intermediate(extensions=[(x509.PolicyConstraints(0, None), True), _policy("1")])


UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.999.3"), b"\x05\x00")
POISON = x509.PrecertPoison()
NOBODY = x509.Name([])


def _withoutParameters() -> Presented:
    made = leaf(rsaRoot())
    parts = _der.first(made.tbs_certificate_bytes).parts()
    algorithm = seq(bytes.fromhex("06092a864886f70d01010b"))
    content = seq(*(algorithm if place == 2 else part.encoded for place, part in enumerate(parts)))
    key = rsaRoot().privateKey
    assert isinstance(key, rsa.RSAPrivateKey)
    signature = key.sign(content, padding.PKCS1v15(), hashes.SHA256())
    return (x509.load_der_x509_certificate(seq(content, algorithm, der(3, b"\0" + signature))),)


def _printable() -> bytes:
    return root().certificate.subject.public_bytes().replace(der(0x0C, b"root"), der(0x13, b"root"))


CORE_CASES = (
    Case("readable", "an extension is no DER", lambda: patched(_badNames())),
    Case("readable", "an extension occurs twice", lambda: patched(extensionsEdited(lambda e: [*e, e[-1]]))),
    Case("readable", "the empty name constraints of an issuer", _belowEmptyConstraints),
    Case("extensions-of-version-3", "version 1 with extensions", lambda: patched(lambda parts: parts[1:])),
    Case("same-algorithm", "another algorithm inside", otherAlgorithm),
    Case("not-after", "the leaf", lambda: (leaf(notBefore=NOW - 2 * DAY, notAfter=NOW - DAY),)),
    Case("not-after", "an issuer", lambda: below(intermediate(notBefore=NOW - 2 * DAY, notAfter=NOW - DAY))),
    Case("not-after", "the anchor", lambda: (leaf(_expiredRoot()),), lambda: (_expiredRoot(),)),
    Case("not-before", "the leaf", lambda: (leaf(notBefore=NOW + DAY),)),
    Case("not-before", "an issuer", lambda: below(intermediate(notBefore=NOW + DAY))),
    Case("authority", "no basic constraints", lambda: below(intermediate(omit=[ExtensionOID.BASIC_CONSTRAINTS]))),
    Case("authority", "basic constraints of none", lambda: below(_notAnAuthority())),
    Case("authority", "an issuer of version 1", lambda: below(intermediateOfVersion1())),
    Case(
        "authority",
        "an anchor of version 1",
        lambda: (leaf(anchorOfVersion1.made),),  # type: ignore[attr-defined]
        lambda: (anchorOfVersion1.made,),  # type: ignore[attr-defined]
    ),
    Case("authority", "an anchor without", lambda: (leaf(_anchorWithout()),), lambda: (_anchorWithout(),)),
    Case("may-sign", "no keyCertSign", lambda: below(intermediate(extensions=[(usage(crl_sign=True), True)]))),
    Case("authority-has-name", "an issuer without a name", lambda: below(_nameless())),
    Case("path-length", "one too many", lambda: _three(pathLength=0)),
    Case("path-length", "the anchor's", lambda: below(intermediate(_shortRoot())), lambda: (_shortRoot(),)),
    Case("maximum-depth", "ten intermediates", lambda: _tower(10)),
    Case("purpose", "the other side's", lambda: (leaf(role="client"),)),
    Case("purpose", "the other side's, of a client", lambda: (leaf(role="server"),), role="client"),
    Case("purpose", "everything", lambda: (leaf(extensions=[_purposes(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)]),)),
    Case(
        "purpose", "an issuer's", lambda: below(intermediate(extensions=[_purposes(ExtendedKeyUsageOID.CLIENT_AUTH)]))
    ),
    Case("usage", "of encipherment of keys alone", lambda: (leaf(extensions=[(usage(key_encipherment=True), True)]),)),
    Case("usage", "of agreement alone", lambda: (leaf(extensions=[(usage(key_agreement=True), True)]),)),
    Case("usage", "of encipherment of data alone", lambda: (leaf(extensions=[(usage(data_encipherment=True), True)]),)),
    Case("critical-extension", "the leaf's", lambda: (leaf(extensions=[(UNKNOWN, True)]),)),
    Case("critical-extension", "an issuer's", lambda: below(intermediate(extensions=[(UNKNOWN, True)]))),
    Case("critical-extension", "a precertificate", lambda: (leaf(extensions=[(POISON, True)]),)),
    Case("key-known", "a curve that nobody knows", lambda: patched(_unknownCurve)),
    Case("key-strength", "RSA with 1024 bits", lambda: (leaf(privateKey=rsaKey(1024)),)),
    Case("key-strength", "RSA with 2040 bits", lambda: (leaf(privateKey=rsaKey(2040)),)),
    Case("key-strength", "P-224", lambda: (leaf(privateKey=curve(ec.SECP224R1())),)),
    Case("key-strength", "an issuer's P-192", lambda: below(intermediate(privateKey=curve(ec.SECP192R1())))),
    Case("key-strength", "DSA with 1024 bits", lambda: (leaf(publicKey=dsa.generate_private_key(1024).public_key()),)),
    Case("signature-strength", "SHA-1", lambda: _weak(hashes.SHA1(), _SHA1_WITH_RSA), lambda: (rsaRoot(),)),
    Case("signature-strength", "MD5", lambda: _weak(hashes.MD5(), _MD5_WITH_RSA), lambda: (rsaRoot(),)),
    Case("policies", "demanded, and none", lambda: below(_demanding())),
    Case("policies", "one twice", lambda: (leaf(extensions=[_policy("1", "1")]),)),
    Case("name-constraints", "not permitted", lambda: below(constrained(permitted=[x509.DNSName("a.example")]))),
    Case("name-constraints", "excluded", lambda: below(constrained(excluded=[x509.DNSName("example")]))),
    Case(
        "name-constraints",
        "the anchor's",
        lambda: (leaf(_constrainedRoot()),),
        lambda: (_constrainedRoot(),),
    ),
)

FORM_CASES = (
    Case("serial-positive", "zero", lambda: patched(replaced(1, der(2, b"\0")))),
    Case("serial-positive", "negative", lambda: patched(replaced(1, der(2, b"\x80")))),
    Case("serial-short", "21 octets", lambda: patched(replaced(1, der(2, b"\x01" * 21)))),
    Case(
        "serial-short",
        "an octet to say that it is positive",
        lambda: patched(replaced(1, der(2, b"\0" + b"\xff" * 20))),
    ),
    Case("version-3", "the leaf", lambda: patched(lambda parts: parts[1:-1])),
    Case(
        "issuer-has-name",
        "an anchor alone",
        lambda: (_namelessIssuer(),),
        lambda: (Authority(_namelessIssuer(), root().privateKey),),
    ),
    Case("dates", "GeneralizedTime", lambda: patched(_generalizedTime)),
    Case("no-unique-identifier", "the issuer's", lambda: patched(lambda p: [*p[:-1], der(0x81, b"\0\1"), p[-1]])),
    Case("authority-key-identifier", "the leaf's", lambda: (leaf(omit=[ExtensionOID.AUTHORITY_KEY_IDENTIFIER]),)),
    Case(
        "subject-key-identifier",
        "an issuer's",
        lambda: below(intermediate(omit=[ExtensionOID.SUBJECT_KEY_IDENTIFIER])),
    ),
    Case("authority-has-usage", "an issuer's", lambda: below(intermediate(omit=[ExtensionOID.KEY_USAGE]))),
    Case(
        "only-authorities-sign",
        "the leaf's",
        lambda: (leaf(extensions=[(usage(digital_signature=True, key_cert_sign=True), True)]),),
    ),
    Case(
        "basic-constraints-critical",
        "an issuer's",
        lambda: below(intermediate(extensions=[(x509.BasicConstraints(True, 0), False)])),
    ),
    Case(
        "critical-flags",
        "name constraints",
        lambda: below(constrained(permitted=[x509.DNSName("example")], critical=False)),
    ),
    Case(
        "critical-extension",
        "a key identifier",
        lambda: (leaf(extensions=[(x509.SubjectKeyIdentifier(b"1234"), True)]),),
    ),
    Case(
        "only-authorities-constrain",
        "the leaf",
        lambda: (leaf(extensions=[(x509.NameConstraints([x509.DNSName("example")], None), True)]),),
    ),
    Case("name-constraint-form", "a dot", lambda: below(constrained(permitted=[x509.DNSName(".example")]))),
    Case("end-entity", "an authority", lambda: (_authorityAsLeaf(),)),
    Case("end-entity-purpose", "none", lambda: (leaf(role=None),)),
    Case(
        "end-entity-purpose",
        "everything besides",
        lambda: (
            leaf(extensions=[_purposes(ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)]),
        ),
    ),
    Case("root-purpose", "a root's", lambda: (leaf(_rootWithPurpose()),), lambda: (_rootWithPurpose(),)),
    Case("alternative-names", "none", lambda: (leaf(names=()),)),
    Case("alternative-names", "none, of a client", lambda: (leaf(names=(), role="client"),), role="client"),
    Case("alternative-names-critical", "they are", lambda: withNames(x509.DNSName(NAME), critical=True)),
    Case(
        "alternative-names-critical",
        "they are not, without a subject",
        lambda: withNames(x509.DNSName(NAME), subject=NOBODY),
    ),
    Case("dns-names", "an underscore", lambda: (leaf(names=(NAME, "a_b.example")),)),
    Case("dns-names", "an address", lambda: (leaf(names=(NAME, "192.0.2.1")),)),
    Case("dns-names", "a wildcard within a label", lambda: (leaf(names=(NAME, "a*.server.example")),)),
    Case("dns-names", "a wildcard in another label", lambda: (leaf(names=(NAME, "a.*.example")),)),
    Case("dns-names", "a wildcard for a top-level domain", lambda: (leaf(names=(NAME, "*.example")),)),
    Case("dns-names", "a dot at the end", lambda: (leaf(names=(NAME, "a.example.")),)),
    Case("dns-names", "nothing", lambda: (leaf(names=(NAME, "")),)),
    Case("addresses", "a network", lambda: patched(_networkName)),
    Case("other-names", "a relative URI", lambda: (leaf(uris=["/a"]),)),
    Case("other-names", "half a mail address", lambda: withNames(x509.DNSName(NAME), x509.RFC822Name("a@b_ c"))),
    Case("web-pki-key", "Ed25519", lambda: (leaf(privateKey=ed25519.Ed25519PrivateKey.generate()),)),
    Case("web-pki-key", "secp256k1", lambda: (leaf(privateKey=curve(ec.SECP256K1())),)),
    Case("web-pki-key", "RSA with 2050 bits", lambda: (leaf(privateKey=rsaKey(2050)),)),
    Case("web-pki-key", "RSA without parameters", lambda: patched(replaced(6, _keyWithoutParameters()))),
    Case("web-pki-signature", "SHA-224", lambda: _weak(hashes.SHA224(), _SHA224_WITH_RSA), lambda: (rsaRoot(),)),
    Case("web-pki-signature", "RSA without parameters", _withoutParameters, lambda: (rsaRoot(),)),
    Case("same-name", "another type of string", lambda: patched(replaced(3, _printable()))),
    Case("not-critical", "policies", lambda: (leaf(extensions=[(_policy("1")[0], True)]),)),
    Case("usage-critical", "it is not", lambda: (leaf(extensions=[(usage(digital_signature=True), False)]),)),
    Case("exponent", "3", lambda: (leaf(privateKey=rsaKey(2048, 3)),)),
    Case("common-name", "another one", lambda: (leaf(names=("other.example",)),)),
)
CASES = (*CORE_CASES, *FORM_CASES)


def _keyWithoutParameters() -> bytes:
    key = rsaKey(2048).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return seq(seq(bytes.fromhex("06092a864886f70d010101")), _der.first(key).parts()[1].encoded)


def _badNames() -> Callable[[Parts], Parts]:
    names = bytes.fromhex("0603551d11")
    bad = seq(names, der(4, bytes.fromhex("30028205")))
    return extensionsEdited(lambda extensions: [bad if names in each else each for each in extensions])


def _expiredRoot() -> Authority:
    return _once("expired root", notBefore=NOW - 2 * DAY, notAfter=NOW - DAY)


def _shortRoot() -> Authority:
    return _once("short root", pathLength=0)


def _constrainedRoot() -> Authority:
    constraints = x509.NameConstraints([x509.DNSName("a.example")], None)
    return _once("constrained root", extensions=[(constraints, True)])


def _rootWithPurpose() -> Authority:
    return _once("root with purpose", extensions=[_purposes(ExtendedKeyUsageOID.SERVER_AUTH)])


def _anchorWithout() -> Authority:
    return _once("anchor without", omit=[ExtensionOID.BASIC_CONSTRAINTS])


_made: dict[str, Authority] = {}


def _once(name: str, **changes: Any) -> Authority:
    if name not in _made:
        _made[name] = Authority.create(name, organization="chains", now=NOW, **changes)
    return _made[name]


def _notAnAuthority() -> Authority:
    return intermediate(extensions=[(x509.BasicConstraints(ca=False, path_length=None), True)])


def _nameless() -> Authority:
    made = intermediate()
    return Authority(remade(made.certificate, root(), replaced(5, seq())), made.privateKey)


def _namelessIssuer() -> x509.Certificate:
    return _onceCertificate("nameless issuer", lambda: remade(leaf(), root(), replaced(3, seq())))


_certificates: dict[str, x509.Certificate] = {}


def _onceCertificate(name: str, make: Callable[[], x509.Certificate]) -> x509.Certificate:
    if name not in _certificates:
        _certificates[name] = make()
    return _certificates[name]


def _three(**changes: Any) -> Presented:
    first = intermediate(name="first", **changes)
    second = intermediate(first, name="second")
    return leaf(second), second, first


def _tower(height: int) -> Presented:
    authorities = [root()]
    for number in range(height):
        authorities.append(intermediate(authorities[-1], f"floor {number}", pathLength=None))
    return leaf(authorities[-1]), *authorities[:0:-1]


def _purposes(*purposes: x509.ObjectIdentifier) -> tuple[x509.ExtensionType, bool]:
    return x509.ExtendedKeyUsage(purposes), False


def _weak(digest: hashes.HashAlgorithm, oid: bytes) -> Presented:
    return (weaklySigned(leaf(rsaRoot()), rsaRoot(), digest, oid),)


def _unknownCurve(parts: Parts) -> Parts:
    # The identifier of P-256, 1.2.840.10045.3.1.7, with another last arc.
    return replaced(6, parts[6].replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d03017f")))(parts)


def _generalizedTime(parts: Parts) -> Parts:
    times = [f"{NOW + days * DAY:%Y%m%d%H%M%SZ}".encode() for days in (-1, 1)]
    return replaced(4, seq(*(der(0x18, time) for time in times)))(parts)


def _networkName(parts: Parts) -> Parts:
    names = bytes.fromhex("0603551d11")
    network = der(0x87, ip_network("192.0.2.0/24").network_address.packed + b"\xff\xff\xff\0")
    made = seq(names, der(4, seq(der(0x82, NAME.encode()), network)))
    return extensionsEdited(lambda extensions: [made if names in each else each for each in extensions])(parts)


def _authorityAsLeaf() -> x509.Certificate:
    return leaf(
        extensions=[
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (usage(digital_signature=True, key_cert_sign=True), True),
        ]
    )


anchorOfVersion1.made = anchorOfVersion1()  # type: ignore[attr-defined]

_WEIGHTS = {rule.name: rule for rule in RULES}


class Table(SynchronousTestCase):
    """One test for each case and profile; they are added below."""

    def play(self, case: Case, profile: Any) -> None:
        rule = _WEIGHTS[case.rule]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            result = judged(case.presented(), case.anchors(), profile=profile, role=case.role)
        if rule.isRequiredBy(profile):
            self.assertIn(rule.code, [problem.code for problem in result.problems], str(result.problems))
            if rule.code not in ("expired", "not-yet-valid", "wrong-purpose"):
                self.assertTrue(any(rule.name in p.detail for p in result.problems), str(result.problems))
        else:
            self.assertTrue(any(rule.name in p.detail for p in result.warnings), str(result))
            self.assertEqual(result.problems, ())


def _played(case: Case, profile: str) -> Callable[[Table], None]:
    return lambda self: self.play(case, profile)


for _case in CASES:
    for _profile in ("compatible", "strict"):
        setattr(Table, f"test_{_case.rule}, {_case.case} ({_profile})", _played(_case, _profile))


class Anchors(SynchronousTestCase):
    """Of an authority that is trusted it does not matter, under ``strict`` either, how its certificate is written."""

    def assertOnlyWarned(self, rule: str, edit: Callable[[Parts], Parts]) -> None:
        own = Authority(remade(root().certificate, root(), edit), root().privateKey)
        result = judged([leaf(own)], [own], profile="strict")
        self.assertEqual(result.problems, ())
        self.assertEqual([rule in each.detail for each in result.warnings], [True])

    def test_form(self) -> None:
        identifier, usage, constraints = (bytes.fromhex(f"0603551d{last}") for last in ("0e", "0f", "13"))
        without = {
            "subject-key-identifier": extensionsEdited(
                lambda parts: [each for each in parts if identifier not in each]
            ),
            "authority-has-usage": extensionsEdited(lambda parts: [each for each in parts if usage not in each]),
            "basic-constraints-critical": extensionsEdited(
                lambda parts: [
                    seq(constraints, der(4, seq(der(1, b"\xff")))) if constraints in each else each for each in parts
                ]
            ),
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            self.assertOnlyWarned("serial-positive", replaced(1, der(2, b"\0")))
            self.assertOnlyWarned("serial-short", replaced(1, der(2, b"\1" * 21)))
        self.assertOnlyWarned("no-unique-identifier", lambda parts: [*parts[:-1], der(0x81, b"\0\1"), parts[-1]])
        for rule, edit in without.items():
            self.assertOnlyWarned(rule, edit)

    def test_thoseOfAnIntermediateAreTakenByTheBook(self) -> None:
        issuer = intermediate(omit=[ExtensionOID.SUBJECT_KEY_IDENTIFIER])
        self.assertEqual(judged([leaf(issuer)], [issuer], profile="strict").problems, ())
        self.assertNotEqual(judged([leaf(issuer), issuer], profile="strict").problems, ())

    def test_whatTheSystemTrustsIsTrustedUnderStrict(self) -> None:
        """With a key of our own in the place of theirs, which nobody lends us."""
        key = root().certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        refused = {}
        with warnings.catch_warnings():
            # Of the serial number 0.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            for theirs in systemRoots():
                if theirs.not_valid_after_utc <= NOW or theirs.version is not x509.Version.v3:
                    continue
                ours = remade(
                    theirs, root(), lambda parts: [*parts[:2], _ECDSA_WITH_SHA256, *parts[3:6], key, *parts[7:]]
                )
                own = Authority(ours, root().privateKey)
                if problems := judged([leaf(own)], [own], profile="strict").problems:
                    refused[theirs.subject.rfc4514_string()] = problems[0].detail
        self.assertEqual(refused, {})


class TheTable(SynchronousTestCase):
    def test_everyRuleHasACase(self) -> None:
        self.assertEqual({rule.name for rule in RULES}, {case.rule for case in CASES})

    def test_whatBreaksNoRuleIsAcceptedWithoutAWarning(self) -> None:
        authority = intermediate()
        for profile in ("compatible", "strict"):
            for role in ("client", "server"):
                presented = (leaf(authority, role=role), authority)  # type: ignore[arg-type]
                result = judged(presented, profile=profile, role=role, serverName=NAME if role == "server" else None)  # type: ignore[arg-type]
                self.assertEqual((result.problems, result.warnings), ((), ()))
                self.assertEqual(len(result.chain), 3)

    def test_aCommonNameThatIsFreeTextIsNoName(self) -> None:
        for text, isTold in (("My gateway", False), ("gateway", False), ("a.example", True), ("192.0.2.1", True)):
            certificate = root().issue(text, role="server", organization="chains", now=NOW, dnsNames=[NAME]).certificate
            told = [warning for warning in judged([certificate]).warnings if "common-name" in warning.detail]
            self.assertEqual(bool(told), isTold, text)

    def test_aWeakSignatureIsNotCalledABadOne(self) -> None:
        for digest, oid in ((hashes.SHA1(), _SHA1_WITH_RSA), (hashes.MD5(), _MD5_WITH_RSA)):
            problems = judged(_weak(digest, oid), (rsaRoot(),)).problems
            self.assertEqual([problem.code for problem in problems], ["key-too-weak"])

    def test_strictTakesWhatTheDocumentsAllowAndTheSecondOpinionDoesNotKnow(self) -> None:
        organization = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "chains")])
        demanding = intermediate(extensions=[(x509.PolicyConstraints(0, None), True), _policy("1")])
        own = constrained(permitted=[x509.DirectoryName(organization), x509.DNSName("example")])
        uris = constrained(excluded=[x509.UniformResourceIdentifier("a.example")])
        newKey = Authority.create("rolling", organization="chains", now=NOW, pathLength=1)
        rolled = intermediate(newKey, "rolling", pathLength=None)
        for presented, anchor in (
            ((leaf(demanding, extensions=[_policy("1")]), demanding), root()),
            ((leaf(own), own), root()),
            ((leaf(uris), uris), root()),
            ((leaf(last := intermediate(rolled)), last, rolled), newKey),
        ):
            self.assertEqual(judged(presented, (anchor,), profile="strict").problems, ())

    def test_strictTakesANewKeyForAnAnchorThatTheOldOneOfItsNameHasSigned(self) -> None:
        old = Authority.create("rolling", organization="chains", now=NOW)
        new = intermediate(old, "rolling", pathLength=None)
        self.assertEqual(new.certificate.subject, new.certificate.issuer)
        self.assertEqual(judged((leaf(new),), (new,), profile="strict").problems, ())

    def test_whatPrivateAuthoritiesMakeIsAcceptedUnderCompatible(self) -> None:
        plain = Authority.create(
            "plain",
            now=NOW,
            privateKey=ed25519.Ed25519PrivateKey.generate(),
            days=20000,
            omit=[ExtensionOID.SUBJECT_KEY_IDENTIFIER, ExtensionOID.KEY_USAGE],
        )
        certificate = leaf(plain, role=None, omit=[ExtensionOID.AUTHORITY_KEY_IDENTIFIER], days=7000)
        self.assertEqual(judged([certificate], [plain]).problems, ())
        self.assertNotEqual(judged([certificate], [plain], profile="strict").problems, ())
