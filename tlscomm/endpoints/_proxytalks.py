"""How a client asks a proxy for a connection to a server: SOCKS 5 (RFC 1928, RFC 1929), and CONNECT (RFC 9110, 9.3.6).

What `UpgradingClientEndpoint` takes to talk. What follows the proxy's answer is the server's, so it is treated as what
is said in the clear before TLS: it is bounded, given a byte at a time, and what comes behind it uncalled for ends the
connection. The proxy resolves the server's name.
"""

from __future__ import annotations

import ipaddress
import struct
from base64 import b64encode
from typing import Any, NamedTuple

from twisted.internet.protocol import Protocol

from tlscomm.failures import ConnectFailed, TLSFailure, printable

__all__ = ["HTTPProxyTalk", "Login", "SOCKS5Talk"]

_LONGEST_ANSWER = 200

_NO_ACCEPTABLE_METHOD, _NO_LOGIN, _BY_LOGIN = 0xFF, 0, 2

#: RFC 1928, section 6.
_REPLIES = {
    1: "general failure",
    2: "its rules do not allow the connection",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "it does not know the command",
    8: "it does not know the type of address",
}

_ASK_PROXY = "Check with the proxy's administrator whether it lets this client reach this host and port."
_LOG_IN = "Name the user in --proxy and put the pass word into the environment variable TLSCOMM_PROXY_PASSWORD."


class Login(NamedTuple):
    """Who the client is to the proxy.

    Attributes:
        user: the name.
        password: the pass word; it is in no text of this object.
    """

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login(user={self.user!r})"


class _ProxyTalk(Protocol):
    transport: Any

    def __init__(self, host: str, port: int, login: Login | None) -> None:
        """
        Args:
            host: the server's, a name in ASCII or an address.
            port: the server's.
            login: who we are, where the proxy asks.
        """
        self._host, self._port, self._login = host, port, login
        self._said = bytearray()

    def refuse(self, detail: str, remedy: str = _ASK_PROXY) -> None:
        failure: TLSFailure = ConnectFailed(f"the proxy has answered: {detail}", side="remote", remedy=remedy)
        self.transport.closeBecause(failure)


class SOCKS5Talk(_ProxyTalk):
    """Asks a SOCKS 5 proxy."""

    def connectionMade(self) -> None:
        methods = bytes([_NO_LOGIN] if self._login is None else [_NO_LOGIN, _BY_LOGIN])
        self._next = self._methodChosen
        self.transport.write(b"\x05" + bytes([len(methods)]) + methods)

    def dataReceived(self, data: bytes) -> None:
        self._said += data
        if self._said[0] not in (1, 5):
            self.refuse("nothing of SOCKS 5", "Check the proxy's address, and its kind: socks5:// or http://.")
        else:
            self._next()

    def _methodChosen(self) -> None:
        if len(self._said) < 2:
            return
        method = self._said[1]
        self._said.clear()
        if method == _NO_LOGIN:
            self._ask()
        elif method == _BY_LOGIN and self._login is not None:
            self._next = self._loggedIn
            user, password = (part.encode()[:255] for part in self._login)
            self.transport.write(b"\x01" + bytes([len(user)]) + user + bytes([len(password)]) + password)
        else:
            self.refuse("it wants a login", _LOG_IN)

    def _loggedIn(self) -> None:
        if len(self._said) < 2:
            return
        status = self._said[1]
        self._said.clear()
        if status == 0:
            self._ask()
        else:
            self.refuse("it does not accept the login", _LOG_IN)

    def _ask(self) -> None:
        self._next = self._connected
        self.transport.write(b"\x05\x01\x00" + _addressOf(self._host) + struct.pack("!H", self._port))

    def _connected(self) -> None:
        said = self._said
        if len(said) < 5:
            return
        if said[1] != 0:
            self.refuse(_REPLIES.get(said[1], f"reply {said[1]}"))
            return
        size = {1: 4, 3: 1 + said[4], 4: 16}.get(said[3])
        if size is None:
            self.refuse("an address of an unknown type")
        elif len(said) == 6 + size:
            self.transport.startTLS()


def _addressOf(host: str) -> bytes:
    """Return a host as RFC 1928, section 5, has it: a name goes as it is, for the proxy to resolve."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        name = host.encode("ascii")
        return b"\x03" + bytes([len(name)]) + name
    return (b"\x01" if address.version == 4 else b"\x04") + address.packed


class HTTPProxyTalk(_ProxyTalk):
    """Asks a proxy of HTTP."""

    def connectionMade(self) -> None:
        host = f"[{self._host}]" if ":" in self._host else self._host
        lines = [f"CONNECT {host}:{self._port} HTTP/1.1", f"Host: {host}:{self._port}"]
        if self._login is not None:
            basic = b64encode(f"{self._login.user}:{self._login.password}".encode()).decode()
            lines.append(f"Proxy-Authorization: Basic {basic}")
        self.transport.write("".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii"))

    def dataReceived(self, data: bytes) -> None:
        self._said += data
        if data != b"\n" or not self._said.endswith((b"\r\n\r\n", b"\n\n")):
            return
        status = bytes(self._said).split(b"\n", 1)[0].strip()
        parts = status.split(None, 2)
        if len(parts) < 2 or not parts[0].startswith(b"HTTP/1."):
            self.refuse("nothing of HTTP", "Check the proxy's address, and its kind: socks5:// or http://.")
        elif parts[1][:1] == b"2":
            self.transport.startTLS()
        else:
            said = printable(status.decode("latin-1"), _LONGEST_ANSWER)
            self.refuse(said, _LOG_IN if parts[1] == b"407" else _ASK_PROXY)
