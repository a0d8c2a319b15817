"""Bytes given to the kernel at once, where Twisted's TCP transport gives them to it in the next turn of the reactor.

Twisted keeps what is written and asks the reactor to say when the socket takes it. That is two changes of what the
reactor watches and one more turn of it for each message, though the socket nearly always takes a message at once. So a
message is offered to the socket first, and Twisted is given only what the socket did not take.

It is right because nothing can be told from outside but the time. The socket is written to only where Twisted would
write these bytes to it next: nothing waits in the transport, no end was asked for, and no TLS of Twisted's was started
above it. Whatever else happens is left to Twisted: the rest of a short write, with which it pauses and resumes the
producer, and an error, which it finds in its next turn and never within a call of ours.

For the same reason an end with nothing left to write is made in the next turn of the reactor, as it would be there, but
without asking for a socket that can be written to.

The kernel tells of some errors once. What a write of ours was told, Twisted would not be told again, and a read that
follows would look like an end in order. So that error is kept for Twisted's own next write, and `DirectWrite.isLost`
says that an end of the stream is none.

It is done only with Twisted's own class of TCP connections, by attributes of it that are private in part. A transport
that lacks one, or does anything of its own when it is written to, as those of Unix sockets do, which send file
descriptors too, is written to in the ordinary way.
"""

from __future__ import annotations

import errno
from functools import lru_cache
from operator import attrgetter
from typing import Any

from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure

__all__ = ["MOST", "DirectWrite", "canWriteDirectly"]

#: What is written to the socket between two reads before Twisted is given a write, with which it may pause the producer
#: until its next turn: one that writes as long as it may must not keep the reactor from all others.
MOST = 1 << 18

#: The methods by which Twisted's TCP transport writes, all of which have to be its own.
_METHODS = ("write", "writeSomeData", "doWrite", "startWriting", "loseConnection", "loseWriteConnection")

#: What is asked of a transport before each write.
_ATTRIBUTES = (
    *("connected", "disconnecting", "_writeDisconnecting", "_aborting", "TLS"),
    *("dataBuffer", "_tempDataBuffer", "socket"),
)
_read = attrgetter(*_ATTRIBUTES)

#: What Twisted tells of an end in order.
_DONE = Failure(CONNECTION_DONE)

#: The socket is full, for Twisted too.
_FULL = (errno.EWOULDBLOCK, errno.EAGAIN, errno.ENOBUFS)


def canWriteDirectly(transport: Any) -> bool:
    """Return whether a transport is Twisted's TCP connection, and writes in no way of its own."""
    kind: Any = type(transport)
    if not _isOfTwisted(kind):
        return False
    try:
        _read(transport)
    except AttributeError:
        return False
    own = vars(transport)
    return not any(map(own.__contains__, _METHODS))


@lru_cache(maxsize=16)
def _isOfTwisted(kind: type) -> bool:
    """Return whether a class is of Twisted's TCP connections, and writes in no way of its own."""
    if not issubclass(kind, Connection):
        return False
    return all(getattr(kind, name) is getattr(Connection, name) for name in _METHODS)


class DirectWrite:
    """Writes to a TCP transport for which `canWriteDirectly`.

    Attributes:
        isLost: whether a write was told by the kernel that the connection is lost. The transport's ``connectionLost``
            follows, and an end of the stream that it tells of before is none.
        left: how many more bytes are written to the socket before Twisted is given a write. It may be set to `MOST` in
            each turn of the reactor.
    """

    __slots__ = ("_transport", "isLost", "left")

    def __init__(self, transport: Any) -> None:
        self.isLost = False
        self.left = MOST
        self._transport = transport

    def write(self, data: bytes) -> None:
        """Write to the socket what it takes, and to the transport the rest; as the transport's own ``write`` else."""
        transport = self._transport
        if self.left <= 0:
            self.left = MOST
        elif _nothingWaits(transport):
            size = len(data)
            self.left -= size
            try:
                sent = transport.socket.send(data)
            except OSError as problem:
                self._noteProblem(problem)
                sent = 0
            if sent == size:
                return
            data = data[sent:]
        transport.write(data)

    def close(self) -> bool:
        """Close in the next turn of the reactor, if nothing waits; return False and do nothing otherwise.

        Twisted would have the reactor say when the socket takes more, to write nothing to it and close it then. So the
        socket must be one that would take more.
        """
        transport = self._transport
        if self.isLost or not _nothingWaits(transport):
            return False
        transport.disconnecting = 1
        transport.stopReading()
        transport.reactor.callLater(0, transport.connectionLost, _DONE)
        return True

    def _noteProblem(self, problem: OSError) -> None:
        # Of a stream that has ended in order before, EPIPE says so as often as it is asked, and a read says it first.
        if problem.errno not in _FULL and problem.errno != errno.EPIPE:
            self.isLost = True
            self._transport.writeSomeData = _connectionLost


def _nothingWaits(transport: Any) -> bool:
    """Return whether nothing waits to be written or to be ended, so that Twisted would write what comes next."""
    return (
        transport.connected
        and not transport.dataBuffer
        and not transport._tempDataBuffer
        and not transport.disconnecting
        and not transport._writeDisconnecting
        and not transport._aborting
        and not transport.TLS
    )


def _connectionLost(_data: bytes) -> BaseException:
    """Stand in for ``writeSomeData`` of a transport, which would not be told again what a write was told."""
    return CONNECTION_LOST
