"""What a chain can cost that is refused: the work is counted, whatever the chain is, and so is what is said of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from calls import called
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from dearchains import answer, commonName, contextShowing, dearChains, seq, tlv
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.access import AccessRules
from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.credentials import Credential
from tlscomm.failures import TLSFailure
from tlscomm.issuing import Authority
from tlscomm.tls import TLSConnection
from tlscomm.verification import Verifier, insecurelyAccept
from tlscomm.verification._paths import PathSearch, SearchBudget, byName
from tlscomm.verification._strangers import heaviness, modestOnes
from tlscomm.x509._bounds import partsOf, priceOfKey
from tlscomm.x509._certificate import parsedCertificate
from tlscomm.x509._keystrengths import keyWeakness

AUTHORITY = Authority.create(organization="we")
SERVER = AUTHORITY.issue("server", role="server", dnsNames=["localhost"])
CLIENT = AUTHORITY.issue("client", role="client", dnsNames=["client.example"])

CHAINS = dict(dearChains(AUTHORITY.certificate))

#: Calls of functions, Python's and the libraries', of a whole handshake. A plain refusal takes 2,000.
MOST_CALLS = 8000
#: Characters that a refusal has in any output.
MOST_SAID = 8000


def encoded(credential: Credential) -> list[bytes]:
    return [each.public_bytes(Encoding.DER) for each in (credential.certificate, *credential.chain)]


def serverConfiguration(**settings: Any) -> ServerConfiguration:
    return ServerConfiguration(credential=SERVER, clientRoots=(AUTHORITY.certificate,), **settings)


def hello(chain: Sequence[bytes]) -> SSL.Connection:
    """Return a client that will show a chain."""
    client = SSL.Connection(contextShowing(chain))
    client.set_connect_state()
    return client


def refused(client: SSL.Connection, configuration: ServerConfiguration | None = None) -> TLSConnection:
    """Have a client shake hands with a server in memory, as far as that goes, and return the server's side."""
    server = TLSConnection(configuration or serverConfiguration())
    flight = answer(client, b"")
    while flight:
        server.receive(flight)
        reply = server.outgoing()
        flight = answer(client, reply) if reply else b""
    return server


def failureOf(chain: Sequence[bytes]) -> TLSFailure:
    failure = refused(hello(chain)).failure
    assert failure is not None
    return failure


class EveryDearChain(SynchronousTestCase):
    """Chains of up to 100 KB, each of which cost up to 0.7 seconds and 800 KB of log before this was bounded."""

    def test_workAndWords(self) -> None:
        """No chain takes more calls than a few plain refusals, and none is said more of than a page."""
        # What is imported in the first handshake is no matter of the chain.
        failureOf(CHAINS["nothing, an unknown issuer"])
        for title, chain in CHAINS.items():
            client, servers = hello(chain), []
            calls = called(lambda client=client, found=servers: found.append(refused(client)))
            self.assertLess(calls, MOST_CALLS, title)
            (server,) = servers
            failure = server.failure
            for said in (str(failure), repr(failure), failure.message, json.dumps(failure.toJSON())):
                self.assertLess(len(said), MOST_SAID, title)
            self.assertNotIn(failure.code, ("protocol-violation", "hook-failed"), title)
            if "a mesh up to" in title:
                # OpenSSL is stopped at the first problem, before it has used a key that is dear.
                self.assertEqual(len(server._channel._problems), 1, title)
                self.assertEqual([each.code for each in failure.problems][1:], ["chain-too-long"], title)


class WhatItIsCalled(SynchronousTestCase):
    """A chain that is too heavy to be looked at is named by what OpenSSL has found, and says why nothing else is."""

    def test_anIssuerThatIsNotThere(self) -> None:
        failure = failureOf(CHAINS["4,000 alternative names, issuer unknown"])
        self.assertEqual((failure.code, failure.depth, failure.opensslError), ("incomplete-chain", 0, 20))
        self.assertEqual(
            failure.detail, "CN=leaf, issuer CN=unknown, it has more than 256 parts, or 10000 bytes, and is not read"
        )

    def test_aForgery(self) -> None:
        failure = failureOf(CHAINS["4,000 alternative names, issuer our authority"])
        self.assertEqual((failure.code, failure.opensslError), ("bad-signature", 7))

    def test_dearKeys(self) -> None:
        failure = failureOf(CHAINS["RSA of 3072 bits, exponent of 3072, up to unknown"])
        self.assertEqual(failure.code, "unknown-issuer")
        self.assertIn("more than 6 certificates", failure.detail)
        chain = CHAINS["RSA of 3072 bits, exponent of 3072, up to unknown"]
        failure = failureOf(chain[:4])
        self.assertIn("costs more than is spent on a peer that is refused", failure.detail)

    def test_namesThatAreTooLongToShow(self) -> None:
        failure = failureOf(CHAINS["5,000 common names, issuer unknown"])
        assert failure.certificate is not None
        self.assertRegex(failure.certificate.subject, r"^\(a name of \d+ bytes\)$")

    def test_aHookIsNotAsked(self) -> None:
        """What is too heavy to be read is too heavy for a hook, which might read all of it."""
        asked: list[object] = []

        def hook(question: object) -> Any:
            asked.append(question)
            return insecurelyAccept()

        server = refused(
            hello(CHAINS["RSA of 2048 bits, exponent of 2048, up to unknown"]), serverConfiguration(hook=hook)
        )
        self.assertEqual((asked, server.isAccepted), ([], False))

    def test_besideAGoodCertificate(self) -> None:
        """Who has a certificate of our authority, and is not let in, has no more room beside it than a stranger."""
        chain, calls = [*encoded(CLIENT), *CHAINS["tiny certificates of our authority's name"]][:250], {}
        rules = AccessRules.parse(allow=["dns=other.example"])
        for configuration in (serverConfiguration(access=rules), serverConfiguration(hook=lambda _: False)):
            for sent in (chain[:1], chain):
                client = SSL.Connection(contextShowing(sent, CLIENT.privateKey))
                client.set_connect_state()
                calls[len(sent)] = called(partial(self.notAllowed, client, configuration))
            self.assertLess(calls[len(chain)], calls[1] + MOST_CALLS)

    def notAllowed(self, client: SSL.Connection, configuration: ServerConfiguration) -> None:
        failure = refused(client, configuration).failure
        self.assertIn(None if failure is None else failure.code, ("not-allowed", "refused-by-hook"))

    def test_besideAGoodCertificateOfAServer(self) -> None:
        """So it is for a server that has a certificate of our authority, and another name than it was asked for."""
        chain, calls = [*encoded(SERVER), *CHAINS["tiny certificates of our authority's name"]][:250], {}
        configuration = ClientConfiguration(serverName="other.example", roots=(AUTHORITY.certificate,))
        for sent in (chain[:1], chain):
            server = SSL.Connection(contextShowing(sent, SERVER.privateKey))
            server.set_accept_state()
            client = TLSConnection(configuration)
            client.start()
            flight = answer(server, client.outgoing())
            calls[len(sent)] = called(partial(client.receive, flight))
            assert client.failure is not None
            self.assertEqual(client.failure.code, "name-mismatch")
        self.assertLess(calls[len(chain)], calls[1] + MOST_CALLS)

    def test_largeAndGood(self) -> None:
        """What an authority has signed is read, however much it is."""
        many = AUTHORITY.issue("many", role="client", dnsNames=[f"a{number}.example" for number in range(1000)])
        self.assertIsNotNone(heaviness(encoded(many)))
        client = SSL.Connection(contextShowing(encoded(many), many.privateKey))
        client.set_connect_state()
        server = TLSConnection(serverConfiguration())
        server.receive(answer(client, b""))
        server.receive(answer(client, server.outgoing()))
        self.assertTrue(server.isAccepted)


class FirstMessages(SynchronousTestCase):
    """A client that is refused for its first message has had no more of it read than an honest one has."""

    def test_manyParts(self) -> None:
        usual = (extension(10, vector(2, b"\0\x1d\0\x17")), extension(13, vector(2, b"\4\3\x08\4")))
        offered = extension(16, vector(2, b"\1a" * 7900))
        many = [extension(0x4000 + number, b"") for number in range(3900)]
        server = serverConfiguration(applicationProtocols=(b"h2",))
        plain = self.calls(server, "no-common-cipher", 5, *usual)
        for suite, code, more in (
            (5, "no-common-cipher", many),
            (5, "no-common-cipher", [offered]),
            (0xC02B, "no-common-protocol", [offered]),
            (0xC02B, "no-common-protocol", [extension(16, vector(2, b"\1a" * 30_000))]),
        ):
            self.assertLess(self.calls(server, code, suite, *usual, *more), plain + 5000)

    def calls(self, configuration: ServerConfiguration, code: str, suite: int, *extensions: bytes) -> int:
        """Return how many calls a server needs to refuse a TLS 1.2 client."""
        suites = vector(2, suite.to_bytes(2, "big"))
        parts = (b"\3\3", bytes(32), vector(1, b""), suites, vector(1, b"\0"), vector(2, b"".join(extensions)))
        message = b"\1" + vector(3, b"".join(parts))
        pieces = (message[start : start + 16_000] for start in range(0, len(message), 16_000))
        server = TLSConnection(configuration)
        calls = called(partial(server.receive, b"".join(b"\x16\3\1" + vector(2, piece) for piece in pieces)))
        self.assertEqual(getattr(server.failure, "code", None), code)
        return calls


def vector(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size, "big") + content


def extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2, "big") + vector(2, content)


class Bounds(SynchronousTestCase):
    """What is found out by the bytes alone."""

    def test_parts(self) -> None:
        """Each element counts, those within the values of extensions too, and no more than are asked for."""
        names = seq(*(tlv(0x82, b"a") for _ in range(10)))
        self.assertEqual(partsOf(names, 100), 11)
        self.assertEqual(partsOf(tlv(4, names), 100), 12)
        self.assertEqual(partsOf(names, 5), 5)
        self.assertEqual(partsOf(seq(commonName("x")), 100), 5)

    def test_whatIsHidden(self) -> None:
        """No element hides those behind it, by its length or by its tag."""
        names = seq(*(tlv(0x82, b"a") for _ in range(50)))
        for inside in (b"\4\x84\x7f\0\0\0", tlv(4, b"\x30\2\4\x82\1\0"), seq(b"\4\x82\0\x99")):
            for before in (seq(inside), tlv(4, seq(inside)), tlv(0x82, inside)):
                self.assertGreater(partsOf(seq(before, names), 1000), 50)
        self.assertEqual(partsOf(seq(b"\x1f\x84\x7f\0", names), 1000), 1000)

    def test_whatIsNoDER(self) -> None:
        """Lengths that lead nowhere end it."""
        for wrong in (b"", b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x02\xff" + b"\xff" * 200, b"\x30\x80" * 50):
            self.assertLess(partsOf(wrong, 1000), 100)
            self.assertEqual(priceOfKey(wrong), 0)

    def test_everydayCertificatesAreModest(self) -> None:
        for each in (AUTHORITY.certificate, SERVER.certificate, CLIENT.certificate):
            self.assertIsNone(heaviness([each.public_bytes(Encoding.DER)]))
        hundred = AUTHORITY.issue("x", role="server", dnsNames=[f"host{number}.example.org" for number in range(150)])
        self.assertIsNone(heaviness([hundred.certificate.public_bytes(Encoding.DER)]))

    def test_prices(self) -> None:
        """A key costs what its kind and its length make it cost."""
        keys: list[tuple[Any, int, int]] = [
            (ec.generate_private_key(ec.SECP256R1()), 50, 200),
            (ec.generate_private_key(ec.SECP384R1()), 300, 700),
            (ec.generate_private_key(ec.BrainpoolP512R1()), 1500, 3000),
            (ed25519.Ed25519PrivateKey.generate(), 50, 300),
            (ed448.Ed448PrivateKey.generate(), 100, 500),
            (rsa.generate_private_key(65537, 2048), 20, 60),
            (dsa.generate_private_key(2048), 300, 600),
            (mldsa.MLDSA87PrivateKey.generate(), 200, 600),
        ]
        for key, least, most in keys:
            issued = AUTHORITY.issue("key", role="client", publicKey=key.public_key()).certificate
            self.assertTrue(least <= priceOfKey(issued.public_bytes(Encoding.DER)) <= most, key)

    def test_anExponentCosts(self) -> None:
        numbers = rsa.generate_private_key(65537, 2048).public_key().public_numbers()
        large = rsa.RSAPublicNumbers((1 << 2047) + 1, numbers.n).public_key()
        issued = AUTHORITY.issue("key", role="client", publicKey=large).certificate
        self.assertGreater(priceOfKey(issued.public_bytes(Encoding.DER)), 2000)
        self.assertEqual(keyWeakness(large), "an RSA key whose exponent has 2048 bits, and 64 are the most")

    def test_everydayChainsAreNotHeavy(self) -> None:
        """Whatever is wrong with it, all of a chain of a few certificates is looked at."""
        for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()):
            authority = Authority.create(privateKey=ec.generate_private_key(curve))
            leaf = authority.issue("leaf", role="client", privateKey=ec.generate_private_key(curve))
            chain = [*encoded(leaf)[:1], authority.certificate.public_bytes(Encoding.DER)]
            self.assertIsNone(heaviness(chain))

    def test_ofManyOnlySomeAreLookedAt(self) -> None:
        isWanted = modestOnes()
        chain = CHAINS["a mesh of all names with all, up to unknown"]
        self.assertEqual(sum(isWanted(each) for each in chain), 8)
        self.assertFalse(modestOnes()(CHAINS["5,000 directory names, issuer unknown"][0]))


class OneBudget(SynchronousTestCase):
    """A search verifies from the trusted authority down, and pays for what leads to nothing."""

    def search(self, chain: Sequence[bytes], budget: SearchBudget) -> PathSearch:
        leaf, *others = (x509.load_der_x509_certificate(each) for each in chain)
        return PathSearch(
            leaf=parsedCertificate(leaf),
            anchors=byName([parsedCertificate(AUTHORITY.certificate)]),
            others=others,
            maximumDepth=9,
            mayStand=lambda *_: True,
            budget=budget,
        )

    def test_noStrangersKeyIsUsed(self) -> None:
        """Of a mesh whose signatures are all right among themselves only those are verified that name the authority."""
        budget = SearchBudget()
        search = self.search(CHAINS["brainpoolP512r1, a mesh up to our authority"], budget)
        self.assertEqual(list(search.paths()), [])
        anchor = parsedCertificate(AUTHORITY.certificate)
        self.assertEqual({issuer for issuer, _ in search._signed}, {anchor})
        self.assertEqual(budget.microseconds, SearchBudget().microseconds - (anchor.price + 50) * len(search._signed))

    def test_aStrangersBudgetEndsSoon(self) -> None:
        """A dozen forgeries, and no more is tried."""
        budget = SearchBudget.ofStranger()
        search = self.search(CHAINS["a mesh of all names with all, up to our authority"], budget)
        self.assertEqual(list(search.paths()), [])
        self.assertTrue(budget.isExhausted)
        self.assertLessEqual(len(search._signed), 11)

    def test_judgingAndExplainingPayOutOfTheSame(self) -> None:
        """What was spent on the verdict is not there for the explanation."""
        certificates = [
            x509.load_der_x509_certificate(each)
            for each in CHAINS["a mesh of all names with all, up to our authority"][:13]
        ]
        configuration = serverConfiguration()
        verifier: Verifier = configuration.verifier
        spent = SearchBudget.ofStranger()
        spent.microseconds = 0
        result = verifier.verify(certificates, budget=spent)
        self.assertIn("chain-too-long", [each.code for each in result.problems])
        self.assertGreater(spent.microseconds, -1000)


class Clients(SynchronousTestCase):
    """A server is a stranger too."""

    def test_dearServers(self) -> None:
        for title in ("RSA of 3072 bits, exponent of 3072, up to unknown", "4,000 alternative names, issuer unknown"):
            for version in ("1.2", "1.3"):
                context = contextShowing(CHAINS[title])
                server = SSL.Connection(context)
                server.set_accept_state()
                configuration = ClientConfiguration(
                    serverName="localhost",
                    roots=(AUTHORITY.certificate,),
                    credential=CLIENT,
                    minimumTLS=version,
                    maximumTLS=version,
                )
                client = TLSConnection(configuration)
                client.start()
                client.receive(answer(server, client.outgoing()))
                assert client.failure is not None
                self.assertEqual(client.failure.problems[1].code, "chain-too-long")
                self.assertLess(len(json.dumps(client.failure.toJSON())), MOST_SAID)
                assert client.failure.alert is not None
                self.assertEqual(client.failure.alert.number, 48)
