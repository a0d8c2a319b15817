"""What passes on one live connection, kept until its trace is asked for.

A transport that is traced tells its recorder of all bytes each way and of all secrets. What the recorder does with them
costs next to nothing: bytes and secrets are kept as they are, and are read only when the trace is asked for, or when
there are too many to be kept. From then on they are read as they come.

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
from tlscomm.tracing._assembling import assemble
from tlscomm.tracing._capturefile import CapturedConnection
from tlscomm.tracing._trace import Side, Trace
from tlscomm.tracing._tracing import EventObserver, Tracing

__all__ = ["Recorder"]

_log = Logger(namespace="tlscomm")

#: So many bytes are kept as they are. A handshake has a tenth of that.
_MOST_KEPT = 1 << 16

#: So many lines of a key log are kept; a connection makes five or six.
_MOST_LINES = 64

#: So many events are told as they happen. Beyond it a dissector keeps the last ones in the place of others.
_MOST_TOLD = 256

#: About how many bytes an event takes beside its content, and a recorder.
_EVENT_BYTES = 600
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
        "_capture",
        "_client",
        "_dissector",
        "_forgotten",
        "_isBroken",
        "_isClient",
        "_isKeeping",
        "_kept",
        "_lines",
        "_live",
        "_now",
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
        forgotten: Callable[[Recorder], object],
        *,
        isKept: bool = True,
    ) -> None:
        """
        Args:
            tracing: what is wanted.
            side: which side we are.
            number: of the connection.
            forgotten: is told when nothing is kept any more.
            isKept: whether anything is, for a trace.
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
        self._forgotten = forgotten
        self._isKeeping = isKept
        isLive = isKept and hasattr(tracing.observer, "happened")
        self._live = cast(EventObserver, tracing.observer) if isLive else None
        self._isBroken = False
        self._client: Address | None = None
        self._server: Address | None = None
        self._capture: CapturedConnection | None = None
        self._started = self._now()
        self._waiting: list[tuple[int, bytes]] = []
        self._kept: list[tuple[bool, int, bytes | str]] = []
        self._size = 0
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

    def came(self, data: bytes) -> None:
        """Bytes have come, which TLS has yet to look at."""
        self._waiting.append((self._now(), data))

    def settle(self) -> None:
        """TLS has taken in what has come."""
        if self._waiting:
            self._handOn()

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

    def accepted(self) -> None:
        """Both sides have accepted each other."""
        self.wasAccepted = True
        if not self._tracing.keepsAll:
            self._forget()

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
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        kept = self._size + sum(map(len, self._lines))
        if self._dissector is not None:
            kept += sum(len(event.content) + _EVENT_BYTES for event in self._dissector.events)
        return kept + _OWN_BYTES

    def trace(self) -> Trace | None:
        """Return what was seen so far; None where it was not kept, because only refused connections are wanted."""
        if not self._isKeeping:
            return None
        dissector = self._read()
        return assemble(
            dissector.events,
            number=self.number,
            client=self._client,
            server=self._server,
            side=self.side,
            failure=self.failure,
            isFinished=self.isFinished,
            hasSecrets=self._secrets is not None and len(self._secrets) > 0,
        )

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
                self._keep(isFromClient, time, data)
        except Exception:
            self._break()

    def _captureData(self, capture: CapturedConnection, isFromClient: bool, time: int, data: bytes) -> None:
        capture.data(isFromClient, data, time)
        if self._verdict is not None and self._verdict[0] is (isFromClient is self._isClient):
            capture.verdict(self._verdict[1])
            self._verdict = None

    def _keep(self, isFromClient: bool, time: int, what: bytes | str) -> None:
        """Keep bytes, or a step of TCP."""
        if self._dissector is not None:
            _feed(self._dissector, isFromClient, time, what)
        else:
            self._kept.append((isFromClient, time, what))
            self._size += len(what)
            if self._live is not None or self._size > _MOST_KEPT:
                self._read()
        if self._live is not None:
            self._tell()

    def _read(self) -> Dissector:
        """Read what was kept, and what will come from now on."""
        if self._dissector is None:
            self._secrets = Secrets()
            self._secrets.add(b"\n".join(self._lines))
            self._dissector = Dissector(self._secrets, self._tracing.applicationDataBytes)
            for isFromClient, time, what in self._kept:
                _feed(self._dissector, isFromClient, time, what)
            self._kept, self._lines, self._size = [], [], 0
        return self._dissector

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

    def _forget(self) -> None:
        """Keep nothing any more: only refused connections are wanted, and this is none."""
        self._isKeeping = False
        self._kept, self._lines, self._size = [], [], 0
        self._dissector = self._secrets = self._live = None
        self._forgotten(self)


def _feed(dissector: Dissector, isFromClient: bool, time: int, what: bytes | str) -> None:
    if isinstance(what, bytes):
        dissector.feed(isFromClient, what, time)
    else:
        dissector.note(Event(Kind.TCP, isFromClient, time, what, 0))
