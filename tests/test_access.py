"""Access rules let in exactly whom they name."""

from __future__ import annotations

import pickle
from hashlib import sha256
from ipaddress import ip_network
from itertools import product
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.access import AccessRule, AccessRules, Condition, Peer, allOf, anyOf, noneOf, parseRule
from tlscomm.access._conditions import KINDS
from tlscomm.access._globs import Glob, Texts
from tlscomm.access._nameforms import LABEL
from tlscomm.issuing import Authority

#: The same examples in every run, however slow the machine is.
REPEATABLE = settings(deadline=None, derandomize=True, database=None)

AUTHORITY = Authority.create("issuing", organization="Example")
KEY = AUTHORITY.issue("key", role="client").privateKey


def peer(commonName: str = "client", *, names: list[x509.GeneralName] | None = None, **more: Any) -> Peer:
    """Return a peer whose certificate was verified; with ``names``, whatever stands in them."""
    if names is not None:
        more["extensions"] = [(x509.SubjectAlternativeName(names), False)]
    made = AUTHORITY.issue(commonName, role="client", privateKey=KEY, **more)
    return Peer((made.certificate, AUTHORITY.certificate))


def garbled() -> Peer:
    """Return a peer whose subject alternative names nobody can read."""
    extension = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30\x05\x82\x09abc")
    return peer(extensions=[(extension, False)])


def encoded(tag: int, value: bytes) -> Peer:
    """Return a peer with one alternative name that no library would write (RFC 5280, section 4.2.1.6)."""
    name = bytes((tag, len(value))) + value
    extension = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, bytes((0x30, len(name))) + name)
    return peer(extensions=[(extension, False)])


def named(*attributes: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def digest(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


class RuleCase(SynchronousTestCase):
    def fits(self, rule: str, **names: Any) -> bool:
        return parseRule(rule).fits(peer(**names))

    def assertKeptOut(self, someone: Peer, kind: str, pattern: str) -> None:
        """Check that a name is taken neither for the one that a rule allows nor for another than the one it denies."""
        rule = Condition(kind, pattern)
        self.assertFalse(AccessRules(allow=(rule,)).judge(someone).isLetIn)
        self.assertFalse(AccessRules(allow=(~rule,)).judge(someone).isLetIn)
        self.assertFalse(AccessRules(deny=(rule,)).judge(someone).isLetIn)


class SubjectTests(RuleCase):
    def test_commonName(self) -> None:
        """A common name is compared whole, without case."""
        self.assertTrue(self.fits("cn=client"))
        self.assertTrue(self.fits("cn=Client"))
        self.assertFalse(self.fits("cn=clien"))
        self.assertFalse(self.fits("cn=client2", commonName="client"))

    def test_organization(self) -> None:
        """So is an organization."""
        self.assertTrue(self.fits("o=Example", organization="Example"))
        self.assertFalse(self.fits("o=Example", organization="Example Two"))

    def test_organizationalUnit(self) -> None:
        """An organizational unit is no common name."""
        subject = named((NameOID.ORGANIZATIONAL_UNIT_NAME, "billing"))
        self.assertTrue(self.fits("ou=billing", subject=subject))
        self.assertFalse(self.fits("cn=billing", subject=subject))

    def test_severalAttributes(self) -> None:
        """Each of several units counts."""
        units = [(NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in ("a", "b")]
        for unit in "ab":
            self.assertTrue(self.fits(f"ou={unit}", subject=named(*units)))

    def test_textIsNotTakenApart(self) -> None:
        """What looks like another attribute within a value is none."""
        subject = named((NameOID.ORGANIZATION_NAME, "x,CN=admin"), (NameOID.ORGANIZATIONAL_UNIT_NAME, "y+CN=admin"))
        self.assertFalse(self.fits("cn=admin", subject=subject))

    def test_multiValued(self) -> None:
        """An attribute of a multi-valued RDN counts by its own type."""
        pair = [x509.NameAttribute(NameOID.COMMON_NAME, "a"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "b")]
        subject = x509.Name([x509.RelativeDistinguishedName(pair)])
        self.assertTrue(self.fits("cn=a&o=b", subject=subject))
        self.assertFalse(self.fits("cn=b", subject=subject))

    def test_lookalikes(self) -> None:
        """Letters that look alike, or are alike to a dictionary, are other letters."""
        for name, rule in (("admіn", "admin"), ("\u212aelvin", "kelvin"), ("strasse", "straße"), ("ADMİN", "admin")):
            self.assertFalse(self.fits(f"cn={rule}", commonName=name), name)
        self.assertTrue(self.fits("cn=straße", commonName="STRAßE"))

    def test_whatCannotBeShown(self) -> None:
        """A NUL, a control character or one without width makes a name that is comparable to nothing."""
        for sign in ("\0", "\n", "\x7f", "\u200b", "\u202e", "\u00a0"):
            self.assertKeptOut(peer(f"admin{sign}"), "cn", "admin")
            self.assertKeptOut(peer(f"admin{sign}"), "cn", "adm*")


class DNSTests(RuleCase):
    def test_name(self) -> None:
        """A DNS name is compared without case, and only where it stands among the alternative names."""
        self.assertTrue(self.fits("dns=a.example.org", dnsNames=["a.example.org"]))
        self.assertTrue(self.fits("dns=A.example.ORG", dnsNames=["b.example", "a.example.org"]))
        self.assertFalse(self.fits("dns=example.org", dnsNames=["a.example.org"]))
        self.assertFalse(self.fits("dns=a.example.org", commonName="a.example.org"))

    def test_wildcardStaysWithinALabel(self) -> None:
        """A wildcard stands for no dot."""
        self.assertTrue(self.fits("dns=*.example.org", dnsNames=["a.example.org"]))
        self.assertFalse(self.fits("dns=*.example.org", dnsNames=["a.b.example.org"]))
        self.assertFalse(self.fits("dns=*.example.org", dnsNames=["example.org"]))
        self.assertTrue(self.fits("dns=web*.example.org", dnsNames=["web17.example.org"]))
        self.assertFalse(self.fits("dns=*example.org", dnsNames=["evil.example.org"]))

    def test_international(self) -> None:
        """A rule outside ASCII means the A-label, and no piece of a label stands for a piece of one."""
        names = {"dnsNames": ["xn--bcher-kva.example"]}
        self.assertTrue(self.fits("dns=bücher.example", **names))
        self.assertTrue(self.fits("dns=BÜCHER.example.", **names))
        self.assertTrue(self.fits("dns=*.example", **names))
        self.assertFalse(self.fits("dns=xn*.example", **names))
        self.assertRaises(ValueError, parseRule, "dns=bü*.example")

    def test_noName(self) -> None:
        """What is no DNS name is comparable to nothing."""
        for name in ("a.example.\0", "a.example.", "a..example", ".a.example", "a.example\n", " a.example", "", "a/b"):
            self.assertKeptOut(peer(names=[x509.DNSName(name)]), "dns", "a.example")

    def test_oneBadNameSpoilsNoGoodOne(self) -> None:
        """A rule that fits a good name fits, whatever stands beside it."""
        someone = peer(names=[x509.DNSName("a b"), x509.DNSName("a.example")])
        self.assertTrue(parseRule("dns=a.example").fits(someone))


class URITests(RuleCase):
    BILLING = {"uris": ["spiffe://example.org/ns/billing"]}

    def test_path(self) -> None:
        """A wildcard stands for no slash, and the path is compared with its case."""
        self.assertTrue(self.fits("uri=spiffe://example.org/ns/billing", **self.BILLING))
        self.assertTrue(self.fits("uri=spiffe://example.org/*/billing", **self.BILLING))
        self.assertTrue(self.fits("uri=spiffe://example.org/ns/b*g", **self.BILLING))
        self.assertFalse(self.fits("uri=spiffe://example.org/*", **self.BILLING))
        self.assertFalse(self.fits("uri=spiffe://example.org/ns/Billing", **self.BILLING))

    def test_host(self) -> None:
        """Scheme and host are compared without case, and in the host a wildcard stands for no dot."""
        self.assertTrue(self.fits("uri=SPIFFE://Example.ORG/ns/billing", **self.BILLING))
        self.assertTrue(self.fits("uri=spiffe://*.org/ns/billing", **self.BILLING))
        self.assertFalse(self.fits("uri=spiffe://*/ns/billing", **self.BILLING))
        self.assertTrue(self.fits("uri=https://host.example/A", uris=["HTTPS://Host.Example/A"]))
        self.assertFalse(self.fits("uri=https://host.example/A", uris=["https://host.example:8443/A"]))

    def test_withoutSlashes(self) -> None:
        """In a URI without a host colons separate, too."""
        self.assertTrue(self.fits("uri=urn:device:*", uris=["urn:device:17"]))
        self.assertFalse(self.fits("uri=urn:*", uris=["urn:device:17"]))

    def test_trustDomain(self) -> None:
        """A trust domain is that of the SPIFFE id, whatever its path, and of no other URI."""
        self.assertTrue(self.fits("trust-domain=Example.org", **self.BILLING))
        self.assertTrue(self.fits("trust-domain=example.org", uris=["spiffe://example.org"]))
        self.assertFalse(self.fits("trust-domain=example", **self.BILLING))
        self.assertFalse(self.fits("trust-domain=example.org", uris=["https://example.org/ns"]))

    def test_onlyURI(self) -> None:
        """A SPIFFE id beside another URI is none (X509-SVID, section 2)."""
        two = [x509.UniformResourceIdentifier(uri) for uri in ("spiffe://example.org/a", "spiffe://example.org/b")]
        self.assertKeptOut(peer(names=two), "uri", "spiffe://example.org/a")
        self.assertKeptOut(peer(names=two), "trust-domain", "example.org")
        other = [two[0], x509.UniformResourceIdentifier("https://a.example/")]
        self.assertKeptOut(peer(names=other), "uri", "spiffe://example.org/a")
        self.assertTrue(parseRule("uri=https://a.example/").fits(peer(names=other)))

    def test_ambiguous(self) -> None:
        """A URI that another program may read as another path is comparable to nothing."""
        for uri in (
            "https://h/ns/../a", "https://h/ns/%2e%2E/a", "https://h/ns%2Fa", "https://h\\ns/a", "https://h/ns/\0",
            "spiffe://h:1/ns/a", "spiffe://u@h/ns/a", "spiffe://h/ns//a", "spiffe://h/ns/a/", "spiffe://h/ns/a?q",
            "spiffe://h/ns/%61", "spiffe://h/ns/*", "spiffe:h", "h/a",
        ):  # fmt: skip
            someone = peer(names=[x509.UniformResourceIdentifier(uri)])
            for pattern in ("https://h/ns/*", "spiffe://h/ns/*"):
                self.assertKeptOut(someone, "uri", pattern)
            self.assertIsNone(someone.spiffeID)


class OtherNameTests(RuleCase):
    def test_email(self) -> None:
        """In a mail address the domain has no case and its dots end a wildcard; what is before the @ is one part."""
        self.assertTrue(self.fits("email=*@example.org", emails=["a@example.org"]))
        self.assertTrue(self.fits("email=*@example.org", emails=["first.last@Example.ORG"]))
        self.assertTrue(self.fits("email=a@*.org", emails=["a@example.org"]))
        self.assertFalse(self.fits("email=*@example.org", emails=["a@example.org.evil"]))
        self.assertFalse(self.fits("email=*@example.org", emails=["a@b.example.org"]))
        self.assertFalse(self.fits("email=Someone@example.org", emails=["someone@example.org"]))

    def test_noEmail(self) -> None:
        """What is no plain mail address is comparable to nothing."""
        for address in (b"a@b@example.org", b'"a@b"@example.org', b"example.org", b"a\0@example.org", b"@example.org"):
            self.assertKeptOut(encoded(0x81, address), "email", "a@example.org")

    def test_address(self) -> None:
        """An address is compared by value."""
        self.assertTrue(self.fits("ip=192.0.2.1", addresses=["192.0.2.1"]))
        self.assertTrue(self.fits("ip=2001:DB8:0:0::1", addresses=["2001:db8::1"]))
        self.assertFalse(self.fits("ip=::ffff:192.0.2.1", addresses=["192.0.2.1"]))
        self.assertFalse(self.fits("ip=192.0.2.1", addresses=["::ffff:192.0.2.1"]))

    def test_network(self) -> None:
        """A network has its addresses, and a * stands for one number."""
        for rule in ("ip=192.0.2.0/24", "ip=192.0.2.*", "ip=*.0.2.1", "ip=0.0.0.0/0"):
            self.assertTrue(self.fits(rule, addresses=["192.0.2.1"]), rule)
            self.assertFalse(self.fits(rule, addresses=["2001:db8::1"]), rule)
        self.assertFalse(self.fits("ip=192.0.3.0/24", addresses=["192.0.2.1"]))
        self.assertTrue(self.fits("ip=2001:db8::/32", addresses=["2001:db8::1"]))

    def test_noAddress(self) -> None:
        """A network in a certificate is no address."""
        network = x509.IPAddress(ip_network("192.0.2.1/32"))
        self.assertKeptOut(peer(names=[network]), "ip", "192.0.2.1")

    def test_digests(self) -> None:
        """Key and certificate are known by their digests."""
        someone = peer()
        key = someone.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        fingerprint = someone.certificate.fingerprint(SHA256()).hex()
        self.assertTrue(parseRule(f"spki={digest(key).upper().replace('SHA', 'sha')}").fits(someone))
        self.assertTrue(parseRule(f"fingerprint=sha256:{fingerprint}").fits(someone))
        colons = ":".join(fingerprint[i : i + 2] for i in range(0, 64, 2))
        self.assertTrue(parseRule(f"fingerprint=sha256:{colons}").fits(someone))
        self.assertFalse(parseRule(f"fingerprint=sha256:{'0' * 64}").fits(someone))


class IssuerTests(RuleCase):
    def test_commonName(self) -> None:
        """The issuer is known by its common name."""
        self.assertTrue(self.fits("issuer=Issuing"))
        self.assertTrue(self.fits("issuer=iss*"))
        self.assertFalse(self.fits("issuer=issuin"))

    def test_distinguishedName(self) -> None:
        """Or by its whole name, in the order of RFC 4514, a space behind a comma or not, in any case."""
        written = "CN=issuing,O=Example", "CN=Issuing, O=example", '"cn=Issuing, o=example"', "O=Example,CN=*"
        for rule in (f"issuer={name}" for name in written):
            self.assertTrue(self.fits(rule), rule)
        for rule in ("issuer=CN=issuing", "issuer=O=Example,CN=other", "issuer=CN=issuing+O=Example"):
            self.assertFalse(self.fits(rule), rule)

    def test_authority(self) -> None:
        """An authority of the chain is known by its certificate and by its key, and the peer is none."""
        someone = peer()
        above = Peer((AUTHORITY.certificate,))
        self.assertTrue(parseRule(f"authority={above.fingerprint}").fits(someone))
        self.assertTrue(parseRule(f"authority-spki={above.spki}").fits(someone))
        self.assertFalse(parseRule(f"authority={someone.fingerprint}").fits(someone))

    def test_unknownChain(self) -> None:
        """Where the chain is not known, nobody knows who is not in it."""
        self.assertKeptOut(Peer(peer().chain[:1]), "authority", f"sha256:{'0' * 64}")
        self.assertFalse(parseRule(f"authority=sha256:{'0' * 64}").fits(Peer((AUTHORITY.certificate,))))


class TextTests(SynchronousTestCase):
    """What a rule is written as."""

    def test_noRule(self) -> None:
        """What is no rule is refused, with a message for a person."""
        for text in (
            "", "cn", "cn=", "=x", "name=x", "CN=x", "fingerprint=sha1:00", "spki=sha256:12", "fingerprint=*",
            "email=*", "dns=a..b", "dns=a b", "dns=", "uri=x", "uri=https://h/../x", "uri=spiffe://h/a/",
            "ip=192.0.2.1/24", "ip=*", "ip=192.0.2.1*", "ip=fe80::1%eth0", "ip=192.0.2", "issuer=x=y", "cn=a\0",
            "trust-domain=a/b", "cn=a&", "&cn=a", "cn=a|", "!", "(cn=a", "cn=a)", "()", 'cn="a', 'cn="a"b', 'cn=a"b"',
            "cn=a\\b", "cn=a&&cn=b", "(" * 30 + "cn=a" + ")" * 30, "!" * 30 + "cn=a", "cn=" + "a" * 20000,
        ):  # fmt: skip
            refusal = self.assertRaises(ValueError, parseRule, text)
            self.assertIn("is no access rule", str(refusal))
            self.assertLess(len(str(refusal)), 800)

    def test_oneOrTwo(self) -> None:
        """What may be one value or two is refused; in quotes it is one."""
        for text in ("cn=a,dns=b", "o=a, cn=b", "cn=a cn=b", "cn=a;ou=b"):
            self.assertRaises(ValueError, parseRule, text)
        self.assertEqual(parseRule('cn="a,dns=b"'), Condition("cn", "a,dns=b"))

    def test_commaIsOrdinary(self) -> None:
        """A value ends at no comma or space."""
        self.assertEqual(parseRule("cn=Smith, John"), Condition("cn", "Smith, John"))
        self.assertEqual(parseRule("issuer=CN=a,O=b"), Condition("issuer", "CN=a,O=b"))

    def test_precedence(self) -> None:
        """& binds more than |, ! more than both, and parentheses group."""
        a, b, c = (Condition("cn", name) for name in "abc")
        self.assertEqual(parseRule("cn=a|cn=b&cn=c"), a | (b & c))
        self.assertEqual(parseRule(" ( cn=a | cn=b ) & !cn=c "), (a | b) & ~c)
        self.assertEqual(parseRule("!(cn=a|cn=b)"), noneOf(a, b))

    def test_oneTextOneObject(self) -> None:
        """Rules that say the same in the same words are equal, can be keys, and are shown as what makes them."""
        a, b, c = (Condition("cn", name) for name in "abc")
        self.assertEqual({(a & b) & c, a & (b & c), allOf(a, b, c)}, {parseRule("cn=a&cn=b&cn=c")})
        self.assertEqual(~~a, a)
        self.assertEqual(anyOf(a), a)
        self.assertEqual(repr(a & b), "parseRule('cn=a&cn=b')")
        self.assertEqual(pickle.loads(pickle.dumps(a & ~b)), a & ~b)

    def test_emptyCombinations(self) -> None:
        """Rules without a condition, which might let in everybody, are none."""
        for combine in (allOf, anyOf, noneOf):
            self.assertRaises(ValueError, combine)

    conditions = st.one_of(
        st.builds(
            Condition,
            st.sampled_from(["cn", "ou", "o"]),
            st.text('ab*.,&|()"\\! =ü', min_size=1, max_size=8).filter(lambda text: "**" not in text),
        ),
        st.sampled_from(["dns=*.a", "ip=192.0.2.0/24", "uri=urn:a?b=c", "issuer=CN=a,O=b"]).map(parseRule),
    )
    rules = st.recursive(
        conditions,
        lambda inner: st.one_of(
            inner.map(noneOf),
            st.lists(inner, min_size=2, max_size=3).map(lambda rules: allOf(*rules)),
            st.lists(inner, min_size=2, max_size=3).map(lambda rules: anyOf(*rules)),
        ),
        max_leaves=6,
    )

    @REPEATABLE
    @given(rules)
    def test_roundTrip(self, rule: AccessRule) -> None:
        """The text of a rule means the rule."""
        self.assertEqual(parseRule(str(rule)), rule)
        self.assertEqual(str(parseRule(str(rule))), str(rule))

    @REPEATABLE
    @given(st.text('abcn=dns.*,&|()"\\! ', max_size=30))
    def test_anyText(self, text: str) -> None:
        """A text is a rule or a ValueError, and no rule means two things."""
        try:
            rule = parseRule(text)
        except ValueError:
            return
        self.assertEqual(parseRule(str(rule)), rule)


class CombinationTests(SynchronousTestCase):
    def test_operators(self) -> None:
        """All, any and not."""
        someone = peer(dnsNames=["a.example"], organization="Example")
        yes, alsoYes, no = (parseRule(text) for text in ("dns=a.example", "o=example", "cn=somebody-else"))
        self.assertTrue((yes & alsoYes).fits(someone))
        self.assertFalse((yes & no).fits(someone))
        self.assertTrue((no | yes).fits(someone))
        self.assertTrue((~no).fits(someone))
        self.assertFalse(noneOf(no, yes).fits(someone))

    def test_doubt(self) -> None:
        """Doubt goes away only where the other conditions decide (Kleene)."""
        someone = garbled()
        doubt, yes, no = (parseRule(text) for text in ("dns=a.example", "cn=client", "cn=other"))
        deny = [doubt, ~doubt, doubt & yes, doubt & no, doubt | yes, doubt | no]
        kept = [not AccessRules(deny=(rule,)).judge(someone).isLetIn for rule in deny]
        self.assertEqual(kept, [True, True, True, False, True, True])
        self.assertEqual([rule.fits(someone) for rule in deny], [False, False, False, False, True, False])


class ListTests(SynchronousTestCase):
    def test_nobodySaysNo(self) -> None:
        """Without rules everybody is let in, by none."""
        decision = AccessRules().judge(garbled())
        self.assertTrue(decision.isLetIn)
        self.assertIsNone(decision.rule)
        self.assertFalse(AccessRules())
        self.assertTrue(AccessRules.parse(deny=["cn=x"]))

    def test_textIsNoRule(self) -> None:
        """A text in the place of a rule is found out at once, and not by the first peer."""
        self.assertRaises(TypeError, AccessRules, ("dns=a.example",))
        self.assertRaises(TypeError, AccessRules, deny="dns=a.example")
        rule = parseRule("dns=a.example")
        self.assertEqual(AccessRules([rule]).allow, (rule,))  # type: ignore[arg-type]

    def test_oneRuleIsEnough(self) -> None:
        """Of the rules that allow, one that fits lets in, and it is named."""
        rules = AccessRules.parse(["cn=other", "dns=a.example"])
        self.assertEqual(str(rules.judge(peer(dnsNames=["a.example"])).rule), "dns=a.example")
        self.assertFalse(rules.judge(peer()).isLetIn)

    def test_denyWins(self) -> None:
        """A rule that denies wins, and where there are only such, everybody else is let in."""
        someone, other = peer(dnsNames=["a.example"]), peer(dnsNames=["b.example"])
        rules = AccessRules.parse(allow=["dns=*.example"], deny=["dns=a.example"])
        self.assertEqual([rules.judge(each).isLetIn for each in (someone, other)], [False, True])
        rules = AccessRules.parse(deny=["dns=a.example"])
        self.assertEqual([rules.judge(each).isLetIn for each in (someone, other)], [False, True])
        self.assertIsNone(rules.judge(other).rule)

    def test_detail(self) -> None:
        """A refusal says which rule denied, or which names no rule fitted, or what could not be compared."""

        def detail(someone: Peer, **rules: list[str]) -> str:
            problem = AccessRules.parse(**rules).judge(someone).problem
            assert problem is not None
            self.assertEqual((problem.code, problem.depth, problem.subject), ("not-allowed", 0, "CN=client"))
            return problem.detail

        someone = peer(dnsNames=["a.example"])
        self.assertEqual(detail(someone, deny=["dns=a.*"]), "the rule dns=a.* denies it")
        self.assertEqual(detail(someone, allow=["cn=x"]), "no rule lets it in; its names: dns:a.example")
        self.assertEqual(
            detail(someone, allow=["issuer=x"]),
            "no rule lets it in; its names: dns:a.example; its issuer: CN=issuing,O=Example",
        )
        self.assertEqual(detail(peer(), allow=["cn=x"]), "no rule lets it in")
        self.assertEqual(
            detail(garbled(), deny=["dns=a.*"]),
            "the rule dns=a.* may deny it, and cannot be ruled out: its subject alternative names cannot be read",
        )
        many = detail(peer(dnsNames=[f"{n}.example" for n in range(100)]), allow=["cn=x"])
        self.assertEqual(
            many, "no rule lets it in; its names: " + ", ".join(f"dns:{n}.example" for n in range(5)) + " and 95 more"
        )
        hostile = detail(peer(names=[x509.DNSName("\x1b[2J" + "a" * 50000)]), allow=["dns=a"])
        self.assertLess(len(hostile), 400)
        self.assertTrue(hostile.isprintable())

    def test_whatIsWrongWithATextIsSaid(self) -> None:
        """A text that is no rule is refused with the reason where that is plain."""
        for text, why in (
            ("(cn=a", "a parenthesis is not closed"),
            ("cn=a)", ") is in the wrong place"),
            ("cn=a&", "its end is missing"),
            ("&cn=a", "& is in the wrong place"),
            ("cn=", "cn= has no value"),
            ("", "it is empty"),
            ('cn="a', "a quote is not closed"),
            ('cn=dave, the"2nd', '" stands outside quotes'),
            ("(cn=a)cn=b", "a sign between two is missing"),
        ):
            self.assertIn(f"is no access rule: {why}", str(self.assertRaises(ValueError, parseRule, text)), text)

    def test_garbled(self) -> None:
        """Who cannot be compared fits nothing that allows by that kind, and everything that denies by it."""
        patterns = {"dns": "a", "ip": "192.0.2.1", "uri": "urn:a", "trust-domain": "a", "email": "a@b"}
        patterns["spiffe"] = "spiffe://a/b"
        for kind, pattern in patterns.items():
            rule = Condition(kind, pattern)
            for rules in (AccessRules((rule,)), AccessRules((~rule,)), AccessRules((), (rule,))):
                self.assertFalse(rules.judge(garbled()).isLetIn)
        self.assertTrue(AccessRules.parse(["cn=client"]).judge(garbled()).isLetIn)

    @REPEATABLE
    @given(st.binary(max_size=60))
    def test_anyBytes(self, names: bytes) -> None:
        """Whatever stands in the place of the names, there is a decision, and it lets nobody in by a name of "a.b"."""
        extension = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, names)
        someone = peer(extensions=[(extension, False)])
        rules = [f"{kind}={pattern}" for kind, pattern in (("dns", "a.b"), ("uri", "x:a.b"), ("email", "a@a.b"))]
        decision = AccessRules.parse(rules).judge(someone)
        self.assertFalse(decision.isLetIn)
        if someone.alternativeNames is None:
            self.assertFalse(AccessRules.parse(deny=rules).judge(someone).isLetIn)

    def test_everyKindIsKnown(self) -> None:
        """Every kind of rule can be asked of every certificate."""
        patterns = {"ip": "192.0.2.1", "uri": "urn:a", "email": "a@b", "issuer": "a"}
        patterns |= {"spiffe": "spiffe://a/b", "ja4": "a_b_c"}
        for kind, someone in product(KINDS, (peer(), garbled())):
            isDigest = kind in ("spki", "fingerprint", "authority", "authority-spki")
            rule = Condition(kind, patterns.get(kind, f"sha256:{'0' * 64}" if isDigest else "a"))
            self.assertFalse(rule.fits(someone), kind)


class CountedText(str):
    """A text that counts how often its parts are looked at."""

    looks = 0

    def find(self, *place: Any) -> int:
        type(self).looks += 1
        return super().find(*place)


class WorkTests(SynchronousTestCase):
    """A hostile certificate or a strange pattern costs no more than its length."""

    def test_manyNames(self) -> None:
        """Of more names than anybody needs none is compared, and whom a rule might deny is denied."""
        names = [x509.DNSName(f"{n}.example.org") for n in range(10000)]
        someone = peer(names=names)
        rules = [f"dns={n}*.example.org" for n in range(100)]
        self.assertFalse(AccessRules.parse(rules).judge(someone).isLetIn)
        problem = AccessRules.parse(deny=rules).judge(someone).problem
        assert problem is not None
        self.assertIn("it has more than 500 names", problem.detail)

    def test_noBacktracking(self) -> None:
        """Each piece of a pattern is looked for once, in a name that regular expressions would search for ever."""
        pieces = 50
        glob = Glob("*a" * pieces + "*b", lambda text: (text,))
        CountedText.looks = 0
        names = Texts(["a" * 2000 + "cb"], lambda text: (CountedText(text),))
        self.assertTrue(glob.fitsAny(names))
        self.assertFalse(Glob("*a" * pieces + "*d*b", lambda text: (text,)).fitsAny(names))
        self.assertLessEqual(CountedText.looks, 2 * pieces + 1)

    def test_twoWildcards(self) -> None:
        """What elsewhere means any number of labels is refused."""
        for rule in ("dns=**.org", "uri=spiffe://a/**", "cn=" + "*" * 5000 + "x"):
            self.assertIn("one label", str(self.assertRaises(ValueError, parseRule, rule)))

    def test_aPatternIsNoExpression(self) -> None:
        """A pattern has one sign that is special, and it is the star."""
        for pattern in ("clien.", "[a-z]*", "clien?", "^client$"):
            self.assertFalse(Condition("cn", pattern).fits(peer()), pattern)

    @REPEATABLE
    @given(st.text("ab.*", max_size=8), st.text("ab.", max_size=8))
    def test_meaning(self, pattern: str, name: str) -> None:
        """A pattern fits what its definition says: some text without a dot in the place of each star."""

        def fits(pattern: str, name: str) -> bool:
            if not pattern:
                return not name
            if pattern[0] != "*":
                return name[:1] == pattern[0] and fits(pattern[1:], name[1:])
            return fits(pattern[1:], name) or (name[:1] not in ("", ".") and fits(pattern, name[1:]))

        self.assertEqual(Glob(pattern, LABEL.split).fitsAny(Texts([name], LABEL.split)), fits(pattern, name))
