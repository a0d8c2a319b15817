"""JA4, a fingerprint of a client's first message by which its program is known again.

It is that of FoxIO's specification for TLS clients over TCP (https://github.com/FoxIO-LLC/ja4, ``technical_details``),
which is under the BSD licence of three clauses. The other members of JA4+ are not free, and none of them is here.

    t13d1516h2_8daaf6152771_e5627efa2ab1
    │└┬┘│└┬┘└┬┘└┬ ───── ┬──── ──── ┬────
    │ │ │ │  │  │       │          the other extensions and the signature algorithms
    │ │ │ │  │  │       the cipher suites
    │ │ │ │  │  the first application protocol (ALPN): its first and last characters
    │ │ │ │  how many extensions
    │ │ │ how many cipher suites
    │ │ whether a server's name is sent (d), or none (i)
    │ the newest version
    TCP

What clients put in to keep servers from relying on it (GREASE, RFC 8701) does not count, and neither does the order of
suites and extensions, which browsers change each time.
"""

from __future__ import annotations

import struct
from hashlib import sha256

from tlscomm._wire.reading import Cut, Reader
from tlscomm._wire.requests import CLIENT_HELLO

__all__ = ["ja4Of"]

_SERVER_NAME = 0
_SIGNATURE_ALGORITHMS = 13
_APPLICATION_PROTOCOLS = 16
_SUPPORTED_VERSIONS = 43

_VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
_UNKNOWN = "00"

#: RFC 8701, section 2: both bytes are the same, and end in A.
_GREASE = frozenset(0x0A0A + 0x1010 * each for each in range(16))

_MOST_COUNTED = 99
_NOTHING = "0" * 12

#: Programs send some twenty extensions and at most some hundred suites. What has more is made by hand, to cost time.
_MOST_EXTENSIONS = 128
_MOST_NUMBERS = 1024

_TWO_NUMBERS = struct.Struct(">HH")


def ja4Of(message: bytes) -> str:
    """Return the fingerprint of a ClientHello.

    Args:
        message: the handshake message, from its type on.

    Returns:
        36 characters; nothing where it is no whole ClientHello, or larger than any that a program sends.
    """
    try:
        return _ja4(message)
    except Cut:
        return ""


def _ja4(message: bytes) -> str:
    if message[:1] != bytes([CLIENT_HELLO]):
        raise Cut
    hello = Reader(Reader(message, 1).vector(3))
    version = hello.number(2)
    hello.take(32)
    hello.vector(1)
    suites = sorted(_numbers(hello.vector(2)))
    hello.vector(1)
    kinds, bodies = _extensions(b"" if hello.isEmpty else hello.vector(2))
    if (versions := bodies.get(_SUPPORTED_VERSIONS)) is not None:
        version = max(_numbers(Reader(versions).vector(1)), default=0)
    return "".join(
        (
            f"t{_VERSIONS.get(version, _UNKNOWN)}{'d' if _SERVER_NAME in bodies else 'i'}",
            f"{min(len(suites), _MOST_COUNTED):02}{min(len(kinds), _MOST_COUNTED):02}",
            f"{_protocol(bodies.get(_APPLICATION_PROTOCOLS))}_{_digest(_listed(suites))}_",
            _digest(_rest(kinds, bodies.get(_SIGNATURE_ALGORITHMS))),
        )
    )


def _extensions(data: bytes) -> tuple[list[int], dict[int, bytes]]:
    """Return the kinds of all extensions, and what is in them, of a kind that comes twice in the first."""
    kinds: list[int] = []
    bodies: dict[int, bytes] = {}
    offset = 0
    while offset < len(data):
        if offset + 4 > len(data) or len(kinds) == _MOST_EXTENSIONS:
            raise Cut
        kind, size = _TWO_NUMBERS.unpack_from(data, offset)
        begin, offset = offset + 4, offset + 4 + size
        if offset > len(data):
            raise Cut
        kinds.append(kind)
        bodies.setdefault(kind, data[begin:offset])
    return [kind for kind in kinds if kind not in _GREASE], bodies


def _rest(kinds: list[int], algorithms: bytes | None) -> str:
    others = _listed(sorted(kind for kind in kinds if kind not in (_SERVER_NAME, _APPLICATION_PROTOCOLS)))
    signatures = _listed(_numbers(b"" if algorithms is None else Reader(algorithms).vector(2)))
    return f"{others}_{signatures}" if signatures else others


def _numbers(data: bytes) -> list[int]:
    count = len(data) // 2
    if count > _MOST_NUMBERS:
        raise Cut
    return [each for each in struct.unpack_from(f">{count}H", data) if each not in _GREASE]


def _protocol(extension: bytes | None) -> str:
    """Return the first and last characters of the first application protocol, or of its bytes in hexadecimal."""
    protocols = Reader(b"" if extension is None else Reader(extension).vector(2))
    first = b"" if protocols.isEmpty else protocols.vector(1)
    if not first:
        return _UNKNOWN
    ends = first[:1] + first[-1:]
    return ends.decode("ascii") if ends.isalnum() else first.hex()[0] + first.hex()[-1]


def _listed(numbers: list[int]) -> str:
    return struct.pack(f">{len(numbers)}H", *numbers).hex(",", 2) if numbers else ""


def _digest(text: str) -> str:
    return sha256(text.encode("ascii")).hexdigest()[:12] if text else _NOTHING
