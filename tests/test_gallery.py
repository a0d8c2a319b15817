"""What a user can rely on in the gallery."""

from __future__ import annotations

import doctest
import json
import re
import stat
import subprocess
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import program
from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.credentials import Credential, checkUsable, loadCertificates, loadCredential
from tlscomm.failures import CODES, CertificateFailure, CredentialFailure, KeyMismatch, NoPrivateKey, TLSFailure
from tlscomm.issuing import EXHIBITS, Exhibit, Gallery, _gallery, writeGallery
from tlscomm.revocation import Revocation
from tlscomm.tls import State, handshake
from tlscomm.x509._roles import Role

NOW = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


@cache
def gallery() -> Gallery:
    return Gallery(NOW)


@cache
def _temporary() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="tlscomm-gallery-")


@cache
def written() -> Path:
    """Return the index of a gallery in files, for tests that only read them."""
    return writeGallery(Path(_temporary().name, "gallery"))


def tearDownModule() -> None:
    _temporary().cleanup()


def everything(exhibits: tuple[Exhibit, ...] = EXHIBITS) -> list[tuple[Exhibit, Role, Credential]]:
    return [(e, role, gallery().credential(e.name, role=role)) for e in exhibits for role in e.roles]


class Table(SynchronousTestCase):
    def test_namesAreFileStemsAndDiffer(self) -> None:
        names = [exhibit.name for exhibit in EXHIBITS]
        self.assertEqual(len(set(names)), len(names))
        for name in names:
            self.assertRegex(name, r"\A[a-z]+(-[a-z]+)*\Z")

    def test_everyFailureThatACertificateCanCauseIsShown(self) -> None:
        shown = {exhibit.code for exhibit in EXHIBITS} - {None}
        self.assertLessEqual(shown, set(CODES))
        notInACertificate = {"no-certificate", "not-allowed", "refused", "revocation-unknown"}
        hooks = {"refused-by-hook", "hook-failed", "hook-timeout"}
        ofCertificates = {code for code, failure in CODES.items() if issubclass(failure, CertificateFailure)}
        self.assertEqual(ofCertificates - hooks - notInACertificate - shown, set())

    def test_ofThoseThatTheOwnerFindsTheCodeIsOneOfCredentials(self) -> None:
        for exhibit in EXHIBITS:
            isOfCredentials = exhibit.code is not None and issubclass(CODES[exhibit.code], CredentialFailure)
            self.assertEqual(exhibit.judge == "owner", isOfCredentials, exhibit.name)

    def test_faultsAreSentences(self) -> None:
        for exhibit in EXHIBITS:
            self.assertRegex(exhibit.fault, r"\A[A-Z].*\.\Z")


class Galleries(SynchronousTestCase):
    def test_theExampleIsTrue(self) -> None:
        result = doctest.testmod(_gallery)
        self.assertEqual((result.failed, result.attempted), (0, 3))

    def test_iteratingGivesEveryExhibit(self) -> None:
        self.assertEqual(tuple(Gallery(NOW)), EXHIBITS)
        self.assertEqual(len(Gallery(NOW)), len(EXHIBITS))

    def test_aCredentialStaysTheSame(self) -> None:
        self.assertIs(gallery().credential("good", role="client"), gallery().credential("good", role="client"))

    def test_namesNumbersAndDatesAreThoseOfEveryGalleryOfThatTime(self) -> None:
        other = Gallery(NOW)
        for exhibit, role, credential in everything():
            if exhibit.name == "self-signed":
                continue
            here, there = credential.certificate, other.credential(exhibit.name, role=role).certificate
            self.assertEqual(here.serial_number, there.serial_number)
            self.assertEqual(here.not_valid_before_utc, there.not_valid_before_utc)
            self.assertEqual(here.not_valid_after_utc, there.not_valid_after_utc)
            self.assertEqual((here.subject, here.issuer), (there.subject, there.issuer))

    def test_theTimeIsTheTimeThatWasGiven(self) -> None:
        past = Gallery(NOW - timedelta(days=5000))
        checkUsable(past.credential("good", role="server"), "server", past.now)
        with self.assertRaises(TLSFailure) as raised:
            checkUsable(past.credential("good", role="server"), "server", NOW)
        self.assertEqual(raised.exception.code, "expired")

    def test_aRoleThatAnExhibitDoesNotHaveIsRefused(self) -> None:
        with self.assertRaisesRegex(ValueError, "exists for server only"):
            gallery().credential("name-mismatch", role="client")

    def test_anUnknownNameIsRefused(self) -> None:
        with self.assertRaises(KeyError):
            gallery().credential("no-such-exhibit", role="client")

    def test_theOwnerFindsWhatOwnersFind(self) -> None:
        for exhibit, role, credential in everything():
            if exhibit.judge == "owner":
                with self.assertRaises(CODES[exhibit.code or ""]):
                    checkUsable(credential, role, NOW)

    def test_theGoodOnesAreAccepted(self) -> None:
        fresh = Gallery()
        client, server = fresh.credential("good", role="client"), fresh.credential("good", role="server")
        for exhibit in EXHIBITS:
            if exhibit.code is None:
                for role in exhibit.roles:
                    mine = fresh.credential(exhibit.name, role=role)
                    name = exhibit.serverName if role == "server" else "localhost"
                    pair = handshake(
                        ClientConfiguration(
                            serverName=name, roots=fresh.roots, credential=mine if role == "client" else client
                        ),
                        ServerConfiguration(
                            credential=mine if role == "server" else server,
                            clientRoots=fresh.roots,
                            revocation=Revocation(fresh.revocationLists),
                        ),
                    )
                    self.assertEqual([side.state for side in pair], [State.OPEN, State.OPEN], exhibit.name)


#: What ``openssl verify`` says of each: its error number and its depth, where it says anything.
OPENSSL_SAYS: dict[str, tuple[int, int]] = {
    "unknown-issuer": (20, 0),
    "unknown-issuer-sent": (19, 2),
    "unknown-issuer-namesake": (20, 0),
    "self-signed": (18, 0),
    "incomplete-chain": (20, 0),
    "expired": (10, 0),
    "not-yet-valid": (9, 0),
    "expired-intermediate": (10, 1),
    "not-yet-valid-intermediate": (9, 1),
    "wrong-purpose": (26, 0),
    "wrong-purpose-intermediate": (26, 1),
    "not-an-authority": (79, 1),
    "not-a-signer": (79, 1),
    "path-too-long": (25, 2),
    "name-not-permitted": (47, 0),
    "name-excluded": (48, 0),
    "unknown-critical-extension": (34, 0),
    "bad-signature": (7, 0),
    "bad-signature-intermediate": (7, 1),
    "weak-key": (66, 0),
    "weak-key-intermediate": (67, 1),
    "weak-signature": (68, 0),
    "hostile-name": (10, 0),
    "revoked": (23, 0),
    "revoked-intermediate": (23, 1),
}


class AsOpenSSLSeesThem(SynchronousTestCase):
    def verify(self, exhibit: Exhibit, role: Role) -> tuple[int, int] | None:
        """Return the first error and its depth that OpenSSL's command line finds."""
        folder = written().parent
        stem = folder / role / exhibit.name
        lists = ("-crl_check_all", "-CRLfile", f"{folder}/revoked.crl") if exhibit.needsLists else ()
        done = subprocess.run(
            (
                *("openssl", "verify", "-no-CApath", "-no-CAstore", "-CAfile", f"{folder}/roots.pem"),
                *("-purpose", f"ssl{role}", "-auth_level", "2", "-untrusted", f"{stem}.pem", *lists, f"{stem}.pem"),
            ),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )
        found = re.search(r"error (\d+) at (\d+) depth", done.stdout + done.stderr)
        self.assertEqual(found is None, done.returncode == 0, done.stderr)
        return None if found is None else (int(found[1]), int(found[2]))

    def test_eachIsWhatItsNameSays(self) -> None:
        for exhibit in EXHIBITS:
            if exhibit.name in ("malformed-alternative-name", "chain-too-long"):
                # The first is not even a certificate for OpenSSL's verification, the second is within its limit.
                continue
            for role in exhibit.roles:
                self.assertEqual(self.verify(exhibit, role), OPENSSL_SAYS.get(exhibit.name), f"{exhibit.name} {role}")


class Files(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = written().parent

    def test_theIndexNamesEveryFileAndNothingElse(self) -> None:
        index = json.loads(written().read_text(encoding="utf-8"))
        listed = {name for exhibit in index["exhibits"] for name in exhibit["files"]}
        there = {str(path.relative_to(self.folder)) for path in self.folder.glob("*/*")}
        self.assertEqual(listed, there)
        top = {path.name for path in self.folder.iterdir()}
        self.assertEqual(
            top, {"client", "server", "index.json", "README.txt", index["roots"], index["revocationLists"]}
        )

    def test_theIndexSaysWhatTheTableSays(self) -> None:
        index = json.loads(written().read_text(encoding="utf-8"))
        listed = [(entry["name"], entry["role"], entry["code"], entry["serverName"]) for entry in index["exhibits"]]
        self.assertEqual(listed, [(e.name, role, e.code, e.serverName) for e in EXHIBITS for role in e.roles])

    def test_privateKeysAreTheirOwnersAlone(self) -> None:
        for path in self.folder.glob("*/*"):
            isSecret = path.suffix in (".key", ".pfx")
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600 if isSecret else 0o644, path)

    def test_eachFormHoldsTheSame(self) -> None:
        for exhibit in EXHIBITS:
            for role in exhibit.roles:
                stem = self.folder / role / exhibit.name
                key = stem.with_suffix(".key")
                pem = loadCredential(stem.with_suffix(".pem"), key=key if key.exists() else None)
                pfx = loadCredential(stem.with_suffix(".pfx"), passphrase=b"")
                self.assertEqual(pem.certificate, pfx.certificate, exhibit.name)
                self.assertEqual(pem.privateKey is None, pfx.privateKey is None, exhibit.name)

    def test_theOwnersFaultsAreFoundInTheFiles(self) -> None:
        for name, failure in (("no-private-key", NoPrivateKey), ("key-mismatch", KeyMismatch)):
            with self.assertRaises(failure):
                loadCredential(self.folder / "server" / f"{name}.pfx", passphrase=b"").requireKey()

    def test_theRootsAndListsCanBeRead(self) -> None:
        self.assertEqual(len(loadCertificates(self.folder / "roots.pem")), 1)
        lists = (self.folder / "revoked.crl").read_bytes().count(b"BEGIN X509 CRL")
        self.assertEqual(lists, len(gallery().revocationLists))

    def test_aGalleryIsReplaced(self) -> None:
        folder = Path(self.mktemp())
        writeGallery(folder)
        before = (folder / "roots.pem").read_bytes()
        writeGallery(folder)
        self.assertNotEqual((folder / "roots.pem").read_bytes(), before)

    def test_whatIsNoGalleryIsLeftAlone(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "letter.txt").write_text("dear")
        with self.assertRaises(FileExistsError):
            writeGallery(folder)
        self.assertEqual([path.name for path in folder.iterdir()], ["letter.txt"])


class Command(SynchronousTestCase):
    def test_writesTheGalleryAndSaysWhatIsInIt(self) -> None:
        result = CliRunner().invoke(program, ["pki", "gallery", "some folder"])
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn("expired-intermediate", result.output)
        self.assertTrue(Path("some folder/client/expired.pfx").exists())

    def test_aFolderOfSomethingElseIsRefused(self) -> None:
        Path("letter.txt").write_text("dear")
        result = CliRunner().invoke(program, ["pki", "gallery", "."])
        self.assertEqual(result.exit_code, 1)
        self.assertIn("not a gallery", result.output)
