"""Standard input and output beside a connection, in one thread.

Blocking on either of them would stop the connection's deadlines and keep replies from being read, and two programs that
talk to each other through pipes would wait for each other for ever. Making them non-blocking would not do: that is a
property of the open file, which the shell and other programs share. So they are only touched when the system says that
they are ready, and never for more than fits.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["InputStream", "OutputStream"]

_CHUNK = 1 << 16


def _nobodyReads() -> BrokenPipeError:
    return BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


@implementer(IReadDescriptor)
class InputStream:
    """Reads a file, a pipe or a terminal, a piece at a time and only when it is asked to."""

    def __init__(self, reactor: Any, descriptor: int) -> None:
        """
        Args:
            reactor: watches the descriptor.
            descriptor: of a file that is open for reading; it stays open.
        """
        self._reactor = reactor
        self._descriptor = descriptor
        self._awaited: Deferred[bytes] | None = None

    async def read(self) -> bytes:
        """Return the next bytes; none at the end.

        What is there already comes at once: so the end of a file is known as soon as its last byte.

        Raises:
            OSError: it cannot be read.
        """
        if not self._isReady():
            awaited: Deferred[bytes] = Deferred(self._forget)
            self._awaited = awaited
            self._reactor.addReader(self)
            return await awaited
        return os.read(self._descriptor, _CHUNK)

    def doRead(self) -> None:
        """The reactor has seen that there is something to read."""
        self._answer(lambda: os.read(self._descriptor, _CHUNK))

    def connectionLost(self, reason: Failure) -> None:
        """The reactor has seen that the other end of a pipe is gone."""
        self._answer(lambda: b"")

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "input"

    def _answer(self, read: Callable[[], bytes]) -> None:
        awaited = self._stop()
        if awaited is None:
            return
        try:
            awaited.callback(read())
        except OSError:
            awaited.errback()

    def _forget(self, awaited: object) -> None:
        self._stop()

    def _stop(self) -> Deferred[bytes] | None:
        self._reactor.removeReader(self)
        awaited, self._awaited = self._awaited, None
        return awaited

    def _isReady(self) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(0))


class OutputStream(FileDescriptor):
    """Writes to a file, a pipe or a terminal, and pauses its producer while no program reads there."""

    connected = True

    def __init__(self, reactor: Any, descriptor: int, onBroken: Callable[[OSError], None]) -> None:
        """
        Args:
            reactor: watches the descriptor.
            descriptor: of a file that is open for writing; it stays open.
            onBroken: is told, once, why nothing more can be written.
        """
        super().__init__(reactor)
        self._descriptor = descriptor
        self._onBroken = onBroken
        self._finished: Deferred[None] | None = None

    def fileno(self) -> int:
        return self._descriptor

    def writeSomeData(self, data: bytes) -> int | BaseException:
        """Write what the system promises to take without waiting (POSIX, ``PIPE_BUF``)."""
        try:
            return os.write(self._descriptor, data[: select.PIPE_BUF])
        except BlockingIOError:
            return 0
        except OSError as broken:
            return broken

    def finish(self) -> Deferred[None]:
        """Wait until all is written. Nothing can be written any more after it.

        Returns:
            Fires when that is so. Fails with an `OSError` where it cannot be written.
        """
        finished: Deferred[None] = Deferred()
        if self.disconnected:
            finished.callback(None)
        else:
            self._finished = finished
            self.loseConnection()  # type: ignore[no-untyped-call]
        return finished

    def connectionLost(self, reason: Failure) -> None:
        """The reactor has let go of it, because all is written or because it is broken."""
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        broken = reason.value if isinstance(reason.value, OSError) else _nobodyReads()
        if self._finished is None:
            self._onBroken(broken)
        elif reason.check(ConnectionDone):
            self._finished.callback(None)
        else:
            self._finished.errback(broken)
