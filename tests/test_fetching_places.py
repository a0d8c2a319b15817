"""What each authority may have fetched and kept, and that none takes the room of another one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from logs import logged
from revocationlists import point, revocationList
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.issuing import Authority
from tlscomm.revocation import Revocation
from tlscomm.revocation._fetching import ListFetcher
from tlscomm.revocation._places import Places, lineOf
from tlscomm.verification import Verifier
from tlscomm.verification._trust import Trust

ROOT = Authority.create("root")
MEGABYTE = 1 << 20
HOUR = 3600.0


def authority(number: int) -> str:
    return f"{number:016x}"


class Rooms(SynchronousTestCase):
    """Who gives way where there is no more room."""

    def setUp(self) -> None:
        self.dropped: list[str] = []
        self.places = Places(self.dropped.append)

    def want(self, *line: int, count: int = 1, now: float = 0.0, begin: int = 0) -> None:
        for number in range(begin, begin + count):
            self.places.want(tuple(map(authority, line)), f"http://list.example/{number}", (), now)

    def count(self, *line: int) -> int:
        """How many lists an authority has, with all below it."""
        above = tuple(map(authority, line))
        return sum(len(place.publications) for place in self.places if place.line[: len(line)] == above)

    def keep(self, *line: int, number: int = 0, size: int = 16 * MEGABYTE, now: float = 0.0) -> bool:
        """Have a list come."""
        self.want(*line, begin=number, now=now)
        (place,) = (place for place in self.places if place.line == tuple(map(authority, line)))
        wanted = next(each for each in place.publications.values() if each.url.endswith(f"/{number}"))
        self.places.begin(place, wanted)
        hasRoom = self.places.keep(place, wanted, size, now)
        self.places.end(place, wanted)
        return hasRoom

    @property
    def size(self) -> int:
        return sum(place.size for place in self.places)

    def test_oneAuthorityHasSoManyAddresses(self) -> None:
        self.want(1, count=500)
        self.want(2)
        self.assertEqual((self.count(1), self.count(2)), (128, 1))

    def test_moreAuthoritiesBelowItWinNothing(self) -> None:
        """The others' addresses find room, before and after."""
        self.want(1, 2)
        for number in range(50):
            self.want(1, 3, 100 + number, count=30)
        self.want(1, 4, count=100)
        self.want(5, count=100)
        self.assertEqual((self.count(1, 2), self.count(1, 4), self.count(5)), (1, 100, 100))
        self.assertEqual(self.count(1) + self.count(5), 1024)

    def test_whatIsNotNeededAnyMoreGivesWay(self) -> None:
        self.want(1, count=128)
        self.want(1, count=1, now=HOUR)
        self.want(1, begin=200, count=200, now=HOUR)
        self.assertEqual(self.count(1), 128)
        urls = {each.url for place in self.places for each in place.publications.values()}
        self.assertIn("http://list.example/0", urls)
        self.assertIn("http://list.example/326", urls)

    def test_oneAuthorityHasSoManyBytes(self) -> None:
        self.assertEqual([self.keep(1, number=number) for number in range(3)], [True, True, False])
        self.assertTrue(self.keep(2))
        self.assertTrue(self.keep(1, number=2, now=2 * HOUR))
        self.assertEqual(self.size, 48 * MEGABYTE)

    def test_aListThatIsReplacedCountsOnce(self) -> None:
        for _ in range(5):
            self.assertTrue(self.keep(1))
        self.assertEqual(self.size, 16 * MEGABYTE)

    def test_allTogetherHaveSoManyBytes(self) -> None:
        """The one that has most gives way, and one that would have most itself is refused."""
        for number in range(20):
            self.keep(1, 2, number)
        self.assertEqual(self.size, 128 * MEGABYTE)
        self.assertTrue(self.keep(1, 3))
        self.assertTrue(self.keep(4))
        self.assertEqual(self.size, 128 * MEGABYTE)
        self.assertFalse(self.keep(1, 2, 100))
        self.assertTrue(self.keep(1, 3))

    def test_oneThatIsBeingFetchedDoesNotGiveWay(self) -> None:
        self.want(1, count=128)
        for place in self.places:
            for each in place.publications.values():
                self.places.begin(place, each)
        self.want(1, begin=200, count=10, now=2 * HOUR)
        self.assertEqual((self.count(1), len(self.dropped)), (128, 10))

    def next(self) -> int | None:
        """Begin to fetch what is next, and return of which authority it is."""
        if (due := self.places.next(0.0)) is None:
            return None
        self.places.begin(*due)
        return int(due[0].line[-1], 16)

    def test_theAuthorityIsNextForWhichLeastIsFetched(self) -> None:
        """Slow servers of one authority do not keep the others waiting."""
        for number in range(20):
            self.want(1, 2, 100 + number, count=50)
        for _ in range(4):
            self.next()
        self.want(1, 3)
        self.want(4)
        self.assertEqual({self.next(), self.next()}, {3, 4})

    def test_twoOfOneAuthorityAreFetchedAtOnce(self) -> None:
        self.want(1, count=50)
        self.assertEqual([self.next() for _ in range(3)], [1, 1, None])

    def test_theAuthoritiesTakeTurns(self) -> None:
        turns = []
        self.want(1, count=3)
        self.want(2, count=3)
        for _ in range(6):
            due = self.places.next(0.0)
            assert due is not None
            self.places.begin(*due)
            due[1].schedule.failed(0.0)
            self.places.end(*due)
            turns.append(int(due[0].line[-1], 16))
        self.assertEqual(turns, [1, 2, 1, 2, 1, 2])


class Lines(SynchronousTestCase):
    def test_anAuthorityIsItsNameAndItsKey(self) -> None:
        """A renewed certificate is the same authority, and another key of the name is another one."""
        between = ROOT.intermediate("between")
        (one,) = lineOf([ROOT.certificate])
        self.assertEqual(lineOf([between.certificate, ROOT.certificate])[:1], (one,))
        self.assertNotEqual(lineOf([Authority.create("root").certificate]), (one,))


class Folders(SynchronousTestCase):
    """What is in the folder."""

    def fetcher(self) -> Any:
        return ListFetcher("cache", lambda: None)

    def file(self, number: int, *line: int, content: bytes = b"") -> str:
        return f"{'.'.join(map(authority, line))}-{number:032x}.crl"

    def test_whatIsThereIsReadWithinTheSameBounds(self) -> None:
        Path("cache").mkdir()
        content = revocationList(ROOT).public_bytes(Encoding.DER)
        for number in range(130):
            path = Path("cache", self.file(number, 1))
            path.write_bytes(content)
            os.utime(path, (number, number))
        Path("cache", self.file(1, 2)).write_bytes(content)
        Path("cache", "another.crl").write_bytes(content)
        self.assertEqual(len(self.fetcher().lists), 129)
        left = {path.name for path in Path("cache").iterdir()}
        self.assertEqual(len(left), 130)
        self.assertFalse({self.file(0, 1), self.file(1, 1)} & left)

    def test_whatIsInMemoryIsNotReadAgain(self) -> None:
        """A configuration that is read again has the lists of the one before, as long as their files are the same."""
        Path("cache").mkdir()
        path = Path("cache", self.file(1, 1))
        path.write_bytes(revocationList(ROOT).public_bytes(Encoding.DER))
        before = self.fetcher().lists
        self.assertEqual(self.fetcher().lists, before)
        path.write_bytes(revocationList(ROOT, [1]).public_bytes(Encoding.DER))
        self.assertNotEqual(self.fetcher().lists, before)

    def test_aListIsThatOfTheAuthorityThatHasSignedIt(self) -> None:
        """An authority with the name of another one does not have its lists looked at in the handshakes of that one."""
        Path("cache").mkdir()
        other = Authority.create("root")
        for each in (ROOT, other):
            (line,) = lineOf([each.certificate])
            Path("cache", f"{line}-{1:032x}.crl").write_bytes(revocationList(each).public_bytes(Encoding.DER))
        fetcher = self.fetcher()
        self.assertEqual(len(fetcher.lists), 2)
        for each in (ROOT, other):
            leaf = each.issue("leaf", role="client").certificate
            (found,) = fetcher.listsFor((leaf, each.certificate))
            self.assertTrue(found.isSignedBy(each.certificate))

    def test_aListThatGivesWayLeavesTheDisk(self) -> None:
        Path("cache").mkdir()
        (line,) = lineOf([ROOT.certificate])
        for number in range(128):
            path = Path("cache", f"{line}-{number:032x}.crl")
            path.write_bytes(revocationList(ROOT).public_bytes(Encoding.DER))
        revocation = Revocation(fetchCRLs="cache")
        verifier = Verifier(peerRole="client", trust=Trust((ROOT.certificate,)), revocation=revocation)
        naming = [(x509.CRLDistributionPoints([point("http://list.example/")]), False)]
        self.assertEqual(
            verifier.verify([ROOT.issue("leaf", role="client", extensions=naming).certificate]).problems, ()
        )
        self.assertEqual(len(list(Path("cache").iterdir())), 127)
        self.assertEqual(len(revocation.lists), 127)

    def test_thatThereIsNoMoreRoomIsNotSaidByEachHandshake(self) -> None:
        revocation = Revocation(fetchCRLs="cache", mode="soft")
        verifier = Verifier(peerRole="client", trust=Trust((ROOT.certificate,)), revocation=revocation)
        with logged() as events:
            for number in range(34):
                urls = [point(f"http://list.example/{number}-{place}") for place in range(4)]
                leaf = ROOT.issue("leaf", role="client", extensions=[(x509.CRLDistributionPoints(urls), False)])
                verifier.verify([leaf.certificate])
        self.assertEqual(len(events), 1)
        self.assertIn("CN=root has too many already", formatEvent(events[0]))
