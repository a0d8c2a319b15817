"""What the side that was refused can find out by itself."""

from __future__ import annotations

from datetime import datetime, timezone

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from failuretable import VERSIONS, Stage, gallery
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._wire.clienthello import clientHello
from tlscomm._wire.requests import readClientHello
from tlscomm.failures import Problem
from tlscomm.issuing import EXHIBITS
from tlscomm.tls import TLSConnection
from tlscomm.tls._expectedmessages import expectedMessage
from tlscomm.verification._ownchain import isCorrectlySigned, signatureProblem
from tlscomm.verification._owncredential import chainProblems

#: What a chain shows to everybody who reads it, whomever he trusts.
EVIDENT = {"expired", "not-yet-valid", "not-permitted", "key-too-weak", "invalid-certificate", "wrong-purpose"}


def chainOf(name: str) -> tuple[x509.Certificate, ...]:
    credential = gallery().credential(name, role="client")
    return (credential.certificate, *credential.chain)


def evidentProblem(chain: tuple[x509.Certificate, ...]) -> Problem | None:
    return next(chainProblems(chain, "client", datetime.now(timezone.utc)), None)


class EvidentProblems(SynchronousTestCase):
    def test_areFoundWithTheirPlaceInTheChain(self) -> None:
        for exhibit in EXHIBITS:
            if "client" in exhibit.roles and (exhibit.code in EVIDENT or exhibit.name == "path-too-long"):
                problem = evidentProblem(chainOf(exhibit.name))
                assert problem is not None, exhibit.name
                self.assertEqual((problem.code, problem.depth), (exhibit.code, exhibit.depth), exhibit.name)

    def test_areNotSeenWhereThePeerDecides(self) -> None:
        for name in (
            "good",
            "good-intermediate",
            "unknown-issuer-sent",
            "incomplete-chain",
            "revoked",
        ):
            self.assertIsNone(evidentProblem(chainOf(name)), name)

    def test_areNotSeenInASignatureOfAnAlgorithmThatNobodyKnows(self) -> None:
        leaf, issuer = chainOf("good-intermediate")[:2]
        known, unknown = (bytes.fromhex(f"06082a8648ce3d0403{last}") for last in ("02", "7f"))
        odd = x509.load_der_x509_certificate(issuer.public_bytes(Encoding.DER).replace(known, unknown))
        self.assertIsNone(evidentProblem((leaf, odd)))
        self.assertFalse(isCorrectlySigned((leaf, odd), gallery().roots))
        self.assertIsNone(signatureProblem((leaf, odd), gallery().roots))


class Signatures(SynchronousTestCase):
    def check(self, name: str) -> bool | None:
        return isCorrectlySigned(chainOf(name), gallery().roots)

    def test_ofAGoodChainAreRight(self) -> None:
        self.assertIs(self.check("good"), True)
        self.assertIs(self.check("good-intermediate"), True)

    def test_thatAreWrongAreFoundAnywhereInTheChain(self) -> None:
        self.assertIs(self.check("bad-signature"), False)
        self.assertIs(self.check("bad-signature-intermediate"), False)

    def test_ofANamesakeAreWrong(self) -> None:
        self.assertIs(self.check("unknown-issuer-namesake"), False)

    def test_thatAreWrongAreNamedWithTheirPlaceInTheChain(self) -> None:
        for name, code, depth in (
            ("bad-signature", "bad-signature", 0),
            ("bad-signature-intermediate", "bad-signature", 1),
            ("unknown-issuer-namesake", "unknown-issuer", 0),
        ):
            problem = signatureProblem(chainOf(name), gallery().roots)
            assert problem is not None, name
            self.assertEqual((problem.code, problem.depth), (code, depth), name)

    def test_thatAreRightOrUnknownAreNoProblem(self) -> None:
        for name in ("good", "good-intermediate", "incomplete-chain", "unknown-issuer", "unknown-issuer-sent"):
            self.assertIsNone(signatureProblem(chainOf(name), gallery().roots), name)

    def test_cannotBeCheckedWithoutTheIssuer(self) -> None:
        self.assertIsNone(self.check("incomplete-chain"))


def groupsIn(opening: bytes) -> frozenset[int] | None:
    return readClientHello(clientHello(opening)).groups


class Groups(SynchronousTestCase):
    def hello(self, *groups: str) -> bytes:
        client = TLSConnection(Stage("1.3").client(groups=groups))
        client.start()
        return client.outgoing()

    def test_areReadFromTheFirstMessage(self) -> None:
        # RFC 8446, section 4.2.7.
        self.assertEqual(groupsIn(self.hello("X25519", "P-256", "P-384")), {0x001D, 0x0017, 0x0018})

    def test_areReadFromAMessageInSeveralRecords(self) -> None:
        hello = self.hello("X25519", "P-256")
        records = b"".join(
            hello[:3] + len(piece).to_bytes(2, "big") + piece
            for piece in (hello[5:][index : index + 50] for index in range(0, len(hello) - 5, 50))
        )
        self.assertEqual(groupsIn(records), {0x001D, 0x0017})

    def test_areUnknownAsLongAsTheMessageIsNotWhole(self) -> None:
        hello = self.hello("X25519")
        for length in range(len(hello)):
            self.assertIsNone(groupsIn(hello[:length]))

    def test_areUnknownInWhatIsNoClientHello(self) -> None:
        for opening in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", bytes(100)):
            self.assertIsNone(groupsIn(opening))


class Awaited(SynchronousTestCase):
    def test_everyStateOfAHandshakeIsKnown(self) -> None:
        """A handshake goes on by one byte at a time, and at each the next message has a name."""
        for version in VERSIONS:
            stage = Stage(version)
            client, server = TLSConnection(stage.client()), TLSConnection(stage.server())
            client.start()
            flights = [client.outgoing(), b""]
            for _ in range(3):
                for index, target in enumerate((server, client)):
                    for offset in range(len(flights[index])):
                        target.receive(flights[index][offset : offset + 1])
                        self.assertKnown(target, target is client)
                    flights[1 - index] = target.outgoing()

    def assertKnown(self, side: TLSConnection, isClient: bool) -> None:
        if side.state.value == "handshake":
            state = side.handle.get_state_string().decode()
            isTLS13 = side.handle.get_protocol_version() == SSL.TLS1_3_VERSION
            awaited = expectedMessage(state, isClient=isClient, isTLS13=isTLS13)
            self.assertIn("the client's" if not isClient else "the server's", awaited, state)

    def test_anUnknownStateIsNoError(self) -> None:
        self.assertEqual(expectedMessage("something new", isClient=True, isTLS13=True), "the next message")
