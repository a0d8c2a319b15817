"""A TLS connection as Twisted sees one: a protocol to the TCP transport below, a transport to the protocol above.

Twisted's own TLS transport tells the protocol above of the connection before the handshake. This one tells it when both
sides have accepted each other, and not at all when they do not: then there never was a connection. Nor does it copy the
interfaces of the transport below on every connection; it declares what it provides.

Every wait has a deadline here, and every deadline has a name: the handshake's, the write deadline
(`tlscomm.transport._output`), the wait for a sign of acceptance and the wait for the peer's close_notify. How long a
*message* may take is for the protocol above to say, because only it knows when one is awaited.

A transport is in five modules, one on the other: its state (`tlscomm.transport._state`), the wait for a hook
(`tlscomm.transport._asking`), how it ends (`tlscomm.transport._ending`), how long it may last
(`tlscomm.transport._lasting`), and here what TCP and the protocol above ask of it, and how it comes to be open.
`tlscomm.transport._phases` has its phases, and which one follows which.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cryptography import x509
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IHalfCloseableProtocol,
    IHandshakeListener,
    INegotiated,
    IProtocol,
    IPushProducer,
    ISSLTransport,
    ISystemHandle,
)
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from tlscomm.failures import HandshakeTimeout, TLSFailure
from tlscomm.limits import identityOf
from tlscomm.proxyprotocol import ProxyHeader
from tlscomm.tls import State, TLSConnection
from tlscomm.transport._acceptance import doubtPatience, learn, silencePatience
from tlscomm.transport._accepting import paceAccepting
from tlscomm.transport._clear import ClearConnection
from tlscomm.transport._lasting import LastingTransport
from tlscomm.transport._observer import isHealthCheck, tell
from tlscomm.transport._phases import Phase
from tlscomm.transport._state import OVER
from tlscomm.x509._facts import certificateFacts

if TYPE_CHECKING:
    from tlscomm.tracing._recorder import Recorder
    from tlscomm.tracing._trace import Trace

__all__ = ["TLSTransport"]

#: An enumeration's member costs more to find than a name of the module, and these are asked for in every read.
_OPEN, _CLOSED, _FAILED = State.OPEN, State.CLOSED, State.FAILED

_HANDSHAKE, _FLUSHING = Phase.HANDSHAKE, Phase.FLUSHING

#: Refusals that say nothing of the peer: what breaks here, what a limit is for, and what a proxy has sent.
_NOT_PEERS = frozenset(
    {
        "bad-proxy-header",
        "hook-failed",
        "hook-timeout",
        "too-many-connections",
        "too-many-handshakes",
        "too-many-refusals",
    }
)

#: Seconds that a deadline may lack by the rounding of a clock that counts from 1970. To wait once more for them could
#: end at the same time again, for ever.
_ROUNDING = 1e-6


@implementer(ISSLTransport, IConsumer, INegotiated, ISystemHandle, IPushProducer, IProtocol, IHalfCloseableProtocol)
class TLSTransport(LastingTransport):
    """One TLS connection over one TCP connection.

    Attributes:
        factory: the factory that made it.
        protocol: the protocol above, from when both sides have accepted each other until TCP is gone.
        phase: where it is in its life.
        connected: whether the protocol above has the connection, from OPEN until LOST.
        disconnecting: whether an end was asked for or has come.
        bytesReceived: bytes of application data from the peer.
        bytesSent: bytes of application data from the protocol above.
        proxied: what the header of a proxy before us has said, or None where none was expected.
        admitted: what it counts as for the server's limits, or None where it has none.
        recorder: what the connection is recorded by, or None where it is not traced.
    """

    __slots__ = ()

    # A class of its own has one (`tlscomm.transport._traced`).
    recorder: Recorder | None = None

    # The protocol's side: what TCP tells.

    def makeConnection(self, transport: Any) -> None:
        """TCP is connected: begin the handshake and its deadline."""
        self.transport = transport
        try:
            keyLog = None if self.recorder is None else self.recorder.addSecret
            self._connection = TLSConnection(self._configuration, self, keyLog)
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
        if (admitted := self.admitted) is not None and admitted.admission.limits.connectionsPerIdentity is not None:
            self._connection.admit = self._admitIdentity
        self._output.attach(self._connection, transport)
        self._startTimer(self._deadlines.handshake, self._handshakeTimedOut)
        if self._configuration.isClient:
            if self._clear is None:
                self.beginTLS()
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
        self._stopWatching()
        self.factory.forget(self)
        if self._cause is None and self.phase not in OVER:
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
                self._countRefusal(failure)
                tell(self.factory.observer, "refused", self, failure)
        finally:
            # What the protocol above raises must not keep a caller waiting.
            self._failAccepted()
            if self._clear is not None:
                self._clear.lost(self._failure or ConnectionAborted())

    def beginsInClear(self, clear: ClearConnection) -> None:
        """Something is said before TLS, in the clear.

        Args:
            clear: what is said it by; it calls `beginTLS` when it is over.
        """
        self._clear = clear

    def beginTLS(self) -> None:
        """Begin the handshake: a client speaks first."""
        if self._configuration.isClient:
            self._connection.start()
            self._proceed(b"")

    def expect(self, what: str) -> None:
        """Something has to come before TLS, in the clear.

        Args:
            what: what it is, for the failure that says that it has not come in time; empty from when it has.
        """
        self._awaited = what

    def noteProxied(self, header: ProxyHeader, peer: IAddress | None, host: IAddress | None) -> None:
        """A proxy has said whose connection it is, before TLS.

        Args:
            header: what it has said.
            peer: the client's address, where it has said that.
            host: the address that the client has connected to, where it has said that.
        """
        self._address = peer or self.getPeer()
        self._host = host
        self.proxied = header
        if (admitted := self.admitted) is not None:
            # Where it says no address there is none to count by: the proxy's own is that of all its clients.
            excess = admitted.admission.locate(admitted, getattr(peer, "host", None), self._clock.seconds())
            if excess is not None:
                self.closeBecause(excess)

    # The transport's side: what the protocol above asks for.

    def write(self, data: bytes) -> None:
        """Send application data.

        Raises:
            TypeError: it is not bytes.
        """
        if type(data) is not bytes:
            data = bytes(memoryview(data))
        if not self.connected or not data or (self._isWriteEnding and not self._mayStillWrite):
            return
        self.bytesSent += len(data)
        self._output.write(data)

    def writeAtOnce(self, data: bytes) -> None:
        """Send application data in this call, as far as TCP takes it.

        For what has no more to write in this turn of the reactor, as a relay of bytes: nothing waits for what could be
        sent in the same record.
        """
        if self.connected:
            self._output.hold()
            self.write(data)
            self._output.release()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send several pieces of application data, which need not be joined for it.

        Raises:
            TypeError: one of them is not bytes. Nothing was sent.
        """
        for piece in [piece if type(piece) is bytes else bytes(memoryview(piece)) for piece in data]:
            self.write(piece)

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

    @property
    def hasHeard(self) -> bool:
        """Whether the peer of a server has sent anything at all."""
        hasHeard = self.transport is not None and self._connection.hasHeard
        return hasHeard or (self._clear is not None and self._clear.hasHeard)

    @property
    def trace(self) -> Trace | None:
        """What was seen of the connection so far, or None where it is not traced (`TLSFactory`)."""
        return None if self.recorder is None else self.recorder.trace()

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

    def _tellAccepted(self) -> None:
        self._stopTimer()
        self._output.startDeadline(self._deadlines.write)
        self._acceptedAt = self._clock.seconds()
        try:
            self._address = self.getPeer()
            clear = self._clear
            build = self.factory.wrappedFactory.buildProtocol if clear is None else clear.protocolAbove
            protocol = build(self._address)
            if protocol is None or self.phase in OVER:
                # The factory wants no connection, or connect() was cancelled while it was asked.
                self.abortConnection()
                return
            self.protocol = protocol
            self._enter(Phase.OPEN)
            if (admitted := self.admitted) is not None:
                admitted.admission.accepted(admitted)
            self._watchTime()
            tell(self.factory.observer, "accepted", self)
            if clear is None:
                protocol.makeConnection(self)
            else:
                clear.opened(protocol)
            if IHandshakeListener.providedBy(protocol):
                protocol.handshakeCompleted()
        except Exception:
            self.noteBroken()
        else:
            if (accepted := self._takeAccepted()) is not None:
                accepted.callback(protocol)
            if self._changesKnown != self.factory.changes:
                # The verdict is as old as the question to a hook, or rests on what held when the handshake began.
                self.factory.revalidateOne(self)

    def _admitIdentity(self, certificate: x509.Certificate) -> TLSFailure | None:
        """Count the connection for its peer, which is about to hear that it is accepted."""
        if (admitted := self.admitted) is None:
            return None
        excess = admitted.admission.identify(admitted, identityOf(certificate))
        if excess is not None:
            excess.certificate = certificateFacts(certificate)
        return excess

    def _countRefusal(self, failure: TLSFailure) -> None:
        admitted = self.admitted
        if (
            admitted is not None
            and failure.code not in _NOT_PEERS
            and not isHealthCheck(failure, hasHeard=self.hasHeard)
        ):
            admitted.admission.refused(admitted, self._clock.seconds())

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
        if self._isDoubting or self.phase in OVER:
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

    def _handshakeTimedOut(self) -> None:
        self._timer = None
        if self.factory.turns.isWaiting(self):
            # What was missing has come in time, and it is we who have yet to look at it.
            return
        if (left := self._handshakeLeft()) and left > _ROUNDING:
            self._startTimer(left, self._handshakeTimedOut)
            return
        if self._awaited:
            detail = f"{self._awaited} had not come in {self._deadlines.handshake:g} s"
            self._endBecause(HandshakeTimeout(detail))
        else:
            self._connection.timeOut()
            self._noteFailure()
        self._abortTCP()

    def readOn(self) -> None:
        """Read on, unless there is another reason not to."""
        if not (self._paused or self._early) and self.phase is not Phase.ASKING:
            self._resumeTCP()
