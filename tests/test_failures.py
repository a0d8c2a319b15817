"""A failure is something a person on call can act on, and a program too."""

import json
import pickle
import string

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import failures
from tlscomm.failures import (
    CODES,
    Alert,
    CertificateFacts,
    Expired,
    NoCertificate,
    Problem,
    Refused,
    TLSFailure,
    printable,
)

_FACTS = CertificateFacts("CN=client", "CN=ca", "0a", "2026-01-01", "2026-02-01", "sha256:00", ("dns:a",), b"\x30")

#: design.md's list: own credential, the peer's certificate, negotiation, the connection, messages.
_CLOSED_LIST = [
    "file-not-found",
    "unreadable",
    "unknown-format",
    "damaged",
    "passphrase-required",
    "passphrase-wrong",
    "no-certificate",
    "no-private-key",
    "key-mismatch",
    "wrong-purpose",
    "expired",
    "not-yet-valid",
    "key-too-weak",
    "not-in-store",
    "ambiguous",
    "store-read-only",
    "not-exportable",
    "unsafe-permissions",
    "unknown-issuer",
    "self-signed",
    "incomplete-chain",
    "bad-signature",
    "revoked",
    "revocation-unknown",
    "name-mismatch",
    "chain-too-long",
    "not-permitted",
    "invalid-certificate",
    "not-allowed",
    "refused-by-hook",
    "hook-failed",
    "hook-timeout",
    "not-tls",
    "bad-proxy-header",
    "plaintext-injected",
    "no-common-version",
    "no-common-cipher",
    "no-common-group",
    "no-common-protocol",
    "unknown-server-name",
    "protocol-violation",
    "backend-lost",
    "backend-unavailable",
    "connect-failed",
    "handshake-timeout",
    "closed-in-handshake",
    "reset",
    "read-timeout",
    "write-timeout",
    "close-timeout",
    "truncated",
    "too-many-connections",
    "too-many-handshakes",
    "too-many-refusals",
    "idle-timeout",
    "lifetime-over",
    "message-too-long",
    "undecodable",
    "refused",
]


class ClosedList(SynchronousTestCase):
    def test_theListIsTheDocumentedOne(self) -> None:
        self.assertEqual(sorted(CODES), sorted(_CLOSED_LIST))

    def test_codesAreKebabCase(self) -> None:
        for code in CODES:
            self.assertEqual(set(code) - set(string.ascii_lowercase + "-"), set())

    def test_everyCodeHasItsOwnType(self) -> None:
        self.assertEqual(len(set(CODES.values())), len(CODES))
        for code, kind in CODES.items():
            self.assertIs(failures.failureForCode(code), kind)
            self.assertIn(kind.__name__, failures.__all__)

    def test_everyCodeSaysWhatHappenedWhatToDoAndHowToReproduceIt(self) -> None:
        for kind in CODES.values():
            for text in (kind.__doc__, kind.summary, kind.ours, kind.theirs, kind.reproduce):
                self.assertGreater(len(text or ""), 10, kind.code)
            self.assertTrue(kind.ours.endswith((".", "FILE")), kind.code)
            self.assertIsInstance(kind.permanent, bool)

    def test_unknownCodeIsAKeyError(self) -> None:
        self.assertRaises(KeyError, failures.failureForCode, "whatever")


class Sentences(SynchronousTestCase):
    def test_localFailureSpeaksOfThePeersCertificate(self) -> None:
        self.assertEqual(str(Expired()), "expired: The peer's certificate has expired.")

    def test_remoteFailureSpeaksOfOurs(self) -> None:
        self.assertEqual(str(Expired(side="remote")), "expired: The peer refused us: our certificate has expired.")

    def test_credentialFailureSpeaksOfOurs(self) -> None:
        self.assertEqual(Expired(stage="credential").message, "Our certificate has expired.")

    def test_higherCertificateIsNotCalledThePeers(self) -> None:
        self.assertIn("issuing certificate in the peer's chain", Expired(depth=1).message)

    def test_detailCompletesTheSentence(self) -> None:
        self.assertEqual(Expired("on Monday").message, "The peer's certificate has expired: on Monday.")

    def test_nextStepFitsTheSide(self) -> None:
        self.assertEqual(NoCertificate().nextStep, NoCertificate.theirs)
        self.assertEqual(NoCertificate(side="remote").nextStep, NoCertificate.ours)

    def test_everySentenceIsOneLine(self) -> None:
        for kind in CODES.values():
            for side in ("local", "remote"):
                text = str(kind("why", side=side))  # type: ignore[arg-type]
                self.assertTrue(text.startswith(f"{kind.code}: ") and text.endswith("why."))
                self.assertNotIn("\n", text)
                self.assertNotIn("{", text)


class AsValues(SynchronousTestCase):
    def setUp(self) -> None:
        self.failure = Expired(
            "long ago",
            side="remote",
            alert=Alert(45, "received"),
            certificate=_FACTS,
            depth=0,
            peer="127.0.0.1:1",
            opensslError=10,
            evidence=("certificate expired",),
            problems=(Problem("expired", 0, "CN=client"),),
            chain=(_FACTS,),
        )

    def test_equalByCode(self) -> None:
        self.assertEqual(self.failure, Expired())
        self.assertEqual(hash(self.failure), hash(Expired()))
        self.assertNotEqual(self.failure, Refused())
        self.assertNotEqual(self.failure, "expired")

    def test_pickled(self) -> None:
        again = pickle.loads(pickle.dumps(self.failure))
        self.assertIs(type(again), Expired)
        self.assertEqual(again.toJSON(), self.failure.toJSON())
        self.assertEqual(str(again), str(self.failure))

    def test_asJSON(self) -> None:
        text = json.dumps(self.failure.toJSON())
        value = json.loads(text)
        self.assertEqual(value["code"], "expired")
        self.assertEqual(value["alert"], {"name": "certificate_expired", "number": 45, "direction": "received"})
        self.assertEqual(value["certificate"]["subject"], "CN=client")
        self.assertEqual(value["message"], self.failure.message)
        self.assertEqual(value["nextStep"], self.failure.nextStep)
        self.assertNotIn("der", text)

    def test_everyBareFailureIsJSON(self) -> None:
        for kind in CODES.values():
            self.assertEqual(json.loads(json.dumps(kind().toJSON()))["code"], kind.code)

    def test_repr(self) -> None:
        self.assertIn("Expired remote handshake", repr(self.failure))

    def test_caughtAsOneKind(self) -> None:
        with self.assertRaises(TLSFailure):
            raise self.failure


class Permanent(SynchronousTestCase):
    """Whether a client that reconnects has a chance."""

    def test_aBadCertificateStaysBad(self) -> None:
        self.assertTrue(Expired.permanent)
        self.assertTrue(NoCertificate.permanent)

    def test_theNetworkMayRecover(self) -> None:
        for code in ("connect-failed", "reset", "read-timeout", "handshake-timeout", "too-many-connections"):
            self.assertFalse(CODES[code].permanent, code)

    def test_timeHealsWhatIsTooEarly(self) -> None:
        self.assertFalse(CODES["not-yet-valid"].permanent)


class Hostile(SynchronousTestCase):
    @given(st.text())
    def test_nothingThatATerminalObeysIsLeft(self, text: str) -> None:
        safe = printable(text)
        self.assertTrue(safe.isprintable())
        self.assertLessEqual(len(safe), 200)

    def test_plainTextIsLeftAlone(self) -> None:
        self.assertEqual(printable("CN=Zoë 証明書"), "CN=Zoë 証明書")

    def test_longTextIsCut(self) -> None:
        self.assertEqual(printable("x" * 10_000_000, 10), "xxxxxxxxx…")
