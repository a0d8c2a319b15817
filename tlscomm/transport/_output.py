"""The way out of a connection: from the application's writes to the TCP transport's buffer.

Three things happen here, and they are one, because each needs what the others know:

*Coalescing.* A record costs a few microseconds and 22 bytes, and the kernel's call for it more than that. Writes of one
turn of the reactor become one record: those made while bytes are being received leave when that is done, others at the
start of the next turn. Nothing tells whether the first write of a turn is its last, as where Deferreds fire one after
another, so none leaves earlier: what it waits for is the rest of the turn, and no socket.

*Backpressure.* What TCP cannot take stays here in plaintext, and a producer is paused. Nothing grows but what an
application writes without asking.

*The write deadline.* It runs while bytes are queued, here, in the TCP transport or in the kernel, and is over when none
of them has moved for its whole length. It is looked at a few times in each such length, so that a write costs nothing,
and so it may be over a fraction of its length late.

What TLS writes by itself is no application data: no producer is paused because of it, and no read deadline waits for
it. How much of it may wait is for `tlscomm.transport._answers` to say.
"""

from __future__ import annotations

import contextlib
import sys
from socket import AF_INET, AF_INET6
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IPullProducer, IPushProducer, IReactorTime, ITransport
from zope.interface import implementer

from tlscomm.tls import TLSConnection
from tlscomm.transport._answers import Answers
from tlscomm.transport._directwrite import MOST, DirectWrite, canWriteDirectly

try:
    from fcntl import ioctl
    from termios import TIOCOUTQ
except ImportError:  # Windows does not tell how much its kernel holds.
    ioctl = None  # type: ignore[assignment]

__all__ = ["Output"]

#: How much is encrypted at once: what the TCP transport takes before it asks for a pause. A write that is longer by no
#: more than a record is not cut: a message of 64 KiB has a few bytes of framing.
_CHUNK = 1 << 16
_LARGEST_CHUNK = _CHUNK + (1 << 14)

#: How much in the whole life of a connection is so little that its socket takes more, so that a close need not wait.
_LITTLE = 1 << 13

#: How often in the length of the write deadline it is looked at whether bytes have moved.
_LOOKS = 4


class Owner(Protocol):
    """What an output tells the transport that it belongs to."""

    def noteStuck(self) -> None:
        """Nothing has moved for the length of the deadline."""

    def noteDrained(self) -> None:
        """Everything that was written is with TCP."""

    def noteBroken(self) -> None:
        """The producer has raised; its exception is being handled."""

    def readOn(self) -> None:
        """The peer, which was not read any more, may be read again."""


@implementer(IPushProducer)
class Output:
    """Takes plaintext from an application and gives ciphertext to a transport, which it obeys as its producer.

    Attributes:
        answers: what TLS writes by itself.
    """

    __slots__ = (
        "_blocked",
        "_blockedAt",
        "_clock",
        "_connection",
        "_deadline",
        "_direct",
        "_flushing",
        "_handedOver",
        "_held",
        "_isAttached",
        "_isEnding",
        "_isOver",
        "_moved",
        "_ownEnd",
        "_owner",
        "_producer",
        "_producerHasMore",
        "_producerPaused",
        "_queue",
        "_queued",
        "_streaming",
        "_transport",
        "_vainLooks",
        "_watch",
        "answers",
    )

    def __init__(self, clock: IReactorTime, owner: Owner) -> None:
        """
        Args:
            clock: tells the time and calls later.
            owner: is told what becomes of what was sent.
        """
        self.answers = Answers(clock, self)
        self._deadline: float | None = None
        self._clock = clock
        self._owner = owner
        self._connection: Any = None
        self._transport: Any = None
        self._direct: DirectWrite | None = None
        self._queue: list[bytes | memoryview] = []
        self._queued = 0
        self._held = False
        self._blocked = False
        self._flushing: IDelayedCall | None = None
        self._watch: IDelayedCall | None = None
        self._handedOver = 0
        self._ownEnd = 0
        self._blockedAt = 0
        self._moved = 0
        self._vainLooks = 0
        self._producer: Any = None
        self._streaming = False
        self._producerPaused = False
        self._isEnding = False
        self._producerHasMore = False
        self._isAttached = False
        self._isOver = False

    def attach(self, connection: TLSConnection, transport: ITransport) -> None:
        """Begin, with what encrypts and with the transport that takes the ciphertext."""
        self._connection = connection
        self._transport = transport
        self._direct = DirectWrite(transport) if canWriteDirectly(transport) else None
        self._isAttached = True
        transport.registerProducer(self, True)  # type: ignore[attr-defined]

    def startDeadline(self, deadline: float | None) -> None:
        """Let the write deadline run from now on; before the connection is accepted there is none.

        Args:
            deadline: seconds in which some queued byte must move, or None for ever.
        """
        self._deadline = self.answers.deadline = deadline
        if self._blocked:
            self._watchMovement()

    def write(self, data: bytes) -> None:
        """Queue plaintext; it is sent in this turn of the reactor or at the start of the next."""
        size = len(data)
        if size <= _LARGEST_CHUNK:
            self._queue.append(data)
        else:
            # Without a copy.
            view = memoryview(data)
            self._queue.extend([view[start : start + _CHUNK] for start in range(0, size, _CHUNK)])
        self._queued += size
        if self._blocked:
            # It goes on where TCP is full of TLS's own answers alone.
            self._pauseProducer()
        elif not self._held and self._flushing is None:
            self._flushing = self._clock.callLater(0, self._flushLater)
        elif self._queued >= _CHUNK:
            self.flush()

    def hold(self) -> None:
        """Let writes wait for `release`, which comes in the same turn of the reactor: a new one, as bytes have come."""
        self._held = True
        if self._direct is not None:
            self._direct.left = MOST

    def release(self) -> None:
        """Send what was written since `hold`, and what TLS itself has to say."""
        self._held = False
        if self._queue and not self._blocked:
            self.flush()
        elif answers := self._connection.outgoing():
            self._handOver(answers)
            self.answers.note(len(answers), self._handedOver)

    def noteVain(self, count: int, received: int) -> None:
        """Bytes have come without application data, after so many with it (`Answers.noteVain`)."""
        if not self._isOver:
            self.answers.noteVain(count, received, self._handedOver)

    def flush(self) -> None:
        """Encrypt and hand over as much as the transport takes."""
        while self._queue and not self._blocked:
            if ciphertext := self._connection.sealed(self._takeChunk()):
                self._handOver(ciphertext)
                self._ownEnd = self._handedOver
        if not self._blocked:
            if self._producer is not None and (self._producerPaused or not self._streaming):
                self._feed()
            if not (self._queue or self._blocked):
                self._owner.noteDrained()

    def flushLast(self) -> None:
        """Send all that there is, because an end was asked for."""
        self._isEnding = True
        self.flush()

    def stopProducer(self) -> None:
        """Stop and forget the producer: what it still has is not wanted."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                producer.stopProducing()
            except Exception:
                self._owner.noteBroken()

    def handOver(self, isOwn: bool = False) -> None:
        """Give the transport what TLS has to say, without a look at what is queued.

        Args:
            isOwn: whether we have it say something, application data or an end, and the peer did not ask for all of it.
        """
        if ciphertext := self._connection.outgoing():
            self._handOver(ciphertext)
            if isOwn:
                self._ownEnd = self._handedOver

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
            self._resumeProducer()
        elif self._blocked and self.isMoving:
            self._pauseProducer()

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self._producer = None
        if self.isEmpty:
            self._owner.noteDrained()

    @property
    def producer(self) -> object:
        """The producer that is registered, which may write while an end waits, or None."""
        return self._producer

    @property
    def hasPullProducer(self) -> bool:
        """Whether a producer is registered that writes when it is asked to, and has more until it unregisters."""
        return self._producer is not None and not self._streaming and not self._isOver

    @property
    def awaitsProducer(self) -> bool:
        """Whether a close waits for the producer until it unregisters.

        As with Twisted's TCP transport it waits for a pull producer, and for a push producer that was paused when the
        end was asked for, or since: it has more. For one that could have written all that it has it does not wait.
        """
        return self.hasPullProducer or (self._producer is not None and self._producerHasMore)

    @property
    def isEmpty(self) -> bool:
        """Whether everything was handed to the transport, which would take more."""
        return not self._queue and not self._blocked

    @property
    def isMoving(self) -> bool:
        """Whether bytes of ours, not TLS's own answers, are on their way to the peer, as far as this machine knows."""
        return bool(self._queue) or self.taken() < self._ownEnd

    @property
    def isLost(self) -> bool:
        """Whether TCP is lost, and an end of its stream is none (`DirectWrite.isLost`)."""
        return self._direct is not None and self._direct.isLost

    @property
    def unsent(self) -> int:
        """How many bytes are queued here or on their way, TLS's own answers included."""
        return self._queued + self._unsent()

    def finish(self) -> bool:
        """Hand over TLS's last words, forget what is queued, and let go; return whether there were any."""
        before = self._handedOver
        self.discard()
        self.handOver()
        self.detach()
        return self._handedOver > before

    def detach(self) -> None:
        """Let go of the transport, so that it can close once its own buffer is empty."""
        if self._isAttached:
            # What is written from now on is dropped above, and it is not told any more when the transport is empty.
            self._isAttached = self._blocked = False
            self._transport.unregisterProducer()

    def closeTCP(self) -> None:
        """Let go of the transport, and have it close once its own buffer is empty."""
        self.detach()
        isLittle = self._handedOver <= _LITTLE
        if not (isLittle and self._direct is not None and self._direct.close()):
            self._transport.loseConnection()

    def discard(self) -> None:
        """Forget what is queued, and send nothing more."""
        self._isOver = self._blocked = True
        self._deadline = None
        self._queue.clear()
        self._queued = 0
        self.answers.end()
        for timer in (self._flushing, self._watch):
            if timer is not None and timer.active():
                timer.cancel()
        self._flushing = self._watch = None

    def end(self) -> None:
        """The connection is gone: forget everything and everybody."""
        self.discard()
        self.stopProducer()
        # What leads back to the transport goes, so that it is freed with its last user and not by a collection.
        self._owner = _GONE
        if self._connection is not None:
            self._connection.release()

    def pauseProducing(self) -> None:
        """The transport is full."""
        if not self._blocked:
            self._blockedAt = self._handedOver
        self._blocked = True
        # Mostly it is full of what was just written, and then nothing need be looked at.
        if self._producer is not None and (self._ownEnd == self._handedOver or self.isMoving):
            self._pauseProducer()

    def resumeProducing(self) -> None:
        """The transport is empty again."""
        if not self._isOver:
            self._blocked = False
            self.flush()

    def stopProducing(self) -> None:
        """The transport is gone; its connectionLost says the rest."""

    def taken(self) -> int:
        """Return how many bytes that were handed over the peer's machine has acknowledged, at most."""
        return self._handedOver - self._unsent()

    def stopReading(self) -> None:
        """Part of `tlscomm.transport._answers.Stream`."""
        self._transport.pauseProducing()

    def answersTaken(self) -> None:
        """Part of `tlscomm.transport._answers.Stream`."""
        self._owner.readOn()

    def answersStuck(self) -> None:
        """Part of `tlscomm.transport._answers.Stream`."""
        self._owner.noteStuck()

    def _flushLater(self) -> None:
        self._flushing = None
        if self.hasPullProducer and not self._queue and not self._blocked:
            self._resumeProducer()
        self.flush()

    def _handOver(self, ciphertext: bytes) -> None:
        if self._watch is None and self._deadline is not None:
            self._watchMovement()
        self._handedOver += len(ciphertext)
        (self._direct or self._transport).write(ciphertext)

    def _takeChunk(self) -> bytes | memoryview:
        queue = self._queue
        if len(queue) == 1:
            self._queued = 0
            return queue.pop()
        if self._queued <= _CHUNK:
            whole = b"".join(queue)
            queue.clear()
            self._queued = 0
            return whole
        count, size = 1, len(queue[0])
        while size + len(queue[count]) <= _CHUNK:
            size += len(queue[count])
            count += 1
        data = queue[0] if count == 1 else b"".join(queue[:count])
        # An empty deque takes 600 bytes of each connection, and this moves 8 for each piece that is left.
        del queue[:count]
        self._queued -= size
        return data

    def _feed(self) -> None:
        """Everything is with the transport, so the producer may go on."""
        if self._producerPaused:
            self._resumeProducer()
        elif not self._streaming and self._flushing is None:
            # In another turn, because what a pull producer writes leads back here.
            self._flushing = self._clock.callLater(0, self._flushLater)

    def _resumeProducer(self) -> None:
        self._producerPaused = False
        self._producerHasMore = self._isEnding
        try:
            self._producer.resumeProducing()
        except Exception:
            self._owner.noteBroken()

    def _pauseProducer(self) -> None:
        if self._producer is None or not self._streaming or self._producerPaused:
            return
        self._producerPaused = True
        try:
            self._producer.pauseProducing()
        except Exception:
            self._owner.noteBroken()

    def _watchMovement(self) -> None:
        # A watch ends only when nothing is on its way, so all that was handed over before has moved.
        self._moved, self._vainLooks = self._handedOver, 0
        self._lookLater()

    def _lookLater(self) -> None:
        if self._deadline is not None:
            self._watch = self._clock.callLater(self._deadline / _LOOKS, self._lookForMovement)

    def _lookForMovement(self) -> None:
        self._watch = None
        if not (unsent := self._unsent()) and not self._queue:
            # A connection that is idle should not keep the memory that its largest message took.
            self._connection.renewBuffers()
            return
        moved = self._handedOver - unsent
        self._vainLooks = self._vainLooks + 1 if moved <= self._moved else 0
        self._moved = moved
        if self._vainLooks >= _LOOKS:
            self._owner.noteStuck()
        else:
            self._lookLater()

    def _unsent(self) -> int:
        """Return how many bytes were handed over and have not been acknowledged by the peer's machine, at least."""
        transport = self._transport
        since = self._handedOver - self._blockedAt + 1 if self._blocked else 0
        if isinstance(below := getattr(transport, "unsent", None), int):
            # TLS of ours is below, and knows.
            return below
        # Of Twisted's FileDescriptor, the first two public; other transports only say when they are full.
        buffered = len(getattr(transport, "dataBuffer", b"")) - getattr(transport, "offset", 0)
        buffered += getattr(transport, "_tempDataLen", 0)
        return max(buffered, since) + _heldByKernel(transport)


class _Gone(Owner):
    """Stands in for the owner when there is nothing more to tell."""

    __slots__ = ()

    def noteStuck(self) -> None: ...

    def noteDrained(self) -> None: ...

    def noteBroken(self) -> None: ...

    def readOn(self) -> None: ...


_GONE = _Gone()


def _heldByKernel(transport: Any) -> int:
    """Return how many bytes the kernel holds for a TCP socket, 0 where there is none or it does not tell."""
    if ioctl is not None:
        with contextlib.suppress(AttributeError, OSError, ValueError):
            handle = transport.getHandle()
            # For other kinds of sockets the number counts the kernel's own memory as well.
            if handle.family in (AF_INET, AF_INET6):
                return int.from_bytes(ioctl(handle.fileno(), TIOCOUTQ, bytes(4)), sys.byteorder)
    return 0
