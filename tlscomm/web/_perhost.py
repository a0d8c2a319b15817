"""The configuration of each host that a client of HTTP talks to, out of one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from tlscomm.configuration import ClientConfiguration
from tlscomm.web._destinations import Destinations

__all__ = ["EACH", "HTTP11", "MOST_HOSTS", "PerHost"]

#: What Twisted's client speaks.
HTTP11 = (b"http/1.1",)

#: How many hosts are remembered, with the sessions that were kept of them.
MOST_HOSTS = 256

#: The name in a configuration that stands for each host's own (RFC 2606).
EACH = "each.invalid"


class PerHost:
    """Makes a client's configuration for each host: its name, and the credential where that is meant for it."""

    def __init__(self, configuration: ClientConfiguration, hosts: Iterable[str] | None) -> None:
        """
        Args:
            configuration: what holds for all hosts. Without protocols for ALPN it has those of HTTP/1.1.
            hosts: where its credential is shown, as in `Destinations`; at its ``serverName`` alone where None.
        """
        self._configuration = configuration
        if not configuration.applicationProtocols:
            self._configuration = replace(configuration, applicationProtocols=HTTP11)
        self._destinations = Destinations((configuration.serverName,) if hosts is None else hosts)
        # A client that comes again resumes its session, which its configuration keeps.
        self._remembered = lru_cache(MOST_HOSTS)(self._make)

    def configurationFor(self, host: str, port: int) -> ClientConfiguration:
        """Return the configuration for a host, by its name or its address without brackets.

        Raises:
            ValueError: it is no host.
        """
        return self._remembered(host, (host, port) in self._destinations)

    def _make(self, host: str, isMeant: bool) -> ClientConfiguration:
        if isMeant:
            return replace(self._configuration, serverName=host)
        return replace(self._configuration, serverName=host, credential=None, others=(), choose=None)
