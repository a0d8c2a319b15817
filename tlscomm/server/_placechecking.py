"""Whether places to listen could be opened: each is bound, and closed at once. No client can come meanwhile."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from tlscomm._dataclasses import dataclass
from tlscomm.plans._listeningplaces import ListeningPlace, placeOf

__all__ = ["PlaceReport", "reportOn"]

#: Bytes of a path that a socket can have, on every system.
_LONGEST_PATH = 103
_LISTENING = "0A"


@dataclass(frozen=True)
class PlaceReport:
    """What came of looking at a place to listen.

    Attributes:
        state: ``free``; ``in-use``; ``refused``, by the system; or ``unknown``, where it cannot be told from here.
        detail: more about it, for a person; may be empty.
        process: the number of the process that listens there, None where that cannot be told.
        isOurs: whether that is a server of ours.
    """

    state: str
    detail: str = ""
    process: int | None = None
    isOurs: bool = False

    @property
    def isProblem(self) -> bool:
        """Whether a server could not listen there, unless it takes the place of the one that does."""
        return self.state == "refused" or (self.state == "in-use" and not self.isOurs)

    def toJSON(self) -> dict[str, Any]:
        """Return the facts for JSON."""
        return {"state": self.state, "detail": self.detail or None, "process": self.process, "ours": self.isOurs}


def reportOn(description: str, *, reusePort: bool = False) -> PlaceReport:
    """Return whether an endpoint string's place could be opened.

    Args:
        description: of a place to listen.
        reusePort: whether others may listen on the same port.
    """
    try:
        place = placeOf(description)
    except ValueError as problem:
        return PlaceReport("refused", str(problem))
    if place is None:
        return PlaceReport("unknown", "this is seen when the server is started")
    return _onPath(place.address) if place.kind == "unix" else _onPort(place, reusePort)


def _onPort(place: ListeningPlace, reusePort: bool) -> PlaceReport:
    try:
        # A name would be looked up.
        ipaddress.ip_address(place.address or "0.0.0.0")
    except ValueError:
        return PlaceReport("unknown", "its interface is a name")
    family = socket.AF_INET6 if place.kind == "tcp6" else socket.AF_INET
    try:
        with closing(socket.socket(family, socket.SOCK_STREAM)) as tried:
            _prepare(tried, family, reusePort)
            tried.bind((place.address, place.port))
    except OverflowError as problem:
        return PlaceReport("refused", str(problem))
    except OSError as problem:
        if problem.errno != errno.EADDRINUSE:
            return PlaceReport("refused", problem.strerror or str(problem))
        return _inUse(_inodesOf(place))
    return PlaceReport("free")


def _prepare(tried: socket.socket, family: int, reusePort: bool) -> None:
    if os.name == "posix":
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        tried.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if reusePort and hasattr(socket, "SO_REUSEPORT"):
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def _onPath(path: str) -> PlaceReport:
    if len(os.fsencode(path)) > _LONGEST_PATH:
        return PlaceReport("refused", f"the path of a socket has {_LONGEST_PATH} bytes at most")
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        folder = os.path.dirname(path) or "."
        if os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK):
            return PlaceReport("free")
        return PlaceReport("refused", "there is no such folder, or no permission to write into it")
    except OSError as problem:
        return PlaceReport("refused", problem.strerror or str(problem))
    return _onSocket(path) if stat.S_ISSOCK(mode) else PlaceReport("refused", "there is a file that is no socket")


def _onSocket(path: str) -> PlaceReport:
    with closing(socket.socket(socket.AF_UNIX)) as tried:
        tried.setblocking(False)
        try:
            tried.connect(path)
        except ConnectionRefusedError:
            return PlaceReport("free", "a socket is left there of a server that has ended")
        except OSError as problem:
            if problem.errno not in (errno.EAGAIN, errno.EINPROGRESS):
                return PlaceReport("refused", problem.strerror or str(problem))
    return _inUse(_inodesOfPath(path))


def _inUse(inodes: frozenset[str]) -> PlaceReport:
    """Return who listens there, where the system tells us, as Linux does of processes of ours."""
    for number, words in _processesWith(inodes):
        isOurs = any(os.path.basename(word) in ("twistd", "tlscomm") for word in words[:3]) and "tlscomm" in words
        name = " ".join(words)[:80]
        return PlaceReport("in-use", f"by process {number}: {name}", number, isOurs or "tlscomm.server._worker" in name)
    return PlaceReport("in-use", "by another program")


def _inodesOf(place: ListeningPlace) -> frozenset[str]:
    wanted = f"{place.port:04X}"
    found = set()
    for table in ("tcp", "tcp6"):
        for row in _rows(f"/proc/net/{table}"):
            if len(row) > 9 and row[3] == _LISTENING and row[1].endswith(f":{wanted}"):
                found.add(row[9])
    return frozenset(found)


def _inodesOfPath(path: str) -> frozenset[str]:
    return frozenset(row[6] for row in _rows("/proc/net/unix") if len(row) > 7 and row[7] == os.path.abspath(path))


def _rows(path: str) -> list[list[str]]:
    try:
        return [line.split() for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines()[1:]]
    except OSError:
        return []


def _processesWith(inodes: frozenset[str]) -> Iterator[tuple[int, list[str]]]:
    """Give the processes that have one of these sockets open, as far as we may look at them."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    folders = sorted(Path("/proc").glob("[0-9]*"), key=lambda each: int(each.name)) if wanted else []
    for folder in folders:
        with suppress(OSError):
            if any(os.readlink(each) in wanted for each in (folder / "fd").iterdir()):
                line = (folder / "cmdline").read_bytes().decode("utf-8", "replace")
                yield int(folder.name), [re.sub(r"[^ -~]", "?", word) for word in line.rstrip("\0").split("\0")]
