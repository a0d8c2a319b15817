"""A peer that was seen before is judged faster, and not otherwise: what was read is found by all bytes and no less."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from calls import called
from conversation import AUTHORITY, CLIENT, ROOTS, SERVER, STRANGER, clientConfiguration, later, serverConfiguration
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL.crypto import X509
from revoking import Lists
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._openssl import certificates
from tlscomm._openssl.certificates import ReadChain, encodedCertificate, encodings, readCertificate
from tlscomm.access import AccessRules
from tlscomm.configuration import Configuration
from tlscomm.credentials import Credential
from tlscomm.issuing import withBadSignature
from tlscomm.testing import Pair
from tlscomm.verification import OpenSSLResult

#: More than is kept.
LARGE = AUTHORITY.issue("large", role="client", dnsNames=[f"{'x' * 50}.{number}.example.com" for number in range(400)])


def codes(client: Configuration, server: Configuration) -> tuple[str, str]:
    """Return what one handshake comes to for the client and for the server; nothing where it accepts."""
    pair = Pair(client, server)
    pair.flush()
    return tuple("" if side.failure is None else side.failure.code for side in (pair.client, pair.server))  # type: ignore[return-value]


def as_(credential: Credential, **settings: Any) -> Configuration:
    return clientConfiguration(credential=credential, resumption=False, **settings)


class Twins(SynchronousTestCase):
    """Two certificates that agree on issuer, serial number, subject and key are two."""

    def twin(self, name: str) -> Credential:
        return AUTHORITY.issue(
            "twin", role="client", privateKey=CLIENT.privateKey, serialNumber=77, uris=[f"urn:example:{name}"]
        )

    def test_otherNames(self) -> None:
        one, other = self.twin("one"), self.twin("other")
        server = serverConfiguration(access=AccessRules.parse(allow=["uri=urn:example:one"]))
        for _ in range(2):
            self.assertEqual(codes(as_(one), server), ("", ""))
            self.assertEqual(codes(as_(other), server)[1], "not-allowed")

    def test_otherSignature(self) -> None:
        server = serverConfiguration()
        forged = withBadSignature(CLIENT)
        for _ in range(2):
            self.assertEqual(codes(as_(CLIENT), server), ("", ""))
            self.assertEqual(codes(as_(forged), server)[1], "bad-signature")

    def test_serversToo(self) -> None:
        client = as_(CLIENT)
        forged = withBadSignature(SERVER)
        for _ in range(2):
            self.assertEqual(codes(client, serverConfiguration()), ("", ""))
            self.assertEqual(codes(client, serverConfiguration(credential=forged))[0], "bad-signature")


class Changes(SynchronousTestCase):
    """What time and the user change counts for a peer that was accepted a moment ago."""

    def test_expired(self) -> None:
        client, server = as_(CLIENT), serverConfiguration()
        self.assertEqual(codes(client, server), ("", ""))
        later(self, timedelta(days=5000))
        self.assertEqual(codes(client, server)[1], "expired")

    def test_revoked(self) -> None:
        lists = Lists("known.crl")
        client, server = as_(CLIENT), serverConfiguration(revocation=lists.revocation)
        for _ in range(2):
            self.assertEqual(codes(client, server), ("", ""))
        lists.publish(CLIENT)
        self.assertEqual(codes(client, server)[1], "revoked")

    def test_rules(self) -> None:
        """What was accepted under one configuration says nothing under another."""
        self.assertEqual(codes(as_(CLIENT), serverConfiguration()), ("", ""))
        deny = serverConfiguration(access=AccessRules.parse(deny=["cn=client"]))
        self.assertEqual(codes(as_(CLIENT), deny)[1], "not-allowed")
        other = serverConfiguration(clientRoots=(STRANGER.certificate,))
        self.assertIn(codes(as_(CLIENT), other)[1], ("unknown-issuer", "incomplete-chain"))


class Kept(SynchronousTestCase):
    """What is kept of certificates that were read."""

    def setUp(self) -> None:
        certificates._kept.cache_clear()

    def count(self) -> int:
        return certificates._kept.cache_info().currsize

    def test_readOnce(self) -> None:
        """The chain of a peer that comes again is the same objects."""
        encoded = encodings((CLIENT.certificate, *ROOTS))
        first, second = ReadChain.of(encoded), ReadChain.of(encoded)
        self.assertEqual((first, first.encoded), ((CLIENT.certificate, *ROOTS), encoded))
        self.assertTrue(all(one is other for one, other in zip(first, second, strict=True)))

    def test_strangers(self) -> None:
        """What strangers show pushes nothing out."""
        codes(as_(CLIENT), server := serverConfiguration())
        before = self.count()
        for number in range(3):
            codes(as_(STRANGER.issue(f"stranger {number}", role="client")), server)
        self.assertEqual(self.count(), before)

    def test_large(self) -> None:
        """Large ones are not kept."""
        self.assertEqual(codes(as_(LARGE), serverConfiguration()), ("", ""))
        for credential, isKept in ((CLIENT, True), (LARGE, False)):
            encoded = credential.certificate.public_bytes(Encoding.DER)
            self.assertEqual(readCertificate(encoded) is readCertificate(encoded), isKept)

    def test_encoding(self) -> None:
        """The bytes are those that came, however many."""
        for credential in (CLIENT, LARGE):
            loaded = X509.from_cryptography(credential.certificate)
            self.assertEqual(
                encodedCertificate(loaded._x509), credential.certificate.public_bytes(Encoding.DER), credential
            )

    def test_judgementsAreFound(self) -> None:
        """A judgement is found again by what OpenSSL has at hand, and nothing is read or checked for it."""
        verifier = serverConfiguration().verifier
        chain = ReadChain.of(encodings((CLIENT.certificate, *ROOTS)))
        found = OpenSSLResult((), chain)
        first = called(lambda: verifier.verify(chain, opensslResult=found))
        self.assertLess(called(lambda: verifier.verify(chain, opensslResult=found)), min(40, first))
        # Found also by what does not know its bytes.
        plain = verifier.verify(tuple(chain), opensslResult=OpenSSLResult((), tuple(chain)))
        self.assertIs(plain, verifier.verify(chain, opensslResult=found))
