"""A header read as it arrives, however it is cut.

A reader takes bytes until there is a whole header, and no more of them than a header may have: 107 for version 1 (as
the specification says), and 16 KiB for version 2, whose length could be 64 KiB; that is how much HAProxy takes by
default. It raises a failure with a name, and nothing else, and each byte is looked at once.

It guesses nothing: where a header is expected, the first byte that no header has there is the end. Otherwise a client
that a proxy has forgotten to speak for could speak for itself.
"""

from __future__ import annotations

from collections.abc import Collection

from tlscomm.failures import BadProxyHeader, printable
from tlscomm.proxyprotocol._header import ProxyHeader
from tlscomm.proxyprotocol._version1 import LONGEST_1, parse1
from tlscomm.proxyprotocol._version2 import HEAD_SIZE, SIGNATURE, lengthOf, parse2

__all__ = ["MOST_BYTES", "HeaderReader"]

#: The longest header of version 2 that is taken.
MOST_BYTES = 1 << 14

_BEGINNING_1 = b"PROXY "

_NO_HEADER = "Have the proxy send the header (HAProxy: send-proxy-v2, nginx: proxy_protocol on), or do not name its "
_NO_HEADER += "address as a proxy's."

#: How a connection of TLS begins: a record of the handshake.
_TLS = b"\x16\x03"

#: How many of the bytes that came in the place of a header are shown.
_SHOWN = 16


class HeaderReader:
    """Reads one header.

    Attributes:
        received: how many bytes have come so far.
    """

    def __init__(self, versions: Collection[int] = (1, 2)) -> None:
        """
        Args:
            versions: those of the protocol that are accepted.
        """
        self.received = 0
        self._versions = versions
        self._buffer = bytearray()
        self._searched = 0
        self._length: int | None = None

    def feed(self, data: bytes) -> tuple[ProxyHeader, bytes] | None:
        """Take bytes that have arrived.

        Returns:
            The header, and what has come after it; None while it is not complete.

        Raises:
            BadProxyHeader: what has come is no header, or one that is not accepted.
        """
        self.received += len(data)
        self._buffer += data
        if self._buffer[:1] == SIGNATURE[:1]:
            return self._readSecond()
        return self._readFirst()

    def _readFirst(self) -> tuple[ProxyHeader, bytes] | None:
        buffer = self._buffer
        if not _BEGINNING_1.startswith(bytes(buffer[: len(_BEGINNING_1)])):
            raise self._noHeader()
        self._accept(1)
        # The end of a line may be cut in two.
        end = buffer.find(b"\r\n", max(0, self._searched - 1), LONGEST_1)
        if end < 0:
            if len(buffer) >= LONGEST_1:
                raise BadProxyHeader(f"its line does not end within {LONGEST_1} bytes")
            self._searched = len(buffer)
            return None
        try:
            return parse1(bytes(buffer[:end])), bytes(buffer[end + 2 :])
        except ValueError as problem:
            raise BadProxyHeader(str(problem)) from None

    def _readSecond(self) -> tuple[ProxyHeader, bytes] | None:
        buffer = self._buffer
        if not SIGNATURE.startswith(bytes(buffer[: len(SIGNATURE)])):
            raise self._noHeader()
        self._accept(2)
        if len(buffer) < HEAD_SIZE:
            return None
        try:
            if self._length is None:
                self._length = lengthOf(bytes(buffer[:HEAD_SIZE]), MOST_BYTES)
            if len(buffer) < self._length:
                return None
            return parse2(bytes(buffer[: self._length])), bytes(buffer[self._length :])
        except ValueError as problem:
            raise BadProxyHeader(str(problem)) from None

    def _accept(self, version: int) -> None:
        if version not in self._versions:
            wanted = ", ".join(map(str, self._versions))
            raise BadProxyHeader(f"it has version {version}, and version {wanted} is accepted")

    def _noHeader(self) -> BadProxyHeader:
        came = bytes(self._buffer[:_SHOWN])
        shown = "TLS" if came.startswith(_TLS) else printable(came.decode("latin-1"))
        return BadProxyHeader(f"in its place came {shown}", remedy=_NO_HEADER)
