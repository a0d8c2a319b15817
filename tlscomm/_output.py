"""The way out of a connection: from the application's writes to the TCP transport's buffer.

Three things happen here, and they are one, because each needs what the others know:

*Coalescing.* A record costs a few microseconds and 22 bytes. Writes of one turn of the reactor become one record: those
made while bytes are being received leave when that is done, others at the start of the next turn.

*Backpressure.* What TCP cannot take stays here in plaintext, and a producer is paused. Nothing grows but what an
application writes without asking.

*The write deadline.* It runs while bytes are queued, here, in the TCP transport or in the kernel, and is over when none
of them has moved for its whole length. It is looked at only once in each such length, so that a write costs nothing.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IPullProducer, IPushProducer, IReactorTime, ITransport
from zope.interface import implementer

from tlscomm.connection import TLSConnection

try:
    from fcntl import ioctl
    from termios import TIOCOUTQ
except ImportError:  # Windows does not tell how much its kernel holds.
    ioctl = None  # type: ignore[assignment]

__all__ = ["Output"]

#: How much is encrypted at once: what the TCP transport takes before it asks for a pause.
_CHUNK = 1 << 16


@implementer(IPushProducer)
class Output:
    """Takes plaintext from an application and gives ciphertext to a transport, which it obeys as its producer."""

    def __init__(
        self,
        connection: TLSConnection,
        clock: IReactorTime,
        deadline: float | None,
        onStuck: Callable[[], None],
        onDrained: Callable[[], None],
    ) -> None:
        """
        Args:
            connection: encrypts.
            clock: tells the time and calls later.
            deadline: seconds in which some queued byte must move, or None for ever.
            onStuck: called when none has moved for that long.
            onDrained: called whenever everything was handed to the transport.
        """
        self._connection = connection
        self._clock = clock
        self._deadline = deadline
        self._onStuck = onStuck
        self._onDrained = onDrained
        self._transport: Any = None
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._held = False
        self._blocked = False
        self._flushing: IDelayedCall | None = None
        self._watch: IDelayedCall | None = None
        self._handedOver = 0
        self._moved = 0
        self._producer: Any = None
        self._streaming = False
        self._producerPaused = False

    def attach(self, transport: ITransport) -> None:
        """Begin, with the transport that takes the ciphertext."""
        self._transport = transport
        transport.registerProducer(self, True)  # type: ignore[attr-defined]

    def write(self, data: bytes) -> None:
        """Queue plaintext; it is sent in this turn of the reactor or at the start of the next."""
        self._queue.append(data)
        self._queued += len(data)
        if self._held:
            if self._queued >= _CHUNK:
                self.flush()
        elif self._flushing is None and not self._blocked:
            self._flushing = self._clock.callLater(0, self._flushLater)
        elif self._queued >= _CHUNK:
            self.flush()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Queue several pieces of plaintext."""
        self.write(b"".join(data))

    def hold(self) -> None:
        """Let writes wait for `release`, which comes in the same turn of the reactor."""
        self._held = True

    def release(self) -> None:
        """Send what was written since `hold`, and what TLS itself has to say."""
        self._held = False
        if self._queue:
            self.flush()
        else:
            self._handOver(self._connection.outgoing())

    def flush(self) -> None:
        """Encrypt and hand over as much as the transport takes."""
        connection, queue = self._connection, self._queue
        while queue and not self._blocked:
            if self._queued <= _CHUNK:
                data = queue[0] if len(queue) == 1 else b"".join(queue)
                queue.clear()
                self._queued = 0
            else:
                data = self._takeChunk()
            connection.send(data)
            self._handOver(connection.outgoing())
        if not queue and not self._blocked:
            self._noteDrained()

    def registerProducer(self, producer: IPushProducer | IPullProducer, streaming: bool) -> None:
        """Tell a producer from now on when to pause and when to go on; one at a time (`twisted.internet.interfaces`).

        Raises:
            RuntimeError: another producer is registered.
        """
        if self._producer is not None:
            raise RuntimeError(f"cannot register {producer}: {self._producer} is registered and was not unregistered")
        self._producer = producer
        self._streaming = streaming
        self._producerPaused = False
        if not streaming:
            producer.resumeProducing()
        elif self._blocked:
            self._pauseProducer()

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self._producer = None
        if not self._queue and not self._blocked:
            self._onDrained()

    @property
    def hasPullProducer(self) -> bool:
        """Whether a producer is registered that writes when it is asked to, and has more until it unregisters.

        As with Twisted's TCP transport, a close waits for such a producer, and for a push producer it does not.
        """
        return self._producer is not None and not self._streaming

    @property
    def isMoving(self) -> bool:
        """Whether bytes are still on their way to the peer, as far as this machine knows."""
        return bool(self._queue) or self._unsent() > 0

    def detach(self) -> None:
        """Let go of the transport, so that it can close once its own buffer is empty."""
        self._stopTimers()
        if self._transport is not None:
            self._transport.unregisterProducer()

    def abandon(self) -> None:
        """Forget everything that is queued: the connection is gone."""
        self._stopTimers()
        self._queue.clear()
        self._queued = 0
        self._blocked = True
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()

    def pauseProducing(self) -> None:
        """The transport is full."""
        self._blocked = True
        if self._producer is not None and self._streaming:
            self._pauseProducer()

    def resumeProducing(self) -> None:
        """The transport is empty again."""
        self._blocked = False
        if self._queue:
            self.flush()
        else:
            self._noteDrained()

    def stopProducing(self) -> None:
        """The transport is gone; its connectionLost says the rest."""
        self._blocked = True

    def _flushLater(self) -> None:
        self._flushing = None
        self.flush()

    def _takeChunk(self) -> bytes:
        """Take up to a chunk from the queue; a large piece is cut."""
        queue = self._queue
        taken, size = [], 0
        while queue and size < _CHUNK:
            size += len(queue[0])
            taken.append(queue.popleft())
        if (surplus := size - _CHUNK) > 0:
            last = taken.pop()
            queue.appendleft(last[-surplus:])
            taken.append(last[:-surplus])
            size = _CHUNK
        self._queued -= size
        return b"".join(taken)

    def _handOver(self, ciphertext: bytes) -> None:
        if not ciphertext:
            return
        if self._watch is None and self._deadline is not None:
            self._moved = self._handedOver - self._unsent()
            self._watch = self._clock.callLater(self._deadline, self._lookForMovement)
        self._handedOver += len(ciphertext)
        self._transport.write(ciphertext)

    def _noteDrained(self) -> None:
        producer = self._producer
        if producer is not None and (self._producerPaused or not self._streaming):
            self._producerPaused = False
            producer.resumeProducing()
        if not self._queue:
            self._onDrained()

    def _pauseProducer(self) -> None:
        if not self._producerPaused:
            self._producerPaused = True
            self._producer.pauseProducing()

    def _lookForMovement(self) -> None:
        self._watch = None
        if not (unsent := self._unsent()) and not self._queue:
            return
        moved = self._handedOver - unsent
        if moved <= self._moved:
            self._onStuck()
            return
        self._moved = moved
        self._watch = self._clock.callLater(self._deadline or 0, self._lookForMovement)

    def _unsent(self) -> int:
        """Return how many bytes were handed over and have not been acknowledged by the peer's machine, at least."""
        transport = self._transport
        # FileDescriptor's public attributes; other transports only say when they are full.
        buffered = len(getattr(transport, "dataBuffer", b"")) - getattr(transport, "offset", 0)
        return max(buffered, int(self._blocked)) + _heldByKernel(transport)

    def _stopTimers(self) -> None:
        for timer in (self._flushing, self._watch):
            if timer is not None and timer.active():
                timer.cancel()
        self._flushing = self._watch = None


def _heldByKernel(transport: Any) -> int:
    """Return how many bytes the kernel holds for a socket, 0 where there is none or it does not tell."""
    if ioctl is not None:
        with contextlib.suppress(AttributeError, OSError, ValueError):
            return int.from_bytes(ioctl(transport.getHandle().fileno(), TIOCOUTQ, bytes(4)), "little")
    return 0
