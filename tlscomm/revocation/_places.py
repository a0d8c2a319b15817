"""What each authority may have fetched and kept, so that none takes the room of another one.

An authority that we trust may have handed a part of its power to another company, and that one may issue certificates
with any addresses in them, and make any number of authorities below itself. So there is a limit for each authority, and
one for all together; and where that one is reached, the one that has most gives way. An authority counts together with
all that are below it, so making more of them wins nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field
from typing import Any, TypeAlias

from cryptography import x509

from tlscomm._dataclasses import dataclass
from tlscomm.revocation._retrying import Schedule
from tlscomm.x509 import _der
from tlscomm.x509._remembering import remembering

__all__ = ["FILE_NAME", "Line", "Place", "Places", "Publication", "digestOf", "lineOf"]

Line: TypeAlias = tuple[str, ...]
"""The authorities above a certificate, the trust anchor first, each as a digest of its name and key."""

FILE_NAME = r"([0-9a-f]{16}(?:\.[0-9a-f]{16})*)-[0-9a-f]{32}\.crl"
"""The name of a list's file, as a regular expression: the line, and a digest of the address."""

#: Some authorities cut their list in 128 pieces.
_MOST_OF_ONE, _MOST = 128, 1024
#: Bytes.
_LARGEST_OF_ONE, _LARGEST = 32 << 20, 128 << 20
#: How many lists of one authority are fetched at once.
_MOST_AT_ONCE = 2
#: Seconds after which a list that no peer has needed gives way to any other.
_IDLE = 3600.0

#: Where the key is in a TBSCertificate that begins with its version (RFC 5280, section 4.1).
_KEY = 6


@dataclass
class Publication:
    """A list at an address.

    Attributes:
        name: that of its file.
        url: the address, empty where the list was found in the folder and no peer has needed it since.
        certificates: the one that names the address, which the list has to be about, and its issuer, which has to sign
            the list.
        wantedAt: when a peer needed it last, in seconds of the clock.
        size: its bytes, 0 where it has not been fetched.
        schedule: when it is fetched.
        problem: why it did not come when it was fetched last, printable.
    """

    name: str
    url: str = ""
    certificates: tuple[x509.Certificate, ...] = ()
    wantedAt: float = float("-inf")
    size: int = 0
    schedule: Schedule = field(default_factory=Schedule)
    problem: str = ""


@dataclass
class Place:
    """What one authority has.

    Attributes:
        line: it, after those above it.
        publications: its lists by the names of their files, the one first that no peer has needed for longest.
        size: the bytes of them all.
        running: how many of them are being fetched.
        turn: which fetch of all was its last.
    """

    line: Line
    publications: dict[str, Publication] = field(default_factory=dict)
    size: int = 0
    running: int = 0
    turn: int = 0

    @property
    def share(self) -> float:
        """How much it has of what all may have together."""
        return max(len(self.publications) / _MOST, self.size / _LARGEST)

    @property
    def oldest(self) -> Publication | None:
        """The list that gives way first. One that is being fetched does not."""
        return next((each for each in self.publications.values() if not each.schedule.isRunning), None)


class Places:
    """The places of all authorities.

    Args:
        whenDropped: called with the name of a list's file that has given way to another one.

    Attributes:
        running: how many lists are being fetched.
    """

    def __init__(self, whenDropped: Callable[[str], object]) -> None:
        self._whenDropped = whenDropped
        self._places: dict[Line, Place] = {}
        #: By authority, with all below it.
        self._runningBelow: Counter[Line] = Counter()
        self._turns = 0
        self._number = self._size = 0

    @property
    def running(self) -> int:
        return sum(place.running for place in self)

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places.values())

    def known(self, line: Line, url: str) -> Publication | None:
        """Return what is known of the list at an address."""
        place = self._places.get(line)
        return None if place is None else place.publications.get(_fileName(line, url))

    def want(self, line: Line, url: str, certificates: tuple[x509.Certificate, ...], now: float) -> bool | None:
        """Note that a peer needs the list at an address.

        Returns:
            Whether that is new, or None where there is no room for it.
        """
        place, name = self._places.get(line) or Place(line), _fileName(line, url)
        # Taken out and put back, so that they are in the order in which they were needed.
        known = place.publications.pop(name, None)
        wanted = known or Publication(name)
        isNew = not wanted.url
        wanted.url, wanted.certificates, wanted.wantedAt = url, certificates, now
        if known is None:
            self._add(place, wanted)
            if not self._fits(place, wanted, now):
                self._drop(place, wanted)
                return None
        else:
            place.publications[name] = known
        return isNew

    def restore(self, line: Line, name: str, size: int) -> bool:
        """Take in a file from the folder; return whether there is room for it."""
        place, restored = self._places.get(line) or Place(line), Publication(name)
        self._add(place, restored)
        self._resize(place, restored, size)
        hasRoom = not self._tooFull(place)
        if not hasRoom:
            self._drop(place, restored)
        return hasRoom

    def keep(self, place: Place, fetched: Publication, size: int, now: float) -> bool:
        """Make room for a list that has come; return whether there is any."""
        before = fetched.size
        self._resize(place, fetched, size)
        hasRoom = self._fits(place, fetched, now)
        if not hasRoom:
            self._resize(place, fetched, before)
        return hasRoom

    def next(self, now: float) -> tuple[Place, Publication] | None:
        """Return what is to be fetched next, of the authority for which least is being fetched."""
        ready = [place for place in self if place.running < _MOST_AT_ONCE and any(_due(place, now))]
        if not ready:
            return None

        def weight(line: Line, places: list[Place]) -> tuple[int, int]:
            return self._runningBelow[line], max(place.turn for place in places)

        place = _selected(ready, min, weight)
        return place, min(_due(place, now), key=lambda each: each.schedule.failures)

    def begin(self, place: Place, fetched: Publication) -> None:
        """Note that a list is being fetched. It keeps its place until `end` is called."""
        self._turns += 1
        fetched.schedule.isRunning, place.turn = True, self._turns
        self._count(place, 1)

    def end(self, place: Place, fetched: Publication) -> None:
        """Note that a list is not being fetched any more."""
        fetched.schedule.isRunning = False
        self._count(place, -1)

    def _count(self, place: Place, change: int) -> None:
        place.running += change
        for depth in range(len(place.line)):
            above = place.line[: depth + 1]
            self._runningBelow[above] += change
            if not self._runningBelow[above]:
                del self._runningBelow[above]

    def _fits(self, place: Place, new: Publication, now: float) -> bool:
        """Have others give way, until there is room; return False where it is the new one that has to."""
        while candidates := self._tooFull(place):
            idle = min((each for each in _oldest(candidates) if each[1] is not new), key=_wantedAt, default=None)
            if idle is not None and now - idle[1].wantedAt >= _IDLE:
                self._drop(*idle)
                continue
            fullest = _selected(candidates, max, lambda _, group: (sum(one.share for one in group), place in group))
            if fullest is place or (oldest := fullest.oldest) is None:
                return False
            self._drop(fullest, oldest)
        return True

    def _tooFull(self, place: Place) -> list[Place]:
        """Return the places of which one has to give something up for the lists in this one."""
        if len(place.publications) > _MOST_OF_ONE or place.size > _LARGEST_OF_ONE:
            return [place]
        return list(self) if self._number > _MOST or self._size > _LARGEST else []

    def _add(self, place: Place, added: Publication) -> None:
        self._places[place.line] = place
        place.publications[added.name] = added
        self._number += 1

    def _resize(self, place: Place, changed: Publication, size: int) -> None:
        self._size += size - changed.size
        place.size += size - changed.size
        changed.size = size

    def _drop(self, place: Place, dropped: Publication) -> None:
        self._resize(place, dropped, 0)
        self._number -= 1
        del place.publications[dropped.name]
        if not place.publications:
            del self._places[place.line]
        self._whenDropped(dropped.name)


def lineOf(issuers: Sequence[x509.Certificate]) -> Line:
    """Return the authorities above a certificate.

    Args:
        issuers: its issuer, and so on up to the anchor.
    """
    return tuple(digestOf(issuer) for issuer in reversed(issuers))


def _selected(places: Iterable[Place], choose: Callable[..., Any], weight: Callable[[Line, list[Place]], Any]) -> Place:
    """Return the place of the authority that has most, or least.

    The anchors are compared first, each with all that is below it, then the authorities below the chosen one, and so
    on.
    """
    left, depth = list(places), 0
    while len(left) > 1:
        groups: dict[Line, list[Place]] = {}
        for place in left:
            groups.setdefault(place.line[: depth + 1], []).append(place)
        left = groups[choose(groups, key=lambda line: weight(line, groups[line]))]
        depth += 1
    return left[0]


def _oldest(places: Iterable[Place]) -> Iterator[tuple[Place, Publication]]:
    return ((place, oldest) for place in places if (oldest := place.oldest) is not None)


def _wantedAt(one: tuple[Place, Publication]) -> float:
    return one[1].wantedAt


def _due(place: Place, now: float) -> Iterator[Publication]:
    return (each for each in place.publications.values() if each.url and each.schedule.isDue(now))


def _fileName(line: Line, url: str) -> str:
    return f"{'.'.join(line)}-{hashlib.sha256(url.encode('ascii')).hexdigest()[:32]}.crl"


@remembering(256)
def digestOf(authority: x509.Certificate) -> str:
    """Return a digest of an authority's name and key."""
    # The key as it stands in the certificate: the library may not know its algorithm.
    parts = _der.first(authority.tbs_certificate_bytes).parts()
    key = parts[_KEY if parts[0].tag == _der.CONTEXT_0 else _KEY - 1]
    return hashlib.sha256(authority.subject.public_bytes() + key.encoded).hexdigest()[:16]
