"""Revocation lists are loaded from files, and what they revoke is refused by both roles and both versions."""

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from revocationlists import NOW, revocationList
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import failures
from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.issuing import Authority
from tlscomm.issuing._certificates import newKey
from tlscomm.revocation import Revocation, loadRevocationLists
from tlscomm.tls import State, TLSConnection, pump
from tlscomm.verification import Trust, Verifier

AUTHORITY = Authority.create()
INTERMEDIATE = AUTHORITY.intermediate()
SERVER = AUTHORITY.issue("server", role="server", dnsNames=["localhost"])
CLIENT = AUTHORITY.issue("client", role="client")
ROOTS = (AUTHORITY.certificate,)
VERSIONS = ("1.2", "1.3")


class Loading(SynchronousTestCase):
    def setUp(self) -> None:
        self.list = AUTHORITY.revocationList([1, 2])

    def test_derAndPEM(self) -> None:
        for encoding in (Encoding.DER, Encoding.PEM):
            self.assertEqual(loadRevocationLists(self.list.public_bytes(encoding)), (self.list,))

    def test_severalInOneFile(self) -> None:
        other = INTERMEDIATE.revocationList()
        path = Path(self.mktemp())
        path.write_bytes(self.list.public_bytes(Encoding.PEM) + b"text\n" + other.public_bytes(Encoding.PEM))
        self.assertEqual(loadRevocationLists(str(path)), (self.list, other))

    def test_whatIsNone(self) -> None:
        self.assertRaises(failures.UnknownFormat, loadRevocationLists, b"hello")
        self.assertRaises(failures.UnknownFormat, loadRevocationLists, CLIENT.certificate.public_bytes(Encoding.PEM))
        self.assertRaises(failures.UnknownFormat, loadRevocationLists, CLIENT.certificate.public_bytes(Encoding.DER))
        self.assertRaises(failures.Damaged, loadRevocationLists, self.list.public_bytes(Encoding.DER)[:-9])
        self.assertRaises(failures.FileNotFound, loadRevocationLists, "no-such-file")


class Handshakes(SynchronousTestCase):
    def between(
        self, client: dict[str, Any], server: dict[str, Any], version: str
    ) -> tuple[TLSConnection, TLSConnection]:
        one = TLSConnection(
            ClientConfiguration(
                **{"serverName": "localhost", "roots": ROOTS, "credential": CLIENT, "maximumTLS": version, **client}
            )
        )
        other = TLSConnection(ServerConfiguration(**{"credential": SERVER, "clientRoots": ROOTS, **server}))
        one.start()
        pump(one, other)
        return one, other

    def codes(self, client: dict[str, Any], server: dict[str, Any]) -> list[tuple[str | None, str | None]]:
        pairs = [self.between(client, server, version) for version in VERSIONS]
        return [tuple(side.failure and side.failure.code for side in pair) for pair in pairs]  # type: ignore[misc]

    def test_whereNothingIsKnownTheNextStepIsToGetAList(self) -> None:
        late = revocationList(AUTHORITY, until=datetime.now(timezone.utc) - timedelta(hours=1))
        for side, judge in enumerate(("client", "server")):
            settings: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
            settings[side]["revocation"] = Revocation([late])
            failure = self.between(*settings, "1.3")[side].failure
            assert failure is not None
            self.assertEqual(failure.code, "revocation-unknown")
            # Only a server can staple.
            self.assertEqual("staple" in failure.nextStep, judge == "client")
            self.assertIn("--crl", failure.nextStep)

    def test_whoIsNotOnTheListIsAccepted(self) -> None:
        lists = {"revocation": Revocation((AUTHORITY.revocationList([1]),))}
        self.assertEqual(self.codes(lists, lists), [(None, None)] * 2)

    def test_aRevokedClient(self) -> None:
        lists = {"revocation": Revocation((AUTHORITY.revocationList([CLIENT.certificate.serial_number]),))}
        self.assertEqual(self.codes({}, lists), [("revoked", "revoked")] * 2)

    def test_aRevokedServer(self) -> None:
        lists = {"revocation": Revocation((AUTHORITY.revocationList([SERVER.certificate.serial_number]),))}
        self.assertEqual(self.codes(lists, {}), [("revoked", "revoked")] * 2)

    def test_aRevokedIntermediate(self) -> None:
        revoked = AUTHORITY.revocationList([INTERMEDIATE.certificate.serial_number])
        lists = {"revocation": Revocation((revoked, INTERMEDIATE.revocationList()))}
        client = {"credential": INTERMEDIATE.issue("client", role="client")}
        self.assertEqual(self.codes(client, lists), [("revoked", "revoked")] * 2)
        _, other = self.between(client, lists, "1.3")
        self.assertEqual(other.failure and other.failure.depth, 1)

    def test_aListOfAnotherAuthorityCoversNothing(self) -> None:
        lists = {"revocation": Revocation((Authority.create("other").revocationList(),))}
        self.assertEqual(self.codes({}, lists), [("refused", "revocation-unknown")] * 2)

    def test_anExpiredListCoversNothing(self) -> None:
        past = datetime.now(timezone.utc) - timedelta(days=400)
        lists = {"revocation": Revocation((AUTHORITY.revocationList(now=past),))}
        self.assertEqual(self.codes({}, lists), [("refused", "revocation-unknown")] * 2)

    def test_ofManyListsAFewAreNamed(self) -> None:
        """An authority may cut its list in a hundred pieces, and a refusal is a sentence."""
        past = NOW - timedelta(days=9)
        lists = [revocationList(AUTHORITY, number=number, since=past, until=past) for number in range(100)]
        verifier = Verifier(peerRole="client", trust=Trust(ROOTS), revocation=Revocation(lists))
        (problem,) = verifier.verify([CLIENT.certificate]).problems
        self.assertEqual(problem.detail.count("expired at"), 4)
        self.assertIn("and 96 more lists", problem.detail)

    def test_whatTheAuthorityHasNotSignedIsNotLookedUp(self) -> None:
        """A list tells nothing of it, and to look costs time."""
        strange = Authority.create(AUTHORITY.certificate.subject.rfc4514_string().removeprefix("CN="))
        forged = strange.issue("client", role="client").certificate
        lists = [revocationList(AUTHORITY, [forged.serial_number])]
        verifier = Verifier(peerRole="client", trust=Trust(ROOTS), revocation=Revocation(lists))
        codes = {problem.code for problem in verifier.verify([forged, strange.certificate]).problems}
        self.assertFalse(codes & {"revoked", "revocation-unknown"}, codes)

    def test_aSeparateSignerOfListsMayBeKnownLocally(self) -> None:
        """An authority may sign its lists with another key, whose certificate no peer sends."""
        key = newKey()
        names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        usage = x509.KeyUsage(
            **dict.fromkeys((*names, "key_cert_sign", "encipher_only", "decipher_only"), False), crl_sign=True
        )
        subject = AUTHORITY.certificate.subject
        signer = AUTHORITY.issue("", role=None, subject=subject, privateKey=key, extensions=[(usage, True)])
        listed = revocationList(AUTHORITY, [CLIENT.certificate.serial_number], signer=key)
        for intermediates, code in (((), "revocation-unknown"), ((signer.certificate,), "revoked")):
            trust = Trust(ROOTS, intermediates)
            verifier = Verifier(peerRole="client", trust=trust, revocation=Revocation([listed]))
            self.assertEqual([problem.code for problem in verifier.verify([CLIENT.certificate]).problems], [code])

    def test_warningsAreThoseOfNow(self) -> None:
        """What is warned of is what is unknown at the time, also of a peer that has been here before."""
        revocation = Revocation([revocationList(AUTHORITY)], mode="soft")
        verifier = Verifier(peerRole="client", trust=Trust(ROOTS), revocation=revocation)
        warned = []
        for days in (0, 2, 0):
            at = datetime.now(timezone.utc) + timedelta(days=days)
            result = verifier.verify([CLIENT.certificate], at=at)
            warned.append([each.code for each in result.warnings if each.code == "revocation-unknown"])
        self.assertEqual(warned, [[], ["revocation-unknown"], []])

    def test_withoutAListNobodyAsks(self) -> None:
        one, _ = self.between({}, {}, "1.3")
        self.assertIs(one.state, State.OPEN)
