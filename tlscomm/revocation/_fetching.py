"""Revocation lists from where the certificates say that they are published (RFC 5280, section 4.2.1.13).

Never for the handshake that asks: it would wait for another company's server. What a handshake misses is noted, fetched
in the background, and there for the next one. A list is looked at before it is kept: signed by the authority that has
issued the certificate, about that certificate, current, and not older than the one that is known. That is done in a
thread, because a list may have a million entries. What is kept is on the disk too, so that a server that starts again
knows what it knew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from cryptography import x509
from twisted.logger import Logger

from tlscomm.failures import FileNotFound, Unreadable, printable
from tlscomm.failures._loggedfailure import logFailure
from tlscomm.failures._wording import timeText
from tlscomm.revocation._addresses import FetchFailed, isFetchable
from tlscomm.revocation._backgroundtask import inThread
from tlscomm.revocation._crl import issuerKey, maySignLists
from tlscomm.revocation._entries import decoded
from tlscomm.revocation._places import FILE_NAME, Line, Place, Places, Publication, digestOf, lineOf
from tlscomm.revocation._revocationlist import RevocationList, kindOf
from tlscomm.watching._marks import Mark, markOf
from tlscomm.x509._extensions import extensionsOf
from tlscomm.x509._facts import subjectText
from tlscomm.x509._files import File, writeFiles
from tlscomm.x509._remembering import remembering
from tlscomm.x509._unreadable import REJECTIONS, unreadableText

if TYPE_CHECKING:
    from twisted.internet.defer import DeferredLock
    from twisted.internet.interfaces import IReactorTime

__all__ = ["ListFetcher"]

_log = Logger(namespace="tlscomm")

#: Bytes: what a list may have, as one from a file.
_LARGEST = 16 << 20
_SECONDS = 30.0
_MOST_AT_ONCE = 4
_MOST_POINTS = 4
#: Bytes a second that all fetches of one list come to at most, however short it counts.
_FASTEST = 1 << 16
#: Seconds between two warnings that there is no more room. Each handshake could bring one.
_BETWEEN_WARNINGS = 60.0

#: By file, so that a configuration that is read again takes the lists of the one before: to read them takes seconds.
_inMemory: WeakValueDictionary[tuple[str, Mark], RevocationList] = WeakValueDictionary()


class ListFetcher:
    """Fetches lists and keeps them in a folder.

    Args:
        folder: where. It is made, for its owner only.
        whenChanged: called when there is another list.
        fromPrivateAddresses: whether a list's server may have a private address, a loopback one and so on.

    Raises:
        FileNotFound: there is no folder above it.
        Unreadable: it cannot be used.
    """

    def __init__(
        self, folder: str | os.PathLike[str], whenChanged: Callable[[], object], *, fromPrivateAddresses: bool = False
    ) -> None:
        self.folder = Path(folder)
        self._fromPrivateAddresses = fromPrivateAddresses
        self._whenChanged = whenChanged
        self._places = Places(self._forget)
        self._byAuthority: dict[str, dict[str, RevocationList]] = {}
        self._isBeginning = False
        self._warnsAgain = float("-inf")
        self._clock: IReactorTime | None = None
        self._reading: DeferredLock | None = None
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self._readKept()
        except FileNotFoundError:
            # With a path that is mistyped the lists would be in a place where their owner does not look for them.
            raise FileNotFound(
                f"{printable(str(self.folder.parent))}, the folder above {printable(str(folder))}",
                remedy="Correct the path of the folder for fetched lists (--fetch-crls), or make the folder above it.",
            ) from None
        except OSError as problem:
            raise Unreadable(f"{printable(str(folder))}: {problem.strerror}") from None

    @property
    def lists(self) -> list[RevocationList]:
        """The lists that were fetched."""
        return [each for lists in self._byAuthority.values() for each in lists.values()]

    @property
    def addresses(self) -> list[str]:
        """The addresses that lists are fetched from."""
        return [each.url for place in self._places for each in place.publications.values() if each.url]

    def listsFor(self, path: Sequence[x509.Certificate]) -> Iterator[RevocationList]:
        """Give the lists that the authorities of a path have signed, and not those of others with the same names."""
        for authority in path[1:]:
            yield from self._byAuthority.get(digestOf(authority), {}).values()

    def whyMissing(self, path: Sequence[x509.Certificate]) -> str:
        """Return why the list is not there that a certificate is looked up in, printable; nothing where it is there.

        Args:
            path: the certificate, its issuer, and so on up to the anchor.
        """
        for url in _urls(path[0]):
            known = self._places.known(lineOf(path[1:]), url)
            if known is None or (not known.size and not known.problem):
                return f"its list at {printable(url)} has not come yet"
            if known.problem:
                return f"its list at {printable(url)} did not come: {known.problem}"
        return "" if _urls(path[0]) else "it does not say where a list is published (CRL distribution points)"

    def note(self, path: Sequence[x509.Certificate]) -> None:
        """Take note of where the lists for a path are published.

        Args:
            path: each certificate, then its issuer. It was verified, up to an authority that is trusted.
        """
        now = 0.0 if self._clock is None else self._clock.seconds()
        for depth, certificate in enumerate(path[:-1], 1):
            if urls := _urls(certificate):
                line = lineOf(path[depth:])
                for url in urls:
                    isNew = self._places.want(line, url, (certificate, path[depth]), now)
                    if isNew:
                        self._beginSoon()
                    elif isNew is None and now >= self._warnsAgain:
                        self._warnsAgain = now + _BETWEEN_WARNINGS
                        _warnOfRoom(url, path[depth])

    def work(self, clock: IReactorTime) -> None:
        """Fetch what is due. Without a network, as in memory, nothing is."""
        from twisted.internet.defer import DeferredLock
        from twisted.internet.interfaces import IReactorTCP

        if IReactorTCP.providedBy(clock):
            self._clock = clock
            self._reading = self._reading or DeferredLock()
            self._begin()

    def _beginSoon(self) -> None:
        if self._clock is not None and not self._isBeginning:
            self._isBeginning = True
            self._clock.callLater(0, self._begin)

    def _begin(self) -> None:
        from twisted.internet.defer import Deferred

        self._isBeginning = False
        assert self._clock is not None
        while self._places.running < _MOST_AT_ONCE and (due := self._places.next(self._clock.seconds())) is not None:
            Deferred.fromCoroutine(self._fetch(*due, self._clock))

    async def _fetch(self, place: Place, wanted: Publication, clock: IReactorTime) -> None:
        self._places.begin(place, wanted)
        try:
            # Twisted's HTTP client comes with it, and most programs fetch nothing.
            from tlscomm.revocation._web import fetch

            content = await fetch(
                clock, wanted.url, largest=_LARGEST, seconds=_SECONDS, fromPrivateAddresses=self._fromPrivateAddresses
            )
            await self._take(_decoded(content), place, wanted, clock)
        except FetchFailed as problem:
            wanted.problem = str(problem)
            wanted.schedule.failed(clock.seconds())
            _log.warn(
                "no revocation list from {url}: {problem}", url=printable(wanted.url), problem=printable(str(problem))
            )
        except Exception:
            wanted.schedule.failed(clock.seconds())
            logFailure(_log, "fetching a revocation list broke")
        finally:
            self._places.end(place, wanted)
            self._beginSoon()

    async def _take(self, content: bytes, place: Place, wanted: Publication, clock: IReactorTime) -> None:
        now, known = datetime.now(timezone.utc), self._byAuthority.get(place.line[-1], {}).get(wanted.name)
        assert self._reading is not None
        # One at a time: threads share the processor with the reactor.
        fetched = await self._reading.run(inThread, clock, _checked, content, wanted, known, now)
        if not self._places.keep(place, wanted, len(content), clock.seconds()):
            raise FetchFailed("there is no room for it beside the other lists of its authority")
        try:
            await inThread(clock, writeFiles, self.folder, {wanted.name: File(content, isSecret=True)})
        except OSError as problem:
            raise FetchFailed(f"it cannot be kept: {problem.strerror}") from None
        self._know(place.line, self.folder / wanted.name, fetched)
        wanted.problem = ""
        assert fetched.nextUpdate is not None
        wanted.schedule.succeeded(clock.seconds(), now, fetched.nextUpdate, least=len(content) / _FASTEST)
        _log.info(
            "fetched the revocation list from {url}, valid until {until}",
            url=printable(wanted.url),
            until=timeText(fetched.nextUpdate),
        )
        self._whenChanged()

    def _forget(self, name: str) -> None:
        """Take a list away that has given way to another one."""
        with suppress(OSError):
            (self.folder / name).unlink()
        for authority, lists in self._byAuthority.items():
            if lists.pop(name, None) is not None:
                if not lists:
                    del self._byAuthority[authority]
                self._whenChanged()
                return

    def _readKept(self) -> None:
        """Read the lists in the folder, the latest ones where there are too many."""
        for path, line, mark in _filesIn(self.folder):
            if self._places.restore(line, path.name, mark[1]):
                try:
                    known = _inMemory.get((os.path.abspath(path), mark))
                    self._know(line, path, known or _read(path.read_bytes()))
                except (FetchFailed, OSError) as problem:
                    _log.warn("{path}: {problem}", path=printable(str(path)), problem=printable(str(problem)))

    def _know(self, line: Line, path: Path, known: RevocationList) -> None:
        self._byAuthority.setdefault(line[-1], {})[path.name] = known
        _inMemory[os.path.abspath(path), markOf(path)] = known


def _filesIn(folder: Path) -> list[tuple[Path, Line, tuple[int, int, int, int]]]:
    """Return the files that lists were kept in, the latest first."""
    found = []
    for path in folder.glob("*.crl"):
        # A person may be clearing the folder up.
        if (parts := re.fullmatch(FILE_NAME, path.name)) and (mark := markOf(path)) is not None:
            found.append((path, tuple(parts[1].split(".")), mark))
    return sorted(found, key=lambda each: each[2][2], reverse=True)


def _warnOfRoom(url: str, issuer: x509.Certificate) -> None:
    _log.warn(
        "no revocation list from {url}: {issuer} has too many already, or there are too many altogether",
        url=printable(url),
        issuer=subjectText(issuer),
    )


def _checked(content: bytes, wanted: Publication, known: RevocationList | None, at: datetime) -> RevocationList:
    """Read a list that has come, in a thread.

    Raises:
        FetchFailed: it is none that counts.
    """
    fetched = _read(content)
    certificate, issuer = wanted.certificates
    if fault := next(chain(_faults(fetched, certificate, issuer), _ageFaults(fetched, known, at)), ""):
        raise FetchFailed(fault)
    return fetched


def _decoded(content: bytes) -> bytes:
    try:
        return decoded(content)
    except ValueError as problem:
        raise FetchFailed(str(problem)) from None


def _read(content: bytes) -> RevocationList:
    try:
        return RevocationList(content)
    except REJECTIONS as problem:
        raise FetchFailed(f"it cannot be read: {unreadableText(problem)}") from None


def _faults(fetched: RevocationList, certificate: x509.Certificate, issuer: x509.Certificate) -> Iterator[str]:
    """Say why a list is not the one that its address was named for."""
    if fetched.issuer != issuerKey(certificate):
        yield "it is the list of another authority"
    if not maySignLists(issuer, orHasNoUsage=True):
        yield "its authority may not sign lists"
    if not fetched.isSignedBy(issuer):
        yield "it is badly signed"
    if fault := fetched.faultFor(kindOf(certificate)):
        yield fault
    if fetched.base is not None:
        yield "it is a delta list, which adds to another one"


def _ageFaults(fetched: RevocationList, known: RevocationList | None, at: datetime) -> Iterator[str]:
    if not fetched.isCurrent(at):
        yield "it has expired, or is not valid yet"
    if known is not None and fetched.number < known.number:
        yield f"its number {fetched.number} is lower than {known.number}, which is known"
    if known is not None and fetched.thisUpdate < known.thisUpdate:
        yield "it is older than the one that is known"


@remembering(1024)
def _urls(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return where the lists that a certificate is looked up in are published."""
    try:
        points = [*extensionsOf(certificate).get_extension_for_class(x509.CRLDistributionPoints).value]
    except (x509.ExtensionNotFound, *REJECTIONS):
        return ()
    found = (_urlOf(point) for point in points[:_MOST_POINTS] if not point.crl_issuer)
    return tuple(dict.fromkeys(url for url in found if url))


def _urlOf(point: x509.DistributionPoint) -> str:
    names = (point.full_name or ())[:_MOST_POINTS]
    urls = (name.value for name in names if isinstance(name, x509.UniformResourceIdentifier))
    # The others lead to the same list.
    return next((url for url in urls if isFetchable(url)), "")
