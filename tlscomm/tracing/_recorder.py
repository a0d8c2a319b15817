"""What passes on one live connection, kept until its trace is asked for.

A transport that is traced tells its recorder of all bytes each way and of all secrets. Bytes and secrets are kept as
they are, which costs little, and are read only when the trace is asked for. What a stranger sends is kept up to a bound
and beyond it only counted, so that it is never read while it comes. Of a connection that was accepted, what is too much
to be kept is read as it comes.

What has come is told twice. When it comes its time is noted, and it waits. When TLS has taken it in, it is handed on:
the secrets that open it are there then, and a capture file needs them first. What goes out follows from all that has
come, so that what waits goes before it.

A recorder must not change what happens. Whatever goes wrong in it, in a file or in an observer is logged, once, and
then the connection goes on without it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from twisted.logger import Logger

from tlscomm._capture.packets import Address
from tlscomm._wire.dissector import Dissector
from tlscomm._wire.events import Event, Kind
from tlscomm._wire.secrets import Secrets
from tlscomm.failures import TLSFailure
from tlscomm.failures._loggedfailure import logFailure
from tlscomm.tracing._allowance import Allowance
from tlscomm.tracing._assembling import assemble
from tlscomm.tracing._capturefile import CapturedConnection
from tlscomm.tracing._places import Places
from tlscomm.tracing._trace import Side, Trace
from tlscomm.tracing._tracing import EventObserver, Tracing

__all__ = ["Recorder"]

_log = Logger(namespace="tlscomm")

#: So many bytes of an accepted connection are kept as they are. A handshake has a tenth of that.
_MOST_KEPT = 1 << 16

#: About how many bytes a piece takes beside its content: a tuple, a time, and the header of its bytes.
_PIECE_BYTES = 150

#: When there are so many pieces, small ones of one side that follow each other are joined. Bytes that come one by one
#: would take a hundred times their size. A record is complete when its last byte comes, so the last time is kept.
_MANY_PIECES = 128
_SMALL_PIECE = 1 << 10

#: So many lines of a key log are kept; a connection makes five or six.
_MOST_LINES = 64

#: So many events are told as they happen. Beyond it a dissector keeps the last ones in the place of others.
_MOST_TOLD = 256

#: About how many bytes an event takes beside its content, a record of it, and a recorder.
_EVENT_BYTES = 400
_RECORD_BYTES = 250
_OWN_BYTES = 4096


F = TypeVar("F", bound=Callable[..., None])


def _harmless(method: F) -> F:
    """Have what a method raises end the recording, and nothing else."""

    @wraps(method)
    def guarded(self: Recorder, *arguments: Any) -> None:
        if not self._isBroken:
            try:
                method(self, *arguments)
            except Exception:
                self._break()

    return cast(F, guarded)


class Recorder:
    """Records one connection.

    Attributes:
        number: of the connection, as in the log of a server.
        side: which side we are.
        hasBegun: whether `begin` was called.
        failure: what the connection ended with, once it has ended.
        isFinished: whether it has.
        wasAccepted: whether both sides have accepted each other.
    """

    __slots__ = (
        "__weakref__",
        "_allowances",
        "_capture",
        "_client",
        "_dissector",
        "_hasSpoken",
        "_isBroken",
        "_isClient",
        "_isKeeping",
        "_kept",
        "_leftOut",
        "_lines",
        "_live",
        "_now",
        "_places",
        "_secrets",
        "_seen",
        "_server",
        "_size",
        "_started",
        "_told",
        "_tracing",
        "_verdict",
        "_waiting",
        "failure",
        "hasBegun",
        "isFinished",
        "number",
        "side",
        "wasAccepted",
    )

    def __init__(
        self,
        tracing: Tracing,
        side: Side,
        number: int,
        places: Places,
    ) -> None:
        """
        Args:
            tracing: what is wanted.
            side: which side we are.
            number: of the connection.
            places: has one for it once something is said, unless others need it.
        """
        self.number = number
        self.side = side
        self.hasBegun = False
        self.failure: TLSFailure | None = None
        self.isFinished = False
        self.wasAccepted = False
        self._tracing = tracing
        self._now = tracing.now
        self._isClient = side == "client"
        self._places = places
        self._hasSpoken = False
        self._isKeeping = tracing.keepsRefused
        isLive = hasattr(tracing.observer, "happened")
        self._live = cast(EventObserver, tracing.observer) if isLive else None
        self._isBroken = False
        self._client: Address | None = None
        self._server: Address | None = None
        self._capture: CapturedConnection | None = None
        self._started = self._firstTime()
        self._waiting: list[tuple[int, bytes]] = []
        self._kept: list[tuple[bool, int, bytes | str | int]] = []
        self._size = 0
        self._allowances = {True: Allowance(), False: Allowance()}
        self._leftOut: dict[bool, tuple[int, int]] = {}
        self._lines: list[bytes] = []
        self._secrets: Secrets | None = None
        self._dissector: Dissector | None = None
        self._verdict: tuple[bool, str] | None = None
        self._told = 0
        self._seen: set[tuple[bool, str]] = set()

    @_harmless
    def begin(self, client: Address | None, server: Address | None) -> None:
        """TCP is connected, and the addresses are known, as far as they ever will be."""
        self.hasBegun = True
        self._client, self._server = client, server
        if self._tracing.capture is not None:
            self._capture = self._tracing.capture.begin(client, server, self._started, self.side)
        if self._isKeeping:
            self._keep(True, self._started, "SYN")
            self._keep(False, self._started, "SYN")

    @_harmless
    def came(self, data: bytes) -> None:
        """Bytes have come, which TLS has yet to look at."""
        self._waiting.append((self._now(), data))

    def settle(self) -> None:
        """TLS has taken in what has come."""
        if self._waiting:
            self._handOn()

    @_harmless
    def went(self, data: bytes) -> None:
        """Bytes were given to TCP."""
        if self._waiting:
            self._handOn()
        self._pass(self._isClient, self._now(), data)

    def addSecret(self, line: bytes) -> None:
        """Take a line of the key log of this connection, without its end."""
        if self._isBroken:
            return
        try:
            if self._tracing.keyLog is not None:
                self._tracing.keyLog.write(line)
            if self._capture is not None:
                self._capture.secrets(line)
            if self._secrets is not None:
                self._secrets.add(line)
            elif self._isKeeping and len(self._lines) < _MOST_LINES:
                self._lines.append(line)
        except Exception:
            self._break()

    @_harmless
    def streamEnded(self, isOwn: bool, isReset: bool = False) -> None:
        """A side has ended its stream, or has reset the connection; what is said again is not heard."""
        step = isOwn, "RST" if isReset else "FIN"
        if step in self._seen:
            return
        self._seen.add(step)
        self.settle()
        isFromClient, now = isOwn is self._isClient, self._now()
        if self._capture is not None:
            self._capture.end(isFromClient, "RST" if isReset else "FIN", now)
        if self._isKeeping:
            self._tellLeftOut(isFromClient)
            self._keep(isFromClient, now, step[1])

    def lost(self, wasReset: bool) -> None:
        """TCP is gone: by a reset, which is the peer's where it is not ours, or in order."""
        if wasReset and (True, "RST") not in self._seen:
            self.streamEnded(False, True)
        elif not (wasReset or (True, "FIN") in self._seen or (True, "RST") in self._seen):
            self.streamEnded(False)
            self.streamEnded(True)

    def judge(self, failure: TLSFailure | None) -> None:
        """There is a verdict: both sides have accepted each other, or the connection has failed.

        In a capture it belongs to what the verdict rests on, or to the alert in which we say it.
        """
        if self._capture is not None:
            isOurs = failure is not None and failure.side == "local" and failure.alert is not None
            self._verdict = isOurs, "accepted" if failure is None else str(failure)
        if failure is not None:
            # What the failure rests on has come already.
            self.settle()
            self._allowances.setdefault(not self._isClient, Allowance()).tighten()

    @_harmless
    def accepted(self) -> None:
        """Both sides have accepted each other."""
        self.wasAccepted = True
        if not self._tracing.keepsAll:
            self._places.leave(self)
            self.forget()
            return
        self._places.accept(self)
        self._allowances.clear()
        for isFromClient in (True, False):
            self._tellLeftOut(isFromClient)

    @_harmless
    def finish(self, failure: TLSFailure | None) -> None:
        """The connection is gone."""
        self.settle()
        if self._capture is not None:
            if self._verdict is not None:
                self._capture.verdict(self._verdict[1])
            self._capture.leave()
        self._capture = None
        self.failure = failure
        self.isFinished = True
        self._tell()
        self._live = None

    @property
    def hasTrace(self) -> bool:
        """Whether anything is kept for a trace."""
        return self._isKeeping

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        kept = self._size + sum(len(line) + _PIECE_BYTES for line in self._lines)
        if self._dissector is not None:
            for event in self._dissector.events:
                kept += len(event.content) + _EVENT_BYTES + len(event.records) * _RECORD_BYTES
        return kept + _OWN_BYTES

    def trace(self) -> Trace | None:
        """Return what was seen so far; None where it was not kept: only refused ones are wanted, or there were others.

        What was not read for anything else is not kept as it was read, which would take many times the memory.
        """
        if not self._isKeeping:
            return None
        for isFromClient in (True, False):
            self._tellLeftOut(isFromClient)
        secrets, dissector = self._secrets, self._dissector
        if secrets is None or dissector is None:
            secrets, dissector = self._read()
        return assemble(
            dissector.events,
            number=self.number,
            client=self._client,
            server=self._server,
            side=self.side,
            failure=self.failure,
            isFinished=self.isFinished,
            hasSecrets=len(secrets) > 0,
        )

    def forget(self) -> None:
        """Keep nothing any more for a trace."""
        self._isKeeping = False
        self._kept, self._lines, self._size = [], [], 0
        self._leftOut.clear()
        self._dissector = self._secrets = self._live = None

    def _firstTime(self) -> int:
        try:
            return self._now()
        except Exception:
            self._break()
            return 0

    def _handOn(self) -> None:
        waiting, self._waiting = self._waiting, []
        for time, data in waiting:
            self._pass(not self._isClient, time, data)

    def _pass(self, isFromClient: bool, time: int, data: bytes) -> None:
        if self._isBroken:
            return
        try:
            if self._capture is not None:
                self._captureData(self._capture, isFromClient, time, data)
            if self._isKeeping:
                self._keepData(isFromClient, time, data)
        except Exception:
            self._break()

    def _captureData(self, capture: CapturedConnection, isFromClient: bool, time: int, data: bytes) -> None:
        capture.data(isFromClient, data, time)
        if self._verdict is not None and self._verdict[0] is (isFromClient is self._isClient):
            capture.verdict(self._verdict[1])
            self._verdict = None

    def _keepData(self, isFromClient: bool, time: int, data: bytes) -> None:
        """Keep bytes, as far as they may be kept, and count the others."""
        if not self._hasSpoken:
            self._hasSpoken = True
            self._places.take(self)
            if not self._isKeeping:
                return
        if (allowance := self._allowances.get(isFromClient)) is not None:
            taken = allowance.take(data)
            if taken < len(data):
                before = self._leftOut.get(isFromClient, (0, 0))[1]
                self._leftOut[isFromClient] = time, before + len(data) - taken
                if not taken:
                    return
                data = data[:taken]
        self._keep(isFromClient, time, data)

    def _tellLeftOut(self, isFromClient: bool) -> None:
        """Say how many bytes of a side were left out, where they were."""
        if (leftOut := self._leftOut.pop(isFromClient, None)) is not None:
            self._keep(isFromClient, *leftOut)

    def _keep(self, isFromClient: bool, time: int, what: bytes | str | int) -> None:
        """Keep bytes, a step of TCP, or the number of bytes that were left out."""
        if self._dissector is not None:
            _feed(self._dissector, isFromClient, time, what)
        else:
            self._size += self._put(isFromClient, time, what)
            if self._live is not None or (self.wasAccepted and self._size > _MOST_KEPT):
                self._secrets, self._dissector = self._read()
                self._kept, self._lines, self._size = [], [], 0
        if self._live is not None:
            self._tell()

    def _put(self, isFromClient: bool, time: int, what: bytes | str | int) -> int:
        """Keep something as it is, and return how much memory that takes."""
        kept = self._kept
        if len(kept) >= _MANY_PIECES and isinstance(what, bytes):
            wasFromClient, _, last = kept[-1]
            if wasFromClient is isFromClient and isinstance(last, bytes) and len(last) + len(what) <= _SMALL_PIECE:
                kept[-1] = isFromClient, time, last + what
                return len(what)
        kept.append((isFromClient, time, what))
        return _PIECE_BYTES + (len(what) if isinstance(what, bytes) else 0)

    def _read(self) -> tuple[Secrets, Dissector]:
        """Read what was kept."""
        secrets = Secrets()
        secrets.add(b"\n".join(self._lines))
        dissector = Dissector(secrets, self._tracing.applicationDataBytes)
        for isFromClient, time, what in self._kept:
            _feed(dissector, isFromClient, time, what)
        return secrets, dissector

    def _tell(self) -> None:
        """Tell the observer what was seen and will not grow."""
        if self._live is None or self._dissector is None or self._told >= _MOST_TOLD:
            return
        events = self._dissector.events[:_MOST_TOLD]
        if not self.isFinished and events and events[-1].kind in (Kind.APPLICATION_DATA, Kind.SEALED):
            events.pop()
        told, self._told = self._told, len(events)
        try:
            for event in events[told:]:
                self._live.happened(self.number, event)
        except Exception:
            self._live = None
            logFailure(_log, "the observer of traces failed at an event of connection {number}", number=self.number)

    def _break(self) -> None:
        """What failed is being handled: record nothing more."""
        self._isBroken = True
        logFailure(_log, "connection {number} is not traced any more", number=self.number)


def _feed(dissector: Dissector, isFromClient: bool, time: int, what: bytes | str | int) -> None:
    if isinstance(what, bytes):
        dissector.feed(isFromClient, what, time)
    elif isinstance(what, int):
        dissector.skip(isFromClient, what, time)
    else:
        dissector.note(Event(Kind.TCP, isFromClient, time, what, 0))
