"""Revocation lists from where the certificates say that they are published (RFC 5280, section 4.2.1.13).

Never for the handshake that asks: it would wait for a stranger's server. What a handshake misses is noted, fetched in
the background, and there for the next one. A list is looked at before it is kept: signed by the authority that issued
the certificate, current, and not older than the one that is known. What is kept is on the disk too, so that a server
that starts again knows what it knew.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from twisted.logger import Logger

from tlscomm.failures import FileNotFound, TLSFailure, Unreadable, printable
from tlscomm.failures._wording import timeText
from tlscomm.revocation._addresses import FetchFailed, isFetchable
from tlscomm.revocation._crl import RevocationList
from tlscomm.revocation._listfiles import readLists
from tlscomm.revocation._marks import markOf
from tlscomm.revocation._retrying import Schedule
from tlscomm.x509._files import File, writeFiles
from tlscomm.x509._unreadable import REJECTIONS

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

__all__ = ["ListFetcher"]

_log = Logger(namespace="tlscomm")

#: What a list may have, as one from a file.
_LARGEST = 16 << 20
_SECONDS = 30.0
_MOST_LISTS = 100
_MOST_HOSTS = 20
_MOST_AT_ONCE = 4
_MOST_POINTS = 4


@dataclass
class _Wanted:
    issuer: x509.Certificate
    schedule: Schedule = field(default_factory=Schedule)


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
        self._wanted: dict[str, _Wanted] = {}
        self._running = 0
        self._clock: IReactorTime | None = None
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self._known = dict(self._kept())
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
        return [*self._known.values()]

    def note(self, path: Sequence[x509.Certificate]) -> None:
        """Take note of where the lists for a path are published.

        Args:
            path: each certificate, then its issuer. It was verified, up to an authority that is trusted.
        """
        for certificate, issuer in pairwise(path):
            for url in _addresses(certificate):
                if url not in self._wanted and self._hasRoom(url):
                    self._wanted[url] = _Wanted(issuer)
                    if self._clock is not None:
                        self._clock.callLater(0, self._begin, self._clock)

    def work(self, clock: IReactorTime) -> None:
        """Fetch what is due. Without a network, as in memory, nothing is."""
        from twisted.internet.interfaces import IReactorTCP

        if IReactorTCP.providedBy(clock):
            self._clock = clock
            self._begin(clock)

    def _begin(self, clock: IReactorTime) -> None:
        from twisted.internet.defer import Deferred

        for url, wanted in self._wanted.items():
            if self._running < _MOST_AT_ONCE and wanted.schedule.isDue(clock.seconds()):
                Deferred.fromCoroutine(self._fetch(url, wanted, clock))

    async def _fetch(self, url: str, wanted: _Wanted, clock: IReactorTime) -> None:
        wanted.schedule.isRunning = True
        self._running += 1
        try:
            # Twisted's HTTP client comes with it, and most programs fetch nothing.
            from tlscomm.revocation._web import fetch

            content = await fetch(
                clock,
                url,
                largest=_LARGEST,
                seconds=_SECONDS,
                fromPrivateAddresses=self._fromPrivateAddresses,
            )
            self._take(content, url, wanted, clock)
        except (FetchFailed, TLSFailure) as problem:
            wanted.schedule.failed(clock.seconds())
            _log.warn("no revocation list from {url}: {problem}", url=printable(url), problem=str(problem))
        except Exception:
            wanted.schedule.failed(clock.seconds())
            _log.failure("fetching a revocation list broke")
        finally:
            self._running -= 1

    def _take(self, content: bytes, url: str, wanted: _Wanted, clock: IReactorTime) -> None:
        now = datetime.now(timezone.utc)
        fetched = _single(content)
        if fault := _fault(fetched, wanted.issuer, self._known.get(_nameFor(url)), now):
            raise FetchFailed(fault)
        self._store(url, fetched, content)
        assert fetched.nextUpdate is not None
        wanted.schedule.succeeded(clock.seconds(), now, fetched.nextUpdate)
        _log.info(
            "fetched the revocation list from {url}, valid until {until}",
            url=printable(url),
            until=timeText(fetched.nextUpdate),
        )
        self._whenChanged()

    def _store(self, url: str, fetched: RevocationList, content: bytes) -> None:
        name = _nameFor(url)
        try:
            writeFiles(self.folder, {name: File(content, isSecret=True)})
        except OSError as problem:
            raise FetchFailed(f"it cannot be kept: {problem.strerror}") from None
        self._known[name] = fetched

    def _kept(self) -> Iterator[tuple[str, RevocationList]]:
        """Return the lists in the folder, the latest ones where there are too many."""
        # A person may be clearing the folder up.
        marks = {path: mark for path in self.folder.glob("*.crl") if (mark := markOf(path)) is not None}
        paths = sorted(marks, key=lambda path: marks[path][2], reverse=True)
        for path in paths[_MOST_LISTS:]:
            path.unlink(missing_ok=True)
        for path in paths[:_MOST_LISTS]:
            try:
                yield path.name, readLists(path)[0]
            except TLSFailure as problem:
                _log.warn("{problem}", problem=str(problem))

    def _hasRoom(self, url: str) -> bool:
        host, hosts = _host(url), {_host(other) for other in self._wanted}
        return len(self._wanted) < _MOST_LISTS and (host in hosts or len(hosts) < _MOST_HOSTS)


def _single(content: bytes) -> RevocationList:
    lists = readLists(content)
    if len(lists) != 1:
        raise FetchFailed("it is more than one list")
    return lists[0]


def _fault(fetched: RevocationList, issuer: x509.Certificate, known: RevocationList | None, at: datetime) -> str:
    if not fetched.isSignedBy(issuer):
        return "it is badly signed"
    if fetched.fault:
        return fetched.fault
    if not fetched.isCurrent(at):
        return "it has expired, or is not valid yet"
    if known is not None and fetched.number < known.number:
        return f"its number {fetched.number} is lower than {known.number}, which is known"
    return ""


def _addresses(certificate: x509.Certificate) -> Iterator[str]:
    try:
        points = [*certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value]
    except (x509.ExtensionNotFound, *REJECTIONS):
        return
    for point in points[:_MOST_POINTS]:
        for name in (point.full_name or ())[:_MOST_POINTS]:
            if isinstance(name, x509.UniformResourceIdentifier) and isFetchable(name.value) and not point.crl_issuer:
                yield name.value
                # The others lead to the same list.
                break


def _nameFor(url: str) -> str:
    return f"{hashlib.sha256(url.encode('ascii')).hexdigest()[:40]}.crl"


def _host(url: str) -> str:
    return url.split("/", 3)[2]
