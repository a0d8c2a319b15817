"""What is told about the connections of a server: one event, one line, with the same names in text and in JSON.

Programs read the JSON lines and people read the text, and both come from the same facts, so that what is seen in one is
found in the other. An event carries the objects that know the facts. They are asked by who writes it, and only for what
is written: to describe the certificates of a chain takes a good part of the time of a handshake.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger, LogLevel

from tlscomm.access import Peer
from tlscomm.credentials import CredentialChoice
from tlscomm.failures import TLSFailure, printable
from tlscomm.transport._address import describeAddress
from tlscomm.transport._refusallimit import Event, RefusalLimit, networkOf
from tlscomm.transport._transport import TLSTransport
from tlscomm.x509._facts import certificateFacts

__all__ = ["Event", "EventLog", "writeText"]

_log = Logger(namespace="tlscomm")


class EventLog:
    """Writes an event for each connection that begins, is refused or ends: an `Observer` of a server's connections."""

    def __init__(
        self,
        write: Callable[[Event], object],
        clock: IReactorTime,
        *,
        finish: Callable[[], object] = lambda: None,
    ) -> None:
        """
        Args:
            write: takes the events.
            clock: tells the time of each, in seconds since 1970.
            finish: is called when the server has stopped.
        """
        self._write = write
        self._finish = finish
        self._clock = clock
        self._refusals = RefusalLimit(write, clock)
        self._count = itertools.count(1)
        self._numbers: dict[TLSTransport, int] = {}

    def listening(self, address: str | None) -> None:
        """The server listens.

        Args:
            address: where, as ``host:port``.
        """
        self._write({"event": "listening", "level": "info", "time": self._time(), "address": address})

    def accepted(self, transport: TLSTransport) -> None:
        number = self._numbers[transport] = next(self._count)
        name = "authenticated" if transport.peer is not None else "accepted"
        self._write(
            {
                **self._event(name, number, transport),
                "tls": transport.tls,
                "certificate": transport.peer,
                "clientCertificates": _asked(transport),
            }
        )

    def refused(self, transport: TLSTransport, failure: TLSFailure) -> None:
        address = transport.getPeer()
        event = {**self._event("refused", next(self._count), transport), "failure": failure}
        event["level"] = "debug" if _isHealthCheck(transport, failure) else "warn"
        self._refusals.refused(event, networkOf(address))

    def closed(self, transport: TLSTransport, failure: TLSFailure | None) -> None:
        # A protocol that does not speak in messages has none to count.
        protocol: Any = transport.protocol
        event = {
            **self._event("closed", self._numbers.pop(transport), transport),
            "failure": failure,
            "bytesReceived": transport.bytesReceived,
            "bytesSent": transport.bytesSent,
            "messagesReceived": getattr(protocol, "messagesReceived", None),
            "messagesSent": getattr(protocol, "messagesSent", None),
        }
        self._write(event if failure is None else {**event, "level": "warn"})

    def flush(self) -> None:
        """Write now what is still counted, because the server stops."""
        self._refusals.flush()
        self._finish()

    def _event(self, name: str, number: int, transport: TLSTransport) -> Event:
        peer = describeAddress(transport.getPeer())
        return {"event": name, "level": "info", "time": self._time(), "connection": number, "peer": peer}

    def _time(self) -> str:
        return datetime.fromtimestamp(self._clock.seconds(), timezone.utc).isoformat(timespec="milliseconds")


def writeText(event: Event) -> None:
    """Write an event as a line of Twisted's log, in the namespace ``tlscomm`` and with its facts as named fields."""
    failure = event.get("failure")
    form, phrases = _TEXTS[event["event"]]
    outcome = "in order" if failure is None else f"{failure.code}: {failure.message} {failure.nextStep}"
    if event["event"] == "refused":
        # The word is also the code of a refusal that does not say why.
        outcome = outcome if outcome.startswith("refused: ") else f"refused, {outcome}"
    # Twisted has a time of its own, which older observers look for under the same name.
    facts = {name: fact for name, fact in event.items() if name not in ("time", "level")}
    _log.emit(LogLevel.lookupByName(event["level"]), form, **facts, **phrases(event), outcome=outcome)


def _asked(transport: TLSTransport) -> str | None:
    """Return whether client certificates were asked for, where that is known: a context of others' does not say."""
    return getattr(transport.factory.configuration, "clientCertificates", None)


def _isHealthCheck(transport: TLSTransport, failure: TLSFailure) -> bool:
    """Return whether a peer connected and went away without a word, as what looks whether a port is open does."""
    return failure.code in ("closed-in-handshake", "reset") and not transport.hasHeard


def _nothing(event: Event) -> dict[str, str]:
    return {}


def _accepted(event: Event) -> dict[str, str]:
    peer: Peer | None = event["certificate"]
    isAsked = event["clientCertificates"] != "none"
    stranger = "the client showed no certificate" if isAsked else "no client certificate is asked for"
    who = stranger if peer is None else _who(peer)
    return {"who": who, "shown": _shown(event["tls"].choice)}


def _shown(choice: CredentialChoice | None) -> str:
    # Which of several credentials was shown is the first question when it was the wrong one.
    if choice is None or choice.credential is None:
        return ""
    return f"; we showed {certificateFacts(choice.credential.certificate).subject}, {choice.reason}"


def _who(peer: Peer) -> str:
    rule = "" if peer.rule is None else f" (by {printable(str(peer.rule))})"
    return f"{peer.facts.subject}{rule}"


def _traffic(event: Event) -> dict[str, str]:
    return {way: _amount(event[f"bytes{way}"], event[f"messages{way}"]) for way in ("Received", "Sent")}


def _amount(size: int, count: int | None) -> str:
    return f"{size} bytes" if count is None else f"{size} bytes in {count} message{'s' if count != 1 else ''}"


#: By the event's name, how it reads, and what says the parts of it that are not facts as they are.
_TEXTS: dict[str, tuple[str, Callable[[Event], dict[str, str]]]] = {
    "listening": ("listening on {address}", _nothing),
    "authenticated": (
        "connection {connection} from {peer} authenticated: {who}, {tls.version}, {tls.cipher}{shown}",
        _accepted,
    ),
    "accepted": (
        "connection {connection} from {peer} accepted without authentication: {who}, {tls.version}, "
        "{tls.cipher}{shown}",
        _accepted,
    ),
    "refused": ("connection {connection} from {peer} {outcome}", _nothing),
    "refusals": (
        "{count} more connections from {network} refused; the last one, connection {connection} from {peer}: {outcome}",
        _nothing,
    ),
    "closed": (
        "connection {connection} from {peer} closed ({Received} received, {Sent} sent), {outcome}",
        _traffic,
    ),
}
