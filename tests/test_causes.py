"""What an alert means, by what the other side had shown."""

from __future__ import annotations

import time

from conversation import AUTHORITY, CLIENT, STRANGER
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._wire.events import Event, Kind
from tlscomm._wire.requests import CertificateRequest
from tlscomm.credentials import Credential
from tlscomm.failures import Problem
from tlscomm.tracing._causes import Cause, causeOf
from tlscomm.tracing._certificates import ShownChain
from tlscomm.tracing._course import Course, followed
from tlscomm.tracing._verdict import verdictOn
from tlscomm.tracing._wording import turnOfOurs, verdictOf

_AUTHORITIES = frozenset({AUTHORITY.certificate.subject.public_bytes()})
_UNSUPPORTED_CERTIFICATE, _REVOKED, _EXPIRED, _UNKNOWN_CA = 43, 44, 45, 48


def cause(number: int, credential: Credential = CLIENT) -> Cause:
    """Return what the alert of a server means that accepts the authority of the test, and was shown a certificate."""
    encoded = (credential.certificate.public_bytes(Encoding.DER),)
    course = Course((), request=CertificateRequest(authorities=_AUTHORITIES), isRequested=True)
    course.hasClientCertificate = True
    return causeOf(number, "server", course, ShownChain(encoded, "client", time.time_ns(), None, None))


class CertificatesThatFit(SynchronousTestCase):
    """An alert that nothing in the certificates bears out is no proof against them: the server has the cause."""

    def test_nothingOfTheKindIsSeen(self) -> None:
        for number, word in ((_EXPIRED, "revocation list"), (_UNKNOWN_CA, "revocation list"), (43, "kind of the key")):
            found = cause(number)
            self.assertEqual((found.isCertain, found.isJudges), (False, True), found)
            self.assertIn(word, found.problem.remedy)
            self.assertNotIn("not trusted", found.said)

    def test_aStranger(self) -> None:
        """A certificate of an authority that the server does not name is unknown to it for certain."""
        found = cause(_UNKNOWN_CA, STRANGER.issue("client", role="client"))
        self.assertEqual((found.problem.code, found.isCertain, found.isJudges), ("unknown-issuer", True, False))

    def test_revoked(self) -> None:
        """That a certificate was revoked is not to be seen in it, so the alert is believed."""
        self.assertTrue(cause(_REVOKED).isCertain)

    def test_theWrongPurpose(self) -> None:
        found = cause(_UNSUPPORTED_CERTIFICATE, AUTHORITY.issue("server", role="server", dnsNames=["localhost"]))
        self.assertEqual((found.problem.code, found.isCertain), ("wrong-purpose", True))


class Turns(SynchronousTestCase):
    """The next step is for the side whose turn it is."""

    def test_thePurpose(self) -> None:
        """A client's certificate needs a client's purpose, and a server's that of a server."""
        for judge, needed, other in (("server", "Client", "Server"), ("client", "Server", "Client")):
            step = verdictOf(Problem("wrong-purpose", 0), judge).nextStep  # type: ignore[arg-type]
            self.assertIn(f"{needed} Authentication", step)
            self.assertNotIn(f"{other} Authentication", step)

    def test_anOpenReason(self) -> None:
        """Where a log has to be looked into first, it is not yet the turn of one side."""
        self.assertIsNone(verdictOf(Problem("refused", 0), "server").turn)

    def test_ofOurOwn(self) -> None:
        """What our own side is told to do is our turn."""
        for code, turn in (("unknown-issuer", "server"), ("hook-failed", "server"), ("expired", "client")):
            self.assertEqual(turnOfOurs(code, "server", isOurs=False), turn)


class OnlyConnected(SynchronousTestCase):
    """A client that connects and leaves without a word, as a health check does."""

    def test_allWasCaptured(self) -> None:
        """The server's alert only says that the stream has ended; it is the client that left."""
        steps = [(True, "SYN"), (False, "SYN"), (True, "FIN")]
        events = [Event(Kind.TCP, isFromClient, at, name, 0) for at, (isFromClient, name) in enumerate(steps)]
        alert = Event(Kind.ALERT, False, 3, "decode_error", 7, content=bytes((2, 50)))
        for seen in (events, [*events, alert], [*events, alert, Event(Kind.TCP, True, 4, "RST", 0)]):
            verdict = verdictOn(followed(seen), None, None, isFinished=True)
            self.assertEqual((verdict.code, verdict.by), ("closed-in-handshake", "client"), verdict)
            self.assertNotIn("not captured", verdict.sentence)
            self.assertIn("health check", verdict.nextStep)
