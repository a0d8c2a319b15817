"""What is said in the clear before TLS begins, without what it says.

Of a dialogue the words of the protocol stay, and its lines; so it can be seen that STARTTLS was said. All other letters
become ``x``, and digits ``0``. Addresses in PROXY headers become others. Of what is no text nothing stays.
"""

from __future__ import annotations

import re

from tlscomm._wire.prefaces import proxyHeader
from tlscomm.tracing._pseudonyms import Pseudonyms

__all__ = ["redactPreface"]

_POSTGRESQL = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
_ANSWERS = (b"S", b"N")

_BINARY = re.compile(rb"[^\r\n\t\x20-\xff]")
_WORD = re.compile(rb"[A-Za-z0-9_\x80-\xff]+")
_STATUS = re.compile(rb"(?m)^[1-5][0-9][0-9](?=[ -])")

_KEPT = frozenset(
    b"""
    200 8BITMIME A ACK AGENT AHEAD AN AUTH BEGIN C CAP CAPABILITY CHUNKING CLIENT CLOSE COMBINATION CONNECT CONNECTION
    DELETE DSN EHLO ENABLED ENHANCEDSTATUSCODES END ESMTP ESTABLISHED ETHERX FEATURES FOR FROM FTP GET GO HEAD HELO HELP
    HOST HTTP HTTPS IETF IMAP IMAP4 IMAP4REV1 IMPLEMENTATION IS JABBER LHLO LMTP LOGIN LOGINDISABLED LS NAK NEGOTIATE
    NEGOTIATION NICK NNTP NOTICE NOW NS OF OK OPTIONS ORG P PARAMS PIPELINING PLAIN POP POP3 PORT POST PROCEED PROXY PUT
    READY REQ REQUEST REQUIRED REQUIRES SASL SENT SERVER SIEVE SIZE SMTP SMTPUTF8 SPEAKING SSL START STARTTLS STLS
    STREAM STREAMS TCP4 TCP6 THE TLS TO UNKNOWN UPGRADE URN USER VERSION WAS XML XMLNS XMPP
    """.split()
)

#: Of a line of text, where the version is part of the word.
_HTTP = re.compile(rb"HTTP/1\.[01]")

_VERSION_2 = 16


def redactPreface(said: bytes, pseudonyms: Pseudonyms) -> bytes:
    """Return what one side said, or a part of it, redacted and of the same length."""
    header = proxyHeader(said)
    size = 0 if header is None else header.size
    if header is None:
        first = b""
    elif header.version == 1:
        first = _proxy1(said[:size], pseudonyms)
    else:
        first = _proxy2(said[:size], pseudonyms)
    return first + _text(said[size:])


def _text(said: bytes) -> bytes:
    if said == _POSTGRESQL or said in _ANSWERS:
        return said
    if _BINARY.search(said):
        return bytes(len(said))
    made = bytearray(_WORD.sub(_word, said))
    for pattern in (_STATUS, _HTTP):
        for found in pattern.finditer(said):
            made[found.start() : found.end()] = found[0]
    return bytes(made)


def _word(found: re.Match[bytes]) -> bytes:
    word = found[0]
    if word.upper() in _KEPT:
        return word
    return b"0" * len(word) if word.isdigit() else b"x" * len(word)


def _proxy1(line: bytes, pseudonyms: Pseudonyms) -> bytes:
    words = line[:-2].split(b" ")
    if len(words) != 6 or words[1] not in (b"TCP4", b"TCP6"):
        return _text(line)
    for at in (2, 3):
        text = words[at].decode("latin-1")
        words[at] = (pseudonyms.numbers(text) if words[1] == b"TCP4" else _hexadecimal(text, pseudonyms)).encode()
    return b" ".join(words) + b"\r\n"


def _hexadecimal(text: str, pseudonyms: Pseudonyms) -> str:
    """An address of IPv6 whose groups have as many digits, in a range that is not routed (RFC 4193)."""
    digits = iter(pseudonyms.octets(text.encode("latin-1", "replace"), "digits").hex())
    made = re.sub(r"[0-9A-Fa-f]", lambda _: next(digits), text)
    return "fd" + made[2:] if re.match(r"[0-9A-Fa-f]{4}:", text) else made


def _proxy2(header: bytes, pseudonyms: Pseudonyms) -> bytes:
    half = {1: 4, 2: 16}.get(header[13] >> 4)
    rest = bytes(len(header) - _VERSION_2)
    if half is not None and len(rest) >= 2 * half + 4:
        at = _VERSION_2
        hosts = [pseudonyms.packed(header[start : start + half]) for start in (at, at + half)]
        ports = header[at + 2 * half : at + 2 * half + 4]
        rest = b"".join((*hosts, ports, bytes(len(rest) - 2 * half - 4)))
    return header[:_VERSION_2] + rest
