"""What a user can rely on in `tlscomm.issuing`."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from forkserver import python
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import failures
from tlscomm.credentials import Credential, checkUsable, loadCertificates, loadCredential
from tlscomm.issuing import (
    Authority,
    DevelopmentAuthority,
    ensureDevelopmentAuthority,
    withBadSignature,
    writeDevelopmentAuthority,
)
from tlscomm.x509 import _encoding as _export
from tlscomm.x509 import _files as _folder
from tlscomm.x509._facts import certificateFacts

NOW = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)


def strictly(root: Authority, credential: Credential, *, host: str | None = None, now: datetime = NOW) -> None:
    """Verify as strictly as browsers do. Raises `verification.VerificationError`."""
    builder = verification.PolicyBuilder().store(verification.Store([root.certificate])).time(now)
    if host is None:
        builder.build_client_verifier().verify(credential.certificate, list(credential.chain))
    else:
        builder.build_server_verifier(x509.DNSName(host)).verify(credential.certificate, list(credential.chain))


def openssl(*arguments: str) -> str:
    return subprocess.run(("openssl", *arguments), check=True, capture_output=True, timeout=60, text=True).stdout


class GoodTests(SynchronousTestCase):
    def test_server(self) -> None:
        """A server's credential passes strict verifiers, through intermediates too, and has a key that fits."""
        root = Authority.create(now=NOW)
        upper = root.intermediate(pathLength=1, now=NOW)
        for issuer, length in ((root, 0), (upper, 1), (upper.intermediate("lower", now=NOW), 2)):
            credential = issuer.issue("x", role="server", dnsNames=("a.example",), now=NOW)
            strictly(root, credential, host="a.example")
            checkUsable(credential, "server", NOW)
            self.assertEqual(len(credential.chain), length)

    def test_client(self) -> None:
        """A client's credential passes strict verifiers, and is no server's."""
        root = Authority.create(now=NOW)
        credential = root.issue("x", role="client", emails=("a@b.example",), now=NOW)
        strictly(root, credential)
        self.assertRaises(failures.WrongPurpose, checkUsable, credential, "server", NOW)

    def test_strictOpenSSL(self) -> None:
        """OpenSSL's strict verification accepts a chain as well."""
        root = Authority.create()
        credential = root.intermediate().issue("x", role="both", addresses=("127.0.0.1", "::1"))
        Path("root").write_bytes(_export.pem((root.certificate,)))
        Path("chain").write_bytes(_export.pem(credential.chain))
        Path("leaf").write_bytes(_export.pem((credential.certificate,)))
        for purpose in ("sslserver", "sslclient"):
            arguments = ("-x509_strict", "-purpose", purpose, "-CAfile", "root", "-untrusted", "chain", "leaf")
            self.assertIn("OK", openssl("verify", *arguments))

    def test_serialNumbers(self) -> None:
        """Two certificates of an authority never have one number, and nobody can guess it."""
        root = Authority.create(now=NOW)
        numbers = {root.issue("x", role="server", now=NOW).certificate.serial_number for _ in range(100)}
        self.assertEqual(len(numbers), 100)
        self.assertGreater(min(numbers).bit_length(), 120)

    def test_clocks(self) -> None:
        """A certificate is already valid for a peer whose clock is an hour behind."""
        certificate = Authority.create(now=NOW).issue("x", role="server", now=NOW).certificate
        self.assertEqual(certificate.not_valid_before_utc, NOW - timedelta(hours=1))
        self.assertEqual(certificate.not_valid_after_utc, NOW + 397 * DAY)

    def test_keys(self) -> None:
        """An authority and its credentials can have keys of other kinds, or of an owner who keeps the private one."""
        root = Authority.create(privateKey=ed25519.Ed25519PrivateKey.generate(), now=NOW)
        key = rsa.generate_private_key(65537, 2048)
        credential = root.issue("x", role="server", privateKey=key, now=NOW)
        checkUsable(credential, "server", NOW)
        certified = root.issue("x", role="server", publicKey=key.public_key(), now=NOW)
        self.assertIsNone(certified.privateKey)
        checkUsable(replace(certified, privateKey=key), "server", NOW)

    def test_revocationList(self) -> None:
        """A revocation list names what was revoked, and is the authority's."""
        root = Authority.create(now=NOW)
        revoked = root.issue("x", role="server", now=NOW).certificate.serial_number
        found = root.revocationList((revoked,), number=7, reason=x509.ReasonFlags.key_compromise, now=NOW)
        self.assertTrue(found.is_signature_valid(root.privateKey.public_key()))  # type: ignore[arg-type]
        self.assertIsNotNone(found.get_revoked_certificate_by_serial_number(revoked))
        self.assertIsNone(found.get_revoked_certificate_by_serial_number(revoked + 1))
        self.assertEqual(found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number, 7)
        self.assertEqual(found.next_update_utc, NOW + 30 * DAY)

    def test_secret(self) -> None:
        """An authority's repr is its name."""
        self.assertEqual(repr(Authority.create("mine", now=NOW)), "<Authority CN=mine>")


class FaultyTests(SynchronousTestCase):
    """Certificates can be wrong in every way that the gallery needs."""

    def refused(self, root: Authority, credential: Credential) -> None:
        self.assertRaises(verification.VerificationError, strictly, root, credential, host="a.example")

    def issued(self, root: Authority, **faults: object) -> Credential:
        usual = {"role": "server", "dnsNames": ("a.example",), "now": NOW}
        return root.issue("x", **(usual | faults))  # type: ignore[arg-type]

    def test_time(self) -> None:
        """Expired and not yet valid."""
        root = Authority.create(now=NOW)
        self.refused(root, self.issued(root, notBefore=NOW - 2 * DAY, notAfter=NOW - DAY))
        self.refused(root, self.issued(root, notBefore=NOW + DAY))

    def test_names(self) -> None:
        """Without alternative names, and with malformed ones."""
        root = Authority.create(now=NOW)
        self.refused(root, self.issued(root, omit=(ExtensionOID.SUBJECT_ALTERNATIVE_NAME,)))
        garbage = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"garbage")
        self.refused(root, self.issued(root, extensions=((garbage, False),)))
        self.issued(root, dnsNames=("*.*.example",))

    def test_purpose(self) -> None:
        """For another purpose, or for none."""
        root = Authority.create(now=NOW)
        self.refused(root, self.issued(root, role="client"))
        signing = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
        self.refused(root, self.issued(root, extensions=((signing, True),)))
        self.assertRaises(
            x509.ExtensionNotFound,
            self.issued(root, role=None).certificate.extensions.get_extension_for_class,
            x509.ExtendedKeyUsage,
        )

    def test_constraints(self) -> None:
        """Outside of its authority's name constraints, below a path that is too long, from one that is no authority."""
        permitted = x509.NameConstraints([x509.DNSName("other.example")], None)
        leafOnly = x509.BasicConstraints(ca=False, path_length=None)
        root, narrow = Authority.create(now=NOW), Authority.create(pathLength=0, now=NOW)
        for anchor, issuer in (
            (root, root.intermediate(extensions=((permitted, True),), now=NOW)),
            (narrow, narrow.intermediate(now=NOW)),
            (root, root.intermediate(omit=(ExtensionOID.BASIC_CONSTRAINTS,), now=NOW)),
            (root, root.intermediate(extensions=((leafOnly, True),), now=NOW)),
        ):
            self.refused(anchor, self.issued(issuer))

    def test_signature(self) -> None:
        """With a signature that is not its issuer's."""
        root = Authority.create(now=NOW)
        spoiled = withBadSignature(self.issued(root))
        self.refused(root, spoiled)
        self.assertRaises(InvalidSignature, spoiled.certificate.verify_directly_issued_by, root.certificate)

    def test_key(self) -> None:
        """With a key that is too weak, or that is not the credential's."""
        root = Authority.create(now=NOW)
        weak = rsa.generate_private_key(65537, 1024)
        self.assertRaises(failures.KeyTooWeak, checkUsable, self.issued(root, privateKey=weak), "server", NOW)
        mixed = self.issued(root, privateKey=weak, publicKey=root.privateKey.public_key())
        self.assertRaises(failures.KeyMismatch, mixed.requireKey)


class DevelopmentTests(SynchronousTestCase):
    def made(self, now: datetime = NOW) -> DevelopmentAuthority:
        return writeDevelopmentAuthority("made", now=now)

    def contents(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in Path("made").iterdir()}

    def test_usable(self) -> None:
        """Both credentials pass strict verifiers; the server's is for this machine."""
        made = self.made()
        strictly(made.authority, made.server, host="localhost")
        strictly(made.authority, made.client)
        facts = certificateFacts(made.server.certificate)
        self.assertEqual(facts.names, ("dns:localhost", "ip:127.0.0.1", "ip:::1"))

    def test_hosts(self) -> None:
        """The server's names and addresses can be chosen."""
        made = writeDevelopmentAuthority("made", hosts=("a.example", "192.0.2.1"))
        self.assertEqual(certificateFacts(made.server.certificate).names, ("dns:a.example", "ip:192.0.2.1"))

    def test_everyForm(self) -> None:
        """Each credential is there as a pair, as one PEM file, as PFX without a pass phrase, as CER and as P7B."""
        made = self.made()
        for name, credential in (("server", made.server), ("client", made.client)):
            pair = loadCredential(made.path(f"{name}.pem"), key=made.path(f"{name}.key"))
            together = loadCredential(made.path(f"{name}-with-key.pem"))
            pfx = loadCredential(made.path(f"{name}.pfx"))
            for loaded in (pair, together, pfx):
                self.assertEqual(loaded.requireKey().certificate, credential.certificate)
            self.assertEqual(pfx.friendlyName, f"tlscomm development {name}")
            self.assertEqual(loadCertificates(made.path(f"{name}.cer")), (credential.certificate,))
            p7b = openssl("pkcs7", "-inform", "DER", "-in", str(made.path(f"{name}.p7b")), "-print_certs")
            self.assertEqual(set(loadCertificates(p7b.encode())), {credential.certificate, made.authority.certificate})
            listed = openssl("pkcs12", "-in", str(made.path(f"{name}.pfx")), "-passin", "pass:", "-nodes")
            self.assertEqual(len(loadCertificates(listed.encode())), 2)
        for name in ("ca.pem", "ca.cer"):
            self.assertEqual(loadCertificates(made.path(name)), (made.authority.certificate,))

    def test_permissions(self) -> None:
        """Whatever holds a private key is its owner's alone, and so is the folder where it is made."""
        self.made()
        self.assertEqual(stat.S_IMODE(os.stat("made").st_mode), 0o700)
        for path in Path("made").iterdir():
            isSecret = b"PRIVATE" in path.read_bytes() or path.suffix == ".pfx" or path.name.startswith(".")
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600 if isSecret else 0o644, path)

    def test_neverOpen(self) -> None:
        """A private key is its owner's alone from the moment its file exists, whatever the umask."""
        modes: list[int] = []
        write = _folder._write

        def watched(path: Path, file: _folder.File) -> None:
            opened = os.open

            def open_(name: str, flags: int, mode: int) -> int:
                modes.append(mode if file.isSecret else 0o600)
                return opened(name, flags, mode)

            self.patch(os, "open", open_)
            write(path, file)
            self.patch(os, "open", opened)

        self.patch(_folder, "_write", watched)
        self.patch(os, "chmod", self.fail)
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.made()
        self.assertEqual(set(modes), {0o600})

    def test_sameAgain(self) -> None:
        """The second time the same one is loaded, and nothing is written."""
        first = ensureDevelopmentAuthority("made", now=NOW)
        before = self.contents()
        second = ensureDevelopmentAuthority("made", now=NOW + 100 * DAY)
        self.assertEqual(self.contents(), before)
        self.assertEqual(second.server.certificate, first.server.certificate)
        self.assertEqual(second.client.requireKey().source, first.client.source)

    def test_renewed(self) -> None:
        """Credentials that are about to expire are issued again, by the authority that peers already trust."""
        first = self.made()
        later = NOW + timedelta(days=396, hours=1)
        second = ensureDevelopmentAuthority("made", now=later)
        self.assertEqual(second.authority.certificate, first.authority.certificate)
        for credential in (second.server, loadCredential("made/server.pfx")):
            self.assertNotEqual(credential.certificate, first.server.certificate)
            checkUsable(credential, "server", later + 300 * DAY)

    def test_authorityRenewed(self) -> None:
        """An authority that has expired is replaced, and its credentials with it."""
        first = self.made()
        later = NOW + 365 * 6 * DAY
        second = ensureDevelopmentAuthority("made", now=later)
        self.assertNotEqual(second.authority.certificate.subject, first.authority.certificate.subject)
        strictly(second.authority, second.server, host="localhost", now=later)

    def test_mended(self) -> None:
        """What is missing, broken or of another authority is made again."""
        stranger = Authority.create(now=NOW).issue("x", role="server", now=NOW)
        for name, content in (
            ("server.pem", None),
            ("client.pfx", None),
            ("client.key", b"-----BEGIN PRIVATE KEY-----\n"),
            ("server.pem", _export.pem((stranger.certificate,))),
            ("ca.key", None),
            ("ca.pem", b""),
        ):
            made = self.made()
            made.path(name).unlink()
            if content is not None:
                made.path(name).write_bytes(content)
            mended = ensureDevelopmentAuthority("made", now=NOW)
            strictly(mended.authority, loadCredential("made/server.pfx"), host="localhost")
            strictly(mended.authority, loadCredential("made/client-with-key.pem"))
            isSame = mended.authority.certificate == made.authority.certificate
            self.assertEqual(isSame, not name.startswith("ca."), name)

    def test_openedByOthers(self) -> None:
        """A private key that somebody made readable is not replaced in silence."""
        self.made()
        os.chmod("made/server.key", 0o644)
        self.assertRaises(failures.UnsafePermissions, ensureDevelopmentAuthority, "made", now=NOW)

    def test_anothersFiles(self) -> None:
        """Files that it did not make are never overwritten."""
        for make in (ensureDevelopmentAuthority, writeDevelopmentAuthority):
            folder = Path(make.__name__)
            folder.mkdir()
            (folder / "server.key").write_text("precious")
            error = self.assertRaises(FileExistsError, make, folder)
            self.assertIn("server.key", str(error))
            self.assertEqual([path.name for path in folder.iterdir()], ["server.key"])
            self.assertEqual((folder / "server.key").read_text(), "precious")

    def test_amongOthers(self) -> None:
        """A folder that is there already, with other files in it, is used as it is."""
        Path("made").mkdir(mode=0o755)
        Path("made/README.rst").write_text("text")
        self.made()
        self.assertEqual(Path("made/README.rst").read_text(), "text")
        self.assertEqual(stat.S_IMODE(os.stat("made").st_mode), 0o755)

    def test_diskFull(self) -> None:
        """If a file cannot be written, the old ones stay as they were and nothing else is left."""
        self.made()
        before = self.contents()
        write = _folder._write

        def failing(path: Path, file: _folder.File) -> None:
            if "client.pfx" in path.name:
                raise OSError("No space left on device")
            write(path, file)

        self.patch(_folder, "_write", failing)
        self.assertRaises(OSError, self.made)
        self.assertEqual(self.contents(), before)

    def together(self, run: Callable[[int], None]) -> None:
        threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    def test_atOnce(self) -> None:
        """Processes that start at once all get one authority."""
        program = """
from tlscomm.issuing import ensureDevelopmentAuthority
print(ensureDevelopmentAuthority("at once").server.certificate.serial_number)
"""
        outputs: list[str] = []
        command = python("-W", "error", "-c", program)

        def run(number: int) -> None:
            finished = subprocess.run(
                command,
                capture_output=True,
                check=False,
                text=True,
                timeout=60,
            )
            outputs.append(finished.stdout + finished.stderr)

        self.together(run)
        self.assertEqual(len(outputs), 8)
        self.assertEqual(len(set(outputs)), 1, set(outputs))
        self.assertRegex(outputs[0], r"^\d+\n$")

    def test_writtenWhileLoaded(self) -> None:
        """Whoever loads while others write gets credentials of one authority that fit together."""
        found: list[DevelopmentAuthority] = []

        def run(number: int) -> None:
            for _ in range(5):
                found.append(self.made() if number % 2 else ensureDevelopmentAuthority("made", now=NOW))

        self.together(run)
        self.assertEqual(len(found), 40)
        for made in found:
            strictly(made.authority, made.server.requireKey(), host="localhost")
            strictly(made.authority, made.client.requireKey())
