"""A handshake, revalidation and the verdict off line agree on every chain, whatever its authorities sign with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, padding
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.chains import NOW, intermediate, leaf, root, rsaKey
from tlscomm.configuration import ClientConfiguration, ServerConfiguration, insecurelyPresenting
from tlscomm.credentials import Credential
from tlscomm.issuing import Authority
from tlscomm.tls import handshake
from tlscomm.tls._connection import TLSConnection
from tlscomm.verification import Trust, Verifier
from tlscomm.x509._certificate import parsedCertificate
from tlscomm.x509._signatures import hasSigned

DAY = timedelta(days=1)
_TOO_DEAR = "costs more than is spent on a peer that is refused"
_SERVERS = Authority.create("servers", now=NOW)
_SERVER = _SERVERS.issue("server", role="server", dnsNames=["localhost"], now=NOW)
_KEY = ec.derive_private_key(5280, ec.SECP256R1())


def _probabilistic(mask: hashes.HashAlgorithm, salt: int) -> dict[str, Any]:
    return {"rsa_padding": padding.PSS(padding.MGF1(mask), salt)}


@cache
def _dsaKey() -> dsa.DSAPrivateKey:
    return dsa.generate_private_key(2048)


#: For each algorithm what makes a key, the digest, and what else to sign with.
ALGORITHMS: dict[str, tuple[Callable[[], Any], hashes.HashAlgorithm | None, dict[str, Any]]] = {
    "P-256": (lambda: ec.generate_private_key(ec.SECP256R1()), hashes.SHA256(), {}),
    "P-521": (lambda: ec.generate_private_key(ec.SECP521R1()), hashes.SHA512(), {}),
    "P-256 with SHA-3": (lambda: ec.generate_private_key(ec.SECP256R1()), hashes.SHA3_256(), {}),
    "secp256k1": (lambda: ec.generate_private_key(ec.SECP256K1()), hashes.SHA256(), {}),
    "brainpool": (lambda: ec.generate_private_key(ec.BrainpoolP384R1()), hashes.SHA384(), {}),
    "RSA": (lambda: rsaKey(2048), hashes.SHA256(), {}),
    "RSA with SHA-3": (lambda: rsaKey(2048), hashes.SHA3_384(), {}),
    "RSA-PSS": (lambda: rsaKey(2048), hashes.SHA512(), _probabilistic(hashes.SHA512(), 64)),
    "RSA-PSS of two digests": (lambda: rsaKey(2048), hashes.SHA256(), _probabilistic(hashes.SHA512(), 20)),
    "DSA": (_dsaKey, hashes.SHA256(), {}),
    "Ed25519": (ed25519.Ed25519PrivateKey.generate, None, {}),
    "Ed448": (ed448.Ed448PrivateKey.generate, None, {}),
    "ML-DSA-44": (mldsa.MLDSA44PrivateKey.generate, None, {}),
    "ML-DSA-65": (mldsa.MLDSA65PrivateKey.generate, None, {}),
    "ML-DSA-87": (mldsa.MLDSA87PrivateKey.generate, None, {}),
}


@cache
def _keyOf(number: int, algorithm: str) -> Any:
    return ALGORITHMS[algorithm][0]()


@dataclass(frozen=True)
class Node:
    """An authority: two with different numbers have different keys, and may have the same name."""

    number: int
    name: str
    algorithm: str

    @property
    def key(self) -> Any:
        return _keyOf(self.number, self.algorithm)


@cache
def issued(by: Node, to: Node | None, identifiers: str = "both", age: int = 30) -> x509.Certificate:
    """Make an authority's certificate, or a client's.

    Args:
        by: who signs it.
        to: whose it is; a client's where None.
        identifiers: which there are: both, subject, authority or none.
        age: for how many days it has been valid.
    """
    _, digest, signing = ALGORITHMS[by.algorithm]
    publicKey = _KEY.public_key() if to is None else to.key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named("client" if to is None else to.name))
        .issuer_name(_named(by.name))
        .public_key(publicKey)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY * age)
        .not_valid_after(NOW + DAY * 9)
        .add_extension(x509.BasicConstraints(to is not None, None), critical=True)
    )
    if identifiers in ("both", "subject"):
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(publicKey), critical=False)
    if identifiers in ("both", "authority"):
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
        builder = builder.add_extension(issuer, critical=False)
    return builder.sign(by.key, digest, **signing)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def live(presented: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate]) -> TLSConnection:
    """Return a server's connection that a client has presented certificates to."""
    server = ServerConfiguration(credential=_SERVER, clientRoots=tuple(anchors), clientCertificates="required")
    client = ClientConfiguration(serverName="localhost", roots=(_SERVERS.certificate,))
    credential = Credential(presented[0], tuple(presented[1:]), _KEY)
    presenting, judging = handshake(insecurelyPresenting(client, credential), server)
    presenting.release()
    return judging


class VerdictCase(SynchronousTestCase):
    def verdict(self, presented: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate]) -> list[str]:
        """Return what the peer is refused for, and see to it that all three are of one mind."""
        judging = live(presented, anchors)
        found = [] if judging.failure is None else [each.code for each in judging.failure.problems]
        if judging.failure is not None and _TOO_DEAR in judging.failure.detail:
            # In a handshake a stranger is not granted what another path would cost to find.
            self.assertEqual(found[1:], ["chain-too-long"])
            return found
        self.assertNotEqual(judging.isAccepted, bool(found))
        offLine = Verifier(peerRole="client", trust=Trust(tuple(anchors))).verify(presented).problems
        self.assertEqual(not found, not offLine, (found, offLine))
        if not found:
            self.assertIsNone(judging.revalidate())
            # Nothing may depend on what was remembered.
            fresh = Verifier(peerRole="client", trust=Trust(tuple(anchors)), requiresCertificate=True)
            self.assertIsNone(judging.revalidate(fresh))
        judging.release()
        return found


class Algorithms(VerdictCase):
    def test_whatOpenSSLVerifiesIsVerifiedHere(self) -> None:
        for algorithm in ALGORITHMS:
            anchor, between = Node(0, "root", algorithm), Node(1, "between", algorithm)
            made, issuer, root = issued(between, None), issued(anchor, between), issued(anchor, anchor)
            with self.subTest(algorithm=algorithm):
                self.assertEqual(self.verdict([made, issuer], [root]), [])
                self.assertTrue(hasSigned(parsedCertificate(issuer), parsedCertificate(made)))

    def test_aForgedSignatureOfAnyAlgorithmIsNone(self) -> None:
        for algorithm in ALGORITHMS:
            real, forger = Node(0, "root", algorithm), Node(7, "root", algorithm)
            if real.key == forger.key:
                # RSA and DSA keys take long to make.
                continue
            made = issued(forger, None)
            with self.subTest(algorithm=algorithm):
                self.assertFalse(hasSigned(parsedCertificate(issued(real, real)), parsedCertificate(made)))
                self.assertTrue(self.verdict([made], [issued(real, real)]))

    def test_datesAndPurposesHaveNothingToDoWithASignature(self) -> None:
        anchor = Node(0, "root", "ML-DSA-44")
        made, issuer = issued(anchor, None, age=-5), issued(anchor, anchor, age=-5)
        self.assertTrue(hasSigned(parsedCertificate(issuer), parsedCertificate(made)))
        self.assertTrue(self.verdict([made], [issuer]))

    def test_oneThatIsTrustedHasSignedNothingByThat(self) -> None:
        anchor = Node(0, "root", "ML-DSA-44")
        made = parsedCertificate(issued(anchor, None))
        self.assertFalse(hasSigned(made, made))


class Namesakes(VerdictCase):
    """However many authorities have one name, the three look for the issuer in the same way."""

    def test_namesakesOfTheIssuer(self) -> None:
        """Where no identifier tells them apart, the issuer is found among others of its name, in any order."""
        top = Node(1, "top", "P-256")
        namesakes = [Node(2 + number, "issuer", "P-256") for number in range(4)]
        authorities = [issued(top, each, "none") for each in namesakes]
        client = issued(namesakes[-1], None, "none")
        for others in (authorities, authorities[::-1], authorities[2:]):
            self.assertEqual(self.verdict([client, *others], [issued(top, top, "none")]), [])
        self.assertEqual(self.verdict([client, *authorities[:-1]], [issued(top, top, "none")]), ["bad-signature"])

    def test_hundredsOfAuthoritiesOfOneName(self) -> None:
        for identifiers in ("both", "none"):
            nodes = [Node(number, "root", "P-256") for number in range(140)]
            # Without identifiers OpenSSL takes the first one, and the search begins with the newest one.
            anchors = [issued(node, node, identifiers, age=300 - node.number) for node in nodes]
            with self.subTest(identifiers=identifiers):
                self.assertEqual(self.verdict([issued(nodes[0], None, identifiers)], anchors), [])
                self.assertTrue(self.verdict([issued(Node(200, "root", "P-256"), None, identifiers)], anchors))


_NAMES = ("one", "other")
_NODES = st.lists(st.tuples(st.sampled_from(_NAMES), st.sampled_from(sorted(ALGORITHMS))), min_size=3, max_size=3)
_EDGES = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from(("both", "both", "subject", "none"))), max_size=5
)


class Drawn(VerdictCase):
    @settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
    @given(_NODES, _EDGES, st.sets(st.integers(0, 2), min_size=1, max_size=2), st.randoms(use_true_random=False))
    def test_anyChain(self, drawn: Any, edges: Any, trusted: set[int], random: Any) -> None:
        """Of any algorithms, cross-signed, in any order, with and without identifiers."""
        nodes = [Node(number, name, algorithm) for number, (name, algorithm) in enumerate(drawn)]
        issuers = [issued(nodes[above], nodes[below], which) for below, above, which in dict.fromkeys(edges)]
        random.shuffle(issuers)
        anchors = [issued(nodes[number], nodes[number]) for number in sorted(trusted)]
        self.verdict([issued(nodes[0], None), *issuers], anchors)


class Moments(SynchronousTestCase):
    def test_theLastSecondBelongsToTheValidity(self) -> None:
        issuer = intermediate(notAfter=NOW + DAY)
        made = leaf(issuer)
        verifier = Verifier(peerRole="server", trust=Trust((root().certificate,)))
        for microseconds, expected in ((0, 0), (1, 0), (999_999, 0), (1_000_000, 1)):
            for profile in (verifier, Verifier(peerRole="server", trust=verifier.trust, profile="strict")):
                at = NOW + DAY + timedelta(microseconds=microseconds)
                problems = profile.verify([made, issuer.certificate], at=at).problems
                self.assertEqual(len(problems), expected)
