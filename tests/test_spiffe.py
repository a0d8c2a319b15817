"""What a user can rely on where services are called by SPIFFE ids: rules for SVIDs, and servers without a DNS name."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtensionOID
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.access import AccessRules, Peer, parseRule
from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.credentials import Credential
from tlscomm.failures import TLSFailure
from tlscomm.issuing import Authority
from tlscomm.tls import TLSConnection, pump
from tlscomm.verification import nameProblem

BILLING = "spiffe://example.org/ns/prod/billing"


def authorityOf(trustDomain: str | None) -> Authority:
    """An authority as SPIRE makes it: its certificate has the trust domain's SPIFFE id."""
    names = [] if trustDomain is None else [x509.UniformResourceIdentifier(f"spiffe://{trustDomain}")]
    return Authority.create("an authority", extensions=[(x509.SubjectAlternativeName(names), False)] if names else [])


EXAMPLE, OTHER, PLAIN = authorityOf("example.org"), authorityOf("other.example"), authorityOf(None)
#: Both are trusted, as two trust domains that are federated are.
ROOTS = (EXAMPLE.certificate, OTHER.certificate)


def svid(*uris: str, authority: Authority = EXAMPLE, **more: Any) -> Credential:
    return authority.issue("", role="both", uris=uris or (BILLING,), subject=x509.Name([]), **more)


def usage(**more: bool) -> tuple[x509.KeyUsage, bool]:
    words = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign")
    flags = {**dict.fromkeys((*words, "key_cert_sign", "encipher_only", "decipher_only"), False), **more}
    return x509.KeyUsage(**{"digital_signature": True, **flags}), True


#: What is no X.509-SVID, with what is said of it.
NONE = (
    ("is not its only URI", svid(BILLING, "spiffe://example.org/b")),
    ("is not its only URI", svid(BILLING, "https://example.org/")),
    ("is a trust domain", svid("spiffe://example.org")),
    ("is no SPIFFE id", svid("spiffe://example.org/a/")),
    ("is no SPIFFE id", svid("spiffe://example.org:1/a")),
    ("is no SPIFFE id", svid("spiffe://example.org/a%20b")),
    ("of an authority", svid(extensions=[(x509.BasicConstraints(ca=True, path_length=None), True)])),
    ("that of an authority", svid(extensions=[usage(key_cert_sign=True)])),
    ("that of an authority", svid(extensions=[usage(crl_sign=True)])),
    ("no digitalSignature", svid(extensions=[usage(digital_signature=False, key_agreement=True)])),
    ("no digitalSignature", svid(omit=[ExtensionOID.KEY_USAGE])),
    ("another trust domain", svid(authority=OTHER)),
)


def peerOf(credential: Credential) -> Peer:
    issuer = credential.certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    return Peer((credential.certificate, (OTHER if issuer == _keyOf(OTHER) else EXAMPLE).certificate))


def _keyOf(authority: Authority) -> x509.AuthorityKeyIdentifier:
    own = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


class Rules(SynchronousTestCase):
    def test_identity(self) -> None:
        """spiffe= fits by the whole id, by a part of its path, and with no path by its trust domain."""
        peer = peerOf(svid())
        for text in (BILLING, "spiffe://example.org/ns/*/billing", "spiffe://Example.org", "spiffe://*.org"):
            self.assertTrue(parseRule(f"spiffe={text}").fits(peer), text)
        for text in ("spiffe://example.org/ns/prod", "spiffe://example.org/*", "spiffe://other.example", "spiffe://*"):
            self.assertFalse(parseRule(f"spiffe={text}").fits(peer), text)
        self.assertEqual(peer.spiffeID, BILLING)
        self.assertFalse(parseRule("spiffe=spiffe://example.org").fits(peerOf(svid("https://example.org/a"))))

    def test_noSVID(self) -> None:
        """What is no SVID by one of the standard's rules is let in by no such rule, is kept out by one, and is told."""
        for said, credential in NONE:
            peer = peerOf(credential)
            allowed = AccessRules.parse(["spiffe=spiffe://example.org"]).judge(peer)
            self.assertFalse(allowed.isLetIn, said)
            assert allowed.problem is not None
            self.assertIn(said, allowed.problem.detail)
            self.assertFalse(AccessRules.parse(deny=["spiffe=spiffe://elsewhere.example"]).judge(peer).isLetIn, said)
            self.assertIsNone(peer.spiffeID, said)

    def test_wrongPattern(self) -> None:
        """What is no SPIFFE id is refused as a rule."""
        for text in (
            "example.org",
            "https://example.org/a",
            "spiffe://",
            "spiffe:///a",
            "spiffe://a/b/",
            "spiffe://a/**",
        ):
            self.assertRaises(ValueError, parseRule, f"spiffe={text}")

    def test_everyDomain(self) -> None:
        """An authority without a SPIFFE id issues for any trust domain."""
        self.assertEqual(Peer((svid(authority=PLAIN).certificate, PLAIN.certificate)).spiffeID, BILLING)


class Servers(SynchronousTestCase):
    def met(self, serverName: str, credential: Credential) -> tuple[TLSFailure | None, str | None]:
        """Return what a client says that asks for a server by this name, and the name that it has sent."""
        client = TLSConnection(ClientConfiguration(serverName=serverName, roots=ROOTS, credential=svid()))
        server = TLSConnection(
            ServerConfiguration(
                credential=credential, clientRoots=ROOTS, access=AccessRules.parse(["spiffe=spiffe://example.org"])
            )
        )
        client.start()
        pump(client, server)
        if client.failure is None:
            assert server.peer is not None
            self.assertEqual(server.peer.spiffeID, BILLING)
        return client.failure, server.facts.serverName

    def test_accepted(self) -> None:
        """A client accepts a server by its SPIFFE id, or by its trust domain, and sends no name."""
        for name in (BILLING, "SPIFFE://Example.org/ns/prod/billing", "spiffe://example.org"):
            self.assertEqual(self.met(name, svid()), (None, None))

    def test_another(self) -> None:
        """Another service is refused as name-mismatch, with both ids; a DNS name that fits does not help."""
        for name, credential, said in (
            ("spiffe://example.org/ns/test/billing", svid(), f"it is for {BILLING}"),
            ("spiffe://other.example", svid(), f"it is for {BILLING}"),
            (BILLING, EXAMPLE.issue("a", role="both", dnsNames=["example.org"]), "it has no SPIFFE id"),
        ):
            failure, _ = self.met(name, credential)
            assert failure is not None
            self.assertEqual(failure.code, "name-mismatch")
            self.assertIn(said, failure.message)

    def test_foreignAuthority(self) -> None:
        """What another trust domain's authority has issued for this one is refused, although it is trusted."""
        failure, _ = self.met(BILLING, svid(authority=OTHER))
        assert failure is not None
        self.assertEqual(failure.code, "invalid-certificate")
        self.assertIn("issued below the authority of spiffe://other.example", failure.message)

    def test_noSVID(self) -> None:
        """What is no SVID is refused as an invalid certificate, with the rule that it breaks."""
        for said, credential in NONE:
            problem = nameProblem(credential.certificate, BILLING, peerOf(credential).chain[1:])
            assert problem is not None, said
            self.assertEqual(problem.code, "invalid-certificate")
            self.assertIn(said, problem.detail)

    def test_wrongName(self) -> None:
        """A name with a wildcard, or that is none, is refused when the configuration is made."""
        for name in ("spiffe://example.org/*", "spiffe://*", "spiffe://", "spiffe:a", "spiffe://example.org/a/"):
            self.assertRaises(ValueError, ClientConfiguration, serverName=name, roots=ROOTS)
