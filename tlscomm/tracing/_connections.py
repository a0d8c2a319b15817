"""The connections of a factory that are traced, and the traces that are kept of those that were refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from twisted.logger import Logger

from tlscomm.failures._loggedfailure import logFailure
from tlscomm.tracing._places import Places
from tlscomm.tracing._recorder import Recorder
from tlscomm.tracing._trace import Side, Trace
from tlscomm.tracing._tracing import Tracing

__all__ = ["TracedConnections"]

_log = Logger(namespace="tlscomm")


class TracedConnections:
    """Makes the recorders of a factory's connections, and has what they recorded put where it is wanted."""

    def __init__(self, tracing: Tracing, side: Side, numbers: Iterator[int]) -> None:
        """
        Args:
            tracing: what is wanted.
            side: which side we are.
            numbers: those of the connections that are to come.
        """
        self._tracing = tracing
        self._side = side
        self._numbers = numbers
        self._places = Places(tracing.connections, tracing.now)
        self._refused: deque[tuple[Recorder, int]] = deque()
        self._size = 0

    def begin(self) -> Recorder:
        """Return what records a new connection."""
        return Recorder(self._tracing, self._side, next(self._numbers), self._places)

    def ended(self, recorder: Recorder) -> None:
        """A connection has ended."""
        self._places.leave(recorder)
        isRefused = recorder.failure is not None and not recorder.wasAccepted and recorder.hasTrace
        if isRefused and self._tracing.refusedTraces:
            self._keep(recorder)
        for tell in (self._tellFolder, self._tellObserver):
            try:
                tell(recorder)
            except Exception:
                logFailure(_log, "what takes the traces of connections has failed")

    def eachRefused(self) -> Iterator[Trace]:
        """Return the traces of the connections that were refused last, the oldest first, each made when asked for."""
        recorders = [recorder for recorder, _ in self._refused]
        return (trace for recorder in recorders if (trace := recorder.trace()) is not None)

    def _tellFolder(self, recorder: Recorder) -> None:
        if self._tracing.folder is not None:
            self._tracing.folder.add(recorder)

    @property
    def refusedNumbers(self) -> frozenset[int]:
        """The numbers of the refused connections whose traces are kept."""
        return frozenset(recorder.number for recorder, _ in self._refused)

    def refusedTrace(self, number: int) -> Trace | None:
        """Return the trace of a refused connection, made now, or None where it is not kept."""
        recorder = next((recorder for recorder, _ in self._refused if recorder.number == number), None)
        return None if recorder is None else recorder.trace()

    def _tellObserver(self, recorder: Recorder) -> None:
        if self._tracing.observer is not None and (trace := recorder.trace()) is not None:
            self._tracing.observer.ended(trace)

    def _keep(self, recorder: Recorder) -> None:
        size = recorder.size
        self._refused.append((recorder, size))
        self._size += size
        while len(self._refused) > self._tracing.refusedTraces or self._size > self._tracing.refusedTraceBytes:
            self._size -= self._refused.popleft()[1]
