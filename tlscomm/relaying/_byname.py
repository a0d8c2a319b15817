"""Which backend a client is forwarded to, by the name that it has asked for (RFC 6066, section 3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from twisted.internet.interfaces import IAddress, IProtocol
from twisted.internet.protocol import Factory
from zope.interface import implementer

from tlscomm.relaying._forwarding import Forwarding

__all__ = ["ForwardingByName", "nameAndPlace"]

#: An endpoint string has a colon before it has an equals sign.
_NAMED = re.compile(r"([^:=]+)=(.+)", re.DOTALL)


def nameAndPlace(text: str) -> tuple[str, str]:
    """Return the name and the endpoint string in ``NAME=ENDPOINT``; an empty name where there is none."""
    found = _NAMED.fullmatch(text)
    return ("", text) if found is None else (found[1].lower(), found[2])


class ForwardingByName(Factory):
    """Forwards each connection by the name that its client has asked for.

    Names that have no backend are for the server's configuration to refuse, where there is no other for them.

    Attributes:
        forwardings: by name; the one for all other names, and for clients that ask for none, is under the empty one.
        filesPerConnection: how many files a process has open for each connection.
    """

    noisy = False
    filesPerConnection = Forwarding.filesPerConnection

    def __init__(self, forwardings: Mapping[str, Forwarding]) -> None:
        """
        Args:
            forwardings: by name, in lower case.
        """
        self.forwardings = dict(forwardings)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return _Choice(self.forwardings, addr)


@implementer(IProtocol)
class _Choice:
    """Hands a connection that is accepted to the protocol of the backend that it is for."""

    def __init__(self, forwardings: Mapping[str, Forwarding], address: IAddress | None) -> None:
        self._forwardings = forwardings
        self._address = address

    def makeConnection(self, transport: Any) -> None:
        asked = (transport.tls.serverName or "").lower()
        forwarding = self._forwardings.get(asked) or self._forwardings.get("")
        protocol = None if forwarding is None else forwarding.buildProtocol(self._address)
        if protocol is None:
            transport.abortConnection()
            return
        transport.protocol = protocol
        protocol.makeConnection(transport)

    def connectionMade(self) -> None: ...

    def dataReceived(self, data: bytes) -> None: ...

    def connectionLost(self, reason: Any = None) -> None: ...
