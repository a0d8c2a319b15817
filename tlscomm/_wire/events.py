"""What is seen of a TLS connection: its records, and the messages that they carry.

A `Record` is what RFC 8446, section 5.1, calls so: a header of five bytes and a fragment. An `Event` is one thing that
one side told the other: a handshake message, an alert, a run of application data, or what is seen of TCP below. It
knows the records that carried it. What a message says in detail is in its `Field` objects, which
`tlscomm._wire.decoding` makes when they are asked for, because most messages are never looked at closely.

Times are nanoseconds since 1970. Numbers of packets are those of the capture, from 1, as Wireshark counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from tlscomm._dataclasses import dataclass

__all__ = ["Event", "Field", "Kind", "Protection", "Record"]


class Kind(Enum):
    """What kind of thing was seen.

    HANDSHAKE, ALERT, CHANGE_CIPHER_SPEC and APPLICATION_DATA are the content types of RFC 8446, section 5.1. SEALED is
    records that no secret has opened. Under TLS 1.3 their content type is not known. Up to TLS 1.2 it is in
    `Record.type`: the first one of the handshake behind ChangeCipherSpec is named ``Finished``, for it can be nothing
    else, and application data is APPLICATION_DATA whether it was opened or not. TCP is a step of the connection below:
    its `Event.name` is ``SYN``, ``FIN`` or ``RST``. PREFACE is what was said before TLS began, a PROXY header or
    STARTTLS for example. GAP is bytes that were not seen. OMITTED stands for events of one side that were left out
    because there were too many: `Event.count` and `Event.size` are those of all. DAMAGED is what is no TLS, or breaks
    its form: `Event.detail` says what, `Event.content` has the first bytes of it, and nothing more is read of its
    direction; `Event.size` grows by all that comes.
    """

    HANDSHAKE = "handshake"
    ALERT = "alert"
    CHANGE_CIPHER_SPEC = "change_cipher_spec"
    APPLICATION_DATA = "application_data"
    SEALED = "sealed"
    TCP = "tcp"
    PREFACE = "preface"
    GAP = "gap"
    OMITTED = "omitted"
    DAMAGED = "damaged"


class Protection(Enum):
    """Under which keys a record was sent (RFC 8446, section 7.1). Under TLS 1.2 APPLICATION from ChangeCipherSpec."""

    NONE = "none"
    EARLY = "early"
    HANDSHAKE = "handshake"
    APPLICATION = "application"


@dataclass(frozen=True)
class Field:
    """One field of a message.

    Attributes:
        name: as the standard names it, ``legacy_version`` or ``cipher_suites`` for example.
        value: for a program: a number, bytes, text, or None where `children` say all.
        text: for a person, in one line, printable and bounded whatever the peer has sent.
        children: the fields inside it, in their order.
        offset: where it begins in the message, counted from the message's type; None where it is not from there.
        size: of how many bytes of the message it is.
    """

    name: str
    value: int | bytes | str | None = None
    text: str = ""
    children: tuple[Field, ...] = ()
    offset: int | None = None
    size: int = 0

    def find(self, name: str) -> Field | None:
        """Return the first field of a name in it, at any depth, or None."""
        return next((field for field in self.walk() if field.name == name), None)

    def walk(self) -> Iterator[Field]:
        """Return it and all fields inside it, each before those inside it."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True)
class Record:
    """One record.

    Attributes:
        number: which of its direction, from 0.
        time: when its last byte was seen.
        packet: the packet that completed it; None where there is no capture.
        type: its content type, as in the clear; 128 for a ClientHello in the form of SSL 2.
        version: its legacy_record_version.
        length: of its fragment in bytes, without the header of five.
        protection: under which keys it was sent, as far as that is known.
        innerType: under TLS 1.3, the content type that was sealed in it; None where it was not opened or not sealed.
        isOpened: whether it was sealed, and a secret opened it.
    """

    number: int
    time: int
    packet: int | None
    type: int
    version: int
    length: int
    protection: Protection = Protection.NONE
    innerType: int | None = None
    isOpened: bool = False


@dataclass(frozen=True)
class Event:
    """One thing that was seen.

    Attributes:
        kind: what kind of thing.
        isFromClient: which side it came from. The client is the side that sends, or would send, the ClientHello.
        time: when the last byte of it was seen.
        name: as the standard names it: ``ClientHello``, ``certificate_required``, ``ApplicationData``.
        size: how many bytes it took on the wire, the headers of its records included; of several messages in one
            record, the bytes of the message.
        records: those that carried it; where there are more than 64, the first ones and the last.
        count: how many there are in a row: records of application data, or sealed records.
        content: a handshake message from its type on, or an alert's two bytes. Application data is in it only where
            that was asked for, as far as the bound allows.
        packet: the packet that completed it; None where there is no capture.
        version: the number of the version of TLS that it has to be read by, 0 where that is not known yet.
        detail: what else there is to say in a few words, of what is damaged for example; may be empty. Of the messages
            that exchange keys up to TLS 1.2, how the suite does it: ``ECDHE_RSA`` for example.
    """

    kind: Kind
    isFromClient: bool
    time: int
    name: str
    size: int
    records: tuple[Record, ...] = ()
    count: int = 1
    content: bytes = b""
    packet: int | None = None
    version: int = 0
    detail: str = ""

    @property
    def isSealed(self) -> bool:
        """Whether it was encrypted on the wire."""
        return any(record.protection is not Protection.NONE for record in self.records)
