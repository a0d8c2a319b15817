"""Handing the listening sockets over to another process, which serves from then on.

A server with ``--handover FILE`` listens on that Unix socket. Another one that is started with it connects there before
it opens a port, and gets the listening sockets themselves (``SCM_RIGHTS``), each with the place that it is for. When it
serves, it says so, and listens on FILE itself; only then the former one lets the sockets go, drains and ends. Both have
the sockets meanwhile, so no client is refused, and those who wait to be accepted stay where they are.

    new                                    former
    ---------------------------------      ------------------------------------------------------------------
    connects, ``{"tlscomm": 1}``           looks whether it is of the same user, or root
                                           ``{"sockets": [...]}``, and the descriptors in the same order
    opens its ports, and serves
    ``{"ready": true}``                    ``{"over": true}``; lets go of the sockets, drains, ends
    puts a socket of its own at FILE

If the new one ends before it is ready, or says nothing for a minute, the former one goes on as if nothing had been. A
new one that comes after that minute finds the connection closed, and ends, where the former one still listens at FILE;
where that is gone it serves alone. Before the answer, what belongs to the former one is left as it is.

The new one asks before its reactor runs, and waits for no more than a few seconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from tlscomm.failures import printable
from tlscomm.serving._ports import CannotListen
from tlscomm.serving._sockets import ListeningSocket, ListeningSockets, fileAt

__all__ = ["Handover"]

_log = Logger(namespace="tlscomm")

#: Seconds in which the former server has to answer.
_ANSWER = 5.0
#: Seconds in which the new one has to be ready.
_READY = 60.0
#: How much the former server may say, and how many sockets it may hand over.
_MOST_BYTES = 1 << 16
_MOST_SOCKETS = 1000

_HELLO = {"tlscomm": 1}


class Handover:
    """The place where the listening sockets of a server change hands."""

    def __init__(
        self,
        reactor: Any,
        path: str,
        sockets: ListeningSockets,
        handedOver: Callable[[], object],
        tooLate: Callable[[str], object] = lambda _: None,
    ) -> None:
        """
        Args:
            reactor: listens.
            path: of the Unix socket.
            sockets: gets those of the former server, and is what is handed over to the next one.
            handedOver: is called when the next one serves: it lets go of the sockets, and ends.
            tooLate: is told that the former server goes on, because this one was ready too late: this one is to end.
        """
        self.sockets = sockets
        self.handedOver = handedOver
        self.tooLate = tooLate
        self.reactor = reactor
        #: The one who is taking over.
        self.asking: _Former | None = None
        self._path = path
        self._former: socket.socket | None = None
        self._listening: socket.socket | None = None
        self._port: Any = None
        self._file: tuple[int, int] | None = None
        self._answering: _Next | None = None

    def take(self, complain: Callable[[str], object]) -> None:
        """Get the sockets of the former server, where there is one. It is asked before a port is opened.

        Args:
            complain: is told why there is one that does not hand them over.

        Raises:
            CannotListen: so it is.
        """
        try:
            self._take()
        except CannotListen as refused:
            complain(refused.message)
            raise

    def _take(self) -> None:
        former = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        former.settimeout(_ANSWER)
        try:
            former.connect(self._path)
        except (FileNotFoundError, ConnectionRefusedError):
            former.close()
            return
        except OSError as problem:
            former.close()
            raise CannotListen(f"--handover {printable(self._path)}", problem) from None
        try:
            self._mayTrust(former)
            # What it has said may be an answer already, and the last of it.
            with contextlib.suppress(BrokenPipeError):
                former.sendall(_line(_HELLO))
            for each in _received(former):
                self.sockets.inherit(each)
        except (OSError, ValueError) as problem:
            former.close()
            raise CannotListen(f"--handover {printable(self._path)}", problem) from None
        self._former = former

    def ready(self) -> None:
        """Say to the former server that this one serves, and be there for the next one."""
        former, self._former = self._former, None
        if former is None:
            self._serve()
            return
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = lambda _: _Next(self)  # type: ignore[method-assign,assignment]
        with former:
            former.setblocking(False)
            try:
                self.reactor.adoptStreamConnection(former.fileno(), former.family, factory)
            except OSError:
                self.formerLeft()

    def agreed(self) -> None:
        """The former server has let go of the sockets."""
        self.sockets.own()
        self._serve()

    def formerLeft(self) -> None:
        """The former server has closed the connection: it has ended, or does not wait for this one any more."""
        if _listens(self._path):
            self.tooLate(
                f"--handover {printable(self._path)}: ready too late, so the server there goes on and this one ends"
            )
        else:
            self.agreed()

    def _serve(self) -> None:
        try:
            self._listen()
        except OSError as problem:
            _log.error("nothing can be handed over at {path}: {problem}", path=self._path, problem=problem.strerror)

    def close(self, *, isHandedOver: bool = False) -> None:
        """Hand over nothing any more.

        Args:
            isHandedOver: whether what is at the path now is the next server's.
        """
        if self._former is not None:
            self._former.close()
            self._former = None
        if self._answering is not None:
            self._answering.leave()
        if self.asking is not None and self.asking.hasHandedOut:
            # That one may go on with them.
            self.sockets.handOver()
        if self._port is not None and self._listening is not None:
            if not isHandedOver and fileAt(self._path) == self._file:
                with contextlib.suppress(OSError):
                    os.remove(self._path)
            self._port.stopListening()
            self._listening.close()
            self._port = self._listening = None

    def _listen(self) -> None:
        from tlscomm.serving._unixports import adoptedUNIXPort

        self._listening = listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.setblocking(False)
        # The former one may be there still, and at any time there is one.
        temporary = f"{self._path}.{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        try:
            listening.bind(temporary)
            os.chmod(temporary, 0o600)
            self._file = fileAt(temporary)
            listening.listen()
            os.rename(temporary, self._path)
        except OSError:
            listening.close()
            raise
        factory = Factory.forProtocol(_Former)
        factory.noisy = False
        factory.handover = self  # type: ignore[attr-defined]
        self._port = adoptedUNIXPort(self.reactor, listening, factory)

    def _mayTrust(self, former: socket.socket) -> None:
        """Refuse the sockets of another user's process. Root takes those of the user who has the folder.

        Raises:
            ValueError: it is another user's.
        """
        _, user = _peer(former)
        trusted = {0, os.geteuid()}
        if os.geteuid() == 0:
            trusted.add(os.stat(os.path.dirname(os.path.abspath(self._path))).st_uid)
        if user is not None and user not in trusted:
            raise ValueError(f"a process of another user ({user}) listens there")


class _Former(LineOnlyReceiver):
    """The former server's side."""

    delimiter = b"\n"
    MAX_LENGTH = 1000

    _deadline: IDelayedCall | None = None
    _process: int | None = None
    #: Whether the other one has the sockets.
    hasHandedOut = False

    @property
    def _handover(self) -> Handover:
        return self.factory.handover  # type: ignore[no-any-return]

    def connectionMade(self) -> None:
        self._process, user = _peer(self.transport.getHandle())  # type: ignore[union-attr]
        if user not in (None, 0, os.geteuid()):
            _log.warn("process {process} of user {user} may not take over", process=self._process, user=user)
            self.transport.abortConnection()  # type: ignore[union-attr]
        elif self._handover.asking is not None:
            self._say({"problem": "another process is taking over"})
            self.transport.loseConnection()  # type: ignore[union-attr]
        else:
            self._handover.asking = self
            self._deadline = self._handover.reactor.callLater(_READY, self.transport.abortConnection)  # type: ignore[union-attr]

    def lineReceived(self, line: bytes) -> None:
        try:
            words = json.loads(line)
        except ValueError:
            words = None
        if words == _HELLO:
            self._handOut()
        elif words == {"ready": True}:
            _log.info("process {process} has taken over, so this one ends", process=self._process)
            self._stopWaiting()
            self._say({"over": True})
            self.transport.loseConnection()  # type: ignore[union-attr]
            self._handover.handedOver()
        else:
            self.transport.abortConnection()  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._handover.asking is self and self._deadline is not None:
            if self.hasHandedOut:
                _log.warn("process {process} has not taken over, so this one goes on", process=self._process)
            self._stopWaiting()

    def _handOut(self) -> None:
        self.hasHandedOut = True
        handed = self._handover.sockets.changingHands
        _log.info("process {process} takes over {count} sockets", process=self._process, count=len(handed))
        for each in handed:
            self.transport.sendFileDescriptor(each.socket.fileno())  # type: ignore[union-attr]
        self._say(
            {"sockets": [{"place": each.place, "isOurs": each.isOurs, "isLocked": each.isLocked} for each in handed]}
        )

    def _stopWaiting(self) -> None:
        self._handover.asking = None
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None

    def _say(self, words: object) -> None:
        self.transport.write(_line(words))  # type: ignore[union-attr]


class _Next(LineOnlyReceiver):
    """The side of the new server, from when it serves."""

    delimiter = b"\n"
    MAX_LENGTH = 1000

    def __init__(self, handover: Handover) -> None:
        self._handover: Handover | None = handover
        handover._answering = self

    def connectionMade(self) -> None:
        self.transport.write(_line({"ready": True}))  # type: ignore[union-attr]

    def lineReceived(self, line: bytes) -> None:
        if line == _line({"over": True}).rstrip() and self._handover is not None:
            handover = self._handover
            self.leave()
            handover.agreed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._handover is not None:
            handover = self._handover
            self.leave()
            handover.formerLeft()

    def leave(self) -> None:
        """Wait for no answer any more."""
        if self._handover is not None:
            self._handover._answering = None
            self._handover = None
            self.transport.loseConnection()  # type: ignore[union-attr]


def _listens(path: str) -> bool:
    """Return whether a process listens at the path of a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        try:
            asking.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            # It has no place for one more, or is not for this user.
            return True
    return True


def _line(words: object) -> bytes:
    return json.dumps(words).encode() + b"\n"


def _peer(connection: socket.socket) -> tuple[int | None, int | None]:
    """Return the process and the user at the other end, where the system tells; else the socket's mode decides."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None, None
    process, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return process, user


def _received(former: socket.socket) -> list[ListeningSocket]:
    """Return the sockets that the former server hands over.

    Raises:
        OSError: it does not answer.
        ValueError: it answers with something else.
    """
    said, descriptors = b"", list[int]()
    try:
        while not said.endswith(b"\n"):
            data, more, _flags, _address = socket.recv_fds(former, 4096, _MOST_SOCKETS)
            descriptors += more
            said += data
            if not data or len(said) > _MOST_BYTES:
                raise ValueError("the server there ends without an answer")
        return _named(json.loads(said), descriptors)
    finally:
        for each in descriptors:
            os.close(each)


def _named(words: Any, descriptors: list[int]) -> list[ListeningSocket]:
    """Return duplicates of descriptors, with what each is for.

    Raises:
        ValueError: it is not said, or one of them does not listen.
    """
    if isinstance(words, dict) and isinstance(words.get("problem"), str):
        raise ValueError(f"the server there says: {printable(words['problem'])}")
    named = words.get("sockets") if isinstance(words, dict) else None
    if not isinstance(named, list) or len(named) != len(descriptors):
        raise ValueError("the server there does not say which sockets these are")
    return [_taken(each, descriptor) for each, descriptor in zip(named, descriptors, strict=True)]


def _taken(words: Any, descriptor: int) -> ListeningSocket:
    listening = socket.socket(fileno=os.dup(descriptor))
    try:
        place, isOurs, isLocked = str(words["place"]), bool(words["isOurs"]), bool(words["isLocked"])
        doesListen = bool(listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except (KeyError, TypeError, OSError):
        doesListen = False
    if not doesListen:
        listening.close()
        raise ValueError("what the server there hands over is no socket that listens")
    return ListeningSocket(place, listening, isOurs=isOurs, isLocked=isLocked)
