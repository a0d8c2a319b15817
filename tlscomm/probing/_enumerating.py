"""All groups and suites that a server accepts: each is asked for until it takes none of those that are left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint

from tlscomm.configuration import ClientConfiguration
from tlscomm.probing._findings import chosenIn, offeredIn
from tlscomm.probing._visit import Visit, visit

__all__ = ["groupsOf", "suitesOf"]

#: Connections for the groups, and as many for the suites of TLS 1.2.
_MOST = 12


async def groupsOf(
    reactor: Any, endpoint: Callable[[], IStreamClientEndpoint], configuration: ClientConfiguration, first: Visit
) -> tuple[tuple[str, ...], list[Visit]]:
    """Return the groups that a server accepts of those that we offer, and the connections that it took.

    Args:
        reactor: tells the time.
        endpoint: returns what makes a TCP connection.
        configuration: the client's.
        first: the first connection, whose group is known.
    """

    def without(found: list[str]) -> ClientConfiguration | None:
        left = tuple(each for each in offeredIn(first, "group") if each not in found)
        return replace(configuration, groups=left) if left else None

    return await _all(reactor, endpoint, "group", first, without)


async def suitesOf(
    reactor: Any, endpoint: Callable[[], IStreamClientEndpoint], configuration: ClientConfiguration, first: Visit
) -> tuple[tuple[str, ...], list[Visit]]:
    """Return the cipher suites of TLS 1.2 that a server accepts of those that we offer; otherwise as `groupsOf`."""

    def without(found: list[str]) -> ClientConfiguration | None:
        left = [each for each in offeredIn(first, "cipher suite") if each not in found and "_WITH_" in each]
        if not left:
            return None
        return replace(configuration, maximumTLS="1.2", ciphers=":".join(map(_openSSLName, left)))

    return await _all(reactor, endpoint, "cipher suite", first, without)


async def _all(
    reactor: Any,
    endpoint: Callable[[], IStreamClientEndpoint],
    subject: str,
    first: Visit,
    without: Callable[[list[str]], ClientConfiguration | None],
) -> tuple[tuple[str, ...], list[Visit]]:
    found: list[str] = []
    visits: list[Visit] = []
    chosen = chosenIn(first, subject)
    while chosen is not None and chosen not in found:
        found.append(chosen)
        if len(visits) == _MOST or (configuration := without(found)) is None:
            break
        visits.append(await visit(reactor, endpoint(), configuration))
        chosen = chosenIn(visits[-1], subject)
    return tuple(found), visits


def _openSSLName(suite: str) -> str:
    """Return what OpenSSL calls a suite of TLS 1.2 with an AEAD: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 for one."""
    name = suite.removeprefix("TLS_").replace("_WITH_", "-").replace("AES_", "AES").replace("_", "-")
    return name.replace("CHACHA20-POLY1305-SHA256", "CHACHA20-POLY1305")
