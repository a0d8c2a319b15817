"""The wait for a hook that was asked about the peer.

The peer waits too: what it sends meanwhile stays where it is, and our next flight is held.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable
from functools import partial
from typing import cast

from twisted.logger import Logger
from twisted.python.failure import Failure

from tlscomm.failures import HookTimeout
from tlscomm.failures._loggedfailure import logFailure
from tlscomm.tls._peerverification import hookFailure
from tlscomm.transport._awaitables import asDeferred
from tlscomm.transport._phases import Phase
from tlscomm.transport._state import OVER, TransportState

__all__ = ["AskingTransport"]

_log = Logger(namespace="tlscomm")


class AskingTransport(TransportState):
    """A transport that waits for what a hook says of its peer."""

    __slots__ = ()

    def _ask(self, pendingAnswer: Awaitable[object]) -> None:
        """Wait for what the hook has to say. The peer waits too: what it sends meanwhile stays where it is."""
        if self._asked is not None:
            return
        self._asked = asked = asDeferred(pendingAnswer)
        if self.phase not in OVER:
            self._enter(Phase.ASKING)
            # The verdict will be as old as the question, and what changes meanwhile is not counted.
            self._changesKnown = None
            limits = [each for each in (self._handshakeLeft(), self._deadlines.hook) if each is not None]
            wait = min(limits, default=None)
            self._startTimer(wait, partial(self._hookTimedOut, wait or 0.0))
            self.transport.pauseProducing()
        asked.addCallbacks(self._answered, self._hookRaised)
        if self.phase in OVER:
            # The hook has ended the connection itself, so its answer is not waited for.
            self._stopAsking()

    def _answered(self, answer: object) -> None:
        if self._asked is not None:
            self._connection.answer(answer)
            self._goOn()

    def _hookRaised(self, reason: Failure) -> None:
        if self._asked is not None:
            self._connection.answerFailed(hookFailure(cast(BaseException, reason.value)))
            self._goOn()
        else:
            # It was cancelled from here, where its traceback leads back to.
            reason.cleanFailure()

    def _hookTimedOut(self, seconds: float) -> None:
        self._connection.answerFailed(HookTimeout(f"it had {seconds:g} s"))
        self._stopAsking()
        self._goOn()

    def _stopAsking(self) -> None:
        """The hook is not waited for any more."""
        asked, self._asked = self._asked, None
        if asked is None:
            return
        try:
            asked.cancel()
        except Exception:
            # Who cancels runs the hook's own code, and what that raises must not keep this connection from its end.
            if self.factory.hookTracebacks.allows():
                logFailure(_log, "the hook that was asked about a peer failed when it was cancelled")

    def _goOn(self) -> None:
        """The hook has answered, or its time is up."""
        self._asked = None
        if self.phase is not Phase.ASKING:
            # What the hook did when it was cancelled has ended the connection.
            return
        self._enter(Phase.HANDSHAKE)
        self._startTimer(self._handshakeLeft(), self._handshakeTimedOut)
        self._resumeTCP()
        self._proceed(self._connection.receive(b""))

    @abstractmethod
    def _proceed(self, plaintext: bytes) -> None:
        """Act on a change of state, and on the application data that came with it."""

    @abstractmethod
    def _handshakeTimedOut(self) -> None:
        """The handshake has had its time."""
