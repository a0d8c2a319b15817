"""The peers of a server that are connected now, or were lately, with the certificates that they presented.

Before a configuration is changed, an operator wants to know whom the new one would shut out;
``tlscomm check --against`` asks for these.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from tlscomm.revocation._backgroundtask import inThread
from tlscomm.serving._service import TLSService
from tlscomm.transport import TLSTransport

__all__ = ["VERSION", "SeenPeers", "mergedPeers"]

#: Of the object and the meaning of its names.
VERSION = 1

#: Peers that are kept when their last connection has ended, and bytes of their certificates.
_MOST_GONE, _MOST_BYTES = 1000, 2 << 20
#: Bytes that one process tells of, with so many of each peer besides its certificates. The others are counted.
_MOST_TOLD, _ROW = 5 << 20, 300

_Key = tuple[str, tuple[x509.Certificate, ...]]


class SeenPeers:
    """Keeps who was accepted, each client of a listener once: it is another one where its certificates are others.

    Those that are connected are as many as the server has connections at most. Of the others the last are kept.
    """

    def __init__(self, clock: IReactorTime, listeners: Callable[[], Sequence[TLSService]]) -> None:
        """
        Args:
            clock: has threads where it is a reactor.
            listeners: returns the services as they are now.
        """
        self._clock = clock
        self._listeners = listeners
        self._connections: dict[TLSTransport, _Key] = {}
        self._counts: dict[_Key, int] = {}
        self._gone: OrderedDict[_Key, int] = OrderedDict()
        self._bytes = 0

    def accepted(self, transport: TLSTransport) -> None:
        """Both sides have accepted each other."""
        key = (self._nameOf(transport), tuple(transport.presented))
        self._connections[transport] = key
        self._counts[key] = self._counts.get(key, 0) + 1
        self._bytes -= self._gone.pop(key, 0)

    def closed(self, transport: TLSTransport, failure: Any) -> None:
        """A connection has ended."""
        key = self._connections.pop(transport, None)
        if key is None:
            return
        self._counts[key] -= 1
        if self._counts[key]:
            return
        del self._counts[key]
        self._gone[key] = size = sum(len(each.public_bytes(Encoding.DER)) for each in key[1])
        self._bytes += size
        while len(self._gone) > _MOST_GONE or self._bytes > _MOST_BYTES:
            self._bytes -= self._gone.popitem(last=False)[1]

    def told(self) -> Deferred[str]:
        """Return the object as JSON: each peer with its listener, its chain in PEM, and how many connections it has.

        It is written in a thread, for there may be ten thousand. Those beyond five megabytes are left out and counted.
        """
        peers = [*self._counts.items(), *((key, 0) for key in reversed(self._gone))]
        return inThread(self._clock, partial(_written, peers))

    def _nameOf(self, transport: TLSTransport) -> str:
        names = (each.name for each in self._listeners() if each.factory is transport.factory)
        return next(names, None) or ""


def mergedPeers(texts: Iterable[str]) -> str:
    """Return one object for several processes that are one server.

    Args:
        texts: what each has told, as JSON.
    """
    counts: dict[tuple[str, str], int] = {}
    leftOut = 0
    for text in texts:
        told = json.loads(text)
        leftOut += told["leftOut"]
        for peer in told["peers"]:
            key = (peer["listener"], peer["chain"])
            counts[key] = counts.get(key, 0) + peer["connections"]
    return _object([(*key, count) for key, count in counts.items()], leftOut)


def _written(peers: Sequence[tuple[_Key, int]]) -> str:
    told: list[tuple[str, str, int]] = []
    size = 0
    for (listener, chain), count in peers:
        text = "".join(each.public_bytes(Encoding.PEM).decode() for each in chain)
        size += len(text) + _ROW
        if size > _MOST_TOLD:
            break
        told.append((listener, text, count))
    return _object(told, len(peers) - len(told))


def _object(peers: Iterable[tuple[str, str, int]], leftOut: int) -> str:
    told = [
        {"listener": listener, "chain": chain, "connected": count > 0, "connections": count}
        for listener, chain, count in peers
    ]
    return json.dumps({"version": VERSION, "peers": told, "leftOut": leftOut}) + "\n"
