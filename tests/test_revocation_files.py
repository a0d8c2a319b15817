"""Lists in files and folders: read again when they change, and not lost when they are damaged."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from logs import logged
from twisted.internet.task import Clock
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.failures import Damaged, FileNotFound, UnknownFormat, Unreadable
from tlscomm.issuing import Authority
from tlscomm.messages import MessageFactory, MessageProtocol
from tlscomm.revocation import Revocation, loadRevocationLists
from tlscomm.tls import handshake
from tlscomm.transport import TLSFactory
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
        self.clock.advance(5)
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
            self.clock.advance(5)
            self.clock.advance(5)
        self.assertEqual([event["code"] for event in events], ["unknown-format"])
        self.assertIn("goes on counting until it expires. Next step: ", formatEvent(events[0]))
        self.assertIsNone(self.refusal())
        self.factory.doStop()

    def test_whereNothingCanChangeNobodyLooks(self) -> None:
        server = ServerConfiguration(
            credential=SERVER, clientRoots=(ROOT.certificate,), revocation=Revocation([ROOT.revocationList()])
        )
        TLSFactory(server, MessageFactory(MessageProtocol, clock=self.clock), self.clock).doStart()
        self.assertEqual(self.clock.getDelayedCalls(), [])
