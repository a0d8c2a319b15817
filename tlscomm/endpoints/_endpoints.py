"""Client and server endpoints: TLS over any of Twisted's endpoints.

A client's `connect` succeeds when both sides have accepted each other, and fails with the `TLSFailure` that says why
they have not. A server's factory hears of a connection at the same moment and not before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IProtocolNegotiationFactory,
    IReactorTime,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from tlscomm.configuration import ClientConfiguration, Configuration, ServerConfiguration
from tlscomm.endpoints._below import BACKLOG
from tlscomm.endpoints._hosts import AnyHostname, connectFailed
from tlscomm.endpoints._renewal import RenewedConfiguration, RenewedFactory
from tlscomm.limits import Admission, Limits
from tlscomm.transport import Observer, TLSFactory, TLSTransport, describeAddress
from tlscomm.transport._eventlog import EventLog
from tlscomm.verification._servernames import hostAndServerName
from tlscomm.watching._reloadresult import ReloadResult
from tlscomm.watching._rereading import nothingToRead
from tlscomm.watching._watchedfiles import WatchedFiles

if TYPE_CHECKING:
    from tlscomm.tracing import Tracing

__all__ = ["TLSClientEndpoint", "TLSServerEndpoint"]

_C = TypeVar("_C", bound=Configuration)


@implementer(IStreamServerEndpoint)
class TLSServerEndpoint:
    """Listens for TLS on another server endpoint.

    Attributes:
        factory: the `TLSFactory` in use, which knows the connections; None before `listen`.
        configuration: what connections begin with, as far as nothing was read again.
    """

    def __init__(
        self,
        reactor: Any,
        endpoint: IStreamServerEndpoint,
        configuration: Configuration,
        *,
        observer: Observer[TLSTransport] | None = None,
        maximumConnections: int | None = None,
        limits: Limits | None = None,
        readAgain: Callable[[], Configuration] | None = None,
        files: WatchedFiles | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """
        Args:
            reactor: tells the time for all deadlines.
            endpoint: where TCP connections come from.
            configuration: a `ServerConfiguration`, or an `ExternalContextConfiguration` around your own
                ``CertificateOptions``.
            observer: is told of every connection, accepted or refused. Where None, they are written to Twisted's log,
                in the namespace ``tlscomm``.
            maximumConnections: connections beyond this number are closed at once; None for no limit, or for that
                of ``limits``.
            limits: what the clients, or one of them, may have; None for no limits.
            readAgain: returns the configuration of files as they are now, for `reload` and for SIGHUP, where the
                program has no use of its own for that. It is called in a thread.
            files: is looked at while the endpoint listens, to call `readAgain` when something has changed.
            tracing: what is traced of the connections; None for nothing.
        """
        if configuration.isClient:
            raise TypeError("a server endpoint needs a server's configuration")
        self.factory: TLSFactory | None = None
        self._clock = cast(IReactorTime, reactor)
        self._endpoint = endpoint
        self.configuration = configuration
        self._observer = observer
        self._limits = limits or Limits()
        if maximumConnections is not None:
            self._limits = replace(self._limits, maximumConnections=maximumConnections)
        self._readAgain = readAgain
        self._files = files
        self._tracing = tracing

    @classmethod
    def onPort(
        cls,
        reactor: Any,
        port: int,
        *,
        interface: str = "",
        observer: Observer[TLSTransport] | None = None,
        maximumConnections: int | None = None,
        limits: Limits | None = None,
        tracing: Tracing | None = None,
        **settings: Any,
    ) -> TLSServerEndpoint:
        """Return an endpoint that listens on a TCP port.

        Args:
            reactor: listens.
            port: the port, 0 for any that is free.
            interface: the address to listen on, all IPv4 ones where empty.
            observer: is told of every connection, accepted or refused.
            maximumConnections: connections beyond this number are closed at once; None for no limit, or for that
                of ``limits``.
            limits: what the clients, or one of them, may have; None for no limits.
            tracing: what is traced of the connections; None for nothing.
            settings: those of `ServerConfiguration`.
        """
        tcp = TCP6ServerEndpoint if ":" in interface else TCP4ServerEndpoint
        return cls(
            reactor,
            tcp(reactor, port, BACKLOG, interface),
            ServerConfiguration(**settings),
            observer=observer,
            maximumConnections=maximumConnections,
            limits=limits,
            tracing=tracing,
        )

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Begin to listen; the factory's protocols get accepted connections only."""
        self.factory = self._newFactory(protocolFactory)
        listening = self._endpoint.listen(cast(IProtocolFactory, self.factory))
        return listening.addCallback(_announced, self.factory.observer)

    def reload(self) -> Deferred[ReloadResult]:
        """Read the files again, for new connections, and judge the open ones by them.

        Returns:
            What came of it, which is false where they could not be read: then the log says why, and the former
            configuration stays in use. So it is where the endpoint has nothing to read, or does not listen yet.
        """
        return self.factory.reload() if isinstance(self.factory, RenewedFactory) else nothingToRead(self._clock)

    def _newFactory(self, protocolFactory: IProtocolFactory) -> TLSFactory:
        configuration = _negotiating(self.configuration, protocolFactory)
        admission = None if self._limits.areNone else Admission(self._limits)
        common = (configuration, protocolFactory, self._clock, self._observer)
        if (readAgain := self._readAgain) is None:
            return TLSFactory(*common, tracing=self._tracing, admission=admission)
        return RenewedFactory(
            *common,
            admission,
            readAgain=lambda: _negotiating(readAgain(), protocolFactory),
            files=self._files or WatchedFiles.of(),
            tracing=self._tracing,
        )


@implementer(IStreamClientEndpoint)
class TLSClientEndpoint:
    """Connects with TLS over another client endpoint."""

    def __init__(
        self,
        reactor: Any,
        endpoint: IStreamClientEndpoint,
        configuration: Configuration,
        *,
        readAgain: Callable[[], Configuration] | None = None,
        files: WatchedFiles | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """
        Args:
            reactor: tells the time for all deadlines.
            endpoint: makes the TCP connection.
            configuration: a `ClientConfiguration`, or an `ExternalContextConfiguration` around your own
                connection creator.
            readAgain: returns the configuration of files as they are now. It is called in a thread.
            files: is looked at before connections, to call `readAgain` when something has changed.
            tracing: what is traced of the connections; None for nothing.
        """
        if not configuration.isClient:
            raise TypeError("a client endpoint needs a client's configuration")
        self._clock = cast(IReactorTime, reactor)
        self._endpoint = endpoint
        self._configuration = configuration
        self._tracing = tracing
        self._renewed: RenewedConfiguration | None = None
        if readAgain is not None and files is not None:
            self._renewed = RenewedConfiguration(self._clock, configuration, readAgain, files)

    @classmethod
    def toHost(
        cls,
        reactor: Any,
        host: str,
        port: int,
        *,
        serverName: str | None = None,
        timeout: float = 30.0,
        tracing: Tracing | None = None,
        **settings: Any,
    ) -> TLSClientEndpoint:
        """Return an endpoint that connects to a host, over IPv6 or IPv4, whichever answers first (RFC 8305).

        Args:
            reactor: connects.
            host: a name or an address.
            port: the port.
            serverName: the name that the server's certificate must be for; the host where None.
            timeout: seconds for the TCP connection.
            tracing: what is traced of the connections; None for nothing.
            settings: the others of `ClientConfiguration`.
        """
        address, name = hostAndServerName(host)
        configuration = ClientConfiguration(serverName=name if serverName is None else serverName, **settings)
        return cls(reactor, AnyHostname(reactor, address, port, timeout=timeout), configuration, tracing=tracing)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect.

        Returns:
            The protocol, when both sides have accepted each other. Cancelling works at every stage and leaves nothing.

        Raises:
            ConnectFailed: (in the Deferred) there is no TCP connection.
            TLSFailure: (in the Deferred) one side refused the other, or the connection broke before that was settled.
        """
        latest = succeed(self._configuration) if self._renewed is None else self._renewed.latest()
        connecting = latest.addCallback(self._connect, protocolFactory)
        return _cancellable(connecting.addCallbacks(_whenAccepted, _connectFailed))

    def reload(self, trigger: str = "program") -> Deferred[ReloadResult]:
        """Read the files again, for new connections.

        Args:
            trigger: why: ``signal``, ``files`` or ``program``.

        Returns:
            What came of it. Where they could not be read, the log says why, and the former configuration stays in use.
        """
        return nothingToRead(self._clock) if self._renewed is None else self._renewed.reload(trigger)

    def watch(self) -> None:
        """Read the files when they change, as a server does, and not only before a connection.

        It is for a program that stays, and keeps the reactor's timers in use until `unwatch`.
        """
        if self._renewed is not None:
            self._renewed.watch()

    def unwatch(self) -> None:
        """Look at the files before connections alone, as at first."""
        if self._renewed is not None:
            self._renewed.unwatch()

    def _connect(self, configuration: Configuration, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        self._configuration = configuration
        negotiating = _negotiating(configuration, protocolFactory)
        factory = TLSFactory(negotiating, protocolFactory, self._clock, tracing=self._tracing)
        return self._endpoint.connect(cast(IProtocolFactory, factory))


def _announced(port: IListeningPort, observer: object) -> IListeningPort:
    """Say where a server listens, where nothing else was named that does."""
    if isinstance(observer, EventLog):
        observer.listening(describeAddress(port.getHost()))
    return port


def _cancellable(connecting: Deferred[IProtocol]) -> Deferred[IProtocol]:
    """Return the same result, but for what was cancelled: of that, Twisted's lookup says that there is no such host."""
    cancelled = False

    def cancel(_: object) -> None:
        nonlocal cancelled
        cancelled = True
        connecting.cancel()

    connected: Deferred[IProtocol] = Deferred(cancel)
    connecting.addBoth(lambda result: None if cancelled else connected.callback(result))
    return connected


def _whenAccepted(transport: IProtocol) -> Deferred[IProtocol]:
    return cast(TLSTransport, transport).whenAccepted()


def _connectFailed(reason: Failure) -> Failure:
    # Twisted raises ValueError for a name that no lookup can take.
    reason.trap(ConnectError, DNSLookupError, OSError, ValueError)
    raise connectFailed(cast(Exception, reason.value)) from None


def _negotiating(configuration: _C, factory: IProtocolFactory) -> _C:
    """Return a configuration that offers the application protocols of a factory, where it has any (ALPN)."""
    if IProtocolNegotiationFactory.providedBy(factory):
        withProtocols = getattr(configuration, "withProtocols", lambda _: configuration)
        return cast(_C, withProtocols(cast(IProtocolNegotiationFactory, factory).acceptableProtocols()))
    return configuration
