"""Twisted's HTTP client over tlscomm: endpoints for an `Agent`, and an `Agent` in one line.

An `Agent` that is made by ``usingEndpointFactory`` fails with what its endpoint fails with. So a server's refusal,
which under TLS 1.3 comes when a client's handshake is over, is the `TLSFailure` that names it, and no request was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.error import SchemeNotSupported
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from tlscomm.configuration import ClientConfiguration
from tlscomm.endpoints import TLSClientEndpoint
from tlscomm.endpoints._hosts import AnyHostname
from tlscomm.failures import printable
from tlscomm.web._perhost import EACH, PerHost

__all__ = ["AgentEndpoints", "agentFor", "hostOf", "requireHTTPS"]

_CONNECT_TIMEOUT = 30.0


@implementer(IAgentEndpointFactory)
class AgentEndpoints:
    """Makes the endpoint for each place that an `Agent` wants to talk to (`IAgentEndpointFactory`)."""

    def __init__(
        self,
        reactor: Any,
        configuration: ClientConfiguration,
        hosts: Iterable[str] | None = None,
        *,
        connectTimeout: float = _CONNECT_TIMEOUT,
        reachedBy: Callable[[str, int], IStreamClientEndpoint] | None = None,
        insecurelyHTTP: bool = False,
    ) -> None:
        """
        Args:
            reactor: connects.
            configuration: whom the client trusts, and what it presents. Its ``serverName`` is not asked for: each host
                has to prove its own.
            hosts: where the credential is shown: names, addresses, with a port or for all, ``*.example.org``. The
                ``serverName`` of the configuration alone where None. Any other host is talked to without a credential.
            connectTimeout: seconds for the TCP connection.
            reachedBy: returns the endpoint that reaches a host's port, for what goes through a proxy. It is given the
                name, which is not looked up before. TCP to the host itself where None.
            insecurelyHTTP: whether ``http:`` is talked as well, without TLS. A redirect can lead to it.

        Raises:
            ValueError: one of the hosts is none.
        """
        self._reactor = reactor
        self._perHost = PerHost(configuration, hosts)
        self._reachedBy = reachedBy or self._directly
        self._timeout = connectTimeout
        self._insecurelyHTTP = insecurelyHTTP

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Return the endpoint for a place.

        Raises:
            SchemeNotSupported: it is not of ``https:``.
            ValueError: its host is none.
        """
        host = hostOf(uri)
        if uri.scheme == b"http" and self._insecurelyHTTP:
            return self._reachedBy(host, uri.port)
        requireHTTPS(uri)
        configuration = self._perHost.configurationFor(host, uri.port)
        return TLSClientEndpoint(self._reactor, self._reachedBy(host, uri.port), configuration)

    def _directly(self, host: str, port: int) -> IStreamClientEndpoint:
        return AnyHostname(self._reactor, host, port, timeout=self._timeout)


def hostOf(uri: URI) -> str:
    """Return the host of a place, an address without brackets.

    Raises:
        ValueError: it is no ASCII.
    """
    return uri.host.decode("ascii").strip("[]")  # type: ignore[no-any-return]


def requireHTTPS(uri: URI) -> None:
    """Raise for a place that is not of ``https:``.

    Raises:
        SchemeNotSupported: it is of another scheme.
    """
    if uri.scheme != b"https":
        scheme = printable(uri.scheme.decode("latin-1"))
        raise SchemeNotSupported(f"this client talks https: and was asked for {scheme}:")


def agentFor(
    reactor: Any,
    hosts: Iterable[str],
    *,
    pool: HTTPConnectionPool | None = None,
    connectTimeout: float = _CONNECT_TIMEOUT,
    reachedBy: Callable[[str, int], IStreamClientEndpoint] | None = None,
    insecurelyHTTP: bool = False,
    **settings: Any,
) -> Agent:
    """Return an `Agent` that shows a credential at some hosts::

        agent = agentFor(reactor, ["api.example.org"], credential=loadCredential("client.pfx"))
        client = treq.client.HTTPClient(agent)

    Args:
        reactor: connects.
        hosts: as in `AgentEndpoints`.
        pool: keeps connections for further requests; none are kept where None. It belongs to this one agent: a pool
            does not tell connections apart by what was presented on them.
        connectTimeout: seconds for the TCP connection.
        reachedBy: as in `AgentEndpoints`.
        insecurelyHTTP: as in `AgentEndpoints`.
        settings: those of `ClientConfiguration` but the server's name.

    Raises:
        TLSFailure: the credential cannot be used.
        ValueError: one of the hosts is none, or none is named for a credential.
    """
    hosts = hosts if isinstance(hosts, str) else tuple(hosts)
    if settings.get("credential") is not None and not hosts:
        raise ValueError("a credential is given, and no host that it is meant for")
    endpoints = AgentEndpoints(
        reactor,
        ClientConfiguration(serverName=EACH, **settings),
        hosts,
        connectTimeout=connectTimeout,
        reachedBy=reachedBy,
        insecurelyHTTP=insecurelyHTTP,
    )
    return cast(Agent, Agent.usingEndpointFactory(reactor, endpoints, pool))
