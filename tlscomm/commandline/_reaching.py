"""From a host and a port to an endpoint whose every wait is bounded.

Two waits are not, in Twisted alone. The lookup of a name lasts as long as the system's resolver likes, and when the
reactor ends it waits for the thread that the lookup runs in. Who asked for an answer in two seconds gets it in two.
"""

from __future__ import annotations

from functools import partial
from threading import Thread
from typing import Any, NoReturn, cast

from twisted.internet._resolver import GAIResolver
from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError, TimeoutError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from tlscomm.commandline._plan import Address, Plan
from tlscomm.endpoints import TLSClientEndpoint
from tlscomm.endpoints._hosts import AnyHostname

__all__ = ["Bounded", "endpointBelowTLS", "endpointTo"]

#: What Twisted is told where there is no limit; thirty years.
_FOREVER = 1e9


def endpointTo(reactor: Any, plan: Plan) -> IStreamClientEndpoint:
    """Return an endpoint that connects to a host over IPv6 or IPv4, whichever answers first (RFC 8305).

    Args:
        reactor: connects. It looks names up in threads of its own from now on.
        plan: where to, as whom, and in which time.

    Raises:
        ValueError: the endpoint string of the plan describes no endpoint.
        TLSFailure: it is one of tlscomm's, and a file that it names cannot be used.
    """
    below = endpointBelowTLS(reactor, plan)
    if plan.configuration is None:
        return below
    return TLSClientEndpoint(reactor, below, plan.configuration, tracing=plan.tracing)


def endpointBelowTLS(reactor: Any, plan: Plan) -> IStreamClientEndpoint:
    """Return an endpoint for the TCP connection, with what is said on it before TLS; it raises as `endpointTo`."""
    reactor.installNameResolver(GAIResolver(reactor, _lookups))
    bounded: Any = Bounded(reactor, _below(reactor, plan), plan.connectSeconds)
    if plan.beforeTLS:
        # What does not begin in the clear does not load what does.
        from tlscomm.endpoints._beforetls import connectingBeforeTLS

        place = (plan.host, plan.address.port) if isinstance(plan.address, Address) else None
        bounded = connectingBeforeTLS(bounded, plan.beforeTLS, place)
    return cast(IStreamClientEndpoint, bounded)


def _below(reactor: Any, plan: Plan) -> IStreamClientEndpoint:
    if isinstance(plan.address, Address):
        if "proxy" in plan.beforeTLS:
            from tlscomm.endpoints._beforetls import connectingTo

            return connectingTo(reactor, plan.host, plan.address.port, plan.beforeTLS, plan.connectSeconds)
        seconds = _FOREVER if plan.connectSeconds is None else plan.connectSeconds
        return AnyHostname(reactor, plan.host, plan.address.port, timeout=seconds)
    from tlscomm.relaying._fromsettings import clientEndpointFrom

    return clientEndpointFrom(reactor, plan.address.text, "ADDRESS")


@implementer(IStreamClientEndpoint)
class Bounded:
    """An endpoint that has so long to connect, whatever it is doing."""

    def __init__(self, clock: Any, endpoint: IStreamClientEndpoint, timeout: float | None) -> None:
        self._clock = clock
        self._endpoint = endpoint
        self._timeout = timeout

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        connecting = self._endpoint.connect(protocolFactory)
        if self._timeout is not None:
            connecting.addTimeout(self._timeout, self._clock, onTimeoutCancel=_tooLate)
        return connecting.addErrback(_invalidHost)


def _tooLate(result: object, timeout: float) -> NoReturn:
    raise TimeoutError()


def _invalidHost(reason: Failure) -> NoReturn:
    reason.trap(ValueError)
    raise DNSLookupError(str(reason.value)) from None


def _lookups() -> ThreadPool:
    pool = ThreadPool(0, 1, "lookup")
    pool.threadFactory = partial(Thread, daemon=True)  # type: ignore[assignment]
    pool.start()
    return pool
