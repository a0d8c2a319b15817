"""What a user can rely on who says which key exchange groups are accepted."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.configuration._settings import settingsOn
from tlscomm.configuration._settingtypes import CLIENTS, SERVERS, Interface
from tlscomm.failures import TLSFailure
from tlscomm.issuing import Authority
from tlscomm.operation._metrictable import POST_QUANTUM
from tlscomm.tls import TLSConnection, pump

AUTHORITY = Authority.create()
SERVER = AUTHORITY.issue("server", role="server", dnsNames=["localhost"])
CLIENT = AUTHORITY.issue("client", role="client")
ROOTS = (AUTHORITY.certificate,)
POST_QUANTUM_ALONE = ("X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024")


def server(**more: Any) -> ServerConfiguration:
    return ServerConfiguration(credential=SERVER, clientRoots=ROOTS, **more)


def client(**more: Any) -> ClientConfiguration:
    return ClientConfiguration(serverName="localhost", roots=ROOTS, credential=CLIENT, **more)


def joined(here: ClientConfiguration, there: ServerConfiguration) -> tuple[TLSConnection, TLSConnection]:
    pair = TLSConnection(here), TLSConnection(there)
    pair[0].start()
    pump(*pair)
    return pair


class Agreement(SynchronousTestCase):
    def agreed(self, here: ClientConfiguration, there: ServerConfiguration) -> str | None:
        for each in joined(here, there):
            self.assertIsNone(each.failure)
        return joined(here, there)[1].facts.group

    def failures(self, here: ClientConfiguration, there: ServerConfiguration) -> tuple[TLSFailure, ...]:
        found = tuple(each.failure for each in joined(here, there))
        return tuple(each for each in found if each is not None)

    def test_byThemselves(self) -> None:
        """Two sides that say nothing agree on a group that is safe from quantum computers, and so it is counted."""
        group = self.agreed(client(), server())
        self.assertEqual(group, "X25519MLKEM768")
        self.assertIn(group, POST_QUANTUM)

    def test_oneSideSays(self) -> None:
        """What one side says holds for both, be it the server or the client, and costs no more than another round."""
        self.assertEqual(self.agreed(client(groups=("X25519",)), server()), "x25519")
        self.assertEqual(self.agreed(client(), server(groups=("secp384r1",))), "secp384r1")
        self.assertEqual(self.agreed(client(), server(groups=("SecP256r1MLKEM768",))), "SecP256r1MLKEM768")

    def test_postQuantumAlone(self) -> None:
        """A server that insists on such groups refuses other clients; both sides name it, with what each has."""
        ours, theirs = self.failures(client(groups=("X25519", "P-256")), server(groups=POST_QUANTUM_ALONE))
        self.assertEqual((ours.code, theirs.code), ("no-common-group", "no-common-group"))
        has = "we have the groups SecP256r1MLKEM768, X25519MLKEM768, SecP384r1MLKEM1024"
        self.assertIn(f"the client offers the groups P-256, X25519; {has}", theirs.message)
        self.assertIn("we offer the groups P-256, X25519", ours.message)

    def test_clientInsists(self) -> None:
        """A client that insists on such groups names the refusal of a server that has none of them."""
        ours, theirs = self.failures(client(groups=("X25519MLKEM768",)), server(groups=("X25519",)))
        self.assertEqual((ours.code, theirs.code), ("no-common-group", "no-common-group"))
        self.assertIn("we offer the groups X25519MLKEM768", ours.message)

    def test_olderVersion(self) -> None:
        """A client of TLS 1.2 has no such group, and that is what the server says."""
        _, theirs = self.failures(client(maximumTLS="1.2"), server(groups=("X25519MLKEM768",)))
        self.assertEqual(theirs.code, "no-common-group")


class Words(SynchronousTestCase):
    def wrong(self, *groups: str, **more: Any) -> str:
        return str(self.assertRaises(ValueError, server, groups=groups, **more))

    def test_names(self) -> None:
        """OpenSSL's names and IANA's are understood, in upper and lower case."""
        for name in ("X25519", "x25519", "P-256", "secp256r1", "prime256v1", "x25519mlkem768", "ffdhe2048"):
            server(groups=(name,))

    def test_unknown(self) -> None:
        """A group that OpenSSL does not know is refused when the configuration is made, and what it knows is said."""
        said = self.wrong("X25519", "X25519Kyber768")
        self.assertIn("no group X25519Kyber768; it knows P-256, ", said)
        self.assertIn("X25519MLKEM768", said)
        # What has a meaning of its own in OpenSSL's lists.
        for name in ("?nosuch", "*X25519", "DEFAULT", "X25519:P-256", "é", ""):
            self.assertIn("knows no group", self.wrong(name))
        self.assertIn("there is no group", self.wrong())

    def test_neverAgreed(self) -> None:
        """Groups of which TLS 1.2 has none are no use to a configuration that speaks nothing newer."""
        self.assertIn("TLS 1.3 alone", self.wrong("X25519MLKEM768", maximumTLS="1.2"))

    def test_setting(self) -> None:
        """They can be said wherever servers and clients are described, with colons or commas."""
        for interface in Interface:
            setting = next((each for each in settingsOn(interface) if each.name == "groups"), None)
            self.assertEqual(setting is not None, interface in SERVERS | CLIENTS, interface)
            if setting is not None:
                for text in ("X25519MLKEM768:X25519", "X25519MLKEM768,X25519"):
                    self.assertEqual(setting.parse(text, interface), ("X25519MLKEM768", "X25519"))
                for text in ("", ":", "X25519:", "X 25519", 5, "X25519/P-256"):
                    self.assertRaises(ValueError, setting.parse, text, interface)
