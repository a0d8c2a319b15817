"""What is said in the clear before TLS begins: PROXY headers, and dialogues that end with STARTTLS or its like.

What was said is named and never shown, for it may hold a password. Sources: the PROXY protocol's specification of
HAProxy, RFC 3207 (SMTP), RFC 9051 (IMAP), RFC 2595 (POP3), RFC 4217 (FTP), RFC 4642 (NNTP), RFC 5804 (ManageSieve), RFC
6120 (XMPP), RFC 4511 (LDAP), RFC 9110, section 9.3.6 (CONNECT), the documents of PostgreSQL, MySQL and IRCv3.
"""

from __future__ import annotations

import re
import socket
from typing import NamedTuple

__all__ = ["PROXY_2", "ProxyHeader", "commandIn", "isAnswerToPlain", "isRequest", "protocolOf", "proxyHeader"]

#: What a header of version 2 begins with.
PROXY_2 = b"\r\n\r\n\x00\r\nQUIT\n"

#: Of a header of version 2, beyond what is needed for addresses.
_LARGEST_PROXY_2 = 4096

_POSTGRESQL = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"

_LDAP = b"1.3.6.1.4.1.1466.20037"

#: By what the client says, whichever way the server has greeted.
_BY_CLIENT = (
    ("XMPP", re.compile(rb"<starttls[^>]{0,100}xmpp-tls")),
    ("LDAP", re.compile(re.escape(_LDAP))),
    ("FTP", re.compile(rb"(?im)^AUTH (?:TLS|SSL)(?:-[CP])?\r?$")),
    ("POP3", re.compile(rb"(?im)^STLS\r?$")),
    ("IMAP", re.compile(rb"(?im)^[^\s]{1,64} STARTTLS\r?$")),
    ("PostgreSQL", re.compile(rb"\A.{0,16}" + re.escape(_POSTGRESQL), re.DOTALL)),
    ("HTTP", re.compile(rb"(?im)\A(?:CONNECT \S|(?:.*\n){1,50}?Upgrade: TLS/)")),
    ("RDP", re.compile(rb"\A\x03\x00..[\x06-\xff]\xe0", re.DOTALL)),
    ("SOCKS", re.compile(rb"\A(?:\x05[\x01-\x10]|\x04\x01)", re.DOTALL)),
    ("SMTP", re.compile(rb"(?im)^(?:EHLO|HELO) ")),
    ("IRC", re.compile(rb"(?im)^(?:CAP|NICK|USER) ")),
)

_LHLO = re.compile(rb"(?im)^LHLO ")
_STARTTLS = re.compile(rb"(?im)^STARTTLS\r?$")

#: The same command, told apart by how the server greets.
_BY_GREETING = (
    ("SMTP", re.compile(rb"\A220[ -]")),
    ("NNTP", re.compile(rb"\A20[01] ")),
    ("ManageSieve", re.compile(rb"\A\"(?:IMPLEMENTATION|SASL|SIEVE|STARTTLS|VERSION)\"")),
    ("IRC", re.compile(rb"\A:|\ANOTICE ")),
)

_COMMANDS = (
    (re.compile(rb"(?im)^(?:[^\s]{1,64} )?STARTTLS\r?$"), "STARTTLS"),
    (re.compile(rb"<starttls[^>]{0,100}xmpp-tls"), "STARTTLS"),
    (re.compile(rb"(?im)^STLS\r?$"), "STLS"),
    (re.compile(rb"(?im)^AUTH TLS(?:-[CP])?\r?$"), "AUTH TLS"),
    (re.compile(rb"(?im)^AUTH SSL\r?$"), "AUTH SSL"),
    (re.compile(re.escape(_LDAP)), "StartTLS"),
    (re.compile(re.escape(_POSTGRESQL)), "SSLRequest"),
)

_CONNECT = re.compile(rb"\ACONNECT ([A-Za-z0-9.:\-\[\]_]{1,255}) HTTP/1\.")
_HTTP_ANSWER = re.compile(rb"\AHTTP/1\.[01] (\d{3})\b")


_REQUEST = re.compile(rb"[A-Z]{3,10} [!-~]{1,4000} HTTP/1\.[01]\r\n")

#: How nginx, Go, Apache and Tomcat answer a plain request where TLS is expected.
_ANSWERS_TO_PLAIN = re.compile(
    rb"The plain HTTP request was sent to HTTPS port|Client sent an HTTP request to an HTTPS server"
    rb"|speaking plain HTTP to an SSL-enabled server port|combination of host and port requires TLS"
)


class ProxyHeader(NamedTuple):
    """A header of the PROXY protocol.

    Attributes:
        size: in bytes.
        version: 1 or 2.
        text: what it says, in a few words.
    """

    size: int
    version: int
    text: str


def proxyHeader(data: bytes) -> ProxyHeader | None:
    """Return the PROXY header that some bytes begin with, or None where there is none or it is not complete."""
    if data.startswith(b"PROXY "):
        return _proxy1(data)
    if data.startswith(PROXY_2) and len(data) >= 16:
        return _proxy2(data)
    return None


def _proxy1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, 108)
    if end < 0:
        return None
    words = data[:end].decode("ascii", "replace").split(" ")
    if len(words) == 6 and words[1] in ("TCP4", "TCP6") and all(map(_isAddress, words[2:4])):
        ports = [word for word in words[4:] if word.isascii() and word.isdigit()]
        if len(ports) == 2:
            return ProxyHeader(end + 2, 1, _fromTo(words[2], ports[0], words[3], ports[1]))
    return ProxyHeader(end + 2, 1, "of an unknown connection")


def _isAddress(text: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


def _proxy2(data: bytes) -> ProxyHeader | None:
    size = 16 + int.from_bytes(data[14:16], "big")
    if data[12] >> 4 != 2 or size > _LARGEST_PROXY_2 or len(data) < size:
        return None
    isProxied, family = data[12] & 15 == 1, data[13] >> 4
    half = {1: 4, 2: 16}.get(family)
    if not isProxied:
        return ProxyHeader(size, 2, "of the proxy's own connection")
    if half is None or size < 20 + 2 * half:
        return ProxyHeader(size, 2, "of an unknown connection")
    kind = socket.AF_INET if half == 4 else socket.AF_INET6
    hosts = [socket.inet_ntop(kind, data[at : at + half]) for at in (16, 16 + half)]
    ports = [int.from_bytes(data[at : at + 2], "big") for at in (16 + 2 * half, 18 + 2 * half)]
    return ProxyHeader(size, 2, _fromTo(hosts[0], ports[0], hosts[1], ports[1]))


def _fromTo(source: str, sourcePort: object, destination: str, destinationPort: object) -> str:
    def end(host: str, port: object) -> str:
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    return f"from {end(source, sourcePort)} to {end(destination, destinationPort)}"


def protocolOf(client: bytes, server: bytes) -> str:
    """Return the protocol in which both sides have spoken before TLS, or nothing where it is not known."""
    if client[:4] == b"\x20\x00\x00\x01" and server[3:5] == b"\x00\x0a":
        return "MySQL"
    if _LHLO.search(client):
        return "LMTP"
    if _STARTTLS.search(client):
        for name, greeting in _BY_GREETING:
            if greeting.search(server):
                return name
    return next((name for name, said in _BY_CLIENT if said.search(client)), "")


def commandIn(data: bytes, protocol: str, isFromClient: bool) -> str:
    """Return what in a turn of a dialogue has to do with TLS, in a few words; nothing where that is not known."""
    if protocol == "HTTP":
        return _httpLine(data, isFromClient)
    if isFromClient:
        if protocol == "MySQL":
            return "SSLRequest"
        return next((name for pattern, name in _COMMANDS if pattern.search(data)), "")
    if protocol == "PostgreSQL":
        return {b"S": "the server is willing to use TLS", b"N": "the server does not use TLS"}.get(data, "")
    return ""


def isRequest(data: bytes | bytearray) -> bool:
    """Return whether bytes begin as a request of HTTP/1."""
    return _REQUEST.match(data) is not None


def isAnswerToPlain(data: bytes | bytearray) -> bool:
    """Return whether a server of HTTP says, in plain text, that it has expected TLS."""
    return data[:7] == b"HTTP/1." and _ANSWERS_TO_PLAIN.search(data, 0, 4096) is not None


def _httpLine(data: bytes, isFromClient: bool) -> str:
    if isFromClient:
        found = _CONNECT.search(data)
        return f"CONNECT {found[1].decode('ascii')}" if found else ""
    answer = _HTTP_ANSWER.search(data)
    return f"status {answer[1].decode('ascii')}" if answer else ""
