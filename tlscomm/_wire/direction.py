"""One direction of a connection: where its records and messages begin, and under which keys they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tlscomm._wire.events import Protection, Record
from tlscomm._wire.names import HANDSHAKE_TYPES
from tlscomm._wire.negotiated import Agreed, Key
from tlscomm._wire.protection13 import Opened
from tlscomm._wire.recordheader import HEADER
from tlscomm._wire.records import RawRecord, RecordCutter
from tlscomm._wire.secrets import Secrets

__all__ = ["LONGEST_MESSAGE", "Direction", "Message", "Messages"]

#: Keys follow each other in this order.
_LEVELS = (Protection.EARLY, Protection.HANDSHAKE, Protection.APPLICATION)

#: Behind missing bytes so many numbers of a record are tried, and so many in all before it is left sealed. Each record
#: that comes gives one more.
_MOST_NUMBERS = 256
_MOST_ATTEMPTS = 4096

#: The smallest record that TLS 1.3 seals has so many bytes.
_SMALLEST = 22

#: The longest message that is put together. The longest known are Certificate and CertificateRequest, up to 100 KiB.
LONGEST_MESSAGE = 1 << 18

_MOST_CARRIERS = 64


class Message(NamedTuple):
    """A handshake message.

    Attributes:
        content: from its type on; less than all of it where bytes were not seen.
        records: those that carried it, the first ones where there are many.
        size: how many bytes it took on the wire.
        isWhole: whether all of it is there.
    """

    content: bytes
    records: tuple[Record, ...]
    size: int
    isWhole: bool = True


class Messages:
    """Puts handshake messages together from what records carry.

    Attributes:
        isTooLong: whether a message says that it is longer than any can be.
    """

    def __init__(self) -> None:
        self.isTooLong = False
        self._buffer = bytearray()
        self._records: list[Record] = []
        self._size = 0
        # Whether the next record begins with a message, or goes on with the one that is in the buffer.
        self._isAligned = True
        # Whether what is in the buffer began with a record.
        self._isClean = True

    @property
    def held(self) -> int:
        """How many bytes of a message are held that is not finished."""
        return len(self._buffer)

    def lose(self) -> None:
        """Bytes are missing: what was begun is not finished."""
        self._buffer.clear()
        self._records = []
        self._isAligned = False

    def isMessage(self, fragment: bytes, *, mayBeSealed: bool) -> bool:
        """Return whether a record is to be read as messages.

        It is, but behind missing bytes, or where it may be sealed, only if it looks like one.
        """
        if self._isAligned and not mayBeSealed:
            return True
        if len(fragment) < 4:
            return False
        return fragment[0] in HANDSHAKE_TYPES and 4 + int.from_bytes(fragment[1:4], "big") <= len(fragment)

    def add(self, content: bytes, seen: int, record: Record) -> Iterable[Message]:
        """Take what a record carries, and return the messages that end in it.

        Args:
            content: the content of the record.
            seen: how many bytes of it were seen.
            record: the record.
        """
        self._isAligned = True
        # Most messages have a record of their own.
        if not self._buffer and 4 <= seen == len(content) == 4 + int.from_bytes(content[1:4], "big"):
            return (Message(content, (record,), HEADER + record.length),)
        return self._joined(content, seen, record)

    def _joined(self, content: bytes, seen: int, record: Record) -> Iterator[Message]:
        if not self._buffer:
            self._begin(isClean=True)
        self._buffer += content[:seen]
        self._size += HEADER + record.length
        if len(self._records) < _MOST_CARRIERS:
            self._records.append(record)
        while len(self._buffer) >= 4:
            length = 4 + int.from_bytes(self._buffer[1:4], "big")
            if length > len(self._buffer):
                self.isTooLong = length > LONGEST_MESSAGE
                break
            isAll = self._isClean and length == len(self._buffer) and seen == len(content)
            yield Message(bytes(self._buffer[:length]), tuple(self._records), self._size if isAll else length)
            del self._buffer[:length]
            self._begin(isClean=False)
            self._records.append(record)
        if seen < len(content):
            if len(self._buffer) >= 4:
                yield Message(bytes(self._buffer), tuple(self._records), len(self._buffer), False)
            self.lose()

    def _begin(self, *, isClean: bool) -> None:
        self._records = []
        self._size = 0
        self._isClean = isClean


class Direction:
    """What is known of one direction.

    Attributes:
        isFromClient: which one.
        cutter: cuts its records.
        messages: puts its handshake messages together.
        count: how many records there were.
        protection: under which keys its next record is, as far as that is known.
        isChanged: whether a ChangeCipherSpec has been sent, up to TLS 1.2.
        agreed: up to TLS 1.2, what its present keys follow from.
        hasFinished: whether a handshake message came behind the ChangeCipherSpec.
        isSettled: whether it has come to a Finished, of this handshake or of one before.
        kept: how many bytes of application data were kept.
        said: how many messages and alerts there were.
        small: how many records carried little of a message.
        isStopped: whether it is no TLS, and nothing more is read.
    """

    def __init__(self, isFromClient: bool) -> None:
        self.isFromClient = isFromClient
        self.cutter = RecordCutter(mayBeSSL2=isFromClient)
        self.messages = Messages()
        self.count = 0
        self.protection = Protection.NONE
        self.isChanged = False
        self.agreed = Agreed()
        self.hasFinished = False
        self.isSettled = False
        self.kept = 0
        self.said = 0
        self.small = 0
        self.isStopped = False
        self._key: Key | None = None
        self._sequence = 0
        self._numbers = 1
        self._attempts = _MOST_ATTEMPTS

    @property
    def hasKey(self) -> bool:
        """Whether there is a key for its next record."""
        return self._key is not None

    def finish(self) -> None:
        """A handshake message came behind the ChangeCipherSpec, or must have come: Finished."""
        self.hasFinished = self.isSettled = True

    def stop(self) -> None:
        """Read nothing more."""
        self.isStopped = True
        self.messages.lose()
        self.cutter.stop()

    def enter(self, protection: Protection) -> None:
        """New keys are used from here on."""
        self.protection = protection
        self._key = None
        self._sequence = 0

    def update(self) -> None:
        """The next key of TLS 1.3 is used from here on."""
        if self._key is not None:
            self._key = self._key.updated()
            self._sequence = 0

    def lose(self, size: int) -> None:
        """So many bytes are missing, and it is not known how many records were in them."""
        self._numbers = min(self._numbers + size // _SMALLEST + 1, _MOST_NUMBERS)

    def open(self, raw: RawRecord, secrets: Secrets, agreed: Agreed) -> Opened | None:
        """Return what is in a sealed record, or None where it stays closed.

        Args:
            raw: the record.
            secrets: those that are known.
            agreed: what its keys follow from.
        """
        if self._key is not None and raw.isWhole:
            opened = self._key.opener.open(self._sequence, raw.header, raw.fragment)
            if opened is not None:
                self._sequence += 1
                self._numbers = 1
                return opened
        opened = self._search(raw, secrets, agreed) if raw.isWhole else None
        if opened is None:
            self._sequence += 1
        return opened

    def _search(self, raw: RawRecord, secrets: Secrets, agreed: Agreed) -> Opened | None:
        self._attempts = min(self._attempts + 1, _MOST_ATTEMPTS)
        if self._key is None and not agreed.hasSecrets(secrets):
            return None
        for protection in self._levels():
            for key, numbers in self._candidates(protection, secrets, agreed):
                if opened := self._attempt(raw, key, numbers):
                    self.protection, self._key = protection, key
                    return opened
        return None

    def _candidates(self, protection: Protection, secrets: Secrets, agreed: Agreed) -> Iterator[tuple[Key, range]]:
        """Give the keys that a record may be sealed with, and the numbers that it may have."""
        isPresent = protection is self.protection
        if not isPresent or self._key is None:
            first = self._sequence if isPresent else 0
            for key in agreed.keys(secrets, protection, isFromClient=self.isFromClient):
                yield key, range(first, first + self._numbers)
            return
        # The present number was the first attempt of all.
        yield self._key, range(self._sequence + 1, self._sequence + self._numbers)
        if protection is Protection.APPLICATION and self._key.secret:
            # A KeyUpdate may be among what was not seen.
            yield self._key.updated(), range(self._numbers)

    def _attempt(self, raw: RawRecord, key: Key, numbers: range) -> Opened | None:
        for sequence in numbers:
            if self._attempts <= 0:
                return None
            self._attempts -= 1
            opened = key.opener.open(sequence, raw.header, raw.fragment)
            if opened is not None:
                self._sequence, self._numbers = sequence + 1, 1
                return opened
        return None

    def _levels(self) -> tuple[Protection, ...]:
        """Return the keys that its next record may be under: the present ones, and those that follow them.

        A client whose early data is refused goes on with the next keys without a word, and a message that says so
        may not have been seen, or not have been opened.
        """
        if self.isChanged and self.agreed.server is not None:
            return (Protection.APPLICATION,)
        at = _LEVELS.index(self.protection) if self.protection in _LEVELS else 0
        return _LEVELS[at:]
