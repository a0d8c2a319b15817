"""What a user can rely on when a credential is written for another program."""

from __future__ import annotations

import os
import subprocess
import traceback
from dataclasses import replace
from pathlib import Path

from credentialfiles import PASSPHRASE, issued, made
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import failures
from tlscomm.credentials import exportCredential, loadCredential, writeCredential
from tlscomm.credentials._export import EXPORT_FORMATS, ExportFormat


class ExportTests(SynchronousTestCase):
    def test_roundTrip(self) -> None:
        """What is exported loads again: the certificate, the chain, the key and the friendly name."""
        credential = replace(issued(), friendlyName="Größe")
        for form, legacy in (("pem", False), ("pfx", False), ("pfx", True)):
            content = exportCredential(credential, form, passphrase=PASSPHRASE, legacy=legacy)  # type: ignore[arg-type]
            found = loadCredential(content, passphrase=PASSPHRASE).requireKey()
            self.assertEqual((found.certificate, found.chain), (credential.certificate, credential.chain))
            self.assertEqual(found.friendlyName, "Größe" if form == "pfx" else None)
            self.assertRaises(failures.PassphraseWrong, loadCredential, content, passphrase=b"wrong")
            self.assertRaises(failures.PassphraseRequired, loadCredential, content)

    def test_certificates(self) -> None:
        """A P7B holds certificate and chain, a CER the certificate; neither holds or needs the key."""
        for credential in (issued(), replace(issued(), privateKey=None)):
            found = loadCredential(exportCredential(credential, "p7b"))
            self.assertEqual((found.certificate, found.chain), (credential.certificate, credential.chain))
            found = loadCredential(exportCredential(credential, "cer"))
            self.assertEqual((found.certificate, found.chain), (credential.certificate, ()))

    def test_neverInTheClear(self) -> None:
        """A private key is not exported without a pass phrase, unless somebody says so in these words."""
        for passphrase in (None, b""):
            for form in ("pem", "pfx"):
                self.refused(failures.PassphraseRequired, form, passphrase=passphrase)
                content = exportCredential(issued(), form, passphrase=passphrase, insecureUnencryptedKey=True)
                loadCredential(content).requireKey()
            self.refused(
                failures.PassphraseRequired, "pfx", passphrase=passphrase, legacy=True, insecureUnencryptedKey=True
            )

    def refused(self, failure: type[Exception], form: str, **options: object) -> Exception:
        return self.assertRaises(failure, exportCredential, options.pop("credential", issued()), form, **options)

    def test_withoutKey(self) -> None:
        """PEM without the key is the certificate and its chain."""
        found = loadCredential(exportCredential(issued(), "pem", withoutKey=True))
        self.assertEqual((found.privateKey, found.chain), (None, issued().chain))
        found = loadCredential(exportCredential(replace(issued(), privateKey=None), "pem"))
        self.assertIsNone(found.privateKey)

    def test_noKey(self) -> None:
        """A PFX needs the private key, and the right one, of a kind that it has a place for."""
        other = replace(issued(), privateKey=ec.generate_private_key(ec.SECP256R1()))
        self.refused(failures.NoPrivateKey, "pfx", credential=replace(issued(), privateKey=None), passphrase=PASSPHRASE)
        self.refused(failures.KeyMismatch, "pfx", credential=other, passphrase=PASSPHRASE)
        exchange = replace(issued(), privateKey=x25519.X25519PrivateKey.generate())
        self.refused(failures.KeyMismatch, "pfx", credential=exchange, passphrase=PASSPHRASE)

    def test_nonsense(self) -> None:
        """What does not fit together is refused."""
        self.refused(ValueError, "jks")
        self.refused(ValueError, "pem", passphrase=PASSPHRASE, legacy=True)
        self.refused(ValueError, "pfx", passphrase=PASSPHRASE, withoutKey=True)

    def test_root(self) -> None:
        """The root is left out, also where the file that was loaded had it."""
        loaded = loadCredential(made()["c.pem"] + made()["k.pem"])
        self.assertEqual(exportCredential(loaded, "pem", withoutKey=True), made()["c.pem"])

    def test_openssl(self) -> None:
        """OpenSSL reads what is exported; the old form has the old algorithms and no other."""
        for legacy, says in ((False, b"PBES2, PBKDF2, AES-256-CBC"), (True, b"pbeWithSHA1And3-KeyTripleDES-CBC")):
            writeCredential(issued(), "a.pfx", "pfx", passphrase=PASSPHRASE, legacy=legacy)
            shown = self.openssl("pkcs12", "-in", "a.pfx", "-info", "-noout", "-passin", f"pass:{PASSPHRASE.decode()}")
            self.assertIn(says, shown)
            self.assertIn(b"MAC: sha1" if legacy else b"MAC: sha256", shown)
            self.assertEqual(b"PBES2" in shown, not legacy)
        writeCredential(issued(), "a.pem", "pem", passphrase=PASSPHRASE)
        self.openssl("pkey", "-in", "a.pem", "-noout", "-passin", f"pass:{PASSPHRASE.decode()}")
        writeCredential(issued(), "a.p7b", "p7b")
        shown = self.openssl("pkcs7", "-inform", "DER", "-in", "a.p7b", "-print_certs", "-noout")
        self.assertEqual(shown.count(b"subject="), 2)

    def openssl(self, *arguments: str) -> bytes:
        done = subprocess.run(("openssl", *arguments), check=True, capture_output=True, timeout=60)
        return done.stdout + done.stderr

    def test_gnutls(self) -> None:
        """GnuTLS reads what is exported, the new form and the old."""
        for legacy in (False, True):
            writeCredential(issued(), "a.pfx", "pfx", passphrase=PASSPHRASE, legacy=legacy)
            secret = ("--password", PASSPHRASE.decode())
            done = subprocess.run(
                ("certtool", "--p12-info", "--inder", "--infile", "a.pfx", *secret),
                check=True,
                capture_output=True,
                timeout=60,
            )
            self.assertIn(b"BEGIN CERTIFICATE", done.stdout)


class WriteTests(SynchronousTestCase):
    def mode(self, name: str) -> int:
        return os.stat(name).st_mode & 0o777

    def test_modes(self) -> None:
        """A file with a private key is its owner's alone; one with certificates is for everybody."""
        self.addCleanup(os.umask, os.umask(0))
        for form in EXPORT_FORMATS:
            writeCredential(issued(), f"a.{form}", form, passphrase=PASSPHRASE)
            self.assertEqual(self.mode(f"a.{form}"), 0o600 if form in ("pem", "pfx") else 0o644)
        writeCredential(issued(), "b.pem", "pem", withoutKey=True)
        self.assertEqual(self.mode("b.pem"), 0o644)

    def test_replaced(self) -> None:
        """A file that is there is replaced, and what others could read becomes the owner's."""
        Path("a.pem").write_bytes(b"old")
        Path("a.pem").chmod(0o644)
        writeCredential(issued(), Path("a.pem"), "pem", passphrase=PASSPHRASE)
        loadCredential("a.pem", passphrase=PASSPHRASE).requireKey()

    def test_failed(self) -> None:
        """Where nothing can be written the failure says so, and nothing is left behind."""
        Path("file").write_bytes(b"")
        Path("folder").mkdir()
        for path, failure in (
            ("nowhere/a.pem", failures.FileNotFound),
            ("file/a.pem", failures.FileNotFound),
            ("folder", failures.Unreadable),
        ):
            self.assertRaises(failure, writeCredential, issued(), path, "pem", passphrase=PASSPHRASE)
        self.assertEqual(sorted(os.listdir()), ["file", "folder"])

    def test_secret(self) -> None:
        """A failure shows neither pass phrase nor key, not even with all local variables."""
        broken: list[tuple[ExportFormat, str]] = [("pem", "nowhere/a.pem"), ("pfx", "nowhere/a.pfx")]
        for form, path in broken:
            failure = self.assertRaises(
                failures.FileNotFound, writeCredential, issued(), path, form, passphrase=b"my secret"
            )
            summary = traceback.TracebackException.from_exception(failure, capture_locals=True)
            ours = [frame for frame in summary.stack if "tlscomm" + os.sep in frame.filename]
            summary.stack = traceback.StackSummary.from_list(ours)
            self.assertFalse("my secret" in "".join(summary.format()))
            self.assertFalse("BEGIN ENCRYPTED" in "".join(summary.format()))
