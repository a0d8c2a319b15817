"""The client's end of a tunnel: plain connections of this machine in, TLS with a client certificate out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

from twisted.application.service import Service
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred
from twisted.internet.interfaces import IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.python.failure import Failure

from tlscomm.endpoints._hosts import connectFailed
from tlscomm.failures import TLSFailure
from tlscomm.relaying import Forwarding, Relay
from tlscomm.relaying._places import isLoopback
from tlscomm.serving._ports import CannotListen, Listener, Ports, complainInLog
from tlscomm.serving._service import OTHER_FILES, permitFiles
from tlscomm.transport import describeAddress
from tlscomm.transport._eventlog import EventLog

__all__ = ["Tunnel"]

#: Seconds that connections have to be gone when they were cut.
_CUT_SECONDS = 1.0


class Tunnel(Service):
    """Listens without TLS, and makes a connection with TLS for each that it accepts.

    Attributes:
        forwarding: knows the connections.
        unfinished: when it has stopped, how many connections were cut.
    """

    def __init__(
        self,
        clock: IReactorTime,
        server: IStreamClientEndpoint,
        place: str,
        listeners: Sequence[Listener],
        log: EventLog,
        *,
        connectTimeout: float | None = None,
        halfCloseTimeout: float | None = 600.0,
        maximumConnections: int | None = None,
        drainTimeout: float | None = 10.0,
        insecureListenPlain: bool = False,
        complain: Callable[[str], object] = complainInLog,
    ) -> None:
        """
        Args:
            clock: tells the time, usually the reactor.
            server: connects with TLS, a `TLSClientEndpoint` as a rule.
            place: what it connects to, for messages.
            listeners: where to listen.
            log: is told of each connection when it has ended.
            connectTimeout: seconds for the connection to the server, whatever it is doing; None for no limit but those
                of `server` itself.
            halfCloseTimeout: seconds that a connection may stay without a byte when one side has ended; None for ever.
            maximumConnections: those beyond are cut at once; None for no limit.
            drainTimeout: seconds that a stop waits for connections to end; None for ever.
            insecureListenPlain: whether it may listen for other machines too.
            complain: is told why it cannot start.
        """
        self.forwarding = Forwarding(
            clock,
            server,
            place,
            connectTimeout=connectTimeout,
            halfCloseTimeout=halfCloseTimeout,
            maximumConnections=maximumConnections,
            named=_named,
            ended=self._ended,
        )
        self.unfinished = 0
        self._clock = clock
        self._place = place
        self._listeners = tuple(listeners)
        self._log = log
        self._drainTimeout = drainTimeout
        self._maximumConnections = maximumConnections
        self._isForAll = insecureListenPlain
        self._ports = Ports(complain)
        self._idle: Deferred[None] | None = None

    def privilegedStartService(self) -> None:
        """Open the ports.

        Raises:
            CannotListen: one of them cannot be opened. The others are closed again.
        """
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        if self._maximumConnections is not None:
            permitFiles(Forwarding.filesPerConnection * self._maximumConnections + OTHER_FILES)
        self._ports.open((each.place, partial(self._listen, each)) for each in self._listeners)

    def startService(self) -> None:
        """Say where it listens, after opening the ports if that was not done yet.

        Raises:
            CannotListen: a port cannot be opened.
        """
        if not self._ports.areOpen:
            self.privilegedStartService()
        super().startService()  # type: ignore[no-untyped-call]
        self._ports.announce(lambda port: self._log.listening(describeAddress(port.getHost())))

    def stopService(self) -> Deferred[None]:
        """Close the ports, wait for the connections to end, and cut those that have not when their time is up."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    def endNow(self) -> None:
        """Cut all connections, where the tunnel is stopping and there is no time to wait."""
        self.unfinished += self.forwarding.cut()

    def closePorts(self) -> Deferred[None]:
        """Take no new connections."""
        return self._ports.close()

    async def _stop(self) -> None:
        await self.closePorts()
        idle = self.forwarding.whenIdle()
        if self._drainTimeout is not None:
            idle.addTimeout(self._drainTimeout, self._clock)
        with contextlib.suppress(TimeoutError):
            await idle
        if self.forwarding.relays:
            self.endNow()
            with contextlib.suppress(TimeoutError):
                await self.forwarding.whenIdle().addTimeout(_CUT_SECONDS, self._clock)
        self._log.flush()

    def _listen(self, listener: Listener) -> Deferred[Any]:
        opening = listener.endpoint.listen(cast(IProtocolFactory, self.forwarding))
        return opening.addCallback(self._checked, listener.place)

    def _checked(self, port: Any, place: str) -> Any:
        if self._isForAll or _isOfThisMachine(port.getHost()):
            return port
        # Nothing was let in yet, for the reactor has not turned.
        return maybeDeferred(port.stopListening).addCallback(lambda _: Failure(_ListensForOthers(place)))

    def _ended(self, relay: Relay) -> None:
        self._log.tunnelled(
            describeAddress(relay.near.transport.getPeer()),
            self._place,
            relay.failure,
            tls=None if relay.far.transport is None else relay.far.transport.tls,
            bytesReceived=relay.near.received,
            bytesSent=relay.far.received,
        )


class _ListensForOthers(CannotListen):
    """A port takes connections of other machines."""

    def __init__(self, place: str) -> None:
        super().__init__(place, ValueError("other machines could connect, and what they send would not be protected"))
        self.message = self.message.rpartition("\n")[0] + (
            "\nNext step: Listen on a Unix socket or on the loopback address (tcp:PORT:interface=127.0.0.1), or say "
            "that this is meant with --insecure-listen-plain."
        )


def _isOfThisMachine(address: object) -> bool:
    host = getattr(address, "host", None)
    return isLoopback(host) if isinstance(host, str) else isinstance(address, UNIXAddress)


def _named(error: Exception) -> TLSFailure:
    return error if isinstance(error, TLSFailure) else connectFailed(error)
