"""Failures out of the lines of a log, as JSON or as text, of this version or of another.

A log holds what strangers have sent, and a line of it may be any text. So what is taken from one is printable and cut,
and what no failure is found in is passed over.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from tlscomm._dataclasses import dataclass
from tlscomm.failures import CODES, printable

__all__ = ["FailureCounts", "LoggedFailure", "failureIn"]

_LONGEST_LINE = 1 << 20
_LONGEST_TEXT = 2000

#: What is no count of one line.
_MOST = 10**12

#: How events are told as text: who, from where, and the failure's code before its message.
_CONNECTION = re.compile(r"connection (\d{1,20}) from (\S{1,300})")
_CODE = re.compile(rf"(?:^|[ ,:])({'|'.join(sorted(CODES, key=len, reverse=True))}): ")
_SIDES = ("local", "remote")
_REMOTE = "The peer refused us: "


@dataclass(frozen=True)
class LoggedFailure:
    """A failure that a line tells of. What a line does not tell is empty.

    Attributes:
        code: its name.
        side: ``local`` or ``remote``.
        message: what happened.
        nextStep: what to do; in a line of text it is a part of the message.
        time: when, as the line has it.
        connection: the number of the connection.
        peer: the peer's address.
        certificate: whose certificate is at fault, or was shown.
        limit: the setting that was the limit.
        count: for how many failures the line stands.
    """

    code: str
    side: str = ""
    message: str = ""
    nextStep: str = ""
    time: str = ""
    connection: str = ""
    peer: str = ""
    certificate: str = ""
    limit: str = ""
    count: int = 1


class FailureCounts:
    """How often each failure of a log came, by its code and side: its latest case is kept, and no other."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], LoggedFailure] = {}
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, failure: LoggedFailure) -> None:
        """Count a failure."""
        key = failure.code, failure.side
        self._latest[key] = failure
        self._counts[key] = self._counts.get(key, 0) + failure.count

    def all(self) -> list[LoggedFailure]:
        """Return the latest case of each, the most frequent first, with the counts of all."""
        ordered = sorted(self._counts.items(), key=lambda item: -item[1])
        return [replace(self._latest[key], count=count) for key, count in ordered]


def failureIn(line: str) -> LoggedFailure | None:
    """Return the failure that a line tells of, or None where it tells of none."""
    line = line[:_LONGEST_LINE]
    # Most lines of other programs have neither, and reading them as JSON takes long.
    begin = line.find("{") if '"code' in line or 'code\\"' in line or "\\u" in line else -1
    found = None if begin < 0 else _inJSON(line[begin:])
    return found or (_inText(line) if ": " in line else None)


def _inJSON(text: str) -> LoggedFailure | None:
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    failure = value.get("failure", value)
    if isinstance(failure, dict) and failure.get("code") in CODES:
        return _fromJSON(failure, value)
    # What journalctl prints as JSON has the line as its message.
    message = value.get("TLSCOMM_JSON") or value.get("MESSAGE")
    return failureIn(message) if isinstance(message, str) and message != text else None


def _fromJSON(failure: dict[str, Any], event: dict[str, Any]) -> LoggedFailure:
    certificate = failure.get("certificate") or next(iter(failure.get("chain") or ()), None)
    subject = certificate.get("subject") if isinstance(certificate, dict) else None
    count = event.get("count")
    side = failure.get("side")
    texts = {name: _text(failure.get(name)) for name in ("code", "message", "nextStep", "limit")}
    return LoggedFailure(
        **texts,
        side=side if side in _SIDES else "",
        time=_text(event.get("time")),
        connection=_text(event.get("connection")),
        peer=_text(event.get("peer") or failure.get("peer")),
        certificate=_text(subject),
        count=count if isinstance(count, int) and 0 < count < _MOST else 1,
    )


def _text(value: object) -> str:
    return printable(str(value), _LONGEST_TEXT) if isinstance(value, str | int) else ""


def _inText(line: str) -> LoggedFailure | None:
    found = _CODE.search(line)
    if found is None:
        return None
    message = line[found.end() :].strip()
    connection = _CONNECTION.search(line[: found.start()])
    first = line.split(maxsplit=1)[0] if line.strip() else ""
    return LoggedFailure(
        code=found[1],
        side="remote" if message.startswith(_REMOTE) else "",
        message=printable(message, _LONGEST_TEXT),
        time=printable(first) if first[:1].isdigit() else "",
        connection="" if connection is None else connection[1],
        peer="" if connection is None else printable(connection[2].rstrip(":")),
        count=_countIn(line),
    )


def _countIn(line: str) -> int:
    found = re.search(r"\b(\d{1,12}) more connections from ", line)
    return int(found[1]) if found else 1
