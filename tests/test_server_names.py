"""Which texts are names of servers, wherever one is given, and that names are compared as OpenSSL compares them."""

from __future__ import annotations

from functools import cache
from ipaddress import ip_address
from random import Random

from conversation import AUTHORITY, ROOTS, SERVER
from cryptography import x509
from cryptography.x509.oid import NameOID
from OpenSSL import crypto
from OpenSSL._util import ffi, lib
from twisted.internet.endpoints import clientFromString
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.pfxfiles import der, oid, seq
from tests.rawchains import AT, CONSTRAINTS, NAME, NAMES, Chain, extension, name
from tlscomm.access import AccessRules, Peer
from tlscomm.commandline._plan import addressIn, planFor
from tlscomm.configuration import ClientConfiguration, ExternalContextConfiguration, ServerConfiguration
from tlscomm.credentials import Credential
from tlscomm.endpoints import TLSClientEndpoint
from tlscomm.failures import Problem
from tlscomm.tls import verdict
from tlscomm.verification import Profile, Trust, Verifier, nameProblem, nameToAskFor
from tlscomm.verification._servernames import asciiServerName, hostAndServerName
from tlscomm.x509._addresses import isAddress
from tlscomm.x509._canonicalname import canonicalName

#: What is refused, and what the sentence says.
REFUSED = {
    "①②⑦.0.0.1": "reads as 127.0.0.1",
    "１２７。0。0。1": "reads as 127.0.0.1",
    "①②⑦.1": "reads as 127.1",
    "127.1": "ends in a number",
    "0x7f000001": "ends in a number",
    "0X7F.1": "ends in a number",
    "0177.0.0.1": "ends in a number",
    "127.0.0.01": "ends in a number",
    "2130706433": "ends in a number",
    "256.0.0.1": "ends in a number",
    "1.2.3.4.5": "ends in a number",
    "127.0.0.1.": "ends in a number",
    "host.12": "ends in a number",
    "a.example..": "between dots is empty",
    ".a.example": "between dots is empty",
    "a..example": "between dots is empty",
    "bücher.example..": "is neither a host name nor an address",
    "[[a]]": "brackets are for one IPv6 address",
    "[a]": "brackets are for one IPv6 address",
    "[[::1]]": "brackets are for one IPv6 address",
    "[127.0.0.1]": "brackets are for one IPv6 address",
    "[::1": "brackets are for one IPv6 address",
    "::1]": "brackets are for one IPv6 address",
    "fe80::1%eth0": "the server's name is fe80::1",
    "[fe80::1%25]": "the server's name is fe80::1",
    "*.example.org": "a wildcard is for certificates",
    "": "is neither a host name nor an address",
    ".": "is neither a host name nor an address",
    " a.example": "is neither a host name nor an address",
    "a.example\u00a0": "is neither a host name nor an address",
    "a.example\u2003": "is neither a host name nor an address",
    "a.example\x1f": "is neither a host name nor an address",
    "a.example\n": "is neither a host name nor an address",
    "a b": "is neither a host name nor an address",
    "a.example:443": "is neither a host name nor an address",
    "::1.": "is neither a host name nor an address",
    "-a.example": "is neither a host name nor an address",
    f"{'a' * 64}.example": "between dots",
    ".".join(["a" * 60] * 5): "more than 253 characters",
}

#: What is a name, and how it is compared.
SERVER_NAMES = {
    "a.example": "a.example",
    "A.Example.": "a.example",
    "bücher.example。": "xn--bcher-kva.example",
    "1.example": "1.example",
    "a_b": "a_b",
    "127.0.0.1": "127.0.0.1",
    "::1": "::1",
    "[::1]": "::1",
    "::ffff:127.0.0.1": "::ffff:127.0.0.1",
}


def generalName(tag: int, value: bytes) -> bytes:
    return der((0xA0 if tag in CONSTRUCTED else 0x80) | tag, value)


#: X400Address, EDIPartyName, DirectoryName and OtherName (RFC 5280, section 4.2.1.6).
CONSTRUCTED = (0, 3, 4, 5)


def certificateFor(*names: bytes, critical: bool = False) -> x509.Certificate:
    """Return a certificate with these names, as they are."""
    chain = Chain()
    chain.leaf.extensions[NAMES] = extension(NAMES, seq(*names), critical)
    return chain.leaf.signedBy(chain.issuer)


class Places(SynchronousTestCase):
    """A text that is no server's name is refused by a sentence in each place, before anything connects."""

    def test_names(self) -> None:
        for text, expected in SERVER_NAMES.items():
            self.assertEqual(asciiServerName(text), expected)
        for text, why in REFUSED.items():
            with self.assertRaises(ValueError) as caught:
                asciiServerName(text)
            self.assertIn(why, str(caught.exception))
            self.assertTrue(str(caught.exception).isprintable())

    def test_python(self) -> None:
        """Configurations, verifiers and the verdict off line."""
        for text in REFUSED:
            for make in (
                lambda text: ClientConfiguration(serverName=text, roots=ROOTS),
                lambda text: ExternalContextConfiguration(creator=CertificateOptions(), serverName=text),
                lambda text: ServerConfiguration(credential=SERVER, serverNames=("localhost", text)),
                lambda text: Verifier(peerRole="server", serverName=text),
                lambda text: verdict(SERVER, "server", roots=ROOTS, serverName=text),
                lambda text: TLSClientEndpoint.toHost(Clock(), "localhost", 1, serverName=text, roots=ROOTS),
            ):
                self.assertRaises(ValueError, make, text)
        for address in ("127.0.0.1", "::1"):
            self.assertRaises(ValueError, ServerConfiguration, credential=SERVER, serverNames=(address,))

    def test_issued(self) -> None:
        """No certificate is issued for an address with a zone."""
        self.assertRaises(ValueError, AUTHORITY.issue, "a", role="server", addresses=["fe80::1%eth0"])

    def test_options(self) -> None:
        """``--server-name``, HOST:PORT, and the arguments of endpoint strings."""
        for text in REFUSED:
            self.assertRaises(ValueError, planFor, addressIn("localhost:1"), {"serverName": text, "roots": ()})
            quoted = text.replace("\\", "\\\\").replace(":", "\\:").replace("=", "\\=")
            for string in (f"tlscomm:localhost:1:serverName={quoted}", f"tlscomm:{quoted}:1"):
                if "%" not in string or "serverName" in string:
                    self.assertRaises(ValueError, clientFromString, MemoryReactorClock(), string)

    def test_hosts(self) -> None:
        """A host is refused likewise; the zone of an address says where to connect to, and is no part of the name."""
        for host in REFUSED:
            if "%" not in host:
                self.assertRaises(ValueError, hostAndServerName, host)
        for host in ("fe80::1%eth0", "[fe80::1%eth0]"):
            self.assertEqual(hostAndServerName(host), ("fe80::1%eth0", "fe80::1"))
        self.assertEqual(hostAndServerName("Bücher.example."), ("xn--bcher-kva.example",) * 2)
        plan = planFor(addressIn("[fe80::1%eth0]:8443"), {})
        self.assertEqual((plan.host, plan.configuration.verifier.serverName), ("fe80::1%eth0", "fe80::1"))

    def test_byAStranger(self) -> None:
        """Whatever a client asks for, a certificate is not for it, and nothing is raised."""
        for text in REFUSED:
            problem = nameProblem(SERVER.certificate, text)
            self.assertEqual(problem and problem.code, "name-mismatch")


#: What is asked for, and what stands in certificates.
ASKED = (
    "a.example.org",
    "b.a.example.org",
    "a_b.example.org",
    "xn--bcher-kva.example.org",
    "localhost",
    "org",
    "x--y.z",
)
ADDRESSES = ("127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1", "fe80::1")


class AsOpenSSL(SynchronousTestCase):
    """What OpenSSL does not accept is not accepted, whatever stands among the names, and plain names are by both."""

    def accepts(self, certificate: x509.Certificate, asked: str) -> bool:
        """Return what OpenSSL's own check of a name says (X509_check_host, X509_check_ip)."""
        store = crypto.X509Store()
        parameters = ffi.gc(lib.X509_VERIFY_PARAM_new(), lib.X509_VERIFY_PARAM_free)
        lib.X509_VERIFY_PARAM_set_hostflags(parameters, lib.X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)
        lib.X509_VERIFY_PARAM_set_time(parameters, int(AT.timestamp()))
        lib.X509_VERIFY_PARAM_set_flags(parameters, _PARTIAL_CHAIN)
        if isAddress(asked):
            packed = ip_address(asked).packed
            self.assertEqual(lib.X509_VERIFY_PARAM_set1_ip(parameters, packed, len(packed)), 1)
        else:
            self.assertEqual(lib.X509_VERIFY_PARAM_set1_host(parameters, asked.encode(), len(asked)), 1)
        lib.X509_STORE_set1_param(store._store, parameters)
        own = crypto.X509.from_cryptography(certificate)
        store.add_cert(own)
        try:
            crypto.X509StoreContext(store, own).verify_certificate()
        except crypto.X509StoreContextError as refused:
            self.assertIn(refused.errors[0], (62, 64), refused)
            return False
        return True

    def test_drawn(self) -> None:
        """Names of every kind and form, drawn."""
        random = Random(6125)
        accepted = 0
        for _ in range(300):
            asked = random.choice((*ASKED, *ADDRESSES))
            names = [_drawnName(random, asked) for _ in range(random.randint(1, 4))]
            certificate = certificateFor(*names)
            ours = nameProblem(certificate, asked) is None
            if ours:
                accepted += 1
                self.assertTrue(self.accepts(certificate, asked), (asked, names))
            plain = (
                generalName(7, ip_address(asked).packed) if isAddress(asked) else generalName(2, asked.upper().encode())
            )
            for certificate in (certificateFor(*names, plain), certificateFor(plain, *names)):
                self.assertEqual(
                    (nameProblem(certificate, asked), self.accepts(certificate, asked)), (None, True), (asked, names)
                )
        self.assertGreater(accepted, 20)


class Misplaced(SynchronousTestCase):
    """What stands in a certificate in a form that does not count is said to."""

    def test_told(self) -> None:
        loopback = bytes((127, 0, 0, 1))
        for asked, stands, why in (
            ("127.0.0.1", generalName(2, b"127.0.0.1"), "which it has as a DNS name, and an IPv4 address has to stand"),
            ("::1", generalName(2, b"0::1"), "which it has as a DNS name, and an IPv6 address has to stand"),
            ("127.0.0.1", generalName(2, b"127.0.0.1:8443"), "which it has with a port"),
            ("127.0.0.1", generalName(6, b"https://127.0.0.1/"), "which it has as a URI"),
            ("127.0.0.1", generalName(7, loopback + b"\xff" * 4), "which it has as a network"),
            ("127.0.0.1", generalName(7, bytes(10) + b"\xff\xff" + loopback), "which it has as an IPv6 address"),
            ("a.example", generalName(2, b"A.example:443"), "which it has with a port, and a server's name has to"),
            ("a.example", generalName(6, b"https://a.example/b"), "which it has as a URI, and a server's name has to"),
            ("127.0.0.2", generalName(2, b"127.0.0.1"), "it is for 127.0.0.1"),
            (
                "127.0.0.1",
                generalName(7, loopback[:3]),
                "its subject alternative names cannot be used: 7f0000 (3 bytes)",
            ),
        ):
            for names in ((stands,), (generalName(7, bytes(4)), stands)):
                problem = nameProblem(certificateFor(*names), asked)
                assert problem is not None
                self.assertEqual(
                    problem.code, "invalid-certificate" if problem.detail.startswith("its") else "name-mismatch"
                )
                if len(names) == 1:
                    self.assertIn(why, problem.detail)

    def test_withoutAName(self) -> None:
        """A credential is judged for its first name that is one, or for what it is meant to be one."""
        for names, expected in (
            ((generalName(2, b""), generalName(2, b"localhost")), "localhost"),
            ((generalName(7, b"\x7f"), generalName(2, b" a"), generalName(2, b"*.a.example")), "any.a.example"),
            ((generalName(2, b"127.0.0.1"),), "127.0.0.1"),
            ((generalName(2, b"a.example:443"),), "a.example"),
            ((generalName(2, b" a"),), "judge.invalid"),
        ):
            self.assertEqual(nameToAskFor(Credential(certificateFor(*names))), expected)


class Unreadable(SynchronousTestCase):
    """A name that cannot be read stands for nothing, and everything else holds as if it were not there."""

    ODD = (
        generalName(7, b"\x7f\0\0\1\1"),
        generalName(7, b"\x7f\0\0\1\xff\0\xff\0"),
        generalName(7, b"\x7f\0\0\1\xff\0\0\0"),
        generalName(2, b"b\xfccher.example"),
        generalName(3, seq(der(0x30, b""))),
        generalName(5, der(0xA1, der(0x0C, b"a"))),
    )

    def judged(self, *names: bytes, constraints: bytes = b"", profile: Profile = "compatible") -> tuple[Problem, ...]:
        chain = Chain()
        chain.leaf.extensions[NAMES] = extension(NAMES, seq(*names, generalName(2, NAME.encode())))
        if constraints:
            chain.issuer.extensions[CONSTRAINTS] = extension(
                CONSTRAINTS, seq(der(0xA0, seq(constraints))), critical=True
            )
        leaf, issuer, root = chain.certificates()
        verifier = Verifier(peerRole="server", serverName=NAME, trust=Trust((root,)), profile=profile)
        result = verifier.verify([leaf, issuer], at=AT)
        return result.problems or result.warnings

    def test_othersCount(self) -> None:
        """The certificate is accepted for its other names; strict rules refuse it, and a warning says why."""
        for odd in self.ODD:
            (warning,) = self.judged(odd)
            self.assertIn("is no", warning.detail)
            self.assertEqual(self.judged(odd, profile="strict")[0].code, "invalid-certificate")

    def test_bounded(self) -> None:
        """Of a certificate with very many names, or a very large one, none counts where one cannot be read."""
        plain = generalName(2, b"localhost")
        for many, isGood in (([plain] * 98, True), ([plain] * 100, False), ([generalName(2, b"a" * 9000)], False)):
            problem = nameProblem(certificateFor(self.ODD[0], *many, plain), "localhost")
            self.assertEqual(problem is None, isGood)

    def test_constrained(self) -> None:
        """Under a constraint for names of its kind it is refused, for nobody can say what it is a name of."""
        network = generalName(7, b"\x7f\0\0\0\xff\0\0\0")
        domain = generalName(2, b"server.example")
        # Of an address of another length OpenSSL says itself that it cannot be compared.
        for odd, constraint in (*((odd, network) for odd in self.ODD[:3]), (self.ODD[3], domain)):
            (problem,) = self.judged(odd, constraints=constraint)
            self.assertIn(problem.code, ("not-permitted", "invalid-certificate"))
            self.assertNotIn("is no", problem.detail)

    def test_accessRules(self) -> None:
        """Where no other name of its kind decides, a rule is in doubt: it lets no peer in, or shuts it out."""
        for odd, kind, other in (
            (self.ODD[0], "ip=127.0.0.1", "dns=localhost"),
            (self.ODD[3], "dns=localhost", "ip=127.0.0.1"),
        ):
            plain = (generalName(2, b"localhost"), generalName(7, b"\x7f\0\0\1"))
            peer = Peer((certificateFor(odd, *plain),))
            self.assertEqual((peer.dnsNames, peer.addresses), (("localhost",), ("127.0.0.1",)))
            absent = kind.replace("0.1", "0.9").replace("local", "other")
            for allow, deny, isLetIn in (([kind], [], True), ([absent], [], False), ([other], [absent], False)):
                decision = AccessRules.parse(allow, deny).judge(peer)
                self.assertEqual(decision.problem is None, isLetIn, (allow, deny))
        spiffe = generalName(6, b"spiffe://example.org/a")
        self.assertEqual(Peer((certificateFor(spiffe),)).spiffeID, "spiffe://example.org/a")
        self.assertIsNone(Peer((certificateFor(spiffe, generalName(6, b"\xfc:a")),)).spiffeID)


def _drawnName(random: Random, asked: str) -> bytes:
    label, _, parent = asked.partition(".")
    address = ip_address(asked).packed if isAddress(asked) else b"\x7f\0\0\1"
    texts = (
        *(asked, f"*.{parent}", f"*.{asked}", "*", "*.org", f"{label[:1]}*.{parent}", f"*{label[-1:]}.{parent}"),
        *(f".{asked}", f"{asked}.", f" {asked}", f"{asked}\0", f"{asked}\0.evil", f"*.*.{parent}", f"**.{parent}", ""),
        *(f"{asked}:443", f"\u00a0{asked}", f"{asked}\n", f"xn--*.{parent}", f"{label}.*", f"https://{asked}/"),
    )
    text = random.choice(texts).encode("latin-1")
    return random.choice(
        (
            *[generalName(2, text)] * 4,
            generalName(6, text),
            generalName(1, text),
            generalName(7, text),
            generalName(7, address),
            generalName(7, address + b"\xff" * len(address)),
            generalName(7, address + b"\xff\0\xff\0"),
            generalName(7, address[:-1]),
            generalName(7, b""),
            generalName(3, seq(der(0x30, b""))),
            generalName(5, der(0xA1, der(0x0C, text))),
            generalName(8, b"\x2a\x03\x04"),
            generalName(4, name("Example", "a")),
            generalName(0, oid("1.2.3") + der(0xA0, der(0x0C, b"x"))),
        )
    )


_PARTIAL_CHAIN = 0x80000


class DistinguishedNames(SynchronousTestCase):
    """Two distinguished names are the same where OpenSSL says so."""

    def areSame(self, one: crypto.X509, other: crypto.X509) -> bool:
        subjects = (lib.X509_get_subject_name(each._x509) for each in (one, other))
        return bool(lib.X509_NAME_cmp(*subjects) == 0)

    def test_drawn(self) -> None:
        random, same = Random(714), 0
        texts = (
            "a b",
            "A B",
            " a b ",
            "a  b",
            "a\tb",
            "a\u00a0b",
            "a\x1fb",
            "a\x85b",
            "\u2003a b",
            "Ä b",
            "ä b",
            "a b\x0b",
        )
        for one, other in ((random.choice(texts), random.choice(texts)) for _ in range(300)):
            names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (one, other)]
            isSame = self.areSame(*(crypto.X509.from_cryptography(certificateNamed(each)) for each in names))
            same += isSame
            self.assertEqual(canonicalName(names[0]) == canonicalName(names[1]), isSame, (one, other))
        self.assertGreater(same, 30)


@cache
def certificateNamed(subject: x509.Name) -> x509.Certificate:
    chain = Chain()
    chain.leaf.subject = subject.public_bytes()
    return chain.leaf.signedBy(chain.issuer)
