"""A TLS connection as Twisted sees one: a protocol to the TCP transport below, a transport to the protocol above.

Twisted's own TLS transport tells the protocol above of the connection before the handshake. This one tells it when both
sides have accepted each other, and not at all when they do not: then there never was a connection. Nor does it copy the
interfaces of the transport below on every connection; it declares what it provides.

Every wait has a deadline here, and every deadline has a name: the handshake's, the write deadline
(`tlscomm.transport._output`), the wait for a sign of acceptance and the wait for the peer's close_notify. How long a
*message* may take is for the protocol above to say, because only it knows when one is awaited.

An end has three steps. What was written goes out, then close_notify; the peer's close_notify is awaited; then TCP is
closed. A refusal ends differently: its alert goes out, our side of TCP is closed, and what the peer has sent meanwhile
is read and thrown away for a moment, because closing a socket with unread data resets it, and a reset can overtake the
alert. `tlscomm.transport._phases` has them all, and which one follows which.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IDelayedCall,
    IHalfCloseableProtocol,
    IHandshakeListener,
    INegotiated,
    IProtocol,
    IPushProducer,
    ISSLTransport,
    ISystemHandle,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from tlscomm.failures import CloseTimeout, HookTimeout, Reset, TLSFailure, WriteTimeout
from tlscomm.failures._loggedfailure import logFailure
from tlscomm.tls import State, TLSConnection
from tlscomm.tls._peerverification import hookFailure
from tlscomm.transport._acceptance import VERDICT_SECONDS, doubtPatience, learn, silencePatience
from tlscomm.transport._accepting import paceAccepting
from tlscomm.transport._address import describeAddress
from tlscomm.transport._awaitables import asDeferred
from tlscomm.transport._halfclosing import asHalfCloseable
from tlscomm.transport._interfaces import Factory
from tlscomm.transport._observer import tell
from tlscomm.transport._output import Output
from tlscomm.transport._phases import GOES_ON_TO, Phase
from tlscomm.transport._proxy import TransportProxy
from tlscomm.verification import Verifier

__all__ = ["TLSTransport"]

_log = Logger(namespace="tlscomm")

#: An enumeration's member costs more to find than a name of the module, and these are asked for in every read.
_OPEN, _CLOSED, _FAILED = State.OPEN, State.CLOSED, State.FAILED

_HANDSHAKE, _FLUSHING = Phase.HANDSHAKE, Phase.FLUSHING

#: The phases in which the connection has ended, and only TCP has yet to.
_OVER = (Phase.LINGERING, Phase.ABORTED, Phase.LOST)

#: How long, and for how many bytes, a refused peer is listened to after its alert was sent, so that the alert arrives.
_LINGER_SECONDS = 1.0
_LINGER_BYTES = 1 << 18

#: Seconds that a deadline may lack by the rounding of a clock that counts from 1970. To wait once more for them could
#: end at the same time again, for ever.
_ROUNDING = 1e-6


@implementer(ISSLTransport, IConsumer, INegotiated, ISystemHandle, IPushProducer, IProtocol, IHalfCloseableProtocol)
class TLSTransport(TransportProxy):
    """One TLS connection over one TCP connection.

    Attributes:
        factory: the factory that made it.
        protocol: the protocol above, from when both sides have accepted each other until TCP is gone.
        phase: where it is in its life.
        connected: whether the protocol above has the connection, from OPEN until LOST.
        disconnecting: whether an end was asked for or has come.
        bytesReceived: bytes of application data from the peer.
        bytesSent: bytes of application data from the protocol above.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_accepted",
        "_acceptedAt",
        "_address",
        "_asked",
        "_began",
        "_cause",
        "_changesKnown",
        "_clock",
        "_configuration",
        "_connection",
        "_deadlines",
        "_deaf",
        "_discarded",
        "_early",
        "_isDoubting",
        "_output",
        "_paused",
        "_readEnded",
        "_timer",
        "_unwanted",
        "bytesReceived",
        "bytesSent",
        "connected",
        "disconnecting",
        "factory",
        "phase",
        "protocol",
        "transport",
    )

    def __init__(self, factory: Factory, address: IAddress | None = None) -> None:
        self.factory = factory
        self.protocol: IProtocol | None = None
        self.transport: Any = None
        self.phase = Phase.HANDSHAKE
        self.connected = False
        self.disconnecting = False
        self.bytesReceived = 0
        self.bytesSent = 0
        self._address = address
        self._clock = factory.waits
        self._configuration = factory.configuration
        self._deadlines = self._configuration.deadlines
        self._output = Output(self._clock, self)
        self._began = 0.0
        self._acceptedAt = 0.0
        self._timer: IDelayedCall | None = None
        self._cause: TLSFailure | ConnectionAborted | None = None
        self._accepted: Deferred[IProtocol] | None = None
        self._asked: Deferred[Any] | None = None
        self._changesKnown: int | None = factory.changes
        self._paused = False
        self._isDoubting = False
        self._early = b""
        self._deaf = False
        self._discarded = 0
        self._unwanted = 0
        self._readEnded = False

    # The protocol's side: what TCP tells.

    def makeConnection(self, transport: Any) -> None:
        """TCP is connected: begin the handshake and its deadline."""
        self.transport = transport
        try:
            self._connection = TLSConnection(self._configuration, self)
        except Exception:
            # An external creator of connections may raise anything.
            self.noteBroken()
            return
        self._began = self._clock.seconds()
        if self._configuration.hook is not None:
            self._connection.askAddress = self._describePeer
        if (setNoDelay := getattr(transport, "setTcpNoDelay", None)) is not None:
            # Messages leave one write each, so Nagle's algorithm only ever delays them.
            setNoDelay(True)
        self._output.attach(self._connection, transport)
        self._startTimer(self._deadlines.handshake, self._handshakeTimedOut)
        if self._configuration.isClient:
            self._connection.start()
            self._proceed(b"")
        else:
            paceAccepting(getattr(transport, "server", None), self._clock.seconds)

    def connectionMade(self) -> None:
        """Part of `IProtocol`; `makeConnection` does the work."""

    def dataReceived(self, data: bytes) -> None:
        """Take ciphertext from TCP."""
        if self._deaf:
            self._discard(data)
            return
        if self.phase is _HANDSHAKE:
            self.factory.turns.receive(self, data)
            return
        connection, output = self._connection, self._output
        output.hold()
        plaintext = connection.receive(data)
        if self.connected and connection.state is _OPEN:
            if plaintext:
                self._deliver(plaintext)
            output.release()
            if not plaintext:
                output.noteVain(len(data), self.bytesReceived + self._unwanted)
        else:
            self._proceed(plaintext)
            if self.phase is Phase.UNCONFIRMED:
                output.noteVain(len(data), 0)

    def takeStep(self, data: bytes) -> None:
        """Part of `Handshaking`: go on with the handshake."""
        self._output.hold()
        self._proceed(self._connection.receive(data))
        if self.phase is Phase.UNCONFIRMED:
            self._output.noteVain(len(data), 0)

    def awaitTurn(self) -> None:
        """Part of `Handshaking`: there are too many handshakes in this turn of the reactor."""
        self.transport.pauseProducing()

    def takeTurn(self, data: bytes, seconds: float) -> None:
        """Part of `Handshaking`: go on with what has waited, as if it had come now."""
        if self.phase is not _HANDSHAKE:
            return
        self._began += seconds
        if self._timer is None:
            self._startTimer(self._handshakeLeft(), self._handshakeTimedOut)
        try:
            self.takeStep(data)
        except Exception:
            self.noteBroken()
        else:
            self.readOn()

    def readConnectionLost(self) -> None:
        """TCP's other side will send no more."""
        self.factory.turns.hurry(self)
        if self._readEnded or self._output.isLost:
            return
        self._readEnded = True
        if self.phase is Phase.CLOSING or self.phase is Phase.LINGERING:
            self._output.closeTCP()
        elif not self.disconnecting:
            # Who asked for an end himself misses nothing that the peer might still have said.
            self._settleIfLate()
            self._connection.receiveEnd()
            if self._connection.state is _FAILED:
                self._end()

    def writeConnectionLost(self) -> None:
        """Our own half-close is done; nothing depends on it."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """TCP is gone: tell all that have to know, once."""
        self.factory.turns.hurry(self)
        self._stopTimer()
        self.factory.forget(self)
        if self._cause is None and self.phase not in _OVER:
            self._nameLoss(reason)
        self._stopAsking()
        if self._configuration.isClient and (self.connected or self._failure is not None):
            learn(
                self._configuration.acceptanceHistory,
                self._connection.acceptance,
                hasSentData=self.bytesReceived > 0,
                hasFailed=self._failure is not None,
            )
        wasConnected = self.connected
        self._enter(Phase.LOST)
        self._early = b""
        self._output.end()
        try:
            if wasConnected:
                self._tellClosed()
            elif (failure := self._failure) is not None:
                tell(self.factory.observer, "refused", self, failure)
        finally:
            # What the protocol above raises must not keep a caller waiting.
            self._failAccepted()

    # The transport's side: what the protocol above asks for.

    def write(self, data: bytes) -> None:
        """Send application data.

        Raises:
            TypeError: it is not bytes.
        """
        if type(data) is not bytes:
            data = bytes(memoryview(data))
        if not self.connected or not data or (self.disconnecting and not self._mayStillWrite):
            return
        self.bytesSent += len(data)
        self._output.write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send several pieces of application data, which need not be joined for it.

        Raises:
            TypeError: one of them is not bytes. Nothing was sent.
        """
        for piece in [piece if type(piece) is bytes else bytes(memoryview(piece)) for piece in data]:
            self.write(piece)

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

    def closeBecause(self, failure: TLSFailure) -> None:
        """End in order, like `loseConnection`, but not as if all were well: no producer may finish first.

        Args:
            failure: what `connectionLost` and the observer are told, unless an end was asked for before.
        """
        if not self.disconnecting:
            self._endBecause(failure)
            self._output.stopProducer()
            self.loseConnection()

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
        if self.phase not in _OVER:
            self._endBecause(ConnectionAborted())
        self._abortTCP()

    def loseWriteConnection(self) -> None:
        """Part of `ITCPTransport`. TLS connections end as a whole here, so this is `loseConnection`."""
        self.loseConnection()

    def pauseProducing(self) -> None:
        """Deliver no more application data, and take no more from the peer, until `resumeProducing`."""
        # What an end waits for has to be read.
        if not self.disconnecting:
            self._paused = True
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Deliver application data again."""
        if not self._paused:
            return
        self._paused = False
        if self._early and not self.disconnecting:
            # TCP brings nothing before this is delivered, so that the order is kept. A connection that is ending has a
            # timer for that, and what is left here is not delivered any more.
            self._startTimer(0, self._deliverEarly)
        else:
            self._resumeTCP()

    def stopProducing(self) -> None:
        """See `twisted.internet.interfaces.IPushProducer`."""
        self.loseConnection()

    @property
    def hasHeard(self) -> bool:
        """Whether the peer of a server has sent anything at all."""
        return self.transport is not None and self._connection.hasHeard

    @property
    def isInDoubt(self) -> bool:
        """Whether the server has given a sign of acceptance, which a refusal may still follow closely."""
        return self._isDoubting and self.phase is Phase.UNCONFIRMED

    def whenAccepted(self) -> Deferred[IProtocol]:
        """Return the protocol above once both sides have accepted each other, or the failure why they have not.

        To be called once. Cancelling it ends the connection.
        """
        accepted: Deferred[IProtocol] = Deferred(self._cancelled)
        if self.connected and self.protocol is not None:
            accepted.callback(self.protocol)
        else:
            self._accepted = accepted
            if self.phase is Phase.LOST:
                self._failAccepted()
        return accepted

    # The life of the connection.

    def _proceed(self, plaintext: bytes) -> None:
        """Act on a change of state, and on the application data that came with it."""
        connection = self._connection
        isNew = connection.isConfirmed and not (self.connected or self.disconnecting)
        if isNew:
            self._tellAccepted()
        if plaintext and self._paused:
            self._early = plaintext
        elif plaintext:
            self._deliver(plaintext)
        if connection.state is _FAILED:
            self._end()
            return
        self._output.release()
        if isNew:
            connection.forgetHandshake()
        if connection.pendingAnswer is not None:
            self._ask(connection.pendingAnswer)
            return
        if connection.state is State.UNCONFIRMED:
            self._awaitSign()
        elif connection.isAccepted and not connection.isConfirmed:
            self._doubt()
        elif connection.state is _CLOSED and not self._early:
            self._peerClosed()

    def _enter(self, phase: Phase) -> None:
        """Go on to another phase, and to what follows from that alone."""
        if phase not in GOES_ON_TO[self.phase]:
            raise AssertionError(f"a transport that is {self.phase.value} does not become {phase.value}")
        self.phase = phase
        if phase is Phase.OPEN:
            self.connected = True
        elif phase is Phase.LOST:
            self.connected, self.disconnecting = False, True
        elif phase is Phase.FLUSHING:
            self.disconnecting = True
        elif phase is Phase.CLOSING:
            self._deaf = True
        elif phase in _OVER:
            self.disconnecting = self._deaf = True

    def _ask(self, pendingAnswer: Awaitable[object]) -> None:
        """Wait for what the hook has to say. The peer waits too: what it sends meanwhile stays where it is."""
        if self._asked is not None:
            return
        self._asked = asked = asDeferred(pendingAnswer)
        if self.phase not in _OVER:
            self._enter(Phase.ASKING)
            # The verdict will be as old as the question, and what changes meanwhile is not counted.
            self._changesKnown = None
            limits = [each for each in (self._handshakeLeft(), self._deadlines.hook) if each is not None]
            wait = min(limits, default=None)
            self._startTimer(wait, partial(self._hookTimedOut, wait or 0.0))
            self.transport.pauseProducing()
        asked.addCallbacks(self._answered, self._hookRaised)
        if self.phase in _OVER:
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

    def _handshakeLeft(self) -> float | None:
        """Return how many seconds the handshake has left, or None where it has no deadline."""
        if self._deadlines.handshake is None:
            return None
        return max(0.0, self._deadlines.handshake - self._elapsed)

    @property
    def _elapsed(self) -> float:
        """The seconds since TCP was connected."""
        return self._clock.seconds() - self._began

    def _tellAccepted(self) -> None:
        self._stopTimer()
        self._output.startDeadline(self._deadlines.write)
        self._acceptedAt = self._clock.seconds()
        try:
            self._address = self.getPeer()
            protocol = self.factory.wrappedFactory.buildProtocol(self._address)
            if protocol is None or self.phase in _OVER:
                # The factory wants no connection, or connect() was cancelled while it was asked.
                self.abortConnection()
                return
            self.protocol = protocol
            self._enter(Phase.OPEN)
            tell(self.factory.observer, "accepted", self)
            protocol.makeConnection(self)
            if IHandshakeListener.providedBy(protocol):
                cast(IHandshakeListener, protocol).handshakeCompleted()
        except Exception:
            self.noteBroken()
        else:
            if (accepted := self._takeAccepted()) is not None:
                accepted.callback(protocol)
            if self._changesKnown != self.factory.changes:
                # The verdict is as old as the question to a hook, or rests on what held when the handshake began.
                self.factory.revalidateOne(self)

    def _deliver(self, plaintext: bytes) -> None:
        if self.disconnecting or self.protocol is None:
            self._unwanted += len(plaintext)
            return
        self.bytesReceived += len(plaintext)
        try:
            self.protocol.dataReceived(plaintext)
        except Exception:
            self.noteBroken()

    def _deliverEarly(self) -> None:
        """Deliver what came together with the acceptance, to a protocol that paused at once."""
        early, self._early = self._early, b""
        self._proceed(early)
        if not (self._paused or self.disconnecting):
            self._resumeTCP()

    def _awaitSign(self) -> None:
        """Wait for a sign of acceptance, but not for ever, and not less than the network needs."""
        if self.phase is not Phase.HANDSHAKE:
            # It is awaited already, or the hook has ended the connection itself.
            return
        self._enter(Phase.UNCONFIRMED)
        self._waitFor(silencePatience(self._deadlines, self._configuration.acceptanceHistory, self._elapsed))

    def _doubt(self) -> None:
        """Wait whether a refusal follows a sign of acceptance. What has come with it has said nothing."""
        if self._isDoubting or self.phase in _OVER:
            return
        self._isDoubting = True
        if self.phase is Phase.HANDSHAKE:
            self._enter(Phase.UNCONFIRMED)
        self._waitFor(doubtPatience(self._configuration.acceptanceHistory, self._elapsed))

    def _waitFor(self, seconds: float) -> None:
        """Wait for a verdict so long; the deadline of the whole handshake includes that."""
        left = self._handshakeLeft()
        self._startTimer(seconds if left is None else min(seconds, left), self._confirm)

    def _confirm(self) -> None:
        self._connection.confirm()
        self._proceed(b"")

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

    def noteDrained(self) -> None:
        """Everything that was written is with TCP."""
        if self._connection.state is _FAILED:
            self._end()
        elif self.phase is _FLUSHING and not self._output.awaitsProducer:
            self._close()
        elif self.phase is _FLUSHING and not self._output.hasPullProducer:
            self._startTimer(self._deadlines.close, self._producerSilent)

    @property
    def _mayStillWrite(self) -> bool:
        """Whether an end that was asked for still lets a producer write."""
        return self.phase is _FLUSHING and self._output.producer is not None

    def _producerSilent(self) -> None:
        """A push producer has not said for the close deadline that it has no more."""
        if self._output.isEmpty:
            self._close()

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

    def _end(self) -> None:
        """The connection has FAILED: let the peer hear why, then close."""
        if self.phase in _OVER:
            return
        self._stopAsking()
        self._enter(Phase.LINGERING)
        self._noteFailure()
        hasLastWords = self._output.finish()
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

    def noteBroken(self) -> None:
        """What is above has raised. It is not asked to go on, so the connection ends at once."""
        if (accepted := self._takeAccepted()) is not None:
            accepted.errback(Failure())
        else:
            logFailure(_log, "the protocol above or its producer failed, so the connection ends")
        self.abortConnection()

    def noteStuck(self) -> None:
        detail = f"nothing moved for {self._deadlines.write} s"
        if self._output.answers.areTooMany:
            detail = f"the peer asked TLS for answers, and had not taken them after {self._deadlines.write} s"
        self._endBecause(WriteTimeout(detail))
        self._abortTCP()

    def _handshakeTimedOut(self) -> None:
        self._timer = None
        if self.factory.turns.isWaiting(self):
            # What was missing has come in time, and it is we who have yet to look at it.
            return
        if (left := self._handshakeLeft()) and left > _ROUNDING:
            self._startTimer(left, self._handshakeTimedOut)
            return
        self._connection.timeOut()
        self._noteFailure()
        self._abortTCP()

    def _describePeer(self) -> str | None:
        return describeAddress(self.getPeer())

    def _abortTCP(self) -> None:
        self._stopAsking()
        if self.phase is not Phase.ABORTED and self.phase is not Phase.LOST:
            self._enter(Phase.ABORTED)
        self._output.discard()
        if self.transport is not None:
            getattr(self.transport, "abortConnection", self.transport.loseConnection)()

    def _resumeTCP(self) -> None:
        # Twisted tells of the end of a stream once more when a socket at its end is read again.
        if not (self._readEnded or self._output.answers.areTooMany):
            self.transport.resumeProducing()

    def readOn(self) -> None:
        """Read on, unless there is another reason not to."""
        if not (self._paused or self._early) and self.phase is not Phase.ASKING:
            self._resumeTCP()

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
        if self._cause is None and (failure := self._connection.failure) is not None:
            failure.peer = self._describePeer()
            raised = failure.__cause__ if failure.code == "hook-failed" else None
            if raised is not None and self.factory.hookTracebacks.allows():
                logFailure(_log, "the hook that was asked about a peer failed", Failure(raised))

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
