"""Whether bytes are records of TLS, told by the headers of records and of the first messages.

Sources: RFC 8446, sections 4.1 and 5.1; RFC 5246, sections 6.2 and 7.4.
"""

from __future__ import annotations

from tlscomm._wire.recordheader import HANDSHAKE, HEADER, LIKE_HEADER, Bytes, headerAt

__all__ = ["answerAt", "beginsAsTLS", "clientHelloAt", "isAnswer", "isRecords"]

#: What a ClientHello and a ServerHello have at least.
_SMALLEST_HELLO = 38

#: What stands for bytes of a header that have not come yet: an empty record's.
_TO_COME = bytes((HANDSHAKE, 3, 0, 0, 0))


def beginsAsTLS(data: Bytes) -> bool:
    """Return whether bytes begin as a handshake record, as far as they go. Three bytes of it are needed."""
    return len(data) >= 3 and data[0] == HANDSHAKE and data[1] == 3


def _isSSL2Hello(data: Bytes) -> bool:
    """Return whether bytes begin as a ClientHello in the form of SSL 2 (RFC 5246, appendix E.2)."""
    if len(data) < 11 or data[0] < 0x80 or data[2] != 1 or data[3] != 3 or data[4] > 4:
        return False
    suites, session, challenge = (data[at] << 8 | data[at + 1] for at in (5, 7, 9))
    size = (data[0] & 0x7F) << 8 | data[1]
    return size == 9 + suites + session + challenge and suites % 3 == 0 and 16 <= challenge <= 32


def clientHelloAt(data: Bytes, start: int) -> int:
    """Return where a ClientHello begins in the bytes from `start` on, or -1.

    At the very beginning its record's header will do, because a ClientHello may be divided between records.
    """
    if not start and len(data) >= 6:
        head = headerAt(data, 0)
        if (head is not None and head[0] == HANDSHAKE and head[1] and data[5] == 1) or _isSSL2Hello(data):
            return 0
    at = data.find(b"\x16\x03", start)
    while at >= 0:
        if _isHello(data, at, 1):
            return at
        at = data.find(b"\x16\x03", at + 1)
    return -1


def _isHello(data: Bytes, at: int, kind: int) -> bool:
    hello, header = data[at + HEADER : at + HEADER + 6], headerAt(data, at)
    if header is None or len(hello) < 6 or hello[0] != kind or hello[1] or hello[4] != 3 or hello[5] > 4:
        return False
    return header[0] == HANDSHAKE and header[1] > _SMALLEST_HELLO <= (hello[2] << 8 | hello[3])


def isAnswer(data: Bytes) -> bool:
    """Return whether bytes begin as a server's first record: a ServerHello, or an alert in the clear."""
    if _isHello(data, 0, 2):
        return True
    return len(data) >= 7 and data[:2] == b"\x15\x03" and data[3:5] == b"\0\2" and data[5] in (1, 2)


def answerAt(data: Bytes, start: int) -> int:
    """Return where a server's first record begins in the bytes from `start` on, or -1."""
    if not start and (isAnswer(data) or isRecords(data)):
        return 0
    for head in (b"\x16\x03", b"\x15\x03"):
        at = data.find(head, start)
        while at >= 0:
            if isAnswer(data[at : at + 11]):
                return at
            at = data.find(head, at + 1)
    return -1


def isRecords(data: Bytes) -> bool:
    """Return whether bytes are records, one behind the other; the last one may go on."""
    at = 0
    while at < len(data):
        head = data[at : at + HEADER]
        head += _TO_COME[len(head) :]
        if not LIKE_HEADER.match(head):
            return False
        at += HEADER + (head[3] << 8 | head[4])
    return len(data) >= HEADER
