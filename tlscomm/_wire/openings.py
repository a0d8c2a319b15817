"""What a side speaks that does not begin with TLS, told by its first bytes."""

from __future__ import annotations

from typing import Literal

from tlscomm._wire.clienthello import isSSL2
from tlscomm._wire.prefaces import PROXY_2

__all__ = ["Protocol", "protocolOpening", "seemingText"]

Protocol = Literal["SSL 2", "DTLS", "SSH", "HTTP", "SMTP or FTP", "PROXY", ""]

#: RFC 9110, section 9.
_METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"})

_SEEMING: dict[Protocol, str] = {
    "SSL 2": "it seems to speak SSL 2, or begins with its first message (ClientHello), as programs before 2010 did",
    "DTLS": "it seems to speak DTLS",
    "SSH": "it seems to speak SSH",
    "HTTP": "it seems to speak plain HTTP",
    "SMTP or FTP": "it seems to speak SMTP or FTP",
    "PROXY": "it begins with a PROXY header, as a proxy sends it",
    "": "",
}


def protocolOpening(opening: bytes) -> Protocol:
    """Return the protocol that a side's first bytes are of, or nothing where they are of none that is known here."""
    if isSSL2(opening):
        return "SSL 2"
    if opening[:2] == b"\x16\xfe":
        return "DTLS"
    if opening.startswith(b"SSH-"):
        return "SSH"
    if opening.startswith((b"HTTP/", b"<!DOCTYPE", b"<html")) or opening.split(b" ")[0] in _METHODS:
        return "HTTP"
    if opening[:4] in (b"220 ", b"220-"):
        return "SMTP or FTP"
    return "PROXY" if opening.startswith((b"PROXY ", PROXY_2)) else ""


def seemingText(protocol: Protocol) -> str:
    """Return what a side that begins with a protocol seems to do, as a clause; nothing for none."""
    return _SEEMING[protocol]
