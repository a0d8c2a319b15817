"""An authority whose block says that it is not trusted for a use vouches for no peer in that use."""

from __future__ import annotations

import base64
import subprocess
import textwrap
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SynchronousTestCase

from tests.logs import logged
from tests.pfxfiles import der, oid, seq
from tlscomm.configuration._fromsettings import clientConfiguration, serverConfiguration
from tlscomm.credentials import loadCertificates, loadCredential
from tlscomm.failures import TLSFailure, WrongPurpose
from tlscomm.issuing import Authority
from tlscomm.x509._encoding import keyPEM, pem
from tlscomm.x509._roles import ROLES

SERVER, CLIENT, MAIL, ANY = (
    oid(f"{arcs}") for arcs in ("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.4", "2.5.29.37.0")
)


def trusted(*uses: bytes) -> bytes:
    return seq(*uses)


def rejected(*uses: bytes) -> bytes:
    return der(0xA0, b"".join(uses))


#: What stands behind the certificate, and the peers that it may vouch for.
BLOCKS: dict[str, tuple[bytes, set[str]]] = {
    "nothing": (b"", {"server", "client"}),
    "an alias": (seq(der(0x0C, b"made up")), {"server", "client"}),
    "no list": (seq(), {"server", "client"}),
    "trusted for servers": (seq(trusted(SERVER)), {"server"}),
    "trusted for clients and mail": (seq(trusted(MAIL, CLIENT)), {"client"}),
    "trusted for both": (seq(trusted(SERVER, CLIENT)), {"server", "client"}),
    "trusted for mail": (seq(trusted(MAIL)), set()),
    "trusted for anything": (seq(trusted(ANY)), {"server", "client"}),
    "trusted for nothing": (seq(trusted()), set()),
    "rejected for clients": (seq(rejected(CLIENT)), {"server"}),
    "rejected for mail": (seq(rejected(MAIL)), {"server", "client"}),
    "rejected for both": (seq(rejected(CLIENT, SERVER)), set()),
    "rejected for anything": (seq(rejected(ANY)), set()),
    "trusted and rejected": (seq(trusted(SERVER, CLIENT), rejected(SERVER)), {"client"}),
    "all of it": (seq(trusted(SERVER), rejected(MAIL), der(0x0C, b"name"), der(4, b"key")), {"server"}),
    "no list of uses": (seq(trusted(der(0x0C, b"x"))), set()),
    "cut off": (b"\x30\x05\x30", set()),
}

#: What OpenSSL's command makes nothing of, or takes for less than we do.
_NOT_COMPARED = {"cut off", "no list of uses", "rejected for anything"}


@cache
def authority() -> Authority:
    return Authority.create("trusted", organization="blocks")


def block(behind: bytes) -> bytes:
    content = authority().certificate.public_bytes(Encoding.DER) + behind
    lines = textwrap.wrap(base64.b64encode(content).decode(), 64)
    return "\n".join(("-----BEGIN TRUSTED CERTIFICATE-----", *lines, "-----END TRUSTED CERTIFICATE-----", "")).encode()


class Blocks(SynchronousTestCase):
    def test_whomTheyVouchFor(self) -> None:
        for name, (behind, roles) in BLOCKS.items():
            for role in ROLES:
                with self.subTest(block=name, role=role):
                    if role in roles:
                        found = loadCertificates(block(behind), peerRole=role)
                        self.assertEqual(found, (authority().certificate,))
                    else:
                        failure = self.assertRaises(WrongPurpose, loadCertificates, block(behind), peerRole=role)
                        self.assertIn(f"cannot vouch for {role}s", failure.detail)

    def test_whereItIsNotSaidForWhomBothCount(self) -> None:
        for behind, roles in BLOCKS.values():
            if roles == set(ROLES):
                loadCertificates(block(behind))
            else:
                self.assertRaises(WrongPurpose, loadCertificates, block(behind))

    def test_oneThatIsNotTrustedIsLeftOutByName(self) -> None:
        other = Authority.create("other")
        content = pem([other.certificate]) + block(BLOCKS["trusted for mail"][0])
        with logged() as events:
            self.assertEqual(loadCertificates(content, peerRole="client"), (other.certificate,))
        self.assertIn("Email Protection", str([event.get("problem") for event in events]))

    def test_noOtherBlockTakesBackWhatOneSays(self) -> None:
        content = pem([authority().certificate]) + block(BLOCKS["rejected for both"][0])
        self.assertRaises(WrongPurpose, loadCertificates, content, peerRole="client")

    def test_OpenSSLSaysTheSame(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        leaf = authority().issue("leaf", dnsNames=["leaf.example"], role=None)
        (folder / "leaf.pem").write_bytes(pem([leaf.certificate]))
        for name, (behind, roles) in BLOCKS.items():
            if name in _NOT_COMPARED:
                continue
            (folder / "ca.pem").write_bytes(block(behind))
            for role in ROLES:
                words = ["openssl", "verify", "-purpose", f"ssl{role}", "-CAfile", "ca.pem", "leaf.pem"]
                said = subprocess.run(words, cwd=folder, capture_output=True, check=False)
                self.assertEqual(said.returncode == 0, role in roles, (name, role, said.stderr))


class Settings(SynchronousTestCase):
    """Options and endpoint strings know which side the peers are on."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.ca, self.identity = folder / "ca.pem", folder / "own.pem"
        own = authority().issue("own", dnsNames=["own.example"], role="server")
        self.identity.touch(0o600)
        self.identity.write_bytes(pem([own.certificate]) + keyPEM(own.privateKey))
        loadCredential(self.identity)

    def test_roots(self) -> None:
        for name in ("trusted for servers", "rejected for clients", "trusted for clients and mail", "trusted for mail"):
            behind, roles = BLOCKS[name]
            self.ca.write_bytes(block(behind))
            server = {"identity": (str(self.identity),), "clientRoots": (str(self.ca),)}
            client = {"roots": (str(self.ca),)}
            self.assertEqual(self.isTaken(partial(serverConfiguration, server)), "client" in roles)
            self.assertEqual(self.isTaken(partial(clientConfiguration, "own.example", client)), "server" in roles)

    def isTaken(self, make: Callable[[], object]) -> bool:
        try:
            make()
        except TLSFailure as failure:
            self.assertEqual(failure.code, "wrong-purpose")
            return False
        return True
