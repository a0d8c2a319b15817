"""Whether bytes are records of TLS, told by the headers of records and of the first messages.

Sources: RFC 8446, sections 4.1 and 5.1; RFC 5246, sections 6.2 and 7.4.
"""

from __future__ import annotations

__all__ = ["answerAt", "beginsAsTLS", "clientHelloAt", "isAnswer", "isRecords"]

_ALERT, _HANDSHAKE = 21, 22

#: A record's fragment has at most so many bytes (RFC 5246, section 6.2.3).
_LARGEST = (1 << 14) + 2048

#: What a ClientHello and a ServerHello have at least.
_SMALLEST_HELLO = 38

Bytes = bytes | bytearray


def beginsAsTLS(data: Bytes) -> bool:
    """Return whether bytes begin as a handshake record, as far as they go. Three bytes of it are needed."""
    return len(data) >= 3 and data[0] == _HANDSHAKE and data[1] == 3 and data[2] <= 4


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
        length = data[3] << 8 | data[4]
        if (beginsAsTLS(data) and 0 < length <= _LARGEST and data[5] == 1) or _isSSL2Hello(data):
            return 0
    at = data.find(b"\x16\x03", start)
    while at >= 0:
        if _isHello(data, at, 1):
            return at
        at = data.find(b"\x16\x03", at + 1)
    return -1


def _isHello(data: Bytes, at: int, kind: int) -> bool:
    head = data[at : at + 11]
    if len(head) < 11 or head[2] > 4 or head[5] != kind or head[6] or head[9] != 3 or head[10] > 4:
        return False
    return _SMALLEST_HELLO < (head[3] << 8 | head[4]) <= _LARGEST and (head[7] << 8 | head[8]) >= _SMALLEST_HELLO


def isAnswer(data: Bytes) -> bool:
    """Return whether bytes begin as a server's first record: a ServerHello, or an alert in the clear."""
    if _isHello(data, 0, 2):
        return True
    return len(data) >= 7 and data[:2] == b"\x15\x03" and data[2] <= 4 and data[3:5] == b"\0\2" and data[5] in (1, 2)


def answerAt(data: Bytes) -> int:
    """Return where a server's first record begins, or -1."""
    if isAnswer(data) or isRecords(data):
        return 0
    for head in (b"\x16\x03", b"\x15\x03"):
        at = data.find(head)
        while at >= 0:
            if isAnswer(data[at : at + 11]):
                return at
            at = data.find(head, at + 1)
    return -1


def isRecords(data: Bytes) -> bool:
    """Return whether bytes are records, one behind the other; the last one may go on."""
    at = 0
    while at < len(data):
        head = data[at : at + 5]
        if head[0] not in (20, 21, 22, 23) or head[1:2] not in (b"\3", b"") or head[2:3] > b"\4":
            return False
        length = head[3] << 8 | head[4] if len(head) == 5 else 1
        if not 0 < length <= _LARGEST:
            return False
        at += 5 + length
    return len(data) >= 5
