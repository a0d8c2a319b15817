"""TCP in memory as `tlscomm.testing.MemoryLink`, but of Twisted's own TCP transports, which are written to directly.

Each end is Twisted's class for it; only its socket and its reactor are stand-ins. The socket takes little at a time, so
that short writes and full sockets come about in any conversation of some length.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IProtocol
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure

from tlscomm.testing import MemoryLink
from tlscomm.transport import _output
from tlscomm.transport._directwrite import DirectWrite

__all__ = ["DirectLink", "DirectTransport", "DirectlyWritten", "Kernel", "Watching"]


class Kernel:
    """The socket of one end.

    Attributes:
        held: what it was given and the other end has not taken.
        room: how many bytes it holds at most.
        error: the number of the error that the next call is told, once, or None.
        isShutDown: whether our side of the stream has ended.
        calls: how many bytes it was given in each call, and what it took of them.
    """

    def __init__(self) -> None:
        self.held = bytearray()
        self.room = 20_000
        self.error: int | None = None
        self.isShutDown = False
        self.calls: list[tuple[int, int]] = []

    def send(self, data: Any) -> int:
        self._tell()
        if self.isShutDown:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        taken = data[: max(0, self.room - len(self.held))]
        self.calls.append((len(data), len(taken)))
        if data and not taken:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self.held += taken
        return len(taken)

    def recv(self, size: int) -> bytes:
        """Tell of an error, or of the end of the stream: bytes do not come this way."""
        self._tell()
        return b""

    def _tell(self) -> None:
        number, self.error = self.error, None
        if number is not None:
            # What was on its way is gone, and so is the way.
            self.held.clear()
            self.isShutDown = True
            raise OSError(number, os.strerror(number))

    def shutdown(self, how: int) -> None:
        self.isShutDown = True

    def setblocking(self, isBlocking: bool) -> None: ...

    def setsockopt(self, *option: object) -> None: ...

    def close(self) -> None: ...

    def fileno(self) -> int:
        return -1


class Watching:
    """The part of a reactor that knows which ends want to read and to write."""

    def __init__(self) -> None:
        self.readers: set[object] = set()
        self.writers: set[object] = set()
        self.addReader = self.readers.add
        self.removeReader = self.readers.discard
        self.addWriter = self.writers.add
        self.removeWriter = self.writers.discard

    def callLater(self, *_: object) -> None:
        """Forget the end of a transport: it is for the link to tell to both."""


class DirectTransport(Connection):
    """One end, with what tests look at in a `MemoryTransport`."""

    def __init__(self, protocol: IProtocol, host: Any, peer: Any) -> None:
        self._watching = Watching()
        super().__init__(Kernel(), protocol, self._watching)  # type: ignore[arg-type]
        self.kernel: Any = self.socket
        self.connected = 1
        self.wasAborted = False
        self.writeClosed = False
        self.startReading()
        self._addresses = host, peer

    @property
    def written(self) -> bytearray:
        """What waits to be carried to the other end, in the kernel and, once that is full, in Twisted's buffers."""
        self.turn()
        buffered = self.dataBuffer[self.offset :] + b"".join(self._tempDataBuffer)
        return self.kernel.held + buffered if buffered else self.kernel.held  # type: ignore[no-any-return]

    @property
    def writeClosing(self) -> bool:
        return self._writeDisconnecting or bool(self.kernel.isShutDown)

    @property
    def isReading(self) -> bool:
        return self in self._watching.readers

    @isReading.setter
    def isReading(self, isReading: bool) -> None:
        (self.startReading if isReading else self.stopReading)()

    def take(self, most: int | None = None) -> bytes:
        """Take bytes off the kernel, to which Twisted gives what it has; and let the reactor turn once more."""
        left = len(self.written) if most is None else min(most, len(self.written))
        taken = bytearray()
        self.turn()
        while piece := self.kernel.held[:left]:
            del self.kernel.held[:left]
            taken += piece
            left -= len(piece)
            self.turn()
        return bytes(taken)

    def turn(self) -> None:
        """Let the reactor turn: have Twisted write, where it wants to and the kernel would take something."""
        hasRoom = len(self.kernel.held) < self.kernel.room or self.kernel.isShutDown
        if self.connected and self in self._watching.writers and hasRoom:
            result = self.doWrite()
            # An end in order is for the link to tell to both ends.
            if result is not None and result is not CONNECTION_DONE:
                self.connectionLost(Failure(result))

    def forget(self) -> None:
        """Forget all that waits."""
        self.kernel.held.clear()
        self.dataBuffer, self.offset, self._tempDataBuffer, self._tempDataLen = b"", 0, [], 0

    def abortConnection(self) -> None:
        self._aborting = self.wasAborted = True
        self.disconnecting = 1
        self.forget()
        self.stopReading()
        self.stopWriting()

    def lose(self, reason: BaseException) -> None:
        if self.connected:
            self.connectionLost(Failure(reason))

    def getHost(self) -> Any:
        return self._addresses[0]

    def getPeer(self) -> Any:
        return self._addresses[1]


class DirectLink(MemoryLink):
    """A TCP connection in memory between two of Twisted's transports."""

    end = DirectTransport

    def cut(self) -> None:
        for end in (self.client, self.server):
            end.forget()  # type: ignore[attr-defined]
        for end in (self.client, self.server):
            end.lose(ConnectionLost())

    def _carry(self, source: Any, target: Any) -> bool:
        source.turn()
        return super()._carry(source, target)


class DirectlyWritten:
    """Has the tests of a case run over a `DirectLink`: to be named before the case."""

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        self.link = DirectLink
        heldByKernel = _output._heldByKernel

        def held(transport: Any) -> int:
            ours = len(transport.kernel.held) if isinstance(transport, DirectTransport) else 0
            return ours + heldByKernel(transport)

        self.patch(_output, "_heldByKernel", held)  # type: ignore[attr-defined]

    def watch(self, end: Any, written: list[bytes]) -> None:
        """Write down what is handed over to one end."""
        write = DirectWrite.write

        def writing(direct: Any, data: bytes) -> None:
            if direct._transport is end:
                written.append(data)
            write(direct, data)

        self.patch(DirectWrite, "write", writing)  # type: ignore[attr-defined]
