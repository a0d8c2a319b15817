"""Connections that a proxy makes for a client, and one talk in the clear after the other."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IAddress, IProtocol

from tlscomm.configuration._proxyplace import ProxyPlace
from tlscomm.endpoints._proxytalks import HTTPProxyTalk, Login, SOCKS5Talk

__all__ = ["InTurn", "proxyTalk"]

_PASSWORD = "TLSCOMM_PROXY_PASSWORD"

_TALKS: dict[str, Callable[..., Any]] = {"socks5": SOCKS5Talk, "http": HTTPProxyTalk}

Talk = Callable[["IAddress | None"], "IProtocol | None"]


def proxyTalk(proxy: ProxyPlace, host: str, port: int) -> Talk:
    """Return what makes the talk with a proxy: what an `UpgradingClientEndpoint` takes.

    Args:
        proxy: which, and who we are to it. The pass word is in the environment variable TLSCOMM_PROXY_PASSWORD.
        host: the server's, which the proxy resolves.
        port: the server's.
    """
    login = None if proxy.user is None else Login(proxy.user, os.environ.get(_PASSWORD, ""))
    talk = _TALKS[proxy.kind]
    return lambda address: talk(host, port, login)


class InTurn:
    """Talks one after the other: where the first would start TLS, the second begins."""

    def __init__(self, first: Talk, second: Talk) -> None:
        """
        Args:
            first: makes the first talk.
            second: makes the second. What it says of servers that are silent counts.
        """
        self._first, self._second = first, second
        self.serversAreSilent = getattr(second, "serversAreSilent", False)

    def __call__(self, address: IAddress | None) -> _Turns:
        return _Turns(self._first(address), lambda: self._second(address))


class _Turns:
    """A protocol that is one talk and then the other, and the transport of the first.

    What `tlscomm.transport._clear` gives a byte at a time goes to the talk whose turn it is.
    """

    def __init__(self, first: Any, second: Callable[[], Any]) -> None:
        self._talk = first
        self._second = second

    def makeConnection(self, transport: Any) -> None:
        self._transport = transport
        self._talk.makeConnection(_Before(transport, self._change))

    def dataReceived(self, data: bytes) -> None:
        self._talk.dataReceived(data)

    def connectionLost(self, reason: Any) -> None:
        self._talk.connectionLost(reason)

    def _change(self) -> None:
        self._talk = self._second()
        self._talk.makeConnection(self._transport)


class _Before:
    """The transport of a talk behind which another comes."""

    def __init__(self, transport: Any, startTLS: Callable[[], None]) -> None:
        self._transport = transport
        self.startTLS = startTLS

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
