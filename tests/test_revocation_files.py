"""Lists in files and folders: read again when they change, and not lost when they are damaged."""

from __future__ import annotations

import base64
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

from credentialfiles import openssl
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from logs import logged
from pfxfiles import der, integer, seq
from revocationlists import revocationList
from twisted.internet.task import Clock
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.failures import Damaged, FileNotFound, TLSFailure, UnknownFormat, Unreadable
from tlscomm.issuing import Authority
from tlscomm.messages import MessageFactory, MessageProtocol
from tlscomm.revocation import Revocation, loadRevocationLists
from tlscomm.tls import handshake
from tlscomm.transport import TLSFactory
from tlscomm.watching._filewatch import QUIET_SECONDS
from tlscomm.watching._pending import PENDING_SECONDS
from tlscomm.x509 import _der
from tlscomm.x509._encoding import pem

ROOT = Authority.create()
ROOTS = (ROOT.certificate,)
SERVER = ROOT.issue("server", role="server", dnsNames=["localhost"])
CLIENT = ROOT.issue("client", role="client")
REVOKED = ROOT.revocationList([CLIENT.certificate.serial_number], number=2).public_bytes(Encoding.PEM)
CLEAN = ROOT.revocationList(number=1).public_bytes(Encoding.PEM)


def replaceFile(name: str, content: bytes) -> None:
    """Replace a file as a program does that others watch."""
    Path(f"{name}.new").write_bytes(content)
    os.replace(f"{name}.new", name)


class _Case(SynchronousTestCase):
    def code(self, revocation: Revocation) -> str | None:
        path = (CLIENT.certificate, ROOT.certificate)
        problems, _ = revocation.check(path, at=datetime.now(timezone.utc))
        return problems[0].code if problems else None


class Reading(_Case):
    def test_folders(self) -> None:
        """Every list in it, and nothing else that may lie there."""
        Path("lists").mkdir()
        Path("lists/a.crl").write_bytes(CLEAN)
        Path("lists/b.der").write_bytes(ROOT.revocationList(number=3).public_bytes(Encoding.DER))
        Path("lists/c.pem").write_bytes(REVOKED)
        Path("lists/ca.pem").write_bytes(pem(ROOTS))
        Path("lists/notes.txt").write_bytes(b"nothing")
        self.assertEqual(len(loadRevocationLists("lists")), 3)

    def test_whatCannotBeUsedIsNamed(self) -> None:
        Path("empty").mkdir()
        Path("lists").mkdir()
        Path("lists/broken.crl").write_bytes(b"hello")
        for source, failure in (
            ("missing.crl", FileNotFound),
            ("empty", FileNotFound),
            ("lists", UnknownFormat),
            ("-", Unreadable),
        ):
            refused = self.assertRaises(failure, Revocation, files=[source])
            self.assertIn("--crl" if source == "empty" else "", refused.nextStep)

    def test_aListThatWasCutOffIsDamaged(self) -> None:
        for content in (CLEAN[: len(CLEAN) // 2], CLEAN + CLEAN[:-9]):
            Path("half.crl").write_bytes(content)
            refused = self.assertRaises(Damaged, Revocation, files=["half.crl"])
            self.assertIn("Get the list again", refused.nextStep)

    def test_aHugeFileIsNotRead(self) -> None:
        with open("huge.crl", "wb") as file:
            file.truncate(1 << 30)
        self.assertRaises(Unreadable, Revocation, files=["huge.crl"])


class Rereading(_Case):
    def setUp(self) -> None:
        Path("list.crl").write_bytes(CLEAN)
        self.revocation = Revocation(files=["list.crl"])
        self.changes: list[int] = []
        self.forget = self.revocation.whenChanged(lambda: self.changes.append(self.revocation.generation))

    def test_aChangedFileIsReadAgain(self) -> None:
        self.assertIsNone(self.code(self.revocation))
        replaceFile("list.crl", REVOKED)
        self.assertEqual(self.revocation.reread(), [])
        self.assertEqual((self.code(self.revocation), self.changes), ("revoked", [1]))

    def test_anUnchangedFileIsNoChange(self) -> None:
        self.assertEqual(self.revocation.reread(), [])
        self.assertEqual((self.revocation.generation, self.changes), (0, []))

    def test_whoHasEnoughIsNotToldAnyMore(self) -> None:
        self.forget()
        replaceFile("list.crl", REVOKED)
        self.revocation.reread()
        self.assertEqual(self.changes, [])

    def test_aDamagedFileLosesNothing(self) -> None:
        replaceFile("list.crl", REVOKED)
        self.revocation.reread()
        damaged = ROOT.revocationList().public_bytes(Encoding.DER)[:-9]
        for content, failure in ((damaged, Damaged), (b"", UnknownFormat)):
            replaceFile("list.crl", content)
            self.assertEqual([type(problem) for problem in self.revocation.reread()], [failure])
            self.assertEqual(self.revocation.reread(), [])
            self.assertEqual(self.code(self.revocation), "revoked")
        os.unlink("list.crl")
        self.assertEqual([problem.code for problem in self.revocation.reread()], ["file-not-found"])
        self.assertEqual(self.code(self.revocation), "revoked")
        replaceFile("list.crl", CLEAN)
        self.revocation.reread()
        self.assertIsNone(self.code(self.revocation))

    def test_aFolderIsItsFiles(self) -> None:
        """What is put there counts, and what is taken away does no longer."""
        Path("lists").mkdir()
        Path("lists/1.crl").write_bytes(CLEAN)
        revocation = Revocation(files=["lists"])
        Path("lists/2.crl").write_bytes(REVOKED)
        revocation.reread()
        self.assertEqual(self.code(revocation), "revoked")
        os.unlink("lists/2.crl")
        revocation.reread()
        self.assertIsNone(self.code(revocation))
        os.unlink("lists/1.crl")
        self.assertEqual([problem.code for problem in revocation.reread()], ["file-not-found"])
        self.assertEqual(revocation.reread(), [])
        self.assertIsNone(self.code(revocation))


class WhileRunning(_Case):
    def setUp(self) -> None:
        Path("list.crl").write_bytes(CLEAN)
        self.clock = Clock()
        self.revocation = Revocation(files=["list.crl"])
        self.server = ServerConfiguration(credential=SERVER, clientRoots=ROOTS, revocation=self.revocation)
        self.client = ClientConfiguration(serverName="localhost", roots=ROOTS, credential=CLIENT)
        self.factory = TLSFactory(self.server, MessageFactory(MessageProtocol, clock=self.clock), self.clock)

    def refusal(self) -> str | None:
        _, server = handshake(self.client, self.server)
        return server.failure and server.failure.code

    def test_aRevokedClientIsRefusedFromTheNextLookOn(self) -> None:
        self.factory.doStart()
        self.assertIsNone(self.refusal())
        replaceFile("list.crl", REVOKED)
        self.clock.pump([5, QUIET_SECONDS])
        self.assertEqual(self.refusal(), "revoked")
        self.factory.doStop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_severalPortsShareOneLook(self) -> None:
        self.factory.doStart()
        self.factory.doStart()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.factory.doStop()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.factory.doStop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_aDamagedFileIsSaidInTheLogOnce(self) -> None:
        self.factory.doStart()
        replaceFile("list.crl", b"half")
        with logged() as events:
            self.clock.pump([5, QUIET_SECONDS, PENDING_SECONDS, 5, 5])
        self.assertEqual([event["code"] for event in events], ["unknown-format"])
        self.assertIn("what it held before goes on counting: unknown-format: ", formatEvent(events[0]))
        self.assertIsNone(self.refusal())
        self.factory.doStop()

    def test_whereNothingCanChangeNobodyLooks(self) -> None:
        server = ServerConfiguration(
            credential=SERVER, clientRoots=(ROOT.certificate,), revocation=Revocation([ROOT.revocationList()])
        )
        TLSFactory(server, MessageFactory(MessageProtocol, clock=self.clock), self.clock).doStart()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Forms(_Case):
    """Lists in every form in which programs write them."""

    def setUp(self) -> None:
        self.revoked = ROOT.revocationList([CLIENT.certificate.serial_number], number=2).public_bytes(Encoding.DER)
        self.clean = ROOT.revocationList(number=1).public_bytes(Encoding.DER)

    def read(self, content: bytes, name: str = "list.crl") -> int:
        Path(name).write_bytes(content)
        return len(loadRevocationLists(name))

    def test_der(self) -> None:
        """A line end or a NUL behind it, a line end before it, and several in one file."""
        for content in (self.revoked + b"\r\n", self.revoked + b"\0", b"\r\n" + self.revoked):
            self.assertEqual(self.read(content), 1)
        for content in (
            self.clean + self.revoked,
            self.clean + b"\n" + self.revoked,
            CLEAN + self.revoked,
            self.revoked + b"\n" + CLEAN,
        ):
            self.assertEqual(self.read(content), 2)

    def test_text(self) -> None:
        """UTF-16 as PowerShell writes it, base64 without armour and of PEM, and what a program called a certificate."""
        text = REVOKED.decode()
        for content in (
            text.encode("utf-16"),
            text.encode("utf-16-be"),
            base64.encodebytes(self.revoked),
            base64.b64encode(REVOKED),
            base64.b64encode(self.revoked).decode().encode("utf-16"),
            REVOKED.replace(b"X509 CRL", b"CERTIFICATE"),
            pem(ROOTS) + REVOKED,
        ):
            self.assertEqual(self.read(content), 1)

    def test_pkcs7(self) -> None:
        """A P7B with a list, as Windows and ``openssl crl2pkcs7`` write it."""
        Path("list.crl").write_bytes(REVOKED)
        for form in ("PEM", "DER"):
            openssl("crl2pkcs7", "-in", "list.crl", "-outform", form, "-out", "list.p7b")
            self.assertEqual(len(loadRevocationLists("list.p7b")), 1)

    def test_unreadable(self) -> None:
        """A list that cannot be read is refused with its place and the reason."""
        broken = self.clean.replace(b"\x55\x1d\x14\x04", b"\x55\x1d\x14\x05")
        armoured = b"-----BEGIN X509 CRL-----\n%s-----END X509 CRL-----\n" % base64.encodebytes(broken)
        for content, place in ((CLEAN + armoured, f" (line {1 + CLEAN.count(10)})"), (broken, "")):
            refused = self.assertRaises(Damaged, self.read, content)
            self.assertIn(f"the revocation list in list.crl{place} cannot be read: a part is of another", str(refused))
            self.assertIn("Get the list again", refused.nextStep)

    def test_entryWithoutReadableDate(self) -> None:
        """An entry whose date cannot be read, as with the year 0, revokes all the same."""
        serial = CLIENT.certificate.serial_number
        tbs, algorithm, _ = _der.first(self.revoked).parts()
        entries = seq(seq(integer(serial), der(0x18, b"00000101000000Z")))
        parts = [part.encoded for part in tbs.parts()]
        changed = seq(*parts[:5], entries, *parts[6:])
        assert isinstance(ROOT.privateKey, ec.EllipticCurvePrivateKey)
        signature = ROOT.privateKey.sign(changed, ec.ECDSA(hashes.SHA256()))
        self.read(seq(changed, algorithm.encoded, der(3, b"\0" + signature)))
        (problem,), _ = Revocation(files=["list.crl"]).check(
            (CLIENT.certificate, ROOT.certificate), at=datetime.now(timezone.utc)
        )
        self.assertEqual(problem.code, "revoked")
        self.assertIn("at a time that cannot be read", problem.detail)

    def test_twins(self) -> None:
        """Of two lists that both say to be the newest, neither takes back what the other says, in any order."""
        since = datetime.now(timezone.utc) - timedelta(hours=1)
        serials = ((), (CLIENT.certificate.serial_number,))
        twins = [revocationList(ROOT, each, number=7, since=since) for each in serials]
        for lists in (twins, twins[::-1]):
            self.assertEqual(self.code(Revocation(lists)), "revoked")


class Folders(_Case):
    """A folder in which lists are to be is never passed over in silence."""

    def setUp(self) -> None:
        Path("lists").mkdir()
        Path("lists/ca.pem").write_bytes(pem(ROOTS))
        Path("lists/0a1b2c3d.0").symlink_to("ca.pem")
        Path("lists/ca.info").write_bytes(b"alias = ca\n")

    def test_openSSLsNames(self) -> None:
        """Lists are called HASH.r0 in the folders of OpenSSL and of grids, and what else is there does no harm."""
        Path("lists/ca-crl.pem").write_bytes(REVOKED)
        Path("lists/0a1b2c3d.r0").symlink_to("ca-crl.pem")
        Path("lists/0a1b2c3d.r1").write_bytes(CLEAN)
        revocation = Revocation(files=["lists"])
        self.assertEqual(len(revocation.lists), 2)
        self.assertEqual(self.code(revocation), "revoked")

    def test_otherNames(self) -> None:
        """A list is one whatever its file is called."""
        Path("lists/current list.txt").write_bytes(REVOKED)
        self.assertEqual(self.code(Revocation(files=["lists"])), "revoked")

    def test_noList(self) -> None:
        """A folder without a list is refused at the start, in every mode."""
        for mode in ("off", "soft", "required"):
            refused = self.assertRaises(FileNotFound, Revocation, files=["lists"], mode=mode)
            self.assertIn("no file in it holds a revocation list", str(refused))

    def test_whatMayBeAList(self) -> None:
        """What is called as a list and is none that is known is refused, and so is a link that leads nowhere."""
        Path("lists/a.crl").write_bytes(REVOKED)
        for name, content, failure in (("b.pem", b"hello", UnknownFormat), ("b.r0", pem(ROOTS), UnknownFormat)):
            Path("lists", name).write_bytes(content)
            self.assertRaises(failure, Revocation, files=["lists"])
            Path("lists", name).unlink()
        for target in ("nowhere", "b.r0"):
            Path("lists/b.r0").symlink_to(target)
            refused = self.assertRaises(TLSFailure, Revocation, files=["lists"])
            self.assertIn("b.r0", str(refused))
            Path("lists/b.r0").unlink()

    def test_emptiedLater(self) -> None:
        """Where the last list goes while a service runs that is said once, and what it held goes on counting."""
        Path("lists/a.crl").write_bytes(REVOKED)
        revocation = Revocation(files=["lists"])
        clock = Clock()
        (task,) = revocation.backgroundTasks
        task.use(clock)
        self.addCleanup(task.release)
        Path("lists/a.crl").unlink()
        Path("lists/b.crl").write_bytes(b"hello")
        with logged() as events:
            clock.pump([5, QUIET_SECONDS, PENDING_SECONDS, 5])
        self.assertIn("b.crl", formatEvent(events.pop(0)))
        self.assertEqual(len(events), 1)
        self.assertIn("no file in it holds a revocation list", formatEvent(events[0]))
        self.assertEqual(self.code(revocation), "revoked")
        Path("lists/b.crl").write_bytes(CLEAN)
        clock.pump([5, QUIET_SECONDS])
        self.assertIsNone(self.code(revocation))
