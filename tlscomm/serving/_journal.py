"""systemd's journal, by its own protocol: events with their facts as fields, which ``journalctl`` can be asked for.

A record is one datagram to the journal's socket: ``NAME=value`` lines, and in another form what has line ends, so that
no text of a stranger can begin a field of its own (systemd.io/JOURNAL_NATIVE_PROTOCOL). These are few lines, and the
libraries for it are bindings to libsystemd.

A journal that takes nothing, because it is busy or being started again, does not hold the server up: records wait, up
to a bound, and are then lost and counted.
"""

from __future__ import annotations

import array
import errno
import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver, eventAsText
from zope.interface import implementer

from tlscomm.serving._lines import Lines, asJSON
from tlscomm.transport._eventlog import Event, sentenceOf

__all__ = ["Journal", "JournalRecords", "openJournal", "twistdsObserver"]

SOCKET = "/run/systemd/journal/socket"

#: Those of syslog(3).
_PRIORITIES = {"debug": 7, "info": 6, "warn": 4, "error": 3, "critical": 2}

#: Facts of an event that are a field each. The whole event is in ``TLSCOMM_JSON``.
_OF_EVENT = ("connection", "peer", "address", "listener", "count", "network", "bytesReceived", "bytesSent", "worker")
_OF_FAILURE = ("code", "side", "stage", "limit")

_TOO_LONG = (errno.EMSGSIZE, errno.ENOBUFS)


class Journal(Lines):
    """Writes records into the journal."""

    def __init__(self, clock: IReactorTime, address: str = SOCKET) -> None:
        """
        Args:
            clock: tells when to try again.
            address: the journal's socket.

        Raises:
            OSError: there is none.
        """
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender.setblocking(False)
        self._address = address
        try:
            os.stat(address)
        except OSError:
            sender.close()
            raise
        super().__init__(sender, clock, _complainOnTerminal)

    def __call__(self, event: Event) -> None:
        """Write an event."""
        self.record(sentenceOf(event), event["level"], dict(_fieldsOf(event)))

    def record(self, message: str, level: str, fields: Mapping[str, object]) -> None:
        """Write a record.

        Args:
            message: what a person reads.
            level: a level of Twisted's log.
            fields: its other fields; those that are None are left out.
        """
        given = {"MESSAGE": message, "PRIORITY": _PRIORITIES.get(level, 6), "SYSLOG_IDENTIFIER": "tlscomm", **fields}
        # The end of the last one is put behind it as that of any line.
        self.take(b"".join(_field(name, value) for name, value in given.items() if value is not None)[:-1])

    def close(self) -> None:
        """Close the socket."""
        self._stream.close()

    def _writePiece(self, seconds: float) -> bool:
        record = self._waiting[0]
        try:
            self._stream.sendto(record, self._address)
        except BlockingIOError:
            # Only at the end of the program there is nothing else to do.
            time.sleep(min(seconds, 0.01))
            return False
        except OSError as problem:
            if problem.errno not in _TOO_LONG:
                raise
            self._sendAsFile(record)
        self._size -= len(record)
        self._waiting.popleft()
        return True

    def _sendAsFile(self, record: bytes) -> None:
        """Send what is too long for a datagram as a file in memory that nothing can change any more."""
        import fcntl

        descriptor = os.memfd_create("tlscomm", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(record)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
            passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
            self._stream.sendmsg([], passed, 0, self._address)
        finally:
            os.close(descriptor)

    def _lostLine(self, count: int, now: float) -> bytes:
        text = f"{count} records could not be written, and stood here"
        fields = {"MESSAGE": text, "PRIORITY": 4, "SYSLOG_IDENTIFIER": "tlscomm", "TLSCOMM_EVENT": "lost"}
        return b"".join(_field(name, value) for name, value in {**fields, "TLSCOMM_COUNT": count}.items())[:-1]


@implementer(ILogObserver)
class JournalRecords:
    """Writes what is logged and is no event of its own: an observer of Twisted's log."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __call__(self, event: dict[str, Any]) -> None:
        text = eventAsText(event, includeTraceback=True, includeTimestamp=False, includeSystem=False)
        fields = {"TLSCOMM_NAMESPACE": event.get("log_namespace") or None, "TLSCOMM_WORKER": event.get("worker")}
        self._journal.record(text, getattr(event.get("log_level"), "name", "info"), fields)


#: The journal of this process, where it writes into it.
_opened: list[Journal] = []


def openJournal(clock: IReactorTime) -> Journal:
    """Return what writes into the journal, for this process.

    Raises:
        ValueError: there is no journal here; the message says so.
    """
    if not _opened:
        try:
            _opened.append(Journal(clock))
        except (OSError, AttributeError):
            raise ValueError(
                f"there is no journal on this machine ({SOCKET}): leave out --log-format journal, or say json"
            ) from None
    return _opened[0]


def twistdsObserver() -> JournalRecords:
    """Return the observer for twistd that writes into the journal; ``twistd --logger`` is set to this function."""
    return JournalRecords(_opened[0])


def _fieldsOf(event: Event) -> Iterator[tuple[str, object]]:
    encoded = asJSON(event)
    # The objects of the event say as JSON what they are.
    facts = json.loads(encoded)
    yield "TLSCOMM_EVENT", facts["event"]
    for name in _OF_EVENT:
        yield f"TLSCOMM_{_upper(name)}", facts.get(name)
    failure = facts.get("failure") or {}
    for name in _OF_FAILURE:
        yield f"TLSCOMM_{_upper(name)}", failure.get(name)
    shown = (facts.get("certificate"), failure.get("certificate"), *failure.get("chain", ()))
    certificate: dict[str, Any] = next((each for each in shown if each), {})
    yield "TLSCOMM_SUBJECT", certificate.get("subject")
    yield "TLSCOMM_FINGERPRINT", certificate.get("fingerprint")
    yield "TLSCOMM_RULE", certificate.get("rule")
    yield "TLSCOMM_JSON", encoded


def _upper(name: str) -> str:
    return "".join(f"_{letter}" if letter.isupper() else letter for letter in name).upper()


def _field(name: str, value: object) -> bytes:
    encoded = str(value).encode("utf-8", "backslashreplace")
    if b"\n" not in encoded:
        return b"%s=%s\n" % (name.encode(), encoded)
    return b"%s\n%s%s\n" % (name.encode(), len(encoded).to_bytes(8, "little"), encoded)


def _complainOnTerminal(text: str) -> None:
    with suppress(OSError, ValueError):
        print(f"twistd tlscomm: {text}", file=sys.__stderr__, flush=True)
