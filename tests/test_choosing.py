"""What a user can rely on when a side has several credentials."""

from __future__ import annotations

from datetime import timedelta

from credentialfiles import NOW, authority
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from cryptography.x509.oid import ExtensionOID
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.credentials import Credential, CredentialChoice, CredentialSelector, PeerCapabilities
from tlscomm.issuing import Authority
from tlscomm.x509._roles import Role

RSA_KEY = rsa.generate_private_key(65537, 2048)

#: What a client of TLS 1.3 that has everything can verify, in hexadecimal as in RFC 8446, section 4.2.3.
EVERYTHING = (0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601)
RSA_ONLY = (0x0804, 0x0805, 0x0806, 0x0401)
P256_ONLY = (0x0403,)


def server(*names: str, key: object = None, **more: object) -> Credential:
    return authority().issue(names[0] if names else "x", role="server", dnsNames=names, privateKey=key, now=NOW, **more)  # type: ignore[arg-type]


def issuerOf(credential: Credential) -> bytes:
    return credential.certificate.issuer.public_bytes()


class ChoiceCase(SynchronousTestCase):
    role: Role

    def chosen(self, *credentials: Credential, **capabilities: object) -> CredentialChoice:
        return CredentialSelector(credentials).chosen(self.role, PeerCapabilities(**capabilities), NOW)  # type: ignore[arg-type]

    def shows(self, expected: Credential, *credentials: Credential, **capabilities: object) -> str:
        choice = self.chosen(*credentials, **capabilities)
        self.assertIs(choice.credential, expected, choice.reason)
        return choice.reason


class NameTests(ChoiceCase):
    role = "server"

    def test_exact(self) -> None:
        """A server shows the certificate for the name that the client asks for, whatever the order."""
        a, b = server("a.example"), server("b.example", "c.example")
        for ring in ((a, b), (b, a)):
            self.assertIn("it is for a.example", self.shows(a, *ring, serverName="a.example"))
            self.shows(b, *ring, serverName="c.example")

    def test_wildcard(self) -> None:
        """A wildcard stands for one label, and an exact name goes before it."""
        other, wild, exact = server("x.example"), server("*.a.example"), server("b.a.example")
        self.shows(wild, other, wild, exact, serverName="c.a.example")
        self.assertIn("has that very name", self.shows(exact, other, wild, exact, serverName="b.a.example"))
        for name in ("a.example", "c.b.a.example", "example", ""):
            self.assertIn("none is for", self.shows(other, other, wild, exact, serverName=name))

    def test_spelling(self) -> None:
        """Neither case nor a dot at the end makes another name."""
        a, b = server("a.example"), server("B.Example")
        self.shows(b, a, b, serverName="b.EXAMPLE.")

    def test_default(self) -> None:
        """The first credential is shown to who asks for no name, or for one that none has."""
        a, b = server("a.example"), server("b.example")
        self.assertEqual(self.shows(a, a, b), "it is the first")
        self.assertEqual(self.shows(a, a, b, serverName="c.example"), "none is for c.example, it is the first")

    def test_commonName(self) -> None:
        """A common name is no name."""
        a, b = server("a.example"), authority().issue("b.example", role="server", now=NOW)
        self.shows(a, a, b, serverName="b.example")

    def test_unreadable(self) -> None:
        """A certificate whose names cannot be read is for no name, and does not keep the others from being shown."""
        garbage = (x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"garbage"), False)
        broken, good = server(extensions=(garbage,)), server("a.example")
        self.shows(good, broken, good, serverName="a.example")

    def test_hostileName(self) -> None:
        """What a client asks for cannot command a terminal through the reason."""
        reason = self.shows(first := server("a.example"), first, server("b.example"), serverName="\x1b[2J")
        self.assertTrue(reason.isprintable())

    def test_names(self) -> None:
        """A ring knows the names that it has."""
        ring = CredentialSelector((server("a.example", "*.b.example"), server("C.example")))
        self.assertEqual(ring.names(), {"a.example", "*.b.example", "c.example"})


class KeyTests(ChoiceCase):
    role = "server"

    def setUp(self) -> None:
        self.ecdsa, self.rsa = server("a.example"), server("a.example", key=RSA_KEY)

    def test_order(self) -> None:
        """Of two kinds of key for one name the owner's first is shown to a client that can verify both."""
        for ring in ((self.ecdsa, self.rsa), (self.rsa, self.ecdsa)):
            for version in ("1.2", "1.3", None):
                reason = self.shows(
                    ring[0], *ring, serverName="a.example", signatureAlgorithms=EVERYTHING, version=version
                )
                self.assertEqual(reason, "it is the first")

    def test_other(self) -> None:
        """A client that can verify one kind alone is shown that."""
        for version in ("1.2", "1.3", None):
            for expected, offered in ((self.rsa, RSA_ONLY), (self.ecdsa, P256_ONLY)):
                for ring in ((self.ecdsa, self.rsa), (self.rsa, self.ecdsa)):
                    reason = self.shows(expected, *ring, signatureAlgorithms=offered, version=version)
                    self.assertEqual(reason, "it has a key that the peer can verify")

    def test_nothingSaid(self) -> None:
        """A client that does not say what it can verify is shown the first."""
        self.shows(self.rsa, self.rsa, self.ecdsa)

    def test_nothingFits(self) -> None:
        """Where no key can be verified the first is shown, for the handshake to fail by its own name."""
        reason = self.shows(self.rsa, self.rsa, self.ecdsa, signatureAlgorithms=(0x0807,))
        self.assertIn("none has a key that the peer can verify", reason)

    def test_nameFirst(self) -> None:
        """The right name goes before the right kind of key."""
        other = server("b.example")
        self.shows(self.rsa, other, self.rsa, serverName="a.example", signatureAlgorithms=P256_ONLY)

    def test_keyBeforeExactName(self) -> None:
        """A wildcard's certificate that can be verified goes before an exact one that cannot."""
        wild = server("*.example")
        self.shows(wild, self.rsa, wild, serverName="a.example", signatureAlgorithms=P256_ONLY)

    def test_curves(self) -> None:
        """TLS 1.3 ties each curve to a signature; TLS 1.2 looks at the curves that the client has."""
        p384 = server("a.example", key=ec.generate_private_key(ec.SECP384R1()))
        self.shows(self.ecdsa, p384, self.ecdsa, version="1.3", signatureAlgorithms=P256_ONLY)
        self.shows(p384, p384, self.ecdsa, version="1.2", signatureAlgorithms=P256_ONLY)
        self.shows(self.ecdsa, p384, self.ecdsa, version="1.2", signatureAlgorithms=P256_ONLY, groups=frozenset({23}))

    def test_brainpool(self) -> None:
        """A Brainpool curve has signatures of its own in TLS 1.3 (RFC 8734)."""
        brainpool = server("a.example", key=ec.generate_private_key(ec.BrainpoolP256R1()))
        self.shows(brainpool, self.rsa, brainpool, version="1.3", signatureAlgorithms=(0x081A,))
        self.shows(self.rsa, brainpool, self.rsa, version="1.3", signatureAlgorithms=EVERYTHING)

    def test_edwards(self) -> None:
        """Ed25519 and Ed448 keys are shown to who can verify them."""
        for key, number in ((ed25519.Ed25519PrivateKey.generate(), 0x0807), (ed448.Ed448PrivateKey.generate(), 0x0808)):
            edwards = server("a.example", key=key)
            self.shows(edwards, self.rsa, edwards, signatureAlgorithms=(number,))
            self.shows(self.rsa, edwards, self.rsa, signatureAlgorithms=RSA_ONLY)

    def test_oldSignatures(self) -> None:
        """TLS 1.3 has no PKCS#1 signatures, TLS 1.2 has."""
        self.shows(self.rsa, self.ecdsa, self.rsa, version="1.2", signatureAlgorithms=(0x0401,))
        self.shows(self.ecdsa, self.ecdsa, self.rsa, version="1.3", signatureAlgorithms=(0x0401,))

    def test_cipherSuites(self) -> None:
        """The cipher suites of a TLS 1.2 client restrict the kinds of key; those of TLS 1.3 do not."""
        kinds = frozenset({"RSA"})
        self.shows(self.rsa, self.ecdsa, self.rsa, version="1.2", keyKinds=kinds)
        self.shows(self.ecdsa, self.ecdsa, self.rsa, version="1.3", keyKinds=kinds)

    def test_foreignKey(self) -> None:
        """A key that cannot sign is shown to nobody who could be shown another."""
        exchange = authority().issue("a", role="server", publicKey=x25519.X25519PrivateKey.generate().public_key())
        self.shows(self.rsa, exchange, self.rsa)


class ClientTests(ChoiceCase):
    role = "client"

    def setUp(self) -> None:
        self.ours, self.theirs = authority(), Authority.create("another", now=NOW)
        self.a = self.ours.issue("a", role="client", now=NOW)
        self.b = self.theirs.issue("b", role="client", now=NOW)

    def test_issuer(self) -> None:
        """A client shows the certificate of an authority that the server accepts."""
        for expected in (self.a, self.b):
            reason = self.shows(expected, self.a, self.b, issuers=frozenset({issuerOf(expected)}))
            self.assertEqual(reason, "it was issued by an authority that the server accepts")

    def test_issuerAbove(self) -> None:
        """The authority may stand anywhere above the certificate."""
        deep = self.theirs.intermediate("middle", now=NOW).issue("deep", role="client", now=NOW)
        for name in (deep.certificate.issuer, deep.chain[0].issuer):
            self.shows(deep, self.a, deep, issuers=frozenset({name.public_bytes()}))

    def test_anyIssuer(self) -> None:
        """A server that names no authority is shown the first certificate."""
        self.assertEqual(self.shows(self.b, self.b, self.a), "it is the first")

    def test_noIssuer(self) -> None:
        """Where no authority fits the first is shown: the server may know an intermediate that we do not."""
        reason = self.shows(self.a, self.a, self.b, issuers=frozenset({b"0\0"}))
        self.assertEqual(reason, "none was issued by an authority that the server accepts, it is the first")

    def test_key(self) -> None:
        """A client shows a certificate whose signature the server can verify."""
        other = self.ours.issue("c", role="client", privateKey=RSA_KEY, now=NOW)
        self.shows(other, self.a, other, signatureAlgorithms=RSA_ONLY)

    def test_keyBeforeIssuer(self) -> None:
        """A signature that cannot be verified is worth less than an issuer that is not on the list."""
        other = self.ours.issue("c", role="client", privateKey=RSA_KEY, now=NOW)
        self.shows(other, other, self.b, signatureAlgorithms=RSA_ONLY, issuers=frozenset({issuerOf(self.b)}))

    def test_nameIgnored(self) -> None:
        """Names are no matter on a client."""
        named = self.ours.issue("c", role="client", dnsNames=("a.example",), now=NOW)
        self.shows(self.a, self.a, named, serverName="a.example")


class OwnerTests(ChoiceCase):
    role = "server"

    def test_valid(self) -> None:
        """What has expired is shown only where there is nothing else."""
        old = server("a.example", notBefore=NOW - timedelta(9), notAfter=NOW - timedelta(1))
        new = server("a.example")
        self.assertEqual(self.shows(new, old, new, serverName="a.example"), "it is valid now")
        older = server("a.example", notBefore=NOW - timedelta(9), notAfter=NOW - timedelta(2))
        self.assertIn("none is valid now", self.shows(old, old, older))

    def test_one(self) -> None:
        """One credential is shown to everybody."""
        only = server("a.example", key=RSA_KEY)
        self.assertEqual(
            self.shows(only, only, serverName="b.example", signatureAlgorithms=P256_ONLY), "it is the only one"
        )

    def test_none(self) -> None:
        """A ring without a credential is none."""
        self.assertRaises(ValueError, CredentialSelector, ())

    def test_decided(self) -> None:
        """The owner's function has the last word: it is told the wishes and what the rules would show."""
        a, b = server("a.example"), server("b.example")
        asked: list[object] = []

        def choose(capabilities: PeerCapabilities, suggested: Credential) -> Credential:
            asked.append((capabilities, suggested))
            return b

        capabilities = PeerCapabilities(serverName="a.example")
        self.assertEqual(
            CredentialSelector((a, b), choose).chosen("server", capabilities, NOW),
            CredentialChoice(b, "the application chose it"),
        )
        self.assertEqual(asked, [(capabilities, a)])

    def test_agreed(self) -> None:
        """Where the owner's function agrees with the rules, theirs is the reason."""
        a, b = server("a.example"), server("b.example")
        ring = CredentialSelector((a, b), lambda capabilities, suggested: suggested)
        self.assertEqual(
            ring.chosen("server", PeerCapabilities(serverName="b.example"), NOW).reason, "it is for b.example"
        )

    def test_declined(self) -> None:
        """The owner's function may show nothing."""
        ring = CredentialSelector((server("a.example"),), lambda capabilities, suggested: None)
        self.assertEqual(
            ring.chosen("client", PeerCapabilities(), NOW), CredentialChoice(None, "the application chose to show none")
        )

    def test_stranger(self) -> None:
        """The owner's function cannot show what nobody checked."""
        ring = CredentialSelector((server("a.example"),), lambda capabilities, suggested: server("b.example"))
        self.assertRaises(ValueError, ring.chosen, "server", PeerCapabilities(), NOW)

    def test_json(self) -> None:
        """A choice can be written as JSON: the certificate, and why."""
        only = server("a.example")
        found = self.chosen(only).toJSON()
        self.assertEqual(found["reason"], "it is the only one")
        self.assertEqual(found["certificate"]["subject"], "CN=a.example")  # type: ignore[index]
        self.assertIsNone(CredentialChoice(None, "x").toJSON()["certificate"])


class AnythingTests(ChoiceCase):
    role = "server"
    ring = CredentialSelector((server("a.example"), server("*.example", key=RSA_KEY), server("b.example")))

    @settings(deadline=None, max_examples=40)
    @given(
        st.builds(
            PeerCapabilities,
            serverName=st.none() | st.text(max_size=20) | st.sampled_from(("a.example", "c.example")),
            version=st.sampled_from((None, "1.2", "1.3")),
            signatureAlgorithms=st.none() | st.lists(st.sampled_from(EVERYTHING)) | st.lists(st.integers(0, 65535)),
            keyKinds=st.none() | st.frozensets(st.sampled_from(("RSA", "ECDSA"))),
            groups=st.none() | st.frozensets(st.integers(20, 30)),
            issuers=st.frozensets(st.binary(max_size=5)),
        ),
        st.sampled_from(("client", "server")),
    )
    def test_anything(self, capabilities: PeerCapabilities, role: Role) -> None:
        """Whatever a peer wishes, one of the ring is shown, and for a reason."""
        choice = self.ring.chosen(role, capabilities, NOW)
        self.assertIn(choice.credential, self.ring.credentials)
        self.assertTrue(choice.reason)
