"""What a server staples: from files that change, and only what a client would accept."""

from __future__ import annotations

import base64
import contextlib
from datetime import timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from conversation import VERSIONS
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID
from logs import logged
from ocspresponses import MUST_STAPLE, ocspResponse, responder
from OpenSSL import SSL
from revocationlists import NOW
from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import program
from tlscomm.configuration import ServerConfiguration
from tlscomm.credentials import Credential, exportCredential, loadCredential
from tlscomm.failures import Damaged, FileNotFound, Revoked, Unreadable
from tlscomm.issuing import Authority
from tlscomm.messages import MessageFactory, MessageProtocol
from tlscomm.revocation import Revocation, Staple
from tlscomm.tls import TLSConnection, verdict
from tlscomm.transport import TLSFactory
from tlscomm.watching._filewatch import QUIET_SECONDS
from tlscomm.watching._pending import PENDING_SECONDS
from tlscomm.x509._encoding import pem

ROOT = Authority.create("the root")
SERVER = ROOT.issue("server", role="server", dnsNames=["localhost"])
HOUR = timedelta(hours=1)


def response(status: str = "good", credential: Credential = SERVER, **more: Any) -> bytes:
    return ocspResponse(ROOT, credential.certificate, status, **more)


#: Signatures differ each time.
GOOD = response()


class _Case(SynchronousTestCase):
    def staple(self, content: bytes) -> Staple:
        Path("staple.der").write_bytes(content)
        staple = Staple(["staple.der"])
        staple.serve(SERVER, [ROOT.certificate])
        return staple

    def sent(self, content: bytes) -> bytes:
        return self.staple(content).responseFor(SERVER.certificate)


class CredentialChoice(_Case):
    def test_aGoodResponseIsSent(self) -> None:
        for good in (GOOD, response(by=responder(ROOT)), response(until=None)):
            self.assertEqual(self.sent(good), good)

    def test_asFilesHaveIt(self) -> None:
        """A line end behind it, or in front of it, and base64 do no harm."""
        for content in (GOOD + b"\r\n", b"\n" + GOOD, base64.encodebytes(GOOD)):
            self.assertEqual(self.sent(content), GOOD)

    def test_whatAClientWouldNotAcceptIsNotSentAndSaid(self) -> None:
        another = ROOT.issue("another", role="server")
        impostor = Authority.create("the root")
        by = Credential(impostor.certificate, (), impostor.privateKey)
        for content, says in (
            (response(until=NOW - HOUR / 2), "it expired at"),
            (response(since=NOW + HOUR / 2), "it is not valid before"),
            (response("revoked"), "it says that the certificate was revoked on 20"),
            (response("unknown"), "does not know it"),
            (response(credential=another), "about another certificate"),
            (response(by=by), "badly signed"),
        ):
            with logged() as events:
                self.assertEqual(self.sent(content), b"", says)
            self.assertEqual([event["log_level"] for event in events], [LogLevel.warn])
            self.assertIn(says, f"it {events[0]['fault']}")
            self.assertIn("new certificate" if "revoked on" in says else "--staple fetch", events[0]["nextStep"])

    def test_aFileThatIsNoneIsNamed(self) -> None:
        Path("nothing").write_bytes(b"nothing")
        self.assertRaises(Damaged, Staple, ["nothing"])
        self.assertRaises(FileNotFound, Staple, ["missing"])
        self.assertRaises(Unreadable, Staple, ["-"])
        self.assertRaises(ValueError, Staple)

    def test_withoutTheIssuerTheSignatureIsTheOwnersAffair(self) -> None:
        Path("staple.der").write_bytes(GOOD)
        staple = Staple(["staple.der"])
        staple.serve(SERVER)
        self.assertEqual(staple.responseFor(SERVER.certificate), GOOD)

    def test_eachCertificateHasItsOwn(self) -> None:
        other = ROOT.issue("other", role="server")
        Path("one.der").write_bytes(GOOD)
        theirs = response(credential=other)
        Path("two.der").write_bytes(theirs)
        staple = Staple(["one.der", "two.der"])
        with logged() as events:
            for credential in (SERVER, other):
                staple.serve(credential, [ROOT.certificate])
        self.assertEqual(staple.responseFor(other.certificate), theirs)
        self.assertEqual(staple.responseFor(SERVER.certificate), GOOD)
        self.assertEqual(events, [])

    def test_theIssuerMayBeARootInTheIdentitysFile(self) -> None:
        """As the advice says, where one is to be fetched and the issuer is not known."""
        place = x509.AccessDescription(
            AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier("http://ocsp.example/")
        )
        made = ROOT.issue("server", role="server", extensions=[(x509.AuthorityInformationAccess([place]), False)])
        own = exportCredential(made, "pem", insecureUnencryptedKey=True)
        refused = self.assertRaises(ValueError, Staple(fetches=True).serve, loadCredential(own))
        self.assertIn("append it to the identity's file", str(refused))
        for content in (own + pem([ROOT.certificate]), pem([ROOT.certificate]) + own):
            credential = loadCredential(content)
            self.assertEqual(credential.chain, ())
            Staple(fetches=True).serve(credential)

    def test_toFetchOneItMustBeKnownWhere(self) -> None:
        self.assertRaises(ValueError, Staple(fetches=True).serve, SERVER, [ROOT.certificate])


class WhatMustStaple(_Case):
    def setUp(self) -> None:
        self.credential = ROOT.issue("must", role="server", dnsNames=["localhost"], extensions=[MUST_STAPLE])

    def said(self, credential: Credential, content: bytes | None) -> list[str]:
        """What a server says in its log that begins to listen."""
        staple = None
        if content is not None:
            Path("staple.der").write_bytes(content)
            staple = Staple(["staple.der"])
        configuration = ServerConfiguration(credential=credential, staple=staple, clientCertificates="none")
        factory = TLSFactory(configuration, MessageFactory(MessageProtocol), Clock())
        with logged() as events:
            factory.doStart()
            factory.doStop()
        return [formatEvent(event) for event in events]

    def test_withoutAResponseTheLogSaysThatClientsWillRefuse(self) -> None:
        for content in (None, response(credential=self.credential, until=NOW - HOUR / 2)):
            (said,) = self.said(self.credential, content)
            self.assertIn("clients will refuse CN=must", said)
            self.assertIn("--staple FILE", said)

    def test_otherwiseThereIsNothingToSay(self) -> None:
        self.assertEqual(self.said(self.credential, response(credential=self.credential)), [])
        self.assertEqual(self.said(SERVER, None), [])

    def test_itsVerdictTakesAResponse(self) -> None:
        roots = [ROOT.certificate]
        good, revoked = (response(status, credential=self.credential) for status in ("good", "revoked"))
        self.assertIsNone(verdict(self.credential, "server", roots=roots, staple=good))
        without = verdict(self.credential, "server", roots=roots, revocation=Revocation([ROOT.revocationList()]))
        assert without is not None
        self.assertEqual(without.code, "revocation-unknown")
        self.assertIn("--staple", without.nextStep)
        self.assertEqual(verdict(self.credential, "server", roots=roots, staple=revoked), Revoked())
        self.assertRaises(ValueError, verdict, self.credential, "client", roots=roots, staple=good)

    def test_theCommandTakesAFile(self) -> None:
        Path("must.pem").write_bytes(exportCredential(self.credential, "pem", insecureUnencryptedKey=True))
        Path("must.pem").chmod(0o600)
        Path("ca.pem").write_bytes(pem([ROOT.certificate]))
        Path("good.der").write_bytes(response(credential=self.credential))
        Path("none.der").write_bytes(b"none")
        words = ["verify", "must.pem", "--as", "server", "--roots", "ca.pem"]
        for more, status, says in (
            (["--staple", "good.der"], 0, "Accepted as a server"),
            (["--staple", "none.der"], 1, "damaged: "),
            ([], 1, "revocation-unknown: "),
        ):
            result = CliRunner().invoke(program, [*words, *more])
            self.assertEqual(result.exit_code, status, result.output)
            self.assertIn(says, result.output)


class Changes(_Case):
    def test_aNewResponseIsSentFromTheNextLookOn(self) -> None:
        staple, clock = self.staple(GOOD), Clock()
        for task in staple.backgroundTasks:
            task.use(clock)
        newer = response(since=NOW - HOUR / 2, until=NOW + 2 * HOUR)
        Path("staple.der").write_bytes(newer)
        clock.pump([5, QUIET_SECONDS])
        self.assertEqual(staple.responseFor(SERVER.certificate), newer)
        for task in staple.backgroundTasks:
            task.release()
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_aDamagedFileIsSaidOnceAndChangesNothing(self) -> None:
        staple, clock = self.staple(GOOD), Clock()
        for task in staple.backgroundTasks:
            task.use(clock)
        Path("staple.der").write_bytes(b"half")
        with logged() as events:
            clock.pump([5, QUIET_SECONDS, PENDING_SECONDS, 5, 5])
        self.assertEqual([event["code"] for event in events], ["damaged"])
        self.assertEqual(staple.responseFor(SERVER.certificate), GOOD)

    def test_anOlderResponseIsNotTaken(self) -> None:
        staple = self.staple(GOOD)
        Path("staple.der").write_bytes(response(since=NOW - 2 * HOUR))
        self.assertEqual(staple.reread(), [])
        self.assertEqual(staple.responseFor(SERVER.certificate), GOOD)


class Handshakes(_Case):
    def test_clientsThatAskGetIt(self) -> None:
        configuration = ServerConfiguration(credential=SERVER, staple=self.staple(GOOD))
        for version in VERSIONS:
            self.assertEqual(self.received(configuration, version), GOOD)

    def test_withoutAResponseTheHandshakeGoesOn(self) -> None:
        with logged():
            configuration = ServerConfiguration(credential=SERVER, staple=self.staple(response("unknown")))
        for version in VERSIONS:
            self.assertEqual(self.received(configuration, version), b"")

    def received(self, configuration: ServerConfiguration, version: str) -> bytes:
        """What a client of OpenSSL is given."""
        given: list[bytes] = []
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_ocsp_client_callback(lambda _connection, content, _data: given.append(content) or True)
        if version == "1.2":
            context.set_max_proto_version(SSL.TLS1_2_VERSION)
        client, server = SSL.Connection(context), TLSConnection(configuration)
        client.request_ocsp()
        client.set_connect_state()
        for _ in range(4):
            with contextlib.suppress(SSL.WantReadError):
                client.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                server.receive(client.bio_read(1 << 16))
            if flight := server.outgoing():
                client.bio_write(flight)
        self.assertEqual(len(given), 1)
        return given[0]
