"""How a connection ends: in order, by a failure of TLS, by a deadline, or at once.

An end has three steps. What was written goes out, then close_notify; the peer's close_notify is awaited; then TCP is
closed. A protocol that knows of halves (`IHalfCloseableProtocol`) may end its own side
and go on receiving: close_notify ends what its sender says and no more (RFC 8446, section 6.1). The connection ends
when both sides have said it.

A refusal ends differently: its alert goes out, our side of TCP is closed, and what the peer has sent meanwhile
is read and thrown away for a moment, because closing a socket with unread data resets it, and a reset can overtake the
alert.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from tlscomm.failures import CloseTimeout, Reset, TLSFailure, WriteTimeout
from tlscomm.failures._loggedfailure import logFailure
from tlscomm.tls import State
from tlscomm.transport._acceptance import VERDICT_SECONDS
from tlscomm.transport._asking import AskingTransport
from tlscomm.transport._bytestream import isByteStream
from tlscomm.transport._halfclosing import asHalfCloseable
from tlscomm.transport._observer import tell
from tlscomm.transport._phases import Phase
from tlscomm.transport._state import OVER
from tlscomm.verification import Verifier

__all__ = ["EndingTransport"]

_log = Logger(namespace="tlscomm")

#: An enumeration's member costs more to find than a name of the module.
_OPEN, _CLOSED, _FAILED = State.OPEN, State.CLOSED, State.FAILED

_OPEN_PHASE, _FLUSHING = Phase.OPEN, Phase.FLUSHING

#: How long, and for how many bytes, a refused peer is listened to after its alert was sent, so that the alert arrives.
_LINGER_SECONDS = 1.0
_LINGER_BYTES = 1 << 18


class EndingTransport(AskingTransport):
    """A transport that ends its connection, and tells all that have to know."""

    __slots__ = ()

    def loseConnection(self) -> None:
        """End in order: what was written goes out, then close_notify, and the peer's is awaited.

        What is written from now on is dropped; but, as with Twisted's TCP transport, a producer may finish first: a
        pull producer, and a push producer that was paused, until it unregisters or is silent for the close deadline.
        """
        if self.disconnecting:
            return
        if self.connected:
            if self._connection.state is _OPEN:
                self._connection.settle()
            self._enter(Phase.FLUSHING)
            self._paused, self._early = False, b""
            # A paused protocol must not keep the peer's close_notify from being read, nor what the peer sends before it
            # from leaving: it may be waiting for that, and take nothing from us.
            self._resumeTCP()
            if self._output.producer is self:
                # Nothing is delivered any more, so that nothing more comes of it.
                self._output.unregisterProducer()
            self._output.flushLast()
        else:
            self.abortConnection()

    def loseWriteConnection(self) -> None:
        """End our side in order, and go on receiving: what was written goes out, then close_notify.

        That is for a protocol that provides `IHalfCloseableProtocol`. Its ``writeConnectionLost`` is called when
        close_notify is with TCP, and its ``readConnectionLost`` when the peer has ended its side as well, with which
        the connection ends. For any other protocol, and where the peer has ended its side already, this is
        `loseConnection`. A producer may finish first, as there, and without a limit to its time.

        Under TLS 1.2 a peer may end the connection at close_notify, and drop what it has yet to say (RFC 5246, section
        7.2.1); most do not.
        """
        # The peer may have ended its side, and the protocol above have yet to take what it said before.
        mayReceive = self.connected and (self._connection.state is _OPEN or bool(self._early))
        if not mayReceive or asHalfCloseable(self.protocol) is None:
            self.loseConnection()
        elif not self._isWriteEnding:
            self._connection.settle()
            self._isWriteEnding = True
            self._output.flushLast()

    def stop(self) -> None:
        """End in order, because the server stops; a connection of an `IByteStream` is cut, unless it is ending."""
        if not self.disconnecting and isByteStream(self.protocol):
            self.abortConnection()
        else:
            self.loseConnection()

    def closeBecause(self, failure: TLSFailure) -> None:
        """End in order, like `loseConnection`, but not as if all were well: no producer may finish first.

        A connection of an `IByteStream` is cut instead.

        Args:
            failure: what `connectionLost` and the observer are told, unless an end was asked for before.
        """
        if isByteStream(self.protocol):
            self.abortBecause(failure)
        elif not self.disconnecting:
            self._endBecause(failure)
            self._output.stopProducer()
            self.loseConnection()

    def abortBecause(self, failure: TLSFailure) -> None:
        """End at once, without close_notify, so that the peer cannot take what it has for all that there is.

        Args:
            failure: what `connectionLost` and the observer are told, unless an end was asked for before.
        """
        if self.phase not in OVER:
            self._endBecause(failure)
        self._abortTCP()

    def revalidate(self, verifier: Verifier | None = None) -> None:
        """End the connection if its peer would be refused now; the failure says why.

        Args:
            verifier: what a peer has to be now; what it had to be in the handshake where None.
        """
        if self.connected and not self.disconnecting:
            failure = self._connection.revalidate(verifier)
            if failure is not None:
                failure.stage = "authorization"
                self.closeBecause(failure)

    def abortConnection(self) -> None:
        """End at once; nothing that is still queued is sent."""
        if self.phase not in OVER:
            self._endBecause(ConnectionAborted())
        self._abortTCP()

    def stopProducing(self) -> None:
        """See `twisted.internet.interfaces.IPushProducer`."""
        self.loseConnection()

    def noteDrained(self) -> None:
        """Everything that was written is with TCP."""
        if self._connection.state is _FAILED:
            self._end()
        elif self.phase is _FLUSHING and not self._output.awaitsProducer:
            self._close()
        elif self.phase is _FLUSHING and not self._output.hasPullProducer:
            self._startTimer(self._deadlines.close, self._producerSilent)
        elif self._isWriteEnding and self.phase is _OPEN_PHASE and not self._output.awaitsProducer:
            self._closeHalf()

    def noteBroken(self) -> None:
        """What is above has raised. It is not asked to go on, so the connection ends at once."""
        if (accepted := self._takeAccepted()) is not None:
            accepted.errback(Failure())
        else:
            # Peers may be able to make it raise as often as they like.
            self.factory.protocolTracebacks.log(
                lambda: logFailure(_log, "the protocol above or its producer failed, so the connection ends")
            )
        self.abortConnection()

    def noteStuck(self) -> None:
        detail = f"nothing moved for {self._deadlines.write} s"
        if self._output.answers.areTooMany:
            detail = f"the peer asked TLS for answers, and had not taken them after {self._deadlines.write} s"
        self._endBecause(WriteTimeout(detail))
        self._abortTCP()

    @property
    def _mayStillWrite(self) -> bool:
        """Whether an end that was asked for still lets a producer write."""
        isEnding = self.phase is _FLUSHING or self.phase is _OPEN_PHASE
        return isEnding and not self._isHalfClosed and self._output.producer is not None

    def _settleIfLate(self) -> None:
        if self.connected and self._clock.seconds() - self._acceptedAt > VERDICT_SECONDS:
            self._connection.settle()

    def _peerClosed(self) -> None:
        """The peer's close_notify has come. What follows it counts for nothing (RFC 8446, section 6.1)."""
        self._deaf = True
        if self.phase is Phase.CLOSING:
            self._output.closeTCP()
        elif not self.disconnecting:
            self._settleIfLate()
            halfCloseable = asHalfCloseable(self.protocol)
            if halfCloseable is None:
                # As with all of Twisted's transports, what a producer still has is not sent to who has closed.
                self._output.stopProducer()
            try:
                (self.loseConnection if halfCloseable is None else halfCloseable.readConnectionLost)()
            except Exception:
                self.noteBroken()
            if self._isWriteEnding:
                # Both sides have ended, or will have when what was written is out.
                self.loseConnection()

    def _producerSilent(self) -> None:
        """A push producer has not said for the close deadline that it has no more."""
        if self._output.isEmpty:
            self._close()

    def _closeHalf(self) -> None:
        """Say close_notify, and go on receiving."""
        if self._isHalfClosed:
            return
        self._isHalfClosed = True
        self._connection.close()
        self._output.handOver(isOwn=True)
        try:
            asHalfCloseable(self.protocol).writeConnectionLost()
        except Exception:
            self.noteBroken()

    def _close(self) -> None:
        """Say close_notify, and await the peer's if it has yet to come."""
        self._enter(Phase.CLOSING)
        self._connection.close()
        self._output.handOver(isOwn=True)
        self._startTimer(self._deadlines.close, self._closeTimedOut)
        if self._readEnded or self._connection.state is _CLOSED:
            self._output.closeTCP()

    def _closeTimedOut(self) -> None:
        isMoving = self._output.isMoving
        if isMoving and self._deadlines.write is not None:
            # The peer has its time from when it has everything, and what moves is for the write deadline to watch.
            self._startTimer(self._deadlines.close, self._closeTimedOut)
            return
        self._endBecause(CloseTimeout(f"it had {self._deadlines.close} s"))
        # A reset could destroy what the peer has yet to read.
        (self._abortTCP if isMoving else self._output.closeTCP)()

    def refuseInClear(self, failure: TLSFailure) -> None:
        """End the connection before TLS has begun, once what was written in the clear is out.

        Args:
            failure: what the observer is told.
        """
        self._endBecause(failure)
        self._end(saidInClear=True)

    def _end(self, *, saidInClear: bool = False) -> None:
        """The connection has FAILED: let the peer hear why, then close."""
        if self.phase in OVER:
            return
        self._stopAsking()
        self._enter(Phase.LINGERING)
        self._noteFailure()
        hasLastWords = self._output.finish() or saidInClear
        self._startTimer(_LINGER_SECONDS, self._abortTCP)
        closeWriting = getattr(self.transport, "loseWriteConnection", None)
        if hasLastWords and closeWriting is not None and not self._readEnded:
            self.transport.resumeProducing()
            closeWriting()
        else:
            self.transport.loseConnection()

    def _discard(self, data: bytes) -> None:
        """Take what comes when nothing is delivered any more, but not much of it from a peer that was refused."""
        self._discarded += len(data)
        if self.phase is Phase.CLOSING:
            self._listenForClose(data)
        isRefused = self.phase is Phase.LINGERING or isinstance(self._cause, TLSFailure)
        if isRefused and self._discarded > _LINGER_BYTES:
            self._abortTCP()

    def _listenForClose(self, data: bytes) -> None:
        """Look for the peer's close_notify."""
        plaintext = self._connection.receive(data)
        self._unwanted += len(plaintext)
        if self._connection.state is _FAILED:
            self._end()
        elif self._connection.state is _CLOSED:
            self._output.closeTCP()
        else:
            # What TLS answers by itself does not come after our own close_notify (RFC 8446, section 6.1).
            self._connection.outgoing()
            if not plaintext:
                self._output.noteVain(len(data), self.bytesReceived + self._unwanted)

    def _abortTCP(self) -> None:
        self._stopAsking()
        if self.phase is not Phase.ABORTED and self.phase is not Phase.LOST:
            self._enter(Phase.ABORTED)
        self._output.discard()
        if self.transport is not None:
            getattr(self.transport, "abortConnection", self.transport.loseConnection)()

    def _nameLoss(self, reason: Failure) -> None:
        """Say why TCP is gone, where that is not known yet."""
        wasReset = not isinstance(reason.value, ConnectionDone)
        if wasReset and self.phase is not Phase.CLOSING:
            self._connection.receiveReset(reason.getErrorMessage())
        elif self.phase is not Phase.CLOSING:
            self._settleIfLate()
            self._connection.receiveEnd()
        if self._failure is not None:
            self._noteFailure()
        elif wasReset and self._output.isMoving:
            detail = "the peer had not taken all that was sent to it"
            self._endBecause(Reset(detail, side="remote", evidence=(reason.getErrorMessage(),)))

    def _tellClosed(self) -> None:
        tell(self.factory.observer, "closed", self, self._failure)
        # The protocol knows its transport. If that still knew the protocol, only a collection would free them.
        protocol, self.protocol = self.protocol, None
        if protocol is None:
            return
        reason = self._cause or self._connection.failure
        protocol.connectionLost(connectionDone if reason is None else Failure(reason))

    def _takeAccepted(self) -> Deferred[IProtocol] | None:
        accepted, self._accepted = self._accepted, None
        return accepted

    def _failAccepted(self) -> None:
        if (accepted := self._takeAccepted()) is not None:
            accepted.errback(self._failure or ConnectionAborted())

    def _cancelled(self, _: object) -> None:
        self._accepted = None
        self.abortConnection()
