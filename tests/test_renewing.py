"""A credential that is issued once more: for the same names and uses, in every file that it was in."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import program
from tlscomm.credentials import Credential, exportCredential, loadCertificates, loadCredential
from tlscomm.issuing import Authority
from tlscomm.issuing._renewing import renewed
from tlscomm.x509._encoding import keyPEM, pem
from tlscomm.x509._issuers import hasIssued

NOW = datetime.now(timezone.utc)
AUTHORITY = Authority.create()
SERVER = AUTHORITY.issue(
    "server", role="server", dnsNames=["a.example", "b.example"], addresses=["192.0.2.1"], uris=["spiffe://x/y"]
)


class Issued(SynchronousTestCase):
    """What is issued."""

    def test_same(self) -> None:
        """Subject, names and uses are those of before, and so is the time it lasts; key and number are new."""
        new = renewed(SERVER, AUTHORITY, now=NOW + timedelta(days=10))
        former, certificate = SERVER.certificate, new.certificate
        self.assertTrue(hasIssued(AUTHORITY.certificate, certificate))
        self.assertEqual(certificate.subject, former.subject)
        for kind in (x509.SubjectAlternativeName, x509.KeyUsage, x509.ExtendedKeyUsage, x509.BasicConstraints):
            each: Any = kind
            found, before = (one.extensions.get_extension_for_class(each) for one in (certificate, former))
            self.assertEqual(found, before)
        lasts = [one.not_valid_after_utc - one.not_valid_before_utc for one in (certificate, former)]
        self.assertEqual(lasts[0], lasts[1])
        self.assertNotEqual(certificate.serial_number, former.serial_number)
        self.assertNotEqual(certificate.public_key(), former.public_key())
        new.requireKey()

    def test_key(self) -> None:
        """The key is kept where that is wanted, and otherwise one of the same kind and size is made."""
        self.assertEqual(renewed(SERVER, AUTHORITY, keepKey=True, now=NOW).privateKey, SERVER.privateKey)
        large = rsa.generate_private_key(65537, 2048)
        key = renewed(AUTHORITY.issue("rsa", role="client", privateKey=large), AUTHORITY, now=NOW).privateKey
        assert isinstance(key, rsa.RSAPrivateKey)
        self.assertEqual(key.key_size, 2048)

    def test_end(self) -> None:
        """It lasts as long as is said, and not longer than its authority."""
        ends = renewed(SERVER, AUTHORITY, days=3, now=NOW).certificate.not_valid_after_utc
        self.assertEqual(ends, (NOW + timedelta(days=3)).replace(microsecond=0))
        ends = renewed(SERVER, AUTHORITY, days=1e5, now=NOW).certificate.not_valid_after_utc
        self.assertEqual(ends, AUTHORITY.certificate.not_valid_after_utc)


class Command(SynchronousTestCase):
    """``tlscomm pki renew``."""

    def run_(self, *words: str, status: int = 0) -> str:
        result = CliRunner().invoke(program, ["pki", "renew", *words])
        self.assertEqual(result.exit_code, status, result.output)
        return result.output

    def write(self, path: str, content: bytes, mode: int = 0o600) -> None:
        Path(path).write_bytes(content)
        Path(path).chmod(mode)

    def authority(self, authority: Authority = AUTHORITY) -> None:
        self.write("ca.pem", pem([authority.certificate]))
        self.write("ca.key", keyPEM(authority.privateKey))

    def put(self, credential: Credential = SERVER) -> None:
        self.write("server.pem", pem([credential.certificate]), 0o640)
        self.write("server.key", keyPEM(credential.privateKey), 0o400)

    def test_folder(self) -> None:
        """What ``pki init`` has made is renewed in every form."""
        self.assertEqual(CliRunner().invoke(program, ["pki", "init", "made"]).exit_code, 0)
        before = {path.name: path.read_bytes() for path in Path("made").iterdir()}
        self.assertIn("server-with-key.pem, server.cer, server.key, server.p7b, server.pfx", self.run_("made"))
        after = {path.name: path.read_bytes() for path in Path("made").iterdir()}
        kept = {name for name, content in after.items() if content == before[name]}
        self.assertEqual({name for name in kept if not name.startswith(".")}, {"ca.pem", "ca.cer", "ca.key"})
        certificate = loadCertificates("made/server.pem")[0]
        for name in ("server.pfx", "server-with-key.pem"):
            credential = loadCredential(f"made/{name}").requireKey()
            self.assertEqual(credential.certificate, certificate)
        for name in ("server.cer", "server.p7b"):
            self.assertIn(certificate, loadCertificates(f"made/{name}"))
        loadCredential("made/server.pem", key="made/server.key").requireKey()

    def test_kept(self) -> None:
        """Modes stay, links lead where they led, and so does what else a file holds."""
        self.authority()
        self.put()
        other = AUTHORITY.issue("other", role="client")
        self.write("real.pem", b"a comment\n" + pem([SERVER.certificate, other.certificate]), 0o644)
        Path("server.crt").symlink_to("real.pem")
        self.write("server.csr", b"something else")
        self.run_("server.pem")
        self.assertEqual([Path(name).stat().st_mode & 0o777 for name in ("server.pem", "server.key")], [0o640, 0o400])
        self.assertTrue(Path("server.crt").is_symlink())
        content = Path("real.pem").read_bytes()
        self.assertTrue(content.startswith(b"a comment\n"))
        self.assertEqual(loadCertificates("real.pem"), (loadCertificates("server.pem")[0], other.certificate))
        self.assertEqual(Path("server.csr").read_bytes(), b"something else")

    def test_encrypted(self) -> None:
        """What was encrypted is so again, with the same pass phrase."""
        self.authority()
        secret = b"open sesame"
        for form in ("pem", "pfx"):
            ending: Any = form
            self.write(f"server.{form}", exportCredential(SERVER, ending, passphrase=secret))
        self.write("secret", secret)
        self.assertIn("passphrase-required", self.run_("server.pfx", status=1))
        self.run_("server.pfx", "--passphrase-file", "secret")
        credentials = [loadCredential(f"server.{form}", passphrase=secret) for form in ("pem", "pfx")]
        self.assertEqual(credentials[0].requireKey().certificate, credentials[1].requireKey().certificate)
        self.assertNotEqual(credentials[0].certificate, SERVER.certificate)

    def test_due(self) -> None:
        """With ``--if-within`` nothing is done as long as there is time."""
        self.authority()
        self.put()
        self.assertIn("is not due", self.run_("server.pem", "--if-within", "30"))
        self.assertEqual(loadCertificates("server.pem")[0], SERVER.certificate)
        self.assertIn("was renewed", self.run_("server.pem", "--if-within", "400"))

    def test_refusals(self) -> None:
        """What cannot be renewed is named, and nothing is written."""
        self.put()
        self.assertIn("file-not-found", self.run_("server.pem", status=1))
        self.authority(Authority.create("Other"))
        self.assertIn("unknown-issuer", self.run_("server.pem", status=1))
        self.authority()
        self.assertIn("wrong-purpose", self.run_("ca.pem", status=1))
        Path("ca.key").unlink()
        self.assertIn("no-private-key", self.run_("server.pem", status=1))
        old = Authority.create("Old", now=NOW - timedelta(days=9), days=8)
        self.authority(old)
        self.put(old.issue("server", role="server", now=NOW - timedelta(days=9)))
        before = Path("server.pem").read_bytes()
        self.assertIn("expired", self.run_("server.pem", status=1))
        self.assertEqual(Path("server.pem").read_bytes(), before)
