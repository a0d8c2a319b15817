"""A transport that tells a recorder of everything that passes.

It is a class of its own, so that other connections have nothing of it in their way. What comes is told in the methods
that TCP calls, and what goes out where it is handed to TCP, so that the TCP transport is written to as ever, directly
where that can be, and is paused, half-closed and aborted as ever. The recorder never raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from tlscomm._capture.packets import Address
from tlscomm.tracing._recorder import Recorder
from tlscomm.transport._interfaces import Factory
from tlscomm.transport._output import Output
from tlscomm.transport._phases import Phase
from tlscomm.transport._transport import TLSTransport

__all__ = ["TracedTransport"]


class TracedOutput(Output):
    """An output that tells of what it hands over.

    Attributes:
        recorder: is told.
    """

    __slots__ = ("recorder",)

    recorder: Recorder

    def finish(self) -> bool:
        hadLastWords = super().finish()
        self.recorder.streamEnded(True)
        return hadLastWords

    def closeTCP(self) -> None:
        super().closeTCP()
        self.recorder.streamEnded(True)

    def _handOver(self, ciphertext: bytes) -> None:
        self.recorder.went(ciphertext)
        super()._handOver(ciphertext)


class TracedTransport(TLSTransport):
    """One TLS connection over one TCP connection, which is recorded."""

    __slots__ = ("_ended", "recorder")

    _outputKind = TracedOutput

    def __init__(
        self, factory: Factory, recorder: Recorder, ended: Callable[[Recorder], object], address: IAddress | None = None
    ) -> None:
        """
        Args:
            factory: what makes it.
            recorder: is told of everything.
            ended: is called when the connection is gone.
            address: the peer's.
        """
        super().__init__(factory, address)
        self.recorder: Recorder = recorder
        self._ended = ended
        cast(TracedOutput, self._output).recorder = recorder

    def makeConnection(self, transport: Any) -> None:
        if self._configuration.isClient:
            self._begin(transport)
        super().makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        recorder = self.recorder
        if not recorder.hasBegun:
            self._begin(self.transport)
        recorder.came(data)
        try:
            super().dataReceived(data)
        finally:
            if not self.factory.turns.isWaiting(self):
                recorder.settle()

    def takeTurn(self, data: bytes, seconds: float) -> None:
        super().takeTurn(data, seconds)
        self.recorder.settle()

    def readConnectionLost(self) -> None:
        self.factory.turns.hurry(self)
        if not self.recorder.hasBegun:
            self._begin(self.transport)
        if not self._output.isLost:
            self.recorder.streamEnded(False)
        super().readConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        recorder = self.recorder
        self.factory.turns.hurry(self)
        if not recorder.hasBegun:
            self._begin(self.transport)
        recorder.lost(not isinstance(reason.value, ConnectionDone))
        try:
            super().connectionLost(reason)
        finally:
            recorder.finish(self._failure)
            self._ended(recorder)

    def _begin(self, transport: Any) -> None:
        """Tell whose connection it is: of a server not before something happens, as a proxy's header says it."""
        source = transport if self.proxied is None else self
        own = _addressOf(source, "getHost")
        peer = _addressOf(source, "getPeer")
        self.recorder.begin(*((own, peer) if self._configuration.isClient else (peer, own)))

    def _noteFailure(self) -> None:
        super()._noteFailure()
        self.recorder.judge(self._failure)

    def _tellAccepted(self) -> None:
        self.recorder.judge(None)
        super()._tellAccepted()
        if self.connected:
            self.recorder.accepted()

    def _abortTCP(self) -> None:
        if self.phase is not Phase.LOST and self.transport is not None:
            if not self.recorder.hasBegun:
                self._begin(self.transport)
            self.recorder.streamEnded(True, True)
        super()._abortTCP()


def _addressOf(transport: Any, which: str) -> Address | None:
    """Return an address of a transport, or None where it has none of TCP's kind."""
    try:
        address = getattr(transport, which)()
        return Address(str(address.host), int(address.port))
    except Exception:
        # Transports of others may raise anything where they have no address.
        return None
