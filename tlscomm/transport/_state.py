"""What a transport knows of its connection, and the one wait that it is in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from tlscomm.failures import TLSFailure
from tlscomm.failures._loggedfailure import logFailure
from tlscomm.limits import Admitted
from tlscomm.proxyprotocol import ProxyHeader
from tlscomm.transport._address import describeAddress
from tlscomm.transport._clear import ClearConnection
from tlscomm.transport._interfaces import Factory
from tlscomm.transport._output import Output
from tlscomm.transport._phases import GOES_ON_TO, Phase
from tlscomm.transport._proxy import TransportProxy

__all__ = ["OVER", "TransportState"]

_log = Logger(namespace="tlscomm")

#: The phases in which the connection has ended, and only TCP has yet to.
OVER = (Phase.LINGERING, Phase.ABORTED, Phase.LOST)


class TransportState(TransportProxy, ABC):
    """What there is of a transport, and what changes it wherever the connection stands.

    Its attributes are explained in `tlscomm.transport.TLSTransport`.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_accepted",
        "_acceptedAt",
        "_address",
        "_asked",
        "_awaited",
        "_began",
        "_cause",
        "_changesKnown",
        "_clear",
        "_clock",
        "_configuration",
        "_connection",
        "_deadlines",
        "_deaf",
        "_discarded",
        "_early",
        "_host",
        "_isDoubting",
        "_isHalfClosed",
        "_isWriteEnding",
        "_output",
        "_paused",
        "_readEnded",
        "_refusedAt",
        "_timer",
        "_unwanted",
        "_watches",
        "admitted",
        "bytesReceived",
        "bytesSent",
        "connected",
        "disconnecting",
        "factory",
        "phase",
        "protocol",
        "proxied",
        "transport",
    )

    #: The class of its output.
    _outputKind = Output

    def __init__(self, factory: Factory, address: IAddress | None = None) -> None:
        self.factory = factory
        self.protocol: IProtocol | None = None
        self.transport: Any = None
        self.phase = Phase.HANDSHAKE
        self.connected = False
        self.disconnecting = False
        self.admitted: Admitted | None = None
        self.bytesReceived = 0
        self.bytesSent = 0
        self.proxied: ProxyHeader | None = None
        self._address = address
        self._host: IAddress | None = None
        self._awaited = ""
        self._clear: ClearConnection | None = None
        self._clock = factory.waits
        self._configuration = factory.configuration
        self._deadlines = self._configuration.deadlines
        self._output = self._outputKind(self._clock, self)
        self._began = 0.0
        self._acceptedAt = 0.0
        self._refusedAt = 0.0
        self._timer: IDelayedCall | None = None
        self._cause: TLSFailure | ConnectionAborted | None = None
        self._accepted: Deferred[IProtocol] | None = None
        self._asked: Deferred[Any] | None = None
        self._changesKnown: int | None = factory.changes
        self._paused = False
        self._isDoubting = False
        # An end of our side, alone or with the rest, was asked for.
        self._isWriteEnding = False
        # Our close_notify was sent, and the peer is still listened to.
        self._isHalfClosed = False
        self._early = b""
        self._deaf = False
        self._discarded = 0
        self._unwanted = 0
        self._readEnded = False
        self._watches: list[IDelayedCall] | None = None

    def _enter(self, phase: Phase) -> None:
        """Go on to another phase, and to what follows from that alone."""
        if phase not in GOES_ON_TO[self.phase]:
            raise AssertionError(f"a transport that is {self.phase.value} does not become {phase.value}")
        self.phase = phase
        if phase is Phase.OPEN:
            self.connected = True
        elif phase is Phase.LOST:
            self.connected = False
            self.disconnecting = self._isWriteEnding = True
        elif phase is Phase.FLUSHING:
            self.disconnecting = self._isWriteEnding = True
        elif phase is Phase.CLOSING:
            self._deaf = True
        elif phase in OVER:
            self.disconnecting = self._isWriteEnding = self._deaf = True

    @property
    def _elapsed(self) -> float:
        """The seconds since TCP was connected."""
        return self._clock.seconds() - self._began

    def _handshakeLeft(self) -> float | None:
        """Return how many seconds the handshake has left, or None where it has no deadline."""
        if self._deadlines.handshake is None:
            return None
        return max(0.0, self._deadlines.handshake - self._elapsed)

    def _startTimer(self, seconds: float | None, expired: Callable[[], object]) -> None:
        """Start the one wait that this connection is in."""
        if self._timer is not None:
            self._stopTimer()
        if seconds is not None:
            self._timer = self._clock.callLater(seconds, expired)

    def _stopTimer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _resumeTCP(self) -> None:
        # Twisted tells of the end of a stream once more when a socket at its end is read again.
        if not (self._readEnded or self._output.answers.areTooMany):
            self.transport.resumeProducing()

    def _describePeer(self) -> str | None:
        return describeAddress(self.getPeer())

    @property
    def _failure(self) -> TLSFailure | None:
        """Why the connection ended, where it did not in order and was not aborted from here.

        What TLS and the peer break is the connection's to know. What ended it from here, a deadline, the protocol above
        or a peer that would not be let in any more, comes first: what breaks afterwards follows from it.
        """
        if self._cause is None:
            return self._connection.failure
        return self._cause if isinstance(self._cause, TLSFailure) else None

    def _endBecause(self, cause: TLSFailure | ConnectionAborted) -> None:
        """Keep why the connection is ended from here, the first time."""
        if self._cause is None:
            self._cause = cause
            if isinstance(cause, TLSFailure):
                cause.peer = self._describePeer()

    def _noteFailure(self) -> None:
        """The connection has failed by itself: say with whom, and log what a hook has raised."""
        if not self.connected and not self._refusedAt:
            self._refusedAt = self._clock.seconds()
        if self._cause is None and (failure := self._connection.failure) is not None:
            failure.peer = self._describePeer()
            raised = failure.__cause__ if failure.code == "hook-failed" else None
            if raised is not None and self.factory.hookTracebacks.allows():
                logFailure(_log, "the hook that was asked about a peer failed", Failure(raised))

    # What the output tells the transport that it belongs to.

    @abstractmethod
    def noteStuck(self) -> None:
        """What was written has not moved for the write deadline."""

    @abstractmethod
    def noteDrained(self) -> None:
        """Everything that was written is with TCP."""

    @abstractmethod
    def noteBroken(self) -> None:
        """What is above has raised."""

    @abstractmethod
    def readOn(self) -> None:
        """The peer may send again."""
