"""One answer over plain HTTP, from a server that may mean harm: authorities publish lists and responses like this.

What is fetched bears the authority's signature, so it comes over ``http:``, as is usual (RFC 5280, section 8): with
``https:`` checking one certificate would need another. Everything is bounded: the time, all bytes that arrive, headers
too, and how often one place may send us to another. No proxy is used, and no cookie is kept.

Names are resolved by servers that may mean harm as well, and to another address each time they are asked. So what
decides is the address that a connection is made to, at the moment when it is made.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast
from urllib.parse import urljoin

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IProtocolFactory, IReactorPluggableNameResolver, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from tlscomm.failures import printable
from tlscomm.revocation._addresses import FetchFailed, isFetchable, isNeverFetchedFrom, isPublic, placeOf

__all__ = ["fetch"]

_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Bytes before the body.
_LONGEST_HEAD = 1 << 14
#: Bytes that are looked at in one go, so that each turn of the reactor is short, whatever they are.
_SLICE = 1 << 12
#: How many pieces a body may come in beyond one for so many bytes. Each piece costs time and has no use.
_MOST_PIECES, _USUAL_PIECE = 1000, 256
_OK = 200


def fetch(
    reactor: Any,
    url: str,
    *,
    largest: int,
    seconds: float,
    fromPrivateAddresses: bool = False,
    body: bytes | None = None,
    kind: str = "",
) -> Deferred[bytes]:
    """Fetch what is at an address. Cancelling it ends the connection.

    Args:
        reactor: connects.
        url: ``http://`` and so on.
        largest: the most bytes that the answer may have.
        seconds: how long it may take altogether.
        fromPrivateAddresses: whether the server may have a private address, a loopback one and so on. A server may
            then send us to another place of its own there, and never to another server.
        body: what to ask with POST; with GET where None.
        kind: the media type of that.

    Raises:
        FetchFailed: (in the Deferred) nothing came, or too much, or something else than an answer.
    """
    budget = _Budget(largest)
    guarded = partial(_GuardedReactor, reactor, fromPrivateAddresses)
    fetching = Deferred.fromCoroutine(_fetch(guarded, url, body, kind, budget))
    ending = reactor.callLater(seconds, _endLate, fetching, budget)
    fetching.addErrback(_explain, budget, seconds)
    return fetching.addBoth(_stopped, ending)


async def _fetch(
    guarded: Callable[..., _GuardedReactor], url: str, body: bytes | None, kind: str, budget: _Budget
) -> bytes:
    headers = Headers({"User-Agent": ["tlscomm"], **({"Content-Type": [kind]} if kind else {})})
    begun = url
    for _ in range(_MOST_REDIRECTS + 1):
        if not isFetchable(url):
            raise FetchFailed(f"{printable(url)} is not fetched from")
        reactor = guarded(isElsewhere=placeOf(url) != placeOf(begun))
        agent = Agent.usingEndpointFactory(reactor, _Bounded(reactor, budget))
        asked = (b"GET", None) if body is None else (b"POST", _Body(body))
        budget.beginHead()
        response: IResponse = await agent.request(asked[0], url.encode("ascii"), headers, asked[1])
        budget.beginBody()
        content = await _read(response, budget)
        # Where a server does not say how long a body is, one that we cut off looks complete.
        if budget.fault:
            raise FetchFailed(budget.fault)
        if response.code == _OK:
            return content
        if response.code not in _REDIRECTS or not (places := response.headers.getRawHeaders("Location")):
            raise FetchFailed(f"its server answered {response.code}")
        url = urljoin(url, places[0])
    raise FetchFailed(f"it leads to more than {_MOST_REDIRECTS} other places")


def _endLate(fetching: Deferred[bytes], budget: _Budget) -> None:
    budget.isLate = True
    fetching.cancel()


def _stopped(result: Any, ending: Any) -> Any:
    if ending.active():
        ending.cancel()
    return result


def _explain(reason: Failure, budget: _Budget, seconds: float) -> Failure:
    if budget.fault:
        raise FetchFailed(budget.fault) from None
    if budget.isLate:
        raise FetchFailed(f"it did not come within {seconds:g} seconds") from None
    if reason.check(FetchFailed, CancelledError):
        return reason
    # Twisted wraps what happened in lists of failures.
    causes = getattr(reason.value, "reasons", None) or [reason]
    raise FetchFailed(printable(causes[0].getErrorMessage())) from None


def _read(response: IResponse, budget: _Budget) -> Deferred[bytes]:
    reading: Deferred[bytes] = Deferred(lambda _: budget.abort())
    response.deliverBody(_Reader(reading, budget))
    return reading


class _Reader(Protocol):
    def __init__(self, reading: Deferred[bytes], budget: _Budget) -> None:
        self._reading = reading
        self._budget = budget
        self._content = bytearray()

    def dataReceived(self, data: bytes) -> None:
        if self._budget.takePiece(len(self._content)):
            self._content += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._reading.called:
            return
        # Where a server does not say how long a body is, its end is that of the stream. What is cut off bears no
        # signature.
        if reason.check(ResponseDone, PotentialDataLoss):
            self._reading.callback(bytes(self._content))
        else:
            self._reading.errback(reason)


class _Budget:
    """What may still come.

    Attributes:
        fault: why too much has come, empty where it has not.
        isLate: whether the time is over.
    """

    def __init__(self, size: int) -> None:
        self.fault = ""
        self.isLate = False
        self._left = size + _LONGEST_HEAD
        self._ofHead: int | None = None
        self._pieces = 0
        self._connection: Any = None

    def begin(self, connection: Any) -> None:
        self._connection = connection

    def beginHead(self) -> None:
        self._ofHead = _LONGEST_HEAD

    def beginBody(self) -> None:
        self._ofHead = None

    def spend(self, size: int) -> bool:
        """Return whether more bytes may come."""
        self._left -= size
        if self._ofHead is not None:
            self._ofHead -= size
        if self._left < 0:
            self.fault = "it is too large"
        elif self._ofHead is not None and self._ofHead < 0:
            self.fault = "what its server says before it is too large"
        return not self.fault

    def takePiece(self, size: int) -> bool:
        """Return whether another piece of a body may come, of which there are so many bytes."""
        self._pieces += 1
        if self._pieces > _MOST_PIECES + size / _USUAL_PIECE:
            self.fault = "it comes in too small pieces"
        return not self.fault

    def abort(self) -> None:
        self._connection.abortConnection()


class _BoundedProtocol(ProtocolWrapper):
    def dataReceived(self, data: bytes) -> None:
        budget = cast(Any, self.factory).budget
        for offset in range(0, len(data), _SLICE):
            piece = data[offset : offset + _SLICE]
            if not budget.spend(len(piece)):
                cast(Any, self.transport).abortConnection()
                return
            super().dataReceived(piece)  # type: ignore[no-untyped-call]
            if self.disconnecting:
                return


class _BoundedFactory(WrappingFactory[Any]):
    protocol = _BoundedProtocol
    noisy = False

    def __init__(self, wrapped: Any, budget: _Budget) -> None:
        super().__init__(wrapped)  # type: ignore[no-untyped-call]
        self.budget = budget


@implementer(IStreamClientEndpoint)
class _BoundedEndpoint:
    def __init__(self, below: IStreamClientEndpoint, budget: _Budget) -> None:
        self._below = below
        self._budget = budget

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        # Else Twisted's factory says in the log that it begins and ends.
        cast(Any, protocolFactory).noisy = False
        connecting = self._below.connect(cast(IProtocolFactory, _BoundedFactory(protocolFactory, self._budget)))
        return connecting.addCallback(self._begun)

    def _begun(self, connection: Any) -> Protocol:
        self._budget.begin(connection)
        return cast(Protocol, connection.wrappedProtocol)


@implementer(IReactorPluggableNameResolver)
class _GuardedReactor:
    """A reactor that connects to some addresses only. What it is asked to connect to is resolved already."""

    def __init__(self, reactor: Any, fromPrivateAddresses: bool, *, isElsewhere: bool) -> None:
        self._reactor = reactor
        self._fromPrivateAddresses = fromPrivateAddresses
        self._isElsewhere = isElsewhere

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def connectTCP(self, host: str, port: int, *rest: Any, **more: Any) -> Any:
        if isNeverFetchedFrom(host):
            raise FetchFailed(f"its server has the address {printable(host)}, which is never fetched from")
        if not isPublic(host):
            if self._isElsewhere:
                raise FetchFailed(f"its server sends us to another one, with the private address {printable(host)}")
            if not self._fromPrivateAddresses:
                raise FetchFailed(
                    f"its server has the private address {printable(host)}, which is fetched from only where that is "
                    "allowed (--fetch-from-private-addresses)"
                )
        return self._reactor.connectTCP(host, port, *rest, **more)


@implementer(IAgentEndpointFactory)
class _Bounded:
    def __init__(self, reactor: Any, budget: _Budget) -> None:
        self._reactor = reactor
        self._budget = budget

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        below = HostnameEndpoint(self._reactor, uri.host, uri.port)
        return cast(IStreamClientEndpoint, _BoundedEndpoint(below, self._budget))


@implementer(IBodyProducer)
class _Body:
    """A few bytes to send."""

    def __init__(self, content: bytes) -> None:
        self.length = len(content)
        self._content = content

    def startProducing(self, consumer: Any) -> Deferred[None]:
        consumer.write(self._content)
        return succeed(None)

    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...

    def stopProducing(self) -> None: ...
