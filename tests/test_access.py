"""Access rules let in exactly whom they name."""

from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.access import AccessRules, parseRule
from tlscomm.authority import Authority
from tlscomm.peer import Peer

AUTHORITY = Authority.create()


def peer(commonName: str = "client", **names: Any) -> Peer:
    return Peer((AUTHORITY.issue(commonName, role="client", **names).certificate,))


class Rules(SynchronousTestCase):
    def fits(self, rule: str, **names: Any) -> bool:
        return parseRule(rule).fits(peer(**names))

    def test_commonName(self) -> None:
        self.assertTrue(self.fits("cn=client"))
        self.assertTrue(self.fits("cn=Client"))
        self.assertFalse(self.fits("cn=clien"))
        self.assertFalse(self.fits("cn=client2", commonName="client"))

    def test_organization(self) -> None:
        self.assertTrue(self.fits("o=Example", organization="Example"))
        self.assertFalse(self.fits("o=Example", organization="Example Two"))

    def test_organizationalUnit(self) -> None:
        subject = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, "billing")])
        self.assertTrue(self.fits("ou=billing", subject=subject))
        self.assertFalse(self.fits("cn=billing", subject=subject))

    def test_dnsName(self) -> None:
        self.assertTrue(self.fits("dns=a.example.org", dnsNames=["a.example.org"]))
        self.assertTrue(self.fits("dns=A.example.ORG", dnsNames=["b.example", "a.example.org"]))
        self.assertFalse(self.fits("dns=example.org", dnsNames=["a.example.org"]))
        self.assertFalse(self.fits("dns=a.example.org", commonName="a.example.org"))

    def test_wildcardStaysWithinALabel(self) -> None:
        self.assertTrue(self.fits("dns=*.example.org", dnsNames=["a.example.org"]))
        self.assertFalse(self.fits("dns=*.example.org", dnsNames=["a.b.example.org"]))
        self.assertFalse(self.fits("dns=*.example.org", dnsNames=["example.org"]))
        self.assertTrue(self.fits("dns=web*.example.org", dnsNames=["web17.example.org"]))
        self.assertFalse(self.fits("dns=*example.org", dnsNames=["evil.example.org"]))

    def test_uri(self) -> None:
        billing = {"uris": ["spiffe://example.org/ns/billing"]}
        self.assertTrue(self.fits("uri=spiffe://example.org/ns/billing", **billing))
        self.assertTrue(self.fits("uri=spiffe://example.org/*/billing", **billing))
        self.assertFalse(self.fits("uri=spiffe://example.org/*", **billing))
        self.assertFalse(self.fits("uri=spiffe://example.org/ns/Billing", **billing))

    def test_email(self) -> None:
        self.assertTrue(self.fits("email=*@example.org", emails=["a@example.org"]))
        self.assertFalse(self.fits("email=*@example.org", emails=["a@example.org.evil"]))
        self.assertTrue(self.fits("email=*@example.org", emails=["first.last@example.org"]))

    def test_address(self) -> None:
        self.assertTrue(self.fits("ip=192.0.2.1", addresses=["192.0.2.1"]))
        self.assertTrue(self.fits("ip=2001:db8::1", addresses=["2001:db8::1"]))

    def test_digests(self) -> None:
        someone = peer()
        key = someone.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        fingerprint = someone.certificate.fingerprint(SHA256()).hex()
        self.assertTrue(parseRule(f"spki=sha256:{sha256(key).hexdigest().upper()}").fits(someone))
        self.assertTrue(parseRule(f"fingerprint=sha256:{fingerprint}").fits(someone))
        colons = ":".join(fingerprint[i : i + 2] for i in range(0, 64, 2))
        self.assertTrue(parseRule(f"fingerprint=sha256:{colons}").fits(someone))
        self.assertFalse(parseRule(f"fingerprint=sha256:{'0' * 64}").fits(someone))

    def test_aPatternIsNoExpression(self) -> None:
        self.assertFalse(self.fits("cn=clien.", commonName="client"))
        self.assertFalse(self.fits("cn=[a-z]*", commonName="client"))

    def test_manyWildcardsAreAnsweredAtOnce(self) -> None:
        self.assertFalse(self.fits("cn=" + "*" * 5000 + "x", commonName="a" * 64))

    def test_whatIsNoRuleIsRefused(self) -> None:
        for text in ("", "cn", "cn=", "=x", "name=x", "fingerprint=sha1:00", "spki=sha256:12", "fingerprint=*"):
            self.assertRaises(ValueError, parseRule, text)


class Lists(SynchronousTestCase):
    def test_oneRuleIsEnough(self) -> None:
        rules = AccessRules.parse(["cn=other", "dns=a.example"])
        self.assertEqual(str(rules.judge(peer(dnsNames=["a.example"])).rule), "dns=a.example")
        self.assertFalse(rules.judge(peer()).isLetIn)
        self.assertTrue(rules)
        self.assertFalse(AccessRules())
