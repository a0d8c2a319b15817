"""An ``Agent`` whose certificate and authorities are in files that are renewed while the program runs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, cast

from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from tlscomm.endpoints._parsing import clientEndpoint
from tlscomm.web._agents import hostOf, requireHTTPS
from tlscomm.web._destinations import Destinations
from tlscomm.web._perhost import EACH, HTTP11, MOST_HOSTS

__all__ = ["agentFromFiles"]

#: Arguments that say what is presented. A host that it is not meant for is talked to without them.
_OWN = frozenset({"identity", "key", "passphraseEnv", "passphraseFile"})


def agentFromFiles(
    reactor: Any, hosts: Iterable[str], *, pool: HTTPConnectionPool | None = None, **arguments: str
) -> Agent:
    """Return an ``Agent`` as `agentFor`, whose files are read again when they have changed::

        agent = agentFromFiles(reactor, ["api.example.org"], identity="client.pfx", roots="ca.pem")

    They are looked at before a connection is made. Where they cannot be read, what was read before stays in use, and
    the log says why.

    Args:
        reactor: connects.
        hosts: where the credential is shown, as in `AgentEndpoints`.
        pool: as in `agentFor`.
        arguments: those of a client's endpoint string, each as the text that it is there (``tlscomm:HOST:PORT:…``).

    Raises:
        TLSFailure: a file or the credential cannot be used.
        TypeError: there is no such argument; the message names it.
        ValueError: an argument's value is not one, one of the hosts is none, or none is named for a credential.
    """
    endpoints = _FileEndpoints(reactor, hosts, arguments)
    return cast(Agent, Agent.usingEndpointFactory(reactor, endpoints, pool))


@implementer(IAgentEndpointFactory)
class _FileEndpoints:
    """Makes the endpoint for each place, and keeps it: it knows what it has read, and the sessions of its host."""

    def __init__(self, reactor: Any, hosts: Iterable[str], arguments: dict[str, str]) -> None:
        for name in ("endpoint", "passphraseFD", "serverName"):
            if name in arguments:
                raise ValueError(f"{name} is for one connection, and there may be many to several hosts")
        self._reactor = reactor
        self._destinations = Destinations(hosts)
        if "identity" in arguments and not self._destinations:
            raise ValueError("a credential is given, and no host that it is meant for")
        self._arguments = {"alpn": HTTP11[0].decode(), **arguments}
        self._remembered = lru_cache(MOST_HOSTS)(self._make)
        # What is wrong with them is told now and not by the first request.
        self._make(EACH, 1, isMeant=True)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Part of `IAgentEndpointFactory`."""
        requireHTTPS(uri)
        host = hostOf(uri)
        return self._remembered(host, uri.port, isMeant=(host, uri.port) in self._destinations)

    def _make(self, host: str, port: int, *, isMeant: bool) -> IStreamClientEndpoint:
        given = {name: text for name, text in self._arguments.items() if isMeant or name not in _OWN}
        return clientEndpoint(self._reactor, host, str(port), (), given)
