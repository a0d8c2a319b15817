"""How PostgreSQL changes to TLS: what its clients and servers say before it (its documentation, "Message Flow", SSL).

A client begins with eight bytes, ``SSLRequest``; the server answers ``S``, and TLS begins; or ``N``, that it has none.
Before that, a client may ask for encryption by GSSAPI in the same way. Clients of PostgreSQL 17 can begin with TLS at
once and the application protocol ``postgresql`` (``sslnegotiation=direct``): that is no change to TLS, and needs
nothing of this.
"""

from __future__ import annotations

import struct
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol

from tlscomm.failures import NotTLS, printable

__all__ = ["PostgreSQLClient", "PostgreSQLServer"]

_REQUEST = struct.Struct("!II")

#: What a client asks for, in the place of a version of the protocol.
_SSL, _GSSAPI, _CANCEL = (1234 << 16 | number for number in (5679, 5680, 5678))

_SSL_REQUEST = _REQUEST.pack(_REQUEST.size, _SSL)

#: SQLSTATE of a connection that is refused as ``pg_hba.conf`` would refuse it.
_NOT_AUTHORIZED = "28000"

_ASK = "Have the client ask for TLS (sslmode=verify-full)."
_TURN_ON = "Turn TLS on in the server's postgresql.conf (ssl = on)."


class PostgreSQLClient(Protocol):
    """Asks a PostgreSQL server for TLS: what `UpgradingClientEndpoint` takes to talk.

    Attributes:
        serversAreSilent: such servers show no client under TLS 1.3 that they have accepted it: they send no tickets,
            and nothing before the client has spoken.
    """

    transport: Any
    serversAreSilent = True

    def __init__(self, address: IAddress | None = None) -> None:
        """
        Args:
            address: the server's.
        """

    def connectionMade(self) -> None:
        self.transport.write(_SSL_REQUEST)

    def dataReceived(self, data: bytes) -> None:
        # Not what the server says of an error: at this point anyone could have said it (CVE-2024-10977).
        if data == b"S":
            self.transport.startTLS()
        else:
            said = "that it uses no TLS" if data == b"N" else printable(data.decode("latin-1"))
            self.transport.closeBecause(NotTLS(f"PostgreSQL's server has answered {said}", remedy=_TURN_ON))


class PostgreSQLServer(Protocol):
    """Lets PostgreSQL's clients ask for TLS: what `UpgradingServerEndpoint` takes to talk."""

    transport: Any

    def __init__(self, address: IAddress | None = None) -> None:
        """
        Args:
            address: the client's.
        """
        self._said = b""

    def dataReceived(self, data: bytes) -> None:
        self._said += data
        if len(self._said) < _REQUEST.size:
            return
        said, self._said = self._said, b""
        length, code = _REQUEST.unpack(said)
        if (length, code) == (_REQUEST.size, _SSL):
            self.transport.write(b"S")
            self.transport.startTLS()
        elif (length, code) == (_REQUEST.size, _GSSAPI):
            # It may still ask for TLS.
            self.transport.write(b"N")
        else:
            self._refuse(code)

    def _refuse(self, code: int) -> None:
        if code == _CANCEL:
            # It awaits no answer. libpq before 17 sends it in the clear, whatever the connection itself had.
            why = "it has asked in the clear for a query to be cancelled"
        elif code >> 16 == 3:
            why = "it has begun without TLS"
            self.transport.write(_error("this server is reached over TLS, with a client certificate alone"))
        else:
            why = "it does not speak PostgreSQL's protocol"
        self.transport.closeBecause(NotTLS(why, remedy=_ASK))


def _error(message: str) -> bytes:
    """Return an ErrorResponse, which a client shows."""
    fields = (("S", "FATAL"), ("V", "FATAL"), ("C", _NOT_AUTHORIZED), ("M", message))
    body = b"".join(f"{kind}{text}".encode("ascii") + b"\0" for kind, text in fields) + b"\0"
    return b"E" + struct.pack("!I", 4 + len(body)) + body
