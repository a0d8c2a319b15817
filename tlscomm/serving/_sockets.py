"""The listening sockets of a process: opened by itself, handed over by systemd, or inherited from another process.

Twisted's ports open a socket and, when they stop, shut it down. That ends it in every process that has it, and resets
the clients who wait in it to be accepted. So the sockets are opened here, and Twisted's ports get a duplicate of them,
which they close and nothing else: another process that has the socket goes on as if nothing had happened, and a client
who waits is accepted by that one.

No endpoint string is parsed here. An endpoint asks a reactor to listen, and what is asked here only looks like one: so
every string of Twisted's and of plugins is understood that asks a reactor for a TCP or a Unix port. A string that does
something else (onion: for example) listens as it always does, and its socket is not known here.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, cast

from twisted.internet.base import ReactorBase
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorSocket, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.python.lockfile import FilesystemLock
from zope.interface import implementer

from tlscomm._dataclasses import dataclass
from tlscomm.endpoints._below import BACKLOG, endpointBelow
from tlscomm.serving._filelimit import FileLimitLog

__all__ = ["ListeningSocket", "ListeningSockets", "fileAt"]

_UNIX = getattr(socket, "AF_UNIX", None)
_HAS_REUSE_PORT = hasattr(socket, "SO_REUSEPORT")


@dataclass(frozen=True)
class ListeningSocket:
    """A socket that listens.

    Attributes:
        place: what it is for: the endpoint string as it was typed.
        socket: does not block, and is closed in programs that are started.
        isOurs: whether the path of a Unix socket is ours to remove in the end. One that systemd made is not.
        isLocked: whether the path of a Unix socket has Twisted's lock beside it.
    """

    place: str
    socket: socket.socket
    isOurs: bool = True
    isLocked: bool = False

    def __post_init__(self) -> None:
        # As long as the socket is open, no other file gets the number of its own.
        object.__setattr__(self, "_file", fileAt(self.path) if self.path else None)

    @property
    def hasPath(self) -> bool:
        """Whether what is at the path is this socket, and not one that another process has put there since."""
        return bool(self.path) and fileAt(self.path) == self.__dict__["_file"]

    @property
    def path(self) -> str:
        """The path of a Unix socket, else nothing."""
        name = self.socket.getsockname() if self.socket.family == _UNIX else ""
        # Those in Linux's abstract namespace are bytes, and have no file.
        return name if isinstance(name, str) else ""


class ListeningSockets:
    """The sockets that a process listens on. Each is for a place, as it was typed.

    A process that serves gives `endpoint` to what listens. One that only keeps the sockets, for its children, calls
    `open`.
    """

    def __init__(self, inherited: Iterable[ListeningSocket] = (), *, reusePort: bool = False) -> None:
        """
        Args:
            inherited: sockets that listen already. The one of a place is taken when that place is to be opened.
            reusePort: whether TCP sockets let other processes of this user open the same port (``SO_REUSEPORT``).

        Raises:
            ValueError: the system has no ``SO_REUSEPORT``.
        """
        if reusePort and not _HAS_REUSE_PORT:
            raise ValueError("this system cannot have several processes open one port: leave out --reuse-port")
        self._inherited = list(inherited)
        self._fromOthers: set[ListeningSocket] = set()
        self._others: list[ListeningSockets] = []
        self._isHandedOver = self._isApart = False
        self._open: list[ListeningSocket] = []
        self._acceptors: dict[ListeningSocket, Callable[[socket.socket], object]] = {}
        self._reusePort = reusePort

    def __iter__(self) -> Iterator[ListeningSocket]:
        return iter(self._open)

    def endpoint(self, reactor: Any, place: str) -> IStreamServerEndpoint:
        """Return an endpoint that listens on a place, with the inherited socket where there is one.

        Args:
            reactor: listens. One without sockets, as in tests in memory, is asked for ports as always.
            place: an endpoint string.

        Raises:
            ValueError: it describes no endpoint; the message says why.
        """
        if not (IReactorSocket.providedBy(reactor) and isinstance(reactor, ReactorBase)):
            return endpointBelow(reactor, place)
        return endpointBelow(_Opening(self, place, partial(_adopt, reactor), reactor), place)

    def open(self, place: str) -> None:
        """Open the socket of a place, or take the inherited one, and let no client in.

        Args:
            place: an endpoint string that asks for a TCP or a Unix port, or names a socket of systemd.

        Raises:
            CannotListenError, OSError: it cannot be opened.
            ValueError: it describes no endpoint, or one that has no socket.
        """
        before = len(self._open)
        opening = endpointBelow(_Opening(self, place, _closed), place).listen(cast(IProtocolFactory, Factory()))
        failures: list[Any] = []
        opening.addErrback(failures.append)
        for failure in failures:
            failure.raiseException()
        if len(self._open) == before:
            raise ValueError(f"{place} has no socket that several processes could listen on")

    def add(self, listening: ListeningSocket, accept: Callable[[socket.socket], object] | None = None) -> None:
        """Have a socket that was opened or handed over.

        Args:
            listening: the socket.
            accept: takes a client of it, where this process has any.
        """
        self._open.append(listening)
        if accept is not None:
            self._acceptors[listening] = accept

    def others(self) -> ListeningSockets:
        """Return a place for sockets that are opened and closed at other times, and change hands with these."""
        others = ListeningSockets(reusePort=self._reusePort)
        others._inherited = self._inherited
        others._isApart = True
        self._others.append(others)
        return others

    @property
    def changingHands(self) -> list[ListeningSocket]:
        """What another process takes that serves instead of this one."""
        return [each for sockets in (self, *self._others) for each in sockets]

    def handOver(self) -> None:
        """Note that another process has them, so that to close them here is to do nothing else."""
        for sockets in (self, *self._others):
            sockets._isHandedOver = True

    def inherit(self, listening: ListeningSocket) -> None:
        """Have a socket that listens already, for when its place is to be opened."""
        self._inherited.append(listening)

    def take(self, place: str) -> ListeningSocket | None:
        """Return the inherited socket of a place, once."""
        found = next((each for each in self._inherited if each.place == place), None)
        if found is not None:
            self._inherited.remove(found)
            self._fromOthers.add(found)
        return found

    def acceptWaiting(self) -> None:
        """Accept the clients who wait in the sockets that this process serves."""
        for each, accept in self._acceptors.items():
            _acceptWaiting(each.socket, accept)

    def own(self) -> None:
        """Be the one process that has the sockets now: those of places that are not served any more are closed."""
        for sockets in (self, *self._others):
            sockets._fromOthers.clear()
        for each in self._inherited:
            if each.isLocked and each.hasPath:
                _unlock(each.path)
            _end(each)
        self._inherited.clear()
        for each in self.changingHands:
            if each.isLocked and each.hasPath:
                # The lock names the process that had it before.
                _unlock(each.path)
                FilesystemLock(f"{each.path}.lock").lock()

    def release(self) -> None:
        """Close the sockets here. Another process has them and goes on."""
        for each in self._letGo():
            each.socket.close()
        if not self._isApart:
            for each in self._inherited:
                each.socket.close()
            self._inherited.clear()

    def discard(self) -> None:
        """Close the sockets as if they had never been: the process that they were inherited from, if any, goes on."""
        self._acceptors = {}
        self.close()

    def close(self) -> None:
        """Close the sockets for good, and remove the paths of Unix sockets that were made here.

        The clients who wait in a socket that was made here are accepted before. Those who wait in one of systemd's are
        left to the next process that systemd starts with it, and all are where another process has them (`handOver`).
        """
        if self._isHandedOver:
            self.release()
            return
        acceptors = self._acceptors
        for each in self._letGo():
            if each in self._fromOthers:
                each.socket.close()
                continue
            if each.isOurs and each in acceptors:
                _acceptWaiting(each.socket, acceptors[each])
            _end(each)
        self.release()

    def _letGo(self) -> list[ListeningSocket]:
        opened, self._open, self._acceptors = self._open, [], {}
        return opened

    def openTCP(self, place: str, port: int, interface: str, backlog: int) -> ListeningSocket:
        """Open a TCP port.

        Raises:
            CannotListenError: it cannot be opened.
        """
        family = socket.AF_INET6 if ":" in interface else socket.AF_INET
        try:
            opened = socket.socket(family, socket.SOCK_STREAM)
        except OSError as problem:
            raise CannotListenError(interface, port, problem) from None
        try:
            # Elsewhere it would let another program steal the port.
            if os.name == "posix":
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self._reusePort:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            opened.bind(_address(interface, port, family))
            opened.listen(backlog)
        except (OSError, OverflowError) as problem:
            opened.close()
            raise CannotListenError(interface, port, cast(OSError, problem)) from None
        return ListeningSocket(place, opened)

    def openUNIX(self, place: str, path: str, backlog: int, mode: int, isLocked: bool) -> ListeningSocket:
        """Open a Unix socket. With a lock, one that was left behind by a process that is gone is replaced.

        Raises:
            CannotListenError: it cannot be opened.
        """
        if isLocked:
            _lock(path)
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            opened.bind(path)
            os.chmod(path, mode)
            opened.listen(backlog)
        except OSError as problem:
            opened.close()
            if isLocked:
                _unlock(path)
            raise CannotListenError(None, path, problem) from None
        return ListeningSocket(place, opened, isLocked=isLocked)


class _Opening:
    """What an endpoint takes for a reactor: it opens the socket that is asked for, or takes the inherited one."""

    def __init__(
        self,
        sockets: ListeningSockets,
        place: str,
        adopt: Callable[[socket.socket, IProtocolFactory], IListeningPort],
        reactor: Any = None,
    ) -> None:
        self._sockets = sockets
        self._place = place
        self._adopt = adopt
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = "") -> IListeningPort:
        open = partial(self._sockets.openTCP, self._place, port, interface, backlog)
        return self._listen(open, factory)

    def listenUNIX(
        self, address: str, factory: IProtocolFactory, backlog: int = 50, mode: int = 0o666, wantPID: int = 0
    ) -> IListeningPort:
        open = partial(self._sockets.openUNIX, self._place, os.fsdecode(address), backlog, mode, bool(wantPID))
        return self._listen(open, factory)

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory) -> IListeningPort:
        # The endpoint closes its own.
        duplicate = socket.socket(fileno=os.dup(fileDescriptor))
        return self._listen(lambda: ListeningSocket(self._place, duplicate, isOurs=False), factory)

    def _listen(self, open: Callable[[], ListeningSocket], factory: IProtocolFactory) -> IListeningPort:
        listening = self._sockets.take(self._place) or open()
        listening.socket.setblocking(False)
        listening.socket.set_inheritable(False)
        accept = None if self._reactor is None else partial(_accept, self._reactor, factory)
        self._sockets.add(listening, accept)
        return self._adopt(listening.socket, factory)


def _adopt(reactor: Any, listening: socket.socket, factory: IProtocolFactory) -> IListeningPort:
    if listening.family == _UNIX:
        from tlscomm.serving._unixports import adoptedUNIXPort

        port: Any = adoptedUNIXPort(reactor, listening, factory)
    else:
        port = reactor.adoptStreamPort(listening.fileno(), listening.family, factory)
    FileLimitLog.use(port, reactor)
    return cast(IListeningPort, port)


@implementer(IListeningPort)
class _ClosedPort:
    """A port that lets no client in."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening

    def startListening(self) -> None: ...

    def stopListening(self) -> None: ...

    def getHost(self) -> Any:
        return self._listening.getsockname()


def _closed(listening: socket.socket, _: IProtocolFactory) -> IListeningPort:
    return _ClosedPort(listening)


def _accept(reactor: Any, factory: IProtocolFactory, client: socket.socket) -> None:
    # It may be gone already.
    with client, contextlib.suppress(OSError):
        client.setblocking(False)
        reactor.adoptStreamConnection(client.fileno(), client.family, factory)


def _acceptWaiting(listening: socket.socket, accept: Callable[[socket.socket], object]) -> None:
    """Accept the clients who wait in a socket, but no more than may wait there at a time."""
    for _ in range(BACKLOG):
        try:
            client, _address = listening.accept()
        except OSError:
            return
        accept(client)


def _address(interface: str, port: int, family: int) -> Any:
    if family == socket.AF_INET:
        return interface, port
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return socket.getaddrinfo(interface, port, family, socket.SOCK_STREAM, 0, flags)[0][4]


def _lock(path: str) -> None:
    lock = FilesystemLock(f"{path}.lock")
    if not lock.lock():
        raise CannotListenError(None, path, cast(OSError, "another process listens there"))
    # What the process has left behind that had the lock before. No other file than a socket is removed.
    with contextlib.suppress(OSError):
        if not lock.clean and stat.S_ISSOCK(os.stat(path).st_mode):
            os.remove(path)


def _unlock(path: str) -> None:
    with contextlib.suppress(OSError):
        os.remove(f"{path}.lock")


def _end(listening: ListeningSocket) -> None:
    if listening.isOurs and listening.hasPath:
        with contextlib.suppress(OSError):
            os.remove(listening.path)
    if listening.isLocked and _hasLock(listening.path):
        _unlock(listening.path)
    listening.socket.close()


def _hasLock(path: str) -> bool:
    """Return whether the lock of a path is this process's."""
    try:
        return os.readlink(f"{path}.lock") == str(os.getpid())
    except OSError:
        return False


def fileAt(path: str) -> tuple[int, int] | None:
    """Return which file is at a path now, whatever others were or will be there; None where there is none."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
