"""What a user can rely on when a certificate is wanted by what it is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from storefiles import NOW, StoreCase, authority, client, intermediate, pemOf, server, thumbprint
from twisted.internet.endpoints import clientFromString, quoteStringArgument, serverFromString
from twisted.internet.testing import MemoryReactorClock

from tlscomm.configuration._fromsettings import clientConfiguration, loadRoots, serverConfiguration
from tlscomm.configuration._identities import loadIdentity
from tlscomm.credentials import Credential
from tlscomm.failures import Ambiguous, NotInStore
from tlscomm.store import Search, loadFromStore, rootsFromStore
from tlscomm.tls import handshake


class SearchTests(StoreCase):
    """Finding a certificate by what it is."""

    def setUp(self) -> None:
        super().setUp()
        store = self.store()
        store.add(server(), friendlyName="The gateway")
        store.add(client().certificate)
        store.add(authority().certificate)

    def found(self, **fields: Any) -> set[str]:
        found = self.store().search(Search(**fields))
        return {entry.certificate.subject.rfc4514_string().partition(",")[0].removeprefix("CN=") for entry in found}

    def test_thumbprint(self) -> None:
        """By thumbprint, SHA-1 or SHA-256, as any program shows it."""
        sha1, sha256 = (server().certificate.fingerprint(kind()) for kind in (hashes.SHA1, hashes.SHA256))
        for digest in (sha1, sha256):
            texts = (digest.hex(), digest.hex().upper(), digest.hex(":"), digest.hex(" ").upper())
            for text in (*texts, f"\u200e{digest.hex()}", f"sha{'1' if digest is sha1 else '256'}:{digest.hex()}"):
                self.assertEqual(self.found(thumbprint=text), {"Gateway"}, text)

    def test_subject(self) -> None:
        """By a part of a value of the subject's name, or by some of its attributes."""
        for text in ("gate", "GATEWAY", "CN=gateway", "cn=Gateway"):
            self.assertEqual(self.found(subject=text), {"Gateway"}, text)
        self.assertEqual(self.found(subject="O=Example"), {"a client"})
        self.assertEqual(self.found(subject="CN=gate"), set())

    def test_distinguishedName(self) -> None:
        """By the subject's whole name, from either end, as RFC 4514, Windows or OpenSSL write it."""
        for text in ("CN=a client,O=Example", "O=Example, CN=a client", "o=example,cn=A CLIENT"):
            self.assertEqual(self.found(subjectDN=text), {"a client"}, text)
        self.assertEqual(self.found(subjectDN="CN=a client"), set())

    def test_issuer(self) -> None:
        """By the issuer's name, a part of it or the whole."""
        self.assertEqual(self.found(issuer="middle"), {"Gateway"})
        self.assertEqual(self.found(issuerDN=r"CN=the root,O=Example\, Inc."), {"a client", "the root"})

    def test_serial(self) -> None:
        """By the serial number in hexadecimal."""
        for text in ("abcdef", "00:AB:CD:EF", "0xABCDEF"):
            self.assertEqual(self.found(serial=text), {"a client"}, text)

    def test_dns(self) -> None:
        """By a host name that it is for, also by a wildcard."""
        for text in ("gateway.example", "GATEWAY.example.", "a.wild.example"):
            self.assertEqual(self.found(dns=text), {"Gateway"}, text)
        for text in ("example", "a.b.wild.example", "wild.example", "bücher.example"):
            self.assertEqual(self.found(dns=text), set(), text)

    def test_otherNames(self) -> None:
        """By an address, a URI or a mail address."""
        self.assertEqual(self.found(ip="10.1.2.3"), {"Gateway"})
        self.assertEqual(self.found(ip="2001:0db8:0:0::1"), {"Gateway"})
        self.assertEqual(self.found(uri="spiffe://example/device"), {"a client"})
        self.assertEqual(self.found(email="somebody@EXAMPLE.org"), {"a client"})

    def test_usages(self) -> None:
        """By what it may be used for; what says nothing may be used for everything."""
        self.assertEqual(self.found(extendedKeyUsage="serverAuth"), {"Gateway", "the root"})
        self.assertEqual(self.found(extendedKeyUsage="1.3.6.1.5.5.7.3.2"), {"a client", "the root"})
        self.assertEqual(self.found(extendedKeyUsage="client"), {"a client", "the root"})
        self.assertEqual(self.found(keyUsage="keyCertSign"), {"the root"})
        self.assertEqual(self.found(keyUsage="encipherOnly"), set())

    def test_validAt(self) -> None:
        """By a time at which it is valid."""
        self.assertEqual(len(self.found(validAt="now")), 3)
        self.assertEqual(self.found(validAt=NOW + timedelta(days=1000)), {"the root"})
        self.assertEqual(self.found(validAt="2000-01-01"), set())

    def test_privateKey(self) -> None:
        """By whether the private key is there."""
        self.assertEqual(self.found(hasPrivateKey=True), {"Gateway"})
        self.assertEqual(self.found(hasPrivateKey="no"), {"a client", "the root"})

    def test_friendlyName(self) -> None:
        """By what its owner calls it."""
        self.assertEqual(self.found(friendlyName="the GATEWAY"), {"Gateway"})

    def test_combined(self) -> None:
        """All that is said has to fit."""
        self.assertEqual(self.found(subject="gateway", hasPrivateKey=True, validAt="now"), {"Gateway"})
        self.assertEqual(self.found(subject="gateway", hasPrivateKey=False), set())

    def test_newestFirst(self) -> None:
        """What is valid comes first, and of that what was issued last."""
        store = self.store("order")
        for title, begins, ends in (("old", -20, 10), ("new", -1, 10), ("over", -5, -1), ("future", 1, 10)):
            days = {"notBefore": NOW + timedelta(days=begins), "notAfter": NOW + timedelta(days=ends)}
            store.add(authority().issue(title, role="client", **days))
        self.assertEqual(self.titles(store), ["CN=new", "CN=old", "CN=future", "CN=over"])

    def test_none(self) -> None:
        """Where one is wanted and there is none, the refusal says where and for what was searched."""
        failure = self.refused(NotInStore, self.store().find, Search(subject="nobody", hasPrivateKey=True))
        self.assertIn("CurrentUser/My (3 certificates)", failure.message)
        self.assertIn("subject=nobody, hasPrivateKey=True", failure.message)

    def test_several(self) -> None:
        """Where one is wanted and there are several, the refusal lists them with their thumbprints."""
        failure = self.refused(Ambiguous, self.store().find, Search())
        for credential in (server(), client(), Credential(authority().certificate)):
            self.assertIn(thumbprint(credential.certificate), failure.message)

    def test_many(self) -> None:
        """The list of several is as long as a person can read."""
        store = self.store("many")
        for number in range(12):
            store.add(authority().issue(str(number), role="client").certificate)
        failure = self.refused(Ambiguous, store.find, Search())
        self.assertEqual((failure.message.count(" until "), failure.message[-2:]), (10, "…."))

    def test_wrongWords(self) -> None:
        """A value that is none of its field is refused, and the refusal names both."""
        for field, value in (
            ("thumbprint", "12"),
            ("thumbprint", "xyz"),
            ("subject", "CN=a,=b"),
            ("subjectDN", "somebody"),
            ("serial", "x"),
            ("dns", "a..é"),
            ("ip", "300.1.1.1"),
            ("extendedKeyUsage", "sing"),
            ("keyUsage", "sing"),
            ("validAt", "yesterday"),
            ("hasPrivateKey", "perhaps"),
            ("subject", ""),
            ("friendlyName", " "),
        ):
            with self.assertRaises(ValueError, msg=field) as raised:
                Search(**{field: value})  # type: ignore[arg-type]
            self.assertTrue(str(raised.exception).startswith(f"{field}={value}"), raised.exception)

    def test_hostile(self) -> None:
        """What cannot be read in a certificate does not fit, and is in nobody's way."""
        broken = authority().issue(
            "broken",
            role="client",
            extensions=[(x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"\xff"), False)],
        )
        self.store().add(broken.certificate)
        self.assertEqual(self.found(dns="gateway.example"), {"Gateway"})
        self.assertEqual(self.found(subject="broken"), {"broken"})


class SourceTests(StoreCase):
    """``store:`` wherever a source is named."""

    def setUp(self) -> None:
        super().setUp()
        self.entry = self.store().add(server())
        self.store().add(client())
        self.store("Root").add(authority().certificate)

    def test_identity(self) -> None:
        """It names a credential, by one field or several."""
        for source in (
            self.entry.source,
            "store:CurrentUser/My:subject=gateway",
            "store:currentuser/my:dns=gateway.example:validAt=now:hasPrivateKey=yes",
            "store:CurrentUser/My:ip=2001:db8::1",
            f"store:CurrentUser/My:thumbprint={server().certificate.fingerprint(hashes.SHA256()).hex(':')}",
        ):
            self.assertEqual(loadIdentity(source, None, None).certificate, server().certificate, source)

    def test_escapes(self) -> None:
        """A colon before a word and an equals sign has a backslash, and a backslash is written twice."""
        self.store().add(authority().issue("odd", role="client", uris=("urn:a:b=c",)), friendlyName=r"a\b:dns=c")
        for source in (r"store:CurrentUser/My:uri=urn:a\:b=c", r"store:CurrentUser/My:friendlyName=a\\b\:dns=c"):
            self.assertEqual(loadFromStore(source).certificate.subject.rfc4514_string(), "CN=odd", source)

    def test_theRootThatIssuedIt(self) -> None:
        """It is in the store of roots. A response to staple names it, and it is not sent."""
        self.store("Root").add(authority().certificate)
        loaded = loadFromStore("store:CurrentUser/My:subject=a client")
        self.assertEqual((loaded.chain, loaded.root), ((), authority().certificate))
        self.assertIsNone(loadFromStore("store:CurrentUser/My:dns=gateway.example").root)

    def test_single(self) -> None:
        """Without a field it names what is alone in its store."""
        self.assertEqual(loadFromStore("store:CurrentUser/Root").certificate, authority().certificate)
        self.refused(Ambiguous, loadFromStore, "store:CurrentUser/My")

    def test_roots(self) -> None:
        """It names roots: all that fit."""
        self.assertEqual(loadRoots("store:CurrentUser/Root"), (authority().certificate,))
        self.refused(NotInStore, loadRoots, "store:CurrentUser/Root:subject=nobody")

    def test_wrong(self) -> None:
        """A source that is none is refused with the words that there are."""
        for source in (
            "store:",
            "store:My",
            "store:Nowhere/My",
            "store:CurrentUser/../My",
            "store:CurrentUser/My:color=red",
            "store:CurrentUser/My:subject",
            "store:CurrentUser/My:dns=a:dns=b",
            "store:CurrentUser/My:validAt=then",
            "store:CurrentUser/My:subject=",
            "store:CurrentUser/My:subject=:validAt=now",
        ):
            for load in (loadFromStore, rootsFromStore):
                with self.assertRaises(ValueError, msg=source):
                    load(source)

    def test_chain(self) -> None:
        """The chain comes out of the store CA where the file has none, as .NET keeps it."""
        entry = self.store("bare").add(Credential(server().certificate, (), server().privateKey))
        self.assertEqual(loadFromStore(entry.source).chain, ())
        self.store("CA").add(intermediate().certificate)
        self.store("CA").add(authority().certificate)
        self.assertEqual(loadFromStore(entry.source).chain, (intermediate().certificate,))

    def test_otherKey(self) -> None:
        """A key that is elsewhere is taken from there."""
        entry = self.store("bare").add(server().certificate)
        Path("k.pem").touch(0o600)
        Path("k.pem").write_bytes(pemOf(server()))
        loadIdentity(entry.source, "k.pem", None).requireKey()

    def test_connection(self) -> None:
        """A server and a client whose credentials and roots are in stores accept each other."""
        roots = ("store:CurrentUser/Root",)
        found = "store:CurrentUser/My:extendedKeyUsage=client:subject=a client"
        serving = serverConfiguration({"identity": [self.entry.source], "clientRoots": roots})
        asking = clientConfiguration("gateway.example", {"identity": [found], "roots": roots})
        self.assertEqual([side.failure for side in handshake(asking, serving)], [None, None])

    def test_endpointStrings(self) -> None:
        """In an endpoint string the colons have backslashes; Twisted's function puts them there."""
        reactor = MemoryReactorClock()
        written = r"identity=store\:CurrentUser/My\:dns=gateway.example:clientRoots=store\:CurrentUser/Root"
        serverFromString(reactor, f"tlscomm:8443:{written}")
        clientFromString(
            reactor,
            f"tlscomm:gateway.example:8443:roots={quoteStringArgument('store:CurrentUser/Root')}"
            f":identity={quoteStringArgument('store:CurrentUser/My:extendedKeyUsage=client:subject=a client')}",
        )
        with self.assertRaises(NotInStore):
            serverFromString(reactor, f"tlscomm:8443:{written.replace('gateway', 'nobody')}")
