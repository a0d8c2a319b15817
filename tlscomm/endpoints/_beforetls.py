"""What settings say of the time before TLS: a proxy's header, and words in the clear. It is put below TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint

from tlscomm.endpoints._hosts import AnyHostname, tcpTo
from tlscomm.endpoints._postgresql import PostgreSQLClient, PostgreSQLServer
from tlscomm.endpoints._proxied import ProxiedServerEndpoint
from tlscomm.endpoints._starttls import IMAPClient, LDAPClient, POP3Client, SMTPClient
from tlscomm.endpoints._upgrading import UpgradingClientEndpoint, UpgradingServerEndpoint
from tlscomm.limits._admission import MOST_AWAITED

__all__ = ["acceptingBeforeTLS", "believeAnew", "connectingBeforeTLS", "connectingTo", "filesBeforeTLS"]

_VERSIONS: dict[str | None, tuple[int, ...]] = {"v1": (1,), "v2": (2,)}
_BOTH = (1, 2)

#: What talks in the clear, by the setting ``upgrade``: a server's, and a client's.
_TALKS: dict[str, tuple[Callable[..., Any] | None, Callable[..., Any]]] = {
    "imap": (None, IMAPClient),
    "ldap": (None, LDAPClient),
    "pop3": (None, POP3Client),
    "postgresql": (PostgreSQLServer, PostgreSQLClient),
    "smtp": (None, SMTPClient),
}

#: What Twisted is told where there is no limit; thirty years.
_FOREVER = 1e9


def acceptingBeforeTLS(endpoint: IStreamServerEndpoint, settings: Mapping[str, Any]) -> IStreamServerEndpoint:
    """Return a server endpoint with what comes before TLS; the same where settings say nothing of that.

    Args:
        endpoint: where TCP connections come from.
        settings: parsed values by name.

    Raises:
        ValueError: the settings do not fit together.
    """
    networks, version = settings.get("proxyFrom", ()), settings.get("proxyProtocol")
    found: Any = endpoint
    if networks:
        found = ProxiedServerEndpoint(found, networks, _VERSIONS.get(version, _BOTH))
    elif version is not None:
        raise ValueError("which versions of the PROXY protocol are accepted says nothing without who may speak it")
    if (upgrade := settings.get("upgrade")) is not None:
        found = UpgradingServerEndpoint(found, _TALKS[upgrade][0])
    return cast(IStreamServerEndpoint, found)


def believeAnew(endpoint: object, settings: Mapping[str, Any]) -> None:
    """Have an endpoint of `acceptingBeforeTLS` that listens believe the proxies that settings now name.

    Args:
        endpoint: what that has returned. Where it believed none, it goes on so.
        settings: parsed values by name, which name proxies where the former ones did.
    """
    if (proxied := _proxied(endpoint)) is not None:
        proxied.proxies.become(settings["proxyFrom"], _VERSIONS.get(settings.get("proxyProtocol"), _BOTH))


def filesBeforeTLS(endpoints: Iterable[object]) -> int:
    """Return how many files may be open for connections that no limit in all counts yet.

    Args:
        endpoints: what `acceptingBeforeTLS` has returned, of one process.
    """
    return MOST_AWAITED if any(_proxied(each) is not None for each in endpoints) else 0


def _proxied(endpoint: object) -> ProxiedServerEndpoint | None:
    if isinstance(endpoint, UpgradingServerEndpoint):
        endpoint = endpoint.below
    return endpoint if isinstance(endpoint, ProxiedServerEndpoint) else None


def connectingTo(
    reactor: Any, host: str, port: int, settings: Mapping[str, Any], timeout: float | None
) -> IStreamClientEndpoint:
    """Return a client endpoint for the TCP connection to a host: to the proxy, where settings name one.

    Args:
        reactor: connects.
        host: a name in ASCII or an address.
        port: the port.
        settings: parsed values by name.
        timeout: seconds for it, None for no limit.
    """
    seconds = _FOREVER if timeout is None else timeout
    if (proxy := settings.get("proxy")) is None:
        return cast(IStreamClientEndpoint, AnyHostname(reactor, host, port, timeout=seconds))
    return tcpTo(reactor, proxy.host, proxy.port, seconds)


def connectingBeforeTLS(
    endpoint: IStreamClientEndpoint, settings: Mapping[str, Any], place: tuple[str, int] | None = None
) -> IStreamClientEndpoint:
    """Return a client endpoint with what is said before TLS; the same where settings say nothing of that.

    Args:
        endpoint: makes the TCP connection; of `connectingTo`, where settings name a proxy.
        settings: parsed values by name.
        place: the server's host and port, None where an endpoint string says where it is.

    Raises:
        ValueError: a proxy is to be asked for a server whose host is not known.
    """
    upgrade, proxy = settings.get("upgrade"), settings.get("proxy")
    talk: Any = None if upgrade is None else _TALKS[upgrade][1]
    if proxy is not None:
        if place is None:
            raise ValueError("a proxy is asked for a host and a port; an endpoint string has its own way")
        # What needs no proxy does not load what does.
        from tlscomm.endpoints._throughproxy import InTurn, proxyTalk

        asking = proxyTalk(proxy, *place)
        talk = asking if talk is None else InTurn(asking, talk)
    return endpoint if talk is None else cast(IStreamClientEndpoint, UpgradingClientEndpoint(endpoint, talk))
