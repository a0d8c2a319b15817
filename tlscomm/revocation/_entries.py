"""The encoding of a revocation list, of which one may have a million entries (RFC 5280, section 5.1).

The library parses a list as a whole, and holds all threads for that long: a fifth of a second for sixteen megabytes. So
a list is taken apart here, and the library is given pieces: the list without its entries for all that is said of it,
and the entries a few hundred at a time, for it to look at each of them. What is kept in memory is the encoding, and a
table that leads from a serial number to its entry: some ten bytes for each.
"""

from __future__ import annotations

from array import array
from binascii import a2b_base64
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise
from time import sleep
from typing import TypeVar

from cryptography import x509

from tlscomm.x509 import _der

__all__ = ["EncodedList", "decoded"]

_T = TypeVar("_T")

#: Bytes that a list may have beside its entries.
_LARGEST_REST = 1 << 16
#: How many entries the library is given at once.
_SLICE = 512
#: Seconds of rest after so many. A thread that never rests keeps each step of the others waiting for five milliseconds.
_REST = 1e-4
#: Bytes of PEM that are decoded at once.
_DECODED = 1 << 18
_TIMES = (0x17, 0x18)

_BEGIN, _END = b"-----BEGIN X509 CRL-----", b"-----END X509 CRL-----"


class EncodedList:
    """A list in DER, taken apart.

    Args:
        data: the list.

    Attributes:
        withoutEntries: the list as the library reads it, without its entries. Its signature does not fit.
        hasEntries: whether there are any.

    Raises:
        ValueError: it is no list, or has more beside its entries than any list has.
    """

    def __init__(self, data: bytes) -> None:
        whole = _der.first(data)
        parts = whole.parts(_der.SEQUENCE, _der.SEQUENCE, _der.BIT_STRING)
        self._tbs, self._signed = parts[0], parts[1:]
        if whole.following != len(data) or any(each.following != each.end for each in (whole, self._tbs)):
            raise ValueError("it is not DER, or goes on behind its end")
        fields = self._tbs.parts()
        position = _positionOfEntries(fields)
        self._head, self._tail = fields[:position], fields[position:]
        self._start = self._end = 0
        if self._tail and self._tail[0].tag == _der.SEQUENCE:
            self._start, self._end = self._tail[0].start, self._tail[0].end
            self._tail = self._tail[1:]
        if len(data) - (self._end - self._start) > _LARGEST_REST:
            raise ValueError(f"it has more than {_LARGEST_REST} bytes beside its entries")
        self._data = data
        self.withoutEntries = self._piece(*(each.encoded for each in (*self._head, *self._tail)))
        self._table = array("I", bytes(4))

    @property
    def signedBytes(self) -> memoryview:
        """What the signature is over."""
        return memoryview(self._data)[self._tbs.offset : self._tbs.following]

    @property
    def whole(self) -> x509.CertificateRevocationList:
        """The list as the library reads it, which takes long for a long one."""
        return x509.load_der_x509_crl(self._data)

    def index(self) -> Iterator[tuple[bytes, x509.CertificateRevocationList]]:
        """Index the entries.

        Yields:
            Some of them in DER, and as the library reads them: in a list that has no others.

        Raises:
            ValueError: one of them cannot be read.
        """
        offsets = array("I", _resting(self._offsets()))
        for first, following in _resting(pairwise((*offsets[::_SLICE], self._end)), 1):
            encoded = self._data[first:following]
            yield encoded, self._entries(encoded)
        size = 1 << (2 * len(offsets)).bit_length()
        self._table = array("I", bytes(4)) * size
        # The last of two for one number is found first.
        for offset in _resting(reversed(offsets)):
            serial = self._serial(offset)
            slot = hash(serial) % size
            while self._table[slot] and self._serial(self._table[slot]) != serial:
                slot = (slot + 1) % size
            self._table[slot] = self._table[slot] or offset

    def entry(self, number: int) -> x509.RevokedCertificate | None:
        """Return the entry for a serial number, or None."""
        serial = number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)
        size = len(self._table)
        slot = hash(serial) % size
        while offset := self._table[slot]:
            if self._serial(offset) == serial:
                return self._entries(_der.first(self._data, offset).encoded)[0]
            slot = (slot + 1) % size
        return None

    def _offsets(self) -> Iterator[int]:
        data, offset = self._data, self._start
        while offset < self._end:
            yield offset
            length = data[offset + 1]
            offset = offset + 2 + length if length < 0x80 else _der.first(data, offset).following
        if offset != self._end:
            raise ValueError("an entry is cut off")

    def _serial(self, offset: int) -> bytes:
        data = self._data
        length = data[offset + 1]
        start = offset + 2 + (length & 0x7F if length >= 0x80 else 0)
        return data[start + 2 : start + 2 + data[start + 1]]

    def _entries(self, encoded: bytes) -> x509.CertificateRevocationList:
        return self._piece(*(each.encoded for each in self._head), _der.encode(_der.SEQUENCE, encoded))

    def _piece(self, *fields: bytes) -> x509.CertificateRevocationList:
        signed = (each.encoded for each in self._signed)
        return x509.load_der_x509_crl(_der.encode(_der.SEQUENCE, _der.encode(_der.SEQUENCE, *fields), *signed))


def _resting(items: Iterable[_T], size: int = _SLICE) -> Iterator[_T]:
    """Give items, and the other threads a turn after some of them."""
    left = iter(items)
    yield from islice(left, size)
    while some := tuple(islice(left, size)):
        sleep(_REST)
        yield from some


def decoded(content: bytes) -> bytes:
    """Return a list in DER that may be PEM.

    Raises:
        ValueError: it is neither, or there is more than one.
    """
    if content.startswith(b"\x30"):
        return content
    start, end = content.find(_BEGIN), content.find(_END)
    if not 0 <= start < end:
        raise ValueError("it is no revocation list, neither DER nor PEM")
    if content.find(_BEGIN, end) >= 0:
        raise ValueError("it is more than one list")
    parts, left = [], b""
    for first, following in pairwise((*range(start + len(_BEGIN), end, _DECODED), end)):
        left += content[first:following].translate(None, b" \t\r\n")
        size = len(left) & ~3
        parts.append(a2b_base64(left[:size]))
        left = left[size:]
    return b"".join(parts)


def _positionOfEntries(fields: tuple[_der.Element, ...]) -> int:
    """Return the position of the entries, or where they would be: behind one date, or two."""
    times = [position for position, field in enumerate(fields) if field.tag in _TIMES]
    if not times:
        raise ValueError("it has no date")
    return times[-1] + 1
