"""What is said of chains in a configuration holds in a handshake, in a verdict and on the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL.crypto import X509
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.trial.unittest import SynchronousTestCase

from tests.chains import NOW, crossSigned, judged
from tlscomm.commandline import program
from tlscomm.commandline._printing import warningText
from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.configuration._fromsettings import clientConfiguration, serverConfiguration
from tlscomm.credentials import Credential
from tlscomm.issuing import Authority
from tlscomm.tls import TLSConnection, handshake, verdict, verdictWithWarnings
from tlscomm.verification import OpenSSLResult, Question, Trust, Verifier, accept, parsePin
from tlscomm.verification import _formrules as hygiene
from tlscomm.x509._encoding import keyPEM, pem

ROOT = Authority.create("root", organization="profiles", now=NOW)
INTERMEDIATE = ROOT.intermediate(organization="profiles", now=NOW)
SERVER = INTERMEDIATE.issue("localhost", role="server", dnsNames=["localhost"], now=NOW)
CLIENT = INTERMEDIATE.issue("client", role="client", dnsNames=["client.example"], now=NOW)
PLAIN_CLIENT = ROOT.issue("client", role=None, now=NOW)
ROOTS = (ROOT.certificate,)
OTHER_PIN = parsePin("spki=sha256:" + "0" * 64)
ROOT_PIN = parsePin(f"fingerprint=sha256:{ROOT.certificate.fingerprint(hashes.SHA256()).hex()}")


def shaken(client: dict[str, Any], server: dict[str, Any]) -> tuple[TLSConnection, TLSConnection]:
    return handshake(
        ClientConfiguration(**{"serverName": "localhost", "roots": ROOTS, "credential": CLIENT, **client}),
        ServerConfiguration(**{"credential": SERVER, "clientRoots": ROOTS, **server}),
    )


@contextmanager
def rulesOfForm() -> Iterator[list[str]]:
    """Note the rules of form that are checked meanwhile, by the names of their functions."""
    checked: list[str] = []

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename == hygiene.__file__:
            checked.append(frame.f_code.co_name)

    former = sys.getprofile()
    sys.setprofile(note)
    try:
        yield checked
    finally:
        sys.setprofile(former)


class RulesThatOnlyWarn(SynchronousTestCase):
    """Rules that a profile does not insist on cost a peer nothing, until the warnings are read."""

    def test_inAHandshake(self) -> None:
        client = ROOT.issue("client", role=None, now=NOW)
        with rulesOfForm() as checked:
            _one, other = shaken({"credential": client}, {"profile": "compatible"})
            peer = other.peer
        assert peer is not None
        self.assertEqual(checked, [])
        with rulesOfForm() as checked:
            warnings = peer.warnings
        self.assertIn("_leafPurpose", checked)
        self.assertIn("end-entity-purpose", " ".join(each.detail for each in warnings))
        self.assertIs(peer.warnings, warnings)

    def test_aHookMayReadThem(self) -> None:
        """To ask a hook costs nothing either; what it reads is what the peer's warnings are."""
        questions: list[Question] = []

        def hook(question: Question) -> Any:
            questions.append(question)
            return accept()

        client = ROOT.issue("client", role=None, now=NOW)
        with rulesOfForm() as checked:
            _one, other = shaken({"credential": client}, {"hook": hook})
        self.assertEqual(checked, [])
        assert other.peer is not None
        self.assertEqual(questions[0].warnings, other.peer.warnings)
        self.assertIn("end-entity-purpose", str(questions[0].warnings))

    def test_aPeerThatComesAgain(self) -> None:
        verifier = Verifier(peerRole="client", trust=Trust(ROOTS))
        client = ROOT.issue("client", role=None, now=NOW).certificate
        opensslResult = OpenSSLResult(chain=(client, *ROOTS))
        with rulesOfForm() as checked:
            first = verifier.verify([client], opensslResult=opensslResult, at=NOW)
            again = verifier.verify([client], opensslResult=opensslResult, at=NOW + timedelta(minutes=1))
        self.assertEqual((checked, first.problems, again.problems), ([], (), ()))
        self.assertEqual(again.warnings, first.warnings)
        self.assertIn("end-entity-purpose", str(again.warnings))

    def test_strictChecksThemInTheHandshake(self) -> None:
        client = ROOT.issue("client", role=None, now=NOW)
        with rulesOfForm() as checked:
            shaken({"credential": client}, {"profile": "strict"})
        self.assertIn("_leafPurpose", checked)

    def test_theyAreOfTheTimeOfTheVerdict(self) -> None:
        """What an external context accepted is warned of as it was then, whenever that is read."""
        verifier = Verifier(peerRole="client")
        later = CLIENT.certificate.not_valid_after_utc + timedelta(days=1)
        for at, codes in ((NOW, set()), (later, {"expired"})):
            chain = (CLIENT.certificate, *CLIENT.chain, *ROOTS)
            result = verifier.verify(chain, opensslResult=OpenSSLResult(chain=chain), at=at)
            self.assertEqual({each.code for each in result.warnings} & {"expired", "not-yet-valid"}, codes)


class Handshakes(SynchronousTestCase):
    def assertOutcome(self, expected: str | None, client: dict[str, Any], server: dict[str, Any]) -> TLSConnection:
        """The side with other settings is the one that judges."""
        one, other = shaken(client, server)
        judging = one if client else other
        if not judging.isAccepted:
            judging.receiveEnd()
        self.assertEqual(judging.failure and judging.failure.code, expected)
        return judging

    def test_strictRefusesWhatCompatibleWarnsOf(self) -> None:
        _one, other = shaken({"credential": PLAIN_CLIENT}, {"profile": "compatible"})
        assert other.peer is not None
        self.assertIn("end-entity-purpose", " ".join(each.detail for each in other.peer.warnings))
        _one, other = shaken({"credential": PLAIN_CLIENT}, {"profile": "strict"})
        self.assertEqual(other.failure and other.failure.code, "invalid-certificate")
        self.assertOutcome(None, {}, {"profile": "strict"})
        self.assertOutcome(None, {"profile": "strict"}, {})

    def test_anIntermediateThatIsKnownHere(self) -> None:
        known = {"intermediates": (INTERMEDIATE.certificate,)}
        bare = replace(SERVER, chain=())
        self.assertOutcome("incomplete-chain", {"roots": ROOTS}, {"credential": bare})
        judging = self.assertOutcome(None, known, {"credential": bare})
        assert judging.peer is not None
        self.assertEqual([each.code for each in judging.peer.warnings], ["incomplete-chain"])
        _one, other = shaken({"credential": replace(CLIENT, chain=())}, known)
        self.assertIsNone(other.failure)

    def test_pins(self) -> None:
        self.assertOutcome(None, {"pins": (OTHER_PIN, ROOT_PIN)}, {})
        self.assertOutcome("not-allowed", {"pins": (OTHER_PIN,)}, {})
        _one, other = shaken({}, {"pins": (OTHER_PIN,)})
        self.assertEqual(other.failure and other.failure.code, "not-allowed")

    def test_aTrustRootOfTwisted(self) -> None:
        trustRoot = trustRootFromCertificates([Certificate(X509.from_cryptography(ROOT.certificate))])
        one, other = shaken({"roots": trustRoot}, {"clientRoots": trustRoot})
        self.assertEqual((one.failure, other.failure), (None, None))
        stranger = Authority.create("stranger", now=NOW).issue("localhost", role="server", dnsNames=["localhost"])
        self.assertOutcome("unknown-issuer", {"roots": trustRoot}, {"credential": stranger})

    def test_anIntermediateIsTrustedIfItIsNamed(self) -> None:
        roots = (INTERMEDIATE.certificate,)
        one, other = shaken({"roots": roots}, {"clientRoots": roots})
        self.assertEqual((one.failure, other.failure), (None, None))
        assert other.peer is not None
        self.assertEqual(other.peer.chain, (CLIENT.certificate, INTERMEDIATE.certificate))

    def test_aWildcardThatStandsForAnExcludedNameIsRefused(self) -> None:
        constraints = x509.NameConstraints(None, [x509.DNSName("b.a.example")])
        issuer = ROOT.intermediate("constrained", now=NOW, extensions=[(constraints, True)])
        server = issuer.issue("a", role="server", dnsNames=["*.a.example"], now=NOW)
        client = {"serverName": "c.a.example", "roots": ROOTS}
        judging = self.assertOutcome("not-permitted", client, {"credential": server})
        assert judging.failure is not None
        self.assertIn("excluded subtree", judging.failure.message)

    def test_whatOpenSSLGivesUpOnIsFoundAllTheSame(self) -> None:
        # Its issuer's other certificate comes first, and leads to somebody who is not trusted.
        foreign = crossSigned(INTERMEDIATE, Authority.create("stranger", now=NOW))
        server = replace(SERVER, chain=(foreign, INTERMEDIATE.certificate))
        one, other = shaken({"roots": ROOTS}, {"credential": server})
        self.assertEqual((one.failure, other.failure), (None, None))

    def test_soItIsForAServerAndWhatAClientSent(self) -> None:
        """A server finds another path among all that a client sent, whatever OpenSSL had chosen of it."""
        constraints = x509.NameConstraints([x509.DNSName("elsewhere.example")], None)
        stranger = Authority.create("stranger", now=NOW)
        named = INTERMEDIATE.issue("client", role="client", dnsNames=["client.example"], now=NOW)
        for other in (
            crossSigned(INTERMEDIATE, stranger),
            crossSigned(INTERMEDIATE, ROOT, extensions=[(constraints, True)]),
            crossSigned(INTERMEDIATE, ROOT, notBefore=NOW - timedelta(days=2), notAfter=NOW - timedelta(days=1)),
        ):
            client = replace(named, chain=(other, INTERMEDIATE.certificate))
            for version in ("1.2", "1.3"):
                settings = {"roots": ROOTS, "credential": client, "maximumTLS": version}
                one, judging = shaken(settings, {"clientRoots": ROOTS})
                self.assertEqual((one.failure, judging.failure), (None, None))
                assert judging.peer is not None
                self.assertEqual(judging.peer.chain[1], INTERMEDIATE.certificate)

    def test_maximumDepth(self) -> None:
        self.assertOutcome("chain-too-long", {"maximumDepth": 0}, {})
        self.assertOutcome(None, {"maximumDepth": 1}, {})

    def test_whatIsNoProfile(self) -> None:
        self.assertRaises(ValueError, ServerConfiguration, credential=SERVER, profile="lenient")
        self.assertRaises(ValueError, ClientConfiguration, serverName="localhost", maximumDepth=-1)


class Pins(SynchronousTestCase):
    def test_theirTextIsReadWithoutCase(self) -> None:
        for text in (str(OTHER_PIN), str(OTHER_PIN).upper(), "SPKI=SHA256:" + ":".join(["00"] * 32)):
            self.assertEqual(parsePin(text), OTHER_PIN)


class Warnings(SynchronousTestCase):
    def test_commandsWriteThemAsFailuresAreWritten(self) -> None:
        _failure, (warning, *_others) = verdictWithWarnings(PLAIN_CLIENT, "client", roots=ROOTS)
        self.assertEqual(warningText(warning), f"{warning.code}: {warning.subject}, {warning.detail}")


class Verdicts(SynchronousTestCase):
    def test_theyTakeTheSame(self) -> None:
        bare = replace(SERVER, chain=())
        known = (INTERMEDIATE.certificate,)
        self.assertIsNone(verdict(bare, "server", roots=ROOTS, intermediates=known))
        self.assertEqual(self.code(bare), "incomplete-chain")
        self.assertEqual(self.code(SERVER, pins=[OTHER_PIN]), "not-allowed")
        self.assertIsNone(self.code(SERVER, profile="strict"))

    def test_warnings(self) -> None:
        failure, warnings = verdictWithWarnings(PLAIN_CLIENT, "client", roots=ROOTS)
        self.assertIsNone(failure)
        self.assertIn("invalid-certificate", [each.code for each in warnings])

    def test_aWrongPinIsToBeMendedThere(self) -> None:
        failure = verdict(SERVER, "server", roots=ROOTS, pins=[OTHER_PIN])
        assert failure is not None
        self.assertIn("pinned", failure.message)
        self.assertNotIn("rule", failure.message)
        self.assertIn("--pin", failure.nextStep)
        self.assertNotIn("--allow", failure.nextStep)

    def code(self, credential: Credential, **more: Any) -> str | None:
        failure = verdict(credential, "server", roots=ROOTS, **more)
        return None if failure is None else failure.code


class Texts(SynchronousTestCase):
    def setUp(self) -> None:
        Path("roots.pem").write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
        Path("known.pem").write_bytes(INTERMEDIATE.certificate.public_bytes(Encoding.PEM))
        for name, credential in (("plain", PLAIN_CLIENT), ("bare", replace(CLIENT, chain=()))):
            Path(f"{name}.pem").touch(0o600)
            assert credential.privateKey is not None
            content = pem((credential.certificate, *credential.chain)) + keyPEM(credential.privateKey)
            Path(f"{name}.pem").write_bytes(content)

    def test_settings(self) -> None:
        settings = {"intermediates": ["known.pem"], "pin": [ROOT_PIN], "profile": "strict"}
        configurations = (
            clientConfiguration("localhost", {"roots": ["roots.pem"], **settings}),
            serverConfiguration({"identity": ["plain.pem"], "clientRoots": ["roots.pem"], **settings}),
        )
        for configuration in configurations:
            trust = configuration.verifier.trust
            assert trust is not None
            self.assertEqual((trust.intermediates, trust.pins), ((INTERMEDIATE.certificate,), (ROOT_PIN,)))
            self.assertEqual(configuration.verifier.profile, "strict")

    def test_verify(self) -> None:
        plain = self.verify("plain.pem", "--json")
        found = json.loads(plain.stdout)
        self.assertEqual((plain.exit_code, found["outcome"]), (0, "accepted"))
        self.assertIn("end-entity-purpose", str(found["warnings"]))
        self.assertIn("Warning", self.verify("plain.pem").stdout)
        self.assertEqual(self.verify("plain.pem", "--profile", "strict").exit_code, 1)
        self.assertEqual(self.verify("bare.pem").exit_code, 1)
        self.assertEqual(self.verify("bare.pem", "--intermediates", "known.pem").exit_code, 0)
        self.assertTrue(self.verify("plain.pem", "--pin", str(OTHER_PIN)).stderr.startswith("not-allowed"))
        self.assertEqual(self.verify("plain.pem", "--pin", "nonsense").exit_code, 2)

    def verify(self, source: str, *more: str) -> Result:
        return CliRunner().invoke(program, ["verify", source, "--as", "client", "--roots", "roots.pem", *more])


class OffLine(SynchronousTestCase):
    def test_itIsTheVerdictOfTheHandshake(self) -> None:
        self.assertEqual(judged([SERVER.certificate, INTERMEDIATE], [ROOT], serverName="localhost").problems, ())
