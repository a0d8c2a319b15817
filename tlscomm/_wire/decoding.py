"""What a message says, field by field, in the names of RFC 8446, RFC 5246 and the registries of IANA."""

from __future__ import annotations

from tlscomm._wire.events import Event, Field, Kind
from tlscomm._wire.fieldreader import FieldReader
from tlscomm._wire.messagefields import BODIES, readSSL2ClientHello
from tlscomm._wire.names import HANDSHAKE_TYPES
from tlscomm._wire.reading import Cut, Reader
from tlscomm._wire.records import SSL2
from tlscomm._wire.registries import ALERT_LEVELS
from tlscomm.failures._alerts import alertName

__all__ = ["decode"]


def decode(event: Event) -> tuple[Field, ...]:
    """Return the fields of a handshake message or an alert, and none of anything else.

    What cannot be read is in a field ``undecodable``, behind those that could. Nothing is raised, whatever the peer has
    sent, and the number of fields is bounded: what is left out is in a field ``more``.
    """
    if not event.content or event.kind not in (Kind.HANDSHAKE, Kind.ALERT):
        return ()
    reader = FieldReader(Reader(event.content))
    if event.kind is Kind.ALERT:
        reader.readAll(_alert, isMessage=True)
    elif event.records and event.records[0].type == SSL2:
        reader.readAll(readSSL2ClientHello, isMessage=True)
    else:
        reader.readAll(lambda inside: _message(inside, event), isMessage=True)
    return tuple(reader.fields)


def _alert(reader: FieldReader) -> None:
    reader.number("level", 1, ALERT_LEVELS)
    number = int.from_bytes(reader.peek(1), "big")
    reader.number("description", 1, {number: alertName(number)})


def _message(reader: FieldReader, event: Event) -> None:
    kind = reader.number("msg_type", 1, HANDSHAKE_TYPES)
    length = reader.number("length", 3)
    isCut = length > reader.left
    body = BODIES.get(kind)
    if body is None:
        reader.rest("body")
    else:
        body(reader, event)
    if isCut:
        raise Cut
