"""No name in a common name matters for a server: neither for what it is asked for, nor for what it is forbidden."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from tests.chains import NOW, root
from tlscomm.configuration import ClientConfiguration, ServerConfiguration, insecurelyPresenting
from tlscomm.credentials import Credential
from tlscomm.issuing import Authority
from tlscomm.tls import handshake
from tlscomm.verification import PROFILES, Profile, Trust, Verifier

NAME, OTHER = "server.example", "other.example"
ADDRESS = "192.0.2.1"

_STAND = Authority.create("stand").issue("stand", role="server", dnsNames=["stand.example"])


@cache
def constrained(permitted: str = "", excluded: str = "") -> Authority:
    """Return an authority that may issue for some names only."""
    subtrees = [[x509.DNSName(each)] if each else None for each in (permitted, excluded)]
    constraints = x509.NameConstraints(*subtrees)
    return root().intermediate("constrained", organization="chains", now=NOW, extensions=[(constraints, True)])


def problems(issued: Credential, authorities: Sequence[Authority], asked: str, profile: Profile) -> list[str]:
    """Return what a client finds wrong with a server off line, having seen to it that a handshake says the same."""
    anchor = authorities[-1].certificate
    chain = tuple(each.certificate for each in authorities[:-1])
    verifier = Verifier(peerRole="server", serverName=asked, trust=Trust((anchor,)), profile=profile)
    found = [each.code for each in verifier.verify([issued.certificate, *chain]).problems]
    client = ClientConfiguration(serverName=asked, roots=(anchor,), profile=profile)
    presented = Credential(issued.certificate, chain, issued.privateKey)
    judging, presenting = handshake(client, insecurelyPresenting(ServerConfiguration(credential=_STAND), presented))
    assert judging.isAccepted is not bool(found), (found, judging.failure)
    for side in (judging, presenting):
        side.release()
    return found


class CommonNames(SynchronousTestCase):
    def found(self, common: str, asked: str, authorities: Sequence[Authority] = (), **names: Any) -> set[str]:
        """Return what any profile finds."""
        authorities = authorities or (root(),)
        issued = authorities[0].issue(common, role="server", organization="chains", now=NOW, **names)
        return {code for each in PROFILES for code in problems(issued, authorities, asked, each)}

    def test_itIsNotWhatAServerIsAskedFor(self) -> None:
        self.assertIn("name-mismatch", self.found(NAME, NAME))
        self.assertIn("name-mismatch", self.found("*.example", NAME))
        self.assertIn("name-mismatch", self.found(ADDRESS, ADDRESS))
        self.assertEqual(self.found(NAME, NAME, dnsNames=[OTHER]), {"name-mismatch"})
        self.assertEqual(self.found(NAME, NAME, addresses=[ADDRESS]), {"name-mismatch"})
        self.assertEqual(self.found(ADDRESS, ADDRESS, dnsNames=[OTHER]), {"name-mismatch"})

    def test_anyIsTakenBesideTheNameThatIsAskedFor(self) -> None:
        for common in (OTHER, "*", "*.*", "a b", "..", ADDRESS, "x" * 60):
            self.assertEqual(self.found(common, NAME, dnsNames=[NAME]), set(), common)

    def test_itIsNotWhatAnAuthorityMayNotIssueFor(self) -> None:
        for authority in (constrained(excluded=OTHER), constrained(permitted=NAME)):
            authorities = (authority, root())
            self.assertEqual(self.found(OTHER, NAME, authorities, dnsNames=[NAME]), set())
            self.assertEqual(self.found(OTHER, ADDRESS, authorities, addresses=[ADDRESS]), set())
            self.assertEqual(self.found(NAME, OTHER, authorities, dnsNames=[OTHER]), {"not-permitted"})
