"""Events as JSON: what was seen, with its fields, for programs. No secrets, and nothing that is not JSON."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from tlscomm._capture.packets import Address
from tlscomm._wire.events import Event, Field, Kind, Record
from tlscomm.tracing._fields import fieldsOf

__all__ = ["addressJSON", "eventJSON", "momentOf", "secondsBetween", "timeJSON"]

_SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
#: The year 9000.
_LAST = 221_845_392_000

#: Bytes of a field that are written. Longer ones are keys, tickets and certificates.
_LONGEST_VALUE = 64


def momentOf(time: int) -> datetime:
    """Return a time of nanoseconds since 1970, to the second. A damaged capture may say any; it is then the beginning.

    The first and the last year of the calendar are left out, so that time zones and days can be counted.
    """
    seconds = time // _SECOND
    return _EPOCH + timedelta(seconds=seconds if 0 <= seconds < _LAST else 0)


def timeJSON(time: int) -> str:
    """Return a time of nanoseconds since 1970 as ISO 8601 in UTC, to the nanosecond."""
    return f"{momentOf(time):%Y-%m-%dT%H:%M:%S}.{time % _SECOND:09d}Z"


def secondsBetween(began: int, ended: int) -> float:
    return (ended - began) / _SECOND


def addressJSON(address: Address | None) -> dict[str, object] | None:
    return None if address is None else {"host": address.host, "port": address.port}


def eventJSON(event: Event, began: int, *, fields: bool, applicationData: bool) -> dict[str, object]:
    """Return an event.

    Args:
        event: the event.
        began: when the connection began, nanoseconds since 1970.
        fields: whether messages are decoded.
        applicationData: whether what was kept of application data is told.
    """
    told: dict[str, object] = {
        "kind": event.kind.value,
        "from": "client" if event.isFromClient else "server",
        "time": timeJSON(event.time),
        "after": secondsBetween(began, event.time),
        "name": event.name,
        "size": event.size,
        "count": event.count,
        "packet": event.packet,
        "sealed": event.isSealed,
        "detail": event.detail,
        "records": [_recordJSON(record) for record in event.records],
    }
    if fields and event.kind in (Kind.HANDSHAKE, Kind.ALERT):
        told["fields"] = _fieldsJSON(fieldsOf(event))
    if applicationData and event.kind is Kind.APPLICATION_DATA:
        told["content"] = b64encode(event.content).decode("ascii")
    return told


def _recordJSON(record: Record) -> dict[str, object]:
    return {
        "number": record.number,
        "packet": record.packet,
        "type": record.type,
        "version": record.version,
        "length": record.length,
        "protection": record.protection.value,
        "innerType": record.innerType,
        "opened": record.isOpened,
    }


def _fieldsJSON(fields: Sequence[Field]) -> list[dict[str, object]]:
    return [_fieldJSON(field) for field in fields]


def _fieldJSON(field: Field) -> dict[str, object]:
    told: dict[str, object] = {"name": field.name, "value": _valueJSON(field.value), "text": field.text}
    if field.children:
        told["fields"] = _fieldsJSON(field.children)
    return told


def _valueJSON(value: int | bytes | str | None) -> int | str | None:
    if isinstance(value, bytes):
        return value.hex() if len(value) <= _LONGEST_VALUE else None
    return value
