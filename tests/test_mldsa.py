"""What a user can rely on with ML-DSA (FIPS 204), whose signatures are safe from quantum computers."""

from __future__ import annotations

import hashlib
from typing import Any

from credentialfiles import NOW, authority
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pfxfiles import bag, certificateBag, octets, pfx, pkcs8, safe, seq
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import failures
from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.credentials import Credential, CredentialSelector, PeerCapabilities, exportCredential, loadCredential
from tlscomm.issuing import Authority, withBadSignature
from tlscomm.tls import State, TLSConnection, pump
from tlscomm.x509._keystrengths import keyKind

KINDS = (mldsa.MLDSA44PrivateKey, mldsa.MLDSA65PrivateKey, mldsa.MLDSA87PrivateKey)
ROOT = Authority.create("post-quantum root", privateKey=mldsa.MLDSA87PrivateKey.generate())
SERVER = ROOT.issue("s", role="server", dnsNames=["localhost"], privateKey=mldsa.MLDSA65PrivateKey.generate())
CLIENT = ROOT.issue("c", role="client", privateKey=mldsa.MLDSA44PrivateKey.generate())
CLASSIC = Authority.create("classic root")
ECDSA = CLASSIC.issue("s", role="server", dnsNames=["localhost"])

#: mldsa44 to mldsa87, and ecdsa_secp256r1_sha256.
MLDSA, P256 = (0x0904, 0x0905, 0x0906), (0x0403,)
_KEY_BAG = "1.2.840.113549.1.12.10.1.1"


def sides(client: dict[str, Any], server: dict[str, Any]) -> tuple[TLSConnection, TLSConnection]:
    roots = (ROOT.certificate, CLASSIC.certificate)
    here = TLSConnection(ClientConfiguration(**{"serverName": "localhost", "roots": roots, **client}))
    there = TLSConnection(ServerConfiguration(**{"credential": SERVER, "clientRoots": roots, **server}))
    here.start()
    pump(here, there)
    return here, there


def asOpenSSL(key: Any, *, expanded: bytes | None = None, seed: bool = True) -> bytes:
    """The PKCS#8 of a key as OpenSSL 3.5 and newer write it: the seed and what follows from it."""
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    if expanded is None:
        expanded = bytes(64) + hashlib.shake_256(key.public_key().public_bytes_raw()).digest(64) + bytes(3904)
    inner = seq(octets(plain[-32:]), octets(expanded)) if seed else octets(expanded)
    # Version and algorithm come first, in 3 and 13 bytes.
    return seq(plain[2:18], octets(inner))


class Handshakes(SynchronousTestCase):
    def test_bothSides(self) -> None:
        """Server and client prove themselves with ML-DSA, each below an authority with a key of that kind."""
        client, server = sides({"credential": CLIENT}, {})
        self.assertEqual((client.state, server.state), (State.OPEN, State.OPEN), (client.failure, server.failure))
        self.assertEqual(server.peer.certificate, CLIENT.certificate)
        self.assertEqual(keyKind(SERVER.certificate.public_key()), "ML-DSA-65")

    def test_wrongSignature(self) -> None:
        """A certificate whose signature was changed is refused by its name."""
        client, _ = sides({"credential": CLIENT}, {"credential": withBadSignature(SERVER)})
        self.assertIsInstance(client.failure, failures.BadSignature)

    def test_olderVersion(self) -> None:
        """Under TLS 1.2, which has no ML-DSA, the failure says what key there is and what the client can verify."""
        _, server = sides({"maximumTLS": "1.2", "credential": CLIENT}, {})
        assert server.failure is not None
        self.assertEqual(server.failure.code, "no-common-cipher")
        self.assertIn("our certificate has a key of the kind ML-DSA-65", server.failure.detail)

    def test_migration(self) -> None:
        """A server with an ML-DSA and an ECDSA key shows each client one that it can verify."""
        ring = CredentialSelector((SERVER, ECDSA))
        for expected, version, algorithms in (
            (SERVER, "1.3", (*P256, *MLDSA)),
            (ECDSA, "1.3", P256),
            (ECDSA, "1.2", (*MLDSA, *P256)),
        ):
            capabilities = PeerCapabilities(version=version, signatureAlgorithms=algorithms)  # type: ignore[arg-type]
            self.assertIs(ring.chosen("server", capabilities, NOW).credential, expected)
        client, server = sides({"maximumTLS": "1.2", "roots": (CLASSIC.certificate,), "credential": CLIENT}, {
            "credential": SERVER, "others": (ECDSA,), "clientCertificates": "none", "clientRoots": (),
        })  # fmt: skip
        self.assertEqual(client.state, State.OPEN, (client.failure, server.failure))


class Files(SynchronousTestCase):
    def test_pem(self) -> None:
        """A credential of each kind is written as PEM, with a pass phrase or without, and read again."""
        for kind in KINDS:
            credential = authority().issue("leaf", role="server", privateKey=kind.generate(), now=NOW)
            for passphrase, options in ((b"secret", {}), (None, {"insecureUnencryptedKey": True})):
                content = exportCredential(credential, "pem", passphrase=passphrase, **options)
                self.assertIsInstance(loadCredential(content, passphrase=passphrase).requireKey().privateKey, kind)

    def test_withSeed(self) -> None:
        """A key is read as OpenSSL writes it, with its seed and what follows from it."""
        for kind in KINDS:
            credential = authority().issue("leaf", role="server", privateKey=kind.generate(), now=NOW)
            loadCredential(exportCredential(credential, "cer"), key=asOpenSSL(credential.privateKey)).requireKey()

    def test_contradictory(self) -> None:
        """A key whose seed and expanded form are not of one key is damaged."""
        content = asOpenSSL(SERVER.privateKey, expanded=bytes(4032))
        self.assertRaises(failures.Damaged, loadCredential, exportCredential(SERVER, "cer"), key=content)

    def test_withoutSeed(self) -> None:
        """Of a key without its seed, which cannot be loaded, is said what to have written."""
        content = asOpenSSL(SERVER.privateKey, seed=False)
        refused = self.assertRaises(
            failures.UnknownFormat, loadCredential, exportCredential(SERVER, "cer"), key=content
        )
        self.assertIn("without its seed", str(refused))

    def test_pfx(self) -> None:
        """A PFX that another program has made is read, and one is not written: the failure names the kind of key."""
        content = pfx(safe(certificateBag(SERVER.certificate)), safe(bag(_KEY_BAG, pkcs8(SERVER.privateKey))))  # type: ignore[arg-type]
        self.assertEqual(loadCredential(content).requireKey().certificate, SERVER.certificate)
        refused = self.assertRaises(failures.UnknownFormat, exportCredential, SERVER, "pfx", passphrase=b"secret")
        self.assertIn("ML-DSA-65", str(refused))

    def test_twistedsOptions(self) -> None:
        """Twisted's own options take the key too; pyOpenSSL says that it wants keys of another type."""
        options = Credential.certificateOptions(SERVER)
        options.getContext()
        self.assertIn("PKey", "".join(str(each["message"]) for each in self.flushWarnings()))
